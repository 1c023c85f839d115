/* SPDX-License-Identifier: BSD-3-Clause */
/* port: bound sockets of a host: listeners and UDP sockets. */
#include <stdlib.h>
#include <string.h>

#include "platform/sim/world.h"

static bool is_any(const struct np_addr *addr)
{
    static const uint8_t zero[16];
    return addr->family == NP_FAMILY_NONE ||
           memcmp(addr->ip, zero, addr->family == NP_FAMILY_IP4 ? 4 : 16) == 0;
}

/* NONE and [::] stand for both families. */
static bool has_family(const struct np_addr *bound, const struct np_addr *addr)
{
    return bound->family == NP_FAMILY_NONE || bound->family == addr->family ||
           (bound->family == NP_FAMILY_IP6 && is_any(bound));
}

static bool has_addr(const struct np_addr *bound, const struct np_addr *addr)
{
    return is_any(bound) ? has_family(bound, addr) : np_sim_same_ip(bound, addr);
}

static bool has_overlap(const struct np_addr *a, const struct np_addr *b)
{
    return has_addr(a, b) || has_addr(b, a) ||
           (is_any(a) && is_any(b) && (has_family(a, b) || has_family(b, a)));
}

/* Where a SYN or datagram for `local` goes; a connected UDP socket counts only for its far end and
 * before others. */
struct sim_port *np_sim_port_find(struct np_plat *plat, enum sim_kind kind,
                                  const struct np_addr *local, const struct np_addr *remote)
{
    struct sim_port *best = NULL;
    for (struct sim_port *port = plat->ports; port != NULL; port = port->next) {
        if (port->kind != kind || port->local.port != local->port ||
            !has_addr(&port->local, local)) {
            continue;
        }
        if (!port->is_connected) {
            best = best == NULL ? port : best;
        } else if (remote != NULL && port->remote.port == remote->port &&
                   np_sim_same_ip(&port->remote, remote)) {
            return port;
        }
    }
    return best;
}

static bool is_busy(const struct np_plat *plat, enum sim_kind kind, const struct np_addr *local)
{
    const uint16_t *busy = kind == SIM_LISTENER ? plat->trouble.busy_tcp : plat->trouble.busy_udp;
    for (uint32_t i = 0; i < 4; i++) {
        if (busy[i] != 0 && busy[i] == local->port) {
            return true;
        }
    }
    for (const struct sim_port *port = plat->ports; port != NULL; port = port->next) {
        if (port->kind == kind && port->local.port == local->port &&
            has_overlap(&port->local, local)) {
            return true;
        }
    }
    return false;
}

uint16_t np_sim_free_port(struct np_plat *plat, enum sim_kind kind)
{
    struct np_addr any = {0};
    do {
        plat->next_port = plat->next_port < 32768 || plat->next_port >= 60999
                              ? 32768
                              : (uint16_t)(plat->next_port + 1);
        any.port = plat->next_port;
    } while (is_busy(plat, kind, &any));
    return any.port;
}

static struct sim_port *acquire(struct np_sim *sim)
{
    struct sim_port *port = sim->free_ports;
    if (port != NULL) {
        sim->free_ports = port->next;
    } else {
        port = malloc(sizeof *port);
        if (port == NULL) {
            abort();
        }
    }
    memset(port, 0, sizeof *port);
    return port;
}

enum np_err np_sim_port_open(struct np_plat *plat, enum sim_kind kind, const struct np_addr *local,
                             uint32_t tag, struct sim_port **out)
{
    struct np_addr bound = {0};
    if (local != NULL) {
        bound = *local;
    }
    if (!is_any(&bound) && !np_sim_has_ip(plat, &bound)) {
        return NP_ERR_ADDR_NOT_LOCAL;
    }
    if (bound.port == 0) {
        bound.port = np_sim_free_port(plat, kind);
    } else if (is_busy(plat, kind, &bound)) {
        return NP_ERR_ADDR_IN_USE;
    }
    uint32_t index;
    enum np_err err = np_sim_entry_open(plat, kind, tag, &index);
    if (err != NP_OK) {
        return err;
    }
    struct sim_port *port = acquire(plat->sim);
    port->host = plat;
    port->entry = index;
    port->kind = (uint8_t)kind;
    port->local = bound;
    port->next = plat->ports;
    plat->ports = port;
    plat->entries[index].port = port;
    np_sim_ready(plat, index);
    *out = port;
    return NP_OK;
}

void np_sim_port_release(struct sim_port *port)
{
    struct np_plat *plat = port->host;
    for (struct sim_conn *conn = port->first; conn != NULL;) {
        struct sim_conn *next = conn->next;
        np_sim_tcp_drop(plat->sim, conn, 1, true);
        conn = next;
    }
    for (struct sim_dgram *dgram = port->first_dgram; dgram != NULL;) {
        struct sim_dgram *next = dgram->next;
        np_sim_dgram_release(plat->sim, dgram);
        dgram = next;
    }
    struct sim_port **link = &plat->ports;
    while (*link != port) {
        link = &(*link)->next;
    }
    *link = port->next;
    port->next = plat->sim->free_ports;
    plat->sim->free_ports = port;
}

void np_plat_close(struct np_plat *plat, uint32_t handle)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_FREE);
    if (entry == NULL) {
        return;
    }
    uint32_t index = (uint32_t)(entry - plat->entries);
    if (entry->kind == SIM_TCP) {
        np_sim_fail(plat->sim, "contract: %s closes a connection by np_plat_close",
                    plat->config.name);
        return;
    }
    if (entry->kind == SIM_QUERY) {
        np_sim_query_release(plat->sim, entry->query);
    } else {
        np_sim_port_release(entry->port);
    }
    np_sim_entry_close(plat, index);
}
