/* SPDX-License-Identifier: BSD-3-Clause */
/* http_conn: one connection of the server; for the files of core/http and np_app_state.h only. */
#ifndef NP_CORE_HTTP_CONN_H
#define NP_CORE_HTTP_CONN_H

#include "config/np_config.h"
#include "core/http/http_queue.h"
#include "core/http/http_server.h"

#define NP_HTTP_IN_BYTES (NP_HTTP_HEAD_MAX + 2048u)
#define NP_HTTP_HEAD_ROOM 1536u /* of an answer's head, in front of the first piece */
#define NP_HTTP_OUT_BYTES (NP_HTTP_HEAD_ROOM + NP_HTTP_PIECE_MAX + 16u)

/* Deadlines, ms (master-api.md 1, 5). */
enum {
    NP_HTTP_HEAD_MS = 10000,
    NP_HTTP_BODY_MS = 30000,
    NP_HTTP_IDLE_MS = 60000,
    NP_HTTP_CROWD_GRACE_MS = 100, /* the same while many are refused */
    NP_HTTP_REST_MS = 1000,       /* idle before a full table may take the place */
    NP_HTTP_GRACE_MS = 2000,      /* to send a request before a full table may take the place */
    NP_HTTP_STALL_MS = 20000,     /* without a byte of an answer taken */
    NP_HTTP_LINGER_MS = 2000,     /* for the peer to close after our last byte */
    NP_HTTP_SILENCE_MS = 15000    /* of a stream, then a comment line */
};

enum np_http_state {
    NP_HTTP_EXPECT_TLS,     /* handshake, or its first byte */
    NP_HTTP_EXPECT_REQUEST, /* idle, or inside a request */
    NP_HTTP_EXPECT_REPLY,   /* the handler has the request */
    NP_HTTP_SENDING,        /* the answer */
    NP_HTTP_STREAMING,      /* events */
    NP_HTTP_LINGERING       /* all is sent and ended; waits for the peer */
};

struct np_http_conn {
    struct np_http_server *server;
    uint32_t self;            /* pool handle */
    uint32_t handle;          /* platform handle */
    uint32_t channel;         /* TLS, pool handle; 0 = plain */
    uint32_t in, body, out;   /* pool handles of buffers, 0 = none */
    uint32_t queue;           /* stream: pool handle of what waits, 0 = nothing */
    uint32_t out_at, out_len; /* bytes of `out`: sent, there in all */
    struct np_slice page;     /* what of a document in rodata is left */
    struct np_node node;      /* server->conns, streams or leaving */
    struct np_timer timer;
    uint64_t since_ms; /* when the request, or the wait for it, began */
    struct np_addr peer;
    struct np_http_parser parser; /* over `in` */
    struct np_json json;          /* over `out` */
    struct np_http_source source; /* of an answer in pieces */
    uint8_t state;                /* enum np_http_state */
    uint8_t type;                 /* enum np_http_type, of the answer */
    bool has_cors, has_more;      /* has_more: source is to be asked again */
    bool is_head, is_1_0, is_last;
    bool is_chunked, has_overflowed; /* has_overflowed: any byte of `out` may have been written */
    bool is_stream;                  /* in server->streams: gets events */
    bool is_ending;                  /* stream: closes when all is sent */
    bool is_refused;
    bool has_asked;  /* at least one whole request came */
    bool is_known;   /* one of them with the right key */
    bool is_running; /* inside np_http_conn_run */
    bool is_blocked; /* the socket is full */
};

/* ---- http_conn.c -------------------------------------------------------------- */
/* Goes on until it has to wait; the connection may be gone afterwards. */
void np_http_conn_run(struct np_http_conn *conn);
/* Ends it and gives all back; with `err`, by a reset. */
void np_http_conn_close(struct np_http_conn *conn, enum np_err err);
/* Our direction ends; what the peer still sends is dropped. */
void np_http_conn_leave(struct np_http_conn *conn);
void np_http_conn_wait(struct np_http_conn *conn, uint32_t ms);
/* Ends a connection whose request does not come: 408 if a part of it is here. */
void np_http_conn_expire(struct np_http_conn *conn);
/* Says that there are too many, over plain HTTP, and leaves. */
void np_http_conn_refuse(struct np_http_conn *conn);
/* The request's memory goes back, wiped. */
void np_http_conn_drop_input(struct np_http_conn *conn);
void np_http_conn_drop_output(struct np_http_conn *conn);
struct np_http_conn *np_http_conn_open(struct np_http_server *server);

/* ---- http_send.c -------------------------------------------------------------- */
/* Gives bytes to the connection: how many it took (0 = none now), or why it failed. */
int32_t np_http_give(struct np_http_conn *conn, const char *base, uint32_t len);
/* NP_OK: all that was given has left. AGAIN, or why it failed. */
enum np_err np_http_flush(struct np_http_conn *conn);
/* `out` of the connection, taken if there is none; NULL if all are in use. */
uint8_t *np_http_out(struct np_http_conn *conn);
/* Lets the source fill the buffer behind the head's room. False: a piece is too long. */
bool np_http_fill(struct np_http_conn *conn);
/* Puts the framing of a chunk around what was filled; the last one ends the body. */
void np_http_frame_chunk(struct np_http_conn *conn);
/* Sends what the answer has left. NP_OK: it is over. AGAIN, or why it failed. */
enum np_err np_http_send(struct np_http_conn *conn);

/* ---- http_reply.c ------------------------------------------------------------- */
/* The head of an event stream and what `initial` writes. */
void np_http_reply_stream(struct np_http_conn *conn, const struct np_http_source *initial);

/* ---- http_stream.c ------------------------------------------------------------ */
/* Sends what waits in a stream's queue. As np_http_send. */
enum np_err np_http_stream_send(struct np_http_conn *conn);
/* Nothing was sent for NP_HTTP_SILENCE_MS. */
void np_http_stream_on_silence(struct np_http_conn *conn);
/* Gives back its queue. */
void np_http_stream_drop_queue(struct np_http_conn *conn);
/* Hands what was published to the streams now. */
void np_http_stream_flush(struct np_http_server *server);

#endif
