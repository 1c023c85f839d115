/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/ct.h"

#include <string.h>

bool np_ct_is_equal(const void *a, const void *b, uint32_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint32_t difference = 0;

    for (uint32_t i = 0; i < len; i++) {
        difference |= (uint32_t)(left[i] ^ right[i]);
    }
    return difference == 0;
}

void np_ct_wipe(void *mem, uint32_t len)
{
    memset(mem, 0, len);
    __asm__ volatile("" : : "r"(mem) : "memory"); /* the compiler must take it for read */
}
