/* SPDX-License-Identifier: BSD-3-Clause */
/* sim: the third implementation of np_plat.h: hosts on a virtual clock, driven by one seed.
 *
 *   sim = np_sim_create()                       once; worlds are reused
 *   np_sim_reset(sim, seed)                     an empty world
 *   host = np_sim_host_open(sim, &config)       a struct np_plat; np_sim_host_addr gives it IPs
 *   np_sim_run(sim, until_us)                   steps the hosts and the network
 *
 * A host's np_plat_poll never waits: it returns what is ready now, or 0 after noting the asked
 * time-out. np_sim_run calls the step function of every host that has something to see, and moves
 * the clock to the next event or time-out when none has. Nothing depends on wall clock or addresses
 * of memory, so one seed always gives the same np_sim_hash.
 *
 * TCP is a pair of byte pipes: sender's buffer, flight, receiver's buffer. A lost piece is sent
 * again after a growing time-out; FIN never overtakes data; RST is sent once and may get lost.
 * The platform watches its user: a breach of the contract of np_plat.h is a failure of the world.
 */
#ifndef NP_PLATFORM_SIM_SIM_H
#define NP_PLATFORM_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/err.h"

struct np_plat;
struct np_sim;

#define NP_SIM_HOSTS 24u    /* hosts of one world */
#define NP_SIM_HOST_IPS 16u /* addresses of one host */
#define NP_SIM_NEVER UINT64_MAX
#define NP_SIM_ALWAYS 65536u /* probability 1 */

/* ---- world ------------------------------------------------------------ */

/* Returns NULL without memory. */
struct np_sim *np_sim_create(void);
void np_sim_destroy(struct np_sim *sim);
/* Forgets everything and starts again at 0 us. */
void np_sim_reset(struct np_sim *sim, uint64_t seed);
/* Runs until the clock shows `until_us` or something failed. Returns false after a failure. */
bool np_sim_run(struct np_sim *sim, uint64_t until_us);
uint64_t np_sim_now_us(const struct np_sim *sim);
/* Random numbers of the world's own stream. `range` >= 1: 0 to range - 1. */
uint64_t np_sim_random(struct np_sim *sim);
uint32_t np_sim_below(struct np_sim *sim, uint32_t range);
/* True with probability p / NP_SIM_ALWAYS. */
bool np_sim_chance(struct np_sim *sim, uint32_t p);
/* Calls `fn` once at `at_us` (not before now). */
void np_sim_at(struct np_sim *sim, uint64_t at_us, void (*fn)(void *context, uint32_t arg),
               void *context, uint32_t arg);

/* Digest of all that happened so far. */
uint64_t np_sim_hash(const struct np_sim *sim);
/* Adds a value to the digest. */
void np_sim_note(struct np_sim *sim, uint64_t value);
/* Prints what happens to stderr. */
void np_sim_set_verbose(struct np_sim *sim, bool is_verbose);
void np_sim_trace(struct np_sim *sim, const struct np_plat *host, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first failure sticks and ends np_sim_run. */
void np_sim_fail(struct np_sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NULL = none so far. */
const char *np_sim_failure(const struct np_sim *sim);

/* ---- hosts ------------------------------------------------------------ */

struct np_sim_host {
    const char *name;
    uint32_t handles;       /* most open handles at a time */
    uint32_t send_buf;      /* bytes a TCP sender may have under way, >= 1 */
    uint32_t recv_buf;      /* bytes a TCP receiver holds, >= 1 */
    uint32_t peek_max;      /* most bytes np_plat_tcp_peek shows, >= 1 */
    uint32_t backlog;       /* connections waiting at one listener; more: the SYN is lost */
    uint32_t udp_queue;     /* datagrams waiting at one socket; more: lost */
    uint32_t udp_max;       /* longest datagram that can be sent */
    uint32_t splice_pipes;  /* 0: np_plat_tcp_splice is unsupported */
    uint32_t wake_delay_us; /* the host runs up to this long after something happened */
    uint32_t partial;       /* probability that a send or peek moves less than it could */
    bool has_wall_clock;
    int64_t wall_offset_s; /* added to the wall clock, which starts on 2026-01-01 */
    uint64_t clock_offset_ms;
    void (*step)(void *context);               /* one turn: calls np_plat_poll at least once */
    void (*log)(void *context, uint32_t level, /* may be NULL */
                const char *line, uint32_t len);
    void *context; /* of step and log */
};
/* Usual values. */
void np_sim_host_defaults(struct np_sim_host *host);
/* Opens a host without addresses; it runs at once. NULL: too many hosts. */
struct np_plat *np_sim_host_open(struct np_sim *sim, const struct np_sim_host *host);
void np_sim_host_addr(struct np_plat *plat, const struct np_addr *ip);
/* Replaces an address; connections of the old one hang. */
void np_sim_host_readdress(struct np_plat *plat, const struct np_addr *from,
                           const struct np_addr *to);
struct np_sim *np_sim_of(const struct np_plat *plat);
/* The limits may change at any time. */
struct np_sim_host *np_sim_host_config(struct np_plat *plat);
uint32_t np_sim_host_handles(const struct np_plat *plat); /* open now */
/* np_plat_poll of this host waits by running the world (for straight-line tests). */
void np_sim_host_set_blocking(struct np_plat *plat, bool is_blocking);

/* The process dies: the system closes its handles. It is not stepped until np_sim_host_start. */
void np_sim_host_kill(struct np_plat *plat);
/* The machine dies: nothing is sent, what arrives is lost until np_sim_host_start. */
void np_sim_host_crash(struct np_plat *plat);
void np_sim_host_start(struct np_plat *plat);
/* Steps the host soon although nothing happened. */
void np_sim_host_touch(struct np_plat *plat);

/* Faults of one host, in force until changed. Probabilities out of NP_SIM_ALWAYS. */
struct np_sim_trouble {
    uint32_t no_memory;   /* TCP connect and UDP open fail with NO_MEMORY */
    uint32_t entropy;     /* np_plat_random fails */
    uint32_t blob_full;   /* np_plat_blob_store fails with NO_SPACE */
    uint32_t blob_io;     /* np_plat_blob_store or load fails with IO */
    uint32_t handle_max;  /* lower ceiling of open handles, 0 = none */
    bool poll_fails;      /* np_plat_poll returns NP_ERR_IO */
    uint16_t busy_tcp[4]; /* ports somebody else holds, 0 = none */
    uint16_t busy_udp[4];
};
struct np_sim_trouble *np_sim_host_trouble(struct np_plat *plat);

/* ---- network ------------------------------------------------------------ */

/* One direction between two hosts. Probabilities out of NP_SIM_ALWAYS. */
struct np_sim_link {
    uint32_t latency_us;   /* >= 0 */
    uint32_t jitter_us;    /* added, 0 to this */
    uint32_t bytes_per_ms; /* of each connection; 0 = no limit */
    uint32_t segment_max;  /* bytes that travel in one piece, >= 1 */
    uint32_t loss;         /* a piece of TCP is lost (and sent again) */
    uint32_t udp_loss, udp_dup;
    uint32_t udp_late; /* a datagram takes up to 20 times the latency, so that others overtake it */
    bool is_down;      /* partition: everything is lost */
};
void np_sim_link_defaults(struct np_sim_link *link);
/* The link from one host to another (may be the same host), to be read or changed. */
struct np_sim_link *np_sim_link(struct np_plat *from, struct np_plat *to);
/* Sets `is_down` both ways; going down starts the keep-alive rule of the connections. */
void np_sim_partition(struct np_plat *a, struct np_plat *b, bool is_down);

/* Faults of connections between two hosts, each connection hit with probability p: */
/* both ends are reset, as a middlebox does; */
uint32_t np_sim_reset_conns(struct np_plat *a, struct np_plat *b, uint32_t p);
/* nothing arrives any more, as after a NAT forgot them. */
uint32_t np_sim_blackhole_conns(struct np_plat *a, struct np_plat *b, uint32_t p);
/* Opens both ends' world view: TCP connections and datagrams that still exist, for leak checks. */
uint32_t np_sim_conns(const struct np_sim *sim);

/* ---- names ------------------------------------------------------------ */

struct np_sim_name {
    char name[64];
    struct np_addr addrs[4];
    uint32_t count;
    uint32_t delay_us;
    enum np_err error; /* NP_OK or what the look-up gives */
    uint32_t queries;  /* asked so far */
};
/* Adds (or finds) a name, to be changed at any time. Others give NOT_FOUND. NULL: table full. */
struct np_sim_name *np_sim_name(struct np_sim *sim, const char *name);

/* Shorthand for 10.x.y.z style literals. */
static inline struct np_addr np_sim_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    struct np_addr addr = {NP_FAMILY_IP4, port, 0, {a, b, c, d}};
    return addr;
}

#endif
