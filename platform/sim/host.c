/* SPDX-License-Identifier: BSD-3-Clause */
/* host: handle table, poll, addresses, life and death of a host. */
#include <stdlib.h>
#include <string.h>

#include "platform/sim/world.h"

#define POLL_US 10u /* virtual time a poll of a blocking host takes */
#define GENERATION_MASK ((1u << (32u - SIM_INDEX_BITS)) - 1u)
#define INDEX_MASK ((1u << SIM_INDEX_BITS) - 1u)

/* ---- set-up ------------------------------------------------------------ */

void np_sim_host_defaults(struct np_sim_host *host)
{
    *host = (struct np_sim_host){.name = "host",
                                 .handles = 1024,
                                 .send_buf = 16384,
                                 .recv_buf = 16384,
                                 .peek_max = SIM_SCRATCH,
                                 .backlog = 64,
                                 .udp_queue = 64,
                                 .udp_max = 65507,
                                 .has_wall_clock = true,
                                 .clock_offset_ms = 1000000};
}

void np_sim_link_defaults(struct np_sim_link *link)
{
    *link = (struct np_sim_link){.latency_us = 1000, .segment_max = 16384};
}

static struct np_plat *acquire_host(struct np_sim *sim)
{
    struct np_plat *plat = sim->hosts[sim->host_count];
    if (plat == NULL) {
        plat = calloc(1, sizeof *plat);
        if (plat == NULL) {
            abort();
        }
        plat->scratch = malloc(SIM_SCRATCH);
        sim->hosts[sim->host_count] = plat;
    }
    return plat;
}

static void size_table(struct np_plat *plat, uint32_t cap)
{
    if (cap > INDEX_MASK) {
        cap = INDEX_MASK;
    }
    if (plat->entry_cap >= cap) {
        return;
    }
    plat->entries = realloc(plat->entries, cap * sizeof *plat->entries);
    plat->queue = realloc(plat->queue, cap * sizeof *plat->queue);
    if (plat->entries == NULL || plat->queue == NULL) {
        abort();
    }
    plat->entry_cap = cap;
}

struct np_plat *np_sim_host_open(struct np_sim *sim, const struct np_sim_host *host)
{
    if (sim->host_count == NP_SIM_HOSTS) {
        return NULL;
    }
    struct np_plat *plat = acquire_host(sim);
    plat->sim = sim;
    plat->index = sim->host_count++;
    plat->config = *host;
    plat->trouble = (struct np_sim_trouble){0};
    plat->ip_count = 0;
    size_table(plat, host->handles);
    plat->fresh = plat->used = 0;
    plat->free_head = SIM_NONE;
    plat->queue_head = plat->queue_len = 0;
    plat->ports = NULL;
    plat->due_us = NP_SIM_NEVER;
    plat->is_awake = plat->is_running = true;
    plat->is_woken = plat->is_dead = plat->is_blocking = false;
    plat->next_port = (uint16_t)(32768u + np_sim_below(sim, 20000));
    plat->spin_count = plat->holds_used = plat->scratch_len = 0;
    plat->peeked = NULL;
    np_sim_rng_seed(plat->rng, np_sim_random(sim));
    for (uint32_t i = 0; i < sim->host_count; i++) {
        np_sim_link_defaults(&sim->links[plat->index][i]);
        np_sim_link_defaults(&sim->links[i][plat->index]);
    }
    sim->links[plat->index][plat->index].latency_us = 0;
    return plat;
}

void np_sim_host_addr(struct np_plat *plat, const struct np_addr *ip)
{
    if (plat->ip_count < NP_SIM_HOST_IPS) {
        plat->ips[plat->ip_count++] = *ip;
    }
}

struct np_sim *np_sim_of(const struct np_plat *plat)
{
    return plat->sim;
}

struct np_sim_host *np_sim_host_config(struct np_plat *plat)
{
    return &plat->config;
}

struct np_sim_trouble *np_sim_host_trouble(struct np_plat *plat)
{
    return &plat->trouble;
}

uint32_t np_sim_host_handles(const struct np_plat *plat)
{
    return plat->used;
}

void np_sim_host_set_blocking(struct np_plat *plat, bool is_blocking)
{
    plat->is_blocking = is_blocking;
}

struct np_sim_link *np_sim_link(struct np_plat *from, struct np_plat *to)
{
    return &from->sim->links[from->index][to->index];
}

bool np_sim_plat_chance(struct np_plat *plat, uint32_t p)
{
    return np_sim_chance(plat->sim, p);
}

/* ---- addresses ------------------------------------------------------------ */

bool np_sim_same_ip(const struct np_addr *a, const struct np_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == NP_FAMILY_IP4 ? 4 : 16) == 0;
}

static bool is_loopback(const struct np_addr *addr)
{
    static const uint8_t ip6[16] = {[15] = 1};
    return addr->family == NP_FAMILY_IP4 ? addr->ip[0] == 127 : memcmp(addr->ip, ip6, 16) == 0;
}

bool np_sim_has_ip(const struct np_plat *plat, const struct np_addr *addr)
{
    for (uint32_t i = 0; i < plat->ip_count; i++) {
        if (np_sim_same_ip(&plat->ips[i], addr)) {
            return true;
        }
    }
    return is_loopback(addr);
}

struct np_plat *np_sim_find_host(struct np_sim *sim, struct np_plat *asker,
                                 const struct np_addr *addr)
{
    if (is_loopback(addr)) {
        return asker;
    }
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (np_sim_has_ip(sim->hosts[i], addr)) {
            return sim->hosts[i];
        }
    }
    return NULL;
}

bool np_sim_pick_ip(const struct np_plat *plat, const struct np_addr *remote, struct np_addr *local)
{
    *local = (struct np_addr){.family = remote->family};
    if (is_loopback(remote)) {
        memcpy(local->ip, remote->ip, sizeof local->ip);
        return true;
    }
    for (uint32_t i = 0; i < plat->ip_count; i++) {
        if (plat->ips[i].family == remote->family) {
            memcpy(local->ip, plat->ips[i].ip, sizeof local->ip);
            return true;
        }
    }
    return false;
}

/* ---- handles ------------------------------------------------------------ */

void np_sim_spoil(struct np_plat *plat)
{
    if (plat->scratch_len > 0) {
        memset(plat->scratch, 0xdb, plat->scratch_len);
        plat->scratch_len = 0;
    }
}

struct sim_entry *np_sim_entry(struct np_plat *plat, uint32_t handle, enum sim_kind kind)
{
    np_sim_spoil(plat);
    return np_sim_entry_quiet(plat, handle, kind);
}

struct sim_entry *np_sim_entry_quiet(struct np_plat *plat, uint32_t handle, enum sim_kind kind)
{
    uint32_t index = handle & INDEX_MASK;
    if (index >= plat->fresh) {
        return NULL;
    }
    struct sim_entry *entry = &plat->entries[index];
    if (entry->kind == SIM_FREE || entry->generation != handle >> SIM_INDEX_BITS ||
        (kind != SIM_FREE && entry->kind != kind)) {
        return NULL;
    }
    return entry;
}

uint32_t np_sim_token(const struct np_plat *plat, uint32_t index)
{
    return plat->entries[index].generation << SIM_INDEX_BITS | index;
}

static bool is_table_full(const struct np_plat *plat)
{
    uint32_t limit = plat->config.handles;
    if (plat->trouble.handle_max != 0 && plat->trouble.handle_max < limit) {
        limit = plat->trouble.handle_max;
    }
    return plat->used >= limit || (plat->free_head == SIM_NONE && plat->fresh == plat->entry_cap);
}

enum np_err np_sim_entry_open(struct np_plat *plat, enum sim_kind kind, uint32_t tag,
                              uint32_t *index)
{
    if (is_table_full(plat)) {
        return NP_ERR_NO_HANDLES;
    }
    uint32_t at = plat->free_head;
    struct sim_entry *entry;
    if (at != SIM_NONE) {
        entry = &plat->entries[at];
        plat->free_head = entry->next_free;
    } else {
        at = plat->fresh++;
        entry = &plat->entries[at];
        entry->generation = 1u + (uint32_t)(np_sim_rng_next(plat->rng) % 1000u);
        entry->is_queued = false;
    }
    entry->kind = (uint8_t)kind;
    entry->tag = tag;
    entry->interest = 0;
    plat->used++;
    *index = at;
    return NP_OK;
}

void np_sim_entry_close(struct np_plat *plat, uint32_t index)
{
    struct sim_entry *entry = &plat->entries[index];
    entry->kind = SIM_FREE;
    entry->generation = entry->generation == GENERATION_MASK ? 1 : entry->generation + 1;
    entry->next_free = plat->free_head;
    plat->free_head = index;
    plat->used--;
}

/* ---- poll ------------------------------------------------------------ */

static void wake_host(struct np_plat *plat)
{
    if (plat->is_awake) {
        return;
    }
    if (plat->config.wake_delay_us == 0) {
        plat->is_awake = true;
        return;
    }
    uint64_t due_us = plat->sim->now_us + np_sim_below(plat->sim, plat->config.wake_delay_us);
    if (due_us < plat->due_us) {
        plat->due_us = due_us;
    }
}

void np_sim_ready(struct np_plat *plat, uint32_t index)
{
    if (index >= plat->fresh) {
        return;
    }
    struct sim_entry *entry = &plat->entries[index];
    if (!entry->is_queued) {
        entry->is_queued = true;
        plat->queue[(plat->queue_head + plat->queue_len++) % plat->entry_cap] = index;
    }
    wake_host(plat);
}

void np_sim_host_touch(struct np_plat *plat)
{
    wake_host(plat);
}

static uint32_t port_flags(const struct np_plat *plat, const struct sim_port *port)
{
    if (port->kind == SIM_LISTENER) {
        return port->count > 0 && port->quiet_until_us <= plat->sim->now_us ? NP_EV_READ : 0;
    }
    uint32_t flags = NP_EV_WRITE;
    if (port->count > 0) {
        return flags | NP_EV_READ;
    }
    return port->is_refused ? flags | NP_EV_READ | NP_EV_ERROR : flags;
}

static uint32_t entry_flags(const struct np_plat *plat, const struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TCP:
        return np_sim_tcp_flags(entry->conn, entry->side) & (entry->interest | NP_EV_ERROR);
    case SIM_LISTENER:
    case SIM_UDP:
        return port_flags(plat, entry->port) & (entry->interest | NP_EV_ERROR);
    case SIM_QUERY:
        return entry->query->is_answered ? NP_EV_READ : 0;
    default:
        return 0;
    }
}

/* Looks once at every handle of the queue; those that still have something stay in it. */
static uint32_t collect(struct np_plat *plat, struct np_event *events, uint32_t cap)
{
    uint32_t count = 0;
    for (uint32_t left = plat->queue_len; left > 0 && count < cap; left--) {
        uint32_t index = plat->queue[plat->queue_head];
        plat->queue_head = (plat->queue_head + 1) % plat->entry_cap;
        plat->queue_len--;
        struct sim_entry *entry = &plat->entries[index];
        uint32_t flags = entry_flags(plat, entry);
        entry->is_queued = flags != 0;
        if (flags == 0) {
            continue;
        }
        plat->queue[(plat->queue_head + plat->queue_len++) % plat->entry_cap] = index;
        events[count++] = (struct np_event){np_sim_token(plat, index), entry->tag, flags};
    }
    return count;
}

/* True if an event may have come. */
static bool wait_in_world(struct np_plat *plat, uint64_t until_us)
{
    plat->is_awake = false;
    while (!plat->is_awake && np_sim_advance(plat->sim, until_us)) {
        if (plat->due_us <= plat->sim->now_us) {
            plat->due_us = NP_SIM_NEVER;
            plat->is_awake = true;
        }
    }
    return plat->is_awake;
}

/* What a poll costs: something that is always ready must not stop the clock. */
static void pass_time(struct np_plat *plat)
{
    uint64_t until_us = plat->sim->now_us + POLL_US;
    do {
        plat->is_awake = false;
    } while (np_sim_advance(plat->sim, until_us));
}

static void note_events(struct np_plat *plat, const struct np_event *events, uint32_t count)
{
    np_sim_note(plat->sim, plat->sim->now_us << 8 | plat->index);
    for (uint32_t i = 0; i < count; i++) {
        np_sim_note(plat->sim, (uint64_t)events[i].handle << 32 | events[i].flags);
    }
}

int32_t np_plat_poll(struct np_plat *plat, struct np_event *events, uint32_t cap,
                     uint32_t timeout_ms)
{
    np_sim_spoil(plat);
    if (plat->trouble.poll_fails) {
        return NP_ERR_IO;
    }
    uint64_t until_us =
        timeout_ms == UINT32_MAX ? NP_SIM_NEVER : plat->sim->now_us + timeout_ms * UINT64_C(1000);
    if (plat->is_blocking) {
        pass_time(plat);
    }
    uint32_t count = collect(plat, events, cap);
    while (plat->is_blocking && count == 0 && !plat->is_woken && wait_in_world(plat, until_us)) {
        count = collect(plat, events, cap);
    }
    bool is_woken = plat->is_woken;
    plat->is_woken = false;
    if (count == 0 && !is_woken && timeout_ms > 0) {
        plat->is_awake = false;
        plat->due_us = until_us;
    } else {
        plat->is_awake = true;
        plat->due_us = NP_SIM_NEVER;
    }
    note_events(plat, events, count);
    return (int32_t)count;
}

void np_plat_wake(struct np_plat *plat)
{
    plat->is_woken = true;
    plat->is_awake = true;
}

void np_plat_interest(struct np_plat *plat, uint32_t handle, uint32_t mask)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry == NULL) {
        return;
    }
    if ((mask & ~(NP_EV_READ | NP_EV_WRITE)) != 0) {
        np_sim_fail(plat->sim, "contract: interest mask %x", (unsigned)mask);
    }
    entry->interest = mask;
    np_sim_ready(plat, handle & INDEX_MASK);
}

void np_plat_retag(struct np_plat *plat, uint32_t handle, uint32_t tag)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry != NULL) {
        entry->tag = tag;
    }
}

/* ---- life and death ------------------------------------------------------------ */

static void close_entry(struct np_plat *plat, uint32_t index, bool is_silent)
{
    struct sim_entry *entry = &plat->entries[index];
    switch (entry->kind) {
    case SIM_TCP: {
        struct sim_conn *conn = entry->conn;
        uint32_t side = entry->side;
        np_sim_entry_close(plat, index);
        if (is_silent) {
            np_sim_tcp_drop(plat->sim, conn, side, false);
        } else {
            np_sim_tcp_orphan(plat->sim, conn, side);
        }
        return;
    }
    case SIM_LISTENER:
    case SIM_UDP:
        np_sim_port_release(entry->port);
        np_sim_entry_close(plat, index);
        return;
    case SIM_QUERY:
        np_sim_query_release(plat->sim, entry->query);
        np_sim_entry_close(plat, index);
        return;
    default:
        return;
    }
}

static void stop_host(struct np_plat *plat, bool is_silent)
{
    plat->peeked = NULL;
    np_sim_spoil(plat);
    for (uint32_t i = 0; i < plat->fresh; i++) {
        close_entry(plat, i, is_silent);
    }
    plat->is_running = plat->is_awake = plat->is_woken = false;
    plat->due_us = NP_SIM_NEVER;
}

void np_sim_host_kill(struct np_plat *plat)
{
    np_sim_trace(plat->sim, plat, "killed");
    stop_host(plat, false);
}

void np_sim_host_crash(struct np_plat *plat)
{
    np_sim_trace(plat->sim, plat, "crashed");
    plat->is_dead = true;
    stop_host(plat, true);
    for (uint32_t i = 0; i < plat->sim->conn_fresh; i++) {
        struct sim_conn *conn = plat->sim->conns[i];
        for (uint32_t side = 0; side < 2 && conn->is_used; side++) {
            if (conn->end[side].host == plat && conn->end[side].state != SIM_GONE) {
                np_sim_tcp_drop(plat->sim, conn, side, false);
            } else if (conn->end[1 - side].host == plat) {
                np_sim_tcp_watch(plat->sim, conn, side);
            }
        }
    }
}

void np_sim_host_start(struct np_plat *plat)
{
    np_sim_trace(plat->sim, plat, "started");
    plat->is_running = plat->is_awake = true;
    plat->is_dead = false;
}

/* For np_sim_reset: connections are released by the world. */
void np_sim_host_clear(struct np_plat *plat)
{
    for (uint32_t i = 0; i < plat->fresh; i++) {
        struct sim_entry *entry = &plat->entries[i];
        if (entry->kind == SIM_LISTENER || entry->kind == SIM_UDP) {
            np_sim_port_release(entry->port);
        } else if (entry->kind == SIM_QUERY) {
            np_sim_query_release(plat->sim, entry->query);
        }
        entry->kind = SIM_FREE;
    }
    for (uint32_t i = 0; i < SIM_BLOBS; i++) {
        plat->blobs[i].is_used = false;
    }
    plat->fresh = plat->used = 0;
}

void np_sim_host_readdress(struct np_plat *plat, const struct np_addr *from,
                           const struct np_addr *to)
{
    for (uint32_t i = 0; i < plat->ip_count; i++) {
        if (np_sim_same_ip(&plat->ips[i], from)) {
            plat->ips[i] = *to;
        }
    }
    for (uint32_t i = 0; i < plat->sim->conn_fresh; i++) {
        struct sim_conn *conn = plat->sim->conns[i];
        for (uint32_t side = 0; side < 2 && conn->is_used; side++) {
            if (conn->end[side].host == plat && np_sim_same_ip(&conn->end[side].local, from)) {
                conn->is_blackholed = true;
                np_sim_tcp_watch(plat->sim, conn, side);
                np_sim_tcp_watch(plat->sim, conn, 1 - side);
            }
        }
    }
}
