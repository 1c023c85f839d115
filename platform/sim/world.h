/* SPDX-License-Identifier: BSD-3-Clause */
/* world: what the files of platform/sim share; nobody else includes it. */
#ifndef NP_PLATFORM_SIM_WORLD_H
#define NP_PLATFORM_SIM_WORLD_H

#include <stddef.h>

#include "platform/np_plat.h"
#include "platform/sim/sim.h"

#define SIM_NONE UINT32_MAX
#define SIM_SCRATCH 65536u /* bytes a peek shows at most */
#define SIM_HOLD 65536u    /* bytes one splice pipe holds */
#define SIM_BLOBS 32u      /* blobs of one host */
#define SIM_NAMES 8u
#define SIM_INDEX_BITS 16u

enum sim_kind { SIM_FREE, SIM_TCP, SIM_LISTENER, SIM_UDP, SIM_QUERY };

/* What a handle stands for; one array a host. */
struct sim_entry {
    uint32_t generation;
    uint8_t kind; /* enum sim_kind */
    bool is_queued;
    uint32_t tag, interest;
    uint32_t next_free;
    struct sim_conn *conn; /* TCP */
    uint32_t side;
    struct sim_port *port;   /* LISTENER, UDP */
    struct sim_query *query; /* QUERY */
};

/* One direction of a connection. Counters run freely: head <= arrived <= sent <= tail. */
struct sim_pipe {
    uint8_t *mem;
    uint32_t cap; /* power of two */
    uint32_t send_buf, recv_buf;
    uint64_t tail, sent, arrived, head;
    uint64_t free_at_us;       /* the wire is busy until then */
    uint64_t last_us;          /* arrival of the last piece under way */
    uint64_t waiting_since_us; /* oldest byte or FIN not yet arrived; NEVER = none */
    uint32_t epoch;            /* pieces of older epochs are void */
    uint32_t retry_us;         /* next retransmission time-out */
    bool is_retrying, is_blocked;
    bool fin, fin_sent, fin_arrived;
};

enum sim_state { SIM_GONE, SIM_CONNECTING, SIM_OPEN, SIM_ORPHAN };

struct sim_end {
    struct np_plat *host;
    uint32_t entry; /* index in the host's table, SIM_NONE while in a backlog or orphaned */
    uint8_t state;  /* enum sim_state */
    enum np_err err;
    struct np_addr local, peer;
    uint32_t keepalive_ms, user_timeout_ms;
    uint64_t heard_us;
    uint32_t rest; /* shown by a peek and not consumed */
    uint8_t *hold; /* splice pipe */
    uint32_t hold_len, hold_off;
    struct sim_conn *hold_to;
};

/* pipe[s] is written by end[s] and read by end[1 - s]. end[0] connected, end[1] accepted. */
struct sim_conn {
    uint32_t index, generation;
    bool is_used, is_blackholed;
    uint32_t syn_tries;
    struct sim_end end[2];
    struct sim_pipe pipe[2];
    struct sim_port *listener; /* end[1] waits there */
    struct sim_conn *next;     /* in the backlog or the free list */
};

struct sim_dgram {
    struct sim_dgram *next;
    uint32_t cap, len;
    struct np_addr from, to;
    uint8_t bytes[];
};

/* A listener or a UDP socket. */
struct sim_port {
    struct np_plat *host;
    uint32_t entry;
    uint8_t kind; /* SIM_LISTENER or SIM_UDP */
    bool is_connected, is_refused;
    struct np_addr local, remote;
    struct sim_conn *first, *last; /* backlog */
    struct sim_dgram *first_dgram, *last_dgram;
    uint32_t count; /* waiting */
    uint32_t keepalive_ms;
    uint64_t quiet_until_us;
    struct sim_port *next; /* of the same host, or free list */
};

struct sim_query {
    char name[256];
    struct np_plat *host;
    uint32_t entry;
    bool is_answered, is_used;
    uint32_t generation;
    struct sim_query *next;
};

struct sim_blob {
    char name[64];
    uint8_t *bytes;
    uint32_t len, cap;
    bool is_used;
};

struct np_plat {
    struct np_sim *sim;
    uint32_t index;
    struct np_sim_host config;
    struct np_sim_trouble trouble;
    struct np_addr ips[NP_SIM_HOST_IPS];
    uint32_t ip_count;
    struct sim_entry *entries;
    uint32_t entry_cap, fresh, free_head, used;
    uint32_t *queue; /* ring of entry indexes that may have events */
    uint32_t queue_head, queue_len;
    struct sim_port *ports;
    struct sim_blob blobs[SIM_BLOBS];
    uint64_t rng[2];
    uint64_t due_us; /* the host wants to run then; NEVER = not by itself */
    bool is_awake, is_woken, is_running, is_dead, is_blocking;
    uint16_t next_port;
    uint64_t spin_ms;
    uint32_t spin_count;
    uint32_t holds_used;
    uint8_t *scratch;
    uint32_t scratch_len;    /* bytes shown, to be spoilt */
    struct sim_conn *peeked; /* a peek waits for its consume */
    uint32_t peeked_side, peeked_len;
};

enum sim_event_kind {
    SIM_EV_CALL,
    SIM_EV_SYN,
    SIM_EV_ACCEPTED,
    SIM_EV_REFUSED,
    SIM_EV_PIECE,
    SIM_EV_RETRY,
    SIM_EV_WINDOW,
    SIM_EV_RST,
    SIM_EV_KEEPALIVE,
    SIM_EV_DGRAM,
    SIM_EV_TOUCH,
    SIM_EV_ANSWER
};

struct sim_event {
    uint64_t at_us, order;
    uint8_t kind, side;
    bool fin;
    uint32_t arg;
    uint32_t generation; /* of conn or query */
    uint64_t upto;       /* PIECE: counter after it */
    void *object;        /* conn, dgram, host, query or context */
    void (*fn)(void *context, uint32_t arg);
};

struct np_sim {
    uint64_t now_us, order, hash;
    uint64_t rng[2];
    struct sim_event *heap;
    uint32_t heap_len, heap_cap;
    struct np_plat *hosts[NP_SIM_HOSTS];
    uint32_t host_count;
    struct np_sim_link links[NP_SIM_HOSTS][NP_SIM_HOSTS];
    struct sim_conn **conns;
    uint32_t conn_count; /* objects made; the first conn_fresh were used since the reset */
    uint32_t conn_fresh, conns_used;
    struct sim_conn *free_conns;
    struct sim_port *free_ports;
    struct sim_query *free_queries;
    struct sim_dgram *free_dgrams;
    uint8_t *free_mem[32]; /* by power of two; the first bytes link */
    struct np_sim_name names[SIM_NAMES];
    uint32_t name_count;
    bool is_verbose, has_failed;
    char failure[256];
};

/* ---- world.c ---- */
uint64_t np_sim_rng_next(uint64_t state[2]);
void np_sim_rng_seed(uint64_t state[2], uint64_t seed);
void np_sim_push(struct np_sim *sim, struct sim_event event);
uint8_t *np_sim_mem_acquire(struct np_sim *sim, uint32_t *cap);
void np_sim_mem_release(struct np_sim *sim, uint8_t *mem, uint32_t cap);
bool np_sim_advance(struct np_sim *sim, uint64_t until_us);

/* ---- host.c ---- */
/* NULL if stale or of another kind (kind 0 = any). Also spoils the last peek. */
struct sim_entry *np_sim_entry(struct np_plat *plat, uint32_t handle, enum sim_kind kind);
struct sim_entry *np_sim_entry_quiet(struct np_plat *plat, uint32_t handle, enum sim_kind kind);
enum np_err np_sim_entry_open(struct np_plat *plat, enum sim_kind kind, uint32_t tag,
                              uint32_t *index);
void np_sim_entry_close(struct np_plat *plat, uint32_t index);
uint32_t np_sim_token(const struct np_plat *plat, uint32_t index);
void np_sim_ready(struct np_plat *plat, uint32_t index);
void np_sim_spoil(struct np_plat *plat);
void np_sim_host_clear(struct np_plat *plat);
bool np_sim_has_ip(const struct np_plat *plat, const struct np_addr *addr);
bool np_sim_same_ip(const struct np_addr *a, const struct np_addr *b);
struct np_plat *np_sim_find_host(struct np_sim *sim, struct np_plat *asker,
                                 const struct np_addr *addr);
/* A local address of the family of `remote`; false: none. */
bool np_sim_pick_ip(const struct np_plat *plat, const struct np_addr *remote,
                    struct np_addr *local);
bool np_sim_plat_chance(struct np_plat *plat, uint32_t p);

/* ---- port.c ---- */
struct sim_port *np_sim_port_find(struct np_plat *plat, enum sim_kind kind,
                                  const struct np_addr *local, const struct np_addr *remote);
enum np_err np_sim_port_open(struct np_plat *plat, enum sim_kind kind, const struct np_addr *local,
                             uint32_t tag, struct sim_port **port);
void np_sim_port_release(struct sim_port *port);
uint16_t np_sim_free_port(struct np_plat *plat, enum sim_kind kind);

/* ---- tcp.c ---- */
void np_sim_tcp_event(struct np_sim *sim, const struct sim_event *event);
void np_sim_tcp_pump(struct np_sim *sim, struct sim_conn *conn, uint32_t side);
void np_sim_tcp_taken(struct np_sim *sim, struct sim_conn *conn, uint32_t side, uint32_t len);
void np_sim_tcp_release(struct np_sim *sim, struct sim_conn *conn, uint32_t side);
void np_sim_tcp_drop(struct np_sim *sim, struct sim_conn *conn, uint32_t side, bool with_reset);
void np_sim_tcp_orphan(struct np_sim *sim, struct sim_conn *conn, uint32_t side);
void np_sim_tcp_fail(struct np_sim *sim, struct sim_conn *conn, uint32_t side, enum np_err err);
void np_sim_tcp_watch(struct np_sim *sim, struct sim_conn *conn, uint32_t side);
struct sim_conn *np_sim_tcp_open(struct np_sim *sim);
void np_sim_tcp_syn(struct np_sim *sim, struct sim_conn *conn);
uint32_t np_sim_tcp_flags(const struct sim_conn *conn, uint32_t side);
uint64_t np_sim_arrival_us(struct np_sim *sim, const struct np_sim_link *link);

/* ---- udp.c, names.c ---- */
void np_sim_udp_event(struct np_sim *sim, const struct sim_event *event);
void np_sim_dgram_release(struct np_sim *sim, struct sim_dgram *dgram);
void np_sim_query_event(struct np_sim *sim, const struct sim_event *event);
void np_sim_query_release(struct np_sim *sim, struct sim_query *query);

#endif
