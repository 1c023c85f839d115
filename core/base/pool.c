/* SPDX-License-Identifier: BSD-3-Clause */
/* A slot is generation << NP_POOL_INDEX_BITS | link. The link of a free object is the index of the
 * next free one or LINK_END, that of an object in use is LINK_IN_USE; both lie beyond every index
 * because count < 2^20 - 1. The generation counts up at release, so a handle is stale from then on.
 */
#include "core/base/pool.h"

#include <stddef.h>
#include <string.h>

#define ARENA_ALIGN 16u
#define OBJECT_ALIGN 8u
#define LINK_END NP_POOL_INDEX_MASK
#define LINK_IN_USE (NP_POOL_INDEX_MASK - 1u)
#define GENERATION_STEP (1u << NP_POOL_INDEX_BITS)

void *np_arena_acquire(struct np_arena *arena, uint64_t size)
{
    uint64_t start = (arena->used + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1);

    arena->used = start + size;
    if (arena->base == NULL || arena->used > arena->cap) {
        return NULL;
    }
    return arena->base + start;
}

bool np_pool_init(struct np_pool *pool, struct np_arena *arena, uint32_t size, uint32_t count)
{
    memset(pool, 0, sizeof *pool);
    pool->stride = (size + OBJECT_ALIGN - 1) & ~(OBJECT_ALIGN - 1);
    pool->count = count;
    pool->free_head = LINK_END;
    pool->slots = np_arena_acquire(arena, (uint64_t)count * sizeof pool->slots[0]);
    pool->mem = np_arena_acquire(arena, (uint64_t)count * pool->stride);
    return count < LINK_IN_USE && pool->slots != NULL && pool->mem != NULL;
}

static void *object_at(const struct np_pool *pool, uint32_t index)
{
    return pool->mem + (size_t)index * pool->stride;
}

/* The index of a free object, unlinked, its slot still marked free; LINK_END if there is none. */
static uint32_t unlink_free(struct np_pool *pool)
{
    uint32_t index = pool->free_head;

    if (index != LINK_END) {
        pool->free_head = pool->slots[index] & NP_POOL_INDEX_MASK;
    } else if (pool->fresh < pool->count) {
        index = pool->fresh++;
        pool->slots[index] = GENERATION_STEP;
    }
    return index;
}

void *np_pool_acquire_unset(struct np_pool *pool, uint32_t *handle)
{
    uint32_t index = unlink_free(pool);

    if (index == LINK_END) {
        pool->exhausted++;
        return NULL;
    }
    pool->slots[index] |= NP_POOL_INDEX_MASK;
    pool->slots[index] &= ~NP_POOL_INDEX_MASK | LINK_IN_USE;
    pool->used++;
    if (pool->used > pool->high_water) {
        pool->high_water = pool->used;
    }
    *handle = (pool->slots[index] & ~NP_POOL_INDEX_MASK) | index;
    return object_at(pool, index);
}

void *np_pool_acquire(struct np_pool *pool, uint32_t *handle)
{
    bool is_fresh = pool->free_head == LINK_END; /* zero as the arena's owner gave it */
    void *object = np_pool_acquire_unset(pool, handle);

    if (object != NULL && !is_fresh) {
        memset(object, 0, pool->stride);
    }
    return object;
}

void np_pool_release(struct np_pool *pool, uint32_t handle)
{
    uint32_t index = handle & NP_POOL_INDEX_MASK;
    uint32_t generation = handle & ~NP_POOL_INDEX_MASK;

    if (np_pool_get(pool, handle) == NULL) {
        return;
    }
    generation += GENERATION_STEP;
    if (generation == 0) {
        generation = GENERATION_STEP;
    }
    pool->slots[index] = generation | pool->free_head;
    pool->free_head = index;
    pool->used--;
}

void *np_pool_get(const struct np_pool *pool, uint32_t handle)
{
    uint32_t index = handle & NP_POOL_INDEX_MASK;
    uint32_t expected = (handle & ~NP_POOL_INDEX_MASK) | LINK_IN_USE;

    if (index >= pool->fresh || pool->slots[index] != expected) {
        return NULL;
    }
    return object_at(pool, index);
}

void *np_pool_at(const struct np_pool *pool, uint32_t index)
{
    if (index >= pool->fresh || (pool->slots[index] & NP_POOL_INDEX_MASK) != LINK_IN_USE) {
        return NULL;
    }
    return object_at(pool, index);
}

uint32_t np_pool_handle(const struct np_pool *pool, const void *object)
{
    uint32_t index = (uint32_t)((size_t)((const uint8_t *)object - pool->mem) / pool->stride);

    return (pool->slots[index] & ~NP_POOL_INDEX_MASK) | index;
}
