/* SPDX-License-Identifier: BSD-3-Clause */
/* key_parse: private keys from PEM and DER into struct np_tls_key (PKCS#1, SEC1, PKCS#8); public
 * keys of certificates. */
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/cert_der.h"
#include "core/tls/curves.h"
#include "core/tls/key.h"
#include "core/tls/pem.h"

static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_ec[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t oid_p521[] = {0x2b, 0x81, 0x04, 0x00, 0x23};

static const char label_pkcs8[] = "PRIVATE KEY";
static const char label_pkcs1[] = "RSA PRIVATE KEY";
static const char label_sec1[] = "EC PRIVATE KEY";

static enum np_err refuse(const char **reason, enum np_err err, const char *text)
{
    *reason = text;
    return err;
}

static enum np_err refuse_malformed(const char **reason)
{
    return refuse(reason, NP_ERR_INVALID, "the key is damaged (not the DER its label promises)");
}

static uint32_t bit_len(const struct np_der *number)
{
    uint32_t bits = number->len * 8u;

    if (number->len == 0) {
        return 0;
    }
    for (uint32_t top = number->at[0]; (top & 0x80u) == 0; top <<= 1) {
        bits--;
    }
    return bits;
}

static bool is_odd(const struct np_der *number)
{
    return number->len > 0 && (number->at[number->len - 1] & 1u) != 0;
}

/* parts: p q dp dq iq. Sizes that BearSSL's arithmetic relies on. */
static bool is_rsa_sane(const struct np_der *n, const struct np_der parts[5])
{
    uint32_t p_bits = bit_len(&parts[0]), q_bits = bit_len(&parts[1]), bits = bit_len(n);

    for (uint32_t i = 0; i < 5; i++) {
        if (parts[i].len == 0 || parts[i].len > NP_RSA_MAX_BYTES / 2) {
            return false;
        }
    }
    return is_odd(n) && is_odd(&parts[0]) && is_odd(&parts[1]) && p_bits > 512 && q_bits > 512 &&
           (p_bits + q_bits == bits || p_bits + q_bits == bits + 1) &&
           parts[2].len <= parts[0].len && parts[3].len <= parts[1].len &&
           parts[4].len <= parts[0].len;
}

static enum np_err parse_rsa(struct np_tls_key *key, struct np_der in, const char **reason)
{
    struct np_der body, n, e, d, parts[5];
    uint32_t at = 0, bits;

    if (!np_der_take(&in, NP_DER_SEQUENCE, &body) || in.len != 0) {
        return refuse_malformed(reason);
    }
    if (np_der_take_small(&body, 1)) {
        return refuse(reason, NP_ERR_UNSUPPORTED, "RSA keys of more than two primes are refused");
    }
    if (!np_der_take_small(&body, 0) || !np_der_take_uint(&body, &n) ||
        !np_der_take_uint(&body, &e) || !np_der_take_uint(&body, &d)) {
        return refuse_malformed(reason);
    }
    for (uint32_t i = 0; i < 5; i++) {
        if (!np_der_take_uint(&body, &parts[i])) {
            return refuse_malformed(reason);
        }
    }
    bits = bit_len(&n);
    if (bits < NP_RSA_MIN_BITS) {
        return refuse(reason, NP_ERR_UNSUPPORTED, "RSA keys below 2048 bits are refused");
    }
    if (bits > NP_RSA_MAX_BITS) {
        return refuse(reason, NP_ERR_UNSUPPORTED, "RSA keys above 4096 bits are refused");
    }
    if (body.len != 0 || !is_rsa_sane(&n, parts)) {
        return refuse_malformed(reason);
    }
    for (uint32_t i = 0; i < 5; i++) {
        memcpy(key->mem + at, parts[i].at, parts[i].len);
        key->lens[i] = (uint16_t)parts[i].len;
        at += parts[i].len;
    }
    key->kind = NP_KEY_RSA;
    key->bits = (uint16_t)bits;
    return NP_OK;
}

static bool find_curve(struct np_tls_key *key, const struct np_der *oid)
{
    if (np_der_is(oid, oid_p256, sizeof(oid_p256))) {
        key->kind = NP_KEY_P256;
        key->bits = 256;
    } else if (np_der_is(oid, oid_p384, sizeof(oid_p384))) {
        key->kind = NP_KEY_P384;
        key->bits = 384;
    } else {
        return false;
    }
    key->lens[0] = key->bits / 8u;
    return true;
}

/* 0 < x < order of the curve, in constant time. */
static bool is_scalar(const struct np_tls_key *key)
{
    size_t order_len;
    const uint8_t *order = np_tls_curves.order(
        key->kind == NP_KEY_P384 ? BR_EC_secp384r1 : BR_EC_secp256r1, &order_len);
    uint32_t borrow = 0, any = 0;

    if (order_len != key->lens[0]) {
        return false;
    }
    for (uint32_t i = key->lens[0]; i-- > 0;) {
        any |= key->mem[i];
        borrow = (uint32_t)(key->mem[i] - order[i] - borrow) >> 31;
    }
    return borrow == 1 && any != 0;
}

/* The public point in the file, if there is one, must be the private key's. */
static bool is_point_right(const struct np_tls_key *key, const struct np_der *bits)
{
    uint8_t point[97];
    uint32_t len = np_tls_key_point(key, point);

    return bits->len == len + 1u && bits->at[0] == 0 &&
           (bits->at[1] != 0x04 || memcmp(bits->at + 1, point, len) == 0);
}

/* `curve`: the OID of PKCS#8's parameters, NULL for SEC1, which names it itself. */
static enum np_err parse_ec(struct np_tls_key *key, struct np_der in, const struct np_der *curve,
                            const char **reason)
{
    struct np_der body, scalar, box, oid, bits;

    if (!np_der_take(&in, NP_DER_SEQUENCE, &body) || in.len != 0 || !np_der_take_small(&body, 1) ||
        !np_der_take(&body, NP_DER_OCTETS, &scalar)) {
        return refuse_malformed(reason);
    }
    if (np_der_take(&body, NP_DER_CONTEXT(0u), &box)) {
        if (!np_der_take(&box, NP_DER_OID, &oid) || box.len != 0) {
            return refuse(reason, NP_ERR_UNSUPPORTED, "only named curves are supported");
        }
        if (curve != NULL && !np_der_is(&oid, curve->at, curve->len)) {
            return refuse_malformed(reason);
        }
        curve = &oid;
    }
    if (curve == NULL || !find_curve(key, curve)) {
        return refuse(reason, NP_ERR_UNSUPPORTED,
                      "of elliptic curves, only P-256 and P-384 are supported");
    }
    while (scalar.len > key->lens[0] && scalar.at[0] == 0) {
        scalar.at++;
        scalar.len--;
    }
    if (scalar.len > key->lens[0]) {
        return refuse_malformed(reason);
    }
    memcpy(key->mem + key->lens[0] - scalar.len, scalar.at, scalar.len);
    if (!is_scalar(key)) {
        return refuse(reason, NP_ERR_INVALID, "the private key is out of its curve's range");
    }
    if (np_der_take(&body, NP_DER_CONTEXT(1u), &box) &&
        (!np_der_take(&box, NP_DER_BITS, &bits) || box.len != 0 || !is_point_right(key, &bits))) {
        return refuse(reason, NP_ERR_INVALID, "public and private part of the key differ");
    }
    return body.len == 0 ? NP_OK : refuse_malformed(reason);
}

static enum np_err parse_pkcs8(struct np_tls_key *key, struct np_der in, const char **reason)
{
    struct np_der body, algorithm, oid, inner, curve;

    if (!np_der_take(&in, NP_DER_SEQUENCE, &body) || in.len != 0 ||
        !(np_der_take_small(&body, 0) || np_der_take_small(&body, 1)) ||
        !np_der_take(&body, NP_DER_SEQUENCE, &algorithm) ||
        !np_der_take(&algorithm, NP_DER_OID, &oid) || !np_der_take(&body, NP_DER_OCTETS, &inner)) {
        return refuse_malformed(reason);
    }
    if (np_der_is(&oid, oid_rsa, sizeof(oid_rsa))) {
        return parse_rsa(key, inner, reason);
    }
    if (!np_der_is(&oid, oid_ec, sizeof(oid_ec))) {
        return refuse(
            reason, NP_ERR_UNSUPPORTED,
            "only RSA, P-256 and P-384 keys are supported (not Ed25519, DSA or PSS-only)");
    }
    if (!np_der_take(&algorithm, NP_DER_OID, &curve)) {
        return refuse(reason, NP_ERR_UNSUPPORTED, "only named curves are supported");
    }
    return parse_ec(key, inner, &curve, reason);
}

static bool is_text(const char *a, const char *b)
{
    size_t len = strlen(a);

    return len == strlen(b) && memcmp(a, b, len) == 0;
}

enum np_err np_tls_key_parse(struct np_tls_key *key, const char *label, const uint8_t *der,
                             uint32_t len, const char **reason)
{
    struct np_der in = {der, len};
    enum np_err err;

    memset(key, 0, sizeof(*key));
    *reason = "";
    if (is_text(label, label_pkcs8)) {
        err = parse_pkcs8(key, in, reason);
    } else if (is_text(label, label_pkcs1)) {
        err = parse_rsa(key, in, reason);
    } else if (is_text(label, label_sec1)) {
        err = parse_ec(key, in, NULL, reason);
    } else {
        err = refuse(reason, NP_ERR_NOT_FOUND, "no private key in this file");
    }
    if (err != NP_OK) {
        np_tls_key_wipe(key);
    }
    return err;
}

/* What a block that is not whole means to the user. */
static enum np_err explain_pem(enum np_err err, const char **reason)
{
    switch (err) {
    case NP_ERR_TOO_LONG:
        return refuse(reason, NP_ERR_UNSUPPORTED, "the key is too long (RSA: at most 4096 bits)");
    case NP_ERR_UNSUPPORTED:
        return refuse(reason, NP_ERR_UNSUPPORTED,
                      "the key is encrypted; decrypt it (openssl pkey -in old -out new)");
    case NP_ERR_EOF:
        return refuse(reason, NP_ERR_INVALID, "the file ends inside of a PEM block");
    default:
        return refuse(reason, NP_ERR_INVALID, "damaged PEM text");
    }
}

static bool is_key_label(const struct np_pem *pem)
{
    return np_pem_is(pem, label_pkcs8) || np_pem_is(pem, label_pkcs1) || np_pem_is(pem, label_sec1);
}

/* Feeds until a block with a key is whole. */
static enum np_err find_key(struct np_pem *pem, const char *text, uint32_t len, const char **reason)
{
    uint32_t used;

    while (true) {
        enum np_err err = np_pem_feed(pem, text, len, &used);

        text += used;
        len -= used;
        if (err == NP_OK && is_key_label(pem)) {
            return NP_OK;
        }
        if (np_pem_is(pem, "ENCRYPTED PRIVATE KEY")) {
            return explain_pem(NP_ERR_UNSUPPORTED, reason);
        }
        if (err == NP_ERR_TOO_LONG && !is_key_label(pem)) {
            pem->len = 0; /* a certificate or so; its bytes are not wanted */
        } else if (err == NP_ERR_AGAIN) {
            (void)np_pem_feed(pem, "\n", 1, &used);
            break;
        } else if (err != NP_OK) {
            return explain_pem(err, reason);
        }
    }
    return NP_ERR_AGAIN;
}

enum np_err np_tls_key_load(struct np_tls_key *key, const char *text, uint32_t len,
                            const char **reason)
{
    uint8_t der[NP_KEY_DER_CAP];
    struct np_pem pem;
    enum np_err err;

    memset(key, 0, sizeof(*key));
    *reason = "";
    np_pem_init(&pem, der, sizeof(der), 0);
    err = find_key(&pem, text, len, reason);
    if (err == NP_ERR_AGAIN) {
        err = np_pem_end(&pem);
        if (err != NP_OK) {
            err = explain_pem(err, reason);
        } else if (!is_key_label(&pem)) {
            err = refuse(reason, NP_ERR_NOT_FOUND, "no private key in this file");
        }
    }
    if (err == NP_OK) {
        err = np_tls_key_parse(key, pem.label, der, pem.len, reason);
    }
    np_ct_wipe(der, sizeof(der));
    np_ct_wipe(&pem, sizeof(pem));
    return err;
}

/* ---- public keys ----------------------------------------------------------------------------- */

static bool read_public_rsa(br_x509_pkey *peer, struct np_der in)
{
    struct np_der body, n, e;

    if (!np_der_take(&in, NP_DER_SEQUENCE, &body) || in.len != 0 || !np_der_take_uint(&body, &n) ||
        !np_der_take_uint(&body, &e) || body.len != 0 || n.len > NP_RSA_MAX_BYTES) {
        return false;
    }
    peer->key_type = BR_KEYTYPE_RSA;
    peer->key.rsa.n = (uint8_t *)(uintptr_t)n.at;
    peer->key.rsa.nlen = n.len;
    peer->key.rsa.e = (uint8_t *)(uintptr_t)e.at;
    peer->key.rsa.elen = e.len;
    return true;
}

static bool read_public_ec(br_x509_pkey *peer, struct np_der curve, struct np_der point)
{
    struct np_der oid;

    if (!np_der_take(&curve, NP_DER_OID, &oid) || curve.len != 0) {
        return false;
    }
    peer->key_type = BR_KEYTYPE_EC;
    peer->key.ec.curve = np_der_is(&oid, oid_p256, sizeof(oid_p256))   ? BR_EC_secp256r1
                         : np_der_is(&oid, oid_p384, sizeof(oid_p384)) ? BR_EC_secp384r1
                         : np_der_is(&oid, oid_p521, sizeof(oid_p521)) ? BR_EC_secp521r1
                                                                       : 0;
    peer->key.ec.q = (uint8_t *)(uintptr_t)point.at;
    peer->key.ec.qlen = point.len;
    return peer->key.ec.curve != 0;
}

bool np_tls_key_public(br_x509_pkey *peer, const uint8_t *spki, uint32_t len)
{
    struct np_der in = {spki, len}, info, algorithm, oid, bits;

    if (!np_der_take(&in, NP_DER_SEQUENCE, &info) || in.len != 0 ||
        !np_der_take(&info, NP_DER_SEQUENCE, &algorithm) ||
        !np_der_take(&algorithm, NP_DER_OID, &oid) || !np_der_take(&info, NP_DER_BITS, &bits) ||
        info.len != 0 || bits.len < 2 || bits.at[0] != 0) {
        return false;
    }
    bits.at++;
    bits.len--;
    if (np_der_is(&oid, oid_rsa, sizeof(oid_rsa))) {
        return read_public_rsa(peer, bits);
    }
    return np_der_is(&oid, oid_ec, sizeof(oid_ec)) && read_public_ec(peer, algorithm, bits);
}
