/* SPDX-License-Identifier: BSD-3-Clause */
/* json: reads values in place and writes them into bounded memory (RFC 8259, master-api.md 1).
 *
 *   read   np_json_parse(text) -> root;  np_json_find(&root, "alias", &value);
 *          np_json_text(&value, out, cap, &len)         np_json_first / np_json_next walk an object
 *   write  np_json_init(&json, mem, cap); np_json_open(&json, NULL, '{');
 *          np_json_put_text(&json, "id", "0a1b2c3d"); ... np_json_close(&json, '}');
 *          if (json.is_full) nothing in mem counts
 *
 * No memory of its own, no recursion, no state elsewhere.
 */
#ifndef NP_CORE_HTTP_JSON_H
#define NP_CORE_HTTP_JSON_H

#include "core/base/err.h"
#include "core/http/slice.h"

#define NP_JSON_DEPTH_MAX 16u /* objects and arrays inside each other */

/* ---- reading ----------------------------------------------------------- */

enum np_json_kind {
    NP_JSON_NULL,
    NP_JSON_FALSE,
    NP_JSON_TRUE,
    NP_JSON_NUMBER,
    NP_JSON_STRING,
    NP_JSON_ARRAY,
    NP_JSON_OBJECT
};

/* A value of a text that np_json_parse accepted; it points into that text. */
struct np_json_value {
    uint8_t kind;         /* enum np_json_kind */
    struct np_slice text; /* string: between the quotes, still escaped; else the whole value */
};

/* Checks the first value of `text` to its end (all of RFC 8259's grammar) and sets *root; what
 * follows it is ignored. Returns NP_OK, NP_ERR_INVALID (empty, cut, not JSON) or NP_ERR_LIMIT
 * (deeper than NP_JSON_DEPTH_MAX). Bytes that are no UTF-8 are let through, see np_json_text. */
enum np_err np_json_parse(struct np_slice text, struct np_json_value *root);

/* Walks the members of an object or the elements of an array:
 *   for (bool more = np_json_first(&it, &value); more; more = np_json_next(&it))
 *       it.key (object: NP_JSON_STRING; array: kind NP_JSON_NULL), it.value
 * Any other kind of value has no members. */
struct np_json_iter {
    struct np_json_value key, value;
    struct np_slice rest; /* private */
    bool is_object;       /* private */
};
bool np_json_first(struct np_json_iter *it, const struct np_json_value *parent);
bool np_json_next(struct np_json_iter *it);

/* The member of `object` with that name; the case of ASCII letters does not matter, of several the
 * last one counts. False if there is none or `object` is none. */
bool np_json_find(const struct np_json_value *object, const char *name,
                  struct np_json_value *value);
/* Like np_json_find, and a member that is null counts as missing. */
bool np_json_find_set(const struct np_json_value *object, const char *name,
                      struct np_json_value *value);

/* The unescaped string, NUL-terminated, in `out` (`cap` bytes >= 1); *len without the NUL. Bytes
 * that are not UTF-8 and lone surrogates become U+FFFD, so the result is always UTF-8. Returns
 * NP_OK, NP_ERR_INVALID (no string, or a NUL inside) or NP_ERR_TOO_LONG; *out is "" then. */
enum np_err np_json_text(const struct np_json_value *value, char *out, uint32_t cap, uint32_t *len);
/* True if it is a string that means `text` (which has no escapes in JSON). */
bool np_json_is_text(const struct np_json_value *value, const char *text);
/* NP_OK, or NP_ERR_INVALID if it is neither true nor false. */
enum np_err np_json_bool(const struct np_json_value *value, bool *out);
/* A whole number from 0 to `max` without sign, fraction or exponent; else NP_ERR_INVALID. */
enum np_err np_json_uint(const struct np_json_value *value, uint64_t max, uint64_t *out);

/* ---- writing ----------------------------------------------------------- */

/* Text in memory of the caller's. Once something does not fit, is_full stays set, nothing more is
 * written and `len` is of no use. Commas are set by the writer. A
 * copy of the struct is a point to go back to. */
struct np_json {
    char *mem;
    uint32_t cap; /* bytes at mem */
    uint32_t len; /* written so far */
    bool is_full;
    bool needs_comma; /* private */
};
void np_json_init(struct np_json *json, char *mem, uint32_t cap);

/* Opens '{' or '['; `key` NULL inside an array or at the top. close takes '}' or ']'. */
void np_json_open(struct np_json *json, const char *key, char bracket);
void np_json_close(struct np_json *json, char bracket);
/* `key` NULL inside an array. Strings are escaped: quote and backslash, control bytes \u00XX,
 * < > & U+2028 U+2029 as \uXXXX, bytes that are not UTF-8 as \ufffd; '/' is not. */
void np_json_put_text(struct np_json *json, const char *key, const char *text);
void np_json_put_slice(struct np_json *json, const char *key, struct np_slice text);
/* Keys that are data (tags): escaped like text. */
void np_json_put_member(struct np_json *json, struct np_slice key, struct np_slice text);
void np_json_put_uint(struct np_json *json, const char *key, uint64_t number);
void np_json_put_int(struct np_json *json, const char *key, int64_t number);
void np_json_put_bool(struct np_json *json, const char *key, bool value);
void np_json_put_null(struct np_json *json, const char *key);
/* A finished JSON value, as it is. */
void np_json_put_value(struct np_json *json, const char *key, struct np_slice value);
/* Bytes that are no JSON value (frames, newlines, whole documents), as they are; the next value
 * gets no comma. */
void np_json_raw(struct np_json *json, const char *text);
void np_json_raw_slice(struct np_json *json, struct np_slice text);
/* Formatted bytes, at most 255, as they are (np_fmt). */
void np_json_raw_fmt(struct np_json *json, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
