/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/rate.h"

#define BYTES_PER_S_A_MBPS 125000u
#define MS_PER_S 1000u

void np_rate_init(struct np_rate *rate, uint32_t mbps, uint64_t now_ms)
{
    rate->bytes_per_s = (uint64_t)mbps * BYTES_PER_S_A_MBPS;
    rate->tokens = rate->bytes_per_s;
    rate->fraction = 0;
    rate->last_ms = now_ms;
}

static void refill(struct np_rate *rate, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > rate->last_ms ? now_ms - rate->last_ms : 0;

    rate->last_ms += elapsed_ms;
    if (elapsed_ms >= MS_PER_S) { /* full whatever it held; also keeps the product below in range */
        rate->tokens = rate->bytes_per_s;
    } else {
        uint64_t thousandths = elapsed_ms * rate->bytes_per_s + rate->fraction;
        rate->tokens += thousandths / MS_PER_S;
        rate->fraction = thousandths % MS_PER_S;
    }
    if (rate->tokens >= rate->bytes_per_s) { /* what overflows the bucket is lost */
        rate->tokens = rate->bytes_per_s;
        rate->fraction = 0;
    }
}

uint32_t np_rate_peek(struct np_rate *rate, uint32_t want, uint64_t now_ms)
{
    if (rate->bytes_per_s == 0) {
        return want;
    }
    refill(rate, now_ms);
    return rate->tokens < want ? (uint32_t)rate->tokens : want;
}

void np_rate_take(struct np_rate *rate, uint32_t used)
{
    if (rate->bytes_per_s != 0) {
        rate->tokens -= used < rate->tokens ? used : rate->tokens;
    }
}

uint32_t np_rate_wait_ms(const struct np_rate *rate, uint32_t want, uint64_t now_ms)
{
    uint64_t need = want < rate->bytes_per_s ? want : rate->bytes_per_s;
    uint64_t elapsed_ms = now_ms > rate->last_ms ? now_ms - rate->last_ms : 0;
    uint64_t missing, wait_ms;

    if (rate->tokens >= need) {
        return 0;
    }
    missing = (need - rate->tokens) * MS_PER_S - rate->fraction; /* thousandths of a byte */
    wait_ms = (missing + rate->bytes_per_s - 1) / rate->bytes_per_s;
    return wait_ms > elapsed_ms ? (uint32_t)(wait_ms - elapsed_ms) : 0;
}
