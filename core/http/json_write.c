/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>

#include "core/base/fmt.h"
#include "core/http/json.h"
#include "core/http/utf8.h"

#define FMT_CAP 256u

void np_json_init(struct np_json *json, char *mem, uint32_t cap)
{
    json->mem = mem;
    json->cap = cap;
    json->len = 0;
    json->is_full = false;
    json->needs_comma = false;
}

/* ---- bytes --------------------------------------------------------------- */

static void put(struct np_json *json, const char *text, uint32_t len)
{
    if (json->is_full || len > json->cap - json->len) {
        json->is_full = true;
        return;
    }
    if (len > 0) {
        memcpy(json->mem + json->len, text, len);
        json->len += len;
    }
}

static void put_escape(struct np_json *json, uint32_t code)
{
    char text[8];
    uint32_t len = np_fmt(text, sizeof text, "\\u%04x", code);

    put(json, text, len);
}

/* Bytes at the front of `text` that stand for themselves. */
static uint32_t plain_run(const char *text, uint32_t len)
{
    uint32_t n = 0;

    while (n < len) {
        uint8_t c = (uint8_t)text[n];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&') {
            break;
        }
        n++;
    }
    return n;
}

/* One byte or sequence that plain_run stopped at; returns its length. */
static uint32_t put_special(struct np_json *json, const char *text, uint32_t len)
{
    uint8_t c = (uint8_t)*text;

    if (c == '"' || c == '\\') {
        char pair[2] = {'\\', (char)c};
        put(json, pair, 2);
        return 1;
    }
    if (c < 0x80) {
        put_escape(json, c);
        return 1;
    }
    uint32_t sequence = np_utf8_sequence(text, len);
    if (sequence == 0) {
        put_escape(json, 0xfffd);
        return 1;
    }
    if (sequence == 3 &&
        (memcmp(text, "\xe2\x80\xa8", 3) == 0 || memcmp(text, "\xe2\x80\xa9", 3) == 0)) {
        put_escape(json, text[2] == '\xa8' ? 0x2028u : 0x2029u);
        return sequence;
    }
    put(json, text, sequence);
    return sequence;
}

static void put_string(struct np_json *json, struct np_slice text)
{
    put(json, "\"", 1);
    for (uint32_t at = 0; at < text.len && !json->is_full;) {
        uint32_t run = plain_run(text.base + at, text.len - at);
        put(json, text.base + at, run);
        at += run;
        if (at < text.len) {
            at += put_special(json, text.base + at, text.len - at);
        }
    }
    put(json, "\"", 1);
}

/* What stands before a value: comma and key. */
static void put_lead(struct np_json *json, const char *key)
{
    if (json->needs_comma) {
        put(json, ",", 1);
    }
    json->needs_comma = true;
    if (key != NULL) {
        put(json, "\"", 1);
        put(json, key, (uint32_t)strlen(key));
        put(json, "\":", 2);
    }
}

/* ---- values -------------------------------------------------------------- */

void np_json_open(struct np_json *json, const char *key, char bracket)
{
    put_lead(json, key);
    put(json, &bracket, 1);
    json->needs_comma = false;
}

void np_json_close(struct np_json *json, char bracket)
{
    put(json, &bracket, 1);
    json->needs_comma = true;
}

void np_json_put_slice(struct np_json *json, const char *key, struct np_slice text)
{
    put_lead(json, key);
    put_string(json, text);
}

void np_json_put_text(struct np_json *json, const char *key, const char *text)
{
    np_json_put_slice(json, key, np_slice_of(text));
}

void np_json_put_member(struct np_json *json, struct np_slice key, struct np_slice text)
{
    put_lead(json, NULL);
    put_string(json, key);
    put(json, ":", 1);
    put_string(json, text);
}

void np_json_put_uint(struct np_json *json, const char *key, uint64_t number)
{
    char text[24];

    put_lead(json, key);
    put(json, text, np_fmt(text, sizeof text, "%llu", (unsigned long long)number));
}

void np_json_put_int(struct np_json *json, const char *key, int64_t number)
{
    char text[24];

    put_lead(json, key);
    put(json, text, np_fmt(text, sizeof text, "%lld", (long long)number));
}

void np_json_put_bool(struct np_json *json, const char *key, bool value)
{
    np_json_put_value(json, key, np_slice_of(value ? "true" : "false"));
}

void np_json_put_null(struct np_json *json, const char *key)
{
    np_json_put_value(json, key, np_slice_of("null"));
}

void np_json_put_value(struct np_json *json, const char *key, struct np_slice value)
{
    put_lead(json, key);
    put(json, value.base, value.len);
}

/* ---- anything ------------------------------------------------------------- */

void np_json_raw_slice(struct np_json *json, struct np_slice text)
{
    put(json, text.base, text.len);
    json->needs_comma = false;
}

void np_json_raw(struct np_json *json, const char *text)
{
    np_json_raw_slice(json, np_slice_of(text));
}

void np_json_raw_fmt(struct np_json *json, const char *format, ...)
{
    char text[FMT_CAP];
    va_list args;

    va_start(args, format);
    uint32_t len = np_vfmt(text, sizeof text, format, args);
    va_end(args);
    put(json, text, len);
    json->needs_comma = false;
}
