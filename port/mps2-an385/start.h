/* SPDX-License-Identifier: BSD-3-Clause */
/* start: vectors, start-up, what ended the run before, and the last words before a reset. */
#ifndef NP_PORT_MPS2_AN385_START_H
#define NP_PORT_MPS2_AN385_START_H

#include <stdint.h>

enum np_reset_cause {
    NP_RESET_POWER,    /* first start */
    NP_RESET_FAULT,    /* hard fault */
    NP_RESET_WATCHDOG, /* the loop stood still */
    NP_RESET_ASSERT    /* np_reset_panic */
};

/* Why this run began, and how many runs before it ended badly since power on. */
enum np_reset_cause np_reset_cause(void);
uint32_t np_reset_count(void);
const char *np_reset_cause_text(enum np_reset_cause cause);

/* Writes `text` and the caller's address to the console and starts again. */
_Noreturn void np_reset_panic(const char *text);

/* Bytes of stack, and how many of them were ever used (found by the paint that is left). */
uint32_t np_stack_bytes(void);
uint32_t np_stack_used(void);

/* Interrupt handlers of the port; the vectors lead here. */
void np_on_ethernet_interrupt(void);

#endif
