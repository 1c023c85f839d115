/* SPDX-License-Identifier: BSD-3-Clause */
/* connpool: the pool connections of one instance that carry no session (protocol.md 6).
 *
 *   client:  DIALING --connected--> EXPECT_ID --8 bytes--> IDLE --taken / matched--> (a session's)
 *   server:    (accepted, id sent)   EXPECT_PROOF --#y--> IDLE --taken / matched--> (a session's)
 *   with TLS, before the id: server EXPECT_HELLO --first bytes-->, then both HANDSHAKE
 *
 * A client of ours tells the server which ids it has read (dialect.h, letter y), so that a stranger
 * on its address who has dialled and got one is never handed a visitor; a Go client does not.
 * The client keeps `capacity` of them; the server takes what comes. The oldest id is handed out
 * first.
 * Any connection that closes leaves the pool at once. None is ever used twice.
 */
#ifndef NP_CORE_TUNNEL_CONNPOOL_H
#define NP_CORE_TUNNEL_CONNPOOL_H

#include "core/base/backoff.h"
#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/tunnel/name.h"
#include "core/wire/dialect.h"

enum np_conn_state {
    NP_CONN_DIALING,
    NP_CONN_EXPECT_HELLO,
    NP_CONN_HANDSHAKE,
    NP_CONN_EXPECT_ID,
    NP_CONN_EXPECT_PROOF,
    NP_CONN_IDLE
};

struct np_conn {
    struct np_instance *instance;
    struct np_node node; /* pool.opening, pool.unproven or pool.idle */
    uint32_t self;       /* pool handle */
    uint32_t handle;     /* platform handle, NONE while dialling */
    uint32_t dial;
    uint32_t channel; /* pool handle of its TLS, 0 = plain */
    uint32_t id;
    uint32_t next_by_id; /* index + 1 of the next in its bucket */
    uint8_t state;       /* enum np_conn_state */
    uint8_t id_len;      /* bytes of id_text received */
    bool has_data;       /* bytes arrived before the launch; not watched any more */
    char id_text[NP_DIALECT_ID_LEN];
    uint64_t idle_since_ms;
    struct np_timer timer; /* limit for handshake or id; how long early bytes may wait */
};

struct np_connpool {
    struct np_list idle;     /* oldest first */
    struct np_list opening;  /* client: dialling or waiting for the id */
    struct np_list unproven; /* server: not known yet to be the client's, oldest first */
    uint32_t capacity, min, max;
    uint32_t errors; /* launches never matched, connections dead when taken; since the last flush */
    uint32_t lost_count;   /* idle connections closed by the peer */
    uint64_t flushed_ms;   /* when the last flush was sent or obeyed */
    uint64_t grown_ms;     /* when capacity last doubled */
    uint64_t taken_ms;     /* when one was taken last */
    uint32_t peak;         /* most idle ones, without those that were closed in order since */
    uint32_t arrived;      /* connections that became idle since the last report */
    uint32_t thin_reports; /* reports in a row with few idle ones and none arriving */
    bool is_down;          /* dials fail: said once */
    bool is_proven;        /* one has worked since the handshake */
    struct np_backoff backoff;
    struct np_timer retry; /* next dial after a failure */
    struct np_timer shrink;
};

void np_connpool_init(struct np_instance *instance);
/* Client: takes over the limits and starts to fill. */
void np_connpool_start(struct np_instance *instance, uint32_t min, uint32_t max);
/* Closes all of them and stops filling. */
void np_connpool_stop(struct np_instance *instance);
/* Flush (signal #0): closes the idle ones, forgets errors, refills. */
void np_connpool_flush(struct np_instance *instance);
/* Client: dials what is missing. */
void np_connpool_fill(struct np_instance *instance);
/* No descriptor is left for a session: closes the newest connection that carries none. False if
 * there is none, or `keep` idle ones at most. */
bool np_connpool_reclaim(struct np_instance *instance, uint32_t keep);
/* Launching side: the oldest idle connection, or NULL. It stays in the pool until released. */
struct np_conn *np_connpool_oldest(struct np_instance *instance);
struct np_conn *np_connpool_next(struct np_instance *instance, struct np_conn *conn);
/* The connection of `id`, idle or not proven, or NULL. */
struct np_conn *np_connpool_find(struct np_instance *instance, uint32_t id);
/* Takes `conn` out of the pool and returns its platform handle and *channel (0 = plain), now the
 * caller's; its replacement is started at once. */
uint32_t np_connpool_take(struct np_conn *conn, uint32_t *channel);
/* It stands still with a TLS buffer that others wait for: closes it. */
void np_conn_on_stall(struct np_conn *conn);
/* Closes `conn`, with its handle. */
void np_conn_close(struct np_conn *conn);
void np_conn_on_event(struct np_conn *conn, uint32_t flags);

/* conn_accept.c. Server: the client has read this id. */
void np_connpool_prove(struct np_instance *instance, uint32_t id);
/* Server: it is known now whether the client will tell its ids. */
void np_connpool_settle(struct np_instance *instance);
/* Server: a connection of the known client; sends its id and files it. */
void np_connpool_insert_accepted(struct np_instance *instance, uint32_t handle);

/* pool_size.c. A connection was taken: the pool may grow. */
void np_connpool_grow(struct np_instance *instance);
/* Timer: one step back towards min. */
void np_connpool_on_shrink(struct np_timer *timer, uint64_t now_ms);

/* conn_secure.c: TLS before the id. Both may close `conn` at once. */
/* Client: connected; the handshake begins. */
void np_conn_secure(struct np_conn *conn);
/* Server: accepted; waits for the first bytes. When too many connections are not through, the
 * oldest of them gives way. */
void np_conn_expect_hello(struct np_conn *conn);
void np_conn_on_secure_event(struct np_conn *conn);
void np_conn_on_secure_timeout(struct np_conn *conn);
/* As np_plat_tcp_recv and np_plat_tcp_peek, through its TLS if it has one (then what was peeked
 * needs no consume and stays). */
int32_t np_conn_recv(struct np_conn *conn, uint8_t *buf, uint32_t cap);
int32_t np_conn_peek(struct np_conn *conn, const uint8_t **span);
/* True if its TLS waits for a buffer. */
bool np_conn_is_starved(const struct np_conn *conn);
/* After an AGAIN of these: READ interest, but not while no buffer is free for its TLS. */
void np_conn_watch(struct np_conn *conn);
/* All of a few bytes on a fresh connection: NP_OK or why not. */
enum np_err np_conn_send(struct np_conn *conn, const uint8_t *buf, uint32_t len);
/* Server: the bytes are the hello of a client that was restarted. */
bool np_conn_is_hello(const struct np_conn *conn, const uint8_t *bytes, uint32_t len);

/* For conn_accept.c: a new one, in no list yet, or NULL with a WARN; files it under its id; it can
 * be used from now on: a kept launch or a waiting visitor may take it. */
struct np_conn *np_conn_acquire(struct np_instance *instance);
void np_conn_insert_id(struct np_conn *conn);
void np_conn_become_idle(struct np_conn *conn);
/* It has an id now: what of a record came with the bytes before counts as early. False if there is
 * no room for it, and `conn` is closed. */
bool np_conn_move_bytes(struct np_conn *conn);
/* For connpool.c: sends the id; may close `conn`. */
void np_conn_send_id(struct np_conn *conn);

/* For conn_secure.c: the handshake is over. */
void np_conn_on_secured(struct np_conn *conn);
/* Client: a connection failed before it was of use. Closes it, says why the first time, waits. */
void np_conn_fail(struct np_conn *conn, const char *cause);

#endif
