/* SPDX-License-Identifier: BSD-3-Clause */
/* np_plan: how many objects of each pool the settings ask for, and how many there are under a
 * ceiling on memory (mem=).
 *
 * Without a ceiling every pool has what could ever be asked for: memory that is never touched costs
 * nothing. Under one, what is bulky gets shares, as if all were touched: an eighth each for TLS
 * handshakes and for waiting datagrams, a quarter for TLS records, and of a master an eighth for
 * its API and a quarter for instances; less where half of the whole would not be left for the
 * others. That goes to sessions and pool connections in the proportion that the settings ask for.
 * A pool that is then empty refuses what is new.
 * There are fewer TLS handshakes than buffers that they may have (channel.h; two where there are
 * only two), so that those that stand still inside a record stop no other.
 */
#ifndef NP_CORE_NP_PLAN_H
#define NP_CORE_NP_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/base/pool.h"

struct np_app;

struct np_plan {
    uint32_t instances, sessions, conns, dials, greets, launches, buffers, timers;
    uint32_t channels, handshakes, records, secures;
    uint32_t http_conns, http_ins, http_bodies, http_outs, http_queues;
    uint32_t buffer_bytes;              /* one pending UDP buffer */
    uint32_t record_bytes;              /* one buffer of TLS records */
    uint32_t scratch_bytes;             /* loop-wide room for a batch of datagrams */
    uint32_t datagram_bytes;            /* largest datagram */
    uint32_t conn_buckets, udp_buckets; /* powers of two */
    uint32_t handles;
    /* limits of one instance, or of the one API; of NP_MAX_* at most */
    uint32_t pool_conns;  /* connections in its pool, idle or opening */
    uint32_t pool_dials;  /* pool connections being dialled at a time */
    uint32_t pool_greets; /* connections before the hello */
    uint32_t pool_silent; /* connections before the end of their TLS handshake */
    uint32_t ceiling_mb;  /* that was given for the process, 0 = none */
    bool is_dynamic;      /* instances come and go */
    bool is_fitted;       /* a ceiling made it smaller than the settings ask for */
};

/* The first master; NULL = none. */
const struct np_settings *np_plan_master(const struct np_settings *const *settings, uint32_t count);

/* The ceiling in MB: the least of all that are given, else tuning->spare_mb; 0 = none. */
uint32_t np_plan_ceiling_mb(const struct np_settings *const *settings, uint32_t count,
                            const struct np_tuning *tuning, bool *is_given);

/* Fills *plan. Returns the bytes that the smallest plan for these settings takes, with those of the
 * platform: a ceiling below it can't be kept. */
uint64_t np_plan_make(struct np_plan *plan, const struct np_settings *const *settings,
                      uint32_t count, const struct np_tuning *tuning);

/* Bytes of the arena for *plan. */
uint64_t np_plan_bytes(const struct np_plan *plan);

/* Cuts everything from `arena`; with a counting arena it only adds up. False if it is too small. */
bool np_plan_cut(const struct np_plan *plan, struct np_app *app, struct np_arena *arena);

#endif
