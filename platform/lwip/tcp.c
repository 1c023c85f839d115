/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp: the life of connections: listening, accepting, connecting, ending, and what lwIP reports.
 * Bytes are in tcp_io.c. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include <string.h>

#include "platform/lwip/lwip_priv.h"

#define KEEPALIVE_PROBES 3u
#define ORPHAN_POLL 2u /* half seconds between two looks at an orphan */

static struct np_plat *plat_of(void)
{
    return &np_lwip_plat;
}

static uint32_t now_ms32(void)
{
    return (uint32_t)np_plat_now_ms(plat_of());
}

/* ---- what lwIP reports ----------------------------------------------------------------------- */

static void store(struct np_lwip_tcp *t, const struct pbuf *p)
{
    uint8_t *ring = np_lwip_rings[t - plat_of()->tcp];
    for (uint16_t done = 0; done < p->tot_len;) {
        uint32_t at = (t->ring_at + t->ring_used) % NP_LWIP_WND;
        uint32_t len = NP_LWIP_WND - at;
        len = len < (uint32_t)(p->tot_len - done) ? len : (uint32_t)(p->tot_len - done);
        pbuf_copy_partial(p, ring + at, (uint16_t)len, done);
        t->ring_used += len;
        done = (uint16_t)(done + len);
    }
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct np_lwip_tcp *t = arg;
    (void)pcb;
    (void)err;
    if (p == NULL) {
        t->bits |= NP_LWIP_GOT_FIN;
        if ((t->bits & NP_LWIP_SHUT) != 0) {
            np_lwip_tcp_orphan(t);
        }
        return ERR_OK;
    }
    if (p->tot_len > NP_LWIP_WND - t->ring_used) {
        return ERR_MEM; /* never: the window is what the ring has room for */
    }
    store(t, p);
    pbuf_free(p); /* at once: a stalled reader holds no buffer of the stack */
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct np_lwip_tcp *t = arg;
    (void)pcb;
    (void)len;
    t->since_ms = np_plat_now_ms(plat_of());
    plat_of()->room_count++;
    return ERR_OK;
}

/* Every half second. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void)arg;
    (void)pcb;
    plat_of()->room_count++;
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct np_lwip_tcp *t = arg;
    (void)err; /* always ERR_OK */
    t->bits |= NP_LWIP_CONNECTED;
    t->since_ms = np_plat_now_ms(plat_of());
    np_lwip_from_ip(&t->local, &pcb->local_ip, pcb->local_port);
    return ERR_OK;
}

static enum np_err why(const struct np_lwip_tcp *t, err_t err)
{
    if (err == ERR_RST) {
        return (t->bits & NP_LWIP_CONNECTED) == 0 ? NP_ERR_REFUSED : NP_ERR_RESET;
    }
    return np_lwip_err(err);
}

/* The pcb is freed already. */
static void on_err(void *arg, err_t err)
{
    struct np_lwip_tcp *t = arg;
    struct np_plat *plat = plat_of();
    t->pcb = NULL;
    plat->room_count++;
    if (t->head.state == NP_LWIP_PENDING) {
        plat->pending_count--;
        np_lwip_release(plat, &t->head);
    } else if (err != ERR_CLSD) { /* CLSD: both directions have ended in order */
        t->fault = (int8_t)why(t, err);
    }
}

void np_lwip_tcp_attach(struct np_lwip_tcp *t, struct tcp_pcb *pcb)
{
    struct np_lwip_head head = t->head;
    memset(t, 0, sizeof(*t));
    t->head = head;
    t->pcb = pcb;
    t->since_ms = np_plat_now_ms(plat_of());
    tcp_arg(pcb, t);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, 1);
    tcp_err(pcb, on_err);
    tcp_nagle_disable(pcb);
    /* a newcomer never pushes it out; orphans have the lowest priority */
    tcp_setprio(pcb, TCP_PRIO_NORMAL);
}

/* ---- letting go ------------------------------------------------------------------------------ */

static void detach(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
}

static err_t on_orphan_poll(void *arg, struct tcp_pcb *pcb)
{
    uint32_t until_ms = (uint32_t)(uintptr_t)arg;
    plat_of()->room_count++;
    if ((int32_t)(now_ms32() - until_ms) < 0) {
        return ERR_OK;
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

void np_lwip_tcp_orphan(struct np_lwip_tcp *t)
{
    struct tcp_pcb *pcb = t->pcb;
    if (pcb == NULL) {
        return;
    }
    t->pcb = NULL;
    detach(pcb);
    tcp_arg(pcb, (void *)(uintptr_t)(now_ms32() + NP_LWIP_ORPHAN_MS));
    tcp_poll(pcb, on_orphan_poll, ORPHAN_POLL);
    tcp_setprio(pcb, TCP_PRIO_MIN);
}

void np_lwip_tcp_fail(struct np_lwip_tcp *t, enum np_err err)
{
    struct tcp_pcb *pcb = t->pcb;
    if (pcb != NULL) {
        t->pcb = NULL;
        t->fault = (int8_t)err;
        detach(pcb);
        tcp_abort(pcb);
        plat_of()->room_count++;
    }
}

void np_plat_tcp_shutdown_tx(struct np_plat *plat, uint32_t handle)
{
    struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    if (t == NULL || t->pcb == NULL || (t->bits & NP_LWIP_SHUT) != 0 ||
        (t->bits & NP_LWIP_CONNECTED) == 0) {
        return;
    }
    t->bits |= NP_LWIP_SHUT;
    tcp_shutdown(t->pcb, 0, 1); /* without memory lwIP tries again by itself */
    if ((t->bits & NP_LWIP_GOT_FIN) != 0) {
        np_lwip_tcp_orphan(t);
    }
}

void np_plat_tcp_close(struct np_plat *plat, uint32_t handle)
{
    struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    if (t == NULL) {
        return;
    }
    struct tcp_pcb *pcb = t->pcb;
    np_lwip_tcp_orphan(t);
    np_lwip_release(plat, &t->head);
    if (pcb != NULL) {
        tcp_close(pcb);
        plat->room_count++;
    }
}

void np_plat_tcp_abort(struct np_plat *plat, uint32_t handle)
{
    struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    if (t != NULL) {
        np_lwip_tcp_fail(t, NP_ERR_CANCELED);
        np_lwip_release(plat, &t->head);
    }
}

/* ---- listening ------------------------------------------------------------------------------- */

/* How many more visitors may come: each takes a place now and one for the other leg of its session
 * later, which is kept for those who wait and for those whose handshake is under way. */
static uint32_t count_admitted(const struct np_plat *plat)
{
    uint32_t coming = 0, free = np_lwip_tcp_free(plat);
    for (uint32_t i = 0; i < NP_LWIP_LISTENERS; i++) {
        const struct tcp_pcb_listen *pcb = (const void *)plat->listeners[i].pcb;
        coming += pcb == NULL ? 0 : pcb->accepts_pending;
    }
    uint32_t kept = plat->pending_count + 2u * (coming - plat->pending_count);
    return free > kept ? (free - kept) / 2u : 0;
}

/* While no place is free lwIP overlooks the SYNs of visitors, who repeat them: they wait, as in a
 * backlog that is full. */
void np_lwip_tcp_admit(struct np_plat *plat)
{
    uint32_t more = count_admitted(plat);
    for (uint32_t i = 0; i < NP_LWIP_LISTENERS; i++) {
        struct tcp_pcb_listen *pcb = (void *)plat->listeners[i].pcb;
        if (pcb != NULL) {
            uint32_t backlog = pcb->accepts_pending + more;
            pcb->backlog = (uint8_t)(backlog < NP_LWIP_BACKLOG ? backlog : NP_LWIP_BACKLOG);
        }
    }
    plat->stats.places_full += more == 0 && !plat->is_full;
    plat->is_full = more == 0;
}

/* A visitor waits in a place of its own. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct np_plat *plat = plat_of();
    struct np_lwip_listener *l = arg;
    struct np_lwip_tcp *t = NULL;
    if (err != ERR_OK || pcb == NULL) {
        plat->stats.accept_refused++; /* no pcb was free */
        return ERR_VAL;
    }
    if (np_lwip_tcp_free(plat) > plat->pending_count) {
        for (t = plat->tcp; t->head.state != NP_LWIP_FREE;) {
            t++;
        }
    }
    if (t == NULL) {
        plat->stats.accept_refused++;
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    np_lwip_tcp_attach(t, pcb);
    t->bits = NP_LWIP_CONNECTED;
    t->head.state = NP_LWIP_PENDING;
    t->head.want = 0;
    t->listener = (uint16_t)(l - plat->listeners);
    t->order = plat->pending_order++;
    plat->pending_count++;
    np_lwip_from_ip(&t->local, &pcb->local_ip, pcb->local_port);
    np_lwip_from_ip(&t->peer, &pcb->remote_ip, pcb->remote_port);
    tcp_backlog_delayed(pcb);
    return ERR_OK;
}

static bool is_taken(const struct np_plat *plat, const struct np_addr *local)
{
    for (uint32_t i = 0; i < NP_LWIP_LISTENERS; i++) {
        const struct np_addr *other = &plat->listeners[i].local;
        if (plat->listeners[i].head.state == NP_LWIP_FREE || other->port != local->port) {
            continue;
        }
        bool is_both = other->family == NP_FAMILY_NONE || local->family == NP_FAMILY_NONE;
        bool is_same =
            other->family == local->family &&
            (np_lwip_is_any(other) || np_lwip_is_any(local) || np_addr_is_same_host(other, local));
        if (is_both || is_same) {
            return true;
        }
    }
    return false;
}

static enum np_err listen_on(struct np_lwip_listener *l, const struct np_addr *local)
{
    ip_addr_t ip;
    err_t err;
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listening;
    if (pcb == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    ip_set_option(pcb, SOF_REUSEADDR); /* TIME_WAIT would hold the port for minutes */
    np_lwip_to_ip(&ip, local);
    err = tcp_bind(pcb, &ip, local->port);
    listening = err != ERR_OK ? NULL : tcp_listen_with_backlog_and_err(pcb, NP_LWIP_BACKLOG, &err);
    if (listening == NULL) {
        tcp_abort(pcb);
        return err == ERR_MEM ? NP_ERR_NO_HANDLES : np_lwip_err(err);
    }
    l->pcb = listening;
    l->local = *local;
    l->local.port = listening->local_port;
    l->quiet_until_ms = 0;
    l->keepalive_ms = 0;
    tcp_arg(listening, l);
    tcp_accept(listening, on_accept);
    return NP_OK;
}

enum np_err np_plat_tcp_listen(struct np_plat *plat, const struct np_addr *local, uint32_t tag,
                               uint32_t *handle)
{
    struct np_addr at = *local;
    if (at.family == NP_FAMILY_IP6 && np_lwip_is_any(&at)) {
        at.family = NP_FAMILY_NONE; /* [::] is both families */
    }
    if (!np_lwip_is_any(&at) && !np_lwip_is_local(&at)) {
        return NP_ERR_ADDR_NOT_LOCAL;
    }
    if (at.port != 0 && is_taken(plat, &at)) {
        return NP_ERR_ADDR_IN_USE;
    }
    struct np_lwip_listener *l = (void *)np_lwip_find_free(plat, NP_LWIP_IS_LISTENER);
    enum np_err err = l == NULL ? NP_ERR_NO_HANDLES : listen_on(l, &at);
    if (err == NP_OK) {
        *handle = np_lwip_open_head(plat, &l->head, tag);
    }
    return err;
}

void np_lwip_listener_close(struct np_plat *plat, struct np_lwip_listener *l)
{
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        struct np_lwip_tcp *t = &plat->tcp[i];
        if (t->head.state == NP_LWIP_PENDING && &plat->listeners[t->listener] == l) {
            np_lwip_tcp_fail(t, NP_ERR_CANCELED);
            np_lwip_release(plat, &t->head);
            plat->pending_count--;
        }
    }
    tcp_close(l->pcb);
    l->pcb = NULL;
}

/* The one that waits longest. */
static struct np_lwip_tcp *find_pending(struct np_plat *plat, const struct np_lwip_listener *l)
{
    struct np_lwip_tcp *best = NULL;
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        struct np_lwip_tcp *t = &plat->tcp[i];
        if (t->head.state == NP_LWIP_PENDING && &plat->listeners[t->listener] == l &&
            (best == NULL || (int16_t)(t->order - best->order) < 0)) {
            best = t;
        }
    }
    return best;
}

uint32_t np_lwip_listener_events(const struct np_plat *plat, const struct np_lwip_listener *l,
                                 uint64_t now_ms)
{
    if (plat->pending_count == 0 || now_ms < l->quiet_until_ms) {
        return 0;
    }
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        if (plat->tcp[i].head.state == NP_LWIP_PENDING &&
            &plat->listeners[plat->tcp[i].listener] == l) {
            return NP_EV_READ;
        }
    }
    return 0;
}

static void set_keepalive(struct tcp_pcb *pcb, uint32_t period_ms)
{
    if (period_ms == 0) {
        ip_reset_option(pcb, SOF_KEEPALIVE);
        return;
    }
    pcb->keep_idle = period_ms < 1000 ? 1000 : period_ms;
    pcb->keep_intvl = pcb->keep_idle;
    pcb->keep_cnt = KEEPALIVE_PROBES;
    ip_set_option(pcb, SOF_KEEPALIVE);
}

enum np_err np_plat_tcp_accept(struct np_plat *plat, uint32_t listener, uint32_t tag,
                               uint32_t *handle, struct np_addr *peer)
{
    struct np_lwip_listener *l = (void *)np_lwip_get(plat, listener, NP_LWIP_IS_LISTENER);
    if (l == NULL) {
        return NP_ERR_STALE;
    }
    struct np_lwip_tcp *t = find_pending(plat, l);
    if (t == NULL) {
        return NP_ERR_AGAIN;
    }
    if (plat->handles_used >= plat->handles_cap || np_lwip_tcp_free(plat) == 0) {
        l->quiet_until_ms = np_plat_now_ms(plat) + NP_LWIP_MUTE_MS;
        return NP_ERR_NO_HANDLES;
    }
    plat->pending_count--;
    if (t->pcb != NULL) {
        tcp_backlog_accepted(t->pcb);
        set_keepalive(t->pcb, l->keepalive_ms);
    }
    *peer = t->peer;
    *handle = np_lwip_open_head(plat, &t->head, tag);
    return NP_OK;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static enum np_err connect_to(struct np_lwip_tcp *t, const struct np_addr *source,
                              const struct np_addr *remote)
{
    ip_addr_t ip;
    err_t err = ERR_OK;
    np_lwip_to_ip(&ip, remote);
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&ip));
    if (pcb == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    np_lwip_tcp_attach(t, pcb);
    if (source != NULL && source->family != NP_FAMILY_NONE) {
        ip_addr_t from;
        np_lwip_to_ip(&from, source);
        err = tcp_bind(pcb, &from, source->port);
    }
    if (err == ERR_OK) {
        err = tcp_connect(pcb, &ip, remote->port, on_connected);
    }
    if (err != ERR_OK) {
        detach(pcb);
        t->pcb = NULL;
        tcp_abort(pcb);
        return np_lwip_err(err);
    }
    np_lwip_from_ip(&t->local, &pcb->local_ip, pcb->local_port);
    t->peer = *remote;
    np_addr_unmap(&t->peer);
    return NP_OK;
}

enum np_err np_plat_tcp_connect(struct np_plat *plat, const struct np_addr *source,
                                const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    struct np_addr to = *remote;
    np_addr_unmap(&to);
    if (source != NULL && !np_lwip_is_any(source) && !np_lwip_is_local(source)) {
        return NP_ERR_ADDR_NOT_LOCAL;
    }
    struct np_lwip_tcp *t = (void *)np_lwip_find_free(plat, NP_LWIP_IS_TCP);
    if (t == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    enum np_err err = connect_to(t, source, &to);
    if (err == NP_OK) {
        *handle = np_lwip_open_head(plat, &t->head, tag);
    }
    return err;
}

enum np_err np_plat_tcp_connect_result(struct np_plat *plat, uint32_t handle)
{
    const struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    if (t == NULL) {
        return NP_ERR_STALE;
    }
    if ((t->bits & NP_LWIP_CONNECTED) != 0) {
        return NP_OK;
    }
    return t->fault != 0 ? (enum np_err)t->fault : NP_ERR_AGAIN;
}

/* ---- options and time-outs ------------------------------------------------------------------- */

void np_plat_tcp_keepalive(struct np_plat *plat, uint32_t handle, uint32_t period_ms)
{
    struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    struct np_lwip_listener *l = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_LISTENER);
    if (t != NULL && t->pcb != NULL) {
        set_keepalive(t->pcb, period_ms);
    } else if (l != NULL) {
        l->keepalive_ms = period_ms;
    }
}

void np_plat_tcp_user_timeout(struct np_plat *plat, uint32_t handle, uint32_t ms)
{
    struct np_lwip_tcp *t = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
    if (t != NULL) {
        t->user_timeout_ms = ms;
    }
}

/* Handshakes that the visitor does not go on with keep places from others; lwIP's own limit is
 * 20 s. The address may be forged, so that nothing is sent to it. */
static void end_half_open(struct np_plat *plat)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs, *next; pcb != NULL; pcb = next) {
        next = pcb->next;
        if (pcb->state == SYN_RCVD && pcb->listener != NULL &&
            (tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL > NP_LWIP_SYN_MS) {
            tcp_abandon(pcb, 0);
            plat->stats.half_open++;
        }
    }
}

void np_lwip_tcp_tick(struct np_plat *plat, uint64_t now_ms)
{
    end_half_open(plat);
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        struct np_lwip_tcp *t = &plat->tcp[i];
        if (t->head.state != NP_LWIP_OPEN || t->pcb == NULL) {
            continue;
        }
        uint32_t limit_ms = t->user_timeout_ms;
        if ((t->bits & NP_LWIP_CONNECTED) == 0) {
            limit_ms = NP_LWIP_CONNECT_MS;
        } else if (tcp_sndqueuelen(t->pcb) == 0) {
            t->since_ms = now_ms; /* nothing is under way */
        }
        if (limit_ms != 0 && now_ms - t->since_ms > limit_ms) {
            np_lwip_tcp_fail(t, NP_ERR_TIMED_OUT);
        }
    }
}
