/* SPDX-License-Identifier: BSD-3-Clause */
/* clock: time since start by SysTick, and sleeping until something happens. */
#ifndef NP_PORT_MPS2_AN385_CLOCK_H
#define NP_PORT_MPS2_AN385_CLOCK_H

#include <stdint.h>

#define NP_CLOCK_TICK_MS 10u /* sleep ends at least this often */

void np_clock_init(void);
/* Never goes back. Not in interrupt handlers. */
uint64_t np_clock_now_us(void);
/* Interrupt handler. */
void np_clock_on_tick(void);

#endif
