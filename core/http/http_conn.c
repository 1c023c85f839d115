/* SPDX-License-Identifier: BSD-3-Clause */
/* http_conn: life of one connection: TLS, requests in, the handler, answers out, the end. */
#include "core/http/http_conn.h"

#include <stddef.h>

#include "core/base/ct.h"
#include "core/np_app_state.h"

#define TLS_RECORD_HANDSHAKE 0x16u /* first byte of every TLS connection (RFC 8446 section 5.1) */
#define TURNS 64u                  /* steps of one connection in a turn of the loop */

static const char to_plain[] = "HTTP/1.0 400 Bad Request\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Connection: close\r\n\r\n"
                               "Client sent an HTTP request to an HTTPS server.\n";
static const char too_many[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 33\r\n"
                               "Retry-After: 1\r\n"
                               "Connection: close\r\n\r\n"
                               "{\"error\":\"Too many connections\"}\n";

static struct np_app *app_of(const struct np_http_conn *conn)
{
    return conn->server->app;
}

static struct np_channel *channel_of(const struct np_http_conn *conn)
{
    return np_channel_is_set(conn->channel) ? np_channel_get(app_of(conn), conn->channel) : NULL;
}

/* ---- memory -------------------------------------------------------------------- */

void np_http_conn_drop_input(struct np_http_conn *conn)
{
    struct np_app *app = app_of(conn);
    uint8_t *in = np_pool_get(&app->http_ins, conn->in);
    uint8_t *body = np_pool_get(&app->http_bodies, conn->body);

    if (in != NULL) {
        uint32_t body_len = body == NULL ? conn->parser.body_len : NP_HTTP_IN_BYTES;
        uint32_t used = conn->parser.head_len + body_len;
        np_ct_wipe(in, used < NP_HTTP_IN_BYTES ? used : NP_HTTP_IN_BYTES);
    }
    if (body != NULL) {
        np_ct_wipe(body, conn->parser.body_len);
    }
    np_pool_release(&app->http_ins, conn->in);
    np_pool_release(&app->http_bodies, conn->body);
    conn->in = conn->body = 0;
    memset(&conn->parser, 0, sizeof conn->parser);
}

void np_http_conn_drop_output(struct np_http_conn *conn)
{
    struct np_app *app = app_of(conn);
    uint8_t *out = np_pool_get(&app->http_outs, conn->out);

    if (out != NULL) {
        uint32_t end = NP_HTTP_HEAD_ROOM + conn->json.len;
        end = conn->out_len > end ? conn->out_len : end;
        np_ct_wipe(out, conn->has_overflowed ? NP_HTTP_OUT_BYTES : end);
    }
    np_pool_release(&app->http_outs, conn->out);
    conn->out = 0;
    conn->out_at = conn->out_len = 0;
    conn->page.len = 0;
    conn->has_more = conn->has_overflowed = false;
    memset(&conn->json, 0, sizeof conn->json);
}

static struct np_list *list_of(struct np_http_conn *conn)
{
    struct np_http_server *server = conn->server;

    if (conn->is_stream) {
        return &server->streams;
    }
    return conn->is_refused || conn->state == NP_HTTP_LINGERING ? &server->leaving : &server->conns;
}

/* Moves it to another list where its flags or state change. */
static void leave_list(struct np_http_conn *conn)
{
    np_list_remove(list_of(conn), &conn->node);
}

void np_http_conn_close(struct np_http_conn *conn, enum np_err err)
{
    struct np_app *app = app_of(conn);

    np_timer_stop(&app->timers, &conn->timer);
    leave_list(conn);
    np_http_conn_drop_input(conn);
    np_http_conn_drop_output(conn);
    np_http_stream_drop_queue(conn);
    np_channel_release(app, conn->channel);
    if (err == NP_OK) {
        np_plat_tcp_close(app->plat, conn->handle);
    } else {
        np_plat_tcp_abort(app->plat, conn->handle);
    }
    np_pool_release(&app->http_conns, conn->self);
}

void np_http_conn_wait(struct np_http_conn *conn, uint32_t ms)
{
    np_timer_start(&app_of(conn)->timers, &conn->timer, app_of(conn)->now_ms + ms);
}

/* ---- waiting ---------------------------------------------------------------------- */

static bool is_reading(const struct np_http_conn *conn)
{
    return conn->state != NP_HTTP_EXPECT_REPLY && conn->state != NP_HTTP_SENDING;
}

static void update_interest(struct np_http_conn *conn)
{
    uint32_t wants = (is_reading(conn) ? NP_EV_READ : 0) | (conn->is_blocked ? NP_EV_WRITE : 0);
    const struct np_channel *channel = channel_of(conn);

    if (channel != NULL) {
        wants = np_channel_interest(channel, wants);
    }
    np_plat_interest(app_of(conn)->plat, conn->handle, wants);
}

void np_http_conn_leave(struct np_http_conn *conn)
{
    struct np_app *app = app_of(conn);
    enum np_err err = NP_OK;

    np_http_conn_drop_input(conn);
    np_http_conn_drop_output(conn);
    np_http_stream_drop_queue(conn);
    leave_list(conn);
    conn->is_stream = false;
    conn->state = NP_HTTP_LINGERING;
    np_list_insert_last(&conn->server->leaving, &conn->node);
    np_http_conn_wait(conn, NP_HTTP_LINGER_MS);
    if (np_channel_is_set(conn->channel)) {
        err = np_channel_close_tx(channel_of(conn));
    }
    conn->is_blocked = err == NP_ERR_AGAIN;
    if (err != NP_ERR_AGAIN) {
        np_plat_tcp_shutdown_tx(app->plat, conn->handle);
    }
}

/* A request that can't be served: the answer, then the end. Its path is known once its first line
 * is here. */
static void refuse(struct np_http_conn *conn, uint16_t status, const char *reason)
{
    const struct np_http_hooks *hooks = &conn->server->hooks;
    struct np_slice path = conn->parser.request.path;

    conn->is_last = true;
    conn->state = NP_HTTP_EXPECT_REPLY;
    conn->has_cors = path.len > 0 && hooks->is_route(hooks->ctx, path);
    np_http_reply_error(conn, status, "%s", reason);
}

void np_http_conn_expire(struct np_http_conn *conn)
{
    if (conn->in == 0) {
        np_http_conn_close(conn, NP_OK);
    } else {
        refuse(conn, 408, "request not received in time");
    }
}

static void on_timer(struct np_timer *timer, uint64_t now_ms)
{
    struct np_http_conn *conn = NP_CONTAINER(timer, struct np_http_conn, timer);

    (void)now_ms;
    switch (conn->state) {
    case NP_HTTP_STREAMING:
        np_http_stream_on_silence(conn);
        return;
    case NP_HTTP_SENDING:
        np_http_conn_close(conn, NP_ERR_TIMED_OUT);
        return;
    default:
        np_http_conn_expire(conn);
        return;
    }
}

struct np_http_conn *np_http_conn_open(struct np_http_server *server)
{
    uint32_t self;
    struct np_http_conn *conn = np_pool_acquire(&server->app->http_conns, &self);

    if (conn != NULL) {
        conn->server = server;
        conn->since_ms = server->app->now_ms;
        conn->self = self;
        conn->timer.fire = on_timer;
    }
    return conn;
}

/* ---- TLS --------------------------------------------------------------------------- */

/* The last bytes of a connection that gets no answer otherwise. Small enough for any buffer. */
static enum np_err say_last(struct np_http_conn *conn, const char *text)
{
    int32_t given = np_http_give(conn, text, (uint32_t)strlen(text));

    if (given < 0) {
        return (enum np_err)given;
    }
    np_http_conn_leave(conn);
    return NP_OK;
}

void np_http_conn_refuse(struct np_http_conn *conn)
{
    enum np_err err = say_last(conn, too_many);

    if (err != NP_OK) {
        np_http_conn_close(conn, err);
        return;
    }
    update_interest(conn);
}

/* The first byte tells whether this is TLS at all. NP_OK: go on with the handshake. */
static enum np_err open_channel(struct np_http_conn *conn)
{
    struct np_app *app = app_of(conn);
    const uint8_t *span;
    int32_t got = np_plat_tcp_peek(app->plat, conn->handle, &span);

    if (got < 0) {
        return (enum np_err)got;
    }
    bool is_tls = span[0] == TLS_RECORD_HANDSHAKE;
    np_plat_tcp_consume(app->plat, conn->handle, 0);
    if (!is_tls) {
        return say_last(conn, to_plain);
    }
    enum np_err err =
        np_channel_open(conn->server->instance, NP_TLS_SERVER, conn->handle, &conn->channel);
    if (err == NP_OK) {
        channel_of(conn)->owner_tag =
            np_tag(NP_TAG_HTTP, NP_HTTP_SUB_CONN, conn->self & NP_POOL_INDEX_MASK);
    }
    return err;
}

static enum np_err run_tls(struct np_http_conn *conn)
{
    enum np_err err = !np_channel_is_set(conn->channel) ? open_channel(conn) : NP_OK;

    if (err != NP_OK || !np_channel_is_set(conn->channel)) {
        return err;
    }
    err = np_channel_step(channel_of(conn));
    if (err != NP_OK) {
        return err;
    }
    conn->state = NP_HTTP_EXPECT_REQUEST;
    np_http_conn_wait(conn, NP_HTTP_HEAD_MS);
    return conn->is_refused ? say_last(conn, too_many) : NP_OK;
}

/* ---- requests ------------------------------------------------------------------------ */

/* Received bytes in place, as np_plat_tcp_peek. */
static int32_t peek(struct np_http_conn *conn, const uint8_t **span)
{
    uint8_t *data = NULL;

    if (!np_channel_is_set(conn->channel)) {
        return np_plat_tcp_peek(app_of(conn)->plat, conn->handle, span);
    }
    int32_t got = np_channel_peek(channel_of(conn), &data);
    *span = data;
    return got;
}

static void consume(struct np_http_conn *conn, uint32_t len)
{
    if (!np_channel_is_set(conn->channel)) {
        np_plat_tcp_consume(app_of(conn)->plat, conn->handle, len);
    } else {
        np_channel_consume(channel_of(conn), len);
    }
}

static bool take_input(struct np_http_conn *conn)
{
    uint8_t *in = np_pool_acquire_unset(&app_of(conn)->http_ins, &conn->in);

    if (in == NULL) {
        conn->in = 0;
        return false;
    }
    np_http_parser_init(&conn->parser, in, NP_HTTP_IN_BYTES);
    conn->since_ms = app_of(conn)->now_ms;
    np_http_conn_wait(conn, NP_HTTP_HEAD_MS);
    return true;
}

/* Feeds the parser, with a larger body when it asks for one and one is free. */
static enum np_err feed(struct np_http_conn *conn, const uint8_t *bytes, uint32_t len,
                        uint32_t *used)
{
    struct np_http_parser *parser = &conn->parser;
    enum np_err err = np_http_parser_feed(parser, bytes, len, used);

    if (err == NP_ERR_NO_MEMORY) {
        uint32_t more = 0;
        uint8_t *body = np_pool_acquire_unset(&app_of(conn)->http_bodies, &conn->body);
        if (body == NULL) {
            conn->body = 0;
            return err;
        }
        np_http_parser_grow(parser, body, NP_HTTP_BODY_MAX);
        err = np_http_parser_feed(parser, bytes + *used, len - *used, &more);
        *used += more;
    }
    return err;
}

static void on_request(struct np_http_conn *conn)
{
    struct np_http_server *server = conn->server;
    const struct np_http_request *request = &conn->parser.request;

    np_timer_stop(&server->app->timers, &conn->timer);
    conn->state = NP_HTTP_EXPECT_REPLY;
    conn->has_asked = true;
    conn->is_head = request->method == NP_HTTP_HEAD;
    conn->is_1_0 = request->is_1_0;
    conn->is_last = request->is_last || server->is_stopping;
    server->hooks.handle(server->hooks.ctx, conn, request);
}

/* What the parser made of some bytes. */
static enum np_err on_parsed(struct np_http_conn *conn, enum np_err err, bool was_in_head)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct np_http_parser *parser = &conn->parser;

    switch (err) {
    case NP_OK:
        on_request(conn);
        return NP_OK;
    case NP_ERR_PROTOCOL:
        refuse(conn, parser->status, parser->reason);
        return NP_OK;
    case NP_ERR_NO_MEMORY:
        refuse(conn, 503, "Too many requests with a body");
        return NP_OK;
    default:
        break;
    }
    if (was_in_head && !np_http_parser_is_in_head(parser)) {
        np_http_conn_wait(conn, NP_HTTP_BODY_MS);
    }
    if (np_http_parser_wants_continue(parser)) {
        int32_t given = np_http_give(conn, go_on, sizeof go_on - 1);
        np_http_conn_wait(conn, NP_HTTP_BODY_MS);
        return given < 0 ? (enum np_err)given : NP_OK;
    }
    return NP_OK;
}

static enum np_err read_request(struct np_http_conn *conn)
{
    const uint8_t *span;
    int32_t got = peek(conn, &span);
    uint32_t used = 0;

    if (got < 0) {
        return (enum np_err)got;
    }
    if (got == 0 || (conn->in == 0 && !take_input(conn))) {
        consume(conn, 0); /* an empty record; without memory, which is sized for all: the end */
        return got == 0 ? NP_OK : NP_ERR_NO_MEMORY;
    }
    bool was_in_head = np_http_parser_is_in_head(&conn->parser);
    enum np_err err = feed(conn, span, (uint32_t)got, &used);
    consume(conn, used);
    return on_parsed(conn, err, was_in_head);
}

/* Drops what a peer sends that is not asked for; EOF or an error ends it. */
static enum np_err discard(struct np_http_conn *conn)
{
    const uint8_t *span;
    int32_t got = peek(conn, &span);

    if (got < 0) {
        return (enum np_err)got;
    }
    consume(conn, (uint32_t)got);
    return NP_OK;
}

/* ---- answers --------------------------------------------------------------------------- */

static enum np_err send_answer(struct np_http_conn *conn)
{
    enum np_err err = np_http_send(conn);

    if (err != NP_OK) {
        return err;
    }
    np_http_conn_drop_output(conn);
    if (conn->is_stream) {
        conn->state = NP_HTTP_STREAMING;
        np_http_conn_wait(conn, NP_HTTP_SILENCE_MS);
    } else if (conn->is_last || conn->server->is_stopping) {
        np_http_conn_leave(conn);
    } else {
        conn->state = NP_HTTP_EXPECT_REQUEST;
        conn->has_cors = conn->is_chunked = false;
        conn->since_ms = app_of(conn)->now_ms;
        np_http_conn_wait(conn, NP_HTTP_IDLE_MS);
    }
    return NP_OK;
}

static enum np_err run_stream(struct np_http_conn *conn)
{
    enum np_err err = np_http_stream_send(conn);

    if (err == NP_OK && conn->is_ending) {
        np_http_conn_leave(conn);
        return NP_OK;
    }
    return err == NP_OK || err == NP_ERR_AGAIN ? discard(conn) : err;
}

static enum np_err run_lingering(struct np_http_conn *conn)
{
    if (conn->is_blocked && np_channel_is_set(conn->channel)) {
        enum np_err err = np_channel_close_tx(channel_of(conn));
        conn->is_blocked = err == NP_ERR_AGAIN;
        if (err == NP_OK) {
            np_plat_tcp_shutdown_tx(app_of(conn)->plat, conn->handle);
        }
    }
    return discard(conn);
}

/* One step; AGAIN: wait, another error: the connection is over. */
static enum np_err step(struct np_http_conn *conn)
{
    switch (conn->state) {
    case NP_HTTP_EXPECT_TLS:
        return NP_HAS_TLS != 0 ? run_tls(conn) : NP_ERR_UNSUPPORTED;
    case NP_HTTP_EXPECT_REQUEST:
        return read_request(conn);
    case NP_HTTP_SENDING:
        np_http_conn_drop_input(conn);
        return send_answer(conn);
    case NP_HTTP_STREAMING:
        return run_stream(conn);
    case NP_HTTP_LINGERING:
        return run_lingering(conn);
    case NP_HTTP_EXPECT_REPLY:
        break;
    }
    return NP_ERR_AGAIN;
}

void np_http_conn_run(struct np_http_conn *conn)
{
    enum np_err err = NP_OK;

    if (conn->is_running) {
        return;
    }
    conn->is_running = true;
    for (uint32_t turn = 0; err == NP_OK && (turn < TURNS || !is_reading(conn)); turn++) {
        err = step(conn);
    }
    conn->is_running = false;
    if (err == NP_OK || err == NP_ERR_AGAIN) {
        if (err == NP_OK && np_channel_is_set(conn->channel)) {
            np_channel_defer(channel_of(conn)); /* more may be here than the platform knows */
        }
        update_interest(conn);
        return;
    }
    bool is_orderly = err == NP_ERR_EOF || err == NP_ERR_PROTOCOL;
    np_http_conn_close(conn, is_orderly ? NP_OK : err);
}

void np_http_on_event(struct np_http_conn *conn, uint32_t flags)
{
    bool is_starved = np_channel_is_set(conn->channel) && np_channel_is_starved(channel_of(conn));

    if ((flags & NP_EV_ERROR) != 0 && (conn->state == NP_HTTP_EXPECT_REPLY || is_starved)) {
        np_http_conn_close(conn, NP_ERR_RESET);
        return;
    }
    np_http_conn_run(conn);
}

/* ---- for the handler ---------------------------------------------------------------------- */

uint32_t np_http_conn_handle(const struct np_http_conn *conn)
{
    return conn->self;
}

struct np_http_conn *np_http_conn_get(const struct np_http_server *server, uint32_t handle)
{
    struct np_http_conn *conn = np_pool_get(&server->app->http_conns, handle);

    return conn != NULL && conn->server == server && conn->state == NP_HTTP_EXPECT_REPLY ? conn
                                                                                         : NULL;
}

const struct np_http_request *np_http_conn_request(const struct np_http_conn *conn)
{
    return &conn->parser.request;
}

const struct np_addr *np_http_conn_peer(const struct np_http_conn *conn)
{
    return &conn->peer;
}
