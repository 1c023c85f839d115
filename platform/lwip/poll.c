/* SPDX-License-Identifier: BSD-3-Clause */
/* poll: np_plat_poll: frames and timers into the stack, then a look at every open object. */
#include "platform/lwip/lwip_priv.h"
#include "platform/lwip/np_board.h"
#include <lwip/netif.h>

static uint32_t events_at(struct np_plat *plat, uint32_t index, uint64_t now_ms)
{
    struct np_lwip_head *head = np_lwip_head_at(plat, index);
    const void *object = head;
    if (head->state != NP_LWIP_OPEN) {
        return 0;
    }
    switch (np_lwip_kind_at(index)) {
    case NP_LWIP_IS_TCP:
        return np_lwip_tcp_events(plat, object);
    case NP_LWIP_IS_LISTENER:
        return np_lwip_listener_events(plat, object, now_ms) & head->want;
    case NP_LWIP_IS_UDP: {
        const struct np_lwip_udp *u = object;
        return ((u->count > 0 || u->bits != 0 ? NP_EV_READ : 0) | NP_EV_WRITE) & head->want;
    }
    default:
        return np_lwip_query_events(object, now_ms);
    }
}

/* The next poll goes on behind the last object told, so that everybody gets his turn. */
static uint32_t collect(struct np_plat *plat, struct np_event *events, uint32_t cap,
                        uint64_t now_ms)
{
    uint32_t count = 0, index = plat->look_at;
    for (uint32_t left = NP_LWIP_OBJECTS; left > 0 && count < cap; left--) {
        uint32_t flags = events_at(plat, index, now_ms);
        if (flags != 0) {
            const struct np_lwip_head *head = np_lwip_head_at(plat, index);
            events[count++] = (struct np_event){np_lwip_name(plat, head), head->tag, flags};
            plat->look_at = (index + 1) % NP_LWIP_OBJECTS;
        }
        index = (index + 1) % NP_LWIP_OBJECTS;
    }
    return count;
}

/* What becomes ready by time alone. */
static uint64_t next_look_ms(struct np_plat *plat, uint64_t now_ms, uint64_t until_ms)
{
    for (uint32_t i = 0; i < NP_LWIP_LISTENERS; i++) {
        const struct np_lwip_listener *l = &plat->listeners[i];
        if (l->head.state == NP_LWIP_OPEN && l->quiet_until_ms > now_ms &&
            l->quiet_until_ms < until_ms) {
            until_ms = l->quiet_until_ms;
        }
    }
    return until_ms;
}

static void idle(struct np_plat *plat, uint64_t until_ms)
{
    uint64_t begun_us = np_board_now_us();
    uint64_t until_us = until_ms == UINT64_MAX ? UINT64_MAX : until_ms * 1000u;
#if LWIP_NETIF_LOOPBACK
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        if (netif->loop_first != NULL) {
            return;
        }
    }
#endif
    np_board_idle(until_us, &plat->is_woken);
    plat->idle_us += np_board_now_us() - begun_us;
}

int32_t np_plat_poll(struct np_plat *plat, struct np_event *events, uint32_t cap,
                     uint32_t timeout_ms)
{
    uint64_t deadline_ms =
        timeout_ms == UINT32_MAX ? UINT64_MAX : np_plat_now_ms(plat) + timeout_ms;
    for (;;) {
        bool has_more = np_lwip_link_step(plat);
        uint64_t now_ms = np_plat_now_ms(plat);
        uint64_t until_ms = np_lwip_timers_step(plat, now_ms);
        np_lwip_watch(plat, now_ms);
        uint32_t count = collect(plat, events, cap, now_ms);
        if (plat->is_woken) {
            plat->is_woken = false;
            return (int32_t)count;
        }
        if (count > 0 || now_ms >= deadline_ms) {
            return (int32_t)count;
        }
        until_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
        if (!has_more) {
            idle(plat, next_look_ms(plat, now_ms, until_ms));
        }
    }
}

void np_plat_wake(struct np_plat *plat)
{
    plat->is_woken = true;
}
