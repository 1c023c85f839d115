/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8: one sequence of RFC 3629 at a time. */
#ifndef NP_CORE_HTTP_UTF8_H
#define NP_CORE_HTTP_UTF8_H

#include <stdint.h>

/* Length (1 to 4) of the valid sequence at the front of `text`, which has `len` (>= 1) bytes; 0 if
 * there is none: overlong, surrogate, beyond U+10FFFF, cut. */
static inline uint32_t np_utf8_sequence(const char *text, uint32_t len)
{
    const uint8_t *b = (const uint8_t *)text;
    uint32_t need = b[0] < 0x80 ? 1u : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2u : b[0] < 0xf0 ? 3u : 4u;

    if (b[0] > 0xf4 || need == 0 || need > len) {
        return 0;
    }
    for (uint32_t i = 1; i < need; i++) {
        if ((b[i] & 0xc0u) != 0x80u) {
            return 0;
        }
    }
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f)) {
        return 0;
    }
    return need;
}

/* Writes `code` (a scalar value) as 1 to 4 bytes; returns how many. */
static inline uint32_t np_utf8_encode(uint32_t code, char out[4])
{
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    uint32_t len = code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u;

    for (uint32_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80u | (code & 0x3fu));
        code >>= 6;
    }
    out[0] = (char)(marks[len] | code);
    return len;
}

#endif
