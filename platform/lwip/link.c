/* SPDX-License-Identifier: BSD-3-Clause */
/* link: lwIP's interface over the board's frames. */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include "platform/lwip/np_board.h"
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/pbuf.h>
#include <netif/ethernet.h>

_Static_assert(PBUF_POOL_BUFSIZE >= NP_BOARD_FRAME_MAX, "a frame has to fit in one buffer");

#define FRAMES_A_STEP 64u /* so that a flood of frames leaves time for the rest */
#define MTU 1500u

/* ---- frames ---------------------------------------------------------------------------------- */

static err_t send_pbuf(struct netif *netif, struct pbuf *p)
{
    struct np_plat *plat = netif->state;
    struct pbuf *whole = NULL;
    const struct pbuf *out = p;
    if (p->next != NULL) { /* the board wants one piece */
        whole = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL);
        if (whole == NULL || whole->next != NULL || pbuf_copy(whole, p) != ERR_OK) {
            if (whole != NULL) {
                pbuf_free(whole);
            }
            plat->stats.tx_no_room++;
            return ERR_MEM;
        }
        out = whole;
    }
    bool is_sent = np_board_link_send(out->payload, out->len);
    plat->stats.tx_frames += is_sent;
    plat->stats.tx_bytes += is_sent ? out->len : 0;
    plat->stats.tx_no_room += !is_sent;
    if (whole != NULL) {
        pbuf_free(whole);
    }
    return is_sent ? ERR_OK : ERR_MEM;
}

static void follow_link(struct np_plat *plat, bool is_up)
{
    if (plat->is_link_up == is_up) {
        return;
    }
    plat->is_link_up = is_up;
    plat->stats.link_changes++;
    (is_up ? netif_set_link_up : netif_set_link_down)(&plat->netif);
}

/* One frame from board to stack. False: none waits, or no buffer is free. */
static bool receive_one(struct np_plat *plat)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, NP_BOARD_FRAME_MAX, PBUF_POOL);
    if (p == NULL) {
        PBUF_CHECK_FREE_OOSEQ();
        p = pbuf_alloc(PBUF_RAW, NP_BOARD_FRAME_MAX, PBUF_POOL);
    }
    if (p == NULL) {
        plat->stats.rx_no_buffer++; /* it waits at the board */
        return false;
    }
    int32_t len = np_board_link_receive(p->payload, p->len);
    follow_link(plat, len >= 0);
    if (len <= 0) {
        pbuf_free(p);
        return false;
    }
    plat->stats.rx_frames++;
    plat->stats.rx_bytes += (uint32_t)len;
    pbuf_realloc(p, (uint16_t)len);
    if (plat->netif.input(p, &plat->netif) != ERR_OK) {
        pbuf_free(p);
    }
    return true;
}

bool np_lwip_link_step(struct np_plat *plat)
{
    uint32_t count = 0;
    np_lwip_tcp_admit(plat);
    while (plat->has_link && count < FRAMES_A_STEP && receive_one(plat)) {
        count++;
    }
#if LWIP_NETIF_LOOPBACK
    netif_poll_all();
#endif
    PBUF_CHECK_FREE_OOSEQ();
    return count == FRAMES_A_STEP;
}

/* ---- interface ------------------------------------------------------------------------------- */

static err_t init_netif(struct netif *netif)
{
    struct np_plat *plat = netif->state;
    const char *name = plat->config.host_name;
    netif->name[0] = 'n';
    netif->name[1] = 'p';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = send_pbuf;
    netif->mtu = MTU;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    netif_set_hostname(netif, name == NULL ? "nodepass" : name);
    return ERR_OK;
}

static void set_ip6(struct np_plat *plat)
{
    const struct np_lwip_config *config = &plat->config;
    struct netif *netif = &plat->netif;
    ip_addr_t ip;
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    if (config->ip6.family == NP_FAMILY_IP6) {
        np_lwip_to_ip(&ip, &config->ip6);
        netif_ip6_addr_set(netif, 1, ip_2_ip6(&ip));
        netif_ip6_addr_set_state(netif, 1, IP6_ADDR_PREFERRED);
    }
}

static void set_ip4(struct np_plat *plat)
{
    const struct np_lwip_config *config = &plat->config;
    if (config->ip4.family != NP_FAMILY_IP4) {
        dhcp_start(&plat->netif);
        return;
    }
    ip_addr_t ip, gateway;
    ip4_addr_t mask;
    uint32_t bits = config->ip4_prefix > 32 ? 32 : config->ip4_prefix;
    np_lwip_to_ip(&ip, &config->ip4);
    np_lwip_to_ip(&gateway, &config->gateway4);
    ip4_addr_set_u32(&mask, lwip_htonl(bits == 0 ? 0 : UINT32_MAX << (32u - bits)));
    netif_set_addr(&plat->netif, ip_2_ip4(&ip), &mask, ip_2_ip4(&gateway));
}

void np_lwip_link_use_servers(const struct np_plat *plat)
{
    for (uint8_t i = 0, n = 0; i < NP_LWIP_SERVERS; i++) {
        ip_addr_t ip;
        if (plat->config.servers[i].family != NP_FAMILY_NONE) {
            np_lwip_to_ip(&ip, &plat->config.servers[i]);
            dns_setserver(n++, &ip);
        }
    }
}

bool np_lwip_link_open(struct np_plat *plat)
{
    plat->has_link = np_board_link_open(plat->netif.hwaddr);
    if (!plat->has_link) {
        return true;
    }
    uint8_t mac[6];
    memcpy(mac, plat->netif.hwaddr, sizeof(mac));
    if (netif_add_noaddr(&plat->netif, plat, init_netif, ethernet_input) == NULL) {
        return false;
    }
    memcpy(plat->netif.hwaddr, mac, sizeof(mac));
    netif_set_default(&plat->netif);
    set_ip6(plat);
    netif_set_up(&plat->netif);
    follow_link(plat, true);
    plat->stats.link_changes = 0;
    set_ip4(plat);
    return true;
}

void np_lwip_link_close(struct np_plat *plat)
{
    if (plat->has_link) {
        dhcp_release_and_stop(&plat->netif);
        netif_remove(&plat->netif);
        plat->has_link = plat->is_link_up = false;
    }
}

/* ---- what the port asks ---------------------------------------------------------------------- */

void np_lwip_address(const struct np_plat *plat, struct np_addr *addr)
{
    const struct netif *netif = &plat->netif;
    memset(addr, 0, sizeof(*addr));
    if (!plat->has_link) {
        return;
    }
    if (!ip4_addr_isany_val(*netif_ip4_addr(netif))) {
        np_lwip_from_ip(addr, &netif->ip_addr, 0);
        return;
    }
    for (uint32_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) {
            np_lwip_from_ip(addr, &netif->ip6_addr[i], 0);
            return;
        }
    }
}

bool np_lwip_has_address(const struct np_plat *plat)
{
    struct np_addr addr;
    np_lwip_address(plat, &addr);
    return addr.family != NP_FAMILY_NONE;
}
