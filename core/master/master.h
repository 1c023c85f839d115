/* SPDX-License-Identifier: BSD-3-Clause */
/* master: instances under an HTTP API (master-api.md), inside the loop of their app.
 *
 *   np_app:  np_master_plan, np_master_cut  ->  np_master_open (state, key, certificate)
 *            -> np_master_start (instances, door)  ->  np_master_on_event, np_master_on_turn
 *            -> np_master_stop -> np_master_is_stopped -> np_master_deinit
 *
 * Everything here answers at once; drains, look-ups and connects go on in the loop.
 */
#ifndef NP_CORE_MASTER_MASTER_H
#define NP_CORE_MASTER_MASTER_H

#include "core/http/http_server.h"
#include "core/master/held.h"
#include "core/master/key.h"
#include "core/master/record.h"
#include "core/master/store.h"
#include "core/master/tcping.h"
#include "core/tunnel/instance.h"
#include "platform/np_plat.h"

#define NP_MASTER_KEY_ID "********"
#define NP_MASTER_MID_CAP 17u

struct np_arena;

struct np_master {
    struct np_app *app;
    const struct np_settings *settings;
    struct np_instance self; /* log, certificate and names of the master; never started */
    struct np_http_server server;
    struct np_http_hooks hooks;
    char prefix[NP_MAX_PATH + 1]; /* "/api": without a slash at the end */
    char mid[NP_MASTER_MID_CAP];
    char alias[NP_RECORD_VALUE_MAX + 1];
    struct np_api_key key;
    struct np_store store;
    struct np_held_list held;
    struct np_record *records; /* NP_MAX_INSTANCES */
    uint64_t next_serial;
    char *text; /* NP_STORE_BYTES: the state file on its way in or out */
    struct np_name_waiter waiter;
    struct np_timer door_retry, report, stopping;
    struct np_ping pings[NP_PINGS];
    uint32_t seen_changes; /* app->changes that events have told */
    uint64_t started_ms;
    uint64_t cpu_busy, cpu_all; /* last sample */
    int8_t cpu_percent;         /* -1 = not known */
    bool was_bound;             /* the door is open, or a first try has failed */
    bool is_failed;             /* no certificate or directory: can't start */
    bool is_stopping, is_stopped;
};

struct np_plan;
void np_master_plan(const struct np_settings *settings, struct np_plan *plan);
/* Cuts its memory; app->master is set unless the arena only counts. */
bool np_master_cut(struct np_app *app, struct np_arena *arena);
/* Loads state and key, or makes them. NP_OK, or why it can't run (the log tells). */
enum np_err np_master_open(struct np_master *master, struct np_app *app,
                           const struct np_settings *settings);
/* Takes over the instances that run already (configuration file), starts those of the state that
 * are to be started, opens the door. */
void np_master_start(struct np_master *master);
void np_master_on_event(struct np_master *master, const struct np_event *ev);
/* End of a turn: states of instances may have changed. */
void np_master_on_turn(struct np_master *master);
/* Tells subscribers, ends connections, saves once the instances are stopped. */
void np_master_stop(struct np_master *master);
bool np_master_is_stopped(const struct np_master *master);
void np_master_deinit(struct np_master *master);

/* ---- for the modules of this folder ---------------------------------------------------------- */

/* api.c: the routes. */
void np_api_on_request(void *ctx, struct np_http_conn *conn, const struct np_http_request *request);
bool np_api_is_route(void *ctx, struct np_slice path);

/* events.c */
void np_events_on_line(struct np_log_tap *tap, const struct np_log *log, enum np_log_level level,
                       const char *text, uint32_t len);
void np_events_start_stream(struct np_master *master, struct np_http_conn *conn);
/* `type` is create, update or delete; remembers the state told. */
void np_events_publish(struct np_master *master, enum np_http_event kind, struct np_record *record);
/* update of the key's record */
void np_events_publish_shutdown(struct np_master *master);
/* update events of records whose state is not the one told last. */
void np_events_publish_changes(struct np_master *master);
/* update events of all that run. */
void np_events_publish_reports(struct np_master *master);

#endif
