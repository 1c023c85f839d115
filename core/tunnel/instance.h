/* SPDX-License-Identifier: BSD-3-Clause */
/* instance: one URL at work: role, doors, control connection, pool, sessions, counters.
 *
 *                      +--------------- cooling <-----------------+
 *                      v                                          | np_instance_fail
 *   start -> EXPECT_MODE -> EXPECT_DOORS -+-> single-end: UP -----+
 *            (auto: bind    (bind what    +-> server: EXPECT_CLIENT -> UP -+
 *             decides once)  is needed)   |      ^-------------------------+ client lost
 *                                         +-> client: EXPECT_SERVER -> EXPECT_ANSWER -> UP
 *                                                     (forward: the look-up of its doors is
 *                                                     in EXPECT_ANSWER)
 *   np_instance_stop: any -> DRAINING -> STOPPED
 *
 * Sessions live on while the control connection is down; visitors that come meanwhile wait up to
 * NP_POOL_GET_TIMEOUT.
 */
#ifndef NP_CORE_TUNNEL_INSTANCE_H
#define NP_CORE_TUNNEL_INSTANCE_H

#include "config/settings.h"
#include "core/base/backoff.h"
#include "core/base/log.h"
#include "core/base/rate.h"
#include "core/tunnel/channel.h"
#include "core/tunnel/connpool.h"
#include "core/tunnel/control.h"
#include "core/tunnel/name.h"

struct np_app;

enum np_instance_state {
    NP_INSTANCE_IDLE,
    NP_INSTANCE_EXPECT_DOORS,  /* name look-up and bind; auto mode is decided here */
    NP_INSTANCE_COOLING,       /* waits before the next attempt */
    NP_INSTANCE_EXPECT_CLIENT, /* server: no client has proved the key */
    NP_INSTANCE_EXPECT_SERVER, /* client: dials the control connection */
    NP_INSTANCE_EXPECT_ANSWER, /* client: hello sent */
    NP_INSTANCE_UP,
    NP_INSTANCE_DRAINING,
    NP_INSTANCE_STOPPED
};

/* Places that may repeat themselves in the log. */
enum np_site {
    NP_SITE_ACCESS_DENIED,
    NP_SITE_HANDSHAKE_TIMEOUT,
    NP_SITE_FOREIGN_POOL,
    NP_SITE_SLOTS,
    NP_SITE_POOL_GET,
    NP_SITE_ACCEPT,
    NP_SITE_SIGNAL,
    NP_SITE_TARGET,
    NP_SITE_POOL_DIAL,
    NP_SITE_POOL_BACK,
    NP_SITE_LAUNCH,
    NP_SITE_ENCODE,
    NP_SITE_UDP_DROP,
    NP_SITE_NAME,
    NP_SITE_RESTART,
    NP_SITE_BIND,
    NP_SITE_UDP_BIND,
    NP_SITE_MEMORY,
    NP_SITE_FLUSH,
    NP_SITE_GREETS,
    NP_SITE_UDP_RECLAIM,
    NP_SITE_RECLAIM,
    NP_SITE_TLS,
    NP_SITE_STALLED,
    NP_SITE_TAKEN_OVER,
    NP_SITE_RELOAD,
    NP_SITE_HANDSHAKED,
    NP_SITE_KEY
};

/* Visitors come in here. */
struct np_door {
    uint32_t tcp, udp; /* platform handles */
};

struct np_counters {
    uint64_t tcp_rx, tcp_tx, udp_rx, udp_tx; /* bytes at the local side */
    uint64_t udp_dropped;                    /* datagrams that could not be passed on */
    uint32_t tcp_sessions, udp_sessions;     /* open now */
    uint32_t restarts, dials;
};

struct np_instance {
    struct np_app *app;
    uint32_t index;
    const struct np_settings *settings; /* NULL = a free slot */
    struct np_log log;
    uint8_t state;          /* enum np_instance_state */
    bool is_leaving;        /* its slot is free when it is stopped (np_slots) */
    uint8_t tls;            /* of pool connections: 0, 1, 2; a client learns it from the answer */
    uint8_t mode;           /* 0 until decided, then 1 or 2: config.md 2 */
    char flow;              /* 's' single-end, '-', '+', '?' not known yet */
    bool is_resting;        /* the log is silent about the fault */
    enum np_err fault;      /* why it can't do its work now, NP_OK = it can or has not tried */
    const char *fault_text; /* what failed with that */
    bool was_bound;         /* first attempt at the doors is over */
    bool said_weak_key;
    uint8_t quick_welcomes; /* server: handshakes in a row, each soon after the one before */
    bool quick_retry_used;  /* see client.c */
    uint64_t up_ms;         /* since when it is up */
    uint8_t name_use;       /* whose list `waiter` is in: 0 tunnel, 1 target */
    uint32_t tunnel_door;   /* server: platform handle */
    struct np_door door;
    struct np_name tunnel, target;
    struct np_name_waiter waiter;
    struct np_control control;
    struct np_connpool pool;
    uint32_t records_held[NP_SHARES];
    struct np_secure *secure;     /* what its TLS connections share; NULL = never any */
    struct np_list waiting;       /* sessions without a connection */
    struct np_list launches;      /* kept launches */
    struct np_list greets;        /* server: connections before the proof, oldest first */
    struct np_list udp_lru;       /* UDP sessions, least recently used first */
    struct np_list sessions;      /* all of them */
    struct np_list doubts;        /* sessions that wait for a sign of life of the client */
    struct np_list rate_queue[2]; /* flows that wait for tokens: 0 from local, 1 to local */
    struct np_rate rate[2];
    struct np_counters counters;
    uint32_t dial;         /* client: control connection being dialled */
    uint32_t hello_handle; /* client: connection waiting for the answer */
    uint32_t probe_dial;   /* single-end: connect time of the target */
    uint64_t probe_us;
    struct np_backoff cooldown;
    struct np_timer timer; /* cooling, answer deadline, drain deadline */
    struct np_timer report;
    struct np_timer udp_retry; /* UDP door busy */
    struct np_timer rate_timer;
};

void np_instance_init(struct np_instance *instance, struct np_app *app, uint32_t index,
                      const struct np_settings *settings, bool color);
void np_instance_start(struct np_instance *instance);
/* Graceful stop; a second call ends the drain at once. */
void np_instance_stop(struct np_instance *instance);
/* Stops at once: no drain. */
void np_instance_end(struct np_instance *instance);
/* Ends all at once, silently. */
void np_instance_deinit(struct np_instance *instance);
/* The tunnel or a door failed: says why, cools down, starts again. */
void np_instance_fail(struct np_instance *instance, enum np_err err, const char *what);
/* Where a door is to be bound: NP_OK: known. AGAIN: `ready` is called when it is. Else why not. */
enum np_err np_instance_want_name(struct np_instance *instance, struct np_name *name,
                                  void (*ready)(struct np_name_waiter *waiter, enum np_err err));
/* Changes the state; logs old -> new at debug. */
void np_instance_set_state(struct np_instance *instance, enum np_instance_state state);
/* A session has ended (drain may be over). */
void np_instance_on_session_end(struct np_instance *instance);
/* Local side listens: single-end client, reverse server, forward client. */
bool np_instance_has_visitors(const struct np_instance *instance);
bool np_instance_is_single(const struct np_instance *instance);
/* Sessions it may have: slot=, or what a ceiling on memory left. */
uint32_t np_instance_slots(const struct np_instance *instance);
/* True if a session more fits below that; logs a WARN if not. */
bool np_instance_has_slot(struct np_instance *instance);

/* np_err_text for the log, with what a user can do something about said in full. */
const char *np_cause_text(enum np_err err);

#endif
