/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hostile or old server answers: ServerHello, HelloRetryRequest, and its flight. */
#include <string.h>

#include "core/tls/hs.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_hello.h"
#include "tests/unit/tls_pair.h"

static struct hello hello;

static struct tls_pair *server_hello(struct tls_pair *pair)
{
    tls_pair_start(pair);
    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
    pair->client.out_len = 0;
    tls_end_flush(&pair->server, TLS_PAIR_CAP);
    tls_hello_split(&hello, pair->server.out);
    return pair;
}

static void check_client(struct tls_pair *pair, enum np_tls_reason expected)
{
    uint8_t rec[4096];
    uint32_t len = tls_hello_join(&hello, rec);

    tls_end_receive(&pair->client, rec, len);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), expected);
    if (expected != NP_TLS_FINE) {
        uint8_t alert[7] = {21, 3, 3, 0, 2, 2, np_tls_reason_alert(expected)};

        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        NP_CHECK(pair->client.out_len >= sizeof(alert));
        NP_CHECK_MEM(pair->client.out + pair->client.out_len - sizeof(alert), alert, sizeof(alert));
    }
}

NP_TEST(tls_flight, server_version)
{
    static const uint8_t sentinels[2][8] = {{'D', 'O', 'W', 'N', 'G', 'R', 'D', 1},
                                            {'D', 'O', 'W', 'N', 'G', 'R', 'D', 0}};
    struct tls_pair *pair = server_hello(tls_pair_init(10));

    check_client(pair, NP_TLS_FINE);
    pair = server_hello(tls_pair_init(10));
    tls_hello_drop(&hello, 43);
    check_client(pair, NP_TLS_VERSION);
    pair = server_hello(tls_pair_init(10));
    hello.has_no_exts = true;
    check_client(pair, NP_TLS_VERSION);
    pair = server_hello(tls_pair_init(10));
    tls_hello_set(&hello, 43, "\x03\x03", 2);
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(10));
    hello.head[1] = 1; /* TLS 1.0 */
    check_client(pair, NP_TLS_VERSION);
    pair = server_hello(tls_pair_init(10));
    tls_hello_set(&hello, 43, "\x03\x04\x00", 3);
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(10));
    tls_hello_set(&hello, 43, "\x03", 1);
    check_client(pair, NP_TLS_ILLEGAL);
    for (uint32_t i = 0; i < 4; i++) {
        pair = server_hello(tls_pair_init(10));
        memcpy(hello.head + 2 + 24, sentinels[i % 2], 8);
        hello.has_no_exts = i < 2;
        if (i >= 2) {
            tls_hello_drop(&hello, 43);
        }
        check_client(pair, NP_TLS_DOWNGRADE);
    }
}

NP_TEST(tls_flight, server_fields)
{
    struct tls_pair *pair = server_hello(tls_pair_init(11));
    uint8_t share[37];

    hello.head[40] ^= 1; /* session id not echoed */
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    tls_put16(hello.head + hello.head_len - 3, 0x1304); /* a suite not offered */
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    hello.head[hello.head_len - 1] = 1; /* compression */
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    tls_hello_drop(&hello, 51);
    check_client(pair, NP_TLS_MISSING_EXTENSION);
    pair = server_hello(tls_pair_init(11));
    tls_put16(hello.exts[tls_hello_find(&hello, 51)].body, NP_TLS_SECP256R1);
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    memcpy(share, hello.exts[tls_hello_find(&hello, 51)].body, 36);
    memset(share + 4, 0, 32);
    tls_hello_set(&hello, 51, share, 36);
    check_client(pair, NP_TLS_BAD_SHARE);
    pair = server_hello(tls_pair_init(11));
    share[3] = 31;
    tls_hello_set(&hello, 51, share, 35);
    check_client(pair, NP_TLS_BAD_SHARE);
    pair = server_hello(tls_pair_init(11));
    tls_hello_set(&hello, 51, share, 35 - 4);
    check_client(pair, NP_TLS_DECODE);
    pair = server_hello(tls_pair_init(11));
    share[3] = 32;
    share[36] = 0;
    tls_hello_set(&hello, 51, share, 37); /* a byte more than the share */
    check_client(pair, NP_TLS_DECODE);
    pair = server_hello(tls_pair_init(11));
    hello.head_len -= 32; /* no session id at all */
    memmove(hello.head + 35, hello.head + 67, hello.head_len - 35);
    hello.head[34] = 0;
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    tls_hello_add(&hello, 41, "\0", 2); /* a PSK that was not offered */
    check_client(pair, NP_TLS_STRAY_EXTENSION);
    pair = server_hello(tls_pair_init(11));
    tls_hello_add(&hello, 10, "\0\2\0\x1d", 4); /* belongs into EncryptedExtensions */
    check_client(pair, NP_TLS_ILLEGAL);
    pair = server_hello(tls_pair_init(11));
    tls_hello_add(&hello, 0x1234, "", 0);
    check_client(pair, NP_TLS_STRAY_EXTENSION);
}

NP_TEST(tls_flight, server_retries)
{
    static const struct {
        uint16_t group;
        uint16_t cookie;
        enum np_tls_reason reason;
    } rows[] = {
        {NP_TLS_SECP256R1, 0, NP_TLS_FINE},
        {NP_TLS_SECP256R1, 50, NP_TLS_FINE},
        {0, NP_TLS_COOKIE_MAX, NP_TLS_FINE}, /* the same share again, with the cookie */
        {0, 0, NP_TLS_ILLEGAL},              /* nothing would change */
        {NP_TLS_X25519, 0, NP_TLS_ILLEGAL},  /* that share was sent */
        {0x0018, 0, NP_TLS_ILLEGAL},         /* a group not offered */
        {0, NP_TLS_COOKIE_MAX + 1, NP_TLS_MESSAGE_TOO_LONG},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int again = 0; again < 2; again++) {
            struct tls_pair *pair = server_hello(tls_pair_init(12));
            uint8_t body[2 + NP_TLS_COOKIE_MAX + 1];

            np_test_context("row %u again %d", i, again);
            memcpy(hello.head + 2, np_tls_retry_random, 32);
            tls_hello_drop(&hello, 51);
            if (rows[i].group != 0) {
                tls_put16(body, rows[i].group);
                tls_hello_add(&hello, 51, body, 2);
            }
            if (rows[i].cookie != 0) {
                memset(body, 0xc0, sizeof(body));
                tls_put16(body, rows[i].cookie);
                tls_hello_add(&hello, 44, body, rows[i].cookie + 2u);
            }
            check_client(pair, rows[i].reason);
            if (again && rows[i].reason == NP_TLS_FINE) { /* a second one is one too many */
                tls_end_flush(&pair->client, TLS_PAIR_CAP);
                check_client(pair, NP_TLS_UNEXPECTED);
            } else if (rows[i].reason == NP_TLS_FINE) {
                pair->client.out_len = 0;
                tls_end_flush(&pair->client, TLS_PAIR_CAP);
                tls_hello_split(&hello, pair->client.out + 6);
                if (rows[i].cookie != 0) {
                    NP_CHECK_INT(hello.exts[tls_hello_find(&hello, 44)].len, rows[i].cookie + 2);
                }
            }
        }
    }
}

/* A ServerHello in the record of the HelloRetryRequest: nobody can have answered that yet. */
NP_TEST(tls_flight, retry_and_hello_in_one_record)
{
    struct tls_pair *pair = tls_pair_init(17);
    uint8_t rec[4096];
    uint32_t len;

    pair->server.config.groups[0] = NP_TLS_SECP256R1;
    server_hello(pair);
    len = tls_hello_join(&hello, rec);
    memcpy(rec + len, rec + 5, len - 5);
    rec[len + 4 + 2] ^= 1; /* another random: no HelloRetryRequest */
    tls_put16(rec + 3, 2 * (len - 5));
    tls_end_receive(&pair->client, rec, 5 + 2 * (len - 5));
    NP_CHECK(pair->client.hs.has_hrr);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_UNEXPECTED);
}

NP_TEST(tls_flight, malformed_retries)
{
    static const struct {
        uint16_t type, len;
        const char *body;
        enum np_tls_reason reason;
    } rows[] = {
        {44, 4, "\0\1\xc0\xc0", NP_TLS_DECODE}, /* more than the cookie */
        {44, 2, "\0\0", NP_TLS_DECODE},         /* an empty one */
        {44, 3, "\0\2\xc0", NP_TLS_DECODE},     /* less than it says */
        {51, 3, "\0\x17\0", NP_TLS_DECODE},
        {51, 1, "\0", NP_TLS_DECODE},
        {13, 0, "", NP_TLS_ILLEGAL}, /* belongs elsewhere */
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_pair *pair = server_hello(tls_pair_init(15));

        np_test_context("row %u", i);
        memcpy(hello.head + 2, np_tls_retry_random, 32);
        tls_hello_drop(&hello, 51);
        tls_hello_add(&hello, rows[i].type, rows[i].body, rows[i].len);
        check_client(pair, rows[i].reason);
    }
}

/* The suite of a HelloRetryRequest is that of the ServerHello after it (section 4.1.4). */
NP_TEST(tls_flight, suite_changes_after_retry)
{
    for (int change = 0; change < 2; change++) {
        struct tls_pair *pair = server_hello(tls_pair_init(14));
        struct hello first = hello;

        np_test_context("change %d", change);
        memcpy(hello.head + 2, np_tls_retry_random, 32);
        tls_hello_set(&hello, 51, "\0\x17", 2);
        check_client(pair, NP_TLS_FINE);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        hello = first;
        if (change) {
            tls_put16(hello.head + hello.head_len - 3, NP_TLS_AES_256_GCM_SHA384);
        }
        /* Unchanged it fails later: its share is of another group. */
        tls_hello_set(&hello, 51, "\0\x17\0\1\4", 5);
        check_client(pair, change ? NP_TLS_ILLEGAL : NP_TLS_BAD_SHARE);
    }
}

/* ---- EncryptedExtensions and what follows, under the server's keys --------------------------- */

static uint16_t client_limit; /* record_size_limit that it sends, 0 = none */

/* Delivers the ServerHello, then one forged message instead of the rest of the flight. The server
 * must be told by the right alert. */
static void check_flight(const void *message, uint32_t len, enum np_tls_reason expected)
{
    struct tls_pair *pair = tls_pair_init(13);
    struct np_tls_keys keys = {0};

    pair->client.config.record_limit = client_limit;
    server_hello(pair);
    uint8_t rec[4096];
    uint32_t rec_len = tls_hello_join(&hello, rec);

    tls_end_receive(&pair->client, rec, rec_len);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.server_secret);
    memcpy(rec + 5, message, len);
    rec_len = np_tls_record_seal(&pair->engines, &keys, rec, len, NP_TLS_HANDSHAKE, 0);
    tls_end_receive(&pair->client, rec, rec_len);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), expected);
    NP_CHECK(!np_tls_is_open(&pair->client.tls));
    if (expected != NP_TLS_FINE) {
        pair->server.out_len = 0;
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
        NP_CHECK_INT(np_tls_peer_alert(&pair->server.tls), np_tls_reason_alert(expected));
    }
}

#define EE "\x08\0\0\x02\0\0"

NP_TEST(tls_flight, encrypted_extensions)
{
    check_flight(EE, 6, NP_TLS_FINE);
    check_flight("\x08\0\0\x06\0\x04\0\0\0\0", 10, NP_TLS_FINE);    /* server_name */
    check_flight("\x08\0\0\x07\0\x05\0\0\0\1a", 11, NP_TLS_DECODE); /* it says nothing */
    check_flight("\x08\0\0\x06\0\x04\x00\x10\0\0", 10, NP_TLS_STRAY_EXTENSION); /* ALPN */
    check_flight("\x08\0\0\x06\0\x04\x00\x2a\0\0", 10, NP_TLS_STRAY_EXTENSION); /* early data */
    check_flight("\x08\0\0\x06\0\x04\x00\x33\0\0", 10, NP_TLS_ILLEGAL);         /* key share */
    check_flight("\x08\0\0\x06\0\x04\x12\x34\0\0", 10, NP_TLS_STRAY_EXTENSION);
    check_flight("\x08\0\0\x08\0\x06\x00\x1c\0\x02\x40\x01", 12, NP_TLS_STRAY_EXTENSION);
    check_flight("\x08\0\0\x03\0\0\0", 7, NP_TLS_DECODE);
    check_flight("\x08\0\0\x02\0\x01", 6, NP_TLS_DECODE);
    check_flight("\x08\0\0\0", 4, NP_TLS_DECODE);
    check_flight("\x14\0\0\x20", 4, NP_TLS_UNEXPECTED); /* Finished without a certificate */
    check_flight("\x0b\0\0\x04", 4, NP_TLS_UNEXPECTED);
    client_limit = 4096;
    check_flight("\x08\0\0\x08\0\x06\x00\x1c\0\x02\x40\x01", 12, NP_TLS_FINE);
    check_flight("\x08\0\0\x08\0\x06\x00\x1c\0\x02\x00\x3f", 12, NP_TLS_ILLEGAL);
    check_flight("\x08\0\0\x07\0\x05\x00\x1c\0\x01\x40", 11, NP_TLS_DECODE);
    check_flight("\x08\0\0\x09\0\x07\x00\x1c\0\x03\x40\x01\0", 13, NP_TLS_DECODE);
    client_limit = 0;
}

NP_TEST(tls_flight, certificate_messages)
{
    check_flight(EE "\x0b\0\0\x04\0\0\0\0", 14, NP_TLS_CERT_EMPTY);
    check_flight(EE "\x0b\0\0\x03\0\0\0", 13, NP_TLS_DECODE);
    check_flight(EE "\x0b\0\0\x04\x01\0\0\0", 14, NP_TLS_ILLEGAL); /* a request's context */
    check_flight(EE "\x0b\0\0\x04\0\0\0\x01", 14, NP_TLS_DECODE);
    check_flight(EE "\x0b\0\0\x07\0\0\0\x03\0\0\0", 17, NP_TLS_DECODE); /* empty certificate */
    check_flight(EE "\x0b\0\0\x08\0\0\0\x04\0\0\x05\x30", 18, NP_TLS_DECODE);
    check_flight(EE "\x0b\0\0\x08\0\0\0\x04\0\0\x01\x30", 18, NP_TLS_DECODE); /* no extensions */
    check_flight(EE "\x0b\0\0\x0a\0\0\0\x06\0\0\x01\x30\0\0", 20, NP_TLS_FINE);
    check_flight(EE "\x0b\0\0\x0e\0\0\0\x0a\0\0\x01\x30\0\x04\0\x05\0\0", 24,
                 NP_TLS_STRAY_EXTENSION); /* an OCSP answer */
    check_flight(EE "\x0b\x01\0\x01", 10, NP_TLS_MESSAGE_TOO_LONG);
    check_flight(EE "\x0d\0\0\x0b\0\0\x08\0\x0d\0\x04\0\x02\x04\x03", 21, NP_TLS_FINE);
    check_flight(EE "\x0d\0\0\x03\0\0\0", 13, NP_TLS_MISSING_EXTENSION);
    check_flight(EE "\x0d\0\0\x0c\x01\x07\0\x08\0\x0d\0\x04\0\x02\x04\x03", 22, NP_TLS_ILLEGAL);
    check_flight(EE "\x0d\0\0\x04\0\0\0\0", 14, NP_TLS_DECODE);
    check_flight(EE "\x0f\0\0\x04\x04\x03\0\0", 14, NP_TLS_UNEXPECTED); /* before Certificate */
}

NP_TEST(tls_flight, too_many_certificates)
{
    static const uint8_t entry[] = {0, 0, 1, 0x30, 0, 0};
    uint8_t flight[512];
    uint32_t len = 6, list = (NP_TLS_CERTS_MAX + 1) * sizeof(entry);

    memcpy(flight, EE, 6);
    flight[len++] = 11;
    flight[len++] = 0;
    len += tls_put16(flight + len, list + 4);
    flight[len++] = 0;
    flight[len++] = 0;
    len += tls_put16(flight + len, list);
    for (uint32_t i = 0; i <= NP_TLS_CERTS_MAX; i++) {
        memcpy(flight + len, entry, sizeof(entry));
        len += sizeof(entry);
    }
    check_flight(flight, len, NP_TLS_MESSAGE_TOO_LONG);
}

NP_TEST(tls_flight, certificate_verify)
{
    static const char cert[] = EE "\x0b\0\0\x0a\0\0\0\x06\0\0\x01\x30\0\0";
    uint8_t flight[64];

    memcpy(flight, cert, 20);
    memcpy(flight + 20, "\x0f\0\0\x04\x04\x03\0\0", 8);
    check_flight(flight, 28, NP_TLS_CERT_SIGNATURE);
    memcpy(flight + 20, "\x0f\0\0\x04\x04\x01\0\0", 8); /* rsa_pkcs1: for certificates only */
    check_flight(flight, 28, NP_TLS_ILLEGAL);
    memcpy(flight + 20, "\x0f\0\0\x04\x08\x07\0\0", 8); /* Ed25519: not offered */
    check_flight(flight, 28, NP_TLS_ILLEGAL);
    memcpy(flight + 20, "\x0f\0\0\x04\x04\x03\0\1", 8);
    check_flight(flight, 28, NP_TLS_DECODE);
    memcpy(flight + 20, "\x14\0\0\x20", 4);
    check_flight(flight, 24, NP_TLS_UNEXPECTED); /* Finished without CertificateVerify */
}
