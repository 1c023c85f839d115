/* SPDX-License-Identifier: BSD-3-Clause */
/* http_path: percent-encoding, path segments, query parameters, clean paths. */
#include <stddef.h>

#include "core/http/http_parse.h"

bool np_http_segment_next(struct np_slice *rest, struct np_slice *segment)
{
    uint32_t len = 1;

    if (rest->len == 0) {
        return false;
    }
    while (len < rest->len && rest->base[len] != '/') {
        len++;
    }
    *segment = np_slice_part(*rest, 1, len - 1);
    *rest = np_slice_part(*rest, len, rest->len - len);
    return true;
}

/* The byte at *at, decoded, moved over. -1: a bad escape. */
static int32_t take_byte(struct np_slice text, uint32_t *at, bool is_query)
{
    char c = text.base[(*at)++];

    if (c == '+' && is_query) {
        return ' ';
    }
    if (c != '%') {
        return (uint8_t)c;
    }
    if (text.len - *at < 2) {
        return -1;
    }
    int32_t high = np_hex_value(text.base[*at]), low = np_hex_value(text.base[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

enum np_err np_http_decode(struct np_slice text, bool is_query, char *out, uint32_t cap,
                           uint32_t *len)
{
    enum np_err err = NP_OK;

    *len = 0;
    for (uint32_t at = 0; at < text.len && err == NP_OK;) {
        int32_t c = take_byte(text, &at, is_query);
        if (c <= 0) {
            err = NP_ERR_INVALID;
        } else if (*len + 1 >= cap) {
            err = NP_ERR_TOO_LONG;
        } else {
            out[(*len)++] = (char)c;
        }
    }
    *len = err == NP_OK ? *len : 0;
    out[*len] = '\0';
    return err;
}

/* True if `text`, decoded, is `name`. */
static bool means(struct np_slice text, const char *name)
{
    uint32_t at = 0;

    while (at < text.len) {
        int32_t c = take_byte(text, &at, true);
        if (c <= 0 || *name == '\0' || (uint8_t)*name != (uint32_t)c) {
            return false;
        }
        name++;
    }
    return *name == '\0';
}

static struct np_slice cut(struct np_slice *rest, char c)
{
    uint32_t len = 0;

    while (len < rest->len && rest->base[len] != c) {
        len++;
    }
    struct np_slice part = np_slice_part(*rest, 0, len);
    len += len < rest->len ? 1u : 0;
    *rest = np_slice_part(*rest, len, rest->len - len);
    return part;
}

enum np_err np_http_query_find(struct np_slice query, const char *name, char *out, uint32_t cap,
                               uint32_t *len)
{
    while (query.len > 0) {
        struct np_slice value = cut(&query, '&');
        struct np_slice key = cut(&value, '=');
        if (means(key, name)) {
            return np_http_decode(value, true, out, cap, len);
        }
    }
    *len = 0;
    out[0] = '\0';
    return NP_ERR_NOT_FOUND;
}

/* ---- clean paths ---------------------------------------------------------------- */

/* 1 for ".", 2 for "..", each dot plain or %2e; else 0. */
static uint32_t dots_of(struct np_slice segment)
{
    uint32_t at = 0, dots = 0;

    while (at < segment.len) {
        if (take_byte(segment, &at, false) != '.') {
            return 0;
        }
        dots++;
    }
    return dots <= 2 ? dots : 0;
}

bool np_http_path_is_clean(struct np_slice path)
{
    struct np_slice segment;

    while (np_http_segment_next(&path, &segment)) {
        if ((segment.len == 0 && path.len > 0) || dots_of(segment) > 0) {
            return false;
        }
    }
    return true;
}

/* Bytes that stay as they are in a Location: what RFC 3986 allows in a path, and escapes. */
static bool is_path_byte(char c)
{
    static const char marks[] = "-._~!$&'()*+,;=:@%";
    char lower = np_ascii_lower(c);

    if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) {
        return true;
    }
    for (const char *mark = marks; *mark != '\0'; mark++) {
        if (c == *mark) {
            return true;
        }
    }
    return false;
}

struct path_writer {
    char *out;
    uint32_t cap, len;
    bool is_full;
};

static void put(struct path_writer *w, char c)
{
    if (w->len + 1 >= w->cap) {
        w->is_full = true;
        return;
    }
    w->out[w->len++] = c;
}

static void put_segment(struct path_writer *w, struct np_slice segment)
{
    static const char digits[] = "0123456789ABCDEF";

    put(w, '/');
    for (uint32_t i = 0; i < segment.len; i++) {
        uint8_t c = (uint8_t)segment.base[i];
        if (is_path_byte((char)c)) {
            put(w, (char)c);
        } else {
            put(w, '%');
            put(w, digits[c >> 4]);
            put(w, digits[c & 15u]);
        }
    }
}

static void drop_segment(struct path_writer *w)
{
    while (w->len > 0 && w->out[--w->len] != '/') {
    }
}

uint32_t np_http_path_clean(struct np_slice path, char *out, uint32_t cap)
{
    struct path_writer w = {out, cap, 0, cap < 2};
    struct np_slice segment;
    bool ends_in_slash = false;

    while (!w.is_full && np_http_segment_next(&path, &segment)) {
        uint32_t dots = dots_of(segment);
        ends_in_slash = segment.len == 0;
        if (dots == 2) {
            drop_segment(&w);
        } else if (dots == 0 && segment.len > 0) {
            put_segment(&w, segment);
        }
    }
    if (!w.is_full && (ends_in_slash || w.len == 0)) {
        put(&w, '/');
    }
    if (cap > 0) {
        w.len = w.is_full ? 0 : w.len;
        out[w.len] = '\0';
    }
    return w.is_full ? 0 : w.len;
}
