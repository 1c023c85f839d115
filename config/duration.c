/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/duration.h"

#include "core/base/fmt.h"

#define NS_PER_MS 1000000ull
#define NS_MAX (NP_DURATION_MAX_MS * NS_PER_MS)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Nanoseconds of the unit at `text`, and its length in bytes; 0 if there is none. */
static uint64_t unit_ns(const char *text, uint32_t len, uint32_t *unit_len)
{
    char first = len > 0 ? text[0] : '\0';
    bool has_s = len > 1 && text[1] == 's';

    *unit_len = has_s ? 2 : 1;
    if (has_s && first == 'n') {
        return 1;
    }
    if (has_s && first == 'u') {
        return 1000;
    }
    if (has_s && first == 'm') {
        return NS_PER_MS;
    }
    *unit_len = 1;
    switch (first) {
    case 's':
        return 1000 * NS_PER_MS;
    case 'm':
        return 60 * 1000 * NS_PER_MS;
    case 'h':
        return 3600 * 1000 * NS_PER_MS;
    default:
        return 0;
    }
}

/* One part such as "1.5h" at *at; adds it to *total. False if none, or the sum is too large. */
static bool parse_part(const char *text, uint32_t len, uint32_t *at, uint64_t *total)
{
    uint32_t i = *at, digits = 0, dot, unit_len;
    uint64_t whole = 0, unit, scale;

    for (; i < len && is_digit(text[i]); i++, digits++) {
        whole = whole * 10 + (uint64_t)(text[i] - '0');
        if (whole > NS_MAX) {
            return false;
        }
    }
    dot = i;
    if (i < len && text[i] == '.') {
        for (i++; i < len && is_digit(text[i]); i++) {
            digits++;
        }
    }
    unit = unit_ns(text + i, len - i, &unit_len);
    if (digits == 0 || unit == 0 || whole > NS_MAX / unit) {
        return false;
    }
    *total += whole * unit;
    scale = unit;
    for (uint32_t f = dot + 1; f < i; f++) {
        scale /= 10;
        *total += (uint64_t)(text[f] - '0') * scale;
    }
    *at = i + unit_len;
    return *total <= NS_MAX;
}

bool np_duration_parse(uint32_t *ms, const char *text, uint32_t len)
{
    uint64_t total = 0;
    uint32_t at = 0;

    if (len == 1 && text[0] == '0') {
        *ms = 0;
        return true;
    }
    if (len > 1 && text[0] == '+') {
        at = 1;
    }
    if (at == len) {
        return false;
    }
    while (at < len) {
        if (!parse_part(text, len, &at, &total)) {
            return false;
        }
    }
    *ms = (uint32_t)((total + NS_PER_MS - 1) / NS_PER_MS);
    return true;
}

uint32_t np_duration_format(uint32_t ms, char *out, uint32_t cap)
{
    uint32_t seconds = ms / 1000, fraction = ms % 1000, len = 0, digits = 3;

    if (ms > 0 && ms < 1000) {
        return np_fmt(out, cap, "%ums", ms);
    }
    if (seconds >= 3600) {
        len = np_fmt(out, cap, "%uh%um", seconds / 3600, seconds / 60 % 60);
    } else if (seconds >= 60) {
        len = np_fmt(out, cap, "%um", seconds / 60);
    }
    len += np_fmt(out + len, cap - len, "%u", seconds % 60);
    if (fraction != 0) {
        while (fraction % 10 == 0) {
            fraction /= 10;
            digits--;
        }
        len += np_fmt(out + len, cap - len,
                      digits == 3   ? ".%03u"
                      : digits == 2 ? ".%02u"
                                    : ".%u",
                      fraction);
    }
    return len + np_fmt(out + len, cap - len, "s");
}
