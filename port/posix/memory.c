/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/memory.h"

#include <unistd.h>

#include "core/base/fmt.h"
#include "core/base/log.h"
#include "core/np_plan.h"

#define MB (1024u * 1024u)
#define BUFFER_BYTES 16384u
#define MAX_BUFFERS 64u
#define LINE_CAP 256u
#define SPARE_HANDLES 16u /* as handles.c opens beside those of the plan */

/* The ceiling in MB, 0 = none. */
static uint32_t ceiling_of(const struct np_load *load, bool *is_given)
{
    const struct np_settings *list[NP_MAX_INSTANCES];

    for (uint32_t i = 0; i < load->count; i++) {
        list[i] = &load->settings[i];
    }
    return np_plan_ceiling_mb(list, load->count, &load->process.tuning, is_given);
}

void np_memory_set_platform(const struct np_load *load, struct np_posix_config *config)
{
    bool is_given;
    uint32_t ceiling_mb = ceiling_of(load, &is_given);
    uint32_t count = ceiling_mb < MAX_BUFFERS ? 2 * ceiling_mb : MAX_BUFFERS;

    if (ceiling_mb > 0) { /* buffers: a thirty-second of it; pipes hold as much in the kernel */
        config->buffers = count < MAX_BUFFERS ? count : MAX_BUFFERS;
        config->buffer_bytes = BUFFER_BYTES;
        config->pipes = config->buffers;
    }
}

/* What the platform takes beside what each handle takes. */
static void weigh_platform(struct np_load *load)
{
    struct np_posix_config config = {.handles = SPARE_HANDLES};
    struct np_tuning *tuning = &load->process.tuning;
    uint64_t few, more;

    np_memory_set_platform(load, &config);
    few = np_posix_bytes_needed(&config);
    config.handles += 1024;
    more = np_posix_bytes_needed(&config);
    tuning->platform_bytes = (uint32_t)few;
    tuning->handle_bytes = (uint32_t)((more - few + 1023) / 1024);
}

void np_memory_fit(struct np_load *load)
{
    struct np_tuning *tuning = &load->process.tuning;
    uint64_t ram_mb = np_posix_ram_bytes() / MB;

    tuning->ram_mb = ram_mb < UINT32_MAX ? (uint32_t)ram_mb : UINT32_MAX;
    for (uint32_t i = 0; i < load->count; i++) {
        np_settings_fit_ram(&load->settings[i], tuning->ram_mb);
    }
    if (tuning->ram_mb >= NP_SMALL_RAM_MB) {
        tuning->spare_mb = tuning->ram_mb / 2;
    } else if (tuning->ram_mb > 0) {
        tuning->spare_mb = tuning->ram_mb < 8 ? 1 : tuning->ram_mb / 8;
    }
    weigh_platform(load);
}

static uint64_t total_of(const struct np_load *load, const struct np_app_needs *needs)
{
    const struct np_tuning *tuning = &load->process.tuning;

    return needs->memory_bytes + tuning->platform_bytes +
           (uint64_t)needs->handles * tuning->handle_bytes;
}

bool np_memory_plan(struct np_load *load, const struct np_settings **list,
                    struct np_app_needs *needs, struct np_report *report)
{
    bool is_given;
    uint32_t ceiling_mb;

    for (uint32_t i = 0; i < load->count; i++) {
        list[i] = &load->settings[i];
    }
    np_app_plan(list, load->count, &load->process.tuning, needs);
    ceiling_mb = ceiling_of(load, &is_given);
    if (is_given && total_of(load, needs) > (uint64_t)ceiling_mb * MB) {
        np_report_error(report,
                        "mem=%u: want %u or more MB, the tables for these settings take that much "
                        "at least",
                        ceiling_mb, (uint32_t)((needs->least_bytes + MB - 1) / MB));
        return false;
    }
    return true;
}

/* "812 sessions, 276 pool connections, 40 buffers for TLS records" */
static uint32_t format_counts(const struct np_app_needs *needs, char *out, uint32_t cap)
{
    uint32_t len = np_fmt(out, cap, "%u sessions", needs->sessions);

    if (needs->conns > 0) {
        len += np_fmt(out + len, cap - len, ", %u pool connections", needs->conns);
    }
    if (needs->records > 0) {
        len += np_fmt(out + len, cap - len, ", %u buffers for TLS records", needs->records);
    }
    if (needs->is_dynamic) {
        len += np_fmt(out + len, cap - len, ", %u instances", needs->instances);
    }
    return len;
}

static uint32_t kilobytes(uint64_t bytes)
{
    return (uint32_t)((bytes + 1023) / 1024);
}

/* "Small memory, 58 MB: unless given, min=29, slot=464; " */
static uint32_t format_ram(const struct np_load *load, char *out, uint32_t cap)
{
    uint32_t ram_mb = load->process.tuning.ram_mb, len;
    struct np_settings server, client;

    out[0] = '\0';
    np_settings_init(&server);
    np_settings_init(&client);
    server.role = NP_ROLE_SERVER;
    client.role = NP_ROLE_CLIENT;
    if (!np_settings_fit_ram(&server, ram_mb)) {
        return 0;
    }
    np_settings_fit_ram(&client, ram_mb);
    len = np_fmt(out, cap, "Small memory (%u MB): where not given, slot=%u, max=%u, min=%u; ",
                 ram_mb, server.slot, server.max, client.min);
    return len;
}

uint32_t np_memory_format(const struct np_load *load, const struct np_app_needs *needs, char *out,
                          uint32_t cap)
{
    bool is_given;
    uint32_t ceiling_mb = ceiling_of(load, &is_given), len = format_ram(load, out, cap);

    if (len == 0 && !is_given) {
        out[0] = '\0';
        return 0;
    }
    len += np_fmt(out + len, cap - len, "%sall tables take %u KB at most",
                  len == 0 ? "Memory: " : "", kilobytes(total_of(load, needs)));
    if (is_given) {
        len += np_fmt(out + len, cap - len, " (mem=%u)", ceiling_mb);
    }
    len += np_fmt(out + len, cap - len, ": ");
    len += format_counts(needs, out + len, cap - len);
    if (needs->is_fitted) {
        len += np_fmt(out + len, cap - len, ", fewer than asked for");
    }
    return len;
}

void np_memory_tell(const struct np_load *load, const struct np_app_needs *needs,
                    struct np_plat *plat, bool color)
{
    char text[LINE_CAP];
    struct np_log log;

    if (np_memory_format(load, needs, text, sizeof text) > 0) {
        np_log_init(&log, plat,
                    load->is_ini ? load->process.log_level : load->settings[0].log_level, NULL,
                    color);
        np_log_write(&log, NP_LOG_INFO, "%s", text);
    }
}

void np_memory_check(struct np_load *load, struct np_report *report)
{
    static const struct np_settings *list[NP_MAX_INSTANCES];
    struct np_app_needs needs;
    char text[LINE_CAP];

    np_memory_fit(load);
    np_load_print(load);
    if (load->count == 0 || !np_memory_plan(load, list, &needs, report)) {
        return;
    }
    if (np_memory_format(load, &needs, text, sizeof text) == 0) {
        uint32_t len =
            np_fmt(text, sizeof text,
                   "Memory: all tables would take %u KB: ", kilobytes(total_of(load, &needs)));
        format_counts(&needs, text + len, (uint32_t)sizeof text - len);
    }
    np_cli_print(STDOUT_FILENO, "\n; %s\n", text);
}
