/* SPDX-License-Identifier: BSD-3-Clause */
/* json_read: np_json_parse walks the text once with a stack of bits; what comes later walks
 * parts of a text that is known to be JSON. */
#include <stddef.h>

#include "core/base/fmt.h"
#include "core/http/json.h"
#include "core/http/utf8.h"

#define REPLACEMENT 0xfffdu

struct scan {
    const char *at, *end;
};

static char peek(const struct scan *s)
{
    return s->at < s->end ? *s->at : '\0'; /* no token of JSON begins with a NUL */
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')) {
        s->at++;
    }
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c) {
        return false;
    }
    s->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- scalars ----------------------------------------------------------- */

static bool skip_escape(struct scan *s)
{
    if (!take(s, 'u')) {
        for (const char *simple = "\"\\/bfnrt"; *simple != '\0'; simple++) {
            if (take(s, *simple)) {
                return true;
            }
        }
        return false;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (np_hex_value(peek(s)) < 0) {
            return false;
        }
        s->at++;
    }
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool skip_string(struct scan *s)
{
    while (s->at < s->end) {
        uint8_t c = (uint8_t)*s->at++;
        if (c == '"') {
            return true;
        }
        if (c < 0x20 || (c == '\\' && !skip_escape(s))) {
            return false;
        }
    }
    return false;
}

static bool skip_digits(struct scan *s)
{
    const char *start = s->at;

    while (is_digit(peek(s))) {
        s->at++;
    }
    return s->at > start;
}

static bool skip_number(struct scan *s)
{
    take(s, '-');
    if (!take(s, '0') && !skip_digits(s)) {
        return false;
    }
    if (take(s, '.') && !skip_digits(s)) {
        return false;
    }
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) {
            take(s, '-');
        }
        return skip_digits(s);
    }
    return true;
}

static bool skip_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0) {
        return false;
    }
    s->at += len;
    return true;
}

static bool skip_scalar(struct scan *s)
{
    switch (peek(s)) {
    case '"':
        s->at++;
        return skip_string(s);
    case 't':
        return skip_word(s, "true");
    case 'f':
        return skip_word(s, "false");
    case 'n':
        return skip_word(s, "null");
    default:
        return skip_number(s);
    }
}

/* ---- nesting ----------------------------------------------------------- */

struct nest {
    uint32_t depth;
    uint32_t objects; /* bit d: level d + 1 is an object */
};

static bool is_object(const struct nest *nest)
{
    return (nest->objects >> (nest->depth - 1) & 1u) != 0;
}

static bool skip_key(struct scan *s)
{
    skip_blanks(s);
    if (!take(s, '"') || !skip_string(s)) {
        return false;
    }
    skip_blanks(s);
    return take(s, ':');
}

/* Behind a value: leaves what ends here. Returns NP_OK at the end of the outermost value, AGAIN if
 * another value follows. */
static enum np_err leave(struct scan *s, struct nest *nest)
{
    while (nest->depth > 0) {
        skip_blanks(s);
        if (take(s, ',')) {
            return !is_object(nest) || skip_key(s) ? NP_ERR_AGAIN : NP_ERR_INVALID;
        }
        if (!take(s, is_object(nest) ? '}' : ']')) {
            return NP_ERR_INVALID;
        }
        nest->depth--;
    }
    return NP_OK;
}

/* A bracket was taken. Returns AGAIN if a value follows inside, NP_OK if it is closed already. */
static enum np_err enter(struct scan *s, struct nest *nest, bool opens_object)
{
    if (nest->depth == NP_JSON_DEPTH_MAX) {
        return NP_ERR_LIMIT;
    }
    uint32_t bit = 1u << nest->depth++;
    nest->objects = opens_object ? nest->objects | bit : nest->objects & ~bit;
    skip_blanks(s);
    if (take(s, opens_object ? '}' : ']')) {
        nest->depth--;
        return NP_OK;
    }
    return !opens_object || skip_key(s) ? NP_ERR_AGAIN : NP_ERR_INVALID;
}

/* Over one value, blanks before it included. */
static enum np_err skip_value(struct scan *s)
{
    struct nest nest = {0, 0};
    enum np_err err = NP_ERR_AGAIN;

    while (err == NP_ERR_AGAIN) {
        skip_blanks(s);
        bool opens_object = peek(s) == '{';
        if (take(s, '{') || take(s, '[')) {
            err = enter(s, &nest, opens_object);
        } else {
            err = skip_scalar(s) ? NP_OK : NP_ERR_INVALID;
        }
        if (err == NP_OK) {
            err = leave(s, &nest);
        }
    }
    return err;
}

/* ---- values ------------------------------------------------------------ */

static uint8_t kind_of(char first)
{
    switch (first) {
    case '{':
        return NP_JSON_OBJECT;
    case '[':
        return NP_JSON_ARRAY;
    case '"':
        return NP_JSON_STRING;
    case 't':
        return NP_JSON_TRUE;
    case 'f':
        return NP_JSON_FALSE;
    case 'n':
        return NP_JSON_NULL;
    default:
        return NP_JSON_NUMBER;
    }
}

/* The value from `start` to `end`, which is known to be one. */
static struct np_json_value value_of(const char *start, const char *end)
{
    struct np_json_value value = {kind_of(*start), {start, (uint32_t)(end - start)}};

    if (value.kind == NP_JSON_STRING) {
        value.text = np_slice_part(value.text, 1, value.text.len - 2);
    }
    return value;
}

enum np_err np_json_parse(struct np_slice text, struct np_json_value *root)
{
    struct scan s = {text.base, text.base + text.len};

    skip_blanks(&s);
    const char *start = s.at;
    enum np_err err = text.len > 0 ? skip_value(&s) : NP_ERR_INVALID;
    if (err == NP_OK) {
        *root = value_of(start, s.at);
    }
    return err;
}

static struct np_json_value next_value(struct scan *s)
{
    skip_blanks(s);
    const char *start = s->at;
    (void)skip_value(s);
    return value_of(start, s->at);
}

/* At the beginning of a member, or at the closing bracket. */
static bool read_member(struct np_json_iter *it, struct scan *s)
{
    skip_blanks(s);
    if (s->at >= s->end || *s->at == '}' || *s->at == ']') {
        it->rest.len = 0;
        return false;
    }
    if (it->is_object) {
        it->key = next_value(s);
        skip_blanks(s);
        take(s, ':');
    }
    it->value = next_value(s);
    skip_blanks(s);
    take(s, ',');
    it->rest.base = s->at;
    it->rest.len = (uint32_t)(s->end - s->at);
    return true;
}

bool np_json_first(struct np_json_iter *it, const struct np_json_value *parent)
{
    struct scan s = {parent->text.base, parent->text.base + parent->text.len};

    memset(it, 0, sizeof *it);
    it->is_object = parent->kind == NP_JSON_OBJECT;
    if (parent->kind != NP_JSON_OBJECT && parent->kind != NP_JSON_ARRAY) {
        return false;
    }
    s.at++;
    return read_member(it, &s);
}

bool np_json_next(struct np_json_iter *it)
{
    struct scan s = {it->rest.base, it->rest.base + it->rest.len};

    return it->rest.len > 0 && read_member(it, &s);
}

/* ---- strings ------------------------------------------------------------ */

/* Four hex digits at *at, moved over. */
static uint32_t take_hex4(struct scan *s)
{
    uint32_t code = 0;

    for (uint32_t i = 0; i < 4; i++) {
        code = code << 4 | (uint32_t)np_hex_value(*s->at++);
    }
    return code;
}

/* Behind "\u": a scalar value, of two escapes if they are a pair of surrogates. */
static uint32_t take_unicode(struct scan *s)
{
    uint32_t code = take_hex4(s);

    if (code < 0xd800 || code > 0xdfff) {
        return code;
    }
    if (code < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u') {
        struct scan ahead = {s->at + 2, s->end};
        uint32_t low = take_hex4(&ahead);
        if (low >= 0xdc00 && low <= 0xdfff) {
            s->at = ahead.at;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return REPLACEMENT;
}

static uint32_t take_escape(struct scan *s)
{
    char c = *s->at++;

    switch (c) {
    case 'u':
        return take_unicode(s);
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (uint8_t)c;
    }
}

/* The next character of a string as UTF-8; returns its length. */
static uint32_t take_character(struct scan *s, char out[4])
{
    if (*s->at == '\\') {
        s->at++;
        return np_utf8_encode(take_escape(s), out);
    }
    uint32_t len = np_utf8_sequence(s->at, (uint32_t)(s->end - s->at));
    if (len == 0) {
        s->at++;
        return np_utf8_encode(REPLACEMENT, out);
    }
    memcpy(out, s->at, len);
    s->at += len;
    return len;
}

enum np_err np_json_text(const struct np_json_value *value, char *out, uint32_t cap, uint32_t *len)
{
    struct scan s = {value->text.base, value->text.base + value->text.len};
    enum np_err err = value->kind == NP_JSON_STRING ? NP_OK : NP_ERR_INVALID;
    char c[4];

    *len = 0;
    while (err == NP_OK && s.at < s.end) {
        uint32_t more = take_character(&s, c);
        if (c[0] == '\0') {
            err = NP_ERR_INVALID;
        } else if (more >= cap - *len) {
            err = NP_ERR_TOO_LONG;
        } else {
            memcpy(out + *len, c, more);
            *len += more;
        }
    }
    if (err != NP_OK) {
        *len = 0;
    }
    out[*len] = '\0';
    return err;
}

bool np_json_is_text(const struct np_json_value *value, const char *text)
{
    struct scan s = {value->text.base, value->text.base + value->text.len};
    char c[4];

    if (value->kind != NP_JSON_STRING) {
        return false;
    }
    while (s.at < s.end) {
        uint32_t len = take_character(&s, c);
        for (uint32_t i = 0; i < len; i++) {
            if (*text == '\0' || c[i] != *text++) {
                return false;
            }
        }
    }
    return *text == '\0';
}

/* ---- members ------------------------------------------------------------ */

/* A key without escapes is compared as it stands; one with escapes letter by letter. */
static bool is_key(const struct np_json_value *key, const char *name)
{
    struct scan s = {key->text.base, key->text.base + key->text.len};
    char c[4];

    while (s.at < s.end) {
        uint32_t len = take_character(&s, c);
        for (uint32_t i = 0; i < len; i++) {
            if (*name == '\0' || np_ascii_lower(c[i]) != np_ascii_lower(*name++)) {
                return false;
            }
        }
    }
    return *name == '\0';
}

bool np_json_find(const struct np_json_value *object, const char *name, struct np_json_value *value)
{
    struct np_json_iter it;
    bool is_found = false;

    if (object->kind != NP_JSON_OBJECT) {
        return false;
    }
    for (bool more = np_json_first(&it, object); more; more = np_json_next(&it)) {
        if (is_key(&it.key, name)) {
            *value = it.value;
            is_found = true;
        }
    }
    return is_found;
}

bool np_json_find_set(const struct np_json_value *object, const char *name,
                      struct np_json_value *value)
{
    return np_json_find(object, name, value) && value->kind != NP_JSON_NULL;
}

enum np_err np_json_bool(const struct np_json_value *value, bool *out)
{
    *out = value->kind == NP_JSON_TRUE;
    return value->kind == NP_JSON_TRUE || value->kind == NP_JSON_FALSE ? NP_OK : NP_ERR_INVALID;
}

enum np_err np_json_uint(const struct np_json_value *value, uint64_t max, uint64_t *out)
{
    if (value->kind != NP_JSON_NUMBER || value->text.len > 20 ||
        !np_parse_uint(value->text.base, value->text.len, max, out)) {
        return NP_ERR_INVALID;
    }
    return NP_OK;
}
