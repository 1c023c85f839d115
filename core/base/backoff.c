/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/backoff.h"

void np_backoff_init(struct np_backoff *backoff, uint32_t first_ms, uint32_t max_ms)
{
    backoff->first_ms = first_ms;
    backoff->max_ms = max_ms > first_ms ? max_ms : first_ms;
    backoff->next_ms = first_ms;
}

uint32_t np_backoff_wait_ms(struct np_backoff *backoff, uint32_t random)
{
    uint32_t bound = backoff->next_ms;
    uint32_t low = bound / 2;
    uint64_t choices = (uint64_t)bound - low + 1;

    backoff->next_ms = bound > backoff->max_ms / 2 ? backoff->max_ms : bound * 2;
    return low + (uint32_t)((random * choices) >> 32);
}

void np_backoff_reset(struct np_backoff *backoff)
{
    backoff->next_ms = backoff->first_ms;
}
