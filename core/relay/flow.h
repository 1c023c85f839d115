/* SPDX-License-Identifier: BSD-3-Clause */
/* flow: one direction of a TCP session, moved in bounded steps.
 *
 *   OPEN --end of source, all given--> SHUT (FIN passed on)
 *   OPEN --sink failed-->              CUT  (bytes are no longer read for it)
 *
 * Nothing is buffered here: bytes stay with the platform until the sink takes them. A direction
 * that keeps moving uses the platform's splice; small transfers use peek and send.
 */
#ifndef NP_CORE_RELAY_FLOW_H
#define NP_CORE_RELAY_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/list.h"

struct np_channel;
struct np_plat;

enum np_flow_state { NP_FLOW_OPEN, NP_FLOW_SHUT, NP_FLOW_CUT };

struct np_flow {
    uint8_t state;        /* enum np_flow_state */
    bool is_sink_full;    /* wait for WRITE on the sink, do not read the source */
    bool is_bulk;         /* use splice */
    bool is_waiting_rate; /* in the rate queue */
    uint32_t run_bytes;   /* moved without the source running dry */
    uint32_t held;        /* bytes taken from the source that only splice can give on */
    struct np_node rate;  /* instance->rate_queue[d] */
};

/* What one step did. */
struct np_flow_step {
    uint32_t taken, given; /* bytes from the source, to the sink */
    enum np_err source;    /* NP_OK (more may wait), AGAIN (empty), EOF, or why it failed */
    enum np_err sink;      /* NP_OK, AGAIN (full), or why it failed */
};

/* Moves up to `max` (> 0) bytes from `from` to `to`. Never blocks; one bounded attempt. */
void np_flow_step(struct np_plat *plat, struct np_flow *flow, uint32_t from, uint32_t to,
                  uint32_t max, struct np_flow_step *step);

/* The same where one end is a TLS connection: from a platform handle into records, and from records
 * to a platform handle. What the channel took counts as given. */
void np_flow_seal_step(struct np_plat *plat, struct np_channel *to, uint32_t from, uint32_t max,
                       struct np_flow_step *step);
void np_flow_open_step(struct np_plat *plat, struct np_channel *from, uint32_t to, uint32_t max,
                       struct np_flow_step *step);

/* Gives all of a short message to `to`, also when the stack takes it in pieces. NP_OK,
 * NP_ERR_NO_MEMORY when it takes only a part now (a fresh connection has room for it), or why the
 * connection failed. */
enum np_err np_flow_give_all(struct np_plat *plat, uint32_t to, const uint8_t *buf, uint32_t len);

#endif
