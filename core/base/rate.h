/* SPDX-License-Identifier: BSD-3-Clause */
/* rate: token bucket in whole bytes and nanoseconds, for one direction of one instance.
 *
 * The bucket holds one second's worth and starts full. Time comes as milliseconds; what a
 * millisecond yields is kept exactly (the remainder is carried), so the long-term rate is exact.
 */
#ifndef NP_CORE_BASE_RATE_H
#define NP_CORE_BASE_RATE_H

#include <stdint.h>

struct np_rate {
    uint64_t bytes_per_s; /* 0 = no limit */
    uint64_t tokens;      /* bytes that may go now */
    uint64_t fraction;    /* of a byte, in 1/1000 */
    uint64_t last_ms;
};

/* `mbps` in units of 125,000 bytes a second (config.md, rate); 0 = no limit. */
void np_rate_init(struct np_rate *rate, uint32_t mbps, uint64_t now_ms);
/* Bytes that may go now, at most `want`; takes nothing. Without limit: want. */
uint32_t np_rate_peek(struct np_rate *rate, uint32_t want, uint64_t now_ms);
/* Takes `used` bytes, at most what peek returned at the same now_ms. */
void np_rate_take(struct np_rate *rate, uint32_t used);
/* Milliseconds until `want` bytes (capped to the bucket) may go; 0 = now. */
uint32_t np_rate_wait_ms(const struct np_rate *rate, uint32_t want, uint64_t now_ms);

#endif
