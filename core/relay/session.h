/* SPDX-License-Identifier: BSD-3-Clause */
/* session: a visitor and its target, as two legs with a flow each way (protocol.md 7).
 *
 *   leg 0 "down"  the local side: the visitor, or the target when the visitor is at the tunnel peer
 *   leg 1 "up"    the pool connection; in single-end mode the target
 *   flow d        from leg d to leg 1 - d
 *
 *   EXPECT_CONN (visitor waits for a pool connection) -> RELAYING
 *   EXPECT_TARGET (target is being dialled)           -> RELAYING -> released
 *
 * A UDP visitor has no socket of its own: leg 0 is NONE and the datagrams go through the UDP door.
 */
#ifndef NP_CORE_RELAY_SESSION_H
#define NP_CORE_RELAY_SESSION_H

#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/relay/flow.h"
#include "core/tunnel/name.h"
#include "core/wire/dialect.h"

struct np_conn;
struct np_instance;

enum np_session_state { NP_SESSION_EXPECT_CONN, NP_SESSION_EXPECT_TARGET, NP_SESSION_RELAYING };

/* Datagrams over the session's pool connection (session_udp.c). */
struct np_udp_link {
    uint32_t next_by_visitor; /* index + 1 of the next in its bucket */
    struct np_node lru;       /* instance->udp_lru */
    struct np_name_waiter waiter;
    uint32_t out, in; /* pool handles of pending buffers: to the pool connection, from it */
    uint32_t out_len, out_sent, in_len; /* bytes */
    uint32_t in_skip;                   /* bytes still to come of a frame that is too long */
    bool is_framed;                     /* protocol.md 9.1 */
    bool is_hashed;                     /* the visitor is on this side, found by its address */
    bool has_answer;                    /* our socket to the target has received something ... */
    uint8_t target_at;                  /* ... from this one of the target's addresses */
    bool has_local;                     /* answers go out from local_ip, see np_datagram */
    uint8_t local_ip[16];
};

struct np_session {
    struct np_instance *instance;
    uint32_t self; /* pool handle */
    uint8_t state; /* enum np_session_state */
    bool is_udp;
    bool has_conn_id; /* conn_id is set */
    uint32_t legs[2]; /* platform handles */
    uint32_t channel; /* pool handle of the TLS on leg 1, 0 = plain */
    uint32_t dial;
    uint32_t conn_id;      /* the id its pool connection had */
    uint64_t active_ms;    /* when bytes moved last */
    struct np_node node;   /* instance->sessions */
    struct np_node queue;  /* instance->waiting */
    struct np_timer timer; /* wait for a connection; idle limit */
    bool is_unproven;      /* server: the first bytes from the pool connection may be a hello */
    uint32_t era;          /* of the control connection it was launched with */
    struct np_node doubt;  /* instance->doubts: they look like one ... */
    uint64_t proof_pongs;  /* ... until the client has answered so many pings */
    struct np_addr visitor;
    struct np_flow flows[2];
    struct np_udp_link udp;
};

/* A TCP visitor was accepted; takes `handle`. Refuses (reset) when no slot is free. */
void np_session_open_visitor(struct np_instance *instance, uint32_t handle,
                             const struct np_addr *visitor);
/* Launching side: the session's connection is there. Takes `conn`. */
void np_session_attach_conn(struct np_session *session, struct np_conn *conn, bool is_framed);
/* Target side: relay `conn` to our target, for the visitor named in `signal`. Takes `conn`. */
void np_session_open_target(struct np_conn *conn, const struct np_signal *signal);
void np_session_on_event(struct np_session *session, uint32_t leg, uint32_t handle, uint32_t flags);
/* Server that launches: true if what comes from the pool connection is the session's. While it may
 * be the hello of a restarted client (protocol.md 6) it stays unread until np_session_resume; the
 * session is ended if nobody is left who could tell. */
bool np_session_has_proof(struct np_session *session);
/* The client has answered a ping: sessions whose doubt that ends go on. */
void np_session_resume(struct np_instance *instance);
/* Ends it: reset towards both sides, all it holds is released. `err` is the cause for the log. */
void np_session_abort(struct np_session *session, enum np_err err);
/* Both directions ended in order. */
void np_session_finish(struct np_session *session);
/* The session that runs over the pool connection that had `id`, or NULL. */
struct np_session *np_session_find(struct np_instance *instance, uint32_t id);
/* Something moved: puts off the idle limit. */
void np_session_touch(struct np_session *session);

/* For session_tcp.c and session_udp.c: a new session in `state`, counted and listed, or NULL with a
 * WARN. */
struct np_session *np_session_acquire(struct np_instance *instance, bool is_udp,
                                      enum np_session_state state);
/* True if a slot is free, or became free because a UDP session unused for long gave way: to a
 * new UDP session, and to TCP while UDP holds more than half. Logs a WARN if not. */
bool np_session_reserve_slot(struct np_instance *instance, bool is_udp);
/* The idle limit starts now. */
void np_session_start_relay(struct np_session *session);

/* READ on the UDP door. */
void np_udp_on_door(struct np_instance *instance);
/* Parts of the life of a UDP session; called by session.c. */
void np_udp_attach_conn(struct np_session *session, bool is_framed);
void np_udp_open_target(struct np_session *session);
void np_udp_on_event(struct np_session *session, uint32_t leg, uint32_t flags);
void np_udp_release(struct np_session *session);
/* Closes the least recently used UDP session; false if there is none. */
bool np_udp_reclaim(struct np_instance *instance);

/* TCP parts, called by session.c. */
void np_tcp_start_relay(struct np_session *session);
void np_tcp_on_event(struct np_session *session, uint32_t leg, uint32_t flags);

#endif
