/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule: HKDF and the key schedule of TLS 1.3 (RFC 8446 section 7, RFC 5869), pure functions.
 * Secrets have np_tls_hash_len(hash) bytes; the caller wipes what it was given. */
#ifndef NP_CORE_TLS_SCHEDULE_H
#define NP_CORE_TLS_SCHEDULE_H

#include <stdint.h>

#include "core/tls/suite.h"

#define NP_TLS_IV_LEN 12u

/* HMAC; `out` gets the hash's length. */
void np_tls_hmac(enum np_tls_hash hash, const uint8_t *key, uint32_t key_len, const uint8_t *data,
                 uint32_t len, uint8_t *out);
/* Hash of nothing: the context of "derived". */
void np_tls_empty_hash(enum np_tls_hash hash, uint8_t *out);

/* HKDF-Extract. `salt` NULL or `ikm` NULL stand for zeros of the hash's length. `out` may be
 * `salt`. */
void np_tls_extract(enum np_tls_hash hash, const uint8_t *salt, const uint8_t *ikm,
                    uint32_t ikm_len, uint8_t *out);
/* HKDF-Expand-Label; `label` without "tls13 ", at most 12 bytes; `context_len` <= 48; `out_len` at
 * most the hash's length. `out` may be `secret`. */
void np_tls_expand_label(enum np_tls_hash hash, const uint8_t *secret, const char *label,
                         const uint8_t *context, uint32_t context_len, uint8_t *out,
                         uint32_t out_len);
/* Derive-Secret, with the hash of the messages already taken. */
void np_tls_derive(enum np_tls_hash hash, const uint8_t *secret, const char *label,
                   const uint8_t *transcript, uint8_t *out);

/* Early Secret from a PSK (NULL: none), then one step each to Handshake and Master Secret:
 * secret = Extract(Derive(secret, "derived", ""), ikm); ikm NULL = zeros. */
void np_tls_schedule_early(enum np_tls_hash hash, const uint8_t *psk, uint32_t psk_len,
                           uint8_t *secret);
void np_tls_schedule_next(enum np_tls_hash hash, uint8_t *secret, const uint8_t *ikm,
                          uint32_t ikm_len);

/* verify_data of Finished, and a PSK binder: HMAC(Expand-Label(base, "finished"), transcript). */
void np_tls_finished(enum np_tls_hash hash, const uint8_t *base, const uint8_t *transcript,
                     uint8_t *out);
/* Key and IV of a traffic secret (section 7.3). */
void np_tls_traffic_keys(const struct np_tls_suite *suite, const uint8_t *secret,
                         uint8_t key[NP_TLS_KEY_MAX], uint8_t iv[NP_TLS_IV_LEN]);
/* The next traffic secret, in place (section 7.2). */
void np_tls_traffic_next(enum np_tls_hash hash, uint8_t *secret);

#endif
