/* SPDX-License-Identifier: BSD-3-Clause */
/* splice: bytes from one connection to another without showing them. The relay under test reads
 * pair `in` and writes pair `out`: in.a -> (in.b splices to out.a) -> out.b. */
#include <string.h>

#include "tests/contract/contract.h"

struct relay {
    struct pair in, out;
    uint64_t taken, given; /* as np_plat_tcp_splice told */
    uint32_t held;
    enum np_err source, sink; /* of the last call */
};

static bool open_relay(struct np_plat *plat, struct relay *relay)
{
    memset(relay, 0, sizeof(*relay));
    bool is_open = open_pair(plat, &relay->in);
    relay->out.listener = relay->in.listener;
    return is_open && open_ends(plat, &relay->out);
}

static void close_relay(struct np_plat *plat, struct relay *relay)
{
    close_pair(plat, &relay->in);
    np_plat_tcp_close(plat, relay->out.a);
    np_plat_tcp_close(plat, relay->out.b);
}

/* One call, with everything that must hold after each. */
static enum np_err step(struct np_plat *plat, struct relay *relay, uint32_t max)
{
    struct np_splice moved;
    enum np_err err = np_plat_tcp_splice(plat, relay->in.b, relay->out.a, max, &moved);
    if (err != NP_OK) {
        return err;
    }
    CHECK(moved.taken <= max);
    relay->taken += moved.taken;
    relay->given += moved.given;
    relay->held = moved.held;
    relay->source = moved.source;
    relay->sink = moved.sink;
    CHECK_INT(relay->taken - relay->given, moved.held);
    CHECK(moved.source != NP_ERR_EOF || moved.held == 0);
    CHECK(moved.sink != NP_OK || moved.held == 0); /* else nobody waits for room */
    return NP_OK;
}

/* ---- equals a copy --------------------------------------------------------------------------- */

static void feed(struct np_plat *plat, uint32_t handle, uint64_t *sent, uint64_t end,
                 uint64_t *random)
{
    static uint8_t buf[50000];
    uint32_t len = 1 + below(random, below(random, 2) == 0 ? 50 : sizeof(buf));
    len = end - *sent < len ? (uint32_t)(end - *sent) : len;
    fill(buf, 21, *sent, len);
    int32_t n = np_plat_tcp_send(plat, handle, buf, len);
    CHECK(n > 0 || n == NP_ERR_AGAIN);
    *sent += n > 0 ? (uint32_t)n : 0;
    if (*sent == end) {
        np_plat_tcp_shutdown_tx(plat, handle);
        np_plat_interest(plat, handle, 0);
    }
}

static void drain(struct np_plat *plat, uint32_t handle, uint64_t *taken, bool *is_ended,
                  uint64_t *random)
{
    static uint8_t buf[50000];
    int32_t n = np_plat_tcp_recv(plat, handle, buf, 1 + below(random, sizeof(buf)));
    CHECK(n > 0 || n == NP_ERR_AGAIN || n == NP_ERR_EOF);
    if (n > 0) {
        CHECK(is_filled(buf, 21, *taken, (uint32_t)n));
        *taken += (uint32_t)n;
    }
    if (n == NP_ERR_EOF) {
        *is_ended = true;
        np_plat_interest(plat, handle, 0);
    }
}

/* The relay's own turn: moves, passes the end on, and waits for what it lacks. */
static void pass_on(struct np_plat *plat, struct relay *relay, uint64_t *random)
{
    if (relay->source == NP_ERR_EOF) {
        return;
    }
    CHECK_INT(step(plat, relay, 1 + below(random, 200000)), NP_OK);
    CHECK(relay->source == NP_OK || relay->source == NP_ERR_AGAIN || relay->source == NP_ERR_EOF);
    CHECK(relay->sink == NP_OK || relay->sink == NP_ERR_AGAIN);
    bool is_blocked = relay->sink == NP_ERR_AGAIN || relay->held > 0;
    if (relay->source == NP_ERR_EOF) {
        np_plat_tcp_shutdown_tx(plat, relay->out.a);
        is_blocked = false;
    }
    bool wants_more = !is_blocked && relay->source != NP_ERR_EOF;
    np_plat_interest(plat, relay->in.b, wants_more ? NP_EV_READ : 0);
    np_plat_interest(plat, relay->out.a, is_blocked ? NP_EV_WRITE : 0);
}

static void splice_equals_copy(struct np_plat *plat)
{
    const uint64_t end = 5000000;
    struct relay relay;
    struct np_event events[8];
    uint64_t sent = 0, taken = 0, random = 77;
    bool is_ended = false;
    if (open_relay(plat, &relay)) {
        np_plat_interest(plat, relay.in.listener, 0);
        np_plat_interest(plat, relay.in.a, NP_EV_WRITE);
        np_plat_interest(plat, relay.in.b, NP_EV_READ);
        np_plat_interest(plat, relay.out.b, NP_EV_READ);
        for (uint32_t turns = 0; !is_ended && turns < 1000000; turns++) {
            int32_t n = np_plat_poll(plat, events, 8, LONG_MS);
            if (!CHECK(n > 0)) {
                break;
            }
            for (int32_t i = 0; i < n; i++) {
                if (events[i].handle == relay.in.a) {
                    feed(plat, relay.in.a, &sent, end, &random);
                } else if (events[i].handle == relay.out.b) {
                    drain(plat, relay.out.b, &taken, &is_ended, &random);
                } else {
                    pass_on(plat, &relay, &random);
                }
            }
        }
        CHECK(is_ended);
        CHECK_INT(taken, end);
        CHECK_INT(relay.given, end);
    }
    close_relay(plat, &relay);
}

static void splice_of_nothing(struct np_plat *plat)
{
    struct relay relay;
    if (open_relay(plat, &relay)) {
        CHECK_INT(step(plat, &relay, 1000), NP_OK);
        CHECK_INT(relay.source, NP_ERR_AGAIN);
        CHECK_INT(relay.taken, 0);
        send_all(plat, relay.in.a, 1, 0, 100);
        np_plat_interest(plat, relay.in.b, NP_EV_READ);
        CHECK(wait_event(plat, relay.in.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(step(plat, &relay, 60), NP_OK);
        CHECK_INT(relay.given, 60);
        CHECK_INT(step(plat, &relay, 1000), NP_OK);
        CHECK_INT(relay.given, 100);
        recv_all(plat, relay.out.b, 1, 0, 100);
        send_all(plat, relay.in.a, 1, 100, 10); /* and back to showing them */
        recv_all(plat, relay.in.b, 1, 100, 10);
    }
    close_relay(plat, &relay);
}

/* ---- bytes held ------------------------------------------------------------------------------ */

/* Feeds and splices until the sink is full and bytes are held. Returns how many were sent. */
static uint64_t fill_up(struct np_plat *plat, struct relay *relay)
{
    static uint8_t buf[20000];
    uint64_t sent = 0;
    for (uint32_t quiet = 0; quiet < 5;) {
        fill(buf, 31, sent, sizeof(buf));
        int32_t n = np_plat_tcp_send(plat, relay->in.a, buf, sizeof(buf));
        sent += n > 0 ? (uint32_t)n : 0;
        CHECK(n > 0 || n == NP_ERR_AGAIN);
        uint64_t before = relay->given;
        if (!CHECK_INT(step(plat, relay, 100000), NP_OK)) {
            break;
        }
        bool is_quiet = n <= 0 && relay->given == before;
        quiet = is_quiet ? quiet + 1 : 0;
        if (is_quiet) {
            let_pass(plat, SHORT_MS);
        }
    }
    CHECK(relay->held > 0);
    CHECK_INT(relay->sink, NP_ERR_AGAIN);
    return sent;
}

/* Takes what comes out while it splices on, until it has `end` bytes or more. Returns how many. */
static uint64_t empty_out(struct np_plat *plat, struct relay *relay, uint64_t end)
{
    uint8_t buf[4096];
    uint64_t taken = 0;
    for (uint32_t turns = 0; taken < end && turns < 1000000; turns++) {
        int32_t n = np_plat_tcp_recv(plat, relay->out.b, buf, sizeof(buf));
        if (n > 0) {
            CHECK(is_filled(buf, 31, taken, (uint32_t)n));
            taken += (uint32_t)n;
        } else {
            CHECK_INT(n, NP_ERR_AGAIN);
            CHECK_INT(step(plat, relay, 100000), NP_OK);
            let_pass(plat, 1);
        }
    }
    CHECK(taken >= end);
    return taken;
}

static void held_then_eof(struct np_plat *plat)
{
    struct relay relay;
    uint8_t byte;
    if (open_relay(plat, &relay)) {
        uint64_t sent = fill_up(plat, &relay);
        np_plat_tcp_shutdown_tx(plat, relay.in.a);
        let_pass(plat, SHORT_MS);
        CHECK_INT(step(plat, &relay, 100000), NP_OK);
        CHECK(relay.held > 0 && relay.source != NP_ERR_EOF);
        CHECK_INT(empty_out(plat, &relay, sent), sent);
        CHECK_INT(step(plat, &relay, 1000), NP_OK);
        CHECK_INT(relay.source, NP_ERR_EOF);
        CHECK_INT(relay.held, 0);
        CHECK_INT(np_plat_tcp_recv(plat, relay.in.b, &byte, 1), NP_ERR_EOF);
    }
    close_relay(plat, &relay);
}

/* A reset of the source: what was received before still gets through. */
static void held_then_reset(struct np_plat *plat)
{
    struct relay relay;
    if (open_relay(plat, &relay)) {
        fill_up(plat, &relay);
        uint64_t taken = relay.taken;
        np_plat_tcp_abort(plat, relay.in.a);
        let_pass(plat, SHORT_MS);
        CHECK_INT(step(plat, &relay, 100000), NP_OK);
        CHECK(relay.held > 0);
        taken = empty_out(plat, &relay, taken);
        uint64_t end_ms = np_plat_now_ms(plat) + 10 * LONG_MS; /* kernels may hold megabytes */
        while (relay.source != NP_ERR_RESET && np_plat_now_ms(plat) < end_ms) {
            static uint8_t buf[50000];
            int32_t n = np_plat_tcp_recv(plat, relay.out.b, buf, sizeof(buf));
            CHECK(n <= 0 || is_filled(buf, 31, taken, (uint32_t)n));
            taken += n > 0 ? (uint32_t)n : 0;
            CHECK_INT(step(plat, &relay, 100000), NP_OK);
            let_pass(plat, 1);
        }
        CHECK_INT(relay.source, NP_ERR_RESET);
        CHECK_INT(relay.held, 0);
    }
    close_relay(plat, &relay);
}

static void sink_fails(struct np_plat *plat)
{
    struct relay relay;
    if (open_relay(plat, &relay)) {
        fill_up(plat, &relay);
        np_plat_tcp_abort(plat, relay.out.b);
        let_pass(plat, SHORT_MS);
        CHECK_INT(step(plat, &relay, 1000), NP_OK);
        CHECK_INT(relay.sink, NP_ERR_RESET);
        CHECK(relay.held > 0);
    }
    close_relay(plat, &relay); /* drops what is held */
}

/* ---- when it can't --------------------------------------------------------------------------- */

static void pipes_run_out(struct np_plat *plat)
{
    struct relay first, second;
    struct np_splice moved;
    if (open_relay(plat, &first) && open_relay(plat, &second)) {
        fill_up(plat, &first);
        send_all(plat, second.in.a, 5, 0, 100);
        let_pass(plat, SHORT_MS);
        CHECK_INT(np_plat_tcp_splice(plat, second.in.b, second.out.a, 1000, &moved),
                  NP_ERR_NO_MEMORY);
        CHECK_INT(moved.taken + moved.given + moved.held, 0);
        np_plat_tcp_close(plat, first.in.b); /* what is held is gone, and the pipe free */
        CHECK_INT(step(plat, &second, 1000), NP_OK);
        CHECK_INT(second.given, 100);
        recv_all(plat, second.out.b, 5, 0, 100);
    }
    close_relay(plat, &first);
    close_relay(plat, &second);
}

static void peeked_bytes_block_it(struct np_plat *plat)
{
    struct relay relay;
    const uint8_t *span;
    if (open_relay(plat, &relay)) {
        send_all(plat, relay.in.a, 6, 0, 100);
        np_plat_interest(plat, relay.in.b, NP_EV_READ);
        CHECK(wait_event(plat, relay.in.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(np_plat_tcp_peek(plat, relay.in.b, &span), 100);
        np_plat_tcp_consume(plat, relay.in.b, 10);
        CHECK_INT(step(plat, &relay, 1000), NP_ERR_NO_MEMORY);
        CHECK_INT(np_plat_tcp_peek(plat, relay.in.b, &span), 90);
        CHECK_INT(np_plat_tcp_send(plat, relay.out.a, span, 90), 90);
        np_plat_tcp_consume(plat, relay.in.b, 90);
        send_all(plat, relay.in.a, 6, 100, 100);
        let_pass(plat, SHORT_MS);
        CHECK_INT(step(plat, &relay, 1000), NP_OK);
        CHECK_INT(relay.given, 100);
        recv_all(plat, relay.out.b, 6, 10, 190);
    }
    close_relay(plat, &relay);
}

static void splice_unsupported(struct np_plat *plat)
{
    struct relay relay;
    if (open_relay(plat, &relay)) {
        CHECK_INT(step(plat, &relay, 1000), NP_ERR_UNSUPPORTED);
    }
    close_relay(plat, &relay);
}

const struct np_contract_test np_contract_splice[] = {
    {"splice_equals_copy", splice_equals_copy, 0, 0, PIPES},
    {"splice_of_nothing", splice_of_nothing, 0, 0, PIPES},
    {"splice_held_then_eof", held_then_eof, 0, 0, PIPES},
    {"splice_held_then_reset", held_then_reset, 0, 0, PIPES},
    {"splice_sink_fails", sink_fails, 0, 0, PIPES},
    {"splice_pipes_run_out", pipes_run_out, 0, 0, 1},
    {"splice_peeked_bytes_block_it", peeked_bytes_block_it, 0, 0, PIPES},
    {"splice_unsupported", splice_unsupported, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
