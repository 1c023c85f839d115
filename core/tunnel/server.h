/* SPDX-License-Identifier: BSD-3-Clause */
/* server: the tunnel door: hello and answer (protocol.md 3), pool connections (6), restarted
 * clients. */
#ifndef NP_CORE_TUNNEL_SERVER_H
#define NP_CORE_TUNNEL_SERVER_H

#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/wire/dialect.h"

struct np_instance;

/* A connection that has not proved the key yet. */
struct np_greet {
    struct np_instance *instance;
    struct np_node node; /* instance->greets */
    uint32_t self, handle;
    struct np_addr peer;
    struct np_timer timer;
    uint32_t len;
    uint8_t line[NP_DIALECT_HELLO_CAP];
};

/* READ on the tunnel door. */
void np_server_on_door(struct np_instance *instance);
void np_greet_on_event(struct np_greet *greet, uint32_t flags);
/* Closes all connections before their proof. */
void np_server_clear_greets(struct np_instance *instance);
/* A line of hello came on a pool connection: the client was restarted (protocol.md 6). */
void np_server_on_restarted_client(struct np_instance *instance);

#endif
