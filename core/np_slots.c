/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/np_slots.h"

#include <string.h>

#include "core/np_app_state.h"

static struct np_instance *at(struct np_app *app, uint32_t slot)
{
    return &app->instances[slot];
}

static bool is_stopped(const struct np_instance *instance)
{
    return instance->state == NP_INSTANCE_STOPPED;
}

static bool has_run(const struct np_instance *instance)
{
    return instance->app != NULL;
}

/* Makes the instance new around its settings; totals stay. `mode`: what was decided, or 0. A slot
 * never used is zero already, and its pages are left alone. */
static void renew(struct np_app *app, uint32_t slot, uint8_t mode)
{
    struct np_instance *instance = at(app, slot);
    struct np_counters kept = instance->counters;

    if (has_run(instance)) {
        memset(instance, 0, sizeof *instance);
    }
    np_instance_init(instance, app, slot, &app->copies[slot], app->color);
    instance->counters.tcp_rx = kept.tcp_rx;
    instance->counters.tcp_tx = kept.tcp_tx;
    instance->counters.udp_rx = kept.udp_rx;
    instance->counters.udp_tx = kept.udp_tx;
    instance->counters.restarts = kept.restarts;
    instance->counters.dials = kept.dials;
    instance->state = NP_INSTANCE_STOPPED;
    np_slot_set_mode(app, slot, mode);
    app->changes++;
}

static void start(struct np_app *app, uint32_t slot, uint8_t mode)
{
    renew(app, slot, mode);
    at(app, slot)->state = NP_INSTANCE_IDLE;
    np_instance_start(at(app, slot));
}

/* Frees the slot of one that was removed, once it is stopped. */
static void settle(struct np_app *app, uint32_t slot)
{
    struct np_instance *instance = at(app, slot);

    if (instance->is_leaving && is_stopped(instance)) {
        app->leaving_count--;
        np_ct_wipe(&app->copies[slot], sizeof app->copies[slot]);
        memset(instance, 0, sizeof *instance);
        app->changes++;
    }
}

void np_slots_settle(struct np_app *app)
{
    for (uint32_t slot = 0; slot < app->plan.instances && app->leaving_count > 0; slot++) {
        settle(app, slot);
    }
}

/* Begins to drain, if it has not yet. */
static void begin_stop(struct np_instance *instance)
{
    if (instance->state != NP_INSTANCE_DRAINING) {
        np_instance_stop(instance);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static uint32_t find_free(const struct np_app *app)
{
    uint32_t slot = 0;

    while (slot < app->plan.instances && app->instances[slot].settings != NULL) {
        slot++;
    }
    return slot;
}

/* Ends the drain of a removed instance. */
static bool end_leaving(struct np_app *app)
{
    for (uint32_t slot = 0; slot < app->plan.instances; slot++) {
        if (app->instances[slot].is_leaving) {
            np_instance_end(at(app, slot));
            settle(app, slot);
            return true;
        }
    }
    return false;
}

/* What comes after the start can't change the memory of the process, and finds its defaults. */
static void copy_settings(const struct np_app *app, struct np_settings *copy,
                          const struct np_settings *settings)
{
    *copy = *settings;
    np_settings_fit_ram(copy, app->tuning->ram_mb);
}

static void tell_ceiling(const struct np_app *app, struct np_log *log,
                         const struct np_settings *settings)
{
    uint32_t mem_mb = settings->mem_mb;

    if (mem_mb != 0 && (app->plan.ceiling_mb == 0 || app->plan.ceiling_mb > mem_mb)) {
        np_log_write(log, NP_LOG_WARN,
                     "mem=%u has no effect: it counts for the whole process from its start, give "
                     "it to the master",
                     mem_mb);
    }
}

enum np_err np_slot_insert(struct np_app *app, const struct np_settings *settings, uint32_t *slot)
{
    uint32_t found = find_free(app);

    if (found == app->plan.instances && end_leaving(app)) {
        found = find_free(app);
    }
    if (app->copies == NULL || found == app->plan.instances) {
        return NP_ERR_NO_MEMORY;
    }
    copy_settings(app, &app->copies[found], settings);
    renew(app, found, 0);
    tell_ceiling(app, &at(app, found)->log, settings);
    *slot = found;
    return NP_OK;
}

void np_slot_start(struct np_app *app, uint32_t slot)
{
    if (np_slot_run(app, slot) == NP_SLOT_STOPPED) {
        np_slot_restart(app, slot);
    }
}

void np_slot_stop(struct np_app *app, uint32_t slot)
{
    begin_stop(at(app, slot));
}

void np_slot_restart(struct np_app *app, uint32_t slot)
{
    np_instance_end(at(app, slot));
    start(app, slot, at(app, slot)->mode);
}

void np_slot_replace(struct np_app *app, uint32_t slot, const struct np_settings *settings)
{
    np_instance_end(at(app, slot));
    copy_settings(app, &app->copies[slot], settings);
    tell_ceiling(app, &at(app, slot)->log, settings);
    start(app, slot, 0);
}

void np_slot_remove(struct np_app *app, uint32_t slot)
{
    begin_stop(at(app, slot));
    at(app, slot)->is_leaving = true;
    app->leaving_count++;
    settle(app, slot);
}

void np_slot_rename(struct np_app *app, uint32_t slot, const char *alias)
{
    char *copy = app->copies[slot].alias;
    size_t len = strlen(alias);

    len = len < NP_MAX_ALIAS ? len : NP_MAX_ALIAS;
    memcpy(copy, alias, len);
    copy[len] = '\0';
    at(app, slot)->log.alias = len == 0 ? NULL : copy;
}

void np_slot_set_totals(struct np_app *app, uint32_t slot, const struct np_slot_totals *totals)
{
    struct np_counters *counters = &at(app, slot)->counters;

    counters->tcp_rx = totals->tcp_rx;
    counters->tcp_tx = totals->tcp_tx;
    counters->udp_rx = totals->udp_rx;
    counters->udp_tx = totals->udp_tx;
}

void np_slot_set_mode(struct np_app *app, uint32_t slot, uint8_t mode)
{
    if (app->copies[slot].mode == 0) {
        at(app, slot)->mode = mode;
    }
}

uint8_t np_slot_mode(const struct np_app *app, uint32_t slot)
{
    return app->copies[slot].mode == 0 ? app->instances[slot].mode : 0;
}

/* ---- state ----------------------------------------------------------------------------------- */

enum np_slot_run np_slot_run(const struct np_app *app, uint32_t slot)
{
    const struct np_instance *instance = &app->instances[slot];

    if (is_stopped(instance) || instance->state == NP_INSTANCE_DRAINING) {
        return NP_SLOT_STOPPED;
    }
    return instance->fault == NP_OK ? NP_SLOT_RUNNING : NP_SLOT_ERROR;
}

const char *np_slot_fault(const struct np_app *app, uint32_t slot, const char **cause)
{
    const struct np_instance *instance = &app->instances[slot];

    if (np_slot_run(app, slot) != NP_SLOT_ERROR) {
        *cause = "";
        return "";
    }
    *cause = np_err_text(instance->fault);
    return instance->fault_text;
}
