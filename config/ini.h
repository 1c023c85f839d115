/* SPDX-License-Identifier: BSD-3-Clause */
/* ini: many instances in one file (config.md 4), read from memory through inih.
 *
 *   [nodepass]          what concerns the process (env.h)
 *   [master]            as an instance with role = master
 *   [instance NAME]     url = ..., or role, tunnel, target, password, prefix; and every option of
 * query.h
 *
 * inih splits lines into names and values. What it would pass over (lines without '=', cut section
 * names, over-long lines) is found by the line reader below it, so that every fault is told with
 * its line. Values are taken as they are written: no percent-decoding, " ;" begins a comment.
 */
#ifndef NP_CONFIG_INI_H
#define NP_CONFIG_INI_H

#include <stdint.h>

#include "config/env.h"
#include "config/settings.h"

struct np_ini {
    struct np_process *process;    /* initialised by the caller; [nodepass] is added to it */
    struct np_settings *instances; /* room for `cap`, owned by the caller */
    uint32_t cap;                  /* 1 to NP_MAX_INSTANCES */
    uint32_t count;                /* set: good instances, in the order of the file */
};

/* Parses `len` bytes. `file` is the name for reports: "FILE:LINE: [SECTION] OPTION=...: want ...".
 * A bad section is left out and the others are kept; report->error_count tells of it. */
void np_ini_parse(struct np_ini *ini, const char *text, uint32_t len, const char *file,
                  struct np_report *report);

#endif
