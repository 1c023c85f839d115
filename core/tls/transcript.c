/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/transcript.h"

#include <string.h>

#include "core/tls/sha512.h"

#define MESSAGE_HASH 254u

void np_tls_transcript_init(struct np_tls_transcript *transcript)
{
    br_sha256_init(&transcript->sha256);
    np_sha384_class.init(&transcript->sha384.vtable);
    transcript->hash = 0;
}

void np_tls_transcript_select(struct np_tls_transcript *transcript, enum np_tls_hash hash)
{
    transcript->hash = (uint8_t)hash;
}

void np_tls_transcript_append(struct np_tls_transcript *transcript, const void *data, uint32_t len)
{
    if (transcript->hash != NP_TLS_SHA384) {
        br_sha256_update(&transcript->sha256, data, len);
    }
    if (transcript->hash != NP_TLS_SHA256) {
        np_sha384_class.update(&transcript->sha384.vtable, data, len);
    }
}

void np_tls_transcript_hash(const struct np_tls_transcript *transcript, enum np_tls_hash hash,
                            uint8_t out[NP_TLS_HASH_MAX])
{
    if (hash == NP_TLS_SHA384) {
        np_sha384_class.out(&transcript->sha384.vtable, out);
    } else {
        br_sha256_out(&transcript->sha256, out);
    }
}

void np_tls_transcript_retry(struct np_tls_transcript *transcript, enum np_tls_hash hash)
{
    uint8_t message[4 + NP_TLS_HASH_MAX];
    uint32_t hash_len = np_tls_hash_len(hash);

    np_tls_transcript_hash(transcript, hash, message + 4);
    message[0] = MESSAGE_HASH;
    message[1] = 0;
    message[2] = 0;
    message[3] = (uint8_t)hash_len;
    np_tls_transcript_init(transcript);
    np_tls_transcript_select(transcript, hash);
    np_tls_transcript_append(transcript, message, 4 + hash_len);
}
