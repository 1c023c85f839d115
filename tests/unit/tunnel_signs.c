/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel: what both ends say of wrong keys, floods, busy ports, restarts and flushes, and how
 * soon they work again. */
#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define SERVER "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1"
#define CLIENT "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&min=4"

/* Everybody who reaches the port and guesses the key's length can say hello. */
NP_TEST(tunnel_signs, a_flood_of_hellos_does_not_flood_the_log)
{
    static const uint8_t hello[] = {0, 0, 0, '\n'};
    struct tunnel_rig *rig = tunnel_rig_open(80);

    tunnel_rig_start(rig, RIG_SERVER, SERVER, NULL);
    tunnel_rig_run_ms(rig, 10);
    for (uint32_t i = 0; i < 150; i++) { /* 3 s */
        struct person *person =
            tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 1, 7000), hello, sizeof hello);
        tunnel_rig_run_ms(rig, 10);
        NP_CHECK(person->received > 0);
        tunnel_rig_hang_up(rig, person);
    }
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "Tunnel handshaked") <= 8);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "\n") <= 20);
    tunnel_rig_run_ms(rig, 1500);
    tunnel_rig_start(rig, RIG_CLIENT, CLIENT, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 3000));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER,
                                      "Tunnel handshaked: 10.0.0.1:7000 <-> "
                                      "10.0.0.2:"),
                 1);
    tunnel_rig_close(rig);
}

/* The server can't serve yet: that is no matter of passwords, and the client that waits is served
 * as soon as it can. */
NP_TEST(tunnel_signs, a_busy_target_port_is_no_wrong_password)
{
    struct tunnel_rig *rig = tunnel_rig_open(81);
    struct np_sim_trouble *trouble = np_sim_host_trouble(rig->sides[RIG_SERVER].plat);

    trouble->busy_tcp[0] = 9000;
    tunnel_rig_start(rig, RIG_SERVER, SERVER, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, CLIENT, NULL);
    tunnel_rig_run_ms(rig, 20000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "Access denied"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "password"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "handshake: timed out"), 1);
    trouble->busy_tcp[0] = 0;
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 35000));
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

NP_TEST(tunnel_signs, another_key_of_the_same_length_is_named)
{
    struct tunnel_rig *rig = tunnel_rig_open(82);

    tunnel_rig_start(rig, RIG_SERVER, SERVER, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, "client://zzz@10.0.0.1:7000/10.0.0.3:8080?mode=2", NULL);
    tunnel_rig_run_ms(rig, 30000);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_CLIENT,
                                  "answer of the server not understood (wrong password?)") > 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "handshake: timed out"), 0);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER,
                                  "client has sent nothing readable since its hello (other key?)") >
             0);
    tunnel_rig_close(rig);
}

NP_TEST(tunnel_signs, a_client_that_leaves_is_no_wrong_key)
{
    struct tunnel_rig *rig = tunnel_rig_open(83);

    tunnel_rig_start_pair(rig, "max=10", "min=4");
    np_app_stop(rig->sides[RIG_CLIENT].app);
    np_sim_host_touch(rig->sides[RIG_CLIENT].plat);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "other key"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "restarting: control connection: end of"),
                 1);
    tunnel_rig_close(rig);
}

static bool is_forward_up(struct tunnel_rig *rig)
{
    return tunnel_rig_stats(rig, RIG_SERVER, 0).is_up && tunnel_rig_stats(rig, RIG_CLIENT, 0).is_up;
}

/* A forward client whose machine died, and whose server has not noticed: it is taken for a pool
 * connection until the server has looked at what it sent, 2 s later. */
static void check_forward_restart(uint64_t seed)
{
    struct tunnel_rig *rig = tunnel_rig_open(seed);
    struct rig_side *client = &rig->sides[RIG_CLIENT];
    const char *url = "client://key@10.0.0.1:7000/10.0.0.2:9000?mode=2&min=2";

    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.3:8080?mode=2", NULL);
    tunnel_rig_start(rig, RIG_CLIENT, url, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 3000));
    tunnel_rig_run_ms(rig, NP_STABLE_MS + 1000);
    np_sim_host_crash(client->plat);
    tunnel_rig_run_ms(rig, 100);
    np_sim_host_start(client->plat);
    client->app = NULL;
    tunnel_rig_start(rig, RIG_CLIENT, url, NULL);
    tunnel_rig_run_ms(rig, 50);
    NP_CHECK(tunnel_rig_run_until(rig, is_forward_up, 5500));
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "illegal state"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "canceled"), 0);
    tunnel_rig_close(rig);
}

NP_TEST(tunnel_signs, a_forward_client_that_was_restarted)
{
    for (uint64_t seed = 84; seed < 94; seed++) {
        np_test_context("seed %u", (unsigned)seed);
        check_forward_restart(seed);
    }
}

/* A burst makes the pool large; the client then closes what it does not need, one by one. */
NP_TEST(tunnel_signs, a_pool_that_shrinks_is_not_flushed)
{
    struct tunnel_rig *rig = tunnel_rig_open(95);
    struct person *visitors[100];

    rig->tuning.report_interval_ms = 1000;
    rig->tuning.min_pool_interval_ms = 5;
    rig->tuning.max_pool_interval_ms = 40;
    tunnel_rig_start_pair(rig, "max=512", "min=16");
    np_sim_link(rig->sides[RIG_CLIENT].plat, rig->sides[RIG_SERVER].plat)->latency_us = 300000;
    for (uint32_t i = 0; i < 100; i++) {
        visitors[i] = tunnel_rig_visit(rig, WISH_ECHO);
    }
    tunnel_rig_run_ms(rig, 500);
    for (uint32_t i = 0; i < 100; i++) {
        tunnel_rig_hang_up(rig, visitors[i]);
    }
    tunnel_rig_run_ms(rig, 40000);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle, 16);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "Pool flushed"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool flushed"), 0);
    tunnel_rig_close(rig);
}
