/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L /* popen */

#include "core/tls/selfsigned.h"

#include <stdio.h>
#include <string.h>

#include "core/tls/cert_scan.h"
#include "core/tls/cert_time.h"
#include "core/tls/key_pair.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_files.h"

static uint64_t seed = 42;
static const struct np_tls_random random_source = {tls_random_fill, &seed};

NP_TEST(tls_selfsigned, what_it_says)
{
    static const int64_t starts[] = {
        0, 951782400, 1769904000, 2524607999 - 31536000, 2524608000, NP_CERT_TIME_MAX_S - 31536000};
    struct np_key_pair pair;
    struct np_cert_scan scan;

    for (uint32_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        NP_CHECK_INT(np_key_pair_make(&pair, "v0.1.0", starts[i], &random_source), NP_OK);
        NP_CHECK_INT(pair.cred.chain_count, 1);
        NP_CHECK_INT(pair.cred.schemes[0], NP_TLS_ECDSA_P256_SHA256);
        NP_CHECK(pair.cred.chain[0].len <= NP_SELFSIGNED_CAP);
        np_cert_scan_init(&scan, pair.cred.chain[0].len);
        np_cert_scan_feed(&scan, pair.cred.chain[0].der, pair.cred.chain[0].len);
        NP_CHECK(np_cert_scan_is_whole(&scan));
        NP_CHECK_INT(scan.not_before_s, starts[i]);
        NP_CHECK_INT(scan.not_after_s, starts[i] + 31536000);
        NP_CHECK_STR(scan.text, "v0.1.0");
        NP_CHECK_MEM(scan.issuer, scan.subject, 32);
        NP_CHECK_MEM(scan.key, pair.pin, 32);
        NP_CHECK(!scan.is_v1 && !scan.is_ca && scan.has_usage && scan.is_server);
        NP_CHECK_INT(scan.signature, NP_CERT_SIG_FINE);
    }
}

NP_TEST(tls_selfsigned, bounds)
{
    char name[NP_SELFSIGNED_ORGANIZATION + 2];
    uint8_t der[NP_SELFSIGNED_CAP], serial[NP_SELFSIGNED_SERIAL_LEN], seed32[32];
    struct np_tls_key key;
    uint32_t len = 0, least;

    memset(serial, 0xff, sizeof(serial));
    memset(seed32, 7, sizeof(seed32));
    memset(name, 'n', sizeof(name));
    name[NP_SELFSIGNED_ORGANIZATION] = '\0';
    NP_CHECK(np_tls_key_make(&key, seed32));
    NP_CHECK_INT(np_selfsigned_make(&key, name, 2524608000, serial, der, sizeof(der), &len), NP_OK);
    least = len;
    NP_CHECK(least < sizeof(der));
    for (uint32_t cap = least % 31; cap <= least; cap += 31) { /* signatures are repeatable */
        NP_CHECK_INT(np_selfsigned_make(&key, name, 2524608000, serial, der, cap, &len),
                     cap < least ? NP_ERR_TOO_LONG : NP_OK);
    }
    NP_CHECK_INT(np_selfsigned_make(&key, name, 2524608000, serial, der, least - 1, &len),
                 NP_ERR_TOO_LONG);
    name[NP_SELFSIGNED_ORGANIZATION] = 'n';
    name[NP_SELFSIGNED_ORGANIZATION + 1] = '\0';
    NP_CHECK_INT(np_selfsigned_make(&key, name, 0, serial, der, sizeof(der), &len), NP_ERR_INVALID);
    NP_CHECK_INT(np_selfsigned_make(&key, "", 0, serial, der, sizeof(der), &len), NP_ERR_INVALID);
    NP_CHECK_INT(np_selfsigned_make(&key, "x", -1, serial, der, sizeof(der), &len), NP_ERR_INVALID);
    NP_CHECK_INT(np_selfsigned_make(&key, "x", NP_CERT_TIME_MAX_S, serial, der, sizeof(der), &len),
                 NP_ERR_INVALID);
    key.kind = NP_KEY_P384;
    NP_CHECK_INT(np_selfsigned_make(&key, "x", 0, serial, der, sizeof(der), &len), NP_ERR_INVALID);
}

/* openssl agrees: verifies its own signature, names purpose and pin. */
NP_TEST(tls_selfsigned, openssl_reads_it)
{
    struct np_key_pair pair;
    char text[4096], pin[NP_PIN_TEXT_CAP];
    size_t len;
    FILE *file;

    NP_CHECK_INT(np_key_pair_make(&pair, "v9.8.7", 1769904000, &random_source), NP_OK);
    file = fopen("build/selfsigned-test.der", "wb");
    NP_CHECK(file != NULL &&
             fwrite(pair.cred.chain[0].der, 1, pair.cred.chain[0].len, file) ==
                 pair.cred.chain[0].len &&
             fclose(file) == 0);
    file = popen("c=build/selfsigned-test.der; openssl x509 -inform DER -in $c -out $c.pem && "
                 "openssl x509 -in $c.pem -noout -text && openssl verify -attime 1769904000 "
                 "-x509_strict -check_ss_sig -partial_chain -purpose sslserver -trusted $c.pem "
                 "$c.pem 2>&1; "
                 "openssl x509 -in $c.pem -noout -pubkey | openssl pkey -pubin -outform DER | "
                 "openssl dgst -sha256 -r",
                 "r");
    NP_CHECK(file != NULL);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    NP_CHECK_INT(pclose(file), 0);
    NP_CHECK(strstr(text, "Version: 3 (0x2)") != NULL);
    NP_CHECK(strstr(text, "Issuer: O = v9.8.7") != NULL);
    NP_CHECK(strstr(text, "Not Before: Feb  1 00:00:00 2026 GMT") != NULL);
    NP_CHECK(strstr(text, "Not After : Feb  1 00:00:00 2027 GMT") != NULL);
    NP_CHECK(strstr(text, "Key Usage: critical\n                Digital Signature, Key Encip") !=
             NULL);
    NP_CHECK(strstr(text, "TLS Web Server Authentication") != NULL);
    NP_CHECK(strstr(text, "ecdsa-with-SHA256") != NULL);
    NP_CHECK(strstr(text, "selfsigned-test.der.pem: OK") != NULL);
    np_pin_format(pair.pin, pin);
    NP_CHECK(strstr(text, pin + 7) != NULL);
}

NP_TEST(tls_cert_time, days_there_and_back)
{
    char text[20];
    int64_t back;

    for (int64_t day = 0; day < NP_CERT_TIME_MAX_S / 86400; day += 13) {
        struct np_cert_civil at = np_cert_civil_of(day * 86400 + 3661);

        snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02uZ", at.year % 10000, at.month % 100,
                 at.day % 100, at.hour % 100, at.minute % 100, at.second % 100);
        NP_CHECK(np_cert_time_parse(0x18, (const uint8_t *)text, 15, &back));
        NP_CHECK_INT(back, day * 86400 + 3661);
        if (at.year < 2050) {
            NP_CHECK(np_cert_time_parse(0x17, (const uint8_t *)text + 2, 13, &back));
            NP_CHECK_INT(back, day * 86400 + 3661);
        }
    }
    NP_CHECK(np_cert_time_parse(0x18, (const uint8_t *)"19000228235959Z", 15, &back));
    NP_CHECK_INT(back, -2203891201);
    NP_CHECK(np_cert_time_parse(0x18, (const uint8_t *)"00000101000000Z", 15, &back));
    NP_CHECK_INT(back, -62167219200);
}

NP_TEST(tls_cert_time, faults)
{
    static const char *const bad[] = {"260230000000Z", "261301000000Z", "260001000000Z",
                                      "260100000000Z", "260101240000Z", "260101006000Z",
                                      "260101000060Z", "2601010000000", "26010100000Z",
                                      "2601010000+00", "26/101000000Z", "250229000000Z"};
    int64_t time_s;

    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        NP_CHECK(
            !np_cert_time_parse(0x17, (const uint8_t *)bad[i], (uint32_t)strlen(bad[i]), &time_s));
    }
    NP_CHECK(!np_cert_time_parse(0x18, (const uint8_t *)"260101000000Z", 13, &time_s));
    NP_CHECK(!np_cert_time_parse(0x16, (const uint8_t *)"260101000000Z", 13, &time_s));
    NP_CHECK(np_cert_time_parse(0x17, (const uint8_t *)"240229000000Z", 13, &time_s));
    NP_CHECK(np_cert_time_parse(0x17, (const uint8_t *)"500101000000Z", 13, &time_s));
    NP_CHECK_INT(time_s, -631152000);
}
