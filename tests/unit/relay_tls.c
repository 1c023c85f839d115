/* SPDX-License-Identifier: BSD-3-Clause */
/* core/relay over TLS, both modes: ends of streams, resets, datagrams and their borders
 * (protocol.md 7). */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

struct mode {
    const char *server, *client;
    uint8_t door; /* last byte of the host with the visitors' port 9000 */
};

static const struct mode modes[] = {
    {"server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1",
     "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&min=3", 1},
    {"server://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&tls=1",
     "client://key@10.0.0.1:7000/10.0.0.2:9000?mode=2&min=3", 2},
};
#define MODES (sizeof modes / sizeof modes[0])

static struct tunnel_rig *start(const struct mode *mode, uint64_t seed)
{
    struct tunnel_rig *rig = tunnel_rig_open(seed);

    np_test_context("%s", mode->server);
    tunnel_rig_start(rig, RIG_SERVER, mode->server, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, mode->client, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 5000));
    return rig;
}

static struct person *visit(struct tunnel_rig *rig, const struct mode *mode, enum wish wish)
{
    char head = (char)wish;

    return tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, mode->door, 9000), &head, 1);
}

static uint32_t sessions(const struct tunnel_rig *rig)
{
    return tunnel_rig_stats(rig, RIG_SERVER, 0).tcp_sessions +
           tunnel_rig_stats(rig, RIG_CLIENT, 0).tcp_sessions;
}

/* The visitor ends its direction; a megabyte comes after that, then the target's end. */
NP_TEST(relay_tls, half_close)
{
    for (uint32_t i = 0; i < MODES; i++) {
        struct tunnel_rig *rig = start(&modes[i], 90);
        struct person *visitor = visit(rig, &modes[i], WISH_AFTER);

        tunnel_rig_run_ms(rig, 100);
        NP_CHECK_INT(visitor[1].received, 1); /* its target, the next who came */
        NP_CHECK_INT(visitor->received, 0);
        np_plat_tcp_shutdown_tx(rig->people_plat, visitor->handle);
        np_sim_host_touch(rig->people_plat);
        tunnel_rig_run_ms(rig, 2000);
        NP_CHECK(visitor[1].saw_end);
        NP_CHECK_INT(visitor->received, 1000000);
        NP_CHECK(visitor->saw_end);
        NP_CHECK_INT(visitor->err, NP_OK);
        NP_CHECK_INT(sessions(rig), 0);
        tunnel_rig_close(rig);
    }
}

/* A reset at one end is a reset at the other, no orderly end. */
NP_TEST(relay_tls, reset)
{
    for (uint32_t i = 0; i < 2 * MODES; i++) {
        struct tunnel_rig *rig = start(&modes[i / 2], 91);
        struct person *visitor = visit(rig, &modes[i / 2], WISH_ECHO);
        struct person *from = &visitor[i % 2], *to = &visitor[1 - i % 2];

        tunnel_rig_run_ms(rig, 100);
        NP_CHECK_INT(visitor->received, 1);
        tunnel_rig_hang_up(rig, from);
        np_sim_host_touch(rig->people_plat);
        tunnel_rig_run_ms(rig, 500);
        NP_CHECK_INT(to->err, NP_ERR_RESET);
        NP_CHECK(!to->saw_end);
        NP_CHECK_INT(sessions(rig), 0);
        tunnel_rig_close(rig);
    }
}

/* ---- datagrams ------------------------------------------------------------------------------- */

#define BURST 12u

static uint32_t lens[BURST] = {5, 0, 1, 1400, 0, 0, 700, 2, 2048, 64, 0, 9};

static uint32_t open_socket(struct tunnel_rig *rig, uint16_t port)
{
    struct np_addr local = np_sim_ip4(10, 0, 0, 3, port);
    uint32_t handle;

    NP_CHECK_INT(np_plat_udp_open(rig->people_plat, &local, NULL, 0, &handle), NP_OK);
    return handle;
}

static void send_burst(struct tunnel_rig *rig, uint32_t from, const struct np_addr *to)
{
    static uint8_t bytes[2048];

    for (uint32_t i = 0; i < BURST; i++) {
        struct np_datagram datagram = {.base = bytes, .len = lens[i], .addr = *to};

        memset(bytes, (int)(i + 1), sizeof bytes);
        NP_CHECK_INT(np_plat_udp_send(rig->people_plat, from, &datagram, 1), 1);
    }
    np_sim_host_touch(rig->people_plat);
    tunnel_rig_run_ms(rig, 300);
}

/* The same datagrams in the same order, and no more; *from is who sent them. */
static void expect_burst(struct tunnel_rig *rig, uint32_t at, struct np_addr *from)
{
    static uint8_t bytes[4096];

    for (uint32_t i = 0; i < BURST; i++) {
        struct np_datagram datagram = {.base = bytes, .cap = sizeof bytes};

        if (!NP_CHECK_INT(np_plat_udp_recv(rig->people_plat, at, &datagram, 1), 1)) {
            return;
        }
        NP_CHECK_INT(datagram.len, lens[i]);
        NP_CHECK(datagram.len == 0 || (bytes[0] == i + 1 && bytes[datagram.len - 1] == i + 1));
        *from = datagram.addr;
    }
    struct np_datagram more = {.base = bytes, .cap = sizeof bytes};
    NP_CHECK_INT(np_plat_udp_recv(rig->people_plat, at, &more, 1), NP_ERR_AGAIN);
}

/* One record, one datagram, empty ones too, both ways in both modes. */
NP_TEST(relay_tls, datagrams_keep_their_borders)
{
    for (uint32_t i = 0; i < MODES; i++) {
        struct tunnel_rig *rig = start(&modes[i], 92);
        struct np_addr door = np_sim_ip4(10, 0, 0, modes[i].door, 9000), from;
        uint32_t visitor = open_socket(rig, 5000), target = open_socket(rig, RIG_TARGET_PORT);

        send_burst(rig, visitor, &door);
        expect_burst(rig, target, &from);
        send_burst(rig, target, &from);
        expect_burst(rig, visitor, &from);
        NP_CHECK(np_addr_is_equal(&from, &door));
        np_plat_close(rig->people_plat, visitor);
        np_plat_close(rig->people_plat, target);
        tunnel_rig_close(rig);
    }
}

/* The socket towards the peer is full: what does not fit is kept or dropped whole. */
NP_TEST(relay_tls, datagrams_into_a_full_tunnel)
{
    for (uint32_t i = 0; i < MODES; i++) {
        struct tunnel_rig *rig = start(&modes[i], 93);
        struct np_addr door = np_sim_ip4(10, 0, 0, modes[i].door, 9000);
        uint32_t visitor = open_socket(rig, 5000), target = open_socket(rig, RIG_TARGET_PORT);
        static uint8_t bytes[4096];
        uint32_t arrived = 0;
        int32_t got;

        for (uint32_t side = 0; side < 2; side++) {
            np_sim_link(rig->sides[side].plat, rig->sides[1 - side].plat)->bytes_per_ms = 20;
        }
        for (uint32_t n = 0; n < 40; n++) {
            struct np_datagram datagram = {.base = bytes, .len = 2000, .addr = door};

            memset(bytes, (int)n, sizeof bytes);
            NP_CHECK_INT(np_plat_udp_send(rig->people_plat, visitor, &datagram, 1), 1);
            tunnel_rig_run_ms(rig, 2);
        }
        for (uint32_t ms = 0; ms < 20000; ms += 100) {
            struct np_datagram datagram = {.base = bytes, .cap = sizeof bytes};

            tunnel_rig_run_ms(rig, 100);
            while ((got = np_plat_udp_recv(rig->people_plat, target, &datagram, 1)) == 1) {
                NP_CHECK_INT(datagram.len, 2000);
                NP_CHECK_INT(bytes[0], bytes[1999]);
                arrived++;
            }
        }
        NP_CHECK(arrived >= 15 && arrived <= 40);
        np_plat_close(rig->people_plat, visitor);
        np_plat_close(rig->people_plat, target);
        tunnel_rig_close(rig);
    }
}

/* ---- records without a byte ------------------------------------------------------------------ */

#define EMPTIES 120000u

/* A peer may send empty records without end: no turn takes all that have come. */
NP_TEST(relay_tls, empty_records_have_an_end_in_each_turn)
{
    struct tunnel_rig *rig = tunnel_rig_open(94);
    struct rig_side *server = &rig->sides[RIG_SERVER], *client = &rig->sides[RIG_CLIENT];
    struct np_app *app;
    struct np_session *from, *to;

    for (uint32_t i = 0; i < 2; i++) {
        np_sim_host_config(rig->sides[i].plat)->send_buf = EMPTIES * NP_TLS_OVERHEAD;
        np_sim_host_config(rig->sides[i].plat)->recv_buf = EMPTIES * NP_TLS_OVERHEAD;
    }
    tunnel_rig_start_pair(rig, "tls=1", "min=2");
    struct person *visitor = tunnel_rig_visit(rig, WISH_ECHO);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(visitor->received, 1);
    from =
        NP_CONTAINER(np_list_first(&client->app->instances[0].sessions), struct np_session, node);
    to = NP_CONTAINER(np_list_first(&server->app->instances[0].sessions), struct np_session, node);
    app = server->app;
    np_plat_interest(server->plat, to->legs[1], 0); /* it does not look while they come */
    for (uint32_t i = 0; i < EMPTIES; i++) {
        struct np_channel *c = np_channel_get(client->app, from->channel);
        NP_CHECK_INT(np_channel_send(c, NULL, 0), NP_OK);
        NP_CHECK_INT(np_channel_flush(c), NP_OK);
    }
    tunnel_rig_run_ms(rig, 1000);
    np_plat_interest(server->plat, to->legs[1], NP_EV_READ);
    const struct np_tls *tls = &np_channel_get(app, to->channel)->tls;
    uint64_t before = tls->rx.sequence;
    NP_CHECK_INT(np_app_step(app, 0), NP_OK);
    NP_CHECK(tls->rx.sequence > before);
    NP_CHECK(tls->rx.sequence - before < EMPTIES * 3 / 4);
    np_sim_host_touch(server->plat);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(tls->rx.sequence - before, EMPTIES);
    tunnel_rig_say(rig, visitor, "x", 1);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(visitor->received, 2);
    tunnel_rig_close(rig);
}

/* ---- streams that somebody cut or changed ---------------------------------------------------- */

/* What comes behind one good byte of an open session, without the keys. */
static const struct {
    const char *bytes;
    uint32_t len;
    bool has_end;
} forgeries[] = {
    {"", 0, true},                                         /* cut between two records */
    {"\x17\x03\x03\x01\x00\x55", 6, true},                 /* inside of one */
    {"\x17\x03", 2, true},                                 /* inside of a header */
    {"\x17\x03\x03\x00\x12 eighteen bytes...", 23, false}, /* no tag of ours */
    {"\x17\x03\x03\x42\x00", 5, false},                    /* too long */
    {"\x15\x03\x03\x00\x02\x01\x00", 7, false},            /* a close_notify in the clear */
    {"HTTP/1.1 200 OK\r\n", 17, false},
};

NP_TEST(relay_tls, a_cut_or_changed_stream_is_no_orderly_end)
{
    for (uint32_t i = 0; i < 2 * sizeof forgeries / sizeof forgeries[0]; i++) {
        struct tunnel_rig *rig = start(&modes[0], 95);
        struct person *visitor = visit(rig, &modes[0], WISH_ECHO);
        uint32_t which = i / 2, at = i % 2; /* at the server, at the client */
        struct rig_side *side = &rig->sides[at];

        tunnel_rig_run_ms(rig, 100);
        NP_CHECK_INT(visitor->received, 1);
        np_test_context("forgery %u at side %u", which, at);
        struct np_session *session =
            NP_CONTAINER(np_list_first(&side->app->instances[0].sessions), struct np_session, node);
        if (forgeries[which].len > 0) {
            NP_CHECK_INT(np_plat_tcp_send(side->plat, session->legs[1],
                                          (const uint8_t *)forgeries[which].bytes,
                                          forgeries[which].len),
                         forgeries[which].len);
        }
        if (forgeries[which].has_end) {
            np_plat_tcp_shutdown_tx(side->plat, session->legs[1]);
        }
        np_sim_host_touch(side->plat);
        tunnel_rig_run_ms(rig, 1000);
        NP_CHECK(!visitor->saw_end && !visitor[1].saw_end);
        NP_CHECK_INT(visitor->err, NP_ERR_RESET);
        NP_CHECK_INT(visitor[1].err, NP_ERR_RESET);
        NP_CHECK_INT(sessions(rig), 0);
        tunnel_rig_close(rig);
    }
}

/* More than a record takes: not a datagram of ours, and nothing else suffers. */
NP_TEST(relay_tls, longer_than_a_record)
{
    static uint8_t bytes[20000];
    struct tunnel_rig *rig = start(&modes[0], 96);
    struct np_app *app = rig->sides[RIG_CLIENT].app;
    struct np_conn *conn = np_connpool_oldest(&app->instances[0]);

    NP_CHECK_INT(np_channel_send(np_channel_get(app, conn->channel), bytes, sizeof bytes),
                 NP_ERR_TOO_LONG);
    NP_CHECK_INT(np_channel_flush(np_channel_get(app, conn->channel)), NP_OK);
    NP_CHECK_INT(app->records.used, 0);
    tunnel_rig_close(rig);
}
