/* SPDX-License-Identifier: BSD-3-Clause */
/* Wycheproof's cases (tests/tls/vectors) through the functions that the engine uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tls/engines.h"
#include "core/tls/fast.h"
#include "core/tls/key.h"
#include "core/tls/schedule.h"
#include "core/tls/sha512.h"
#include "core/tls/suite.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_hex.h"

#define FIELDS 6
#define FIELD_CAP 12400u
#define LINE_CAP 26000u

/* A case: fields in the order of the table's "fields" line. */
struct row {
    char result; /* v, i or a */
    uint32_t count, len[FIELDS];
    uint8_t field[FIELDS][FIELD_CAP];
};

/* Takes one case; returns whether the code under test accepted it and gave the right result. */
typedef bool try_row(const struct row *row);

static void parse_row(struct row *row, char *line)
{
    char *at = strchr(line, ' ');
    uint32_t n = 0;

    row->result = line[0];
    for (; at != NULL && n < FIELDS; n++) {
        char *text = at + 1, *end = text + strcspn(text, " \n");

        at = *end == ' ' ? end : NULL;
        *end = '\0';
        if (strcmp(text, "-") == 0) {
            row->len[n] = 0;
        } else if (strcmp(text, "=") != 0) {
            row->len[n] = tls_hex(row->field[n], FIELD_CAP, text);
        }
    }
    row->count = n;
}

/* Runs a table; checks that it has `cases` of them. */
static void run_table(const char *name, uint32_t fields, uint32_t cases, try_row *run)
{
    static struct row row;
    static char line[LINE_CAP];
    char path[128], comment[96] = "";
    uint32_t number = 0, count = 0;
    FILE *file;

    snprintf(path, sizeof(path), "tests/tls/vectors/%s.txt", name);
    file = fopen(path, "r");
    if (!NP_CHECK(file != NULL)) {
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (line[0] == '#') {
            snprintf(comment, sizeof(comment), "%.*s", (int)strcspn(line, "\n"), line);
        } else if (line[0] == 'v' || line[0] == 'i' || line[0] == 'a') {
            parse_row(&row, line);
            count++;
            np_test_context("%s:%u %s", path, number, comment);
            NP_CHECK_INT(row.count, fields);
            bool is_taken = run(&row);
            if (row.result != 'a') {
                NP_CHECK_INT(is_taken, row.result == 'v');
            }
        }
    }
    np_test_context("%s", "");
    NP_CHECK_INT(count, cases);
    fclose(file);
}

/* ---- AEAD: key iv aad msg ct tag ------------------------------------------------------------- */

static bool try_aead(const struct np_tls_engines *engines, const struct np_tls_aead *aead,
                     const struct row *row)
{
    uint8_t data[FIELD_CAP], tag[16];
    uint32_t len = row->len[4];
    bool is_taken;

    NP_CHECK_INT(row->len[1], NP_TLS_NONCE_LEN);
    NP_CHECK_INT(row->len[5], NP_TLS_TAG_LEN);
    memcpy(data, row->field[4], len);
    is_taken = aead->open(engines, row->field[0], row->len[0], row->field[1], row->field[2],
                          row->len[2], data, len, row->field[5]);
    if (is_taken) {
        NP_CHECK(memcmp(data, row->field[3], len) == 0);
        aead->seal(engines, row->field[0], row->len[0], row->field[1], row->field[2], row->len[2],
                   data, len, tag);
        NP_CHECK(memcmp(data, row->field[4], len) == 0);
        NP_CHECK_MEM(tag, row->field[5], 16);
    }
    return is_taken;
}

static const struct np_tls_engines *engines_under_test;

static bool try_gcm(const struct row *row)
{
    return try_aead(engines_under_test, engines_under_test->gcm, row);
}

static bool try_chacha(const struct row *row)
{
    return try_aead(engines_under_test, engines_under_test->chacha, row);
}

NP_TEST(tls_vectors, aead)
{
    struct np_tls_engines engines, portable;

    np_tls_engines_portable(&portable);
    engines_under_test = &engines;
    np_tls_engines_portable(&engines);
    run_table("aes_gcm", 6, 133, try_gcm);
    run_table("chacha20_poly1305", 6, 316, try_chacha);
    np_tls_engines_init(&engines);
    run_table("aes_gcm", 6, 133, try_gcm);
    run_table("chacha20_poly1305", 6, 316, try_chacha);
    for (const struct np_fast_variant *v = np_fast_variants; v->name != NULL; v++) {
        if (v->is_there() && v->aes != NULL) { /* in BearSSL's tables */
            engines.gcm = &np_tls_gcm;
            engines.aes = v->aes;
            engines.ghash = v->ghash;
            run_table("aes_gcm", 6, 133, try_gcm);
        } else if (v->is_there() && v->chacha != NULL) {
            engines.chacha = v->chacha;
            run_table("chacha20_poly1305", 6, 316, try_chacha);
            engines.chacha = &np_tls_chacha;
            engines.poly1305 = portable.poly1305; /* small builds have it nowhere else */
            engines.chacha20 = v->chacha20;
            run_table("chacha20_poly1305", 6, 316, try_chacha);
        }
    }
}

/* ---- key exchange: public private shared ----------------------------------------------------- */

static bool try_group(uint16_t group, const struct row *row)
{
    uint8_t secret[32];

    NP_CHECK_INT(row->len[1], 32);
    return np_tls_group_derive(group, row->field[1], row->field[0], row->len[0], secret) &&
           row->len[2] == 32 && memcmp(secret, row->field[2], 32) == 0;
}

static bool try_x25519(const struct row *row)
{
    static const uint8_t zeros[32];
    bool is_taken = try_group(NP_TLS_X25519, row);

    /* "acceptable" are low-order points, refused for their all-zero secret, and others, taken */
    if (row->result == 'a') {
        NP_CHECK_INT(is_taken, memcmp(row->field[2], zeros, 32) != 0);
    }
    return is_taken;
}

static bool try_p256(const struct row *row)
{
    return try_group(NP_TLS_SECP256R1, row);
}

NP_TEST(tls_vectors, key_exchange)
{
    run_table("x25519", 3, 518, try_x25519);
    run_table("ecdh_p256", 3, 355, try_p256);
}

/* ---- signatures ------------------------------------------------------------------------------ */

static bool try_ecdsa(const struct row *row, int curve, uint16_t scheme)
{
    br_x509_pkey key;

    key.key_type = BR_KEYTYPE_EC;
    key.key.ec.curve = curve;
    key.key.ec.q = (unsigned char *)(uintptr_t)row->field[0];
    key.key.ec.qlen = row->len[0];
    return np_tls_sig_verify(&key, scheme, row->field[1], row->len[1], row->field[2], row->len[2]);
}

static bool try_ecdsa_p256(const struct row *row)
{
    return try_ecdsa(row, BR_EC_secp256r1, NP_TLS_ECDSA_P256_SHA256);
}

static bool try_ecdsa_p384(const struct row *row)
{
    return try_ecdsa(row, BR_EC_secp384r1, NP_TLS_ECDSA_P384_SHA384);
}

static void bind_rsa(br_x509_pkey *key, const struct row *row)
{
    key->key_type = BR_KEYTYPE_RSA;
    key->key.rsa.n = (unsigned char *)(uintptr_t)row->field[0];
    key->key.rsa.nlen = row->len[0];
    key->key.rsa.e = (unsigned char *)(uintptr_t)row->field[1];
    key->key.rsa.elen = row->len[1];
}

static bool try_pss(const struct row *row, uint16_t scheme)
{
    br_x509_pkey key;

    bind_rsa(&key, row);
    return np_tls_sig_verify(&key, scheme, row->field[2], row->len[2], row->field[3], row->len[3]);
}

static bool try_pss_sha256(const struct row *row)
{
    return try_pss(row, NP_TLS_RSA_PSS_SHA256);
}

static bool try_pss_sha384(const struct row *row)
{
    return try_pss(row, NP_TLS_RSA_PSS_SHA384);
}

static bool try_pss_sha512(const struct row *row)
{
    return try_pss(row, NP_TLS_RSA_PSS_SHA512);
}

NP_TEST(tls_vectors, ecdsa)
{
    run_table("ecdsa_p256", 3, 484, try_ecdsa_p256);
    run_table("ecdsa_p384", 3, 504, try_ecdsa_p384);
}

NP_TEST(tls_vectors, rsa_pss)
{
    run_table("rsa_pss_2048_sha256", 4, 108, try_pss_sha256);
    run_table("rsa_pss_2048_sha384", 4, 141, try_pss_sha384);
    run_table("rsa_pss_4096_sha512", 4, 179, try_pss_sha512);
}

/* What the path check verifies certificates' signatures with. */
static bool try_pkcs1(const struct row *row, const br_hash_class *hash, const uint8_t *oid)
{
    br_x509_pkey key;
    br_hash_compat_context ctx;
    uint8_t want[64], found[64];
    size_t len = hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;

    bind_rsa(&key, row);
    hash->init(&ctx.vtable);
    hash->update(&ctx.vtable, row->field[2], row->len[2]);
    hash->out(&ctx.vtable, want);
    return br_rsa_pkcs1_vrfy_get_default()(row->field[3], row->len[3], oid, len, &key.key.rsa,
                                           found) == 1 &&
           memcmp(want, found, len) == 0;
}

static bool try_pkcs1_sha256(const struct row *row)
{
    return try_pkcs1(row, &br_sha256_vtable,
                     (const uint8_t *)"\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01");
}

static bool try_pkcs1_sha512(const struct row *row)
{
    return try_pkcs1(row, &np_sha512_class,
                     (const uint8_t *)"\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03");
}

NP_TEST(tls_vectors, rsa_pkcs1)
{
    run_table("rsa_pkcs1_2048_sha256", 4, 259, try_pkcs1_sha256);
    run_table("rsa_pkcs1_4096_sha512", 4, 259, try_pkcs1_sha512);
}

/* ---- HMAC: key msg tag; HKDF: ikm salt info size okm ----------------------------------------- */

static bool try_hmac(enum np_tls_hash hash, const struct row *row)
{
    uint8_t tag[NP_TLS_HASH_MAX];

    np_tls_hmac(hash, row->field[0], row->len[0], row->field[1], row->len[1], tag);
    return row->len[2] <= np_tls_hash_len(hash) && memcmp(tag, row->field[2], row->len[2]) == 0;
}

static bool try_hmac_sha256(const struct row *row)
{
    return try_hmac(NP_TLS_SHA256, row);
}

static bool try_hmac_sha384(const struct row *row)
{
    return try_hmac(NP_TLS_SHA384, row);
}

/* RFC 5869 made of the engine's HMAC, and its Extract where the salt has a form it takes. */
static bool try_hkdf(enum np_tls_hash hash, const struct row *row)
{
    static uint8_t okm[256 * NP_TLS_HASH_MAX], text[NP_TLS_HASH_MAX + FIELD_CAP + 1];
    uint32_t hash_len = np_tls_hash_len(hash), size, done = 0, text_len = 0;
    uint8_t prk[NP_TLS_HASH_MAX], same[NP_TLS_HASH_MAX], counter = 0;

    size = (uint32_t)row->field[3][0] << 8 | row->field[3][1];
    np_tls_hmac(hash, row->field[1], row->len[1], row->field[0], row->len[0], prk);
    if (row->len[1] == 0 || row->len[1] == hash_len) {
        np_tls_extract(hash, row->len[1] == 0 ? NULL : row->field[1], row->field[0], row->len[0],
                       same);
        NP_CHECK_MEM(same, prk, hash_len);
    }
    if (size > 255 * hash_len) {
        return false; /* what HKDF can't give */
    }
    for (; done < size; done += hash_len) {
        memcpy(text + text_len, row->field[2], row->len[2]);
        text_len += row->len[2];
        text[text_len++] = ++counter;
        np_tls_hmac(hash, prk, hash_len, text, text_len, okm + done);
        memcpy(text, okm + done, hash_len);
        text_len = hash_len;
    }
    return row->len[4] == size && memcmp(okm, row->field[4], size) == 0;
}

static bool try_hkdf_sha256(const struct row *row)
{
    return try_hkdf(NP_TLS_SHA256, row);
}

static bool try_hkdf_sha384(const struct row *row)
{
    return try_hkdf(NP_TLS_SHA384, row);
}

NP_TEST(tls_vectors, hmac_and_hkdf)
{
    run_table("hmac_sha256", 3, 174, try_hmac_sha256);
    run_table("hmac_sha384", 3, 174, try_hmac_sha384);
    run_table("hkdf_sha256", 5, 86, try_hkdf_sha256);
    run_table("hkdf_sha384", 5, 83, try_hkdf_sha384);
}
