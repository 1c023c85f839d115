/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/engines.h"

#include <stddef.h>

#include "core/base/ct.h"
#include "core/tls/fast_impl.h"

/* The code that is quick on machines of 64 bits is slow on those of 32, and the other way round. */
#if UINTPTR_MAX > 0xffffffffu
#define HAS_64_BITS 1
#else
#define HAS_64_BITS 0
#endif

struct gcm_state {
    br_aes_gen_ctr_keys keys;
    br_gcm_context gcm;
};

static void gcm_begin(struct gcm_state *state, const struct np_tls_engines *engines,
                      const uint8_t *key, uint32_t key_len, const uint8_t *nonce,
                      const uint8_t *aad, uint32_t aad_len)
{
    engines->aes->init(&state->keys.vtable, key, key_len);
    br_gcm_init(&state->gcm, &state->keys.vtable, engines->ghash);
    br_gcm_reset(&state->gcm, nonce, NP_TLS_NONCE_LEN);
    br_gcm_aad_inject(&state->gcm, aad, aad_len);
    br_gcm_flip(&state->gcm);
}

static void gcm_seal(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                     uint8_t *data, uint32_t len, uint8_t tag[NP_TLS_TAG_LEN])
{
    struct gcm_state state;

    gcm_begin(&state, engines, key, key_len, nonce, aad, aad_len);
    br_gcm_run(&state.gcm, 1, data, len);
    br_gcm_get_tag(&state.gcm, tag);
    np_ct_wipe(&state, sizeof(state));
}

static bool gcm_open(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                     uint8_t *data, uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN])
{
    struct gcm_state state;
    bool is_right;

    gcm_begin(&state, engines, key, key_len, nonce, aad, aad_len);
    br_gcm_run(&state.gcm, 0, data, len);
    is_right = br_gcm_check_tag(&state.gcm, tag) != 0;
    np_ct_wipe(&state, sizeof(state));
    return is_right;
}

static void chacha_seal(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                        const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                        uint8_t *data, uint32_t len, uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)key_len;
    engines->poly1305(key, nonce, data, len, aad, aad_len, tag, engines->chacha20, 1);
}

static bool chacha_open(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
                        const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                        uint8_t *data, uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN])
{
    uint8_t computed[NP_TLS_TAG_LEN];

    (void)key_len;
    engines->poly1305(key, nonce, data, len, aad, aad_len, computed, engines->chacha20, 0);
    return np_ct_is_equal(computed, tag, NP_TLS_TAG_LEN);
}

const struct np_tls_aead np_tls_gcm = {gcm_seal, gcm_open};
const struct np_tls_aead np_tls_chacha = {chacha_seal, chacha_open};

static void set_gcm(struct np_tls_engines *engines)
{
    engines->gcm = &np_tls_gcm;
    engines->aes = HAS_64_BITS ? &br_aes_ct64_ctr_vtable : &br_aes_ct_ctr_vtable;
    engines->ghash = HAS_64_BITS ? br_ghash_ctmul64 : br_ghash_ctmul;
    engines->has_fast_aes = false;
}

void np_tls_engines_portable(struct np_tls_engines *engines)
{
    set_gcm(engines);
    engines->chacha = &np_tls_chacha;
    engines->chacha20 = br_chacha20_ct_run;
#if HAS_64_BITS && defined(__SIZEOF_INT128__)
    engines->poly1305 = br_poly1305_ctmulq_run;
#else
    engines->poly1305 = br_poly1305_ctmul_run;
#endif
}

void np_tls_engines_init(struct np_tls_engines *engines)
{
#if NP_FAST_COMPACT && NP_FAST_CHACHA
    set_gcm(engines); /* the other is there on every CPU of this kind */
    engines->poly1305 = NULL;
#else
    np_tls_engines_portable(engines);
#endif
#ifndef NP_TLS_SMALL
#if !NP_FAST_AES
    if (br_aes_x86ni_ctr_get_vtable() != NULL && br_ghash_pclmul_get() != NULL) {
        engines->aes = br_aes_x86ni_ctr_get_vtable();
        engines->ghash = br_ghash_pclmul_get();
        engines->has_fast_aes = true;
    }
#endif
    np_fast_init(engines);
#endif
}
