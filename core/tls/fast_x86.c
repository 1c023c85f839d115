/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_x86: AES-GCM with AES-NI and PCLMULQDQ (SSE forms: AVX forms measured the same, and small
 * Atoms do not have them), GHASH alone for BearSSL's tables, and what the CPU has. */
#include "core/tls/fast_impl.h"

#if NP_FAST_X86

#include <cpuid.h>
#include <immintrin.h>

#define TARGET "aes,pclmul,ssse3,sse4.1"
#define INLINE static inline NP_FOLDED __attribute__((target(TARGET)))
#if NP_FAST_COMPACT
#define ONCE static __attribute__((noinline, target(TARGET)))
#else
#define ONCE INLINE
#endif

typedef __m128i block; /* the compiler's vector type, no struct of ours */

INLINE block vload(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE void vstore(uint8_t *p, block v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

INLINE block vzero(void)
{
    return _mm_setzero_si128();
}

INLINE block vxor(block a, block b)
{
    return _mm_xor_si128(a, b);
}

INLINE block vrev(block a)
{
    return _mm_shuffle_epi8(a, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

INLINE block vswap(block a)
{
    return _mm_shuffle_epi32(a, 0x4e);
}

INLINE block vpoly(void)
{
    return _mm_set_epi64x((long long)0xc200000000000000u, 1);
}

INLINE block vmul_ll(block a, block b)
{
    return _mm_clmulepi64_si128(a, b, 0x00);
}

INLINE block vmul_hh(block a, block b)
{
    return _mm_clmulepi64_si128(a, b, 0x11);
}

/* low half of a, high half of b */
INLINE block vmul_lh(block a, block b)
{
    return _mm_clmulepi64_si128(a, b, 0x10);
}

INLINE block vmul_hl(block a, block b)
{
    return _mm_clmulepi64_si128(a, b, 0x01);
}

INLINE block vcounter(block a, uint32_t n)
{
    return _mm_add_epi32(a, _mm_set_epi32((int)(n << 24), 0, 0, 0));
}

INLINE block aes_first(block b, block k)
{
    return _mm_xor_si128(b, k);
}

INLINE block aes_round(block b, block k, block next)
{
    (void)k;
    return _mm_aesenc_si128(b, next);
}

INLINE block aes_last(block b, block k, block end)
{
    (void)k;
    return _mm_aesenclast_si128(b, end);
}

/* The last round with a zero key is SubBytes and ShiftRows; four equal columns hide the latter. */
INLINE uint32_t sub_word(uint32_t w)
{
    return (uint32_t)_mm_cvtsi128_si32(
        _mm_aesenclast_si128(_mm_set1_epi32((int)w), _mm_setzero_si128()));
}

#include "core/tls/fast_gcm_body.h"

/* What of CPUID leaf 1 (ECX) the code above uses: PCLMULQDQ, SSSE3, SSE4.1, AES-NI. */
#define NEEDS_AES (1u << 1 | 1u << 9 | 1u << 19 | 1u << 25)

bool np_fast_has_aes(void)
{
    uint32_t a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & NEEDS_AES) == NEEDS_AES;
}

#if NP_FAST_AVX2
#define HAS_OSXSAVE (1u << 27)
#define HAS_AVX2 (1u << 5) /* leaf 7, EBX */

/* The CPU has it, and the system saves the wide registers. */
bool np_fast_has_avx2(void)
{
    uint32_t a, b, c, d, low, high;

    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & HAS_OSXSAVE) == 0) {
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6u) == 6u && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & HAS_AVX2) != 0;
}
#endif

#endif
