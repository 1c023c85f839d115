/* SPDX-License-Identifier: BSD-3-Clause */
/* events: what subscribers are told (master-api.md 5). */
#include <string.h>

#include "core/base/fmt.h"
#include "core/master/master.h"
#include "core/np_app_state.h"

#define TIME_CAP 40u

struct event {
    const struct np_master *master;
    const struct np_record *record; /* NULL = the key's record */
    const char *type;
    struct np_slice logs;
    bool has_instance;
    char time[TIME_CAP];
};

/* ---- time ------------------------------------------------------------------------------------ */

/* Days since 1970-01-01 of a Gregorian date. */
static int32_t days_of(const struct np_civil *t)
{
    int32_t year = t->month <= 2 ? t->year - 1 : t->year;
    int32_t month = t->month <= 2 ? t->month + 9 : t->month - 3; /* from March */
    int32_t of_year = (153 * month + 2) / 5 + t->day - 1;

    return year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

/* RFC 3339 with milliseconds; the zone is what the local clock is off from UTC. */
static void format_time(struct np_plat *plat, char *out, uint32_t cap)
{
    struct np_civil t;

    if (!np_plat_civil_time(plat, &t)) {
        np_fmt(out, cap, "1970-01-01T00:00:00.000Z");
        return;
    }
    int32_t local_min = days_of(&t) * 1440 + t.hour * 60 + t.minute;
    int32_t off_min = local_min - (int32_t)(np_plat_wall_s(plat) / 60);
    bool is_west = off_min < 0;
    uint32_t minutes = (uint32_t)(is_west ? -off_min : off_min);

    minutes = (minutes + 7) / 15 * 15; /* both clocks were read a moment apart */
    uint32_t len = np_fmt(out, cap, "%04u-%02u-%02uT%02u:%02u:%02u.%03u", t.year, t.month, t.day,
                          t.hour, t.minute, t.second, t.ms);
    if (minutes == 0) {
        np_fmt(out + len, cap - len, "Z");
    } else {
        np_fmt(out + len, cap - len, "%c%02u:%02u", is_west ? '-' : '+', minutes / 60,
               minutes % 60);
    }
}

/* ---- one event ------------------------------------------------------------------------------- */

static void write_event(void *ctx, struct np_json *out)
{
    const struct event *event = ctx;

    np_json_open(out, NULL, '{');
    np_json_put_text(out, "type", event->type);
    np_json_put_text(out, "time", event->time);
    if (event->has_instance) {
        np_record_write(event->master, event->record, out, "instance");
    } else {
        np_json_put_null(out, "instance");
    }
    np_json_put_slice(out, "logs", event->logs);
    np_json_close(out, '}');
}

/* The id as a number; the key's record has none of its own. */
static uint32_t key_of(const struct np_record *record)
{
    uint32_t key = 0;

    for (uint32_t i = 0; record != NULL && i < NP_RECORD_ID_CAP - 1; i++) {
        char c = record->id[i];
        key = key << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return key;
}

static struct event make_event(const struct np_master *master, const struct np_record *record,
                               const char *type)
{
    struct event event = {master, record, type, {"", 0}, true, ""};

    format_time(master->app->plat, event.time, sizeof event.time);
    return event;
}

void np_events_publish(struct np_master *master, enum np_http_event kind, struct np_record *record)
{
    const char *type = kind == NP_HTTP_EVENT_CREATE   ? "create"
                       : kind == NP_HTTP_EVENT_DELETE ? "delete"
                                                      : "update";
    if (record != NULL) {
        record->published = (uint8_t)np_record_run(master, record);
    }
    if (np_http_has_streams(&master->server)) {
        struct event event = make_event(master, record, type);
        (void)np_http_publish(&master->server, kind, key_of(record), write_event, &event);
    }
}

void np_events_publish_shutdown(struct np_master *master)
{
    if (np_http_has_streams(&master->server)) {
        struct event event = make_event(master, NULL, "shutdown");
        event.has_instance = false;
        (void)np_http_publish(&master->server, NP_HTTP_EVENT_LAST, 0, write_event, &event);
    }
}

/* A mode that was decided is saved. */
static void see_mode(struct np_master *master, struct np_record *record)
{
    uint8_t mode = np_slot_mode(master->app, record->slot);

    if (mode != record->mode) {
        record->mode = mode;
        (void)np_store_touch(master);
    }
}

void np_events_publish_changes(struct np_master *master)
{
    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        struct np_record *record = &master->records[i];
        if (record->serial != 0 && record->slot != NP_RECORD_NO_SLOT) {
            see_mode(master, record);
        }
        if (record->serial != 0 && record->published != (uint8_t)np_record_run(master, record)) {
            np_events_publish(master, NP_HTTP_EVENT_UPDATE, record);
        }
    }
}

void np_events_publish_reports(struct np_master *master)
{
    for (struct np_record *record = np_record_next(master, 0);
         record != NULL && np_http_has_streams(&master->server);
         record = np_record_next(master, record->serial)) {
        if (np_record_run(master, record) == NP_SLOT_RUNNING) {
            np_events_publish(master, NP_HTTP_EVENT_UPDATE, record);
        }
    }
}

/* ---- log lines ------------------------------------------------------------------------------- */

void np_events_on_line(struct np_log_tap *tap, const struct np_log *log, enum np_log_level level,
                       const char *text, uint32_t len)
{
    struct np_app *app = NP_CONTAINER(tap, struct np_app, tap);
    struct np_master *master = app->master;

    if (level == NP_LOG_EVENT || !np_http_has_streams(&master->server)) {
        return; /* check points are told as updates */
    }
    const struct np_instance *instance = NP_CONTAINER(log, struct np_instance, log);
    const struct np_record *record = np_record_of_slot(master, instance->index);
    if (record == NULL) {
        return; /* deleted, and draining */
    }
    struct event event = make_event(master, record, "log");
    event.logs = (struct np_slice){text, len};
    (void)np_http_publish(&master->server, NP_HTTP_EVENT_LOG, key_of(record), write_event, &event);
}

/* ---- a new subscriber ------------------------------------------------------------------------ */

/* The log line of a record in error. */
static void write_fault(const struct np_master *master, const struct np_record *record, char *line)
{
    char why[256] = "";
    const char *what = why, *cause = "";

    if (record->slot == NP_RECORD_NO_SLOT) {
        struct np_settings settings;
        (void)np_record_parse(record->url, &settings, why, sizeof why);
        np_ct_wipe(&settings, sizeof settings);
    } else {
        what = np_slot_fault(master->app, record->slot, &cause);
    }
    np_log_format(&master->self.log, NP_LOG_ERROR, line, "%s%s%s", what,
                  cause[0] == '\0' ? "" : ": ", cause);
}

/* `at`: 0 the key's record, then twice the serial of the record told last, and one more if its
 * fault is still to be told. */
static bool write_initial(struct np_http_source *source, struct np_json *out)
{
    const struct np_master *master = source->ctx;
    uint64_t last = source->at / 2, is_fault = source->at % 2;
    const struct np_record *record = last == 0 ? NULL : np_record_next(master, last - is_fault);
    char line[NP_LOG_LINE_CAP + 1];

    if (last != 0 && record == NULL) {
        return false;
    }
    is_fault = is_fault != 0 && record->serial == last && /* or it is gone, or healed, meanwhile */
               np_record_run(master, record) == NP_SLOT_ERROR;
    struct event event = make_event(master, record, is_fault ? "log" : "initial");
    if (is_fault) {
        write_fault(master, record, line);
        event.logs = np_slice_of(line);
    }
    np_http_frame_open(out);
    write_event(&event, out);
    np_http_frame_close(out);
    bool has_fault = !is_fault && record != NULL && np_record_run(master, record) == NP_SLOT_ERROR;
    source->at = record == NULL ? 2 : 2 * record->serial + has_fault;
    return has_fault || np_record_next(master, source->at / 2) != NULL;
}

void np_events_start_stream(struct np_master *master, struct np_http_conn *conn)
{
    struct np_http_source initial = {write_initial, master, 0};

    np_http_stream_start(conn, &initial);
}
