/* SPDX-License-Identifier: BSD-3-Clause */
/* listing: effective settings as an INI file that gives the same settings again (except for the
 * key, which is shown as "***"). What --check prints. */
#ifndef NP_CONFIG_LISTING_H
#define NP_CONFIG_LISTING_H

#include "config/env.h"
#include "config/settings.h"

/* Takes one line, NUL-terminated, without newline. */
typedef void np_listing_line(void *context, const char *text);

/* The [nodepass] section. */
void np_listing_format_process(const struct np_process *process, np_listing_line *line,
                               void *context);
/* An [instance] section; an instance without a name is called "url". */
void np_listing_format_instance(const struct np_settings *settings, np_listing_line *line,
                                void *context);

#endif
