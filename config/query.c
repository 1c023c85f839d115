/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/query.h"

#include <stddef.h>
#include <string.h>

#include "config/duration.h"
#include "config/endpoint.h"
#include "core/base/fmt.h"
#include "core/base/log.h"

#define SHOWN_BYTES 64u   /* of a bad value in an error */
#define MAX_RATE 1000000u /* Mbps */

enum kind {
    KIND_SWITCH,
    KIND_NUMBER,
    KIND_TIME,
    KIND_LEVEL,
    KIND_PATH,
    KIND_NAME,
    KIND_DIAL,
    KIND_PIN
};

#define S (1u << NP_ROLE_SERVER)
#define C (1u << NP_ROLE_CLIENT)
#define M (1u << NP_ROLE_MASTER)

struct option {
    const char *name;
    uint8_t roles; /* set of S, C, M */
    uint8_t kind;
    uint16_t offset; /* of the field in struct np_settings */
    uint32_t low,
        cap; /* numbers and times: least; most (a SWITCH refuses more, a NUMBER is capped) */
    const char *want;
    const char *unit; /* comment beside the effective value */
};

#define AT(field) ((uint16_t)offsetof(struct np_settings, field))
#define WANT_PATH "want the path of a file, 1 to " TEXT(NP_MAX_PATH) " bytes"
#define WANT_TIME(least) "want a duration " least "up to 1000h such as 300ms, 1.5h or 2m30s"
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

static const struct option options[] = {
    {"log", S | C | M, KIND_LEVEL, AT(log_level), 0, 0,
     "want none, debug, info, warn, error or event", ""},
    {"tls", S | C | M, KIND_SWITCH, AT(tls), 0, 2, "want 0, 1 or 2", ""},
    {"crt", S | M, KIND_PATH, AT(crt), 0, 0, WANT_PATH, ""},
    {"key", S | M, KIND_PATH, AT(crt_key), 0, 0, WANT_PATH, ""},
    {"min", C, KIND_NUMBER, AT(min), 1, NP_MAX_CONNS,
     "want a whole number of connections, 1 or more", "idle pool connections"},
    {"max", S, KIND_NUMBER, AT(max), 1, NP_MAX_CONNS,
     "want a whole number of connections, 1 or more", "pool connections"},
    {"mode", S | C, KIND_SWITCH, AT(mode), 0, 2, "want 0, 1 or 2", "0 = automatic"},
    {"read", S | C, KIND_TIME, AT(read_ms), 1, 0, WANT_TIME("above 0 and "), "idle time-out"},
    {"rate", S | C, KIND_NUMBER, AT(rate_mbps), 0, MAX_RATE, "want 0 or a whole number of Mbps",
     "Mbps each way, 0 = no limit"},
    {"slot", S | C, KIND_NUMBER, AT(slot), 0, NP_MAX_SESSIONS,
     "want 0 or a whole number of sessions", "sessions"},
    {"mem", S | C | M, KIND_NUMBER, AT(mem_mb), 1, NP_MAX_MEM_MB,
     "want a whole number of MB, 1 or more", "MB at most for all tables of the process"},
    {"proxy", S | C, KIND_SWITCH, AT(proxy), 0, 1, "want 0 or 1", ""},
    {"notcp", S | C, KIND_SWITCH, AT(notcp), 0, 1, "want 0 or 1", ""},
    {"noudp", S | C, KIND_SWITCH, AT(noudp), 0, 1, "want 0 or 1", ""},
    {"dial", S | C, KIND_DIAL, AT(dial), 0, 0, "want auto or an IP address of this machine", ""},
    {"dns", S | C, KIND_TIME, AT(dns_ms), 0, 0, WANT_TIME("of "), "age of a resolved name"},
    {"sni", C, KIND_NAME, AT(sni), 0, 0, "want a host name", ""},
    {"ca", C, KIND_PATH, AT(ca), 0, 0, WANT_PATH, ""},
    {"pin", C, KIND_PIN, AT(pin), 0, 0, "want sha256: and 64 hex digits", ""},
    {"state", M, KIND_PATH, AT(state), 0, 0, "want a directory, 1 to " TEXT(NP_MAX_PATH) " bytes",
     ""},
};
#define OPTION_COUNT ((uint32_t)(sizeof(options) / sizeof(options[0])))

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_text(const char *text, uint32_t len, const char *literal)
{
    return strlen(literal) == len && memcmp(text, literal, len) == 0;
}

static int32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_level(uint8_t *level, const char *value, uint32_t len)
{
    static const char *const names[] = {"none", "debug", "info", "warn", "error", "event"};

    for (uint8_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_text(value, len, names[i])) {
            *level = i;
            return true;
        }
    }
    return false;
}

/* A path is kept as it is; only what could not be passed to the system is refused. */
static bool parse_path(char *path, const char *value, uint32_t len)
{
    if (len == 0 || len > NP_MAX_PATH) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            return false;
        }
    }
    memcpy(path, value, len);
    path[len] = '\0';
    return true;
}

static bool parse_name(char *name, const char *value, uint32_t len)
{
    if (!np_endpoint_is_name(value, len)) {
        return false;
    }
    memcpy(name, value, len);
    name[len] = '\0';
    return true;
}

static bool parse_dial(struct np_settings *settings, const char *value, uint32_t len)
{
    if (is_text(value, len, "auto")) {
        return true;
    }
    if (len >= 2 && value[0] == '[' && value[len - 1] == ']') {
        value++;
        len -= 2;
    }
    settings->dial_given = np_addr_parse_ip(&settings->dial, value, len, 0);
    return settings->dial_given;
}

static bool parse_pin(struct np_settings *settings, const char *value, uint32_t len)
{
    if (len != 7 + 64 || memcmp(value, "sha256:", 7) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < 32; i++) {
        int32_t high = hex_digit(value[7 + 2 * i]), low = hex_digit(value[8 + 2 * i]);

        if (high < 0 || low < 0) {
            return false;
        }
        settings->pin[i] = (uint8_t)(high << 4 | low);
    }
    settings->pin_given = true;
    return true;
}

static bool parse_switch(const struct option *option, uint8_t *field, const char *value,
                         uint32_t len)
{
    if (len != 1 || value[0] < '0' || (uint32_t)(value[0] - '0') > option->cap) {
        return false;
    }
    *field = (uint8_t)(value[0] - '0');
    return true;
}

static bool parse_number(const struct option *option, struct np_settings *settings, uint32_t *field,
                         const char *value, uint32_t len, struct np_report *report)
{
    uint64_t number = 0;

    if (len == 0 || len > 20 || !np_parse_uint(value, len, UINT64_MAX, &number) ||
        number < option->low) {
        return false;
    }
    if (number > option->cap) {
        np_report_warning(report, "%s=%.*s: this build takes at most %u, using that", option->name,
                          (int)len, value, option->cap);
        number = option->cap;
    }
    *field = (uint32_t)number;
    settings->min_given = settings->min_given || field == &settings->min;
    settings->max_given = settings->max_given || field == &settings->max;
    settings->slot_given = settings->slot_given || field == &settings->slot;
    return true;
}

static bool parse_time(const struct option *option, struct np_settings *settings, uint32_t *field,
                       const char *value, uint32_t len)
{
    uint32_t ms;

    if (!np_duration_parse(&ms, value, len) || ms < option->low) {
        return false;
    }
    *field = ms;
    settings->read_given = settings->read_given || field == &settings->read_ms;
    return true;
}

static bool parse_value(const struct option *option, struct np_settings *settings,
                        const char *value, uint32_t len, struct np_report *report)
{
    void *field = (char *)settings + option->offset;

    switch (option->kind) {
    case KIND_SWITCH:
        return parse_switch(option, field, value, len);
    case KIND_NUMBER:
        return parse_number(option, settings, field, value, len, report);
    case KIND_TIME:
        return parse_time(option, settings, field, value, len);
    case KIND_LEVEL:
        settings->log_given = parse_level(field, value, len);
        return settings->log_given;
    case KIND_PATH:
        return parse_path(field, value, len);
    case KIND_NAME:
        return parse_name(field, value, len);
    case KIND_DIAL:
        return parse_dial(settings, value, len);
    default:
        return parse_pin(settings, value, len);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static uint32_t find_option(const char *name, uint32_t len)
{
    uint32_t i = 0;

    while (i < OPTION_COUNT && !is_text(name, len, options[i].name)) {
        i++;
    }
    return i;
}

bool np_query_is_known(const char *name, uint32_t len)
{
    return find_option(name, len) < OPTION_COUNT;
}

bool np_query_is_quotable(const char *name, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    return len > 0 && len <= 32;
}

static const char *role_users(uint32_t roles)
{
    switch (roles) {
    case S:
        return "a server uses";
    case C:
        return "a client uses";
    case M:
        return "a master uses";
    case S | M:
        return "servers and masters use";
    default:
        return "servers and clients use";
    }
}

enum np_err np_query_apply(struct np_settings *settings, uint32_t *seen, const char *name,
                           uint32_t name_len, const char *value, uint32_t value_len,
                           struct np_report *report)
{
    uint32_t index = find_option(name, name_len);
    const struct option *option;

    if (index == OPTION_COUNT) {
        return NP_ERR_NOT_FOUND;
    }
    option = &options[index];
    if ((*seen & 1u << index) != 0) {
        np_report_error(report, "%s: given twice, want it once", option->name);
        return NP_ERR_INVALID;
    }
    *seen |= 1u << index;
    if (settings->role != NP_ROLE_NONE && (option->roles & 1u << settings->role) == 0) {
        np_report_warning(report, "%s: only %s it, ignored", option->name,
                          role_users(option->roles));
        return NP_OK;
    }
    if (!parse_value(option, settings, value, value_len, report)) {
        np_report_error(report, "%s=%.*s%s: %s", option->name,
                        (int)(value_len > SHOWN_BYTES ? SHOWN_BYTES : value_len), value,
                        value_len > SHOWN_BYTES ? "..." : "", option->want);
        return NP_ERR_INVALID;
    }
    return NP_OK;
}

/* ---- the query of a URL ---------------------------------------------------------------------- */

int32_t np_query_decode(const char *text, uint32_t len, bool plus_is_space, char *out, uint32_t cap)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < len; i++, used++) {
        char c = text[i];

        if (c == '%') {
            int32_t high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int32_t low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return -1;
            }
            c = (char)(unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (used == cap) {
            return -2;
        }
        out[used] = c;
    }
    return (int32_t)used;
}

static void parse_pair(struct np_settings *settings, uint32_t *seen, const char *text, uint32_t len,
                       struct np_report *report)
{
    const char *equals = memchr(text, '=', len);
    uint32_t name_len = equals == NULL ? len : (uint32_t)(equals - text);
    uint32_t at = equals == NULL ? len : name_len + 1;
    char value[NP_QUERY_VALUE_CAP];
    int32_t value_len = np_query_decode(text + at, len - at, true, value, sizeof(value));

    if (!np_query_is_known(text, name_len)) {
        if (np_query_is_quotable(text, name_len)) {
            np_report_warning(report, "%.*s: unknown option, ignored", (int)name_len, text);
        } else {
            np_report_warning(report, "an unknown option in the query is ignored");
        }
    } else if (value_len == -1) {
        np_report_error(report, "%.*s: want two hex digits after each '%%'", (int)name_len, text);
    } else if (value_len < 0) {
        np_report_error(report, "%.*s: the value is too long, want at most %u bytes", (int)name_len,
                        text, (unsigned)NP_MAX_PATH);
    } else {
        (void)np_query_apply(settings, seen, text, name_len, value, (uint32_t)value_len, report);
    }
}

void np_query_parse(struct np_settings *settings, uint32_t *seen, const char *text, uint32_t len,
                    struct np_report *report)
{
    uint32_t start = 0;

    for (uint32_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '&') {
            continue;
        }
        if (i > start) {
            parse_pair(settings, seen, text + start, i - start, report);
        }
        start = i + 1;
    }
}

/* ---- effective values ------------------------------------------------------------------------ */

static void format_pin(const struct np_settings *settings, char *out, uint32_t cap)
{
    uint32_t len = np_fmt(out, cap, "sha256:");

    for (uint32_t i = 0; i < 32; i++) {
        len += np_fmt(out + len, cap - len, "%02x", (unsigned)settings->pin[i]);
    }
}

/* The value alone; empty if nothing is set. */
static void format_value(const struct option *option, const struct np_settings *settings, char *out,
                         uint32_t cap)
{
    static const char *const levels[] = {"none", "debug", "info", "warn", "error", "event"};
    const void *field = (const char *)settings + option->offset;
    uint8_t small = *(const uint8_t *)field;

    out[0] = '\0';
    switch (option->kind) {
    case KIND_SWITCH:
        np_fmt(out, cap, "%u", (unsigned)small);
        break;
    case KIND_NUMBER:
        if (*(const uint32_t *)field >= option->low) { /* below it: not given */
            np_fmt(out, cap, "%u", *(const uint32_t *)field);
        }
        break;
    case KIND_TIME:
        np_duration_format(*(const uint32_t *)field, out, cap);
        break;
    case KIND_LEVEL:
        np_fmt(out, cap, "%s", levels[small <= NP_LOG_EVENT ? small : 0]);
        break;
    case KIND_DIAL:
        if (settings->dial_given) {
            np_addr_format_ip(&settings->dial, out, cap);
        } else {
            np_fmt(out, cap, "auto");
        }
        break;
    case KIND_PIN:
        if (settings->pin_given) {
            format_pin(settings, out, cap);
        }
        break;
    default:
        np_fmt(out, cap, "%s", (const char *)field);
        break;
    }
}

bool np_query_format(const struct np_settings *settings, uint32_t index, char *out, uint32_t cap)
{
    const struct option *option;
    char value[NP_QUERY_VALUE_CAP];

    if (index >= OPTION_COUNT) {
        return false;
    }
    option = &options[index];
    out[0] = '\0';
    if ((option->roles & 1u << settings->role) == 0) {
        return true;
    }
    format_value(option, settings, value, sizeof(value));
    if (value[0] == '\0') {
        return true;
    }
    if (option->offset == AT(read_ms) && !settings->read_given) {
        np_fmt(out, cap, "; read: %s for TCP, udp_read_timeout for UDP", value);
        return true;
    }
    np_fmt(out, cap, "%s = %s%s%s", option->name, value, option->unit[0] != '\0' ? " ; " : "",
           option->unit);
    return true;
}

bool np_query_value(const struct np_settings *settings, uint32_t index, const char **name,
                    char *value, uint32_t cap)
{
    if (index >= OPTION_COUNT) {
        return false;
    }
    *name = options[index].name;
    value[0] = '\0';
    if ((options[index].roles & 1u << settings->role) != 0) {
        format_value(&options[index], settings, value, cap);
    }
    return true;
}
