/* SPDX-License-Identifier: BSD-3-Clause */
/* master_rig: an app with a master on a simulated host, and a host that asks it over HTTP. */
#ifndef NP_TESTS_UNIT_MASTER_RIG_H
#define NP_TESTS_UNIT_MASTER_RIG_H

#include "core/np_app.h"
#include "platform/sim/sim.h"

#define RIG_STATE "/state/nodepass.ini"
#define RIG_ANSWER_CAP (1u << 20)

struct master_rig {
    struct np_sim *sim;
    struct np_plat *ours, *other;
    struct np_app *app;
    void *memory;
    struct np_settings settings[2];
    uint32_t settings_count;
    struct np_tuning tuning;
    uint32_t target; /* listener at 10.0.0.2:2000 that takes every connection */
    char *answer;    /* of the last request, NUL-terminated */
    char log[65536];
    uint32_t log_len;
};

/* A world with both hosts; nothing is started. */
void master_rig_open(struct master_rig *rig);
/* Starts the app; `url` NULL: "master://10.0.0.1:9000?state=/state". A second URL is an instance of
 * the configuration file. */
void master_rig_start(struct master_rig *rig, const char *url, const char *fixed);
/* The process dies; its disk stays. */
void master_rig_kill(struct master_rig *rig);
/* Stops in order, checks that all came back. */
void master_rig_stop(struct master_rig *rig);
void master_rig_close(struct master_rig *rig);
void master_rig_run(struct master_rig *rig, uint32_t ms);

/* Opens a connection to the API. */
uint32_t master_rig_connect(struct master_rig *rig);
/* Adds what arrived at `conn` to rig->answer (of `len` bytes so far); its new length. */
uint32_t master_rig_read(struct master_rig *rig, uint32_t conn, uint32_t len);
/* One request with the key, over a connection of its own. Returns the status; head and body are in
 * rig->answer. `body` NULL = none. */
uint32_t master_rig_ask(struct master_rig *rig, const char *method, const char *path,
                        const char *body);
/* The body of the last answer. */
const char *master_rig_body(const struct master_rig *rig);
bool master_rig_has(const struct master_rig *rig, const char *text);
/* True if the log of this start holds `text`. */
bool master_rig_logged(const struct master_rig *rig, const char *text);
/* The id of the last instance in GET /instances ("" = none). */
void master_rig_last_id(struct master_rig *rig, char id[9]);

#endif
