/* SPDX-License-Identifier: BSD-3-Clause */
/* slice: bytes of somebody else's memory; not NUL-terminated. */
#ifndef NP_CORE_HTTP_SLICE_H
#define NP_CORE_HTTP_SLICE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct np_slice {
    const char *base;
    uint32_t len; /* bytes */
};

static inline struct np_slice np_slice_of(const char *text)
{
    struct np_slice slice = {text, (uint32_t)strlen(text)};

    return slice;
}
static inline struct np_slice np_slice_part(struct np_slice slice, uint32_t at, uint32_t len)
{
    struct np_slice part = {slice.base + at, len};

    return part;
}
/* Equal, byte by byte. */
static inline bool np_slice_is(struct np_slice slice, const char *text)
{
    return strlen(text) == slice.len &&
           (slice.len == 0 || memcmp(slice.base, text, slice.len) == 0);
}
static inline char np_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
/* Value of a hex digit, 0 to 15, or -1. */
static inline int32_t np_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = np_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
/* Equal but for the case of ASCII letters. */
static inline bool np_slice_is_word(struct np_slice slice, const char *word)
{
    for (uint32_t i = 0; i < slice.len; i++) {
        if (word[i] == '\0' || np_ascii_lower(slice.base[i]) != np_ascii_lower(word[i])) {
            return false;
        }
    }
    return word[slice.len] == '\0';
}

#endif
