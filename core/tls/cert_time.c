/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/cert_time.h"

static bool is_leap(uint32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 0000-01-01 to the year's first day. */
static uint32_t days_before_year(uint32_t year)
{
    return year == 0 ? 0 : 365u * year + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1u;
}

#define DAYS_BEFORE_1970 719528

struct np_cert_civil np_cert_civil_of(int64_t time_s)
{
    struct np_cert_civil civil = {1970, 1, 1, 0, 0, 0};
    uint32_t days, rest;

    if (time_s < 0) {
        time_s = 0;
    } else if (time_s > NP_CERT_TIME_MAX_S) {
        time_s = NP_CERT_TIME_MAX_S;
    }
    days = (uint32_t)(time_s / 86400);
    rest = (uint32_t)(time_s % 86400);
    civil.hour = rest / 3600;
    civil.minute = rest / 60 % 60;
    civil.second = rest % 60;
    days += DAYS_BEFORE_1970;
    civil.year = days / 366; /* not later than the right one */
    while (days_before_year(civil.year + 1) <= days) {
        civil.year++;
    }
    days -= days_before_year(civil.year);
    while (days >= days_of_month(civil.year, civil.month)) {
        days -= days_of_month(civil.year, civil.month);
        civil.month++;
    }
    civil.day = days + 1;
    return civil;
}

/* Two decimal digits. */
static bool parse_pair(const uint8_t *text, uint32_t *value)
{
    uint32_t tens = text[0] - (uint32_t)'0', ones = text[1] - (uint32_t)'0';

    *value = tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

bool np_cert_time_parse(uint8_t tag, const uint8_t *text, uint32_t len, int64_t *time_s)
{
    uint32_t century = 0, year, month, day, hour, minute, second, days;

    if (tag == 0x18) {
        if (len != 15 || !parse_pair(text, &century)) {
            return false;
        }
        text += 2;
        len -= 2;
    } else if (tag != 0x17) {
        return false;
    }
    if (len != 13 || !parse_pair(text, &year) || !parse_pair(text + 2, &month) ||
        !parse_pair(text + 4, &day) || !parse_pair(text + 6, &hour) ||
        !parse_pair(text + 8, &minute) || !parse_pair(text + 10, &second) || text[12] != 'Z') {
        return false;
    }
    if (tag == 0x18) {
        year += century * 100;
    } else {
        year += year < 50 ? 2000 : 1900;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
        minute > 59 || second > 59) {
        return false;
    }
    days = days_before_year(year) + day - 1;
    for (uint32_t m = 1; m < month; m++) {
        days += days_of_month(year, m);
    }
    *time_s =
        ((int64_t)days - DAYS_BEFORE_1970) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
    return true;
}
