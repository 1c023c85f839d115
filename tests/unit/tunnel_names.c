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

/* ---- a name server that is silent ------------------------------------------------------------ */

static bool tcp_answers(struct tunnel_rig *rig, uint32_t ms)
{
    struct person *person = tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 2, 7000), "ehello", 6);

    tunnel_rig_run_ms(rig, ms);
    return person->received == 6;
}

/* The first session waits for half a second, those after it not at all; and not again when the
 * query has failed. */
NP_TEST(tunnel_names, a_known_answer_is_used_while_dns_is_silent)
{
    struct tunnel_rig *rig = tunnel_rig_open(64);
    struct np_sim_name *name = set_name(rig, "target.test", 3);

    rig->tuning.report_interval_ms = 600000; /* no probes */
    tunnel_rig_start(rig, RIG_CLIENT, "client://10.0.0.2:7000/target.test:8080?mode=1&dns=2s",
                     NULL);
    tunnel_rig_run_ms(rig, 10);
    NP_CHECK(tcp_answers(rig, 200));
    name->delay_us = 10000000;
    name->error = NP_ERR_TIMED_OUT;
    tunnel_rig_run_ms(rig, 3000);
    NP_CHECK(tcp_answers(rig, NP_NAME_WAIT_MS + 100));
    NP_CHECK(tcp_answers(rig, 100));
    tunnel_rig_run_ms(rig, 12000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "timed out, using the last answer"), 1);
    for (uint32_t i = 0; i < 100; i++) { /* 52 s */
        NP_CHECK(tcp_answers(rig, 100));
        tunnel_rig_run_ms(rig, 400);
    }
    NP_CHECK(name->queries >= 4 && name->queries <= 7); /* 10 s each, 1, 2, 4 and 8 s between */
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Name not resolved"), 1);
    tunnel_rig_close(rig);
}

NP_TEST(tunnel_names, a_udp_visitor_of_a_name_without_answer_is_told_of)
{
    struct tunnel_rig *rig = tunnel_rig_open(65);
    struct np_sim_name *name = set_name(rig, "target.test", 3);
    struct np_addr to = np_sim_ip4(10, 0, 0, 2, 7000);
    struct np_datagram datagram = {.base = (uint8_t *)"x", .len = 1};
    uint32_t handle;

    name->delay_us = 60000000;
    tunnel_rig_start(rig, RIG_CLIENT, "client://10.0.0.2:7000/target.test:8080?mode=1", NULL);
    tunnel_rig_run_ms(rig, 10);
    NP_CHECK_INT(np_plat_udp_open(rig->people_plat, NULL, &to, 0, &handle), NP_OK);
    NP_CHECK_INT(np_plat_udp_send(rig->people_plat, handle, &datagram, 1), 1);
    tunnel_rig_run_ms(rig, 11000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT,
                                      "UDP target not reached: target.test:8080: timed out"),
                 1);
    np_plat_close(rig->people_plat, handle);
    tunnel_rig_close(rig);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

struct udp_rig {
    struct tunnel_rig *rig;
    uint32_t visitor, target;
};

static void udp_open(struct udp_rig *udp, uint16_t door)
{
    struct np_addr to = np_sim_ip4(10, 0, 0, 2, door);
    struct np_addr at = np_sim_ip4(10, 0, 0, 3, 8080);

    NP_CHECK_INT(np_plat_udp_open(udp->rig->people_plat, NULL, &to, 0, &udp->visitor), NP_OK);
    NP_CHECK_INT(np_plat_udp_open(udp->rig->people_plat, &at, NULL, 0, &udp->target), NP_OK);
}

static void udp_close(struct udp_rig *udp)
{
    np_plat_close(udp->rig->people_plat, udp->visitor);
    np_plat_close(udp->rig->people_plat, udp->target);
    tunnel_rig_close(udp->rig);
}

/* One datagram from the visitor; *from is where the target saw it come from. */
static bool udp_says(struct udp_rig *udp, uint32_t len, struct np_addr *from)
{
    uint8_t bytes[4096] = {0};
    struct np_datagram datagram = {.base = bytes, .len = len, .cap = sizeof bytes};
    struct np_plat *plat = udp->rig->people_plat;

    NP_CHECK_INT(np_plat_udp_send(plat, udp->visitor, &datagram, 1), 1);
    tunnel_rig_run_ms(udp->rig, 50);
    if (np_plat_udp_recv(plat, udp->target, &datagram, 1) != 1) {
        return false;
    }
    *from = datagram.addr;
    return true;
}

static void udp_answers(struct udp_rig *udp, struct np_addr to)
{
    struct np_datagram datagram = {.base = (uint8_t *)"answer", .len = 6, .addr = to};

    NP_CHECK_INT(np_plat_udp_send(udp->rig->people_plat, udp->target, &datagram, 1), 1);
    tunnel_rig_run_ms(udp->rig, 50);
}

/* The first of two addresses refuses: the next datagram goes to the other one, and so do those of
 * later visitors at once. */
static void check_two_addrs(uint64_t seed, bool is_single)
{
    struct udp_rig udp = {.rig = tunnel_rig_open(seed)};
    struct np_sim_name *name = set_name(udp.rig, "target.test", 1);
    struct np_addr from;

    name->addrs[1] = np_sim_ip4(10, 0, 0, 3, 0);
    name->count = 2;
    if (is_single) {
        tunnel_rig_start(udp.rig, RIG_CLIENT, "client://10.0.0.2:7000/target.test:8080?mode=1",
                         NULL);
    } else {
        tunnel_rig_start(udp.rig, RIG_SERVER, "server://key@10.0.0.1:7000/target.test:8080?mode=2",
                         NULL);
        tunnel_rig_start(udp.rig, RIG_CLIENT, "client://key@10.0.0.1:7000/10.0.0.2:7000?mode=2",
                         NULL);
    }
    tunnel_rig_run_ms(udp.rig, 500);
    udp_open(&udp, 7000);
    NP_CHECK(!udp_says(&udp, 1, &from));
    tunnel_rig_run_ms(udp.rig, 100);
    NP_CHECK(udp_says(&udp, 1, &from));
    udp_answers(&udp, from);
    np_plat_close(udp.rig->people_plat, udp.visitor);
    np_plat_close(udp.rig->people_plat, udp.target);
    udp_open(&udp, 7000);
    NP_CHECK(udp_says(&udp, 1, &from));
    udp_close(&udp);
}

NP_TEST(tunnel_names, udp_to_a_name_whose_first_address_refuses)
{
    check_two_addrs(66, true);
    check_two_addrs(67, false);
}

/* What the target sends does not prolong the session of a visitor who is gone. */
static void check_silent_visitor(uint64_t seed, const char *url)
{
    struct udp_rig udp = {.rig = tunnel_rig_open(seed)};
    struct np_addr from;

    udp.rig->tuning.udp_read_timeout_ms = 2000;
    if (url == NULL) {
        tunnel_rig_start_pair(udp.rig, "max=4", "min=2");
        udp_open(&udp, 7000);
        np_plat_close(udp.rig->people_plat, udp.visitor);
        struct np_addr to = np_sim_ip4(10, 0, 0, 1, 9000);
        NP_CHECK_INT(np_plat_udp_open(udp.rig->people_plat, NULL, &to, 0, &udp.visitor), NP_OK);
    } else {
        tunnel_rig_start(udp.rig, RIG_CLIENT, url, NULL);
        tunnel_rig_run_ms(udp.rig, 10);
        udp_open(&udp, 7000);
    }
    NP_CHECK(udp_says(&udp, 1, &from));
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t open = tunnel_rig_stats(udp.rig, RIG_CLIENT, 0).udp_sessions;
        NP_CHECK(i == 4 || open == (i < 4 ? 1 : 0));
        udp_answers(&udp, from);
        tunnel_rig_run_ms(udp.rig, 450);
    }
    udp_close(&udp);
}

NP_TEST(tunnel_names, a_silent_udp_visitor_is_let_go)
{
    check_silent_visitor(68, "client://10.0.0.2:7000/10.0.0.3:8080?mode=1");
    check_silent_visitor(69, NULL);
}

/* UDPRX counts every byte that came, also of a datagram that is too long to be passed on; an answer
 * that is too long does not arrive as a part. */
NP_TEST(tunnel_names, a_datagram_that_is_too_long_is_counted_whole)
{
    struct udp_rig udp = {.rig = tunnel_rig_open(59)};
    uint8_t bytes[2049] = {0};
    struct np_datagram answer = {.base = bytes, .cap = sizeof bytes, .len = sizeof bytes};
    struct np_addr from;

    tunnel_rig_start(udp.rig, RIG_CLIENT, "client://10.0.0.2:7000/10.0.0.3:8080?mode=1", NULL);
    tunnel_rig_run_ms(udp.rig, 10);
    udp_open(&udp, 7000);
    NP_CHECK(!udp_says(&udp, 2049, &from));
    NP_CHECK_INT(tunnel_rig_stats(udp.rig, RIG_CLIENT, 0).udp_rx, 2049);
    NP_CHECK(udp_says(&udp, 1, &from));
    answer.addr = from;
    NP_CHECK_INT(np_plat_udp_send(udp.rig->people_plat, udp.target, &answer, 1), 1);
    tunnel_rig_run_ms(udp.rig, 50);
    NP_CHECK_INT(np_plat_udp_recv(udp.rig->people_plat, udp.visitor, &answer, 1), NP_ERR_AGAIN);
    udp_close(&udp);
}
