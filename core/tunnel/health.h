/* SPDX-License-Identifier: BSD-3-Clause */
/* health: pings, check points, dead tunnels and the decision to flush (protocol.md 4, 6, 8). */
#ifndef NP_CORE_TUNNEL_HEALTH_H
#define NP_CORE_TUNNEL_HEALTH_H

#include <stdint.h>

struct np_instance;

/* Begins the rhythm of NP_REPORT_INTERVAL. */
void np_health_start(struct np_instance *instance);
void np_health_stop(struct np_instance *instance);
/* The answer to our ping. */
void np_health_on_pong(struct np_instance *instance);
/* Writes the check point line; `is_final`: PING, POOL, TCPS and UDPS are 0. */
void np_health_check_point(struct np_instance *instance, int is_final);

#endif
