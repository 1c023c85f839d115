/* SPDX-License-Identifier: BSD-3-Clause */
/* key: a server's private key: loading, signing, and checking signatures of a peer's key.
 *
 * Accepted files: PEM "PRIVATE KEY" (PKCS#8, RFC 5208), "RSA PRIVATE KEY" (PKCS#1, RFC 8017 A.1.2)
 * and "EC PRIVATE KEY" (SEC1, RFC 5915; "EC PARAMETERS" before it is skipped). RSA of 2048 to 4096
 * bits with two primes, curves P-256 and P-384. DER is read strictly by our own reader: BearSSL's
 * skey_decoder can write past its buffer.
 *
 * Signature schemes are TLS 1.3's code points (cred.h).
 */
#ifndef NP_CORE_TLS_KEY_H
#define NP_CORE_TLS_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/tls/br.h"
#include "core/tls/cred.h"
#include "core/tls/pss.h"

/* Longest PEM text of a key: RSA 4096 with headers of other tools around it. */
#define NP_KEY_TEXT_CAP 8192u
/* Longest DER of a key: RSA 4096 in PKCS#8 has 2,376 bytes. */
#define NP_KEY_DER_CAP 2560u

/* Longest SubjectPublicKeyInfo that is read: RSA 4096 has 550 bytes. */
#define NP_SPKI_CAP 576u

enum np_key_kind { NP_KEY_NONE = 0, NP_KEY_P256, NP_KEY_P384, NP_KEY_RSA };

/* A private key. Holds no pointer into itself: may be copied. Wipe it after use. */
struct np_tls_key {
    uint8_t kind;     /* enum np_key_kind */
    uint16_t bits;    /* of the curve or modulus */
    uint16_t lens[5]; /* bytes of p, q, dp, dq, iq, which follow each other in mem; EC: of x */
    uint8_t mem[5 * NP_RSA_MAX_BYTES / 2];
};

/* Loads the first key of a PEM text. `text` is only read; the caller wipes it. On failure *reason
 * is a static text that tells a user what is wrong ("RSA keys below 2048 bits are refused"), and
 * *key is wiped. Returns NP_OK, NP_ERR_NOT_FOUND (no key in the text), NP_ERR_UNSUPPORTED
 * (encrypted, other algorithm, size or curve) or NP_ERR_INVALID (malformed). */
enum np_err np_tls_key_load(struct np_tls_key *key, const char *text, uint32_t len,
                            const char **reason);
/* As np_tls_key_load for DER whose kind `label` (a PEM label) tells. */
enum np_err np_tls_key_parse(struct np_tls_key *key, const char *label, const uint8_t *der,
                             uint32_t len, const char **reason);
/* Makes a P-256 key of 32 random bytes. Returns false if they can't be used (chance 2^-32): take
 * others. */
bool np_tls_key_make(struct np_tls_key *key, const uint8_t random[32]);
/* Writes the public point of an EC key (0x04 x y): returns its length, 65 or 97; 0 for RSA. */
uint32_t np_tls_key_point(const struct np_tls_key *key, uint8_t point[97]);
void np_tls_key_wipe(struct np_tls_key *key);

/* True if `key` can sign with `scheme`. */
bool np_tls_key_can_sign(const struct np_tls_key *key, uint16_t scheme);
/* Signs `msg` with `scheme`. `random`: NP_PSS_SALT_CAP fresh random bytes (RSA's salt; ECDSA needs
 * none). Writes up to NP_TLS_SIGNATURE_MAX bytes to `sig`, returns their count or 0 if the key
 * can't. */
uint32_t np_tls_key_sign(const struct np_tls_key *key, uint16_t scheme, const uint8_t *msg,
                         uint32_t msg_len, const uint8_t random[NP_PSS_SALT_CAP], uint8_t *sig);
/* Reads a peer's public key, the DER of a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), which it
 * then points into: RSA of up to 4096 bits, P-256, P-384, P-521. False if it is none of these. */
bool np_tls_key_public(br_x509_pkey *peer, const uint8_t *spki, uint32_t len);
/* True if a peer with the public key `peer` can sign with `scheme`. */
bool np_tls_sig_fits(const br_x509_pkey *peer, uint16_t scheme);
/* True if `sig` is a signature of `msg` by the public key `peer` with `scheme`. RSA keys below 2048
 * bits, other curves than the scheme's and unknown schemes are never right. */
bool np_tls_sig_verify(const br_x509_pkey *peer, uint16_t scheme, const uint8_t *msg,
                       uint32_t msg_len, const uint8_t *sig, uint32_t sig_len);

#endif
