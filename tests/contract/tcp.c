/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp: listening, connecting, bytes through peek, consume, recv, send and sendv, readiness. */
#include <string.h>

#include "tests/contract/contract.h"

/* ---- listening and connecting ---------------------------------------------------------------- */

static void listen_errors(struct np_plat *plat)
{
    uint16_t port;
    uint32_t extra, listener = open_listener(plat, &port);
    struct np_addr same = loopback4(port);
    struct np_addr foreign = {.family = NP_FAMILY_IP4, .ip = {192, 0, 2, 77}};
    CHECK(port != 0);
    CHECK_INT(np_plat_tcp_listen(plat, &same, 0, &extra), NP_ERR_ADDR_IN_USE);
    CHECK_INT(np_plat_tcp_listen(plat, &foreign, 0, &extra), NP_ERR_ADDR_NOT_LOCAL);
    np_plat_close(plat, listener);
    CHECK_INT(np_plat_tcp_listen(plat, &same, 0, &listener), NP_OK); /* free again at once */
    np_plat_close(plat, listener);
}

static void addresses_match(struct np_plat *plat)
{
    struct pair pair;
    struct np_addr of_a, of_b, at;
    if (open_pair(plat, &pair)) {
        CHECK_INT(np_plat_local(plat, pair.listener, &at), NP_OK);
        CHECK_INT(np_plat_local(plat, pair.a, &of_a), NP_OK);
        CHECK_INT(np_plat_peer(plat, pair.b, &of_b), NP_OK);
        CHECK(np_addr_is_equal(&of_a, &of_b));
        CHECK_INT(np_plat_peer(plat, pair.a, &of_a), NP_OK);
        CHECK_INT(np_plat_local(plat, pair.b, &of_b), NP_OK);
        CHECK(np_addr_is_equal(&of_a, &of_b) && np_addr_is_equal(&of_a, &at));
    }
    close_pair(plat, &pair);
}

/* A listener on everything takes both families and shows IPv4 as IPv4. */
static void listen_on_everything(struct np_plat *plat)
{
    struct np_addr any = {.family = NP_FAMILY_NONE}, at, peer;
    struct np_addr targets[2];
    uint32_t listener;
    CHECK_INT(np_plat_tcp_listen(plat, &any, 0, &listener), NP_OK);
    CHECK_INT(np_plat_local(plat, listener, &at), NP_OK);
    np_plat_interest(plat, listener, NP_EV_READ);
    targets[0] = loopback4(at.port);
    targets[1] = loopback6(at.port);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t a, b;
        CHECK_INT(np_plat_tcp_connect(plat, NULL, &targets[i], 0, &a), NP_OK);
        CHECK(wait_event(plat, listener, NP_EV_READ, LONG_MS) != 0);
        if (CHECK_INT(np_plat_tcp_accept(plat, listener, 0, &b, &peer), NP_OK)) {
            CHECK_INT(peer.family, targets[i].family);
            CHECK(np_addr_is_same_host(&peer, &targets[i]));
            CHECK_INT(np_plat_local(plat, b, &at), NP_OK);
            CHECK(np_addr_is_equal(&at, &targets[i]));
            np_plat_tcp_close(plat, b);
        }
        np_plat_tcp_close(plat, a);
    }
    CHECK_INT(np_plat_tcp_accept(plat, listener, 0, &(uint32_t){0}, &peer), NP_ERR_AGAIN);
    np_plat_close(plat, listener);
}

static void connect_with_source(struct np_plat *plat)
{
    uint16_t port;
    uint32_t a, b, listener = open_listener(plat, &port);
    struct np_addr to = loopback4(port), peer;
    struct np_addr source = {.family = NP_FAMILY_IP4, .ip = {127, 0, 0, 9}};
    struct np_addr foreign = {.family = NP_FAMILY_IP4, .ip = {192, 0, 2, 77}};
    CHECK_INT(np_plat_tcp_connect(plat, &source, &to, 0, &a), NP_OK);
    CHECK(wait_event(plat, listener, NP_EV_READ, LONG_MS) != 0);
    if (CHECK_INT(np_plat_tcp_accept(plat, listener, 0, &b, &peer), NP_OK)) {
        CHECK(np_addr_is_same_host(&peer, &source));
        np_plat_tcp_close(plat, b);
    }
    np_plat_tcp_close(plat, a);
    CHECK_INT(np_plat_tcp_connect(plat, &foreign, &to, 0, &a), NP_ERR_ADDR_NOT_LOCAL);
    np_plat_close(plat, listener);
}

/* Connects to a port nobody listens on; `interest` while it waits. */
static void connect_refused_with(struct np_plat *plat, uint32_t interest)
{
    uint16_t port;
    uint8_t byte = 0;
    const uint8_t *span;
    uint32_t a, listener = open_listener(plat, &port);
    struct np_addr to = loopback4(port);
    np_plat_close(plat, listener);
    if (!CHECK_INT(np_plat_tcp_connect(plat, NULL, &to, TAG_A, &a), NP_OK)) {
        return;
    }
    np_plat_interest(plat, a, interest);
    uint32_t flags = wait_event(plat, a, NP_EV_WRITE | NP_EV_ERROR, LONG_MS);
    CHECK((flags & NP_EV_ERROR) != 0);
    CHECK_INT(np_plat_tcp_connect_result(plat, a), NP_ERR_REFUSED);
    CHECK_INT(np_plat_tcp_connect_result(plat, a), NP_ERR_REFUSED);
    CHECK_INT(np_plat_tcp_peek(plat, a, &span), NP_ERR_REFUSED);
    CHECK_INT(np_plat_tcp_recv(plat, a, &byte, 1), NP_ERR_REFUSED);
    CHECK_INT(np_plat_tcp_send(plat, a, &byte, 1), NP_ERR_REFUSED);
    np_plat_tcp_close(plat, a);
}

static void connect_refused(struct np_plat *plat)
{
    connect_refused_with(plat, NP_EV_WRITE);
    connect_refused_with(plat, NP_EV_READ | NP_EV_WRITE);
    connect_refused_with(plat, 0); /* ERROR needs no interest */
}

/* Asked without any event, before and after the decision. */
static void connect_result_polled(struct np_plat *plat)
{
    uint16_t port;
    uint32_t a, b, listener = open_listener(plat, &port);
    struct np_addr to = loopback4(port), peer;
    CHECK_INT(np_plat_tcp_connect(plat, NULL, &to, TAG_A, &a), NP_OK);
    enum np_err result = np_plat_tcp_connect_result(plat, a);
    CHECK(result == NP_OK || result == NP_ERR_AGAIN);
    let_pass(plat, SHORT_MS);
    CHECK_INT(np_plat_tcp_connect_result(plat, a), NP_OK);
    CHECK_INT(np_plat_tcp_connect_result(plat, a), NP_OK);
    CHECK_INT(np_plat_tcp_accept(plat, listener, 0, &b, &peer), NP_OK);
    np_plat_tcp_close(plat, b);
    np_plat_tcp_close(plat, a);
    np_plat_close(plat, listener);
}

/* ---- readiness ------------------------------------------------------------------------------- */

static void would_block(struct np_plat *plat)
{
    struct pair pair;
    const uint8_t *span;
    uint8_t byte;
    if (open_pair(plat, &pair)) {
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), NP_ERR_AGAIN);
        CHECK_INT(np_plat_tcp_recv(plat, pair.b, &byte, 1), NP_ERR_AGAIN);
        np_plat_interest(plat, pair.a, NP_EV_READ);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(is_silent(plat, pair.a) && is_silent(plat, pair.b));
    }
    close_pair(plat, &pair);
}

static void read_is_level_triggered(struct np_plat *plat)
{
    struct pair pair;
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 1, 0, 10);
        CHECK(is_silent(plat, pair.b)); /* no interest yet */
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ);
        uint8_t buf[16];
        CHECK_INT(np_plat_tcp_recv(plat, pair.b, buf, 4), 4);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ);
        np_plat_interest(plat, pair.b, 0);
        CHECK(is_silent(plat, pair.b));
        np_plat_interest(plat, pair.b, NP_EV_READ | NP_EV_WRITE);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ | NP_EV_WRITE);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK_INT(np_plat_tcp_recv(plat, pair.b, buf, 16), 6);
        CHECK(is_filled(buf, 1, 4, 6));
        CHECK(is_silent(plat, pair.b));
    }
    close_pair(plat, &pair);
}

static void write_follows_room(struct np_plat *plat)
{
    struct pair pair;
    uint8_t buf[4096];
    uint64_t given = 0, taken = 0;
    if (open_pair(plat, &pair)) {
        np_plat_interest(plat, pair.a, NP_EV_WRITE);
        CHECK_INT(wait_event(plat, pair.a, NP_EV_WRITE, LONG_MS), NP_EV_WRITE);
        for (uint32_t quiet = 0;
             quiet < 2;) { /* until nothing fits, also after the flight landed */
            fill(buf, 9, given, sizeof(buf));
            int32_t n = np_plat_tcp_send(plat, pair.a, buf, sizeof(buf));
            CHECK(n > 0 || n == NP_ERR_AGAIN);
            given += n > 0 ? (uint32_t)n : 0;
            quiet = n > 0 ? 0 : quiet + 1;
            if (n <= 0) {
                let_pass(plat, SHORT_MS);
            }
        }
        CHECK(is_silent(plat, pair.a));
        CHECK(recv_all(plat, pair.b, 9, 0, (uint32_t)given));
        taken += given;
        CHECK_INT(wait_event(plat, pair.a, NP_EV_WRITE, LONG_MS), NP_EV_WRITE);
        CHECK(send_all(plat, pair.a, 9, taken, 100));
        CHECK(recv_all(plat, pair.b, 9, taken, 100));
    }
    close_pair(plat, &pair);
}

/* ---- peek and consume ------------------------------------------------------------------------ */

static void peek_leaves_a_rest(struct np_plat *plat)
{
    struct pair pair;
    const uint8_t *span;
    uint8_t buf[64];
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 2, 0, 100);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(wait_event(plat, pair.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 100);
        CHECK(is_filled(span, 2, 0, 100));
        np_plat_tcp_consume(plat, pair.b, 0);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 100);
        CHECK(is_filled(span, 2, 0, 100));
        np_plat_tcp_consume(plat, pair.b, 30);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ);
        np_plat_interest(plat, pair.b, 0);
        CHECK(is_silent(plat, pair.b));
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK_INT(wait_event(plat, pair.b, NP_EV_READ, LONG_MS), NP_EV_READ);
        send_all(plat, pair.a, 2, 100, 50); /* comes behind the rest */
        CHECK_INT(np_plat_tcp_recv(plat, pair.b, buf, 20), 20);
        CHECK(is_filled(buf, 2, 30, 20));
        let_pass(plat, SHORT_MS);
        int32_t n = np_plat_tcp_peek(plat, pair.b, &span);
        CHECK(n == 50 || n == 100); /* the rest, or the rest and what came behind it */
        CHECK(is_filled(span, 2, 50, (uint32_t)n));
        np_plat_tcp_consume(plat, pair.b, 50);
        CHECK(recv_all(plat, pair.b, 2, 100, 50));
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(is_silent(plat, pair.b));
    }
    close_pair(plat, &pair);
}

/* The span survives a send, a consume of the same handle and the clock. */
static void span_stays_valid(struct np_plat *plat)
{
    struct pair pair;
    const uint8_t *span;
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 2, 0, 1000);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(wait_event(plat, pair.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 1000);
        CHECK_INT(np_plat_tcp_send(plat, pair.b, span, 1000), 1000);
        (void)np_plat_now_ms(plat);
        CHECK(is_filled(span, 2, 0, 1000));
        np_plat_tcp_consume(plat, pair.b, 500);
        CHECK(is_filled(span, 2, 0, 1000));
        CHECK(recv_all(plat, pair.a, 2, 0, 1000));
        CHECK(recv_all(plat, pair.b, 2, 500, 500));
    }
    close_pair(plat, &pair);
}

#define RESTS 5

/* More handles with a rest than there are buffers: nothing is lost. */
static void more_rests_than_buffers(struct np_plat *plat)
{
    struct pair pairs[RESTS];
    uint16_t port;
    const uint8_t *span;
    uint32_t listener = open_listener(plat, &port);
    for (uint32_t i = 0; i < RESTS; i++) {
        pairs[i].listener = listener;
        open_ends(plat, &pairs[i]);
        send_all(plat, pairs[i].a, i, 0, 3000);
    }
    let_pass(plat, SHORT_MS);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < RESTS; i++) {
            int32_t n = np_plat_tcp_peek(plat, pairs[i].b, &span);
            CHECK_INT(n, 3000 - 100 * (int32_t)round);
            CHECK(is_filled(span, i, 100 * round, (uint32_t)n));
            np_plat_tcp_consume(plat, pairs[i].b, 100);
            np_plat_interest(plat, pairs[i].b, NP_EV_READ);
            CHECK(wait_event(plat, pairs[i].b, NP_EV_READ, LONG_MS) != 0);
        }
    }
    for (uint32_t i = 0; i < RESTS; i++) {
        CHECK(recv_all(plat, pairs[i].b, i, 300, 2700));
        np_plat_tcp_close(plat, pairs[i].a);
        np_plat_tcp_close(plat, pairs[i].b);
    }
    np_plat_close(plat, listener);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void sendv_keeps_order(struct np_plat *plat)
{
    static uint8_t buf[NP_PLAT_SENDV_MAX * 100];
    struct np_span spans[NP_PLAT_SENDV_MAX];
    struct pair pair;
    if (open_pair(plat, &pair)) {
        uint32_t at = 0;
        fill(buf, 6, 0, sizeof(buf));
        for (uint32_t i = 0; i < NP_PLAT_SENDV_MAX; i++) {
            spans[i] = (struct np_span){buf + at, 1 + i % 100};
            at += spans[i].len;
        }
        CHECK_INT(np_plat_tcp_sendv(plat, pair.a, spans, NP_PLAT_SENDV_MAX), at);
        CHECK(recv_all(plat, pair.b, 6, 0, at));
        CHECK_INT(np_plat_tcp_sendv(plat, pair.a, spans, 1), 1);
        CHECK(recv_all(plat, pair.b, 6, 0, 1));
    }
    close_pair(plat, &pair);
}

/* One step of a sender with pieces of all sizes. */
static bool send_some(struct np_plat *plat, uint32_t handle, uint64_t *at, uint64_t end,
                      uint64_t *random)
{
    static uint8_t buf[40000];
    uint32_t len = 1 + below(random, below(random, 2) == 0 ? 100 : sizeof(buf));
    len = end - *at < len ? (uint32_t)(end - *at) : len;
    if (len == 0) {
        return false;
    }
    fill(buf, 12, *at, len);
    int32_t n = np_plat_tcp_send(plat, handle, buf, len);
    CHECK(n > 0 || n == NP_ERR_AGAIN);
    *at += n > 0 ? (uint32_t)n : 0;
    return n > 0;
}

/* One step of a receiver that peeks, takes a part or all, or copies. */
static bool take_some(struct np_plat *plat, uint32_t handle, uint64_t *at, uint64_t *random)
{
    static uint8_t buf[20000];
    const uint8_t *span = buf;
    bool is_copy = below(random, 3) == 0;
    int32_t n = is_copy ? np_plat_tcp_recv(plat, handle, buf, 1 + below(random, sizeof(buf)))
                        : np_plat_tcp_peek(plat, handle, &span);
    if (n < 0) {
        CHECK_INT(n, NP_ERR_AGAIN);
        return false;
    }
    CHECK(is_filled(span, 12, *at, (uint32_t)n));
    uint32_t len = (uint32_t)n;
    if (!is_copy) {
        len = below(random, 2) == 0 ? len : below(random, len + 1);
        np_plat_tcp_consume(plat, handle, len);
    }
    *at += len;
    return true;
}

static void stream_of_all_sizes(struct np_plat *plat)
{
    const uint64_t end = 3000000;
    struct pair pair;
    uint64_t sent = 0, taken = 0, random = 4711;
    struct np_event events[4];
    if (open_pair(plat, &pair)) {
        np_plat_interest(plat, pair.a, NP_EV_WRITE);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        for (uint32_t turns = 0; taken < end && turns < 1000000; turns++) {
            int32_t n = np_plat_poll(plat, events, 4, LONG_MS);
            if (!CHECK(n > 0)) {
                break;
            }
            for (int32_t i = 0; i < n; i++) {
                if (events[i].handle == pair.a) {
                    send_some(plat, pair.a, &sent, end, &random);
                } else {
                    take_some(plat, pair.b, &taken, &random);
                }
            }
            if (sent == end) {
                np_plat_interest(plat, pair.a, 0);
            }
        }
        CHECK_INT(taken, end);
    }
    close_pair(plat, &pair);
}

static void options_do_no_harm(struct np_plat *plat)
{
    struct pair pair;
    uint16_t port;
    pair.listener = open_listener(plat, &port);
    np_plat_tcp_keepalive(plat, pair.listener, 1500);
    if (open_ends(plat, &pair)) {
        np_plat_tcp_keepalive(plat, pair.a, 1);
        np_plat_tcp_keepalive(plat, pair.b, UINT32_MAX);
        np_plat_tcp_user_timeout(plat, pair.a, 5000);
        send_all(plat, pair.a, 1, 0, 100);
        recv_all(plat, pair.b, 1, 0, 100);
        np_plat_tcp_keepalive(plat, pair.a, 0);
        np_plat_tcp_user_timeout(plat, pair.a, 0);
        send_all(plat, pair.b, 2, 0, 100);
        recv_all(plat, pair.a, 2, 0, 100);
    }
    close_pair(plat, &pair);
}

const struct np_contract_test np_contract_tcp[] = {
    {"listen_errors", listen_errors, 0, 0, 0},
    {"listen_on_everything", listen_on_everything, 0, 0, 0},
    {"addresses_match", addresses_match, 0, 0, 0},
    {"connect_with_source", connect_with_source, 0, 0, 0},
    {"connect_refused", connect_refused, 0, 0, 0},
    {"connect_result_polled", connect_result_polled, 0, 0, 0},
    {"would_block", would_block, 0, 0, 0},
    {"read_is_level_triggered", read_is_level_triggered, 0, 0, 0},
    {"write_follows_room", write_follows_room, 0, 0, 0},
    {"peek_leaves_a_rest", peek_leaves_a_rest, 0, 0, 0},
    {"span_stays_valid", span_stays_valid, 0, 0, 0},
    {"more_rests_than_buffers", more_rests_than_buffers, 0, 2, 0},
    {"sendv_keeps_order", sendv_keeps_order, 0, 0, 0},
    {"stream_of_all_sizes", stream_of_all_sizes, 0, 1, 0},
    {"options_do_no_harm", options_do_no_harm, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
