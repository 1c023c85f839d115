/* SPDX-License-Identifier: BSD-3-Clause */
/* Flights made of our own messages, changed before they are protected: what only a peer that holds
 * the keys can send. And failures on our own side: no entropy, a key that can't sign. */
#include <string.h>

#include "core/tls/hs.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_hello.h"
#include "tests/unit/tls_pair.h"

/* CertificateRequest with signature_algorithms. */
static const uint8_t request[] = {13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3};

struct flight {
    uint8_t hello[512], messages[4096]; /* ServerHello's record; the rest as messages */
    uint32_t hello_len, messages_len;
};

/* Lets the server answer the client's hello, message by message. */
static void server_flight(struct tls_pair *pair, struct flight *flight, bool asks)
{
    struct np_tls_hs *hs = &pair->server.hs;
    struct np_tls_keys none = {0};
    uint32_t len;

    tls_pair_start(pair);
    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_recv(&pair->server.tls, pair->client.out, pair->client.out_len).event,
                 NP_TLS_MORE);
    pair->client.out_len = 0;
    len = np_tls_hs_pull(hs, flight->hello + 5, sizeof(flight->hello) - 5);
    flight->hello_len = np_tls_record_seal(&pair->engines, &none, flight->hello, len, 22, 0);
    NP_CHECK_INT(np_tls_hs_pull(hs, flight->messages, 6), 0); /* the keys change */
    NP_CHECK_INT(hs->tx, NP_TLS_EPOCH_HANDSHAKE);
    len = np_tls_hs_pull(hs, flight->messages, 6); /* EncryptedExtensions */
    NP_CHECK_INT(len, 6);
    if (asks) {
        memcpy(flight->messages + len, request, sizeof(request));
        np_tls_transcript_append(&hs->transcript, request, sizeof(request));
        len += sizeof(request);
    }
    len += np_tls_hs_pull(hs, flight->messages + len, sizeof(flight->messages) - len);
    flight->messages_len = len;
}

static void give_flight(struct tls_pair *pair, const struct flight *flight)
{
    struct np_tls_keys keys = {0};
    uint8_t rec[5000];

    tls_end_receive(&pair->client, flight->hello, flight->hello_len);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.server_secret);
    memcpy(rec + 5, flight->messages, flight->messages_len);
    tls_end_receive(&pair->client, rec,
                    np_tls_record_seal(&pair->engines, &keys, rec, flight->messages_len, 22, 0));
}

/* The client's second flight: CCS, then one record. Returns the bytes of its messages. */
static uint32_t client_flight(struct tls_pair *pair, uint8_t *messages, uint32_t cap)
{
    struct np_tls_keys keys = {0};
    struct np_tls_opened opened;

    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.client_secret);
    NP_CHECK_INT(pair->client.out[0], NP_TLS_CCS);
    opened =
        np_tls_record_open(&pair->engines, &keys, pair->client.out + 6, pair->client.out_len - 6);
    NP_CHECK_INT(opened.reason, NP_TLS_FINE);
    NP_CHECK_INT(opened.type, NP_TLS_HANDSHAKE);
    if (opened.reason != NP_TLS_FINE || opened.len > cap) {
        return 0;
    }
    memcpy(messages, opened.data, opened.len);
    return opened.len;
}

static struct flight flight;

NP_TEST(tls_forge, certificate_request_gets_an_empty_certificate)
{
    static const uint8_t empty[] = {11, 0, 0, 4, 0, 0, 0, 0};
    struct tls_pair *pair = tls_pair_init(1);
    struct np_tls_transcript transcript;
    uint8_t messages[256], digest[48], verify[48];
    uint32_t len;

    server_flight(pair, &flight, true);
    transcript = pair->server.hs.transcript; /* to the server's Finished */
    give_flight(pair, &flight);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINE);
    len = client_flight(pair, messages, sizeof(messages));
    NP_CHECK(np_tls_is_open(&pair->client.tls));
    NP_CHECK_INT(len, sizeof(empty) + 4 + 32);
    NP_CHECK_MEM(messages, empty, sizeof(empty));
    np_tls_transcript_append(&transcript, empty, sizeof(empty));
    np_tls_transcript_hash(&transcript, NP_TLS_SHA256, digest);
    np_tls_finished(NP_TLS_SHA256, pair->server.hs.client_secret, digest, verify);
    NP_CHECK_MEM(messages + sizeof(empty) + 4, verify, 32);
}

/* Twice asked, or asked after the certificate: not due. */
NP_TEST(tls_forge, certificate_request_out_of_place)
{
    struct tls_pair *pair = tls_pair_init(2);

    server_flight(pair, &flight, true);
    memmove(flight.messages + 6 + sizeof(request), flight.messages + 6, flight.messages_len - 6);
    flight.messages_len += sizeof(request);
    give_flight(pair, &flight);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_UNEXPECTED);
}

/* A flight of right messages, one byte of which is changed before it is protected. */
NP_TEST(tls_forge, every_byte_of_the_servers_messages_counts)
{
    uint32_t len = 1;

    for (uint32_t at = 0; at < len; at++) {
        struct tls_pair *pair = tls_pair_init(3);

        np_test_context("byte %u", at);
        server_flight(pair, &flight, false);
        len = flight.messages_len;
        flight.messages[at] ^= 0x04;
        give_flight(pair, &flight);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        if (!NP_CHECK(!np_tls_is_open(&pair->client.tls))) {
            return;
        }
        if (at >= len - 32) {
            NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINISHED);
        }
    }
    NP_CHECK(len > 1600);
}

/* Cut at every byte into two records. */
NP_TEST(tls_forge, messages_across_records)
{
    uint32_t len = 2;

    for (uint32_t at = 1; at < len; at += at < 60 ? 1 : 23) {
        struct tls_pair *pair = tls_pair_init(4);
        struct np_tls_keys keys = {0};
        uint8_t rec[5000];
        uint32_t rec_len;

        np_test_context("cut at %u", at);
        server_flight(pair, &flight, true);
        len = flight.messages_len;
        tls_end_receive(&pair->client, flight.hello, flight.hello_len);
        np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.server_secret);
        memcpy(rec + 5, flight.messages, at);
        rec_len = np_tls_record_seal(&pair->engines, &keys, rec, at, 22, 0);
        tls_end_receive(&pair->client, rec, rec_len);
        memcpy(rec + 5, flight.messages + at, len - at);
        rec_len = np_tls_record_seal(&pair->engines, &keys, rec, len - at, 22, 9);
        tls_end_receive(&pair->client, rec, rec_len);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        NP_CHECK(np_tls_is_open(&pair->client.tls));
    }
}

/* Bytes behind Finished in the same record would be under other keys. */
NP_TEST(tls_forge, bytes_behind_finished)
{
    struct tls_pair *pair = tls_pair_init(5);

    server_flight(pair, &flight, false);
    memcpy(flight.messages + flight.messages_len, "\x18\0\0\1\0", 5);
    flight.messages_len += 5;
    give_flight(pair, &flight);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_KEY_CHANGE);
}

/* No alert comes between the pieces of a message, not even the one that is no error. */
NP_TEST(tls_forge, alert_inside_a_message)
{
    static const uint8_t canceled[] = {1, NP_TLS_ALERT_USER_CANCELED};
    struct tls_pair *pair = tls_pair_init(14);
    struct np_tls_keys keys = {0};
    uint8_t rec[64];

    server_flight(pair, &flight, false);
    tls_end_receive(&pair->client, flight.hello, flight.hello_len);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.server_secret);
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(rec + 5, canceled, 2);
        tls_end_receive(&pair->client, rec,
                        np_tls_record_seal(&pair->engines, &keys, rec, 2, NP_TLS_ALERT, 0));
        NP_CHECK_INT(np_tls_reason(&pair->client.tls), i == 0 ? NP_TLS_FINE : NP_TLS_UNEXPECTED);
        memcpy(rec + 5, flight.messages, 3);
        tls_end_receive(&pair->client, rec,
                        np_tls_record_seal(&pair->engines, &keys, rec, 3, NP_TLS_HANDSHAKE, 0));
    }
}

/* A Finished of another length is malformed. */
NP_TEST(tls_forge, length_of_finished)
{
    for (uint32_t side = 0; side < 2; side++) {
        struct tls_pair *pair = tls_pair_init(15);
        struct np_tls_keys keys = {0};
        uint8_t rec[64] = {0, 0, 0, 0, 0, 20, 0, 0, 31};

        server_flight(pair, &flight, false);
        if (side == 0) {
            flight.messages[flight.messages_len - 33]--;
            flight.messages_len--;
            give_flight(pair, &flight);
            NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_DECODE);
            continue;
        }
        tls_end_flush(&pair->server, TLS_PAIR_CAP);
        np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.client_secret);
        tls_end_receive(&pair->server, rec,
                        np_tls_record_seal(&pair->engines, &keys, rec, 35, 22, 0));
        NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_DECODE);
    }
}

/* The client's Finished, changed and protected again. */
NP_TEST(tls_forge, clients_finished)
{
    for (uint32_t at = 0; at < 36; at++) {
        struct tls_pair *pair = tls_pair_init(6);
        struct np_tls_keys keys = {0};
        uint8_t messages[256], rec[512];
        uint32_t len;

        np_test_context("byte %u", at);
        server_flight(pair, &flight, false);
        NP_CHECK_INT(np_tls_hs_pull(&pair->server.hs, rec, sizeof(rec)), 0);
        tls_end_flush(&pair->server, TLS_PAIR_CAP); /* takes over the keys */
        give_flight(pair, &flight);
        len = client_flight(pair, messages, sizeof(messages));
        NP_CHECK_INT(len, 36);
        np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.client_secret);
        memcpy(rec + 5, messages, len);
        rec[5 + at] ^= 0x01;
        len = np_tls_record_seal(&pair->engines, &keys, rec, len, 22, 0);
        tls_end_receive(&pair->server, rec, len);
        NP_CHECK(!np_tls_is_open(&pair->server.tls));
        if (at >= 4) {
            NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINISHED);
        }
    }
}

/* Data under the handshake's keys, from either side. */
NP_TEST(tls_forge, data_before_finished)
{
    struct tls_pair *pair = tls_pair_init(12);
    struct np_tls_keys keys = {0};
    uint8_t rec[64];

    server_flight(pair, &flight, false);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.client_secret);
    tls_end_flush(&pair->server, TLS_PAIR_CAP);
    memcpy(rec + 5, "data", 4);
    tls_end_receive(&pair->server, rec,
                    np_tls_record_seal(&pair->engines, &keys, rec, 4, NP_TLS_DATA, 0));
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_UNEXPECTED);
    NP_CHECK_INT(pair->server.data_len, 0);
    tls_end_receive(&pair->client, flight.hello, flight.hello_len);
    np_tls_keys_install(&keys, pair->server.hs.suite->id, pair->server.hs.server_secret);
    memcpy(rec + 5, "data", 4);
    tls_end_receive(&pair->client, rec,
                    np_tls_record_seal(&pair->engines, &keys, rec, 4, NP_TLS_DATA, 0));
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_UNEXPECTED);
    NP_CHECK_INT(pair->client.data_len, 0);
}

/* CCS records that `end` made, and whether one stands right behind its first record. */
static uint32_t count_ccs(const struct tls_end *end, bool *is_second)
{
    uint32_t count = 0, at = 0, number = 0;

    *is_second = false;
    while (at < end->out_len) {
        const uint8_t *rec = end->out + at;
        count += rec[0] == NP_TLS_CCS;
        *is_second |= rec[0] == NP_TLS_CCS && number == 1;
        number++;
        at += 5 + ((uint32_t)rec[3] << 8 | rec[4]);
    }
    return count;
}

/* For middleboxes: one CCS from each side, unless the client does not want it. */
NP_TEST(tls_forge, change_cipher_spec)
{
    for (int without = 0; without < 2; without++) {
        struct tls_pair *pair = tls_pair_init(13);
        bool is_second;

        pair->client.config.has_no_compat = without;
        tls_pair_start(pair);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        NP_CHECK_INT(count_ccs(&pair->client, &is_second), 0);
        tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
        pair->client.out_len = 0;
        tls_end_flush(&pair->server, TLS_PAIR_CAP);
        NP_CHECK_INT(count_ccs(&pair->server, &is_second), !without);
        NP_CHECK_INT(is_second, !without);
        tls_end_receive(&pair->client, pair->server.out, pair->server.out_len);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        NP_CHECK_INT(count_ccs(&pair->client, &is_second), !without);
        NP_CHECK_INT(pair->client.out[0], without ? NP_TLS_DATA : NP_TLS_CCS);
    }
}

/* ---- our own failures ------------------------------------------------------------------------ */

static uint32_t fills_left;

static enum np_err failing_random(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    if (fills_left == 0) {
        return NP_ERR_IO;
    }
    fills_left--;
    memset(buf, 0x42, len);
    return NP_OK;
}

NP_TEST(tls_forge, no_entropy)
{
    for (uint32_t fills = 0; fills < 4; fills++) {
        struct tls_pair *pair = tls_pair_init(7);
        enum np_err err;

        fills_left = fills;
        pair->client.config.random.fill = failing_random;
        err =
            np_tls_start(&pair->client.tls, NP_TLS_CLIENT, &pair->client.config, &pair->client.hs);
        NP_CHECK_INT(err, fills < 3 ? NP_ERR_IO : NP_OK);
        NP_CHECK(fills == 3 || np_tls_recv(&pair->client.tls, NULL, 0).event == NP_TLS_ERROR);
    }
    for (uint32_t fills = 0; fills < 2; fills++) {
        struct tls_pair *pair = tls_pair_init(8);

        fills_left = fills;
        pair->server.config.random.fill = failing_random;
        tls_pair_start(pair);
        tls_pair_run(pair, TLS_PAIR_CAP);
        NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_INTERNAL);
        NP_CHECK_INT(np_tls_peer_alert(&pair->client.tls), NP_TLS_ALERT_INTERNAL_ERROR);
        np_tls_deinit(&pair->server.tls);
        NP_CHECK_INT(pair->cred.users, 0);
    }
}

NP_TEST(tls_forge, key_that_cannot_sign)
{
    struct tls_pair *pair = tls_pair_init(9);

    pair->cred.key = NULL;
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_INTERNAL);
    NP_CHECK_INT(np_tls_peer_alert(&pair->client.tls), NP_TLS_ALERT_INTERNAL_ERROR);
}

/* ---- names and PSKs in hellos ---------------------------------------------------------------- */

NP_TEST(tls_forge, server_name_only_for_names)
{
    static const struct {
        const char *name;
        uint16_t len; /* of what is sent, 0 = no extension */
    } rows[] = {{NULL, 0},           {"", 0},
                {"192.0.2.7", 0},    {"2001:db8::1", 0},
                {"example.org", 11}, {"example.org.", 11},
                {"localhost", 9}};
    static struct hello hello;

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_pair *pair = tls_pair_init(10);
        bool has_name = false;

        np_test_context("row %u", i);
        pair->client.config.server_name = rows[i].name;
        tls_pair_start(pair);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        tls_hello_split(&hello, pair->client.out);
        for (uint32_t n = 0; n < hello.count; n++) {
            has_name |= hello.exts[n].type == 0;
        }
        NP_CHECK_INT(has_name, rows[i].len > 0);
        if (has_name && rows[i].len > 0) {
            NP_CHECK_INT(hello.exts[tls_hello_find(&hello, 0)].len, rows[i].len + 5);
            NP_CHECK_MEM(hello.exts[tls_hello_find(&hello, 0)].body + 5, rows[i].name, rows[i].len);
        }
    }
}

/* One change to a hello with a PSK. */
NP_TEST(tls_forge, psk_extensions)
{
    static struct hello hello;
    static const enum np_tls_reason expected[] = {
        NP_TLS_FINE,   NP_TLS_MISSING_EXTENSION, NP_TLS_ILLEGAL, NP_TLS_ILLEGAL, NP_TLS_ILLEGAL,
        NP_TLS_DECODE, NP_TLS_PSK_BINDER,        NP_TLS_NO_AUTH};

    for (uint32_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct tls_pair *pair = tls_pair_init(11);
        uint8_t rec[2048];
        uint32_t at;

        np_test_context("change %u", i);
        pair->client.config.psks = pair->server.config.psks = &pair->psk;
        pair->client.config.psk_count = pair->server.config.psk_count = 1;
        pair->client.config.psk_modes = pair->server.config.psk_modes = NP_TLS_PSK_DHE_KE;
        pair->client.config.trust = NULL;
        pair->server.config.cred = NULL;
        tls_pair_start(pair);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        tls_hello_split(&hello, pair->client.out);
        at = tls_hello_find(&hello, 41);
        switch (i) {
        case 1:
            tls_hello_drop(&hello, 45);
            break;
        case 2:
            tls_hello_add(&hello, 0x4444, "", 0); /* the PSK is not last */
            break;
        case 3: /* an identity more than binders */
            memmove(hello.exts[at].body + 2 + 7, hello.exts[at].body + 2, hello.exts[at].len - 2u);
            memcpy(hello.exts[at].body + 2, "\0\1x\0\0\0\0", 7);
            tls_put16(hello.exts[at].body, 21 + 7);
            hello.exts[at].len = (uint16_t)(hello.exts[at].len + 7);
            break;
        case 4: /* an empty identity */
            tls_put16(hello.exts[at].body + 2, 0);
            break;
        case 5:
            hello.exts[at].len--;
            break;
        case 6:
            hello.exts[at].body[hello.exts[at].len - 1] ^= 1;
            break;
        case 7:
            tls_hello_set(&hello, 45, "\1\0", 2); /* psk_ke alone, which the server does not take */
            break;
        default:
            break;
        }
        tls_end_receive(&pair->server, rec, tls_hello_join(&hello, rec));
        NP_CHECK_INT(np_tls_reason(&pair->server.tls), expected[i]);
    }
}
