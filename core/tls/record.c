/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/record.h"

#include <string.h>

#include "core/base/ct.h"

void np_tls_keys_install(struct np_tls_keys *keys, uint16_t suite, const uint8_t *secret)
{
    const struct np_tls_suite *found = np_tls_suite_find(suite);

    memmove(keys->secret, secret, np_tls_hash_len((enum np_tls_hash)found->hash));
    np_tls_traffic_keys(found, keys->secret, keys->key, keys->iv);
    keys->suite = suite;
    keys->sequence = 0;
}

void np_tls_keys_update(struct np_tls_keys *keys)
{
    const struct np_tls_suite *suite = np_tls_suite_find(keys->suite);

    np_tls_traffic_next((enum np_tls_hash)suite->hash, keys->secret);
    np_tls_keys_install(keys, keys->suite, keys->secret);
}

static void nonce_of(const struct np_tls_keys *keys, uint8_t nonce[NP_TLS_NONCE_LEN])
{
    memcpy(nonce, keys->iv, NP_TLS_NONCE_LEN);
    for (uint32_t i = 0; i < 8; i++) {
        nonce[NP_TLS_NONCE_LEN - 1 - i] ^= (uint8_t)(keys->sequence >> (8 * i));
    }
}

static void write_header(uint8_t *rec, uint8_t type, uint32_t len)
{
    rec[0] = type;
    rec[1] = 3;
    rec[2] = 3;
    rec[3] = (uint8_t)(len >> 8);
    rec[4] = (uint8_t)len;
}

uint32_t np_tls_record_seal(const struct np_tls_engines *engines, struct np_tls_keys *keys,
                            uint8_t *rec, uint32_t len, uint8_t type, uint32_t pad)
{
    const struct np_tls_suite *suite = np_tls_suite_find(keys->suite);
    uint8_t *body = rec + NP_TLS_HEADER_LEN;
    uint32_t inner_len = len + 1 + pad;
    uint8_t nonce[NP_TLS_NONCE_LEN];

    if (suite == NULL) {
        write_header(rec, type, len);
        return NP_TLS_HEADER_LEN + len;
    }
    body[len] = type;
    memset(body + len + 1, 0, pad);
    write_header(rec, NP_TLS_DATA, inner_len + NP_TLS_TAG_LEN);
    nonce_of(keys, nonce);
    (suite->is_gcm ? engines->gcm : engines->chacha)
        ->seal(engines, keys->key, suite->key_len, nonce, rec, NP_TLS_HEADER_LEN, body, inner_len,
               body + inner_len);
    keys->sequence++;
    return NP_TLS_HEADER_LEN + inner_len + NP_TLS_TAG_LEN;
}

static struct np_tls_opened failed(enum np_tls_reason reason, uint8_t *rec, uint32_t rec_len)
{
    struct np_tls_opened opened = {.reason = reason};

    np_ct_wipe(rec, rec_len);
    return opened;
}

struct np_tls_opened np_tls_record_open(const struct np_tls_engines *engines,
                                        struct np_tls_keys *keys, uint8_t *rec, uint32_t rec_len)
{
    const struct np_tls_suite *suite = np_tls_suite_find(keys->suite);
    struct np_tls_opened opened = {.reason = NP_TLS_FINE, .data = rec + NP_TLS_HEADER_LEN};
    uint8_t nonce[NP_TLS_NONCE_LEN];

    if (rec_len < NP_TLS_HEADER_LEN + NP_TLS_TAG_LEN + 1) {
        return failed(NP_TLS_BAD_MAC, rec, rec_len);
    }
    opened.inner_len = rec_len - NP_TLS_HEADER_LEN - NP_TLS_TAG_LEN;
    nonce_of(keys, nonce);
    if (!(suite->is_gcm ? engines->gcm : engines->chacha)
             ->open(engines, keys->key, suite->key_len, nonce, rec, NP_TLS_HEADER_LEN, opened.data,
                    opened.inner_len, opened.data + opened.inner_len)) {
        return failed(NP_TLS_BAD_MAC, rec, rec_len);
    }
    keys->sequence++;
    if (opened.inner_len > NP_TLS_PLAIN_MAX + 1) { /* with its padding */
        return failed(NP_TLS_RECORD_TOO_LONG, rec, rec_len);
    }
    opened.len = opened.inner_len;
    while (opened.len > 0 && opened.data[opened.len - 1] == 0) {
        opened.len--;
    }
    if (opened.len == 0) { /* only padding (RFC 8446 section 5.4) */
        return failed(NP_TLS_UNEXPECTED, rec, rec_len);
    }
    opened.len--;
    opened.type = opened.data[opened.len];
    return opened;
}
