/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mps2-an385/clock.h"

#include "port/mps2-an385/hw.h"

enum { CTRL_ENABLE = 1, CTRL_INTERRUPT = 2, CTRL_PROCESSOR_CLOCK = 4 };
#define COUNTS_A_TICK (NP_HW_CLOCK_HZ / 1000u * NP_CLOCK_TICK_MS)
#define COUNTS_A_US (NP_HW_CLOCK_HZ / 1000000u)
#define PENDING_TICK (1u << 26) /* ICSR */

static volatile uint64_t ticks;

_Static_assert(COUNTS_A_TICK < 1u << 24, "SysTick has 24 bits");

void np_clock_init(void)
{
    NP_HW_SYSTICK_LOAD = COUNTS_A_TICK - 1;
    NP_HW_SYSTICK_VALUE = 0;
    NP_HW_SYSTICK_CTRL = CTRL_ENABLE | CTRL_INTERRUPT | CTRL_PROCESSOR_CLOCK;
}

void np_clock_on_tick(void)
{
    ticks++;
}

/* Counts since the last tick: the value is 0 at the tick itself, then it starts from LOAD. */
static uint32_t counts_now(void)
{
    uint32_t value = NP_HW_SYSTICK_VALUE;

    return value == 0 ? 0 : COUNTS_A_TICK - value;
}

uint64_t np_clock_now_us(void)
{
    static uint64_t last; /* a tick between two of the readings below must not turn time back */
    uint64_t whole, now_us;
    uint32_t counts;

    np_hw_mask_interrupts();
    counts = counts_now();
    whole = ticks;
    if ((NP_HW_SCB_ICSR & PENDING_TICK) != 0) { /* its handler is still to come */
        counts = counts_now();
        whole++;
    }
    np_hw_unmask_interrupts();
    now_us = whole * (NP_CLOCK_TICK_MS * 1000u) + counts / COUNTS_A_US;
    last = now_us > last ? now_us : last;
    return last;
}
