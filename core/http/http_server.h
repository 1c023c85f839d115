/* SPDX-License-Identifier: BSD-3-Clause */
/* http_server: one listener of a master and its connections, driven by np_app's events.
 *
 *   accept -> EXPECT_TLS -> EXPECT_HEAD -> EXPECT_BODY -> handle() -> SENDING -> EXPECT_HEAD ...
 *             (TLS port)    ^ idle: no buffer                |    \-> STREAM (events)
 *                                                            +-> EXPECT_REPLY (answered later)
 *   any -> LINGER (our last bytes reach the client) -> gone
 *
 * The owner's part: np_http_plan at the end of the memory plan; an event with NP_TAG_HTTP and sub
 * NP_HTTP_SUB_DOOR goes to np_http_on_door if ev->handle == server->door; with NP_HTTP_SUB_CONN to
 * np_http_on_event of np_pool_at(&app->http_conns, index) if its handle == ev->handle. Deadlines
 * and what was published run on timers of the app.
 *
 * Limits: NP_MAX_HTTP_CONNS connections that are no event streams, NP_MAX_HTTP_STREAMS event
 * streams. Over that the newest gets 503, unless one that was slow to send its request, or is idle,
 * can give way. An idle connection holds no buffer. Buffers are wiped when they go back. One slow
 * client delays nobody.
 */
#ifndef NP_CORE_HTTP_SERVER_H
#define NP_CORE_HTTP_SERVER_H

#include "core/base/addr.h"
#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/http/http_reply.h"

struct np_app;
struct np_instance;
struct np_plan;

#define NP_HTTP_SUB_DOOR 0u /* sub of NP_TAG_HTTP; index = instance->index */
#define NP_HTTP_SUB_CONN 1u /* index in app->http_conns */

/* What the server calls. */
struct np_http_hooks {
    /* A whole request. Answer now by a function of http_reply.h, or keep np_http_conn_handle and
     * answer later. `request` is valid until this returns (if not answered yet: until the answer),
     * so whoever answers later may still use np_http_conn_request then. */
    void (*handle)(void *ctx, struct np_http_conn *conn, const struct np_http_request *request);
    /* True if answers about this path carry CORS headers, also those that the server gives itself:
     * to a body that is too large, comes too slowly or is no chunks. */
    bool (*is_route)(void *ctx, struct np_slice path);
    void *ctx;
};

#define NP_HTTP_FRAMES 64u /* published and not yet handed to the streams */

/* A published event inside the stage. */
struct np_http_frame {
    uint32_t at, len; /* in the stage */
    uint32_t key;
    uint8_t kind; /* enum np_http_event */
};

/* Owned by the master; fields are private but `door`. */
struct np_http_server {
    struct np_app *app;
    struct np_instance *instance; /* log; secure != NULL: HTTPS */
    struct np_http_hooks hooks;
    uint32_t door;          /* platform handle of the listener, NP_HANDLE_NONE = closed */
    struct np_list conns;   /* with or without a request */
    struct np_list streams; /* event streams */
    struct np_list leaving; /* ended or refused, their last bytes on the way */
    uint32_t stage;         /* pool handle of the buffer with what was published, 0 = none */
    uint32_t stage_len;
    uint32_t frame_count;
    struct np_http_frame frames[NP_HTTP_FRAMES];
    struct np_timer flush;
    uint64_t crowd_since_ms; /* the second that refused_count is about */
    uint32_t refused_count;
    bool is_crowded; /* many were refused in that second or the one before */
    bool is_stopping, is_flushing;
};

/* Adds what a master's server needs to the plan. */
void np_http_plan(struct np_plan *plan, bool has_tls);

/* Binds `at` and serves. `instance->secure` NULL: plain HTTP. Returns NP_OK or why the address
 * can't be bound; then np_http_server_open may be tried again. */
enum np_err np_http_server_open(struct np_http_server *server, struct np_instance *instance,
                                const struct np_addr *at, const struct np_http_hooks *hooks);
/* Stops gracefully: the door closes, idle connections too, answers under way are finished, streams
 * end once what was published is sent. Streams that do not take it in 1 s are cut. */
void np_http_server_stop(struct np_http_server *server);
/* True once nothing is left after np_http_server_stop. */
bool np_http_server_is_stopped(const struct np_http_server *server);
/* Ends everything at once; gives all memory and handles back. May be called twice. */
void np_http_server_close(struct np_http_server *server);

void np_http_on_door(struct np_http_server *server);
void np_http_on_event(struct np_http_conn *conn, uint32_t flags);

/* ---- one connection --------------------------------------------------------- */

/* For an answer later: a handle, and its connection while it still waits for that answer, else
 * NULL. */
uint32_t np_http_conn_handle(const struct np_http_conn *conn);
struct np_http_conn *np_http_conn_get(const struct np_http_server *server, uint32_t handle);
/* The request that is being answered. */
const struct np_http_request *np_http_conn_request(const struct np_http_conn *conn);
const struct np_addr *np_http_conn_peer(const struct np_http_conn *conn);

/* ---- event streams ----------------------------------------------------------- */

/* What may happen to an event while a stream is too slow to take it. */
enum np_http_event {
    NP_HTTP_EVENT_LOG,    /* dropped first, oldest first */
    NP_HTTP_EVENT_UPDATE, /* dropped if a later UPDATE or DELETE of the same key waits as well */
    NP_HTTP_EVENT_CREATE, /* dropped only with its DELETE */
    NP_HTTP_EVENT_DELETE, /* never dropped */
    NP_HTTP_EVENT_LAST    /* never dropped (shutdown) */
};

/* Answers a request with an event stream (master-api.md 5): head, "retry: 3000", then the frames
 * that `initial` writes with np_http_frame_open / close, then what is published from now on. A
 * comment line every 15 s when silent. 503 if there are NP_MAX_HTTP_STREAMS already. */
void np_http_stream_start(struct np_http_conn *conn, const struct np_http_source *initial);
/* Around the JSON object of one event in a stream's body. */
void np_http_frame_open(struct np_json *out);
void np_http_frame_close(struct np_json *out);

/* Sends one event to every stream at the end of this turn of the loop: `write` writes its JSON
 * object (at once, maybe twice). `key` says which record it is about. A stream that does not
 * take it keeps it in a bounded queue; if that is full of what may not be dropped, the stream
 * ends (the client comes back and gets everything as initial). Returns false if the event is
 * longer than NP_HTTP_PIECE_MAX or comes out of the delivery of others (a log line of the
 * server's own); with no stream nothing is written at all. */
bool np_http_publish(struct np_http_server *server, enum np_http_event kind, uint32_t key,
                     void (*write)(void *ctx, struct np_json *out), void *ctx);
/* Ends every stream after what was published (key rotation). */
void np_http_end_streams(struct np_http_server *server);
static inline bool np_http_has_streams(const struct np_http_server *server)
{
    return server->streams.count > 0;
}

#endif
