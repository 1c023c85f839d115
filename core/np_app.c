/* SPDX-License-Identifier: BSD-3-Clause */
/* np_app: start, dispatch by tag, one turn of the loop. */
#include "core/np_app.h"

#include <string.h>

#include "core/master/master.h"
#include "core/np_app_state.h"
#include "core/tunnel/client.h"
#include "core/tunnel/door.h"

/* NULL = none; a build without a master has no call of its code then, and does not link it. */
static struct np_master *master_of(const struct np_app *app)
{
    return NP_MASTER ? app->master : NULL;
}

void np_app_plan(const struct np_settings *const *settings, uint32_t count,
                 const struct np_tuning *tuning, struct np_app_needs *needs)
{
    struct np_plan plan;

    needs->least_bytes = np_plan_make(&plan, settings, count, tuning);
    needs->memory_bytes = np_plan_bytes(&plan);
    needs->handles = plan.handles;
    needs->is_dynamic = plan.is_dynamic;
    needs->is_fitted = plan.is_fitted;
    needs->sessions = plan.sessions;
    needs->conns = plan.conns;
    needs->records = plan.records;
    needs->record_bytes = plan.record_bytes;
    needs->instances = plan.instances;
}

static void start_static(struct np_app *app, const struct np_settings *const *settings,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        np_instance_init(&app->instances[i], app, i, settings[i], app->color);
    }
    for (uint32_t i = 0; i < count; i++) {
        np_instance_start(&app->instances[i]);
    }
}

/* The master's own instances have their slots first. A master that can't start starts nothing. */
static void start_dynamic(struct np_app *app, const struct np_settings *const *settings,
                          uint32_t count)
{
    uint32_t slot;

    if (np_master_open(app->master, app, np_plan_master(settings, count)) != NP_OK) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (settings[i]->role == NP_ROLE_MASTER) {
            continue;
        }
        if (np_slot_insert(app, settings[i], &slot) != NP_OK) {
            np_log_write(&app->master->self.log, NP_LOG_ERROR,
                         "Instance %s not started: this process runs at most %u",
                         settings[i]->alias, app->plan.instances);
            continue;
        }
        np_slot_start(app, slot);
    }
    np_master_start(app->master);
}

struct np_app *np_app_init(struct np_plat *plat, void *memory, uint64_t memory_bytes,
                           const struct np_settings *const *settings, uint32_t count,
                           const struct np_tuning *tuning, bool color)
{
    struct np_arena arena = {memory, memory_bytes, 0};
    struct np_app *app = np_arena_acquire(&arena, sizeof *app);
    uint64_t seed = 0;

    if (app == NULL || np_plat_random(plat, (uint8_t *)&seed, sizeof seed) != NP_OK) {
        return NULL;
    }
    app->plat = plat;
    app->tuning = tuning;
    app->now_ms = np_plat_now_ms(plat);
    np_rng_init(&app->rng, seed);
    app->hash_seed = np_rng_next(&app->rng);
    np_list_init(&app->dirty_controls);
    np_list_init(&app->deferred);
    np_list_init(&app->holders);
    if (NP_HAS_TLS != 0) {
        np_tls_engines_init(&app->engines);
    }
    np_plan_make(&app->plan, settings, count, tuning);
    if (!np_plan_cut(&app->plan, app, &arena)) {
        return NULL;
    }
    app->color = color;
    if (NP_MASTER && app->plan.is_dynamic) {
        start_dynamic(app, settings, count);
    } else {
        start_static(app, settings, count);
    }
    return app;
}

static void on_instance_event(struct np_app *app, const struct np_event *ev)
{
    uint32_t index = np_tag_index(ev->tag);
    if (index >= app->plan.instances) {
        return;
    }
    struct np_instance *instance = &app->instances[index];
    switch (np_tag_kind(ev->tag)) {
    case NP_TAG_TUNNEL_DOOR:
        if (ev->handle == instance->tunnel_door) {
            np_server_on_door(instance);
        }
        return;
    case NP_TAG_TCP_DOOR:
        if (ev->handle == instance->door.tcp) {
            np_door_on_tcp(instance);
        }
        return;
    case NP_TAG_UDP_DOOR:
        if (ev->handle == instance->door.udp) {
            np_udp_on_door(instance);
        }
        return;
    case NP_TAG_CONTROL:
        if (ev->handle == instance->control.handle) {
            np_control_on_event(instance, ev->flags);
        } else if (ev->handle == instance->hello_handle) {
            np_client_on_answer_event(instance, ev->flags);
        }
        return;
    case NP_TAG_NAME:
        np_name_on_event(np_tag_sub(ev->tag) == 0 ? &instance->tunnel : &instance->target,
                         ev->handle);
        return;
    default:
        return;
    }
}

/* Objects are found by index; the handle tells whether the event is still theirs. */
static void on_event(struct np_app *app, const struct np_event *ev)
{
    uint32_t index = np_tag_index(ev->tag);

    switch (np_tag_kind(ev->tag)) {
    case NP_TAG_GREET: {
        struct np_greet *greet = np_pool_at(&app->greets, index);
        if (greet != NULL && greet->handle == ev->handle) {
            np_greet_on_event(greet, ev->flags);
        }
        return;
    }
    case NP_TAG_CONN: {
        struct np_conn *conn = np_pool_at(&app->conns, index);
        if (conn != NULL && conn->handle == ev->handle) {
            np_conn_on_event(conn, ev->flags);
        }
        return;
    }
    case NP_TAG_DIAL: {
        struct np_dial *dial = np_pool_at(&app->dials, index);
        if (dial != NULL) {
            np_dial_on_event(dial, ev->handle);
        }
        return;
    }
    case NP_TAG_SESSION: {
        struct np_session *session = np_pool_at(&app->sessions, index);
        uint32_t leg = np_tag_sub(ev->tag) & 1u;
        if (session != NULL && session->legs[leg] == ev->handle) {
            np_session_on_event(session, leg, ev->handle, ev->flags);
        }
        return;
    }
    case NP_TAG_HTTP:
        if (master_of(app) != NULL) {
            np_master_on_event(app->master, ev);
        }
        return;
    default:
        if (master_of(app) != NULL && index == app->plan.instances) {
            np_master_on_event(app->master, ev);
        } else {
            on_instance_event(app, ev);
        }
        return;
    }
}

static void flush_controls(struct np_app *app)
{
    struct np_node *node;
    while ((node = np_list_first(&app->dirty_controls)) != NULL) {
        struct np_control *control = NP_CONTAINER(node, struct np_control, dirty);
        np_list_remove(&app->dirty_controls, node);
        np_control_flush(NP_CONTAINER(control, struct np_instance, control));
    }
}

static void serve_deferred(struct np_app *app)
{
    struct np_channel *channel;

    for (uint32_t left = NP_HAS_TLS != 0 ? app->deferred.count : 0;
         left > 0 && (channel = np_channel_next_deferred(app)) != NULL; left--) {
        struct np_event ev = {channel->handle, channel->owner_tag, NP_EV_READ | NP_EV_WRITE};
        on_event(app, &ev);
    }
}

enum np_err np_app_step(struct np_app *app, uint32_t max_wait_ms)
{
    uint32_t wait_ms = np_timers_wait_ms(&app->timers, np_plat_now_ms(app->plat));
    if (wait_ms > max_wait_ms) {
        wait_ms = max_wait_ms;
    }
    if (NP_HAS_TLS != 0 && np_channel_has_deferred(app)) {
        wait_ms = 0;
    }
    int32_t count = np_plat_poll(app->plat, app->events, NP_MAX_EVENTS, wait_ms);
    app->now_ms = np_plat_now_ms(app->plat);
    if (count < 0) {
        return (enum np_err)count;
    }
    for (int32_t i = 0; i < count; i++) {
        on_event(app, &app->events[i]);
    }
    serve_deferred(app);
    np_timers_fire(&app->timers, app->now_ms, NP_APP_FIRES);
    if (NP_MASTER && app->leaving_count > 0) {
        np_slots_settle(app);
    }
    if (master_of(app) != NULL) {
        np_master_on_turn(app->master);
    }
    flush_controls(app);
    return NP_OK;
}

static void stop_slot(struct np_app *app, uint32_t index)
{
    struct np_instance *instance = &app->instances[index];

    if (instance->settings != NULL) {
        app->leaving_count -= instance->is_leaving ? 1u : 0u;
        instance->is_leaving = false;
        np_instance_stop(instance);
    }
}

void np_app_stop(struct np_app *app)
{
    app->is_stopping = true;
    app->now_ms = np_plat_now_ms(app->plat);
    if (master_of(app) != NULL) {
        np_master_stop(app->master);
    }
    for (uint32_t i = 0; i < app->plan.instances; i++) {
        stop_slot(app, i);
    }
    if (master_of(app) != NULL) {
        np_master_on_turn(app->master);
    }
    flush_controls(app);
}

void np_app_reload(struct np_app *app)
{
    app->now_ms = np_plat_now_ms(app->plat);
    for (uint32_t i = 0; i < app->plan.instances; i++) {
        struct np_instance *instance = &app->instances[i];
        if (NP_HAS_TLS != 0 && instance->secure != NULL && instance->state != NP_INSTANCE_STOPPED) {
            np_secure_reload(instance->secure);
        }
    }
    if (NP_HAS_TLS != 0 && master_of(app) != NULL && app->master->self.secure != NULL) {
        np_secure_reload(app->master->self.secure);
    }
}

bool np_app_is_stopped(const struct np_app *app)
{
    for (uint32_t i = 0; i < app->plan.instances; i++) {
        const struct np_instance *instance = &app->instances[i];
        if (instance->settings != NULL && instance->state != NP_INSTANCE_STOPPED) {
            return false;
        }
    }
    return master_of(app) == NULL || np_master_is_stopped(app->master);
}

bool np_app_is_bound(const struct np_app *app)
{
    for (uint32_t i = 0; i < app->plan.instances; i++) {
        const struct np_instance *instance = &app->instances[i];
        if (instance->settings != NULL && !instance->was_bound &&
            instance->state != NP_INSTANCE_STOPPED) {
            return false;
        }
    }
    return master_of(app) == NULL || app->master->was_bound;
}

void np_app_stats(const struct np_app *app, uint32_t index, struct np_app_stats *stats)
{
    const struct np_instance *instance = &app->instances[index];
    const struct np_counters *c = &instance->counters;

    memset(stats, 0, sizeof *stats);
    stats->role = instance->settings->role;
    stats->flow = instance->flow;
    stats->is_up = instance->state == NP_INSTANCE_UP;
    stats->ping_ms = instance->control.ping_ms;
    stats->pool_idle = instance->pool.idle.count;
    stats->tcp_sessions = c->tcp_sessions;
    stats->udp_sessions = c->udp_sessions;
    stats->tcp_rx = c->tcp_rx;
    stats->tcp_tx = c->tcp_tx;
    stats->udp_rx = c->udp_rx;
    stats->udp_tx = c->udp_tx;
    stats->mode = instance->mode;
    stats->restarts = c->restarts;
    stats->dials = c->dials;
}

uint32_t np_app_objects_used(const struct np_app *app)
{
    uint32_t used = app->timers.count;
#define NP_POOL(name, count, size, purpose) used += app->name.used;
#include "config/np_pools.def"
#undef NP_POOL
    return used;
}

void np_app_deinit(struct np_app *app)
{
    if (master_of(app) != NULL && app->master->app != NULL) {
        np_master_deinit(app->master);
    }
    for (uint32_t i = 0; i < app->plan.instances; i++) {
        if (app->instances[i].settings != NULL) {
            np_instance_deinit(&app->instances[i]);
        }
    }
}
