/* SPDX-License-Identifier: BSD-3-Clause */
/* mips: the functions that gcc calls on 32-bit MIPS, in place of libgcc.
 *
 * Debian's libgcc.a for MIPS is compiled for an FPU but has the same names: linked to soft-float
 * code it gives wrong results. The program computes with integers only, so these are enough;
 * floating point, which musl's printf and strtod name, ends the program at once.
 *
 * Built with -ffreestanding -fno-builtin and without link-time optimization: gcc emits calls to
 * these names after the linker has chosen what is needed. Nothing here may use an operator that
 * would call one of them: 64-bit values are taken apart first.
 */
#include <stdint.h>

/* The two words of a 64-bit value. */
union words {
    uint64_t whole;
    struct {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        uint32_t high, low;
#else
        uint32_t low, high;
#endif
    } part;
};

uint64_t __ashldi3(uint64_t value, int count);
uint64_t __lshrdi3(uint64_t value, int count);
int64_t __ashrdi3(int64_t value, int count);
uint64_t __udivmoddi4(uint64_t value, uint64_t by, uint64_t *rest);
uint64_t __udivdi3(uint64_t value, uint64_t by);
uint64_t __umoddi3(uint64_t value, uint64_t by);
int64_t __divdi3(int64_t value, int64_t by);
int64_t __moddi3(int64_t value, int64_t by);
int __clzsi2(uint32_t value);
int __clzdi2(uint64_t value);
int __ctzsi2(uint32_t value);
int __ctzdi2(uint64_t value);
int __ffsdi2(uint64_t value);
int __popcountsi2(uint32_t value);
int __popcountdi2(uint64_t value);
uint32_t __bswapsi2(uint32_t value);
uint64_t __bswapdi2(uint64_t value);

/* ---- shifts (0 <= count <= 63) --------------------------------------------------------------- */

uint64_t __ashldi3(uint64_t value, int count)
{
    union words in = {value}, out;

    if (count == 0) {
        return value;
    }
    if (count >= 32) {
        out.part.high = in.part.low << (count - 32);
        out.part.low = 0;
    } else {
        out.part.high = in.part.high << count | in.part.low >> (32 - count);
        out.part.low = in.part.low << count;
    }
    return out.whole;
}

uint64_t __lshrdi3(uint64_t value, int count)
{
    union words in = {value}, out;

    if (count == 0) {
        return value;
    }
    if (count >= 32) {
        out.part.low = in.part.high >> (count - 32);
        out.part.high = 0;
    } else {
        out.part.low = in.part.low >> count | in.part.high << (32 - count);
        out.part.high = in.part.high >> count;
    }
    return out.whole;
}

int64_t __ashrdi3(int64_t value, int count)
{
    union words in = {(uint64_t)value}, out;

    if (count == 0) {
        return value;
    }
    if (count >= 32) {
        out.part.low = (uint32_t)((int32_t)in.part.high >> (count - 32));
        out.part.high = (uint32_t)((int32_t)in.part.high >> 31);
    } else {
        out.part.low = in.part.low >> count | in.part.high << (32 - count);
        out.part.high = (uint32_t)((int32_t)in.part.high >> count);
    }
    return (int64_t)out.whole;
}

/* ---- bits ------------------------------------------------------------------------------------ */

int __clzsi2(uint32_t value)
{
    return value == 0 ? 32 : __builtin_clz(value); /* one instruction */
}

int __clzdi2(uint64_t value)
{
    union words in = {value};

    return in.part.high != 0 ? __clzsi2(in.part.high) : 32 + __clzsi2(in.part.low);
}

int __ctzsi2(uint32_t value)
{
    return 31 - __clzsi2(value & (0u - value));
}

int __ctzdi2(uint64_t value)
{
    union words in = {value};

    return in.part.low != 0 ? __ctzsi2(in.part.low) : 32 + __ctzsi2(in.part.high);
}

int __ffsdi2(uint64_t value)
{
    union words in = {value};

    return (in.part.low | in.part.high) == 0 ? 0 : __ctzdi2(value) + 1;
}

int __popcountsi2(uint32_t value)
{
    int count = 0;

    for (; value != 0; value &= value - 1u) {
        count++;
    }
    return count;
}

int __popcountdi2(uint64_t value)
{
    union words in = {value};

    return __popcountsi2(in.part.low) + __popcountsi2(in.part.high);
}

uint32_t __bswapsi2(uint32_t value)
{
    return value << 24 | (value & 0xff00u) << 8 | (value >> 8 & 0xff00u) | value >> 24;
}

uint64_t __bswapdi2(uint64_t value)
{
    union words in = {value}, out;

    out.part.high = __bswapsi2(in.part.low);
    out.part.low = __bswapsi2(in.part.high);
    return out.whole;
}

/* ---- divisions (by != 0; by == 0 traps as the CPU's own division does) ----------------------- */

/* Bit by bit from the first that counts; the shifts by one are of constant size and inline. */
static uint64_t divide_long(uint64_t value, uint64_t by, uint64_t *rest)
{
    int shift = __clzdi2(by) - __clzdi2(value);
    uint64_t quotient = 0;

    if (shift < 0) {
        *rest = value;
        return 0;
    }
    by = __ashldi3(by, shift);
    for (; shift >= 0; shift--) {
        quotient <<= 1;
        if (value >= by) {
            value -= by;
            quotient |= 1;
        }
        by >>= 1;
    }
    *rest = value;
    return quotient;
}

uint64_t __udivmoddi4(uint64_t value, uint64_t by, uint64_t *rest)
{
    union words in = {value}, divisor = {by}, out;
    uint64_t left;

    if ((divisor.part.high | divisor.part.low) == 0) {
        __builtin_trap();
    }
    if ((in.part.high | divisor.part.high) == 0) {
        out.part.high = 0;
        out.part.low = in.part.low / divisor.part.low;
        left = in.part.low % divisor.part.low;
    } else {
        out.whole = divide_long(value, by, &left);
    }
    if (rest != 0) {
        *rest = left;
    }
    return out.whole;
}

uint64_t __udivdi3(uint64_t value, uint64_t by)
{
    return __udivmoddi4(value, by, 0);
}

uint64_t __umoddi3(uint64_t value, uint64_t by)
{
    uint64_t rest;

    (void)__udivmoddi4(value, by, &rest);
    return rest;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
}

int64_t __divdi3(int64_t value, int64_t by)
{
    uint64_t quotient = __udivmoddi4(magnitude(value), magnitude(by), 0);

    return (int64_t)((value < 0) != (by < 0) ? 0u - quotient : quotient);
}

int64_t __moddi3(int64_t value, int64_t by)
{
    uint64_t rest;

    (void)__udivmoddi4(magnitude(value), magnitude(by), &rest);
    return (int64_t)(value < 0 ? 0u - rest : rest);
}

/* ---- floating point -------------------------------------------------------------------------- */

/* The names only: whoever calls one has brought floating point into the program. */
#define TRAPS(name)                                                                                \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        __builtin_trap();                                                                          \
    }

TRAPS(__addsf3)
TRAPS(__subsf3)
TRAPS(__mulsf3)
TRAPS(__divsf3)
TRAPS(__adddf3)
TRAPS(__subdf3)
TRAPS(__muldf3)
TRAPS(__divdf3)
TRAPS(__negdf2)
TRAPS(__negsf2)
TRAPS(__eqsf2)
TRAPS(__nesf2)
TRAPS(__ltsf2)
TRAPS(__lesf2)
TRAPS(__gtsf2)
TRAPS(__gesf2)
TRAPS(__eqdf2)
TRAPS(__nedf2)
TRAPS(__ltdf2)
TRAPS(__ledf2)
TRAPS(__gtdf2)
TRAPS(__gedf2)
TRAPS(__unordsf2)
TRAPS(__unorddf2)
TRAPS(__extendsfdf2)
TRAPS(__truncdfsf2)
TRAPS(__fixsfsi)
TRAPS(__fixdfsi)
TRAPS(__fixunssfsi)
TRAPS(__fixunsdfsi)
TRAPS(__fixsfdi)
TRAPS(__fixdfdi)
TRAPS(__fixunssfdi)
TRAPS(__fixunsdfdi)
TRAPS(__floatsisf)
TRAPS(__floatsidf)
TRAPS(__floatunsisf)
TRAPS(__floatunsidf)
TRAPS(__floatdisf)
TRAPS(__floatdidf)
TRAPS(__floatundisf)
TRAPS(__floatundidf)
