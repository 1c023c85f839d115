/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/record.h"

#include <string.h>

#include "config/url.h"
#include "core/base/fmt.h"
#include "core/master/master.h"
#include "core/np_app_state.h"

struct np_record *np_record_next(const struct np_master *master, uint64_t serial)
{
    struct np_record *best = NULL;

    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        struct np_record *record = &master->records[i];
        if (record->serial > serial && (best == NULL || record->serial < best->serial)) {
            best = record;
        }
    }
    return best;
}

struct np_record *np_record_find(const struct np_master *master, const char *id, uint32_t len)
{
    for (uint32_t i = 0; i < NP_MAX_INSTANCES && len + 1 == NP_RECORD_ID_CAP; i++) {
        struct np_record *record = &master->records[i];
        if (record->serial != 0 && memcmp(record->id, id, len) == 0) {
            return record;
        }
    }
    return NULL;
}

struct np_record *np_record_of_slot(const struct np_master *master, uint32_t slot)
{
    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        struct np_record *record = &master->records[i];
        if (record->serial != 0 && record->slot == slot) {
            return record;
        }
    }
    return NULL;
}

struct np_record *np_record_acquire(struct np_master *master, const char *id)
{
    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        struct np_record *record = &master->records[i];
        if (record->serial == 0) {
            record->serial = master->next_serial++;
            record->slot = NP_RECORD_NO_SLOT;
            np_fmt(record->id, sizeof record->id, "%s", id);
            return record;
        }
    }
    return NULL;
}

void np_record_release(struct np_record *record)
{
    np_ct_wipe(record, sizeof *record);
}

/* ---- URL ------------------------------------------------------------------------------------- */

struct reason {
    char *out;
    uint32_t cap;
};

/* The first error, without the URL that the caller knows. */
static void keep_first(void *context, bool is_error, const char *text)
{
    struct reason *reason = context;
    uint32_t len = 0;

    if (!is_error || reason->out[0] != '\0') {
        return;
    }
    for (uint32_t i = 0; text[i] != '\0'; i++) {
        if (strlen(text + i) > 5 && memcmp(text + i, " (in ", 5) == 0) {
            len = i;
        }
    }
    np_fmt(reason->out, reason->cap, "%.*s", (int)(len > 0 ? len : strlen(text)), text);
}

enum np_err np_record_parse(const char *url, struct np_settings *settings, char *why, uint32_t cap)
{
    struct reason reason = {why, cap};
    struct np_report report = {keep_first, &reason, 0};

    why[0] = '\0';
    np_url_parse(settings, url, (uint32_t)strlen(url), &report);
    return report.error_count == 0 ? NP_OK : NP_ERR_INVALID;
}

void np_record_set_url(struct np_record *record, const char *url,
                       const struct np_settings *settings)
{
    np_fmt(record->url, sizeof record->url, "%s", url);
    record->role = settings->role;
    if (np_urltext_format(settings, record->config, sizeof record->config) == 0) {
        np_fmt(record->config, sizeof record->config, "%s", url);
    }
}

void np_record_tag(const struct np_record *record, char *out, uint32_t cap)
{
    np_fmt(out, cap, "%s", record->alias[0] != '\0' ? record->alias : record->id);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

const char *np_record_type(const struct np_record *record)
{
    return record->role == NP_ROLE_SERVER   ? "server"
           : record->role == NP_ROLE_CLIENT ? "client"
                                            : "";
}

const char *np_record_status(enum np_slot_run run)
{
    return run == NP_SLOT_RUNNING ? "running" : run == NP_SLOT_ERROR ? "error" : "stopped";
}

enum np_slot_run np_record_run(const struct np_master *master, const struct np_record *record)
{
    return record->slot == NP_RECORD_NO_SLOT ? NP_SLOT_ERROR
                                             : np_slot_run(master->app, record->slot);
}

void np_record_stats(const struct np_master *master, const struct np_record *record,
                     struct np_app_stats *stats)
{
    if (record->slot != NP_RECORD_NO_SLOT) {
        np_app_stats(master->app, record->slot, stats);
        return;
    }
    memset(stats, 0, sizeof *stats);
    stats->tcp_rx = record->totals.tcp_rx;
    stats->tcp_tx = record->totals.tcp_tx;
    stats->udp_rx = record->totals.udp_rx;
    stats->udp_tx = record->totals.udp_tx;
}

static void write_meta(const struct np_record *record, struct np_json *out)
{
    np_json_open(out, "meta", '{');
    np_json_open(out, "peer", '{');
    np_json_put_text(out, "sid", record == NULL ? "" : record->peer.sid);
    np_json_put_text(out, "type", record == NULL ? "" : record->peer.type);
    np_json_put_text(out, "alias", record == NULL ? "" : record->peer.alias);
    np_json_close(out, '}');
    np_json_open(out, "tags", '{');
    for (uint32_t at = 0; record != NULL && at < record->tags_len;) {
        struct np_slice name = np_slice_of(record->tags + at);
        struct np_slice value = np_slice_of(record->tags + at + name.len + 1);

        np_json_put_member(out, name, value);
        at += name.len + value.len + 2;
    }
    np_json_close(out, '}');
    np_json_close(out, '}');
}

static void write_figures(const struct np_app_stats *stats, struct np_json *out)
{
    np_json_put_uint(out, "mode", stats->mode);
    np_json_put_uint(out, "ping", stats->ping_ms);
    np_json_put_uint(out, "pool", stats->pool_idle);
    np_json_put_uint(out, "tcps", stats->tcp_sessions);
    np_json_put_uint(out, "udps", stats->udp_sessions);
    np_json_put_uint(out, "tcprx", stats->tcp_rx);
    np_json_put_uint(out, "tcptx", stats->tcp_tx);
    np_json_put_uint(out, "udprx", stats->udp_rx);
    np_json_put_uint(out, "udptx", stats->udp_tx);
}

void np_record_write(const struct np_master *master, const struct np_record *record,
                     struct np_json *out, const char *key)
{
    bool is_key = record == NULL;
    struct np_app_stats stats;

    memset(&stats, 0, sizeof stats);
    if (!is_key) {
        np_record_stats(master, record, &stats);
    }
    np_json_open(out, key, '{');
    np_json_put_text(out, "id", is_key ? NP_MASTER_KEY_ID : record->id);
    np_json_put_text(out, "alias", is_key ? "" : record->alias);
    np_json_put_text(out, "type", is_key ? "" : np_record_type(record));
    np_json_put_text(out, "status", is_key ? "" : np_record_status(np_record_run(master, record)));
    np_json_put_text(out, "url", is_key ? master->key.text : record->url);
    np_json_put_text(out, "config", is_key ? "" : record->config);
    np_json_put_bool(out, "restart", !is_key && record->restart);
    write_meta(record, out);
    write_figures(&stats, out);
    np_json_close(out, '}');
}
