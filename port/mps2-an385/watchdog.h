/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog: the loop has to turn, else the board says where it stands and starts again. */
#ifndef NP_PORT_MPS2_AN385_WATCHDOG_H
#define NP_PORT_MPS2_AN385_WATCHDOG_H

#include <stdint.h>

/* The loop must call np_watchdog_feed at least every `seconds` (1 to 170). */
void np_watchdog_start(uint32_t seconds);
void np_watchdog_feed(void);

#endif
