/* SPDX-License-Identifier: BSD-3-Clause */
/* master: its life inside the app. */
#include "core/master/master.h"

#include <string.h>

#include "core/base/fmt.h"
#include "core/master/reply.h"
#include "core/np_app_state.h"
#include "core/tunnel/secure.h"

#define DOOR_RETRY_MS 3000u
#define STOP_LIMIT_MS 1500u /* for the last bytes to subscribers */
#define TIMERS 6u           /* door_retry, report, stopping, store.timer, store.backup, reload */

static void open_door(struct np_master *master);

/* ---- memory ---------------------------------------------------------------------------------- */

void np_master_plan(const struct np_settings *settings, struct np_plan *plan)
{
    plan->secures++;
    plan->timers += TIMERS + NP_PINGS;
    plan->dials += NP_PINGS;
    plan->timers += 2 * NP_PINGS; /* of its dials */
    plan->handles += 2 * NP_PINGS + 8;
    np_http_plan(plan, settings->tls != 0);
}

bool np_master_cut(struct np_app *app, struct np_arena *arena)
{
    struct np_master *master = np_arena_acquire(arena, sizeof *master);
    struct np_record *records =
        np_arena_acquire(arena, (uint64_t)NP_MAX_INSTANCES * sizeof *records);
    char *text = np_arena_acquire(arena, NP_STORE_BYTES);

    if (text == NULL) {
        return false;
    }
    master->records = records;
    master->text = text;
    app->master = master;
    return true;
}

/* ---- start ----------------------------------------------------------------------------------- */

static void make_prefix(struct np_master *master)
{
    const char *prefix = master->settings->prefix;
    size_t len = strlen(prefix);

    while (len > 0 && prefix[len - 1] == '/') {
        len--;
    }
    if (len == 0) {
        memcpy(master->prefix, "/api", 5);
        return;
    }
    memcpy(master->prefix, prefix, len);
    master->prefix[len] = '\0';
}

/* Log and certificate come by an instance that never runs. */
static enum np_err open_self(struct np_master *master)
{
    struct np_instance *self = &master->self;
    struct np_app *app = master->app;
    uint32_t handle;

    np_instance_init(self, app, app->plan.instances, master->settings, app->color);
    self->log.tap = NULL;
    self->state = NP_INSTANCE_STOPPED;
    if (NP_HAS_TLS == 0 || master->settings->tls == 0) {
        return NP_OK;
    }
    self->secure = np_pool_acquire(&app->secures, &handle);
    return np_secure_open(self->secure, self);
}

static enum np_err make_mid(struct np_master *master)
{
    return master->mid[0] != '\0'
               ? NP_OK
               : np_random_hex(master->app->plat, master->mid, NP_MASTER_MID_CAP - 1);
}

/* The key of the state, or a new one, stored before anybody can use it. */
static enum np_err open_key(struct np_master *master)
{
    bool is_known = master->key.text[0] != '\0';
    enum np_err err = make_mid(master);

    if (err == NP_OK && !is_known) {
        err = np_api_key_make(&master->key, master->app->plat);
    }
    if (err != NP_OK) {
        np_log_write(&master->self.log, NP_LOG_ERROR, "No random numbers for an API key: %s",
                     np_err_text(err));
        return err;
    }
    np_log_write(&master->self.log, NP_LOG_INFO, "API Key %s: %s", is_known ? "loaded" : "created",
                 master->key.text);
    (void)np_store_save(master);
    return NP_OK;
}

/* Key and instances of the state directory, which is ours alone: two masters there would erase each
 * other's instances. */
static enum np_err open_state(struct np_master *master)
{
    const char *directory = master->settings->state;
    char *path = master->store.path;

    if (directory[0] != '\0') {
        np_fmt(path, sizeof master->store.path, "%s/nodepass.ini", directory);
        if (np_plat_blob_lock(master->app->plat, path) == NP_ERR_AGAIN) {
            np_log_write(&master->self.log, NP_LOG_ERROR,
                         "Not started: another master has the state directory %s; give this one "
                         "its own: state=",
                         directory);
            return NP_ERR_STATE;
        }
    }
    np_store_load(master);
    return open_key(master);
}

enum np_err np_master_open(struct np_master *master, struct np_app *app,
                           const struct np_settings *settings)
{
    master->app = app;
    master->settings = settings;
    master->next_serial = 2;
    master->started_ms = app->now_ms;
    master->cpu_percent = -1;
    make_prefix(master);
    enum np_err err = open_self(master);
    if (err == NP_OK) {
        err = open_state(master);
    }
    master->is_failed = err != NP_OK;
    master->is_stopped = master->is_failed;
    return err;
}

/* Instances of the configuration file get an id from their name, the same at each start. */
static void adopt(struct np_master *master, uint32_t slot)
{
    const struct np_settings *settings = master->app->instances[slot].settings;
    char id[NP_RECORD_ID_CAP], url[NP_URLTEXT_CAP];
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *c = settings->alias; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    do {
        np_fmt(id, sizeof id, "%08x", hash++);
    } while (np_record_find(master, id, NP_RECORD_ID_CAP - 1) != NULL);
    struct np_record *record = np_record_acquire(master, id);
    if (record == NULL) {
        return;
    }
    np_fmt(record->alias, sizeof record->alias, "%s", settings->alias);
    (void)np_urltext_format(settings, url, sizeof url);
    np_record_set_url(record, url, settings);
    record->slot = slot;
    record->restart = true;
    record->is_fixed = true;
}

static void on_report(struct np_timer *timer, uint64_t now_ms)
{
    struct np_master *master = NP_CONTAINER(timer, struct np_master, report);

    np_timer_start(&master->app->timers, timer, now_ms + master->app->tuning->report_interval_ms);
    np_info_sample(master);
    np_events_publish_reports(master);
}

void np_master_start(struct np_master *master)
{
    struct np_app *app = master->app;

    for (uint32_t slot = 0; slot < app->plan.instances; slot++) {
        if (app->instances[slot].settings != NULL && np_record_of_slot(master, slot) == NULL) {
            adopt(master, slot);
        }
    }
    for (struct np_record *record = np_record_next(master, 0); record != NULL;
         record = np_record_next(master, record->serial)) {
        if (record->restart && !record->is_fixed && record->slot != NP_RECORD_NO_SLOT) {
            np_slot_start(app, record->slot);
        }
        record->published = (uint8_t)np_record_run(master, record);
    }
    app->tap.line = np_events_on_line;
    master->hooks.handle = np_api_on_request;
    master->hooks.is_route = np_api_is_route;
    master->hooks.ctx = master;
    master->report.fire = on_report;
    np_timer_start(&app->timers, &master->report, app->now_ms + app->tuning->report_interval_ms);
    np_info_sample(master);
    np_store_start_backup(master);
    open_door(master);
}

/* ---- door ------------------------------------------------------------------------------------ */

static void on_door_retry(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    open_door(NP_CONTAINER(timer, struct np_master, door_retry));
}

static void on_name(struct np_name_waiter *waiter, enum np_err err)
{
    (void)err;
    open_door(NP_CONTAINER(waiter, struct np_master, waiter));
}

/* Address to listen on; NP_ERR_AGAIN while its name is looked up. */
static enum np_err find_address(struct np_master *master, struct np_addr *addr)
{
    memset(addr, 0, sizeof *addr);
    addr->port = master->settings->tunnel.port;
    if (master->settings->tunnel.host[0] == '\0') {
        return NP_OK; /* all addresses */
    }
    master->waiter.ready = on_name;
    enum np_err err = np_name_want(&master->self.tunnel, &master->waiter);
    if (err == NP_OK) {
        *addr = master->self.tunnel.addrs[0];
    }
    return err;
}

static void open_door(struct np_master *master)
{
    struct np_app *app = master->app;
    char line[NP_MAX_HOST + NP_MAX_PATH + 64];
    struct np_addr addr;

    enum np_err err = find_address(master, &addr);
    if (err == NP_ERR_AGAIN || master->is_stopping) {
        return;
    }
    if (err == NP_OK) {
        err = np_http_server_open(&master->server, &master->self, &addr, &master->hooks);
    }
    master->was_bound = true;
    if (err == NP_OK) {
        np_settings_format(master->settings, line, sizeof line);
        np_log_write(&master->self.log, NP_LOG_INFO, "Master started: %s, API at %s/v1", line,
                     master->prefix);
        return;
    }
    np_log_limited(&master->self.log, NP_SITE_BIND, app->now_ms, NP_LOG_ERROR,
                   "API address not bound: %s; tried again", np_err_text(err));
    master->door_retry.fire = on_door_retry;
    np_timer_start(&app->timers, &master->door_retry, app->now_ms + DOOR_RETRY_MS);
}

/* ---- events ---------------------------------------------------------------------------------- */

void np_master_on_event(struct np_master *master, const struct np_event *ev)
{
    uint32_t sub = np_tag_sub(ev->tag);

    if (np_tag_kind(ev->tag) == NP_TAG_NAME) {
        if (sub >= NP_PING_SUB) {
            np_ping_on_name(master, sub - NP_PING_SUB, ev->handle);
        } else {
            np_name_on_event(&master->self.tunnel, ev->handle);
        }
    } else if (sub == NP_HTTP_SUB_DOOR) {
        if (ev->handle == master->server.door) {
            np_http_on_door(&master->server);
        }
    } else {
        struct np_http_conn *conn = np_pool_at(&master->app->http_conns, np_tag_index(ev->tag));
        if (conn != NULL && conn->handle == ev->handle) {
            np_http_on_event(conn, ev->flags);
        }
    }
}

static bool has_running(const struct np_app *app)
{
    for (uint32_t slot = 0; slot < app->plan.instances; slot++) {
        const struct np_instance *instance = &app->instances[slot];
        if (instance->settings != NULL && instance->state != NP_INSTANCE_STOPPED) {
            return true;
        }
    }
    return false;
}

/* The instances are down, nobody is left to be told: what they counted is saved. */
static void finish_stop(struct np_master *master)
{
    if (has_running(master->app) ||
        (!np_http_server_is_stopped(&master->server) && np_timer_is_running(&master->stopping))) {
        return;
    }
    (void)np_store_save(master);
    np_master_deinit(master);
    np_log_write(&master->self.log, NP_LOG_INFO, "Master shutdown complete");
}

void np_master_on_turn(struct np_master *master)
{
    if (master->is_stopping) {
        if (!master->is_stopped) {
            finish_stop(master);
        }
        return;
    }
    if (master->seen_changes != master->app->changes) {
        master->seen_changes = master->app->changes;
        np_events_publish_changes(master);
    }
}

/* ---- stop ------------------------------------------------------------------------------------ */

/* The turn looks again. */
static void on_stopping(struct np_timer *timer, uint64_t now_ms)
{
    (void)timer;
    (void)now_ms;
}

void np_master_stop(struct np_master *master)
{
    struct np_app *app = master->app;

    if (master->is_stopped || master->is_stopping) {
        return;
    }
    master->is_stopping = true;
    np_timer_stop(&app->timers, &master->report);
    np_timer_stop(&app->timers, &master->door_retry);
    np_events_publish_shutdown(master);
    app->tap.line = NULL;
    (void)np_store_save(master);
    np_held_flush(master);
    np_http_server_stop(&master->server);
    np_pings_stop(master);
    master->stopping.fire = on_stopping;
    np_timer_start(&app->timers, &master->stopping, app->now_ms + STOP_LIMIT_MS);
}

bool np_master_is_stopped(const struct np_master *master)
{
    return master->is_stopped;
}

void np_master_deinit(struct np_master *master)
{
    struct np_app *app = master->app;

    master->is_stopping = master->is_stopped = true;
    app->tap.line = NULL;
    np_timer_stop(&app->timers, &master->report);
    np_timer_stop(&app->timers, &master->door_retry);
    np_timer_stop(&app->timers, &master->stopping);
    np_store_stop(master);
    np_pings_stop(master);
    if (!master->is_failed) {
        np_http_server_close(&master->server);
    }
    np_name_cancel(&master->self.tunnel, &master->waiter);
    np_instance_deinit(&master->self);
}
