/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/connpool.h"

#include <string.h>

#include "core/np_app_state.h"

static bool is_client(const struct np_instance *instance)
{
    return instance->settings->role == NP_ROLE_CLIENT;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static uint32_t *bucket_of(struct np_app *app, const struct np_instance *instance, uint32_t id)
{
    uint32_t hash = (id ^ (instance->index * 0x9e3779b9u)) * 0x85ebca6bu;
    return &app->conn_buckets[(hash ^ (hash >> 16)) & (app->plan.conn_buckets - 1)];
}

void np_conn_insert_id(struct np_conn *conn)
{
    uint32_t *bucket = bucket_of(conn->instance->app, conn->instance, conn->id);
    conn->next_by_id = *bucket;
    *bucket = (conn->self & NP_POOL_INDEX_MASK) + 1;
}

static void remove_id(struct np_conn *conn)
{
    struct np_app *app = conn->instance->app;
    uint32_t *link = bucket_of(app, conn->instance, conn->id);
    uint32_t mine = (conn->self & NP_POOL_INDEX_MASK) + 1;

    while (*link != 0 && *link != mine) {
        struct np_conn *other = np_pool_at(&app->conns, *link - 1);
        link = &other->next_by_id;
    }
    if (*link == mine) {
        *link = conn->next_by_id;
    }
}

struct np_conn *np_connpool_find(struct np_instance *instance, uint32_t id)
{
    struct np_app *app = instance->app;

    for (uint32_t i = *bucket_of(app, instance, id); i != 0;) {
        struct np_conn *conn = np_pool_at(&app->conns, i - 1);
        if (conn->id == id && conn->instance == instance) {
            return conn;
        }
        i = conn->next_by_id;
    }
    return NULL;
}

/* ---- life of a connection -------------------------------------------------------------------- */

static void on_conn_timer(struct np_timer *timer, uint64_t now_ms);

struct np_conn *np_conn_acquire(struct np_instance *instance)
{
    uint32_t self;
    struct np_conn *conn = np_pool_acquire(&instance->app->conns, &self);

    if (conn == NULL) {
        np_log_limited(&instance->log, NP_SITE_MEMORY, instance->app->now_ms, NP_LOG_WARN,
                       "Pool connection refused: all %u are in use", instance->app->plan.conns);
        return NULL;
    }
    conn->instance = instance;
    conn->self = self;
    conn->timer.fire = on_conn_timer;
    return conn;
}

static bool has_id(const struct np_conn *conn)
{
    return conn->state == NP_CONN_IDLE || conn->state == NP_CONN_EXPECT_PROOF;
}

/* Takes it out of every list and frees it; the platform handle lives on. */
static void release(struct np_conn *conn)
{
    struct np_app *app = conn->instance->app;
    struct np_connpool *pool = &conn->instance->pool;

    np_timer_stop(&app->timers, &conn->timer);
    if (has_id(conn)) {
        remove_id(conn);
    }
    np_list_remove(conn->state == NP_CONN_IDLE           ? &pool->idle
                   : conn->state == NP_CONN_EXPECT_PROOF ? &pool->unproven
                                                         : &pool->opening,
                   &conn->node);
    np_pool_release(&app->conns, conn->self);
}

void np_conn_close(struct np_conn *conn)
{
    if (conn->dial != 0) {
        np_dial_cancel(conn->instance, conn->dial);
    }
    np_channel_release(conn->instance->app, conn->channel);
    if (conn->handle != NP_HANDLE_NONE) {
        /* A launch for it may be on its way: a FIN would show its visitor an orderly end. */
        np_plat_tcp_abort(conn->instance->app->plat, conn->handle);
    }
    release(conn);
}

static bool has_part_of_record(const struct np_conn *conn)
{
    return np_channel_is_set(conn->channel) &&
           np_channel_get(conn->instance->app, conn->channel)->buffers[NP_CHANNEL_IN] != 0;
}

bool np_conn_move_bytes(struct np_conn *conn)
{
    if (!has_part_of_record(conn)) {
        return true;
    }
    struct np_channel *channel = np_channel_get(conn->instance->app, conn->channel);
    if (!np_channel_move(channel)) {
        np_conn_close(conn);
        return false;
    }
    np_channel_defer(channel); /* they make no event */
    return true;
}

/* Conn, filed under its id, can be used: a kept launch or a waiting visitor may want it. */
void np_conn_become_idle(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    struct np_connpool *pool = &instance->pool;

    conn->state = NP_CONN_IDLE;
    conn->idle_since_ms = instance->app->now_ms;
    np_list_insert_last(&pool->idle, &conn->node);
    pool->arrived++;
    if (pool->idle.count > pool->peak) {
        pool->peak = pool->idle.count;
    }
    if (!np_conn_move_bytes(conn)) {
        return;
    }
    if (!np_launch_match(conn)) {
        np_launch_serve_waiting(instance);
    }
}

/* ---- client: dialling ------------------------------------------------------------------------ */

static void on_retry(struct np_timer *timer, uint64_t now_ms)
{
    struct np_connpool *pool = NP_CONTAINER(timer, struct np_connpool, retry);
    (void)now_ms;
    np_connpool_fill(NP_CONTAINER(pool, struct np_instance, pool));
}

/* A dial or an id failed: wait, longer each time; say it once. */
static void back_off(struct np_instance *instance, const char *cause)
{
    struct np_connpool *pool = &instance->pool;
    struct np_app *app = instance->app;

    if (!pool->is_down) {
        np_log_limited(&instance->log, NP_SITE_POOL_DIAL, app->now_ms, NP_LOG_WARN,
                       "Pool connection failed: %s", cause);
    }
    pool->is_down = true;
    if (!np_timer_is_running(&pool->retry)) {
        uint32_t wait_ms = np_backoff_wait_ms(&pool->backoff, np_rng_next(&app->rng));
        np_timer_start(&app->timers, &pool->retry, app->now_ms + wait_ms);
    }
}

void np_conn_fail(struct np_conn *conn, const char *cause)
{
    struct np_instance *instance = conn->instance;

    np_conn_close(conn);
    back_off(instance, cause);
    np_connpool_fill(instance);
}

static void expect_id(struct np_conn *conn)
{
    struct np_app *app = conn->instance->app;

    conn->state = NP_CONN_EXPECT_ID;
    np_plat_interest(app->plat, conn->handle, NP_EV_READ);
    np_timer_start(&app->timers, &conn->timer, app->now_ms + NP_ID_TIMEOUT_MS);
}

static void on_connected(struct np_conn *conn, uint32_t handle)
{
    struct np_app *app = conn->instance->app;

    conn->handle = handle;
    np_plat_retag(app->plat, handle, np_tag(NP_TAG_CONN, 0, conn->self & NP_POOL_INDEX_MASK));
    np_plat_tcp_keepalive(app->plat, handle, app->tuning->report_interval_ms);
    if (NP_HAS_TLS != 0 && conn->instance->tls != 0) {
        np_conn_secure(conn);
    } else {
        expect_id(conn);
    }
}

static void on_dialled(void *owner, enum np_err err, uint32_t handle)
{
    struct np_conn *conn = owner;

    conn->dial = 0;
    if (err == NP_OK) {
        on_connected(conn, handle);
        return;
    }
    np_conn_fail(conn, np_cause_text(err));
}

/* To the server that has the control connection: its name may stand for another by now. */
static enum np_err dial_one(struct np_conn *conn, uint32_t *handle)
{
    struct np_instance *instance = conn->instance;
    return np_dial_start(instance, NULL, instance->app->tuning->tcp_dial_timeout_ms, on_dialled,
                         conn, &conn->dial, handle);
}

/* Starts one connection. False if it failed at once or nothing is left to start it with. */
static bool open_one(struct np_instance *instance)
{
    struct np_conn *conn = np_conn_acquire(instance);
    uint32_t handle;

    if (conn == NULL) {
        back_off(instance, np_err_text(NP_ERR_NO_MEMORY));
        return false;
    }
    conn->state = NP_CONN_DIALING;
    np_list_insert_last(&instance->pool.opening, &conn->node);
    instance->counters.dials++;
    enum np_err err = dial_one(conn, &handle);
    if (err == NP_ERR_NO_HANDLES && instance->pool.opening.count == 1 &&
        np_launch_reclaim(instance)) {
        err = dial_one(conn, &handle); /* the waiting visitors held what they wait for */
    }
    if (err == NP_OK) {
        on_connected(conn, handle);
    } else if (err != NP_ERR_AGAIN) {
        np_conn_close(conn);
        back_off(instance, np_cause_text(err));
        return false;
    }
    return true;
}

/* One until one works again; over TLS also until the server's certificate was found right. */
static uint32_t dials_at_a_time(const struct np_instance *instance)
{
    const struct np_connpool *pool = &instance->pool;
    bool is_unproven = instance->tls != 0 && !pool->is_proven;

    return pool->is_down || is_unproven ? 1 : instance->app->plan.pool_dials;
}

void np_connpool_fill(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;

    if (!is_client(instance) || instance->state != NP_INSTANCE_UP) {
        return;
    }
    while (pool->idle.count + pool->opening.count < pool->capacity &&
           pool->opening.count < dials_at_a_time(instance) && !np_timer_is_running(&pool->retry)) {
        if (!open_one(instance)) {
            return;
        }
    }
}

/* Tells the server that this connection is one of ours, if it wants to know. */
static bool confirm_id(struct np_conn *conn)
{
    struct np_signal have = {0};

    have.kind = NP_SIGNAL_HAVE;
    have.id = conn->id;
    return (conn->instance->control.extensions & NP_DIALECT_EXT_IDS) == 0 ||
           np_control_send(conn->instance, &have) == NP_OK;
}

static void read_id(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    int32_t got = np_conn_recv(conn, (uint8_t *)conn->id_text + conn->id_len,
                               NP_DIALECT_ID_LEN - conn->id_len);
    if (got == NP_ERR_AGAIN) {
        np_conn_watch(conn);
        return;
    }
    if (got > 0) {
        conn->id_len = (uint8_t)(conn->id_len + got);
        if (conn->id_len < NP_DIALECT_ID_LEN) {
            return;
        }
    }
    if (got < 0 || !np_id_parse(&conn->id, conn->id_text) ||
        np_connpool_find(instance, conn->id) != NULL || !confirm_id(conn)) {
        np_conn_fail(conn, np_err_text(got < 0 ? (enum np_err)got : NP_ERR_PROTOCOL));
        return;
    }
    np_timer_stop(&instance->app->timers, &conn->timer);
    np_list_remove(&instance->pool.opening, &conn->node);
    instance->pool.is_proven = true;
    if (instance->pool.is_down) {
        instance->pool.is_down = false;
        np_log_limited(&instance->log, NP_SITE_POOL_BACK, instance->app->now_ms, NP_LOG_INFO,
                       "Pool connections work again");
    }
    np_backoff_reset(&instance->pool.backoff);
    np_conn_insert_id(conn);
    np_conn_become_idle(conn);
    np_connpool_fill(instance);
}

/* ---- both sides: the handshake is over ------------------------------------------------------ */

void np_conn_on_secured(struct np_conn *conn)
{
    if (is_client(conn->instance)) {
        expect_id(conn);
        read_id(conn); /* it may have come with the end of the handshake */
    } else {
        np_conn_send_id(conn);
    }
}

/* ---- idle connections ------------------------------------------------------------------------ */

static void lose(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;

    instance->pool.lost_count++;
    if (instance->control.extensions != 0 && instance->pool.peak > 0) {
        instance->pool.peak--; /* one of ours has closed it knowingly */
    }
    np_conn_close(conn);
    np_connpool_fill(instance);
}

/* No record is whole: what is there of one holds a buffer, and has as long to become whole as a
 * whole one has to be asked for. */
static void wait_for_record(struct np_conn *conn, bool is_wait_over)
{
    struct np_app *app = conn->instance->app;

    if (conn->state == NP_CONN_EXPECT_PROOF) {
        np_conn_watch(conn); /* its own time limit runs */
        return;
    }
    if (!has_part_of_record(conn)) {
        np_timer_stop(&app->timers, &conn->timer);
    } else if (is_wait_over) {
        lose(conn);
        return;
    } else if (!np_timer_is_running(&conn->timer)) {
        np_timer_start(&app->timers, &conn->timer, app->now_ms + NP_LAUNCH_WAIT_MS);
    }
    np_conn_watch(conn);
}

/* The launch may be on its way again after losses, as long as the tunnel lives. */
static bool can_launch_come(const struct np_conn *conn)
{
    const struct np_app *app = conn->instance->app;

    return app->now_ms - conn->idle_since_ms < app->tuning->handshake_timeout_ms;
}

/* Bytes came before the launch. At the side that launches that is never data of a session; at the
 * other the launch may be on its way, so they wait, unread. A server also looks for the hello of a
 * client that was restarted: at once where the client never sends first, else only when the wait is
 * over, so that no visitor's bytes are taken for one. */
static void on_early_data(struct np_conn *conn, bool is_wait_over)
{
    struct np_instance *instance = conn->instance;
    struct np_app *app = instance->app;
    bool launches = np_instance_has_visitors(instance);
    const uint8_t *span;

    int32_t got = np_conn_peek(conn, &span);
    if (got == NP_ERR_AGAIN) {
        wait_for_record(conn, is_wait_over);
        return;
    }
    if (got < 0) {
        lose(conn);
        return;
    }
    bool is_hello = np_conn_is_hello(conn, span, (uint32_t)got);
    if (!np_channel_is_set(conn->channel)) {
        np_plat_tcp_consume(app->plat, conn->handle, 0);
    }
    if (is_hello && (launches || is_wait_over)) {
        np_server_on_restarted_client(instance);
    } else if (is_wait_over && !can_launch_come(conn)) {
        lose(conn);
    } else if (is_wait_over || !conn->has_data) {
        conn->idle_since_ms = conn->has_data ? conn->idle_since_ms : app->now_ms;
        conn->has_data = true;
        np_plat_interest(app->plat, conn->handle, 0);
        np_timer_start(&app->timers, &conn->timer, app->now_ms + NP_LAUNCH_WAIT_MS);
    }
}

static bool is_securing(const struct np_conn *conn)
{
    return NP_HAS_TLS != 0 &&
           (conn->state == NP_CONN_EXPECT_HELLO || conn->state == NP_CONN_HANDSHAKE);
}

static void on_conn_timer(struct np_timer *timer, uint64_t now_ms)
{
    struct np_conn *conn = NP_CONTAINER(timer, struct np_conn, timer);
    (void)now_ms;

    if (conn->has_data || conn->state == NP_CONN_IDLE) {
        on_early_data(conn, true);
    } else if (conn->state == NP_CONN_EXPECT_PROOF) {
        np_conn_close(conn); /* a stranger's */
    } else if (is_securing(conn)) {
        np_conn_on_secure_timeout(conn);
    } else {
        np_conn_fail(conn, np_err_text(NP_ERR_TIMED_OUT));
    }
}

void np_conn_on_stall(struct np_conn *conn)
{
    if (has_id(conn)) {
        lose(conn);
    } else {
        on_conn_timer(&conn->timer, conn->instance->app->now_ms);
    }
}

/* Failed, with nothing left to read: it needs no buffer any more. */
static void on_dead(struct np_conn *conn)
{
    if (has_id(conn)) {
        lose(conn);
    } else if (is_client(conn->instance)) {
        np_conn_fail(conn, np_err_text(NP_ERR_RESET));
    } else {
        np_conn_close(conn);
    }
}

void np_conn_on_event(struct np_conn *conn, uint32_t flags)
{
    if ((flags & NP_EV_ERROR) != 0 && np_conn_is_starved(conn)) {
        on_dead(conn);
    } else if (is_securing(conn)) {
        np_conn_on_secure_event(conn);
    } else if (conn->state == NP_CONN_EXPECT_ID) {
        read_id(conn);
    } else if (has_id(conn)) {
        if ((flags & NP_EV_ERROR) != 0 && conn->has_data) {
            lose(conn);
        } else {
            on_early_data(conn, false);
        }
    }
}

/* ---- the pool -------------------------------------------------------------------------------- */

void np_connpool_init(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;

    np_list_init(&pool->idle);
    np_list_init(&pool->opening);
    np_list_init(&pool->unproven);
    pool->retry.fire = on_retry;
    pool->shrink.fire = np_connpool_on_shrink;
    np_backoff_init(&pool->backoff, NP_DIAL_BACKOFF_MS, NP_DIAL_BACKOFF_MAX_MS);
}

void np_connpool_start(struct np_instance *instance, uint32_t min, uint32_t max)
{
    struct np_connpool *pool = &instance->pool;

    uint32_t room = instance->app->plan.pool_conns;

    max = max < room ? max : room;
    min = min < room ? min : room;
    pool->min = min < max ? min : max;
    pool->max = min < max ? max : min;
    pool->capacity = pool->min;
    pool->errors = 0;
    pool->peak = 0;
    pool->thin_reports = 0;
    pool->is_down = false;
    pool->is_proven = false;
    np_backoff_reset(&pool->backoff);
    np_connpool_fill(instance);
}

static void close_all(struct np_list *list)
{
    struct np_node *node;

    while ((node = np_list_first(list)) != NULL) {
        np_conn_close(NP_CONTAINER(node, struct np_conn, node));
    }
}

void np_connpool_stop(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;

    close_all(&pool->opening);
    close_all(&pool->unproven);
    close_all(&pool->idle);
    np_timer_stop(&instance->app->timers, &pool->retry);
    np_timer_stop(&instance->app->timers, &pool->shrink);
}

void np_connpool_flush(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;

    close_all(&pool->idle);
    pool->errors = 0;
    pool->peak = 0;
    pool->thin_reports = 0;
    pool->flushed_ms = instance->app->now_ms;
    np_connpool_fill(instance);
}

bool np_connpool_reclaim(struct np_instance *instance, uint32_t keep)
{
    struct np_connpool *pool = &instance->pool;
    struct np_list *from = pool->opening.count > 0    ? &pool->opening
                           : pool->unproven.count > 0 ? &pool->unproven
                                                      : &pool->idle;

    if (from == &pool->idle && pool->idle.count <= keep) {
        return false;
    }
    np_log_limited(&instance->log, NP_SITE_RECLAIM, instance->app->now_ms, NP_LOG_WARN,
                   "No descriptor free for a session: an unused pool connection is closed");
    struct np_conn *conn = NP_CONTAINER(from->head.prev, struct np_conn, node);
    if (conn->handle != NP_HANDLE_NONE) {
        /* A reset: its launch may be on the way, and no visitor may take this for a clean end. */
        np_plat_tcp_abort(instance->app->plat, conn->handle);
        conn->handle = NP_HANDLE_NONE;
    }
    np_conn_close(conn);
    if (is_client(instance)) {
        back_off(instance, np_cause_text(NP_ERR_NO_HANDLES)); /* it is dialled again, later */
    }
    return true;
}

struct np_conn *np_connpool_oldest(struct np_instance *instance)
{
    struct np_node *node = np_list_first(&instance->pool.idle);
    return node == NULL ? NULL : NP_CONTAINER(node, struct np_conn, node);
}

struct np_conn *np_connpool_next(struct np_instance *instance, struct np_conn *conn)
{
    struct np_node *node = np_list_next(&instance->pool.idle, &conn->node);
    return node == NULL ? NULL : NP_CONTAINER(node, struct np_conn, node);
}

uint32_t np_connpool_take(struct np_conn *conn, uint32_t *channel)
{
    struct np_instance *instance = conn->instance;
    uint32_t handle = conn->handle;

    *channel = conn->channel;
    instance->pool.taken_ms = instance->app->now_ms;
    release(conn);
    if (is_client(instance)) {
        np_connpool_grow(instance);
        np_connpool_fill(instance);
    }
    return handle;
}
