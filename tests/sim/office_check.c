/* SPDX-License-Identifier: BSD-3-Clause */
/* office_check: what must hold of a master when nobody asks. */
#define _GNU_SOURCE

#include <stdlib.h>
#include <string.h>

#include "core/master/master.h"
#include "core/master/store_text.h"
#include "core/np_app_state.h"
#include "tests/sim/office.h"

/* ---- records and slots ----------------------------------------------------------------- */

static void check_record(struct office *office, const struct np_record *record)
{
    const struct np_app *app = office->app;
    char why[256];
    struct np_settings wanted;

    if (record->slot >= app->plan.instances) {
        np_sim_fail(office->sim, "record %s has no slot", record->id);
        return;
    }
    const struct np_instance *instance = &app->instances[record->slot];
    if (instance->settings == NULL || np_record_of_slot(app->master, record->slot) != record) {
        np_sim_fail(office->sim, "record %s does not own slot %u", record->id, record->slot);
        return;
    }
    const struct np_settings *has = instance->settings;
    if (np_record_parse(record->url, &wanted, why, sizeof why) != NP_OK ||
        wanted.role != has->role || wanted.mode != has->mode ||
        wanted.tunnel.port != has->tunnel.port || wanted.target.port != has->target.port ||
        wanted.rate_mbps != has->rate_mbps) {
        np_sim_fail(office->sim, "record %s runs another URL than %s", record->id, record->url);
    }
    bool is_held = instance->tunnel_door != 0 || instance->door.tcp != 0 ||
                   instance->control.handle != 0 || instance->sessions.count != 0;
    bool is_stopped = np_record_run(app->master, record) == NP_SLOT_STOPPED;
    if (is_stopped != (instance->state == NP_INSTANCE_STOPPED) || (is_stopped && is_held)) {
        np_sim_fail(office->sim, "record %s is shown as %s, its instance is in state %u%s",
                    record->id, np_record_status(np_record_run(app->master, record)),
                    instance->state, is_held ? " with handles" : "");
    }
}

void check_records(struct office *office)
{
    uint32_t records = 0, slots = 0;

    if (office->app == NULL || np_sim_failure(office->sim) != NULL) {
        return;
    }
    const struct np_master *master = office->app->master;
    for (const struct np_record *record = np_record_next(master, 0); record != NULL;
         record = np_record_next(master, record->serial)) {
        check_record(office, record);
        records++;
    }
    for (uint32_t i = 0; i < office->app->plan.instances; i++) {
        slots += office->app->instances[i].settings != NULL ? 1u : 0u;
    }
    if (records != slots || office->app->leaving_count != 0 || master->held.count != 0) {
        np_sim_fail(office->sim, "%u records, %u slots in use, %u leaving and %u answers wait",
                    records, slots, office->app->leaving_count, master->held.count);
    }
}

/* ---- what users know --------------------------------------------------------------------- */

void check_known(struct office *office)
{
    if (np_sim_failure(office->sim) != NULL || office->app->master->store.is_unreadable) {
        return;
    }
    for (uint32_t i = 0; i < office->known_count; i++) {
        const struct office_known *known = &office->known[i];
        bool is_there = np_record_find(office->app->master, known->id, OFFICE_ID_LEN) != NULL;
        bool must_be = !known->may_be_gone, must_not = known->is_gone;
        bool was_saved = office->generation == 1 || !known->is_unsure;
        if (was_saved && ((must_be && !is_there) || (must_not && is_there))) {
            np_sim_fail(office->sim, "instance %s %s", known->id,
                        must_be ? "was created, and is gone" : "was deleted, and is there");
        }
    }
}

/* ---- the disk ----------------------------------------------------------------------------- */

/* Lines that change without anybody asking: they are saved with the next change, or at the end. */
static bool is_counter(const char *line)
{
    return memcmp(line, "tcp", 3) == 0 || memcmp(line, "udp", 3) == 0 ||
           memcmp(line, "; sha256", 8) == 0;
}

static const char *next_line(const char *line, const char *end, bool is_exact)
{
    while (line < end && !is_exact && end - line > 8 && is_counter(line)) {
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    }
    return line;
}

/* Compares two texts line by line. */
static bool is_same(const char *a, uint32_t a_len, const char *b, uint32_t b_len, bool is_exact)
{
    const char *a_end = a + a_len, *b_end = b + b_len;

    for (;;) {
        a = next_line(a, a_end, is_exact);
        b = next_line(b, b_end, is_exact);
        if (a == a_end || b == b_end) {
            return a == a_end && b == b_end;
        }
        size_t len = (size_t)((const char *)memchr(a, '\n', (size_t)(a_end - a)) - a) + 1;
        if ((size_t)(b_end - b) < len || memcmp(a, b, len) != 0) {
            return false;
        }
        a += len;
        b += len;
    }
}

void check_disk(struct office *office, bool is_exact)
{
    /* A disk that could not be read at the start is never written. */
    if (np_sim_failure(office->sim) != NULL || office->app->master->store.is_unreadable) {
        return;
    }
    struct np_master *master = office->app->master;
    uint8_t *disk = malloc(NP_STORE_BYTES);
    int32_t disk_len = np_plat_blob_load(office->plat, master->store.path, disk, NP_STORE_BYTES);
    /* What failed to be saved is tried again with the next change, or at the end. */
    if (!is_exact && master->store.failure != NP_OK) {
        free(disk);
        return;
    }
    uint32_t len = np_store_text_format(master);
    if (disk_len < 0 || !np_store_text_is_whole((const char *)disk, (uint32_t)disk_len) ||
        !is_same(master->text, len, (const char *)disk, (uint32_t)disk_len, is_exact)) {
        np_sim_fail(office->sim, "the state on the disk (%d bytes) is not that of the memory (%u)",
                    disk_len, len);
    }
    free(disk);
}

/* ---- leaks ---------------------------------------------------------------------------------- */

bool has_leftovers(const struct office *office)
{
    const struct np_app *app = office->app;

    return app->http_conns.used + app->http_ins.used + app->http_bodies.used + app->http_outs.used +
               app->http_queues.used !=
           0;
}

void check_idle(struct office *office)
{
    const struct np_app *app = office->app;

    if (office->had_net_faults || np_sim_failure(office->sim) != NULL) {
        return; /* it may not have told the program that somebody is gone */
    }
    if (has_leftovers(office)) {
        np_sim_fail(office->sim, "nobody asks, %u buffers and %u connections are in use",
                    app->http_ins.used + app->http_bodies.used + app->http_outs.used +
                        app->http_queues.used,
                    app->http_conns.used);
    }
}
