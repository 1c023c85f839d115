/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_impl: what the files of `fast` share. */
#ifndef NP_CORE_TLS_FAST_IMPL_H
#define NP_CORE_TLS_FAST_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tls/fast.h"

#if !defined(NP_TLS_SMALL) && defined(__x86_64__)
#define NP_FAST_X86 1
#else
#define NP_FAST_X86 0
#endif
#if !defined(NP_TLS_SMALL) && defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NP_FAST_ARM 1
#else
#define NP_FAST_ARM 0
#endif

/* Where size counts (-Os) the inner loops are there once, and the parts of GCM, which only serve
 * combinations that a product does not use, not at all. */
#ifdef __OPTIMIZE_SIZE__
#define NP_FAST_COMPACT 1
#else
#define NP_FAST_COMPACT 0
#endif

/* A copy for each call, in which constant arguments fold away. A build that counts the branches of
 * the source (tests/sim/coverage.py) wants one copy for all calls. */
#ifdef NP_FAST_ONE_COPY
#define NP_FOLDED
#else
#define NP_FOLDED __attribute__((always_inline))
#endif

#if NP_FAST_X86 || NP_FAST_ARM
#define NP_FAST_AES 1

/* This CPU can run what follows. */
bool np_fast_has_aes(void);
extern const struct np_tls_aead np_fast_gcm;
extern const br_block_ctr_class np_fast_aes;
void np_fast_ghash(void *y, const void *h, const void *data, size_t len);
#else
#define NP_FAST_AES 0
#endif

#if NP_FAST_X86 || NP_FAST_ARM
#define NP_FAST_CHACHA 1

/* br_chacha20_run for 4 blocks at once, in vectors that every CPU of these has, and 8 blocks; and
 * with Poly1305 as a whole. */
uint32_t np_fast_chacha_4(const void *key, const void *nonce, uint32_t counter, void *data,
                          size_t len);
extern const struct np_tls_aead np_fast_chacha_aead_4;
#else
#define NP_FAST_CHACHA 0
#endif

#if !defined(NP_TLS_SMALL) && defined(__SIZEOF_INT128__)
#define NP_FAST_X25519 1

/* X25519 of a scalar and a point, both little-endian (RFC 7748); `out` may be either. */
void np_fast_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);
#else
#define NP_FAST_X25519 0
#endif

/* A CPU with AVX2 has AES as well, so ChaCha20 is its second choice. */
#if NP_FAST_X86 && !NP_FAST_COMPACT
#define NP_FAST_AVX2 1

bool np_fast_has_avx2(void);
uint32_t np_fast_chacha_8(const void *key, const void *nonce, uint32_t counter, void *data,
                          size_t len);
extern const struct np_tls_aead np_fast_chacha_aead_8;
#else
#define NP_FAST_AVX2 0
#endif

#endif
