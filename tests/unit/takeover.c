/* SPDX-License-Identifier: BSD-3-Clause */
/* Two clients of one server (which serves one): the newer takes over, the log says so, and both
 * slow down. Several servers in one process: a flood at one keeps no handshake of another away. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define TAKES_OVER "takes over from one that has just come: do two clients use this server?"
#define CLIENT "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&min=4"

static void start_server(struct tunnel_rig *rig, const char *first, const char *second)
{
    tunnel_rig_start(rig, RIG_SERVER, first, second);
    tunnel_rig_run_ms(rig, 10);
}

/* Runs two clients for ten minutes. Returns how often each began again in the last five. */
static void run_rivals(struct tunnel_rig *rig, uint32_t restarts[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        restarts[i] = 0;
    }
    tunnel_rig_start(rig, RIG_CLIENT, CLIENT, CLIENT);
    tunnel_rig_run_ms(rig, 300000);
    for (uint32_t i = 0; i < 2; i++) {
        restarts[i] = tunnel_rig_stats(rig, RIG_CLIENT, i).restarts;
    }
    tunnel_rig_run_ms(rig, 300000);
    for (uint32_t i = 0; i < 2; i++) {
        restarts[i] = tunnel_rig_stats(rig, RIG_CLIENT, i).restarts - restarts[i];
    }
}

NP_TEST(takeover, two_clients_slow_down_and_are_named)
{
    static const char *const servers[] = {
        "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1",
        "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1",
    };

    for (uint32_t i = 0; i < 2; i++) {
        struct tunnel_rig *rig = tunnel_rig_open(20 + i);
        uint32_t restarts[2], said;

        np_test_context("%s", servers[i]);
        start_server(rig, servers[i], NULL);
        run_rivals(rig, restarts);
        said = tunnel_rig_log_count(rig, RIG_SERVER, TAKES_OVER);
        NP_CHECK(said > 0);
        NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "A client from 10.0.0.2:") == said);
        /* each stands for NP_STABLE_MS or its wait has grown: not a turn a second */
        NP_CHECK(restarts[0] + restarts[1] <= 300000 / NP_STABLE_MS * 2);
        tunnel_rig_close(rig);
    }
}

/* One client that comes back much later is no rival: no warning. */
NP_TEST(takeover, a_restarted_client_is_not_warned_of)
{
    struct tunnel_rig *rig = tunnel_rig_open(23);
    struct rig_side *client = &rig->sides[RIG_CLIENT];

    tunnel_rig_start_pair(rig, "max=10", "min=4");
    tunnel_rig_run_ms(rig, NP_STABLE_MS + 2000);
    np_sim_host_crash(client->plat); /* the server is not told */
    tunnel_rig_run_ms(rig, 100);
    np_sim_host_start(client->plat);
    client->app = NULL;
    tunnel_rig_start(rig, RIG_CLIENT, CLIENT, NULL);
    tunnel_rig_run_ms(rig, 3000);
    NP_CHECK(tunnel_rig_is_up(rig));
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "a new client from the same address"), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, TAKES_OVER), 0);
    tunnel_rig_close(rig);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

#define FLOOD 300u

/* "people" become the client of the server at port 7001, and begin `count` handshakes that they do
 * not go on with: each holds the server's memory for one. */
static void flood(struct tunnel_rig *rig, uint32_t count)
{
    static const uint8_t hello[] = {0, 0, 0, '\n'}, begun[] = {0x16, 3, 1, 1, 0, 1, 0, 0};
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, 7001);

    (void)tunnel_rig_connect(rig, to, hello, sizeof hello);
    tunnel_rig_run_ms(rig, 100);
    for (uint32_t i = 0; i < count; i++) {
        (void)tunnel_rig_connect(rig, to, begun, sizeof begun);
    }
}

static void check_flooded(uint64_t seed, uint32_t handshakes)
{
    struct tunnel_rig *rig = tunnel_rig_open(seed);
    struct np_pool *pool;

    start_server(rig, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1",
                 "server://key@10.0.0.1:7001/10.0.0.1:9001?mode=1&tls=1");
    pool = &rig->sides[RIG_SERVER].app->handshakes;
    if (handshakes > 0) { /* a process with more servers than its memory is for */
        pool->count = handshakes;
    }
    flood(rig, FLOOD);
    NP_CHECK_INT(pool->used, handshakes > 0 ? handshakes : NP_MAX_HANDSHAKES);
    tunnel_rig_start(rig, RIG_CLIENT, CLIENT, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 1000));
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool connection failed"), 0);
    tunnel_rig_close(rig);
}

/* Each server has a share of its own. */
NP_TEST(takeover, a_flooded_server_leaves_others_their_handshakes)
{
    check_flooded(24, 0);
}

/* All is in use, and none of it by the other server: who has most gives way. */
NP_TEST(takeover, the_flooded_server_gives_way)
{
    check_flooded(25, 20);
}

static bool has_pool(struct tunnel_rig *rig)
{
    return tunnel_rig_stats(rig, RIG_SERVER, 1).pool_idle >= 4;
}

/* A client beside the flooded server: its handshakes find room as well. */
NP_TEST(takeover, the_flooded_server_gives_way_to_a_client)
{
    struct tunnel_rig *rig = tunnel_rig_open(26);

    tunnel_rig_start(rig, RIG_CLIENT, "server://key@10.0.0.2:7000/10.0.0.2:9000?mode=1&tls=1",
                     NULL);
    start_server(rig, "server://key@10.0.0.1:7001/10.0.0.1:9001?mode=1&tls=1",
                 "client://key@10.0.0.2:7000/10.0.0.3:8080?mode=2&min=4");
    NP_CHECK(tunnel_rig_run_until(rig, has_pool, 1000));
    rig->sides[RIG_SERVER].app->handshakes.count = 20;
    flood(rig, FLOOD);
    NP_CHECK_INT(rig->sides[RIG_SERVER].app->handshakes.used, 20);
    np_connpool_flush(&rig->sides[RIG_SERVER].app->instances[1]);
    NP_CHECK(!has_pool(rig));
    NP_CHECK(tunnel_rig_run_until(rig, has_pool, 1000));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "Pool connection failed"), 0);
    tunnel_rig_close(rig);
}
