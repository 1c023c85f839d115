/* SPDX-License-Identifier: BSD-3-Clause */
/* store: the master's state in <state dir>/nodepass.ini (config.md 5).
 *
 *   load at start:  the file, else its backup, else empty; what is damaged is set aside, and so
 *                   is a file with more instances than fit
 *   save:           only when the text differs from what is on disk; at once, or a little later so
 *                   that no more than a third of the time goes into saves
 *
 * After a failed save the next change is refused (np_store_is_ready) until a save works again.
 */
#ifndef NP_CORE_MASTER_STORE_H
#define NP_CORE_MASTER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/np_config.h"
#include "core/base/err.h"
#include "core/base/timer.h"
#include "core/tls/digest.h"

struct np_master;

#define NP_STORE_GAP_MS 100u /* most, between two saves */
/* One record: its URL, and all else escaped. */
#define NP_STORE_BYTES (NP_MAX_INSTANCES * (NP_MAX_URL + 9216u) + 4096u)
#define NP_STORE_PATH_CAP (NP_MAX_PATH + 48u)

struct np_store {
    char path[NP_STORE_PATH_CAP]; /* empty = no directory: nothing is kept */
    uint8_t saved[NP_SHA256_LEN]; /* of the text on disk */
    uint8_t backed_up[NP_SHA256_LEN];
    bool has_saved, has_backup;
    /* what is there can't be read, nor set aside: it is never replaced */
    bool is_unreadable, is_backup_unreadable;
    enum np_err failure; /* of the last save */
    uint64_t due_ms;     /* no save before this, to leave time for other things */
    struct np_timer timer, backup;
};

/* Fills key, records and slots; starts nothing. Logs what it found. */
void np_store_load(struct np_master *master);
/* Something has changed. True: it is saved (or that failed); false: it will be, within
 * NP_STORE_GAP_MS, and np_held_flush is called then. */
bool np_store_touch(struct np_master *master);
/* Saves now if the text differs from what is on disk. NP_OK or why it failed. */
enum np_err np_store_save(struct np_master *master);
/* False if the last save failed and fails again. */
bool np_store_is_ready(struct np_master *master);
void np_store_start_backup(struct np_master *master);
void np_store_stop(struct np_master *master);

#endif
