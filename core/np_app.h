/* SPDX-License-Identifier: BSD-3-Clause */
/* np_app: every instance of one process, their memory and their loop.
 *
 *   port:  needs = np_app_plan(...)  ->  memory and platform of that size  ->  np_app_init
 *          while (!np_app_is_stopped) np_app_step     (stop by np_app_stop, same thread)
 *          np_app_deinit
 *
 * Several apps may live in one process if each has its own platform (the simulation does that).
 */
#ifndef NP_CORE_NP_APP_H
#define NP_CORE_NP_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/base/err.h"

struct np_app;
struct np_plat;

/* What the settings ask for. */
struct np_app_needs {
    uint64_t memory_bytes; /* for np_app_init */
    uint32_t handles;      /* most platform handles at a time */
    bool is_dynamic;       /* a master: what will be asked for is not known, fewer handles do */
    /* What a ceiling on memory (mem=) left; np_plan.h. */
    bool is_fitted;                                  /* less than the settings ask for */
    uint64_t least_bytes;                            /* no ceiling below it can be kept */
    uint32_t sessions, conns, records, record_bytes; /* of all instances */
    uint32_t instances;
};
/* `settings`: `count` (1 to NP_MAX_INSTANCES) pointers. */
void np_app_plan(const struct np_settings *const *settings, uint32_t count,
                 const struct np_tuning *tuning, struct np_app_needs *needs);

/* Builds the app in `memory` (zeroed, needs.memory_bytes, owned by the caller until deinit) and
 * starts every instance. Settings and tuning stay owned by the caller and unchanged. `color`: log
 * lines with colour codes. Returns NULL if the memory is too small or entropy fails. */
struct np_app *np_app_init(struct np_plat *plat, void *memory, uint64_t memory_bytes,
                           const struct np_settings *const *settings, uint32_t count,
                           const struct np_tuning *tuning, bool color);

/* One turn: waits at most until the next deadline and `max_wait_ms`, serves what happened. Returns
 * NP_OK or NP_ERR_IO when the platform can't poll any more. */
enum np_err np_app_step(struct np_app *app, uint32_t max_wait_ms);

/* Begins the graceful stop: nothing new is accepted, sessions drain up to NP_SHUTDOWN_TIMEOUT, then
 * they are reset. A second call ends the drain at once. */
void np_app_stop(struct np_app *app);
/* Reads certificates and keys again where their files have changed (SIGHUP). */
void np_app_reload(struct np_app *app);
bool np_app_is_stopped(const struct np_app *app);
/* True once every instance has bound what it listens on or given that a first try: the moment for
 * the port to drop privileges. */
bool np_app_is_bound(const struct np_app *app);

/* What an instance shows to users, tests and the API. */
struct np_app_stats {
    uint8_t role; /* enum np_role */
    char flow;    /* 's' single-end, '-' reverse, '+' forward, '?' not known yet */
    uint8_t mode; /* 0 not decided, 1, 2 */
    bool is_up;   /* dual-end: handshake done; single-end: listening */
    uint32_t ping_ms;
    uint32_t pool_idle; /* idle pool connections */
    uint32_t tcp_sessions, udp_sessions;
    uint64_t tcp_rx, tcp_tx, udp_rx, udp_tx; /* bytes at the local side, protocol.md 8 */
    uint32_t restarts;
    uint32_t dials; /* connects begun to the tunnel peer */
};
/* Instance `index` (0 to count - 1). */
void np_app_stats(const struct np_app *app, uint32_t index, struct np_app_stats *stats);

/* Objects in use over all pools but the instances, and running timers: 0 after a stop. */
uint32_t np_app_objects_used(const struct np_app *app);

/* Ends everything at once and returns every handle to the platform. */
void np_app_deinit(struct np_app *app);

#endif
