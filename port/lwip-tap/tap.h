/* SPDX-License-Identifier: BSD-3-Clause */
/* tap: an Ethernet link to the kernel (/dev/net/tun), and the board of platform/lwip over it. */
#ifndef NP_PORT_LWIP_TAP_TAP_H
#define NP_PORT_LWIP_TAP_TAP_H

#include <stdbool.h>

/* Attaches to the tap interface `name` (made if it is missing and we may). Before np_lwip_open.
 * Returns NULL, or what went wrong. */
const char *np_tap_open(const char *name);
void np_tap_close(void);

#endif
