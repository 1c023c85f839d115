/* SPDX-License-Identifier: BSD-3-Clause */
/* side: one end of a session: sends its content, checks the other's, finishes as planned. */
#include <string.h>

#include "tests/sim/scene.h"

#define BURST 16384u

static uint64_t now_us(const struct side *side)
{
    return np_sim_now_us(side->scene->sim);
}

void side_open(struct side *side, struct scene *scene, struct np_plat *plat, uint32_t handle)
{
    side->scene = scene;
    side->plat = plat;
    side->handle = handle;
    side->session = NONE;
}

void side_close(struct side *side, bool with_reset)
{
    if (side->is_closed) {
        return;
    }
    side->is_closed = true;
    side->closed_us = now_us(side);
    np_sim_trace(side->scene->sim, side->plat, "%s %u closes%s: sent %llu, received %llu",
                 side->is_visitor ? "visitor" : "target", side->number,
                 with_reset ? " with reset" : "", (unsigned long long)side->sent,
                 (unsigned long long)side->received);
    if (with_reset) {
        np_plat_tcp_abort(side->plat, side->handle);
    } else {
        np_plat_tcp_close(side->plat, side->handle);
    }
}

static bool is_failed(const struct side *side)
{
    return side->err != NP_OK;
}

static struct session *session_of(const struct side *side)
{
    return side->session == NONE ? NULL : &side->scene->sessions[side->session];
}

static void fail(struct side *side, enum np_err err)
{
    if (side->err == NP_OK) {
        side->err = err;
        side->ended_us = now_us(side);
        np_sim_trace(side->scene->sim, side->plat, "%s %u fails: %d",
                     side->is_visitor ? "visitor" : "target", side->number, err);
    }
    side_close(side, false);
}

/* ---- receiving ------------------------------------------------------------------------ */

/* A Go peer at the visitors does hand out the hello of a restarted client, and used connections:
 * that mix is not our doing. */
static bool is_go_mix(struct side *side)
{
    if (visitor_app(side->scene) != NULL) {
        return false;
    }
    side_close(side, true);
    return true;
}

static bool take_header(struct side *side, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len && side->received + i < HEADER; i++) {
        side->head[side->received + i] = bytes[i];
    }
    if (side->received + len < HEADER || side->received >= HEADER) {
        return true;
    }
    if (side->head[3] != 0xc3 || side->head[7] != 0xa7) {
        if (is_go_mix(side)) {
            return false;
        }
        np_sim_fail(side->scene->sim, "invariant 1: %s %u: first bytes are not a session's",
                    side->is_visitor ? "visitor" : "target", side->number);
        return false;
    }
    return true;
}

static uint32_t far_number(const struct side *side)
{
    return side->head[4] | (uint32_t)side->head[5] << 8 | (uint32_t)side->head[6] << 16;
}

static bool take(struct side *side, const uint8_t *bytes, uint32_t len)
{
    struct np_sim *sim = side->scene->sim;
    bool knew = side->received >= HEADER;
    if (!take_header(side, bytes, len)) {
        return false;
    }
    if (side->received + len >= HEADER) {
        uint32_t skip = knew ? 0 : (uint32_t)(HEADER - side->received);
        uint32_t good =
            content_check(bytes + skip, far_number(side), side->received + skip, len - skip);
        if (good != len - skip && is_go_mix(side)) {
            return false;
        }
        if (good != len - skip) {
            np_sim_fail(sim, "invariant 1: %s %u: byte %llu is not what %u sent",
                        side->is_visitor ? "visitor" : "target", side->number,
                        (unsigned long long)(side->received + skip + good), far_number(side));
            return false;
        }
    }
    side->received += len;
    if (!knew && side->received >= HEADER) {
        side_learn(side);
    }
    return true;
}

/* Takes the PROXY line in front of the content; returns how many bytes were its. */
static uint32_t take_proxy(struct side *side, const uint8_t *bytes, uint32_t len)
{
    uint32_t used = 0;
    if (side->is_visitor || !side->scene->plan.proxy) {
        return 0;
    }
    while (used < len && (side->proxy_len == 0 || side->proxy[side->proxy_len - 1] != '\n')) {
        if (side->proxy_len == sizeof side->proxy - 1) {
            np_sim_fail(side->scene->sim, "PROXY line without an end");
            return used;
        }
        side->proxy[side->proxy_len++] = (char)bytes[used++];
        side->proxy[side->proxy_len] = '\0';
    }
    return used;
}

static void unpause(void *context, uint32_t arg)
{
    struct side *side = context;
    (void)arg;
    side->is_paused = false;
    if (!side->is_closed) {
        side_step(side, 0);
    }
}

static void maybe_pause(struct side *side)
{
    if (side->stall_us != 0 && side->received >= side->stall_at) {
        side->is_paused = true;
        np_sim_at(side->scene->sim, now_us(side) + side->stall_us, unpause, side, 0);
        side->stall_us = 0;
    } else if (side->trickle_us != 0 && side->received >= side->stall_at) {
        side->is_paused = true;
        np_sim_at(side->scene->sim, now_us(side) + side->trickle_us, unpause, side, 0);
    }
}

static void receive(struct side *side)
{
    uint8_t buf[BURST];
    while (!side->is_paused && !side->is_closed && !side->saw_eof) {
        int32_t len = np_plat_tcp_recv(side->plat, side->handle, buf, side->read_max);
        if (len == NP_ERR_AGAIN) {
            return;
        }
        if (len == NP_ERR_EOF) {
            side->saw_eof = true;
            side->ended_us = now_us(side);
            check_stream_end(side);
            return;
        }
        if (len < 0) {
            fail(side, len);
            return;
        }
        uint32_t skip = take_proxy(side, buf, (uint32_t)len);
        if ((uint32_t)len > skip && !take(side, buf + skip, (uint32_t)len - skip)) {
            return;
        }
        maybe_pause(side);
    }
}

/* ---- sending -------------------------------------------------------------------------- */

static void send_later(void *context, uint32_t arg)
{
    struct side *side = context;
    (void)arg;
    if (!side->is_closed) {
        side_step(side, 0);
    }
}

static void transmit(struct side *side)
{
    uint8_t buf[BURST];
    while (side->sent < side->to_send && now_us(side) >= side->send_after_us) {
        uint64_t len = side->to_send - side->sent;
        len = len < side->chunk ? len : side->chunk;
        content_fill(buf, side->number, side->sent, (uint32_t)len);
        int32_t given = np_plat_tcp_send(side->plat, side->handle, buf, (uint32_t)len);
        if (given == NP_ERR_AGAIN) {
            return;
        }
        if (given < 0) {
            /* What came before the reset is still to be read. */
            np_plat_interest(side->plat, side->handle, NP_EV_READ);
            receive(side);
            fail(side, given);
            return;
        }
        side->sent += (uint32_t)given;
        check_backlog(side);
        if (side->gap_us != 0 && side->sent < side->to_send) {
            side->send_after_us = now_us(side) + side->gap_us;
            np_sim_at(side->scene->sim, side->send_after_us, send_later, side, 0);
        }
    }
}

static bool has_sent_all(const struct side *side)
{
    const struct session *session = session_of(side);
    if (session == NULL) {
        return false;
    }
    return side->sent >= (side->is_visitor ? session->up_total : session->down_total);
}

static bool has_received_all(const struct side *side)
{
    const struct session *session = session_of(side);
    if (session == NULL) {
        return false;
    }
    return side->received >= (side->is_visitor ? session->down_total : session->up_total);
}

static bool has_ended(struct side *side)
{
    switch (side->finish) {
    case FINISH_ABORT:
        return side->sent + side->received >= side->abort_at;
    case FINISH_CLOSE:
        return has_sent_all(side);
    case FINISH_DONE:
        return (has_sent_all(side) && has_received_all(side)) || side->saw_eof;
    default:
        return side->saw_eof && (has_sent_all(side) || session_of(side) == NULL);
    }
}

static void set_interest(struct side *side)
{
    uint32_t mask = 0;
    if (!side->is_paused && !side->saw_eof) {
        mask |= NP_EV_READ;
    }
    if (!side->is_connected ||
        (side->sent < side->to_send && now_us(side) >= side->send_after_us)) {
        mask |= NP_EV_WRITE;
    }
    np_plat_interest(side->plat, side->handle, mask);
}

void side_step(struct side *side, uint32_t flags)
{
    if (side->is_closed) {
        return;
    }
    if ((flags & NP_EV_ERROR) != 0) {
        side->is_paused = false; /* nothing is left to be read late */
        if (side->saw_eof) {
            fail(side, NP_ERR_RESET);
            return;
        }
    }
    if (!side->is_connected) {
        enum np_err err = np_plat_tcp_connect_result(side->plat, side->handle);
        if (err == NP_ERR_AGAIN) {
            return;
        }
        if (err != NP_OK) {
            fail(side, err);
            return;
        }
        side->is_connected = true;
    }
    receive(side);
    if (!side->is_closed) {
        transmit(side);
    }
    if (side->is_closed || is_failed(side)) {
        return;
    }
    if (side->finish == FINISH_HALF && !side->fin_sent && has_sent_all(side)) {
        side->fin_sent = true;
        np_plat_tcp_shutdown_tx(side->plat, side->handle);
    }
    if (has_ended(side)) {
        side_close(side, side->finish == FINISH_ABORT);
        return;
    }
    set_interest(side);
}
