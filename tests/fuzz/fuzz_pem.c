/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as PEM, as private key, and as a chain with its key. How PEM is cut changes nothing;
 * what is refused is refused with a reason and leaves nothing behind. */
#include "core/tls/key_pair.h"
#include "core/tls/pem.h"
#include "tests/fuzz/fuzz.h"

static enum np_err fill(void *context, uint8_t *buf, uint32_t len)
{
    (void)context;
    memset(buf, 0x5a, len);
    return NP_OK;
}

static const struct np_tls_random fixed = {fill, NULL};

/* ---- PEM ------------------------------------------------------------------------------------- */

/* Digest of the blocks of a text that is fed in pieces. */
static uint32_t read_blocks(const uint8_t *text, uint32_t len, uint32_t piece)
{
    uint8_t der[512];
    struct np_pem pem;
    uint32_t hash = 2166136261u;

    np_pem_init(&pem, der, sizeof der, 0);
    for (uint32_t at = 0; at < len;) {
        uint32_t used = 0, want = len - at < piece ? len - at : piece;
        enum np_err err = np_pem_feed(&pem, (const char *)text + at, want, &used);

        FUZZ_CHECK(used <= want && pem.len <= sizeof der);
        at += used;
        if (err == NP_ERR_AGAIN) {
            FUZZ_CHECK(used == want);
            continue;
        }
        hash = (hash ^ (uint32_t)-err) * 16777619u;
        if (err == NP_OK) {
            FUZZ_CHECK(memchr(pem.label, 0, sizeof pem.label) != NULL && pem.begin_at < len);
            hash = (hash ^ pem.len ^ pem.begin_at << 16) * 16777619u;
            for (uint32_t i = 0; i < pem.len; i++) {
                hash = (hash ^ der[i]) * 16777619u;
            }
        } else {
            return hash; /* too long or wrong */
        }
    }
    return (hash ^ (uint32_t)-np_pem_end(&pem)) * 16777619u;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void check_key(const char *text, uint32_t len)
{
    struct np_tls_key key;
    uint8_t salt[NP_PSS_SALT_CAP] = {1}, sig[NP_TLS_SIGNATURE_MAX];
    const char *reason = NULL;

    if (np_tls_key_load(&key, text, len, &reason) != NP_OK) {
        FUZZ_CHECK(reason != NULL && reason[0] != 0 && key.kind == NP_KEY_NONE);
        return;
    }
    FUZZ_CHECK(key.kind == NP_KEY_P256 || key.kind == NP_KEY_P384 || key.kind == NP_KEY_RSA);
    static const uint16_t schemes[] = {NP_TLS_ECDSA_P256_SHA256, NP_TLS_ECDSA_P384_SHA384,
                                       NP_TLS_RSA_PSS_SHA256, NP_TLS_RSA_PKCS1_SHA256};
    for (uint32_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (key.kind != NP_KEY_RSA) { /* signing by RSA is too slow to do for each input */
            uint32_t sig_len =
                np_tls_key_sign(&key, schemes[i], (const uint8_t *)"abc", 3, salt, sig);
            FUZZ_CHECK(sig_len <= sizeof sig);
            FUZZ_CHECK(np_tls_key_can_sign(&key, schemes[i]) || sig_len == 0);
        }
    }
    np_tls_key_wipe(&key);
}

static void check_pair(const char *text, uint32_t len)
{
    static struct np_key_pair pair;
    struct np_key_fault fault;
    enum np_err err = np_key_pair_load(&pair, text, len, text, len, &fixed, &fault);

    if (err != NP_OK) {
        FUZZ_CHECK(memchr(fault.text, 0, sizeof fault.text) != NULL && fault.text[0] != 0);
        FUZZ_CHECK(pair.cred.chain_count == 0);
        return;
    }
    FUZZ_CHECK(pair.cred.chain_count >= 1 && pair.cred.chain_count <= NP_CHAIN_MAX);
    np_key_pair_wipe(&pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint32_t piece = fuzz_byte(&in) % 64u + 1u, len = (uint32_t)in.size;
    uint8_t *copy = fuzz_copy(in.data, in.size);

    FUZZ_CHECK(read_blocks(copy, len, UINT32_MAX) == read_blocks(copy, len, piece));
    check_key((const char *)copy, len);
    check_pair((const char *)copy, len);
    free(copy);
    return 0;
}
