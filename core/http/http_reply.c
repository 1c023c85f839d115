/* SPDX-License-Identifier: BSD-3-Clause */
/* http_reply: the head of an answer is written last and put right in front of the body, whose
 * length is known then. */
#include "core/http/http_reply.h"

#include <stdarg.h>
#include <stddef.h>

#include "core/base/fmt.h"
#include "core/http/http_conn.h"
#include "core/np_app_state.h"

#define ERROR_CAP 512u

/* Each entry: what is looked for, its text; an empty one ends the table. */
static const char statuses[] = "200 OK\0"
                               "201 Created\0"
                               "204 No Content\0"
                               "301 Moved Permanently\0"
                               "304 Not Modified\0"
                               "400 Bad Request\0"
                               "401 Unauthorized\0"
                               "403 Forbidden\0"
                               "404 Not Found\0"
                               "405 Method Not Allowed\0"
                               "408 Request Timeout\0"
                               "409 Conflict\0"
                               "413 Request Entity Too Large\0"
                               "417 Expectation Failed\0"
                               "429 Too Many Requests\0"
                               "431 Request Header Fields Too Large\0"
                               "500 Internal Server Error\0"
                               "501 Not Implemented\0"
                               "503 Service Unavailable\0"
                               "505 HTTP Version Not Supported\0"
                               "507 Insufficient Storage\0";

/* By enum np_http_type. */
static const char types[] = "\0"
                            "application/json\0"
                            "text/plain; charset=utf-8\0"
                            "text/html; charset=utf-8\0"
                            "text/plain; version=0.0.4; charset=utf-8\0"
                            "text/event-stream\0";

/* "200 OK" and so on; a status that the table does not have is an error of ours. */
static const char *status_line(uint16_t status)
{
    char code[8];
    uint32_t len = np_fmt(code, sizeof code, "%u", status);
    const char *line = statuses;

    while (*line != '\0' && memcmp(line, code, len) != 0) {
        line += strlen(line) + 1;
    }
    return line;
}

static const char *type_text(uint8_t type)
{
    const char *text = types;

    while (type-- > 0) {
        text += strlen(text) + 1;
    }
    return text;
}

static const char cors[] =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Allow-Methods: GET, PATCH, POST, PUT, DELETE, OPTIONS\r\n"
    "Access-Control-Allow-Headers: Content-Type, Authorization, X-API-Key, Cache-Control\r\n";

/* What a page may load stands in the page itself; this can't. */
static const char page_rules[] = "Content-Security-Policy: frame-ancestors 'none'\r\n"
                                 "Referrer-Policy: no-referrer\r\n";

/* ---- head -------------------------------------------------------------------- */

/* How the client learns where the body ends. */
enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

static void put_connection(const struct np_http_conn *conn, struct np_json *head)
{
    if (conn->is_last) {
        np_json_raw(head, "Connection: close\r\n");
    } else if (conn->is_1_0) {
        np_json_raw(head, "Connection: keep-alive\r\n");
    }
}

/* Everything but the empty line; `head` may get more headers. */
static void put_head(const struct np_http_conn *conn, struct np_json *head, uint16_t status,
                     enum framing framing, uint32_t length)
{
    np_json_raw_fmt(head, "HTTP/1.1 %s\r\n", status_line(status));
    if (conn->type != NP_HTTP_NO_TYPE) {
        np_json_raw_fmt(head, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n",
                        type_text(conn->type));
    }
    if (conn->type == NP_HTTP_HTML) {
        np_json_raw(head, page_rules);
    }
    if (conn->has_cors) {
        np_json_raw(head, cors);
    }
    if (framing == FRAMING_LENGTH) {
        np_json_raw_fmt(head, "Content-Length: %u\r\n", length);
    } else if (framing == FRAMING_CHUNKED) {
        np_json_raw(head, "Transfer-Encoding: chunked\r\n");
    }
    put_connection(conn, head);
}

/* Ends the head and puts it in front of what begins at out_at; then the answer is on its way. */
static void commit(struct np_http_conn *conn, struct np_json *head)
{
    np_json_raw(head, "\r\n");
    conn->out_at -= head->len;
    memcpy(np_http_out(conn) + conn->out_at, head->mem, head->len);
    conn->state = NP_HTTP_SENDING;
    np_http_conn_wait(conn, NP_HTTP_STALL_MS);
    np_http_conn_run(conn);
}

/* True if the request still waits for its answer and there is memory for one. */
static bool can_reply(struct np_http_conn *conn)
{
    if (conn->state != NP_HTTP_EXPECT_REPLY) {
        np_log_write(&conn->server->instance->log, NP_LOG_ERROR, "HTTP: answered twice");
        return false;
    }
    if (np_http_out(conn) == NULL) {
        np_http_conn_leave(conn);
        return false;
    }
    return true;
}

void np_http_set_cors(struct np_http_conn *conn)
{
    conn->has_cors = true;
}

void np_http_set_known(struct np_http_conn *conn)
{
    conn->is_known = true;
}

/* ---- bodies in the buffer ------------------------------------------------------- */

struct np_json *np_http_body(struct np_http_conn *conn)
{
    uint8_t *out = np_http_out(conn);

    /* Without memory a writer that is full: can_reply ends the connection. */
    np_json_init(&conn->json, out == NULL ? NULL : (char *)out + NP_HTTP_HEAD_ROOM,
                 out == NULL ? 0 : NP_HTTP_PIECE_MAX);
    conn->json.is_full = out == NULL;
    return &conn->json;
}

/* Sends the writer's bytes; they lie behind the head's room. */
static void send_body(struct np_http_conn *conn, uint16_t status, uint8_t type)
{
    char mem[NP_HTTP_HEAD_ROOM];
    struct np_json head;
    uint32_t len = conn->json.len;
    bool has_body = status != 204 && status != 304;

    conn->type = has_body ? type : (uint8_t)NP_HTTP_NO_TYPE;
    conn->out_at = NP_HTTP_HEAD_ROOM;
    conn->out_len = NP_HTTP_HEAD_ROOM + (conn->is_head ? 0 : len);
    np_json_init(&head, mem, sizeof mem);
    put_head(conn, &head, status, has_body ? FRAMING_LENGTH : FRAMING_NONE, len);
    commit(conn, &head);
}

void np_http_reply(struct np_http_conn *conn, uint16_t status, enum np_http_type type)
{
    if (!can_reply(conn)) {
        return;
    }
    if (conn->json.is_full) {
        np_log_write(&conn->server->instance->log, NP_LOG_ERROR,
                     "HTTP: an answer is longer than %u bytes", NP_HTTP_PIECE_MAX);
        conn->has_overflowed = true;
        np_http_reply_error(conn, 500, "Answer too long");
        return;
    }
    if (type == NP_HTTP_JSON) {
        conn->json.mem[conn->json.len++] = '\n'; /* there is room behind the piece */
    }
    send_body(conn, status, (uint8_t)type);
}

void np_http_reply_error(struct np_http_conn *conn, uint16_t status, const char *format, ...)
{
    char text[ERROR_CAP];
    va_list args;

    va_start(args, format);
    np_vfmt(text, sizeof text, format, args);
    va_end(args);
    if (!can_reply(conn)) {
        return;
    }
    struct np_json *body = np_http_body(conn);
    np_json_open(body, NULL, '{');
    np_json_put_text(body, "error", text);
    np_json_close(body, '}');
    np_http_reply(conn, status, NP_HTTP_JSON);
}

void np_http_reply_empty(struct np_http_conn *conn, uint16_t status)
{
    if (can_reply(conn)) {
        np_http_body(conn);
        send_body(conn, status, NP_HTTP_NO_TYPE);
    }
}

void np_http_reply_unmatched(struct np_http_conn *conn)
{
    conn->has_cors = false;
    if (can_reply(conn)) {
        np_json_raw(np_http_body(conn), "404 page not found\n");
        np_http_reply(conn, 404, NP_HTTP_TEXT);
    }
}

/* ---- redirect --------------------------------------------------------------------- */

/* A query as it may stand in a header; the parser has let no blank or control byte through. */
static void put_query(struct np_json *out, struct np_slice query)
{
    for (uint32_t i = 0; i < query.len; i++) {
        uint8_t c = (uint8_t)query.base[i];
        if (c >= 0x80 || c == '"' || c == '<' || c == '>' || c == '\\') {
            np_json_raw_fmt(out, "%%%02x", c);
        } else {
            np_json_raw_slice(out, np_slice_part(query, i, 1));
        }
    }
}

/* Head and all in the place of the body, since a path may be longer than the head's room. */
void np_http_reply_clean(struct np_http_conn *conn, const struct np_http_request *request)
{
    if (!can_reply(conn)) {
        return;
    }
    struct np_json *out = np_http_body(conn);
    conn->type = NP_HTTP_NO_TYPE;
    put_head(conn, out, 301, FRAMING_LENGTH, 0);
    np_json_raw(out, "Location: ");
    uint32_t len = np_http_path_clean(request->path, out->mem + out->len, out->cap - out->len);
    out->len += len;
    if (request->query.len > 0) {
        np_json_raw(out, "?");
        put_query(out, request->query);
    }
    np_json_raw(out, "\r\n\r\n");
    if (out->is_full || len == 0) {
        conn->has_overflowed = true;
        np_http_reply_error(conn, 431, "request path too long");
        return;
    }
    conn->out_at = NP_HTTP_HEAD_ROOM;
    conn->out_len = NP_HTTP_HEAD_ROOM + out->len;
    conn->state = NP_HTTP_SENDING;
    np_http_conn_wait(conn, NP_HTTP_STALL_MS);
    np_http_conn_run(conn);
}

/* ---- documents ---------------------------------------------------------------------- */

/* True if the list of If-None-Match names `etag`, weak or not (RFC 9110 section 13.1.2). */
static bool is_match(struct np_slice list, const char *etag)
{
    struct np_slice wanted = np_slice_of(etag);

    if (np_slice_is(list, "*")) {
        return true;
    }
    for (uint32_t at = 0; wanted.len > 0 && at + wanted.len <= list.len; at++) {
        if (memcmp(list.base + at, etag, wanted.len) == 0) {
            return true;
        }
    }
    return false;
}

void np_http_reply_page(struct np_http_conn *conn, const struct np_http_request *request,
                        const struct np_http_page *page)
{
    char mem[NP_HTTP_HEAD_ROOM];
    struct np_json head;
    bool is_same = is_match(request->if_none_match, page->etag);

    if (!can_reply(conn)) {
        return;
    }
    np_http_body(conn);
    conn->type = is_same ? (uint8_t)NP_HTTP_NO_TYPE : page->type;
    conn->out_at = conn->out_len = NP_HTTP_HEAD_ROOM;
    if (!is_same && !conn->is_head) {
        conn->page = (struct np_slice){(const char *)page->gzip, page->len};
    }
    np_json_init(&head, mem, sizeof mem);
    put_head(conn, &head, is_same ? 304 : 200, is_same ? FRAMING_NONE : FRAMING_LENGTH, page->len);
    np_json_raw_fmt(&head, "ETag: %s\r\nCache-Control: no-cache\r\n%s", page->etag,
                    is_same ? "" : "Content-Encoding: gzip\r\n");
    if (page->api != NULL) {
        np_json_raw(&head, "X-NodePass-API: ");
        np_json_raw(&head, page->api);
        np_json_raw(&head, "/v1\r\n");
    }
    commit(conn, &head);
}

/* ---- sources --------------------------------------------------------------------------- */

/* What is filled is the whole body, or its first chunk. */
static void send_first_piece(struct np_http_conn *conn, uint16_t status)
{
    char mem[NP_HTTP_HEAD_ROOM];
    struct np_json head;
    uint32_t len = conn->json.len;

    conn->is_chunked = conn->has_more && !conn->is_1_0;
    conn->is_last = conn->is_last || (conn->has_more && conn->is_1_0);
    np_json_init(&head, mem, sizeof mem);
    put_head(conn, &head, status,
             conn->is_chunked ? FRAMING_CHUNKED
             : conn->has_more ? FRAMING_CLOSE
                              : FRAMING_LENGTH,
             len);
    conn->out_at = NP_HTTP_HEAD_ROOM;
    conn->out_len = NP_HTTP_HEAD_ROOM + len;
    if (conn->is_head) {
        conn->has_more = false;
        conn->out_len = NP_HTTP_HEAD_ROOM;
    } else if (conn->is_chunked) {
        np_http_frame_chunk(conn);
    }
    commit(conn, &head);
}

void np_http_reply_source(struct np_http_conn *conn, uint16_t status, enum np_http_type type,
                          const struct np_http_source *source)
{
    if (!can_reply(conn)) {
        return;
    }
    np_http_body(conn);
    conn->source = *source;
    conn->has_more = true;
    conn->type = (uint8_t)type;
    if (!np_http_fill(conn)) {
        conn->has_more = false;
        conn->json.is_full = true;
        np_http_reply(conn, 500, NP_HTTP_JSON);
        return;
    }
    send_first_piece(conn, status);
}

/* Without a length: the end of the connection is the end of the stream. */
void np_http_reply_stream(struct np_http_conn *conn, const struct np_http_source *initial)
{
    char mem[NP_HTTP_HEAD_ROOM];
    struct np_json head;

    if (!can_reply(conn)) {
        return;
    }
    np_json_raw(np_http_body(conn), "retry: 3000\n\n");
    conn->source = *initial;
    conn->has_more = !conn->is_head;
    conn->type = NP_HTTP_EVENTS;
    conn->out_at = NP_HTTP_HEAD_ROOM;
    conn->out_len = NP_HTTP_HEAD_ROOM + (conn->is_head ? 0 : conn->json.len);
    np_json_init(&head, mem, sizeof mem);
    put_head(conn, &head, 200, FRAMING_CLOSE, 0);
    np_json_raw(&head, "Cache-Control: no-cache\r\n");
    commit(conn, &head);
}
