/* SPDX-License-Identifier: BSD-3-Clause */
/* CMSDK APB watchdog: its first time-out is the NMI that reports, a second one resets the board,
 * even if the report hangs. */
#include "port/mps2-an385/watchdog.h"

#include "port/mps2-an385/hw.h"

#define LOAD NP_HW_REG(NP_HW_WATCHDOG + 0x000u)
#define CONTROL NP_HW_REG(NP_HW_WATCHDOG + 0x008u)
#define CLEAR NP_HW_REG(NP_HW_WATCHDOG + 0x00cu)
#define LOCK NP_HW_REG(NP_HW_WATCHDOG + 0xc00u)
#define UNLOCK 0x1acce551u

enum { CONTROL_INTERRUPT = 1, CONTROL_RESET = 2 };

void np_watchdog_start(uint32_t seconds)
{
    LOCK = UNLOCK;
    LOAD = seconds * NP_HW_CLOCK_HZ;
    CONTROL = CONTROL_INTERRUPT | CONTROL_RESET;
}

void np_watchdog_feed(void)
{
    CLEAR = 1; /* counts from LOAD again */
}
