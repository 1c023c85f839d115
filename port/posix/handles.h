/* SPDX-License-Identifier: BSD-3-Clause */
/* handles: how many sockets the program may hold, of what the settings want and the system grants.
 */
#ifndef NP_PORT_POSIX_HANDLES_H
#define NP_PORT_POSIX_HANDLES_H

#include <stdbool.h>

#include "core/np_app.h"
#include "port/posix/load.h"

/* Opens the platform with as many handles as `needs` asks for and the system's limit of open files
 * grants; a WARN in the log (in colour if `color`) when that is less. *load tells log level and
 * destination. Returns NULL if the system refused memory or descriptors. The caller ends it with
 * np_posix_close. */
struct np_plat *np_handles_open(const struct np_load *load, const struct np_app_needs *needs,
                                bool color);

#endif
