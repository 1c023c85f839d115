/* SPDX-License-Identifier: BSD-3-Clause */
/* engines: which code encrypts records. One choice a process, made at start from what the CPU can;
 * faster code plugs in here, either as one of BearSSL's primitives or as a whole AEAD. */
#ifndef NP_CORE_TLS_ENGINES_H
#define NP_CORE_TLS_ENGINES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/br.h"

#define NP_TLS_NONCE_LEN 12u
#define NP_TLS_TAG_LEN 16u

struct np_tls_engines;

/* One AEAD operation over one record, in place, from the raw key (16 or 32 bytes): a connection
 * keeps no expanded key. `data` may have any alignment and `len` may be 0. */
struct np_tls_aead {
    void (*seal)(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                 const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                 uint8_t *data, uint32_t len, uint8_t tag[NP_TLS_TAG_LEN]);
    /* True if `tag` is right (compared in constant time). If not, `data` is undefined: the caller
     * wipes it and shows it to nobody. */
    bool (*open)(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                 const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                 uint8_t *data, uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN]);
};

struct np_tls_engines {
    const struct np_tls_aead *gcm;    /* np_tls_gcm, or one that does both steps at once */
    const struct np_tls_aead *chacha; /* np_tls_chacha, likewise */
    const br_block_ctr_class *aes;    /* of np_tls_gcm */
    br_ghash ghash;
    br_chacha20_run chacha20; /* of np_tls_chacha */
    br_poly1305_run poly1305;
    bool has_fast_aes; /* AES-GCM is faster than ChaCha20-Poly1305 here: the order of suites */
};

/* Takes the constant-time code that is right for the word size, then what the CPU has on top. */
void np_tls_engines_init(struct np_tls_engines *engines);
/* Only the portable constant-time code: the reference that faster code must equal. */
void np_tls_engines_portable(struct np_tls_engines *engines);

/* AEADs made of the primitives in `engines` (RFC 5116 section 5.1, RFC 8439). */
extern const struct np_tls_aead np_tls_gcm;
extern const struct np_tls_aead np_tls_chacha;

#endif
