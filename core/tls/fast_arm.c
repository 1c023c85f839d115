/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_arm: AES-GCM with ARMv8's AESE and PMULL, as a whole and as BearSSL's tables. */
#include "core/tls/fast_impl.h"

#if NP_FAST_ARM

#include <arm_neon.h>

#ifdef __clang__
#define TARGET "aes,neon"
#else
#define TARGET "+crypto"
#endif
#define INLINE static inline NP_FOLDED __attribute__((target(TARGET)))
#if NP_FAST_COMPACT
#define ONCE static __attribute__((noinline, target(TARGET)))
#else
#define ONCE INLINE
#endif

typedef uint8x16_t block; /* the compiler's vector type, no struct of ours */

INLINE block vload(const uint8_t *p)
{
    return vld1q_u8(p);
}

INLINE void vstore(uint8_t *p, block v)
{
    vst1q_u8(p, v);
}

INLINE block vzero(void)
{
    return vdupq_n_u8(0);
}

INLINE block vxor(block a, block b)
{
    return veorq_u8(a, b);
}

INLINE block vrev(block a)
{
    a = vrev64q_u8(a);
    return vextq_u8(a, a, 8);
}

INLINE block vswap(block a)
{
    return vextq_u8(a, a, 8);
}

INLINE block vpoly(void)
{
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(1), vcreate_u64(0xc200000000000000u)));
}

INLINE poly64_t low_half(block a)
{
    return (poly64_t)vgetq_lane_u64(vreinterpretq_u64_u8(a), 0);
}

INLINE poly64_t high_half(block a)
{
    return (poly64_t)vgetq_lane_u64(vreinterpretq_u64_u8(a), 1);
}

INLINE block vmul_ll(block a, block b)
{
    return vreinterpretq_u8_p128(vmull_p64(low_half(a), low_half(b)));
}

INLINE block vmul_hh(block a, block b)
{
    return vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(a), vreinterpretq_p64_u8(b)));
}

/* low half of a, high half of b */
INLINE block vmul_lh(block a, block b)
{
    return vreinterpretq_u8_p128(vmull_p64(low_half(a), high_half(b)));
}

INLINE block vmul_hl(block a, block b)
{
    return vreinterpretq_u8_p128(vmull_p64(high_half(a), low_half(b)));
}

INLINE block vcounter(block a, uint32_t n)
{
    return vreinterpretq_u8_u32(
        vaddq_u32(vreinterpretq_u32_u8(a), vsetq_lane_u32(n << 24, vdupq_n_u32(0), 3)));
}

/* AESE adds the key before it substitutes. */
INLINE block aes_first(block b, block k)
{
    (void)k;
    return b;
}

INLINE block aes_round(block b, block k, block next)
{
    (void)next;
    return vaesmcq_u8(vaeseq_u8(b, k));
}

INLINE block aes_last(block b, block k, block end)
{
    return veorq_u8(vaeseq_u8(b, k), end);
}

/* AESE with a zero key is SubBytes and ShiftRows; four equal columns hide the latter. */
INLINE uint32_t sub_word(uint32_t w)
{
    return vgetq_lane_u32(
        vreinterpretq_u32_u8(vaeseq_u8(vreinterpretq_u8_u32(vdupq_n_u32(w)), vdupq_n_u8(0))), 0);
}

#include "core/tls/fast_gcm_body.h"

/* What the kernel says the CPU has. No other way works without a fault; libc only passes it on. */
#ifdef __linux__
unsigned long getauxval(unsigned long type);
#define AT_HWCAP 16
#define HWCAP_AES (1u << 3)
#define HWCAP_PMULL (1u << 4)

bool np_fast_has_aes(void)
{
    return (getauxval(AT_HWCAP) & (HWCAP_AES | HWCAP_PMULL)) == (HWCAP_AES | HWCAP_PMULL);
}
#else
bool np_fast_has_aes(void)
{
#ifdef __ARM_FEATURE_CRYPTO
    return true;
#else
    return false;
#endif
}
#endif

#endif
