/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics: the route /metrics, in the text format that Prometheus reads (version 0.0.4). */
#include <string.h>

#include "core/master/reply.h"
#include "core/np_app_state.h"

/* One metric of each instance. */
static const struct family {
    const char *name, *type, *help;
} families[] = {
    {"up", "gauge", "1 if the instance runs and can do its work"},
    {"ping_ms", "gauge", "Round trip to the tunnel peer, or time to connect to the target"},
    {"pool_connections", "gauge", "Idle pool connections"},
    {"tcp_sessions", "gauge", "Open sessions"},
    {"udp_sessions", "gauge", "Open sessions"},
    {"tcp_rx_bytes_total", "counter", "Bytes read from the local side"},
    {"tcp_tx_bytes_total", "counter", "Bytes written to the local side"},
    {"udp_rx_bytes_total", "counter", "Bytes read from the local side"},
    {"udp_tx_bytes_total", "counter", "Bytes written to the local side"},
    {"restarts_total", "counter", "Times the tunnel was lost since the start of the process"},
};
#define FAMILY_COUNT ((uint32_t)(sizeof families / sizeof families[0]))

static uint64_t value_of(const struct np_master *master, const struct np_record *record,
                         uint32_t family)
{
    struct np_app_stats s;

    np_record_stats(master, record, &s);
    const uint64_t values[FAMILY_COUNT] = {
        np_record_run(master, record) == NP_SLOT_RUNNING,
        s.ping_ms,
        s.pool_idle,
        s.tcp_sessions,
        s.udp_sessions,
        s.tcp_rx,
        s.tcp_tx,
        s.udp_rx,
        s.udp_tx,
        s.restarts,
    };
    return values[family];
}

/* A label's value: backslash, quote and newline escaped, other control bytes left out. */
static void put_label(struct np_json *out, const char *name, const char *value)
{
    np_json_raw(out, name);
    np_json_raw(out, "=\"");
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"') {
            np_json_raw(out, "\\");
        }
        if (*c == '\n') {
            np_json_raw(out, "\\n");
        } else if ((unsigned char)*c >= 0x20) {
            np_json_raw_slice(out, (struct np_slice){c, 1});
        }
    }
    np_json_raw(out, "\"");
}

static void put_head(struct np_json *out, const char *prefix, const struct family *family)
{
    np_json_raw_fmt(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, family->name, family->help,
                    prefix, family->name, family->type);
}

static void put_process(const struct np_master *master, struct np_json *out)
{
    static const struct family process[] = {
        {"uptime_seconds", "gauge", "Time since the start"},
        {"resident_memory_bytes", "gauge", "Memory in use"},
        {"cpu_milliseconds_total", "counter", "Processor time, user and system"},
        {"handles", "gauge", "Open connections, listeners and queries"},
        {"event_streams", "gauge", "Subscribers of /events"},
        {"instances", "gauge", "Instances known"},
    };
    uint32_t instances = 0;
    struct np_figures f;

    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        instances += master->records[i].serial != 0 ? 1u : 0u;
    }
    np_plat_figures(master->app->plat, &f);
    const uint64_t values[] = {
        (master->app->now_ms - master->started_ms) / 1000,
        f.process_rss,
        f.process_cpu_ms,
        f.process_handles,
        master->server.streams.count,
        instances,
    };
    np_json_raw(out, "# HELP nodepass_info Version and system\n# TYPE nodepass_info gauge\n"
                     "nodepass_info{version=\"" NP_VERSION "\",");
    put_label(out, "os", f.os);
    np_json_raw(out, ",");
    put_label(out, "arch", f.arch);
    np_json_raw(out, "} 1\n");
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        put_head(out, "nodepass_", &process[i]);
        np_json_raw_fmt(out, "nodepass_%s %llu\n", process[i].name, (unsigned long long)values[i]);
    }
}

static void put_sample(const struct np_master *master, const struct np_record *record,
                       uint32_t family, struct np_json *out)
{
    np_json_raw_fmt(out, "nodepass_instance_%s{", families[family].name);
    put_label(out, "id", record->id);
    np_json_raw(out, ",");
    put_label(out, "alias", record->alias);
    np_json_raw(out, ",");
    put_label(out, "type", np_record_type(record));
    np_json_raw_fmt(out, "} %llu\n", (unsigned long long)value_of(master, record, family));
}

/* `at`: 0 the process; then family + 1 in the upper 8 bits, serial of the record before below. */
static bool write_metrics(struct np_http_source *source, struct np_json *out)
{
    const struct np_master *master = source->ctx;
    uint32_t family = (uint32_t)(source->at >> 56);
    uint64_t serial = source->at & (UINT64_MAX >> 8);

    if (family == 0) {
        put_process(master, out);
        source->at = 1ull << 56;
        return true;
    }
    if (serial == 0) {
        put_head(out, "nodepass_instance_", &families[family - 1]);
    }
    const struct np_record *record = np_record_next(master, serial);
    if (record != NULL) {
        put_sample(master, record, family - 1, out);
        source->at = (uint64_t)family << 56 | record->serial;
        return true;
    }
    source->at = (uint64_t)(family + 1) << 56;
    return family < FAMILY_COUNT;
}

void np_reply_metrics(struct np_call *call)
{
    struct np_http_source source = {write_metrics, call->master, 0};

    np_http_reply_source(call->conn, 200, NP_HTTP_METRICS, &source);
}
