/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* O_CLOEXEC */
#include "platform/posix/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fmt.h"

#define DAY_S 86400
#define NUMBER_MAX 365u
#define RULE_CAP 128u

/* ---- calendar -------------------------------------------------------------------------------- */

static bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of January. */
static int32_t days_before(int32_t year)
{
    int32_t past = year - 1;
    return (year - 1970) * 365 + past / 4 - past / 100 + past / 400 - 477;
}

static int32_t month_days(int32_t year, uint32_t month)
{
    return month == 2 ? 28 + is_leap(year) : 30 + (int32_t)((month + (month >> 3)) & 1u);
}

/* The year that `days` lies in; *rest are the days since it began. */
static int32_t year_of(int32_t days, int32_t *rest)
{
    int32_t year = 1970 + days / 366;

    while (days_before(year + 1) <= days) {
        year++;
    }
    *rest = days - days_before(year);
    return year;
}

void np_zone_civil(struct np_civil *civil, int64_t time_s, uint32_t ms)
{
    int32_t rest, second = (int32_t)(time_s % DAY_S);
    int32_t year = year_of((int32_t)(time_s / DAY_S), &rest);
    uint32_t month = 1;

    while (rest >= month_days(year, month)) {
        rest -= month_days(year, month++);
    }
    *civil = (struct np_civil){.year = (uint16_t)year,
                               .month = (uint8_t)month,
                               .day = (uint8_t)(rest + 1),
                               .hour = (uint8_t)(second / 3600),
                               .minute = (uint8_t)(second / 60 % 60),
                               .second = (uint8_t)(second % 60),
                               .ms = (uint16_t)ms};
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* Seconds after 1970 at which the clocks change in `year`, if they were never changed. */
static int64_t change_s(const struct np_zone_date *date, int32_t year)
{
    int32_t first = days_before(year), day = date->day;

    if (date->kind == 'J') {
        first += day - 1 + (is_leap(year) && day >= 60);
    } else if (date->kind == 'N') {
        first += day;
    } else {
        for (uint32_t month = 1; month < date->month; month++) {
            first += month_days(year, month);
        }
        /* day 0 was a Thursday */
        day = (day - (first + 4) % 7 + 7) % 7 + 7 * (date->week - 1);
        first += day < month_days(year, date->month) ? day : day - 7;
    }
    return (int64_t)first * DAY_S + date->at_s;
}

int32_t np_zone_offset(const struct np_zone *zone, int64_t time_s)
{
    int32_t rest;

    if (!zone->has_summer) {
        return zone->standard_s;
    }
    int32_t year = year_of((int32_t)((time_s + zone->standard_s) / DAY_S), &rest);
    int64_t begin = change_s(&zone->begin, year) - zone->standard_s;
    int64_t end = change_s(&zone->end, year) - zone->summer_s;
    bool is_summer =
        begin < end ? time_s >= begin && time_s < end : time_s < end || time_s >= begin;
    return is_summer ? zone->summer_s : zone->standard_s;
}

static bool take(const char **at, char c)
{
    bool is_there = **at == c;
    *at += is_there;
    return is_there;
}

static bool take_number(const char **at, uint32_t *number)
{
    const char *begin = *at;

    *number = 0;
    while (**at >= '0' && **at <= '9' && *number <= NUMBER_MAX) {
        *number = *number * 10 + (uint32_t)(*(*at)++ - '0');
    }
    return *at != begin && *number <= NUMBER_MAX;
}

/* "[+-]h[h][:mm[:ss]]" */
static bool take_time(const char **at, int32_t *seconds)
{
    bool is_minus = take(at, '-');
    uint32_t number, unit = 3600;

    (void)(is_minus || take(at, '+'));
    *seconds = 0;
    do {
        if (!take_number(at, &number)) {
            return false;
        }
        *seconds += (int32_t)(number * unit);
        unit /= 60;
    } while (unit > 0 && take(at, ':'));
    *seconds = is_minus ? -*seconds : *seconds;
    return true;
}

/* "CET" or "<+01>" */
static bool take_name(const char **at)
{
    const char *begin = *at;

    if (take(at, '<')) {
        *at += strcspn(*at, ">");
        return take(at, '>');
    }
    while ((**at | 32) >= 'a' && (**at | 32) <= 'z') {
        ++*at;
    }
    return *at - begin >= 3;
}

/* ",M3.5.0/2", ",J60", ",59" */
static bool take_date(const char **at, struct np_zone_date *date)
{
    uint32_t month = 1, week = 1, day;
    bool is_read = take(at, ',');

    date->kind = **at == 'M' || **at == 'J' ? *(*at)++ : 'N';
    date->at_s = 2 * 3600;
    if (date->kind == 'M') {
        is_read = is_read && take_number(at, &month) && take(at, '.') && take_number(at, &week) &&
                  take(at, '.');
    }
    is_read = is_read && take_number(at, &day) && month - 1 < 12 && week - 1 < 5 &&
              day <= (date->kind == 'M' ? 6 : NUMBER_MAX) && (date->kind != 'J' || day > 0) &&
              (!take(at, '/') || take_time(at, &date->at_s));
    if (is_read) {
        date->month = (uint8_t)month;
        date->week = (uint8_t)week;
        date->day = (uint16_t)day;
    }
    return is_read;
}

bool np_zone_parse(struct np_zone *zone, const char *text)
{
    const char *at = text;
    bool is_read;

    memset(zone, 0, sizeof(*zone));
    is_read = take_name(&at) && take_time(&at, &zone->standard_s);
    zone->standard_s = -zone->standard_s; /* POSIX counts to the west */
    if (is_read && *at != '\0') {
        zone->has_summer = is_read = take_name(&at);
        zone->summer_s = zone->standard_s + 3600;
        if (is_read && *at != ',' && *at != '\0') {
            is_read = take_time(&at, &zone->summer_s);
            zone->summer_s = -zone->summer_s;
        }
        at = *at == '\0' ? ",M3.2.0,M11.1.0" : at;
        is_read =
            is_read && take_date(&at, &zone->begin) && take_date(&at, &zone->end) && *at == '\0';
    }
    if (!is_read) {
        memset(zone, 0, sizeof(*zone));
    }
    return is_read;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The last line of `path`: all of /etc/TZ, the rule at the end of a file of the zone database. */
static bool load_file(struct np_zone *zone, const char *path)
{
    char text[RULE_CAP];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = -1;

    if (fd >= 0) {
        if (lseek(fd, -(off_t)(sizeof(text) - 1), SEEK_END) < 0) {
            (void)lseek(fd, 0, SEEK_SET);
        }
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    n -= text[n - 1] == '\n';
    text[n] = '\0';
    while (n > 0 && text[n - 1] != '\n') {
        n--;
    }
    return np_zone_parse(zone, text + n);
}

void np_zone_load(struct np_zone *zone)
{
    const char *name = getenv("TZ");
    char path[RULE_CAP];

    if (name == NULL) {
        (void)(load_file(zone, "/etc/TZ") || load_file(zone, "/etc/localtime"));
    } else if (!np_zone_parse(zone, name)) {
        name += name[0] == ':';
        np_fmt(path, sizeof(path), name[0] == '/' ? "%s" : "/usr/share/zoneinfo/%s", name);
        (void)load_file(zone, path);
    }
}
