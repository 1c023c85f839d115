/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/log.h"

#include <stdio.h>
#include <string.h>

#include "platform/np_plat.h"
#include "platform/sim/sim.h"
#include "tests/unit/np_test.h"

/* A host whose clock shows 12:34:56.789 and whose log lines are kept. */
struct rig {
    struct np_sim *sim;
    struct np_plat *plat;
    struct np_log log;
    char line[2 * NP_LOG_LINE_CAP]; /* the last one, with a NUL after it */
    uint32_t len, count, level;
};

static void on_step(void *context)
{
    struct rig *rig = context;
    struct np_event event;

    np_plat_poll(rig->plat, &event, 1, UINT32_MAX);
}

static void on_line(void *context, uint32_t level, const char *line, uint32_t len)
{
    struct rig *rig = context;

    NP_CHECK(len > 0 && len <= NP_LOG_LINE_CAP && line[len - 1] == '\n');
    memcpy(rig->line, line, len);
    rig->line[len] = 0;
    rig->len = len;
    rig->level = level;
    rig->count++;
}

static void rig_init(struct rig *rig, bool has_clock, uint8_t level, const char *alias, bool color)
{
    struct np_sim_host host;

    memset(rig, 0, sizeof *rig);
    rig->sim = np_sim_create();
    np_sim_reset(rig->sim, 1);
    np_sim_host_defaults(&host);
    host.name = "logger";
    host.has_wall_clock = has_clock;
    host.step = on_step;
    host.log = on_line;
    host.context = rig;
    rig->plat = np_sim_host_open(rig->sim, &host);
    NP_CHECK(np_sim_run(rig->sim, ((12u * 60 + 34) * 60 + 56) * UINT64_C(1000000) + 789000));
    np_log_init(&rig->log, rig->plat, level, alias, color);
}

static void rig_deinit(struct rig *rig)
{
    NP_CHECK(np_sim_failure(rig->sim) == NULL);
    np_sim_destroy(rig->sim);
}

NP_TEST(log, exact_line)
{
    struct rig rig;

    rig_init(&rig, true, NP_LOG_DEBUG, NULL, false);
    np_log_write(&rig.log, NP_LOG_INFO, "Tunnel handshaked: %s <-> %s", "1.2.3.4:5", "6.7.8.9:10");
    NP_CHECK_STR(rig.line,
                 "2026-01-01 12:34:56.789  INFO  Tunnel handshaked: 1.2.3.4:5 <-> 6.7.8.9:10\n");
    NP_CHECK_INT(rig.level, NP_LOG_INFO);
    np_log_write(&rig.log, NP_LOG_EVENT, "CHECK_POINT|MODE=%u", 1u);
    NP_CHECK_STR(rig.line, "2026-01-01 12:34:56.789  EVENT  CHECK_POINT|MODE=1\n");
    rig_deinit(&rig);
}

NP_TEST(log, colors)
{
    static const char *const want[] = {
        [NP_LOG_DEBUG] = "\x1b[34mDEBUG\x1b[0m", [NP_LOG_INFO] = "\x1b[32mINFO\x1b[0m",
        [NP_LOG_WARN] = "\x1b[33mWARN\x1b[0m",   [NP_LOG_ERROR] = "\x1b[31mERROR\x1b[0m",
        [NP_LOG_EVENT] = "\x1b[36mEVENT\x1b[0m",
    };
    struct rig rig;
    char line[128];

    rig_init(&rig, true, NP_LOG_DEBUG, NULL, true);
    for (int level = NP_LOG_DEBUG; level <= NP_LOG_EVENT; level++) {
        np_log_write(&rig.log, (enum np_log_level)level, "x");
        snprintf(line, sizeof line, "2026-01-01 12:34:56.789  %s  x\n", want[level]);
        NP_CHECK_STR(rig.line, line);
    }
    rig_deinit(&rig);
}

NP_TEST(log, without_a_clock)
{
    struct rig rig;
    char want[128];

    rig_init(&rig, false, NP_LOG_DEBUG, "web", false);
    np_log_write(&rig.log, NP_LOG_WARN, "slow");
    snprintf(want, sizeof want, "+%llu.%03u  WARN  [web] slow\n",
             (unsigned long long)(np_plat_now_ms(rig.plat) / 1000),
             (unsigned)(np_plat_now_ms(rig.plat) % 1000));
    NP_CHECK_STR(rig.line, want);
    rig_deinit(&rig);
}

NP_TEST(log, levels)
{
    struct rig rig;

    for (uint8_t set = NP_LOG_NONE; set <= NP_LOG_EVENT; set++) {
        rig_init(&rig, true, set, NULL, false);
        for (int level = NP_LOG_DEBUG; level <= NP_LOG_EVENT; level++) {
            bool is_on = set != NP_LOG_NONE && level >= set;
            uint32_t before = rig.count;
            NP_CHECK_INT(np_log_is_on(&rig.log, (enum np_log_level)level), is_on);
            np_log_write(&rig.log, (enum np_log_level)level, "x");
            np_log_limited(&rig.log, (uint32_t)level, 0, (enum np_log_level)level, "x");
            NP_CHECK_INT(rig.count - before, is_on ? 2 : 0);
        }
        rig_deinit(&rig);
    }
    NP_CHECK_STR(np_log_level_text(NP_LOG_NONE), "NONE");
    NP_CHECK_STR(np_log_level_text(NP_LOG_ERROR), "ERROR");
    NP_CHECK_STR(np_log_level_text((enum np_log_level)99), "NONE");
}

NP_TEST(log, no_line_can_be_forged)
{
    struct rig rig;
    char message[256];

    rig_init(&rig, true, NP_LOG_DEBUG, "a\nb", true);
    for (uint32_t c = 1; c < 256; c++) {
        message[c - 1] = (char)c;
    }
    message[255] = 0;
    np_log_write(&rig.log, NP_LOG_INFO, "%s", message);
    NP_CHECK(strstr(rig.line, "[a?b] ") != NULL);
    for (uint32_t i = 0; i < 255; i++) {
        uint8_t c = (uint8_t)message[i];
        uint8_t got = (uint8_t)rig.line[rig.len - 256 + i];
        NP_CHECK_INT(got, c < 0x20 || c == 0x7f ? '?' : c);
    }
    NP_CHECK(strchr(rig.line, '\n') == rig.line + rig.len - 1);
    rig_deinit(&rig);
}

NP_TEST(log, long_lines_are_cut_but_ended)
{
    struct rig rig;
    char message[2 * NP_LOG_LINE_CAP];
    char alias[NP_LOG_LINE_CAP + 5];

    memset(message, 'm', sizeof message);
    memset(alias, 'a', sizeof alias);
    alias[sizeof alias - 1] = 0;
    rig_init(&rig, true, NP_LOG_DEBUG, "web", false);
    for (uint32_t len = NP_LOG_LINE_CAP - 60; len < NP_LOG_LINE_CAP + 20; len++) {
        uint32_t want = 23 + 8 + 6 + len + 1; /* time, level, alias, message, newline */
        np_log_write(&rig.log, NP_LOG_INFO, "%.*s", (int)len, message);
        NP_CHECK_INT(rig.len, want < NP_LOG_LINE_CAP ? want : NP_LOG_LINE_CAP);
    }
    rig.log.alias = alias;
    np_log_write(&rig.log, NP_LOG_INFO, "never seen");
    NP_CHECK_INT(rig.len, NP_LOG_LINE_CAP);
    rig_deinit(&rig);
}

NP_TEST(log, limited)
{
    struct rig rig;
    uint64_t now_ms = 0;

    rig_init(&rig, true, NP_LOG_INFO, NULL, false);
    np_log_limited(&rig.log, 3, now_ms, NP_LOG_WARN, "again");
    NP_CHECK_STR(rig.line + 23, "  WARN  again\n");
    for (; now_ms < 1000; now_ms += 10) {
        np_log_limited(&rig.log, 3, now_ms, NP_LOG_WARN, "again %u", 1u);
        np_log_limited(&rig.log, 4, 5000 + now_ms, NP_LOG_WARN, "elsewhere");
    }
    NP_CHECK_INT(rig.count, 2);
    np_log_limited(&rig.log, 3, 1000, NP_LOG_WARN, "again %u", 2u);
    NP_CHECK_STR(rig.line + 23, "  WARN  again 2 (100 more like it not shown)\n");
    np_log_limited(&rig.log, 3, 3000, NP_LOG_WARN, "again %u", 3u);
    NP_CHECK_STR(rig.line + 23, "  WARN  again 3\n");
    np_log_limited(&rig.log, 3, 3001, NP_LOG_DEBUG, "off, so neither shown nor counted");
    np_log_limited(&rig.log, 3, 4000, NP_LOG_WARN, "again");
    NP_CHECK_STR(rig.line + 23, "  WARN  again\n");
    NP_CHECK_INT(rig.count, 5);
    rig_deinit(&rig);
}

NP_TEST(log, a_site_that_rests)
{
    struct rig rig;

    rig_init(&rig, true, NP_LOG_INFO, NULL, false);
    NP_CHECK(np_log_limited(&rig.log, 3, 1000, NP_LOG_WARN, "down"));
    np_log_rest(&rig.log, 3, 601000);
    for (uint64_t now_ms = 2000; now_ms < 601000; now_ms += 1000) {
        NP_CHECK(!np_log_limited(&rig.log, 3, now_ms, NP_LOG_WARN, "down"));
    }
    NP_CHECK(np_log_limited(&rig.log, 4, 5000, NP_LOG_WARN, "another site speaks"));
    NP_CHECK(np_log_limited(&rig.log, 3, 601000, NP_LOG_WARN, "down"));
    NP_CHECK_STR(rig.line + 23, "  WARN  down (599 more like it not shown)\n");
    np_log_rest(&rig.log, 3, 1201000);
    NP_CHECK(!np_log_limited(&rig.log, 3, 602000, NP_LOG_WARN, "down"));
    np_log_rest(&rig.log, 3, 0);
    NP_CHECK(np_log_limited(&rig.log, 3, 603000, NP_LOG_WARN, "another cause"));
    NP_CHECK_STR(rig.line + 23, "  WARN  another cause\n");
    NP_CHECK(!np_log_limited(&rig.log, 3, 603001, NP_LOG_WARN, "another cause"));
    NP_CHECK_INT(rig.count, 4);
    rig_deinit(&rig);
}

NP_TEST(log, limited_count_survives_the_cut)
{
    static const char suffix[] = " (4294967295 more like it not shown)\n";
    struct rig rig;
    char message[NP_LOG_LINE_CAP];

    memset(message, 'm', sizeof message);
    rig_init(&rig, true, NP_LOG_INFO, NULL, true);
    rig.log.sites[NP_LOG_SITES - 1].suppressed = UINT32_MAX - 1;
    rig.log.sites[NP_LOG_SITES - 1].quiet_until_ms = 10;
    np_log_limited(&rig.log, NP_LOG_SITES - 1, 0, NP_LOG_WARN, "x");
    np_log_limited(&rig.log, NP_LOG_SITES - 1, 1, NP_LOG_WARN, "x"); /* counts no further */
    np_log_limited(&rig.log, NP_LOG_SITES - 1, 10, NP_LOG_WARN, "%.*s", (int)sizeof message,
                   message);
    NP_CHECK_INT(rig.len, NP_LOG_LINE_CAP);
    NP_CHECK_STR(rig.line + rig.len - strlen(suffix), suffix);
    rig_deinit(&rig);
}
