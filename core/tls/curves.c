/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/curves.h"

#include <stdint.h>

#if NP_TLS_P256_ALONE
#define CURVES (1u << BR_EC_secp256r1 | 1u << BR_EC_secp384r1 | 1u << BR_EC_secp521r1)

/* BearSSL asks for no other curve than `supported_curves` has. */
static const br_ec_impl *of(int curve)
{
    return curve == BR_EC_secp256r1 ? &br_ec_p256_m31 : &br_ec_prime_i31;
}

static const unsigned char *generator(int curve, size_t *len)
{
    return of(curve)->generator(curve, len);
}

static const unsigned char *order(int curve, size_t *len)
{
    return of(curve)->order(curve, len);
}

static size_t xoff(int curve, size_t *len)
{
    return of(curve)->xoff(curve, len);
}

static uint32_t mul(unsigned char *point, size_t point_len, const unsigned char *x, size_t x_len,
                    int curve)
{
    return of(curve)->mul(point, point_len, x, x_len, curve);
}

static size_t mulgen(unsigned char *point, const unsigned char *x, size_t x_len, int curve)
{
    return of(curve)->mulgen(point, x, x_len, curve);
}

static uint32_t muladd(unsigned char *a, const unsigned char *b, size_t len, const unsigned char *x,
                       size_t x_len, const unsigned char *y, size_t y_len, int curve)
{
    return of(curve)->muladd(a, b, len, x, x_len, y, y_len, curve);
}

const br_ec_impl np_tls_curves = {CURVES, generator, order, xoff, mul, mulgen, muladd};
#endif
