/* SPDX-License-Identifier: BSD-3-Clause */
/* instances: the routes /instances and /instances/{id} (master-api.md 4). */
#include <string.h>

#include "config/url.h"
#include "core/base/fmt.h"
#include "core/master/patch.h"
#include "core/np_app_state.h"

#define ID_TRIES 8u
#define WHY_CAP 320u

void np_reply_record(struct np_call *call, uint16_t status)
{
    np_record_write(call->master, call->record, np_http_body(call->conn), NULL);
    np_http_reply(call->conn, status, NP_HTTP_JSON);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* `at`: 0 the key's record, then the serial of the record before. */
static bool write_list(struct np_http_source *source, struct np_json *out)
{
    const struct np_master *master = source->ctx;
    const struct np_record *record = source->at == 0 ? NULL : np_record_next(master, source->at);

    if (source->at == 0 || record != NULL) {
        np_json_raw(out, source->at == 0 ? "[" : ",");
        np_record_write(master, record, out, NULL);
        source->at = record == NULL ? 1 : record->serial;
    }
    if (np_record_next(master, source->at) != NULL) {
        return true;
    }
    np_json_raw(out, "]");
    return false;
}

void np_reply_list(struct np_call *call)
{
    struct np_http_source source = {write_list, call->master, 0};

    np_http_reply_source(call->conn, 200, NP_HTTP_JSON, &source);
}

void np_reply_instance(struct np_call *call)
{
    np_reply_record(call, 200);
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* What a body's URL becomes. */
struct draft {
    char stored[NP_URLTEXT_CAP];
    struct np_settings settings;
};

static bool refuse(struct np_call *call, const char *text)
{
    np_http_reply_error(call->conn, 400, "%s", text);
    return false;
}

/* What any reader of URLs refuses. */
static bool is_url_form(const char *url)
{
    for (const char *c = url; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
    }
    return url[0] != ':';
}

static bool has_tls(const char *url)
{
    for (const char *c = url; *c != '\0'; c++) {
        if ((*c == '?' || *c == '&') && strlen(c) >= 5 && memcmp(c + 1, "tls=", 4) == 0) {
            return true;
        }
    }
    return false;
}

/* The options that instances take over from the master. */
static uint32_t inherited(const struct np_master *master, const char *url,
                          struct np_urltext_option options[4])
{
    static const char *const levels[] = {"none", "debug", "info", "warn", "error", "event"};
    static const char *const tls[] = {"0", "1", "2"};
    const struct np_settings *s = master->settings;
    uint32_t count = 0;

    if (s->log_given && s->log_level <= NP_LOG_EVENT) {
        options[count++] = (struct np_urltext_option){"log", levels[s->log_level]};
    }
    if (np_url_role(url, (uint32_t)strlen(url)) == NP_ROLE_SERVER && s->tls != 0 && !has_tls(url)) {
        options[count++] = (struct np_urltext_option){"tls", tls[s->tls]};
        if (s->tls == 2) {
            options[count++] = (struct np_urltext_option){"crt", s->crt};
            options[count++] = (struct np_urltext_option){"key", s->crt_key};
        }
    }
    return count;
}

/* Reads `url` of the body. False after it answered. */
static bool read_draft(struct np_call *call, const struct np_json_value *root, struct draft *draft)
{
    struct np_urltext_option options[4];
    char url[NP_MAX_URL + 1], why[WHY_CAP];
    enum np_err err = np_reply_read_text(root, "url", url, sizeof url);

    if (err == NP_ERR_TOO_LONG) {
        return refuse(call, "Invalid URL format");
    }
    if (err != NP_OK || url[0] == '\0') {
        return refuse(call, "Invalid request body");
    }
    if (!is_url_form(url)) {
        return refuse(call, "Invalid URL format");
    }
    enum np_role role = np_url_role(url, (uint32_t)strlen(url));
    if (role != NP_ROLE_SERVER && role != NP_ROLE_CLIENT) {
        return refuse(call, "Invalid URL scheme");
    }
    if (np_urltext_normalize(url, (uint32_t)strlen(url), options,
                             inherited(call->master, url, options), draft->stored,
                             sizeof draft->stored) == 0) {
        return refuse(call, "the URL is too long");
    }
    if (np_record_parse(draft->stored, &draft->settings, why, sizeof why) != NP_OK) {
        return refuse(call, why);
    }
    np_settings_fit_ram(&draft->settings, call->master->app->tuning->ram_mb);
    return true;
}

/* ---- POST ------------------------------------------------------------------------------------ */

/* A free id; false if there is none or no entropy. */
static bool make_id(const struct np_master *master, char id[NP_RECORD_ID_CAP])
{
    for (uint32_t i = 0; i < ID_TRIES; i++) {
        if (np_random_hex(master->app->plat, id, NP_RECORD_ID_CAP - 1) != NP_OK) {
            return false;
        }
        if (np_record_find(master, id, NP_RECORD_ID_CAP - 1) == NULL) {
            return true;
        }
    }
    return false;
}

static void reply_full(struct np_call *call)
{
    np_http_reply_error(call->conn, 503, "Too many instances: this process runs at most %u",
                        (unsigned)call->master->app->plan.instances);
}

/* Puts the draft into a record and a slot. False after it answered. */
static bool create(struct np_call *call, struct draft *draft, const char *alias)
{
    struct np_master *master = call->master;
    char id[NP_RECORD_ID_CAP];

    if (!make_id(master, id)) {
        np_http_reply_error(call->conn, 409, "Instance ID already exists");
        return false;
    }
    struct np_record *record = np_record_acquire(master, id);
    if (record != NULL) {
        np_fmt(record->alias, sizeof record->alias, "%s", alias);
        np_record_tag(record, draft->settings.alias, sizeof draft->settings.alias);
        if (np_slot_insert(master->app, &draft->settings, &record->slot) != NP_OK) {
            np_record_release(record);
            record = NULL;
        }
    }
    if (record == NULL) {
        reply_full(call);
        return false;
    }
    np_record_set_url(record, draft->stored, &draft->settings);
    record->restart = true;
    call->record = record;
    return true;
}

void np_reply_create(struct np_call *call)
{
    char alias[NP_RECORD_VALUE_MAX + 1];
    struct np_json_value root;
    struct draft draft;

    if (!np_reply_read_body(call, &root) || !read_draft(call, &root, &draft)) {
        return;
    }
    enum np_err err = np_reply_read_text(&root, "alias", alias, sizeof alias);
    if (err == NP_ERR_TOO_LONG) {
        np_http_reply_error(call->conn, 400, "Instance alias exceeds maximum length %u",
                            NP_RECORD_VALUE_MAX);
    } else if (err == NP_ERR_INVALID) {
        (void)refuse(call, "Invalid request body");
    } else if (np_reply_is_savable(call) && create(call, &draft, alias)) {
        np_events_publish(call->master, NP_HTTP_EVENT_CREATE, call->record);
        np_slot_start(call->master->app, call->record->slot);
        np_held_reply(call, NP_HELD_RECORD, 201);
    }
    np_ct_wipe(&draft, sizeof draft);
}

/* ---- PATCH ----------------------------------------------------------------------------------- */

static bool reset_totals(struct np_call *call)
{
    struct np_record *record = call->record;
    struct np_app_stats stats;

    np_record_stats(call->master, record, &stats);
    memset(&record->totals, 0, sizeof record->totals);
    if (record->slot != NP_RECORD_NO_SLOT) {
        np_slot_set_totals(call->master->app, record->slot, &record->totals);
    }
    return (stats.tcp_rx | stats.tcp_tx | stats.udp_rx | stats.udp_tx) != 0;
}

/* Copies a text; false if it is the same already. */
static bool set_text(char *text, const char *to, uint32_t cap)
{
    if (np_slice_is(np_slice_of(to), text)) {
        return false;
    }
    np_fmt(text, cap, "%s", to);
    return true;
}

static bool set_alias(struct np_call *call, const char *alias)
{
    struct np_record *record = call->record;
    char tag[NP_MAX_ALIAS + 1];

    if (!set_text(record->alias, alias, sizeof record->alias)) {
        return false;
    }
    if (record->slot != NP_RECORD_NO_SLOT) {
        np_record_tag(record, tag, sizeof tag);
        np_slot_rename(call->master->app, record->slot, tag);
    }
    return true;
}

static bool set_meta(struct np_record *record, const struct np_patch *patch)
{
    bool is_new = false;

    if (patch->has_peer) {
        is_new = set_text(record->peer.sid, patch->peer.sid, sizeof record->peer.sid) || is_new;
        is_new = set_text(record->peer.type, patch->peer.type, sizeof record->peer.type) || is_new;
        is_new =
            set_text(record->peer.alias, patch->peer.alias, sizeof record->peer.alias) || is_new;
    }
    if (patch->has_tags && (patch->tags_len != record->tags_len ||
                            memcmp(patch->tags, record->tags, patch->tags_len) != 0)) {
        memcpy(record->tags, patch->tags, patch->tags_len);
        record->tags_len = patch->tags_len;
        is_new = true;
    }
    return is_new;
}

/* start, stop, restart. Returns whether that changes something. */
static bool act(struct np_call *call, uint8_t action)
{
    struct np_app *app = call->master->app;
    uint32_t slot = call->record->slot;
    bool is_stopped;

    if (slot == NP_RECORD_NO_SLOT) {
        return false;
    }
    is_stopped = np_slot_run(app, slot) == NP_SLOT_STOPPED;
    if (action == NP_PATCH_START && is_stopped) {
        np_slot_start(app, slot);
    } else if (action == NP_PATCH_STOP && !is_stopped) {
        np_slot_stop(app, slot);
    } else if (action == NP_PATCH_RESTART) {
        np_slot_restart(app, slot);
    } else {
        return false;
    }
    return true;
}

/* Publishes and remembers one step of a PATCH. */
static uint32_t told(struct np_call *call, bool is_change)
{
    if (is_change) {
        np_events_publish(call->master, NP_HTTP_EVENT_UPDATE, call->record);
    }
    return is_change ? 1 : 0;
}

/* Returns how many things changed. */
static uint32_t apply_patch(struct np_call *call, const struct np_patch *patch)
{
    struct np_record *record = call->record;
    uint32_t changes = 0;

    if (patch->action == NP_PATCH_RESET) {
        changes += told(call, reset_totals(call));
    }
    if (patch->has_restart && patch->restart != record->restart) {
        record->restart = patch->restart;
        changes += told(call, true);
    }
    if (patch->has_alias) {
        changes += told(call, set_alias(call, patch->alias));
    }
    changes += told(call, set_meta(record, patch));
    if (patch->action != NP_PATCH_NONE && patch->action != NP_PATCH_RESET) {
        changes += told(call, act(call, patch->action));
    }
    return changes;
}

/* A new key: the old one is dead at once, streams end. Saved first: it must not come back. */
static void rotate_key(struct np_call *call)
{
    struct np_master *master = call->master;
    char old[NP_KEY_LEN + 1];

    memcpy(old, master->key.text, sizeof old);
    if (np_api_key_make(&master->key, master->app->plat) != NP_OK) {
        np_http_reply_error(call->conn, 500, "No random numbers for a new API key");
        return;
    }
    if (np_store_save(master) != NP_OK) {
        memcpy(master->key.text, old, sizeof old);
        np_ct_wipe(old, sizeof old);
        np_reply_unsaved(call);
        return;
    }
    np_log_write(&master->self.log, NP_LOG_INFO, "API Key created: %s", master->key.text);
    np_events_publish_shutdown(master);
    np_http_end_streams(&master->server);
    np_reply_record(call, 200);
}

/* What would be forgotten at the next start can't be changed. False after it answered 403. */
static bool may_change(struct np_call *call)
{
    if (call->record != NULL && !call->record->is_fixed) {
        return true;
    }
    np_http_reply_error(call->conn, 403, "Forbidden: %s",
                        call->record == NULL ? "API Key" : "defined in the configuration file");
    return false;
}

void np_reply_patch(struct np_call *call)
{
    struct np_patch patch;

    if (!np_patch_parse(call, &patch)) {
        return;
    }
    bool is_edit = patch.has_alias || patch.has_restart || patch.has_peer || patch.has_tags;
    if ((is_edit && call->record != NULL && !may_change(call)) || !np_reply_is_savable(call)) {
        return;
    }
    if (call->record == NULL && patch.action == NP_PATCH_RESTART) {
        rotate_key(call);
        return;
    }
    if (call->record != NULL && apply_patch(call, &patch) > 0 && !call->record->is_fixed) {
        np_held_reply(call, NP_HELD_RECORD, 200);
    } else {
        np_reply_record(call, 200);
    }
}

/* ---- PUT, DELETE ----------------------------------------------------------------------------- */

static void replace(struct np_call *call, struct draft *draft)
{
    struct np_master *master = call->master;
    struct np_record *record = call->record;

    np_record_tag(record, draft->settings.alias, sizeof draft->settings.alias);
    if (record->slot == NP_RECORD_NO_SLOT) {
        if (np_slot_insert(master->app, &draft->settings, &record->slot) != NP_OK) {
            record->slot = NP_RECORD_NO_SLOT;
            reply_full(call);
            return;
        }
        np_slot_set_totals(master->app, record->slot, &record->totals);
        np_slot_start(master->app, record->slot);
    } else {
        np_slot_replace(master->app, record->slot, &draft->settings);
    }
    np_record_set_url(record, draft->stored, &draft->settings);
    np_events_publish(master, NP_HTTP_EVENT_UPDATE, record);
    np_held_reply(call, NP_HELD_RECORD, 200);
}

void np_reply_put(struct np_call *call)
{
    struct np_json_value root;
    struct draft draft;

    if (!may_change(call) || !np_reply_read_body(call, &root) || !read_draft(call, &root, &draft)) {
        return;
    }
    if (np_slice_is(np_slice_of(draft.stored), call->record->url)) {
        np_http_reply_error(call->conn, 409, "Instance URL conflict");
    } else if (np_reply_is_savable(call)) {
        replace(call, &draft);
    }
    np_ct_wipe(&draft, sizeof draft);
}

void np_reply_delete(struct np_call *call)
{
    struct np_master *master = call->master;
    struct np_record *record = call->record;

    if (!may_change(call) || !np_reply_is_savable(call)) {
        return;
    }
    if (record->slot != NP_RECORD_NO_SLOT &&
        np_slot_run(master->app, record->slot) != NP_SLOT_STOPPED) {
        np_slot_stop(master->app, record->slot);
        np_events_publish(master, NP_HTTP_EVENT_UPDATE, record);
    }
    np_events_publish(master, NP_HTTP_EVENT_DELETE, record);
    if (record->slot != NP_RECORD_NO_SLOT) {
        np_slot_remove(master->app, record->slot);
    }
    np_record_release(record);
    call->record = NULL;
    np_held_reply(call, NP_HELD_EMPTY, 204);
}
