/* SPDX-License-Identifier: BSD-3-Clause */
/* hooks: sequence numbers that nobody guesses, and the IPv6 router that the port gave. */
#include "platform/lwip/lwip_hooks.h"

#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include "platform/lwip/np_board.h"

/* ---- SipHash-2-4 (Aumasson, Bernstein 2012) -------------------------------------------------- */

static uint64_t rotate(uint64_t x, uint32_t n)
{
    return x << n | x >> (64u - n);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* Of `count` words; the last one carries the length as the original does. */
static uint64_t hash(const uint64_t key[2], const uint64_t *words, uint32_t count)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    for (uint32_t i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : (uint64_t)count * 8u << 56;
        v[3] ^= word;
        mix(v);
        mix(v);
        v[0] ^= word;
    }
    v[2] ^= 0xffu;
    for (uint32_t i = 0; i < 4; i++) {
        mix(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- hooks ----------------------------------------------------------------------------------- */

u32_t np_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port)
{
    static uint64_t key[2];
    struct np_addr ends[2];
    uint64_t words[5];
    if (key[0] == 0 && key[1] == 0 && !np_board_random((uint8_t *)key, sizeof(key))) {
        np_lwip_panic("the board has no random numbers");
    }
    np_lwip_from_ip(&ends[0], local, local_port);
    np_lwip_from_ip(&ends[1], remote, remote_port);
    memcpy(&words[0], ends[0].ip, 16);
    memcpy(&words[2], ends[1].ip, 16);
    words[4] = (uint64_t)local_port << 16 | remote_port;
    return (u32_t)(hash(key, words, 5) + np_board_now_us() / 4u);
}

const ip6_addr_t *np_lwip_gateway6(struct netif *netif, const ip6_addr_t *to)
{
    static ip_addr_t gateway;
    (void)to;
    if (netif != &np_lwip_plat.netif || np_lwip_plat.config.gateway6.family != NP_FAMILY_IP6) {
        return NULL;
    }
    np_lwip_to_ip(&gateway, &np_lwip_plat.config.gateway6);
    return ip_2_ip6(&gateway);
}
