/* SPDX-License-Identifier: BSD-3-Clause */
/* inet: what newlib lacks of <arpa/inet.h>, for tests that only ask whether a text is an address.
 * tests/unit/addr.c, which compares our own parser with a libc's, is not built with it. */
#ifndef NP_TESTS_FIRMWARE_ARPA_INET_H
#define NP_TESTS_FIRMWARE_ARPA_INET_H

#include <string.h>

#include "core/base/addr.h"

enum { AF_INET = 2, AF_INET6 = 10 };

static inline int inet_pton(int family, const char *text, void *out)
{
    int want = family == AF_INET ? NP_FAMILY_IP4 : NP_FAMILY_IP6;
    struct np_addr addr;

    if (!np_addr_parse_ip(&addr, text, (uint32_t)strlen(text), 0) || addr.family != want) {
        return 0;
    }
    memcpy(out, addr.ip, family == AF_INET ? 4 : 16);
    return 1;
}

#endif
