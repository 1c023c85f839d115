/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/instance.h"

#include <string.h>

#include "core/np_app_state.h"
#include "core/tunnel/client.h"
#include "core/tunnel/door.h"
#include "core/tunnel/health.h"

static void open_doors(struct np_instance *instance);

static const char *role_text(const struct np_instance *instance)
{
    return instance->settings->role == NP_ROLE_SERVER ? "Server" : "Client";
}

const char *np_cause_text(enum np_err err)
{
    return err == NP_ERR_NO_HANDLES
               ? "out of handles (the limit of open files or connections is reached)"
               : np_err_text(err);
}

static bool is_server(const struct np_instance *instance)
{
    return instance->settings->role == NP_ROLE_SERVER;
}

bool np_instance_is_single(const struct np_instance *instance)
{
    return instance->flow == 's';
}

bool np_instance_has_visitors(const struct np_instance *instance)
{
    return np_instance_is_single(instance) || instance->flow == (is_server(instance) ? '-' : '+');
}

uint32_t np_instance_slots(const struct np_instance *instance)
{
    uint32_t sessions = instance->app->plan.sessions;

    return instance->settings->slot < sessions ? instance->settings->slot : sessions;
}

bool np_instance_has_slot(struct np_instance *instance)
{
    const struct np_counters *c = &instance->counters;
    uint32_t slots = np_instance_slots(instance);

    if (c->tcp_sessions + c->udp_sessions < slots) {
        return true;
    }
    np_log_limited(&instance->log, NP_SITE_SLOTS, instance->app->now_ms, NP_LOG_WARN,
                   "Session refused: all %u slots are in use%s", slots,
                   slots < instance->settings->slot ? " (mem= allows no more)" : "");
    return false;
}

/* A server that can't serve yet, because its target's port is busy, lets clients wait. */
static void watch_tunnel_door(struct np_instance *instance)
{
    bool is_ready =
        instance->state == NP_INSTANCE_UP || instance->state == NP_INSTANCE_EXPECT_CLIENT;

    if (instance->tunnel_door != NP_HANDLE_NONE) {
        np_plat_interest(instance->app->plat, instance->tunnel_door, is_ready ? NP_EV_READ : 0);
    }
}

void np_instance_set_state(struct np_instance *instance, enum np_instance_state state)
{
    static const char *const names[] = {
        "idle",          "expect doors", "cooling",  "expect client", "expect server",
        "expect answer", "up",           "draining", "stopped"};
    if (np_log_is_on(&instance->log, NP_LOG_DEBUG)) {
        np_log_write(&instance->log, NP_LOG_DEBUG, "State: %s -> %s", names[instance->state],
                     names[state]);
    }
    instance->state = (uint8_t)state;
    instance->app->changes++;
    watch_tunnel_door(instance);
    if (state == NP_INSTANCE_UP || state == NP_INSTANCE_EXPECT_CLIENT) {
        instance->fault = NP_OK;
    }
    if (state == NP_INSTANCE_UP) {
        instance->up_ms = instance->app->now_ms;
    }
}

/* A tunnel that stood for a while has worked: the next wait is the shortest again. One that fails
 * soon after each handshake (two clients that take turns) has not. */
static void reset_cooldown(struct np_instance *instance)
{
    if (instance->state == NP_INSTANCE_UP &&
        instance->app->now_ms - instance->up_ms >= NP_STABLE_MS) {
        np_backoff_reset(&instance->cooldown);
        instance->quick_retry_used = false;
    }
}

void np_instance_init(struct np_instance *instance, struct np_app *app, uint32_t index,
                      const struct np_settings *settings, bool color)
{
    const struct np_tuning *tuning = app->tuning;

    instance->app = app;
    instance->index = index;
    instance->settings = settings;
    instance->flow = '?';
    instance->mode = settings->mode;
    np_log_init(&instance->log, app->plat, settings->log_level,
                settings->alias[0] == '\0' ? NULL : settings->alias, color);
    instance->log.tap = &app->tap;
    np_name_init(&instance->tunnel, instance, &settings->tunnel, 0);
    np_name_init(&instance->target, instance, &settings->target, 1);
    np_connpool_init(instance);
    np_list_init(&instance->waiting);
    np_list_init(&instance->launches);
    np_list_init(&instance->greets);
    np_list_init(&instance->udp_lru);
    np_list_init(&instance->sessions);
    np_list_init(&instance->doubts);
    for (uint32_t d = 0; d < 2; d++) {
        np_list_init(&instance->rate_queue[d]);
        np_rate_init(&instance->rate[d], settings->rate_mbps, app->now_ms);
    }
    np_backoff_init(&instance->cooldown, tuning->service_cooldown_ms,
                    tuning->service_cooldown_ms > NP_COOLDOWN_MAX_MS ? tuning->service_cooldown_ms
                                                                     : NP_COOLDOWN_MAX_MS);
}

/* A client learns from the server whether there is TLS. */
static bool needs_secure(const struct np_instance *instance)
{
    const struct np_settings *settings = instance->settings;

    return NP_HAS_TLS != 0 && (is_server(instance) ? settings->tls != 0 : settings->mode != 1);
}

static void close_secure(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    if (NP_HAS_TLS != 0 && instance->secure != NULL) {
        np_secure_close(instance->secure);
        np_pool_release(&app->secures, np_pool_handle(&app->secures, instance->secure));
        instance->secure = NULL;
    }
}

static enum np_err open_secure(struct np_instance *instance)
{
    uint32_t handle;

    if (!needs_secure(instance)) {
        return NP_OK;
    }
    instance->tls = is_server(instance) ? instance->settings->tls : 0;
    instance->secure = np_pool_acquire(&instance->app->secures, &handle);
    enum np_err err =
        instance->secure == NULL ? NP_ERR_NO_MEMORY : np_secure_open(instance->secure, instance);
    if (err != NP_OK && instance->secure != NULL) {
        close_secure(instance);
    }
    return err;
}

/* With a master the instance stays and tries on: the files may come. */
static void begin(struct np_instance *instance)
{
    enum np_err err = instance->secure == NULL ? open_secure(instance) : NP_OK;

    if (err == NP_OK) {
        open_doors(instance);
    } else if (instance->app->copies != NULL) {
        instance->was_bound = true;
        np_instance_fail(instance, err, "certificate not usable");
    } else {
        np_log_write(&instance->log, NP_LOG_ERROR, "%s not started: its certificates can't be used",
                     role_text(instance));
        np_instance_set_state(instance, NP_INSTANCE_STOPPED);
    }
}

void np_instance_start(struct np_instance *instance)
{
    char line[1024];

    np_settings_format(instance->settings, line, sizeof line);
    np_log_write(&instance->log, NP_LOG_INFO, "%s started: %s", role_text(instance), line);
    begin(instance);
}

/* ---- doors: look-up, bind, mode -------------------------------------------------------------- */

static void on_name(struct np_name_waiter *waiter, enum np_err err)
{
    struct np_instance *instance = NP_CONTAINER(waiter, struct np_instance, waiter);

    if (err != NP_OK) {
        instance->was_bound = true;
        np_instance_fail(instance, err, "address not known");
        return;
    }
    open_doors(instance);
}

enum np_err np_instance_want_name(struct np_instance *instance, struct np_name *name,
                                  void (*ready)(struct np_name_waiter *waiter, enum np_err err))
{
    if (name->endpoint->host[0] == '\0' || name->count > 0) {
        return NP_OK; /* a door stays where it was bound first */
    }
    instance->waiter.ready = ready;
    instance->name_use = name->which;
    return np_name_want(name, &instance->waiter);
}

static void forget_name(struct np_instance *instance)
{
    np_name_cancel(instance->name_use == 0 ? &instance->tunnel : &instance->target,
                   &instance->waiter);
}

static enum np_err open_tunnel_door(struct np_instance *instance)
{
    if (instance->tunnel_door != NP_HANDLE_NONE) {
        return NP_OK;
    }
    enum np_err err = np_instance_want_name(instance, &instance->tunnel, on_name);
    if (err == NP_OK) {
        err =
            np_door_listen(instance, &instance->tunnel, NP_TAG_TUNNEL_DOOR, &instance->tunnel_door);
    }
    if (err == NP_OK) {
        np_plat_tcp_keepalive(instance->app->plat, instance->tunnel_door,
                              instance->app->tuning->report_interval_ms);
        watch_tunnel_door(instance);
    }
    return err;
}

/* Auto mode: whether the TCP address is ours decides, once and for good (config.md 2, modes). */
static enum np_err decide_mode(struct np_instance *instance, struct np_name *name)
{
    uint32_t handle = instance->door.tcp;
    enum np_err err =
        handle != NP_HANDLE_NONE ? NP_OK : np_door_listen(instance, name, NP_TAG_TCP_DOOR, &handle);

    if (err == NP_ERR_NO_HANDLES || err == NP_ERR_NO_MEMORY) {
        return err; /* says nothing about the address */
    }
    name->is_refused = false; /* that it is taken is an answer, no failure */
    instance->mode = err == NP_OK ? 1 : 2;
    if (err == NP_OK && instance->settings->notcp) {
        np_plat_close(instance->app->plat, handle);
    } else if (err == NP_OK) {
        instance->door.tcp = handle;
    }
    np_log_write(&instance->log, NP_LOG_INFO, "Mode %u chosen: %s can%s be bound here%s%s",
                 instance->mode, is_server(instance) ? "target" : "tunnel address",
                 err == NP_OK ? "" : "not", err == NP_OK ? "" : ": ",
                 err == NP_OK ? "" : np_err_text(err));
    return NP_OK;
}

/* The local door of a reverse server or a single-end client. */
static enum np_err open_visitor_door(struct np_instance *instance)
{
    struct np_name *name = is_server(instance) ? &instance->target : &instance->tunnel;

    if (instance->mode == 2) {
        return NP_OK;
    }
    enum np_err err = np_instance_want_name(instance, name, on_name);
    if (err == NP_OK && instance->mode == 0) {
        err = decide_mode(instance, name);
    }
    if (err == NP_OK && instance->mode == 1) {
        err = np_door_open(instance, name);
    }
    return err;
}

static void open_doors(struct np_instance *instance)
{
    np_instance_set_state(instance, NP_INSTANCE_EXPECT_DOORS);
    enum np_err err = is_server(instance) ? open_tunnel_door(instance) : NP_OK;
    if (err == NP_OK) {
        err = open_visitor_door(instance);
    }
    if (err == NP_ERR_AGAIN) {
        return;
    }
    instance->was_bound = true;
    if (err != NP_OK) {
        bool is_target = is_server(instance) && instance->tunnel_door != NP_HANDLE_NONE;
        np_instance_fail(instance, err,
                         is_target ? "target address not bound" : "tunnel address not bound");
        return;
    }
    if (is_server(instance)) {
        instance->flow = instance->mode == 1 ? '-' : '+';
        np_instance_set_state(instance, NP_INSTANCE_EXPECT_CLIENT);
    } else if (instance->mode == 1) {
        instance->flow = 's';
        np_instance_set_state(instance, NP_INSTANCE_UP);
        np_health_start(instance);
    } else {
        np_client_start(instance);
    }
}

/* ---- failure --------------------------------------------------------------------------------- */

static void on_cooled(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    begin(NP_CONTAINER(timer, struct np_instance, timer));
}

/* The tunnel is lost: the bytes in doubt were the hello of its next client. */
static void end_doubts(struct np_instance *instance)
{
    struct np_node *node;
    while ((node = np_list_first(&instance->doubts)) != NULL) {
        np_session_abort(NP_CONTAINER(node, struct np_session, doubt), NP_ERR_RESET);
    }
}

/* Ends all that belongs to the lost tunnel; doors and sessions stay. */
static void drop_tunnel(struct np_instance *instance)
{
    end_doubts(instance);
    np_health_stop(instance);
    np_client_stop(instance);
    np_control_close(instance);
    np_connpool_stop(instance);
    np_launch_clear(instance);
    forget_name(instance);
    np_timer_stop(&instance->app->timers, &instance->timer);
}

static uint32_t cooling_ms(struct np_instance *instance, enum np_err err)
{
    struct np_app *app = instance->app;

    if (err == NP_ERR_STATE && !instance->quick_retry_used) {
        instance->quick_retry_used = true;
        return NP_DIAL_BACKOFF_MS;
    }
    uint32_t wait_ms = np_backoff_wait_ms(&instance->cooldown, np_rng_next(&app->rng));
    /* A server that does not launch looks at our first hello so long after it. */
    bool is_early = err == NP_ERR_STATE && wait_ms < NP_LAUNCH_WAIT_MS + NP_DIAL_BACKOFF_MS;
    return is_early ? NP_LAUNCH_WAIT_MS + NP_DIAL_BACKOFF_MS : wait_ms;
}

/* While it can't do its work (`is_cooling`) the cause is said once, and again with a count now and
 * then; another cause is said at once. */
static void say_restart(struct np_instance *instance, enum np_err err, const char *what,
                        bool is_cooling)
{
    uint64_t now_ms = instance->app->now_ms;
    bool is_known = instance->is_resting && instance->fault == err && instance->fault_text == what;

    if (!is_known && (is_cooling || instance->is_resting)) {
        np_log_rest(&instance->log, NP_SITE_RESTART, 0);
    }
    bool is_all = err == NP_ERR_STATE || err == NP_ERR_CANCELED; /* `what` tells all */
    bool is_said = np_log_limited(&instance->log, NP_SITE_RESTART, now_ms, NP_LOG_WARN,
                                  "%s restarting: %s%s%s", role_text(instance), what,
                                  is_all ? "" : ": ", is_all ? "" : np_cause_text(err));
    if (is_cooling && is_said) {
        np_log_rest(&instance->log, NP_SITE_RESTART, now_ms + NP_SAY_AGAIN_MS);
    }
    instance->is_resting = is_cooling;
}

void np_instance_fail(struct np_instance *instance, enum np_err err, const char *what)
{
    struct np_app *app = instance->app;

    if (instance->state == NP_INSTANCE_DRAINING || instance->state == NP_INSTANCE_STOPPED) {
        uint64_t due_ms = instance->timer.due_ms;
        drop_tunnel(instance);
        if (instance->state == NP_INSTANCE_DRAINING) {
            np_timer_start(&app->timers, &instance->timer, due_ms);
        }
        return;
    }
    reset_cooldown(instance);
    instance->counters.restarts++;
    bool has_doors = is_server(instance) && (instance->state == NP_INSTANCE_UP ||
                                             instance->state == NP_INSTANCE_EXPECT_CLIENT);
    say_restart(instance, err, what, !has_doors);
    drop_tunnel(instance);
    if (has_doors) {
        np_instance_set_state(instance, NP_INSTANCE_EXPECT_CLIENT);
        return;
    }
    instance->fault = err;
    instance->fault_text = what;
    np_instance_set_state(instance, NP_INSTANCE_COOLING);
    instance->timer.fire = on_cooled;
    np_timer_start(&app->timers, &instance->timer, app->now_ms + cooling_ms(instance, err));
}

/* ---- stop ------------------------------------------------------------------------------------ */

static void end_sessions(struct np_instance *instance)
{
    struct np_node *node;
    while ((node = np_list_first(&instance->sessions)) != NULL) {
        np_session_abort(NP_CONTAINER(node, struct np_session, node), NP_ERR_CANCELED);
    }
}

static void close_tunnel_door(struct np_instance *instance)
{
    np_plat_close(instance->app->plat, instance->tunnel_door);
    instance->tunnel_door = NP_HANDLE_NONE;
}

void np_instance_end(struct np_instance *instance)
{
    if (instance->state == NP_INSTANCE_STOPPED) {
        return;
    }
    np_instance_set_state(instance, NP_INSTANCE_STOPPED);
    end_sessions(instance);
    np_instance_deinit(instance);
    np_health_check_point(instance, 1);
    np_log_write(&instance->log, NP_LOG_INFO, "%s shutdown complete", role_text(instance));
}

static void on_drained(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    np_instance_end(NP_CONTAINER(timer, struct np_instance, timer));
}

/* Visitors that still wait for a connection are let go; the others may finish. */
static void refuse_waiting(struct np_instance *instance)
{
    struct np_node *node;
    while ((node = np_list_first(&instance->waiting)) != NULL) {
        np_session_abort(NP_CONTAINER(node, struct np_session, queue), NP_ERR_CANCELED);
    }
}

void np_instance_stop(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    if (instance->state == NP_INSTANCE_DRAINING || instance->state == NP_INSTANCE_STOPPED) {
        np_instance_end(instance);
        return;
    }
    np_instance_set_state(instance, NP_INSTANCE_DRAINING);
    np_plat_close(app->plat, instance->door.tcp); /* UDP answers still go out through the door */
    instance->door.tcp = NP_HANDLE_NONE;
    close_tunnel_door(instance);
    np_server_clear_greets(instance);
    forget_name(instance);
    np_client_stop(instance);
    np_connpool_stop(instance);
    np_launch_clear(instance);
    refuse_waiting(instance);
    if (instance->counters.tcp_sessions == 0) {
        np_instance_end(instance);
        return;
    }
    np_log_write(&instance->log, NP_LOG_INFO, "%s stopping: %u sessions may finish, at most %u ms",
                 role_text(instance), instance->counters.tcp_sessions,
                 app->tuning->shutdown_timeout_ms);
    instance->timer.fire = on_drained;
    np_timer_start(&app->timers, &instance->timer, app->now_ms + app->tuning->shutdown_timeout_ms);
}

void np_instance_on_session_end(struct np_instance *instance)
{
    /* Not from here: callers up the stack still hold the instance's lists. */
    if (instance->state == NP_INSTANCE_DRAINING && instance->counters.tcp_sessions == 0) {
        np_timer_start(&instance->app->timers, &instance->timer, instance->app->now_ms);
    }
}

void np_instance_deinit(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    if (instance->state != NP_INSTANCE_STOPPED) {
        instance->state = NP_INSTANCE_STOPPED;
        end_sessions(instance);
    }
    drop_tunnel(instance);
    np_server_clear_greets(instance);
    close_tunnel_door(instance);
    np_door_close(instance);
    np_name_deinit(&instance->tunnel);
    np_name_deinit(&instance->target);
    np_timer_stop(&app->timers, &instance->rate_timer);
    close_secure(instance);
}
