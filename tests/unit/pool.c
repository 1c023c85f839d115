/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/np_test.h"

#define COUNT 50u
#define GENERATIONS 4095u

struct object {
    uint32_t number;
    uint8_t bytes[20];
};

struct rig {
    struct np_arena arena;
    struct np_pool pool;
};

static void rig_init(struct rig *rig, uint32_t size, uint32_t count)
{
    memset(rig, 0, sizeof *rig);
    rig->arena.cap = (uint64_t)count * (size + 16) + 64;
    rig->arena.base = aligned_alloc(16, (rig->arena.cap + 15) / 16 * 16);
    memset(rig->arena.base, 0, rig->arena.cap);
    NP_CHECK(np_pool_init(&rig->pool, &rig->arena, size, count));
}

static void rig_deinit(struct rig *rig)
{
    NP_CHECK_INT(rig->pool.used, 0);
    free(rig->arena.base);
}

static bool is_zero(const void *mem, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (((const uint8_t *)mem)[i] != 0) {
            return false;
        }
    }
    return true;
}

NP_TEST(pool, arena_aligns_and_counts)
{
    uint8_t memory[256] __attribute__((aligned(16)));
    struct np_arena arena = {memory, sizeof memory, 0};
    struct np_arena counting = {0};
    static const uint64_t sizes[] = {1, 16, 17, 0, 100, 3};

    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *mem = np_arena_acquire(&arena, sizes[i]);
        NP_CHECK(mem != NULL && ((uintptr_t)mem & 15) == 0 && mem + sizes[i] <= memory + 256);
        NP_CHECK(np_arena_acquire(&counting, sizes[i]) == NULL);
        NP_CHECK_INT(arena.used, counting.used);
    }
    NP_CHECK(np_arena_acquire(&arena, 100) == NULL);
    NP_CHECK(arena.used > sizeof memory); /* tells what would have been needed */
    NP_CHECK(np_arena_acquire(&arena, 1) == NULL);
}

NP_TEST(pool, arena_of_the_counted_size_is_enough)
{
    struct np_arena arena = {0};
    struct np_pool pool;

    NP_CHECK(!np_pool_init(&pool, &arena, sizeof(struct object), COUNT));
    arena.cap = arena.used;
    arena.used = 0;
    arena.base = aligned_alloc(16, (arena.cap + 15) / 16 * 16);
    NP_CHECK(np_pool_init(&pool, &arena, sizeof(struct object), COUNT));
    NP_CHECK_INT(arena.used, arena.cap);
    arena.used = 0;
    arena.cap--;
    NP_CHECK(!np_pool_init(&pool, &arena, sizeof(struct object), COUNT));
    free(arena.base);
}

NP_TEST(pool, too_many_objects)
{
    struct np_arena arena = {0};
    struct np_pool pool;

    NP_CHECK(!np_pool_init(&pool, &arena, 1, NP_POOL_INDEX_MASK));
    arena.used = 0;
    NP_CHECK(!np_pool_init(&pool, &arena, UINT32_MAX - 16, NP_POOL_INDEX_MASK - 2));
    NP_CHECK(arena.used > UINT32_MAX); /* no overflow in 32 bits */
}

NP_TEST(pool, lowest_first_then_last_released)
{
    struct rig rig;
    uint32_t handles[4], handle;

    rig_init(&rig, sizeof(struct object), 4);
    for (uint32_t i = 0; i < 4; i++) {
        void *object = np_pool_acquire(&rig.pool, &handles[i]);
        NP_CHECK(object == rig.pool.mem + i * rig.pool.stride);
        NP_CHECK(is_zero(object, sizeof(struct object)));
        NP_CHECK_INT(np_pool_handle(&rig.pool, object), handles[i]);
        memset(object, 0xff, sizeof(struct object));
    }
    NP_CHECK(np_pool_acquire(&rig.pool, &handle) == NULL);
    NP_CHECK_INT(rig.pool.exhausted, 1);
    np_pool_release(&rig.pool, handles[1]);
    np_pool_release(&rig.pool, handles[3]);
    for (uint32_t i = 3;; i = 1) {
        void *object = np_pool_acquire(&rig.pool, &handles[i]);
        NP_CHECK(object == rig.pool.mem + i * rig.pool.stride);
        NP_CHECK(is_zero(object, sizeof(struct object)));
        if (i == 1) {
            break;
        }
    }
    NP_CHECK_INT(rig.pool.high_water, 4);
    for (uint32_t i = 0; i < 4; i++) {
        np_pool_release(&rig.pool, handles[i]);
    }
    rig_deinit(&rig);
}

NP_TEST(pool, free_memory_is_untouched_until_first_use)
{
    struct rig rig;
    uint32_t handle;

    rig_init(&rig, 64, COUNT);
    for (uint32_t i = 0; i < 3 * COUNT; i++) {
        memset(np_pool_acquire(&rig.pool, &handle), 0xff, 64);
        np_pool_release(&rig.pool, handle);
    }
    NP_CHECK_INT(rig.pool.fresh, 1);
    NP_CHECK(is_zero(rig.pool.mem + 64, 64 * (COUNT - 1)));
    NP_CHECK(is_zero(rig.pool.slots + 1, (COUNT - 1) * sizeof rig.pool.slots[0]));
    rig_deinit(&rig);
}

NP_TEST(pool, forged_handles)
{
    struct rig rig;
    uint32_t handle;
    uint64_t seed = 5;

    rig_init(&rig, sizeof(struct object), COUNT);
    NP_CHECK(np_pool_get(&rig.pool, 0) == NULL);
    NP_CHECK(np_pool_acquire(&rig.pool, &handle) != NULL);
    NP_CHECK(handle != 0);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t forged = (uint32_t)np_test_random(&seed);
        if (forged != handle) {
            NP_CHECK(np_pool_get(&rig.pool, forged) == NULL);
            np_pool_release(&rig.pool, forged);
        }
    }
    for (uint32_t generation = 0; generation <= GENERATIONS; generation++) {
        uint32_t forged = generation << NP_POOL_INDEX_BITS | (handle & NP_POOL_INDEX_MASK);
        NP_CHECK((np_pool_get(&rig.pool, forged) != NULL) == (forged == handle));
        NP_CHECK(np_pool_get(&rig.pool, forged + 1) == NULL); /* never used */
        NP_CHECK(np_pool_get(&rig.pool, forged | NP_POOL_INDEX_MASK) == NULL);
    }
    NP_CHECK(np_pool_at(&rig.pool, 0) == np_pool_get(&rig.pool, handle));
    NP_CHECK(np_pool_at(&rig.pool, 1) == NULL);
    NP_CHECK(np_pool_at(&rig.pool, UINT32_MAX) == NULL);
    np_pool_release(&rig.pool, handle);
    NP_CHECK(np_pool_at(&rig.pool, 0) == NULL);
    np_pool_release(&rig.pool, handle); /* twice */
    rig_deinit(&rig);
}

/* All generations of one object differ, and the one after the last is the first again, never 0. */
NP_TEST(pool, generations_wrap)
{
    struct rig rig;
    uint32_t first = 0, handle = 0;

    rig_init(&rig, sizeof(struct object), 1);
    for (uint32_t i = 0; i < 3 * GENERATIONS; i++) {
        uint32_t stale = handle;
        NP_CHECK(np_pool_acquire(&rig.pool, &handle) != NULL);
        first = i == 0 ? handle : first;
        NP_CHECK(handle >> NP_POOL_INDEX_BITS != 0);
        NP_CHECK_INT(handle == first, i % GENERATIONS == 0);
        NP_CHECK(np_pool_get(&rig.pool, stale) == NULL || i == 0);
        np_pool_release(&rig.pool, stale);
        NP_CHECK_INT(rig.pool.used, 1);
        np_pool_release(&rig.pool, handle);
    }
    rig_deinit(&rig);
}

/* Random acquires and releases; every handle ever given reaches its own object or nothing. */
NP_TEST(pool, stale_handles_reach_nothing)
{
    struct rig rig;
    static uint32_t old[4000];
    uint32_t old_count = 0, live_count = 0, number = 0, high_water = 0;
    uint32_t live[COUNT], numbers[COUNT];
    uint64_t seed = 6;

    rig_init(&rig, sizeof(struct object), COUNT);
    for (uint32_t round = 0; round < 100000; round++) {
        if (np_test_below(&seed, 100) < (round / 1000 % 2 ? 60 : 45)) {
            uint32_t handle;
            struct object *object = np_pool_acquire(&rig.pool, &handle);
            NP_CHECK((object == NULL) == (live_count == COUNT));
            if (object != NULL) {
                NP_CHECK(is_zero(object, sizeof *object));
                object->number = numbers[live_count] = ++number;
                live[live_count++] = handle;
            }
        } else if (live_count > 0) {
            uint32_t i = np_test_below(&seed, live_count);
            np_pool_release(&rig.pool, live[i]);
            if (old_count < 4000) { /* few enough that no generation comes round */
                old[old_count++] = live[i];
            }
            live[i] = live[--live_count];
            numbers[i] = numbers[live_count];
        }
        high_water = live_count > high_water ? live_count : high_water;
        NP_CHECK_INT(rig.pool.used, live_count);
        for (uint32_t i = 0; i < live_count; i++) {
            struct object *object = np_pool_get(&rig.pool, live[i]);
            NP_CHECK(object != NULL && object->number == numbers[i]);
            NP_CHECK(np_pool_handle(&rig.pool, object) == live[i]);
        }
        for (uint32_t i = 0; i < 20 && old_count > 0; i++) {
            uint32_t stale = old[np_test_below(&seed, old_count)];
            NP_CHECK(np_pool_get(&rig.pool, stale) == NULL);
            np_pool_release(&rig.pool, stale);
        }
    }
    NP_CHECK_INT(rig.pool.high_water, high_water);
    while (live_count > 0) {
        np_pool_release(&rig.pool, live[--live_count]);
    }
    for (uint32_t i = 0; i < rig.pool.fresh; i++) {
        NP_CHECK(np_pool_at(&rig.pool, i) == NULL);
    }
    rig_deinit(&rig);
}
