/* SPDX-License-Identifier: BSD-3-Clause */
/* Heap: heap[0] is due first; the children of heap[i] are heap[2 i + 1] and heap[2 i + 2]. Each
 * timer knows its own position, so stopping one needs no search. */
#include "core/base/timer.h"

#include <stddef.h>

bool np_timers_init(struct np_timers *timers, struct np_arena *arena, uint32_t cap)
{
    timers->count = 0;
    timers->cap = cap;
    timers->heap = np_arena_acquire(arena, (uint64_t)cap * sizeof(struct np_timer *));
    return timers->heap != NULL;
}

static void put(struct np_timers *timers, uint32_t position, struct np_timer *timer)
{
    timers->heap[position] = timer;
    timer->place = position + 1;
}

static void sift_up(struct np_timers *timers, uint32_t position, struct np_timer *timer)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / 2;
        if (timers->heap[parent]->due_ms <= timer->due_ms) {
            break;
        }
        put(timers, position, timers->heap[parent]);
        position = parent;
    }
    put(timers, position, timer);
}

static void sift_down(struct np_timers *timers, uint32_t position, struct np_timer *timer)
{
    for (;;) {
        uint32_t child = 2 * position + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms) {
            child++;
        }
        if (timer->due_ms <= timers->heap[child]->due_ms) {
            break;
        }
        put(timers, position, timers->heap[child]);
        position = child;
    }
    put(timers, position, timer);
}

/* Finds the place of `timer`, starting at `position`, whose entry may be overwritten. */
static void sift(struct np_timers *timers, uint32_t position, struct np_timer *timer)
{
    if (position > 0 && timer->due_ms < timers->heap[(position - 1) / 2]->due_ms) {
        sift_up(timers, position, timer);
    } else {
        sift_down(timers, position, timer);
    }
}

bool np_timer_start(struct np_timers *timers, struct np_timer *timer, uint64_t due_ms)
{
    timer->due_ms = due_ms;
    if (timer->place != 0) {
        sift(timers, timer->place - 1, timer);
        return true;
    }
    if (timers->count == timers->cap) {
        return false;
    }
    timers->count++;
    sift_up(timers, timers->count - 1, timer);
    return true;
}

void np_timer_stop(struct np_timers *timers, struct np_timer *timer)
{
    uint32_t position;
    struct np_timer *last;

    if (timer->place == 0) {
        return;
    }
    position = timer->place - 1;
    timer->place = 0;
    timers->count--;
    last = timers->heap[timers->count];
    if (last != timer) {
        sift(timers, position, last);
    }
}

void np_timers_fire(struct np_timers *timers, uint64_t now_ms, uint32_t max)
{
    while (max > 0 && timers->count > 0 && timers->heap[0]->due_ms <= now_ms) {
        struct np_timer *timer = timers->heap[0];
        np_timer_stop(timers, timer); /* before the call: it may restart the timer or free it */
        timer->fire(timer, now_ms);
        max--;
    }
}

uint32_t np_timers_wait_ms(const struct np_timers *timers, uint64_t now_ms)
{
    uint64_t wait_ms;

    if (timers->count == 0) {
        return UINT32_MAX;
    }
    if (timers->heap[0]->due_ms <= now_ms) {
        return 0;
    }
    wait_ms = timers->heap[0]->due_ms - now_ms;
    return wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX - 1;
}
