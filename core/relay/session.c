/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/relay/session.h"

#include <string.h>

#include "config/endpoint.h"
#include "core/np_app_state.h"

static void on_idle(struct np_timer *timer, uint64_t now_ms);

struct np_session *np_session_acquire(struct np_instance *instance, bool is_udp,
                                      enum np_session_state state)
{
    struct np_app *app = instance->app;
    uint32_t self;
    struct np_session *session = np_pool_acquire(&app->sessions, &self);

    if (session == NULL) {
        np_log_limited(&instance->log, NP_SITE_MEMORY, app->now_ms, NP_LOG_WARN,
                       "Session refused: all %u of this process are in use", app->plan.sessions);
        return NULL;
    }
    session->instance = instance;
    session->self = self;
    session->is_udp = is_udp;
    session->state = (uint8_t)state;
    np_list_insert_last(&instance->sessions, &session->node);
    if (is_udp) {
        instance->counters.udp_sessions++;
    } else {
        instance->counters.tcp_sessions++;
    }
    return session;
}

bool np_session_reserve_slot(struct np_instance *instance, bool is_udp)
{
    const struct np_counters *open = &instance->counters;
    uint32_t slot = np_instance_slots(instance);

    if (open->tcp_sessions + open->udp_sessions >= slot &&
        (is_udp || open->udp_sessions > slot / 2)) {
        np_udp_reclaim(instance); /* a flood of UDP sources must not shut others out */
    }
    return np_instance_has_slot(instance);
}

struct np_session *np_session_find(struct np_instance *instance, uint32_t id)
{
    for (struct np_node *node = np_list_first(&instance->sessions); node != NULL;
         node = np_list_next(&instance->sessions, node)) {
        struct np_session *session = NP_CONTAINER(node, struct np_session, node);
        if (session->has_conn_id && session->conn_id == id) {
            return session;
        }
    }
    return NULL;
}

/* Gives back everything but the legs. */
static void release(struct np_session *session)
{
    struct np_instance *instance = session->instance;
    struct np_app *app = instance->app;

    np_channel_release(app, session->channel);
    np_dial_cancel(instance, session->dial);
    np_timer_stop(&app->timers, &session->timer);
    np_list_remove(&instance->waiting, &session->queue);
    np_list_remove(&instance->sessions, &session->node);
    np_list_remove(&instance->doubts, &session->doubt);
    for (uint32_t d = 0; d < 2; d++) {
        np_list_remove(&instance->rate_queue[d], &session->flows[d].rate);
    }
    if (session->is_udp) {
        np_udp_release(session);
        instance->counters.udp_sessions--;
    } else {
        instance->counters.tcp_sessions--;
    }
    np_pool_release(&app->sessions, session->self);
    np_instance_on_session_end(instance);
}

static void log_end(struct np_session *session, enum np_err err)
{
    struct np_log *log = &session->instance->log;
    char visitor[NP_ADDR_TEXT_CAP];

    if (np_log_is_on(log, NP_LOG_DEBUG)) {
        np_addr_format(&session->visitor, visitor, sizeof visitor);
        np_log_write(log, NP_LOG_DEBUG, "%s session of %s ended: %s",
                     session->is_udp ? "UDP" : "TCP", visitor,
                     err == NP_OK ? "both ends closed" : np_err_text(err));
    }
}

void np_session_abort(struct np_session *session, enum np_err err)
{
    struct np_plat *plat = session->instance->app->plat;

    log_end(session, err);
    for (uint32_t leg = 0; leg < 2; leg++) {
        uint32_t handle = session->legs[leg];
        session->legs[leg] = NP_HANDLE_NONE;
        if (handle == NP_HANDLE_NONE) {
            continue;
        }
        if (session->is_udp && (leg == 0 || np_instance_is_single(session->instance))) {
            np_plat_close(plat, handle);
        } else {
            np_plat_tcp_abort(plat, handle);
        }
    }
    release(session);
}

void np_session_finish(struct np_session *session)
{
    struct np_plat *plat = session->instance->app->plat;

    log_end(session, NP_OK);
    for (uint32_t leg = 0; leg < 2; leg++) {
        if (session->legs[leg] != NP_HANDLE_NONE) {
            np_plat_tcp_close(plat, session->legs[leg]);
            session->legs[leg] = NP_HANDLE_NONE;
        }
    }
    release(session);
}

/* ---- idle limit ------------------------------------------------------------------------------ */

static uint32_t idle_limit_ms(const struct np_session *session)
{
    const struct np_instance *instance = session->instance;
    const struct np_settings *settings = instance->settings;

    if (session->is_udp) {
        return settings->read_given ? settings->read_ms
                                    : instance->app->tuning->udp_read_timeout_ms;
    }
    /* A Go peer does not pass on end of stream: its half would hang for read= (protocol.md 7). */
    bool is_half_closed =
        session->flows[0].state != NP_FLOW_OPEN || session->flows[1].state != NP_FLOW_OPEN;
    bool is_go_peer = !np_instance_is_single(instance) && instance->control.extensions == 0;
    if (is_half_closed && is_go_peer && settings->read_ms > NP_HALF_CLOSED_IDLE_MS) {
        return NP_HALF_CLOSED_IDLE_MS;
    }
    return settings->read_ms;
}

static void on_idle(struct np_timer *timer, uint64_t now_ms)
{
    struct np_session *session = NP_CONTAINER(timer, struct np_session, timer);
    uint64_t end_ms = session->active_ms + idle_limit_ms(session);

    if (now_ms < end_ms) {
        np_timer_start(&session->instance->app->timers, timer, end_ms);
        return;
    }
    np_session_abort(session, NP_ERR_TIMED_OUT);
}

void np_session_touch(struct np_session *session)
{
    session->active_ms = session->instance->app->now_ms;
}

void np_session_start_relay(struct np_session *session)
{
    struct np_app *app = session->instance->app;

    session->state = NP_SESSION_RELAYING;
    session->active_ms = app->now_ms;
    session->timer.fire = on_idle;
    np_timer_start(&app->timers, &session->timer, app->now_ms + idle_limit_ms(session));
}

/* ---- visitor side ---------------------------------------------------------------------------- */

static void own_leg(struct np_session *session, uint32_t leg, uint32_t handle)
{
    session->legs[leg] = handle;
    np_plat_retag(session->instance->app->plat, handle,
                  np_tag(NP_TAG_SESSION, leg, session->self & NP_POOL_INDEX_MASK));
}

static void on_target_dialled(void *owner, enum np_err err, uint32_t handle);

static void dial_target(struct np_session *session)
{
    struct np_instance *instance = session->instance;
    uint32_t handle;
    enum np_err err =
        np_dial_start(instance, &instance->target, instance->app->tuning->tcp_dial_timeout_ms,
                      on_target_dialled, session, &session->dial, &handle);
    if (err != NP_ERR_AGAIN) {
        on_target_dialled(session, err, handle);
    }
}

void np_session_open_visitor(struct np_instance *instance, uint32_t handle,
                             const struct np_addr *visitor)
{
    bool is_single = np_instance_is_single(instance);
    struct np_session *session = NULL;

    if (np_session_reserve_slot(instance, false)) {
        session = np_session_acquire(instance, false,
                                     is_single ? NP_SESSION_EXPECT_TARGET : NP_SESSION_EXPECT_CONN);
    }
    if (session == NULL) {
        np_plat_tcp_abort(instance->app->plat, handle);
        return;
    }
    session->visitor = *visitor;
    own_leg(session, 0, handle);
    if (is_single) {
        dial_target(session);
    } else {
        np_launch_enqueue(instance, session);
    }
}

/* The pool connection, with its TLS, becomes leg 1. */
static void own_conn(struct np_session *session, uint32_t handle, uint32_t channel)
{
    own_leg(session, 1, handle);
    session->channel = channel;
    if (np_channel_is_set(channel)) {
        struct np_channel *c = np_channel_get(session->instance->app, channel);
        c->owner_tag = np_tag(NP_TAG_SESSION, 1, session->self & NP_POOL_INDEX_MASK);
        (void)np_channel_move(c);
    }
}

void np_session_attach_conn(struct np_session *session, struct np_conn *conn, bool is_framed)
{
    uint32_t channel;

    session->conn_id = conn->id;
    session->has_conn_id = true;
    uint32_t handle = np_connpool_take(conn, &channel);

    own_conn(session, handle, channel);
    session->is_unproven = session->instance->settings->role == NP_ROLE_SERVER && channel == 0;
    session->era = session->instance->control.era;
    if (session->is_udp) {
        np_udp_attach_conn(session, is_framed);
    } else {
        np_tcp_start_relay(session);
    }
}

/* ---- target side ----------------------------------------------------------------------------- */

/* PROXY protocol header, before any byte of the visitor. A fresh connection has room for it. */
static enum np_err send_proxy_header(struct np_session *session, uint32_t handle)
{
    struct np_plat *plat = session->instance->app->plat;
    char header[NP_PROXYPROTO_CAP];
    struct np_addr target = {0};

    np_plat_peer(plat, handle, &target);
    uint32_t len = np_proxyproto_format(header, &session->visitor, &target);
    return np_flow_give_all(plat, handle, (const uint8_t *)header, len);
}

static void on_target_dialled(void *owner, enum np_err err, uint32_t handle)
{
    struct np_session *session = owner;
    struct np_instance *instance = session->instance;

    session->dial = 0;
    if (err == NP_ERR_NO_HANDLES && np_connpool_reclaim(instance, 0)) {
        dial_target(session);
        return;
    }
    if (err != NP_OK) {
        char target[NP_ENDPOINT_TEXT_CAP];
        np_endpoint_format(&instance->settings->target, target, sizeof target);
        np_log_limited(&instance->log, NP_SITE_TARGET, instance->app->now_ms, NP_LOG_WARN,
                       "Target not reached: %s: %s", target, np_cause_text(err));
        np_session_abort(session, err);
        return;
    }
    own_leg(session, np_instance_is_single(instance) ? 1 : 0, handle);
    if (instance->settings->proxy) {
        err = send_proxy_header(session, handle);
        if (err != NP_OK) {
            np_session_abort(session, err);
            return;
        }
    }
    np_tcp_start_relay(session);
}

/* Whether a launch of this kind can be served at all. */
static bool may_open(struct np_instance *instance, bool is_udp)
{
    const struct np_settings *settings = instance->settings;

    if (instance->state != NP_INSTANCE_UP || (is_udp ? settings->noudp : settings->notcp)) {
        return false;
    }
    return np_session_reserve_slot(instance, is_udp);
}

void np_session_open_target(struct np_conn *conn, const struct np_signal *signal)
{
    struct np_instance *instance = conn->instance;
    bool is_udp = signal->kind == NP_SIGNAL_UDP;
    struct np_session *session = NULL;
    uint32_t id = conn->id;
    uint32_t channel;
    uint32_t handle = np_connpool_take(conn, &channel);

    if (may_open(instance, is_udp)) {
        session = np_session_acquire(instance, is_udp, NP_SESSION_EXPECT_TARGET);
    }
    if (session == NULL) {
        np_channel_release(instance->app, channel);
        np_plat_tcp_abort(instance->app->plat, handle); /* so that the peer resets its visitor */
        return;
    }
    session->visitor = signal->peer;
    session->conn_id = id;
    session->has_conn_id = true;
    own_conn(session, handle, channel);
    np_plat_interest(instance->app->plat, handle, 0);
    if (is_udp) {
        session->udp.is_framed = (signal->extensions & NP_DIALECT_EXT_UDP_FRAMES) != 0;
        np_udp_open_target(session);
    } else {
        dial_target(session);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

void np_session_on_event(struct np_session *session, uint32_t leg, uint32_t handle, uint32_t flags)
{
    struct np_plat *plat = session->instance->app->plat;

    if (session->state == NP_SESSION_RELAYING) {
        bool is_told = (flags & (NP_EV_READ | NP_EV_ERROR)) != 0;
        if (leg == 1 && is_told && session->is_unproven && !np_session_has_proof(session)) {
            return;
        }
        if (session->is_udp) {
            np_udp_on_event(session, leg, flags);
        } else {
            np_tcp_on_event(session, leg, flags);
        }
        return;
    }
    /* The other leg is not there yet: only a failure matters. */
    if ((flags & NP_EV_ERROR) != 0) {
        const uint8_t *span;
        int32_t got = np_plat_tcp_peek(plat, handle, &span);
        if (got > 0) {
            np_plat_tcp_consume(plat, handle, 0);
            return;
        }
        np_session_abort(session, got < 0 ? (enum np_err)got : NP_ERR_RESET);
    }
}
