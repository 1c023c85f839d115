/* SPDX-License-Identifier: BSD-3-Clause */
/* udp: boundaries, addresses, truncation, batches, errors that are not final. */
#include <string.h>

#include "tests/contract/contract.h"
#include "tests/contract/harness.h"

#define BATCH NP_PLAT_UDP_BATCH
#define ROOM 600u

struct batch {
    struct np_datagram items[BATCH];
    uint8_t mem[BATCH][ROOM];
};

static void prepare(struct batch *batch, uint32_t cap)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        batch->items[i] = (struct np_datagram){.base = batch->mem[i], .cap = cap};
    }
}

static uint32_t open_socket(struct np_plat *plat, const struct np_addr *remote, struct np_addr *at)
{
    struct np_addr local = loopback4(0);
    uint32_t handle = NP_HANDLE_NONE;
    CHECK_INT(np_plat_udp_open(plat, &local, remote, 1, &handle), NP_OK);
    CHECK_INT(np_plat_local(plat, handle, at), NP_OK);
    CHECK(at->port != 0);
    return handle;
}

static int32_t send_one(struct np_plat *plat, uint32_t handle, const struct np_addr *to,
                        uint32_t seed, uint32_t len)
{
    static uint8_t buf[70000];
    struct np_datagram item = {.base = buf, .len = len};
    item.addr = to == NULL ? loopback4(9) : *to; /* a connected socket ignores it */
    fill(buf, seed, 0, len);
    return np_plat_udp_send(plat, handle, &item, 1);
}

/* Receives one batch, waiting for it. */
static int32_t recv_some(struct np_plat *plat, uint32_t handle, struct batch *batch, uint32_t cap)
{
    prepare(batch, cap);
    int32_t n = np_plat_udp_recv(plat, handle, batch->items, BATCH);
    if (n == NP_ERR_AGAIN) {
        np_plat_interest(plat, handle, NP_EV_READ);
        (void)wait_event(plat, handle, NP_EV_READ, LONG_MS);
        np_plat_interest(plat, handle, 0);
        n = np_plat_udp_recv(plat, handle, batch->items, BATCH);
    }
    return n;
}

static bool is_datagram(const struct np_datagram *item, uint32_t seed, uint32_t len)
{
    return item->len == len && is_filled(item->base, seed, 0, len);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static void there_and_back(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    CHECK_INT(np_plat_udp_recv(plat, a, batch.items, 1), NP_ERR_AGAIN);
    CHECK_INT(send_one(plat, a, &at_b, 1, 200), 1);
    CHECK(is_silent(plat, b)); /* no interest */
    CHECK_INT(recv_some(plat, b, &batch, ROOM), 1);
    CHECK(is_datagram(&batch.items[0], 1, 200) && !batch.items[0].truncated);
    CHECK(np_addr_is_equal(&batch.items[0].addr, &at_a));
    CHECK_INT(send_one(plat, b, &batch.items[0].addr, 2, 1), 1);
    CHECK_INT(recv_some(plat, a, &batch, ROOM), 1);
    CHECK(is_datagram(&batch.items[0], 2, 1));
    CHECK(np_addr_is_equal(&batch.items[0].addr, &at_b));
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

static void empty_datagram(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    CHECK_INT(send_one(plat, a, &at_b, 1, 0), 1);
    np_plat_interest(plat, b, NP_EV_READ);
    CHECK(wait_event(plat, b, NP_EV_READ, LONG_MS) != 0);
    CHECK_INT(recv_some(plat, b, &batch, ROOM), 1);
    CHECK_INT(batch.items[0].len, 0);
    CHECK(!batch.items[0].truncated);
    CHECK(np_addr_is_equal(&batch.items[0].addr, &at_a));
    CHECK_INT(np_plat_udp_recv(plat, b, batch.items, 1), NP_ERR_AGAIN);
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

static void truncated_datagram(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    CHECK_INT(send_one(plat, a, &at_b, 1, 100), 1);
    CHECK_INT(send_one(plat, a, &at_b, 2, 101), 1);
    CHECK_INT(send_one(plat, a, &at_b, 3, 5), 1);
    let_pass(plat, SHORT_MS);
    CHECK_INT(recv_some(plat, b, &batch, 100), 3);
    CHECK(is_datagram(&batch.items[0], 1, 100) && !batch.items[0].truncated);
    CHECK_INT(batch.items[1].len, 101); /* what it was; the start of it is there */
    batch.items[1].len = 100;
    CHECK(is_datagram(&batch.items[1], 2, 100) && batch.items[1].truncated);
    CHECK(is_datagram(&batch.items[2], 3, 5) && !batch.items[2].truncated);
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

static void whole_batch(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    prepare(&batch, ROOM);
    for (uint32_t i = 0; i < BATCH; i++) {
        batch.items[i].len = i * 7;
        batch.items[i].addr = at_b;
        fill(batch.mem[i], i, 0, i * 7);
    }
    CHECK_INT(np_plat_udp_send(plat, a, batch.items, BATCH), BATCH);
    let_pass(plat, SHORT_MS);
    prepare(&batch, ROOM);
    CHECK_INT(np_plat_udp_recv(plat, b, batch.items, 10), 10);
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(is_datagram(&batch.items[i], i, i * 7));
    }
    CHECK_INT(recv_some(plat, b, &batch, ROOM), BATCH - 10);
    for (uint32_t i = 10; i < BATCH; i++) {
        CHECK(is_datagram(&batch.items[i - 10], i, i * 7));
    }
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

/* ---- errors that are not final --------------------------------------------------------------- */

static void too_long(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    static uint8_t big[66000];
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    prepare(&batch, ROOM);
    batch.items[0] = (struct np_datagram){.base = batch.mem[0], .len = 3, .addr = at_b};
    batch.items[1] = (struct np_datagram){.base = big, .len = sizeof(big), .addr = at_b};
    batch.items[2] = (struct np_datagram){.base = batch.mem[0], .len = 4, .addr = at_b};
    CHECK_INT(np_plat_udp_send(plat, a, batch.items, 3), 1);
    CHECK_INT(np_plat_udp_send(plat, a, batch.items + 1, 2), NP_ERR_TOO_LONG);
    CHECK_INT(np_plat_udp_send(plat, a, batch.items + 2, 1), 1);
    let_pass(plat, SHORT_MS);
    CHECK_INT(recv_some(plat, b, &batch, ROOM), 2);
    CHECK_INT(batch.items[0].len, 3);
    CHECK_INT(batch.items[1].len, 4);
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

/* A connected socket learns that the far port is closed, and works when it opens. */
static void refused_when_connected(struct np_plat *plat)
{
    struct np_addr at_a, at_b, again;
    static struct batch batch;
    uint32_t b = open_socket(plat, NULL, &at_b);
    uint32_t a = open_socket(plat, &at_b, &at_a);
    np_plat_close(plat, b);
    for (uint32_t round = 0; round < 2; round++) {
        CHECK_INT(send_one(plat, a, NULL, 1, 10), 1);
        np_plat_interest(plat, a, NP_EV_READ); /* the refusal is taken like a datagram */
        CHECK((wait_event(plat, a, NP_EV_READ, LONG_MS) & NP_EV_READ) != 0);
        np_plat_interest(plat, a, 0);
        CHECK_INT(recv_some(plat, a, &batch, ROOM), NP_ERR_REFUSED);
        CHECK_INT(np_plat_udp_recv(plat, a, batch.items, 1), NP_ERR_AGAIN);
    }
    CHECK_INT(np_plat_udp_open(plat, &at_b, NULL, 1, &b), NP_OK);
    CHECK_INT(send_one(plat, a, NULL, 3, 20), 1);
    CHECK_INT(recv_some(plat, b, &batch, ROOM), 1);
    CHECK(is_datagram(&batch.items[0], 3, 20));
    CHECK_INT(send_one(plat, b, &at_a, 4, 30), 1);
    CHECK_INT(recv_some(plat, a, &batch, ROOM), 1);
    CHECK(is_datagram(&batch.items[0], 4, 30));
    CHECK_INT(np_plat_peer(plat, a, &again), NP_OK);
    CHECK(np_addr_is_equal(&again, &at_b));
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

/* A socket without a remote never hears of one closed port among many. */
static void refused_is_swallowed(struct np_plat *plat)
{
    struct np_addr at_a, at_b, closed;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    np_plat_close(plat, open_socket(plat, NULL, &closed));
    CHECK_INT(send_one(plat, a, &closed, 1, 10), 1);
    let_pass(plat, SHORT_MS);
    CHECK_INT(send_one(plat, a, &closed, 1, 10), 1);
    CHECK_INT(np_plat_udp_recv(plat, a, batch.items, 1), NP_ERR_AGAIN);
    CHECK_INT(send_one(plat, a, &at_b, 2, 10), 1);
    CHECK_INT(recv_some(plat, b, &batch, ROOM), 1);
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* A connected socket takes datagrams of its far end only. */
static void strangers_are_filtered(struct np_plat *plat)
{
    struct np_addr at_a, at_b, at_c;
    static struct batch batch;
    uint32_t b = open_socket(plat, NULL, &at_b), c = open_socket(plat, NULL, &at_c);
    uint32_t a = open_socket(plat, &at_b, &at_a);
    CHECK_INT(send_one(plat, c, &at_a, 1, 10), 1);
    let_pass(plat, SHORT_MS);
    prepare(&batch, ROOM);
    int32_t n = np_plat_udp_recv(plat, a, batch.items, BATCH);
    CHECK_INT(n, NP_ERR_AGAIN);
    CHECK_INT(send_one(plat, b, &at_a, 2, 10), 1);
    CHECK_INT(recv_some(plat, a, &batch, ROOM), 1);
    CHECK(np_addr_is_equal(&batch.items[0].addr, &at_b));
    np_plat_close(plat, a);
    np_plat_close(plat, b);
    np_plat_close(plat, c);
}

/* One socket for both families; IPv4 shows as IPv4 and is answered. */
static void socket_on_everything(struct np_plat *plat)
{
    struct np_addr at, at_peer, local[2] = {loopback4(0), loopback6(0)};
    static struct batch batch;
    uint32_t server;
    CHECK_INT(np_plat_udp_open(plat, NULL, NULL, 0, &server), NP_OK);
    CHECK_INT(np_plat_local(plat, server, &at), NP_OK);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t peer;
        struct np_addr to = i == 0 ? loopback4(at.port) : loopback6(at.port);
        CHECK_INT(np_plat_udp_open(plat, &local[i], NULL, 0, &peer), NP_OK);
        CHECK_INT(np_plat_local(plat, peer, &at_peer), NP_OK);
        CHECK_INT(send_one(plat, peer, &to, i, 50), 1);
        CHECK_INT(recv_some(plat, server, &batch, ROOM), 1);
        CHECK(np_addr_is_equal(&batch.items[0].addr, &at_peer));
        CHECK_INT(send_one(plat, server, &batch.items[0].addr, 9, 60), 1);
        CHECK_INT(recv_some(plat, peer, &batch, ROOM), 1);
        CHECK(is_datagram(&batch.items[0], 9, 60));
        CHECK(np_addr_is_equal(&batch.items[0].addr, &to));
        np_plat_close(plat, peer);
    }
    np_plat_close(plat, server);
}

/* A socket on everything answers from the address it was asked at: a connected peer takes answers
 * from no other. */
static void answer_from_asked_address(struct np_plat *plat)
{
    struct np_addr at, at_peer, local = loopback4(0);
    struct np_addr asked = {.family = NP_FAMILY_IP4, .ip = {127, 0, 0, 5}};
    static struct batch batch;
    uint32_t server, peer;
    CHECK_INT(np_plat_udp_open(plat, NULL, NULL, 0, &server), NP_OK);
    CHECK_INT(np_plat_local(plat, server, &at), NP_OK);
    asked.port = at.port;
    CHECK_INT(np_plat_udp_open(plat, &local, &asked, 0, &peer), NP_OK);
    CHECK_INT(np_plat_local(plat, peer, &at_peer), NP_OK);
    CHECK_INT(send_one(plat, peer, NULL, 1, 40), 1);
    CHECK_INT(recv_some(plat, server, &batch, ROOM), 1);
    CHECK(np_addr_is_equal(&batch.items[0].addr, &at_peer));
    CHECK(batch.items[0].has_local || strcmp(np_harness_name(), "sim") == 0);
    if (batch.items[0].has_local) {
        CHECK(memcmp(batch.items[0].local_ip, asked.ip, 4) == 0);
        batch.items[0].len = 20;
        CHECK_INT(np_plat_udp_send(plat, server, batch.items, 1), 1);
        CHECK_INT(recv_some(plat, peer, &batch, ROOM), 1);
        CHECK(is_datagram(&batch.items[0], 1, 20));
    }
    np_plat_close(plat, peer);
    np_plat_close(plat, server);
}

static void open_errors(struct np_plat *plat)
{
    struct np_addr at, foreign = {.family = NP_FAMILY_IP4, .ip = {192, 0, 2, 77}};
    uint32_t extra, a = open_socket(plat, NULL, &at);
    CHECK_INT(np_plat_udp_open(plat, &at, NULL, 0, &extra), NP_ERR_ADDR_IN_USE);
    CHECK_INT(np_plat_udp_open(plat, &foreign, NULL, 0, &extra), NP_ERR_ADDR_NOT_LOCAL);
    CHECK_INT(np_plat_peer(plat, a, &foreign), NP_ERR_INVALID);
    np_plat_close(plat, a);
}

static void readiness(struct np_plat *plat)
{
    struct np_addr at_a, at_b;
    static struct batch batch;
    uint32_t a = open_socket(plat, NULL, &at_a), b = open_socket(plat, NULL, &at_b);
    np_plat_interest(plat, a, NP_EV_READ | NP_EV_WRITE);
    CHECK_INT(wait_event(plat, a, NP_EV_WRITE, LONG_MS), NP_EV_WRITE);
    np_plat_interest(plat, a, NP_EV_READ);
    CHECK(is_silent(plat, a));
    CHECK_INT(send_one(plat, b, &at_a, 1, 10), 1);
    CHECK_INT(send_one(plat, b, &at_a, 1, 10), 1);
    CHECK_INT(wait_event(plat, a, NP_EV_READ, LONG_MS), NP_EV_READ);
    let_pass(plat, SHORT_MS);
    prepare(&batch, ROOM);
    CHECK_INT(np_plat_udp_recv(plat, a, batch.items, 1), 1);
    CHECK_INT(wait_event(plat, a, NP_EV_READ, LONG_MS), NP_EV_READ);
    CHECK_INT(np_plat_udp_recv(plat, a, batch.items, 1), 1);
    CHECK(is_silent(plat, a));
    np_plat_close(plat, a);
    np_plat_close(plat, b);
}

const struct np_contract_test np_contract_udp[] = {
    {"udp_there_and_back", there_and_back, 0, 0, 0},
    {"udp_empty_datagram", empty_datagram, 0, 0, 0},
    {"udp_truncated_datagram", truncated_datagram, 0, 0, 0},
    {"udp_whole_batch", whole_batch, 0, 0, 0},
    {"udp_too_long", too_long, 0, 0, 0},
    {"udp_refused_when_connected", refused_when_connected, 0, 0, 0},
    {"udp_refused_is_swallowed", refused_is_swallowed, 0, 0, 0},
    {"udp_strangers_are_filtered", strangers_are_filtered, 0, 0, 0},
    {"udp_socket_on_everything", socket_on_everything, 0, 0, 0},
    {"udp_answer_from_asked_address", answer_from_asked_address, 0, 0, 0},
    {"udp_open_errors", open_errors, 0, 0, 0},
    {"udp_readiness", readiness, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
