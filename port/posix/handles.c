/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/handles.h"

#include <stddef.h>

#include "core/base/log.h"
#include "platform/posix/posix.h"
#include "port/posix/memory.h"

enum { SPARE_HANDLES = 16, LEAST_HANDLES = 32 };

struct np_plat *np_handles_open(const struct np_load *load, const struct np_app_needs *needs,
                                bool color)
{
    struct np_posix_config config = {.handles = needs->handles + SPARE_HANDLES,
                                     .syslog_ident = load->process.is_syslog ? "nodepass" : NULL};
    uint32_t wanted, granted;
    struct np_plat *plat;
    struct np_log log;

    np_memory_set_platform(load, &config);
    if (config.handles > NP_POSIX_MAX_HANDLES) {
        config.handles = NP_POSIX_MAX_HANDLES;
    }
    wanted = np_posix_files_needed(&config);
    granted = np_posix_raise_files(wanted);
    if (granted < wanted) {
        uint32_t others = wanted - config.handles;

        if (granted < others + LEAST_HANDLES) {
            config.pipes = 4;
            others = np_posix_files_needed(&config) - config.handles;
        }
        config.handles = granted > others + LEAST_HANDLES ? granted - others : LEAST_HANDLES;
    }
    plat = np_posix_open(&config);
    if (plat != NULL && granted < wanted && !needs->is_dynamic) {
        np_log_init(&log, plat,
                    load->is_ini ? load->process.log_level : load->settings[0].log_level, NULL,
                    color);
        np_log_write(&log, NP_LOG_WARN,
                     "Open files: the limit is %u, these settings want %u: some sessions may be "
                     "refused (ulimit -n, LimitNOFILE=)",
                     granted, wanted);
    }
    return plat;
}
