/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/channel: TLS buffers that are all in use must stop nobody but those who hold them. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define BUFFERS 16u
#define HALF 5u /* of what sessions may have, for one way */
#define STUCK 40u
#define TLS_QUERY "tls=1&max=60", "tls=1&min=6"
/* Until those who hold buffers count as stalled, and as many looks as let all who wait go on. */
#define PATIENCE_MS (NP_STALL_MS + 10 * NP_STALL_LOOK_MS)

/* A build with few record buffers. They have not been used yet. */
static void shrink_buffers(struct tunnel_rig *rig, uint32_t side)
{
    struct np_pool *records = &rig->sides[side].app->records;

    NP_CHECK(records->used <= 2 && records->fresh <= BUFFERS);
    records->count = BUFFERS;
}

static struct np_pool *records_of(struct tunnel_rig *rig, uint32_t side)
{
    return &rig->sides[side].app->records;
}

/* Visitors that take nothing of what pours for them: the server's buffers are all held. */
static void open_stuck_visitors(struct tunnel_rig *rig)
{
    for (uint32_t i = 0; i < STUCK; i++) {
        struct person *person = tunnel_rig_visit(rig, WISH_POUR);
        person->is_paused = true;
        np_plat_interest(rig->people_plat, person->handle, 0);
        tunnel_rig_run_ms(rig, 50);
    }
}

NP_TEST(channel, visitors_that_stop_reading_stop_no_other)
{
    struct tunnel_rig *rig = tunnel_rig_open(1);

    tunnel_rig_start_pair(rig, TLS_QUERY);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_SERVER);
    open_stuck_visitors(rig);
    NP_CHECK_INT(records_of(rig, RIG_SERVER)->used, HALF);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).tcp_sessions, STUCK);
    NP_CHECK(tunnel_rig_has_echo(rig, PATIENCE_MS));
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "All 5 TLS buffers for sessions are in use") >
             0);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK(tunnel_rig_stats(rig, RIG_SERVER, 0).tcp_sessions < STUCK);
    tunnel_rig_close(rig);
}

static bool is_pool_full(struct tunnel_rig *rig)
{
    return tunnel_rig_stats(rig, RIG_SERVER, 0).pool_idle >= 6;
}

/* Buffers that sessions may not take are left for handshakes: the pool fills up meanwhile. */
NP_TEST(channel, handshakes_go_on_while_sessions_starve)
{
    struct tunnel_rig *rig = tunnel_rig_open(2);

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_SERVER);
    open_stuck_visitors(rig);
    NP_CHECK_INT(records_of(rig, RIG_SERVER)->used, HALF);
    NP_CHECK(tunnel_rig_run_until(rig, is_pool_full, 1000));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "TLS handshake with"), 0);
    tunnel_rig_close(rig);
}

/* A transfer that has more to do in each turn is on the same list as those who wait for a buffer;
 * it must not hide them. */
NP_TEST(channel, a_busy_session_does_not_hide_those_who_wait)
{
    struct tunnel_rig *rig = tunnel_rig_open(9);
    struct np_app *app;
    uint32_t sessions;

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_SERVER);
    open_stuck_visitors(rig);
    app = rig->sides[RIG_SERVER].app;
    np_timer_stop(&app->timers, &app->starve_timer); /* the test looks instead */
    tunnel_rig_run_ms(rig, 2 * NP_STALL_MS);
    sessions = app->sessions.used;
    NP_CHECK_INT(sessions, STUCK);
    np_channel_defer(NP_CONTAINER(np_list_first(&app->holders), struct np_channel, holder));
    np_channel_on_starved(&app->starve_timer, app->now_ms);
    NP_CHECK(app->sessions.used < sessions);
    tunnel_rig_close(rig);
}

/* Connections that go silent inside a record hold a buffer each; no session may wait for that. */
NP_TEST(channel, records_that_never_end_stop_no_other)
{
    struct tunnel_rig *rig = tunnel_rig_open(3);
    struct np_sim_link *link;

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_SERVER);
    link = np_sim_link(rig->sides[RIG_CLIENT].plat, rig->sides[RIG_SERVER].plat);
    link->segment_max = 1000;
    link->bytes_per_ms = 100;
    for (uint32_t i = 0; i < STUCK; i++) {
        (void)tunnel_rig_visit(rig, WISH_POUR);
    }
    tunnel_rig_run_ms(rig, 300);
    NP_CHECK(records_of(rig, RIG_SERVER)->used > HALF / 2);
    np_sim_blackhole_conns(rig->sides[RIG_CLIENT].plat, rig->sides[RIG_SERVER].plat, NP_SIM_ALWAYS);
    link->bytes_per_ms = 0;
    tunnel_rig_run_ms(rig, 2 * NP_STALL_MS);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 30000));
    NP_CHECK(tunnel_rig_has_echo(rig, 2000));
    tunnel_rig_close(rig);
}

/* The same at the side of the target: it takes nothing of what visitors send. */
NP_TEST(channel, targets_that_stop_reading_stop_no_other)
{
    struct tunnel_rig *rig = tunnel_rig_open(4);

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_CLIENT);
    for (uint32_t i = 0; i < STUCK; i++) {
        struct person *person = tunnel_rig_visit(rig, WISH_IGNORE);
        person->to_send = 1000000;
        np_plat_interest(rig->people_plat, person->handle, NP_EV_READ | NP_EV_WRITE);
        np_sim_host_touch(rig->people_plat);
        tunnel_rig_run_ms(rig, 50);
    }
    NP_CHECK_INT(records_of(rig, RIG_CLIENT)->used, HALF);
    /* those who waited longer have their turns before, and stall as well */
    NP_CHECK(tunnel_rig_has_echo(rig, STUCK / HALF * NP_STALL_MS + PATIENCE_MS));
    NP_CHECK(tunnel_rig_log_count(rig, RIG_CLIENT, "All 5 TLS buffers for sessions are in use") >
             0);
    tunnel_rig_close(rig);
}

#define TALK_BYTES 2000000u

static bool has_heard_all(struct tunnel_rig *rig)
{
    for (uint32_t i = 0; i < rig->people_count; i++) {
        const struct person *person = &rig->people[i];
        if (!person->is_target && person->handle != NP_HANDLE_NONE &&
            person->received < TALK_BYTES) {
            return false;
        }
    }
    return true;
}

static void talk_both_ways(struct tunnel_rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tunnel_rig_visit(rig, WISH_ECHO);
    }
    for (uint32_t i = 0; i < rig->people_count; i++) {
        if (!rig->people[i].is_target && rig->people[i].handle != NP_HANDLE_NONE) {
            rig->people[i].to_send = TALK_BYTES;
            tunnel_rig_resume(rig, &rig->people[i]);
        }
    }
}

/* Each session wants a buffer to receive and one to send, and there are fewer at both ends. */
NP_TEST(channel, sessions_that_talk_both_ways_do_not_block_each_other)
{
    struct tunnel_rig *rig = tunnel_rig_open(1);

    tunnel_rig_start_pair(rig, TLS_QUERY);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_run_ms(rig, 1000);
    shrink_buffers(rig, RIG_SERVER);
    shrink_buffers(rig, RIG_CLIENT);
    talk_both_ways(rig, STUCK);
    NP_CHECK(tunnel_rig_run_until(rig, has_heard_all, NP_STALL_MS / 2));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "TLS buffers for"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "TLS buffers for"), 0);
    for (uint32_t i = 0; i < rig->people_count; i++) {
        NP_CHECK(rig->people[i].is_target || rig->people[i].err == NP_OK);
    }
    tunnel_rig_close(rig);
}

/* Nobody is closed for being slow while buffers are free. */
NP_TEST(channel, slow_readers_live_while_buffers_are_free)
{
    struct tunnel_rig *rig = tunnel_rig_open(5);

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    open_stuck_visitors(rig);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_run_ms(rig, 3 * NP_STALL_MS);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).tcp_sessions, STUCK);
    for (uint32_t i = 0; i < rig->people_count; i++) {
        if (!rig->people[i].is_target && rig->people[i].is_paused) {
            tunnel_rig_resume(rig, &rig->people[i]);
        }
    }
    tunnel_rig_run_ms(rig, 5000);
    for (uint32_t i = 0; i < rig->people_count; i++) {
        if (!rig->people[i].is_target && rig->people[i].head_len > 0 &&
            rig->people[i].received != 1000) {
            NP_CHECK_INT(rig->people[i].received, 1000000);
        }
    }
    NP_CHECK_INT(records_of(rig, RIG_SERVER)->used, 0);
    NP_CHECK_INT(records_of(rig, RIG_CLIENT)->used, 0);
    tunnel_rig_close(rig);
}

static uint32_t taken[4096], taken_count;

/* All buffers are in use, whoever has them. */
static void take_buffers(struct tunnel_rig *rig, uint32_t side)
{
    struct np_pool *records = records_of(rig, side);

    for (taken_count = 0; np_pool_acquire_unset(records, &taken[taken_count]) != NULL;) {
        taken_count++;
    }
}

static void give_buffers(struct tunnel_rig *rig, uint32_t side)
{
    while (taken_count > 0) {
        np_pool_release(records_of(rig, side), taken[--taken_count]);
    }
}

static struct np_conn *oldest_of(struct tunnel_rig *rig, uint32_t side)
{
    return np_connpool_oldest(&rig->sides[side].app->instances[0]);
}

/* One idle connection is reset by the other side, one is ended in order, and one does not get to
 * its end: without a buffer none of that can be read. It waits for one, and costs no turn (the
 * platform fails a host that spins). */
static void check_without_buffers(struct tunnel_rig *rig, uint32_t side)
{
    uint32_t other = 1 - side;
    struct rig_side *peer = &rig->sides[other];

    take_buffers(rig, side);
    np_conn_close(oldest_of(rig, other));
    np_sim_host_touch(peer->plat);
    tunnel_rig_run_ms(rig, 1000);
    struct np_conn *conn = oldest_of(rig, other);
    np_channel_close_tx(np_channel_get(peer->app, conn->channel));
    np_sim_host_touch(peer->plat);
    tunnel_rig_run_ms(rig, 1000);
    np_plat_tcp_shutdown_tx(peer->plat, conn->handle);
    np_sim_host_touch(peer->plat);
    tunnel_rig_run_ms(rig, 20000);
    give_buffers(rig, side);
    np_sim_host_touch(rig->sides[side].plat);
    tunnel_rig_run_ms(rig, 40000); /* dials have backed off */
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    NP_CHECK_INT(records_of(rig, side)->used, 0);
}

NP_TEST(channel, nothing_spins_without_a_buffer)
{
    for (uint32_t side = 0; side < 2; side++) {
        struct tunnel_rig *rig = tunnel_rig_open(6 + side);

        np_test_context("side %u", side);
        tunnel_rig_start_pair(rig, TLS_QUERY);
        tunnel_rig_run_ms(rig, 1000);
        check_without_buffers(rig, side);
        tunnel_rig_close(rig);
    }
}

/* The far end of a UDP session resets it while no buffer is free to read that with. */
NP_TEST(channel, a_dead_udp_session_needs_no_buffer)
{
    struct tunnel_rig *rig = tunnel_rig_open(12);
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, 9000);
    struct np_datagram datagram = {.base = (uint8_t *)"hello", .len = 5, .addr = to};
    struct np_instance *client;
    uint32_t visitor;

    tunnel_rig_start_pair(rig, TLS_QUERY);
    NP_CHECK_INT(np_plat_udp_open(rig->people_plat, NULL, NULL, 0, &visitor), NP_OK);
    NP_CHECK_INT(np_plat_udp_send(rig->people_plat, visitor, &datagram, 1), 1);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).udp_sessions, 1);
    take_buffers(rig, RIG_SERVER);
    client = &rig->sides[RIG_CLIENT].app->instances[0];
    np_session_abort(NP_CONTAINER(np_list_first(&client->sessions), struct np_session, node),
                     NP_ERR_RESET);
    np_sim_host_touch(rig->sides[RIG_CLIENT].plat);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).udp_sessions, 0);
    give_buffers(rig, RIG_SERVER);
    np_plat_close(rig->people_plat, visitor);
    tunnel_rig_close(rig);
}

static bool is_id_expected(struct tunnel_rig *rig)
{
    struct np_list *opening = &rig->sides[RIG_CLIENT].app->instances[0].pool.opening;
    struct np_node *node = np_list_first(opening);

    return node != NULL && NP_CONTAINER(node, struct np_conn, node)->state == NP_CONN_EXPECT_ID;
}

/* No buffer while an id comes: the connection waits for one without turns, and is of use then. */
NP_TEST(channel, an_id_waits_for_a_buffer)
{
    struct tunnel_rig *rig = tunnel_rig_open(8);
    struct rig_side *client = &rig->sides[RIG_CLIENT];

    tunnel_rig_start_pair(rig, TLS_QUERY);
    tunnel_rig_run_ms(rig, 1000);
    np_sim_link(client->plat, rig->sides[RIG_SERVER].plat)->latency_us = 100000;
    np_conn_close(np_connpool_oldest(&client->app->instances[0]));
    np_connpool_fill(&client->app->instances[0]);
    np_sim_host_touch(client->plat);
    NP_CHECK(tunnel_rig_run_until(rig, is_id_expected, 1000));
    take_buffers(rig, RIG_CLIENT);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK(is_id_expected(rig));
    give_buffers(rig, RIG_CLIENT);
    np_sim_host_touch(client->plat);
    tunnel_rig_run_ms(rig, 10);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle, 6);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool connection failed"), 0);
    tunnel_rig_close(rig);
}

/* An empty datagram takes room as well: none is sealed behind the end of the buffer. */
NP_TEST(channel, an_empty_record_needs_room)
{
    struct tunnel_rig *rig = tunnel_rig_open(10);
    struct np_app *app;
    struct np_channel *c;
    uint8_t *payload;

    tunnel_rig_start_pair(rig, TLS_QUERY);
    app = rig->sides[RIG_SERVER].app;
    c = np_channel_get(app, oldest_of(rig, RIG_SERVER)->channel);
    for (uint32_t left = 0; left <= NP_TLS_OVERHEAD; left++) {
        NP_CHECK(np_channel_room(c, &payload) > 0);
        c->out_len = app->plan.record_bytes - left;
        np_test_context("%u bytes left", left);
        NP_CHECK_INT(np_channel_send(c, payload, 0), NP_ERR_AGAIN);
        NP_CHECK_INT(c->out_len, app->plan.record_bytes - left);
        c->out_len = 0;
        NP_CHECK_INT(np_channel_flush(c), NP_OK);
    }
    tunnel_rig_close(rig);
}

/* Every share has something, and sessions keep what the others may not have. */
NP_TEST(channel, shares_of_any_number_of_buffers)
{
    for (uint32_t count = 1; count < 5000; count++) {
        uint32_t in = np_channel_share_cap(count, NP_SHARE_IN);
        uint32_t out = np_channel_share_cap(count, NP_SHARE_OUT);
        uint32_t handshake = np_channel_share_cap(count, NP_SHARE_HANDSHAKE);
        uint32_t idle = np_channel_share_cap(count, NP_SHARE_IDLE);

        np_test_context("%u", count);
        NP_CHECK(in >= 1 && out >= 1 && handshake >= 2 && idle >= 2);
        NP_CHECK(count < 4 || in + out + handshake <= count);
        NP_CHECK(count < 16 || in + out + handshake + idle <= count);
        NP_CHECK(count < 16 || in + out >= count / 2 + count / 8);
    }
}

static struct np_app *server_of(struct tunnel_rig *rig)
{
    return rig->sides[RIG_SERVER].app;
}

/* Two servers in one process; the first one's client has many connections. */
static void start_two(struct tunnel_rig *rig)
{
    tunnel_rig_start(rig, RIG_SERVER,
                     "server://key@10.0.0.1:7001/10.0.0.1:9001?mode=1&tls=1&max=60",
                     "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1&max=60");
    tunnel_rig_start(rig, RIG_CLIENT, "client://key@10.0.0.1:7001/10.0.0.3:8080?mode=2&min=40",
                     "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&min=6");
    tunnel_rig_run_ms(rig, 2000);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).pool_idle, 40);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 1).pool_idle, 6);
}

/* The client of the first server sends `bytes` on all its idle connections. */
static void poke_all(struct tunnel_rig *rig, const char *bytes, uint32_t len)
{
    struct rig_side *client = &rig->sides[RIG_CLIENT];
    struct np_instance *instance = &client->app->instances[0];

    for (struct np_node *node = np_list_first(&instance->pool.idle); node != NULL;
         node = np_list_next(&instance->pool.idle, node)) {
        uint32_t handle = NP_CONTAINER(node, struct np_conn, node)->handle;
        NP_CHECK_INT(np_plat_tcp_send(client->plat, handle, (const uint8_t *)bytes, len), len);
    }
    np_sim_host_touch(client->plat);
    tunnel_rig_run_ms(rig, 100);
}

/* Idle connections that stop inside a record keep no buffer from sessions, from handshakes or from
 * another server, and are closed. */
NP_TEST(channel, idle_connections_inside_a_record)
{
    struct tunnel_rig *rig = tunnel_rig_open(13);

    start_two(rig);
    shrink_buffers(rig, RIG_SERVER);
    poke_all(rig, "\x17\x03\x03", 3);
    NP_CHECK(records_of(rig, RIG_SERVER)->used <= 2);
    NP_CHECK(tunnel_rig_has_echo(rig, 500));
    np_connpool_flush(&rig->sides[RIG_CLIENT].app->instances[1]);
    np_sim_host_touch(rig->sides[RIG_CLIENT].plat);
    tunnel_rig_run_ms(rig, 500);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 1).pool_idle, 6);
    NP_CHECK(tunnel_rig_has_echo(rig, 500));
    tunnel_rig_run_ms(rig, 3000);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "TLS buffers for pool connections") > 0);
    NP_CHECK(server_of(rig)->instances[0].pool.lost_count > 0);
    NP_CHECK_INT(server_of(rig)->instances[1].pool.lost_count, 6);
    tunnel_rig_close(rig);
}

/* Such a connection is closed even if nobody waits for its buffer. */
NP_TEST(channel, part_of_a_record_on_an_idle_connection_has_a_limit)
{
    struct tunnel_rig *rig = tunnel_rig_open(14);

    start_two(rig);
    poke_all(rig, "\x17\x03\x03\x01\x00 and less than it says", 26);
    NP_CHECK_INT(records_of(rig, RIG_SERVER)->used, 40);
    tunnel_rig_run_ms(rig, NP_LAUNCH_WAIT_MS + 100);
    NP_CHECK_INT(records_of(rig, RIG_SERVER)->used, 0);
    NP_CHECK_INT(server_of(rig)->instances[0].pool.lost_count, 40);
    NP_CHECK(tunnel_rig_has_echo(rig, 500));
    tunnel_rig_close(rig);
}

/* "people" are at the client's address for this. */
static void begin_handshakes(struct tunnel_rig *rig, uint32_t count)
{
    struct np_addr *client = &server_of(rig)->instances[0].control.peer, own = *client;

    *client = np_sim_ip4(10, 0, 0, 3, 1);
    for (uint32_t i = 0; i < count; i++) {
        (void)tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 1, 7000), "\x16\x03\x01", 3);
        tunnel_rig_run_ms(rig, 30);
    }
    *client = own;
}

/* A flood of handshakes that stop inside their first record, from the address of the client: under
 * a small ceiling as well, there are fewer of them than buffers that they may have. */
NP_TEST(channel, handshakes_that_stand_still)
{
    static const char *const queries[] = {"tls=1&max=60&mem=8", "tls=1&max=60&mem=4",
                                          "tls=1&max=60"};

    for (uint32_t i = 0; i < 3; i++) {
        struct tunnel_rig *rig = tunnel_rig_open(15);
        struct person *person;

        np_test_context("%s", queries[i]);
        rig->tuning.report_interval_ms = 60000;
        tunnel_rig_start_pair(rig, queries[i], "tls=1&min=6");
        tunnel_rig_run_ms(rig, 1000);
        NP_CHECK(server_of(rig)->plan.handshakes < records_of(rig, RIG_SERVER)->count / 4);
        person = tunnel_rig_visit(rig, WISH_ECHO);
        tunnel_rig_run_ms(rig, 100);
        for (uint32_t k = 0; k < 15; k++) {
            uint64_t before = person->received;
            begin_handshakes(rig, 20);
            tunnel_rig_say(rig, person, "x", 1);
            tunnel_rig_run_ms(rig, 100);
            NP_CHECK_INT(person->received, before + 1);
        }
        NP_CHECK(tunnel_rig_has_echo(rig, 500));
        tunnel_rig_close(rig);
    }
}
