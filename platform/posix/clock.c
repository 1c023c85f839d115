/* SPDX-License-Identifier: BSD-3-Clause */
/* clock: time and entropy. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

/* Before this the clock was never set: 2020-01-01. */
#define FIRST_KNOWN_S 1577836800

uint64_t np_plat_now_us(struct np_plat *plat)
{
    struct timespec now;
    (void)plat;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t np_plat_now_ms(struct np_plat *plat)
{
    struct timespec now;
    (void)plat;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#ifdef NP_POSIX_LEAN
bool np_plat_civil_time(struct np_plat *plat, struct np_civil *civil)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < FIRST_KNOWN_S) {
        return false;
    }
    np_zone_civil(civil, now.tv_sec + np_zone_offset(&plat->zone, now.tv_sec),
                  (uint32_t)now.tv_nsec / 1000000u);
    return true;
}
#else
bool np_plat_civil_time(struct np_plat *plat, struct np_civil *civil)
{
    struct timespec now;
    struct tm tm;
    (void)plat;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < FIRST_KNOWN_S || localtime_r(&now.tv_sec, &tm) == NULL) {
        return false;
    }
    *civil = (struct np_civil){.year = (uint16_t)(tm.tm_year + 1900),
                               .month = (uint8_t)(tm.tm_mon + 1),
                               .day = (uint8_t)tm.tm_mday,
                               .hour = (uint8_t)tm.tm_hour,
                               .minute = (uint8_t)tm.tm_min,
                               .second = (uint8_t)tm.tm_sec,
                               .ms = (uint16_t)(now.tv_nsec / 1000000)};
    return true;
}
#endif

int64_t np_plat_wall_s(struct np_plat *plat)
{
    struct timespec now;
    (void)plat;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < FIRST_KNOWN_S ? 0 : (int64_t)now.tv_sec;
}

enum np_err np_plat_random(struct np_plat *plat, uint8_t *buf, uint32_t len)
{
    (void)plat;
    for (uint32_t used = 0; used < len;) {
        ssize_t n = getrandom(buf + used, len - used, 0);
        if (n < 0 && errno != EINTR) {
            return NP_ERR_IO;
        }
        used += n > 0 ? (uint32_t)n : 0;
    }
    return NP_OK;
}
