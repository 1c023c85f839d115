/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/instance, door, session: what the log says when something is in the way, and when it
 * is gone again. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define SERVER "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1"
#define SINGLE "client://key@10.0.0.2:7000/10.0.0.3:8080?mode=1"

static void make_busy(struct tunnel_rig *rig, uint32_t side, uint16_t tcp, uint16_t udp)
{
    struct np_sim_trouble *trouble = np_sim_host_trouble(rig->sides[side].plat);

    trouble->busy_tcp[0] = tcp;
    trouble->busy_udp[0] = udp;
}

/* Starts `url` while a port is taken, frees the port, and looks for `bound` in the log. */
static void check_healed(uint32_t side, const char *url, uint16_t tcp, uint16_t udp,
                         const char *failed, const char *bound)
{
    struct tunnel_rig *rig = tunnel_rig_open(40);

    np_test_context("%s", url);
    make_busy(rig, side, tcp, udp);
    tunnel_rig_start(rig, side, url, NULL);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, side, failed), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, side, "Bound now"), 0);
    make_busy(rig, side, 0, 0);
    tunnel_rig_run_ms(rig, 20000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, side, bound), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, side, "Bound now"), 1);
    tunnel_rig_close(rig);
}

NP_TEST(instance, a_port_that_is_free_again_is_told)
{
    check_healed(RIG_SERVER, SERVER, 7000, 0, "tunnel address not bound: address in use",
                 "INFO  Bound now: 10.0.0.1:7000");
    check_healed(RIG_SERVER, SERVER, 9000, 0, "target address not bound: address in use",
                 "INFO  Bound now: 10.0.0.1:9000");
    check_healed(RIG_CLIENT, SINGLE, 7000, 0, "tunnel address not bound: address in use",
                 "INFO  Bound now: 10.0.0.2:7000");
    check_healed(RIG_CLIENT, SINGLE "&notcp=1", 0, 7000, "tunnel address not bound: address in use",
                 "INFO  Bound now: 10.0.0.2:7000");
}

/* Auto mode tries a port to learn what it is; that it is taken is no failure. */
NP_TEST(instance, a_port_that_only_decided_the_mode_is_not_told)
{
    struct tunnel_rig *rig = tunnel_rig_open(41);

    make_busy(rig, RIG_SERVER, 9000, 0);
    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.1:9000", NULL);
    make_busy(rig, RIG_CLIENT, 9001, 0);
    tunnel_rig_start(rig, RIG_CLIENT, "client://key@10.0.0.1:7000/10.0.0.2:9001", NULL);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "Mode 2 chosen"), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "target address not bound"), 1);
    make_busy(rig, RIG_SERVER, 0, 0);
    make_busy(rig, RIG_CLIENT, 0, 0);
    tunnel_rig_run_ms(rig, 40000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "Bound now"), 0);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "INFO  Bound now: 10.0.0.2:9001"), 1);
    tunnel_rig_close(rig);
}

NP_TEST(instance, the_target_is_named_as_in_the_url)
{
    struct tunnel_rig *rig = tunnel_rig_open(42);

    tunnel_rig_start(rig, RIG_CLIENT, "client://key@10.0.0.2:7000/[2001:db8::1]:80?mode=1",
                     "client://key@10.0.0.2:7001/10.0.0.3:81?mode=1");
    tunnel_rig_run_ms(rig, 10);
    (void)tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 2, 7000), "", 0);
    (void)tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 2, 7001), "", 0);
    tunnel_rig_run_ms(rig, 60000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Target not reached: [2001:db8::1]:80: "),
                 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Target not reached: 10.0.0.3:81: "), 1);
    tunnel_rig_close(rig);
}

/* No descriptor is left: the log tells whose limit that is. */
NP_TEST(instance, no_handle_is_left)
{
    struct tunnel_rig *rig = tunnel_rig_open(43);

    tunnel_rig_start(rig, RIG_CLIENT, SINGLE, NULL);
    tunnel_rig_run_ms(rig, 10);
    np_sim_host_trouble(rig->sides[RIG_CLIENT].plat)->handle_max =
        np_sim_host_handles(rig->sides[RIG_CLIENT].plat);
    (void)tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 2, 7000), "x", 1);
    tunnel_rig_run_ms(rig, 500);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_CLIENT,
                                  "Visitor not accepted: out of handles (the limit of open files "
                                  "or connections is reached)") > 0);
    np_sim_host_trouble(rig->sides[RIG_CLIENT].plat)->handle_max = 0;
    tunnel_rig_run_ms(rig, 500);
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).tcp_sessions, 1);
    tunnel_rig_close(rig);
}
