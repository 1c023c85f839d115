/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/rng.h"

#include "tests/unit/np_test.h"

#define DRAWS 100000u

NP_TEST(rng, same_seed_same_numbers)
{
    struct np_rng a, b, c;
    uint32_t differ = 0;

    np_rng_init(&a, 7);
    np_rng_init(&b, 7);
    np_rng_init(&c, 8);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t x = np_rng_next(&a);
        NP_CHECK_INT(x, np_rng_next(&b));
        differ += x != np_rng_next(&c);
    }
    NP_CHECK(differ >= 99);
}

/* The published generator, worked out apart from the module. */
NP_TEST(rng, matches_xorshift64_star)
{
    struct np_rng rng;
    uint64_t state = 0x123456789abcdef0u;

    np_rng_init(&rng, state);
    for (uint32_t i = 0; i < 1000; i++) {
        state = state ^ state >> 12;
        state = state ^ state << 25;
        state = state ^ state >> 27;
        NP_CHECK_INT(np_rng_next(&rng), (uint32_t)(state * 2685821657736338717u >> 32));
    }
}

NP_TEST(rng, seed_zero_is_not_stuck)
{
    struct np_rng rng;
    uint32_t first;

    np_rng_init(&rng, 0);
    first = np_rng_next(&rng);
    NP_CHECK(first != 0 || np_rng_next(&rng) != 0);
    NP_CHECK(np_rng_next(&rng) != first);
}

/* Every bit is set in about half of the numbers, whatever the seed. */
NP_TEST(rng, bits_are_balanced)
{
    static const uint64_t seeds[] = {0, 1, 2, UINT64_MAX, 0x8000000000000000u};

    for (uint32_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        uint32_t ones[32] = {0};
        struct np_rng rng;
        np_rng_init(&rng, seeds[s]);
        for (uint32_t i = 0; i < DRAWS; i++) {
            uint32_t x = np_rng_next(&rng);
            for (uint32_t bit = 0; bit < 32; bit++) {
                ones[bit] += x >> bit & 1u;
            }
        }
        for (uint32_t bit = 0; bit < 32; bit++) {
            np_test_context("seed %u bit %u", s, bit);
            NP_CHECK(ones[bit] > DRAWS / 100 * 49 && ones[bit] < DRAWS / 100 * 51);
        }
    }
}
