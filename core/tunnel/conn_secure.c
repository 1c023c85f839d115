/* SPDX-License-Identifier: BSD-3-Clause */
/* conn_secure: TLS on a pool connection before its id.
 *
 * A server gives a connection no handshake memory before its first bytes, and an old handshake
 * gives way when all that memory is in use: silent connections cost little and keep nobody out.
 */
#include <string.h>

#include "core/base/fmt.h"
#include "core/np_app_state.h"

#define TLS_RECORD_HANDSHAKE 0x16u /* first byte of every TLS connection (RFC 8446 section 5.1) */
#define REASON_CAP 160u

static bool is_client(const struct np_conn *conn)
{
    return conn->instance->settings->role == NP_ROLE_CLIENT;
}

static struct np_channel *channel_of(const struct np_conn *conn)
{
    return np_channel_get(conn->instance->app, conn->channel);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

int32_t np_conn_peek(struct np_conn *conn, const uint8_t **span)
{
    if (!np_channel_is_set(conn->channel)) {
        return np_plat_tcp_peek(conn->instance->app->plat, conn->handle, span);
    }
    uint8_t *data;
    int32_t got = np_channel_peek(channel_of(conn), &data);
    *span = data;
    return got;
}

int32_t np_conn_recv(struct np_conn *conn, uint8_t *buf, uint32_t cap)
{
    uint8_t *span;

    if (!np_channel_is_set(conn->channel)) {
        return np_plat_tcp_recv(conn->instance->app->plat, conn->handle, buf, cap);
    }
    int32_t got = np_channel_peek(channel_of(conn), &span);
    if (got < 0) {
        return got;
    }
    uint32_t len = (uint32_t)got < cap ? (uint32_t)got : cap;
    memcpy(buf, span, len);
    np_channel_consume(channel_of(conn), len);
    return len > 0 ? (int32_t)len : NP_ERR_PROTOCOL; /* no empty record has a meaning here */
}

enum np_err np_conn_send(struct np_conn *conn, const uint8_t *buf, uint32_t len)
{
    if (!np_channel_is_set(conn->channel)) {
        return np_flow_give_all(conn->instance->app->plat, conn->handle, buf, len);
    }
    enum np_err err = np_channel_send(channel_of(conn), buf, len);
    return err == NP_OK ? np_channel_flush(channel_of(conn)) : err;
}

bool np_conn_is_starved(const struct np_conn *conn)
{
    return np_channel_is_set(conn->channel) && np_channel_is_starved(channel_of(conn));
}

void np_conn_watch(struct np_conn *conn)
{
    uint32_t wants = !np_channel_is_set(conn->channel)
                         ? NP_EV_READ
                         : np_channel_interest(channel_of(conn), NP_EV_READ);
    np_plat_interest(conn->instance->app->plat, conn->handle, wants);
}

bool np_conn_is_hello(const struct np_conn *conn, const uint8_t *bytes, uint32_t len)
{
    const struct np_settings *settings = conn->instance->settings;
    struct np_key key = {settings->key, settings->key_len};

    return !np_channel_is_set(conn->channel) && !is_client(conn) && len == key.len + 1 &&
           np_hello_is_valid(bytes, len, key);
}

/* ---- handshake ------------------------------------------------------------------------------- */

/* Orderly, so that the peer gets our alert; no launch can be on its way to it. */
static void close_socket(struct np_conn *conn)
{
    np_plat_tcp_close(conn->instance->app->plat, conn->handle);
    conn->handle = NP_HANDLE_NONE;
}

static void fail(struct np_conn *conn, enum np_err err)
{
    struct np_instance *instance = conn->instance;
    char reason[REASON_CAP];
    char peer[NP_ADDR_TEXT_CAP];
    struct np_addr addr;

    if (err == NP_ERR_PROTOCOL) {
        np_channel_describe(channel_of(conn), reason, sizeof reason);
        const char *verdict =
            np_secure_verdict(instance->secure, np_tls_reason(&channel_of(conn)->tls));
        if (verdict[0] != '\0') {
            np_fmt(reason, sizeof reason, "%s", verdict);
        }
    } else {
        np_fmt(reason, sizeof reason, "%s", np_err_text(err));
    }
    if (is_client(conn)) {
        char cause[REASON_CAP + 32];
        np_fmt(cause, sizeof cause, "TLS handshake: %s", reason);
        close_socket(conn);
        np_conn_fail(conn, cause);
        return;
    }
    if (np_plat_peer(instance->app->plat, conn->handle, &addr) != NP_OK) {
        addr = instance->control.peer; /* gone already; it came from the same host */
    }
    np_addr_format(&addr, peer, sizeof peer);
    np_log_limited(&instance->log, NP_SITE_TLS, instance->app->now_ms, NP_LOG_WARN,
                   "TLS handshake with %s failed: %s", peer, reason);
    close_socket(conn);
    np_conn_close(conn);
}

static void go_on(struct np_conn *conn)
{
    struct np_channel *channel = channel_of(conn);
    enum np_err err = np_channel_step(channel);

    if (err == NP_ERR_AGAIN) {
        np_conn_watch(conn);
        return;
    }
    np_secure_note_handshake(conn->instance->secure);
    if (err != NP_OK) {
        fail(conn, err);
    } else {
        np_timer_stop(&conn->instance->app->timers, &conn->timer);
        np_conn_on_secured(conn);
    }
}

static uint32_t count_handshakes(const struct np_instance *instance)
{
    uint32_t count = 0;

    for (struct np_node *node = np_list_first(&instance->pool.opening); node != NULL;
         node = np_list_next(&instance->pool.opening, node)) {
        count += NP_CONTAINER(node, struct np_conn, node)->state == NP_CONN_HANDSHAKE;
    }
    return count;
}

/* Frees handshake memory: the oldest handshake that stands still inside a record is closed, else
 * the oldest of all. */
static void give_way(struct np_instance *instance)
{
    struct np_conn *oldest = NULL;

    for (struct np_node *node = np_list_first(&instance->pool.opening); node != NULL;
         node = np_list_next(&instance->pool.opening, node)) {
        struct np_conn *conn = NP_CONTAINER(node, struct np_conn, node);
        bool is_handshake = conn->state == NP_CONN_HANDSHAKE;
        if (is_handshake && channel_of(conn)->buffers[NP_CHANNEL_IN] != 0) {
            oldest = conn;
            break;
        }
        oldest = oldest == NULL && is_handshake ? conn : oldest;
    }
    if (oldest != NULL) {
        fail(oldest, NP_ERR_LIMIT);
    }
}

/* The instance with most handshakes in flight. */
static struct np_instance *find_busiest(struct np_app *app)
{
    struct np_instance *busiest = NULL;
    uint32_t most = 0;

    for (uint32_t i = 0; i < app->plan.instances; i++) {
        struct np_instance *instance = &app->instances[i];
        uint32_t count = instance->settings != NULL ? count_handshakes(instance) : 0;
        if (count > most) {
            most = count;
            busiest = instance;
        }
    }
    return busiest;
}

/* Sees that there is memory for one more handshake. When all is in use, the instance that has most
 * of it gives way, so that a flood at one server keeps nobody out but its own clients. */
static void make_room(struct np_instance *instance)
{
    struct np_app *app = instance->app;
    bool is_client = instance->settings->role == NP_ROLE_CLIENT;
    uint32_t own = count_handshakes(instance);

    if (!is_client && own >= NP_MAX_HANDSHAKES) {
        give_way(instance);
    } else if (app->handshakes.used == app->handshakes.count) {
        struct np_instance *busiest = find_busiest(app);
        if (busiest != NULL && (!is_client || count_handshakes(busiest) > own + 1)) {
            give_way(busiest);
        }
    }
}

static enum np_err open_channel(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    enum np_tls_role role = is_client(conn) ? NP_TLS_CLIENT : NP_TLS_SERVER;

    make_room(instance);
    enum np_err err = np_channel_open(instance, role, conn->handle, &conn->channel);
    if (err == NP_OK) {
        channel_of(conn)->owner_tag = np_tag(NP_TAG_CONN, 0, conn->self & NP_POOL_INDEX_MASK);
        conn->state = NP_CONN_HANDSHAKE;
    }
    return err;
}

void np_conn_secure(struct np_conn *conn)
{
    struct np_app *app = conn->instance->app;

    np_timer_start(&app->timers, &conn->timer, app->now_ms + app->tuning->handshake_timeout_ms);
    enum np_err err = open_channel(conn);
    if (err != NP_OK) {
        fail(conn, err);
        return;
    }
    go_on(conn);
}

void np_conn_expect_hello(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    struct np_app *app = instance->app;

    conn->state = NP_CONN_EXPECT_HELLO;
    np_plat_interest(app->plat, conn->handle, NP_EV_READ);
    np_timer_start(&app->timers, &conn->timer, app->now_ms + app->tuning->handshake_timeout_ms);
    if (instance->pool.opening.count > app->plan.pool_silent) {
        fail(NP_CONTAINER(np_list_first(&instance->pool.opening), struct np_conn, node),
             NP_ERR_LIMIT);
    }
}

/* The first bytes: TLS, or the hello of a client that was restarted. */
static void on_first_bytes(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    const uint8_t *span;

    int32_t got = np_plat_tcp_peek(instance->app->plat, conn->handle, &span);
    if (got == NP_ERR_AGAIN) {
        return;
    }
    if (got < 0) {
        fail(conn, (enum np_err)got);
        return;
    }
    bool is_tls = span[0] == TLS_RECORD_HANDSHAKE;
    bool is_hello = !is_tls && np_conn_is_hello(conn, span, (uint32_t)got);
    np_plat_tcp_consume(instance->app->plat, conn->handle, 0);
    if (is_hello) {
        np_server_on_restarted_client(instance);
        return;
    }
    enum np_err err = open_channel(conn); /* which also says it if this is no TLS */
    if (err != NP_OK) {
        fail(conn, err);
        return;
    }
    go_on(conn);
}

void np_conn_on_secure_timeout(struct np_conn *conn)
{
    fail(conn, NP_ERR_TIMED_OUT);
}

void np_conn_on_secure_event(struct np_conn *conn)
{
    if (conn->state == NP_CONN_EXPECT_HELLO) {
        on_first_bytes(conn);
    } else {
        go_on(conn);
    }
}
