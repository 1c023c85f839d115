/* SPDX-License-Identifier: BSD-3-Clause */
/* system: names, clock, entropy, blobs, log. */
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "tests/contract/contract.h"
#include "tests/contract/harness.h"

/* ---- names ----------------------------------------------------------------------------------- */

static int32_t resolve(struct np_plat *plat, const char *name, struct np_addr *addrs, uint32_t cap)
{
    uint32_t query;
    if (!CHECK_INT(np_plat_resolve(plat, name, 7, &query), NP_OK)) {
        return NP_ERR_IO;
    }
    CHECK_INT(wait_event(plat, query, NP_EV_READ, 10 * LONG_MS), NP_EV_READ);
    CHECK_INT(wait_event(plat, query, NP_EV_READ, LONG_MS), NP_EV_READ); /* until it is fetched */
    int32_t n = np_plat_resolve_result(plat, query, addrs, cap);
    CHECK_INT(np_plat_resolve_result(plat, query, addrs, cap), NP_ERR_STALE);
    return n;
}

static void resolve_names(struct np_plat *plat)
{
    struct np_addr addrs[8], home4 = loopback4(0), home6 = loopback6(0);
    int32_t n = resolve(plat, "localhost", addrs, 8);
    CHECK(n >= 1 && n <= 8);
    for (int32_t i = 0; i < n; i++) {
        CHECK(np_addr_is_equal(&addrs[i], &home4) || np_addr_is_equal(&addrs[i], &home6));
    }
    CHECK_INT(resolve(plat, "localhost", addrs, 1), 1);
    CHECK_INT(resolve(plat, "127.0.0.1", addrs, 8), 1);
    CHECK(np_addr_is_equal(&addrs[0], &home4));
}

static void resolve_errors(struct np_plat *plat)
{
    struct np_addr addrs[8];
    char name[256];
    uint32_t query;
    CHECK_INT(np_plat_resolve(plat, "", 0, &query), NP_ERR_INVALID);
    memset(name, 'a', sizeof(name));
    name[254] = '\0';
    CHECK_INT(np_plat_resolve(plat, name, 0, &query), NP_ERR_INVALID);
    name[100] = '\0'; /* a label of 100 bytes: no name server is asked */
    int32_t n = resolve(plat, name, addrs, 8);
    CHECK(n == NP_ERR_NOT_FOUND || n == NP_ERR_IO || n == NP_ERR_TIMED_OUT);
}

static void resolve_cancel(struct np_plat *plat)
{
    struct np_event events[4];
    struct np_addr addr;
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t query;
        CHECK_INT(np_plat_resolve(plat, "localhost", i, &query), NP_OK);
        if (i % 3 == 1) {
            let_pass(plat, 1);
        }
        np_plat_close(plat, query);
        CHECK_INT(np_plat_resolve_result(plat, query, &addr, 1), NP_ERR_STALE);
    }
    for (uint64_t end_ms = np_plat_now_ms(plat) + 100; np_plat_now_ms(plat) < end_ms;) {
        CHECK_INT(np_plat_poll(plat, events, 4, 20), 0);
    }
}

/* More queries than fit: those that were taken are answered, then others fit. */
static void resolve_many(struct np_plat *plat)
{
    uint32_t queries[40], count = 0, answered = 0;
    struct np_event events[8];
    struct np_addr addrs[8];
    enum np_err err = NP_OK;
    while (count < 40 && err == NP_OK) {
        err = np_plat_resolve(plat, "localhost", 0, &queries[count]);
        count += err == NP_OK;
    }
    CHECK_INT(err, NP_ERR_NO_HANDLES);
    CHECK(count >= 4);
    CHECK_INT(np_plat_resolve_result(plat, NP_HANDLE_NONE, addrs, 8), NP_ERR_STALE);
    for (uint32_t turns = 0; answered < count && turns < 1000; turns++) {
        int32_t n = np_plat_poll(plat, events, 8, LONG_MS);
        for (int32_t i = 0; i < n; i++) {
            CHECK(np_plat_resolve_result(plat, events[i].handle, addrs, 8) >= 1);
            answered++;
        }
    }
    CHECK_INT(answered, count);
    CHECK(resolve(plat, "localhost", addrs, 8) >= 1);
}

/* ---- clock and entropy ----------------------------------------------------------------------- */

static void clocks(struct np_plat *plat)
{
    struct np_civil civil;
    uint64_t start_us = np_plat_now_us(plat), last_us = start_us;
    CHECK(np_plat_now_ms(plat) - start_us / 1000 <= 100);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t now_us = np_plat_now_us(plat);
        CHECK(now_us >= last_us);
        last_us = now_us;
    }
    let_pass(plat, 50);
    CHECK(np_plat_now_us(plat) - start_us >= 49000);
    if (np_plat_civil_time(plat, &civil)) {
        CHECK(civil.year >= 2020 && civil.month >= 1 && civil.month <= 12 && civil.day >= 1 &&
              civil.day <= 31 && civil.hour < 24 && civil.minute < 60 && civil.second <= 60 &&
              civil.ms < 1000);
        CHECK(np_plat_wall_s(plat) > 1577836800);
    } else {
        CHECK_INT(np_plat_wall_s(plat), 0);
    }
}

static void entropy(struct np_plat *plat)
{
    uint8_t a[1000], b[1000];
    uint32_t ones = 0;
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    CHECK_INT(np_plat_random(plat, a, sizeof(a)), NP_OK);
    CHECK_INT(np_plat_random(plat, b, sizeof(b) - 1), NP_OK);
    CHECK(memcmp(a, b, 16) != 0);
    CHECK_INT(b[sizeof(b) - 1], 0); /* not one byte too many */
    for (uint32_t i = 0; i < sizeof(a) * 8; i++) {
        ones += a[i / 8] >> (i % 8) & 1u;
    }
    CHECK(ones > 3500 && ones < 4500);
    CHECK_INT(np_plat_random(plat, a, 0), NP_OK);
}

/* ---- blobs and log --------------------------------------------------------------------------- */

static void blobs(struct np_plat *plat)
{
    char name[128];
    uint8_t out[5000], in[5000];
    snprintf(name, sizeof(name), "%sone", np_harness_blob_prefix());
    CHECK_INT(np_plat_blob_load(plat, name, in, sizeof(in)), NP_ERR_NOT_FOUND);
    fill(out, 1, 0, sizeof(out));
    CHECK_INT(np_plat_blob_store(plat, name, out, 5000), NP_OK);
    CHECK_INT(np_plat_blob_load(plat, name, in, 5000), 5000);
    CHECK(is_filled(in, 1, 0, 5000));
    CHECK_INT(np_plat_blob_load(plat, name, in, 4999), NP_ERR_TOO_LONG);
    fill(out, 2, 0, 100);
    CHECK_INT(np_plat_blob_store(plat, name, out, 100), NP_OK); /* shorter: nothing old is left */
    CHECK_INT(np_plat_blob_load(plat, name, in, 5000), 100);
    CHECK(is_filled(in, 2, 0, 100));
    CHECK_INT(np_plat_blob_store(plat, name, out, 0), NP_OK);
    CHECK_INT(np_plat_blob_load(plat, name, in, 5000), 0);
    remove(name);
}

static void blob_pieces(struct np_plat *plat)
{
    char name[128];
    uint8_t out[3000], in[3000];
    snprintf(name, sizeof(name), "%spieces", np_harness_blob_prefix());
    CHECK_INT(np_plat_blob_read(plat, name, 0, in, sizeof(in)), NP_ERR_NOT_FOUND);
    fill(out, 3, 0, sizeof(out));
    CHECK_INT(np_plat_blob_store(plat, name, out, sizeof(out)), NP_OK);
    for (uint32_t at = 0; at < sizeof(out); at += 700) {
        uint32_t len = sizeof(out) - at < 700 ? (uint32_t)sizeof(out) - at : 700;
        CHECK_INT(np_plat_blob_read(plat, name, at, in, 700), len);
        CHECK(is_filled(in, 3, at, len));
    }
    CHECK_INT(np_plat_blob_read(plat, name, 0, in, sizeof(in)), sizeof(in));
    CHECK_INT(np_plat_blob_read(plat, name, sizeof(out), in, 10), 0);
    CHECK_INT(np_plat_blob_read(plat, name, sizeof(out) + 999, in, 10), 0);
    remove(name);
}

/* The content moves, over what was there; a platform that can't do it changes nothing. */
static void blob_names(struct np_plat *plat)
{
    char from[128], to[128];
    uint8_t out[200], in[200];
    snprintf(from, sizeof(from), "%sfrom", np_harness_blob_prefix());
    snprintf(to, sizeof(to), "%sto", np_harness_blob_prefix());
    fill(out, 4, 0, sizeof(out));
    CHECK_INT(np_plat_blob_store(plat, to, out, 7), NP_OK);
    CHECK_INT(np_plat_blob_store(plat, from, out, 200), NP_OK);
    enum np_err err = np_plat_blob_rename(plat, from, to);
    bool can = strcmp(np_harness_name(), "lwip") != 0;
    CHECK_INT(err, can ? NP_OK : NP_ERR_UNSUPPORTED);
    CHECK_INT(np_plat_blob_load(plat, from, in, 200), can ? (int)NP_ERR_NOT_FOUND : 200);
    CHECK_INT(np_plat_blob_load(plat, to, in, 200), can ? 200 : 7);
    CHECK(is_filled(in, 4, 0, can ? 200 : 7));
    CHECK_INT(np_plat_blob_rename(plat, from, to), can ? NP_ERR_NOT_FOUND : NP_ERR_UNSUPPORTED);
    if (strncmp(np_harness_name(), "posix", 5) != 0) { /* there: only_posix.c */
        CHECK_INT(np_plat_blob_lock(plat, to), NP_OK);
    }
    remove(from);
    remove(to);
}

static void log_lines(struct np_plat *plat)
{
    static const char line[] = "  a line by the log sink\n";
    for (uint32_t level = NP_LOG_DEBUG; level <= NP_LOG_EVENT; level++) {
        np_plat_log(plat, level, line, sizeof(line) - 1);
    }
}

static void figures(struct np_plat *plat)
{
    struct np_figures first, second;
    uint64_t end_us = np_plat_now_us(plat) + 30000;

    memset(&first, 0xee, sizeof(first));
    np_plat_figures(plat, &first);
    CHECK(first.arch[0] != '\0' && memchr(first.arch, 0, sizeof(first.arch)) != NULL);
    CHECK(first.os[0] != '\0' && memchr(first.os, 0, sizeof(first.os)) != NULL);
    CHECK(memchr(first.name, 0, sizeof(first.name)) != NULL);
    CHECK(first.cpu_busy <= first.cpu_all);
    CHECK(first.mem_used + first.mem_free == first.mem_total);
    CHECK(first.swap_used + first.swap_free == first.swap_total);
    while (np_plat_now_us(plat) < end_us) {
        let_pass(plat, 10);
    }
    np_plat_figures(plat, &second);
    CHECK(second.cpu_all >= first.cpu_all && second.cpu_busy >= first.cpu_busy);
    CHECK(second.uptime_s >= first.uptime_s);
    CHECK(second.net_rx >= first.net_rx && second.disk_read >= first.disk_read);
}

const struct np_contract_test np_contract_system[] = {
    {"resolve_names", resolve_names, 0, 0, 0},
    {"resolve_errors", resolve_errors, 0, 0, 0},
    {"resolve_cancel", resolve_cancel, 0, 0, 0},
    {"resolve_many", resolve_many, 20, 0, 0},
    {"clocks", clocks, 0, 0, 0},
    {"entropy", entropy, 0, 0, 0},
    {"blobs", blobs, 0, 0, 0},
    {"blob_pieces", blob_pieces, 0, 0, 0},
    {"blob_names", blob_names, 0, 0, 0},
    {"log_lines", log_lines, 0, 0, 0},
    {"figures", figures, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
