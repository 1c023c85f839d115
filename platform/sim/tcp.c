/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp: connections between hosts: pieces, windows, loss, end and reset.
 *
 * A piece carries the pipe's counter after it. A lost one makes the pipe go back to what has
 * arrived (a new epoch voids the pieces behind it) and try again after its time-out.
 */
#include <stdlib.h>
#include <string.h>

#include "platform/sim/world.h"

#define RETRY_FIRST_US 200000u
#define RETRY_MAX_US 2000000u
#define GIVE_UP_US 60000000u /* unacknowledged for so long without a user time-out */
#define SYN_TRIES 20u

/* ---- objects ------------------------------------------------------------ */

struct sim_conn *np_sim_tcp_open(struct np_sim *sim)
{
    struct sim_conn *conn = sim->free_conns;
    if (conn != NULL) {
        sim->free_conns = conn->next;
    } else if (sim->conn_fresh < sim->conn_count) {
        conn = sim->conns[sim->conn_fresh++];
    } else {
        conn = calloc(1, sizeof *conn);
        sim->conns = realloc(sim->conns, (sim->conn_count + 1) * sizeof(struct sim_conn *));
        if (conn == NULL || sim->conns == NULL) {
            abort();
        }
        sim->conns[sim->conn_count] = conn;
        conn->index = sim->conn_count++;
        sim->conn_fresh = sim->conn_count;
    }
    uint32_t index = conn->index;
    uint32_t generation = conn->generation + 1;
    memset(conn, 0, sizeof *conn);
    conn->index = index;
    conn->generation = generation;
    conn->is_used = true;
    for (uint32_t side = 0; side < 2; side++) {
        conn->pipe[side].retry_us = RETRY_FIRST_US;
        conn->pipe[side].waiting_since_us = NP_SIM_NEVER;
        conn->end[side].entry = SIM_NONE;
    }
    sim->conns_used++;
    return conn;
}

static void drop_hold(struct np_sim *sim, struct sim_end *end)
{
    if (end->hold != NULL) {
        np_sim_mem_release(sim, end->hold, SIM_HOLD);
        end->hold = NULL;
        end->hold_len = end->hold_off = 0;
        end->host->holds_used--;
    }
}

/* The end is gone; the connection's memory too once both are. */
void np_sim_tcp_release(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->end[side];
    if (end->host != NULL && end->host->peeked == conn && end->host->peeked_side == side) {
        end->host->peeked = NULL;
    }
    drop_hold(sim, end);
    end->state = SIM_GONE;
    end->entry = SIM_NONE;
    if (conn->end[1 - side].state != SIM_GONE || !conn->is_used) {
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        np_sim_mem_release(sim, conn->pipe[i].mem, conn->pipe[i].cap);
        conn->pipe[i].mem = NULL;
    }
    conn->is_used = false;
    conn->generation++;
    conn->next = sim->free_conns;
    sim->free_conns = conn;
    sim->conns_used--;
}

uint32_t np_sim_conns(const struct np_sim *sim)
{
    return sim->conns_used;
}

static void touch(struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->end[side];
    if (end->entry != SIM_NONE) {
        np_sim_ready(end->host, end->entry);
    }
}

/* ---- the wire ------------------------------------------------------------ */

static struct np_sim_link *link_of(const struct sim_conn *conn, uint32_t side)
{
    return np_sim_link(conn->end[side].host, conn->end[1 - side].host);
}

static bool is_cut(const struct sim_conn *conn, uint32_t side)
{
    return conn->is_blackholed || link_of(conn, side)->is_down || conn->end[side].host->is_dead ||
           conn->end[1 - side].host->is_dead;
}

static bool is_lost(struct np_sim *sim, const struct sim_conn *conn, uint32_t side)
{
    return is_cut(conn, side) || np_sim_chance(sim, link_of(conn, side)->loss);
}

uint64_t np_sim_arrival_us(struct np_sim *sim, const struct np_sim_link *link)
{
    uint32_t jitter_us = link->jitter_us == 0 ? 0 : np_sim_below(sim, link->jitter_us + 1);
    return sim->now_us + link->latency_us + jitter_us;
}

/* An event of kind `kind` for the far end of `side`, in order with the pieces under way. */
static void push_far(struct np_sim *sim, struct sim_conn *conn, uint32_t side, uint8_t kind)
{
    struct sim_pipe *pipe = &conn->pipe[side];
    uint64_t at_us = np_sim_arrival_us(sim, link_of(conn, side));
    if (at_us < pipe->last_us) {
        at_us = pipe->last_us;
    }
    pipe->last_us = at_us;
    np_sim_push(sim, (struct sim_event){.at_us = at_us,
                                        .kind = kind,
                                        .side = (uint8_t)side,
                                        .generation = conn->generation,
                                        .object = conn});
}

static void push_own(struct np_sim *sim, struct sim_conn *conn, uint32_t side, uint8_t kind,
                     uint64_t after_us)
{
    np_sim_push(sim, (struct sim_event){.at_us = sim->now_us + after_us,
                                        .kind = kind,
                                        .side = (uint8_t)side,
                                        .generation = conn->generation,
                                        .object = conn});
}

static void send_piece(struct np_sim *sim, struct sim_conn *conn, uint32_t side, uint32_t len,
                       bool fin)
{
    struct sim_pipe *pipe = &conn->pipe[side];
    const struct np_sim_link *link = link_of(conn, side);
    uint64_t start_us = pipe->free_at_us > sim->now_us ? pipe->free_at_us : sim->now_us;
    if (link->bytes_per_ms != 0) {
        start_us += len * UINT64_C(1000) / link->bytes_per_ms;
        pipe->free_at_us = start_us;
    }
    uint64_t at_us = np_sim_arrival_us(sim, link) - sim->now_us + start_us;
    if (at_us < pipe->last_us) {
        at_us = pipe->last_us;
    }
    pipe->last_us = at_us;
    pipe->sent += len;
    pipe->fin_sent = pipe->fin_sent || fin;
    np_sim_push(sim, (struct sim_event){.at_us = at_us,
                                        .kind = SIM_EV_PIECE,
                                        .side = (uint8_t)side,
                                        .fin = fin,
                                        .arg = pipe->epoch,
                                        .generation = conn->generation,
                                        .upto = pipe->sent,
                                        .object = conn});
}

/* Sends what the window allows. */
void np_sim_tcp_pump(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_pipe *pipe = &conn->pipe[side];
    const struct sim_end *end = &conn->end[side];
    if (pipe->is_retrying || (end->state != SIM_OPEN && end->state != SIM_ORPHAN) ||
        end->err != NP_OK) {
        return;
    }
    uint32_t piece_max = link_of(conn, side)->segment_max;
    while (pipe->sent < pipe->tail && pipe->sent - pipe->head < pipe->recv_buf) {
        uint64_t len = pipe->tail - pipe->sent;
        uint64_t window = pipe->recv_buf - (pipe->sent - pipe->head);
        len = len < window ? len : window;
        len = len < piece_max ? len : piece_max;
        bool fin = pipe->fin && pipe->sent + len == pipe->tail && np_sim_below(sim, 2) == 0;
        send_piece(sim, conn, side, (uint32_t)len, fin);
    }
    if (pipe->fin && !pipe->fin_sent && pipe->sent == pipe->tail) {
        send_piece(sim, conn, side, 0, true);
    }
    pipe->is_blocked = pipe->sent < pipe->tail;
    if (pipe->waiting_since_us == NP_SIM_NEVER &&
        (pipe->arrived < pipe->sent || (pipe->fin_sent && !pipe->fin_arrived))) {
        pipe->waiting_since_us = sim->now_us;
    }
}

/* The reader of pipe[1 - side] (end[side]) took `len` bytes. */
void np_sim_tcp_taken(struct np_sim *sim, struct sim_conn *conn, uint32_t side, uint32_t len)
{
    struct sim_pipe *pipe = &conn->pipe[1 - side];
    pipe->head += len;
    uint64_t window = pipe->recv_buf - (pipe->sent - pipe->head);
    if (pipe->is_blocked && (window * 2 >= pipe->recv_buf || pipe->head == pipe->arrived)) {
        pipe->is_blocked = false;
        push_own(sim, conn, 1 - side, SIM_EV_WINDOW, link_of(conn, side)->latency_us);
    }
}

/* ---- ends ------------------------------------------------------------ */

void np_sim_tcp_fail(struct np_sim *sim, struct sim_conn *conn, uint32_t side, enum np_err err)
{
    struct sim_end *end = &conn->end[side];
    if (end->state == SIM_GONE) {
        return;
    }
    if (end->state == SIM_ORPHAN) {
        np_sim_tcp_release(sim, conn, side);
        return;
    }
    if (end->err == NP_OK) {
        end->err = err;
        np_sim_trace(sim, end->host, "conn %u.%u fails: %s", conn->index, side, np_err_text(err));
    }
    touch(conn, side);
}

/* The end goes away at once; `with_reset`: the other one is told. */
void np_sim_tcp_drop(struct np_sim *sim, struct sim_conn *conn, uint32_t side, bool with_reset)
{
    if (with_reset && !conn->end[side].host->is_dead && conn->end[1 - side].state != SIM_GONE) {
        push_far(sim, conn, side, SIM_EV_RST);
    } else {
        np_sim_tcp_watch(sim, conn, 1 - side);
    }
    np_sim_tcp_release(sim, conn, side);
}

static void release_if_finished(struct np_sim *sim, struct sim_conn *conn)
{
    if (!conn->pipe[0].fin_arrived || !conn->pipe[1].fin_arrived) {
        return;
    }
    for (uint32_t side = 0; side < 2 && conn->is_used; side++) {
        if (conn->end[side].state == SIM_ORPHAN) {
            np_sim_tcp_release(sim, conn, side);
        }
    }
}

/* Orderly close: the rest is delivered in the background. */
void np_sim_tcp_orphan(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->end[side];
    const struct sim_pipe *in = &conn->pipe[1 - side];
    end->entry = SIM_NONE;
    if (end->state != SIM_OPEN || end->err != NP_OK || in->arrived > in->head) {
        np_sim_tcp_drop(sim, conn, side, end->err == NP_OK);
        return;
    }
    if (end->host->peeked == conn && end->host->peeked_side == side) {
        end->host->peeked = NULL;
    }
    drop_hold(sim, end);
    end->state = SIM_ORPHAN;
    conn->pipe[side].fin = true;
    np_sim_tcp_pump(sim, conn, side);
    release_if_finished(sim, conn);
}

uint32_t np_sim_tcp_flags(const struct sim_conn *conn, uint32_t side)
{
    const struct sim_end *end = &conn->end[side];
    const struct sim_pipe *out = &conn->pipe[side];
    const struct sim_pipe *in = &conn->pipe[1 - side];
    if (end->state == SIM_CONNECTING) {
        return end->err != NP_OK ? NP_EV_WRITE | NP_EV_ERROR : 0;
    }
    uint32_t flags = 0;
    bool has_data = in->arrived > in->head;
    if (has_data || in->fin_arrived) {
        flags |= NP_EV_READ;
    }
    if (end->err != NP_OK && !has_data) {
        flags |= NP_EV_ERROR;
    }
    bool has_room = out->mem == NULL || out->tail - out->arrived < out->send_buf;
    if (end->err == NP_OK && (has_room || out->fin)) {
        flags |= NP_EV_WRITE;
    }
    return flags;
}

/* ---- keep-alive ------------------------------------------------------------ */

/* Something may have gone wrong for this end: look again when its keep-alive would. */
void np_sim_tcp_watch(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->end[side];
    if (end->state == SIM_OPEN && end->keepalive_ms != 0) {
        push_own(sim, conn, side, SIM_EV_KEEPALIVE, end->keepalive_ms * UINT64_C(4000));
    }
}

static void on_keepalive(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->end[side];
    if (end->state != SIM_OPEN || end->err != NP_OK || end->keepalive_ms == 0) {
        return;
    }
    if (is_cut(conn, 0) || is_cut(conn, 1)) {
        if (sim->now_us - end->heard_us >= end->keepalive_ms * UINT64_C(3000)) {
            np_sim_tcp_fail(sim, conn, side, NP_ERR_TIMED_OUT);
        } else {
            np_sim_tcp_watch(sim, conn, side);
        }
    } else if (conn->end[1 - side].state == SIM_GONE &&
               !(conn->pipe[0].fin_arrived && conn->pipe[1].fin_arrived)) {
        np_sim_tcp_fail(sim, conn, side, NP_ERR_RESET);
    }
}

void np_sim_partition(struct np_plat *a, struct np_plat *b, bool is_down)
{
    struct np_sim *sim = a->sim;
    np_sim_trace(sim, a, "partition from %s: %d", b->config.name, is_down);
    np_sim_link(a, b)->is_down = is_down;
    np_sim_link(b, a)->is_down = is_down;
    for (uint32_t i = 0; is_down && i < sim->conn_fresh; i++) {
        struct sim_conn *conn = sim->conns[i];
        if (conn->is_used && ((conn->end[0].host == a && conn->end[1].host == b) ||
                              (conn->end[0].host == b && conn->end[1].host == a))) {
            np_sim_tcp_watch(sim, conn, 0);
            np_sim_tcp_watch(sim, conn, 1);
        }
    }
}

static uint32_t hit_conns(struct np_plat *a, struct np_plat *b, uint32_t p, bool is_reset)
{
    struct np_sim *sim = a->sim;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->conn_fresh; i++) {
        struct sim_conn *conn = sim->conns[i];
        bool is_between = (conn->end[0].host == a && conn->end[1].host == b) ||
                          (conn->end[0].host == b && conn->end[1].host == a);
        if (!conn->is_used || !is_between || !np_sim_chance(sim, p)) {
            continue;
        }
        count++;
        np_sim_trace(sim, NULL, "conn %u %s", conn->index, is_reset ? "reset" : "blackholed");
        conn->is_blackholed = true;
        for (uint32_t side = 0; side < 2 && conn->is_used; side++) {
            if (is_reset) {
                np_sim_tcp_fail(sim, conn, side, NP_ERR_RESET);
            } else {
                np_sim_tcp_watch(sim, conn, side);
            }
        }
    }
    return count;
}

uint32_t np_sim_reset_conns(struct np_plat *a, struct np_plat *b, uint32_t p)
{
    return hit_conns(a, b, p, true);
}

uint32_t np_sim_blackhole_conns(struct np_plat *a, struct np_plat *b, uint32_t p)
{
    return hit_conns(a, b, p, false);
}

/* ---- events ------------------------------------------------------------ */

static void lose(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_pipe *pipe = &conn->pipe[side];
    const struct sim_end *end = &conn->end[side];
    if (end->state == SIM_GONE) {
        return;
    }
    pipe->epoch++;
    pipe->sent = pipe->arrived;
    pipe->fin_sent = pipe->fin_arrived;
    uint64_t limit_us =
        end->user_timeout_ms != 0 ? end->user_timeout_ms * UINT64_C(1000) : GIVE_UP_US;
    if (pipe->waiting_since_us != NP_SIM_NEVER &&
        sim->now_us - pipe->waiting_since_us >= limit_us) {
        np_sim_tcp_fail(sim, conn, side, NP_ERR_TIMED_OUT);
        return;
    }
    pipe->is_retrying = true;
    push_own(sim, conn, side, SIM_EV_RETRY, pipe->retry_us);
    pipe->retry_us = pipe->retry_us * 2 < RETRY_MAX_US ? pipe->retry_us * 2 : RETRY_MAX_US;
}

static bool is_unwanted(const struct sim_conn *conn, uint32_t side, const struct sim_event *event)
{
    const struct sim_end *reader = &conn->end[1 - side];
    return reader->state == SIM_GONE ||
           (reader->state == SIM_ORPHAN && event->upto > conn->pipe[side].arrived);
}

static void on_piece(struct np_sim *sim, struct sim_conn *conn, const struct sim_event *event)
{
    uint32_t side = event->side;
    struct sim_pipe *pipe = &conn->pipe[side];
    if (event->arg != pipe->epoch) {
        return;
    }
    if (is_lost(sim, conn, side)) {
        lose(sim, conn, side);
        return;
    }
    np_sim_note(sim, sim->now_us ^ event->upto << 20 ^ (uint64_t)conn->index << 44);
    conn->end[1 - side].heard_us = sim->now_us;
    conn->end[side].heard_us = sim->now_us;
    if (is_unwanted(conn, side, event)) {
        if (conn->end[side].state != SIM_GONE) {
            push_far(sim, conn, 1 - side, SIM_EV_RST);
        }
        np_sim_tcp_release(sim, conn, 1 - side);
        return;
    }
    pipe->retry_us = RETRY_FIRST_US;
    pipe->arrived = event->upto;
    pipe->fin_arrived = pipe->fin_arrived || event->fin;
    bool is_waiting = pipe->arrived < pipe->sent || (pipe->fin_sent && !pipe->fin_arrived);
    pipe->waiting_since_us = is_waiting ? sim->now_us : NP_SIM_NEVER;
    touch(conn, 1 - side);
    touch(conn, side);
    if (pipe->fin_arrived) {
        release_if_finished(sim, conn);
    }
}

static void refuse(struct np_sim *sim, struct sim_conn *conn, enum np_err err)
{
    struct sim_event event = {.at_us = np_sim_arrival_us(sim, link_of(conn, 1)),
                              .kind = SIM_EV_REFUSED,
                              .arg = (uint32_t)-err,
                              .generation = conn->generation,
                              .object = conn};
    np_sim_push(sim, event);
}

static void repeat_syn(struct np_sim *sim, struct sim_conn *conn)
{
    if (++conn->syn_tries > SYN_TRIES) {
        np_sim_tcp_fail(sim, conn, 0, NP_ERR_TIMED_OUT);
        return;
    }
    push_own(sim, conn, 0, SIM_EV_SYN, conn->syn_tries == 1 ? 1000000u : RETRY_MAX_US);
}

/* The SYN is there: the far end comes into being in a backlog. */
void np_sim_tcp_syn(struct np_sim *sim, struct sim_conn *conn)
{
    struct np_plat *host = conn->end[1].host;
    const struct np_addr *to = &conn->end[0].peer;
    if (is_lost(sim, conn, 0) || (!np_sim_has_ip(host, to))) {
        repeat_syn(sim, conn);
        return;
    }
    struct sim_port *port = np_sim_port_find(host, SIM_LISTENER, to, NULL);
    if (port == NULL) {
        refuse(sim, conn, NP_ERR_REFUSED);
        return;
    }
    if (port->count >= host->config.backlog) {
        repeat_syn(sim, conn);
        return;
    }
    struct sim_end *end = &conn->end[1];
    end->state = SIM_OPEN;
    end->local = *to;
    end->peer = conn->end[0].local;
    end->keepalive_ms = port->keepalive_ms;
    end->heard_us = sim->now_us;
    conn->next = NULL;
    if (port->last != NULL && port->first != NULL) {
        port->last->next = conn;
    } else {
        port->first = conn;
    }
    port->last = conn;
    port->count++;
    np_sim_ready(host, port->entry);
    push_far(sim, conn, 1, SIM_EV_ACCEPTED);
}

static void on_accepted(struct np_sim *sim, struct sim_conn *conn)
{
    struct sim_end *end = &conn->end[0];
    if (is_lost(sim, conn, 1)) {
        push_own(sim, conn, 1, SIM_EV_ACCEPTED, 1000000u);
        return;
    }
    if (end->state == SIM_CONNECTING && end->err == NP_OK) {
        end->state = SIM_OPEN;
        end->heard_us = sim->now_us;
        np_sim_trace(sim, end->host, "conn %u connected to %s", conn->index,
                     conn->end[1].host->config.name);
        touch(conn, 0);
    } else {
        push_far(sim, conn, 0, SIM_EV_RST);
    }
}

static void on_reset(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    if (is_cut(conn, side)) {
        np_sim_tcp_watch(sim, conn, 1 - side);
        return;
    }
    enum np_err err = conn->end[1 - side].state == SIM_CONNECTING ? NP_ERR_REFUSED : NP_ERR_RESET;
    np_sim_tcp_fail(sim, conn, 1 - side, err);
}

void np_sim_tcp_event(struct np_sim *sim, const struct sim_event *event)
{
    struct sim_conn *conn = event->object;
    if (!conn->is_used || conn->generation != event->generation) {
        return;
    }
    switch (event->kind) {
    case SIM_EV_SYN:
        np_sim_tcp_syn(sim, conn);
        return;
    case SIM_EV_ACCEPTED:
        on_accepted(sim, conn);
        return;
    case SIM_EV_REFUSED:
        np_sim_tcp_fail(sim, conn, 0, -(int32_t)event->arg);
        return;
    case SIM_EV_PIECE:
        on_piece(sim, conn, event);
        return;
    case SIM_EV_RETRY:
        conn->pipe[event->side].is_retrying = false;
        np_sim_tcp_pump(sim, conn, event->side);
        return;
    case SIM_EV_WINDOW:
        if (is_cut(conn, 1 - event->side)) {
            push_own(sim, conn, event->side, SIM_EV_WINDOW, 500000u);
            return;
        }
        np_sim_tcp_pump(sim, conn, event->side);
        return;
    case SIM_EV_RST:
        on_reset(sim, conn, event->side);
        return;
    case SIM_EV_KEEPALIVE:
        on_keepalive(sim, conn, event->side);
        return;
    default:
        return;
    }
}
