/* SPDX-License-Identifier: BSD-3-Clause */
/* zone: local time by a rule as POSIX writes it ("CET-1CEST,M3.5.0,M10.5.0/3"), without the C
 * library's tables. Of a file of the zone database the rule at its end is taken: it holds for now
 * and later. */
#ifndef NP_PLATFORM_POSIX_ZONE_H
#define NP_PLATFORM_POSIX_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/np_plat.h"

/* When a change of the clocks comes. */
struct np_zone_date {
    char kind;     /* 'M': week `week` of `month`, day `day` of it; 'J': day of the year from 1
                        without February 29; 'N': the same from 0 with it */
    uint8_t month; /* 1 to 12 */
    uint8_t week;  /* 1 to 5, 5 = the last */
    uint16_t day;  /* of the week (0 = Sunday), or of the year */
    int32_t at_s;  /* of that day, local time, may be beyond it */
};

struct np_zone {
    int32_t standard_s, summer_s; /* east of UTC */
    bool has_summer;
    struct np_zone_date begin, end;
};

/* Reads a rule. Returns false, and UTC, if `text` is none. */
bool np_zone_parse(struct np_zone *zone, const char *text);
/* Seconds east of UTC at `time_s`. */
int32_t np_zone_offset(const struct np_zone *zone, int64_t time_s);
/* Date and time of day that are `time_s` after 1970, with `ms` as they are. */
void np_zone_civil(struct np_civil *civil, int64_t time_s, uint32_t ms);
/* The zone of this machine: $TZ (a rule, or a name of the zone database), /etc/TZ, /etc/localtime;
 * UTC without them. */
void np_zone_load(struct np_zone *zone);

#endif
