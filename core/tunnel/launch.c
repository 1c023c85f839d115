/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/launch.h"

#include "core/np_app_state.h"

#define MAX_IDS_TRIED 32u /* other connections tried when an id has no clean encoding */

/* ---- visitor side ---------------------------------------------------------------------------- */

static void on_get_timeout(struct np_timer *timer, uint64_t now_ms)
{
    struct np_session *session = NP_CONTAINER(timer, struct np_session, timer);
    struct np_instance *instance = session->instance;

    np_log_limited(&instance->log, NP_SITE_POOL_GET, now_ms, NP_LOG_WARN,
                   "No pool connection became free in time: visitor closed");
    np_session_abort(session, NP_ERR_TIMED_OUT);
}

void np_launch_enqueue(struct np_instance *instance, struct np_session *session)
{
    struct np_app *app = instance->app;

    np_list_insert_last(&instance->waiting, &session->queue);
    np_launch_serve_waiting(instance);
    if (np_list_has(&session->queue) && instance->waiting.count > app->tuning->semaphore_limit) {
        np_log_limited(&instance->log, NP_SITE_POOL_GET, app->now_ms, NP_LOG_WARN,
                       "%u visitors wait for a connection (NP_SEMAPHORE_LIMIT): one more closed",
                       app->tuning->semaphore_limit);
        np_session_abort(session, NP_ERR_NO_MEMORY);
    } else if (np_list_has(&session->queue)) {
        session->timer.fire = on_get_timeout;
        np_timer_start(&app->timers, &session->timer,
                       app->now_ms + app->tuning->pool_get_timeout_ms);
    }
}

/* Closes the idle connections before `last` (NULL: all), whose ids could not be encoded: they
 * would stay at the front for good and become more and more, until nothing else is left. */
static void drop_unusable(struct np_instance *instance, const struct np_conn *last)
{
    struct np_conn *conn;

    while ((conn = np_connpool_oldest(instance)) != NULL && conn != last) {
        np_conn_close(conn);
    }
}

/* Sends the launch of `session` over the oldest connection whose id can be encoded with this key.
 */
static enum np_err send_launch(struct np_instance *instance, struct np_session *session,
                               struct np_signal *signal, struct np_conn **used)
{
    struct np_conn *conn = np_connpool_oldest(instance);
    enum np_err err = NP_ERR_AGAIN;

    signal->kind = session->is_udp ? NP_SIGNAL_UDP : NP_SIGNAL_TCP;
    signal->peer = session->visitor;
    if (session->is_udp && instance->tls == 0) { /* a TLS record is a datagram's frame already */
        signal->extensions = instance->control.extensions & NP_DIALECT_EXT_UDP_FRAMES;
    }
    for (uint32_t i = 0; conn != NULL && i < MAX_IDS_TRIED; i++) {
        signal->id = conn->id;
        err = np_control_send(instance, signal);
        if (err != NP_ERR_UNSUPPORTED) {
            break;
        }
        conn = np_connpool_next(instance, conn);
    }
    *used = conn;
    if (conn != NULL && err == NP_OK) {
        drop_unusable(instance, conn);
    } else if (err == NP_ERR_UNSUPPORTED) {
        drop_unusable(instance, np_connpool_next(instance, np_connpool_oldest(instance)));
    }
    return err;
}

void np_launch_serve_waiting(struct np_instance *instance)
{
    struct np_node *node;

    if (instance->state != NP_INSTANCE_UP || !np_instance_has_visitors(instance)) {
        return;
    }
    while ((node = np_list_first(&instance->waiting)) != NULL && instance->pool.idle.count > 0) {
        struct np_session *session = NP_CONTAINER(node, struct np_session, queue);
        struct np_signal signal = {0};
        struct np_conn *conn;
        enum np_err err = send_launch(instance, session, &signal, &conn);
        if (err == NP_ERR_UNSUPPORTED) {
            np_log_limited(&instance->log, NP_SITE_ENCODE, instance->app->now_ms, NP_LOG_ERROR,
                           "Launch can't be sent with this key: choose another password");
            np_session_abort(session, err);
            continue;
        }
        if (err != NP_OK) {
            return; /* served again when the control connection has room or is back */
        }
        np_list_remove(&instance->waiting, node);
        np_timer_stop(&instance->app->timers, &session->timer);
        np_session_attach_conn(session, conn, (signal.extensions & NP_DIALECT_EXT_UDP_FRAMES) != 0);
    }
}

bool np_launch_reclaim(struct np_instance *instance)
{
    struct np_session *newest = NULL;

    for (struct np_node *node = np_list_first(&instance->waiting); node != NULL;
         node = np_list_next(&instance->waiting, node)) {
        struct np_session *session = NP_CONTAINER(node, struct np_session, queue);
        newest = session->legs[0] != NP_HANDLE_NONE ? session : newest;
    }
    if (newest == NULL) {
        return false;
    }
    np_log_limited(
        &instance->log, NP_SITE_POOL_GET, instance->app->now_ms, NP_LOG_WARN,
        "No descriptor free for a pool connection: the newest waiting visitor is closed");
    np_session_abort(newest, NP_ERR_NO_HANDLES);
    return true;
}

void np_launch_on_missing(struct np_instance *instance, uint32_t id)
{
    struct np_session *session = np_session_find(instance, id);

    if (session != NULL && np_instance_has_visitors(instance)) {
        np_session_abort(session, NP_ERR_NOT_FOUND);
    }
}

/* ---- target side ----------------------------------------------------------------------------- */

static void release(struct np_launch *launch)
{
    struct np_instance *instance = launch->instance;

    np_timer_stop(&instance->app->timers, &launch->timer);
    np_list_remove(&instance->launches, &launch->node);
    np_pool_release(&instance->app->pending, launch->self);
}

/* In vain: a peer that knows the message resets its visitor at once. */
static void count_vain(struct np_instance *instance, uint32_t id)
{
    struct np_signal signal = {0};

    instance->pool.errors++;
    if ((instance->control.extensions & NP_DIALECT_EXT_IDS) != 0) {
        signal.kind = NP_SIGNAL_MISSING;
        signal.id = id;
        np_control_send(instance, &signal); /* if there is no room: it waits, as with a Go peer */
    }
}

static void on_unmatched(struct np_timer *timer, uint64_t now_ms)
{
    struct np_launch *launch = NP_CONTAINER(timer, struct np_launch, timer);
    struct np_instance *instance = launch->instance;

    count_vain(instance, launch->signal.id);
    np_log_limited(&instance->log, NP_SITE_LAUNCH, now_ms, NP_LOG_WARN,
                   "Launch dropped: its pool connection %08x never came",
                   (unsigned)launch->signal.id);
    release(launch);
}

static void keep(struct np_instance *instance, const struct np_signal *signal)
{
    struct np_app *app = instance->app;
    uint32_t self;
    struct np_launch *launch =
        instance->launches.count < NP_MAX_LAUNCHES ? np_pool_acquire(&app->pending, &self) : NULL;
    if (launch == NULL) {
        count_vain(instance, signal->id);
        np_log_limited(&instance->log, NP_SITE_LAUNCH, app->now_ms, NP_LOG_WARN,
                       "Launch dropped: %u are waiting for their connections already",
                       instance->launches.count);
        return;
    }
    launch->instance = instance;
    launch->self = self;
    launch->signal = *signal;
    launch->timer.fire = on_unmatched;
    np_list_insert_last(&instance->launches, &launch->node);
    np_timer_start(&app->timers, &launch->timer, app->now_ms + NP_LAUNCH_WAIT_MS);
}

void np_launch_receive(struct np_instance *instance, const struct np_signal *signal)
{
    if (np_instance_has_visitors(instance)) {
        np_log_limited(&instance->log, NP_SITE_LAUNCH, instance->app->now_ms, NP_LOG_WARN,
                       "Launch ignored: the visitors are on this side");
        return;
    }
    struct np_conn *conn = np_connpool_find(instance, signal->id);
    if (conn != NULL) {
        np_session_open_target(conn, signal);
        return;
    }
    /* A Go peer hands out a used connection again: its next visitor's bytes must not reach the
     * target of the session that still runs over it (protocol.md 6). */
    struct np_session *used =
        instance->control.extensions == 0 ? np_session_find(instance, signal->id) : NULL;
    if (used != NULL) {
        np_session_abort(used, NP_ERR_PROTOCOL);
        return;
    }
    keep(instance, signal);
}

bool np_launch_match(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;

    for (struct np_node *node = np_list_first(&instance->launches); node != NULL;
         node = np_list_next(&instance->launches, node)) {
        struct np_launch *launch = NP_CONTAINER(node, struct np_launch, node);
        if (launch->signal.id == conn->id) {
            struct np_signal signal = launch->signal;
            release(launch);
            np_session_open_target(conn, &signal);
            return true;
        }
    }
    return false;
}

void np_launch_clear(struct np_instance *instance)
{
    struct np_node *node;
    while ((node = np_list_first(&instance->launches)) != NULL) {
        release(NP_CONTAINER(node, struct np_launch, node));
    }
}
