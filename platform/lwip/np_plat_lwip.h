/* SPDX-License-Identifier: BSD-3-Clause */
/* np_plat_lwip: what a port needs beside the contract when it runs on lwIP (raw API, NO_SYS=1): it
 * makes the one platform of the program and gives its interface addresses.
 *
 *   port:  np_lwip_open -> np_app_plan, np_app_init -> np_app_step ... -> np_app_deinit ->
 *          np_lwip_close
 *
 * Everything is static: handles, rings and lwIP's pools, sized at compile time by the profile
 * (np_lwip_sizes.h; each size can be overridden with -D). np_plat_poll takes frames from the board,
 * runs the stack's timers from a table of its own (no sys_timeout; LWIP_TIMERS is 0) and lets
 * np_board_idle wait until the next of them. lwIP is entered from the loop only.
 */
#ifndef NP_PLATFORM_LWIP_NP_PLAT_LWIP_H
#define NP_PLATFORM_LWIP_NP_PLAT_LWIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/err.h"

struct np_plat;

#define NP_LWIP_SERVERS 2u /* name servers that can be given */

/* Zeroed is a good start: IPv4 by DHCP, IPv6 by router advertisement, name servers from both. The
 * platform copies what it needs. */
struct np_lwip_config {
    struct np_addr ip4;      /* family NONE = ask DHCP */
    uint8_t ip4_prefix;      /* bits of its network, 0 to 32 */
    struct np_addr gateway4; /* NONE = none */
    struct np_addr ip6;      /* beside link-local and advertised ones; may be NONE */
    uint8_t ip6_prefix;      /* 64 or 0: lwIP knows no other network of its own */
    struct np_addr gateway6; /* default router; NONE = from advertisements */
    struct np_addr servers[NP_LWIP_SERVERS]; /* name servers; NONE = from DHCP */
    const char *host_name;                   /* for DHCP and the API, NULL = "nodepass"; kept */
    const char *arch, *os;              /* for the API, Go's names; NULL = "arm", "none"; kept */
    uint64_t ram_bytes, ram_used_bytes; /* for the API; 0 = unknown */
    uint32_t handles;                   /* most handles at a time, 0 = all that the build has */
    /* lwIP found itself broken (an assertion, or a pool's memory overwritten). Shows `text` and
     * starts the machine again; must not return. NULL: endless loop, for a watchdog. */
    void (*panic)(const char *text);
};

/* Starts stack and link. A second call before np_lwip_close returns NULL; so does a board whose
 * entropy fails. */
struct np_plat *np_lwip_open(const struct np_lwip_config *config);
/* Closes every handle, resets connections in the background, releases the DHCP lease. */
void np_lwip_close(struct np_plat *plat);

/* Most handles of this build, and of them TCP connections. */
uint32_t np_lwip_handles_max(void);
/* True once the interface has an IPv4 address or an IPv6 address other than link-local. */
bool np_lwip_has_address(const struct np_plat *plat);
/* The interface's IPv4 address, else its first global IPv6 address; family NONE if it has none. */
void np_lwip_address(const struct np_plat *plat, struct np_addr *addr);

/* Counters for tests, consoles and the API. */
struct np_lwip_stats {
    uint32_t handles_used, tcp_used, tcp_orphans; /* orphans: closed, data still on its way */
    uint32_t pcbs_used, pcbs_max, segments_used, segments_max; /* lwIP's pools and their peaks */
    uint32_t heap_used_bytes, heap_max_bytes, heap_bytes;      /* lwIP's heap */
    uint32_t pbufs_used, pbufs_max;                            /* receive buffers */
    uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;         /* at the link */
    uint32_t rx_no_buffer;   /* frames dropped because no receive buffer was free */
    uint32_t rx_malformed;   /* frames and packets that lwIP refused: checksum, length, protocol */
    uint32_t tx_no_room;     /* frames that the link did not take, or that found no memory */
    uint32_t udp_dropped;    /* datagrams that found their socket's queue full */
    uint32_t accept_refused; /* connections reset because every TCP place was taken */
    uint32_t places_full;    /* times that every TCP place was taken: visitors wait */
    uint32_t half_open;      /* handshakes given up: the visitor said no more */
    uint32_t pool_empty;     /* times a pool of lwIP was empty */
    uint32_t link_changes;   /* times the link went up or down */
};
void np_lwip_stats(const struct np_plat *plat, struct np_lwip_stats *stats);

/* Static RAM of platform and stack by part, for `make firmware`'s table. */
struct np_lwip_memory {
    const char *what;
    uint32_t bytes;
};
/* Part `index` (0, 1 ...); false behind the last. */
bool np_lwip_memory(uint32_t index, struct np_lwip_memory *part);

#endif
