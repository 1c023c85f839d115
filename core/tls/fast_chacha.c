/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_chacha: ChaCha20 for four blocks at once (SSE2, NEON) and eight (AVX2), from one source. */
#include "core/tls/fast_impl.h"

#if NP_FAST_CHACHA

#include <string.h>

#include "core/base/ct.h"
#include "core/tls/fast_poly.h"

#ifdef __clang__
#define SHUFFLE1(type, a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
#define SHUFFLE2(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE1(type, a, ...) __builtin_shuffle(a, (type){__VA_ARGS__})
#define SHUFFLE2(type, a, b, ...) __builtin_shuffle(a, b, (type){__VA_ARGS__})
#endif

#if NP_FAST_COMPACT
#define ONCE static __attribute__((noinline))
#else
#define ONCE static inline NP_FOLDED
#endif

/* A lone block, such as the key of Poly1305, is quicker one word at a time. */
#define LANES 4
#define NAME(x) x##_4
#define ATTRIBUTES
#define BYTE_ROTATE 0
#define NARROW_BYTES 64u
#define NARROW_RUN br_chacha20_ct_run
#include "core/tls/fast_chacha_body.h"
#undef LANES
#undef NAME
#undef ATTRIBUTES
#undef BYTE_ROTATE
#undef NARROW_BYTES
#undef NARROW_RUN

#if NP_FAST_AVX2
#define LANES 8
#define NAME(x) x##_8
#define ATTRIBUTES __attribute__((target("avx2")))
#define BYTE_ROTATE 1
#define NARROW_BYTES 256u
#define NARROW_RUN np_fast_chacha_4
#include "core/tls/fast_chacha_body.h"
#endif

#endif
