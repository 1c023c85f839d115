/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/fmt.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/np_test.h"

#define CAP 200u

/* Same format and arguments to both; the results must agree, also when cut to any length. */
#define CHECK_SAME(...)                                                                            \
    do {                                                                                           \
        char want_[CAP], got_[CAP];                                                                \
        int want_len_ = snprintf(want_, sizeof want_, __VA_ARGS__);                                \
        NP_CHECK_INT(np_fmt(got_, sizeof got_, __VA_ARGS__), want_len_);                           \
        NP_CHECK_STR(got_, want_);                                                                 \
        for (uint32_t cap_ = 1; cap_ <= (uint32_t)want_len_ + 1; cap_++) {                         \
            memset(got_, 'Z', sizeof got_);                                                        \
            NP_CHECK_INT(np_fmt(got_, cap_, __VA_ARGS__), cap_ - 1);                               \
            NP_CHECK(memcmp(got_, want_, cap_ - 1) == 0 && got_[cap_ - 1] == 0);                   \
            NP_CHECK(got_[cap_] == 'Z');                                                           \
        }                                                                                          \
    } while (0)

NP_TEST(fmt, text)
{
    CHECK_SAME("%s", "");
    CHECK_SAME("plain");
    CHECK_SAME("%s and %s", "one", "another");
    CHECK_SAME("100%% of %c%c", 'a', '%');
    CHECK_SAME("%5s|%2s|%3c", "abc", "abc", 'x');
    CHECK_SAME("%.*s|%.*s|%.*s", 2, "abc", 9, "abc", 0, "abc");
    CHECK_SAME("%6.*s", 2, "abc");
    CHECK_SAME("%.*s", -1, "abc");
}

NP_TEST(fmt, slice_without_nul_is_not_read_beyond)
{
    char *text = memcpy((char[3]){0}, "abc", 3);
    char out[8];

    NP_CHECK_INT(np_fmt(out, sizeof out, "%.*s", 3, text), 3);
    NP_CHECK_STR(out, "abc");
}

NP_TEST(fmt, number_limits)
{
    CHECK_SAME("%d %d %d", 0, INT32_MAX, INT32_MIN);
    CHECK_SAME("%u %x", UINT32_MAX, UINT32_MAX);
    CHECK_SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    CHECK_SAME("%lld %llu %llx", (long long)INT64_MIN, (unsigned long long)UINT64_MAX, 1ull << 63);
    CHECK_SAME("%" PRIu64 " %" PRId64 " %" PRIx64 " %" PRIu32, UINT64_MAX, INT64_MIN, UINT64_MAX,
               UINT32_MAX);
    CHECK_SAME("%02u:%02u %08x %3d %03d %05d %5d", 7, 123, 0xabcu, -5, -5, -5, -12345678);
    CHECK_SAME("%20llu|%020lld", 1ull, -1ll);
}

NP_TEST(fmt, random_numbers)
{
    uint64_t seed = 31;

    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t x = np_test_random(&seed) >> np_test_below(&seed, 64);
        x = np_test_below(&seed, 2) ? x : 0 - x;
        CHECK_SAME("%d %u %x", (int)x, (unsigned)x, (unsigned)x);
        CHECK_SAME("%ld|%lu|%lx", (long)x, (unsigned long)x, (unsigned long)x);
        CHECK_SAME("%3lld|%25llu|%08llx", (long long)x, (unsigned long long)x,
                   (unsigned long long)x);
        CHECK_SAME("%05d|%12u|%016llx|%1x", (int)x, (unsigned)x, (unsigned long long)x,
                   (unsigned)x);
    }
}

/* What the compiler would refuse must still not run wild. */
NP_TEST(fmt, broken_formats)
{
    static const char *const formats[] = {"%", "%5", "%.*", "%l", "%ll", "%0"};
    char out[16];

    for (uint32_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const char *volatile format = formats[i];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        NP_CHECK_INT(np_fmt(out, sizeof out, format, 3), 0);
#pragma GCC diagnostic pop
        NP_CHECK_STR(out, "");
    }
}

static bool parses(const char *text, uint64_t max, uint64_t expected)
{
    uint64_t value = 99;

    if (!np_parse_uint(text, (uint32_t)strlen(text), max, &value)) {
        NP_CHECK_INT(value, 99);
        return false;
    }
    NP_CHECK(value == expected);
    return true;
}

NP_TEST(fmt, parse_uint)
{
    NP_CHECK(parses("0", 0, 0));
    NP_CHECK(parses("65535", 65535, 65535));
    NP_CHECK(!parses("65536", 65535, 0));
    NP_CHECK(!parses("65540", 65535, 0));
    NP_CHECK(!parses("100000", 65535, 0));
    NP_CHECK(parses("0000000000000000007", 9, 7));
    NP_CHECK(parses("18446744073709551615", UINT64_MAX, UINT64_MAX));
    NP_CHECK(!parses("18446744073709551616", UINT64_MAX, 0));
    NP_CHECK(!parses("99999999999999999999", UINT64_MAX, 0));
    NP_CHECK(!parses("000000000000000000001", UINT64_MAX, 0)); /* 21 characters */
    NP_CHECK(!parses("1", 0, 0));
}

NP_TEST(fmt, parse_uint_refuses_everything_else)
{
    static const char *const bad[] = {"",   "+1", "-1", " 1",   "1 ", "1.",  "0x1",
                                      "1e", "/",  ":",  "\xb1", "a",  "12a", "1\n"};
    uint64_t value;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_test_context("text %u", i);
        NP_CHECK(!parses(bad[i], UINT64_MAX, 0));
    }
    NP_CHECK(!np_parse_uint("1\0", 2, UINT64_MAX, &value));
    NP_CHECK(np_parse_uint("12345", 2, UINT64_MAX, &value));
    NP_CHECK_INT(value, 12);
}

NP_TEST(fmt, hex)
{
    static const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0xa5, 0xff};
    char text[11];

    np_fmt_hex(text, bytes, sizeof bytes);
    NP_CHECK_STR(text, "000ff0a5ff");
    np_fmt_hex(text, bytes, 0);
    NP_CHECK_STR(text, "");
}

NP_TEST(fmt, parse_uint_random)
{
    uint64_t seed = 32;

    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t x = np_test_random(&seed) >> np_test_below(&seed, 64);
        uint64_t max = np_test_random(&seed) >> np_test_below(&seed, 64);
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, x);
        np_test_context("%s of %" PRIu64, text, max);
        NP_CHECK_INT(parses(text, max, x), x <= max);
    }
}

NP_TEST(fmt, text_find)
{
    const char *text = "a::/b://c";

    NP_CHECK(np_text_find(text, "://") == text + 5);
    NP_CHECK(np_text_find(text, "") == text);
    NP_CHECK(np_text_find(text, "c") == text + 8);
    NP_CHECK(np_text_find(text, "cc") == NULL);
    NP_CHECK(np_text_find("", "c") == NULL);
}
