/* SPDX-License-Identifier: BSD-3-Clause */
/* open: makes and ends the one platform; what lwIP calls when it finds itself broken. */
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include "platform/lwip/np_board.h"
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

void np_lwip_panic(const char *text)
{
    if (np_lwip_plat.config.panic != NULL) {
        np_lwip_plat.config.panic(text);
    }
    for (;;) { /* the board's watchdog ends it */
    }
}

/* lwIP can't be started twice; its lists survive a platform that was closed. */
static void init_stack(void)
{
    static bool is_done;
    if (!is_done) {
        is_done = true;
        lwip_init();
    }
}

struct np_plat *np_lwip_open(const struct np_lwip_config *config)
{
    struct np_plat *plat = &np_lwip_plat;
    uint8_t test;
    if (plat->is_open || !np_board_random(&test, 1)) {
        return NULL;
    }
    memset(plat, 0, sizeof(*plat));
    plat->config = *config;
    plat->handles_cap = config->handles == 0 || config->handles > NP_LWIP_OBJECTS ? NP_LWIP_OBJECTS
                                                                                  : config->handles;
    plat->start_us = np_board_now_us();
    np_log_init(&plat->log, plat, NP_LOG_INFO, NULL, false);
    init_stack();
    np_lwip_udp_init(plat);
    np_lwip_timers_init(np_plat_now_ms(plat));
    plat->is_open = true;
    if (!np_lwip_icmp_open(plat) || !np_lwip_link_open(plat)) {
        np_lwip_close(plat);
        return NULL;
    }
    return plat;
}

static void close_handles(struct np_plat *plat)
{
    for (uint32_t i = 0; i < NP_LWIP_OBJECTS; i++) {
        struct np_lwip_head *head = np_lwip_head_at(plat, i);
        if (head->state != NP_LWIP_OPEN) {
            continue;
        }
        if (np_lwip_kind_at(i) == NP_LWIP_IS_TCP) {
            np_plat_tcp_abort(plat, np_lwip_name(plat, head));
        } else {
            np_plat_close(plat, np_lwip_name(plat, head));
        }
    }
}

void np_lwip_close(struct np_plat *plat)
{
    close_handles(plat);
    while (tcp_active_pcbs != NULL) {
        tcp_abort(tcp_active_pcbs);
    }
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
    (void)np_lwip_link_step(plat); /* what was sent to ourselves */
    np_lwip_link_close(plat);
    np_lwip_icmp_close(plat);
    plat->is_open = false;
}

uint32_t np_lwip_handles_max(void)
{
    return NP_LWIP_OBJECTS;
}
