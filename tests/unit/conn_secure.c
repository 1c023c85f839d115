/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/conn_secure: what a server does with pool connections that never become TLS. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tunnel_rig.h"

#define SERVER "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1&max=300"

static const uint8_t hello[] = {0, 0, 0, '\n'};

static struct np_addr tunnel(void)
{
    return np_sim_ip4(10, 0, 0, 1, 7000);
}

/* A server whose client is "people". */
static struct tunnel_rig *start(uint64_t seed)
{
    struct tunnel_rig *rig = tunnel_rig_open(seed);

    rig->tuning.report_interval_ms = 60000; /* "people" answer no ping */
    tunnel_rig_start(rig, RIG_SERVER, SERVER, NULL);
    tunnel_rig_run_ms(rig, 10);
    (void)tunnel_rig_connect(rig, tunnel(), hello, sizeof hello);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK(tunnel_rig_stats(rig, RIG_SERVER, 0).is_up);
    return rig;
}

static struct np_app *app_of(struct tunnel_rig *rig)
{
    return rig->sides[RIG_SERVER].app;
}

static const struct {
    const char *bytes;
    uint32_t len;
    const char *why;
} greetings[] = {
    {"GET / HTTP/1.1\r\n\r\n", 18, "the peer does not speak TLS"},
    {"\x16\x03\x01\x50\x00", 5, "record too long"},
    {"\x16\x02\x01\x00\x05hello", 10, "the peer does not speak TLS"},
    {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, "unexpected message"},
    {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, "malformed message"},
    {"\x16\x03\x01\x00\x04\x01\xff\x00\x00", 9, "handshake message too long"},
};

NP_TEST(conn_secure, first_bytes_that_are_no_handshake)
{
    for (uint32_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        struct tunnel_rig *rig = start(100);
        char line[120];

        np_test_context("%s", greetings[i].why);
        struct person *stranger =
            tunnel_rig_connect(rig, tunnel(), greetings[i].bytes, greetings[i].len);
        tunnel_rig_run_ms(rig, 100);
        snprintf(line, sizeof line, "failed: %s", greetings[i].why);
        NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "WARN  TLS handshake with 10.0.0.3:"),
                     1);
        NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, line), 1);
        NP_CHECK(stranger->saw_end);
        NP_CHECK(stranger->received >= 7); /* an alert */
        NP_CHECK_INT(stranger->head[0], 0x15);
        NP_CHECK_INT(app_of(rig)->conns.used + app_of(rig)->channels.used, 0);
        NP_CHECK_INT(app_of(rig)->handshakes.used + app_of(rig)->records.used, 0);
        tunnel_rig_close(rig);
    }
}

NP_TEST(conn_secure, silence_ends_at_the_limit)
{
    struct tunnel_rig *rig = start(101);
    struct person *silent = tunnel_rig_connect(rig, tunnel(), "", 0);
    struct person *begun = tunnel_rig_connect(rig, tunnel(), "\x16\x03\x01", 3);

    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(app_of(rig)->conns.used, 2);
    NP_CHECK_INT(app_of(rig)->handshakes.used, 1); /* none without a first byte */
    tunnel_rig_run_ms(rig, rig->tuning.handshake_timeout_ms);
    NP_CHECK(silent->handle == NP_HANDLE_NONE && begun->handle == NP_HANDLE_NONE);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "failed: timed out"), 1);
    NP_CHECK_INT(app_of(rig)->conns.used + app_of(rig)->channels.used, 0);
    tunnel_rig_close(rig);
}

NP_TEST(conn_secure, those_who_leave_before_the_handshake)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct tunnel_rig *rig = start(102);
        struct person *person =
            tunnel_rig_connect(rig, tunnel(), "\x16\x03\x01\x01", i < 2 ? 0 : 4);

        np_test_context("%u", i);
        tunnel_rig_run_ms(rig, 100);
        if (i % 2 == 0) {
            tunnel_rig_hang_up(rig, person);
        } else {
            np_plat_tcp_shutdown_tx(rig->people_plat, person->handle);
        }
        np_sim_host_touch(rig->people_plat);
        tunnel_rig_run_ms(rig, 100);
        NP_CHECK_INT(app_of(rig)->conns.used + app_of(rig)->channels.used, 0);
        NP_CHECK_INT(app_of(rig)->handshakes.used + app_of(rig)->records.used, 0);
        NP_CHECK(tunnel_rig_stats(rig, RIG_SERVER, 0).is_up);
        tunnel_rig_close(rig);
    }
}

/* The hello of a client that was restarted, on what the server takes for a pool connection. */
NP_TEST(conn_secure, the_hello_of_a_restarted_client)
{
    struct tunnel_rig *rig = start(103);

    tunnel_rig_run_ms(rig, 1000);
    (void)tunnel_rig_connect(rig, tunnel(), hello, sizeof hello);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(
        tunnel_rig_log_count(rig, RIG_SERVER, "a new client from the same address took over"), 1);
    NP_CHECK(!tunnel_rig_stats(rig, RIG_SERVER, 0).is_up);
    (void)tunnel_rig_connect(rig, tunnel(), hello, sizeof hello);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK(tunnel_rig_stats(rig, RIG_SERVER, 0).is_up);
    tunnel_rig_close(rig);
}

/* More silent connections than are kept: the oldest go, the server and the newest stay. */
NP_TEST(conn_secure, too_many_silent_ones)
{
    struct tunnel_rig *rig = start(104);
    struct person *first, *last = NULL;
    uint32_t most = app_of(rig)->plan.pool_silent;

    first = tunnel_rig_connect(rig, tunnel(), "", 0);
    for (uint32_t i = 0; i < most; i++) {
        last = tunnel_rig_connect(rig, tunnel(), "", 0);
    }
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK(most < PEOPLE - 10);
    NP_CHECK(first->handle == NP_HANDLE_NONE);
    NP_CHECK_INT(app_of(rig)->conns.used, most);
    NP_CHECK(tunnel_rig_log_count(rig, RIG_SERVER, "failed: limit reached") > 0);
    NP_CHECK(last != NULL && last->handle != NP_HANDLE_NONE);
    tunnel_rig_close(rig);
}
