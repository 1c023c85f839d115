/* SPDX-License-Identifier: BSD-3-Clause */
/* resolve: names by lwIP's resolver. It gives one address a question, so that a query asks one for
 * each family that has an address here. Its answers carry the query's handle: one that comes after
 * the query was closed finds it stale. */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/dns.h>

#define SECOND_WAIT_MS 1000u /* for the other family, after one has answered */
#define NO_SERVER_MS 3000u   /* a failure that took so long was no answer */

static void add(struct np_lwip_query *q, const ip_addr_t *ip)
{
    if (ip != NULL && q->count < sizeof(q->addrs) / sizeof(q->addrs[0])) {
        np_lwip_from_ip(&q->addrs[q->count++], ip, 0);
        q->first_ms = np_plat_now_ms(&np_lwip_plat);
    }
}

static void on_found(const char *name, const ip_addr_t *ip, void *arg)
{
    struct np_plat *plat = &np_lwip_plat;
    uint32_t handle = (uint32_t)(uintptr_t)arg;
    struct np_lwip_query *q = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_QUERY);
    (void)name;
    if (q == NULL) {
        return;
    }
    add(q, ip);
    if (q->waiting > 0 && --q->waiting == 0 && q->count == 0) {
        bool is_mute = np_plat_now_ms(plat) - q->begun_ms > NO_SERVER_MS;
        q->error = is_mute ? NP_ERR_TIMED_OUT : NP_ERR_NOT_FOUND;
    }
}

/* Families worth asking for: those the interface can use; IPv4 if it has nothing yet. */
static bool can_use(const struct np_plat *plat, uint8_t type)
{
    bool has6 = false;
    for (uint32_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        has6 = has6 || ip6_addr_isvalid(netif_ip6_addr_state(&plat->netif, i));
    }
    bool has4 = !ip4_addr_isany_val(*netif_ip4_addr(&plat->netif));
    return type == LWIP_DNS_ADDRTYPE_IPV6 ? has6 : has4 || !has6;
}

static void ask(struct np_lwip_query *q, const char *name, uint32_t handle, uint8_t type)
{
    ip_addr_t ip;
    q->waiting++;
    err_t err = dns_gethostbyname_addrtype(name, &ip, on_found, (void *)(uintptr_t)handle, type);
    if (err == ERR_OK) {
        add(q, &ip);
    } else if (err != ERR_INPROGRESS) {
        q->error = err == ERR_ARG ? NP_ERR_NOT_FOUND : NP_ERR_IO;
    }
    if (err != ERR_INPROGRESS) {
        q->waiting--;
    }
}

static bool is_own_name(const char *name)
{
    static const char localhost[] = "localhost";
    return strlen(name) == sizeof(localhost) - 1 && memcmp(name, localhost, sizeof(localhost)) == 0;
}

static void begin(struct np_plat *plat, struct np_lwip_query *q, const char *name, uint32_t handle)
{
    uint32_t len = (uint32_t)strlen(name);
    struct np_addr literal;
    q->count = q->waiting = 0;
    q->error = NP_ERR_NOT_FOUND;
    q->begun_ms = np_plat_now_ms(plat);
    np_lwip_link_use_servers(plat);
    if (is_own_name(name)) {
        q->addrs[q->count++] = (struct np_addr){.family = NP_FAMILY_IP4, .ip = {127, 0, 0, 1}};
    } else if (np_addr_parse_ip(&literal, name, len, 0)) {
        q->addrs[q->count++] = literal;
    } else {
        if (can_use(plat, LWIP_DNS_ADDRTYPE_IPV4)) {
            ask(q, name, handle, LWIP_DNS_ADDRTYPE_IPV4);
        }
        if (can_use(plat, LWIP_DNS_ADDRTYPE_IPV6)) {
            ask(q, name, handle, LWIP_DNS_ADDRTYPE_IPV6);
        }
    }
}

/* A label has 63 bytes at most (RFC 1035 section 2.3.4). */
static bool is_name(const char *name)
{
    for (uint32_t label = 0; *name != '\0'; name++) {
        label = *name == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return true;
}

enum np_err np_plat_resolve(struct np_plat *plat, const char *name, uint32_t tag, uint32_t *handle)
{
    size_t len = strlen(name);
    if (len == 0 || len > 253) {
        return NP_ERR_INVALID;
    }
    struct np_lwip_query *q = (void *)np_lwip_find_free(plat, NP_LWIP_IS_QUERY);
    if (q == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    *handle = np_lwip_open_head(plat, &q->head, tag);
    if (is_name(name)) {
        begin(plat, q, name, *handle);
    } else {
        q->count = q->waiting = 0;
        q->error = NP_ERR_NOT_FOUND;
    }
    return NP_OK;
}

static bool is_answered(const struct np_lwip_query *q, uint64_t now_ms)
{
    return q->waiting == 0 || (q->count > 0 && now_ms - q->first_ms >= SECOND_WAIT_MS);
}

uint32_t np_lwip_query_events(const struct np_lwip_query *q, uint64_t now_ms)
{
    return is_answered(q, now_ms) ? NP_EV_READ : 0;
}

int32_t np_plat_resolve_result(struct np_plat *plat, uint32_t handle, struct np_addr *addrs,
                               uint32_t cap)
{
    struct np_lwip_query *q = (void *)np_lwip_get(plat, handle, NP_LWIP_IS_QUERY);
    if (q == NULL) {
        return NP_ERR_STALE;
    }
    if (!is_answered(q, np_plat_now_ms(plat))) {
        return NP_ERR_AGAIN;
    }
    uint32_t count = q->count < cap ? q->count : cap;
    memcpy(addrs, q->addrs, count * sizeof(*addrs));
    np_lwip_release(plat, &q->head);
    return count > 0 ? (int32_t)count : q->error;
}
