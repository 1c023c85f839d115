/* SPDX-License-Identifier: BSD-3-Clause */
/* http_stream: events to many subscribers. What is published in one turn of the loop gathers in the
 * stage and goes to each stream in one piece; what a slow one does not take waits in its queue.
 */
#include <stddef.h>

#include "core/base/ct.h"
#include "core/http/http_conn.h"
#include "core/np_app_state.h"

static struct np_http_queue *queue_of(const struct np_http_conn *conn)
{
    return np_pool_get(&conn->server->app->http_queues, conn->queue);
}

/* ---- one stream ------------------------------------------------------------------ */

void np_http_stream_drop_queue(struct np_http_conn *conn)
{
    struct np_http_queue *queue = queue_of(conn);

    if (queue != NULL) {
        np_ct_wipe(queue->mem, queue->len);
    }
    np_pool_release(&conn->server->app->http_queues, conn->queue);
    conn->queue = 0;
}

enum np_err np_http_stream_send(struct np_http_conn *conn)
{
    struct np_http_queue *queue = queue_of(conn);

    while (queue != NULL && !np_http_queue_is_empty(queue)) {
        struct np_slice text = np_http_queue_peek(queue);
        int32_t given = np_http_give(conn, text.base, text.len);
        if (given < 0) {
            return (enum np_err)given;
        }
        np_http_queue_consume(queue, (uint32_t)given);
        if (conn->is_blocked) {
            return NP_ERR_AGAIN;
        }
    }
    np_http_stream_drop_queue(conn);
    return np_http_flush(conn);
}

/* Keeps a frame for later. False: it can't be kept. */
static bool keep(struct np_http_conn *conn, const struct np_http_frame *frame, struct np_slice text,
                 uint32_t sent)
{
    struct np_http_queue *queue = queue_of(conn);

    if (queue == NULL) {
        queue = np_pool_acquire_unset(&conn->server->app->http_queues, &conn->queue);
        if (queue == NULL) {
            conn->queue = 0;
            return sent == 0 && frame->kind == NP_HTTP_EVENT_LOG;
        }
        np_http_queue_init(queue);
    }
    return np_http_queue_push(queue, (enum np_http_event)frame->kind, frame->key, text, sent);
}

/* Gives the stage's frames to a stream, or keeps them. False: the stream can't go on. */
static bool deliver(struct np_http_conn *conn, const char *stage)
{
    const struct np_http_server *server = conn->server;
    bool is_direct = conn->state == NP_HTTP_STREAMING && conn->queue == 0 && !conn->is_blocked;
    int32_t given = is_direct ? np_http_give(conn, stage, server->stage_len) : 0;
    uint32_t taken = given > 0 ? (uint32_t)given : 0;

    for (uint32_t i = 0; given >= 0 && i < server->frame_count; i++) {
        const struct np_http_frame *frame = &server->frames[i];
        struct np_slice text = {stage + frame->at, frame->len};
        uint32_t sent = taken > frame->at ? taken - frame->at : 0;
        if (sent < frame->len && !keep(conn, frame, text, sent)) {
            return false;
        }
    }
    return given >= 0;
}

/* ---- the stage --------------------------------------------------------------------- */

static void drop_stage(struct np_http_server *server)
{
    struct np_app *app = server->app;
    uint8_t *stage = np_pool_get(&app->http_outs, server->stage);

    if (stage != NULL) {
        np_ct_wipe(stage, server->stage_len);
    }
    np_pool_release(&app->http_outs, server->stage);
    server->stage = 0;
    server->stage_len = server->frame_count = 0;
}

void np_http_stream_flush(struct np_http_server *server)
{
    const char *stage = np_pool_get(&server->app->http_outs, server->stage);
    struct np_node *next;

    np_timer_stop(&server->app->timers, &server->flush);
    server->is_flushing = true;
    for (struct np_node *node = np_list_first(&server->streams); node != NULL; node = next) {
        struct np_http_conn *conn = NP_CONTAINER(node, struct np_http_conn, node);
        next = np_list_next(&server->streams, node);
        bool was_waiting = conn->queue != 0 || conn->is_blocked;
        if (stage != NULL && !conn->is_ending && !deliver(conn, stage)) {
            np_http_conn_close(conn, NP_ERR_LIMIT);
        } else if (!was_waiting && (conn->queue != 0 || np_channel_is_set(conn->channel))) {
            np_http_conn_run(conn); /* sets what to wait for */
        }
    }
    drop_stage(server);
    server->is_flushing = false;
}

static void on_flush(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    np_http_stream_flush(NP_CONTAINER(timer, struct np_http_server, flush));
}

/* The rest of the stage as a writer, after a flush if `needs_all`. */
static bool open_stage(struct np_http_server *server, bool needs_all, struct np_json *out)
{
    struct np_app *app = server->app;

    if (needs_all || server->frame_count == NP_HTTP_FRAMES) {
        np_http_stream_flush(server);
    }
    if (server->stage == 0 && np_pool_acquire_unset(&app->http_outs, &server->stage) == NULL) {
        server->stage = 0;
        return false;
    }
    char *stage = np_pool_get(&app->http_outs, server->stage);
    np_json_init(out, stage + server->stage_len, NP_HTTP_PIECE_MAX - server->stage_len);
    return true;
}

bool np_http_publish(struct np_http_server *server, enum np_http_event kind, uint32_t key,
                     void (*write)(void *ctx, struct np_json *out), void *ctx)
{
    struct np_json out;

    if (server->streams.count == 0) {
        return true;
    }
    if (server->is_flushing) {
        return false; /* our own log lines about a stream that fails now */
    }
    for (int32_t tries = 0; tries < 2; tries++) {
        if (!open_stage(server, tries > 0, &out)) {
            return false;
        }
        np_http_frame_open(&out);
        write(ctx, &out);
        np_http_frame_close(&out);
        if (!out.is_full) {
            struct np_http_frame frame = {server->stage_len, out.len, key, (uint8_t)kind};
            server->frames[server->frame_count++] = frame;
            server->stage_len += out.len;
            server->flush.fire = on_flush;
            np_timer_start(&server->app->timers, &server->flush, server->app->now_ms);
            return true;
        }
        np_ct_wipe(out.mem, out.cap);
    }
    return false;
}

/* ---- streams ------------------------------------------------------------------------- */

void np_http_frame_open(struct np_json *out)
{
    np_json_raw(out, "event: instance\ndata: ");
}

void np_http_frame_close(struct np_json *out)
{
    np_json_raw(out, "\n\n");
}

void np_http_stream_on_silence(struct np_http_conn *conn)
{
    static const char comment[] = ": still here\n\n";
    static const struct np_http_frame frame = {0, sizeof comment - 1, 0, NP_HTTP_EVENT_LAST};
    struct np_slice text = {comment, sizeof comment - 1};

    np_http_conn_wait(conn, NP_HTTP_SILENCE_MS);
    if (conn->is_ending) {
        np_http_conn_close(conn, NP_ERR_TIMED_OUT);
        return;
    }
    if (conn->queue != 0 || conn->is_blocked) {
        return; /* slow, not silent */
    }
    if (!keep(conn, &frame, text, 0)) {
        np_http_conn_close(conn, NP_ERR_LIMIT);
        return;
    }
    np_http_conn_run(conn);
}

void np_http_end_streams(struct np_http_server *server)
{
    struct np_node *next;

    np_http_stream_flush(server);
    for (struct np_node *node = np_list_first(&server->streams); node != NULL; node = next) {
        struct np_http_conn *conn = NP_CONTAINER(node, struct np_http_conn, node);
        next = np_list_next(&server->streams, node);
        conn->is_ending = true;
        np_http_conn_wait(conn, 1000);
        np_http_conn_run(conn);
    }
}

void np_http_stream_start(struct np_http_conn *conn, const struct np_http_source *initial)
{
    struct np_http_server *server = conn->server;

    if (conn->state != NP_HTTP_EXPECT_REPLY) {
        return;
    }
    if (server->streams.count + 1 > NP_MAX_HTTP_STREAMS || server->is_stopping) {
        np_http_reply_error(conn, 503, "Too many event streams");
        return;
    }
    np_list_remove(&server->conns, &conn->node);
    conn->is_stream = true;
    conn->is_last = true;
    np_list_insert_last(&server->streams, &conn->node);
    np_http_reply_stream(conn, initial);
}
