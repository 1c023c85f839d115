/* SPDX-License-Identifier: BSD-3-Clause */
/* udp_leg: what session_udp.c and udp_leg.c know of each other. Datagrams are the caller's memory
 * and are copied where they have to wait. */
#ifndef NP_CORE_RELAY_UDP_LEG_H
#define NP_CORE_RELAY_UDP_LEG_H

#include <stdbool.h>
#include <stdint.h>

struct np_datagram;
struct np_session;

/* ---- udp_leg.c: the pool connection ---------------------------------------------------------- */

/* Passes `count` datagrams to the pool connection, keeps or drops those it does not take now. The
 * session may be gone afterwards. */
void np_udp_leg_feed(struct np_session *session, const struct np_datagram *batch, uint32_t count);
/* Keeps one datagram for later; false (and counted) when there is no room. */
bool np_udp_leg_enqueue(struct np_session *session, const struct np_datagram *datagram);
/* Forgets what was kept. */
void np_udp_leg_drop(struct np_session *session);
/* Sends what was kept, then watches for what is due. The session may be gone afterwards. */
void np_udp_leg_flush(struct np_session *session);
/* Takes what came over the pool connection; its end or failure ends the session. */
void np_udp_leg_read(struct np_session *session);
/* The session relays from now on. */
void np_udp_leg_start(struct np_session *session);

/* ---- session_udp.c: the local side ----------------------------------------------------------- */

/* Datagrams to the visitor through the door, or to the target; changes the batch. */
void np_udp_feed_local(struct np_session *session, struct np_datagram *batch, uint32_t count);
void np_udp_count_drop(struct np_session *session, uint32_t count, const char *why);

#endif
