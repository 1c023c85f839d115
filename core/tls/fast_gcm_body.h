/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_gcm_body: AES-GCM in one pass, in terms of 128-bit vectors; included by a file that defines
 *
 *   block                      the vector type
 *   INLINE, TARGET             static inline, forced, with the target's attributes; its features
 *   ONCE                       as INLINE, or where size counts static and not inline
 *   vload vstore vzero vxor    unaligned access, zero, exclusive or
 *   vrev                       bytes in reverse order
 *   vswap                      halves exchanged
 *   vmul_ll vmul_hh vmul_lh vmul_hl  carry-less product of 64-bit halves (low, high)
 *   vpoly                      low half 1, high half 0xc2 << 56
 *   vcounter(b, n)             adds n (1 to 255) to the last byte of b, which does not overflow
 *   aes_first(b, k) aes_round(b, k, next) aes_last(b, k, end)   see below
 *   sub_word(w)                AES SubWord of a 32-bit word
 *
 * An AES block of n rounds is: b = aes_first(b, k[0]); then for i = 1 .. n - 1
 * b = aes_round(b, k[i - 1], k[i]); then b = aes_last(b, k[n - 1], k[n]). x86 uses the second key
 * of a round, ARM the first.
 *
 * GHASH (NIST SP 800-38D) works on byte-reversed blocks. Multiplying two such polynomials gives the
 * product one bit too low; that bit is put into the powers of H once (shift_h), and the reduction
 * modulo x^128 + x^127 + x^126 + x^121 + 1 is two folds by the constant vpoly. Eight blocks are
 * multiplied by H^8 .. H^1 before one reduction. AES of eight blocks and GHASH of eight others are
 * written side by side, because they keep different units of the CPU busy.
 */
#ifndef NP_CORE_TLS_FAST_GCM_BODY_H
#define NP_CORE_TLS_FAST_GCM_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/ct.h"

#define WIDE 8u /* blocks at a time */
#define WIDE_BYTES 128u

struct gcm_keys {
    block round[15];
    block h[WIDE]; /* h[i] = H^(i + 1), shifted */
    uint32_t rounds;
};

/* ---- keys ------------------------------------------------------------------------------------ */

ONCE void expand_key(struct gcm_keys *keys, const uint8_t *key, uint32_t key_len)
{
    uint32_t words[60], per_key = key_len / 4, count, rcon = 1;

    keys->rounds = per_key + 6;
    count = 4 * (keys->rounds + 1);
    memcpy(words, key, key_len);
    for (uint32_t i = per_key; i < count; i++) {
        uint32_t w = words[i - 1];

        if (i % per_key == 0) {
            w = sub_word(w);
            w = (w >> 8 | w << 24) ^ rcon;
            rcon = rcon << 1 ^ (rcon >> 7) * 0x11bu;
        } else if (per_key == 8 && i % per_key == 4) {
            w = sub_word(w);
        }
        words[i] = words[i - per_key] ^ w;
    }
    for (uint32_t i = 0; i <= keys->rounds; i++) {
        keys->round[i] = vload((const uint8_t *)&words[4 * i]);
    }
    np_ct_wipe(words, sizeof(words));
}

ONCE block encrypt_block(const struct gcm_keys *keys, block b)
{
    b = aes_first(b, keys->round[0]);
    for (uint32_t i = 1; i < keys->rounds; i++) {
        b = aes_round(b, keys->round[i - 1], keys->round[i]);
    }
    return aes_last(b, keys->round[keys->rounds - 1], keys->round[keys->rounds]);
}

/* ---- GHASH ----------------------------------------------------------------------------------- */

/* A sum of 256-bit products that is not yet reduced. */
struct product {
    block low, mid, high;
};

INLINE void multiply_add(struct product *sum, block a, block h)
{
    sum->low = vxor(sum->low, vmul_ll(a, h));
    sum->high = vxor(sum->high, vmul_hh(a, h));
    sum->mid = vxor(sum->mid, vxor(vmul_lh(a, h), vmul_hl(a, h)));
}

INLINE void clear(struct product *sum)
{
    sum->low = sum->mid = sum->high = vzero();
}

INLINE block reduce(const struct product *sum)
{
    block poly = vpoly(), t = vmul_lh(sum->low, poly), mid = vxor(sum->mid, vswap(sum->low));

    /* the middle word gets what the lowest folds to, then folds itself into the upper half */
    mid = vxor(mid, t);
    t = vmul_lh(mid, poly);
    return vxor(vxor(sum->high, vswap(mid)), t);
}

ONCE block multiply(block a, block h)
{
    struct product sum;

    clear(&sum);
    multiply_add(&sum, a, h);
    return reduce(&sum);
}

/* H times x: moves each bit by one, and folds the one that falls out. No secret branches. */
INLINE block shift_h(block h)
{
    uint64_t words[2], top, poly_high = 0xc200000000000000u;
    block out;

    vstore((uint8_t *)words, h);
    top = 0u - (words[1] >> 63);
    words[1] = (words[1] << 1 | words[0] >> 63) ^ (top & poly_high);
    words[0] = words[0] << 1 ^ (top & 1u);
    out = vload((const uint8_t *)words);
    np_ct_wipe(words, sizeof(words));
    return out;
}

/* Powers of H = keys->h[0], as many as `blocks` blocks can use. */
INLINE void make_powers(struct gcm_keys *keys, uint32_t blocks)
{
    block h = keys->h[0];

    if (blocks > 1) {
        keys->h[1] = multiply(h, h);
    }
    if (blocks > 2) {
        keys->h[2] = multiply(keys->h[1], h);
        keys->h[3] = multiply(keys->h[1], keys->h[1]);
    }
    if (blocks > 4) {
        keys->h[4] = multiply(keys->h[3], h);
        keys->h[5] = multiply(keys->h[3], keys->h[1]);
        keys->h[6] = multiply(keys->h[3], keys->h[2]);
        keys->h[7] = multiply(keys->h[3], keys->h[3]);
    }
}

/* Hashes `count` (1 to 8) blocks with one reduction. */
ONCE block hash_blocks(const struct gcm_keys *keys, block y, const uint8_t *data, uint32_t count)
{
    struct product sum;

    clear(&sum);
    for (uint32_t i = 0; i < count; i++) {
        block b = vrev(vload(data + 16 * i));

        multiply_add(&sum, i == 0 ? vxor(b, y) : b, keys->h[count - 1 - i]);
    }
    return reduce(&sum);
}

/* Bytes of any length, padded with zeros. */
ONCE block hash_padded(const struct gcm_keys *keys, block y, const uint8_t *data, uint32_t len)
{
    for (; len > 0; data += 16, len -= 16) {
        uint8_t last[16] = {0};

        if (len < 16) {
            memcpy(last, data, len);
            return hash_blocks(keys, y, last, 1);
        }
        y = hash_blocks(keys, y, data, 1);
    }
    return y;
}

#if !NP_FAST_COMPACT
/* GHASH as BearSSL has it: `h` is not shifted, `y` is updated. */
INLINE void ghash(uint8_t *y, const uint8_t *h, const uint8_t *data, size_t len)
{
    struct gcm_keys keys;
    block sum = vrev(vload(y));

    keys.h[0] = shift_h(vrev(vload(h)));
    make_powers(&keys, len >= WIDE_BYTES ? WIDE : 1);
    for (; len >= WIDE_BYTES; data += WIDE_BYTES, len -= WIDE_BYTES) {
        sum = hash_blocks(&keys, sum, data, WIDE);
    }
    sum = hash_padded(&keys, sum, data, (uint32_t)len);
    vstore(y, vrev(sum));
    np_ct_wipe(keys.h, sizeof(keys.h));
}
#endif

/* ---- eight blocks ---------------------------------------------------------------------------- */

struct counter {
    block base; /* nonce and big-endian counter of the next block */
    uint32_t value;
};

INLINE void start_counter(struct counter *counter, const uint8_t nonce[12], uint32_t value)
{
    uint8_t bytes[16] = {0};

    memcpy(bytes, nonce, 12);
    bytes[12] = (uint8_t)(value >> 24);
    bytes[13] = (uint8_t)(value >> 16);
    bytes[14] = (uint8_t)(value >> 8);
    bytes[15] = (uint8_t)value;
    counter->base = vload(bytes);
    counter->value = value;
}

INLINE block next_counter(struct counter *counter, const uint8_t nonce[12])
{
    block b = counter->base;

    start_counter(counter, nonce, counter->value + 1);
    return b;
}

/* Eight counter blocks. */
ONCE void next_counters(struct counter *counter, const uint8_t nonce[12], block b[WIDE])
{
    if ((counter->value & 0xffu) < 256u - WIDE) {
        b[0] = counter->base;
        b[1] = vcounter(counter->base, 1);
        b[2] = vcounter(counter->base, 2);
        b[3] = vcounter(counter->base, 3);
        b[4] = vcounter(counter->base, 4);
        b[5] = vcounter(counter->base, 5);
        b[6] = vcounter(counter->base, 6);
        b[7] = vcounter(counter->base, 7);
        counter->base = vcounter(counter->base, 8);
        counter->value += WIDE;
        return;
    }
    /* a carry out of the last byte: once in 32 times */
    b[0] = next_counter(counter, nonce);
    b[1] = next_counter(counter, nonce);
    b[2] = next_counter(counter, nonce);
    b[3] = next_counter(counter, nonce);
    b[4] = next_counter(counter, nonce);
    b[5] = next_counter(counter, nonce);
    b[6] = next_counter(counter, nonce);
    b[7] = next_counter(counter, nonce);
}

/* One round of all eight. Written out, so that they stay in registers at every optimisation. */
INLINE void round_wide(block b[WIDE], block k, block next)
{
    b[0] = aes_round(b[0], k, next);
    b[1] = aes_round(b[1], k, next);
    b[2] = aes_round(b[2], k, next);
    b[3] = aes_round(b[3], k, next);
    b[4] = aes_round(b[4], k, next);
    b[5] = aes_round(b[5], k, next);
    b[6] = aes_round(b[6], k, next);
    b[7] = aes_round(b[7], k, next);
}

INLINE void first_wide(block b[WIDE], block k)
{
    b[0] = aes_first(b[0], k);
    b[1] = aes_first(b[1], k);
    b[2] = aes_first(b[2], k);
    b[3] = aes_first(b[3], k);
    b[4] = aes_first(b[4], k);
    b[5] = aes_first(b[5], k);
    b[6] = aes_first(b[6], k);
    b[7] = aes_first(b[7], k);
}

INLINE void last_wide(block b[WIDE], block k, block end)
{
    b[0] = aes_last(b[0], k, end);
    b[1] = aes_last(b[1], k, end);
    b[2] = aes_last(b[2], k, end);
    b[3] = aes_last(b[3], k, end);
    b[4] = aes_last(b[4], k, end);
    b[5] = aes_last(b[5], k, end);
    b[6] = aes_last(b[6], k, end);
    b[7] = aes_last(b[7], k, end);
}

/* Round n + 1 of AES, and block n of GHASH. */
INLINE void step_wide(const struct gcm_keys *keys, block b[WIDE], struct product *sum, block y,
                      const uint8_t *hashed, uint32_t n)
{
    round_wide(b, keys->round[n], keys->round[n + 1]);
    if (hashed != NULL) {
        block x = vrev(vload(hashed + 16 * n));

        multiply_add(sum, n == 0 ? vxor(x, y) : x, keys->h[7 - n]);
    }
}

/* Encrypts eight counter blocks, and beside it hashes the eight blocks at `hashed` (NULL: none)
 * after y. */
ONCE block encrypt_wide(const struct gcm_keys *keys, block b[WIDE], block y, const uint8_t *hashed)
{
    struct product sum;

    clear(&sum);
    first_wide(b, keys->round[0]);
    step_wide(keys, b, &sum, y, hashed, 0);
    step_wide(keys, b, &sum, y, hashed, 1);
    step_wide(keys, b, &sum, y, hashed, 2);
    step_wide(keys, b, &sum, y, hashed, 3);
    step_wide(keys, b, &sum, y, hashed, 4);
    step_wide(keys, b, &sum, y, hashed, 5);
    step_wide(keys, b, &sum, y, hashed, 6);
    step_wide(keys, b, &sum, y, hashed, 7);
    round_wide(b, keys->round[8], keys->round[9]);
    if (keys->rounds > 10) { /* the key's length is no secret */
        round_wide(b, keys->round[9], keys->round[10]);
        round_wide(b, keys->round[10], keys->round[11]);
        round_wide(b, keys->round[11], keys->round[12]);
        round_wide(b, keys->round[12], keys->round[13]);
    }
    last_wide(b, keys->round[keys->rounds - 1], keys->round[keys->rounds]);
    return hashed != NULL ? reduce(&sum) : y;
}

INLINE void xor_block(uint8_t *data, block b)
{
    vstore(data, vxor(vload(data), b));
}

INLINE void xor_wide(uint8_t *data, const block b[WIDE])
{
    xor_block(data, b[0]);
    xor_block(data + 16, b[1]);
    xor_block(data + 32, b[2]);
    xor_block(data + 48, b[3]);
    xor_block(data + 64, b[4]);
    xor_block(data + 80, b[5]);
    xor_block(data + 96, b[6]);
    xor_block(data + 112, b[7]);
}

/* ---- records --------------------------------------------------------------------------------- */

/* The last `len` (< 128) bytes: worked on in a copy that is padded with zeros. */
INLINE block crypt_tail(const struct gcm_keys *keys, struct counter *counter,
                        const uint8_t nonce[12], block y, uint8_t *data, uint32_t len,
                        bool is_sealing)
{
    uint8_t tail[WIDE_BYTES] = {0};
    block b[WIDE];

    next_counters(counter, nonce, b);
    encrypt_wide(keys, b, y, NULL);
    memcpy(tail, data, len);
    if (!is_sealing) {
        y = hash_blocks(keys, y, tail, (len + 15) / 16);
    }
    xor_wide(tail, b);
    memcpy(data, tail, len);
    if (is_sealing) {
        memset(tail + len, 0, WIDE_BYTES - len);
        y = hash_blocks(keys, y, tail, (len + 15) / 16);
    }
    np_ct_wipe(tail, sizeof(tail));
    return y;
}

/* Whole eights: sealing hashes what the step before has written, opening what it is about to
 * decrypt. */
INLINE block crypt_wide(const struct gcm_keys *keys, struct counter *counter,
                        const uint8_t nonce[12], block y, uint8_t *data, uint32_t count,
                        bool is_sealing)
{
    block b[WIDE];

    if (is_sealing && count > 0) {
        next_counters(counter, nonce, b);
        encrypt_wide(keys, b, y, NULL);
        xor_wide(data, b);
        data += WIDE_BYTES;
        count--;
        for (; count > 0; count--, data += WIDE_BYTES) {
            next_counters(counter, nonce, b);
            y = encrypt_wide(keys, b, y, data - WIDE_BYTES);
            xor_wide(data, b);
        }
        return hash_blocks(keys, y, data - WIDE_BYTES, WIDE);
    }
    for (; count > 0; count--, data += WIDE_BYTES) {
        next_counters(counter, nonce, b);
        y = encrypt_wide(keys, b, y, data);
        xor_wide(data, b);
    }
    return y;
}

/* Seals or opens one record in place; writes the tag that is right for it. */
ONCE void crypt_record(const uint8_t *key, uint32_t key_len, const uint8_t nonce[12],
                       const uint8_t *aad, uint32_t aad_len, uint8_t *data, uint32_t len,
                       uint8_t tag[16], bool is_sealing)
{
    struct gcm_keys keys;
    struct counter counter;
    uint64_t lens[2] = {__builtin_bswap64((uint64_t)aad_len * 8),
                        __builtin_bswap64((uint64_t)len * 8)};
    uint32_t wide = len / WIDE_BYTES, rest = len % WIDE_BYTES;
    block y = vzero(), mask;

    expand_key(&keys, key, key_len);
    keys.h[0] = shift_h(vrev(encrypt_block(&keys, vzero())));
    make_powers(&keys, wide > 0 ? WIDE : (rest + 15) / 16);
    start_counter(&counter, nonce, 1);
    mask = encrypt_block(&keys, counter.base);
    start_counter(&counter, nonce, 2);
    y = hash_padded(&keys, y, aad, aad_len);
    y = crypt_wide(&keys, &counter, nonce, y, data, wide, is_sealing);
    if (rest > 0) {
        y = crypt_tail(&keys, &counter, nonce, y, data + len - rest, rest, is_sealing);
    }
    y = hash_blocks(&keys, y, (const uint8_t *)lens, 1);
    vstore(tag, vxor(vrev(y), mask));
    np_ct_wipe(&keys, sizeof(keys));
}

#if !NP_FAST_COMPACT
/* ---- BearSSL's AES-CTR ----------------------------------------------------------------------- */

/* As large as BearSSL's own contexts: fits br_aes_gen_ctr_keys. */
struct ctr_context {
    const br_block_ctr_class *vtable;
    uint8_t round[15 * 16];
    uint32_t rounds;
};
_Static_assert(sizeof(struct ctr_context) <= sizeof(br_aes_gen_ctr_keys), "BearSSL's room");

INLINE void ctr_init(struct ctr_context *ctx, const br_block_ctr_class *vtable, const void *key,
                     size_t len)
{
    struct gcm_keys keys;

    expand_key(&keys, key, (uint32_t)len);
    ctx->vtable = vtable;
    ctx->rounds = keys.rounds;
    for (uint32_t i = 0; i <= keys.rounds; i++) {
        vstore(ctx->round + 16 * i, keys.round[i]);
    }
    np_ct_wipe(&keys, sizeof(keys));
}

/* Any length; BearSSL's GCM calls it with whole blocks only. Returns the next counter. */
INLINE uint32_t ctr_run(const struct ctr_context *ctx, const uint8_t *iv, uint32_t value,
                        uint8_t *data, size_t len)
{
    struct gcm_keys keys;
    struct counter counter;
    block b[WIDE];
    uint8_t tail[WIDE_BYTES] = {0};
    uint32_t end = value + (uint32_t)(len / 16);

    keys.rounds = ctx->rounds;
    for (uint32_t i = 0; i <= keys.rounds; i++) {
        keys.round[i] = vload(ctx->round + 16 * i);
    }
    start_counter(&counter, iv, value);
    for (; len >= WIDE_BYTES; data += WIDE_BYTES, len -= WIDE_BYTES) {
        next_counters(&counter, iv, b);
        encrypt_wide(&keys, b, vzero(), NULL);
        xor_wide(data, b);
    }
    if (len > 0) {
        next_counters(&counter, iv, b);
        encrypt_wide(&keys, b, vzero(), NULL);
        memcpy(tail, data, len);
        xor_wide(tail, b);
        memcpy(data, tail, len);
        np_ct_wipe(tail, sizeof(tail));
    }
    np_ct_wipe(keys.round, sizeof(keys.round));
    return end;
}
#endif

/* ---- what a target exports ------------------------------------------------------------------- */

static __attribute__((target(TARGET))) void
seal(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len, uint8_t *data,
     uint32_t len, uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)engines;
    crypt_record(key, key_len, nonce, aad, aad_len, data, len, tag, true);
}

static __attribute__((target(TARGET))) bool
open(const struct np_tls_engines *engines, const uint8_t *key, uint32_t key_len,
     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len, uint8_t *data,
     uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN])
{
    uint8_t computed[NP_TLS_TAG_LEN];

    (void)engines;
    crypt_record(key, key_len, nonce, aad, aad_len, data, len, computed, false);
    return np_ct_is_equal(computed, tag, NP_TLS_TAG_LEN);
}

const struct np_tls_aead np_fast_gcm = {seal, open};

#if !NP_FAST_COMPACT
__attribute__((target(TARGET))) void np_fast_ghash(void *y, const void *h, const void *data,
                                                   size_t len)
{
    ghash(y, h, data, len);
}

static __attribute__((target(TARGET))) void ctr_table_init(const br_block_ctr_class **ctx,
                                                           const void *key, size_t len)
{
    ctr_init((struct ctr_context *)(void *)ctx, &np_fast_aes, key, len);
}

static __attribute__((target(TARGET))) uint32_t ctr_table_run(const br_block_ctr_class *const *ctx,
                                                              const void *iv, uint32_t value,
                                                              void *data, size_t len)
{
    return ctr_run((const struct ctr_context *)(const void *)ctx, iv, value, data, len);
}

const br_block_ctr_class np_fast_aes = {sizeof(struct ctr_context), 16, 4, ctr_table_init,
                                        ctr_table_run};
#endif

#endif
