/* SPDX-License-Identifier: BSD-3-Clause */
/* end: half close, close, reset, and in which order they are told. */
#include <string.h>

#include "tests/contract/contract.h"

/* ---- orderly ends ---------------------------------------------------------------------------- */

static void check_eof(struct np_plat *plat, uint32_t handle)
{
    uint8_t byte;
    const uint8_t *span;
    CHECK_INT(recv_wait(plat, handle, &byte, 1), NP_ERR_EOF);
    CHECK_INT(np_plat_tcp_recv(plat, handle, &byte, 1), NP_ERR_EOF); /* it sticks */
    CHECK_INT(np_plat_tcp_peek(plat, handle, &span), NP_ERR_EOF);
}

/* One direction ends, the other goes on; then it ends as well. */
static void half_close(struct np_plat *plat, struct pair *pair, uint32_t first, uint32_t second)
{
    uint8_t byte = 0;
    send_all(plat, first, 1, 0, 5000);
    np_plat_tcp_shutdown_tx(plat, first);
    np_plat_tcp_shutdown_tx(plat, first); /* repeating does nothing */
    CHECK_INT(np_plat_tcp_send(plat, first, &byte, 1), NP_ERR_RESET);
    recv_all(plat, second, 1, 0, 5000);
    check_eof(plat, second);
    CHECK(is_silent(plat, second)); /* no interest, no error: nothing to say */
    send_all(plat, second, 2, 0, 7000);
    recv_all(plat, first, 2, 0, 7000);
    CHECK_INT(np_plat_tcp_recv(plat, first, &byte, 1), NP_ERR_AGAIN);
    np_plat_tcp_shutdown_tx(plat, second);
    np_plat_interest(plat, first, NP_EV_READ);
    CHECK((wait_event(plat, first, NP_EV_READ, LONG_MS) & NP_EV_ERROR) == 0);
    check_eof(plat, first);
    np_plat_interest(plat, first, 0);
    np_plat_interest(plat, second, 0);
    CHECK(is_silent(plat, first) && is_silent(plat, second));
    (void)pair;
}

static void half_close_connecting_side(struct np_plat *plat)
{
    struct pair pair;
    if (open_pair(plat, &pair)) {
        half_close(plat, &pair, pair.a, pair.b);
    }
    close_pair(plat, &pair);
}

static void half_close_accepting_side(struct np_plat *plat)
{
    struct pair pair;
    if (open_pair(plat, &pair)) {
        half_close(plat, &pair, pair.b, pair.a);
    }
    close_pair(plat, &pair);
}

/* The end of the stream waits for interest like data does. */
static void eof_under_back_pressure(struct np_plat *plat)
{
    struct pair pair;
    if (open_pair(plat, &pair)) {
        np_plat_tcp_shutdown_tx(plat, pair.b);
        np_plat_tcp_shutdown_tx(plat, pair.a);
        CHECK(is_silent(plat, pair.a) && is_silent(plat, pair.b));
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK((wait_event(plat, pair.b, NP_EV_READ, LONG_MS) & NP_EV_READ) != 0);
        check_eof(plat, pair.b);
        check_eof(plat, pair.a);
    }
    close_pair(plat, &pair);
}

/* What was given before a close arrives. */
static void close_delivers(struct np_plat *plat)
{
    struct pair pair;
    uint8_t buf[4096];
    uint32_t given = 0;
    if (open_pair(plat, &pair)) {
        for (;;) {
            fill(buf, 8, given, sizeof(buf));
            int32_t n = np_plat_tcp_send(plat, pair.a, buf, sizeof(buf));
            if (n <= 0) {
                CHECK_INT(n, NP_ERR_AGAIN);
                break;
            }
            given += (uint32_t)n;
        }
        np_plat_tcp_close(plat, pair.a);
        CHECK_INT(np_plat_tcp_recv(plat, pair.a, buf, 1), NP_ERR_STALE);
        recv_all(plat, pair.b, 8, 0, given);
        check_eof(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* A rest shown by peek comes before the end. */
static void rest_before_eof(struct np_plat *plat)
{
    struct pair pair;
    const uint8_t *span;
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 3, 0, 10);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(wait_event(plat, pair.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 10);
        np_plat_tcp_consume(plat, pair.b, 4);
        np_plat_tcp_close(plat, pair.a);
        let_pass(plat, SHORT_MS);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 6);
        CHECK(is_filled(span, 3, 4, 6));
        np_plat_tcp_consume(plat, pair.b, 6);
        check_eof(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static void check_reset(struct np_plat *plat, uint32_t handle)
{
    uint8_t byte = 0;
    const uint8_t *span;
    CHECK_INT(recv_wait(plat, handle, &byte, 1), NP_ERR_RESET);
    CHECK_INT(np_plat_tcp_peek(plat, handle, &span), NP_ERR_RESET);
    CHECK_INT(np_plat_tcp_recv(plat, handle, &byte, 1), NP_ERR_RESET);
    CHECK_INT(np_plat_tcp_send(plat, handle, &byte, 1), NP_ERR_RESET);
    CHECK_INT(np_plat_tcp_send(plat, handle, &byte, 1), NP_ERR_RESET);
}

/* a sends `len` bytes; when they are there for b to take, a resets the connection. */
static bool open_reset(struct np_plat *plat, struct pair *pair, uint32_t len)
{
    if (!open_pair(plat, pair)) {
        return false;
    }
    if (len > 0) {
        send_all(plat, pair->a, 4, 0, len);
        np_plat_interest(plat, pair->b, NP_EV_READ);
        CHECK(wait_event(plat, pair->b, NP_EV_READ, LONG_MS) != 0);
        let_pass(plat, SHORT_MS);
        np_plat_interest(plat, pair->b, 0);
    }
    np_plat_tcp_abort(plat, pair->a);
    return true;
}

/* ERROR needs no interest when there is nothing to take. */
static void reset_of_an_idle_connection(struct np_plat *plat)
{
    struct pair pair;
    if (open_reset(plat, &pair, 0)) {
        CHECK((wait_event(plat, pair.b, NP_EV_ERROR, LONG_MS) & NP_EV_ERROR) != 0);
        check_reset(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* Received bytes come before the reset, and without interest it stays quiet. */
static void reset_after_data(struct np_plat *plat)
{
    struct pair pair;
    if (open_reset(plat, &pair, 3000)) {
        CHECK(is_silent(plat, pair.b));
        np_plat_interest(plat, pair.b, NP_EV_WRITE);
        CHECK(is_silent(plat, pair.b));
        np_plat_interest(plat, pair.b, NP_EV_READ);
        uint32_t flags = wait_event(plat, pair.b, NP_EV_READ | NP_EV_ERROR, LONG_MS);
        CHECK_INT(flags, NP_EV_READ);
        recv_all(plat, pair.b, 4, 0, 3000);
        np_plat_interest(plat, pair.b, 0);
        CHECK((wait_event(plat, pair.b, NP_EV_ERROR, LONG_MS) & NP_EV_ERROR) != 0);
        check_reset(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* Bytes shown and left behind count as received and not taken. */
static void reset_behind_a_rest(struct np_plat *plat)
{
    struct pair pair;
    const uint8_t *span;
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 4, 0, 100);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(wait_event(plat, pair.b, NP_EV_READ, LONG_MS) != 0);
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 100);
        np_plat_tcp_consume(plat, pair.b, 40);
        np_plat_interest(plat, pair.b, 0);
        np_plat_tcp_abort(plat, pair.a);
        CHECK(is_silent(plat, pair.b));
        CHECK_INT(np_plat_tcp_peek(plat, pair.b, &span), 60);
        CHECK(is_filled(span, 4, 40, 60));
        np_plat_tcp_consume(plat, pair.b, 60);
        CHECK((wait_event(plat, pair.b, NP_EV_ERROR, LONG_MS) & NP_EV_ERROR) != 0);
        check_reset(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* Sending meets the reset first; receiving still gives the bytes and then the reset, not EOF. */
static void reset_met_by_send(struct np_plat *plat)
{
    struct pair pair;
    uint8_t byte = 0;
    if (open_reset(plat, &pair, 2000)) {
        let_pass(plat, SHORT_MS);
        CHECK_INT(np_plat_tcp_send(plat, pair.b, &byte, 1), NP_ERR_RESET);
        CHECK_INT(np_plat_tcp_send(plat, pair.b, &byte, 1), NP_ERR_RESET);
        recv_all(plat, pair.b, 4, 0, 2000);
        check_reset(plat, pair.b);
    }
    close_pair(plat, &pair);
}

/* Closing with bytes not taken may reset; the far end sees an end either way. */
static void close_with_unread_bytes(struct np_plat *plat)
{
    struct pair pair;
    uint8_t byte;
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 4, 0, 100);
        let_pass(plat, SHORT_MS);
        np_plat_tcp_close(plat, pair.b);
        int32_t n = recv_wait(plat, pair.a, &byte, 1);
        CHECK(n == NP_ERR_RESET || n == NP_ERR_EOF);
    }
    close_pair(plat, &pair);
}

/* Many short connections that end in every way leave nothing behind. */
static void many_short_connections(struct np_plat *plat)
{
    struct pair pair;
    uint16_t port;
    uint64_t random = 99;
    pair.listener = open_listener(plat, &port);
    for (uint32_t i = 0; i < 300; i++) {
        if (!open_ends(plat, &pair)) {
            break;
        }
        uint32_t len = 1 + below(&random, 2000);
        send_all(plat, pair.a, i, 0, len);
        recv_all(plat, pair.b, i, 0, len);
        (below(&random, 3) == 0 ? np_plat_tcp_abort : np_plat_tcp_close)(plat, pair.a);
        (below(&random, 3) == 0 ? np_plat_tcp_abort : np_plat_tcp_close)(plat, pair.b);
    }
    np_plat_close(plat, pair.listener);
}

const struct np_contract_test np_contract_end[] = {
    {"half_close_connecting_side", half_close_connecting_side, 0, 0, 0},
    {"half_close_accepting_side", half_close_accepting_side, 0, 0, 0},
    {"eof_under_back_pressure", eof_under_back_pressure, 0, 0, 0},
    {"close_delivers", close_delivers, 0, 0, 0},
    {"rest_before_eof", rest_before_eof, 0, 0, 0},
    {"reset_of_an_idle_connection", reset_of_an_idle_connection, 0, 0, 0},
    {"reset_after_data", reset_after_data, 0, 0, 0},
    {"reset_behind_a_rest", reset_behind_a_rest, 0, 0, 0},
    {"reset_met_by_send", reset_met_by_send, 0, 0, 0},
    {"close_with_unread_bytes", close_with_unread_bytes, 0, 0, 0},
    {"many_short_connections", many_short_connections, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
