/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/fast.h"

#include "core/tls/fast_impl.h"

#if NP_FAST_CHACHA
static bool is_always_there(void)
{
    return true;
}
#endif

#if NP_FAST_COMPACT
#define PARTS 0, 0
#else
#define PARTS &np_fast_aes, np_fast_ghash
#endif

const struct np_fast_variant np_fast_variants[] = {
#if NP_FAST_AES
    {"AES-GCM by the CPU's AES", np_fast_has_aes, &np_fast_gcm, PARTS, 0, 0},
#endif
#if NP_FAST_CHACHA
    {"ChaCha20 in 128-bit vectors", is_always_there, 0, 0, 0, &np_fast_chacha_aead_4,
     np_fast_chacha_4},
#endif
#if NP_FAST_AVX2
    {"ChaCha20 in 256-bit vectors", np_fast_has_avx2, 0, 0, 0, &np_fast_chacha_aead_8,
     np_fast_chacha_8},
#endif
    {0, 0, 0, 0, 0, 0, 0},
};

void np_fast_init(struct np_tls_engines *engines)
{
    for (const struct np_fast_variant *v = np_fast_variants; v->name != 0; v++) {
        if (!v->is_there()) {
            continue;
        }
        if (v->gcm != 0) {
            engines->gcm = v->gcm;
            engines->has_fast_aes = true;
        }
        if (v->aes != 0) {
            engines->aes = v->aes;
            engines->ghash = v->ghash;
        }
        if (v->chacha != 0) {
            engines->chacha = v->chacha;
            engines->chacha20 = v->chacha20;
        }
    }
}
