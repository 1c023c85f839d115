/* SPDX-License-Identifier: BSD-3-Clause */
/* options: what this program takes beside nodepass's own switches. */
#ifndef NP_PORT_LWIP_TAP_OPTIONS_H
#define NP_PORT_LWIP_TAP_OPTIONS_H

#include <stdbool.h>

#include "config/settings.h"
#include "platform/lwip/np_plat_lwip.h"

struct np_tap_options {
    const char *tap; /* name of the interface */
    struct np_lwip_config config;
};

/* Takes --tap, --ip, --gw and --dns out of argv (argc is counted down) and fills up from the
 * environment: PRECONFIGURED_TAPIF, NP_LWIP_ADDR, NP_LWIP_GW, NP_LWIP_DNS. A value may be a list
 * with commas. All faults are reported. */
void np_tap_options_parse(struct np_tap_options *options, int *argc, char **argv,
                          struct np_report *report);
/* These options, for --help, to standard output. */
void np_tap_options_print(void);

#endif
