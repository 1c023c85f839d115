/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_priv: the inside of the posix platform.
 *
 * The life of a handle's events. `want` is the caller's interest, `armed` what the kernel watches.
 * They are brought together at the next np_plat_poll only (np_posix_sync), so that a change that is
 * taken back in the same turn, or a handle that does not survive it, costs no system call.
 *
 * The kernel can't be told to keep quiet about an error or a hang-up. A handle that reports one
 * while there is nothing to tell the caller gets the bit QUIET, which takes it out of the kernel's
 * list until the caller changes its interest or takes data.
 */
#ifndef NP_PLATFORM_POSIX_POSIX_PRIV_H
#define NP_PLATFORM_POSIX_POSIX_PRIV_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, splice, recvmmsg, pipe2 */
#endif

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "platform/np_plat.h"
#include "platform/posix/posix.h"
#ifdef NP_POSIX_LEAN
#include "platform/posix/zone.h"
#endif

#define NP_POSIX_NONE UINT32_MAX
#define NP_POSIX_INDEX_BITS 18u
#define NP_POSIX_INDEX_MASK ((1u << NP_POSIX_INDEX_BITS) - 1u)
#define NP_POSIX_GENERATIONS (1u << (32u - NP_POSIX_INDEX_BITS))
/* Events of one kernel call; a poll with a larger cap gets more by its next call. */
#define NP_POSIX_BATCH 256u
/* A listener keeps quiet this long after the descriptor table was full. */
#define NP_POSIX_MUTE_MS 100u

enum np_posix_kind { NP_POSIX_FREE, NP_POSIX_LISTENER, NP_POSIX_TCP, NP_POSIX_UDP, NP_POSIX_QUERY };

enum np_posix_bit {
    NP_POSIX_DIRTY = 1,       /* is in plat->dirty; survives the slot's release */
    NP_POSIX_READY = 2,       /* is in plat->ready: READ holds without the kernel */
    NP_POSIX_QUIET = 4,       /* not watched until something changes */
    NP_POSIX_MUTED = 8,       /* listener in plat->muted */
    NP_POSIX_CONNECTING = 16, /* connect not decided */
    NP_POSIX_SHUT = 32,       /* we sent FIN */
    NP_POSIX_IS_V6 = 64,      /* the socket is of family IPv6 (and may carry IPv4) */
    NP_POSIX_CONNECTED = 128  /* UDP socket with a remote address */
};

/* `armed`: WATCHED together with the NP_EV_* asked for, or 0 */
#define NP_POSIX_WATCHED 0x80u

struct np_posix_handle {
    int32_t fd;
    uint32_t tag;
    uint32_t prev, next; /* in the free, ready or muted list */
    uint32_t extra;      /* TCP: buffer with a rest; query: its job; or NONE */
    uint32_t pipe;       /* TCP: pipe that holds bytes taken from here, or NONE */
    uint16_t generation; /* 1 to NP_POSIX_GENERATIONS - 1 */
    uint8_t kind;        /* enum np_posix_kind */
    uint8_t bits;        /* enum np_posix_bit */
    uint8_t want;        /* NP_EV_READ | NP_EV_WRITE */
    uint8_t armed;
    int8_t rx_end; /* 0, or what the last receiving call returned for good */
    int8_t tx_end; /* 0, or why sending is over */
    int8_t fault;  /* 0, or why the connection failed; received data comes first */
};

struct np_posix_list {
    uint32_t first, last; /* NONE = empty */
    uint32_t count;
};

/* What the kernel reports about one handle. */
struct np_posix_report {
    uint32_t handle; /* 0 = the wake-up */
    uint32_t flags;  /* NP_EV_READ, NP_EV_WRITE, NP_EV_ERROR = error or hang-up */
};

struct np_posix_buffer {
    uint32_t off, len; /* bytes [off, off + len) are the rest */
    uint32_t next;     /* free list */
};

struct np_posix_pipe {
    int32_t rd, wr;
    uint32_t cap;  /* bytes asked for in one call */
    uint32_t held; /* bytes inside */
    uint32_t to;   /* handle they go to */
    uint32_t next; /* free list */
};

struct np_posix_loop;
struct np_posix_udp;
struct np_posix_resolver;

struct np_plat {
    struct np_posix_handle *handles;
    uint32_t handles_cap, handles_fresh, handles_used, handles_free;
    uint32_t *dirty; /* indexes of handles whose watch may have to change */
    uint32_t dirty_count;
    struct np_posix_list ready, muted;
    uint64_t muted_until_ms;
    uint32_t turn; /* alternates who comes first when a poll's cap is small */

    uint8_t *buffer_mem; /* buffers_cap + 1 buffers; one of them is the scratch */
    struct np_posix_buffer *buffers;
    uint32_t buffers_cap, buffer_bytes, buffers_fresh, buffers_free, buffers_used;
    uint32_t scratch;    /* index of the buffer that peek reads into */
    uint32_t peeked;     /* handle whose bytes lie in the scratch, or 0 */
    uint32_t peeked_len; /* bytes shown */
    bool peeked_is_copy; /* the bytes are still in the kernel as well */
    bool is_splice_off;

    struct np_posix_pipe *pipes;
    uint32_t pipes_cap, pipes_fresh, pipes_free, pipes_held, pipes_open;

    struct np_posix_loop *loop;
    struct np_posix_udp *udp;
    struct np_posix_resolver *resolver; /* NULL until the first query */
    uint32_t queries_cap;
    uint64_t query_due_ms; /* when the resolver wants np_posix_resolver_collect; UINT64_MAX = not */
    int32_t wake_fd;

#ifdef NP_POSIX_LEAN
    struct np_zone zone;
#endif
    const char *syslog_ident;
    int32_t syslog_fd; /* -1 = not used */
    int32_t lock_fd;   /* directory kept from other processes, -1 = none */
    uint32_t lines_dropped, lines_dropped_told;
    bool is_log_stuck;

    void *map;
    uint64_t map_bytes;
};

/* ---- handles (posix.c) ----------------------------------------------------------------------- */

/* A fresh handle around `fd` (owned by it from now on), or NULL when the table is full (fd stays
 * the caller's). It is dirty and has no interest. */
struct np_posix_handle *np_posix_acquire(struct np_plat *plat, uint8_t kind, int32_t fd,
                                         uint32_t tag);
/* Closes the descriptor and gives the slot back. */
void np_posix_release(struct np_plat *plat, struct np_posix_handle *h);
/* The slot of `handle` if it is alive and of `kind` (NP_POSIX_FREE = any kind), else NULL. */
struct np_posix_handle *np_posix_get(const struct np_plat *plat, uint32_t handle, uint8_t kind);
uint32_t np_posix_name(const struct np_plat *plat, const struct np_posix_handle *h);
/* The watch of `h` is looked at again before the next wait. */
void np_posix_mark(struct np_plat *plat, struct np_posix_handle *h);
/* Ends QUIET after the caller did something that may matter. */
void np_posix_unquiet(struct np_plat *plat, struct np_posix_handle *h);
/* Puts `h` into plat->ready or takes it out, as its rest and interest say. */
void np_posix_update_ready(struct np_plat *plat, struct np_posix_handle *h);

void np_posix_list_insert(struct np_plat *plat, struct np_posix_list *list,
                          struct np_posix_handle *h);
void np_posix_list_remove(struct np_plat *plat, struct np_posix_list *list,
                          struct np_posix_handle *h);

/* ---- waiting (loop_epoll.c or loop_poll.c) --------------------------------------------------- */

/* Bytes the back end needs for `handles` handles (0 = none). */
uint64_t np_posix_loop_bytes(uint32_t handles);
/* `mem`: zeroed, np_posix_loop_bytes of it. Watches plat->wake_fd. */
bool np_posix_loop_open(struct np_plat *plat, void *mem);
void np_posix_loop_close(struct np_plat *plat);
/* Makes the kernel watch `h` as `armed` says (0 = not at all); h->armed is what it watched so far.
 * Returns false if the kernel has no memory for it now. */
bool np_posix_loop_watch(struct np_plat *plat, struct np_posix_handle *h, uint8_t armed);
/* The descriptor of `h` is about to be closed. */
void np_posix_loop_forget(struct np_plat *plat, struct np_posix_handle *h);
/* Waits up to timeout_ms (-1 = for ever). Returns how many reports it wrote (<= cap), 0 for a
 * time-out or a signal, NP_ERR_IO. */
int32_t np_posix_loop_wait(struct np_plat *plat, struct np_posix_report *reports, uint32_t cap,
                           int32_t timeout_ms);

/* ---- sockets (sock.c) ------------------------------------------------------------------------ */

enum np_err np_posix_err(int error);
/* Writes `addr` as a sockaddr of the socket's family (IPv4 is mapped for an IPv6 socket). Returns
 * its length, 0 if the family does not fit. */
socklen_t np_posix_sockaddr(const struct np_addr *addr, bool is_v6, struct sockaddr_in6 *out);
void np_posix_addr(const struct sockaddr_in6 *in, struct np_addr *addr);
/* A non-blocking socket bound to `local` (NULL = not bound; family NONE = any address of both
 * families) that suits `remote` (NULL = any). Sets *fd and *is_v6. */
enum np_err np_posix_socket(int type, const struct np_addr *local, const struct np_addr *remote,
                            int32_t *fd, bool *is_v6);
void np_posix_set_option(int32_t fd, int level, int name, int value);

/* ---- TCP (tcp.c, tcp_io.c, splice.c) --------------------------------------------------------- */

/* Turns what the kernel reports about a connection into NP_EV_* to deliver; 0 = nothing. */
uint32_t np_posix_tcp_events(struct np_plat *plat, struct np_posix_handle *h, uint32_t flags);
/* Bytes taken from the kernel that the caller has not got yet: a rest or bytes held in a pipe. */
bool np_posix_has_taken(const struct np_plat *plat, const struct np_posix_handle *h);
/* A receiving call got `n` (0 or negative with `error`): returns AGAIN, EOF or the final error, and
 * remembers it. */
enum np_err np_posix_rx_result(struct np_plat *plat, struct np_posix_handle *h, int64_t n,
                               int error);
/* A sending call failed with `error`: the same. */
enum np_err np_posix_tx_result(struct np_posix_handle *h, int error);
/* Turns bytes that were shown and never consumed into a rest. */
void np_posix_settle_peek(struct np_plat *plat);
void np_posix_buffer_release(struct np_plat *plat, struct np_posix_handle *h);
/* Gives the pipe of `h` back; what it holds is lost. */
void np_posix_pipe_drop(struct np_plat *plat, struct np_posix_handle *h);
void np_posix_pipes_close(struct np_plat *plat);

/* Signals wake `plat` no more (port.c). */
void np_posix_forget_signals(const struct np_plat *plat);

/* ---- UDP and names --------------------------------------------------------------------------- */

uint64_t np_posix_udp_bytes(void);
void np_posix_udp_init(struct np_plat *plat, void *mem);
/* Puts handles whose answer came into plat->ready; called after a wake-up and when query_due_ms has
 * come. */
void np_posix_resolver_collect(struct np_plat *plat);
/* The socket of the query `h` has something, if it has one. */
void np_posix_query_input(struct np_plat *plat, struct np_posix_handle *h);
/* Gives up the query of `h`. */
void np_posix_query_cancel(struct np_plat *plat, struct np_posix_handle *h);
uint32_t np_posix_queries_used(const struct np_plat *plat);
void np_posix_resolver_close(struct np_plat *plat);

#endif
