/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_poly: Poly1305 (RFC 8439 section 2.5) on 64-bit words, inline, so that a block of it can
 * stand between rounds of ChaCha20: the one keeps the multiplier busy, the other the vector units.
 *
 * The sum h is h2 * 2^128 + h1 * 2^64 + h0 with h2 below 8; r is clamped, so that r1 is a multiple
 * of 4 and 2^130 = 5 turns into s1 = r1 * 5 / 4. Constant time.
 */
#ifndef NP_CORE_TLS_FAST_POLY_H
#define NP_CORE_TLS_FAST_POLY_H

#include <stdint.h>
#include <string.h>

#include "core/base/ct.h"

struct poly {
    uint64_t h0, h1, h2;
    uint64_t r0, r1, s1;
    uint64_t pad0, pad1;
};

#define POLY_INLINE static inline NP_FOLDED

/* Little-endian machines only. */
POLY_INLINE uint64_t poly_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* `key`: the one-time key, 32 bytes. */
POLY_INLINE void poly_init(struct poly *p, const uint8_t *key)
{
    p->h0 = p->h1 = p->h2 = 0;
    p->r0 = poly_word(key) & 0x0ffffffc0fffffffu;
    p->r1 = poly_word(key + 8) & 0x0ffffffc0ffffffcu;
    p->s1 = p->r1 + (p->r1 >> 2);
    p->pad0 = poly_word(key + 16);
    p->pad1 = poly_word(key + 24);
}

/* One whole block. */
POLY_INLINE void poly_block(struct poly *p, const uint8_t *block)
{
    unsigned __int128 sum, d0, d1;
    uint64_t h0, h1, h2, d2, fold;

    sum = (unsigned __int128)p->h0 + poly_word(block);
    h0 = (uint64_t)sum;
    sum = (unsigned __int128)p->h1 + poly_word(block + 8) + (uint64_t)(sum >> 64);
    h1 = (uint64_t)sum;
    h2 = p->h2 + 1 + (uint64_t)(sum >> 64);
    d0 = (unsigned __int128)h0 * p->r0 + (unsigned __int128)h1 * p->s1;
    d1 = (unsigned __int128)h0 * p->r1 + (unsigned __int128)h1 * p->r0 + h2 * p->s1;
    d1 += (uint64_t)(d0 >> 64);
    d2 = h2 * p->r0 + (uint64_t)(d1 >> 64);
    fold = (d2 & ~(uint64_t)3) + (d2 >> 2); /* what is above 2^130, times 5 */
    sum = (unsigned __int128)(uint64_t)d0 + fold;
    p->h0 = (uint64_t)sum;
    sum = (unsigned __int128)(uint64_t)d1 + (uint64_t)(sum >> 64);
    p->h1 = (uint64_t)sum;
    p->h2 = (d2 & 3) + (uint64_t)(sum >> 64);
}

/* Bytes padded with zeros to whole blocks (RFC 8439 section 2.8). */
POLY_INLINE void poly_padded(struct poly *p, const uint8_t *bytes, size_t len)
{
    uint8_t last[16] = {0};

    for (; len >= 16; bytes += 16, len -= 16) {
        poly_block(p, bytes);
    }
    if (len > 0) {
        memcpy(last, bytes, len);
        poly_block(p, last);
    }
}

POLY_INLINE void poly_finish(struct poly *p, uint8_t tag[16])
{
    unsigned __int128 sum;
    uint64_t g0, g1, keep;

    /* h + 5 reaches 2^130 if h is not below the prime: then its low 130 bits are the rest */
    sum = (unsigned __int128)p->h0 + 5;
    g0 = (uint64_t)sum;
    sum = (unsigned __int128)p->h1 + (uint64_t)(sum >> 64);
    g1 = (uint64_t)sum;
    keep = ((p->h2 + (uint64_t)(sum >> 64)) >> 2) - 1; /* all ones: below */
    p->h0 = (p->h0 & keep) | (g0 & ~keep);
    p->h1 = (p->h1 & keep) | (g1 & ~keep);
    sum = (unsigned __int128)p->h0 + p->pad0;
    p->h0 = (uint64_t)sum;
    p->h1 += p->pad1 + (uint64_t)(sum >> 64);
    memcpy(tag, &p->h0, 8);
    memcpy(tag + 8, &p->h1, 8);
    np_ct_wipe(p, sizeof(*p));
}

#endif
