/* SPDX-License-Identifier: BSD-3-Clause */
/* harness_lwip: the stack talks to itself through its loopback; the board below it has a clock,
 * random numbers and a store, but no link. */
#define _GNU_SOURCE
#include "tests/contract/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "platform/lwip/np_board.h"
#include "platform/lwip/np_plat_lwip.h"
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/stats.h>
#include <lwip/tcp.h>

/* ---- board ----------------------------------------------------------------------------------- */

static struct {
    char name[64];
    uint8_t bytes[8192];
    uint32_t len;
} blobs[4];

bool np_board_link_open(uint8_t mac[6])
{
    (void)mac;
    return false;
}

int32_t np_board_link_receive(uint8_t *frame, uint32_t cap)
{
    (void)frame;
    (void)cap;
    return 0;
}

bool np_board_link_send(const uint8_t *frame, uint32_t len)
{
    (void)frame;
    (void)len;
    return false;
}

static uint64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t np_board_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t np_board_wall_ms(int32_t *offset_s)
{
    *offset_s = 3600;
    return (int64_t)(clock_us(CLOCK_REALTIME) / 1000u);
}

void np_board_idle(uint64_t until_us, const volatile bool *is_woken)
{
    uint64_t now_us = np_board_now_us();
    while (!*is_woken && now_us < until_us) {
        uint64_t left_us = until_us - now_us < 5000 ? until_us - now_us : 5000;
        struct timespec pause = {0, (long)left_us * 1000};
        nanosleep(&pause, NULL);
        now_us = np_board_now_us();
    }
}

bool np_board_random(uint8_t *buf, uint32_t len)
{
    return getrandom(buf, len, 0) == (ssize_t)len;
}

static uint32_t find_blob(const char *name)
{
    uint32_t i = 0;
    while (i < 4 && strcmp(blobs[i].name, name) != 0) {
        i++;
    }
    return i;
}

int32_t np_board_blob_load(const char *name, uint32_t offset, uint8_t *buf, uint32_t cap,
                           uint32_t *size)
{
    uint32_t i = find_blob(name);
    if (i == 4) {
        return NP_ERR_NOT_FOUND;
    }
    uint32_t left = offset < blobs[i].len ? blobs[i].len - offset : 0;
    uint32_t len = left < cap ? left : cap;
    memcpy(buf, blobs[i].bytes + blobs[i].len - left, len);
    *size = blobs[i].len;
    return (int32_t)len;
}

enum np_err np_board_blob_store(const char *name, const uint8_t *buf, uint32_t len)
{
    uint32_t i = find_blob(name);
    i = i < 4 ? i : find_blob("");
    if (i == 4 || len > sizeof(blobs[0].bytes)) {
        return NP_ERR_NO_SPACE;
    }
    snprintf(blobs[i].name, sizeof(blobs[i].name), "%s", name);
    memcpy(blobs[i].bytes, buf, len);
    blobs[i].len = len;
    return NP_OK;
}

void np_board_log(uint32_t level, const char *line, uint32_t len)
{
    (void)level;
    printf("%.*s", (int)len, line);
}

/* ---- harness --------------------------------------------------------------------------------- */

static void panic(const char *text)
{
    printf("lwIP: %s\n", text);
    abort();
}

static err_t output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)to;
    return netif_loop_output(netif, p);
}

static err_t init_own(struct netif *netif)
{
    netif->output = output;
    return ERR_OK;
}

/* More addresses of the machine, as all of 127.0.0.0/8 is elsewhere. */
static void add_address(struct netif *netif, uint8_t last)
{
    ip4_addr_t ip, mask;
    IP4_ADDR(&ip, 127, 0, 0, last);
    IP4_ADDR(&mask, 255, 255, 255, 255);
    if (netif_add(netif, &ip, &mask, &ip, NULL, init_own, ip_input) == NULL) {
        abort();
    }
    netif_set_link_up(netif);
    netif_set_up(netif);
}

const char *np_harness_name(void)
{
    return "lwip";
}

bool np_harness_has_splice(void)
{
    return false;
}

struct np_plat *np_harness_open(uint32_t handles, uint32_t buffers, uint32_t pipes)
{
    static struct netif more[2];
    static bool is_first = true;
    struct np_lwip_config config = {.handles = handles, .panic = panic};
    (void)buffers; /* it shows its rings */
    (void)pipes;
    memset(blobs, 0, sizeof(blobs));
    struct np_plat *plat = np_lwip_open(&config);
    if (plat == NULL) {
        abort();
    }
    if (is_first) {
        is_first = false;
        add_address(&more[0], 5);
        add_address(&more[1], 9);
    }
    return plat;
}

uint32_t np_harness_handles(const struct np_plat *plat)
{
    struct np_lwip_stats stats;
    np_lwip_stats(plat, &stats);
    return stats.handles_used;
}

bool np_harness_close(struct np_plat *plat)
{
    struct np_lwip_stats stats;
    np_lwip_stats(plat, &stats);
    bool is_clean = stats.tcp_used == 0 && stats.pbufs_used == 0 && stats.pool_empty == 0;
    np_lwip_close(plat);
    np_lwip_stats(plat, &stats);
    is_clean =
        is_clean && stats.pcbs_used == 0 && stats.segments_used == 0 && stats.heap_used_bytes == 0;
    if (!is_clean) {
        printf("  left: %u connections, %u pcbs, %u segments, %u buffers, %u bytes of heap; %u "
               "times no memory\n",
               stats.tcp_used, stats.pcbs_used, stats.segments_used, stats.pbufs_used,
               stats.heap_used_bytes, stats.pool_empty);
    }
    return is_clean;
}

const char *np_harness_blob_prefix(void)
{
    return "blob";
}
