/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_size: how many pool connections a client keeps ready (protocol.md 6). */
#include "core/np_app_state.h"

/* A surplus connection is closed at once where this side launches. Else a launch of it may be on
 * its way: only after a time without any and while there are many, since the newest is launched
 * last. Until then visitors use the surplus up. */
static bool may_close_surplus(const struct np_instance *instance, uint64_t now_ms)
{
    const struct np_connpool *pool = &instance->pool;

    return np_instance_has_visitors(instance) ||
           (pool->idle.count > NP_SHRINK_KEEP && now_ms - pool->taken_ms >= NP_SHRINK_QUIET_MS);
}

void np_connpool_on_shrink(struct np_timer *timer, uint64_t now_ms)
{
    struct np_connpool *pool = NP_CONTAINER(timer, struct np_connpool, shrink);
    struct np_instance *instance = NP_CONTAINER(pool, struct np_instance, pool);

    if (pool->idle.count * 5 > pool->capacity * 4 && pool->capacity > pool->min) {
        pool->capacity--;
    }
    if (pool->idle.count > pool->capacity && may_close_surplus(instance, now_ms)) {
        /* The newest: the launching side hands out the oldest first. */
        np_conn_close(NP_CONTAINER(pool->idle.head.prev, struct np_conn, node));
        pool->peak -= pool->peak > 0;
    }
    if (pool->capacity > pool->min || pool->idle.count > pool->capacity) {
        np_timer_start(&instance->app->timers, &pool->shrink,
                       now_ms + instance->app->tuning->max_pool_interval_ms);
    }
}

/* Demand: doubles when below a fifth, at most once in the shortest interval. */
void np_connpool_grow(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;
    struct np_app *app = instance->app;

    if (pool->idle.count * 5 >= pool->capacity || pool->capacity >= pool->max ||
        app->now_ms - pool->grown_ms < app->tuning->min_pool_interval_ms) {
        return;
    }
    pool->grown_ms = app->now_ms;
    pool->capacity = pool->capacity > pool->max / 2 ? pool->max : pool->capacity * 2;
    if (!np_timer_is_running(&pool->shrink)) {
        np_timer_start(&app->timers, &pool->shrink,
                       app->now_ms + app->tuning->max_pool_interval_ms);
    }
}
