/* SPDX-License-Identifier: BSD-3-Clause */
/* door: where visitors come in: the listeners of the local side. */
#ifndef NP_CORE_TUNNEL_DOOR_H
#define NP_CORE_TUNNEL_DOOR_H

#include "core/base/err.h"

struct np_instance;
struct np_endpoint;
struct np_name;

/* Binds TCP and UDP (as notcp and noudp say) to the first address of `name` that can be bound. A
 * UDP port that is busy while TCP was bound is retried in the background and said. What is open
 * already stays. */
enum np_err np_door_open(struct np_instance *instance, struct np_name *name);
void np_door_close(struct np_instance *instance);
/* READ on the TCP listener. */
void np_door_on_tcp(struct np_instance *instance);
/* TCP listener on the first address of `name` that can be bound. */
enum np_err np_door_listen(struct np_instance *instance, struct np_name *name, unsigned tag_kind,
                           unsigned *handle);

#endif
