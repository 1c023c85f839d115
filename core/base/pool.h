/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: a fixed number of equal objects with handles of generation and index, and the arena they
 * are cut from once, at start.
 *
 * A free object's memory is untouched until it is first acquired (pages of an mmap'd arena that
 * were never used cost nothing): objects are handed out lowest index first, last released first.
 * A handle is (generation << NP_POOL_INDEX_BITS | index); generation runs 1 to 2^12 - 1, so no
 * handle is 0.
 */
#ifndef NP_CORE_BASE_POOL_H
#define NP_CORE_BASE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define NP_POOL_INDEX_BITS 20u
#define NP_POOL_INDEX_MASK ((1u << NP_POOL_INDEX_BITS) - 1u)

/* Memory handed out once, never returned. With base NULL it only counts (to learn the size needed).
 */
struct np_arena {
    uint8_t *base; /* zeroed memory, owned by the caller */
    uint64_t cap;  /* bytes */
    uint64_t used; /* bytes, counts on beyond cap */
};
/* Cuts `size` bytes aligned to 16; NULL if base is NULL or cap is exceeded (used grows all the
 * same). */
void *np_arena_acquire(struct np_arena *arena, uint64_t size);

struct np_pool {
    uint8_t *mem;        /* count objects of stride bytes */
    uint32_t *slots;     /* per object: generation, in-use bit and next free index */
    uint32_t stride;     /* bytes an object */
    uint32_t count;      /* objects */
    uint32_t fresh;      /* objects [fresh, count) were never used */
    uint32_t free_head;  /* index of the last released object, or NP_POOL_INDEX_MASK */
    uint32_t used;       /* objects in use */
    uint32_t high_water; /* most in use at a time */
    uint32_t exhausted;  /* acquires that found nothing */
};

/* Cuts `count` (< 2^20 - 1) objects of `size` bytes from the arena. Returns false if it is too
 * small (or counting only). */
bool np_pool_init(struct np_pool *pool, struct np_arena *arena, uint32_t size, uint32_t count);
/* A zeroed object and its handle, or NULL when all are in use. */
void *np_pool_acquire(struct np_pool *pool, uint32_t *handle);
/* The same for memory that its user writes before reading: what is in it is undefined. */
void *np_pool_acquire_unset(struct np_pool *pool, uint32_t *handle);
/* Gives the object back; its handle and copies of it are stale from now on. A stale handle does
 * nothing. */
void np_pool_release(struct np_pool *pool, uint32_t handle);
/* The object of `handle`, or NULL if stale. */
void *np_pool_get(const struct np_pool *pool, uint32_t handle);
/* The object at `index` if in use, else NULL; for walking all of them (0 to fresh - 1). */
void *np_pool_at(const struct np_pool *pool, uint32_t index);
/* The handle of an object that is in use. */
uint32_t np_pool_handle(const struct np_pool *pool, const void *object);

#endif
