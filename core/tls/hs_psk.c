/* SPDX-License-Identifier: BSD-3-Clause */
/* External PSKs: RFC 8446 sections 4.2.9 to 4.2.11. */
#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/hs.h"

#define BINDER_MIN 32u
#define PSK_TYPE 41u

const struct np_tls_psk *np_tls_hs_psk(const struct np_tls_hs *hs)
{
    return hs->psk == 0 ? NULL : &hs->config->psks[hs->psk - 1];
}

/* Binder over the transcript and `len` bytes of a hello that ends before the list of binders. */
static void compute_binder(const struct np_tls_hs *hs, const struct np_tls_psk *psk,
                           const uint8_t *hello, uint32_t len, uint8_t binder[NP_TLS_HASH_MAX])
{
    enum np_tls_hash hash = (enum np_tls_hash)psk->hash;
    struct np_tls_transcript transcript = hs->transcript;
    uint8_t secret[NP_TLS_HASH_MAX], digest[NP_TLS_HASH_MAX];

    np_tls_transcript_append(&transcript, hello, len);
    np_tls_schedule_early(hash, psk->key, psk->key_len, secret);
    np_tls_empty_hash(hash, digest);
    np_tls_derive(hash, secret, "ext binder", digest, secret);
    np_tls_transcript_hash(&transcript, hash, digest);
    np_tls_finished(hash, secret, digest, binder);
    np_ct_wipe(secret, sizeof(secret));
}

void np_tls_hs_write_psk(struct np_tls_hs *hs, struct np_tls_writer *writer, uint32_t message_mark,
                         uint32_t exts_mark)
{
    const struct np_tls_psk *psk = &hs->config->psks[0];
    uint32_t hash_len = np_tls_hash_len((enum np_tls_hash)psk->hash), mark;
    uint8_t binder[NP_TLS_HASH_MAX] = {0};

    np_tls_write_uint(writer, PSK_TYPE, 2);
    mark = np_tls_write_begin(writer, 2);
    np_tls_write_uint(writer, psk->identity_len + 6u, 2);
    np_tls_write_uint(writer, psk->identity_len, 2);
    np_tls_write(writer, psk->identity, psk->identity_len);
    np_tls_write_uint(writer, 0, 4); /* an external PSK has no age */
    np_tls_write_uint(writer, hash_len + 1, 2);
    np_tls_write_uint(writer, hash_len, 1);
    np_tls_write(writer, binder, hash_len);
    np_tls_write_end(writer, mark, 2);
    np_tls_write_end(writer, exts_mark, 2);
    np_tls_write_end(writer, message_mark, 3);
    if (!writer->is_bad) {
        compute_binder(hs, psk, writer->base, writer->len - hash_len - 3, binder);
        memcpy(writer->base + writer->len - hash_len, binder, hash_len);
    }
}

/* The client's modes that we have as well. */
static uint8_t modes_in_common(const struct np_tls_hs *hs, struct np_tls_reader ext)
{
    struct np_tls_reader list = np_tls_read_vector(&ext, 1, 1, 255);
    uint8_t modes = 0;

    while (list.left > 0) {
        uint32_t mode = np_tls_read_uint(&list, 1);
        modes |= (uint8_t)(mode == 0 ? NP_TLS_PSK_KE : mode == 1 ? NP_TLS_PSK_DHE_KE : 0);
    }
    return modes & hs->config->psk_modes;
}

/* 1 + index of our PSK with this identity and the hash of the suite, or 0. */
static uint8_t find_psk(const struct np_tls_hs *hs, const struct np_tls_reader *identity)
{
    for (uint32_t i = 0; i < hs->config->psk_count && i < 255; i++) {
        const struct np_tls_psk *psk = &hs->config->psks[i];
        if (psk->hash == hs->suite->hash && psk->identity_len == identity->left &&
            memcmp(psk->identity, identity->at, identity->left) == 0) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

/* Walks identities and binders side by side. */
static enum np_tls_reason choose(struct np_tls_hs *hs, struct np_tls_reader identities,
                                 struct np_tls_reader binders, uint32_t hello_len)
{
    struct np_tls_reader chosen = {NULL, 0, false};
    uint16_t index = 0;

    while (identities.left > 0) {
        struct np_tls_reader identity = np_tls_read_vector(&identities, 2, 1, 0xffff);
        struct np_tls_reader binder = np_tls_read_vector(&binders, 1, BINDER_MIN, 255);

        np_tls_read_uint(&identities, 4);
        if (identities.is_bad || binders.is_bad) {
            return NP_TLS_ILLEGAL;
        }
        if (hs->psk == 0) {
            hs->psk = find_psk(hs, &identity);
            hs->psk_index = index++;
            chosen = binder;
        }
    }
    if (identities.is_bad || binders.is_bad || binders.left > 0) {
        return NP_TLS_ILLEGAL;
    }
    if (hs->psk != 0) {
        uint8_t binder[NP_TLS_HASH_MAX];
        uint32_t hash_len = np_tls_hash_len((enum np_tls_hash)hs->suite->hash);
        compute_binder(hs, np_tls_hs_psk(hs), hs->in, hello_len, binder);
        if (chosen.left != hash_len || !np_ct_is_equal(chosen.at, binder, hash_len)) {
            return NP_TLS_PSK_BINDER;
        }
    }
    return NP_TLS_FINE;
}

enum np_tls_reason np_tls_hs_choose_psk(struct np_tls_hs *hs, const struct np_tls_hello *hello)
{
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_PSK], identities, binders;

    hs->psk = 0;
    hs->psk_modes = 0;
    if ((hello->exts.present & NP_TLS_EXT_BIT(NP_TLS_EXT_PSK)) == 0) {
        return NP_TLS_FINE;
    }
    identities = np_tls_read_vector(&ext, 2, 7, 0xffff);
    binders = np_tls_read_vector(&ext, 2, BINDER_MIN + 1, 0xffff);
    if (!np_tls_reader_is_done(&ext)) {
        return NP_TLS_DECODE;
    }
    hs->psk_modes = modes_in_common(hs, hello->exts.body[NP_TLS_EXT_PSK_MODES]);
    if (hs->psk_modes == 0) { /* none of ours: as if no PSK was offered */
        return NP_TLS_FINE;
    }
    return choose(hs, identities, binders, hs->in_len - binders.left - 2);
}
