/* SPDX-License-Identifier: BSD-3-Clause */
/* harness_sim: one host of a simulated world that talks to itself. */
#include "tests/contract/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "platform/sim/sim.h"

static struct np_sim *sim;

static void idle(void *context)
{
    (void)context;
}

const char *np_harness_name(void)
{
    return "sim";
}

bool np_harness_has_splice(void)
{
    return true;
}

static void add_name(const char *name, const struct np_addr *addr, uint32_t delay_us)
{
    struct np_sim_name *entry = np_sim_name(sim, name);
    entry->addrs[0] = *addr;
    entry->count = 1;
    entry->delay_us = delay_us;
}

struct np_plat *np_harness_open(uint32_t handles, uint32_t buffers, uint32_t pipes)
{
    struct np_sim_host host;
    struct np_addr ip = np_sim_ip4(10, 0, 0, 1, 0), home = np_sim_ip4(127, 0, 0, 1, 0);
    (void)buffers; /* it shows its rings */
    sim = np_sim_create();
    if (sim == NULL) {
        abort();
    }
    np_sim_reset(sim, 1);
    np_sim_host_defaults(&host);
    host.handles = handles;
    host.splice_pipes = pipes;
    host.step = idle;
    struct np_plat *plat = np_sim_host_open(sim, &host);
    if (plat == NULL) {
        abort();
    }
    np_sim_host_addr(plat, &ip);
    np_sim_host_set_blocking(plat, true);
    add_name("localhost", &home, 1000);
    add_name("127.0.0.1", &home, 1000);
    add_name("slow.test", &home, 500000);
    return plat;
}

uint32_t np_harness_handles(const struct np_plat *plat)
{
    return np_sim_host_handles(plat);
}

bool np_harness_close(struct np_plat *plat)
{
    const char *failure = np_sim_failure(sim);
    (void)plat;
    if (failure != NULL) {
        printf("  simulation: %s\n", failure);
    }
    bool is_clean = failure == NULL;
    np_sim_destroy(sim);
    sim = NULL;
    return is_clean;
}

const char *np_harness_blob_prefix(void)
{
    return "blob";
}

const struct np_contract_test np_harness_tests[] = {{NULL, NULL, 0, 0, 0}};
