/* SPDX-License-Identifier: BSD-3-Clause */
/* tcping: whether a target takes connections, and how long that took (master-api.md 4). */
#ifndef NP_CORE_MASTER_TCPING_H
#define NP_CORE_MASTER_TCPING_H

#include "config/settings.h"
#include "core/base/timer.h"
#include "core/tunnel/name.h"

struct np_http_conn;
struct np_master;

#define NP_PINGS NP_MAX_HTTP_CONNS /* asked at a time, waiting ones included */
#define NP_PINGS_AT_ONCE 10u
#define NP_PING_LIMIT_MS 5000u
#define NP_PING_WAIT_MS 1000u /* for one of the ten */
#define NP_PING_SUB 2u        /* sub of NP_TAG_NAME of the first; 0 and 1 are an instance's */

enum np_ping_state { NP_PING_FREE, NP_PING_WAITING, NP_PING_DIALLING };

struct np_ping {
    struct np_master *master;
    uint8_t state; /* enum np_ping_state */
    uint32_t conn; /* whose answer it is (np_http_conn_handle) */
    uint32_t dial;
    uint64_t begun_us;
    struct np_timer timer;
    struct np_endpoint endpoint;
    struct np_name name;
};

/* Answers now or later. `target` is decoded. */
void np_ping_start(struct np_master *master, struct np_http_conn *conn, const char *target);
/* Event of the name query of ping `index`. */
void np_ping_on_name(struct np_master *master, uint32_t index, uint32_t handle);
/* Ends all of them without an answer. */
void np_pings_stop(struct np_master *master);

#endif
