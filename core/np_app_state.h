/* SPDX-License-Identifier: BSD-3-Clause */
/* np_app_state: inside of struct np_app, for the modules of the core only. */
#ifndef NP_CORE_NP_APP_STATE_H
#define NP_CORE_NP_APP_STATE_H

#include "core/base/ct.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/base/timer.h"
#include "core/http/http_conn.h"
#include "core/np_app.h"
#include "core/np_plan.h"
#include "core/np_slots.h"
#include "core/relay/session.h"
#include "core/tls/handshake.h"
#include "core/tunnel/channel.h"
#include "core/tunnel/connpool.h"
#include "core/tunnel/dial.h"
#include "core/tunnel/instance.h"
#include "core/tunnel/launch.h"
#include "core/tunnel/secure.h"
#include "core/tunnel/server.h"
#include "core/tunnel/tags.h"
#include "core/wire/proxyproto.h"
#include "core/wire/udpframe.h"
#include "platform/np_plat.h"

struct np_master;

#define NP_APP_FIRES 1024u /* timers a turn */

struct np_app {
    struct np_plat *plat;
    const struct np_tuning *tuning;
    uint64_t now_ms; /* read once a turn */
    struct np_rng rng;
    struct np_plan plan;
    struct np_timers timers;
#define NP_POOL(name, count, size, purpose) struct np_pool name;
#include "config/np_pools.def"
#undef NP_POOL
    struct np_instance *instances; /* plan.instances slots */
    struct np_settings *copies;    /* of each slot, if instances come and go; else NULL */
    uint32_t leaving_count;        /* removed, and still draining */
    uint32_t changes;              /* counts changes of any instance's state */
    struct np_log_tap tap;         /* who is shown the instances' lines */
    bool color;
    struct np_master *master; /* NULL = none */
    uint32_t *conn_buckets;   /* index + 1 of the first connection by id */
    uint32_t *udp_buckets;    /* index + 1 of the first session by visitor */
    uint32_t hash_seed;
    struct np_tls_engines engines;
    uint8_t *datagrams; /* scratch: NP_UDP_BATCH slots of datagram_bytes, or a read */
    struct np_list dirty_controls;
    struct np_list holders; /* channels with a buffer, longest without progress first */
    uint32_t records_held[NP_SHARES];
    struct np_timer starve_timer;
    struct np_list deferred; /* channels whose owner is called without an event */
    bool is_stopping;
    struct np_event events[NP_MAX_EVENTS];
};

#endif
