/* SPDX-License-Identifier: BSD-3-Clause */
/* stats: counters of platform and stack, lines about trouble, and the table of static memory. */
#include <lwip/stats.h>

#include "platform/lwip/lwip_priv.h"
#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>

#define WATCH_MS 10000u /* between two lines about the same trouble */
#define LOOK_MS 500u

/* ---- counters -------------------------------------------------------------------------------- */

static uint32_t malformed(void)
{
    const struct stats_proto *all[] = {&lwip_stats.link, &lwip_stats.etharp, &lwip_stats.ip,
                                       &lwip_stats.icmp, &lwip_stats.tcp,    &lwip_stats.udp,
                                       &lwip_stats.ip6,  &lwip_stats.icmp6,  &lwip_stats.nd6};
    uint32_t sum = 0;
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        sum += (uint32_t)(all[i]->chkerr + all[i]->lenerr + all[i]->proterr + all[i]->opterr +
                          all[i]->err);
    }
    return sum;
}

static uint32_t pool_errors(void)
{
    uint32_t sum = lwip_stats.mem.err;
    for (uint32_t i = 0; i < MEMP_MAX; i++) {
        sum += lwip_stats.memp[i]->err;
    }
    return sum;
}

static uint32_t count_orphans(const struct np_plat *plat)
{
    uint32_t count = 0;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        count++;
    }
    for (uint32_t i = 0; i < NP_LWIP_TCP; i++) {
        count -= plat->tcp[i].pcb != NULL;
    }
    return count;
}

void np_lwip_stats(const struct np_plat *plat, struct np_lwip_stats *stats)
{
    *stats = plat->stats;
    stats->handles_used = plat->handles_used;
    stats->tcp_used = NP_LWIP_TCP - np_lwip_tcp_free(plat);
    stats->tcp_orphans = count_orphans(plat);
    stats->pcbs_used = lwip_stats.memp[MEMP_TCP_PCB]->used;
    stats->pcbs_max = lwip_stats.memp[MEMP_TCP_PCB]->max;
    stats->segments_used = lwip_stats.memp[MEMP_TCP_SEG]->used;
    stats->segments_max = lwip_stats.memp[MEMP_TCP_SEG]->max;
    stats->heap_used_bytes = (uint32_t)lwip_stats.mem.used;
    stats->heap_max_bytes = (uint32_t)lwip_stats.mem.max;
    stats->heap_bytes = MEM_SIZE;
    stats->pbufs_used = lwip_stats.memp[MEMP_PBUF_POOL]->used;
    stats->pbufs_max = lwip_stats.memp[MEMP_PBUF_POOL]->max;
    stats->rx_malformed = malformed();
    stats->pool_empty = pool_errors();
}

/* ---- lines about trouble --------------------------------------------------------------------- */

static void tell_link(struct np_plat *plat)
{
    struct np_addr addr;
    char text[NP_ADDR_TEXT_CAP];
    if (plat->stats.link_changes != plat->warned.link_changes) {
        plat->warned.link_changes = plat->stats.link_changes;
        np_log_write(&plat->log, plat->is_link_up ? NP_LOG_INFO : NP_LOG_WARN, "Link: %s",
                     plat->is_link_up ? "up" : "down");
    }
    np_lwip_address(plat, &addr);
    bool has_address = addr.family != NP_FAMILY_NONE;
    if (has_address && !plat->is_address_told) {
        np_addr_format_ip(&addr, text, sizeof(text));
        np_log_write(&plat->log, NP_LOG_INFO, "Link: address %s", text);
    }
    plat->is_address_told = has_address;
}

/* True if there is more of it than the log knows. */
static bool tell_grown(struct np_plat *plat, uint32_t now, uint32_t *told, const char *what)
{
    if (now == *told) {
        return false;
    }
    np_log_write(&plat->log, NP_LOG_WARN, "Network: %u %s", now - *told, what);
    *told = now;
    return true;
}

static bool tell_trouble(struct np_plat *plat)
{
    struct np_lwip_stats now, *told = &plat->warned;
    np_lwip_stats(plat, &now);
    bool is_any =
        tell_grown(plat, now.rx_no_buffer, &told->rx_no_buffer, "times no receive buffer");
    is_any |= tell_grown(plat, now.rx_malformed, &told->rx_malformed, "malformed packets dropped");
    is_any |= tell_grown(plat, now.tx_no_room, &told->tx_no_room, "packets that could not be sent");
    is_any |= tell_grown(plat, now.udp_dropped, &told->udp_dropped,
                         "datagrams dropped, their queue was full");
    is_any |= tell_grown(plat, now.accept_refused, &told->accept_refused,
                         "connections reset, every place is taken");
    is_any |= tell_grown(plat, now.places_full, &told->places_full,
                         "times every TCP place was taken, visitors wait");
    is_any |= tell_grown(plat, now.half_open, &told->half_open,
                         "handshakes given up, the visitors are silent");
    is_any |= tell_grown(plat, now.pool_empty, &told->pool_empty, "times a pool of lwIP was empty");
    return is_any;
}

/* What goes on for long is told at once, and then every ten seconds. */
void np_lwip_watch(struct np_plat *plat, uint64_t now_ms)
{
    static uint64_t next_look_ms;
    if (!plat->has_link || (now_ms < next_look_ms && next_look_ms - now_ms <= LOOK_MS)) {
        return;
    }
    next_look_ms = now_ms + LOOK_MS;
    tell_link(plat);
    if (now_ms >= plat->next_watch_ms && tell_trouble(plat)) {
        plat->next_watch_ms = now_ms + WATCH_MS;
    }
}

/* ---- static memory --------------------------------------------------------------------------- */

#define POOL(count, bytes) ((uint32_t)((count)*LWIP_MEM_ALIGN_SIZE(bytes)))
enum {
    POOLS_BYTES = POOL(MEMP_NUM_TCP_PCB, sizeof(struct tcp_pcb)) +
                  POOL(MEMP_NUM_TCP_PCB_LISTEN, sizeof(struct tcp_pcb_listen)) +
                  POOL(MEMP_NUM_TCP_SEG, sizeof(struct tcp_seg)) + POOL(MEMP_NUM_UDP_PCB, 64) +
                  POOL(MEMP_NUM_PBUF, sizeof(struct pbuf)) +
                  POOL(PBUF_POOL_SIZE, sizeof(struct pbuf)),
    RX_BYTES = PBUF_POOL_SIZE * PBUF_POOL_BUFSIZE,
    ALL_BYTES = sizeof(struct np_plat) + sizeof(np_lwip_rings) + sizeof(np_lwip_datagram_mem) +
                MEM_SIZE + RX_BYTES + POOLS_BYTES
};
_Static_assert(ALL_BYTES <= NP_LWIP_RAM_MAX, "the pools are larger than the class allows");

bool np_lwip_memory(uint32_t index, struct np_lwip_memory *part)
{
    static const struct np_lwip_memory parts[] = {
        {"handles", sizeof(struct np_plat)},         {"TCP rings", sizeof(np_lwip_rings)},
        {"datagrams", sizeof(np_lwip_datagram_mem)}, {"lwIP heap (sent bytes)", MEM_SIZE},
        {"lwIP receive buffers", RX_BYTES},          {"lwIP pools", POOLS_BYTES},
    };
    if (index >= sizeof(parts) / sizeof(parts[0])) {
        return false;
    }
    *part = parts[index];
    return true;
}
