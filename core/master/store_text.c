/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/store_text.h"

#include <stddef.h>
#include <string.h>

#include "config/endpoint.h"
#include "config/statefile.h"
#include "config/url.h"
#include "core/base/fmt.h"
#include "core/master/master.h"
#include "core/np_app_state.h"

#define MARK "; sha256 "
#define TAIL_LEN (sizeof MARK - 1 + 2 * NP_SHA256_LEN + 1)
#define ESCAPED_CAP (3 * NP_RECORD_TAGS_CAP + 1)

/* Options of an instance that are texts of NP_RECORD_VALUE_MAX in its record. */
static const struct {
    char name[12];
    uint16_t at;
} texts[] = {
    {"alias", offsetof(struct np_record, alias)},
    {"peer_sid", offsetof(struct np_record, peer.sid)},
    {"peer_type", offsetof(struct np_record, peer.type)},
    {"peer_alias", offsetof(struct np_record, peer.alias)},
};
/* Those that count bytes, in the order of struct np_slot_totals. */
static const char totals[][6] = {"tcprx", "tcptx", "udprx", "udptx"};

/* ---- writing --------------------------------------------------------------------------------- */

/* "name = value", the value escaped; nothing if it is empty. */
static void put_option(struct np_json *out, const char *name, const char *value)
{
    char escaped[3 * NP_RECORD_VALUE_MAX + 4];

    if (value[0] != '\0' &&
        np_statefile_escape(value, (uint32_t)strlen(value), escaped, sizeof escaped) > 0) {
        np_json_raw(out, name);
        np_json_raw(out, " = ");
        np_json_raw(out, escaped);
        np_json_raw(out, "\n");
    }
}

static void put_number(struct np_json *out, const char *name, uint64_t value)
{
    if (value > 0) {
        np_json_raw_fmt(out, "%s = %llu\n", name, (unsigned long long)value);
    }
}

static void put_tags(struct np_json *out, const struct np_record *record)
{
    char escaped[ESCAPED_CAP];

    if (record->tags_len == 0) {
        return;
    }
    np_json_raw(out, "tags = ");
    for (uint32_t at = 0, i = 0; at < record->tags_len; i++) {
        uint32_t len = (uint32_t)strlen(record->tags + at);

        np_json_raw(out, i == 0 ? "" : i % 2 == 1 ? "=" : "&");
        (void)np_statefile_escape(record->tags + at, len, escaped, sizeof escaped);
        np_json_raw(out, escaped);
        at += len + 1;
    }
    np_json_raw(out, "\n");
}

/* A URL as it is, but for a semicolon that would begin a comment of the INI file. */
static void put_url(struct np_json *out, const char *url)
{
    const char *from = url;

    for (const char *at = url; *at != '\0'; at++) {
        bool is_apart = at == url || at[-1] == ' ' || (at[-1] >= '\t' && at[-1] <= '\r');
        if (*at == ';' && is_apart) {
            np_json_raw_slice(out, (struct np_slice){from, (uint32_t)(at - from)});
            np_json_raw(out, "%3B");
            from = at + 1;
        }
    }
    np_json_raw(out, from);
}

static void put_record(struct np_master *master, struct np_json *out,
                       const struct np_record *record)
{
    struct np_app_stats stats;

    np_record_stats(master, record, &stats);
    np_json_raw_fmt(out, "\n[instance %s]\nid = %s\nurl = ", record->id, record->id);
    put_url(out, record->url);
    np_json_raw_fmt(out, "\nrestart = %u\n", record->restart ? 1u : 0u);
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_option(out, texts[i].name, (const char *)record + texts[i].at);
    }
    put_tags(out, record);
    const uint64_t counted[] = {stats.tcp_rx, stats.tcp_tx, stats.udp_rx, stats.udp_tx};
    for (uint32_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        put_number(out, totals[i], counted[i]);
    }
    put_number(out, "mode",
               record->slot == NP_RECORD_NO_SLOT ? 0 : np_slot_mode(master->app, record->slot));
}

static void format_hash(const char *text, uint32_t len, char line[2 * NP_SHA256_LEN + 1])
{
    uint8_t hash[NP_SHA256_LEN];

    np_sha256(text, len, hash);
    np_fmt_hex(line, hash, sizeof hash);
}

static void put_checksum(struct np_json *out)
{
    char line[2 * NP_SHA256_LEN + 1];

    format_hash(out->mem, out->len, line);
    np_json_raw_fmt(out, MARK "%s\n", line);
}

/* Where the API is, for `nodepass ctl` on the same machine; never read back. */
static void put_address(struct np_json *out, const struct np_master *master)
{
    char endpoint[NP_ENDPOINT_TEXT_CAP], address[NP_ENDPOINT_TEXT_CAP + NP_MAX_PATH + 16];

    np_endpoint_format(&master->settings->tunnel, endpoint, sizeof endpoint);
    np_fmt(address, sizeof address, "%s://%s%s/v1", master->settings->tls > 0 ? "https" : "http",
           endpoint, master->prefix);
    put_option(out, "api", address);
}

uint32_t np_store_text_format(struct np_master *master)
{
    struct np_json out;

    np_json_init(&out, master->text, NP_STORE_BYTES);
    np_json_raw(&out, "; State of a NodePass master. The program replaces this file; a change made "
                      "by hand breaks\n; the checksum in the last line.\n[nodepass]\n");
    np_json_raw_fmt(&out, "key = %s\nmid = %s\n", master->key.text, master->mid);
    put_option(&out, "alias", master->alias);
    put_address(&out, master);
    for (const struct np_record *record = np_record_next(master, 0); record != NULL;
         record = np_record_next(master, record->serial)) {
        if (!record->is_fixed) {
            put_record(master, &out, record);
        }
    }
    if (out.is_full) {
        return 0;
    }
    put_checksum(&out);
    return out.is_full ? 0 : out.len;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool np_store_text_is_whole(const char *text, uint32_t len)
{
    char line[2 * NP_SHA256_LEN + 1];

    if (len <= TAIL_LEN || text[len - 1] != '\n' ||
        memcmp(text + len - TAIL_LEN, MARK, sizeof MARK - 1) != 0) {
        return false;
    }
    format_hash(text, len - (uint32_t)TAIL_LEN, line);
    return memcmp(text + len - TAIL_LEN + sizeof MARK - 1, line, 2 * NP_SHA256_LEN) == 0;
}

struct reader {
    struct np_master *master;
    struct np_record *record; /* of the section being read; NULL = none, or left out */
    char section[NP_RECORD_ID_CAP + 12];
    uint32_t lost;
};

/* The record is read: its URL becomes a slot. */
static void finish_record(struct reader *reader)
{
    struct np_master *master = reader->master;
    struct np_record *record = reader->record;
    struct np_settings settings;
    char why[256], stored[NP_URLTEXT_CAP];

    if (record == NULL) {
        return;
    }
    reader->record = NULL;
    np_fmt(stored, sizeof stored, "%s", record->url);
    record->role = (uint8_t)np_url_role(stored, (uint32_t)strlen(stored));
    if (np_record_parse(stored, &settings, why, sizeof why) != NP_OK ||
        settings.role == NP_ROLE_MASTER) {
        np_log_write(&master->self.log, NP_LOG_ERROR, "Instance %s can't start: %s", record->id,
                     why);
        return; /* kept: it can be given another URL */
    }
    np_record_tag(record, settings.alias, sizeof settings.alias);
    np_record_set_url(record, stored, &settings);
    np_settings_fit_ram(&settings, master->app->tuning->ram_mb);
    if (np_slot_insert(master->app, &settings, &record->slot) == NP_OK) {
        np_slot_set_totals(master->app, record->slot, &record->totals);
        np_slot_set_mode(master->app, record->slot, record->mode);
    }
    np_ct_wipe(&settings, sizeof settings);
}

static void begin_section(struct reader *reader, const char *section)
{
    finish_record(reader);
    np_fmt(reader->section, sizeof reader->section, "%s", section);
    if (strlen(section) < 9 || memcmp(section, "instance ", 9) != 0) {
        return;
    }
    if (strlen(section) == 17 && np_record_find(reader->master, section + 9, 8) == NULL) {
        reader->record = np_record_acquire(reader->master, section + 9);
    }
    reader->lost += reader->record == NULL ? 1u : 0u;
}

static void read_process_option(struct np_master *master, const char *name, const char *value)
{
    struct np_slice option = np_slice_of(name);
    uint32_t len = (uint32_t)strlen(value);

    if (np_slice_is(option, "key") && np_api_key_is_text(value, len)) {
        memcpy(master->key.text, value, len + 1);
    } else if (np_slice_is(option, "mid") && len == 16) {
        memcpy(master->mid, value, len + 1);
    } else if (np_slice_is(option, "alias")) {
        (void)np_statefile_unescape(value, len, master->alias, sizeof master->alias);
    }
}

static void read_tags(struct np_record *record, const char *value)
{
    uint32_t used = 0, start = 0, len = (uint32_t)strlen(value);

    for (uint32_t i = 0; i <= len; i++) {
        if (i < len && value[i] != '=' && value[i] != '&') {
            continue;
        }
        if (used + 1 >= sizeof record->tags ||
            !np_statefile_unescape(value + start, i - start, record->tags + used,
                                   (uint32_t)sizeof record->tags - used)) {
            record->tags_len = 0;
            return;
        }
        used += (uint32_t)strlen(record->tags + used) + 1;
        start = i + 1;
    }
    record->tags_len = (uint16_t)used;
}

/* What we write: anything else would not come through a file as it is. */
static bool is_url_text(const char *text)
{
    while ((unsigned char)*text > 0x20 && (unsigned char)*text < 0x7f) {
        text++;
    }
    return *text == '\0';
}

static uint64_t *total_at(struct np_slot_totals *all, uint32_t index)
{
    uint64_t *const at[] = {&all->tcp_rx, &all->tcp_tx, &all->udp_rx, &all->udp_tx};

    return at[index];
}

static void read_record_option(struct reader *reader, const char *name, const char *value)
{
    struct np_record *record = reader->record;
    struct np_slice option = np_slice_of(name);
    uint32_t len = (uint32_t)strlen(value);

    if (np_slice_is(option, "url") && is_url_text(value)) {
        np_fmt(record->url, sizeof record->url, "%s", value);
    } else if (np_slice_is(option, "restart")) {
        record->restart = value[0] == '1';
    } else if (np_slice_is(option, "mode")) {
        record->mode = value[0] == '1' || value[0] == '2' ? (uint8_t)(value[0] - '0') : 0;
    } else if (np_slice_is(option, "tags")) {
        read_tags(record, value);
    }
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (np_slice_is(option, texts[i].name)) {
            (void)np_statefile_unescape(value, len, (char *)record + texts[i].at,
                                        NP_RECORD_VALUE_MAX + 1);
        }
    }
    for (uint32_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        if (np_slice_is(option, totals[i])) {
            (void)np_parse_uint(value, len, UINT64_MAX, total_at(&record->totals, i));
        }
    }
}

static bool on_option(void *context, const char *section, const char *name, const char *value)
{
    struct reader *reader = context;

    if (!np_slice_is(np_slice_of(section), reader->section)) {
        begin_section(reader, section);
    }
    if (reader->record != NULL) {
        read_record_option(reader, name, value);
    } else if (np_slice_is(np_slice_of(section), "nodepass")) {
        read_process_option(reader->master, name, value);
    }
    return true;
}

uint32_t np_store_text_parse(struct np_master *master, const char *text, uint32_t len)
{
    struct reader reader = {.master = master};

    (void)np_statefile_parse(text, len, on_option, &reader);
    finish_record(&reader);
    return reader.lost;
}
