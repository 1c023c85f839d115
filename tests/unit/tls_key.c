/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tls/cert_der.h"
#include "core/tls/cert_scan.h"
#include "core/tls/key_pair.h"
#include "core/tls/pem.h"
#include "core/tls/selfsigned.h"
#include "core/tls/sha512.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_files.h"

static uint64_t seed = 1;
static const struct np_tls_random random_source = {tls_random_fill, &seed};

NP_TEST(tls_key, every_form)
{
    static const struct {
        const char *file;
        enum np_key_kind kind;
        uint32_t bits;
    } rows[] = {
        {"p256.key", NP_KEY_P256, 256},          {"p256.sec1.key", NP_KEY_P256, 256},
        {"p384.key", NP_KEY_P384, 384},          {"p384.sec1.key", NP_KEY_P384, 384},
        {"params.key", NP_KEY_P256, 256},        {"rsa2048.key", NP_KEY_RSA, 2048},
        {"rsa3072.key", NP_KEY_RSA, 3072},       {"rsa4096.key", NP_KEY_RSA, 4096},
        {"both.pem", NP_KEY_P256, 256},          {"rsa2048.pkcs1.key", NP_KEY_RSA, 2048},
        {"rsa4096.pkcs1.key", NP_KEY_RSA, 4096}, {"rsa2050.key", NP_KEY_RSA, 2050},
        {"manyfirst.pem", NP_KEY_P256, 256},
    };
    struct np_tls_key key;
    const char *reason;
    uint32_t len;

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = tls_file(rows[i].file, &len);

        np_test_context("%s", rows[i].file);
        NP_CHECK_INT(np_tls_key_load(&key, text, len, &reason), NP_OK);
        NP_CHECK_INT(key.kind, rows[i].kind);
        NP_CHECK_INT(key.bits, rows[i].bits);
        NP_CHECK_STR(reason, "");
    }
}

static void refused(const char *file, enum np_err err, const char *part)
{
    struct np_tls_key key;
    const char *reason = NULL;
    uint32_t len;
    const char *text = tls_file(file, &len);

    np_test_context("%s", file);
    NP_CHECK_INT(np_tls_key_load(&key, text, len, &reason), err);
    NP_CHECK_INT(key.kind, NP_KEY_NONE);
    if (!NP_CHECK(strstr(reason, part) != NULL)) {
        NP_CHECK_STR(reason, part);
    }
}

NP_TEST(tls_key, refused_with_a_reason)
{
    refused("weak.key", NP_ERR_UNSUPPORTED, "below 2048");
    refused("rsa4608.key", NP_ERR_UNSUPPORTED, "4096");
    refused("rsa4104.key", NP_ERR_UNSUPPORTED, "above 4096");
    refused("cut.key", NP_ERR_INVALID, "ends inside");
    refused("damaged.key", NP_ERR_INVALID, "damaged PEM");
    refused("p521.key", NP_ERR_UNSUPPORTED, "P-256 and P-384");
    refused("k256.key", NP_ERR_UNSUPPORTED, "P-256 and P-384");
    refused("ed25519.key", NP_ERR_UNSUPPORTED, "Ed25519");
    refused("encrypted.key", NP_ERR_UNSUPPORTED, "encrypted");
    refused("encrypted1.key", NP_ERR_UNSUPPORTED, "encrypted");
    refused("p256.crt", NP_ERR_NOT_FOUND, "no private key");
}

/* Each byte of each key changed: never accepted with another meaning by accident of a length, never
 * a read or write out of bounds (the sanitizers watch). */
NP_TEST(tls_key, damaged)
{
    static const char *const files[] = {"p256.sec1.key", "p384.key", "rsa2048.pkcs1.key"};
    static const char *const labels[] = {"EC PRIVATE KEY", "PRIVATE KEY", "RSA PRIVATE KEY"};

    for (uint32_t f = 0; f < 3; f++) {
        uint32_t text_len, used;
        const char *text = tls_file(files[f], &text_len), *reason;
        uint8_t der[NP_KEY_DER_CAP];
        struct np_tls_key key;
        struct np_pem pem;

        np_pem_init(&pem, der, sizeof(der), 0);
        NP_CHECK_INT(np_pem_feed(&pem, text, text_len, &used), NP_OK);
        for (uint32_t cut = 0; cut < pem.len; cut++) {
            NP_CHECK(np_tls_key_parse(&key, labels[f], der, cut, &reason) != NP_OK);
        }
        for (uint32_t i = 0; i < (f == 2 ? 30u : pem.len); i++) {
            uint8_t old = der[i];

            for (uint32_t delta = 1; delta < 256; delta += 85) {
                der[i] = (uint8_t)(old ^ delta);
                (void)np_tls_key_parse(&key, labels[f], der, pem.len, &reason);
            }
            der[i] = old;
        }
        der[pem.len] = 0; /* one byte more than the structure */
        NP_CHECK_INT(np_tls_key_parse(&key, labels[f], der, pem.len + 1, &reason), NP_ERR_INVALID);
        NP_CHECK_INT(np_tls_key_parse(&key, labels[f], der, pem.len, &reason), NP_OK);
        NP_CHECK_INT(np_tls_key_parse(&key, "CERTIFICATE", der, pem.len, &reason),
                     NP_ERR_NOT_FOUND);
    }
}

/* A hostile RSA key of long integers, which makes BearSSL's own decoder write past its buffer. */
NP_TEST(tls_key, endless_integers)
{
    uint8_t mem[4096], number[600];
    struct np_der_writer out;
    struct np_tls_key key;
    const char *reason;

    memset(number, 0x41, sizeof(number));
    for (uint32_t len = 100; len < sizeof(number); len += 100) {
        np_der_writer_init(&out, mem, sizeof(mem));
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t end = out.at;

            np_der_put(&out, number, len);
            np_der_wrap(&out, NP_DER_INTEGER, end);
        }
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t end = out.at;

            np_der_put(&out, number, i == 2 ? 256 : 3);
            np_der_wrap(&out, NP_DER_INTEGER, end);
        }
        np_der_put(&out, "\x02\x01\x00", 3);
        np_der_wrap(&out, NP_DER_SEQUENCE, out.cap);
        NP_CHECK(!out.failed);
        NP_CHECK(np_tls_key_parse(&key, "RSA PRIVATE KEY", mem + out.at, out.cap - out.at,
                                  &reason) != NP_OK);
        NP_CHECK_INT(key.kind, NP_KEY_NONE);
    }
}

NP_TEST(tls_key, scalars_out_of_range)
{
    static const uint8_t order[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                    0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t der[64] = {0x30, 49, 0x02, 0x01, 0x01, 0x04, 32};
    static const uint8_t curve[] = {0xa0, 10,   0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    struct np_tls_key key;
    const char *reason;

    memcpy(der + 7 + 32, curve, sizeof(curve));
    for (int delta = -1; delta <= 1; delta++) { /* order - 1 is the last one */
        memcpy(der + 7, order, 32);
        der[7 + 31] = (uint8_t)(der[7 + 31] + delta);
        NP_CHECK_INT(np_tls_key_parse(&key, "EC PRIVATE KEY", der, 51, &reason),
                     delta < 0 ? NP_OK : NP_ERR_INVALID);
    }
    /* a zero byte more than the scalar needs */
    uint8_t longer[64] = {0x30, 50, 0x02, 0x01, 0x01, 0x04, 33, 0};
    memcpy(longer + 8, order, 31);
    memcpy(longer + 8 + 32, curve, sizeof(curve));
    NP_CHECK_INT(np_tls_key_parse(&key, "EC PRIVATE KEY", longer, 52, &reason), NP_OK);
    longer[7] = 1;
    NP_CHECK_INT(np_tls_key_parse(&key, "EC PRIVATE KEY", longer, 52, &reason), NP_ERR_INVALID);
    memset(der + 7, 0, 32);
    NP_CHECK_INT(np_tls_key_parse(&key, "EC PRIVATE KEY", der, 51, &reason), NP_ERR_INVALID);
    der[7 + 31] = 1;
    NP_CHECK_INT(np_tls_key_parse(&key, "EC PRIVATE KEY", der, 51, &reason), NP_OK);
}

static enum np_err load_pair(struct np_key_pair *pair, const char *chain, const char *key,
                             struct np_key_fault *fault)
{
    uint32_t chain_len, key_len;
    const char *chain_text = tls_file(chain, &chain_len), *key_text = tls_file(key, &key_len);

    np_test_context("%s with %s", chain, key);
    return np_key_pair_load(pair, chain_text, chain_len, key_text, key_len, &random_source, fault);
}

NP_TEST(tls_key_pair, loads_and_signs)
{
    static const char *const rows[][2] = {
        {"p256.crt", "p256.key"},        {"chain.crt", "p256.sec1.key"},
        {"p384.crt", "p384.key"},        {"rsa2048.crt", "rsa2048.key"},
        {"rsa3072.crt", "rsa3072.key"},  {"rsa4096.crt", "rsa4096.pkcs1.key"},
        {"both.pem", "both.pem"},        {"many.crt", "many.key"},
        {"rsa2050.crt", "rsa2050.key"},  {"oldchain.crt", "byoldroot.key"},
        {"chain521.crt", "byca521.key"},
    };
    struct np_key_pair pair;
    struct np_key_fault fault;
    uint8_t sig[NP_TLS_SIGNATURE_MAX];

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!NP_CHECK_INT(load_pair(&pair, rows[i][0], rows[i][1], &fault), NP_OK)) {
            NP_CHECK_STR(fault.text, "");
            continue;
        }
        NP_CHECK_INT(
            pair.cred.chain_count,
            strstr(rows[i][0], "chain") != NULL || strcmp(rows[i][0], "both.pem") == 0 ? 2 : 1);
        NP_CHECK(pair.not_before_s < pair.not_after_s);
        for (uint32_t s = 0; s < 4 && pair.cred.schemes[s] != 0; s++) {
            struct np_cert_scan scan;
            uint8_t spki[NP_SPKI_CAP];
            br_x509_pkey key;
            const br_x509_pkey *peer = &key;
            int32_t len = pair.cred.sign(&pair.cred, pair.cred.schemes[s], (const uint8_t *)"abc",
                                         3, &random_source, sig, sizeof(sig));

            NP_CHECK(len > 0);
            np_cert_scan_init(&scan, 0);
            scan.copy_key = (struct np_cert_copy){spki, sizeof(spki), 0};
            np_cert_scan_feed(&scan, pair.cred.chain[0].der, pair.cred.chain[0].len);
            NP_CHECK(np_tls_key_public(&key, spki, scan.copy_key.len));
            NP_CHECK(np_tls_sig_verify(peer, pair.cred.schemes[s], (const uint8_t *)"abc", 3, sig,
                                       (uint32_t)len));
            NP_CHECK(!np_tls_sig_verify(peer, pair.cred.schemes[s], (const uint8_t *)"abd", 3, sig,
                                        (uint32_t)len));
            NP_CHECK(!np_tls_sig_verify(peer, pair.cred.schemes[s], (const uint8_t *)"abc", 3, sig,
                                        (uint32_t)len - 1));
            NP_CHECK(
                !np_tls_sig_verify(peer, 0x0401, (const uint8_t *)"abc", 3, sig, (uint32_t)len));
        }
        NP_CHECK_INT(pair.cred.sign(&pair.cred, 0x0603, (const uint8_t *)"abc", 3, &random_source,
                                    sig, sizeof(sig)),
                     NP_ERR_INVALID);
        np_key_pair_wipe(&pair);
    }
}

static void bad_pair(const char *chain, const char *key, enum np_err err, bool is_key,
                     const char *part)
{
    struct np_key_pair pair;
    struct np_key_fault fault;

    NP_CHECK_INT(load_pair(&pair, chain, key, &fault), err);
    NP_CHECK_INT(fault.is_key_file, is_key);
    NP_CHECK_INT(pair.cred.chain_count, 0);
    if (!NP_CHECK(strstr(fault.text, part) != NULL)) {
        NP_CHECK_STR(fault.text, part);
    }
}

NP_TEST(tls_key_pair, refused_with_a_reason)
{
    bad_pair("p256.crt", "root.key", NP_ERR_AUTH, true, "does not belong");
    bad_pair("p256.crt", "rsa2048.key", NP_ERR_AUTH, true, "does not belong");
    bad_pair("rsa2048.crt", "rsaroot.key", NP_ERR_AUTH, true, "does not belong");
    bad_pair("rsa2048.crt", "p384.key", NP_ERR_AUTH, true, "does not belong");
    bad_pair("disorder.crt", "p256.key", NP_ERR_INVALID, false, "out of order");
    bad_pair("disorder.crt", "inter.key", NP_ERR_INVALID, false, "certificate 2 (server.example");
    bad_pair("gap.crt", "p256.key", NP_ERR_INVALID, false, "out of order");
    bad_pair("nocert.pem", "p256.key", NP_ERR_INVALID, false, "is no X.509");
    bad_pair("sha1.crt", "sha1.key", NP_ERR_UNSUPPORTED, false, "SHA-1");
    bad_pair("weak.crt", "rsa2048.key", NP_ERR_UNSUPPORTED, false, "below 2048");
    bad_pair("weak.crt", "weak.key", NP_ERR_UNSUPPORTED, true, "below 2048");
    bad_pair("p256.key", "p256.key", NP_ERR_NOT_FOUND, false, "no certificate");
    bad_pair("p256.crt", "p256.crt", NP_ERR_NOT_FOUND, true, "no private key");
    bad_pair("p256.crt", "encrypted.key", NP_ERR_UNSUPPORTED, true, "encrypted");
}

NP_TEST(tls_key_pair, cut_and_endless_files)
{
    static char endless[TLS_FILE_CAP];
    struct np_key_pair pair;
    struct np_key_fault fault;
    uint32_t len, key_len, at = 0;
    const char *chain = tls_file("chain.crt", &len), *key = tls_file("p256.key", &key_len);

    for (uint32_t cut = 0; cut < len - 30; cut += 7) {
        enum np_err err = np_key_pair_load(&pair, chain, cut, key, key_len, &random_source, &fault);

        /* the first certificate alone is a chain, too */
        NP_CHECK(err == NP_ERR_INVALID || err == NP_ERR_NOT_FOUND || err == NP_OK);
        NP_CHECK(err != NP_OK || cut > len / 2 - 100);
    }
    for (uint32_t i = 0; i < NP_CHAIN_MAX + 1; i++) {
        memcpy(endless + at, chain, len / 2);
        chain = tls_file("root.crt", &len);
        memcpy(endless + at, chain, len);
        at += len;
    }
    NP_CHECK_INT(np_key_pair_load(&pair, endless, at, key, key_len, &random_source, &fault),
                 NP_ERR_TOO_LONG);
    NP_CHECK(strstr(fault.text, "8 certificates") != NULL);
}

/* openssl finds our signatures right. */
NP_TEST(tls_key, openssl_verifies)
{
    static const char *const files[] = {"p256", "p384", "rsa2048", "rsa2050", "rsa4096"};
    static const uint16_t schemes[] = {NP_TLS_ECDSA_P256_SHA256, NP_TLS_ECDSA_P384_SHA384,
                                       NP_TLS_RSA_PSS_SHA256, NP_TLS_RSA_PSS_SHA384,
                                       NP_TLS_RSA_PSS_SHA512};
    static const uint32_t bits[] = {256, 384, 256, 384, 512};
    uint32_t count = 0;

    for (uint32_t i = 0; i < 5 * 5; i++) {
        char name[32], command[512];
        uint8_t sig[NP_TLS_SIGNATURE_MAX], salt[NP_PSS_SALT_CAP];
        struct np_tls_key key;
        const char *reason;
        uint32_t len, sig_len;
        FILE *file;

        snprintf(name, sizeof(name), "%s.key", files[i / 5]);
        const char *text = tls_file(name, &len);
        NP_CHECK_INT(np_tls_key_load(&key, text, len, &reason), NP_OK);
        if (!np_tls_key_can_sign(&key, schemes[i % 5])) {
            continue;
        }
        tls_random_fill(&seed, salt, sizeof(salt));
        sig_len = np_tls_key_sign(&key, schemes[i % 5], (const uint8_t *)"text", 4, salt, sig);
        file = fopen("build/signature-test", "wb");
        NP_CHECK(file != NULL && fwrite(sig, 1, sig_len, file) == sig_len && fclose(file) == 0);
        snprintf(command, sizeof(command),
                 "openssl pkey -in build/tls-certs/%s -pubout -out build/signature-test.pub && "
                 "printf text | openssl dgst -sha%u %s -verify build/signature-test.pub "
                 "-signature build/signature-test > /dev/null",
                 name, bits[i % 5],
                 i % 5 < 2 ? "" : "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest");
        np_test_context("%s with %04x", name, (unsigned)schemes[i % 5]);
        NP_CHECK_INT(system(command), 0);
        count++;
    }
    NP_CHECK_INT(count, 2 + 3 * 3);
}

/* Each length of the first byte of a modulus; openssl makes no keys of odd lengths. */
NP_TEST(tls_pss, odd_lengths)
{
    for (uint32_t bits = 2048; bits <= 2055; bits += bits < 2050 ? 1 : 5) {
        uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(2056)], pub[BR_RSA_KBUF_PUB_SIZE(2056)];
        uint8_t digest[64], salt[64], sig[NP_RSA_MAX_BYTES];
        br_hmac_drbg_context rng;
        br_rsa_private_key sk;
        br_rsa_public_key pk;
        uint32_t len;

        np_test_context("%u bits", bits);
        tls_random_fill(&seed, digest, 64);
        tls_random_fill(&seed, salt, 64);
        br_hmac_drbg_init(&rng, &br_sha256_vtable, salt, sizeof(salt));
        NP_CHECK(br_rsa_i31_keygen(&rng.vtable, &sk, priv, &pk, pub, bits, 65537) == 1);
        len = np_pss_sign(&sk, &np_sha512_class, digest, salt, sig);
        NP_CHECK_INT(len, (bits + 7) / 8);
        NP_CHECK(np_pss_verify(&pk, &np_sha512_class, digest, sig, len));
        NP_CHECK(!np_pss_verify(&pk, &np_sha384_class, digest, sig, len));
        NP_CHECK(!np_pss_verify(&pk, &np_sha512_class, salt, sig, len));
        for (uint32_t i = 0; i < len; i += 19) {
            sig[i] ^= 0x10;
            NP_CHECK(!np_pss_verify(&pk, &np_sha512_class, digest, sig, len));
            sig[i] ^= 0x10;
        }
        sk.n_bitlen = 2047;
        NP_CHECK_INT(np_pss_sign(&sk, &np_sha512_class, digest, salt, sig), 0);
        sk.n_bitlen = 4097;
        NP_CHECK_INT(np_pss_sign(&sk, &np_sha512_class, digest, salt, sig), 0);
    }
}

NP_TEST(tls_key_pair, no_entropy)
{
    static const struct np_tls_random none = {tls_random_fail, NULL};
    struct np_key_pair pair;
    struct np_key_fault fault;
    uint32_t len, key_len;
    const char *chain = tls_file("rsa2048.crt", &len), *key = tls_file("rsa2048.key", &key_len);

    NP_CHECK_INT(np_key_pair_load(&pair, chain, len, key, key_len, &none, &fault), NP_ERR_IO);
    NP_CHECK_INT(np_key_pair_make(&pair, "x", 0, &none), NP_ERR_IO);
    NP_CHECK_INT(np_key_pair_make(&pair, "", 0, &random_source), NP_ERR_INVALID);
    NP_CHECK_INT(pair.key_.kind, NP_KEY_NONE);
}

NP_TEST(tls_key_pair, pin_text)
{
    char text[NP_PIN_TEXT_CAP];
    uint8_t hash[32];

    for (uint32_t i = 0; i < 32; i++) {
        hash[i] = (uint8_t)(i * 8 + 1);
    }
    np_pin_format(hash, text);
    NP_CHECK_STR(text, "sha256:0109111921293139414951596169717981899199a1a9b1b9c1c9d1d9e1e9f1f9");
}
