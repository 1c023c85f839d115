/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/rate.h"

#include "tests/unit/np_test.h"

#define MBPS_BYTES 125000u

/* Takes as much as may go, in pieces of up to `piece`. */
static uint64_t drain(struct np_rate *rate, uint32_t piece, uint64_t now_ms)
{
    uint64_t total = 0;
    uint32_t may;

    while ((may = np_rate_peek(rate, piece, now_ms)) > 0) {
        np_rate_take(rate, may);
        total += may;
    }
    return total;
}

NP_TEST(rate, no_limit)
{
    struct np_rate rate;

    np_rate_init(&rate, 0, 5);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 5), UINT32_MAX);
    np_rate_take(&rate, UINT32_MAX);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 5), UINT32_MAX);
    NP_CHECK_INT(np_rate_wait_ms(&rate, UINT32_MAX, 5), 0);
}

NP_TEST(rate, starts_full_and_holds_one_second)
{
    struct np_rate rate;

    np_rate_init(&rate, 8, 1000);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 1000), 8 * MBPS_BYTES);
    NP_CHECK_INT(drain(&rate, 70000, 1000), 8 * MBPS_BYTES);
    NP_CHECK_INT(np_rate_peek(&rate, 1, 1000), 0);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 1001), 8 * MBPS_BYTES / 1000);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 1000 + 86400000), 8 * MBPS_BYTES);
}

NP_TEST(rate, peek_takes_nothing)
{
    struct np_rate rate;

    np_rate_init(&rate, 1, 0);
    for (uint32_t i = 0; i < 10; i++) {
        NP_CHECK_INT(np_rate_peek(&rate, 1000, 0), 1000);
    }
    np_rate_take(&rate, 1000);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 0), MBPS_BYTES - 1000);
    np_rate_take(&rate, UINT32_MAX); /* more than there is: empty, not wrapped */
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 0), 0);
}

NP_TEST(rate, clock_that_stands_or_steps_back_yields_nothing)
{
    struct np_rate rate;

    np_rate_init(&rate, 1, 1000);
    drain(&rate, 1000, 1000);
    NP_CHECK_INT(np_rate_peek(&rate, 1, 1000), 0);
    NP_CHECK_INT(np_rate_peek(&rate, 1, 500), 0);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 1001), 125);
}

/* With a waiting sender, what goes through in any time is the bucket plus exactly rate x time,
 * however the clock steps and whatever rate makes fractions of a byte. */
NP_TEST(rate, exact_in_the_long_run)
{
    static const uint64_t rates[] = {501, 999, 1001, 125000, 125001, 33333333, 1250000000};
    uint64_t seed = 11;

    for (uint32_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct np_rate rate;
        uint64_t now_ms = 777, total;
        np_rate_init(&rate, 1, now_ms);
        rate.bytes_per_s = rate.tokens = rates[r];
        total = drain(&rate, UINT32_MAX, now_ms);
        NP_CHECK_INT(total, rates[r]);
        for (uint32_t i = 0; i < 20000; i++) {
            now_ms += np_test_below(&seed, i % 3 == 0 ? 2 : 999);
            total += drain(&rate, 1 + np_test_below(&seed, UINT32_MAX - 1), now_ms);
            np_test_context("rate %u step %u", r, i);
            NP_CHECK_INT(total, rates[r] + (now_ms - 777) * rates[r] / 1000);
        }
    }
}

/* wait_ms is enough, and a millisecond less is not. */
NP_TEST(rate, wait_is_exact)
{
    uint64_t seed = 12;

    for (uint32_t i = 0; i < 50000; i++) {
        struct np_rate rate, copy;
        uint32_t want = 1 + np_test_below(&seed, i % 2 ? 3000000 : 2000);
        uint64_t now_ms = np_test_below(&seed, 1500);
        uint32_t wait_ms, bucket;
        np_rate_init(&rate, 1 + np_test_below(&seed, 20), 0);
        bucket = (uint32_t)rate.bytes_per_s;
        np_rate_take(&rate, np_rate_peek(&rate, np_test_below(&seed, 3000000), 0));
        rate.fraction = rate.tokens < bucket ? np_test_below(&seed, 1000) : 0;
        wait_ms = np_rate_wait_ms(&rate, want, now_ms);
        want = want < bucket ? want : bucket;
        np_test_context("round %u", i);
        NP_CHECK(wait_ms <= 1000);
        copy = rate;
        NP_CHECK_INT(np_rate_peek(&copy, want, now_ms + wait_ms), want);
        copy = rate;
        NP_CHECK(wait_ms == 0 || np_rate_peek(&copy, want, now_ms + wait_ms - 1) < want);
    }
}

NP_TEST(rate, largest_setting)
{
    struct np_rate rate;
    uint64_t full = (uint64_t)UINT32_MAX * MBPS_BYTES;

    np_rate_init(&rate, UINT32_MAX, 0);
    NP_CHECK(rate.bytes_per_s == full && rate.tokens == full);
    rate.tokens = 0;
    NP_CHECK_INT(np_rate_wait_ms(&rate, UINT32_MAX, 0), 1);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, 999), UINT32_MAX);
    NP_CHECK(rate.tokens == full / 1000 * 999);
    NP_CHECK_INT(np_rate_peek(&rate, UINT32_MAX, UINT64_MAX), UINT32_MAX);
    NP_CHECK(rate.tokens == full);
}
