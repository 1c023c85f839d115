/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/urltext.h"

#include <string.h>

#include "config/endpoint.h"
#include "config/query.h"

#define PAIRS 64u
#define TOO_LONG UINT32_MAX

/* Text that grows; len = TOO_LONG once it did not fit. */
struct text {
    char *out;
    uint32_t cap, len;
};

static void put(struct text *text, const char *bytes, uint32_t len)
{
    if (text->len == TOO_LONG || len >= text->cap - text->len) {
        text->len = TOO_LONG;
        return;
    }
    memcpy(text->out + text->len, bytes, len);
    text->len += len;
    text->out[text->len] = '\0';
}

static void put_text(struct text *text, const char *bytes)
{
    put(text, bytes, (uint32_t)strlen(bytes));
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_.~", c) != NULL);
}

/* As query strings are written everywhere: a space as '+', all but plain bytes as %XX. */
static void put_escaped(struct text *text, const char *bytes, uint32_t len, bool plus_is_space)
{
    static const char digits[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15u]};

        if (is_plain(bytes[i])) {
            put(text, bytes + i, 1);
        } else if (c == ' ' && plus_is_space) {
            put(text, "+", 1);
        } else {
            put(text, escaped, 3);
        }
    }
}

static uint32_t finish(const struct text *text)
{
    return text->len == TOO_LONG ? 0 : text->len;
}

/* ---- every option ---------------------------------------------------------------------------- */

/* "1h0m0s" is shown as "1h". */
static void shorten_duration(char *value)
{
    size_t len = strlen(value);

    if (len > 3 && memcmp(value + len - 3, "m0s", 3) == 0) {
        len -= 2;
        value[len] = '\0';
    }
    if (len > 3 && memcmp(value + len - 3, "h0m", 3) == 0) {
        value[len - 2] = '\0';
    }
}

/* The first option by name behind `last`; false if there is none. */
static bool next_option(const struct np_settings *settings, const char *last, uint32_t *index)
{
    char value[NP_QUERY_VALUE_CAP];
    const char *name, *best = NULL;

    for (uint32_t i = 0; np_query_value(settings, i, &name, value, sizeof(value)); i++) {
        if (strcmp(name, last) > 0 && (best == NULL || strcmp(name, best) < 0)) {
            best = name;
            *index = i;
        }
    }
    return best != NULL;
}

/* The '%' before an IPv6 zone is %25 in a URL (RFC 6874). */
static void put_place(struct text *text, const struct np_endpoint *endpoint)
{
    char place[NP_ENDPOINT_TEXT_CAP];

    np_endpoint_format(endpoint, place, sizeof(place));
    for (const char *c = place; *c != '\0'; c++) {
        put(text, *c == '%' ? "%25" : c, *c == '%' ? 3 : 1);
    }
}

uint32_t np_urltext_format(const struct np_settings *settings, char *out, uint32_t cap)
{
    struct text text = {out, cap, 0};
    char value[NP_QUERY_VALUE_CAP];
    const char *name = "", *mark = "?";
    uint32_t index = 0;

    put_text(&text, settings->role == NP_ROLE_SERVER ? "server://" : "client://");
    if (settings->key_given) {
        put_escaped(&text, (const char *)settings->key, settings->key_len, false);
        put_text(&text, "@");
    }
    put_place(&text, &settings->tunnel);
    put_text(&text, "/");
    put_place(&text, &settings->target);
    while (next_option(settings, name, &index)) {
        (void)np_query_value(settings, index, &name, value, sizeof(value));
        if (value[0] == '\0') {
            continue;
        }
        if (strcmp(name, "read") == 0 || strcmp(name, "dns") == 0) {
            shorten_duration(value);
        }
        put_text(&text, mark);
        put_text(&text, name);
        put_text(&text, "=");
        put_escaped(&text, value, (uint32_t)strlen(value), true);
        mark = "&";
    }
    return finish(&text);
}

/* ---- the stored form ------------------------------------------------------------------------- */

struct pair {
    const char *name, *value; /* value NULL: none */
    uint32_t name_len, value_len;
    bool is_escaped; /* as it stands in a URL */
};

static int compare(const struct pair *a, const struct pair *b)
{
    uint32_t least = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, least);

    return order != 0 ? order : a->name_len < b->name_len ? -1 : a->name_len > b->name_len;
}

/* Inserts in order, behind equal ones; false if there are too many. */
static bool insert(struct pair *pairs, uint32_t *count, struct pair pair)
{
    uint32_t i = *count;

    if (i == PAIRS) {
        return false;
    }
    for (; i > 0 && compare(&pairs[i - 1], &pair) > 0; i--) {
        pairs[i] = pairs[i - 1];
    }
    pairs[i] = pair;
    ++*count;
    return true;
}

static bool split_query(struct pair *pairs, uint32_t *count, const char *query, uint32_t len)
{
    uint32_t start = 0;

    for (uint32_t i = 0; i <= len; i++) {
        if (i < len && query[i] != '&') {
            continue;
        }
        const char *at = query + start;
        const char *equals = memchr(at, '=', i - start);
        uint32_t name_len = equals == NULL ? i - start : (uint32_t)(equals - at);
        uint32_t skip = equals == NULL ? name_len : name_len + 1;
        struct pair pair = {at, at + skip, name_len, i - start - skip, true};

        if (i > start && !insert(pairs, count, pair)) {
            return false;
        }
        start = i + 1;
    }
    return true;
}

static bool has_name(const struct pair *pairs, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pairs[i].name_len == strlen(name) && memcmp(pairs[i].name, name, strlen(name)) == 0) {
            return true;
        }
    }
    return false;
}

/* One side of a pair, decoded and encoded again; what can't be decoded stays as it is. */
static void put_side(struct text *text, const char *bytes, uint32_t len, bool is_escaped)
{
    char plain[NP_MAX_URL];
    int32_t plain_len = is_escaped ? np_query_decode(bytes, len, true, plain, sizeof(plain)) : -1;

    if (!is_escaped) {
        put_escaped(text, bytes, len, true);
    } else if (plain_len < 0) {
        put(text, bytes, len);
    } else {
        put_escaped(text, plain, (uint32_t)plain_len, true);
    }
}

uint32_t np_urltext_normalize(const char *url, uint32_t len, const struct np_urltext_option *extra,
                              uint32_t extra_count, char *out, uint32_t cap)
{
    const char *question = memchr(url, '?', len);
    uint32_t head = question == NULL ? len : (uint32_t)(question - url);
    uint32_t at = question == NULL ? len : head + 1, count = 0;
    struct text text = {out, cap, 0};
    struct pair pairs[PAIRS];
    bool fits = split_query(pairs, &count, url + at, len - at);

    for (uint32_t i = 0; i < extra_count; i++) {
        struct pair pair = {extra[i].name, extra[i].value, (uint32_t)strlen(extra[i].name),
                            (uint32_t)strlen(extra[i].value), false};

        if (!has_name(pairs, count, extra[i].name)) {
            fits = insert(pairs, &count, pair) && fits;
        }
    }
    if (!fits) {
        return 0;
    }
    put(&text, url, head);
    for (uint32_t i = 0; i < len && text.len != TOO_LONG && out[i] != ':'; i++) {
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] + ('a' - 'A') : out[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        put_text(&text, i == 0 ? "?" : "&");
        put_side(&text, pairs[i].name, pairs[i].name_len, pairs[i].is_escaped);
        put_text(&text, "=");
        put_side(&text, pairs[i].value, pairs[i].value_len, pairs[i].is_escaped);
    }
    return finish(&text);
}
