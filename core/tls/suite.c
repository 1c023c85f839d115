/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/suite.h"

#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/br.h"
#include "core/tls/curves.h"
#include "core/tls/fast_impl.h"

/* A random 256-bit number is no P-256 scalar with probability 2^-32; this often in a row means that
 * the entropy is broken. */
#define SCALAR_TRIES 8

static const struct np_tls_suite suites[NP_TLS_SUITES] = {
    {NP_TLS_AES_128_GCM_SHA256, NP_TLS_SHA256, 16, true, "TLS_AES_128_GCM_SHA256"},
    {NP_TLS_AES_256_GCM_SHA384, NP_TLS_SHA384, 32, true, "TLS_AES_256_GCM_SHA384"},
    {NP_TLS_CHACHA20_POLY1305_SHA256, NP_TLS_SHA256, 32, false, "TLS_CHACHA20_POLY1305_SHA256"},
};

const struct np_tls_suite *np_tls_suite_find(uint16_t id)
{
    for (uint32_t i = 0; i < NP_TLS_SUITES; i++) {
        if (suites[i].id == id) {
            return &suites[i];
        }
    }
    return NULL;
}

uint32_t np_tls_hash_len(enum np_tls_hash hash)
{
    return hash == NP_TLS_SHA384 ? 48u : 32u;
}

uint32_t np_tls_group_share_len(uint16_t group)
{
    switch (group) {
    case NP_TLS_X25519:
        return 32;
    case NP_TLS_SECP256R1:
        return 65;
    default:
        return 0;
    }
}

/* True if the big-endian scalar is in 1 .. order - 1; constant time. */
static bool is_p256_scalar(const uint8_t scalar[NP_TLS_PRIVATE_LEN])
{
    size_t order_len;
    const uint8_t *order = np_tls_curves.order(BR_EC_secp256r1, &order_len);
    uint32_t borrow = 0, any = 0;

    for (uint32_t i = NP_TLS_PRIVATE_LEN; i > 0; i--) {
        borrow = ((uint32_t)scalar[i - 1] - order[i - 1] - borrow) >> 31;
        any |= scalar[i - 1];
    }
    return (borrow & ((0u - any) >> 31)) != 0;
}

/* point = scalar * point; false if BearSSL refuses the lengths (it never does). */
static bool multiply_x25519(uint8_t point[32], const uint8_t scalar[NP_TLS_PRIVATE_LEN])
{
#if NP_FAST_X25519
    np_fast_x25519(point, scalar, point);
    return true;
#else
    return br_ec_c25519_m31.mul(point, 32, scalar, NP_TLS_PRIVATE_LEN, BR_EC_curve25519) != 0;
#endif
}

enum np_err np_tls_group_generate(uint16_t group, const struct np_tls_random *random,
                                  uint8_t private_key[NP_TLS_PRIVATE_LEN], uint8_t *share)
{
    for (uint32_t i = 0; i < SCALAR_TRIES; i++) {
        enum np_err err = random->fill(random->ctx, private_key, NP_TLS_PRIVATE_LEN);

        if (err != NP_OK) {
            return err;
        }
        if (group == NP_TLS_X25519) {
            memset(share, 0, 32);
            share[0] = 9; /* the base point (RFC 7748 section 4.1) */
            return multiply_x25519(share, private_key) ? NP_OK : NP_ERR_IO;
        }
        if (group != NP_TLS_SECP256R1) {
            return NP_ERR_INVALID;
        }
        if (is_p256_scalar(private_key)) {
            np_tls_curves.mulgen(share, private_key, NP_TLS_PRIVATE_LEN, BR_EC_secp256r1);
            return NP_OK;
        }
    }
    return NP_ERR_IO;
}

static bool derive_x25519(const uint8_t *private_key, const uint8_t *peer_share, uint8_t *secret)
{
    uint8_t any = 0;

    memcpy(secret, peer_share, 32);
    if (!multiply_x25519(secret, private_key)) {
        return false;
    }
    for (uint32_t i = 0; i < 32; i++) {
        any |= secret[i];
    }
    return any != 0;
}

static bool derive_p256(const uint8_t *private_key, const uint8_t *peer_share, uint8_t *secret)
{
    uint8_t point[NP_TLS_SHARE_MAX];
    bool is_good;

    if (peer_share[0] != 4) { /* only uncompressed points (RFC 8446 section 4.2.8.2) */
        return false;
    }
    memcpy(point, peer_share, sizeof(point));
    is_good = np_tls_curves.mul(point, sizeof(point), private_key, NP_TLS_PRIVATE_LEN,
                                BR_EC_secp256r1) != 0;
    memcpy(secret, point + 1, 32);
    np_ct_wipe(point, sizeof(point));
    return is_good;
}

bool np_tls_group_derive(uint16_t group, const uint8_t private_key[NP_TLS_PRIVATE_LEN],
                         const uint8_t *peer_share, uint32_t peer_len, uint8_t secret[32])
{
    if (peer_len == 0 || peer_len != np_tls_group_share_len(group)) {
        return false;
    }
    return group == NP_TLS_X25519 ? derive_x25519(private_key, peer_share, secret)
                                  : derive_p256(private_key, peer_share, secret);
}
