/* SPDX-License-Identifier: BSD-3-Clause */
/* slots: instances that come and go while the process runs.
 *
 *   insert -> STOPPED -start-> running -stop-> DRAINING -> STOPPED -remove-> free
 *
 * An app whose settings name a master has NP_MAX_INSTANCES slots. Every call is legal in every
 * state and answers at once. A start, restart or replace ends what still drains: its peers and its
 * doors are wanted. Counters live as long as the slot: a restart or another URL keeps them, only
 * reset and remove end them. Not to be called from inside an instance's code.
 */
#ifndef NP_CORE_NP_SLOTS_H
#define NP_CORE_NP_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/base/err.h"

struct np_app;

/* How an instance does. */
enum np_slot_run {
    NP_SLOT_STOPPED, /* stopped, or draining */
    NP_SLOT_RUNNING,
    NP_SLOT_ERROR /* started, but it can't do its work now; it tries on */
};

/* Copies `settings` (role server or client) to a free slot; nothing is started. If all slots are
 * taken, one that was removed and still drains is ended. NP_OK and *slot, or NP_ERR_NO_MEMORY. */
enum np_err np_slot_insert(struct np_app *app, const struct np_settings *settings, uint32_t *slot);
void np_slot_start(struct np_app *app, uint32_t slot);
/* Graceful: sessions may finish within NP_SHUTDOWN_TIMEOUT. */
void np_slot_stop(struct np_app *app, uint32_t slot);
/* Ends it if it runs, then starts it; an auto mode stays as decided. */
void np_slot_restart(struct np_app *app, uint32_t slot);
/* Ends it if it runs, takes a copy of `settings`, starts it. */
void np_slot_replace(struct np_app *app, uint32_t slot, const struct np_settings *settings);
/* Stops if it runs; the slot is free after that, its index must not be used any more. */
void np_slot_remove(struct np_app *app, uint32_t slot);
/* The name in its log lines; empty = none. Cut at NP_MAX_ALIAS bytes. */
void np_slot_rename(struct np_app *app, uint32_t slot, const char *alias);

/* Bytes so far, to go on from what was saved, and zero. */
struct np_slot_totals {
    uint64_t tcp_rx, tcp_tx, udp_rx, udp_tx;
};
void np_slot_set_totals(struct np_app *app, uint32_t slot, const struct np_slot_totals *totals);

/* Auto mode: what was decided, 1 or 2; 0 = nothing yet, or the settings say it. */
uint8_t np_slot_mode(const struct np_app *app, uint32_t slot);
void np_slot_set_mode(struct np_app *app, uint32_t slot, uint8_t mode);

enum np_slot_run np_slot_run(const struct np_app *app, uint32_t slot);
/* Why the state is NP_SLOT_ERROR: two texts for "<what>: <cause>"; "" if it is not. */
const char *np_slot_fault(const struct np_app *app, uint32_t slot, const char **cause);

/* For np_app: slots of those that were removed are free once they are stopped. */
void np_slots_settle(struct np_app *app);

#endif
