/* SPDX-License-Identifier: BSD-3-Clause */
/* timer: one-shot timers embedded in their owners, in a binary min-heap over memory of the arena.
 *
 * A timer fires at most once for each start, never early, from np_timers_fire only. Its function
 * may start, stop and release any timer, itself included. A started timer must be stopped before
 * its memory goes.
 */
#ifndef NP_CORE_BASE_TIMER_H
#define NP_CORE_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/pool.h"

struct np_timer {
    uint64_t due_ms;
    void (*fire)(struct np_timer *timer, uint64_t now_ms);
    uint32_t place; /* position in the heap + 1, 0 = stopped */
};
struct np_timers {
    struct np_timer **heap;
    uint32_t count, cap;
};

/* Room for `cap` running timers. Returns false if the arena is too small. */
bool np_timers_init(struct np_timers *timers, struct np_arena *arena, uint32_t cap);
/* (Re)starts `timer` for `due_ms`; `fire` must be set. The heap is sized for every timer of every
 * object, so it can't be full; if it were, the timer stays stopped and the call returns false. */
bool np_timer_start(struct np_timers *timers, struct np_timer *timer, uint64_t due_ms);
void np_timer_stop(struct np_timers *timers, struct np_timer *timer);
static inline bool np_timer_is_running(const struct np_timer *timer)
{
    return timer->place != 0;
}
/* Fires what is due, in order of due_ms, at most `max` of them (fairness). */
void np_timers_fire(struct np_timers *timers, uint64_t now_ms, uint32_t max);
/* Milliseconds until the next one is due: 0 = now, UINT32_MAX = none is running. */
uint32_t np_timers_wait_ms(const struct np_timers *timers, uint64_t now_ms);

#endif
