/* SPDX-License-Identifier: BSD-3-Clause */
/* lwip_hooks: questions of lwIP that the platform answers; included by lwIP itself. */
#ifndef NP_PLATFORM_LWIP_LWIP_HOOKS_H
#define NP_PLATFORM_LWIP_LWIP_HOOKS_H

#include <lwip/arch.h>
#include <lwip/ip_addr.h>

struct netif;

/* First sequence number of a connection (RFC 6528). */
u32_t np_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port);
/* The router given by the port, NULL = those that advertise themselves. */
const ip6_addr_t *np_lwip_gateway6(struct netif *netif, const ip6_addr_t *to);

#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port)                                  \
    np_lwip_isn((local), (local_port), (remote), (remote_port))
#define LWIP_HOOK_ND6_GET_GW(netif, to) np_lwip_gateway6((netif), (to))

#endif
