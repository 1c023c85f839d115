/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/store.h"

#include <string.h>

#include "core/base/fmt.h"
#include "core/master/master.h"
#include "core/master/store_text.h"
#include "core/np_app_state.h"

#define PATH_CAP (NP_STORE_PATH_CAP + 40u)

static void backup_path(const struct np_master *master, char *out, uint32_t cap)
{
    np_fmt(out, cap, "%s.backup", master->store.path);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static enum np_err write_text(struct np_master *master, const char *path, uint32_t len)
{
    if (len == 0) {
        return NP_ERR_TOO_LONG;
    }
    return np_plat_blob_store(master->app->plat, path, (const uint8_t *)master->text, len);
}

/* Replaces the file, and sees how long that takes: flash can be slow. */
static void write_file(struct np_master *master, uint32_t len)
{
    struct np_store *store = &master->store;
    struct np_plat *plat = master->app->plat;
    uint64_t begun_ms = np_plat_now_ms(plat), now_ms, gap_ms;

    store->failure = store->is_unreadable ? NP_ERR_ACCESS : write_text(master, store->path, len);
    now_ms = np_plat_now_ms(plat);
    gap_ms = 2 * (now_ms - begun_ms);
    store->due_ms = now_ms + (gap_ms < NP_STORE_GAP_MS ? gap_ms : NP_STORE_GAP_MS);
}

enum np_err np_store_save(struct np_master *master)
{
    struct np_store *store = &master->store;
    uint8_t hash[NP_SHA256_LEN];
    uint32_t len;

    if (store->path[0] == '\0') {
        return NP_OK;
    }
    len = np_store_text_format(master);
    np_sha256(master->text, len, hash);
    if (store->has_saved && memcmp(hash, store->saved, sizeof hash) == 0) {
        store->failure = NP_OK; /* what is on disk is what we have */
    } else {
        write_file(master, len);
        if (store->failure == NP_OK) {
            memcpy(store->saved, hash, sizeof hash);
            store->has_saved = true;
        } else {
            np_log_limited(&master->self.log, NP_SITE_MEMORY, master->app->now_ms, NP_LOG_ERROR,
                           "State not saved: %s: %s", store->path, np_err_text(store->failure));
        }
    }
    np_ct_wipe(master->text, len);
    return store->failure;
}

static void on_save(struct np_timer *timer, uint64_t now_ms)
{
    struct np_store *store = NP_CONTAINER(timer, struct np_store, timer);

    (void)now_ms;
    (void)np_store_save(NP_CONTAINER(store, struct np_master, store));
    np_held_flush(NP_CONTAINER(store, struct np_master, store));
}

bool np_store_touch(struct np_master *master)
{
    struct np_store *store = &master->store;
    struct np_app *app = master->app;

    if (app->now_ms >= store->due_ms) {
        (void)np_store_save(master);
        return true;
    }
    if (!np_timer_is_running(&store->timer)) {
        store->timer.fire = on_save;
        np_timer_start(&app->timers, &store->timer, store->due_ms);
    }
    return false;
}

bool np_store_is_ready(struct np_master *master)
{
    return master->store.failure == NP_OK || np_store_save(master) == NP_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Reads `path` to master->text. Returns the length if it is whole, NP_ERR_INVALID if it was damaged
 * and is set aside for whoever wants to look at it, or why it can't be read. *is_unreadable is set
 * if something is there that must not be replaced. */
static int32_t read_state(struct np_master *master, const char *path, bool *is_unreadable)
{
    struct np_plat *plat = master->app->plat;
    char kept[PATH_CAP];
    int32_t len = np_plat_blob_load(plat, path, (uint8_t *)master->text, NP_STORE_BYTES);
    enum np_err err;

    if (len == NP_ERR_NOT_FOUND ||
        (len >= 0 && np_store_text_is_whole(master->text, (uint32_t)len))) {
        return len;
    }
    if (len < 0 && len != NP_ERR_TOO_LONG) {
        *is_unreadable = true;
        np_log_write(&master->self.log, NP_LOG_ERROR, "State not read, and never replaced: %s: %s",
                     path, np_err_text((enum np_err)len));
        return len;
    }
    np_fmt(kept, sizeof kept, "%s.corrupt-%llu", path, (unsigned long long)np_plat_wall_s(plat));
    err = np_plat_blob_rename(plat, path, kept);
    *is_unreadable = err != NP_OK;
    np_log_write(&master->self.log, NP_LOG_ERROR, "State file damaged: %s, %s%s", path,
                 err == NP_OK ? "kept as " : "never replaced, since it can't be set aside: ",
                 err == NP_OK ? kept : np_err_text(err));
    return NP_ERR_INVALID;
}

static int32_t read_backup(struct np_master *master)
{
    char path[PATH_CAP];

    backup_path(master, path, sizeof path);
    return read_state(master, path, &master->store.is_backup_unreadable);
}

/* ---- backup ---------------------------------------------------------------------------------- */

/* Looks what the backup of an earlier run holds, so that it is not written again. */
static void find_backup(struct np_master *master)
{
    struct np_store *store = &master->store;
    int32_t len = read_backup(master);

    if (len > 0) {
        np_sha256(master->text, (uint32_t)len, store->backed_up);
        np_ct_wipe(master->text, (uint32_t)len);
        store->has_backup = true;
    }
}

/* Copies what is on disk, if it is not what was copied last. */
static void back_up(struct np_master *master)
{
    struct np_store *store = &master->store;
    struct np_plat *plat = master->app->plat;
    char path[PATH_CAP];
    int32_t len;

    if (!store->has_saved || store->is_backup_unreadable ||
        (store->has_backup && memcmp(store->saved, store->backed_up, sizeof store->saved) == 0)) {
        return;
    }
    backup_path(master, path, sizeof path);
    len = np_plat_blob_load(plat, store->path, (uint8_t *)master->text, NP_STORE_BYTES);
    if (len > 0 && np_store_text_is_whole(master->text, (uint32_t)len)) {
        enum np_err err = write_text(master, path, (uint32_t)len);
        if (err == NP_OK) {
            memcpy(store->backed_up, store->saved, sizeof store->saved);
            store->has_backup = true;
        } else {
            np_log_write(&master->self.log, NP_LOG_WARN, "No backup of the state: %s: %s", path,
                         np_err_text(err));
        }
    }
    np_ct_wipe(master->text, len > 0 ? (uint32_t)len : 0);
}

static void on_backup(struct np_timer *timer, uint64_t now_ms)
{
    struct np_store *store = NP_CONTAINER(timer, struct np_store, backup);
    struct np_master *master = NP_CONTAINER(store, struct np_master, store);

    (void)np_store_save(master); /* counters */
    back_up(master);
    np_timer_start(&master->app->timers, timer, now_ms + master->app->tuning->reload_interval_ms);
}

void np_store_start_backup(struct np_master *master)
{
    if (master->store.path[0] == '\0') {
        return;
    }
    find_backup(master);
    back_up(master);
    master->store.backup.fire = on_backup;
    np_timer_start(&master->app->timers, &master->store.backup,
                   master->app->now_ms + master->app->tuning->reload_interval_ms);
}

void np_store_stop(struct np_master *master)
{
    np_timer_stop(&master->app->timers, &master->store.timer);
    np_timer_stop(&master->app->timers, &master->store.backup);
}

/* ---- loading --------------------------------------------------------------------------------- */

/* A file of a larger build: what is left out must not be lost by the next save. */
static void keep_lost(struct np_master *master, uint32_t len, uint32_t lost)
{
    struct np_plat *plat = master->app->plat;
    char kept[PATH_CAP];

    np_fmt(kept, sizeof kept, "%s.kept-%llu", master->store.path,
           (unsigned long long)np_plat_wall_s(plat));
    enum np_err err = write_text(master, kept, len);
    master->store.is_unreadable = master->store.is_unreadable || err != NP_OK;
    np_log_write(&master->self.log, NP_LOG_ERROR,
                 "%u instances of the state file are left out: this build runs at most %u; %s%s",
                 lost, (unsigned)NP_MAX_INSTANCES,
                 err == NP_OK ? "all are kept in " : "the file is never replaced: ",
                 err == NP_OK ? kept : np_err_text(err));
}

static void take_text(struct np_master *master, uint32_t len)
{
    uint32_t lost = np_store_text_parse(master, master->text, len);

    if (lost > 0) {
        keep_lost(master, len, lost);
    }
    np_ct_wipe(master->text, len);
}

void np_store_load(struct np_master *master)
{
    struct np_store *store = &master->store;
    int32_t result;

    if (store->path[0] == '\0') {
        np_log_write(&master->self.log, NP_LOG_WARN,
                     "No state directory: nothing is kept (state=, --state-dir, NP_STATE_DIR)");
        return;
    }
    result = read_state(master, store->path, &store->is_unreadable);
    if (result > 0) {
        np_sha256(master->text, (uint32_t)result, store->saved);
        store->has_saved = true;
    } else if (result == NP_ERR_INVALID || result == NP_ERR_NOT_FOUND) {
        int32_t backup = read_backup(master);
        if (backup > 0) {
            np_log_write(&master->self.log, NP_LOG_WARN,
                         "State taken from %s.backup: changes since it was made are lost",
                         store->path);
        } else if (result == NP_ERR_INVALID) {
            np_log_write(&master->self.log, NP_LOG_ERROR,
                         "All instances of the state and the API key are lost");
        }
        result = backup;
    }
    if (result > 0) {
        take_text(master, (uint32_t)result);
    }
}
