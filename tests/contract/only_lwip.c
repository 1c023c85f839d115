/* SPDX-License-Identifier: BSD-3-Clause */
/* only_lwip: what platform/lwip promises beyond np_plat.h: nothing of the stack is held for a user
 * who does not read, the newest datagram is dropped and counted, sequence numbers are not guessed.
 */
#include <string.h>

#include "platform/lwip/lwip_hooks.h"
#include "platform/lwip/np_lwip_sizes.h"
#include "platform/lwip/np_plat_lwip.h"
#include "tests/contract/contract.h"
#include "tests/contract/harness.h"

/* Received bytes lie in the ring; a second connection works while the first is not read. */
static void stalled_reader_holds_nothing(struct np_plat *plat)
{
    struct np_lwip_stats stats;
    struct pair stalled, other;
    uint8_t buf[4096] = {0};
    if (open_pair(plat, &stalled)) {
        for (uint32_t quiet = 0; quiet < 2;) {
            quiet = np_plat_tcp_send(plat, stalled.a, buf, sizeof(buf)) > 0 ? 0 : quiet + 1;
            let_pass(plat, SHORT_MS);
        }
        np_lwip_stats(plat, &stats);
        CHECK_INT(stats.pbufs_used, 0);
        other.listener = stalled.listener;
        if (open_ends(plat, &other)) {
            CHECK(send_all(plat, other.a, 1, 0, 4000));
            CHECK(recv_all(plat, other.b, 1, 0, 4000));
        }
        np_plat_tcp_close(plat, other.a);
        np_plat_tcp_close(plat, other.b);
    }
    np_plat_tcp_abort(plat, stalled.a);
    np_plat_tcp_abort(plat, stalled.b);
    np_plat_close(plat, stalled.listener);
}

static void newest_datagram_is_dropped(struct np_plat *plat)
{
    struct np_addr local = loopback4(0), at;
    struct np_lwip_stats stats;
    uint8_t byte = 0;
    uint32_t from, to, taken = 0;
    struct np_datagram item = {.base = &byte, .cap = 1};
    CHECK_INT(np_plat_udp_open(plat, &local, NULL, 0, &to), NP_OK);
    CHECK_INT(np_plat_local(plat, to, &at), NP_OK);
    CHECK_INT(np_plat_udp_open(plat, &local, &at, 0, &from), NP_OK);
    for (uint32_t i = 0; i < NP_LWIP_UDP_QUEUE + 5; i++) {
        byte = (uint8_t)i;
        item.len = 1;
        CHECK_INT(np_plat_udp_send(plat, from, &item, 1), 1);
    }
    let_pass(plat, SHORT_MS);
    while (np_plat_udp_recv(plat, to, &item, 1) == 1) {
        CHECK_INT(byte, taken & 0xff);
        taken++;
    }
    CHECK_INT(taken, NP_LWIP_UDP_QUEUE);
    np_lwip_stats(plat, &stats);
    CHECK_INT(stats.udp_dropped, 5);
    np_plat_close(plat, from);
    np_plat_close(plat, to);
}

/* The same ends: only the clock moves. Other ends: another number. */
static void sequence_numbers(struct np_plat *plat)
{
    ip_addr_t here = IPADDR4_INIT_BYTES(10, 0, 0, 1), there = IPADDR4_INIT_BYTES(10, 0, 0, 2);
    uint32_t first = np_lwip_isn(&here, 1000, &there, 80);
    uint32_t near = 0;
    let_pass(plat, SHORT_MS);
    uint32_t later = np_lwip_isn(&here, 1000, &there, 80);
    CHECK(later - first > SHORT_MS * 1000 / 5 && later - first < 1000000);
    for (uint16_t port = 1001; port < 1101; port++) {
        near += np_lwip_isn(&here, port, &there, 80) - first < 1u << 24;
    }
    CHECK(near < 20); /* 1 of 256 by chance */
}

static void one_platform_at_a_time(struct np_plat *plat)
{
    struct np_lwip_config config = {.handles = 1};
    struct np_lwip_memory part;
    uint32_t sum = 0, count = 0;
    (void)plat;
    CHECK(np_lwip_open(&config) == NULL);
    CHECK(!np_lwip_has_address(plat)); /* no link here */
    while (np_lwip_memory(count, &part)) {
        CHECK(part.what[0] != '\0' && part.bytes > 0);
        sum += part.bytes;
        count++;
    }
    CHECK(count > 3 && sum <= NP_LWIP_RAM_MAX);
}

const struct np_contract_test np_harness_tests[] = {
    {"lwip_stalled_reader_holds_nothing", stalled_reader_holds_nothing, 0, 0, 0},
    {"lwip_newest_datagram_is_dropped", newest_datagram_is_dropped, 0, 0, 0},
    {"lwip_sequence_numbers", sequence_numbers, 0, 0, 0},
    {"lwip_one_platform_at_a_time", one_platform_at_a_time, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
