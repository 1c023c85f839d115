/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_x25519: X25519 (RFC 7748 section 5) on 64-bit machines, twice as fast as BearSSL's 30-bit
 * words. A number modulo 2^255 - 19 has five words of 51 bits, which may grow to 54 between
 * reductions:
 *
 *   multiply, square, scale  take words below 2^54.4, give words below 2^51 + 2^20
 *   add, subtract            take what these give; add gives below 2^53, subtract below 2^54.4
 *
 * Constant time: no branch and no address depends on scalar or point. */
#include "core/tls/fast_impl.h"

#if NP_FAST_X25519

#include <string.h>

#include "core/base/ct.h"

#define LOW_51 ((1ull << 51) - 1)

typedef unsigned __int128 wide;

struct number {
    uint64_t w[5];
};

static void add(struct number *out, const struct number *a, const struct number *b)
{
    for (uint32_t i = 0; i < 5; i++) {
        out->w[i] = a->w[i] + b->w[i];
    }
}

/* Eight times the modulus keeps every word positive. */
static void subtract(struct number *out, const struct number *a, const struct number *b)
{
    out->w[0] = a->w[0] + 8 * (LOW_51 - 18) - b->w[0];
    for (uint32_t i = 1; i < 5; i++) {
        out->w[i] = a->w[i] + 8 * LOW_51 - b->w[i];
    }
}

static void carry(struct number *out, wide t[5])
{
    for (uint32_t i = 0; i < 4; i++) {
        t[i + 1] += t[i] >> 51;
        out->w[i] = (uint64_t)t[i] & LOW_51;
    }
    out->w[4] = (uint64_t)t[4] & LOW_51;
    t[0] = (t[4] >> 51) * 19 + out->w[0]; /* 2^255 = 19 */
    out->w[0] = (uint64_t)t[0] & LOW_51;
    out->w[1] += (uint64_t)(t[0] >> 51);
}

static void multiply(struct number *out, const struct number *a, const struct number *b)
{
    uint64_t a0 = a->w[0], a1 = a->w[1], a2 = a->w[2], a3 = a->w[3], a4 = a->w[4];
    uint64_t b0 = b->w[0], b1 = b->w[1], b2 = b->w[2], b3 = b->w[3], b4 = b->w[4];
    uint64_t c1 = 19 * b1, c2 = 19 * b2, c3 = 19 * b3, c4 = 19 * b4;
    wide t[5];

    t[0] = (wide)a0 * b0 + (wide)a1 * c4 + (wide)a2 * c3 + (wide)a3 * c2 + (wide)a4 * c1;
    t[1] = (wide)a0 * b1 + (wide)a1 * b0 + (wide)a2 * c4 + (wide)a3 * c3 + (wide)a4 * c2;
    t[2] = (wide)a0 * b2 + (wide)a1 * b1 + (wide)a2 * b0 + (wide)a3 * c4 + (wide)a4 * c3;
    t[3] = (wide)a0 * b3 + (wide)a1 * b2 + (wide)a2 * b1 + (wide)a3 * b0 + (wide)a4 * c4;
    t[4] = (wide)a0 * b4 + (wide)a1 * b3 + (wide)a2 * b2 + (wide)a3 * b1 + (wide)a4 * b0;
    carry(out, t);
}

/* `times` times in a row (at least once). */
static void square(struct number *out, const struct number *a, uint32_t times)
{
    struct number x = *a;

    do {
        uint64_t d0 = 2 * x.w[0], d1 = 2 * x.w[1], c3 = 19 * x.w[3], c4 = 19 * x.w[4];
        wide t[5];

        t[0] = (wide)x.w[0] * x.w[0] + (wide)d1 * c4 + (wide)(2 * x.w[2]) * c3;
        t[1] = (wide)d0 * x.w[1] + (wide)(2 * x.w[2]) * c4 + (wide)x.w[3] * c3;
        t[2] = (wide)d0 * x.w[2] + (wide)x.w[1] * x.w[1] + (wide)(2 * x.w[3]) * c4;
        t[3] = (wide)d0 * x.w[3] + (wide)d1 * x.w[2] + (wide)x.w[4] * c4;
        t[4] = (wide)d0 * x.w[4] + (wide)d1 * x.w[3] + (wide)x.w[2] * x.w[2];
        carry(&x, t);
    } while (--times > 0);
    *out = x;
}

/* Times (486662 - 2) / 4. */
static void scale(struct number *out, const struct number *a)
{
    wide t[5];

    for (uint32_t i = 0; i < 5; i++) {
        t[i] = (wide)a->w[i] * 121665u;
    }
    carry(out, t);
}

/* 1 / a = a^(2^255 - 21). */
static void invert(struct number *out, const struct number *a)
{
    struct number x2, x9, x11, x5, x10, x20, x50, x100, t;

    square(&x2, a, 1);
    square(&t, &x2, 2);
    multiply(&x9, &t, a);
    multiply(&x11, &x9, &x2);
    square(&t, &x11, 1);
    multiply(&x5, &t, &x9); /* a^(2^5 - 1); so on below */
    square(&t, &x5, 5);
    multiply(&x10, &t, &x5);
    square(&t, &x10, 10);
    multiply(&x20, &t, &x10);
    square(&t, &x20, 20);
    multiply(&t, &t, &x20);
    square(&t, &t, 10);
    multiply(&x50, &t, &x10);
    square(&t, &x50, 50);
    multiply(&x100, &t, &x50);
    square(&t, &x100, 100);
    multiply(&t, &t, &x100);
    square(&t, &t, 50);
    multiply(&t, &t, &x50);
    square(&t, &t, 5);
    multiply(out, &t, &x11);
}

/* Exchanges a and b if `swap` is 1. */
static void swap_if(struct number *a, struct number *b, uint64_t swap)
{
    uint64_t mask = 0 - swap;

    for (uint32_t i = 0; i < 5; i++) {
        uint64_t both = (a->w[i] ^ b->w[i]) & mask;

        a->w[i] ^= both;
        b->w[i] ^= both;
    }
}

static void load(struct number *out, const uint8_t bytes[32])
{
    uint64_t w[4];

    for (uint32_t i = 0; i < 4; i++) {
        w[i] = 0;
        for (uint32_t k = 8; k-- > 0;) {
            w[i] = w[i] << 8 | bytes[8 * i + k];
        }
    }
    out->w[0] = w[0] & LOW_51;
    out->w[1] = (w[0] >> 51 | w[1] << 13) & LOW_51;
    out->w[2] = (w[1] >> 38 | w[2] << 26) & LOW_51;
    out->w[3] = (w[2] >> 25 | w[3] << 39) & LOW_51;
    out->w[4] = (w[3] >> 12) & LOW_51; /* the top bit does not count */
}

/* The one value below the modulus. */
static void store(uint8_t bytes[32], const struct number *a)
{
    struct number x = *a;
    uint64_t w[4], over;

    for (uint32_t round = 0; round < 2; round++) { /* words below 2^51 */
        for (uint32_t i = 0; i < 4; i++) {
            x.w[i + 1] += x.w[i] >> 51;
            x.w[i] &= LOW_51;
        }
        x.w[0] += 19 * (x.w[4] >> 51);
        x.w[4] &= LOW_51;
    }
    over = (x.w[0] + 19) >> 51; /* 1 if x + 19 reaches 2^255: then the modulus goes off */
    for (uint32_t i = 1; i < 5; i++) {
        over = (x.w[i] + over) >> 51;
    }
    x.w[0] += 19 * over;
    for (uint32_t i = 0; i < 4; i++) {
        x.w[i + 1] += x.w[i] >> 51;
        x.w[i] &= LOW_51;
    }
    x.w[4] &= LOW_51;
    w[0] = x.w[0] | x.w[1] << 51;
    w[1] = x.w[1] >> 13 | x.w[2] << 38;
    w[2] = x.w[2] >> 26 | x.w[3] << 25;
    w[3] = x.w[3] >> 39 | x.w[4] << 12;
    for (uint32_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(w[i / 8] >> (8 * (i % 8)));
    }
}

/* The ladder's state: two points with x = x / z. */
struct ladder {
    struct number x1, x2, z2, x3, z3;
};

static void step(struct ladder *l)
{
    struct number a, b, c, d, e, aa, bb;

    add(&a, &l->x2, &l->z2);
    subtract(&b, &l->x2, &l->z2);
    add(&c, &l->x3, &l->z3);
    subtract(&d, &l->x3, &l->z3);
    square(&aa, &a, 1);
    square(&bb, &b, 1);
    multiply(&d, &d, &a);
    multiply(&c, &c, &b);
    add(&a, &d, &c);
    square(&l->x3, &a, 1);
    subtract(&b, &d, &c);
    square(&b, &b, 1);
    multiply(&l->z3, &b, &l->x1);
    multiply(&l->x2, &aa, &bb);
    subtract(&e, &aa, &bb);
    scale(&a, &e);
    add(&a, &a, &aa);
    multiply(&l->z2, &e, &a);
}

void np_fast_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
    struct ladder l;
    uint8_t k[32];
    uint64_t swap = 0;

    memset(&l, 0, sizeof(l));
    memcpy(k, scalar, sizeof(k));
    k[0] &= 0xf8;
    k[31] = (uint8_t)((k[31] & 0x7f) | 0x40);
    load(&l.x1, point);
    l.x3 = l.x1;
    l.x2.w[0] = l.z3.w[0] = 1;
    for (uint32_t i = 255; i-- > 0;) {
        uint64_t bit = (uint64_t)k[i / 8] >> (i % 8) & 1u;

        swap_if(&l.x2, &l.x3, swap ^ bit);
        swap_if(&l.z2, &l.z3, swap ^ bit);
        swap = bit;
        step(&l);
    }
    swap_if(&l.x2, &l.x3, swap);
    swap_if(&l.z2, &l.z3, swap);
    invert(&l.z2, &l.z2);
    multiply(&l.x2, &l.x2, &l.z2);
    store(out, &l.x2);
    np_ct_wipe(&l, sizeof(l));
    np_ct_wipe(k, sizeof(k));
}

#endif
