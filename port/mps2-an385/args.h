/* SPDX-License-Identifier: BSD-3-Clause */
/* args: the firmware's command line: `[--ip ADDR/LEN] [--gw ADDR] [--dns ADDR] [--ip6 ADDR/LEN]
 * [--gw6 ADDR] [--run SECONDS] [NP_NAME=VALUE ...] URL`, words between blanks. */
#ifndef NP_PORT_MPS2_AN385_ARGS_H
#define NP_PORT_MPS2_AN385_ARGS_H

#include "config/env.h"
#include "config/settings.h"
#include "platform/lwip/np_plat_lwip.h"

struct np_args {
    struct np_process process;
    struct np_settings settings;
    struct np_lwip_config net;
    uint32_t run_s; /* stop after so many seconds, 0 = never */
};

/* Reads `text` (changed: words are cut). Faults are reported; usable if none was an error. */
void np_args_parse(struct np_args *args, char *text, struct np_report *report);

#endif
