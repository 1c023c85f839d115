/* SPDX-License-Identifier: BSD-3-Clause */
/* launch: both ends of "use pool connection <id> for this visitor" (protocol.md 4 to 6).
 *
 * Sending: sessions that wait for a connection queue in instance->waiting, first come first served.
 * Receiving: a launch whose id is not known yet is kept up to NP_LAUNCH_WAIT_MS.
 */
#ifndef NP_CORE_TUNNEL_LAUNCH_H
#define NP_CORE_TUNNEL_LAUNCH_H

#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/tunnel/connpool.h"

struct np_session;

/* A launch that overtook the id of its connection. */
struct np_launch {
    struct np_instance *instance;
    struct np_node node; /* instance->launches */
    uint32_t self;
    struct np_signal signal;
    struct np_timer timer;
};

/* Visitor side: puts `session` in the queue and serves it if a connection is there. Where
 * NP_SEMAPHORE_LIMIT visitors wait already, it is reset. */
void np_launch_enqueue(struct np_instance *instance, struct np_session *session);
/* Visitor side: serves waiting sessions while there are idle connections. */
void np_launch_serve_waiting(struct np_instance *instance);
/* Visitor side: no descriptor is left for a pool connection, so that none of the waiting
 * visitors could ever be served: resets the newest of them. False if none holds a descriptor. */
bool np_launch_reclaim(struct np_instance *instance);
/* Visitor side: the peer has waited for the connection `id` in vain: resets its visitor. */
void np_launch_on_missing(struct np_instance *instance, uint32_t id);
/* Target side: a launch signal came in. */
void np_launch_receive(struct np_instance *instance, const struct np_signal *signal);
/* Target side: `conn` has just become idle; true if a kept launch took it. */
bool np_launch_match(struct np_conn *conn);
/* Drops all kept launches. */
void np_launch_clear(struct np_instance *instance);

#endif
