/* SPDX-License-Identifier: BSD-3-Clause */
/* client: dials the server, says hello, takes over its answer (protocol.md 3). */
#ifndef NP_CORE_TUNNEL_CLIENT_H
#define NP_CORE_TUNNEL_CLIENT_H

#include <stdint.h>

struct np_instance;

void np_client_start(struct np_instance *instance);
/* Gives up the dial or the unanswered hello. */
void np_client_stop(struct np_instance *instance);
/* Event of the connection that waits for the answer. */
void np_client_on_answer_event(struct np_instance *instance, uint32_t flags);

#endif
