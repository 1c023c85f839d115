/* SPDX-License-Identifier: BSD-3-Clause */
/* icmp: "destination unreachable" for sockets and connects; lwIP itself ignores it. The message
 * carries the head of the packet it is about (RFC 792, RFC 4443 section 3.1); only what names one
 * of our own ends counts, and of TCP only connects that wait (RFC 5927 section 6). */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/ip.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>

enum { HEAD_MAX = 60, PORTS = 8, ICMP_HEAD = 8 };

struct report {
    uint8_t family, protocol;
    struct np_addr from, to; /* of the packet that did not arrive */
    uint32_t sequence;       /* TCP */
    bool is_port;            /* the host is there, nobody has the port */
};

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void tell_udp(struct np_plat *plat, const struct report *report)
{
    for (uint32_t i = 0; i < NP_LWIP_UDP; i++) {
        struct np_lwip_udp *u = &plat->udp[i];
        if (u->head.state == NP_LWIP_OPEN && u->local.port == report->from.port &&
            np_addr_is_equal(&u->remote, &report->to)) {
            u->bits |= NP_LWIP_IS_REFUSED;
        }
    }
}

static void tell_tcp(struct np_plat *plat, const struct report *report)
{
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        struct np_lwip_tcp *t = &plat->tcp[i];
        if (t->head.state == NP_LWIP_OPEN && t->pcb != NULL && (t->bits & NP_LWIP_CONNECTED) == 0 &&
            t->local.port == report->from.port && np_addr_is_equal(&t->peer, &report->to) &&
            report->sequence - t->pcb->lastack <= 1) {
            np_lwip_tcp_fail(t, report->is_port ? NP_ERR_REFUSED : NP_ERR_UNREACHABLE);
            return;
        }
    }
}

static void tell(struct report *report, const uint8_t *ports)
{
    report->from.port = (uint16_t)(ports[0] << 8 | ports[1]);
    report->to.port = (uint16_t)(ports[2] << 8 | ports[3]);
    report->sequence = be32(ports + 4);
    report->from.family = report->to.family = report->family;
    if (report->protocol == IP_PROTO_UDP) {
        tell_udp(&np_lwip_plat, report);
    } else if (report->protocol == IP_PROTO_TCP) {
        tell_tcp(&np_lwip_plat, report);
    }
}

/* Never eats the packet: lwIP answers pings and counts the rest. */
static u8_t on_icmp4(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    uint8_t head[ICMP_HEAD], inner[HEAD_MAX + PORTS];
    struct report report = {.family = NP_FAMILY_IP4};
    uint16_t at = (uint16_t)ip_current_header_tot_len();
    (void)arg;
    (void)pcb;
    (void)from;
    if (pbuf_copy_partial(p, head, sizeof(head), at) != sizeof(head) || head[0] != ICMP_DUR ||
        head[1] == ICMP_DUR_FRAG) {
        return 0;
    }
    uint16_t len = pbuf_copy_partial(p, inner, sizeof(inner), (uint16_t)(at + ICMP_HEAD));
    uint32_t inner_head = (inner[0] & 15u) * 4u;
    if (len < 20 || inner[0] >> 4 != 4 || inner_head < 20 || len < inner_head + PORTS) {
        return 0;
    }
    report.protocol = inner[9];
    report.is_port = head[1] == ICMP_DUR_PORT;
    memcpy(report.from.ip, inner + 12, 4);
    memcpy(report.to.ip, inner + 16, 4);
    tell(&report, inner + inner_head);
    return 0;
}

static u8_t on_icmp6(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    uint8_t head[ICMP_HEAD], inner[40 + PORTS];
    struct report report = {.family = NP_FAMILY_IP6};
    uint16_t at = (uint16_t)ip_current_header_tot_len();
    (void)arg;
    (void)pcb;
    (void)from;
    if (pbuf_copy_partial(p, head, sizeof(head), at) != sizeof(head) || head[0] != ICMP6_TYPE_DUR) {
        return 0;
    }
    uint16_t len = pbuf_copy_partial(p, inner, sizeof(inner), (uint16_t)(at + ICMP_HEAD));
    if (len < sizeof(inner) || inner[0] >> 4 != 6) {
        return 0;
    }
    report.protocol = inner[6];
    report.is_port = head[1] == ICMP6_DUR_PORT;
    memcpy(report.from.ip, inner + 8, 16);
    memcpy(report.to.ip, inner + 24, 16);
    tell(&report, inner + 40);
    return 0;
}

bool np_lwip_icmp_open(struct np_plat *plat)
{
    plat->icmp4 = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
    plat->icmp6 = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);
    if (plat->icmp4 == NULL || plat->icmp6 == NULL) {
        return false;
    }
    raw_recv(plat->icmp4, on_icmp4, NULL);
    raw_recv(plat->icmp6, on_icmp6, NULL);
    return true;
}

void np_lwip_icmp_close(struct np_plat *plat)
{
    if (plat->icmp4 != NULL) {
        raw_remove(plat->icmp4);
    }
    if (plat->icmp6 != NULL) {
        raw_remove(plat->icmp6);
    }
    plat->icmp4 = plat->icmp6 = NULL;
}
