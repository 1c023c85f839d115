/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wire/proxyproto.h"

#include <string.h>

#include "tests/unit/np_test.h"

static void check(const char *visitor_text, const char *target_text, const char *want)
{
    struct np_addr visitor = {0}, target = {0};
    char out[NP_PROXYPROTO_CAP + 1];
    uint32_t len;

    np_addr_parse(&visitor, visitor_text, (uint32_t)strlen(visitor_text));
    np_addr_parse(&target, target_text, (uint32_t)strlen(target_text));
    len = np_proxyproto_format(out, &visitor, &target);
    out[len] = 0;
    NP_CHECK_STR(out, want);
    NP_CHECK_INT(len, strlen(want));
}

NP_TEST(proxyproto, same_family)
{
    check("1.2.3.4:50000", "10.0.0.1:80", "PROXY TCP4 1.2.3.4 10.0.0.1 50000 80\r\n");
    check("[2001:db8::1]:1", "[::1]:65535", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
}

NP_TEST(proxyproto, mixed_families_are_mapped)
{
    check("1.2.3.4:50000", "[::1]:80", "PROXY TCP6 ::ffff:1.2.3.4 ::1 50000 80\r\n");
    check("[2001:db8::1]:9", "10.0.0.1:80", "PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 9 80\r\n");
}

NP_TEST(proxyproto, unknown)
{
    check("-", "1.2.3.4:5", "PROXY UNKNOWN\r\n");
    check("1.2.3.4:5", "-", "PROXY UNKNOWN\r\n");
}

NP_TEST(proxyproto, zones_stay_home)
{
    check("[fe80::1%7]:9", "[fe80::2%7]:8", "PROXY TCP6 fe80::1 fe80::2 9 8\r\n");
}

NP_TEST(proxyproto, longest_fits)
{
    struct np_addr addr = {NP_FAMILY_IP6, 65535, UINT32_MAX, {0}};
    char out[NP_PROXYPROTO_CAP];

    memset(addr.ip, 0xff, sizeof addr.ip);
    NP_CHECK_INT(np_proxyproto_format(out, &addr, &addr), 11 + 39 + 1 + 39 + 1 + 5 + 1 + 5 + 2);
    NP_CHECK_MEM(out + 102, "\r\n", 2);
}
