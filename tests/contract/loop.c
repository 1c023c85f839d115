/* SPDX-License-Identifier: BSD-3-Clause */
/* loop: poll, wake, interest, tags, stale handles, full tables. */
#include <stdio.h>

#include "tests/contract/contract.h"

static void poll_waits(struct np_plat *plat)
{
    struct np_event event;
    uint64_t start_ms = np_plat_now_ms(plat);
    CHECK_INT(np_plat_poll(plat, &event, 1, 0), 0);
    CHECK(np_plat_now_ms(plat) - start_ms < 30);
    start_ms = np_plat_now_ms(plat);
    CHECK_INT(np_plat_poll(plat, &event, 1, 60), 0);
    uint64_t took_ms = np_plat_now_ms(plat) - start_ms;
    CHECK(took_ms >= 60 && took_ms < 500);
}

static void wake_ends_poll(struct np_plat *plat)
{
    struct np_event event;
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t start_ms = np_plat_now_ms(plat);
        np_plat_wake(plat);
        np_plat_wake(plat); /* two are one */
        CHECK_INT(np_plat_poll(plat, &event, 1, LONG_MS), 0);
        CHECK(np_plat_now_ms(plat) - start_ms < 500);
        start_ms = np_plat_now_ms(plat);
        CHECK_INT(np_plat_poll(plat, &event, 1, 50), 0);
        CHECK(np_plat_now_ms(plat) - start_ms >= 50);
    }
    np_plat_wake(plat);
    CHECK_INT(np_plat_poll(plat, &event, 1, UINT32_MAX), 0);
}

static void wake_with_events(struct np_plat *plat)
{
    struct pair pair;
    struct np_event events[4];
    if (open_pair(plat, &pair)) {
        send_all(plat, pair.a, 1, 0, 10);
        np_plat_interest(plat, pair.b, NP_EV_READ);
        CHECK(wait_event(plat, pair.b, NP_EV_READ, LONG_MS) != 0);
        np_plat_wake(plat);
        uint32_t seen = 0;
        for (uint32_t i = 0; i < 3; i++) { /* the first may return for the wake-up alone */
            seen += (uint32_t)np_plat_poll(plat, events, 4, 100);
        }
        CHECK(seen >= 2);
    }
    close_pair(plat, &pair);
}

static void retag_changes_events(struct np_plat *plat)
{
    struct pair pair;
    struct np_event events[4];
    if (open_pair(plat, &pair)) {
        np_plat_interest(plat, pair.listener, 0);
        np_plat_interest(plat, pair.b, NP_EV_WRITE);
        CHECK_INT(np_plat_poll(plat, events, 4, LONG_MS), 1);
        CHECK_INT(events[0].handle, pair.b);
        CHECK_INT(events[0].tag, TAG_B);
        CHECK_INT(events[0].flags, NP_EV_WRITE);
        np_plat_retag(plat, pair.b, 77);
        CHECK_INT(np_plat_poll(plat, events, 4, LONG_MS), 1);
        CHECK_INT(events[0].tag, 77);
    }
    close_pair(plat, &pair);
}

/* ---- fairness -------------------------------------------------------------------------------- */

#define CROWD 7

/* Every handle that is ready all the time is told within `polls` polls of room for `cap` events. */
static void check_fair(struct np_plat *plat, const uint32_t *handles, uint32_t cap, uint32_t polls)
{
    struct np_event events[CROWD];
    uint32_t seen[CROWD] = {0};
    for (uint32_t i = 0; i < polls; i++) {
        int32_t n = np_plat_poll(plat, events, cap, 100);
        CHECK(n <= (int32_t)cap);
        for (int32_t k = 0; k < n; k++) {
            for (int32_t j = 0; j < k; j++) {
                CHECK(events[j].handle != events[k].handle); /* one event a handle */
            }
            for (uint32_t j = 0; j < CROWD; j++) {
                seen[j] += handles[j] == events[k].handle;
            }
        }
    }
    for (uint32_t j = 0; j < CROWD; j++) {
        CHECK(seen[j] > 0);
    }
}

static void few_events_a_poll(struct np_plat *plat)
{
    struct pair pairs[CROWD];
    uint32_t handles[CROWD];
    uint16_t port;
    uint32_t listener = open_listener(plat, &port);
    for (uint32_t i = 0; i < CROWD; i++) {
        pairs[i].listener = listener;
        open_ends(plat, &pairs[i]);
        handles[i] = pairs[i].b;
        send_all(plat, pairs[i].a, i, 0, 10);
    }
    let_pass(plat, SHORT_MS);
    np_plat_interest(plat, listener, 0);
    for (uint32_t i = 0; i < CROWD; i++) {
        const uint8_t *span;
        np_plat_interest(plat, handles[i], NP_EV_READ);
        if (i % 2 == 0) { /* half of them with bytes shown and left */
            CHECK_INT(np_plat_tcp_peek(plat, handles[i], &span), 10);
            np_plat_tcp_consume(plat, handles[i], 4);
        }
    }
    check_fair(plat, handles, 1, 3 * CROWD);
    check_fair(plat, handles, 2, 2 * CROWD);
    check_fair(plat, handles, CROWD, 1);
    for (uint32_t i = 0; i < CROWD; i++) {
        np_plat_tcp_close(plat, pairs[i].a);
        np_plat_tcp_close(plat, pairs[i].b);
    }
    np_plat_close(plat, listener);
}

/* ---- stale handles --------------------------------------------------------------------------- */

static void check_stale(struct np_plat *plat, uint32_t stale, uint32_t live)
{
    const uint8_t *span;
    uint8_t buf[8] = {0};
    struct np_span out = {buf, sizeof(buf)};
    struct np_addr addr;
    struct np_splice moved;
    struct np_datagram datagram = {.base = buf, .cap = 8, .len = 8, .addr = loopback4(9)};
    uint32_t handle;
    CHECK_INT(np_plat_tcp_connect_result(plat, stale), NP_ERR_STALE);
    CHECK_INT(np_plat_tcp_accept(plat, stale, 0, &handle, &addr), NP_ERR_STALE);
    CHECK_INT(np_plat_tcp_peek(plat, stale, &span), NP_ERR_STALE);
    np_plat_tcp_consume(plat, stale, 1);
    CHECK_INT(np_plat_tcp_recv(plat, stale, buf, 8), NP_ERR_STALE);
    CHECK_INT(np_plat_tcp_send(plat, stale, buf, 8), NP_ERR_STALE);
    CHECK_INT(np_plat_tcp_sendv(plat, stale, &out, 1), NP_ERR_STALE);
    CHECK_INT(np_plat_local(plat, stale, &addr), NP_ERR_STALE);
    CHECK_INT(np_plat_peer(plat, stale, &addr), NP_ERR_STALE);
    CHECK_INT(np_plat_udp_recv(plat, stale, &datagram, 1), NP_ERR_STALE);
    CHECK_INT(np_plat_udp_send(plat, stale, &datagram, 1), NP_ERR_STALE);
    CHECK_INT(np_plat_resolve_result(plat, stale, &addr, 1), NP_ERR_STALE);
    enum np_err err = np_plat_tcp_splice(plat, stale, live, 8, &moved);
    CHECK(err == NP_ERR_STALE || err == NP_ERR_UNSUPPORTED || moved.source == NP_ERR_STALE);
    err = np_plat_tcp_splice(plat, live, stale, 8, &moved);
    CHECK(err == NP_ERR_STALE || err == NP_ERR_UNSUPPORTED || moved.sink == NP_ERR_STALE);
    np_plat_interest(plat, stale, NP_EV_READ | NP_EV_WRITE);
    np_plat_retag(plat, stale, 99);
    np_plat_tcp_keepalive(plat, stale, 1000);
    np_plat_tcp_user_timeout(plat, stale, 1000);
    np_plat_tcp_shutdown_tx(plat, stale);
    np_plat_tcp_close(plat, stale);
    np_plat_tcp_abort(plat, stale);
    np_plat_close(plat, stale);
}

static void stale_handles(struct np_plat *plat)
{
    struct pair old, fresh;
    if (!open_pair(plat, &old)) {
        return;
    }
    np_plat_tcp_close(plat, old.a);
    np_plat_tcp_close(plat, old.b);
    fresh.listener = old.listener;
    open_ends(plat, &fresh); /* in the places of the old ones */
    CHECK(fresh.a != old.a && fresh.b != old.b && fresh.a != old.b && fresh.b != old.a);
    check_stale(plat, old.a, fresh.a);
    check_stale(plat, old.b, fresh.b);
    check_stale(plat, NP_HANDLE_NONE, fresh.b);
    check_stale(plat, UINT32_MAX, fresh.a);
    CHECK(is_silent(plat, fresh.a) && is_silent(plat, fresh.b));
    send_all(plat, fresh.a, 3, 0, 100);
    recv_all(plat, fresh.b, 3, 0, 100);
    send_all(plat, fresh.b, 4, 0, 100);
    recv_all(plat, fresh.a, 4, 0, 100);
    close_pair(plat, &fresh);
    check_stale(plat, fresh.listener, NP_HANDLE_NONE);
}

/* Each reuse of a place gives another handle. */
static void handles_differ(struct np_plat *plat)
{
    struct np_addr local = loopback4(0);
    uint32_t before = NP_HANDLE_NONE;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t handle = NP_HANDLE_NONE;
        if (!CHECK_INT(np_plat_udp_open(plat, &local, NULL, 0, &handle), NP_OK)) {
            return;
        }
        CHECK(handle != NP_HANDLE_NONE && handle != before);
        before = handle;
        np_plat_close(plat, handle);
    }
}

/* ---- full tables ----------------------------------------------------------------------------- */

static void table_full(struct np_plat *plat)
{
    uint32_t handles[16], count = 0, extra;
    struct np_addr local = loopback4(0), at = loopback4(1);
    while (count < 16 && np_plat_udp_open(plat, &local, NULL, count, &handles[count]) == NP_OK) {
        count++;
    }
    CHECK_INT(count, 6);
    CHECK_INT(np_plat_udp_open(plat, &local, NULL, 0, &extra), NP_ERR_NO_HANDLES);
    CHECK_INT(np_plat_tcp_listen(plat, &local, 0, &extra), NP_ERR_NO_HANDLES);
    CHECK_INT(np_plat_tcp_connect(plat, NULL, &at, 0, &extra), NP_ERR_NO_HANDLES);
    CHECK_INT(np_plat_resolve(plat, "localhost", 0, &extra), NP_ERR_NO_HANDLES);
    np_plat_close(plat, handles[2]);
    CHECK_INT(np_plat_udp_open(plat, &local, NULL, 0, &handles[2]), NP_OK);
    for (uint32_t i = 0; i < count; i++) {
        np_plat_close(plat, handles[i]);
    }
}

/* A full table mutes the listener for a while; the connection waits. */
static void accept_when_full(struct np_plat *plat)
{
    struct pair first, second;
    struct np_addr at, peer;
    if (!open_pair(plat, &first)) {
        return;
    }
    np_plat_local(plat, first.listener, &at);
    CHECK_INT(np_plat_tcp_connect(plat, NULL, &at, TAG_A, &second.a), NP_OK);
    CHECK(wait_event(plat, first.listener, NP_EV_READ, LONG_MS) != 0);
    CHECK_INT(np_plat_tcp_accept(plat, first.listener, TAG_B, &second.b, &peer), NP_ERR_NO_HANDLES);
    CHECK(is_silent(plat, first.listener));
    CHECK(wait_event(plat, first.listener, NP_EV_READ, LONG_MS) != 0);
    CHECK_INT(np_plat_tcp_accept(plat, first.listener, TAG_B, &second.b, &peer), NP_ERR_NO_HANDLES);
    np_plat_tcp_close(plat, first.b);
    CHECK(wait_event(plat, first.listener, NP_EV_READ, LONG_MS) != 0);
    CHECK_INT(np_plat_tcp_accept(plat, first.listener, TAG_B, &second.b, &peer), NP_OK);
    send_all(plat, second.a, 5, 0, 1000);
    recv_all(plat, second.b, 5, 0, 1000);
    np_plat_tcp_close(plat, second.a);
    np_plat_tcp_close(plat, second.b);
    close_pair(plat, &first);
}

const struct np_contract_test np_contract_loop[] = {
    {"poll_waits", poll_waits, 0, 0, 0},
    {"wake_ends_poll", wake_ends_poll, 0, 0, 0},
    {"wake_with_events", wake_with_events, 0, 0, 0},
    {"retag_changes_events", retag_changes_events, 0, 0, 0},
    {"few_events_a_poll", few_events_a_poll, 0, 0, 0},
    {"stale_handles", stale_handles, 0, 0, PIPES},
    {"handles_differ", handles_differ, 0, 0, 0},
    {"table_full", table_full, 6, 0, 0},
    {"accept_when_full", accept_when_full, 4, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
