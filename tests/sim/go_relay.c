/* SPDX-License-Identifier: BSD-3-Clause */
/* go_relay: sessions of the Go peer: two copies that do not tell each other of an end. */
#include <string.h>

#include "tests/sim/go.h"

#define DRAIN_US 100000u

static uint32_t sink_of(const struct go *go, const struct go_relay *relay, uint32_t d)
{
    return d == 0 ? relay->local : go->conns[relay->conn].handle;
}

static uint32_t source_of(const struct go *go, const struct go_relay *relay, uint32_t d)
{
    return sink_of(go, relay, 1 - d);
}

static void close_local(struct go *go, struct go_relay *relay)
{
    if (relay->local == NONE || relay->is_dead[0]) {
        return;
    }
    if (relay->is_udp) {
        np_plat_close(go->plat, relay->local);
    } else {
        np_plat_tcp_close(go->plat, relay->local);
    }
}

/* Both copies are over. A pool connection that nobody ended goes back. */
static void finish(struct go *go, struct go_relay *relay)
{
    struct go_conn *conn = &go->conns[relay->conn];
    close_local(go, relay);
    relay->is_used = false;
    if (relay->is_dead[1]) {
        conn->state = GO_CONN_FREE;
        conn->handle = 0;
        return;
    }
    if (relay->is_remote_alive && !relay->is_udp) {
        np_sim_trace(go->scene->sim, go->plat, "go puts %s back into its pool", conn->id);
        conn->state = GO_CONN_DRAINING;
        conn->until_us = go_now(go) + DRAIN_US;
        np_plat_interest(go->plat, conn->handle, NP_EV_READ);
        return;
    }
    np_plat_tcp_close(go->plat, conn->handle);
    conn->handle = 0;
    conn->state = GO_CONN_FREE;
}

void go_end_relays(struct go *go)
{
    for (uint32_t i = 0; i < GO_RELAYS; i++) {
        if (go->relays[i].is_used) {
            close_local(go, &go->relays[i]);
            go->relays[i].is_used = false;
        }
    }
    for (uint32_t i = 0; i < go->wait_count; i++) {
        np_plat_tcp_close(go->plat, go->waits[i].handle);
    }
    go->wait_count = 0;
}

static struct go_relay *open_relay(struct go *go, struct go_conn *conn, bool is_udp)
{
    for (uint32_t i = 0; i < GO_RELAYS; i++) {
        struct go_relay *relay = &go->relays[i];
        if (!relay->is_used) {
            memset(relay, 0, sizeof *relay);
            relay->is_used = true;
            relay->is_udp = is_udp;
            relay->is_remote_alive = true;
            relay->conn = (uint32_t)(conn - go->conns);
            relay->local = NONE;
            relay->until_us =
                go_now(go) + go->scene->plan.tuning.udp_read_timeout_ms * UINT64_C(1000);
            conn->relay = i;
            conn->state = GO_CONN_BUSY;
            return relay;
        }
    }
    return NULL;
}

/* ---- copying ----------------------------------------------------------------------------- */

static bool is_local_udp(const struct go_relay *relay, uint32_t d)
{
    return relay->is_udp && d == 0;
}

static int32_t give(struct go *go, struct go_relay *relay, uint32_t d)
{
    uint8_t *bytes = relay->hold[d] + relay->off[d];
    uint32_t len = relay->len[d] - relay->off[d];
    if (relay->is_dead[d]) {
        return NP_ERR_RESET;
    }
    if (!is_local_udp(relay, d)) {
        return np_plat_tcp_send(go->plat, sink_of(go, relay, d), bytes, len);
    }
    struct np_datagram out = {.base = bytes, .len = len, .addr = relay->peer};
    uint32_t handle = relay->local == NONE ? go->door_udp : relay->local;
    return np_plat_udp_send(go->plat, handle, &out, 1) > 0 ? (int32_t)len : NP_ERR_AGAIN;
}

static int32_t take(struct go *go, struct go_relay *relay, uint32_t d)
{
    if (relay->is_dead[1 - d]) {
        return NP_ERR_RESET;
    }
    if (!relay->is_udp || d == 0) {
        return np_plat_tcp_recv(go->plat, source_of(go, relay, d), relay->hold[d], GO_READ);
    }
    if (relay->local == NONE) {
        return NP_ERR_AGAIN; /* comes through the door */
    }
    struct np_datagram in = {.base = relay->hold[d], .cap = GO_READ};
    int32_t got = np_plat_udp_recv(go->plat, relay->local, &in, 1);
    return got == 1 ? (int32_t)in.len : NP_ERR_AGAIN;
}

/* One read and one write; false when the copy stands still. */
static bool copy_once(struct go *go, struct go_relay *relay, uint32_t d)
{
    if (relay->off[d] == relay->len[d]) {
        int32_t got = take(go, relay, d);
        if (got == NP_ERR_AGAIN) {
            return false;
        }
        if (got < 0) {
            relay->done[d] = true;
            relay->is_remote_alive = relay->is_remote_alive && d != 0;
            return false;
        }
        relay->len[d] = (uint32_t)got;
        relay->off[d] = 0;
        relay->until_us = go_now(go) + go->scene->plan.tuning.udp_read_timeout_ms * UINT64_C(1000);
        if (got == 0) {
            return true;
        }
    }
    int32_t given = give(go, relay, d);
    if (given == NP_ERR_AGAIN && is_local_udp(relay, d)) {
        given = (int32_t)(relay->len[d] - relay->off[d]); /* lost */
    }
    if (given == NP_ERR_AGAIN) {
        return false;
    }
    if (given < 0) {
        relay->done[d] = true;
        relay->is_remote_alive = relay->is_remote_alive && d == 0;
        return false;
    }
    relay->off[d] += (uint32_t)given;
    return true;
}

static void set_interest(struct go *go, struct go_relay *relay)
{
    uint32_t mask[2] = {0, 0}; /* 0 the local side, 1 the pool connection */
    for (uint32_t d = 0; d < 2; d++) {
        bool is_full = relay->off[d] < relay->len[d];
        if (!relay->done[d]) {
            mask[is_full ? d : 1 - d] |= is_full ? NP_EV_WRITE : NP_EV_READ;
        }
    }
    if (relay->local != NONE && !relay->is_dead[0]) {
        np_plat_interest(go->plat, relay->local, mask[0]);
    }
    if (!relay->is_dead[1]) {
        np_plat_interest(go->plat, go->conns[relay->conn].handle, mask[1]);
    }
}

/* A socket failed that no copy reads now: the program learns it when it reads or writes. */
static void bury(struct go *go, struct go_relay *relay, uint32_t handle)
{
    uint32_t side = handle == relay->local ? 0 : 1;
    if (relay->is_dead[side] || (side == 0 && relay->is_udp)) {
        return;
    }
    np_plat_tcp_close(go->plat, handle);
    relay->is_dead[side] = true;
    relay->is_remote_alive = relay->is_remote_alive && side == 0;
}

void go_relay_step(struct go *go, uint32_t index, uint32_t handle, uint32_t flags)
{
    struct go_relay *relay = &go->relays[index];
    struct go_conn *conn = &go->conns[relay->conn];
    if (!relay->is_used) {
        return;
    }
    if (!relay->is_connected) {
        enum np_err err = np_plat_tcp_connect_result(go->plat, relay->local);
        if (err == NP_ERR_AGAIN) {
            if ((flags & NP_EV_ERROR) != 0 && handle == conn->handle) {
                bury(go, relay, handle);
            } else if (!relay->is_dead[1]) {
                np_plat_interest(go->plat, conn->handle, 0);
            }
            return;
        }
        if (err != NP_OK) { /* silent: the visitor's side is not told */
            finish(go, relay);
            return;
        }
        relay->is_connected = true;
    }
    for (uint32_t d = 0; d < 2; d++) {
        for (uint32_t turn = 0; turn < 64 && !relay->done[d]; turn++) {
            if (!copy_once(go, relay, d)) {
                break;
            }
        }
    }
    if ((relay->done[0] && relay->done[1]) ||
        (relay->is_udp && (relay->done[0] || relay->done[1]))) {
        finish(go, relay);
        return;
    }
    if ((flags & NP_EV_ERROR) != 0) {
        bury(go, relay, handle);
    }
    set_interest(go, relay);
}

/* ---- the side of the target -------------------------------------------------------------- */

void go_launched(struct go *go, const char *id, bool is_udp)
{
    struct go_conn *conn = go_find(go, id);
    struct np_addr target = np_sim_ip4(10, 0, 2, 1, PORT_TARGET);
    if (conn == NULL) { /* silent */
        np_sim_trace(go->scene->sim, go->plat, "go does not know %s", id);
        return;
    }
    if (conn->handle == 0) {
        conn->state = GO_CONN_FREE;
        return;
    }
    struct go_relay *relay = open_relay(go, conn, is_udp);
    if (relay == NULL) {
        return;
    }
    uint32_t tag = go_tag(GO_TAG_LOCAL, (uint32_t)(relay - go->relays));
    enum np_err err = is_udp ? np_plat_udp_open(go->plat, NULL, &target, tag, &relay->local)
                             : np_plat_tcp_connect(go->plat, NULL, &target, tag, &relay->local);
    if (err != NP_OK) {
        relay->local = NONE;
        finish(go, relay);
        return;
    }
    relay->peer = target;
    relay->is_connected = is_udp;
    np_plat_interest(go->plat, relay->local, is_udp ? NP_EV_READ : NP_EV_WRITE);
    if (is_udp) {
        go_relay_step(go, conn->relay, 0, 0);
    }
}

/* ---- the side of the visitors ------------------------------------------------------------ */

static bool send_launch(struct go *go, const struct np_addr *peer, const struct go_conn *conn,
                        bool is_udp)
{
    char text[128];
    char where[NP_ADDR_TEXT_CAP];
    np_addr_format(peer, where, sizeof where);
    snprintf(text, sizeof text, "np://%s/%s#%c", where, conn->id, is_udp ? '2' : '1');
    return go_send(go, text);
}

void go_serve_waiting(struct go *go)
{
    while (go->state == GO_UP && go->wait_count > 0) {
        struct go_conn *conn = go_oldest(go);
        struct go_wait wait = go->waits[0];
        struct go_relay *relay = conn == NULL ? NULL : open_relay(go, conn, false);
        if (relay == NULL) {
            return;
        }
        go->wait_count--;
        memmove(go->waits, go->waits + 1, go->wait_count * sizeof go->waits[0]);
        relay->local = wait.handle;
        relay->is_connected = true;
        np_plat_retag(go->plat, wait.handle, go_tag(GO_TAG_LOCAL, (uint32_t)(relay - go->relays)));
        if (!send_launch(go, &wait.peer, conn, false)) {
            go_restart(go, "launch not sent");
            return;
        }
        if (conn->handle == 0) { /* a stale id: its first write fails */
            relay->is_dead[1] = true;
            finish(go, relay);
            continue;
        }
        go_relay_step(go, conn->relay, 0, 0);
    }
}

void go_accept_visitors(struct go *go)
{
    uint32_t handle;
    struct np_addr peer;
    while (np_plat_tcp_accept(go->plat, go->door_tcp, 0, &handle, &peer) == NP_OK) {
        if (go->wait_count == GO_WAITS) {
            np_plat_tcp_close(go->plat, handle);
            continue;
        }
        go->waits[go->wait_count++] = (struct go_wait){
            handle, peer, go_now(go) + go->scene->plan.tuning.pool_get_timeout_ms * UINT64_C(1000)};
        go_serve_waiting(go);
    }
}

static struct go_relay *find_peer(struct go *go, const struct np_addr *peer)
{
    for (uint32_t i = 0; i < GO_RELAYS; i++) {
        struct go_relay *relay = &go->relays[i];
        if (relay->is_used && relay->is_udp && relay->local == NONE &&
            np_addr_is_equal(&relay->peer, peer)) {
            return relay;
        }
    }
    return NULL;
}

void go_on_door_udp(struct go *go)
{
    uint8_t buf[GO_READ];
    struct np_datagram in = {.base = buf, .cap = sizeof buf};
    while (go->door_udp != 0 && np_plat_udp_recv(go->plat, go->door_udp, &in, 1) == 1) {
        struct go_relay *relay = find_peer(go, &in.addr);
        if (relay == NULL) {
            struct go_conn *conn = go_oldest(go);
            relay = conn == NULL ? NULL : open_relay(go, conn, true);
            if (relay == NULL) {
                continue;
            }
            relay->peer = in.addr;
            relay->is_connected = true;
            if (!send_launch(go, &in.addr, conn, true)) {
                go_restart(go, "launch not sent");
                return;
            }
            relay->is_dead[1] = conn->handle == 0;
        }
        relay->until_us = go_now(go) + go->scene->plan.tuning.udp_read_timeout_ms * UINT64_C(1000);
        if (relay->is_dead[1]) {
            finish(go, relay);
            continue;
        }
        if (in.len > 0) {
            np_plat_tcp_send(go->plat, go->conns[relay->conn].handle, buf, in.len);
        }
        set_interest(go, relay);
    }
}

void go_relay_tick(struct go *go)
{
    for (uint32_t i = 0; i < GO_RELAYS; i++) {
        struct go_relay *relay = &go->relays[i];
        if (relay->is_used && relay->is_udp && relay->until_us <= go_now(go)) {
            relay->is_remote_alive = false;
            finish(go, relay);
        }
    }
    while (go->wait_count > 0 && go->waits[0].until_us <= go_now(go)) {
        np_plat_tcp_close(go->plat, go->waits[0].handle);
        go->wait_count--;
        memmove(go->waits, go->waits + 1, go->wait_count * sizeof go->waits[0]);
    }
}
