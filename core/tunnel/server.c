/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/server.h"

#include "core/np_app_state.h"
#include "core/tunnel/health.h"

#define ACCEPTS_A_TURN 64u
#define QUICK_WELCOMES 4u /* within a second of the one before, that are said at once */

static void close_greet(struct np_greet *greet)
{
    struct np_instance *instance = greet->instance;
    struct np_app *app = instance->app;

    np_timer_stop(&app->timers, &greet->timer);
    np_list_remove(&instance->greets, &greet->node);
    if (greet->handle != NP_HANDLE_NONE) {
        np_plat_tcp_close(app->plat, greet->handle);
    }
    np_pool_release(&app->greets, greet->self);
}

void np_server_clear_greets(struct np_instance *instance)
{
    struct np_node *node;
    while ((node = np_list_first(&instance->greets)) != NULL) {
        close_greet(NP_CONTAINER(node, struct np_greet, node));
    }
}

static void refuse_greet(struct np_greet *greet, enum np_site site, const char *why)
{
    struct np_instance *instance = greet->instance;
    char peer[NP_ADDR_TEXT_CAP];

    np_addr_format(&greet->peer, peer, sizeof peer);
    np_log_limited(&instance->log, site, instance->app->now_ms, NP_LOG_WARN, "%s: %s", why, peer);
    close_greet(greet);
}

static void on_greet_timeout(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    refuse_greet(NP_CONTAINER(timer, struct np_greet, timer), NP_SITE_HANDSHAKE_TIMEOUT,
                 "Handshake timeout");
}

/* A connection while no client is known: it has to prove the key in time. The oldest one gives way,
 * so that silent connections can't keep a client out. */
static void open_greet(struct np_instance *instance, uint32_t handle, const struct np_addr *peer)
{
    struct np_app *app = instance->app;
    uint32_t self;

    if (instance->greets.count >= app->plan.pool_greets) {
        refuse_greet(NP_CONTAINER(np_list_first(&instance->greets), struct np_greet, node),
                     NP_SITE_GREETS, "Too many connections before the handshake, oldest closed");
    }
    struct np_greet *greet = np_pool_acquire(&app->greets, &self);
    if (greet == NULL) {
        np_plat_tcp_close(app->plat, handle);
        return;
    }
    greet->instance = instance;
    greet->self = self;
    greet->handle = handle;
    greet->peer = *peer;
    greet->timer.fire = on_greet_timeout;
    np_list_insert_last(&instance->greets, &greet->node);
    np_timer_start(&app->timers, &greet->timer, app->now_ms + app->tuning->handshake_timeout_ms);
    np_plat_retag(app->plat, handle, np_tag(NP_TAG_GREET, 0, self & NP_POOL_INDEX_MASK));
    np_plat_interest(app->plat, handle, NP_EV_READ);
}

/* ---- handshake ------------------------------------------------------------------------------- */

static enum np_err send_answer(struct np_instance *instance)
{
    const struct np_settings *settings = instance->settings;
    struct np_key key = {settings->key, settings->key_len};
    struct np_answer answer = {0};
    uint8_t line[NP_DIALECT_LINE_CAP + 1];
    uint32_t room = instance->app->plan.pool_conns;

    answer.max = settings->max < room ? settings->max : room;
    answer.flow = instance->flow;
    answer.tls = settings->tls;
    answer.extensions = NP_DIALECT_EXT_ALL;
    uint32_t len = np_answer_encode(line, key, &answer);
    if (len == 0) { /* there may be no room for the offer */
        answer.extensions = 0;
        len = np_answer_encode(line, key, &answer);
    }
    if (len == 0) {
        np_log_limited(&instance->log, NP_SITE_KEY, instance->app->now_ms, NP_LOG_ERROR,
                       "This key can't be used: no answer can be written with it, choose another");
        return NP_ERR_UNSUPPORTED;
    }
    instance->control.is_ext_open = answer.extensions != 0;
    return np_flow_give_all(instance->app->plat, instance->control.handle, line, len);
}

/* Scripts wait for this line; only a flood of hellos is kept short. */
static void say_handshaked(struct np_instance *instance)
{
    uint64_t now_ms = instance->app->now_ms;
    char local[NP_ADDR_TEXT_CAP], peer[NP_ADDR_TEXT_CAP];

    if (now_ms - instance->up_ms >= 1000) { /* the last one */
        instance->quick_welcomes = 0;
    }
    if (instance->quick_welcomes < QUICK_WELCOMES) {
        instance->quick_welcomes++;
        np_log_rest(&instance->log, NP_SITE_HANDSHAKED, 0);
    }
    np_addr_format(&instance->control.local, local, sizeof local);
    np_addr_format(&instance->control.peer, peer, sizeof peer);
    np_log_limited(&instance->log, NP_SITE_HANDSHAKED, now_ms, NP_LOG_INFO,
                   "Tunnel handshaked: %s <-> %s", local, peer);
}

static void welcome(struct np_instance *instance, uint32_t handle)
{
    np_control_open(instance, handle);
    np_server_clear_greets(instance);
    enum np_err err = send_answer(instance);
    if (err != NP_OK) {
        np_instance_fail(instance, err, "handshake");
        return;
    }
    say_handshaked(instance);
    if (!instance->said_weak_key) {
        instance->said_weak_key = true;
        np_log_write(&instance->log, NP_LOG_WARN,
                     "This protocol version proves only the length of the key: restrict who can "
                     "reach the tunnel port");
    }
    np_connpool_start(instance, 1, instance->settings->max);
    np_instance_set_state(instance, NP_INSTANCE_UP);
    np_health_start(instance);
    np_control_ping(instance); /* a client that takes up no offer answers this first */
}

void np_greet_on_event(struct np_greet *greet, uint32_t flags)
{
    struct np_instance *instance = greet->instance;
    struct np_plat *plat = instance->app->plat;
    struct np_key key = {instance->settings->key, instance->settings->key_len};
    (void)flags;

    int32_t got =
        np_plat_tcp_recv(plat, greet->handle, greet->line + greet->len, key.len + 1 - greet->len);
    if (got == NP_ERR_AGAIN) {
        return;
    }
    if (got < 0) {
        close_greet(greet);
        return;
    }
    greet->len += (uint32_t)got;
    bool is_whole = greet->len == key.len + 1;
    bool is_cut = false; /* a newline too early: another key's length */
    for (uint32_t i = 0; i < greet->len && !is_whole; i++) {
        is_cut = is_cut || greet->line[i] == '\n';
    }
    if (!is_whole && !is_cut) {
        return;
    }
    if (!is_whole || !np_hello_is_valid(greet->line, greet->len, key)) {
        refuse_greet(greet, NP_SITE_ACCESS_DENIED, "Access denied");
        return;
    }
    uint32_t handle = greet->handle;
    greet->handle = NP_HANDLE_NONE;
    close_greet(greet);
    welcome(instance, handle);
}

/* ---- door ------------------------------------------------------------------------------------ */

static void on_connection(struct np_instance *instance, uint32_t handle, const struct np_addr *peer)
{
    struct np_app *app = instance->app;
    char text[NP_ADDR_TEXT_CAP];

    if (instance->state == NP_INSTANCE_EXPECT_CLIENT) {
        open_greet(instance, handle, peer);
    } else if (instance->state == NP_INSTANCE_UP &&
               np_addr_is_same_host(peer, &instance->control.peer)) {
        np_connpool_insert_accepted(instance, handle);
    } else {
        np_addr_format(peer, text, sizeof text);
        np_log_limited(&instance->log, NP_SITE_FOREIGN_POOL, app->now_ms, NP_LOG_WARN,
                       "Access denied: %s", text);
        np_plat_tcp_close(app->plat, handle);
    }
}

void np_server_on_door(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    for (uint32_t i = 0; i < ACCEPTS_A_TURN && instance->tunnel_door != NP_HANDLE_NONE; i++) {
        struct np_addr peer;
        uint32_t handle;
        enum np_err err = np_plat_tcp_accept(app->plat, instance->tunnel_door, 0, &handle, &peer);
        if (err == NP_ERR_AGAIN) {
            return;
        }
        if (err == NP_ERR_NO_HANDLES && instance->state == NP_INSTANCE_UP &&
            instance->waiting.count > instance->pool.unproven.count &&
            np_launch_reclaim(instance)) {
            continue; /* else the waiting visitors would hold what they wait for */
        }
        if (err != NP_OK) {
            np_log_limited(&instance->log, NP_SITE_ACCEPT, app->now_ms, NP_LOG_WARN,
                           "Connection not accepted: %s", np_cause_text(err));
            return;
        }
        on_connection(instance, handle, &peer);
    }
}

void np_server_on_restarted_client(struct np_instance *instance)
{
    char peer[NP_ADDR_TEXT_CAP];

    if (instance->app->now_ms - instance->up_ms < NP_STABLE_MS) {
        np_addr_format(&instance->control.peer, peer, sizeof peer);
        np_log_limited(&instance->log, NP_SITE_TAKEN_OVER, instance->app->now_ms, NP_LOG_WARN,
                       "A client from %s takes over from one that has just come: do two clients "
                       "use this server? It serves one",
                       peer);
    }
    np_instance_fail(instance, NP_ERR_CANCELED, "a new client from the same address took over");
}
