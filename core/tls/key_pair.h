/* SPDX-License-Identifier: BSD-3-Clause */
/* key_pair: what a server shows: a certificate chain and its private key, loaded from PEM files or
 * made at start, and the np_tls_cred that the engine signs with.
 *
 * Checked when loaded, so that a broken pair never reaches a client: every certificate is X.509 and
 * not signed with SHA-1; each is issued by the next (names); the first is of RSA >= 2048 or
 * P-256/P-384; the key belongs to it (a signature by it is verified with the certificate's key).
 * Dates and names are left to the caller (not_before_s, not_after_s): an expired certificate is a
 * warning, not a reason to be down.
 */
#ifndef NP_CORE_TLS_KEY_PAIR_H
#define NP_CORE_TLS_KEY_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "config/np_config.h"
#include "core/base/err.h"
#include "core/tls/cred.h"
#include "core/tls/key.h"

#define NP_CHAIN_MAX 8u /* certificates */
#define NP_CHAIN_DER_CAP ((uint32_t)NP_CHAIN_BYTES)
#define NP_CHAIN_TEXT_CAP 32768u /* longest PEM file of a chain worth reading, bytes */
#define NP_PIN_TEXT_CAP 72u      /* "sha256:", 64 hex digits, NUL */

struct np_key_pair {
    struct np_tls_cred cred; /* for np_tls_config.cred; points into this struct, which stays put */
    int64_t not_before_s, not_after_s; /* of the first certificate, seconds since 1970 */
    uint8_t pin[32];                   /* SHA-256 of its public key (SubjectPublicKeyInfo) */
    uint8_t fingerprint[32];           /* SHA-256 of its DER */
    /* private */
    struct np_tls_der chain_[NP_CHAIN_MAX];
    struct np_tls_key key_;
    uint8_t der_[NP_CHAIN_DER_CAP];
};

/* What is wrong with a pair, for "<file>: <text>". */
struct np_key_fault {
    bool is_key_file; /* the key's file, not the chain's */
    char text[120];
};

/* Loads chain and key from PEM texts (one text may hold both: pass it twice). On failure *pair is
 * wiped and *fault says why. `random` gives a salt for the trial signature. Returns NP_OK,
 * NP_ERR_NOT_FOUND, NP_ERR_UNSUPPORTED, NP_ERR_INVALID, NP_ERR_TOO_LONG, NP_ERR_AUTH (the key is
 * not the certificate's), or what `random` failed with. */
enum np_err np_key_pair_load(struct np_key_pair *pair, const char *chain, uint32_t chain_len,
                             const char *key, uint32_t key_len, const struct np_tls_random *random,
                             struct np_key_fault *fault);
/* SHA-256 over both texts and their lengths: tells whether the files have changed. */
void np_key_pair_digest(const char *chain, uint32_t chain_len, const char *key, uint32_t key_len,
                        uint8_t out[32]);
/* Makes a fresh P-256 key and its self-signed certificate (selfsigned.h). Returns NP_OK, what
 * `random` failed with, or NP_ERR_INVALID (organization, time). */
enum np_err np_key_pair_make(struct np_key_pair *pair, const char *organization, int64_t now_s,
                             const struct np_tls_random *random);
/* Forgets the key. Not while cred.users > 0. */
void np_key_pair_wipe(struct np_key_pair *pair);

/* Writes a hash as "sha256:<64 hex digits>" with a NUL: the text of the option pin=. */
void np_pin_format(const uint8_t hash[32], char out[NP_PIN_TEXT_CAP]);

#endif
