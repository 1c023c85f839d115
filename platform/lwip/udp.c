/* SPDX-License-Identifier: BSD-3-Clause */
/* udp: sockets with a short queue of datagrams, copied so that no buffer of the stack is held. */
#include <lwip/udp.h>

#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/ip.h>

/* Longest payload that can be sent: of any size where the stack cuts packets, else one frame. */
#define UDP4_MAX (IP_FRAG ? 65507u : 1472u)
#define UDP6_MAX (LWIP_IPV6_FRAG ? 65487u : 1452u)

void np_lwip_udp_init(struct np_plat *plat)
{
    for (uint16_t i = 0; i < NP_LWIP_DATAGRAMS; i++) {
        plat->datagrams[i].next = i + 1u < NP_LWIP_DATAGRAMS ? (uint16_t)(i + 1u) : NP_LWIP_NONE;
    }
    plat->datagrams_free = 0;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void insert(struct np_plat *plat, struct np_lwip_udp *u, uint16_t index)
{
    plat->datagrams[index].next = NP_LWIP_NONE;
    if (u->count++ == 0) {
        u->first = index;
    } else {
        plat->datagrams[u->last].next = index;
    }
    u->last = index;
}

static void drop_first(struct np_plat *plat, struct np_lwip_udp *u)
{
    uint16_t index = u->first;
    u->first = plat->datagrams[index].next;
    u->count--;
    plat->datagrams[index].next = plat->datagrams_free;
    plat->datagrams_free = index;
}

static void on_recv(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                    u16_t port)
{
    struct np_plat *plat = &np_lwip_plat;
    struct np_lwip_udp *u = arg;
    uint16_t index = plat->datagrams_free;
    (void)pcb;
    if (index == NP_LWIP_NONE || u->count >= NP_LWIP_UDP_QUEUE) {
        plat->stats.udp_dropped++; /* the newest one: the user sees the others in order */
        pbuf_free(p);
        return;
    }
    struct np_lwip_datagram *d = &plat->datagrams[index];
    struct np_addr to;
    plat->datagrams_free = d->next;
    d->len = p->tot_len;
    pbuf_copy_partial(p, np_lwip_datagram_mem[index], NP_LWIP_DATAGRAM_BYTES, 0);
    np_lwip_from_ip(&d->from, from, port);
    np_lwip_from_ip(&to, ip_current_dest_addr(), 0);
    memcpy(d->to_ip, to.ip, sizeof(d->to_ip));
    insert(plat, u, index);
    pbuf_free(p);
}

static void take(struct np_plat *plat, struct np_lwip_udp *u, struct np_datagram *out)
{
    const struct np_lwip_datagram *d = &plat->datagrams[u->first];
    uint32_t room = out->cap < NP_LWIP_DATAGRAM_BYTES ? out->cap : NP_LWIP_DATAGRAM_BYTES;
    out->truncated = d->len > room;
    out->len = d->len;
    memcpy(out->base, np_lwip_datagram_mem[u->first], out->truncated ? room : out->len);
    out->addr = d->from;
    out->has_local = true;
    memcpy(out->local_ip, d->to_ip, sizeof(out->local_ip));
    drop_first(plat, u);
}

static bool take_refused(struct np_lwip_udp *u)
{
    bool is_refused = (u->bits & NP_LWIP_IS_REFUSED) != 0;
    u->bits = 0;
    return is_refused;
}

int32_t np_plat_udp_recv(struct np_plat *plat, uint32_t handle, struct np_datagram *batch,
                         uint32_t count)
{
    struct np_lwip_udp *u = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_UDP);
    uint32_t done = 0;
    if (u == NULL) {
        return NP_ERR_STALE;
    }
    if (take_refused(u)) {
        return NP_ERR_REFUSED;
    }
    while (done < count && u->count > 0) {
        take(plat, u, &batch[done++]);
    }
    return done > 0 ? (int32_t)done : NP_ERR_AGAIN;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* lwIP wants a socket's own address to be that of the interface the packet leaves by. So what the
 * packet shall carry is given beside it. */
static err_t send_from(struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *to, uint16_t port,
                       const struct np_addr *own)
{
    ip_addr_t from;
    np_lwip_to_ip(&from, own);
    struct netif *netif = np_lwip_is_local(own) ? ip_route(&from, to) : NULL;
    if (netif == NULL) {
        return udp_sendto(pcb, p, to, port);
    }
    return udp_sendto_if_src(pcb, p, to, port, netif, &from);
}

static enum np_err send_one(struct np_lwip_udp *u, const struct np_datagram *in)
{
    const struct np_addr *addr = u->remote.family != 0 ? &u->remote : &in->addr;
    ip_addr_t to;
    err_t err;
    if (in->len > (addr->family == NP_FAMILY_IP6 ? UDP6_MAX : UDP4_MAX)) {
        return NP_ERR_TOO_LONG;
    }
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (uint16_t)in->len, PBUF_RAM);
    if (p == NULL) {
        return NP_ERR_AGAIN;
    }
    pbuf_take(p, in->base, (uint16_t)in->len);
    np_lwip_to_ip(&to, addr);
    if (u->remote.family == 0 && in->has_local) {
        struct np_addr own = in->addr;
        memcpy(own.ip, in->local_ip, sizeof(own.ip));
        err = send_from(u->pcb, p, &to, addr->port, &own);
    } else if (np_lwip_is_any(&u->local)) {
        err = udp_sendto(u->pcb, p, &to, addr->port);
    } else {
        err = send_from(u->pcb, p, &to, addr->port, &u->local);
    }
    pbuf_free(p);
    switch (err) {
    case ERR_OK:
        return NP_OK;
    case ERR_RTE:
    case ERR_VAL:
        return NP_ERR_UNREACHABLE;
    default:
        np_lwip_plat.stats.tx_no_room++; /* a datagram may get lost */
        return NP_OK;
    }
}

int32_t np_plat_udp_send(struct np_plat *plat, uint32_t handle, const struct np_datagram *batch,
                         uint32_t count)
{
    struct np_lwip_udp *u = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_UDP);
    if (u == NULL) {
        return NP_ERR_STALE;
    }
    if (take_refused(u)) {
        return NP_ERR_REFUSED;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum np_err err = send_one(u, &batch[i]);
        if (err != NP_OK) {
            return i > 0 ? (int32_t)i : (int32_t)err;
        }
    }
    return (int32_t)count;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum np_err open_socket(struct np_lwip_udp *u, const struct np_addr *local,
                               const struct np_addr *remote)
{
    ip_addr_t ip;
    struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    np_lwip_to_ip(&ip, local);
    err_t err = udp_bind(pcb, &ip, local->port);
    if (err == ERR_OK && remote != NULL) {
        np_lwip_to_ip(&ip, remote);
        err = udp_connect(pcb, &ip, remote->port);
    }
    if (err != ERR_OK) {
        udp_remove(pcb);
        return np_lwip_err(err);
    }
    udp_recv(pcb, on_recv, u);
    u->pcb = pcb;
    u->local = *local;
    u->local.port = pcb->local_port;
    u->count = 0;
    u->bits = 0;
    memset(&u->remote, 0, sizeof(u->remote));
    if (remote != NULL) {
        u->remote = *remote;
        np_addr_unmap(&u->remote);
    }
    return NP_OK;
}

enum np_err np_plat_udp_open(struct np_plat *plat, const struct np_addr *local,
                             const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    struct np_addr at = {0}, own = {0};
    if (local != NULL) {
        at = *local;
    }
    if (at.family == NP_FAMILY_IP6 && np_lwip_is_any(&at)) {
        at.family = NP_FAMILY_NONE;
    }
    if (!np_lwip_is_any(&at) && !np_lwip_is_local(&at)) {
        return NP_ERR_ADDR_NOT_LOCAL;
    }
    if (remote != NULL && !np_lwip_pick_local(remote, &own)) {
        return NP_ERR_UNREACHABLE;
    }
    struct np_lwip_udp *u = (void *)np_lwip_find_free(plat, NP_LWIP_IS_UDP);
    enum np_err err = u == NULL ? NP_ERR_NO_HANDLES : open_socket(u, &at, remote);
    if (err != NP_OK) {
        return err;
    }
    if (np_lwip_is_any(&u->local) && own.family != NP_FAMILY_NONE) {
        own.port = u->local.port;
        u->local = own;
    }
    *handle = np_lwip_open_head(plat, &u->head, tag);
    return NP_OK;
}

void np_lwip_udp_close(struct np_plat *plat, struct np_lwip_udp *u)
{
    while (u->count > 0) {
        drop_first(plat, u);
    }
    udp_remove(u->pcb);
    u->pcb = NULL;
}
