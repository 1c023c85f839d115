/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_api: np_plat_tcp_* over tcp.c. */
#include <string.h>

#include "platform/sim/world.h"

/* ---- opening ------------------------------------------------------------ */

enum np_err np_plat_tcp_listen(struct np_plat *plat, const struct np_addr *local, uint32_t tag,
                               uint32_t *handle)
{
    struct sim_port *port;
    np_sim_spoil(plat);
    enum np_err err = np_sim_port_open(plat, SIM_LISTENER, local, tag, &port);
    if (err == NP_OK) {
        *handle = np_sim_token(plat, port->entry);
    }
    return err;
}

static void attach(struct np_plat *plat, struct sim_conn *conn, uint32_t side, uint32_t index)
{
    struct sim_entry *entry = &plat->entries[index];
    entry->conn = conn;
    entry->side = side;
    conn->end[side].entry = index;
}

static void pause_listener(struct np_plat *plat, struct sim_port *port)
{
    port->quiet_until_us = plat->sim->now_us + 100000u;
    np_sim_push(plat->sim, (struct sim_event){.at_us = port->quiet_until_us,
                                              .kind = SIM_EV_TOUCH,
                                              .arg = port->entry,
                                              .object = plat});
}

enum np_err np_plat_tcp_accept(struct np_plat *plat, uint32_t listener, uint32_t tag,
                               uint32_t *handle, struct np_addr *peer)
{
    struct sim_entry *entry = np_sim_entry(plat, listener, SIM_LISTENER);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    struct sim_port *port = entry->port;
    struct sim_conn *conn = port->first;
    if (conn == NULL) {
        return NP_ERR_AGAIN;
    }
    uint32_t index;
    enum np_err err = np_sim_entry_open(plat, SIM_TCP, tag, &index);
    if (err != NP_OK) {
        pause_listener(plat, port);
        return err;
    }
    port->first = conn->next;
    port->count--;
    conn->listener = NULL;
    attach(plat, conn, 1, index);
    np_sim_ready(plat, index);
    *handle = np_sim_token(plat, index);
    *peer = conn->end[1].peer;
    np_sim_trace(plat->sim, plat, "accepts conn %u from %s", conn->index,
                 conn->end[0].host->config.name);
    return NP_OK;
}

static enum np_err begin(struct np_plat *plat, struct np_plat *far, const struct np_addr *local,
                         const struct np_addr *remote, uint32_t index)
{
    struct np_sim *sim = plat->sim;
    struct sim_conn *conn = np_sim_tcp_open(sim);
    conn->end[0].host = plat;
    conn->end[0].state = SIM_CONNECTING;
    conn->end[0].local = *local;
    conn->end[0].local.port = np_sim_free_port(plat, SIM_LISTENER);
    conn->end[0].peer = *remote;
    conn->end[1].host = far == NULL ? plat : far;
    attach(plat, conn, 0, index);
    np_sim_trace(sim, plat, "conn %u to %s port %u", conn->index,
                 far == NULL ? "nowhere" : far->config.name, remote->port);
    const struct np_sim_link *link = np_sim_link(plat, conn->end[1].host);
    struct sim_event event = {.at_us = np_sim_arrival_us(sim, link),
                              .kind = far == NULL ? SIM_EV_REFUSED : SIM_EV_SYN,
                              .arg = (uint32_t)-NP_ERR_UNREACHABLE,
                              .generation = conn->generation,
                              .object = conn};
    np_sim_push(sim, event);
    return NP_OK;
}

enum np_err np_plat_tcp_connect(struct np_plat *plat, const struct np_addr *source,
                                const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    struct np_addr local;
    np_sim_spoil(plat);
    if (np_sim_plat_chance(plat, plat->trouble.no_memory)) {
        return NP_ERR_NO_MEMORY;
    }
    if (source != NULL && source->family != NP_FAMILY_NONE && !np_sim_has_ip(plat, source)) {
        return NP_ERR_ADDR_NOT_LOCAL;
    }
    if (source != NULL && source->family != NP_FAMILY_NONE) {
        local = *source;
    } else if (!np_sim_pick_ip(plat, remote, &local)) {
        return NP_ERR_UNREACHABLE;
    }
    if (local.family != remote->family) {
        return NP_ERR_INVALID;
    }
    uint32_t index;
    enum np_err err = np_sim_entry_open(plat, SIM_TCP, tag, &index);
    if (err != NP_OK) {
        return err;
    }
    *handle = np_sim_token(plat, index);
    return begin(plat, np_sim_find_host(plat->sim, plat, remote), &local, remote, index);
}

enum np_err np_plat_tcp_connect_result(struct np_plat *plat, uint32_t handle)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    const struct sim_end *end = &entry->conn->end[entry->side];
    if (end->state == SIM_CONNECTING) {
        return end->err == NP_OK ? NP_ERR_AGAIN : end->err;
    }
    return NP_OK;
}

/* ---- receiving ------------------------------------------------------------ */

static uint64_t received(const struct sim_entry *entry)
{
    const struct sim_pipe *in = &entry->conn->pipe[1 - entry->side];
    return in->arrived - in->head;
}

/* What a read of an empty stream gives. */
static enum np_err end_result(const struct sim_entry *entry)
{
    const struct sim_end *end = &entry->conn->end[entry->side];
    if (end->err != NP_OK) {
        return end->err;
    }
    return entry->conn->pipe[1 - entry->side].fin_arrived ? NP_ERR_EOF : NP_ERR_AGAIN;
}

static void copy_out(const struct sim_entry *entry, uint8_t *out, uint32_t len)
{
    const struct sim_pipe *in = &entry->conn->pipe[1 - entry->side];
    uint32_t at = (uint32_t)in->head & (in->cap - 1);
    uint32_t run = in->cap - at < len ? in->cap - at : len;
    memcpy(out, in->mem + at, run);
    memcpy(out + run, in->mem, len - run);
}

static uint32_t maybe_less(struct np_plat *plat, uint32_t len)
{
    return np_sim_plat_chance(plat, plat->config.partial) ? 1 + np_sim_below(plat->sim, len) : len;
}

static uint32_t shown_len(struct np_plat *plat, const struct sim_entry *entry)
{
    uint64_t len = received(entry);
    uint32_t max = plat->config.peek_max < SIM_SCRATCH ? plat->config.peek_max : SIM_SCRATCH;
    uint32_t rest = entry->conn->end[entry->side].rest;
    uint32_t shown = maybe_less(plat, len < max ? (uint32_t)len : max);
    return shown < rest ? rest : shown;
}

int32_t np_plat_tcp_peek(struct np_plat *plat, uint32_t handle, const uint8_t **span)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (plat->peeked != NULL) {
        np_sim_fail(plat->sim, "contract: %s peeks before it consumed", plat->config.name);
    }
    if (entry->conn->end[entry->side].hold_len > 0) {
        np_sim_fail(plat->sim, "contract: %s peeks while a splice holds", plat->config.name);
    }
    if (received(entry) == 0) {
        return end_result(entry);
    }
    uint32_t len = shown_len(plat, entry);
    copy_out(entry, plat->scratch, len);
    plat->scratch_len = len;
    plat->peeked = entry->conn;
    plat->peeked_side = entry->side;
    plat->peeked_len = len;
    *span = plat->scratch;
    return (int32_t)len;
}

void np_plat_tcp_consume(struct np_plat *plat, uint32_t handle, uint32_t len)
{
    struct sim_entry *entry = np_sim_entry_quiet(plat, handle, SIM_TCP);
    if (entry == NULL) {
        return;
    }
    if (plat->peeked != entry->conn || plat->peeked_side != entry->side || len > plat->peeked_len) {
        np_sim_fail(plat->sim, "contract: %s consumes %u bytes it was not shown", plat->config.name,
                    len);
        return;
    }
    plat->peeked = NULL;
    entry->conn->end[entry->side].rest = plat->peeked_len - len;
    np_sim_tcp_taken(plat->sim, entry->conn, entry->side, len);
    np_sim_ready(plat, entry->conn->end[entry->side].entry);
}

int32_t np_plat_tcp_recv(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (cap == 0 || plat->peeked != NULL || entry->conn->end[entry->side].hold_len > 0) {
        np_sim_fail(plat->sim, "contract: %s receives into nothing, after a peek or a splice",
                    plat->config.name);
    }
    uint64_t len = received(entry);
    if (len == 0) {
        return end_result(entry);
    }
    uint32_t taken = maybe_less(plat, len < cap ? (uint32_t)len : cap);
    copy_out(entry, buf, taken);
    uint32_t *rest = &entry->conn->end[entry->side].rest;
    *rest = *rest > taken ? *rest - taken : 0;
    np_sim_tcp_taken(plat->sim, entry->conn, entry->side, taken);
    return (int32_t)taken;
}

/* ---- sending ------------------------------------------------------------ */

static void size_pipe(struct np_sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_pipe *pipe = &conn->pipe[side];
    if (pipe->mem == NULL) {
        pipe->send_buf = conn->end[side].host->config.send_buf;
        pipe->recv_buf = conn->end[1 - side].host->config.recv_buf;
        pipe->cap = pipe->send_buf + pipe->recv_buf;
        pipe->mem = np_sim_mem_acquire(sim, &pipe->cap);
    }
}

static void copy_in(struct sim_pipe *pipe, const uint8_t *bytes, uint32_t len)
{
    uint32_t at = (uint32_t)pipe->tail & (pipe->cap - 1);
    uint32_t run = pipe->cap - at < len ? pipe->cap - at : len;
    memcpy(pipe->mem + at, bytes, run);
    memcpy(pipe->mem, bytes + run, len - run);
    pipe->tail += len;
}

static enum np_err send_result(const struct sim_conn *conn, uint32_t side)
{
    if (conn->end[side].err != NP_OK) {
        return conn->end[side].err;
    }
    if (conn->end[side].state == SIM_CONNECTING) {
        return NP_ERR_AGAIN;
    }
    return conn->pipe[side].fin ? NP_ERR_RESET : NP_OK;
}

static uint32_t room(const struct sim_pipe *pipe)
{
    return pipe->send_buf - (uint32_t)(pipe->tail - pipe->arrived);
}

int32_t np_plat_tcp_sendv(struct np_plat *plat, uint32_t handle, const struct np_span *spans,
                          uint32_t count)
{
    struct sim_entry *entry = np_sim_entry_quiet(plat, handle, SIM_TCP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += spans[i].len;
    }
    if (total == 0 || count > NP_PLAT_SENDV_MAX) {
        np_sim_fail(plat->sim, "contract: %s sends nothing or too many spans", plat->config.name);
        return NP_ERR_INVALID;
    }
    struct sim_conn *conn = entry->conn;
    struct sim_pipe *pipe = &conn->pipe[entry->side];
    enum np_err err = send_result(conn, entry->side);
    if (err != NP_OK) {
        return err;
    }
    size_pipe(plat->sim, conn, entry->side);
    if (room(pipe) == 0) {
        return NP_ERR_AGAIN;
    }
    uint32_t left = maybe_less(plat, total < room(pipe) ? (uint32_t)total : room(pipe));
    uint32_t given = left;
    for (uint32_t i = 0; left > 0; i++) {
        uint32_t len = spans[i].len < left ? spans[i].len : left;
        copy_in(pipe, spans[i].base, len);
        left -= len;
    }
    np_sim_tcp_pump(plat->sim, conn, entry->side);
    np_sim_ready(plat, conn->end[entry->side].entry);
    return (int32_t)given;
}

int32_t np_plat_tcp_send(struct np_plat *plat, uint32_t handle, const uint8_t *buf, uint32_t len)
{
    struct np_span span = {buf, len};
    return np_plat_tcp_sendv(plat, handle, &span, 1);
}

/* ---- ending and options ------------------------------------------------------------ */

void np_plat_tcp_shutdown_tx(struct np_plat *plat, uint32_t handle)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry == NULL || entry->conn->pipe[entry->side].fin) {
        return;
    }
    entry->conn->pipe[entry->side].fin = true;
    np_sim_tcp_pump(plat->sim, entry->conn, entry->side);
    np_sim_ready(plat, entry->conn->end[entry->side].entry);
}

void np_plat_tcp_close(struct np_plat *plat, uint32_t handle)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry != NULL) {
        struct sim_conn *conn = entry->conn;
        uint32_t side = entry->side;
        np_sim_trace(plat->sim, plat, "closes conn %u", conn->index);
        np_sim_entry_close(plat, conn->end[side].entry);
        np_sim_tcp_orphan(plat->sim, conn, side);
    }
}

void np_plat_tcp_abort(struct np_plat *plat, uint32_t handle)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry != NULL) {
        struct sim_conn *conn = entry->conn;
        uint32_t side = entry->side;
        np_sim_trace(plat->sim, plat, "aborts conn %u", conn->index);
        np_sim_entry_close(plat, conn->end[side].entry);
        np_sim_tcp_drop(plat->sim, conn, side, conn->end[side].err == NP_OK);
    }
}

void np_plat_tcp_keepalive(struct np_plat *plat, uint32_t handle, uint32_t period_ms)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry == NULL) {
        return;
    }
    if (entry->kind == SIM_LISTENER) {
        entry->port->keepalive_ms = period_ms;
    } else if (entry->kind == SIM_TCP) {
        entry->conn->end[entry->side].keepalive_ms = period_ms;
        np_sim_tcp_watch(plat->sim, entry->conn, entry->side);
    }
}

void np_plat_tcp_user_timeout(struct np_plat *plat, uint32_t handle, uint32_t ms)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_TCP);
    if (entry != NULL) {
        entry->conn->end[entry->side].user_timeout_ms = ms;
    }
}

enum np_err np_plat_local(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (entry->kind == SIM_QUERY) {
        return NP_ERR_INVALID;
    }
    *addr = entry->kind == SIM_TCP ? entry->conn->end[entry->side].local : entry->port->local;
    return NP_OK;
}

enum np_err np_plat_peer(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (entry->kind == SIM_TCP) {
        *addr = entry->conn->end[entry->side].peer;
        return NP_OK;
    }
    if (entry->kind == SIM_UDP && entry->port->is_connected) {
        *addr = entry->port->remote;
        return NP_OK;
    }
    return NP_ERR_INVALID;
}

/* ---- splice ------------------------------------------------------------ */

static bool reserve_hold(struct np_plat *plat, struct sim_end *end)
{
    if (end->hold == NULL) {
        uint32_t cap = SIM_HOLD;
        if (plat->holds_used >= plat->config.splice_pipes) {
            return false;
        }
        end->hold = np_sim_mem_acquire(plat->sim, &cap);
        end->hold_len = end->hold_off = 0;
        plat->holds_used++;
    }
    return true;
}

static void splice_in(struct np_plat *plat, struct sim_entry *from, uint32_t max,
                      struct np_splice *result)
{
    struct sim_end *end = &from->conn->end[from->side];
    uint64_t len = received(from);
    uint32_t free_len = SIM_HOLD - end->hold_off - end->hold_len;
    if (len == 0) {
        result->source = end_result(from);
        if (result->source == NP_ERR_EOF && end->hold_len > 0) {
            result->source = NP_OK;
        }
        return;
    }
    len = len < max ? len : max;
    len = len < free_len ? len : free_len;
    if (len == 0) {
        return;
    }
    result->taken = maybe_less(plat, (uint32_t)len);
    copy_out(from, end->hold + end->hold_off + end->hold_len, result->taken);
    end->hold_len += result->taken;
    np_sim_tcp_taken(plat->sim, from->conn, from->side, result->taken);
}

static void splice_out(struct np_plat *plat, struct sim_end *end, struct sim_entry *to,
                       struct np_splice *result)
{
    struct sim_pipe *pipe = &to->conn->pipe[to->side];
    result->sink = send_result(to->conn, to->side);
    if (result->sink != NP_OK || end->hold_len == 0) {
        return;
    }
    size_pipe(plat->sim, to->conn, to->side);
    uint32_t len = room(pipe) < end->hold_len ? room(pipe) : end->hold_len;
    if (len == 0) {
        result->sink = NP_ERR_AGAIN;
        return;
    }
    result->given = maybe_less(plat, len);
    copy_in(pipe, end->hold + end->hold_off, result->given);
    end->hold_off += result->given;
    end->hold_len -= result->given;
    if (end->hold_len == 0) {
        end->hold_off = 0;
    } else {
        result->sink = NP_ERR_AGAIN;
    }
    np_sim_tcp_pump(plat->sim, to->conn, to->side);
    np_sim_ready(plat, to->conn->end[to->side].entry);
}

enum np_err np_plat_tcp_splice(struct np_plat *plat, uint32_t from, uint32_t to, uint32_t max,
                               struct np_splice *result)
{
    struct sim_entry *source = np_sim_entry(plat, from, SIM_TCP);
    struct sim_entry *sink = np_sim_entry(plat, to, SIM_TCP);
    *result = (struct np_splice){0};
    if (plat->config.splice_pipes == 0) {
        return NP_ERR_UNSUPPORTED;
    }
    if (source == NULL || sink == NULL) {
        result->source = source == NULL ? NP_ERR_STALE : NP_OK;
        result->sink = sink == NULL ? NP_ERR_STALE : NP_OK;
        return NP_OK;
    }
    struct sim_end *end = &source->conn->end[source->side];
    if (end->hold_len > 0 && end->hold_to != sink->conn) {
        np_sim_fail(plat->sim, "contract: %s splices held bytes elsewhere", plat->config.name);
    }
    if (end->rest > 0 || plat->peeked == source->conn || !reserve_hold(plat, end)) {
        return NP_ERR_NO_MEMORY;
    }
    end->hold_to = sink->conn;
    splice_in(plat, source, max, result);
    splice_out(plat, end, sink, result);
    result->held = end->hold_len;
    if (end->hold_len == 0) {
        np_sim_mem_release(plat->sim, end->hold, SIM_HOLD);
        end->hold = NULL;
        plat->holds_used--;
        if (result->source == NP_OK && received(source) == 0) {
            result->source = end_result(source);
        }
    }
    np_sim_ready(plat, source->conn->end[source->side].entry);
    return NP_OK;
}
