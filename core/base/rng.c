/* SPDX-License-Identifier: BSD-3-Clause */
/* xorshift64* of Vigna, "An experimental exploration of Marsaglia's xorshift generators,
 * scrambled". */
#include "core/base/rng.h"

void np_rng_init(struct np_rng *rng, uint64_t seed)
{
    rng->state = seed != 0 ? seed : 0x9e3779b97f4a7c15u; /* state 0 would stay 0 */
}

uint32_t np_rng_next(struct np_rng *rng)
{
    uint64_t x = rng->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return (uint32_t)((x * 0x2545f4914f6cdd1du) >> 32); /* the low bits are the weak ones */
}
