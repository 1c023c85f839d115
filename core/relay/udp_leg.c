/* SPDX-License-Identifier: BSD-3-Clause */
/* udp_leg: the pool connection of a UDP session as a place for datagrams.
 *
 * Over plain TCP each datagram is framed if both ends are ours; towards a Go peer it is one send
 * call, and one read is one datagram. Over TLS each is a record of its own. What can't be passed on
 * at once waits in one pooled buffer, as [len|bytes]; beyond that datagrams are dropped and
 * counted.
 */
#include "core/relay/udp_leg.h"

#include <string.h>

#include "core/np_app_state.h"

#define RECORDS_A_TURN 256u

/* ---- sending ------------------------------------------------------------- */

/* Keeps [len|bytes] for later; false (and counted) when there is no room. */
bool np_udp_leg_enqueue(struct np_session *session, const struct np_datagram *datagram)
{
    struct np_app *app = session->instance->app;
    struct np_udp_link *udp = &session->udp;
    uint32_t need = datagram->len + NP_UDPFRAME_HEADER;

    if (udp->out == 0 && np_pool_acquire(&app->buffers, &udp->out) == NULL) {
        udp->out = 0;
        np_udp_count_drop(session, 1, "no buffer free");
        return false;
    }
    if (need > app->plan.buffer_bytes - udp->out_len) {
        np_udp_count_drop(session, 1, "the tunnel is slower than its visitors");
        return false;
    }
    uint8_t *at = (uint8_t *)np_pool_get(&app->buffers, udp->out) + udp->out_len;
    np_udpframe_put(at, datagram->len);
    memcpy(at + NP_UDPFRAME_HEADER, datagram->base, datagram->len);
    udp->out_len += need;
    return true;
}

void np_udp_leg_drop(struct np_session *session)
{
    np_pool_release(&session->instance->app->buffers, session->udp.out);
    session->udp.out = 0;
    session->udp.out_len = session->udp.out_sent = 0;
}

/* The next piece to send of what was kept: framed, all of it; unframed, the rest of one datagram.
 */
static struct np_span next_piece(const struct np_udp_link *udp, const uint8_t *base)
{
    struct np_span piece = {base + udp->out_sent, udp->out_len - udp->out_sent};

    if (!udp->is_framed) {
        uint32_t at = 0; /* start of the entry that out_sent lies in */
        uint32_t end = NP_UDPFRAME_HEADER + np_udpframe_len(base);
        while (udp->out_sent >= end) {
            at = end;
            end += NP_UDPFRAME_HEADER + np_udpframe_len(base + at);
        }
        uint32_t skip = udp->out_sent > at ? 0 : NP_UDPFRAME_HEADER;
        piece.base += skip;
        piece.len = end - udp->out_sent - skip;
    }
    return piece;
}

static struct np_channel *channel_of(const struct np_session *session)
{
    return np_channel_is_set(session->channel)
               ? np_channel_get(session->instance->app, session->channel)
               : NULL;
}

/* Bytes of one datagram: over TLS a record of its own, which goes out with the next flush. Returns
 * how many were taken, AGAIN, or why not. */
static int32_t transmit(struct np_session *session, const uint8_t *base, uint32_t len)
{
    struct np_channel *channel = channel_of(session);

    if (channel == NULL) {
        struct np_plat *plat = session->instance->app->plat;
        return len == 0 ? 0 : np_plat_tcp_send(plat, session->legs[1], base, len);
    }
    enum np_err err = np_channel_send(channel, base, len);
    if (err == NP_ERR_AGAIN && np_channel_flush(channel) == NP_OK) {
        err = np_channel_send(channel, base, len);
    }
    if (err == NP_ERR_TOO_LONG) {
        np_udp_count_drop(session, 1, "longer than a TLS record");
        err = NP_OK;
    }
    return err == NP_OK ? (int32_t)len : err;
}

/* What to watch the pool connection for: more to come, and room if something waits. */
static void update_interest(struct np_session *session)
{
    struct np_channel *channel = channel_of(session);
    uint32_t mask = NP_EV_READ | (session->udp.out != 0 ? NP_EV_WRITE : 0);

    if (channel != NULL) {
        mask = np_channel_interest(channel, mask);
    }
    np_plat_interest(session->instance->app->plat, session->legs[1], mask);
}

/* TLS: sends the records made so far. NP_OK also when some wait for room. */
static enum np_err flush_channel(struct np_session *session)
{
    struct np_channel *channel = channel_of(session);
    enum np_err err = channel == NULL ? NP_OK : np_channel_flush(channel);

    return err == NP_ERR_AGAIN ? NP_OK : err;
}

/* Sends what was kept. NP_OK when nothing is left, AGAIN, or why the connection failed. */
static enum np_err flush_out(struct np_session *session)
{
    struct np_app *app = session->instance->app;
    struct np_udp_link *udp = &session->udp;

    while (udp->out_len > udp->out_sent) {
        const uint8_t *base = np_pool_get(&app->buffers, udp->out);
        struct np_span piece = next_piece(udp, base);
        int32_t sent = transmit(session, piece.base, piece.len);
        if (sent < 0) {
            return (enum np_err)sent;
        }
        udp->out_sent = (uint32_t)(piece.base - base) + (uint32_t)sent;
    }
    if (udp->out != 0) {
        np_udp_leg_drop(session);
    }
    return flush_channel(session);
}

/* `sent` bytes of the framed datagrams [first, count) went out: keeps the rest of a torn one whole,
 * the others as they are. */
static void keep_rest(struct np_session *session, const struct np_datagram *batch, uint32_t count,
                      uint32_t sent)
{
    struct np_udp_link *udp = &session->udp;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = batch[i].len + NP_UDPFRAME_HEADER;
        if (sent >= size) {
            sent -= size;
            continue;
        }
        bool is_first = udp->out_len == 0;
        if (!np_udp_leg_enqueue(session, &batch[i])) {
            if (sent > 0) { /* a torn frame can't be healed */
                np_session_abort(session, NP_ERR_NO_MEMORY);
                return;
            }
            continue;
        }
        if (is_first) {
            udp->out_sent = sent;
        }
        sent = 0;
    }
}

/* Framed: all datagrams in one call to the stack. */
static int32_t send_framed(struct np_session *session, const struct np_datagram *batch,
                           uint32_t count)
{
    struct np_span spans[2 * NP_UDP_BATCH];
    uint8_t headers[NP_UDP_BATCH][NP_UDPFRAME_HEADER];
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        np_udpframe_put(headers[i], batch[i].len);
        spans[n].base = headers[i];
        spans[n++].len = NP_UDPFRAME_HEADER;
        if (batch[i].len > 0) {
            spans[n].base = batch[i].base;
            spans[n++].len = batch[i].len;
        }
    }
    return np_plat_tcp_sendv(session->instance->app->plat, session->legs[1], spans, n);
}

/* Unframed: each datagram is a send call or a TLS record of its own; without TLS an empty one can't
 * be carried. */
static int32_t send_plain(struct np_session *session, const struct np_datagram *datagram)
{
    if (datagram->len == 0 && !np_channel_is_set(session->channel)) {
        np_udp_count_drop(session, 1, "empty, and the peer knows no frames");
        return (int32_t)NP_UDPFRAME_HEADER;
    }
    int32_t sent = transmit(session, datagram->base, datagram->len);
    return sent < 0 ? sent : sent + (int32_t)NP_UDPFRAME_HEADER; /* counted as if framed */
}

/* After bytes were given: ends the session if that failed, else watches for what is due. */
static void end_or_watch(struct np_session *session, enum np_err err)
{
    if (err != NP_OK && err != NP_ERR_AGAIN) {
        np_session_abort(session, err);
    } else {
        update_interest(session);
    }
}

void np_udp_leg_flush(struct np_session *session)
{
    end_or_watch(session, flush_out(session));
}

/* Passes `count` datagrams to the pool connection; the session may be gone afterwards. */
void np_udp_leg_feed(struct np_session *session, const struct np_datagram *batch, uint32_t count)
{
    uint32_t self = session->self;
    struct np_pool *sessions = &session->instance->app->sessions;

    while (count > 0) {
        uint32_t step = session->udp.is_framed ? count : 1;
        uint32_t size = 0;
        int32_t sent = 0;
        for (uint32_t i = 0; i < step; i++) {
            size += batch[i].len + NP_UDPFRAME_HEADER;
        }
        if (session->udp.out == 0 && session->state == NP_SESSION_RELAYING) {
            sent = session->udp.is_framed ? send_framed(session, batch, step)
                                          : send_plain(session, batch);
            if (sent < 0 && sent != NP_ERR_AGAIN) {
                np_session_abort(session, (enum np_err)sent);
                return;
            }
        }
        if (sent < (int32_t)size) {
            keep_rest(session, batch, step, sent < 0 ? 0 : (uint32_t)sent);
            if (np_pool_get(sessions, self) == NULL) {
                return;
            }
            if (session->state == NP_SESSION_RELAYING) {
                update_interest(session);
            }
        }
        batch += step;
        count -= step;
    }
    if (np_channel_is_set(session->channel)) {
        end_or_watch(session, flush_channel(session));
    }
}

/* ---- receiving ---------------------------------------------------------------- */

/* Cuts whole frames off `span`; returns the bytes used. */
static uint32_t give_frames(struct np_session *session, uint8_t *span, uint32_t len)
{
    struct np_datagram batch[NP_UDP_BATCH];
    uint32_t used = 0;
    uint32_t count = 0;

    while (len - used >= NP_UDPFRAME_HEADER) {
        uint32_t size = np_udpframe_len(span + used);
        if (len - used - NP_UDPFRAME_HEADER < size) {
            break;
        }
        batch[count].base = span + used + NP_UDPFRAME_HEADER;
        batch[count++].len = size;
        used += NP_UDPFRAME_HEADER + size;
        if (count == NP_UDP_BATCH) {
            np_udp_feed_local(session, batch, count);
            count = 0;
        }
    }
    if (count > 0) {
        np_udp_feed_local(session, batch, count);
    }
    return used;
}

/* Keeps the start of a torn frame, or gives the buffer back when nothing is left. */
static enum np_err keep_in(struct np_session *session, const uint8_t *rest, uint32_t len)
{
    struct np_app *app = session->instance->app;
    struct np_udp_link *udp = &session->udp;

    if (len == 0) {
        np_pool_release(&app->buffers, udp->in);
        udp->in = 0;
    } else if (len >= NP_UDPFRAME_HEADER && np_udpframe_len(rest) > app->plan.datagram_bytes) {
        np_udp_count_drop(session, 1, "longer than NP_UDP_DATA_BUF_SIZE here");
        udp->in_skip = np_udpframe_len(rest) + NP_UDPFRAME_HEADER - len;
        return keep_in(session, rest, 0);
    } else {
        if (udp->in == 0 && np_pool_acquire(&app->buffers, &udp->in) == NULL) {
            udp->in = 0;
            return NP_ERR_NO_MEMORY;
        }
        memcpy(np_pool_get(&app->buffers, udp->in), rest, len);
    }
    udp->in_len = len;
    return NP_OK;
}

/* Reads frames through the loop's scratch. NP_OK, or why the session must end. */
static enum np_err read_framed(struct np_session *session)
{
    struct np_app *app = session->instance->app;
    struct np_udp_link *udp = &session->udp;
    uint8_t *base = app->datagrams;
    uint32_t len = udp->in_len;

    if (len > 0) {
        memcpy(base, np_pool_get(&app->buffers, udp->in), len);
    }
    int32_t got =
        np_plat_tcp_recv(app->plat, session->legs[1], base + len, app->plan.buffer_bytes - len);
    if (got == NP_ERR_AGAIN) {
        return NP_OK;
    }
    if (got < 0) {
        return (enum np_err)got;
    }
    uint32_t skip = udp->in_skip < (uint32_t)got ? udp->in_skip : (uint32_t)got;
    udp->in_skip -= skip; /* nothing was kept while a frame is skipped */
    base += skip;
    len += (uint32_t)got - skip;
    uint32_t used = give_frames(session, base, len);
    return keep_in(session, base + used, len - used);
}

/* A Go peer: what one read gives is one datagram. */
static enum np_err read_plain(struct np_session *session)
{
    struct np_app *app = session->instance->app;
    struct np_datagram datagram = {0};
    int32_t got =
        np_plat_tcp_recv(app->plat, session->legs[1], app->datagrams, app->plan.datagram_bytes);

    if (got > 0) {
        datagram.base = app->datagrams;
        datagram.len = (uint32_t)got;
        np_udp_feed_local(session, &datagram, 1);
    }
    return got > 0 || got == NP_ERR_AGAIN ? NP_OK : (enum np_err)got;
}

/* TLS: each record is one datagram. */
static enum np_err read_records(struct np_session *session)
{
    struct np_channel *channel = channel_of(session);

    for (uint32_t i = 0; i < RECORDS_A_TURN; i++) {
        struct np_datagram datagram = {0};
        int32_t got = np_channel_peek(channel, &datagram.base);
        if (got < 0) {
            return got == NP_ERR_AGAIN ? NP_OK : (enum np_err)got;
        }
        datagram.len = (uint32_t)got;
        np_udp_feed_local(session, &datagram, 1);
        np_channel_consume(channel, (uint32_t)got);
    }
    np_channel_defer(channel);
    return NP_OK;
}

void np_udp_leg_read(struct np_session *session)
{
    enum np_err err = np_channel_is_set(session->channel) ? read_records(session)
                      : session->udp.is_framed            ? read_framed(session)
                                                          : read_plain(session);

    if (err != NP_OK) {
        np_session_abort(session, err);
    } else if (np_channel_is_set(session->channel)) {
        update_interest(session);
    }
}

void np_udp_leg_start(struct np_session *session)
{
    if (np_channel_is_set(session->channel)) {
        np_channel_defer(channel_of(session)); /* records may have come with the launch */
    }
    update_interest(session);
}
