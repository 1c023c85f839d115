/* SPDX-License-Identifier: BSD-3-Clause */
/* Division as the compiler and the target's runtime do it: some targets bring their own
 * (toolchains/runtime). */
#include <stdint.h>

#include "core/base/rng.h"
#include "tests/unit/np_test.h"

#define ROUNDS 2000u

static bool is_right_64(volatile uint64_t number, volatile uint64_t by)
{
    uint64_t quotient = number / by, rest = number % by;

    return rest < by && quotient <= number && quotient * by + rest == number &&
           (quotient == 0 || number / quotient >= by);
}

static bool is_right_32(volatile uint32_t number, volatile uint32_t by)
{
    uint32_t quotient = number / by, rest = number % by;

    return rest < by && quotient <= number && (uint64_t)quotient * by + rest == number;
}

static bool is_right_signed(volatile int64_t number, volatile int64_t by)
{
    int64_t quotient = number / by, rest = number % by;
    volatile int32_t number32 = (int32_t)(number >> 33), by32 = (int32_t)(by >> 33) | 1;
    int32_t quotient32 = number32 / by32, rest32 = number32 % by32;

    return quotient * by + rest == number && (rest == 0 || (rest < 0) == (number < 0)) &&
           (rest < 0 ? -rest : rest) < (by < 0 ? -by : by) &&
           quotient32 * by32 + rest32 == number32 &&
           (rest32 == 0 || (rest32 < 0) == (number32 < 0)) &&
           (rest32 < 0 ? -rest32 : rest32) < (by32 < 0 ? -by32 : by32);
}

/* A number with any count of leading zero bits. */
static uint64_t draw(struct np_rng *rng)
{
    uint64_t high = np_rng_next(rng), low = np_rng_next(rng);

    return (high << 32 ^ low) >> (np_rng_next(rng) & 63u);
}

NP_TEST(divide, random_numbers)
{
    struct np_rng rng;

    np_rng_init(&rng, 7);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t number = draw(&rng), by = draw(&rng) | 1u;
        int64_t sign = (i & 1u) != 0 ? -1 : 1, by_sign = (i & 2u) != 0 ? -1 : 1;
        if (!NP_CHECK(is_right_64(number, by)) ||
            !NP_CHECK(is_right_32((uint32_t)number, (uint32_t)by)) ||
            !NP_CHECK(is_right_signed((int64_t)(number >> 2) * sign,
                                      ((int64_t)(by >> 2) | 1) * by_sign))) {
            return;
        }
    }
}

NP_TEST(divide, edges)
{
    static const uint64_t edges[] = {
        1,           2,           3,         10,          0x7fffffff,     0x80000000, 0xffffffff,
        0x100000000, 0x100000001, INT64_MAX, 1ull << 63u, UINT64_MAX - 1, UINT64_MAX};
    volatile uint64_t million = 1000000u, large = 12345678901234567890u;

    for (uint32_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        for (uint32_t k = 0; k < sizeof(edges) / sizeof(edges[0]); k++) {
            NP_CHECK(is_right_64(edges[i], edges[k]));
            NP_CHECK(is_right_32((uint32_t)edges[i], (uint32_t)edges[k] | 1u));
        }
    }
    NP_CHECK(large / million == 12345678901234u);
    NP_CHECK(large % million == 567890u);
}
