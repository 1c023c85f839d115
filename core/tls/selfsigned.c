/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/selfsigned.h"

#include <string.h>

#include "core/base/fmt.h"
#include "core/tls/cert_der.h"
#include "core/tls/cert_time.h"

/* AlgorithmIdentifier ecdsa-with-SHA256 */
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
/* AlgorithmIdentifier id-ecPublicKey, P-256; then the header of a BIT STRING of 66 bytes */
static const uint8_t key_head[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                                   0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
/* [3] Extensions: keyUsage, critical, 05 a0; extKeyUsage serverAuth */
static const uint8_t extensions[] = {
    0xa3, 0x27, 0x30, 0x25, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff,
    0x04, 0x04, 0x03, 0x02, 0x05, 0xa0, 0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04,
    0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const uint8_t oid_organization[] = {0x06, 0x03, 0x55, 0x04, 0x0a};

/* Name with one attribute: O=organization. */
static void put_name(struct np_der_writer *out, const char *organization)
{
    uint32_t end = out->at;

    np_der_put(out, organization, (uint32_t)strlen(organization));
    np_der_wrap(out, NP_DER_UTF8, end);
    np_der_put(out, oid_organization, sizeof(oid_organization));
    np_der_wrap(out, NP_DER_SEQUENCE, end);
    np_der_wrap(out, NP_DER_SET, end);
    np_der_wrap(out, NP_DER_SEQUENCE, end);
}

/* UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
static void put_time(struct np_der_writer *out, int64_t time_s)
{
    struct np_cert_civil at = np_cert_civil_of(time_s);
    uint32_t end = out->at;
    char text[20];
    uint32_t len = np_fmt(text, sizeof(text), "%04u%02u%02u%02u%02u%02uZ", at.year, at.month,
                          at.day, at.hour, at.minute, at.second);
    uint32_t skip = at.year < 2050 ? 2 : 0;

    np_der_put(out, text + skip, len - skip);
    np_der_wrap(out, skip != 0 ? 0x17 : 0x18, end);
}

static void put_serial(struct np_der_writer *out, const uint8_t serial[NP_SELFSIGNED_SERIAL_LEN])
{
    uint32_t end = out->at;
    uint8_t bytes[NP_SELFSIGNED_SERIAL_LEN];

    memcpy(bytes, serial, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x7fu) | 0x40u); /* positive, and always of the same length */
    np_der_put(out, bytes, sizeof(bytes));
    np_der_wrap(out, NP_DER_INTEGER, end);
}

/* The part that is signed, from its last field to its first. */
static void put_tbs(struct np_der_writer *out, const uint8_t point[97], const char *organization,
                    int64_t now_s, const uint8_t serial[NP_SELFSIGNED_SERIAL_LEN])
{
    static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    uint32_t end = out->at, part;

    np_der_put(out, extensions, sizeof(extensions));
    part = out->at;
    np_der_put(out, point, 65);
    np_der_put(out, key_head, sizeof(key_head));
    np_der_wrap(out, NP_DER_SEQUENCE, part);
    put_name(out, organization);
    part = out->at;
    put_time(out, now_s + (int64_t)NP_SELFSIGNED_VALID_S);
    put_time(out, now_s);
    np_der_wrap(out, NP_DER_SEQUENCE, part);
    put_name(out, organization);
    np_der_put(out, algorithm, sizeof(algorithm));
    put_serial(out, serial);
    np_der_put(out, version, sizeof(version));
    np_der_wrap(out, NP_DER_SEQUENCE, end);
}

enum np_err np_selfsigned_make(const struct np_tls_key *key, const char *organization,
                               int64_t now_s, const uint8_t serial[NP_SELFSIGNED_SERIAL_LEN],
                               uint8_t *der, uint32_t cap, uint32_t *len)
{
    static const uint8_t no_salt[NP_PSS_SALT_CAP];
    uint8_t point[97], tbs[NP_SELFSIGNED_CAP], sig[NP_TLS_SIGNATURE_MAX];
    struct np_der_writer inner, out;
    uint32_t sig_len, end;

    if (key->kind != NP_KEY_P256 || organization[0] == '\0' ||
        strlen(organization) > NP_SELFSIGNED_ORGANIZATION || now_s < 0 ||
        now_s > NP_CERT_TIME_MAX_S - (int64_t)NP_SELFSIGNED_VALID_S ||
        np_tls_key_point(key, point) != 65) {
        return NP_ERR_INVALID;
    }
    np_der_writer_init(&inner, tbs, sizeof(tbs));
    put_tbs(&inner, point, organization, now_s, serial);
    sig_len = np_tls_key_sign(key, NP_TLS_ECDSA_P256_SHA256, tbs + inner.at, inner.cap - inner.at,
                              no_salt, sig);
    if (inner.failed || sig_len == 0) {
        return NP_ERR_INVALID;
    }
    np_der_writer_init(&out, der, cap);
    end = out.at;
    np_der_put(&out, sig, sig_len);
    np_der_put_byte(&out, 0); /* no unused bits */
    np_der_wrap(&out, NP_DER_BITS, end);
    np_der_put(&out, algorithm, sizeof(algorithm));
    np_der_put(&out, tbs + inner.at, inner.cap - inner.at);
    np_der_wrap(&out, NP_DER_SEQUENCE, end);
    if (out.failed) {
        return NP_ERR_TOO_LONG;
    }
    *len = end - out.at;
    memmove(der, der + out.at, *len);
    return NP_OK;
}
