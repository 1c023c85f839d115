/* SPDX-License-Identifier: BSD-3-Clause */
/* pss: RSASSA-PSS with MGF1 of the same hash and a salt of the hash's length (RFC 8017 section 8.1,
 * TLS 1.3's rsa_pss_rsae_*), on BearSSL's raw RSA. Keys of 2048 to 4096 bits, SHA-256, -384, -512.
 *
 * Signing runs in constant time but for the sizes; it uses about 1 KB of stack beside BearSSL's.
 */
#ifndef NP_CORE_TLS_PSS_H
#define NP_CORE_TLS_PSS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/br.h"

#define NP_RSA_MIN_BITS 2048u
#define NP_RSA_MAX_BITS 4096u
#define NP_RSA_MAX_BYTES 512u
#define NP_PSS_SALT_CAP 64u

/* Signs `digest` (of `hash`'s size). `salt` is as long as the digest and fresh random bytes for
 * each signature. Writes (key->n_bitlen + 7) / 8 bytes to `sig` (room for NP_RSA_MAX_BYTES).
 * Returns that length, 0 if the key is out of the sizes above or broken. */
uint32_t np_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                     const uint8_t *digest, const uint8_t *salt, uint8_t *sig);

/* True if `sig` of `sig_len` bytes is a signature of `digest` by `key`; the length must be that of
 * the modulus. */
bool np_pss_verify(const br_rsa_public_key *key, const br_hash_class *hash, const uint8_t *digest,
                   const uint8_t *sig, uint32_t sig_len);

#endif
