/* SPDX-License-Identifier: BSD-3-Clause */
/* cred: what the handshake needs from keys and certificates, as two interfaces: `np_tls_cred` lets
 * a server show a chain and sign; `np_tls_verify_ops` lets a client judge a chain that arrives in
 * pieces, and check a signature with its leaf key. The engine knows no X.509 beyond this. */
#ifndef NP_CORE_TLS_CRED_H
#define NP_CORE_TLS_CRED_H

#include <stdint.h>

#include "core/base/err.h"
#include "core/tls/reason.h"

/* Signature schemes (RFC 8446 section 4.2.3). rsa_pkcs1 is for signatures inside certificates
 * only. */
#define NP_TLS_RSA_PKCS1_SHA256 0x0401u
#define NP_TLS_RSA_PKCS1_SHA384 0x0501u
#define NP_TLS_RSA_PKCS1_SHA512 0x0601u
#define NP_TLS_ECDSA_P256_SHA256 0x0403u
#define NP_TLS_ECDSA_P384_SHA384 0x0503u
#define NP_TLS_RSA_PSS_SHA256 0x0804u /* rsa_pss_rsae_* */
#define NP_TLS_RSA_PSS_SHA384 0x0805u
#define NP_TLS_RSA_PSS_SHA512 0x0806u

/* Longest signature: RSA 4096. */
#define NP_TLS_SIGNATURE_MAX 512u
#define NP_TLS_FINGERPRINT_LEN 32u /* SHA-256 */

/* Entropy: fills `buf` as a whole or fails; never blocks for long (on a platform:
 * np_plat_random). */
struct np_tls_random {
    enum np_err (*fill)(void *ctx, uint8_t *buf, uint32_t len);
    void *ctx;
};

/* ---- server: chain and key ------------------------------------------------------------------- */

struct np_tls_der {
    const uint8_t *der; /* one certificate */
    uint32_t len;       /* 1 to 2^24 - 1 */
};

/* A chain with its key. The engine reads it while a handshake is in flight and counts `users`; to
 * replace one (reload) point the config at the new one and free the old when its users are 0. */
struct np_tls_cred {
    const struct np_tls_der *chain; /* leaf first */
    uint32_t chain_count;           /* 1 or more */
    uint16_t schemes[4];            /* what the key can sign, most wanted first, 0 ends the list */
    /* Signs `content` (`content_len` <= 192 bytes; the scheme's hash is taken inside) and writes at
     * most `cap` (NP_TLS_SIGNATURE_MAX) bytes to `sig`. Returns the signature's length (> 0),
     * NP_ERR_AGAIN (a slow key: asked again, with the same content, at the caller's next
     * np_tls_pending) or another error, which fails the handshake. */
    int32_t (*sign)(const struct np_tls_cred *cred, uint16_t scheme, const uint8_t *content,
                    uint32_t content_len, const struct np_tls_random *random, uint8_t *sig,
                    uint32_t cap);
    const void *key; /* the signer's */
    uint32_t users;  /* handshakes in flight that hold this; the engine's */
};

/* ---- client: judging the server's chain ------------------------------------------------------ */

/* Room for the verifier's state in a client's handshake scratch, aligned to 16. */
#define NP_TLS_VERIFY_BYTES 4608u

/* Calls come in this order; certificates leaf first, each in any number of pieces:
 *   begin, { cert, append ... , cert_end } ..., end, check_signature
 * `mem` is NP_TLS_VERIFY_BYTES of scratch; `policy` is np_tls_trust.policy. A failure on the way
 * may be kept until `end`. Nothing is called after a result other than NP_TLS_FINE. */
struct np_tls_verify_ops {
    /* `name` is the name or address to find in the leaf (NULL: not asked for). */
    void (*begin)(void *mem, const void *policy, const char *name);
    void (*cert)(void *mem, uint32_t der_len);
    void (*append)(void *mem, const uint8_t *der, uint32_t len);
    void (*cert_end)(void *mem);
    /* NP_TLS_FINE if the chain may be used; the leaf key stays in `mem`. */
    enum np_tls_reason (*end)(void *mem);
    /* CertificateVerify with the leaf key. `scheme` is one that we offered and never rsa_pkcs1;
     * NP_TLS_ILLEGAL if it does not fit the key, NP_TLS_CERT_SIGNATURE if wrong. */
    enum np_tls_reason (*check_signature)(void *mem, uint16_t scheme, const uint8_t *content,
                                          uint32_t content_len, const uint8_t *sig,
                                          uint32_t sig_len);
    /* SHA-256 of the leaf's DER, after end. */
    void (*fingerprint)(const void *mem, uint8_t out[NP_TLS_FINGERPRINT_LEN]);
};

/* How a client judges: tls=1, tls=2 or a pin are different policies. */
struct np_tls_trust {
    const struct np_tls_verify_ops *ops;
    const void *policy; /* the verifier's; outlives the handshakes */
};

#endif
