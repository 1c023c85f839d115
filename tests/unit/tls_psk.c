/* SPDX-License-Identifier: BSD-3-Clause */
/* External PSKs, engine to engine. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_pair.h"

/* Both ends know the PSK; the certificate is still there. */
static struct tls_pair *psk_pair(uint64_t seed, uint8_t client_modes, uint8_t server_modes)
{
    struct tls_pair *pair = tls_pair_init(seed);

    pair->client.config.psks = pair->server.config.psks = &pair->psk;
    pair->client.config.psk_count = pair->server.config.psk_count = 1;
    pair->client.config.psk_modes = client_modes;
    pair->server.config.psk_modes = server_modes;
    return pair;
}

static void without_certificate(struct tls_pair *pair)
{
    pair->client.config.trust = NULL;
    pair->server.config.cred = NULL;
}

static void check_traffic(struct tls_pair *pair)
{
    tls_end_send(&pair->client, "up", 2, 0);
    tls_end_send(&pair->server, "down", 4, 0);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(pair->server.data_len, 2);
    NP_CHECK_INT(pair->client.data_len, 4);
}

NP_TEST(tls_psk, modes)
{
    static const struct {
        uint8_t client, server;
        bool has_psk, has_dhe;
    } rows[] = {
        {NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE, true, true},
        {NP_TLS_PSK_KE, NP_TLS_PSK_KE, true, false},
        {NP_TLS_PSK_KE | NP_TLS_PSK_DHE_KE, NP_TLS_PSK_KE | NP_TLS_PSK_DHE_KE, true, true},
        {NP_TLS_PSK_KE | NP_TLS_PSK_DHE_KE, NP_TLS_PSK_KE, true, false},
        {NP_TLS_PSK_KE, NP_TLS_PSK_KE | NP_TLS_PSK_DHE_KE, true, false},
        {NP_TLS_PSK_KE, NP_TLS_PSK_DHE_KE, false, true}, /* the certificate then */
        {NP_TLS_PSK_DHE_KE, NP_TLS_PSK_KE, false, true},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int bare = 0; bare < 2; bare++) {
            struct tls_pair *pair = psk_pair(i, rows[i].client, rows[i].server);
            np_test_context("row %u, %s certificate", i, bare ? "no" : "a");
            if (bare) {
                without_certificate(pair);
            }
            if (bare && !rows[i].has_psk) {
                tls_pair_start(pair);
                tls_pair_run(pair, TLS_PAIR_CAP);
                NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_NO_AUTH);
                continue;
            }
            if (tls_pair_open(pair)) {
                NP_CHECK_INT(pair->client.hs.psk, rows[i].has_psk);
                NP_CHECK_INT(pair->server.hs.psk, rows[i].has_psk);
                NP_CHECK_INT(pair->server.hs.has_dhe, rows[i].has_dhe);
                NP_CHECK_INT(pair->cert_count, rows[i].has_psk ? 0 : 2);
                check_traffic(pair);
            }
        }
    }
}

NP_TEST(tls_psk, hash_decides_the_suite)
{
    for (uint8_t hash = NP_TLS_SHA256; hash <= NP_TLS_SHA384; hash++) {
        struct tls_pair *pair = psk_pair(hash, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
        pair->psk.hash = hash;
        if (tls_pair_open(pair)) {
            NP_CHECK_INT(pair->client.hs.psk, 1);
            NP_CHECK_INT(pair->client.hs.suite->hash, hash);
            check_traffic(pair);
        }
    }
}

NP_TEST(tls_psk, with_hello_retry_request)
{
    for (uint8_t hash = NP_TLS_SHA256; hash <= NP_TLS_SHA384; hash++) {
        struct tls_pair *pair = psk_pair(20, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
        pair->psk.hash = hash;
        pair->server.config.groups[0] = NP_TLS_SECP256R1;
        without_certificate(pair);
        if (tls_pair_open(pair)) {
            NP_CHECK(pair->server.hs.has_hrr && pair->server.hs.psk == 1);
            check_traffic(pair);
        }
    }
}

/* Two keys under one name: the binder tells, and no certificate saves it. */
NP_TEST(tls_psk, other_key)
{
    static const uint8_t other[32] = {9, 9, 9};
    struct tls_pair *pair = psk_pair(30, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
    struct np_tls_psk theirs = pair->psk;

    theirs.key = other;
    pair->server.config.psks = &theirs;
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_PSK_BINDER);
    NP_CHECK_INT(np_tls_peer_alert(&pair->client.tls), NP_TLS_ALERT_DECRYPT_ERROR);
}

NP_TEST(tls_psk, other_name)
{
    struct tls_pair *pair = psk_pair(31, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
    struct np_tls_psk theirs = pair->psk;

    theirs.identity_len--;
    pair->server.config.psks = &theirs;
    if (tls_pair_open(pair)) { /* the certificate then */
        NP_CHECK_INT(pair->server.hs.psk, 0);
        NP_CHECK_INT(pair->cert_count, 2);
    }
    pair = psk_pair(32, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
    pair->server.config.psks = &theirs;
    without_certificate(pair);
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_NO_AUTH);
}

/* A server with several keys takes the one that the client names. */
NP_TEST(tls_psk, one_of_many)
{
    struct tls_pair *pair = psk_pair(33, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);
    struct np_tls_psk many[3] = {pair->psk, pair->psk, pair->psk};

    many[0].identity = (const uint8_t *)"somebody else";
    many[0].identity_len = 13;
    many[1].hash = NP_TLS_SHA384;
    pair->server.config.psks = many;
    pair->server.config.psk_count = 3;
    if (tls_pair_open(pair)) {
        NP_CHECK_INT(pair->server.hs.psk, 3);
        check_traffic(pair);
    }
}

/* A client that trusts only the PSK refuses a server that answers with a certificate. */
NP_TEST(tls_psk, certificate_is_not_enough)
{
    struct tls_pair *pair = psk_pair(34, NP_TLS_PSK_DHE_KE, NP_TLS_PSK_DHE_KE);

    pair->client.config.trust = NULL;
    pair->server.config.psk_count = 0;
    pair->server.config.psks = NULL;
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK(!np_tls_is_open(&pair->client.tls) && !np_tls_is_open(&pair->server.tls));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_MISSING_EXTENSION);
}

NP_TEST(tls_psk, useless_configurations)
{
    struct tls_pair *pair = psk_pair(35, 0, 0);

    NP_CHECK_INT(
        np_tls_start(&pair->client.tls, NP_TLS_CLIENT, &pair->client.config, &pair->client.hs),
        NP_ERR_INVALID);
    pair->client.config.psk_modes = NP_TLS_PSK_KE;
    pair->psk.identity_len = NP_TLS_PSK_IDENTITY_MAX + 1;
    NP_CHECK_INT(
        np_tls_start(&pair->client.tls, NP_TLS_CLIENT, &pair->client.config, &pair->client.hs),
        NP_ERR_INVALID);
}

/* Every byte of a hello with a binder counts: altered, there is no session. */
NP_TEST(tls_psk, altered_hello)
{
    uint32_t len = 1;

    for (uint32_t at = 0; at < len; at++) {
        struct tls_pair *pair = psk_pair(36, NP_TLS_PSK_KE, NP_TLS_PSK_KE);

        np_test_context("byte %u", at);
        without_certificate(pair);
        tls_pair_start(pair);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        len = pair->client.out_len;
        if (at == 2) { /* minor version of the record: ignored by all */
            continue;
        }
        pair->client.out[at] ^= 4;
        tls_pair_run(pair, TLS_PAIR_CAP);
        NP_CHECK(!np_tls_is_open(&pair->server.tls) && !np_tls_is_open(&pair->client.tls));
    }
    NP_CHECK(len > 100);
}
