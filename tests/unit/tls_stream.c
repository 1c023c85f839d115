/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream after the handshake: closing, KeyUpdate, sizes, and what a bad peer sends. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_pair.h"

static uint8_t payload[NP_TLS_PLAIN_MAX + 1];

static struct tls_pair *open_pair(uint64_t seed)
{
    struct tls_pair *pair = tls_pair_init(seed);

    tls_pair_open(pair);
    return pair;
}

static void deliver(struct tls_pair *pair)
{
    tls_pair_run(pair, TLS_PAIR_CAP);
}

NP_TEST(tls_stream, one_payload_one_record)
{
    struct tls_pair *pair = open_pair(1);
    static const uint32_t lens[] = {0, 1, 1400, 0, NP_TLS_PLAIN_MAX};

    memset(payload, 'x', sizeof(payload));
    for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint32_t before = pair->server.data_len;
        NP_CHECK_INT(tls_end_send(&pair->client, payload, lens[i], 0), lens[i] + NP_TLS_OVERHEAD);
        deliver(pair);
        NP_CHECK_INT(pair->server.record_count, i + 1);
        NP_CHECK_INT(pair->server.data_len - before, lens[i]);
    }
    NP_CHECK_INT(tls_end_send(&pair->client, payload, NP_TLS_PLAIN_MAX + 1, 0), NP_ERR_TOO_LONG);
    NP_CHECK_INT(tls_end_send(&pair->client, payload, 1, NP_TLS_PLAIN_MAX), NP_ERR_TOO_LONG);
}

/* Datagrams may be empty for ever: they are data, not idleness. */
NP_TEST(tls_stream, many_empty_records)
{
    struct tls_pair *pair = open_pair(2);

    for (int i = 0; i < 500; i++) {
        NP_CHECK(tls_end_send(&pair->client, payload, 0, 0) > 0);
    }
    deliver(pair);
    NP_CHECK_INT(pair->server.record_count, 500);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
}

NP_TEST(tls_stream, half_close)
{
    struct tls_pair *pair = open_pair(3);

    tls_end_send(&pair->client, "last words", 10, 0);
    np_tls_close_write(&pair->client.tls);
    np_tls_close_write(&pair->client.tls);
    NP_CHECK_INT(tls_end_send(&pair->client, "x", 1, 0), NP_ERR_STATE);
    deliver(pair);
    NP_CHECK_INT(pair->server.data_len, 10);
    NP_CHECK_INT(pair->server.last, NP_TLS_EOF);
    NP_CHECK(np_tls_is_read_closed(&pair->server.tls));
    NP_CHECK(np_tls_is_write_closed(&pair->client.tls));
    NP_CHECK(!np_tls_is_write_closed(&pair->server.tls));
    for (int i = 0; i < 3; i++) { /* the other direction goes on */
        NP_CHECK(tls_end_send(&pair->server, "more", 4, 0) > 0);
        deliver(pair);
    }
    NP_CHECK_INT(pair->client.data_len, 12);
    np_tls_key_update(&pair->server.tls, true); /* we can't answer any more, and need not */
    tls_end_send(&pair->server, "more", 4, 0);
    deliver(pair);
    NP_CHECK_INT(pair->client.data_len, 16);
    np_tls_close_write(&pair->server.tls);
    deliver(pair);
    NP_CHECK_INT(pair->client.last, NP_TLS_EOF);
    NP_CHECK_INT(np_tls_recv_end(&pair->client.tls, 0), NP_TLS_EOF);
    NP_CHECK(!np_tls_is_truncated(&pair->client.tls));
}

NP_TEST(tls_stream, end_without_close_notify)
{
    struct tls_pair *pair = open_pair(4);

    NP_CHECK_INT(np_tls_recv_end(&pair->client.tls, 0), NP_TLS_EOF);
    NP_CHECK(np_tls_is_truncated(&pair->client.tls));
    NP_CHECK(np_tls_is_open(&pair->client.tls)); /* our direction still is */
    pair = open_pair(5);
    tls_end_send(&pair->server, "cut", 3, 0);
    tls_end_receive(&pair->client, pair->server.out, pair->server.out_len - 1);
    NP_CHECK_INT(pair->client.last, NP_TLS_NEED);
    NP_CHECK_INT(np_tls_recv_end(&pair->client.tls, pair->client.in_len), NP_TLS_ERROR);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_TRUNCATED);
    NP_CHECK_INT(pair->client.data_len, 0);
}

/* need is exact: one byte less is never enough, and nothing is used. */
NP_TEST(tls_stream, need_is_exact)
{
    struct tls_pair *pair = open_pair(6);
    struct np_tls_input input;
    uint8_t copy[256];
    uint32_t len = (uint32_t)tls_end_send(&pair->server, payload, 100, 0);

    for (uint32_t have = 0; have < len; have++) {
        memcpy(copy, pair->server.out, len);
        input = np_tls_recv(&pair->client.tls, copy, have);
        NP_CHECK_INT(input.event, NP_TLS_NEED);
        NP_CHECK_INT(input.used, 0);
        NP_CHECK_INT(input.need, have < 5 ? 5 : len);
        NP_CHECK_MEM(copy, pair->server.out, len);
    }
    input = np_tls_recv(&pair->client.tls, copy, len);
    NP_CHECK_INT(input.event, NP_TLS_RECEIVED);
    NP_CHECK_INT(input.used, len);
    NP_CHECK(input.data > copy && input.data + input.len < copy + len);
}

/* ---- KeyUpdate ------------------------------------------------------------------------------- */

NP_TEST(tls_stream, key_update_both_ways)
{
    struct tls_pair *pair = open_pair(7);

    for (uint32_t i = 0; i < 40; i++) {
        struct tls_end *from = i % 2 ? &pair->server : &pair->client;
        uint8_t before[32];
        memcpy(before, from->tls.tx.key, sizeof(before));
        np_tls_key_update(&from->tls, i % 3 == 0);
        NP_CHECK(np_tls_has_pending(&from->tls));
        NP_CHECK_INT(np_tls_seal(&from->tls, payload, 0, 0), NP_ERR_AGAIN);
        deliver(pair);
        NP_CHECK(memcmp(before, from->tls.tx.key, 16) != 0);
        NP_CHECK_MEM(pair->client.tls.tx.key, pair->server.tls.rx.key, 32);
        NP_CHECK_MEM(pair->client.tls.rx.key, pair->server.tls.tx.key, 32);
        NP_CHECK(tls_end_send(&pair->client, "ping", 4, 0) > 0);
        NP_CHECK(tls_end_send(&pair->server, "pong", 4, 0) > 0);
        deliver(pair);
        NP_CHECK_INT(pair->server.data_len, 4 * (i + 1));
        NP_CHECK_INT(pair->client.data_len, 4 * (i + 1));
    }
}

NP_TEST(tls_stream, key_update_after_many_records)
{
    struct tls_pair *pair = open_pair(8);

    pair->client.tls.tx.sequence = NP_TLS_KEY_RECORDS - 1;
    pair->server.tls.rx.sequence = NP_TLS_KEY_RECORDS - 1;
    NP_CHECK(tls_end_send(&pair->client, "last", 4, 0) > 0);
    NP_CHECK(np_tls_has_pending(&pair->client.tls)); /* told before somebody takes more bytes */
    NP_CHECK_INT(np_tls_seal(&pair->client.tls, payload, 4, 0), NP_ERR_AGAIN);
    NP_CHECK(tls_end_send(&pair->client, "next", 4, 0) > 0);
    deliver(pair);
    NP_CHECK_INT(pair->server.data_len, 8);
    NP_CHECK_INT(pair->client.tls.tx.sequence, 1);
}

/* What a record of handshake type may hold after the handshake, and what becomes of the rest. */
static void check_forged(const void *content, uint32_t len, bool to_client,
                         enum np_tls_reason expected)
{
    struct tls_pair *pair = open_pair(9);
    struct tls_end *from = to_client ? &pair->server : &pair->client;
    struct tls_end *to = to_client ? &pair->client : &pair->server;

    tls_end_forge(from, NP_TLS_HANDSHAKE, content, len);
    if (expected == NP_TLS_FINE && ((const uint8_t *)content)[0] == 24) {
        np_tls_keys_update(&from->tls.tx);
    }
    tls_end_send(from, "after", 5, 0);
    deliver(pair);
    NP_CHECK_INT(np_tls_reason(&to->tls), expected);
    NP_CHECK_INT(to->data_len, expected == NP_TLS_FINE ? 5 : 0);
    NP_CHECK_INT(np_tls_reason(&from->tls),
                 expected == NP_TLS_FINE ? NP_TLS_FINE : NP_TLS_PEER_ALERT);
}

NP_TEST(tls_stream, messages_after_the_handshake)
{
    static const uint8_t update[] = {24, 0, 0, 1, 0}, asks[] = {24, 0, 0, 1, 1};
    static const uint8_t bad_value[] = {24, 0, 0, 1, 2}, bad_len[] = {24, 0, 0, 2, 0, 0};
    static const uint8_t twice[] = {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, empty[] = {24, 0, 0, 0};
    static const uint8_t ticket[] = {4, 0, 0, 3, 1, 2, 3}, request[] = {13, 0, 0, 3, 0, 0, 0};
    static const uint8_t hello[] = {1, 0, 0, 1, 0}, finished[] = {20, 0, 0, 1, 0};
    static const uint8_t huge[] = {4, 1, 0, 0, 0}, part[] = {4, 0, 0, 9, 1};

    for (int to_client = 0; to_client < 2; to_client++) {
        check_forged(update, sizeof(update), to_client, NP_TLS_FINE);
        check_forged(asks, sizeof(asks), to_client, NP_TLS_FINE);
        check_forged(bad_value, sizeof(bad_value), to_client, NP_TLS_ILLEGAL);
        check_forged(bad_len, sizeof(bad_len), to_client, NP_TLS_DECODE);
        check_forged(empty, sizeof(empty), to_client, NP_TLS_DECODE);
        check_forged(twice, sizeof(twice), to_client, NP_TLS_KEY_CHANGE);
        check_forged(hello, sizeof(hello), to_client, NP_TLS_UNEXPECTED);
        check_forged(finished, sizeof(finished), to_client, NP_TLS_UNEXPECTED);
        check_forged(request, sizeof(request), to_client, NP_TLS_UNEXPECTED);
        check_forged("", 0, to_client, NP_TLS_UNEXPECTED); /* an empty record of its type */
    }
    check_forged(ticket, sizeof(ticket), true, NP_TLS_FINE);
    check_forged(ticket, sizeof(ticket), false, NP_TLS_UNEXPECTED);
    check_forged(huge, sizeof(huge), true, NP_TLS_MESSAGE_TOO_LONG);
    check_forged(part, sizeof(part), true, NP_TLS_UNEXPECTED); /* data inside a message */
    check_forged(part, 2, true, NP_TLS_UNEXPECTED);
}

NP_TEST(tls_stream, no_progress_is_bounded)
{
    static const uint8_t ticket[] = {4, 0, 0, 3, 1, 2, 3};
    struct tls_pair *pair = open_pair(10);

    for (uint32_t round = 0; round < 3; round++) { /* data in between starts the count anew */
        for (uint32_t i = 0; i < NP_TLS_IDLE_RECORDS; i++) {
            tls_end_forge(&pair->server, NP_TLS_HANDSHAKE, ticket, sizeof(ticket));
        }
        tls_end_send(&pair->server, "x", 1, 0);
        deliver(pair);
        NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINE);
    }
    for (uint32_t i = 0; i <= NP_TLS_IDLE_RECORDS; i++) {
        tls_end_forge(&pair->server, NP_TLS_HANDSHAKE, ticket, sizeof(ticket));
    }
    deliver(pair);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_NO_PROGRESS);
}

/* A peer that only receives answers each of our requests for new keys, and has no data to send. */
NP_TEST(tls_stream, answers_are_no_idleness)
{
    struct tls_pair *pair = open_pair(11);

    for (uint32_t i = 0; i < 5 * NP_TLS_IDLE_RECORDS; i++) {
        np_tls_key_update(&pair->client.tls, true);
        if (i % 2 == 0) {
            tls_end_send(&pair->client, "x", 1, 0);
        }
        deliver(pair);
    }
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINE);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
    for (uint32_t i = 0; i < 2 * NP_TLS_IDLE_RECORDS; i++) { /* the answers come all at once */
        tls_end_send(&pair->client, "x", 1, 0);
        np_tls_key_update(&pair->client.tls, true);
        tls_end_flush(&pair->client, TLS_PAIR_CAP);
        tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
        tls_end_flush(&pair->server, TLS_PAIR_CAP);
        pair->client.out_len = 0;
    }
    deliver(pair);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINE);
}

/* Requests for new keys without end do not keep both sides busy. */
NP_TEST(tls_stream, requests_are_bounded)
{
    static const uint8_t asks[] = {24, 0, 0, 1, 1};
    struct tls_pair *pair = open_pair(12);

    for (uint32_t i = 0; i <= NP_TLS_IDLE_RECORDS; i++) {
        tls_end_forge(&pair->client, NP_TLS_HANDSHAKE, asks, sizeof(asks));
        np_tls_keys_update(&pair->client.tls.tx);
        deliver(pair);
    }
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_NO_PROGRESS);
}

/* ---- alerts and odd records ------------------------------------------------------------------ */

NP_TEST(tls_stream, alerts)
{
    static const struct {
        uint8_t content[3];
        uint32_t len;
        enum np_tls_reason reason;
        enum np_tls_event last;
    } rows[] = {
        {{1, 0}, 2, NP_TLS_FINE, NP_TLS_EOF},
        {{2, 0}, 2, NP_TLS_FINE, NP_TLS_EOF}, /* the level says nothing in TLS 1.3 */
        {{1, 90}, 2, NP_TLS_FINE, NP_TLS_NEED},
        {{2, 40}, 2, NP_TLS_PEER_ALERT, NP_TLS_ERROR},
        {{1, 40}, 2, NP_TLS_PEER_ALERT, NP_TLS_ERROR},
        {{2}, 1, NP_TLS_DECODE, NP_TLS_ERROR},
        {{1, 0, 0}, 3, NP_TLS_DECODE, NP_TLS_ERROR},
        {{0}, 0, NP_TLS_DECODE, NP_TLS_ERROR},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_pair *pair = open_pair(20 + i);
        np_test_context("row %u", i);
        tls_end_forge(&pair->client, NP_TLS_ALERT, rows[i].content, rows[i].len);
        deliver(pair);
        NP_CHECK_INT(np_tls_reason(&pair->server.tls), rows[i].reason);
        NP_CHECK_INT(pair->server.last, rows[i].last);
        NP_CHECK_INT(np_tls_peer_alert(&pair->server.tls),
                     rows[i].reason == NP_TLS_PEER_ALERT ? rows[i].content[1] : -1);
    }
}

/* Records as they stand on the wire, in front of a working connection. */
static void check_raw(const void *bytes, uint32_t len, enum np_tls_reason expected)
{
    struct tls_pair *pair = open_pair(30);

    tls_end_receive(&pair->server, bytes, len);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), expected);
    tls_end_flush(&pair->server, TLS_PAIR_CAP);
    tls_end_receive(&pair->client, pair->server.out, pair->server.out_len);
    NP_CHECK_INT(np_tls_peer_alert(&pair->client.tls), np_tls_reason_alert(expected));
}

NP_TEST(tls_stream, odd_records)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1}, plain_alert[] = {21, 3, 3, 0, 2, 2, 40};
    static const uint8_t plain[] = {22, 3, 3, 0, 4, 1, 0, 0, 0}, heartbeat[] = {24, 3, 3, 0, 1, 1};
    static const uint8_t no_type[] = {0, 3, 3, 0, 1}, too_long[] = {23, 3, 3, 0x41, 0x01};
    static const uint8_t empty[] = {23, 3, 3, 0, 0}, tiny[] = {23, 3, 3, 0, 16};
    uint8_t full[5 + 16] = {23, 3, 3, 0, 16};

    check_raw(ccs, sizeof(ccs), NP_TLS_UNEXPECTED); /* after Finished */
    check_raw(plain_alert, sizeof(plain_alert), NP_TLS_UNEXPECTED);
    check_raw(plain, sizeof(plain), NP_TLS_UNEXPECTED);
    check_raw(heartbeat, sizeof(heartbeat), NP_TLS_UNEXPECTED);
    check_raw(no_type, sizeof(no_type), NP_TLS_UNEXPECTED);
    check_raw(too_long, sizeof(too_long), NP_TLS_RECORD_TOO_LONG); /* refused by its header */
    check_raw(empty, sizeof(empty), NP_TLS_BAD_MAC);
    NP_CHECK_INT(sizeof(tiny), 5);
    check_raw(full, sizeof(full), NP_TLS_BAD_MAC);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

NP_TEST(tls_stream, record_size_limit)
{
    static const uint16_t limits[] = {64, 65, 512, 16384, 16385};

    for (uint32_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        for (int of_client = 0; of_client < 2; of_client++) {
            struct tls_pair *pair = tls_pair_init(40 + i);
            struct tls_end *small = of_client ? &pair->client : &pair->server;
            struct tls_end *other = of_client ? &pair->server : &pair->client;

            np_test_context("limit %u of %s", limits[i], of_client ? "client" : "server");
            other->config.record_limit = 16385; /* knows the extension */
            small->config.record_limit = limits[i];
            if (!tls_pair_open(pair)) {
                continue;
            }
            NP_CHECK_INT(np_tls_seal_max(&other->tls), limits[i] - 1);
            NP_CHECK_INT(np_tls_seal_max(&small->tls), 16384);
            NP_CHECK_INT(np_tls_need_max(&small->tls), limits[i] + 16 + 5);
            NP_CHECK_INT(tls_end_send(other, payload, limits[i], 0), NP_ERR_TOO_LONG);
            NP_CHECK_INT(tls_end_send(other, payload, 10, limits[i] - 10u), NP_ERR_TOO_LONG);
            NP_CHECK(tls_end_send(other, payload, limits[i] - 1u, 0) > 0);
            NP_CHECK(tls_end_send(other, payload, 10, limits[i] - 11u) > 0);
            deliver(pair);
            NP_CHECK_INT(small->data_len, limits[i] - 1 + 10);
            if (limits[i] < 16384) { /* a peer that breaks its word */
                tls_end_forge(other, NP_TLS_DATA, payload, limits[i]);
                deliver(pair);
                NP_CHECK_INT(np_tls_reason(&small->tls), NP_TLS_RECORD_TOO_LONG);
            }
        }
    }
}

/* The server's flight obeys the client's limit as well. */
NP_TEST(tls_stream, record_size_limit_in_the_handshake)
{
    struct tls_pair *pair = tls_pair_init(50);
    uint32_t at = 0, longest = 0;

    pair->client.config.record_limit = 64;
    tls_pair_start(pair);
    tls_end_flush(&pair->client, TLS_PAIR_CAP);
    tls_end_receive(&pair->server, pair->client.out, pair->client.out_len);
    tls_end_flush(&pair->server, TLS_PAIR_CAP);
    while (at < pair->server.out_len) {
        uint8_t *rec = pair->server.out + at;
        uint32_t len = (uint32_t)rec[3] << 8 | rec[4];
        longest = rec[0] == NP_TLS_DATA && len > longest ? len : longest;
        at += 5 + len;
    }
    NP_CHECK_INT(at, pair->server.out_len);
    NP_CHECK(longest > 16 && longest <= 64 + 16);
}

/* ---- states ---------------------------------------------------------------------------------- */

NP_TEST(tls_stream, calls_before_open)
{
    struct tls_pair *pair = tls_pair_init(60);

    tls_pair_start(pair);
    NP_CHECK_INT(np_tls_seal(&pair->client.tls, payload, 1, 0), NP_ERR_STATE);
    np_tls_key_update(&pair->client.tls, true);
    NP_CHECK(np_tls_detach(&pair->client.tls) == NULL);
    NP_CHECK_STR(np_tls_suite_name(&pair->client.tls), "");
    NP_CHECK_INT(np_tls_recv(&pair->client.tls, payload, 0).event, NP_TLS_FLUSH);
    NP_CHECK_INT(np_tls_recv(&pair->server.tls, payload, 0).need, 5);
    NP_CHECK_INT(np_tls_pending(&pair->client.tls, payload, NP_TLS_PENDING_MIN - 1), 0);
    NP_CHECK(np_tls_has_pending(&pair->client.tls) && !np_tls_has_pending(&pair->server.tls));
    np_tls_close_write(&pair->client.tls);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_CLOSED);
    NP_CHECK(np_tls_deinit(&pair->client.tls) == &pair->client.hs);
    NP_CHECK(np_tls_deinit(&pair->client.tls) == NULL);
}

/* Deinit leaves no secret in the connection nor in the scratch. */
NP_TEST(tls_stream, wiped)
{
    struct tls_pair *pair = open_pair(61);
    const uint8_t *bytes = (const uint8_t *)&pair->client.hs;
    uint32_t any = 0;

    np_tls_detach(&pair->client.tls);
    for (uint32_t i = 0; i < sizeof(pair->client.hs); i++) {
        any |= bytes[i];
    }
    NP_CHECK_INT(any, 0);
    np_tls_deinit(&pair->client.tls);
    bytes = (const uint8_t *)&pair->client.tls.rx;
    for (uint32_t i = 0; i < 2 * sizeof(struct np_tls_keys); i++) {
        any |= bytes[i];
    }
    NP_CHECK_INT(any, 0);
    NP_CHECK_INT(pair->cred.users, 1); /* the server's handshake still holds it */
    np_tls_deinit(&pair->server.tls);
    NP_CHECK_INT(pair->cred.users, 0);
}

NP_TEST(tls_stream, useless_configurations)
{
    struct tls_pair *pair = tls_pair_init(62);

    pair->client.config.trust = NULL;
    NP_CHECK_INT(
        np_tls_start(&pair->client.tls, NP_TLS_CLIENT, &pair->client.config, &pair->client.hs),
        NP_ERR_INVALID);
    NP_CHECK_INT(pair->client.tls.state, NP_TLS_FAILED);
    pair->server.config.cred = NULL;
    NP_CHECK_INT(
        np_tls_start(&pair->server.tls, NP_TLS_SERVER, &pair->server.config, &pair->server.hs),
        NP_ERR_INVALID);
    pair->server.config.cred = &pair->cred;
    pair->server.config.record_limit = 63;
    NP_CHECK_INT(
        np_tls_start(&pair->server.tls, NP_TLS_SERVER, &pair->server.config, &pair->server.hs),
        NP_ERR_INVALID);
}
