/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/name, client, dial: names in every place of the URLs, and what a tunnel does when
 * they change, fail or stay without an answer. */
#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define FORWARD_SERVER "server://key@10.0.0.1:7000/10.0.0.3:8080?mode=2"
#define FORWARD_CLIENT "client://key@10.0.0.1:7000/door.test:9000?mode=2&min=4"

static struct np_sim_name *set_name(struct tunnel_rig *rig, const char *text, uint8_t last)
{
    struct np_sim_name *name = np_sim_name(rig->sim, text);

    name->addrs[0] = np_sim_ip4(10, 0, 0, last, 0);
    name->count = 1;
    name->delay_us = 50000;
    name->error = NP_OK;
    return name;
}

static bool answers(struct tunnel_rig *rig, struct np_addr door)
{
    struct person *person = tunnel_rig_connect(rig, door, "ehello", 6);

    tunnel_rig_run_ms(rig, 500);
    return person->received == 6;
}

NP_TEST(tunnel_names, forward_door_by_name)
{
    struct tunnel_rig *rig = tunnel_rig_open(60);

    set_name(rig, "door.test", 2);
    tunnel_rig_start(rig, RIG_SERVER, FORWARD_SERVER, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, FORWARD_CLIENT, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 3000));
    NP_CHECK(answers(rig, np_sim_ip4(10, 0, 0, 2, 9000)));
    tunnel_rig_close(rig);
}

NP_TEST(tunnel_names, forward_door_whose_name_fails_first)
{
    struct tunnel_rig *rig = tunnel_rig_open(61);

    set_name(rig, "door.test", 2)->error = NP_ERR_NOT_FOUND;
    tunnel_rig_start(rig, RIG_SERVER, FORWARD_SERVER, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, FORWARD_CLIENT, NULL);
    tunnel_rig_run_ms(rig, 10000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "restarting: address not known"), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Name not resolved: door.test"), 1);
    set_name(rig, "door.test", 2);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 35000));
    NP_CHECK(answers(rig, np_sim_ip4(10, 0, 0, 2, 9000)));
    tunnel_rig_close(rig);
}

/* Stopped while the name of its door is being looked up, with a session to wait for. */
NP_TEST(tunnel_names, stopped_during_the_look_up)
{
    struct tunnel_rig *rig = tunnel_rig_open(62);

    set_name(rig, "door.test", 2)->delay_us = 3000000;
    tunnel_rig_start(rig, RIG_SERVER, FORWARD_SERVER, NULL);
    tunnel_rig_start(rig, RIG_CLIENT, FORWARD_CLIENT, NULL);
    tunnel_rig_run_ms(rig, 1000);
    NP_CHECK(!tunnel_rig_stats(rig, RIG_CLIENT, 0).is_up);
    np_app_stop(rig->sides[RIG_CLIENT].app);
    tunnel_rig_run_ms(rig, 4000);
    NP_CHECK(np_app_is_stopped(rig->sides[RIG_CLIENT].app));
    tunnel_rig_close(rig);
}

/* The name stands for another machine by now, where nobody listens: the pool follows the control
 * connection. */
NP_TEST(tunnel_names, the_pool_goes_where_the_control_connection_is)
{
    struct tunnel_rig *rig = tunnel_rig_open(63);

    set_name(rig, "server.test", 1);
    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1", NULL);
    tunnel_rig_start(rig, RIG_CLIENT,
                     "client://key@server.test:7000/10.0.0.3:8080?mode=2&min=2&dns=1s", NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 3000));
    set_name(rig, "server.test", 3);
    tunnel_rig_run_ms(rig, 2000);
    for (uint32_t i = 0; i < 8; i++) {
        NP_CHECK(tunnel_rig_has_echo(rig, 500));
    }
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool connection failed"), 0);
    tunnel_rig_close(rig);
}
