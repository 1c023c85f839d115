/* SPDX-License-Identifier: BSD-3-Clause */
/* lwip_priv: the inside of platform/lwip.
 *
 * One static array a kind of object, one index space over all of them: TCP connections, listeners,
 * UDP sockets, queries. Every object begins with a struct np_lwip_head. np_plat_poll finds events
 * by looking at the state of every open object, so that they are level-triggered by construction.
 *
 * The life of a TCP object:
 *
 *   FREE -connect-> OPEN                     pcb set until lwIP frees it or both directions ended
 *   FREE -visitor-> PENDING -accept-> OPEN   its ring fills while it waits
 *   OPEN -close-> FREE                       the pcb lives on as an orphan, without callbacks
 *
 * lwIP frees a pcb without a word once both directions have ended (TIME_WAIT, LAST_ACK). So the
 * object lets go of it at the moment the second direction ends; what was sent before is delivered
 * by lwIP alone.
 */
#ifndef NP_PLATFORM_LWIP_LWIP_PRIV_H
#define NP_PLATFORM_LWIP_LWIP_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/log.h"
#include "platform/lwip/np_lwip_sizes.h"
#include "platform/lwip/np_plat_lwip.h"
#include "platform/np_plat.h"
#include <lwip/ip_addr.h>
#include <lwip/netif.h>

struct pbuf;
struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;

#define NP_LWIP_MUTE_MS 100u /* a listener keeps quiet this long after a table was full */
#define NP_LWIP_NONE 0xffffu

enum np_lwip_kind {
    NP_LWIP_ANY,
    NP_LWIP_IS_TCP,
    NP_LWIP_IS_LISTENER,
    NP_LWIP_IS_UDP,
    NP_LWIP_IS_QUERY
};

/* First index of each kind. */
#define NP_LWIP_AT_LISTENER NP_LWIP_TCP
#define NP_LWIP_AT_UDP (NP_LWIP_AT_LISTENER + NP_LWIP_LISTENERS)
#define NP_LWIP_AT_QUERY (NP_LWIP_AT_UDP + NP_LWIP_UDP)
#define NP_LWIP_OBJECTS (NP_LWIP_AT_QUERY + NP_LWIP_QUERIES)
_Static_assert(NP_LWIP_OBJECTS < NP_LWIP_NONE, "a handle has 16 bits for the index");

enum np_lwip_state { NP_LWIP_FREE, NP_LWIP_PENDING, NP_LWIP_OPEN };

struct np_lwip_head {
    uint32_t tag;
    uint16_t generation; /* 1 to 65535 while open */
    uint8_t state;       /* enum np_lwip_state; PENDING only for TCP */
    uint8_t want;        /* NP_EV_READ | NP_EV_WRITE */
};

enum np_lwip_bit {
    NP_LWIP_CONNECTED = 1,
    NP_LWIP_GOT_FIN = 2,     /* no more bytes will come */
    NP_LWIP_EOF_TOLD = 4,    /* the user was told the end or the fault by a receiving call */
    NP_LWIP_SHUT = 8,        /* we sent FIN */
    NP_LWIP_TX_BLOCKED = 16, /* tcp_write found no memory at blocked_at */
    NP_LWIP_IS_REFUSED = 32  /* UDP: the far port is closed, not told yet */
};

struct np_lwip_tcp {
    struct np_lwip_head head;
    struct tcp_pcb *pcb; /* NULL: freed by lwIP or let go */
    struct np_addr local, peer;
    uint32_t ring_at, ring_used; /* bytes [ring_at, ring_at + ring_used) of its ring, wrapping */
    uint32_t blocked_at;         /* plat->room_count then */
    uint32_t user_timeout_ms;    /* 0 = none */
    uint64_t since_ms;           /* connect begun, or last sign that sent bytes arrive */
    uint16_t listener;           /* PENDING: index of the listener */
    uint16_t order;              /* PENDING: who came first */
    uint8_t bits;                /* enum np_lwip_bit */
    int8_t fault;                /* 0, or why the connection failed */
};

struct np_lwip_listener {
    struct np_lwip_head head;
    struct tcp_pcb *pcb;
    struct np_addr local;
    uint64_t quiet_until_ms;
    uint32_t keepalive_ms;
};

struct np_lwip_datagram {
    struct np_addr from;
    uint8_t to_ip[16];
    uint16_t next; /* in its socket's queue or the free list, NONE = last */
    uint16_t len;  /* also where NP_LWIP_DATAGRAM_BYTES hold the start of it only */
};

struct np_lwip_udp {
    struct np_lwip_head head;
    struct udp_pcb *pcb;
    struct np_addr local, remote; /* remote.family NONE = not connected */
    uint16_t first, last, count;  /* datagrams that wait */
    uint8_t bits;
};

struct np_lwip_query {
    struct np_lwip_head head;
    struct np_addr addrs[2];
    uint64_t begun_ms, first_ms; /* first_ms: when the first answer came */
    uint8_t count, waiting;      /* answers there, answers to come */
    int8_t error;                /* if there are none */
};

struct np_plat {
    struct np_lwip_tcp tcp[NP_LWIP_TCP];
    struct np_lwip_listener listeners[NP_LWIP_LISTENERS];
    struct np_lwip_udp udp[NP_LWIP_UDP];
    struct np_lwip_query queries[NP_LWIP_QUERIES];
    struct np_lwip_datagram datagrams[NP_LWIP_DATAGRAMS];
    uint32_t handles_used, handles_cap;
    uint32_t look_at;    /* object that the next poll looks at first */
    uint32_t room_count; /* grows whenever memory for sending may have become free */
    uint16_t datagrams_free;
    uint16_t pending_count, pending_order;
    volatile bool is_woken;
    bool is_open, has_link, is_link_up, is_address_told;
    bool is_full; /* no more visitors fit */
    struct netif netif;
    struct raw_pcb *icmp4, *icmp6;
    struct np_lwip_config config;
    struct np_log log;
    uint64_t start_us, idle_us, next_watch_ms;
    struct np_lwip_stats stats;  /* what this platform counts itself */
    struct np_lwip_stats warned; /* what the log has told */
};

extern struct np_plat np_lwip_plat;
extern uint8_t np_lwip_rings[NP_LWIP_TCP][NP_LWIP_WND];
extern uint8_t np_lwip_datagram_mem[NP_LWIP_DATAGRAMS][NP_LWIP_DATAGRAM_BYTES];

/* ---- objects (objects.c) --------------------------------------------------------------------- */

/* Object by index. */
struct np_lwip_head *np_lwip_head_at(struct np_plat *plat, uint32_t index);
enum np_lwip_kind np_lwip_kind_at(uint32_t index);
uint32_t np_lwip_index(const struct np_plat *plat, const struct np_lwip_head *head);
uint32_t np_lwip_name(const struct np_plat *plat, const struct np_lwip_head *head);
/* The open object of `handle` if it is of `kind` (ANY = every kind), else NULL. */
struct np_lwip_head *np_lwip_get(struct np_plat *plat, uint32_t handle, enum np_lwip_kind kind);
/* A free object of `kind`, not yet open; NULL if none is free or the user has all handles. */
struct np_lwip_head *np_lwip_find_free(struct np_plat *plat, enum np_lwip_kind kind);
/* Gives it a new handle. */
uint32_t np_lwip_open_head(struct np_plat *plat, struct np_lwip_head *head, uint32_t tag);
void np_lwip_release(struct np_plat *plat, struct np_lwip_head *head);
uint32_t np_lwip_tcp_free(const struct np_plat *plat);

/* ---- addresses (address.c) ------------------------------------------------------------------- */

/* NONE gives IP_ANY_TYPE. */
void np_lwip_to_ip(ip_addr_t *ip, const struct np_addr *addr);
void np_lwip_from_ip(struct np_addr *addr, const ip_addr_t *ip, uint16_t port);
bool np_lwip_is_any(const struct np_addr *addr);
/* True if an interface has it. */
bool np_lwip_is_local(const struct np_addr *addr);
/* The own address that packets to `remote` carry; false if there is no way. */
bool np_lwip_pick_local(const struct np_addr *remote, struct np_addr *local);
/* lwIP's result in our words. */
enum np_err np_lwip_err(int err);

/* ---- parts ----------------------------------------------------------------------------------- */

/* Events that hold now, whatever the interest (events of it are masked by the caller). */
uint32_t np_lwip_tcp_events(const struct np_plat *plat, const struct np_lwip_tcp *t);
uint32_t np_lwip_listener_events(const struct np_plat *plat, const struct np_lwip_listener *l,
                                 uint64_t now_ms);
uint32_t np_lwip_query_events(const struct np_lwip_query *q, uint64_t now_ms);

/* Lets as many visitors come as have a place. */
void np_lwip_tcp_admit(struct np_plat *plat);
/* Own time-outs of connections, a few times a second. */
void np_lwip_tcp_tick(struct np_plat *plat, uint64_t now_ms);
/* Callbacks of a connection that belongs to the object. */
void np_lwip_tcp_attach(struct np_lwip_tcp *t, struct tcp_pcb *pcb);
/* Lets go of the pcb; it ends by itself within NP_LWIP_ORPHAN_MS. */
void np_lwip_tcp_orphan(struct np_lwip_tcp *t);
/* The far end is reported unreachable while a connect waits. */
void np_lwip_tcp_fail(struct np_lwip_tcp *t, enum np_err err);
void np_lwip_listener_close(struct np_plat *plat, struct np_lwip_listener *l);

void np_lwip_udp_init(struct np_plat *plat);
void np_lwip_udp_close(struct np_plat *plat, struct np_lwip_udp *u);
bool np_lwip_icmp_open(struct np_plat *plat);
void np_lwip_icmp_close(struct np_plat *plat);

/* Adds the interface; false if the board's link or lwIP refuses. */
bool np_lwip_link_open(struct np_plat *plat);
/* Name servers that were given; DHCP puts its own in their place at each answer. */
void np_lwip_link_use_servers(const struct np_plat *plat);
void np_lwip_link_close(struct np_plat *plat);
/* Takes frames from the board, a bounded number. True: more may wait. */
bool np_lwip_link_step(struct np_plat *plat);

/* Runs lwIP's timers that are due. Returns when the next one is, in ms. */
void np_lwip_timers_init(uint64_t now_ms);
uint64_t np_lwip_timers_step(struct np_plat *plat, uint64_t now_ms);
/* Tells the log what went wrong since the last look. */
void np_lwip_watch(struct np_plat *plat, uint64_t now_ms);

#endif
