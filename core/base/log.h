/* SPDX-License-Identifier: BSD-3-Clause */
/* log: finished lines in the format of config.md section 6, handed to np_plat_log.
 *
 *   2026-01-31 12:00:00.123  INFO  message        (colour codes around LEVEL if `color`)
 *
 * Without a wall clock the date is replaced by "+<seconds>.<ms>" since start. Control bytes and DEL
 * in the message become '?', so that no peer can forge a line. A line is cut at NP_LOG_LINE_CAP.
 */
#ifndef NP_CORE_BASE_LOG_H
#define NP_CORE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define NP_LOG_LINE_CAP 640u
#define NP_LOG_SITES 32u

struct np_plat;

/* In order of weight: a log set to a level shows it and all above it; NONE shows nothing.
 * EVENT (check points) is the highest. */
enum np_log_level {
    NP_LOG_NONE,
    NP_LOG_DEBUG,
    NP_LOG_INFO,
    NP_LOG_WARN,
    NP_LOG_ERROR,
    NP_LOG_EVENT
};

/* One place in the code that repeats itself, see np_log_limited. */
struct np_log_site {
    uint64_t quiet_until_ms;
    uint32_t suppressed;
};

struct np_log;

/* Somebody who is shown lines as well: with colour codes, without alias and newline. It must not
 * change what the writer of the line works on: keep the text, look at it later. */
struct np_log_tap {
    void (*line)(struct np_log_tap *tap, const struct np_log *log, enum np_log_level level,
                 const char *text, uint32_t len); /* NULL = nobody */
};

/* One log an instance; they share the platform's sink. */
struct np_log {
    struct np_plat *plat;
    const char
        *alias;    /* put before the message as "[alias] ", NULL = nothing; owned by the caller */
    uint8_t level; /* enum np_log_level */
    bool color;
    struct np_log_tap *tap; /* NULL = none; set after np_log_init */
    struct np_log_site sites[NP_LOG_SITES];
};

void np_log_init(struct np_log *log, struct np_plat *plat, uint8_t level, const char *alias,
                 bool color);
bool np_log_is_on(const struct np_log *log, enum np_log_level level);
/* Format as np_fmt. */
void np_log_write(struct np_log *log, enum np_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As np_log_write, at most one line a second for each `site` (0 to NP_LOG_SITES - 1); the next line
 * that goes out ends with " (<n> more like it not shown)". True if this one went out. */
bool np_log_limited(struct np_log *log, uint32_t site, uint64_t now_ms, enum np_log_level level,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The line that a tap of `log` would be shown, of at most NP_LOG_LINE_CAP bytes and a NUL. */
void np_log_format(const struct np_log *log, enum np_log_level level,
                   char text[NP_LOG_LINE_CAP + 1], const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* `site` says nothing more until `until_ms`; what it would have said is counted. 0: it may speak at
 * once, and nothing was counted. */
void np_log_rest(struct np_log *log, uint32_t site, uint64_t until_ms);
/* "DEBUG", "INFO", "WARN", "ERROR", "EVENT" or "NONE". */
const char *np_log_level_text(enum np_log_level level);

#endif
