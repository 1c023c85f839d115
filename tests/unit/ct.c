/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/ct.h"

#include <string.h>

#include "tests/unit/np_test.h"

NP_TEST(ct, every_bit_counts)
{
    uint8_t a[40], b[40];

    for (uint32_t i = 0; i < sizeof a; i++) {
        a[i] = b[i] = (uint8_t)(i * 37);
    }
    for (uint32_t len = 0; len <= sizeof a; len++) {
        NP_CHECK(np_ct_is_equal(a, b, len));
        for (uint32_t bit = 0; bit < 8 * sizeof a; bit++) {
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            NP_CHECK_INT(np_ct_is_equal(a, b, len), bit / 8 >= len);
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

NP_TEST(ct, differences_do_not_cancel_out)
{
    NP_CHECK(!np_ct_is_equal("ab", "ba", 2));
    NP_CHECK(!np_ct_is_equal("\x80\x80", "\x00\x00", 2));
}

NP_TEST(ct, wipe_touches_nothing_else)
{
    uint8_t mem[64];

    for (uint32_t start = 0; start < 16; start++) {
        for (uint32_t len = 0; len <= 32; len++) {
            memset(mem, 0xa5, sizeof mem);
            np_ct_wipe(mem + start, len);
            for (uint32_t i = 0; i < sizeof mem; i++) {
                NP_CHECK_INT(mem[i], i >= start && i < start + len ? 0 : 0xa5);
            }
        }
    }
}
