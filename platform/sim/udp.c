/* SPDX-License-Identifier: BSD-3-Clause */
/* udp: datagrams: lost, doubled, late, refused, cut. */
#include <stdlib.h>
#include <string.h>

#include "platform/sim/world.h"

#define DGRAM_CAP 2048u /* room of the datagrams that are kept for reuse */

static struct sim_dgram *acquire(struct np_sim *sim, uint32_t len)
{
    struct sim_dgram *dgram = sim->free_dgrams;
    if (len <= DGRAM_CAP && dgram != NULL) {
        sim->free_dgrams = dgram->next;
        return dgram;
    }
    uint32_t cap = len <= DGRAM_CAP ? DGRAM_CAP : len;
    dgram = malloc(sizeof *dgram + cap);
    if (dgram == NULL) {
        abort();
    }
    dgram->cap = cap;
    return dgram;
}

void np_sim_dgram_release(struct np_sim *sim, struct sim_dgram *dgram)
{
    if (dgram->cap != DGRAM_CAP) {
        free(dgram);
        return;
    }
    dgram->next = sim->free_dgrams;
    sim->free_dgrams = dgram;
}

enum np_err np_plat_udp_open(struct np_plat *plat, const struct np_addr *local,
                             const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    struct sim_port *port;
    struct np_addr own;
    np_sim_spoil(plat);
    if (np_sim_plat_chance(plat, plat->trouble.no_memory)) {
        return NP_ERR_NO_MEMORY;
    }
    if (remote != NULL && !np_sim_pick_ip(plat, remote, &own)) {
        return NP_ERR_UNREACHABLE;
    }
    enum np_err err = np_sim_port_open(plat, SIM_UDP, local, tag, &port);
    if (err != NP_OK) {
        return err;
    }
    if (remote != NULL) {
        port->is_connected = true;
        port->remote = *remote;
        if (local == NULL || local->family == NP_FAMILY_NONE) {
            own.port = port->local.port;
            port->local = own;
        }
    }
    *handle = np_sim_token(plat, port->entry);
    return NP_OK;
}

static void take_one(struct np_sim *sim, struct sim_port *port, struct np_datagram *out)
{
    struct sim_dgram *dgram = port->first_dgram;
    port->first_dgram = dgram->next;
    port->count--;
    out->truncated = dgram->len > out->cap;
    out->len = dgram->len;
    memcpy(out->base, dgram->bytes, out->truncated ? out->cap : out->len);
    out->addr = dgram->from;
    np_sim_dgram_release(sim, dgram);
}

int32_t np_plat_udp_recv(struct np_plat *plat, uint32_t handle, struct np_datagram *batch,
                         uint32_t count)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_UDP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (count == 0 || count > NP_PLAT_UDP_BATCH) {
        np_sim_fail(plat->sim, "contract: %s receives a batch of %u", plat->config.name, count);
        return NP_ERR_INVALID;
    }
    struct sim_port *port = entry->port;
    if (port->is_refused) {
        port->is_refused = false;
        return NP_ERR_REFUSED;
    }
    uint32_t done = 0;
    while (done < count && port->count > 0) {
        take_one(plat->sim, port, &batch[done++]);
        if (np_sim_plat_chance(plat, plat->config.partial)) {
            break;
        }
    }
    np_sim_ready(plat, port->entry);
    return done > 0 ? (int32_t)done : NP_ERR_AGAIN;
}

static void push(struct np_plat *from, struct np_plat *to, const struct sim_port *port,
                 const struct np_datagram *in, const struct np_addr *addr)
{
    struct np_sim *sim = from->sim;
    const struct np_sim_link *link = np_sim_link(from, to);
    struct sim_dgram *dgram = acquire(sim, in->len);
    dgram->next = NULL;
    dgram->len = in->len;
    memcpy(dgram->bytes, in->base, in->len);
    dgram->to = *addr;
    if (port->local.family == NP_FAMILY_NONE) {
        np_sim_pick_ip(from, addr, &dgram->from);
        dgram->from.port = port->local.port;
    } else {
        dgram->from = port->local;
        struct np_addr own;
        if (!np_sim_has_ip(from, &dgram->from) && np_sim_pick_ip(from, addr, &own)) {
            own.port = port->local.port;
            dgram->from = own;
        }
    }
    uint64_t at_us = np_sim_arrival_us(sim, link);
    if (np_sim_chance(sim, link->udp_late)) {
        at_us += np_sim_below(sim, 20 * link->latency_us + 1);
    }
    np_sim_push(sim, (struct sim_event){.at_us = at_us,
                                        .kind = SIM_EV_DGRAM,
                                        .side = (uint8_t)to->index,
                                        .arg = port->is_connected,
                                        .object = dgram});
}

static enum np_err send_one(struct np_plat *plat, struct sim_port *port,
                            const struct np_datagram *in)
{
    struct np_sim *sim = plat->sim;
    const struct np_addr *addr = port->is_connected ? &port->remote : &in->addr;
    if (in->len > plat->config.udp_max) {
        return NP_ERR_TOO_LONG;
    }
    struct np_plat *to = np_sim_find_host(sim, plat, addr);
    struct np_addr own;
    if (to == NULL || !np_sim_pick_ip(plat, addr, &own)) {
        return NP_ERR_UNREACHABLE;
    }
    const struct np_sim_link *link = np_sim_link(plat, to);
    if (!np_sim_chance(sim, link->udp_loss)) {
        push(plat, to, port, in, addr);
    }
    if (np_sim_chance(sim, link->udp_dup)) {
        push(plat, to, port, in, addr);
    }
    return NP_OK;
}

int32_t np_plat_udp_send(struct np_plat *plat, uint32_t handle, const struct np_datagram *batch,
                         uint32_t count)
{
    struct sim_entry *entry = np_sim_entry_quiet(plat, handle, SIM_UDP);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (count == 0 || count > NP_PLAT_UDP_BATCH) {
        np_sim_fail(plat->sim, "contract: %s sends a batch of %u", plat->config.name, count);
        return NP_ERR_INVALID;
    }
    struct sim_port *port = entry->port;
    if (port->is_refused) {
        port->is_refused = false;
        return NP_ERR_REFUSED;
    }
    if (np_sim_plat_chance(plat, plat->config.partial / 8)) {
        return NP_ERR_AGAIN;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum np_err err = send_one(plat, port, &batch[i]);
        if (err != NP_OK) {
            return i > 0 ? (int32_t)i : (int32_t)err;
        }
        if (np_sim_plat_chance(plat, plat->config.partial)) {
            return (int32_t)i + 1;
        }
    }
    return (int32_t)count;
}

/* ---- events ------------------------------------------------------------ */

static void deliver(struct sim_port *port, struct sim_dgram *dgram)
{
    struct np_plat *plat = port->host;
    if (port->count >= plat->config.udp_queue) {
        np_sim_dgram_release(plat->sim, dgram);
        return;
    }
    if (port->first_dgram == NULL) {
        port->first_dgram = dgram;
    } else {
        port->last_dgram->next = dgram;
    }
    port->last_dgram = dgram;
    port->count++;
    np_sim_ready(plat, port->entry);
}

static void answer_unreachable(struct np_sim *sim, struct np_plat *at, struct sim_dgram *dgram)
{
    struct np_plat *from = np_sim_find_host(sim, at, &dgram->from);
    if (from == NULL || np_sim_link(at, from)->is_down) {
        np_sim_dgram_release(sim, dgram);
        return;
    }
    struct sim_port *port = np_sim_port_find(from, SIM_UDP, &dgram->from, &dgram->to);
    if (port != NULL && port->is_connected) {
        port->is_refused = true;
        np_sim_ready(from, port->entry);
    }
    np_sim_dgram_release(sim, dgram);
}

void np_sim_udp_event(struct np_sim *sim, const struct sim_event *event)
{
    struct sim_dgram *dgram = event->object;
    struct np_plat *to = sim->hosts[event->side];
    const struct np_plat *from = np_sim_find_host(sim, to, &dgram->from);
    if (to->is_dead || (from != NULL && sim->links[from->index][to->index].is_down)) {
        np_sim_dgram_release(sim, dgram);
        return;
    }
    np_sim_note(sim, sim->now_us ^ (uint64_t)dgram->len << 40);
    struct sim_port *port = np_sim_port_find(to, SIM_UDP, &dgram->to, &dgram->from);
    if (port != NULL) {
        deliver(port, dgram);
    } else {
        answer_unreachable(sim, to, dgram);
    }
}
