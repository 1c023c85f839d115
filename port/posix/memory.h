/* SPDX-License-Identifier: BSD-3-Clause */
/* memory: how much of it the tables may take on this machine (mem=, small RAM), and what that
 * leaves.
 *
 *   np_load_open -> np_memory_fit -> np_memory_plan -> platform and arena of that size
 */
#ifndef NP_PORT_POSIX_MEMORY_H
#define NP_PORT_POSIX_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/np_app.h"
#include "platform/posix/posix.h"
#include "port/posix/load.h"

struct np_plat;

/* What the system gives this process decides the defaults: sets load->process.tuning.ram_mb and
 * what goes with it, and makes slot, max and min smaller where they were not given. */
void np_memory_fit(struct np_load *load);

/* Fills `list` (room for load->count) and *needs. A ceiling that can't be kept is reported as an
 * error; then false. */
bool np_memory_plan(struct np_load *load, const struct np_settings **list,
                    struct np_app_needs *needs, struct np_report *report);

/* Writes the line of np_memory_format to the log, if there is one. */
void np_memory_tell(const struct np_load *load, const struct np_app_needs *needs,
                    struct np_plat *plat, bool color);

/* For --check: prints the effective settings and what the memory comes to. */
void np_memory_check(struct np_load *load, struct np_report *report);

/* Fewer buffers and pipes for the platform where there is a ceiling. */
void np_memory_set_platform(const struct np_load *load, struct np_posix_config *config);

/* Writes what small memory or a ceiling did, as one line; empty if neither. Returns its length. */
uint32_t np_memory_format(const struct np_load *load, const struct np_app_needs *needs, char *out,
                          uint32_t cap);

#endif
