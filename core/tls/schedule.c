/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/schedule.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/tls/br.h"
#include "core/tls/sha512.h"

#define LABEL_MAX 12u

static const br_hash_class *class_of(enum np_tls_hash hash)
{
    return hash == NP_TLS_SHA384 ? &np_sha384_class : &br_sha256_vtable;
}

void np_tls_hmac(enum np_tls_hash hash, const uint8_t *key, uint32_t key_len, const uint8_t *data,
                 uint32_t len, uint8_t *out)
{
    br_hmac_key_context key_context;
    br_hmac_context context;

    br_hmac_key_init(&key_context, class_of(hash), key, key_len);
    br_hmac_init(&context, &key_context, 0);
    br_hmac_update(&context, data, len);
    br_hmac_out(&context, out);
    np_ct_wipe(&key_context, sizeof(key_context));
    np_ct_wipe(&context, sizeof(context));
}

void np_tls_empty_hash(enum np_tls_hash hash, uint8_t *out)
{
    br_hash_compat_context context;

    class_of(hash)->init(&context.vtable);
    class_of(hash)->out(&context.vtable, out);
}

void np_tls_extract(enum np_tls_hash hash, const uint8_t *salt, const uint8_t *ikm,
                    uint32_t ikm_len, uint8_t *out)
{
    static const uint8_t zeros[NP_TLS_HASH_MAX];
    uint32_t hash_len = np_tls_hash_len(hash);

    np_tls_hmac(hash, salt != NULL ? salt : zeros, hash_len, ikm != NULL ? ikm : zeros,
                ikm != NULL ? ikm_len : hash_len, out);
}

void np_tls_expand_label(enum np_tls_hash hash, const uint8_t *secret, const char *label,
                         const uint8_t *context, uint32_t context_len, uint8_t *out,
                         uint32_t out_len)
{
    /* struct HkdfLabel, then the counter of HKDF-Expand: every output fits its first block. */
    uint8_t info[2 + 1 + 6 + LABEL_MAX + 1 + NP_TLS_HASH_MAX + 1];
    uint8_t block[NP_TLS_HASH_MAX];
    uint32_t label_len = (uint32_t)strlen(label), len = 0;

    info[len++] = 0;
    info[len++] = (uint8_t)out_len;
    info[len++] = (uint8_t)(6 + label_len);
    memcpy(info + len, "tls13 ", 6);
    len += 6;
    memcpy(info + len, label, label_len);
    len += label_len;
    info[len++] = (uint8_t)context_len;
    if (context_len > 0) {
        memcpy(info + len, context, context_len);
        len += context_len;
    }
    info[len++] = 1;
    np_tls_hmac(hash, secret, np_tls_hash_len(hash), info, len, block);
    memcpy(out, block, out_len);
    np_ct_wipe(block, sizeof(block));
}

void np_tls_derive(enum np_tls_hash hash, const uint8_t *secret, const char *label,
                   const uint8_t *transcript, uint8_t *out)
{
    uint32_t hash_len = np_tls_hash_len(hash);

    np_tls_expand_label(hash, secret, label, transcript, hash_len, out, hash_len);
}

void np_tls_schedule_early(enum np_tls_hash hash, const uint8_t *psk, uint32_t psk_len,
                           uint8_t *secret)
{
    np_tls_extract(hash, NULL, psk, psk_len, secret);
}

void np_tls_schedule_next(enum np_tls_hash hash, uint8_t *secret, const uint8_t *ikm,
                          uint32_t ikm_len)
{
    uint8_t empty[NP_TLS_HASH_MAX];

    np_tls_empty_hash(hash, empty);
    np_tls_derive(hash, secret, "derived", empty, secret);
    np_tls_extract(hash, secret, ikm, ikm_len, secret);
}

void np_tls_finished(enum np_tls_hash hash, const uint8_t *base, const uint8_t *transcript,
                     uint8_t *out)
{
    uint8_t key[NP_TLS_HASH_MAX];
    uint32_t hash_len = np_tls_hash_len(hash);

    np_tls_expand_label(hash, base, "finished", NULL, 0, key, hash_len);
    np_tls_hmac(hash, key, hash_len, transcript, hash_len, out);
    np_ct_wipe(key, sizeof(key));
}

void np_tls_traffic_keys(const struct np_tls_suite *suite, const uint8_t *secret,
                         uint8_t key[NP_TLS_KEY_MAX], uint8_t iv[NP_TLS_IV_LEN])
{
    np_tls_expand_label((enum np_tls_hash)suite->hash, secret, "key", NULL, 0, key, suite->key_len);
    np_tls_expand_label((enum np_tls_hash)suite->hash, secret, "iv", NULL, 0, iv, NP_TLS_IV_LEN);
}

void np_tls_traffic_next(enum np_tls_hash hash, uint8_t *secret)
{
    np_tls_expand_label(hash, secret, "traffic upd", NULL, 0, secret, np_tls_hash_len(hash));
}
