/* SPDX-License-Identifier: BSD-3-Clause */
/* suite: tables of cipher suites, hashes and groups (RFC 8446 appendix B.4, section 4.2.7). */
#ifndef NP_CORE_TLS_SUITE_H
#define NP_CORE_TLS_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/cred.h"

#define NP_TLS_AES_128_GCM_SHA256 0x1301u
#define NP_TLS_AES_256_GCM_SHA384 0x1302u
#define NP_TLS_CHACHA20_POLY1305_SHA256 0x1303u
#define NP_TLS_SUITES 3u

#define NP_TLS_SECP256R1 0x0017u
#define NP_TLS_X25519 0x001du
#define NP_TLS_GROUPS 2u
#define NP_TLS_PRIVATE_LEN 32u
#define NP_TLS_SHARE_MAX 65u /* P-256 point, uncompressed */

#define NP_TLS_HASH_MAX 48u
#define NP_TLS_KEY_MAX 32u

enum np_tls_hash {
    NP_TLS_SHA256 = 1,
    NP_TLS_SHA384 = 2,
};

struct np_tls_suite {
    uint16_t id;
    uint8_t hash;    /* enum np_tls_hash */
    uint8_t key_len; /* bytes */
    bool is_gcm;
    const char *name; /* as in RFC 8446 */
};

/* The suite with this id, or NULL. */
const struct np_tls_suite *np_tls_suite_find(uint16_t id);
/* Bytes of the hash: 32 or 48. */
uint32_t np_tls_hash_len(enum np_tls_hash hash);

/* Bytes of a key share of `group`: 32 or 65; 0 if we do not know the group. */
uint32_t np_tls_group_share_len(uint16_t group);
/* Makes a key pair. Fails with what `random` says; `share` has np_tls_group_share_len bytes. */
enum np_err np_tls_group_generate(uint16_t group, const struct np_tls_random *random,
                                  uint8_t private_key[NP_TLS_PRIVATE_LEN], uint8_t *share);
/* ECDHE: 32 bytes to `secret`. False if the peer's share has the wrong length, is no point of the
 * curve, or gives the all-zero secret (RFC 7748 section 6.1, RFC 8446 section 7.4.2). */
bool np_tls_group_derive(uint16_t group, const uint8_t private_key[NP_TLS_PRIVATE_LEN],
                         const uint8_t *peer_share, uint32_t peer_len, uint8_t secret[32]);

#endif
