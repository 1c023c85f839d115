/* SPDX-License-Identifier: BSD-3-Clause */
/* ClientHellos as a hostile or old client sends them: the right reason, and with it the alert. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_hello.h"
#include "tests/unit/tls_pair.h"

static struct hello hello;

/* Begins a pair and takes the client's hello apart. */
static struct tls_pair *client_hello(struct tls_pair *pair)
{
    tls_pair_start(pair);
    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    tls_hello_split(&hello, pair->client.out);
    return pair;
}

static void check_server(struct tls_pair *pair, enum np_tls_reason expected)
{
    static uint8_t rec[8192];
    uint32_t len = tls_hello_join(&hello, rec);

    tls_end_receive(&pair->server, rec, len);
    tls_end_flush(&pair->server, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), expected);
    if (expected != NP_TLS_FINE) { /* a fatal alert in the clear */
        uint8_t alert[7] = {21, 3, 3, 0, 2, 2, np_tls_reason_alert(expected)};
        NP_CHECK_INT(pair->server.out_len, sizeof(alert));
        NP_CHECK_MEM(pair->server.out, alert, sizeof(alert));
        NP_CHECK_INT(np_tls_recv(&pair->server.tls, rec, 0).event, NP_TLS_ERROR);
    } else {
        NP_CHECK(pair->server.out_len > 0 && pair->server.out[0] == 22);
    }
}

NP_TEST(tls_hello, unchanged_is_fine)
{
    check_server(client_hello(tls_pair_init(1)), NP_TLS_FINE);
}

/* Each row changes one thing of a good hello. */
NP_TEST(tls_hello, missing_extensions)
{
    static const struct {
        uint16_t type;
        enum np_tls_reason reason;
    } rows[] = {
        {43, NP_TLS_VERSION},
        {13, NP_TLS_MISSING_EXTENSION},
        {10, NP_TLS_MISSING_EXTENSION},
        {51, NP_TLS_MISSING_EXTENSION},
        {0, NP_TLS_FINE}, /* SNI */
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_pair *pair = client_hello(tls_pair_init(2));
        np_test_context("without %u", rows[i].type);
        tls_hello_drop(&hello, rows[i].type);
        check_server(pair, rows[i].reason);
    }
    struct tls_pair *pair = client_hello(tls_pair_init(2));
    tls_hello_drop(&hello, 10);
    tls_hello_drop(&hello, 51);
    check_server(pair, NP_TLS_MISSING_EXTENSION);
    pair = client_hello(tls_pair_init(2));
    hello.has_no_exts = true;
    check_server(pair, NP_TLS_VERSION);
}

NP_TEST(tls_hello, bad_extension_bodies)
{
    static const struct {
        uint16_t type;
        uint16_t len;
        uint8_t body[8];
        enum np_tls_reason reason;
    } rows[] = {
        {43, 3, {2, 3, 3}, NP_TLS_VERSION},
        {43, 0, {0}, NP_TLS_DECODE},
        {43, 1, {0}, NP_TLS_DECODE},
        {43, 3, {4, 3, 4}, NP_TLS_DECODE},
        {43, 4, {2, 3, 4, 0}, NP_TLS_DECODE},
        {43, 4, {3, 3, 4, 0}, NP_TLS_DECODE},
        {43, 7, {6, 0x7a, 0x7a, 3, 3, 3, 4}, NP_TLS_FINE},
        {10, 0, {0}, NP_TLS_DECODE},
        {10, 2, {0, 0}, NP_TLS_DECODE},
        {10, 3, {0, 1, 0}, NP_TLS_DECODE},
        {10, 5, {0, 2, 0, 29, 0}, NP_TLS_DECODE},
        {10, 4, {0, 2, 0, 24}, NP_TLS_ILLEGAL}, /* the share is of a group not listed */
        {13, 0, {0}, NP_TLS_DECODE},
        {13, 2, {0, 0}, NP_TLS_DECODE},
        {13, 3, {0, 1, 4}, NP_TLS_DECODE},
        {13, 4, {0, 2, 4, 1}, NP_TLS_NO_SCHEME},
        {51, 0, {0}, NP_TLS_DECODE},
        {51, 4, {0, 2, 0, 29}, NP_TLS_DECODE},
        {51, 6, {0, 4, 0, 29, 0, 0}, NP_TLS_DECODE},
        {51, 7, {0, 5, 0, 29, 0, 1, 9}, NP_TLS_BAD_SHARE},
        {51, 3, {0, 0, 0}, NP_TLS_DECODE},
        {51, 2, {0, 0}, NP_TLS_FINE}, /* no share yet: HelloRetryRequest */
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_pair *pair = client_hello(tls_pair_init(3));
        np_test_context("row %u, extension %u", i, rows[i].type);
        tls_hello_set(&hello, rows[i].type, rows[i].body, rows[i].len);
        check_server(pair, rows[i].reason);
    }
}

NP_TEST(tls_hello, odd_extensions)
{
    static const uint8_t limit_small[] = {0, 63}, limit_odd[] = {0, 64, 0},
                         limit_big[] = {255, 255};
    struct tls_pair *pair = client_hello(tls_pair_init(4));

    tls_hello_add(&hello, 0xfafa, "grease", 6);
    check_server(pair, NP_TLS_FINE);
    pair = client_hello(tls_pair_init(4));
    tls_hello_add(&hello, 0xfafa, "grease", 6);
    hello.exts[hello.count] = hello.exts[hello.count - 1]; /* twice, though unknown */
    hello.count++;
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(4));
    hello.exts[hello.count] = hello.exts[tls_hello_find(&hello, 51)];
    hello.count++;
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(4));
    for (uint16_t i = 0; hello.count < EXTS_CAP; i++) {
        tls_hello_add(&hello, (uint16_t)(0x4000 + i), "", 0);
    }
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(4));
    tls_hello_add(&hello, 28, limit_small, 2);
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(4));
    tls_hello_add(&hello, 28, limit_odd, 3);
    check_server(pair, NP_TLS_DECODE);
    pair = client_hello(tls_pair_init(4));
    tls_hello_add(&hello, 28, limit_big, 2);
    check_server(pair, NP_TLS_FINE);
    NP_CHECK_INT(np_tls_seal_max(&pair->server.tls), NP_TLS_PLAIN_MAX);
}

NP_TEST(tls_hello, shares)
{
    uint8_t shares[400];
    struct tls_pair *pair = client_hello(tls_pair_init(5));
    uint32_t at = tls_hello_find(&hello, 51), len = hello.exts[at].len;

    memcpy(shares, hello.exts[at].body, len);
    memcpy(shares + len, shares + 2, len - 2); /* two of one group */
    tls_put16(shares, 2 * (len - 2));
    tls_hello_set(&hello, 51, shares, 2 + 2 * (len - 2));
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(5));
    memset(shares + 6, 0, 32); /* x25519 of zero: an all-zero secret */
    tls_put16(shares, 36);
    tls_hello_set(&hello, 51, shares, 38);
    check_server(pair, NP_TLS_BAD_SHARE);
}

NP_TEST(tls_hello, head)
{
    struct tls_pair *pair = client_hello(tls_pair_init(6));
    uint32_t compression = hello.head_len - 2;

    hello.head[compression + 1] = 1; /* deflate */
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(6));
    hello.head[compression] = 2;
    hello.head[hello.head_len++] = 1;
    check_server(pair, NP_TLS_ILLEGAL);
    pair = client_hello(tls_pair_init(6));
    hello.head[0] = 2; /* legacy_version says nothing */
    check_server(pair, NP_TLS_FINE);
    pair = client_hello(tls_pair_init(6));
    hello.head[34] = 33; /* session id too long */
    check_server(pair, NP_TLS_DECODE);
    pair = client_hello(tls_pair_init(6));
    for (uint32_t i = 0; i < 3; i++) {
        tls_put16(hello.head + 34 + 33 + 2 + 2 * i, 0xc02f); /* suites of TLS 1.2 */
    }
    check_server(pair, NP_TLS_NO_SUITE);
    pair = client_hello(tls_pair_init(6));
    tls_put16(hello.head + 34 + 33, 0);
    check_server(pair, NP_TLS_DECODE);
    pair = client_hello(tls_pair_init(6));
    hello.type = 2;
    check_server(pair, NP_TLS_UNEXPECTED);
}

/* A hello longer than our bound is refused by its header, whatever it would say. */
NP_TEST(tls_hello, too_long)
{
    uint8_t rec[] = {22, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc};
    struct tls_pair *pair = client_hello(tls_pair_init(7));
    uint8_t full[5 + 0x2000] = {0};

    memcpy(full, rec, sizeof(rec));
    tls_end_receive(&pair->server, full, sizeof(full));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_MESSAGE_TOO_LONG);
}

/* CCS: not before the hello, at most 16 after it, and only of one byte. */
NP_TEST(tls_hello, change_cipher_spec)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1}, two[] = {20, 3, 3, 0, 2, 1, 1};
    static const uint8_t other[] = {20, 3, 3, 0, 1, 2};
    struct tls_pair *pair = client_hello(tls_pair_init(8));

    tls_end_receive(&pair->server, ccs, sizeof(ccs));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_UNEXPECTED);
    pair = client_hello(tls_pair_init(8));
    check_server(pair, NP_TLS_FINE);
    tls_end_receive(&pair->server, (const uint8_t *)"\x14\x03\x03\x3f\xff", 5); /* by its header */
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_UNEXPECTED);
    for (uint32_t i = 0; i < 3; i++) {
        pair = client_hello(tls_pair_init(8));
        check_server(pair, NP_TLS_FINE);
        if (i == 0) {
            for (uint32_t n = 0; n < 16; n++) {
                tls_end_receive(&pair->server, ccs, sizeof(ccs));
                NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
            }
            tls_end_receive(&pair->server, ccs, sizeof(ccs));
            NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_NO_PROGRESS);
        } else {
            tls_end_receive(&pair->server, i == 1 ? two : other, i == 1 ? 7 : 6);
            NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_UNEXPECTED);
        }
    }
}

/* The second hello after a HelloRetryRequest must be the first with another share. */
NP_TEST(tls_hello, second_hello)
{
    for (uint32_t change = 0; change < 7; change++) {
        struct tls_pair *pair = tls_pair_init(9);
        uint32_t at;

        np_test_context("change %u", change);
        pair->server.config.groups[0] = NP_TLS_SECP256R1;
        tls_pair_start(pair);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
        pair->client.out_len = 0;
        tls_end_flush(&pair->server, TLS_PAIR_CAP);
        tls_end_receive(&pair->client, pair->server.out, pair->server.out_len);
        pair->server.out_len = 0;
        NP_CHECK(pair->client.hs.has_hrr);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        NP_CHECK_INT(pair->client.out[0], 20); /* CCS before the second hello */
        tls_hello_split(&hello, pair->client.out + 6);
        at = tls_hello_find(&hello, 51);
        switch (change) {
        case 1:
            hello.head[10] ^= 1; /* random */
            break;
        case 2:
            hello.head[40] ^= 1; /* session id */
            break;
        case 3:
            tls_hello_add(&hello, 42, "", 0); /* early data */
            break;
        case 4:
            tls_put16(hello.exts[at].body + 2, NP_TLS_X25519); /* a share that was not asked for */
            break;
        case 5:
            tls_hello_set(&hello, 51, "\0", 2); /* none */
            break;
        case 6: /* the chosen suite is not offered any more: another one three times */
            for (uint32_t i = 0; i < 3; i++) {
                tls_put16(hello.head + 34 + 33 + 2 + 2 * i,
                          pair->server.hs.suite->id == NP_TLS_CHACHA20_POLY1305_SHA256
                              ? NP_TLS_AES_128_GCM_SHA256
                              : NP_TLS_CHACHA20_POLY1305_SHA256);
            }
            break;
        default:
            break;
        }
        check_server(pair, change == 0 ? NP_TLS_FINE : NP_TLS_ILLEGAL);
    }
}

/* 0-RTT data that we did not agree to is skipped: up to a bound, and only until a record opens. */
NP_TEST(tls_hello, early_data_is_skipped)
{
    static uint8_t early[5 + 16384] = {23, 3, 3, 0x40, 0};

    for (uint32_t retry = 0; retry < 2; retry++) {
        struct tls_pair *pair = tls_pair_init(14);

        np_test_context("retry %u", retry);
        pair->server.config.groups[0] = retry ? NP_TLS_SECP256R1 : NP_TLS_X25519;
        client_hello(pair);
        tls_hello_add(&hello, 42, "", 0);
        check_server(pair, NP_TLS_FINE);
        NP_CHECK_INT(pair->server.hs.has_hrr, retry);
        for (uint32_t i = 0; i <= NP_TLS_EARLY_BYTES / 16384; i++) {
            NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
            tls_end_receive(&pair->server, early, sizeof(early));
        }
        NP_CHECK_INT(np_tls_reason(&pair->server.tls), retry ? NP_TLS_UNEXPECTED : NP_TLS_BAD_MAC);
    }
    struct tls_pair *pair = client_hello(tls_pair_init(14)); /* none was announced */
    check_server(pair, NP_TLS_FINE);
    tls_end_receive(&pair->server, early, sizeof(early));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_BAD_MAC);
}

/* Empty records take no bytes of that bound, but they end as well. */
NP_TEST(tls_hello, empty_early_data_is_bounded)
{
    static const uint8_t empty[] = {23, 3, 3, 0, 0};

    for (uint32_t retry = 0; retry < 2; retry++) {
        struct tls_pair *pair = tls_pair_init(16);
        uint32_t count = 0;

        np_test_context("retry %u", retry);
        pair->server.config.groups[0] = retry ? NP_TLS_SECP256R1 : NP_TLS_X25519;
        client_hello(pair);
        tls_hello_add(&hello, 42, "", 0);
        check_server(pair, NP_TLS_FINE);
        while (count < 100000 && np_tls_reason(&pair->server.tls) == NP_TLS_FINE) {
            tls_end_receive(&pair->server, empty, sizeof(empty));
            count++;
        }
        NP_CHECK(count < 200);
    }
}

/* A second hello in the record of the first: sent before the answer that it has to fit. */
NP_TEST(tls_hello, two_hellos_in_one_record)
{
    static uint8_t rec[8192];
    struct tls_pair *pair = tls_pair_init(17);
    uint32_t len;

    pair->server.config.groups[0] = NP_TLS_SECP256R1;
    client_hello(pair);
    len = tls_hello_join(&hello, rec);
    memcpy(rec + len, rec + 5, len - 5);
    tls_put16(rec + 3, 2 * (len - 5));
    tls_end_receive(&pair->server, rec, 5 + 2 * (len - 5));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_UNEXPECTED);
}

static const uint8_t psk_offer[] = {0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 33, 32, 1, 1, 1,
                                    1, 1, 1, 1, 1,   1, 1, 1, 1, 1, 1,  1,  1, 1, 1,
                                    1, 1, 1, 1, 1,   1, 1, 1, 1, 1, 1,  1,  1, 1};

/* pre_shared_key is the last extension and has its modes, also for a server without PSKs. */
NP_TEST(tls_hello, psk_offers_to_a_server_without_any)
{
    struct tls_pair *pair = client_hello(tls_pair_init(18));

    tls_hello_add(&hello, 45, "\1\1", 2);
    tls_hello_add(&hello, 41, psk_offer, sizeof(psk_offer));
    check_server(pair, NP_TLS_FINE);
    pair = client_hello(tls_pair_init(18));
    tls_hello_add(&hello, 41, psk_offer, sizeof(psk_offer));
    check_server(pair, NP_TLS_MISSING_EXTENSION);
    pair = client_hello(tls_pair_init(18));
    tls_hello_add(&hello, 41, psk_offer, sizeof(psk_offer));
    tls_hello_add(&hello, 45, "\1\1", 2);
    check_server(pair, NP_TLS_ILLEGAL);
}

/* After the second hello there is none any more. */
NP_TEST(tls_hello, early_data_ends_with_the_second_hello)
{
    struct tls_pair *pair = tls_pair_init(15);
    uint8_t early[5 + 100] = {23, 3, 3, 0, 100}, rec[4096];

    pair->server.config.groups[0] = NP_TLS_SECP256R1;
    client_hello(pair);
    tls_hello_add(&hello, 42, "", 0);
    check_server(pair, NP_TLS_FINE);
    tls_end_receive(&pair->server, early, sizeof(early));
    pair->client.out_len = 0;
    tls_end_receive(&pair->client, pair->server.out, pair->server.out_len);
    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    tls_hello_split(&hello, pair->client.out + 6);
    tls_end_receive(&pair->server, rec, tls_hello_join(&hello, rec));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
    NP_CHECK_INT(pair->server.hs.state, NP_TLS_EXPECT_FIN);
    tls_end_receive(&pair->server, early, sizeof(early));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_BAD_MAC);
}
