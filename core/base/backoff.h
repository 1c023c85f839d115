/* SPDX-License-Identifier: BSD-3-Clause */
/* backoff: growing, jittered waits between attempts (protocol.md 6, config.md 3). */
#ifndef NP_CORE_BASE_BACKOFF_H
#define NP_CORE_BASE_BACKOFF_H

#include <stdint.h>

struct np_backoff {
    uint32_t first_ms, max_ms;
    uint32_t next_ms; /* upper bound of the next wait */
};

void np_backoff_init(struct np_backoff *backoff, uint32_t first_ms, uint32_t max_ms);
/* The next wait: uniform in [b/2, b] with b = first, 2 first, 4 first ... max; `random` = any 32
 * random bits. */
uint32_t np_backoff_wait_ms(struct np_backoff *backoff, uint32_t random);
/* Success: the next wait is the first again. */
void np_backoff_reset(struct np_backoff *backoff);

#endif
