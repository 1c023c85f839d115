/* SPDX-License-Identifier: BSD-3-Clause */
/* channel: TLS over one pool connection, between its platform handle and what is relayed.
 *
 *   open -> np_channel_step until it says NP_OK -> peek / consume, room / seal / flush -> close
 *
 * A plain pool connection has no channel; its owner then talks to the platform handle itself.
 * Received bytes stay in a pooled buffer only while part of a record, or data that the far side has
 * not taken yet, is there; bytes to send stay in another while the socket is full. An idle channel
 * holds neither. When it may take no buffer, a call says NP_ERR_AGAIN and the channel's owner is
 * called as soon as it may, as if READ and WRITE had happened (app->deferred).
 *
 * Who may hold buffers: each use has a share of them (enum np_channel_share) and never more, so
 * that no crowd of one kind takes what another needs. A share that is full while others wait for it
 * takes back: of the instance that holds most of it, whoever has moved no byte for longest is
 * closed, sessions after NP_STALL_MS, others after NP_STALL_SHORT_MS.
 */
#ifndef NP_CORE_TUNNEL_CHANNEL_H
#define NP_CORE_TUNNEL_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/np_config.h"
#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/tls/tls.h"

struct np_app;
struct np_instance;

enum np_channel_way { NP_CHANNEL_IN, NP_CHANNEL_OUT }; /* bytes received, bytes to send */

/* What a buffer is held for. All but a quarter and an eighth is for sessions, one half for each
 * way: if one way could take all, sessions that talk both ways would wait for each other. */
enum np_channel_share {
    NP_SHARE_IN,        /* sessions, bytes received */
    NP_SHARE_OUT,       /* sessions, bytes to send */
    NP_SHARE_HANDSHAKE, /* pool connections on their way into the pool: a quarter, 2 at least */
    NP_SHARE_IDLE,      /* those that are in it, and the master's API: an eighth, 2 at least */
    NP_SHARES
};
/* Buffers of a share if there are `count` in all. */
uint32_t np_channel_share_cap(uint32_t count, enum np_channel_share share);

struct np_channel {
    struct np_instance *instance;
    uint32_t self;              /* pool handle */
    uint32_t handle;            /* platform handle; the owner's to close */
    uint32_t scratch;           /* pool handle of the handshake's memory, 0 = none */
    uint32_t buffers[2];        /* by np_channel_way: pool handles, 0 = none */
    uint32_t in_at, in_len;     /* bytes of the one received to: done with, there in all */
    uint32_t data_at, data_len; /* opened and not consumed, inside the same */
    uint32_t out_sent, out_len; /* bytes of the one to send: sent, there in all */
    uint32_t owner_tag;         /* the tag of `handle`, to call the owner without an event */
    bool has_record;            /* data_at, data_len are set (data_len 0: an empty record) */
    uint8_t shares[2];          /* by way: enum np_channel_share that the buffer is of */
    uint8_t waits_for;          /* bits of ways: deferred until a buffer is free, 0 = a turn only */
    struct np_node holder;      /* app->holders: has a buffer, longest without progress first */
    uint64_t moved_ms;          /* when bytes of its buffers moved last */
    struct np_node deferred;    /* app->deferred: its owner is called without an event */
    struct np_tls tls;
};

/* Begins a handshake over `handle`; nothing is sent before the first step. Returns NP_OK and
 * *channel (pool handle), NP_ERR_NO_MEMORY (too many channels, or handshakes in flight), or what
 * the entropy failed with. */
enum np_err np_channel_open(struct np_instance *instance, enum np_tls_role role, uint32_t handle,
                            uint32_t *channel);
struct np_channel *np_channel_get(const struct np_app *app, uint32_t channel);
/* True if `channel` (pool handle) is one, so that its connection is TLS. A build without TLS knows
 * that there is none, and leaves out what would follow. */
static inline bool np_channel_is_set(uint32_t channel)
{
    return NP_HAS_TLS != 0 && channel != 0;
}
/* Goes on with the handshake. NP_OK: open. NP_ERR_AGAIN: wait (np_channel_interest). NP_ERR_EOF or
 * another error of the connection; NP_ERR_AUTH or NP_ERR_PROTOCOL: the handshake failed,
 * np_channel_describe tells why (an alert was sent). */
enum np_err np_channel_step(struct np_channel *channel);
/* What to watch the platform handle for, if the owner `wants` that much: READ not while no
 * buffer is free, WRITE when something is left to send. */
uint32_t np_channel_interest(const struct np_channel *channel, uint32_t wants);
/* One line for the log, without a newline: why it failed. */
void np_channel_describe(const struct np_channel *channel, char *out, uint32_t cap);

/* Opened bytes of one record, in place, in *data; 0 is an empty record (a datagram). They stay
 * until np_channel_consume took all of them (an empty one: consume of 0). Returns the length,
 * AGAIN, EOF, or why the channel failed. */
int32_t np_channel_peek(struct np_channel *channel, uint8_t **data);
/* After a peek that returned a length: opens what other records are whole in the buffer and joins
 * their bytes to the data of that peek, for a stream (one send for several records). Returns the
 * length of all; np_channel_consume may take a part. */
int32_t np_channel_gather(struct np_channel *channel);
void np_channel_consume(struct np_channel *channel, uint32_t len);
/* Its owner stops reading although bytes may be here that no event of the platform will tell of:
 * calls it again in the next turn. */
void np_channel_defer(struct np_channel *channel);

/* Room for the payload of one record: *payload, and how many bytes fit. 0: flush first. Or
 * NP_ERR_AGAIN (no buffer is free). */
int32_t np_channel_room(struct np_channel *channel, uint8_t **payload);
/* Makes a record of the `len` bytes at the last room's payload; it goes out with the next flush.
 * Returns NP_OK or why not. */
enum np_err np_channel_seal(struct np_channel *channel, uint32_t len);
/* Sends what is due. NP_OK all is sent, NP_ERR_AGAIN, or why the connection failed. */
enum np_err np_channel_flush(struct np_channel *channel);
/* One payload (a datagram) as one record, sent or kept: NP_OK, AGAIN (no room) or why not. */
enum np_err np_channel_send(struct np_channel *channel, const uint8_t *base, uint32_t len);
/* Ends our direction. NP_OK once close_notify is sent, NP_ERR_AGAIN: flush again later. */
enum np_err np_channel_close_tx(struct np_channel *channel);

/* Wipes and gives back all it holds; the platform handle is still the owner's. A stale or zero
 * handle does nothing. */
void np_channel_release(struct np_app *app, uint32_t channel);
/* Its owner is another now: received bytes that it holds are of that one's share. False if there is
 * no room, and they stay where they are. */
bool np_channel_move(struct np_channel *channel);
/* Channels wait for buffers: closes those who have stalled with one. Called by a timer. */
void np_channel_on_starved(struct np_timer *timer, uint64_t now_ms);
/* True if it waits for a buffer: nothing can be read or sent for it now. */
bool np_channel_is_starved(const struct np_channel *channel);
/* The next deferred channel that can go on, taken off the list, or NULL. */
struct np_channel *np_channel_next_deferred(struct np_app *app);
/* True if np_channel_next_deferred has one. */
bool np_channel_has_deferred(const struct np_app *app);

#endif
