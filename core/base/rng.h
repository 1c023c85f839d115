/* SPDX-License-Identifier: BSD-3-Clause */
/* rng: fast random numbers for jitter, hash seeds and connection ids that only have to be unlike
 * each other (xorshift-family generator seeded from platform entropy). Never for keys. */
#ifndef NP_CORE_BASE_RNG_H
#define NP_CORE_BASE_RNG_H

#include <stdint.h>

struct np_rng {
    uint64_t state;
};

/* `seed` from np_plat_random; 0 is replaced by a constant. */
void np_rng_init(struct np_rng *rng, uint64_t seed);
uint32_t np_rng_next(struct np_rng *rng);

#endif
