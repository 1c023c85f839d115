/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_hex: hex text of a table to bytes. */
#ifndef NP_TESTS_UNIT_TLS_HEX_H
#define NP_TESTS_UNIT_TLS_HEX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t tls_nibble(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}
/* Writes strlen(hex) / 2 bytes; returns how many. A text that does not fit ends the program. */
static inline uint32_t tls_hex(uint8_t *out, uint32_t cap, const char *hex)
{
    uint32_t len = (uint32_t)strlen(hex) / 2;

    if (len > cap) {
        abort();
    }
    for (uint32_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(tls_nibble(hex[2 * i]) << 4 | tls_nibble(hex[2 * i + 1]));
    }
    return len;
}

#endif
