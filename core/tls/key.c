/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/key.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/tls/cert_der.h"
#include "core/tls/curves.h"
#include "core/tls/sha512.h"

enum { IS_EC, IS_RSA };

/* What each scheme needs. */
struct scheme {
    uint16_t id;
    uint8_t family, kind;
    const br_hash_class *hash;
};
static const struct scheme schemes[] = {
    {NP_TLS_ECDSA_P256_SHA256, IS_EC, NP_KEY_P256, &br_sha256_vtable},
    {NP_TLS_ECDSA_P384_SHA384, IS_EC, NP_KEY_P384, &np_sha384_class},
    {NP_TLS_RSA_PSS_SHA256, IS_RSA, NP_KEY_RSA, &br_sha256_vtable},
    {NP_TLS_RSA_PSS_SHA384, IS_RSA, NP_KEY_RSA, &np_sha384_class},
    {NP_TLS_RSA_PSS_SHA512, IS_RSA, NP_KEY_RSA, &np_sha512_class},
};

static const struct scheme *find_scheme(uint16_t id)
{
    for (uint32_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i].id == id) {
            return &schemes[i];
        }
    }
    return NULL;
}

static void hash_message(const br_hash_class *hash, const uint8_t *msg, uint32_t len, uint8_t *out)
{
    br_hash_compat_context ctx;

    hash->init(&ctx.vtable);
    hash->update(&ctx.vtable, msg, len);
    hash->out(&ctx.vtable, out);
}

static int curve_of(uint8_t kind)
{
    return kind == NP_KEY_P384 ? BR_EC_secp384r1 : BR_EC_secp256r1;
}

void np_tls_key_wipe(struct np_tls_key *key)
{
    np_ct_wipe(key, sizeof(*key));
}

bool np_tls_key_make(struct np_tls_key *key, const uint8_t random[32])
{
    br_hmac_drbg_context rng;
    br_ec_private_key sk;
    size_t len;

    memset(key, 0, sizeof(*key));
    br_hmac_drbg_init(&rng, &br_sha256_vtable, random, 32);
    len = br_ec_keygen(&rng.vtable, &np_tls_curves, &sk, key->mem, BR_EC_secp256r1);
    np_ct_wipe(&rng, sizeof(rng));
    if (len != 32) {
        return false;
    }
    key->kind = NP_KEY_P256;
    key->bits = 256;
    key->lens[0] = 32;
    return true;
}

uint32_t np_tls_key_point(const struct np_tls_key *key, uint8_t point[97])
{
    const br_ec_impl *impl = &np_tls_curves;

    if (key->kind != NP_KEY_P256 && key->kind != NP_KEY_P384) {
        return 0;
    }
    return (uint32_t)impl->mulgen(point, key->mem, key->lens[0], curve_of(key->kind));
}

bool np_tls_key_can_sign(const struct np_tls_key *key, uint16_t id)
{
    const struct scheme *scheme = find_scheme(id);

    return scheme != NULL && scheme->kind == key->kind;
}

static void bind_rsa(br_rsa_private_key *sk, const struct np_tls_key *key)
{
    uint8_t *at = (uint8_t *)(uintptr_t)key->mem; /* BearSSL has no const here; it only reads */

    sk->n_bitlen = key->bits;
    sk->p = at;
    sk->plen = key->lens[0];
    sk->q = sk->p + sk->plen;
    sk->qlen = key->lens[1];
    sk->dp = sk->q + sk->qlen;
    sk->dplen = key->lens[2];
    sk->dq = sk->dp + sk->dplen;
    sk->dqlen = key->lens[3];
    sk->iq = sk->dq + sk->dqlen;
    sk->iqlen = key->lens[4];
}

uint32_t np_tls_key_sign(const struct np_tls_key *key, uint16_t id, const uint8_t *msg,
                         uint32_t msg_len, const uint8_t random[NP_PSS_SALT_CAP], uint8_t *sig)
{
    const struct scheme *scheme = find_scheme(id);
    uint8_t digest[64];

    if (scheme == NULL || scheme->kind != key->kind) {
        return 0;
    }
    hash_message(scheme->hash, msg, msg_len, digest);
    if (scheme->family == IS_RSA) {
        br_rsa_private_key sk;

        bind_rsa(&sk, key);
        return np_pss_sign(&sk, scheme->hash, digest, random, sig);
    }
    br_ec_private_key sk;

    sk.curve = curve_of(key->kind);
    sk.x = (uint8_t *)(uintptr_t)key->mem;
    sk.xlen = key->lens[0];
    return (uint32_t)br_ecdsa_i31_sign_asn1(&np_tls_curves, scheme->hash, digest, &sk, sig);
}

/* BearSSL reads ECDSA signatures leniently (signs and lengths of other than DER's form): only DER's
 * own form passes here. */
static bool is_strict_ecdsa(const uint8_t *sig, uint32_t len)
{
    struct np_der in = {sig, len}, pair, r, s;

    return np_der_take(&in, NP_DER_SEQUENCE, &pair) && in.len == 0 && np_der_take_uint(&pair, &r) &&
           np_der_take_uint(&pair, &s) && pair.len == 0 && r.len > 0 && s.len > 0;
}

bool np_tls_sig_fits(const br_x509_pkey *peer, uint16_t id)
{
    const struct scheme *scheme = find_scheme(id);

    if (scheme == NULL) {
        return false;
    }
    return scheme->family == IS_RSA
               ? peer->key_type == BR_KEYTYPE_RSA
               : peer->key_type == BR_KEYTYPE_EC && peer->key.ec.curve == curve_of(scheme->kind);
}

bool np_tls_sig_verify(const br_x509_pkey *peer, uint16_t id, const uint8_t *msg, uint32_t msg_len,
                       const uint8_t *sig, uint32_t sig_len)
{
    const struct scheme *scheme = find_scheme(id);
    uint8_t digest[64];

    if (!np_tls_sig_fits(peer, id)) {
        return false;
    }
    hash_message(scheme->hash, msg, msg_len, digest);
    if (scheme->family == IS_RSA) {
        return np_pss_verify(&peer->key.rsa, scheme->hash, digest, sig, sig_len);
    }
    return is_strict_ecdsa(sig, sig_len) &&
           br_ecdsa_i31_vrfy_asn1(&np_tls_curves, digest,
                                  scheme->hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK,
                                  &peer->key.ec, sig, sig_len) == 1;
}
