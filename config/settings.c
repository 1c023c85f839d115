/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/settings.h"

#include <string.h>

#include "config/duration.h"
#include "config/endpoint.h"
#include "core/base/built.h"
#include "core/base/fmt.h"
#include "core/base/log.h"
#include "core/wire/dialect.h"

#define REPORT_CAP (NP_MAX_URL + 512u)
#define KEY_TRIES 16u /* ids */
#define AT_MOST(value, limit) ((value) < (limit) ? (value) : (limit))

static void report_line(struct np_report *report, bool is_error, const char *format, va_list args)
{
    char text[REPORT_CAP];
    uint32_t len = np_vfmt(text, sizeof(text), format, args);

    for (uint32_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?'; /* what is quoted must not steer a terminal or forge a line */
        }
    }
    report->line(report->context, is_error, text);
}

void np_report_error(struct np_report *report, const char *format, ...)
{
    va_list args;

    report->error_count++;
    va_start(args, format);
    report_line(report, true, format, args);
    va_end(args);
}

void np_report_warning(struct np_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_line(report, false, format, args);
    va_end(args);
}

void np_settings_init(struct np_settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    settings->log_level = NP_LOG_INFO;
    settings->min = AT_MOST(64u, NP_MAX_CONNS);
    settings->max = AT_MOST(1024u, NP_MAX_CONNS);
    settings->slot = AT_MOST(1024u, NP_MAX_SESSIONS);
    settings->read_ms = 3600u * 1000u;
    settings->dns_ms = 300u * 1000u;
}

void np_tuning_init(struct np_tuning *tuning)
{
    memset(tuning, 0, sizeof(*tuning));
    tuning->built_s = np_built_s;
    tuning->semaphore_limit = 65536;
    tuning->udp_data_buf_size = AT_MOST(2048u, NP_MAX_DATAGRAM);
    tuning->handshake_timeout_ms = 10000;
    tuning->tcp_dial_timeout_ms = 30000;
    tuning->udp_dial_timeout_ms = 10000;
    tuning->udp_read_timeout_ms = 60000;
    tuning->pool_get_timeout_ms = 30000;
    tuning->min_pool_interval_ms = 100;
    tuning->max_pool_interval_ms = 1000;
    tuning->report_interval_ms = 5000;
    tuning->service_cooldown_ms = 3000;
    tuning->shutdown_timeout_ms = 5000;
    tuning->reload_interval_ms = 3600u * 1000u;
}

static void complete_key(struct np_settings *settings)
{
    char key[9];

    if (settings->key_given || settings->tunnel.port == 0) {
        return;
    }
    np_default_key(key, settings->tunnel.port);
    settings->key_len = 8;
    memcpy(settings->key, key, 8);
}

static void complete_tls(const struct np_settings *settings, struct np_report *report)
{
    bool has_crt = settings->crt[0] != '\0', has_key = settings->crt_key[0] != '\0';

    if (NP_HAS_TLS == 0 && (settings->tls != 0 || settings->pin_given)) {
        np_report_error(
            report, "%s: TLS is not in this build: want %s",
            settings->tls != 0 ? "tls=" : "pin=", settings->tls != 0 ? "tls=0" : "none");
        return;
    }
    if (settings->role == NP_ROLE_CLIENT) {
        if (settings->ca[0] != '\0' && settings->tls != 2) {
            np_report_warning(report, "ca= checks nothing if the server offers less than tls=2: "
                                      "want tls=2 with it");
        }
        bool is_pinned_alone = settings->pin_given && settings->ca[0] == '\0';
        if (settings->tls == 2 && settings->mode != 1 && settings->tunnel.host[0] == '\0' &&
            settings->sni[0] == '\0' && !is_pinned_alone) {
            np_report_error(report, "tls=2: want a host in the tunnel address, sni= or pin=, to "
                                    "know whose certificate it has to be");
        }
        return;
    }
    if (settings->tls == 2 && !(has_crt && has_key)) {
        np_report_error(report, "tls=2: want crt= and key= with it, the PEM files of the "
                                "certificate and its private key");
    }
    if (settings->tls != 2 && (has_crt || has_key)) {
        np_report_warning(report, "%s= has no effect without tls=2", has_crt ? "crt" : "key");
    }
}

/* Names know no case. */
static bool is_same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        bool is_letter = (*a >= 'a' && *a <= 'z') || (*a >= 'A' && *a <= 'Z');
        if (*a != *b && !(is_letter && (*a ^ *b) == ' ')) {
            return false;
        }
    }
    return *a == *b;
}

static bool is_any(const struct np_endpoint *endpoint)
{
    static const uint8_t zero[16];

    return endpoint->host[0] == '\0' ||
           (endpoint->ip.family != NP_FAMILY_NONE &&
            memcmp(endpoint->ip.ip, zero, endpoint->ip.family == NP_FAMILY_IP4 ? 4 : 16) == 0);
}

static bool is_loopback(const struct np_endpoint *endpoint)
{
    static const uint8_t one[16] = {[15] = 1};
    const struct np_addr *ip = &endpoint->ip;

    return is_same_name(endpoint->host, "localhost") ||
           (ip->family == NP_FAMILY_IP4 && ip->ip[0] == 127) ||
           (ip->family == NP_FAMILY_IP6 && memcmp(ip->ip, one, 16) == 0);
}

/* An instance must not be told to connect to itself. */
static void check_loop(const struct np_settings *settings, struct np_report *report)
{
    const struct np_endpoint *tunnel = &settings->tunnel, *target = &settings->target;
    bool is_same = is_any(tunnel) ? is_any(target) || is_loopback(target)
                   : tunnel->ip.family != NP_FAMILY_NONE
                       ? np_addr_is_same_host(&tunnel->ip, &target->ip)
                       : is_same_name(tunnel->host, target->host);

    if (is_same && tunnel->port != 0 && tunnel->port == target->port) {
        np_report_error(report, "tunnel and target are the same address, so that it would connect "
                                "to itself: want two");
    }
}

/* Whether an answer and launches can be written with the key (protocol.md 2). */
static bool is_key_usable(const struct np_settings *settings)
{
    struct np_key key = {settings->key, settings->key_len};
    struct np_answer answer = {
        .max = AT_MOST(settings->max, NP_MAX_CONNS), .flow = '+', .tls = settings->tls};
    struct np_signal launch = {.kind = NP_SIGNAL_TCP,
                               .peer = {.family = NP_FAMILY_IP4, .port = 50000}};
    uint8_t line[NP_DIALECT_LINE_CAP + 1];

    for (uint32_t i = 0; i < KEY_TRIES; i++) {
        launch.id = i * 0x9e3779b9u; /* one that can't be written is passed over later too */
        if (np_signal_encode(line, key, &launch) > 0) {
            return np_answer_encode(line, key, &answer) > 0;
        }
    }
    return false;
}

void np_settings_complete(struct np_settings *settings, struct np_report *report)
{
    complete_tls(settings, report);
    if (settings->role == NP_ROLE_MASTER) {
        return;
    }
    complete_key(settings);
    bool needs_key = settings->role == NP_ROLE_SERVER || settings->mode != 1;
    if (needs_key && settings->key_len > 0 && !is_key_usable(settings)) {
        np_report_error(report, "password: no control message can be written with this one, choose "
                                "another");
    }
    check_loop(settings, report);
    if (settings->notcp && settings->noudp) {
        np_report_error(report, "notcp=1 with noudp=1: want at most one of them, else nothing is "
                                "left to serve");
    }
    if (settings->slot == 0) {
        settings->slot = NP_MAX_SESSIONS;
    }
    if (settings->role == NP_ROLE_SERVER) {
        settings->min = AT_MOST(settings->min, settings->max);
    } else if (settings->max < settings->min) {
        settings->max = settings->min;
    }
}

/* A default's part on a machine with little memory. */
static uint32_t part_of(uint32_t value, uint32_t least, uint32_t ram_mb)
{
    uint32_t part = value * ram_mb / NP_SMALL_RAM_MB;

    return part > least ? part : AT_MOST(least, value);
}

bool np_settings_fit_ram(struct np_settings *settings, uint32_t ram_mb)
{
    struct np_settings usual;

    if (ram_mb == 0 || ram_mb >= NP_SMALL_RAM_MB) {
        return false;
    }
    np_settings_init(&usual);
    if (!settings->slot_given) {
        settings->slot = part_of(usual.slot, NP_SMALL_RAM_SLOT, ram_mb);
    }
    if (settings->role == NP_ROLE_SERVER && !settings->max_given) {
        settings->max = part_of(usual.max, NP_SMALL_RAM_SLOT, ram_mb);
        settings->min = AT_MOST(settings->min, settings->max);
    } else if (settings->role == NP_ROLE_CLIENT && !settings->min_given) {
        settings->min = part_of(usual.min, NP_SMALL_RAM_MIN, ram_mb);
    }
    return true;
}

uint32_t np_settings_format(const struct np_settings *settings, char *out, uint32_t cap)
{
    char tunnel[NP_ENDPOINT_TEXT_CAP], target[NP_ENDPOINT_TEXT_CAP], read[NP_DURATION_TEXT_CAP];
    bool is_server = settings->role == NP_ROLE_SERVER;

    np_endpoint_format(&settings->tunnel, tunnel, sizeof(tunnel));
    if (settings->role == NP_ROLE_MASTER) {
        return np_fmt(out, cap, "%s%s?tls=%u", tunnel, settings->prefix, (unsigned)settings->tls);
    }
    np_endpoint_format(&settings->target, target, sizeof(target));
    np_duration_format(settings->read_ms, read, sizeof(read));
    return np_fmt(out, cap, "***@%s/%s?%s=%u&mode=%u&read=%s&rate=%u&slot=%u", tunnel, target,
                  is_server ? "max" : "min", is_server ? settings->max : settings->min,
                  (unsigned)settings->mode, read, settings->rate_mbps, settings->slot);
}
