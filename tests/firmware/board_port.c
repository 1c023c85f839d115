/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the port's parts that need no network: clock, files of the host, stack paint. */
#include <string.h>

#include "port/mps2-an385/clock.h"
#include "port/mps2-an385/semihost.h"
#include "port/mps2-an385/start.h"
#include "tests/unit/np_test.h"

#define FIRST "build/mps2-an385/port-test"
#define SECOND FIRST ".new"

NP_TEST(board_port, clock_never_goes_back)
{
    uint64_t last = np_clock_now_us(), end = last + 300000;

    while (last < end) { /* thirty ticks */
        uint64_t now = np_clock_now_us();
        if (!NP_CHECK(now >= last) || !NP_CHECK(now - last < 200000)) {
            return;
        }
        last = now;
    }
}

NP_TEST(board_port, host_time_and_clock_agree)
{
    int64_t from_s = np_semihost_time();
    uint64_t from_us = np_clock_now_us();

    NP_CHECK(from_s > 1700000000);
    while (np_clock_now_us() - from_us < 2000000) {
    }
    NP_CHECK(np_semihost_time() - from_s >= 1 && np_semihost_time() - from_s <= 20);
}

NP_TEST(board_port, file_takes_the_name_of_another)
{
    char got[16] = {0};
    int32_t file = np_semihost_open(SECOND, NP_SEMIHOST_WRITE);

    NP_CHECK(file > 0 && np_semihost_write(file, "0123456789", 10));
    np_semihost_close(file);
    NP_CHECK(np_semihost_rename(SECOND, FIRST));
    NP_CHECK(np_semihost_open(SECOND, NP_SEMIHOST_READ) <= 0);
    file = np_semihost_open(FIRST, NP_SEMIHOST_READ);
    NP_CHECK_INT(np_semihost_length(file), 10);
    NP_CHECK(np_semihost_seek(file, 4));
    NP_CHECK_INT(np_semihost_read(file, got, sizeof got), 6);
    NP_CHECK_STR(got, "456789");
    NP_CHECK_INT(np_semihost_read(file, got, sizeof got), 0);
    np_semihost_close(file);
    NP_CHECK(np_semihost_remove(FIRST));
}

NP_TEST(board_port, random_bytes_differ)
{
    uint8_t a[32], b[32];
    int32_t file = np_semihost_open("/dev/urandom", NP_SEMIHOST_READ);

    NP_CHECK_INT(np_semihost_read(file, a, sizeof a), sizeof a);
    NP_CHECK_INT(np_semihost_read(file, b, sizeof b), sizeof b);
    NP_CHECK(memcmp(a, b, sizeof a) != 0);
    np_semihost_close(file);
}

static uint32_t use_stack(uint32_t bytes)
{
    volatile uint8_t room[bytes];

    memset((uint8_t *)room, 1, bytes);
    return room[bytes / 2];
}

NP_TEST(board_port, stack_paint_shows_what_was_used)
{
    uint32_t size = np_stack_bytes();

    NP_CHECK(np_stack_used() < size);
    (void)use_stack(size / 2 + size / 4);
    NP_CHECK(np_stack_used() >= size / 2 + size / 4 && np_stack_used() < size);
}
