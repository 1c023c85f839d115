/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/backoff.h"

#include "tests/unit/np_test.h"

NP_TEST(backoff, bounds_double_up_to_max)
{
    static const uint32_t bounds[] = {100,  200,   400,   800,   1600,  3200,
                                      6400, 12800, 25600, 30000, 30000, 30000};
    struct np_backoff backoff;

    np_backoff_init(&backoff, 100, 30000);
    for (uint32_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct np_backoff lowest = backoff;
        np_test_context("wait %u", i);
        NP_CHECK_INT(np_backoff_wait_ms(&lowest, 0), bounds[i] / 2);
        NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), bounds[i]);
    }
}

NP_TEST(backoff, success_starts_again)
{
    struct np_backoff backoff;

    np_backoff_init(&backoff, 100, 30000);
    for (uint32_t i = 0; i < 20; i++) {
        np_backoff_wait_ms(&backoff, 0);
    }
    np_backoff_reset(&backoff);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 100);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 200);
}

NP_TEST(backoff, odd_limits)
{
    struct np_backoff backoff;

    np_backoff_init(&backoff, 0, 0); /* no wait at all, never a division by zero */
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 0);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 0);
    np_backoff_init(&backoff, 60000, 30000); /* a first wait above max stays */
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 60000);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 60000);
    np_backoff_init(&backoff, UINT32_MAX - 1, UINT32_MAX);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), UINT32_MAX - 1);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), UINT32_MAX);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, 0), UINT32_MAX / 2);
    np_backoff_init(&backoff, 1, 3);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 1);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 2);
    NP_CHECK_INT(np_backoff_wait_ms(&backoff, UINT32_MAX), 3);
}

/* Each wait of [b/2, b] is about as likely as any other. */
NP_TEST(backoff, jitter_is_uniform)
{
    uint32_t hits[51] = {0};
    uint64_t seed = 3;

    for (uint32_t i = 0; i < 510000; i++) {
        struct np_backoff backoff;
        uint32_t wait_ms;
        np_backoff_init(&backoff, 100, 100);
        wait_ms = np_backoff_wait_ms(&backoff, (uint32_t)np_test_random(&seed));
        if (NP_CHECK(wait_ms >= 50 && wait_ms <= 100)) {
            hits[wait_ms - 50]++;
        }
    }
    for (uint32_t i = 0; i < 51; i++) {
        NP_CHECK(hits[i] > 9500 && hits[i] < 10500);
    }
}
