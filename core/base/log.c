/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "core/base/fmt.h"
#include "platform/np_plat.h"

#define SITE_GAP_MS 1000u
#define SUFFIX_CAP 48u /* " (4294967295 more like it not shown)" */

/* One line on its way out; the last byte of `text` is room for np_fmt's NUL. */
struct line {
    char text[NP_LOG_LINE_CAP + 1];
    uint32_t len;
};

void np_log_init(struct np_log *log, struct np_plat *plat, uint8_t level, const char *alias,
                 bool color)
{
    memset(log, 0, sizeof *log);
    log->plat = plat;
    log->level = level;
    log->alias = alias;
    log->color = color;
}

bool np_log_is_on(const struct np_log *log, enum np_log_level level)
{
    return log->level != NP_LOG_NONE && level >= log->level;
}

const char *np_log_level_text(enum np_log_level level)
{
    static const char *const texts[] = {"NONE", "DEBUG", "INFO", "WARN", "ERROR", "EVENT"};

    return texts[level <= NP_LOG_EVENT ? level : NP_LOG_NONE];
}

static uint32_t level_color(enum np_log_level level)
{
    static const uint8_t colors[] = {0, 34, 32, 33, 31, 36};

    return colors[level <= NP_LOG_EVENT ? level : NP_LOG_NONE];
}

static void append_time(struct line *line, struct np_plat *plat)
{
    struct np_civil t;
    uint64_t now_ms;

    if (np_plat_civil_time(plat, &t)) {
        line->len = np_fmt(line->text, sizeof line->text, "%04u-%02u-%02u %02u:%02u:%02u.%03u",
                           t.year, t.month, t.day, t.hour, t.minute, t.second, t.ms);
        return;
    }
    now_ms = np_plat_now_ms(plat);
    line->len = np_fmt(line->text, sizeof line->text, "+%llu.%03u",
                       (unsigned long long)(now_ms / 1000), (unsigned)(now_ms % 1000));
}

static void append_level(struct line *line, bool color, enum np_log_level level)
{
    char *end = line->text + line->len;
    uint32_t room = (uint32_t)sizeof line->text - line->len;
    const char *text = np_log_level_text(level);

    if (color) {
        line->len += np_fmt(end, room, "  \x1b[%um%s\x1b[0m  ", level_color(level), text);
    } else {
        line->len += np_fmt(end, room, "  %s  ", text);
    }
}

/* Appends the alias and the message, leaving `reserve` bytes; control bytes become '?'. */
static void append_message(struct line *line, const char *alias, uint32_t reserve,
                           const char *format, va_list args)
{
    uint32_t cap = (uint32_t)sizeof line->text - reserve;
    uint32_t start = line->len;

    if (alias != NULL) {
        line->len += np_fmt(line->text + line->len, cap - line->len, "[%s] ", alias);
    }
    line->len += np_vfmt(line->text + line->len, cap - line->len, format, args);
    for (uint32_t i = start; i < line->len; i++) {
        uint8_t c = (uint8_t)line->text[i];
        if (c < 0x20 || c == 0x7f) {
            line->text[i] = '?';
        }
    }
}

static void build_line(struct line *line, const struct np_log *log, bool is_tap,
                       enum np_log_level level, const char *suffix, const char *format,
                       va_list args)
{
    uint32_t suffix_len = (uint32_t)strlen(suffix);

    append_time(line, log->plat);
    append_level(line, is_tap || log->color, level);
    append_message(line, is_tap ? NULL : log->alias, suffix_len + 1, format, args);
    memcpy(line->text + line->len, suffix, suffix_len);
    line->len += suffix_len;
    line->text[line->len++] = '\n';
}

static void write_line(struct np_log *log, enum np_log_level level, const char *suffix,
                       const char *format, va_list args)
{
    struct line line;
    va_list again;

    va_copy(again, args);
    build_line(&line, log, false, level, suffix, format, args);
    np_plat_log(log->plat, level, line.text, line.len);
    if (log->tap != NULL && log->tap->line != NULL) {
        build_line(&line, log, true, level, suffix, format, again);
        log->tap->line(log->tap, log, level, line.text, line.len - 1);
    }
    va_end(again);
}

void np_log_format(const struct np_log *log, enum np_log_level level,
                   char text[NP_LOG_LINE_CAP + 1], const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    build_line(&line, log, true, level, "", format, args);
    va_end(args);
    line.text[line.len - 1] = '\0';
    memcpy(text, line.text, line.len);
}

void np_log_write(struct np_log *log, enum np_log_level level, const char *format, ...)
{
    va_list args;

    if (!np_log_is_on(log, level)) {
        return;
    }
    va_start(args, format);
    write_line(log, level, "", format, args);
    va_end(args);
}

bool np_log_limited(struct np_log *log, uint32_t site, uint64_t now_ms, enum np_log_level level,
                    const char *format, ...)
{
    struct np_log_site *place = &log->sites[site % NP_LOG_SITES];
    char suffix[SUFFIX_CAP] = "";
    va_list args;

    if (!np_log_is_on(log, level)) {
        return false;
    }
    if (now_ms < place->quiet_until_ms) {
        place->suppressed += place->suppressed < UINT32_MAX ? 1u : 0u;
        return false;
    }
    if (place->suppressed > 0) {
        np_fmt(suffix, sizeof suffix, " (%u more like it not shown)", place->suppressed);
    }
    place->quiet_until_ms = now_ms + SITE_GAP_MS;
    place->suppressed = 0;
    va_start(args, format);
    write_line(log, level, suffix, format, args);
    va_end(args);
    return true;
}

void np_log_rest(struct np_log *log, uint32_t site, uint64_t until_ms)
{
    struct np_log_site *place = &log->sites[site % NP_LOG_SITES];

    place->quiet_until_ms = until_ms;
    place->suppressed = until_ms == 0 ? 0 : place->suppressed;
}
