/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/schedule.h"

#include "core/tls/transcript.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tables/rfc8448.h"
#include "tests/unit/tls_hex.h"

static void check_hex(const uint8_t *actual, const char *expected, const char *what)
{
    uint8_t bytes[512];
    uint32_t len = tls_hex(bytes, sizeof(bytes), expected);

    np_test_context("%s", what);
    NP_CHECK_MEM(actual, bytes, len);
}

/* Hash of the messages inside of records of a trace (the header of 5 bytes left out). */
static void append_record(struct np_tls_transcript *transcript, const char *hex)
{
    uint8_t record[1024];
    uint32_t len = tls_hex(record, sizeof(record), hex);

    np_tls_transcript_append(transcript, record + 5, len - 5);
}

NP_TEST(tls_schedule, handshake_secrets_of_rfc8448)
{
    uint8_t secret[48], shared[32], hash[48], client[48], server[48];
    struct np_tls_transcript transcript;

    np_tls_transcript_init(&transcript);
    append_record(&transcript, rtt1_client_hello);
    append_record(&transcript, rtt1_server_hello);
    np_tls_transcript_hash(&transcript, NP_TLS_SHA256, hash);
    check_hex(hash, ks_hello_hash, "hash of the hellos");
    np_tls_schedule_early(NP_TLS_SHA256, NULL, 0, secret);
    check_hex(secret, ks_early, "early");
    tls_hex(shared, sizeof(shared), ks_shared);
    np_tls_schedule_next(NP_TLS_SHA256, secret, shared, 32);
    check_hex(secret, ks_handshake, "handshake");
    np_tls_derive(NP_TLS_SHA256, secret, "c hs traffic", hash, client);
    np_tls_derive(NP_TLS_SHA256, secret, "s hs traffic", hash, server);
    check_hex(client, ks_client_hs, "client traffic");
    check_hex(server, ks_server_hs, "server traffic");
    np_tls_schedule_next(NP_TLS_SHA256, secret, NULL, 0);
    check_hex(secret, ks_master, "master");
}

NP_TEST(tls_schedule, traffic_keys_of_rfc8448)
{
    static const struct {
        const char *secret, *expected;
    } rows[] = {
        {ks_server_hs, ks_server_hs_key},
        {ks_client_hs, ks_client_hs_key},
        {ks_server_ap, ks_server_ap_key},
        {ks_client_ap, ks_client_ap_key},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t secret[48], key[32], iv[12], both[28];
        tls_hex(secret, sizeof(secret), rows[i].secret);
        np_tls_traffic_keys(np_tls_suite_find(NP_TLS_AES_128_GCM_SHA256), secret, key, iv);
        memcpy(both, key, 16);
        memcpy(both + 16, iv, 12);
        check_hex(both, rows[i].expected, "key and iv");
    }
}

/* Section 4: the binder over the hello up to the binders list. */
NP_TEST(tls_schedule, psk_binder_of_rfc8448)
{
    uint8_t psk[32], secret[48], empty[48], hash[48], binder[48], record[1024];
    uint32_t len = tls_hex(record, sizeof(record), res_client_hello);
    struct np_tls_transcript transcript;

    tls_hex(psk, sizeof(psk), ks_psk);
    np_tls_schedule_early(NP_TLS_SHA256, psk, 32, secret);
    check_hex(secret, ks_res_early, "early");
    np_tls_empty_hash(NP_TLS_SHA256, empty);
    np_tls_derive(NP_TLS_SHA256, secret, "res binder", empty, secret);
    check_hex(secret, ks_binder_key, "binder key");
    np_tls_transcript_init(&transcript);
    np_tls_transcript_append(&transcript, record + 5, len - 5 - (2 + 1 + 32));
    np_tls_transcript_hash(&transcript, NP_TLS_SHA256, hash);
    check_hex(hash, ks_truncated_hash, "truncated hello");
    np_tls_finished(NP_TLS_SHA256, secret, hash, binder);
    check_hex(binder, ks_binder_value, "binder");
    NP_CHECK_MEM(binder, record + len - 32, 32);
}

/* RFC 5869 test case 1 has other labels; what is left is HKDF-Extract, and both hashes' lengths. */
NP_TEST(tls_schedule, extract_of_rfc5869)
{
    uint8_t salt[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ikm[22], prk[48];

    memset(ikm, 0x0b, sizeof(ikm));
    np_tls_extract(NP_TLS_SHA256, salt, ikm, sizeof(ikm), prk); /* HMAC pads the salt with zeros */
    check_hex(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", "prk");
}

/* An update gives other keys, the same on both sides, and never the old ones again. */
NP_TEST(tls_schedule, traffic_next)
{
    for (int hash = NP_TLS_SHA256; hash <= NP_TLS_SHA384; hash++) {
        uint8_t secret[48] = {1}, before[48], label[48];
        memcpy(before, secret, sizeof(secret));
        np_tls_traffic_next((enum np_tls_hash)hash, secret);
        np_tls_expand_label((enum np_tls_hash)hash, before, "traffic upd", NULL, 0, label,
                            np_tls_hash_len((enum np_tls_hash)hash));
        NP_CHECK_MEM(secret, label, np_tls_hash_len((enum np_tls_hash)hash));
        NP_CHECK(memcmp(secret, before, 32) != 0);
    }
}
