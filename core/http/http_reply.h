/* SPDX-License-Identifier: BSD-3-Clause */
/* http_reply: answers to a request. Exactly one of the np_http_reply_* (or np_http_stream_start) is
 * called for each request, in the handler or later; a second one is ignored and logged.
 *
 *   struct np_json *body = np_http_body(conn);          a JSON object or text that fits one buffer
 *   np_json_open(body, NULL, '{'); ... np_http_reply(conn, 200, NP_HTTP_JSON);
 *
 *   np_http_reply_source(conn, 200, NP_HTTP_JSON, &source);     anything longer, piece by piece
 *
 * JSON bodies end in one newline. Headers that every answer needs (length or chunks, Connection)
 * are the server's. To HEAD the head alone is sent. A body that does not fit becomes a 500.
 */
#ifndef NP_CORE_HTTP_REPLY_H
#define NP_CORE_HTTP_REPLY_H

#include "core/http/http_parse.h"
#include "core/http/json.h"

struct np_http_conn;

enum np_http_type {
    NP_HTTP_NO_TYPE,
    NP_HTTP_JSON,    /* application/json */
    NP_HTTP_TEXT,    /* text/plain; charset=utf-8 */
    NP_HTTP_HTML,    /* text/html; charset=utf-8 */
    NP_HTTP_METRICS, /* text/plain; version=0.0.4 */
    NP_HTTP_EVENTS   /* text/event-stream */
};

/* Produces a body in pieces. `write` appends one piece (a list's element, say) to `out`, moves its
 * own cursor on and returns true while more follows. A piece that did not fit is undone (out, and
 * this struct) and asked for again when there is room, so the cursor must be `at`, and `write`
 * needs not look at out->is_full. One piece is at most NP_HTTP_PIECE_MAX bytes. Called whenever
 * there is room, at the latest until the connection ends; it must not use the request, and what
 * it reads has to stay or be found again by `at`. */
struct np_http_source {
    bool (*write)(struct np_http_source *source, struct np_json *out);
    void *ctx;
    uint64_t at; /* starts as the caller sets it */
};

/* A document in rodata, sent as gzip to everybody. */
struct np_http_page {
    const uint8_t *gzip;
    uint32_t len;
    const char *etag; /* with its quotes */
    uint8_t type;     /* enum np_http_type */
    const char *api;  /* prefix of the API, for X-NodePass-API; NULL: not told */
};

/* The answer carries the CORS headers of master-api.md 1 (each once, however often called). */
void np_http_set_cors(struct np_http_conn *conn);

/* The request showed the right key: its connection gives way after those that never did. */
void np_http_set_known(struct np_http_conn *conn);

/* The writer of a body of at most NP_HTTP_PIECE_MAX bytes, empty. It belongs to the connection
 * until np_http_reply, or until another reply function, which drops what was written. */
struct np_json *np_http_body(struct np_http_conn *conn);
/* Answers with what np_http_body's writer holds. */
void np_http_reply(struct np_http_conn *conn, uint16_t status, enum np_http_type type);
/* {"error":"<text>"}; format as np_fmt, at most 511 bytes. */
void np_http_reply_error(struct np_http_conn *conn, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* No body (OPTIONS 200, DELETE 204). */
void np_http_reply_empty(struct np_http_conn *conn, uint16_t status);
/* 404 text/plain "404 page not found\n" (unmatched path: master-api.md 1). */
void np_http_reply_unmatched(struct np_http_conn *conn);
/* 301 to the clean form of the request's path, with its query. */
void np_http_reply_clean(struct np_http_conn *conn, const struct np_http_request *request);
/* 200 with the page; 304 if If-None-Match names its etag. `page` stays
 * valid for ever. */
void np_http_reply_page(struct np_http_conn *conn, const struct np_http_request *request,
                        const struct np_http_page *page);
/* A body in pieces; *source is copied. What fits one buffer goes with Content-Length, the rest in
 * chunks (to HTTP/1.0: until the connection ends). */
void np_http_reply_source(struct np_http_conn *conn, uint16_t status, enum np_http_type type,
                          const struct np_http_source *source);

#endif
