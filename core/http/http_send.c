/* SPDX-License-Identifier: BSD-3-Clause */
/* http_send: bytes of an answer from its buffer, a document or a source to the socket or TLS. */
#include <stddef.h>

#include "core/base/fmt.h"
#include "core/http/http_conn.h"
#include "core/np_app_state.h"

#define CHUNK_HEAD_CAP 12u /* "ffffffff\r\n" and a NUL */

static struct np_channel *channel_of(const struct np_http_conn *conn)
{
    return np_channel_get(conn->server->app, conn->channel);
}

/* ---- socket or TLS ------------------------------------------------------------ */

static int32_t give_plain(struct np_http_conn *conn, const char *base, uint32_t len)
{
    struct np_plat *plat = conn->server->app->plat;
    uint32_t given = 0;

    while (given < len) {
        int32_t n =
            np_plat_tcp_send(plat, conn->handle, (const uint8_t *)base + given, len - given);
        if (n == NP_ERR_AGAIN) {
            break;
        }
        if (n < 0) {
            return n;
        }
        given += (uint32_t)n;
    }
    return (int32_t)given;
}

/* One record, or a flush that makes room for it. NP_OK: *given moved on, or try again. */
static enum np_err give_record(struct np_channel *channel, const char *base, uint32_t len,
                               uint32_t *given)
{
    uint8_t *payload;
    int32_t room = np_channel_room(channel, &payload);

    if (room < 0) {
        return (enum np_err)room;
    }
    if (room == 0) {
        return np_channel_flush(channel);
    }
    uint32_t part = (uint32_t)room < len - *given ? (uint32_t)room : len - *given;
    memcpy(payload, base + *given, part);
    *given += part;
    return np_channel_seal(channel, part);
}

static int32_t give_tls(struct np_http_conn *conn, const char *base, uint32_t len)
{
    struct np_channel *channel = channel_of(conn);
    enum np_err err = NP_OK;
    uint32_t given = 0;

    while (err == NP_OK && given < len) {
        err = give_record(channel, base, len, &given);
    }
    if (err == NP_OK || err == NP_ERR_AGAIN) {
        err = np_channel_flush(channel);
    }
    return err == NP_OK || err == NP_ERR_AGAIN ? (int32_t)given : (int32_t)err;
}

int32_t np_http_give(struct np_http_conn *conn, const char *base, uint32_t len)
{
    int32_t given =
        !np_channel_is_set(conn->channel) ? give_plain(conn, base, len) : give_tls(conn, base, len);

    conn->is_blocked = given >= 0 && (uint32_t)given < len;
    if (given > 0) {
        np_http_conn_wait(conn,
                          conn->state == NP_HTTP_STREAMING ? NP_HTTP_SILENCE_MS : NP_HTTP_STALL_MS);
    }
    return given;
}

enum np_err np_http_flush(struct np_http_conn *conn)
{
    enum np_err err =
        !np_channel_is_set(conn->channel) ? NP_OK : np_channel_flush(channel_of(conn));

    conn->is_blocked = err == NP_ERR_AGAIN;
    return err;
}

/* ---- pieces ---------------------------------------------------------------------- */

uint8_t *np_http_out(struct np_http_conn *conn)
{
    struct np_app *app = conn->server->app;

    if (conn->out != 0) {
        return np_pool_get(&app->http_outs, conn->out);
    }
    uint8_t *out = np_pool_acquire_unset(&app->http_outs, &conn->out);
    conn->out = out == NULL ? 0 : conn->out;
    conn->out_at = conn->out_len = NP_HTTP_HEAD_ROOM;
    return out;
}

bool np_http_fill(struct np_http_conn *conn)
{
    struct np_json *json = &conn->json;

    json->mem = (char *)np_http_out(conn) + NP_HTTP_HEAD_ROOM;
    json->cap = NP_HTTP_PIECE_MAX;
    json->len = 0;
    json->is_full = false;
    while (conn->has_more) {
        struct np_json mark = *json;
        struct np_http_source before = conn->source;
        conn->has_more = conn->source.write(&conn->source, json);
        if (json->is_full) {
            *json = mark;
            conn->source = before;
            conn->has_more = conn->has_overflowed = true;
            break;
        }
    }
    if (!conn->has_more && conn->type == NP_HTTP_JSON) {
        json->mem[json->len++] = '\n'; /* there is room behind the piece */
    }
    return json->len > 0 || !conn->has_more;
}

void np_http_frame_chunk(struct np_http_conn *conn)
{
    uint8_t *out = np_http_out(conn);
    char head[CHUNK_HEAD_CAP];
    uint32_t len = conn->json.len;
    uint32_t at = NP_HTTP_HEAD_ROOM, end = at + len;

    if (len > 0) {
        uint32_t head_len = np_fmt(head, sizeof head, "%x\r\n", len);
        at -= head_len;
        memcpy(out + at, head, head_len);
        memcpy(out + end, "\r\n", 2);
        end += 2;
    }
    if (!conn->has_more) {
        memcpy(out + end, "0\r\n\r\n", 5);
        end += 5;
    }
    conn->out_at = at;
    conn->out_len = end;
}

/* The next piece into the empty buffer. */
static enum np_err refill(struct np_http_conn *conn)
{
    if (!np_http_fill(conn)) {
        np_log_write(&conn->server->instance->log, NP_LOG_ERROR,
                     "HTTP: a part of an answer is longer than %u bytes", NP_HTTP_PIECE_MAX);
        return NP_ERR_TOO_LONG;
    }
    if (conn->is_chunked) {
        np_http_frame_chunk(conn);
    } else {
        conn->out_at = NP_HTTP_HEAD_ROOM;
        conn->out_len = NP_HTTP_HEAD_ROOM + conn->json.len;
    }
    return NP_OK;
}

/* ---- an answer -------------------------------------------------------------------- */

static int32_t send_buffer(struct np_http_conn *conn)
{
    const char *out = (const char *)np_http_out(conn);
    int32_t given = np_http_give(conn, out + conn->out_at, conn->out_len - conn->out_at);

    conn->out_at += given > 0 ? (uint32_t)given : 0;
    return given;
}

static int32_t send_page(struct np_http_conn *conn)
{
    int32_t given = np_http_give(conn, conn->page.base, conn->page.len);

    if (given > 0) {
        conn->page.base += given;
        conn->page.len -= (uint32_t)given;
    }
    return given;
}

enum np_err np_http_send(struct np_http_conn *conn)
{
    for (;;) {
        int32_t given = 0;
        if (conn->out_at < conn->out_len) {
            given = send_buffer(conn);
        } else if (conn->page.len > 0) {
            given = send_page(conn);
        } else if (conn->has_more) {
            given = (int32_t)refill(conn);
        } else {
            return np_http_flush(conn);
        }
        if (given < 0) {
            return (enum np_err)given;
        }
        if (conn->is_blocked) {
            return NP_ERR_AGAIN;
        }
    }
}
