/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wire/proxyproto.h"

#include <string.h>

#include "core/base/fmt.h"

#define IP_TEXT_CAP 46u

/* IPv4 as ::ffff:a.b.c.d. */
static void map(struct np_addr *addr)
{
    if (addr->family != NP_FAMILY_IP4) {
        return;
    }
    memcpy(addr->ip + 12, addr->ip, 4);
    memset(addr->ip, 0, 10);
    memset(addr->ip + 10, 0xff, 2);
    addr->family = NP_FAMILY_IP6;
}

uint32_t np_proxyproto_format(char *out, const struct np_addr *visitor,
                              const struct np_addr *target)
{
    struct np_addr from = *visitor;
    struct np_addr to = *target;
    char from_ip[IP_TEXT_CAP], to_ip[IP_TEXT_CAP];

    if (from.family == NP_FAMILY_NONE || to.family == NP_FAMILY_NONE) {
        return np_fmt(out, NP_PROXYPROTO_CAP, "PROXY UNKNOWN\r\n");
    }
    if (from.family != to.family) {
        map(&from);
        map(&to);
    }
    from.scope = to.scope = 0; /* the header has no zones */
    np_addr_format_ip(&from, from_ip, sizeof from_ip);
    np_addr_format_ip(&to, to_ip, sizeof to_ip);
    return np_fmt(out, NP_PROXYPROTO_CAP, "PROXY TCP%c %s %s %u %u\r\n",
                  from.family == NP_FAMILY_IP4 ? '4' : '6', from_ip, to_ip, from.port, to.port);
}
