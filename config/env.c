/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/env.h"

#include <stddef.h>
#include <string.h>

#include "config/duration.h"
#include "core/base/fmt.h"
#include "core/base/log.h"

#define SHOWN_BYTES 64 /* of a bad value in a report */

enum kind { KIND_NUMBER, KIND_TIME, KIND_LEVEL, KIND_SWITCH, KIND_TEXT };

struct variable {
    const char *name;
    uint8_t kind;
    bool is_env;     /* also a variable of the environment */
    uint16_t offset; /* of the field in struct np_process */
    uint32_t high;   /* NUMBER: most (least 1); TEXT: bytes of the field */
    const char *want;
    const char *unit;
};

#define AT(field) ((uint16_t)offsetof(struct np_process, field))
#define WANT_TIME "want a duration above 0 and up to 1000h such as 300ms, 1.5h or 2m30s"
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define WANT_DIR "want a directory, 1 to " TEXT(NP_MAX_PATH) " bytes"

static const char *const levels[] = {"none", "debug", "info", "warn", "error", "event"};

static const struct variable variables[] = {
    {"semaphore_limit", KIND_NUMBER, true, AT(tuning.semaphore_limit), 1000000,
     "want a whole number of visitors, 1 to 1000000", "visitors that may wait for a connection"},
    {"mem", KIND_NUMBER, true, AT(tuning.mem_mb), NP_MAX_MEM_MB,
     "want a whole number of MB, 1 to " TEXT(NP_MAX_MEM_MB), "MB at most for all tables"},
    {"udp_data_buf_size", KIND_NUMBER, true, AT(tuning.udp_data_buf_size), NP_MAX_DATAGRAM,
     "want a whole number of bytes, 1 to " TEXT(NP_MAX_DATAGRAM), "bytes"},
    {"handshake_timeout", KIND_TIME, true, AT(tuning.handshake_timeout_ms), 0, WANT_TIME,
     "tunnel and TLS handshake"},
    {"tcp_dial_timeout", KIND_TIME, true, AT(tuning.tcp_dial_timeout_ms), 0, WANT_TIME,
     "connect to target or server"},
    {"udp_dial_timeout", KIND_TIME, true, AT(tuning.udp_dial_timeout_ms), 0, WANT_TIME,
     "UDP socket with name look-up"},
    {"udp_read_timeout", KIND_TIME, true, AT(tuning.udp_read_timeout_ms), 0, WANT_TIME,
     "idle UDP session"},
    {"pool_get_timeout", KIND_TIME, true, AT(tuning.pool_get_timeout_ms), 0, WANT_TIME,
     "wait for a pool connection"},
    {"min_pool_interval", KIND_TIME, true, AT(tuning.min_pool_interval_ms), 0, WANT_TIME,
     "pool rhythm"},
    {"max_pool_interval", KIND_TIME, true, AT(tuning.max_pool_interval_ms), 0, WANT_TIME,
     "pool rhythm"},
    {"report_interval", KIND_TIME, true, AT(tuning.report_interval_ms), 0, WANT_TIME,
     "ping, check point, keep-alive"},
    {"service_cooldown", KIND_TIME, true, AT(tuning.service_cooldown_ms), 0, WANT_TIME,
     "first wait before a restart"},
    {"shutdown_timeout", KIND_TIME, true, AT(tuning.shutdown_timeout_ms), 0, WANT_TIME,
     "drain on stop"},
    {"reload_interval", KIND_TIME, true, AT(tuning.reload_interval_ms), 0, WANT_TIME,
     "certificate re-read"},
    {"state_dir", KIND_TEXT, true, AT(state_dir), NP_MAX_PATH + 1, WANT_DIR, ""},
    {"state", KIND_TEXT, false, AT(state_dir), NP_MAX_PATH + 1, WANT_DIR, ""},
    {"user", KIND_TEXT, false, AT(user), NP_ENV_USER_CAP, "want NAME or NAME:GROUP", ""},
    {"syslog", KIND_SWITCH, false, AT(is_syslog), 0, "want 0 or 1", ""},
    {"log", KIND_LEVEL, false, AT(log_level), 0, "want none, debug, info, warn, error or event",
     ""},
};
#define VARIABLE_COUNT ((uint32_t)(sizeof(variables) / sizeof(variables[0])))

void np_process_init(struct np_process *process)
{
    memset(process, 0, sizeof(*process));
    np_tuning_init(&process->tuning);
    process->log_level = NP_LOG_INFO;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool parse_text(char *field, uint32_t cap, const char *value, uint32_t len)
{
    if (len == 0 || len >= cap) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            return false;
        }
    }
    memcpy(field, value, len + 1);
    return true;
}

static bool parse_level(uint8_t *field, const char *value)
{
    for (uint8_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(value, levels[i]) == 0) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(uint32_t *field, uint32_t high, const char *value, uint32_t len)
{
    uint64_t number = 0;

    if (len == 0 || len > 20 || !np_parse_uint(value, len, high, &number) || number == 0) {
        return false;
    }
    *field = (uint32_t)number;
    return true;
}

/* Sets the field of `variable`; on a bad value it stays as it is. */
static bool parse_value(const struct variable *variable, struct np_process *process,
                        const char *value)
{
    uint32_t len = (uint32_t)strlen(value), ms = 0;
    void *field = (char *)process + variable->offset;

    switch (variable->kind) {
    case KIND_NUMBER:
        return parse_number(field, variable->high, value, len);
    case KIND_TIME:
        if (!np_duration_parse(&ms, value, len) || ms == 0) {
            return false;
        }
        *(uint32_t *)field = ms;
        return true;
    case KIND_LEVEL:
        return parse_level(field, value);
    case KIND_SWITCH:
        if (len != 1 || (value[0] != '0' && value[0] != '1')) {
            return false;
        }
        *(bool *)field = value[0] == '1';
        return true;
    default:
        return parse_text(field, variable->high, value, len);
    }
}

static void format_value(const struct variable *variable, const struct np_process *process,
                         char *out, uint32_t cap)
{
    const void *field = (const char *)process + variable->offset;

    out[0] = '\0';
    switch (variable->kind) {
    case KIND_NUMBER:
        if (*(const uint32_t *)field > 0) { /* 0: not given */
            np_fmt(out, cap, "%u", *(const uint32_t *)field);
        }
        break;
    case KIND_TIME:
        np_duration_format(*(const uint32_t *)field, out, cap);
        break;
    case KIND_LEVEL:
        np_fmt(out, cap, "%s", levels[*(const uint8_t *)field]);
        break;
    case KIND_SWITCH:
        np_fmt(out, cap, "%u", *(const bool *)field ? 1u : 0u);
        break;
    default:
        np_fmt(out, cap, "%s", (const char *)field);
        break;
    }
}

/* ---- environment and section ----------------------------------------------------------------- */

static void format_env_name(const struct variable *variable, char *out, uint32_t cap)
{
    uint32_t len = np_fmt(out, cap, "NP_%s", variable->name);

    for (uint32_t i = 3; i < len; i++) {
        if (out[i] >= 'a' && out[i] <= 'z') {
            out[i] = (char)(out[i] - ('a' - 'A'));
        }
    }
}

void np_env_load(struct np_process *process, const char *(*get)(void *context, const char *name),
                 void *context, struct np_report *report)
{
    for (uint32_t i = 0; i < VARIABLE_COUNT; i++) {
        char name[40], kept[NP_MAX_PATH + 1];
        const char *value;

        if (!variables[i].is_env) {
            continue;
        }
        format_env_name(&variables[i], name, sizeof(name));
        value = get(context, name);
        if (value != NULL && value[0] != '\0' && !parse_value(&variables[i], process, value)) {
            format_value(&variables[i], process, kept, sizeof(kept));
            np_report_warning(report, "%s=%.*s: %s; using %s", name, SHOWN_BYTES, value,
                              variables[i].want, kept[0] != '\0' ? kept : "none");
        }
    }
}

enum np_err np_env_apply(struct np_process *process, uint32_t *seen, const char *name,
                         const char *value, struct np_report *report)
{
    uint32_t i = 0;

    while (i < VARIABLE_COUNT && strcmp(name, variables[i].name) != 0) {
        i++;
    }
    if (i == VARIABLE_COUNT) {
        return NP_ERR_NOT_FOUND;
    }
    if ((*seen & 1u << i) != 0) {
        np_report_error(report, "%s: given twice, want it once", name);
        return NP_ERR_INVALID;
    }
    *seen |= 1u << i;
    if (!parse_value(&variables[i], process, value)) {
        np_report_error(report, "%s=%.*s: %s", name, SHOWN_BYTES, value, variables[i].want);
        return NP_ERR_INVALID;
    }
    return NP_OK;
}

void np_env_complete(struct np_process *process, struct np_report *report)
{
    struct np_tuning *tuning = &process->tuning;
    uint32_t low = tuning->min_pool_interval_ms;

    if (low > tuning->max_pool_interval_ms) {
        np_report_warning(report, "min_pool_interval is above max_pool_interval, they are swapped");
        tuning->min_pool_interval_ms = tuning->max_pool_interval_ms;
        tuning->max_pool_interval_ms = low;
    }
}

bool np_env_format(const struct np_process *process, uint32_t index, char *out, uint32_t cap)
{
    char value[NP_MAX_PATH + 1];

    if (index >= VARIABLE_COUNT) {
        return false;
    }
    out[0] = '\0';
    format_value(&variables[index], process, value, sizeof(value));
    if (value[0] == '\0' || strcmp(variables[index].name, "state_dir") == 0) {
        return true; /* the directory is shown once, as state */
    }
    np_fmt(out, cap, "%s = %s%s%s", variables[index].name, value,
           variables[index].unit[0] != '\0' ? " ; " : "", variables[index].unit);
    return true;
}
