/* SPDX-License-Identifier: BSD-3-Clause */
/* fast: record encryption with what the CPU offers beyond plain C, chosen at run time:
 *
 *   x86_64    AES-GCM in one pass with AES-NI and PCLMULQDQ; ChaCha20-Poly1305 with SSE2 or AVX2
 *   aarch64   AES-GCM in one pass with AESE and PMULL; ChaCha20-Poly1305 with NEON
 *
 *   64 bits   X25519 on words of 51 bits (fast_impl.h; used by suite)
 *
 * Each equals BearSSL's constant-time code byte for byte and takes the same time for all secrets.
 * -DNP_TLS_SMALL leaves all of it out.
 */
#ifndef NP_CORE_TLS_FAST_H
#define NP_CORE_TLS_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/engines.h"

/* Puts the fastest code that this CPU can run into `engines`, which is filled with the portable
 * one. */
void np_fast_init(struct np_tls_engines *engines);

/* One piece of such code, for tests and benchmarks: the members that are not NULL. */
struct np_fast_variant {
    const char *name;
    bool (*is_there)(void);        /* this CPU can run it */
    const struct np_tls_aead *gcm; /* AES-GCM as a whole */
    const br_block_ctr_class *aes; /* and as the primitives of BearSSL's GCM */
    br_ghash ghash;
    const struct np_tls_aead *chacha; /* ChaCha20-Poly1305 as a whole */
    br_chacha20_run chacha20;
};
/* All that is compiled in, the best of a kind last; the end has no name. */
extern const struct np_fast_variant np_fast_variants[];

#endif
