/* SPDX-License-Identifier: BSD-3-Clause */
/* dial: one connection to an endpoint: look-up, then its addresses in turn, NP_CONNECT_STAGGER_MS
 * apart or as soon as the one before fails; the first that connects wins (compare RFC 8305). */
#ifndef NP_CORE_TUNNEL_DIAL_H
#define NP_CORE_TUNNEL_DIAL_H

#include "core/base/timer.h"
#include "core/tunnel/name.h"

#define NP_DIAL_MAX_TRIES NP_MAX_ADDRS

struct np_dial {
    struct np_instance *instance;
    struct np_name *name; /* NULL: the peer of the control connection */
    uint32_t self;        /* pool handle */
    uint8_t next;         /* address to try next */
    uint8_t count;        /* addresses to try */
    enum np_err cause;
    struct np_addr addrs[NP_DIAL_MAX_TRIES];
    uint32_t tries[NP_DIAL_MAX_TRIES]; /* platform handles, NONE = not begun or failed */
    struct np_timer stagger, deadline;
    struct np_name_waiter waiter;
    void (*done)(void *owner, enum np_err err, uint32_t handle);
    void *owner;
};

/* Starts towards `name` (NULL: the peer of the control connection), to be decided within
 * `timeout_ms`.
 * NP_OK: connected already, *connection is the platform handle, done is not called.
 * NP_ERR_AGAIN: *dial is the dial's handle (for np_dial_cancel); done(owner, err, handle) is called
 * once, later, unless canceled; the connection is the owner's then. Else: why not. */
enum np_err np_dial_start(struct np_instance *instance, struct np_name *name, uint32_t timeout_ms,
                          void (*done)(void *owner, enum np_err err, uint32_t handle), void *owner,
                          uint32_t *dial, uint32_t *connection);
/* Gives up without telling the owner; a stale handle does nothing. */
void np_dial_cancel(struct np_instance *instance, uint32_t dial);
void np_dial_on_event(struct np_dial *dial, uint32_t handle);

#endif
