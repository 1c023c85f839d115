/* SPDX-License-Identifier: BSD-3-Clause */
/* np_plat: the contract between the core and an operating system, a network stack or a simulation.
 *
 * A program links the core with exactly one implementation (posix, lwip, sim). Every function takes
 * the `struct np_plat` that the port made; the core never looks inside. All calls come from the one
 * loop thread, except np_plat_wake. Nothing here calls back into the core: what happens is told by
 * events.
 *
 * Handles   A uint32_t of generation and index; 0 (NP_HANDLE_NONE) is never valid. A handle whose
 *           object was closed is stale: every call on it returns NP_ERR_STALE (or does nothing) and
 *           never reaches a later object. np_plat_poll may deliver, in the batch already returned,
 *           events of handles that the caller closed meanwhile; the caller compares event.handle
 *           with its own.
 * Tags      A uint32_t of the caller's, returned with each event of the handle.
 * Results   >= 0: bytes or items. NP_ERR_AGAIN: try again after an event. NP_ERR_EOF: orderly end.
 *           Any other negative is final for the handle and says why; the first one sticks: later
 *           calls return the same. 0 is never "again": an empty datagram is legal.
 * Events    Level-triggered: READ while there is something to take (data, EOF, a connection, a
 *           datagram, an answer), WRITE while there is room or a connect has been decided, each
 *           only while its bit is in the interest mask. ERROR needs no interest and is delivered
 *           only after all received data was taken; a handle with received data and no READ
 *           interest stays silent.
 * Memory    Everything is sized when the port creates the platform; exhaustion is a normal result
 *           (NP_ERR_NO_HANDLES, NP_ERR_NO_MEMORY) and leaves other handles working.
 *
 * Counted functions: 39.
 */
#ifndef NP_PLATFORM_NP_PLAT_H
#define NP_PLATFORM_NP_PLAT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/err.h"

struct np_plat;

#define NP_HANDLE_NONE 0u

#define NP_EV_READ 1u
#define NP_EV_WRITE 2u
#define NP_EV_ERROR 4u

struct np_event {
    uint32_t handle;
    uint32_t tag;
    uint32_t flags; /* NP_EV_* that hold now */
};

/* ---- loop ------------------------------------------------------------------------------------ */

/* Waits until something happens, `timeout_ms` has passed (0 = look only, UINT32_MAX = for ever) or
 * np_plat_wake was called. Writes up to `cap` events to `events`, at most one a handle; handles
 * that did not fit come first next time. Returns the count, 0 for a time-out or a wake-up, or
 * NP_ERR_IO. */
int32_t np_plat_poll(struct np_plat *plat, struct np_event *events, uint32_t cap,
                     uint32_t timeout_ms);
/* Makes the current or next np_plat_poll return at once. Safe in a signal handler and any thread.
 */
void np_plat_wake(struct np_plat *plat);
/* Sets the interest mask (NP_EV_READ | NP_EV_WRITE; 0 = back-pressure). New handles start with 0.
 */
void np_plat_interest(struct np_plat *plat, uint32_t handle, uint32_t mask);
/* Replaces the tag, for a connection that changes its owner. */
void np_plat_retag(struct np_plat *plat, uint32_t handle, uint32_t tag);

/* ---- TCP ------------------------------------------------------------------------------------- */

/* Listens on `local` (port 0 = any free one; family NONE = all addresses of both families).
 * Connections inherit TCP_NODELAY. Errors: ADDR_IN_USE, ADDR_NOT_LOCAL, ACCESS, NO_HANDLES. */
enum np_err np_plat_tcp_listen(struct np_plat *plat, const struct np_addr *local, uint32_t tag,
                               uint32_t *handle);
/* Takes one waiting connection; *peer is unmapped (an IPv4 visitor is IPv4 on any listener).
 * Returns NP_OK, NP_ERR_AGAIN, NP_ERR_NO_HANDLES (the connection stays queued and READ stays silent
 * for about 100 ms, so that a full table does not spin), or a final error of the listener. */
enum np_err np_plat_tcp_accept(struct np_plat *plat, uint32_t listener, uint32_t tag,
                               uint32_t *handle, struct np_addr *peer);
/* Begins to connect; `source` NULL = the system chooses. NP_OK only means begun. The stack's own
 * time-out may be long or missing: the caller keeps one. */
enum np_err np_plat_tcp_connect(struct np_plat *plat, const struct np_addr *source,
                                const struct np_addr *remote, uint32_t tag, uint32_t *handle);
/* NP_OK connected, NP_ERR_AGAIN not decided (WRITE or ERROR will tell), else why it failed. May be
 * asked right after np_plat_tcp_connect: on a loopback it is often decided at once. */
enum np_err np_plat_tcp_connect_result(struct np_plat *plat, uint32_t handle);

/* Received bytes in place: points *span at them and returns how many (> 0), without taking them.
 * The span is valid until the next call on this platform other than a send, a consume of the same
 * handle or a clock. Every successful peek is followed by one np_plat_tcp_consume (of 0 if nothing
 * was used) before the next peek of any handle. What is not consumed is shown again by the next
 * peek.
 * lwip shows its ring; posix reads into a loop-wide scratch and keeps a rest in a pooled buffer.
 * Returns NP_ERR_AGAIN, NP_ERR_EOF (all data was consumed), or why the connection failed. */
int32_t np_plat_tcp_peek(struct np_plat *plat, uint32_t handle, const uint8_t **span);
/* Takes `len` bytes, at most what the last peek returned. */
void np_plat_tcp_consume(struct np_plat *plat, uint32_t handle, uint32_t len);
/* Copies up to `cap` received bytes to `buf` and takes them. Same results as peek. */
int32_t np_plat_tcp_recv(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap);
/* Gives bytes to the connection: returns how many were taken (>= 1), NP_ERR_AGAIN, or why it
 * failed.
 * len >= 1. Data taken is sent at once (no Nagle delay). */
int32_t np_plat_tcp_send(struct np_plat *plat, uint32_t handle, const uint8_t *buf, uint32_t len);

struct np_span {
    const uint8_t *base;
    uint32_t len; /* bytes */
};
/* As np_plat_tcp_send for `count` (1 to NP_PLAT_SENDV_MAX) spans in order, one call to the stack.
 */
#define NP_PLAT_SENDV_MAX 64u
int32_t np_plat_tcp_sendv(struct np_plat *plat, uint32_t handle, const struct np_span *spans,
                          uint32_t count);
/* Sends FIN after all data given so far. Receiving goes on. Repeating it does nothing. */
void np_plat_tcp_shutdown_tx(struct np_plat *plat, uint32_t handle);
/* Orderly close; data given is still delivered in the background, without the handle. Received
 * bytes that were not taken may turn it into a reset. */
void np_plat_tcp_close(struct np_plat *plat, uint32_t handle);
/* Close with RST; data not yet delivered is lost. */
void np_plat_tcp_abort(struct np_plat *plat, uint32_t handle);
/* Probes an idle connection every `period_ms` (rounded up to what the stack can do; 0 = off). On a
 * listener: for the connections it accepts from now on. */
void np_plat_tcp_keepalive(struct np_plat *plat, uint32_t handle, uint32_t period_ms);
/* Fails the connection with TIMED_OUT when sent data stays unacknowledged for `ms` (0 = the stack's
 * own rule). A stack without it ignores the call. */
void np_plat_tcp_user_timeout(struct np_plat *plat, uint32_t handle, uint32_t ms);
/* Own and far address of a TCP or UDP handle, unmapped. Returns NP_OK or NP_ERR_STALE / INVALID. */
enum np_err np_plat_local(struct np_plat *plat, uint32_t handle, struct np_addr *addr);
enum np_err np_plat_peer(struct np_plat *plat, uint32_t handle, struct np_addr *addr);

/* Optional accelerator: moves up to `max` bytes from the received stream of `from` to `to` without
 * showing them. The core must work without it. */
struct np_splice {
    uint32_t taken;     /* bytes taken from `from` in this call */
    uint32_t given;     /* bytes given to `to` in this call; taken and not given yet is held back */
    uint32_t held;      /* bytes held between the two after this call; > 0: sink is not NP_OK */
    enum np_err source; /* NP_OK, AGAIN (empty now), EOF, or why `from` failed */
    enum np_err sink;   /* NP_OK, AGAIN (full now), or why `to` failed */
};
/* Returns NP_OK with *result filled, NP_ERR_NO_MEMORY (no pipe free, or bytes of `from` are peeked
 * and not consumed: use peek and send; nothing moved) or NP_ERR_UNSUPPORTED. While held > 0 only
 * this function may read `from`, and only towards the same `to`; EOF is reported only when held is
 * 0. Closing `from` drops what is held. */
enum np_err np_plat_tcp_splice(struct np_plat *plat, uint32_t from, uint32_t to, uint32_t max,
                               struct np_splice *result);

/* ---- UDP ------------------------------------------------------------------------------------- */

/* One datagram of a batch. The memory is the caller's. */
struct np_datagram {
    uint8_t *base;
    uint32_t cap;        /* recv: room at base in bytes */
    uint32_t len;        /* of the datagram, also where it is truncated; 0 is legal */
    struct np_addr addr; /* recv: from (unmapped); send: to (ignored by a connected socket) */
    bool truncated;      /* recv: it was longer than cap (or what the platform keeps): no use */
    /* Of a socket that listens on all addresses: the one the datagram was sent to, and has to be
     * sent from so that a visitor takes it for the answer. Same family as addr. A platform that
     * does not know it clears has_local; a connected socket ignores both on sending. */
    bool has_local;
    uint8_t local_ip[16];
};
/* Opens a socket bound to `local` (NULL or family NONE = any address; port 0 = any), connected to
 * `remote` if not NULL. Errors as np_plat_tcp_listen, and UNREACHABLE. */
enum np_err np_plat_udp_open(struct np_plat *plat, const struct np_addr *local,
                             const struct np_addr *remote, uint32_t tag, uint32_t *handle);
/* Receives up to `count` (1 to NP_PLAT_UDP_BATCH) datagrams. Returns how many (>= 1), NP_ERR_AGAIN,
 * NP_ERR_REFUSED (a connected socket's far port is closed; not final), or a final error. Errors
 * that concern single datagrams of an unconnected socket are swallowed. */
#define NP_PLAT_UDP_BATCH 32u
int32_t np_plat_udp_recv(struct np_plat *plat, uint32_t handle, struct np_datagram *batch,
                         uint32_t count);
/* Sends up to `count` datagrams in order. Returns how many were taken (>= 1), NP_ERR_AGAIN (none),
 * NP_ERR_TOO_LONG, NP_ERR_REFUSED, NP_ERR_UNREACHABLE (the first one can't be sent: skip it and go
 * on; not final), or a final error. */
int32_t np_plat_udp_send(struct np_plat *plat, uint32_t handle, const struct np_datagram *batch,
                         uint32_t count);

/* Closes a listener, a UDP socket or a name query (an answer is then never delivered). */
void np_plat_close(struct np_plat *plat, uint32_t handle);

/* ---- names ----------------------------------------------------------------------------------- */

/* Begins to look up `name` (NUL-terminated, 1 to 253 bytes); never blocks. READ interest is
 * implied:
 * one READ event comes when the answer or failure is there. Errors: NO_HANDLES, INVALID. */
enum np_err np_plat_resolve(struct np_plat *plat, const char *name, uint32_t tag, uint32_t *handle);
/* Fetches the answer: up to `cap` addresses in the resolver's order of preference, port 0. Returns
 * the count (>= 1), NP_ERR_AGAIN, NP_ERR_NOT_FOUND, NP_ERR_TIMED_OUT or NP_ERR_IO. Any result but
 * AGAIN closes the handle. */
int32_t np_plat_resolve_result(struct np_plat *plat, uint32_t handle, struct np_addr *addrs,
                               uint32_t cap);

/* ---- clock, entropy, storage, log ------------------------------------------------------------ */

/* Monotonic milliseconds since an arbitrary start; never goes back. */
uint64_t np_plat_now_ms(struct np_plat *plat);
/* Same clock in microseconds, for round trips. */
uint64_t np_plat_now_us(struct np_plat *plat);

struct np_civil { /* local civil time */
    uint16_t year;
    uint8_t month, day, hour, minute, second; /* month 1 to 12, day 1 to 31 */
    uint16_t ms;
};
/* Local wall clock. Returns false if this platform does not know the time (yet). */
bool np_plat_civil_time(struct np_plat *plat, struct np_civil *civil);
/* Seconds since 1970-01-01 UTC, 0 if unknown. */
int64_t np_plat_wall_s(struct np_plat *plat);
/* Fills `buf` with bytes fit for keys: all or NP_ERR_IO, never a weak fallback. */
enum np_err np_plat_random(struct np_plat *plat, uint8_t *buf, uint32_t len);

/* Loads the named blob (posix: a path). Returns its size, NP_ERR_NOT_FOUND, NP_ERR_ACCESS,
 * NP_ERR_TOO_LONG (larger than cap) or NP_ERR_IO. */
int32_t np_plat_blob_load(struct np_plat *plat, const char *name, uint8_t *buf, uint32_t cap);
/* Copies up to `cap` bytes of the named blob from `offset` on, for blobs too large to load. Returns
 * how many (0 = `offset` is its end or beyond), or the errors of np_plat_blob_load. */
int32_t np_plat_blob_read(struct np_plat *plat, const char *name, uint32_t offset, uint8_t *buf,
                          uint32_t cap);
/* Replaces the named blob as a whole: after a crash the old or the new one is there, never a mix.
 * Returns NP_OK, NP_ERR_ACCESS, NP_ERR_NO_SPACE or NP_ERR_IO (the old one is still there). */
enum np_err np_plat_blob_store(struct np_plat *plat, const char *name, const uint8_t *buf,
                               uint32_t len);
/* Gives the named blob another name in the same place, whatever is in it; a blob that had this one
 * is gone. Works on full storage. Returns NP_OK, NP_ERR_NOT_FOUND, NP_ERR_ACCESS, NP_ERR_NO_SPACE,
 * NP_ERR_IO or NP_ERR_UNSUPPORTED (nothing has changed). */
enum np_err np_plat_blob_rename(struct np_plat *plat, const char *name, const char *to);
/* Keeps other processes that call this out of the place of the named blob (posix: its directory)
 * until this one ends. To be called once. Returns NP_OK, NP_ERR_AGAIN (another one has it), or why
 * the place can't be kept, which a platform of one process never does. */
enum np_err np_plat_blob_lock(struct np_plat *plat, const char *name);

/* Figures of the machine and of this process, for the API. What is not known is 0 or empty. */
struct np_figures {
    char arch[12], os[12], name[65]; /* Go's names of architecture and system; host name */
    uint64_t cpu_busy, cpu_all;      /* ticks of all processors since the start of the machine */
    uint64_t mem_total, mem_used, mem_free, swap_total, swap_used, swap_free; /* bytes */
    uint64_t net_rx, net_tx, disk_read, disk_written;                         /* bytes */
    uint64_t uptime_s;                                                        /* of the machine */
    uint64_t process_rss;                                                     /* bytes */
    uint64_t process_cpu_ms;                                                  /* user and system */
    uint32_t process_handles; /* open platform handles */
};
/* Reads files or asks the system; takes less than a millisecond, but is not for every turn. */
void np_plat_figures(struct np_plat *plat, struct np_figures *figures);

/* Takes one finished log line (`len` bytes, ends with a newline). `level` is enum np_log_level, for
 * sinks that have levels of their own. Never blocks for long, never fails visibly. */
void np_plat_log(struct np_plat *plat, uint32_t level, const char *line, uint32_t len);

#endif
