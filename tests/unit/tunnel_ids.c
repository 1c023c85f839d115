/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/connpool, launch: letter y of the dialect. A pool connection whose id the client has
 * not confirmed is never handed a visitor; a launch in vain is told. */
#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define STRANGERS 8u

struct strangers {
    uint32_t count;
    uint32_t handles[400];
};

/* Connections from the client's own address by somebody who knows nothing and sends nothing. */
static void add_strangers(struct tunnel_rig *rig, struct strangers *strangers, uint32_t count)
{
    struct np_plat *plat = rig->sides[RIG_CLIENT].plat;
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, 7000);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t *handle = &strangers->handles[strangers->count++];
        NP_CHECK_INT(np_plat_tcp_connect(plat, NULL, &to, 0, handle), NP_OK);
        np_plat_interest(plat, *handle, 0);
    }
    tunnel_rig_run_ms(rig, 20);
}

static uint32_t bytes_told(struct tunnel_rig *rig, const struct strangers *strangers)
{
    uint8_t buf[256];
    uint32_t most = 0;

    for (uint32_t i = 0; i < strangers->count; i++) {
        int32_t got =
            np_plat_tcp_recv(rig->sides[RIG_CLIENT].plat, strangers->handles[i], buf, sizeof buf);
        most = got > (int32_t)most ? (uint32_t)got : most;
    }
    return most;
}

static void remove_strangers(struct tunnel_rig *rig, const struct strangers *strangers)
{
    for (uint32_t i = 0; i < strangers->count; i++) {
        np_plat_tcp_abort(rig->sides[RIG_CLIENT].plat, strangers->handles[i]);
    }
}

NP_TEST(tunnel_ids, a_stranger_on_the_clients_address_is_handed_no_visitor)
{
    struct tunnel_rig *rig = tunnel_rig_open(70);
    struct strangers strangers = {0};

    tunnel_rig_start_pair(rig, "max=10", "min=2");
    add_strangers(rig, &strangers, STRANGERS);
    for (uint32_t i = 0; i < 2 * STRANGERS; i++) {
        NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    }
    NP_CHECK_INT(bytes_told(rig, &strangers), NP_DIALECT_ID_LEN);
    remove_strangers(rig, &strangers);
    tunnel_rig_close(rig);
}

/* They fill no pool: the oldest gives way, and none stays for long. */
NP_TEST(tunnel_ids, strangers_do_not_fill_the_pool)
{
    struct tunnel_rig *rig = tunnel_rig_open(71);
    struct strangers strangers = {0};
    const struct np_connpool *pool;

    tunnel_rig_start_pair(rig, "max=10", "min=4");
    pool = &rig->sides[RIG_SERVER].app->instances[0].pool;
    add_strangers(rig, &strangers, 200);
    NP_CHECK_INT(pool->idle.count, 4);
    NP_CHECK_INT(pool->unproven.count, 10 + NP_MAX_DIALS - 4);
    for (uint32_t i = 0; i < 20; i++) {
        NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    }
    tunnel_rig_run_ms(rig, 11000);
    NP_CHECK_INT(pool->unproven.count, 0);
    NP_CHECK(tunnel_rig_stats(rig, RIG_SERVER, 0).pool_idle >= 4);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).restarts, 0);
    remove_strangers(rig, &strangers);
    tunnel_rig_close(rig);
}

/* The stranger is there before the client's reply to the offer, and a visitor waits. */
NP_TEST(tunnel_ids, a_stranger_who_is_faster_than_the_client_is_handed_none)
{
    struct tunnel_rig *rig = tunnel_rig_open(72);
    struct strangers strangers = {0};
    struct person *visitor;

    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1", NULL);
    tunnel_rig_run_ms(rig, 10);
    visitor = tunnel_rig_visit(rig, WISH_ECHO);
    tunnel_rig_start(rig, RIG_CLIENT, "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2", NULL);
    while (!tunnel_rig_stats(rig, RIG_SERVER, 0).is_up) {
        np_sim_run(rig->sim, np_sim_now_us(rig->sim) + 1);
    }
    add_strangers(rig, &strangers, STRANGERS);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(visitor->received, 1);
    NP_CHECK_INT(bytes_told(rig, &strangers), NP_DIALECT_ID_LEN);
    remove_strangers(rig, &strangers);
    tunnel_rig_close(rig);
}

/* The client forgets its only connection without a word to the server: the launch for it is in
 * vain, and the client's message resets the visitor after 2 s. */
NP_TEST(tunnel_ids, a_launch_in_vain_resets_its_visitor)
{
    struct tunnel_rig *rig = tunnel_rig_open(73);
    struct np_plat *plat = rig->sides[RIG_CLIENT].plat;
    struct person *visitor;
    struct np_conn *conn;
    uint32_t handle;

    tunnel_rig_start_pair(rig, "max=10", "min=1");
    conn = np_connpool_oldest(&rig->sides[RIG_CLIENT].app->instances[0]);
    handle = conn->handle;
    np_plat_retag(plat, handle, 0);
    np_plat_interest(plat, handle, 0);
    conn->handle = NP_HANDLE_NONE;
    np_conn_close(conn);
    visitor = tunnel_rig_visit(rig, WISH_ECHO);
    tunnel_rig_run_ms(rig, NP_LAUNCH_WAIT_MS - 100);
    NP_CHECK_INT(visitor->err, NP_OK);
    tunnel_rig_run_ms(rig, 200);
    NP_CHECK_INT(visitor->err, NP_ERR_RESET);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Launch dropped"), 1);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).tcp_sessions, 0);
    np_plat_tcp_abort(plat, handle);
    tunnel_rig_close(rig);
}

/* A client that tells no ids, such as a Go client, was restarted: what it dials is taken for a pool
 * connection and handed to the visitor that waits. Its hello must not reach the visitor. */
NP_TEST(tunnel_ids, the_hello_of_a_restarted_go_client_reaches_no_visitor)
{
    static const uint8_t hello[] = {0, 0, 0, '\n'};
    struct tunnel_rig *rig = tunnel_rig_open(74);
    struct np_addr tunnel = np_sim_ip4(10, 0, 0, 1, 7000);
    struct np_key key = {(const uint8_t *)"key", 3};
    struct np_signal pong = {.kind = NP_SIGNAL_PONG};
    uint8_t line[NP_DIALECT_LINE_CAP + 1];
    struct person *client, *visitor;

    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1", NULL);
    tunnel_rig_run_ms(rig, 10);
    client = tunnel_rig_connect(rig, tunnel, hello, sizeof hello);
    tunnel_rig_run_ms(rig, 20);
    tunnel_rig_say(rig, client, line, np_signal_encode(line, key, &pong));
    visitor = tunnel_rig_visit(rig, WISH_ECHO);
    tunnel_rig_run_ms(rig, 50);
    client->is_paused = true; /* it is gone, and the server has not noticed */
    (void)tunnel_rig_connect(rig, tunnel, hello, sizeof hello);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_SERVER, 0).pool_idle, 0); /* handed out */
    tunnel_rig_run_ms(rig, 20000);
    NP_CHECK_INT(visitor->received, 0);
    NP_CHECK_INT(visitor->err, NP_ERR_RESET);
    tunnel_rig_close(rig);
}
