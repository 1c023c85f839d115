/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/duration.h"

#include <string.h>

#include "tests/unit/np_test.h"

static const struct {
    const char *text;
    long long ms; /* -1: refused */
    const char *shown;
} rows[] = {
    {"300ms", 300, "300ms"},
    {"1.5h", 5400000, "1h30m0s"},
    {"2m30s", 150000, "2m30s"},
    {"0", 0, "0s"},
    {"0s", 0, "0s"},
    {"1h", 3600000, "1h0m0s"},
    {"+5s", 5000, "5s"},
    {".5s", 500, "500ms"},
    {"5.s", 5000, "5s"},
    {"1.25s", 1250, "1.25s"},
    {"1.001s", 1001, "1.001s"},
    {"1.010s", 1010, "1.01s"},
    {"61.1s", 61100, "1m1.1s"},
    {"1h1ms", 3600001, "1h0m0.001s"},
    {"1ns", 1, "1ms"},
    {"1us", 1, "1ms"},
    {"1000us", 1, "1ms"},
    {"1001us", 2, "2ms"},
    {"0.1h0.1m", 366000, "6m6s"},
    {"1000h", 3600000000, "1000h0m0s"},
    {"999h59m59.999s", 3599999999, "999h59m59.999s"},
    {"1000h1ns", -1, ""},
    {"1001h", -1, ""},
    {"99999999999999999999h", -1, ""},
    {"3600000000000000001ns", -1, ""},
    {"", -1, ""},
    {"+", -1, ""},
    {"-1s", -1, ""},
    {"5", -1, ""},
    {"s", -1, ""},
    {".s", -1, ""},
    {"1d", -1, ""},
    {"1S", -1, ""},
    {"1 s", -1, ""},
    {" 1s", -1, ""},
    {"1s ", -1, ""},
    {"1s2", -1, ""},
    {"1..5s", -1, ""},
    {"++1s", -1, ""},
    {"0x1s", -1, ""},
    {"1e3s", -1, ""},
};

NP_TEST(config_duration, table)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t ms = 77;
        char shown[NP_DURATION_TEXT_CAP];
        bool is_one = np_duration_parse(&ms, rows[i].text, (uint32_t)strlen(rows[i].text));

        np_test_context("%s", rows[i].text);
        NP_CHECK_INT(is_one ? (long long)ms : -1, rows[i].ms);
        if (is_one) {
            uint32_t len = np_duration_format(ms, shown, sizeof shown);

            NP_CHECK_STR(shown, rows[i].shown);
            NP_CHECK_INT(len, strlen(shown));
        } else {
            NP_CHECK_INT(ms, 77);
        }
    }
}

NP_TEST(config_duration, what_is_shown_parses_to_the_same)
{
    uint64_t seed = 1;

    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t ms = np_test_below(&seed, NP_DURATION_MAX_MS), again = 0;
        char shown[NP_DURATION_TEXT_CAP];

        ms >>= np_test_below(&seed, 32);
        np_test_context("%u", ms);
        NP_CHECK(np_duration_parse(&again, shown, np_duration_format(ms, shown, sizeof shown)));
        NP_CHECK_INT(again, ms);
    }
}
