/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/np_test.h"

static struct np_addr addr_of(const char *text)
{
    struct np_addr addr = {0};

    NP_CHECK(np_addr_parse(&addr, text, (uint32_t)strlen(text)));
    return addr;
}

static struct np_addr ip_of(const char *text)
{
    struct np_addr addr = {0};

    NP_CHECK(np_addr_parse_ip(&addr, text, (uint32_t)strlen(text), 0));
    return addr;
}

/* The system's parser and ours agree on `text` without a zone. */
static void check_against_system(const char *text, uint32_t len)
{
    struct np_addr addr;
    uint8_t want[16] = {0};
    char copy[128] = "";
    int family = 0;
    bool is_one = np_addr_parse_ip(&addr, text, len, 7);

    if (len < sizeof copy && memchr(text, 0, len) == NULL) {
        memcpy(copy, text, len);
        family = inet_pton(AF_INET, copy, want) == 1    ? NP_FAMILY_IP4
                 : inet_pton(AF_INET6, copy, want) == 1 ? NP_FAMILY_IP6
                                                        : 0;
    }
    np_test_context("%s", copy);
    if (NP_CHECK_INT(is_one, family != 0) && is_one) {
        NP_CHECK_INT(addr.family, family);
        NP_CHECK_INT(addr.port, 7);
        NP_CHECK_INT(addr.scope, 0);
        NP_CHECK_MEM(addr.ip, want, family == NP_FAMILY_IP4 ? 4 : 16);
    }
}

static const char *const literals[] = {
    "1.2.3.4",
    "0.0.0.0",
    "255.255.255.255",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    ".1.2.3.4",
    "1..2.3",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.-4",
    "1.2.3.4a",
    "0x1.2.3.4",
    "1.2.3.999",
    "",
    ".",
    "...",
    "::",
    "::1",
    "1::",
    ":::",
    ":",
    "1:",
    ":1",
    "::1:",
    ":1::",
    "1::2::3",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::2:3:4:5:6:7:8",
    "1::3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "::12345",
    "00001::",
    "::g",
    "::ffff:1.2.3.4",
    "::FFFF:1.2.3.4",
    "::1.2.3.4",
    "1.2.3.4::",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:1.2.3.4",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.4:5",
    "::01.2.3.4",
    "::1.2.3.256",
    "::.1.2.3",
    "fe80::1",
    "FE80::aBcD",
    "::1 ",
    "1:2:3:4::1.2.3.4",
    "1:2:3:4:5::1.2.3.4",
    "1:2:3:4:5:6::1.2.3.4",
    "1:2:3:4:5:6:7.1.2.3",
    "a.b.c.d",
    "::a.2.3.4",
    "::1234.2.3.4",
    "[::1]",
    "1.2.3.4:5",
    "::ffff:0:0",
    "0:0:0:0:0:0:0:0",
    "::0:0",
    "0::0:0:0:0:0:0:0",
    "0::0:0:0:0:0:0",
    "1:::2",
    "1:2:3:4:5:6:7:",
    "::ffff:1.2.3.4a",
};

NP_TEST(addr, table_of_literals)
{
    for (uint32_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        check_against_system(literals[i], (uint32_t)strlen(literals[i]));
    }
}

NP_TEST(addr, random_texts)
{
    static const char alphabet[] = "0123456789abcfF::::....%g/[] ";
    uint64_t seed = 41;

    for (uint32_t i = 0; i < 300000; i++) {
        char text[48];
        uint32_t len = np_test_below(&seed, 24);
        uint32_t letters = i % 3 == 0 ? 23 : i % 3 == 1 ? 12 : sizeof alphabet - 1;
        for (uint32_t c = 0; c < len; c++) {
            text[c] = alphabet[np_test_below(&seed, letters)];
            if (i % 3 == 1 && text[c] > '2') {
                text[c] = ".:"[i / 3 % 2];
            }
        }
        if (memchr(text, '%', len) == NULL) { /* zones have their own test */
            check_against_system(text, len);
        }
    }
}

/* Random addresses written in a random way, then damaged in one place. */
NP_TEST(addr, mutated_literals)
{
    static const char alphabet[] = "0123456789aF:.";
    uint64_t seed = 42;

    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t ip[16];
        char text[64];
        uint32_t len, at;
        for (uint32_t b = 0; b < 16; b++) {
            ip[b] = np_test_below(&seed, 3) ? 0 : (uint8_t)np_test_random(&seed);
        }
        inet_ntop(i % 2 ? AF_INET : AF_INET6, ip, text, sizeof text);
        len = (uint32_t)strlen(text);
        check_against_system(text, len);
        at = np_test_below(&seed, len);
        switch (np_test_below(&seed, 3)) {
        case 0:
            text[at] = alphabet[np_test_below(&seed, sizeof alphabet - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, len - at);
            break;
        default:
            memmove(text + at + 1, text + at, len - at + 1);
            text[at] = alphabet[np_test_below(&seed, sizeof alphabet - 1)];
            break;
        }
        check_against_system(text, (uint32_t)strlen(text));
    }
}

NP_TEST(addr, zones)
{
    struct np_addr addr;
    static const char *const bad[] = {"fe80::1%",   "fe80::1%eth0",       "fe80::1%-1",
                                      "fe80::1%1%", "fe80::1%4294967296", "%1",
                                      "1.2.3.4%1",  "fe80::%1:1"};

    NP_CHECK_INT(ip_of("fe80::1%3").scope, 3);
    NP_CHECK_INT(ip_of("fe80::1%4294967295").scope, UINT32_MAX);
    NP_CHECK_INT(ip_of("fe80::1%0").scope, 0);
    NP_CHECK_INT(addr_of("[fe80::1%7]:80").scope, 7);
    NP_CHECK_INT(addr_of("[fe80::1%eth0]:80").scope, 0); /* dropped */
    NP_CHECK_INT(addr_of("[fe80::1%25eth0.7]:80").scope, 0);
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_test_context("%s", bad[i]);
        NP_CHECK(!np_addr_parse_ip(&addr, bad[i], (uint32_t)strlen(bad[i]), 0));
    }
    NP_CHECK(!np_addr_parse(&addr, "[fe80::1%]:80", 13));
    NP_CHECK(!np_addr_parse(&addr, "[1.2.3.4%1]:80", 14));
}

NP_TEST(addr, with_port)
{
    static const char *const bad[] = {"",
                                      "1.2.3.4",
                                      "1.2.3.4:",
                                      ":80",
                                      "1.2.3.4:65536",
                                      "1.2.3.4:-1",
                                      "1.2.3.4:+1",
                                      "1.2.3.4:8 ",
                                      "1.2.3.4:8a",
                                      "[::1]",
                                      "[::1]:",
                                      "[::1",
                                      "[::1:80",
                                      "::1:80",
                                      "[1.2.3.4]:80",
                                      "[::1]80",
                                      "[::1]:80:",
                                      "[]:80",
                                      "[:80",
                                      "[::1]]:80",
                                      "x[::1]:80",
                                      "host:80",
                                      "1.2.3.4:80:1",
                                      "[",
                                      "]:1",
                                      "[::1]:100000",
                                      "[[::1]]:80",
                                      "1.2.3.4::80",
                                      "[::1]:0x1",
                                      "1.2.3.4:000065536"};
    struct np_addr addr;

    NP_CHECK_INT(addr_of("1.2.3.4:0").port, 0);
    NP_CHECK_INT(addr_of("1.2.3.4:65535").port, 65535);
    NP_CHECK_INT(addr_of("1.2.3.4:000000000000000000000000000000080").port, 80);
    NP_CHECK_INT(addr_of("[::1]:443").port, 443);
    NP_CHECK_INT(addr_of("[::ffff:1.2.3.4]:443").family, NP_FAMILY_IP6);
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_test_context("%s", bad[i]);
        NP_CHECK(!np_addr_parse(&addr, bad[i], (uint32_t)strlen(bad[i])));
    }
}

NP_TEST(addr, format_rfc5952)
{
    static const char *const rows[][2] = {
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"}, /* the first of two equal runs */
        {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one group is not shortened */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run */
        {"2001:DB8::ABCD", "2001:db8::abcd"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"0:0:0:0:0:ffff:0102:0304", "::ffff:1.2.3.4"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"fe80::1%12", "fe80::1%12"},
        {"10.20.30.40", "10.20.30.40"},
        {"255.255.255.255", "255.255.255.255"},
    };
    char text[NP_ADDR_TEXT_CAP];

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_addr addr = ip_of(rows[i][0]);
        NP_CHECK_INT(np_addr_format_ip(&addr, text, sizeof text), strlen(rows[i][1]));
        NP_CHECK_STR(text, rows[i][1]);
    }
}

NP_TEST(addr, format_with_port)
{
    struct np_addr addr = {.port = 9};
    char text[NP_ADDR_TEXT_CAP];

    NP_CHECK_INT(np_addr_format(&addr, text, sizeof text), 1);
    NP_CHECK_STR(text, "-");
    NP_CHECK_INT(np_addr_format_ip(&addr, text, sizeof text), 1);
    NP_CHECK_STR(text, "-");
    addr = addr_of("1.2.3.4:0");
    np_addr_format(&addr, text, sizeof text);
    NP_CHECK_STR(text, "1.2.3.4:0");
    addr = addr_of("[fe80:0::1%4294967295]:65535");
    np_addr_format(&addr, text, sizeof text);
    NP_CHECK_STR(text, "[fe80::1%4294967295]:65535");
}

/* Agrees with the system, parses back, and is cut but ended at every smaller size. */
NP_TEST(addr, format_random)
{
    uint64_t seed = 43;

    for (uint32_t i = 0; i < 50000; i++) {
        struct np_addr addr = {.family = i % 4 ? NP_FAMILY_IP6 : NP_FAMILY_IP4}, back;
        char text[NP_ADDR_TEXT_CAP], want[NP_ADDR_TEXT_CAP], ip[INET6_ADDRSTRLEN];
        uint32_t len, cap;
        addr.port = (uint16_t)np_test_random(&seed);
        for (uint32_t b = 0; b < (i % 4 ? 16u : 4u); b++) {
            addr.ip[b] = np_test_below(&seed, 4) ? 0 : (uint8_t)np_test_random(&seed);
        }
        if (i % 4 && memcmp(addr.ip, (uint8_t[12]){0}, 12) == 0) {
            addr.ip[11] = 1; /* the system writes ::1.2.3.4, RFC 5952 does not ask for that */
        }
        inet_ntop(i % 4 ? AF_INET6 : AF_INET, addr.ip, ip, sizeof ip);
        snprintf(want, sizeof want, i % 4 ? "[%s]:%u" : "%s:%u", ip, addr.port);
        len = np_addr_format(&addr, text, sizeof text);
#ifndef __GLIBC__
        /* musl shortens the run with the longest text; RFC 5952 section 4.2.3 wants most groups */
        if (i % 4) {
            memcpy(want, text, sizeof want);
        }
#endif
        NP_CHECK_INT(len, strlen(want));
        NP_CHECK_STR(text, want);
        NP_CHECK(np_addr_parse(&back, text, len) && np_addr_is_equal(&addr, &back));
        cap = 1 + np_test_below(&seed, len);
        memset(text, 'Z', sizeof text);
        NP_CHECK_INT(np_addr_format(&addr, text, cap), cap - 1);
        NP_CHECK(memcmp(text, want, cap - 1) == 0 && text[cap - 1] == 0 && text[cap] == 'Z');
    }
}

NP_TEST(addr, longest_text_fits)
{
    struct np_addr addr = {NP_FAMILY_IP6, 65535, UINT32_MAX, {0}};
    char text[NP_ADDR_TEXT_CAP];

    memset(addr.ip, 0xff, sizeof addr.ip);
    NP_CHECK_INT(np_addr_format(&addr, text, sizeof text), 39 + 2 + 6 + 11);
}

NP_TEST(addr, equal)
{
    struct np_addr none = {.port = 5}, none_too = {.port = 6, .scope = 9};
    struct np_addr a = addr_of("1.2.3.4:80"), b = a;

    b.ip[5] = b.ip[15] = 7; /* bytes IPv4 does not use */
    b.scope = 3;
    NP_CHECK(np_addr_is_equal(&a, &b));
    NP_CHECK_INT(np_addr_hash(&a, 1), np_addr_hash(&b, 1));
    NP_CHECK(np_addr_is_equal(&none, &none_too));
    NP_CHECK_INT(np_addr_hash(&none, 1), np_addr_hash(&none_too, 1));
    NP_CHECK(!np_addr_is_equal(&none, &a));
    b = addr_of("1.2.3.4:81");
    NP_CHECK(!np_addr_is_equal(&a, &b) && np_addr_is_same_host(&a, &b));
    b = addr_of("1.2.3.5:80");
    NP_CHECK(!np_addr_is_equal(&a, &b) && !np_addr_is_same_host(&a, &b));
    b = addr_of("[::ffff:1.2.3.4]:80");
    NP_CHECK(!np_addr_is_equal(&a, &b) && np_addr_is_same_host(&a, &b));
    np_addr_unmap(&b);
    NP_CHECK(np_addr_is_equal(&a, &b));
    a = addr_of("[fe80::1%1]:80");
    b = addr_of("[fe80::1%2]:80");
    NP_CHECK(!np_addr_is_equal(&a, &b) && !np_addr_is_same_host(&a, &b));
}

NP_TEST(addr, unmap_leaves_others)
{
    static const char *const others[] = {
        "[::1]:1",       "[::fffe:1.2.3.4]:1", "[::1:ffff:1.2.3.4]:1", "[1::ffff:1.2.3.4]:1",
        "[::1.2.3.4]:1", "1.2.3.4:1"};

    for (uint32_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct np_addr addr = addr_of(others[i]), before = addr;
        np_addr_unmap(&addr);
        NP_CHECK(np_addr_is_equal(&addr, &before));
    }
}

/* Ports and addresses that follow each other spread over a small table. */
NP_TEST(addr, hash_spreads)
{
    for (uint32_t seed = 0; seed < 4; seed++) {
        uint32_t slots[1024] = {0};
        uint32_t most = 0;
        struct np_addr addr = addr_of("10.0.0.1:1024");
        for (uint32_t i = 0; i < 16384; i++) {
            addr.port = (uint16_t)(1024 + i % 4096);
            addr.ip[3] = (uint8_t)(i / 4096);
            slots[np_addr_hash(&addr, seed) % 1024]++;
        }
        for (uint32_t i = 0; i < 1024; i++) {
            most = slots[i] > most ? slots[i] : most;
        }
        NP_CHECK(most < 48); /* 16 on average */
    }
}

NP_TEST(addr, hash_depends_on_all)
{
    struct np_addr a = addr_of("[fe80::1%1]:80");
    uint32_t hash = np_addr_hash(&a, 1);

    NP_CHECK(np_addr_hash(&a, 2) != hash);
    for (uint32_t b = 0; b < 16; b++) {
        struct np_addr other = a;
        other.ip[b] ^= 1;
        NP_CHECK(np_addr_hash(&other, 1) != hash);
    }
    a.scope = 2;
    NP_CHECK(np_addr_hash(&a, 1) != hash);
    a.scope = 1;
    a.port = 81;
    NP_CHECK(np_addr_hash(&a, 1) != hash);
}
