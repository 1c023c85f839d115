/* SPDX-License-Identifier: BSD-3-Clause */
/* go: the Go v1.6.0 peer: handshake, signals, pool. Its sessions are in go_relay.c. */
#include "tests/sim/go.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS 50u
#define HANDSHAKE_US (5 * SECOND)
#define DENIED_US (3 * SECOND)
#define COOLDOWN_US 500000u
#define ID_LIMIT_US (20 * SECOND)

uint64_t go_now(const struct go *go)
{
    return np_sim_now_us(go->scene->sim);
}

bool go_is_up(const struct go *go)
{
    return go->state == GO_UP;
}

bool go_has_visitors(const struct go *go)
{
    return go->flow == (go->is_server ? '-' : '+');
}

static void trace(const struct go *go, const char *what)
{
    np_sim_trace(go->scene->sim, go->plat, "go: %s", what);
}

/* ---- life -------------------------------------------------------------------------------- */

static void close_handle(struct go *go, uint32_t *handle, bool is_tcp)
{
    if (*handle == 0) {
        return;
    }
    if (is_tcp) {
        np_plat_tcp_close(go->plat, *handle);
    } else {
        np_plat_close(go->plat, *handle);
    }
    *handle = 0;
}

void go_restart(struct go *go, const char *why)
{
    trace(go, why);
    go_end_relays(go);
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        if (go->conns[i].state != GO_CONN_FREE) {
            close_handle(go, &go->conns[i].handle, true);
            go->conns[i].state = GO_CONN_FREE;
        }
    }
    close_handle(go, &go->control, true);
    close_handle(go, &go->door_tcp, false);
    close_handle(go, &go->door_udp, false);
    go->state = GO_COOLING;
    go->until_us = go_now(go) + COOLDOWN_US;
    go->len = 0;
}

void go_open(struct scene *scene, struct np_plat *plat, bool is_server)
{
    struct go **slot = is_server ? &scene->go_server : &scene->go_client;
    if (*slot == NULL) {
        *slot = malloc(sizeof **slot);
    }
    struct go *go = *slot;
    if (go == NULL) {
        abort();
    }
    memset(go, 0, sizeof *go);
    go->scene = scene;
    go->plat = plat;
    go->is_server = is_server;
    go->max = scene->plan.max;
    go->flow = is_server ? (scene->plan.topology == TOPO_REVERSE ? '-' : '+') : '?';
    go->capacity = scene->plan.min;
    np_sim_host_config(plat)->step = go_step;
    np_sim_host_config(plat)->context = go;
}

/* ---- pool -------------------------------------------------------------------------------- */

static uint32_t count_conns(const struct go *go, uint8_t state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        count += go->conns[i].state == state;
    }
    return count;
}

struct go_conn *go_oldest(struct go *go)
{
    struct go_conn *oldest = NULL;
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        struct go_conn *conn = &go->conns[i];
        if (conn->state == GO_CONN_IDLE && (oldest == NULL || conn->order < oldest->order)) {
            oldest = conn;
        }
    }
    return oldest;
}

struct go_conn *go_find(struct go *go, const char *id)
{
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        if (go->conns[i].state == GO_CONN_IDLE && strcmp(go->conns[i].id, id) == 0) {
            return &go->conns[i];
        }
    }
    return NULL;
}

static struct go_conn *free_conn(struct go *go)
{
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        if (go->conns[i].state == GO_CONN_FREE) {
            memset(&go->conns[i], 0, sizeof go->conns[i]);
            return &go->conns[i];
        }
    }
    return NULL;
}

static void become_idle(struct go *go, struct go_conn *conn)
{
    conn->state = GO_CONN_IDLE;
    conn->order = go->order++;
    np_plat_interest(go->plat, conn->handle, 0); /* an idle one is not watched */
    go_serve_waiting(go);
}

/* Client: one round of its pool manager. */
static void fill(struct go *go)
{
    struct np_addr server = np_sim_ip4(10, 0, 0, 1, PORT_TUNNEL);
    uint32_t idle = count_conns(go, GO_CONN_IDLE);
    uint32_t there = idle + count_conns(go, GO_CONN_DIALING) + count_conns(go, GO_CONN_EXPECT_ID);
    if (idle * 5 < go->capacity && go->capacity < go->max) {
        go->capacity++;
    }
    for (; there < go->capacity; there++) {
        struct go_conn *conn = free_conn(go);
        if (conn == NULL || np_plat_tcp_connect(go->plat, NULL, &server,
                                                go_tag(GO_TAG_CONN, (uint32_t)(conn - go->conns)),
                                                &conn->handle) != NP_OK) {
            return;
        }
        conn->state = GO_CONN_DIALING;
        conn->until_us = go_now(go) + ID_LIMIT_US;
        np_plat_interest(go->plat, conn->handle, NP_EV_WRITE);
    }
}

static void keep_alive(struct go *go, uint32_t handle)
{
    np_plat_tcp_keepalive(go->plat, handle, go->scene->plan.tuning.report_interval_ms);
}

static void drop_conn(struct go *go, struct go_conn *conn)
{
    close_handle(go, &conn->handle, true);
    conn->state = GO_CONN_FREE;
}

static void read_id(struct go *go, struct go_conn *conn)
{
    int32_t got = np_plat_tcp_recv(go->plat, conn->handle, (uint8_t *)conn->id + conn->id_len,
                                   GO_ID - conn->id_len);
    if (got == NP_ERR_AGAIN) {
        return;
    }
    if (got < 0) {
        drop_conn(go, conn);
        return;
    }
    conn->id_len += (uint32_t)got;
    if (conn->id_len < GO_ID) {
        return;
    }
    if (strspn(conn->id, "0123456789abcdef") != GO_ID) {
        np_sim_fail(go->scene->sim, "a Go client gets the id %s", conn->id);
    }
    become_idle(go, conn);
}

/* A used connection whose two copies ended: what still comes is thrown away. */
static void drain(struct go *go, struct go_conn *conn)
{
    uint8_t buf[4096];
    int32_t got;
    while ((got = np_plat_tcp_recv(go->plat, conn->handle, buf, sizeof buf)) > 0) {
    }
    if (got != NP_ERR_AGAIN) {
        drop_conn(go, conn);
    }
}

static void on_conn(struct go *go, uint32_t index, uint32_t flags)
{
    struct go_conn *conn = &go->conns[index];
    switch (conn->state) {
    case GO_CONN_DIALING: {
        enum np_err err = np_plat_tcp_connect_result(go->plat, conn->handle);
        if (err == NP_OK) {
            conn->state = GO_CONN_EXPECT_ID;
            keep_alive(go, conn->handle);
            np_plat_interest(go->plat, conn->handle, NP_EV_READ);
        } else if (err != NP_ERR_AGAIN) {
            drop_conn(go, conn);
        }
        return;
    }
    case GO_CONN_EXPECT_ID:
        read_id(go, conn);
        return;
    case GO_CONN_BUSY:
        go_relay_step(go, conn->relay, conn->handle, flags);
        return;
    case GO_CONN_DRAINING:
        drain(go, conn);
        return;
    case GO_CONN_IDLE: /* a failure is all that can come: its id stays in the pool */
        close_handle(go, &conn->handle, true);
        return;
    default:
        return;
    }
}

static void tick_pool(struct go *go)
{
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        struct go_conn *conn = &go->conns[i];
        bool is_late = conn->until_us <= go_now(go);
        if ((conn->state == GO_CONN_DIALING || conn->state == GO_CONN_EXPECT_ID) && is_late) {
            drop_conn(go, conn);
        } else if (conn->state == GO_CONN_DRAINING && is_late) {
            become_idle(go, conn);
        }
    }
    if (!go->is_server && go_now(go) >= go->fill_us) {
        go->fill_us = go_now(go) + 100000;
        fill(go);
    }
}

static void flush(struct go *go)
{
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        if (go->conns[i].state == GO_CONN_IDLE) {
            drop_conn(go, &go->conns[i]);
        }
    }
}

/* ---- handshake --------------------------------------------------------------------------- */

static void open_doors(struct go *go)
{
    struct np_addr any = {.port = PORT_VISITORS};
    if (np_plat_tcp_listen(go->plat, &any, go_tag(GO_TAG_TCP, 0), &go->door_tcp) != NP_OK ||
        np_plat_udp_open(go->plat, &any, NULL, go_tag(GO_TAG_UDP, 0), &go->door_udp) != NP_OK) {
        go_restart(go, "target address not bound");
        return;
    }
    np_plat_interest(go->plat, go->door_tcp, NP_EV_READ);
    np_plat_interest(go->plat, go->door_udp, NP_EV_READ);
}

static void become_up(struct go *go)
{
    go->state = GO_UP;
    go->heard_us = go_now(go);
    go->ping_us = go_now(go) + go->scene->plan.tuning.report_interval_ms * UINT64_C(1000);
    go->capacity = go->scene->plan.min;
    go->fill_us = 0;
    trace(go, "up");
    if (go_has_visitors(go)) {
        open_doors(go);
    }
}

static void greet(struct go *go, const uint8_t *line, uint32_t len)
{
    char answer[64];
    const struct plan *plan = &go->scene->plan;
    bool is_good = len == plan->key_len;
    for (uint32_t i = 0; i < len; i++) {
        is_good = is_good && line[i] == 0;
    }
    if (!is_good) {
        close_handle(go, &go->control, true);
        go->state = GO_COOLING;
        go->until_us = go_now(go) + DENIED_US;
        return;
    }
    snprintf(answer, sizeof answer, "np://%u/%c#0", go->max, go->flow);
    if (!go_send(go, answer)) {
        go_restart(go, "answer not sent");
        return;
    }
    become_up(go);
}

static void take_answer(struct go *go, const char *text)
{
    struct go_url url;
    if (!go_url_parse(&url, text) || url.host[0] == '\0' ||
        (strcmp(url.path, "-") != 0 && strcmp(url.path, "+") != 0)) {
        /* A server that still believes in the old connection sends what a pool connection gets. */
        if (++go->bad_answers == 4) {
            np_sim_fail(go->scene->sim, "a Go client gets answers it can't use: %s", text);
        }
        go_restart(go, "answer not understood");
        return;
    }
    go->max = (uint32_t)strtoul(url.host, NULL, 10);
    go->flow = url.path[0];
    go->bad_answers = 0;
    become_up(go);
}

/* ---- signals ----------------------------------------------------------------------------- */

static void on_signal(struct go *go, const char *text)
{
    struct go_url url;
    np_sim_trace(go->scene->sim, go->plat, "go reads %s", text);
    if (!go_url_parse(&url, text)) {
        if (!go->scene->is_key_bad) {
            np_sim_fail(go->scene->sim, "a Go peer gets a line it cuts or can't use: %s", text);
        }
        go_restart(go, "line not understood");
        return;
    }
    switch (url.fragment[0]) {
    case 'i':
        if (!go_send(go, "#o")) {
            go_restart(go, "pong not sent");
        }
        return;
    case '0':
        flush(go);
        return;
    case '1':
    case '2':
        go_launched(go, url.path, url.fragment[0] == '2');
        return;
    default:
        return;
    }
}

/* Every 0x0a ends a line, also one that the XOR made. */
static void cut_lines(struct go *go)
{
    char text[sizeof go->in + 1];
    uint8_t *end;
    while (go->control != 0 && (end = memchr(go->in, '\n', go->len)) != NULL) {
        uint32_t len = (uint32_t)(end - go->in);
        memcpy(text, go->in, len);
        go->len -= len + 1;
        memmove(go->in, end + 1, go->len);
        if (go->state == GO_EXPECT_LINE && go->is_server) {
            greet(go, (const uint8_t *)text, len);
            continue;
        }
        go_xor(go, (uint8_t *)text, len);
        text[len] = '\0';
        if (go->state == GO_EXPECT_LINE) {
            take_answer(go, text);
        } else {
            on_signal(go, text);
        }
    }
}

static void read_control(struct go *go)
{
    int32_t got = np_plat_tcp_recv(go->plat, go->control, go->in + go->len,
                                   (uint32_t)sizeof go->in - go->len);
    if (got == NP_ERR_AGAIN) {
        return;
    }
    if (got < 0 || go->len + (uint32_t)got == sizeof go->in) {
        go_restart(go, "control connection lost");
        return;
    }
    go->len += (uint32_t)got;
    go->heard_us = go_now(go);
    cut_lines(go);
}

static void on_control(struct go *go)
{
    uint8_t hello[80];
    uint32_t len = go->scene->plan.key_len;
    if (go->state != GO_DIALING) {
        read_control(go);
        return;
    }
    enum np_err err = np_plat_tcp_connect_result(go->plat, go->control);
    if (err == NP_ERR_AGAIN) {
        return;
    }
    memset(hello, 0, len);
    hello[len] = '\n';
    if (err != NP_OK ||
        np_plat_tcp_send(go->plat, go->control, hello, len + 1) != (int32_t)len + 1) {
        go_restart(go, "server not reached");
        return;
    }
    go->state = GO_EXPECT_LINE;
    go->until_us = go_now(go) + HANDSHAKE_US;
    np_plat_interest(go->plat, go->control, NP_EV_READ);
}

/* ---- server door ------------------------------------------------------------------------- */

static void accept_pool(struct go *go, uint32_t handle, const struct np_addr *peer)
{
    struct go_conn *conn = free_conn(go);
    uint32_t idle = count_conns(go, GO_CONN_IDLE);
    bool is_known = np_addr_is_same_host(peer, &go->peer);
    if (conn == NULL || !is_known || idle >= go->max) {
        np_plat_tcp_close(go->plat, handle);
        return;
    }
    conn->handle = handle;
    snprintf(conn->id, sizeof conn->id, "%08x", (unsigned)(uint32_t)np_sim_random(go->scene->sim));
    np_plat_retag(go->plat, handle, go_tag(GO_TAG_CONN, (uint32_t)(conn - go->conns)));
    keep_alive(go, handle);
    if (np_plat_tcp_send(go->plat, handle, (const uint8_t *)conn->id, GO_ID) != (int32_t)GO_ID) {
        np_plat_tcp_close(go->plat, handle);
        return;
    }
    become_idle(go, conn);
}

static void on_listener(struct go *go)
{
    uint32_t handle;
    struct np_addr peer;
    while ((go->state == GO_UP || (go->state == GO_COOLING && go->until_us <= go_now(go))) &&
           np_plat_tcp_accept(go->plat, go->listener, 0, &handle, &peer) == NP_OK) {
        if (go->state == GO_UP) {
            accept_pool(go, handle, &peer);
            continue;
        }
        go->control = handle;
        go->peer = peer;
        go->len = 0;
        go->state = GO_EXPECT_LINE;
        go->until_us = go_now(go) + HANDSHAKE_US;
        np_plat_retag(go->plat, handle, go_tag(GO_TAG_CONTROL, 0));
        np_plat_interest(go->plat, handle, NP_EV_READ);
    }
}

/* ---- turns ------------------------------------------------------------------------------- */

static void start(struct go *go)
{
    struct np_addr server = np_sim_ip4(10, 0, 0, 1, PORT_TUNNEL);
    if (go->is_server) {
        struct np_addr any = {.port = PORT_TUNNEL};
        if (go->listener == 0 && np_plat_tcp_listen(go->plat, &any, go_tag(GO_TAG_LISTENER, 0),
                                                    &go->listener) != NP_OK) {
            go->until_us = go_now(go) + COOLDOWN_US;
            return;
        }
        on_listener(go);
        return;
    }
    if (np_plat_tcp_connect(go->plat, NULL, &server, go_tag(GO_TAG_CONTROL, 0), &go->control) !=
        NP_OK) {
        go->until_us = go_now(go) + COOLDOWN_US;
        return;
    }
    go->state = GO_DIALING;
    go->until_us = go_now(go) + HANDSHAKE_US;
    np_plat_interest(go->plat, go->control, NP_EV_WRITE);
}

static void tick_up(struct go *go)
{
    uint64_t report_us = go->scene->plan.tuning.report_interval_ms * UINT64_C(1000);
    if (go_now(go) >= go->ping_us) {
        go->ping_us = go_now(go) + report_us;
        if (!go_send(go, "#i")) {
            go_restart(go, "ping not sent");
            return;
        }
    }
    if (go_now(go) - go->heard_us > 3 * report_us) {
        go_restart(go, "nothing received for three reports");
        return;
    }
    if ((go->scene->plan.faults & FAULT_GARBAGE) != 0 && !go->scene->is_healed &&
        pick_chance(go->scene, 5)) {
        go_talk_nonsense(go);
    }
    tick_pool(go);
    go_relay_tick(go);
}

static void tick(struct go *go)
{
    if (go->state == GO_UP) {
        tick_up(go);
    } else if (go->until_us <= go_now(go)) {
        if (go->state == GO_COOLING) {
            start(go);
        } else {
            go_restart(go, "handshake timed out");
        }
    }
    /* It does not accept while it greets or sleeps. */
    bool accepts = go->state == GO_UP || (go->state == GO_COOLING && go->until_us <= go_now(go));
    if (go->listener != 0 && go->accepts != accepts) {
        go->accepts = accepts;
        np_plat_interest(go->plat, go->listener, accepts ? NP_EV_READ : 0);
    }
}

static void on_event(struct go *go, const struct np_event *event)
{
    uint32_t index = event->tag & 0xffffu;
    switch ((enum go_tag)(event->tag >> 16)) {
    case GO_TAG_LISTENER:
        on_listener(go);
        return;
    case GO_TAG_TCP:
        go_accept_visitors(go);
        return;
    case GO_TAG_UDP:
        go_on_door_udp(go);
        return;
    case GO_TAG_CONTROL:
        if (go->control == event->handle) {
            on_control(go);
        }
        return;
    case GO_TAG_CONN:
        if (go->conns[index].state != GO_CONN_FREE && go->conns[index].handle == event->handle) {
            on_conn(go, index, event->flags);
        }
        return;
    case GO_TAG_LOCAL:
        if (go->relays[index].is_used && go->relays[index].local == event->handle) {
            go_relay_step(go, index, event->handle, event->flags);
        }
        return;
    }
}

void go_step(void *context)
{
    struct go *go = context;
    struct np_event events[32];
    int32_t count = np_plat_poll(go->plat, events, 32, TICK_MS);
    for (int32_t i = 0; i < count; i++) {
        on_event(go, &events[i]);
    }
    tick(go);
}
