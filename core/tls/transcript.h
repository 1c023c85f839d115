/* SPDX-License-Identifier: BSD-3-Clause */
/* transcript: running hash over the handshake's messages (RFC 8446 section 4.4.1). Until the suite
 * is known both hashes run. */
#ifndef NP_CORE_TLS_TRANSCRIPT_H
#define NP_CORE_TLS_TRANSCRIPT_H

#include <stdint.h>

#include "core/tls/br.h"
#include "core/tls/suite.h"

struct np_tls_transcript {
    br_sha256_context sha256;
    br_sha384_context sha384;
    uint8_t hash; /* enum np_tls_hash, 0 = both */
};

void np_tls_transcript_init(struct np_tls_transcript *transcript);
/* Goes on with one hash only. */
void np_tls_transcript_select(struct np_tls_transcript *transcript, enum np_tls_hash hash);
void np_tls_transcript_append(struct np_tls_transcript *transcript, const void *data, uint32_t len);
/* Hash of what was appended so far; the transcript stays usable. */
void np_tls_transcript_hash(const struct np_tls_transcript *transcript, enum np_tls_hash hash,
                            uint8_t out[NP_TLS_HASH_MAX]);
/* Replaces the first hello by its hash (message_hash), for a HelloRetryRequest. `hash` selects. */
void np_tls_transcript_retry(struct np_tls_transcript *transcript, enum np_tls_hash hash);

#endif
