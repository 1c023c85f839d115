/* SPDX-License-Identifier: BSD-3-Clause */
/* arm: 32-bit division for ARM CPUs that have none, under the names of the ABI (RTABI 4.3.1): a
 * loop, where libgcc has every step behind the other, 1.2 KB. The other half of a pair that
 * __aeabi_*divmod return lies in the upper word. */
#include <stdint.h>

uint32_t __aeabi_uidiv(uint32_t number, uint32_t by);
int32_t __aeabi_idiv(int32_t number, int32_t by);
uint64_t __aeabi_uidivmod(uint32_t number, uint32_t by);
uint64_t __aeabi_idivmod(int32_t number, int32_t by);

uint64_t __aeabi_uidivmod(uint32_t number, uint32_t by)
{
    uint32_t result = 0;

    if (by == 0) {
        __builtin_trap();
    }
    if (number >= by) {
        for (int at = __builtin_clz(by) - __builtin_clz(number); at >= 0; at--) {
            if (number >> at >= by) {
                number -= by << at;
                result |= 1u << at;
            }
        }
    }
    return (uint64_t)number << 32 | result;
}

uint32_t __aeabi_uidiv(uint32_t number, uint32_t by)
{
    return (uint32_t)__aeabi_uidivmod(number, by);
}

static uint32_t negate_if(uint32_t value, int is_negative)
{
    return is_negative ? 0u - value : value;
}

/* The rest has the sign of the number. */
uint64_t __aeabi_idivmod(int32_t number, int32_t by)
{
    uint64_t pair = __aeabi_uidivmod(negate_if((uint32_t)number, number < 0),
                                     negate_if((uint32_t)by, by < 0));

    return (uint64_t)negate_if((uint32_t)(pair >> 32), number < 0) << 32 |
           negate_if((uint32_t)pair, (number ^ by) < 0);
}

int32_t __aeabi_idiv(int32_t number, int32_t by)
{
    return (int32_t)(uint32_t)__aeabi_idivmod(number, by);
}
