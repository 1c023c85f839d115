/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/timer.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/np_test.h"

#define TIMERS 64u

struct rig {
    struct np_timers timers;
    struct np_timer timer[TIMERS];
    uint32_t fired[TIMERS];
    uint64_t last_due_ms;
    uint64_t seed;
    uint64_t memory[TIMERS + 2];
};
static struct rig *rig; /* of the running test, for the callbacks */

static void on_fire(struct np_timer *timer, uint64_t now_ms)
{
    NP_CHECK(timer->due_ms <= now_ms);
    NP_CHECK(timer->due_ms >= rig->last_due_ms);
    NP_CHECK(!np_timer_is_running(timer));
    rig->last_due_ms = timer->due_ms;
    rig->fired[timer - rig->timer]++;
}

static void rig_init(struct rig *self)
{
    struct np_arena arena = {(uint8_t *)self->memory, sizeof self->memory, 0};

    memset(self, 0, sizeof *self);
    rig = self;
    NP_CHECK(np_timers_init(&self->timers, &arena, TIMERS));
    for (uint32_t i = 0; i < TIMERS; i++) {
        self->timer[i].fire = on_fire;
    }
}

static void check_heap(const struct np_timers *timers)
{
    for (uint32_t i = 0; i < timers->count; i++) {
        NP_CHECK_INT(timers->heap[i]->place, i + 1);
        NP_CHECK(i == 0 || timers->heap[(i - 1) / 2]->due_ms <= timers->heap[i]->due_ms);
    }
}

NP_TEST(timer, arena_too_small)
{
    struct np_timers timers;
    void *memory[4];
    struct np_arena arena = {(uint8_t *)memory, sizeof memory, 0};
    struct np_arena counting = {0};

    NP_CHECK(!np_timers_init(&timers, &arena, 5));
    NP_CHECK(!np_timers_init(&timers, &counting, 5));
    NP_CHECK_INT(counting.used, 5 * sizeof(void *));
}

NP_TEST(timer, fires_once_and_never_early)
{
    struct rig self;

    rig_init(&self);
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 0), UINT32_MAX);
    NP_CHECK(np_timer_start(&self.timers, &self.timer[0], 100));
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 40), 60);
    np_timers_fire(&self.timers, 99, 10);
    NP_CHECK_INT(self.fired[0], 0);
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 100), 0);
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 200), 0);
    np_timers_fire(&self.timers, 100, 10);
    np_timers_fire(&self.timers, 1000, 10);
    NP_CHECK_INT(self.fired[0], 1);
    NP_CHECK_INT(self.timers.count, 0);
}

NP_TEST(timer, far_away)
{
    struct rig self;

    rig_init(&self);
    np_timer_start(&self.timers, &self.timer[0], UINT64_MAX);
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 0), UINT32_MAX - 1); /* not "none" */
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, UINT64_MAX - 7), 7);
    np_timer_stop(&self.timers, &self.timer[0]);
    np_timer_stop(&self.timers, &self.timer[0]);
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 0), UINT32_MAX);
}

NP_TEST(timer, at_most_max_a_call)
{
    struct rig self;

    rig_init(&self);
    for (uint32_t i = 0; i < 10; i++) {
        np_timer_start(&self.timers, &self.timer[i], i);
    }
    np_timers_fire(&self.timers, 100, 0);
    NP_CHECK_INT(self.timers.count, 10);
    np_timers_fire(&self.timers, 100, 4);
    NP_CHECK_INT(self.timers.count, 6);
    NP_CHECK_INT(self.fired[3], 1);
    NP_CHECK_INT(self.fired[4], 0);
    np_timers_fire(&self.timers, 100, 100);
    NP_CHECK_INT(self.timers.count, 0);
}

NP_TEST(timer, full_heap_refuses)
{
    struct rig self;
    struct np_timer extra = {.fire = on_fire};

    rig_init(&self);
    for (uint32_t i = 0; i < TIMERS; i++) {
        NP_CHECK(np_timer_start(&self.timers, &self.timer[i], 1000 - i));
    }
    NP_CHECK(!np_timer_start(&self.timers, &extra, 1));
    NP_CHECK(!np_timer_is_running(&extra));
    NP_CHECK(np_timer_start(&self.timers, &self.timer[0], 5)); /* restarting needs no room */
    NP_CHECK_INT(np_timers_wait_ms(&self.timers, 0), 5);
    check_heap(&self.timers);
}

/* Starts itself again and again, stops a neighbour and starts another. */
static void on_busy_fire(struct np_timer *timer, uint64_t now_ms)
{
    uint32_t self = (uint32_t)(timer - rig->timer);
    uint32_t other = (self + 1 + np_test_below(&rig->seed, TIMERS - 1)) % TIMERS;

    on_fire(timer, now_ms);
    np_timer_start(&rig->timers, timer, now_ms + 1 + np_test_below(&rig->seed, 50));
    np_timer_stop(&rig->timers, &rig->timer[other]);
    other = np_test_below(&rig->seed, TIMERS);
    np_timer_start(&rig->timers, &rig->timer[other], now_ms + 1 + np_test_below(&rig->seed, 50));
    check_heap(&rig->timers);
}

NP_TEST(timer, callbacks_may_start_and_stop_any)
{
    struct rig self;

    rig_init(&self);
    for (uint32_t i = 0; i < TIMERS; i++) {
        self.timer[i].fire = on_busy_fire;
        np_timer_start(&self.timers, &self.timer[i], i);
    }
    for (uint64_t now_ms = 0; now_ms < 5000; now_ms++) {
        self.last_due_ms = 0;
        np_timers_fire(&self.timers, now_ms, 1000);
        NP_CHECK(np_timers_wait_ms(&self.timers, now_ms) > 0);
    }
    for (uint32_t i = 0; i < TIMERS; i++) {
        NP_CHECK(self.fired[i] > 10);
        np_timer_stop(&self.timers, &self.timer[i]);
    }
    NP_CHECK_INT(self.timers.count, 0);
}

static void on_freeing_fire(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    free(timer);
}

NP_TEST(timer, memory_may_go_in_its_own_callback)
{
    struct rig self;

    rig_init(&self);
    for (uint32_t i = 0; i < TIMERS; i++) {
        struct np_timer *timer = calloc(1, sizeof *timer);
        timer->fire = on_freeing_fire;
        np_timer_start(&self.timers, timer, TIMERS - i);
    }
    np_timers_fire(&self.timers, TIMERS, TIMERS);
    NP_CHECK_INT(self.timers.count, 0);
}

/* Against a table without order: the same timers run, fire, and are waited for. */
NP_TEST(timer, random_operations)
{
    struct rig self;
    uint64_t due_ms[TIMERS]; /* of the model, 0 = stopped */
    uint64_t now_ms = 1, seed = 21;

    memset(due_ms, 0, sizeof due_ms);
    rig_init(&self);
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t i = np_test_below(&seed, TIMERS);
        uint32_t choice = np_test_below(&seed, 8);
        uint64_t first_ms = UINT64_MAX;
        if (choice < 5) {
            due_ms[i] = now_ms + np_test_below(&seed, choice == 0 ? 4 : 1000);
            np_timer_start(&self.timers, &self.timer[i], due_ms[i]);
        } else if (choice < 6) {
            due_ms[i] = 0;
            np_timer_stop(&self.timers, &self.timer[i]);
        } else {
            uint32_t before[TIMERS];
            memcpy(before, self.fired, sizeof before);
            now_ms += np_test_below(&seed, 60);
            self.last_due_ms = 0;
            np_timers_fire(&self.timers, now_ms, TIMERS);
            for (uint32_t t = 0; t < TIMERS; t++) {
                bool is_due = due_ms[t] != 0 && due_ms[t] <= now_ms;
                NP_CHECK_INT(self.fired[t] - before[t], is_due ? 1 : 0);
                due_ms[t] = is_due ? 0 : due_ms[t];
            }
        }
        for (uint32_t t = 0; t < TIMERS; t++) {
            NP_CHECK_INT(np_timer_is_running(&self.timer[t]), due_ms[t] != 0);
            first_ms = due_ms[t] != 0 && due_ms[t] < first_ms ? due_ms[t] : first_ms;
        }
        if (first_ms == UINT64_MAX) {
            NP_CHECK_INT(np_timers_wait_ms(&self.timers, now_ms), UINT32_MAX);
        } else {
            NP_CHECK_INT(np_timers_wait_ms(&self.timers, now_ms),
                         first_ms > now_ms ? first_ms - now_ms : 0);
        }
        check_heap(&self.timers);
    }
}
