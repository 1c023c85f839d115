/* SPDX-License-Identifier: BSD-3-Clause */
/* timers: lwIP's cyclic work, from a table of our own (its pool of time-outs has no spare one). A
 * timer that is late runs once for each period missed, but not more than CATCH_UP times in a row.
 */
#include "platform/lwip/lwip_priv.h"
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#define CATCH_UP 4u

static const struct {
    void (*fn)(void);
    uint32_t period_ms;
} timers[] = {
    {tcp_tmr, TCP_TMR_INTERVAL},
    {mld6_tmr, MLD6_TMR_INTERVAL},
    {dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS},
    {dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS},
    {etharp_tmr, ARP_TMR_INTERVAL},
    {dns_tmr, DNS_TMR_INTERVAL},
    {nd6_tmr, ND6_TMR_INTERVAL},
#if IP_REASSEMBLY
    {ip_reass_tmr, IP_TMR_INTERVAL},
#endif
#if LWIP_IPV6_REASS
    {ip6_reass_tmr, IP6_REASS_TMR_INTERVAL},
#endif
};

#define TIMERS (sizeof(timers) / sizeof(timers[0]))

static uint64_t due_ms[TIMERS];

/* Called by lwIP when a connection begins; ours always runs. */
void np_lwip_timer_needed(void)
{
}

void np_lwip_timers_init(uint64_t now_ms)
{
    for (uint32_t i = 0; i < TIMERS; i++) {
        due_ms[i] = now_ms + timers[i].period_ms;
    }
}

uint64_t np_lwip_timers_step(struct np_plat *plat, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (uint32_t i = 0; i < TIMERS; i++) {
        for (uint32_t runs = 0; now_ms >= due_ms[i]; runs++) {
            if (runs == CATCH_UP) {
                due_ms[i] = now_ms + timers[i].period_ms;
                break;
            }
            due_ms[i] += timers[i].period_ms;
            timers[i].fn();
            if (timers[i].fn == tcp_tmr) {
                np_lwip_tcp_tick(plat, now_ms);
            }
        }
        next_ms = due_ms[i] < next_ms ? due_ms[i] : next_ms;
    }
    return next_ms;
}
