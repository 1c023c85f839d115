/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/env.h"

#include <string.h>

#include "config/ini.h"
#include "config/listing.h"
#include "tests/unit/config_render.h"
#include "tests/unit/np_test.h"

/* An environment of one or two variables. */
struct variables {
    const char *name[2], *value[2];
};

static const char *get(void *context, const char *name)
{
    const struct variables *variables = context;

    for (int i = 0; i < 2; i++) {
        if (variables->name[i] != NULL && strcmp(variables->name[i], name) == 0) {
            return variables->value[i];
        }
    }
    return NULL;
}

static void check(const struct variables *variables, const char *expected)
{
    struct render render;
    struct np_process process;
    struct np_report report;

    render_init(&render);
    report = render_report(&render);
    np_process_init(&process);
    np_env_load(&process, get, (void *)(uintptr_t)variables, &report);
    np_env_complete(&process, &report);
    render_process(&render, &process);
    np_test_context("%s=%s", variables->name[0], variables->value[0]);
    NP_CHECK_STR(render.text, expected);
    NP_CHECK_INT(report.error_count, 0);
}

NP_TEST(config_env, defaults_are_those_of_the_manual)
{
    struct np_process process;
    struct np_tuning *t = &process.tuning;

    np_process_init(&process);
    NP_CHECK_INT(t->mem_mb, 0);
    NP_CHECK_INT(t->semaphore_limit, 65536);
    NP_CHECK_INT(t->udp_data_buf_size, 2048);
    NP_CHECK_INT(t->handshake_timeout_ms, 10000);
    NP_CHECK_INT(t->tcp_dial_timeout_ms, 30000);
    NP_CHECK_INT(t->udp_dial_timeout_ms, 10000);
    NP_CHECK_INT(t->udp_read_timeout_ms, 60000);
    NP_CHECK_INT(t->pool_get_timeout_ms, 30000);
    NP_CHECK_INT(t->min_pool_interval_ms, 100);
    NP_CHECK_INT(t->max_pool_interval_ms, 1000);
    NP_CHECK_INT(t->report_interval_ms, 5000);
    NP_CHECK_INT(t->service_cooldown_ms, 3000);
    NP_CHECK_INT(t->shutdown_timeout_ms, 5000);
    NP_CHECK_INT(t->reload_interval_ms, 3600000);
}

#define WANT_TIME "want a duration above 0 and up to 1000h such as 300ms, 1.5h or 2m30s"

NP_TEST(config_env, table)
{
    static const struct {
        const char *name, *value, *expected;
    } rows[] = {
        {"NP_NOTHING", "x", "nodepass"},
        {"NP_SEMAPHORE_LIMIT", "100", "nodepass semaphore_limit=100"},
        {"NP_SEMAPHORE_LIMIT", "0",
         "W NP_SEMAPHORE_LIMIT=0: want a whole number of visitors, 1 to 1000000; using 65536\n"
         "nodepass"},
        {"NP_MEM", "1", "nodepass mem=1"},
        {"NP_MEM", "1048576", "nodepass mem=1048576"},
        {"NP_MEM", "0",
         "W NP_MEM=0: want a whole number of MB, 1 to 1048576; using none\nnodepass"},
        {"NP_MEM", "8MB",
         "W NP_MEM=8MB: want a whole number of MB, 1 to 1048576; using none\nnodepass"},
        {"NP_UDP_DATA_BUF_SIZE", "1", "nodepass udp_data_buf_size=1"},
        {"NP_UDP_DATA_BUF_SIZE", "65507", "nodepass udp_data_buf_size=65507"},
        {"NP_UDP_DATA_BUF_SIZE", "65508",
         "W NP_UDP_DATA_BUF_SIZE=65508: want a whole number of bytes, 1 to 65507; using 2048\n"
         "nodepass"},
        {"NP_HANDSHAKE_TIMEOUT", "1s", "nodepass handshake_timeout=1s"},
        {"NP_TCP_DIAL_TIMEOUT", "1s", "nodepass tcp_dial_timeout=1s"},
        {"NP_UDP_DIAL_TIMEOUT", "1s", "nodepass udp_dial_timeout=1s"},
        {"NP_UDP_READ_TIMEOUT", "90s", "nodepass udp_read_timeout=1m30s"},
        {"NP_POOL_GET_TIMEOUT", "1s", "nodepass pool_get_timeout=1s"},
        {"NP_MIN_POOL_INTERVAL", "200ms", "nodepass min_pool_interval=200ms"},
        {"NP_MAX_POOL_INTERVAL", "2s", "nodepass max_pool_interval=2s"},
        {"NP_REPORT_INTERVAL", "1500ms", "nodepass report_interval=1.5s"},
        {"NP_SERVICE_COOLDOWN", "1s", "nodepass service_cooldown=1s"},
        {"NP_SHUTDOWN_TIMEOUT", "1s", "nodepass shutdown_timeout=1s"},
        {"NP_RELOAD_INTERVAL", "24h", "nodepass reload_interval=24h0m0s"},
        {"NP_REPORT_INTERVAL", "5", "W NP_REPORT_INTERVAL=5: " WANT_TIME "; using 5s\nnodepass"},
        {"NP_REPORT_INTERVAL", "0s", "W NP_REPORT_INTERVAL=0s: " WANT_TIME "; using 5s\nnodepass"},
        {"NP_REPORT_INTERVAL", "-1s",
         "W NP_REPORT_INTERVAL=-1s: " WANT_TIME "; using 5s\nnodepass"},
        {"NP_REPORT_INTERVAL", "\x1b[31m",
         "W NP_REPORT_INTERVAL=?[31m: " WANT_TIME "; using 5s\nnodepass"},
        {"NP_REPORT_INTERVAL", "", "nodepass"},
        {"NP_STATE_DIR", "/var/x", "nodepass state=/var/x"},
        {"NP_STATE_DIR", "a\nb",
         "W NP_STATE_DIR=a?b: want a directory, 1 to 255 bytes; using none\nnodepass"},
        {"NP_STATE", "/var/x", "nodepass"},
        {"NP_LOG", "debug", "nodepass"},
        {"NP_USER", "nobody", "nodepass"},
        {"NP_SYSLOG", "1", "nodepass"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct variables variables = {{rows[i].name, NULL}, {rows[i].value, NULL}};

        check(&variables, rows[i].expected);
    }
}

NP_TEST(config_env, pool_intervals_the_wrong_way_round_are_swapped)
{
    struct variables variables = {{"NP_MIN_POOL_INTERVAL", "NP_MAX_POOL_INTERVAL"}, {"3s", "2s"}};

    check(&variables, "W min_pool_interval is above max_pool_interval, they are swapped\n"
                      "nodepass min_pool_interval=2s max_pool_interval=3s");
}

NP_TEST(config_env, the_listing_parses_to_the_same)
{
    static const char text[] = "[nodepass]\nlog = debug\nuser = nobody:nogroup\nsyslog = 1\n"
                               "state = /var/x\nreport_interval = 1500ms\n";
    static struct np_process process, again;
    static struct np_settings settings;
    static struct render listing;
    struct render before, after;
    struct np_ini ini = {&process, &settings, 1, 0};
    struct np_report report;

    render_init(&before);
    report = render_report(&before);
    np_process_init(&process);
    np_ini_parse(&ini, text, sizeof text - 1, "f.ini", &report);
    render_init(&listing);
    np_listing_format_process(&process, render_line, &listing);
    NP_CHECK(strncmp(listing.text, "[nodepass]\n", 11) == 0);
    render_init(&after);
    report = render_report(&after);
    np_process_init(&again);
    ini.process = &again;
    np_ini_parse(&ini, listing.text, listing.len, "f.ini", &report);
    before.len = after.len = 0;
    render_process(&before, &process);
    render_process(&after, &again);
    NP_CHECK_STR(after.text, before.text);
    NP_CHECK(strstr(after.text, "report_interval=1.5s") != NULL);
    NP_CHECK_STR(again.user, "nobody:nogroup");
}
