/* SPDX-License-Identifier: BSD-3-Clause */
/* control: the control connection after the handshake: lines in, signals out (protocol.md 4).
 *
 * Signals are collected and sent at the end of the loop's turn, so that many launches are one
 * packet.
 */
#ifndef NP_CORE_TUNNEL_CONTROL_H
#define NP_CORE_TUNNEL_CONTROL_H

#include "config/np_config.h"
#include "core/base/list.h"
#include "core/wire/dialect.h"

#define NP_CONTROL_MAX_BAD 8u /* messages in a row that do not parse */

struct np_instance;

struct np_control {
    uint32_t handle; /* platform handle, NONE = no control connection */
    uint32_t era;    /* control connections so far */
    struct np_addr local, peer;
    uint32_t extensions; /* agreed with the peer: NP_DIALECT_EXT_* */
    bool is_ext_open;    /* offered, and no message has come: the first may be the reply */
    uint32_t bad_run;    /* messages in a row that did not parse */
    uint64_t bad_count;
    bool has_heard;                  /* a message that parses */
    uint64_t heard_ms;               /* when something was received last */
    uint64_t pinged_us;              /* when the ping in flight was sent, 0 = none */
    uint64_t ping_count, pong_count; /* sent and answered, in order */
    uint32_t ping_ms;                /* last round trip */
    bool is_blocked;                 /* waits for room to send */
    struct np_node dirty;            /* in app->dirty_controls while out holds something to send */
    struct np_line_decoder in;
    uint32_t out_len;
    uint8_t out[NP_CONTROL_OUT_BYTES];
};

/* Takes over a connection whose handshake is done. */
void np_control_open(struct np_instance *instance, uint32_t handle);
/* Closes it if it is open; nothing is told to anybody. */
void np_control_close(struct np_instance *instance);
bool np_control_is_open(const struct np_instance *instance);
/* Queues a signal. NP_ERR_NO_MEMORY: no room until the peer reads (try again later).
 * NP_ERR_UNSUPPORTED: no clean encoding for this key and signal. NP_ERR_STATE: not connected. */
enum np_err np_control_send(struct np_instance *instance, const struct np_signal *signal);
/* What failed, for the log. */
const char *np_control_fault(const struct np_instance *instance);
void np_control_send_kind(struct np_instance *instance, enum np_signal_kind kind);
/* Pings the peer. Returns the pong_count that proves it alive from now on. */
uint64_t np_control_ping(struct np_instance *instance);
/* Sends what is queued, as far as there is room. */
void np_control_flush(struct np_instance *instance);
void np_control_on_event(struct np_instance *instance, uint32_t flags);

#endif
