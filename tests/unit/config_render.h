/* SPDX-License-Identifier: BSD-3-Clause */
/* config_render: settings and reports as short text, so that a table can say what a row gives.
 *
 *   server k@:10101/127.0.0.1:80 rate=100      role, key if given, places, what is no default
 *   nodepass report_interval=1s                the process
 *   W foo: unknown option, ignored             reports, in their order
 *   E slot=12x: want 0 or a whole number of sessions
 */
#ifndef NP_TESTS_UNIT_CONFIG_RENDER_H
#define NP_TESTS_UNIT_CONFIG_RENDER_H

#include "config/env.h"
#include "config/settings.h"

struct render {
    char text[8192]; /* NUL-terminated, lines joined with newlines, none at the end */
    uint32_t len;
    const char *suffix;     /* taken off the end of each report if it is there, or NULL */
    uint32_t suffix_missed; /* reports without it */
    const char *prefix;     /* likewise in front */
    uint32_t prefix_missed;
};

void render_init(struct render *render);
/* A report that writes to `render`. */
struct np_report render_report(struct render *render);
void render_settings(struct render *render, const struct np_settings *settings);
void render_process(struct render *render, const struct np_process *process);
/* Takes the lines of a listing (config/listing.h); `context` is a struct render. */
void render_line(void *context, const char *line);
/* True if the rules that hold for all settings hold; else *broken names one. */
bool render_is_valid(const struct np_settings *settings, const char **broken);

#endif
