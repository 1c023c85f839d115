/* SPDX-License-Identifier: BSD-3-Clause */
/* objects: handles and what they stand for; what all kinds share. */
#include "platform/lwip/lwip_priv.h"

struct np_plat np_lwip_plat;
uint8_t np_lwip_rings[NP_LWIP_TCP][NP_LWIP_WND] __attribute__((aligned(8)));
uint8_t np_lwip_datagram_mem[NP_LWIP_DATAGRAMS][NP_LWIP_DATAGRAM_BYTES];

enum np_lwip_kind np_lwip_kind_at(uint32_t index)
{
    if (index < NP_LWIP_AT_LISTENER) {
        return NP_LWIP_IS_TCP;
    }
    if (index < NP_LWIP_AT_UDP) {
        return NP_LWIP_IS_LISTENER;
    }
    return index < NP_LWIP_AT_QUERY ? NP_LWIP_IS_UDP : NP_LWIP_IS_QUERY;
}

struct np_lwip_head *np_lwip_head_at(struct np_plat *plat, uint32_t index)
{
    switch (np_lwip_kind_at(index)) {
    case NP_LWIP_IS_TCP:
        return &plat->tcp[index].head;
    case NP_LWIP_IS_LISTENER:
        return &plat->listeners[index - NP_LWIP_AT_LISTENER].head;
    case NP_LWIP_IS_UDP:
        return &plat->udp[index - NP_LWIP_AT_UDP].head;
    default:
        return &plat->queries[index - NP_LWIP_AT_QUERY].head;
    }
}

static bool is_in(const void *at, const void *array, size_t bytes)
{
    return (uintptr_t)at >= (uintptr_t)array && (uintptr_t)at < (uintptr_t)array + bytes;
}

uint32_t np_lwip_index(const struct np_plat *plat, const struct np_lwip_head *head)
{
    if (is_in(head, plat->tcp, sizeof(plat->tcp))) {
        return (uint32_t)((const struct np_lwip_tcp *)(const void *)head - plat->tcp);
    }
    if (is_in(head, plat->listeners, sizeof(plat->listeners))) {
        return NP_LWIP_AT_LISTENER +
               (uint32_t)((const struct np_lwip_listener *)(const void *)head - plat->listeners);
    }
    if (is_in(head, plat->udp, sizeof(plat->udp))) {
        return NP_LWIP_AT_UDP +
               (uint32_t)((const struct np_lwip_udp *)(const void *)head - plat->udp);
    }
    return NP_LWIP_AT_QUERY +
           (uint32_t)((const struct np_lwip_query *)(const void *)head - plat->queries);
}

uint32_t np_lwip_name(const struct np_plat *plat, const struct np_lwip_head *head)
{
    return (uint32_t)head->generation << 16 | np_lwip_index(plat, head);
}

struct np_lwip_head *np_lwip_get(struct np_plat *plat, uint32_t handle, enum np_lwip_kind kind)
{
    uint32_t index = handle & 0xffffu;
    if (index >= NP_LWIP_OBJECTS || (kind != NP_LWIP_ANY && np_lwip_kind_at(index) != kind)) {
        return NULL;
    }
    struct np_lwip_head *head = np_lwip_head_at(plat, index);
    return head->state == NP_LWIP_OPEN && head->generation == handle >> 16 ? head : NULL;
}

static uint32_t first_of(enum np_lwip_kind kind)
{
    static const uint16_t first[] = {
        0, 0, NP_LWIP_AT_LISTENER, NP_LWIP_AT_UDP, NP_LWIP_AT_QUERY, NP_LWIP_OBJECTS};
    return first[kind];
}

struct np_lwip_head *np_lwip_find_free(struct np_plat *plat, enum np_lwip_kind kind)
{
    if (plat->handles_used >= plat->handles_cap) {
        return NULL;
    }
    for (uint32_t i = first_of(kind); i < first_of(kind + 1); i++) {
        struct np_lwip_head *head = np_lwip_head_at(plat, i);
        if (head->state == NP_LWIP_FREE) {
            return head;
        }
    }
    return NULL;
}

uint32_t np_lwip_open_head(struct np_plat *plat, struct np_lwip_head *head, uint32_t tag)
{
    head->tag = tag;
    head->want = 0;
    head->state = NP_LWIP_OPEN;
    head->generation = head->generation == UINT16_MAX ? 1 : (uint16_t)(head->generation + 1u);
    plat->handles_used++;
    return np_lwip_name(plat, head);
}

void np_lwip_release(struct np_plat *plat, struct np_lwip_head *head)
{
    if (head->state == NP_LWIP_OPEN) {
        plat->handles_used--;
    }
    head->state = NP_LWIP_FREE;
    head->want = 0;
}

uint32_t np_lwip_tcp_free(const struct np_plat *plat)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        count += plat->tcp[i].head.state == NP_LWIP_FREE;
    }
    return count;
}

/* ---- contract -------------------------------------------------------------------------------- */

void np_plat_interest(struct np_plat *plat, uint32_t handle, uint32_t mask)
{
    struct np_lwip_head *head = np_lwip_get(plat, handle, NP_LWIP_ANY);
    if (head != NULL) {
        head->want = (uint8_t)(mask & (NP_EV_READ | NP_EV_WRITE));
    }
}

void np_plat_retag(struct np_plat *plat, uint32_t handle, uint32_t tag)
{
    struct np_lwip_head *head = np_lwip_get(plat, handle, NP_LWIP_ANY);
    if (head != NULL) {
        head->tag = tag;
    }
}

void np_plat_close(struct np_plat *plat, uint32_t handle)
{
    struct np_lwip_head *head = np_lwip_get(plat, handle, NP_LWIP_ANY);
    if (head == NULL) {
        return;
    }
    switch (np_lwip_kind_at(handle & 0xffffu)) {
    case NP_LWIP_IS_LISTENER:
        np_lwip_listener_close(plat, (struct np_lwip_listener *)(void *)head);
        break;
    case NP_LWIP_IS_UDP:
        np_lwip_udp_close(plat, (struct np_lwip_udp *)(void *)head);
        break;
    case NP_LWIP_IS_TCP:
        np_plat_tcp_close(plat, handle);
        return;
    default:
        break;
    }
    np_lwip_release(plat, head);
}

enum np_err np_plat_local(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    const void *head = np_lwip_get(plat, handle, NP_LWIP_ANY);
    if (head == NULL) {
        return NP_ERR_STALE;
    }
    switch (np_lwip_kind_at(handle & 0xffffu)) {
    case NP_LWIP_IS_TCP:
        *addr = ((const struct np_lwip_tcp *)head)->local;
        return NP_OK;
    case NP_LWIP_IS_LISTENER:
        *addr = ((const struct np_lwip_listener *)head)->local;
        return NP_OK;
    case NP_LWIP_IS_UDP:
        *addr = ((const struct np_lwip_udp *)head)->local;
        return NP_OK;
    default:
        return NP_ERR_INVALID;
    }
}

enum np_err np_plat_peer(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    const void *head = np_lwip_get(plat, handle, NP_LWIP_ANY);
    enum np_lwip_kind kind = np_lwip_kind_at(handle & 0xffffu);
    if (head == NULL) {
        return NP_ERR_STALE;
    }
    if (kind == NP_LWIP_IS_TCP) {
        *addr = ((const struct np_lwip_tcp *)head)->peer;
        return NP_OK;
    }
    if (kind == NP_LWIP_IS_UDP && ((const struct np_lwip_udp *)head)->remote.family != 0) {
        *addr = ((const struct np_lwip_udp *)head)->remote;
        return NP_OK;
    }
    return NP_ERR_INVALID;
}
