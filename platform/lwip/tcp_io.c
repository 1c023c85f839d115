/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_io: bytes of connections: from the ring to the user, from the user to lwIP. */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/tcp.h>

#define RECVED_MAX 0xffffu /* bytes that tcp_recved takes at a time */
/* There is room for sending from so many bytes on: less would make segments of a few bytes. */
#define LOW_WATER (NP_LWIP_SND_BUF / 2 < NP_LWIP_MSS ? NP_LWIP_SND_BUF / 2 : NP_LWIP_MSS)

static struct np_lwip_tcp *get(struct np_plat *plat, uint32_t handle)
{
    return (void *)np_lwip_get(plat, handle, NP_LWIP_IS_TCP);
}

/* ---- readiness ------------------------------------------------------------------------------- */

static bool has_room(const struct np_plat *plat, const struct np_lwip_tcp *t)
{
    bool is_blocked = (t->bits & NP_LWIP_TX_BLOCKED) != 0 && t->blocked_at == plat->room_count;
    return !is_blocked && tcp_sndbuf(t->pcb) >= LOW_WATER &&
           tcp_sndqueuelen(t->pcb) < TCP_SND_QUEUELEN;
}

uint32_t np_lwip_tcp_events(const struct np_plat *plat, const struct np_lwip_tcp *t)
{
    uint32_t events = 0;
    if (t->ring_used > 0) {
        events = t->head.want & NP_EV_READ;
    } else if (t->fault != 0) {
        return (t->bits & NP_LWIP_EOF_TOLD) != 0 && (t->bits & NP_LWIP_GOT_FIN) == 0
                   ? 0 /* over, and the user knows */
                   : NP_EV_ERROR | t->head.want;
    } else if ((t->bits & (NP_LWIP_GOT_FIN | NP_LWIP_EOF_TOLD)) == NP_LWIP_GOT_FIN) {
        events = t->head.want & NP_EV_READ;
    }
    if ((t->head.want & NP_EV_WRITE) != 0 && t->pcb != NULL &&
        (t->bits & (NP_LWIP_CONNECTED | NP_LWIP_SHUT)) == NP_LWIP_CONNECTED && has_room(plat, t)) {
        events |= NP_EV_WRITE;
    }
    return events;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* What a receiving call returns when no bytes are there. */
static int32_t rx_result(struct np_lwip_tcp *t)
{
    if ((t->bits & NP_LWIP_GOT_FIN) != 0) {
        t->bits |= NP_LWIP_EOF_TOLD;
        return NP_ERR_EOF;
    }
    if (t->fault != 0) {
        t->bits |= NP_LWIP_EOF_TOLD;
        return t->fault;
    }
    return NP_ERR_AGAIN;
}

int32_t np_plat_tcp_peek(struct np_plat *plat, uint32_t handle, const uint8_t **span)
{
    struct np_lwip_tcp *t = get(plat, handle);
    if (t == NULL) {
        return NP_ERR_STALE;
    }
    if (t->ring_used == 0) {
        return rx_result(t);
    }
    uint32_t len = NP_LWIP_WND - t->ring_at;
    *span = np_lwip_rings[t - plat->tcp] + t->ring_at;
    return (int32_t)(len < t->ring_used ? len : t->ring_used);
}

static void take(struct np_lwip_tcp *t, uint32_t len)
{
    len = len < t->ring_used ? len : t->ring_used;
    t->ring_at = (t->ring_at + len) % NP_LWIP_WND;
    t->ring_used -= len;
    for (uint32_t step; len > 0 && t->pcb != NULL; len -= step) {
        step = len < RECVED_MAX ? len : RECVED_MAX;
        tcp_recved(t->pcb, (uint16_t)step);
    }
}

void np_plat_tcp_consume(struct np_plat *plat, uint32_t handle, uint32_t len)
{
    struct np_lwip_tcp *t = get(plat, handle);
    if (t != NULL) {
        take(t, len);
    }
}

int32_t np_plat_tcp_recv(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap)
{
    struct np_lwip_tcp *t = get(plat, handle);
    uint32_t done = 0;
    if (t == NULL) {
        return NP_ERR_STALE;
    }
    if (t->ring_used == 0) {
        return rx_result(t);
    }
    while (done < cap && t->ring_used > 0) {
        const uint8_t *span;
        uint32_t len = (uint32_t)np_plat_tcp_peek(plat, handle, &span);
        len = len < cap - done ? len : cap - done;
        memcpy(buf + done, span, len);
        take(t, len);
        done += len;
    }
    return (int32_t)done;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* What a sending call returns if it can't send at all; NP_OK if it can. */
static enum np_err tx_result(const struct np_plat *plat, const struct np_lwip_tcp *t)
{
    if (t->fault != 0) {
        return (enum np_err)t->fault;
    }
    if ((t->bits & NP_LWIP_SHUT) != 0 || (t->pcb == NULL)) {
        return NP_ERR_RESET;
    }
    if ((t->bits & NP_LWIP_CONNECTED) == 0 || !has_room(plat, t)) {
        return NP_ERR_AGAIN;
    }
    return NP_OK;
}

/* tcp_write is all or nothing: asks for what fits, then for less, down to one segment. Returns how
 * many bytes lwIP took. */
static uint32_t write_some(struct np_plat *plat, struct np_lwip_tcp *t, const uint8_t *buf,
                           uint32_t len)
{
    uint32_t room = tcp_sndbuf(t->pcb);
    len = len < room ? len : room;
    t->bits = (uint8_t)(t->bits & ~NP_LWIP_TX_BLOCKED);
    if (tcp_sndqueuelen(t->pcb) == 0) {
        t->since_ms = np_plat_now_ms(plat);
    }
    while (len > 0) {
        err_t err = tcp_write(t->pcb, buf, (uint16_t)len, TCP_WRITE_FLAG_COPY);
        if (err == ERR_OK) {
            return len;
        }
        len = err == ERR_MEM && len > NP_LWIP_MSS ? len / 2 : 0;
    }
    t->bits |= NP_LWIP_TX_BLOCKED; /* until something is acknowledged or half a second passed */
    t->blocked_at = plat->room_count;
    return 0;
}

static int32_t finish(struct np_lwip_tcp *t, uint32_t done)
{
    if (done == 0) {
        return NP_ERR_AGAIN;
    }
    tcp_output(t->pcb);
    return (int32_t)done;
}

int32_t np_plat_tcp_send(struct np_plat *plat, uint32_t handle, const uint8_t *buf, uint32_t len)
{
    struct np_span span = {buf, len};
    return np_plat_tcp_sendv(plat, handle, &span, 1);
}

/* Small spans travel together: each piece costs lwIP's heap a head. Returns how many of them. */
static uint32_t gather(uint8_t *mem, const struct np_span *spans, uint32_t count, uint32_t *len)
{
    uint32_t n = 0;
    *len = 0;
    while (n < count && spans[n].len <= NP_LWIP_MSS - *len) {
        memcpy(mem + *len, spans[n].base, spans[n].len);
        *len += spans[n++].len;
    }
    return n;
}

int32_t np_plat_tcp_sendv(struct np_plat *plat, uint32_t handle, const struct np_span *spans,
                          uint32_t count)
{
    static uint8_t gathered[NP_LWIP_MSS];
    struct np_lwip_tcp *t = get(plat, handle);
    enum np_err err = t == NULL ? NP_ERR_STALE : tx_result(plat, t);
    uint32_t done = 0;
    if (err != NP_OK) {
        return err;
    }
    for (uint32_t i = 0, n; i < count; i += n) {
        uint32_t len = spans[i].len;
        const uint8_t *base = spans[i].base;
        n = 1;
        if (count > 1 && len < NP_LWIP_MSS) {
            n = gather(gathered, spans + i, count - i, &len);
            base = gathered;
        }
        uint32_t taken = 0;
        for (uint32_t piece = 1; taken < len && piece > 0; taken += piece) {
            piece = write_some(plat, t, base + taken, len - taken);
        }
        done += taken;
        if (taken < len) {
            break;
        }
    }
    return finish(t, done);
}

enum np_err np_plat_tcp_splice(struct np_plat *plat, uint32_t from, uint32_t to, uint32_t max,
                               struct np_splice *result)
{
    (void)plat;
    (void)from;
    (void)to;
    (void)max;
    memset(result, 0, sizeof(*result));
    return NP_ERR_UNSUPPORTED;
}
