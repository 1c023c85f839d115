/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* tm_gmtoff, setenv */
#include "platform/posix/zone.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/np_test.h"

/* 2020 to 2060, and what the C library makes of the same rule. */
static void check_against_system(const char *rule)
{
    struct np_zone zone;
    struct np_civil civil;
    uint32_t wrong = 0;

    np_test_context("%s", rule);
    NP_CHECK(np_zone_parse(&zone, rule));
    setenv("TZ", rule, 1);
    tzset();
    for (int64_t t = 1577836800; t < 2840140800 && wrong < 3; t += 6 * 3600 - 7) {
        time_t now = (time_t)t;
        struct tm tm;

        NP_CHECK(localtime_r(&now, &tm) != NULL);
        int32_t offset = np_zone_offset(&zone, t);
        np_zone_civil(&civil, t + offset, 5);
        bool is_same = offset == tm.tm_gmtoff && civil.year == tm.tm_year + 1900 &&
                       civil.month == tm.tm_mon + 1 && civil.day == tm.tm_mday &&
                       civil.hour == tm.tm_hour && civil.minute == tm.tm_min &&
                       civil.second == tm.tm_sec && civil.ms == 5;
        np_test_context("%s at %lld", rule, (long long)t);
        wrong += !NP_CHECK(is_same);
    }
    unsetenv("TZ");
    tzset();
}

NP_TEST(zone, rules_are_as_the_system_reads_them)
{
    static const char *const rules[] = {"UTC0",
                                        "CST-8",
                                        "CET-1CEST,M3.5.0,M10.5.0/3",
                                        "EST5EDT,M3.2.0,M11.1.0",
                                        "AEST-10AEDT,M10.1.0,M4.1.0/3",
                                        "<+0330>-3:30",
                                        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                                        "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "NZST-12NZDT,M9.5.0,M4.1.0/3",
                                        "XXX3YYY,J60/0,J300",
                                        "XXX3YYY,59,300/5:30:10"};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        check_against_system(rules[i]);
    }
}

NP_TEST(zone, what_is_no_rule_is_utc)
{
    static const char *const bad[] = {"",
                                      "C",
                                      "CET",
                                      "CET-",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1X",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,J0,J9",
                                      "<+01-1",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x",
                                      "Europe/Berlin",
                                      "CET-1CEST,M3.5.0,M10.5.0,9",
                                      "CET-99999999999"};
    struct np_zone zone;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_test_context("%s", bad[i]);
        NP_CHECK(!np_zone_parse(&zone, bad[i]));
        NP_CHECK_INT(np_zone_offset(&zone, 1700000000), 0);
    }
}
