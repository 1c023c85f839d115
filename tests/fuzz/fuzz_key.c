/* SPDX-License-Identifier: BSD-3-Clause */
/* Any DER as a private key, and any numbers as a peer's public key with a signature. An elliptic
 * key that is taken signs what its public point verifies. Input: kind, then DER; or lengths, then
 * key and signature. */
#include "core/tls/key.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t salt[NP_PSS_SALT_CAP] = {9};
static const uint8_t text[] = "text to sign";

static void check_elliptic(const struct np_tls_key *key)
{
    uint16_t scheme =
        key->kind == NP_KEY_P256 ? NP_TLS_ECDSA_P256_SHA256 : NP_TLS_ECDSA_P384_SHA384;
    uint8_t point[97], sig[NP_TLS_SIGNATURE_MAX];
    uint32_t sig_len = np_tls_key_sign(key, scheme, text, sizeof text, salt, sig);
    br_x509_pkey peer;

    peer.key_type = BR_KEYTYPE_EC;
    peer.key.ec.curve = key->kind == NP_KEY_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1;
    peer.key.ec.q = point;
    peer.key.ec.qlen = np_tls_key_point(key, point);
    FUZZ_CHECK(peer.key.ec.qlen == (key->kind == NP_KEY_P256 ? 65 : 97));
    FUZZ_CHECK(sig_len > 0 && sig_len <= sizeof sig);
    FUZZ_CHECK(np_tls_sig_verify(&peer, scheme, text, sizeof text, sig, sig_len));
}

static void check_private(struct fuzz_input in)
{
    static const char *const labels[] = {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"};
    uint8_t kind = fuzz_byte(&in), *der = fuzz_copy(in.data, in.size);
    struct np_tls_key key, again;
    uint8_t sig[NP_TLS_SIGNATURE_MAX];
    const char *reason = NULL;
    enum np_err err = np_tls_key_parse(&key, labels[kind % 3], der, (uint32_t)in.size, &reason);

    if (err != NP_OK) {
        static const struct np_tls_key none;

        FUZZ_CHECK(reason != NULL && reason[0] != 0);
        FUZZ_CHECK(memcmp(&key, &none, sizeof key) == 0);
    } else if (key.kind == NP_KEY_RSA) {
        uint32_t total = 0;

        for (uint32_t i = 0; i < 5; i++) {
            FUZZ_CHECK(key.lens[i] > 0);
            total += key.lens[i];
        }
        FUZZ_CHECK(total <= sizeof key.mem && key.bits >= 2048 && key.bits <= 4096);
        if (kind >= 192) { /* slow; a key of parts that do not fit may sign wrongly */
            uint32_t len =
                np_tls_key_sign(&key, NP_TLS_RSA_PSS_SHA256, text, sizeof text, salt, sig);

            FUZZ_CHECK(len == 0 || len == (key.bits + 7u) / 8u);
        }
    } else {
        check_elliptic(&key);
    }
    /* bytes after the structure are never passed over */
    if (err == NP_OK) {
        uint8_t *longer = fuzz_copy(in.data, in.size);

        longer = realloc(longer, in.size + 1);
        FUZZ_CHECK(longer != NULL);
        longer[in.size] = 0;
        FUZZ_CHECK(np_tls_key_parse(&again, labels[kind % 3], longer, (uint32_t)in.size + 1,
                                    &reason) != NP_OK);
        free(longer);
    }
    free(der);
}

static void check_public(struct fuzz_input in)
{
    static const uint16_t schemes[] = {NP_TLS_ECDSA_P256_SHA256, NP_TLS_ECDSA_P384_SHA384,
                                       NP_TLS_RSA_PSS_SHA256,    NP_TLS_RSA_PSS_SHA384,
                                       NP_TLS_RSA_PSS_SHA512,    NP_TLS_RSA_PKCS1_SHA256};
    uint16_t scheme = schemes[fuzz_byte(&in) % 6];
    size_t key_len = (size_t)fuzz_byte(&in) << 2, e_len = fuzz_byte(&in) % 9u;
    br_x509_pkey peer;

    key_len = key_len < in.size ? key_len : in.size;
    e_len = e_len < in.size - key_len ? e_len : in.size - key_len;
    uint8_t *key = fuzz_copy(in.data, key_len), *e = fuzz_copy(in.data + key_len, e_len);
    size_t sig_len = in.size - key_len - e_len;
    uint8_t *sig = fuzz_copy(in.data + key_len + e_len, sig_len);
    bool is_rsa = (scheme & 0xff00u) == 0x0800u;

    if (is_rsa) {
        peer.key_type = BR_KEYTYPE_RSA;
        peer.key.rsa.n = key;
        peer.key.rsa.nlen = key_len;
        peer.key.rsa.e = e;
        peer.key.rsa.elen = e_len;
    } else {
        peer.key_type = BR_KEYTYPE_EC;
        peer.key.ec.curve = scheme == NP_TLS_ECDSA_P384_SHA384 ? BR_EC_secp384r1 : BR_EC_secp256r1;
        peer.key.ec.q = key;
        peer.key.ec.qlen = key_len;
    }
    bool is_right = np_tls_sig_verify(&peer, scheme, text, sizeof text, sig, (uint32_t)sig_len);
    /* an exponent of 1 or 3 lets signatures be made up; nothing else in sight of a fuzzer */
    FUZZ_CHECK(!is_right || is_rsa);
    FUZZ_CHECK(!is_right || key_len >= 256);
    free(key);
    free(e);
    free(sig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    if (fuzz_byte(&in) % 4 != 0) {
        check_private(in);
    } else {
        check_public(in);
    }
    return 0;
}
