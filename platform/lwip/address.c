/* SPDX-License-Identifier: BSD-3-Clause */
/* address: between struct np_addr and lwIP's addresses; which of them are our own. */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/err.h>
#include <lwip/ip.h>

void np_lwip_to_ip(ip_addr_t *ip, const struct np_addr *addr)
{
    memset(ip, 0, sizeof(*ip));
    if (addr->family == NP_FAMILY_IP4) {
        memcpy(&ip_2_ip4(ip)->addr, addr->ip, 4);
        IP_SET_TYPE(ip, IPADDR_TYPE_V4);
    } else if (addr->family == NP_FAMILY_IP6) {
        memcpy(ip_2_ip6(ip)->addr, addr->ip, 16);
        IP_SET_TYPE(ip, IPADDR_TYPE_V6);
        ip6_addr_assign_zone(ip_2_ip6(ip), IP6_UNKNOWN, &np_lwip_plat.netif);
    } else {
        IP_SET_TYPE(ip, IPADDR_TYPE_ANY);
    }
}

void np_lwip_from_ip(struct np_addr *addr, const ip_addr_t *ip, uint16_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->port = port;
    if (IP_IS_V6_VAL(*ip)) {
        addr->family = NP_FAMILY_IP6;
        memcpy(addr->ip, ip_2_ip6(ip)->addr, 16);
        np_addr_unmap(addr);
    } else if (IP_GET_TYPE(ip) == IPADDR_TYPE_V4) {
        addr->family = NP_FAMILY_IP4;
        memcpy(addr->ip, &ip_2_ip4(ip)->addr, 4);
    }
}

bool np_lwip_is_any(const struct np_addr *addr)
{
    static const uint8_t zero[16];
    return addr->family == NP_FAMILY_NONE ||
           memcmp(addr->ip, zero, addr->family == NP_FAMILY_IP4 ? 4 : 16) == 0;
}

bool np_lwip_is_local(const struct np_addr *addr)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        if (addr->family == NP_FAMILY_IP4 &&
            memcmp(&netif_ip4_addr(netif)->addr, addr->ip, 4) == 0) {
            return true;
        }
        for (uint32_t i = 0; addr->family == NP_FAMILY_IP6 && i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
                memcmp(netif_ip6_addr(netif, i)->addr, addr->ip, 16) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool np_lwip_pick_local(const struct np_addr *remote, struct np_addr *local)
{
    ip_addr_t to;
    np_lwip_to_ip(&to, remote);
    struct netif *netif = ip_route(IP46_ADDR_ANY(IP_GET_TYPE(&to)), &to);
    const ip_addr_t *own = netif == NULL ? NULL : ip_netif_get_local_ip(netif, &to);
    if (own == NULL) {
        return false;
    }
    np_lwip_from_ip(local, own, 0);
    return true;
}

enum np_err np_lwip_err(int err)
{
    switch (err) {
    case ERR_OK:
        return NP_OK;
    case ERR_MEM:
    case ERR_BUF:
        return NP_ERR_NO_MEMORY;
    case ERR_RTE:
        return NP_ERR_UNREACHABLE;
    case ERR_USE:
        return NP_ERR_ADDR_IN_USE;
    case ERR_RST:
    case ERR_CONN:
    case ERR_CLSD:
        return NP_ERR_RESET;
    case ERR_ABRT:
    case ERR_TIMEOUT:
        return NP_ERR_TIMED_OUT;
    case ERR_VAL:
    case ERR_ARG:
        return NP_ERR_INVALID;
    default:
        return NP_ERR_IO;
    }
}
