/* SPDX-License-Identifier: BSD-3-Clause */
/* arm: division for ARM CPUs that have none, under the names of the ABI (RTABI 4.2, 4.3.1): loops,
 * where libgcc has every step behind the other; 1.3 KB less. The rest that __aeabi_uidivmod and
 * __aeabi_idivmod return beside the quotient lies in the upper word. Compiled for the ARM state. */
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
    uint64_t pair =
        __aeabi_uidivmod(negate_if((uint32_t)number, number < 0), negate_if((uint32_t)by, by < 0));

    return (uint64_t)negate_if((uint32_t)(pair >> 32), number < 0) << 32 |
           negate_if((uint32_t)pair, (number ^ by) < 0);
}

int32_t __aeabi_idiv(int32_t number, int32_t by)
{
    return (int32_t)(uint32_t)__aeabi_idivmod(number, by);
}

/* 64 bits: quotient in r0 r1, rest in r2 r3, which C can't return. The divisor goes up as far as it
 * stays below the number, then down again, a bit of the quotient each. */
__asm__(".section .text.__aeabi_uldivmod, \"ax\", %progbits\n"
        ".align 2\n.arm\n"
        ".global __aeabi_uldivmod\n.type __aeabi_uldivmod, %function\n"
        "__aeabi_uldivmod:\n"
        "push {r4, r5, r6, lr}\n"
        "orrs r6, r2, r3\n"
        "beq 4f\n"
        "mov r4, #0\n"
        "mov r5, #0\n"
        "mov r6, #1\n"
        "1: cmp r3, r1\n"
        "cmpeq r2, r0\n"
        "bhs 2f\n"
        "tst r3, #0x80000000\n"
        "bne 2f\n"
        "adds r2, r2, r2\n"
        "adc r3, r3, r3\n"
        "add r6, r6, #1\n"
        "b 1b\n"
        "2: adds r4, r4, r4\n"
        "adc r5, r5, r5\n"
        "cmp r1, r3\n"
        "cmpeq r0, r2\n"
        "blo 3f\n"
        "subs r0, r0, r2\n"
        "sbc r1, r1, r3\n"
        "orr r4, r4, #1\n"
        "3: movs r3, r3, lsr #1\n"
        "mov r2, r2, rrx\n"
        "subs r6, r6, #1\n"
        "bne 2b\n"
        "mov r2, r0\n"
        "mov r3, r1\n"
        "mov r0, r4\n"
        "mov r1, r5\n"
        "pop {r4, r5, r6, pc}\n"
        "4: .inst 0xe7f000f0\n" /* undefined: divided by zero */
        ".size __aeabi_uldivmod, . - __aeabi_uldivmod\n"
        ".section .text.__aeabi_ldivmod, \"ax\", %progbits\n"
        ".align 2\n.arm\n"
        ".global __aeabi_ldivmod\n.type __aeabi_ldivmod, %function\n"
        "__aeabi_ldivmod:\n"
        "push {r4, r5, r6, lr}\n"
        "mov r4, r1\n"     /* sign of the rest */
        "eor r5, r1, r3\n" /* of the quotient */
        "cmp r1, #0\n"
        "bge 1f\n"
        "rsbs r0, r0, #0\n"
        "rsc r1, r1, #0\n"
        "1: cmp r3, #0\n"
        "bge 2f\n"
        "rsbs r2, r2, #0\n"
        "rsc r3, r3, #0\n"
        "2: bl __aeabi_uldivmod\n"
        "cmp r5, #0\n"
        "bge 3f\n"
        "rsbs r0, r0, #0\n"
        "rsc r1, r1, #0\n"
        "3: cmp r4, #0\n"
        "bge 4f\n"
        "rsbs r2, r2, #0\n"
        "rsc r3, r3, #0\n"
        "4: pop {r4, r5, r6, pc}\n"
        ".size __aeabi_ldivmod, . - __aeabi_ldivmod\n"
        ".text\n");
