/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances that come and go in a running app, on a simulated host: every call in every state. */
#include <stdlib.h>
#include <string.h>

#include "config/url.h"
#include "core/np_app.h"
#include "core/np_slots.h"
#include "platform/np_plat.h"
#include "platform/sim/sim.h"
#include "tests/unit/np_test.h"

#define VISITORS 4u

struct bed {
    struct np_sim *sim;
    struct np_plat *ours, *other;
    struct np_app *app;
    void *memory;
    uint32_t listener, visitors[VISITORS];
};

static void step_ours(void *context)
{
    struct bed *bed = context;
    struct np_event event;

    if (bed->app == NULL || np_app_is_stopped(bed->app)) {
        np_plat_poll(bed->ours, &event, 1, UINT32_MAX);
    } else {
        NP_CHECK_INT(np_app_step(bed->app, 60000), NP_OK);
    }
}

/* The other host: targets that accept and keep quiet, visitors that connect. */
static void step_other(void *context)
{
    struct bed *bed = context;
    struct np_event events[16];
    struct np_addr peer;
    uint32_t handle;
    int32_t count = np_plat_poll(bed->other, events, 16, UINT32_MAX);

    for (int32_t i = 0; i < count; i++) {
        if (events[i].handle != bed->listener) {
            np_plat_tcp_abort(bed->other, events[i].handle);
        }
    }
    while (np_plat_tcp_accept(bed->other, bed->listener, 0, &handle, &peer) == NP_OK) {
    }
}

static struct np_plat *open_host(struct bed *bed, uint8_t last, void (*step)(void *context))
{
    struct np_sim_host host;
    struct np_addr ip = np_sim_ip4(10, 0, 0, last, 0);
    struct np_plat *plat;

    np_sim_host_defaults(&host);
    host.name = last == 1 ? "ours" : "other";
    host.step = step;
    host.context = bed;
    plat = np_sim_host_open(bed->sim, &host);
    np_sim_host_addr(plat, &ip);
    return plat;
}

static void settings_of(struct np_settings *settings, const char *url)
{
    struct np_report report = {.line = NULL};

    np_url_parse(settings, url, (uint32_t)strlen(url), &report);
    NP_CHECK_INT(report.error_count, 0);
}

static void open_bed(struct bed *bed, uint64_t seed)
{
    static struct np_settings master;
    static struct np_tuning tuning;
    const struct np_settings *list[1] = {&master};
    struct np_addr at = np_sim_ip4(10, 0, 0, 2, 2000);
    struct np_app_needs needs;

    memset(bed, 0, sizeof *bed);
    bed->sim = np_sim_create();
    np_sim_reset(bed->sim, seed);
    bed->ours = open_host(bed, 1, step_ours);
    bed->other = open_host(bed, 2, step_other);
    NP_CHECK_INT(np_plat_tcp_listen(bed->other, &at, 0, &bed->listener), NP_OK);
    np_plat_interest(bed->other, bed->listener, NP_EV_READ);
    settings_of(&master, "master://10.0.0.1:9000?state=/state");
    np_tuning_init(&tuning);
    np_app_plan(list, 1, &tuning, &needs);
    NP_CHECK(needs.is_dynamic);
    bed->memory = calloc(1, (size_t)needs.memory_bytes); /* zero pages on demand */
    bed->app = np_app_init(bed->ours, bed->memory, needs.memory_bytes, list, 1, &tuning, false);
    NP_CHECK(bed->app != NULL);
}

static void run_ms(struct bed *bed, uint32_t ms)
{
    NP_CHECK(np_sim_run(bed->sim, np_sim_now_us(bed->sim) + ms * UINT64_C(1000)));
}

static void close_bed(struct bed *bed)
{
    np_app_stop(bed->app);
    np_sim_host_touch(bed->ours);
    run_ms(bed, 6000);
    NP_CHECK(np_app_is_stopped(bed->app));
    NP_CHECK_INT(np_app_objects_used(bed->app), 0);
    np_app_deinit(bed->app);
    NP_CHECK_INT(np_sim_host_handles(bed->ours), 0);
    free(bed->memory);
    np_sim_destroy(bed->sim);
}

static void visit(struct bed *bed, uint32_t which, uint16_t port)
{
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, port);

    np_plat_tcp_abort(bed->other, bed->visitors[which]);
    bed->visitors[which] = NP_HANDLE_NONE;
    NP_CHECK_INT(np_plat_tcp_connect(bed->other, NULL, &to, 0, &bed->visitors[which]), NP_OK);
    run_ms(bed, 100);
}

static uint32_t sessions(const struct bed *bed, uint32_t slot)
{
    struct np_app_stats stats;

    np_app_stats(bed->app, slot, &stats);
    return stats.tcp_sessions;
}

NP_TEST(slots, life_of_one)
{
    struct np_slot_totals totals = {1, 2, 3, 4};
    struct np_settings settings;
    struct np_app_stats stats;
    struct bed bed;
    uint32_t slot;

    open_bed(&bed, 1);
    settings_of(&settings, "client://10.0.0.1:1000/10.0.0.2:2000?mode=1&noudp=1");
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slot), NP_OK);
    memset(&settings, 0xee, sizeof settings); /* a copy was taken */
    np_slot_set_totals(bed.app, slot, &totals);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_STOPPED);
    np_slot_start(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_RUNNING);
    visit(&bed, 0, 1000);
    NP_CHECK_INT(sessions(&bed, slot), 1);
    np_slot_restart(bed.app, slot); /* what is said to run is open */
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_RUNNING);
    NP_CHECK_INT(sessions(&bed, slot), 0);
    visit(&bed, 0, 1000);
    NP_CHECK_INT(sessions(&bed, slot), 1);
    settings_of(&settings, "client://10.0.0.1:1001/10.0.0.2:2000?mode=1&noudp=1");
    np_slot_replace(bed.app, slot, &settings);
    visit(&bed, 1, 1001);
    NP_CHECK_INT(sessions(&bed, slot), 1);
    np_app_stats(bed.app, slot, &stats);
    NP_CHECK_INT(stats.tcp_rx, 1);
    NP_CHECK_INT(stats.udp_tx, 4);
    np_slot_stop(bed.app, slot);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_STOPPED);
    NP_CHECK_INT(sessions(&bed, slot), 1);
    np_slot_start(bed.app, slot); /* while it drains */
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_RUNNING);
    visit(&bed, 0, 1001);
    NP_CHECK_INT(sessions(&bed, slot), 1);
    np_slot_stop(bed.app, slot);
    run_ms(&bed, 6000);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_STOPPED);
    np_slot_remove(bed.app, slot);
    close_bed(&bed);
}

NP_TEST(slots, error_heals_by_itself)
{
    struct np_settings settings;
    const char *cause;
    struct bed bed;
    uint32_t slot;

    open_bed(&bed, 2);
    np_sim_host_trouble(bed.ours)->busy_tcp[0] = 1000;
    settings_of(&settings, "client://10.0.0.1:1000/10.0.0.2:2000?mode=1");
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slot), NP_OK);
    np_slot_start(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_ERROR);
    NP_CHECK_STR(np_slot_fault(bed.app, slot, &cause), "tunnel address not bound");
    NP_CHECK_STR(cause, "address in use");
    np_sim_host_trouble(bed.ours)->busy_tcp[0] = 0;
    run_ms(&bed, 10000);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_RUNNING);
    NP_CHECK_STR(np_slot_fault(bed.app, slot, &cause), "");
    np_slot_stop(bed.app, slot);
    settings_of(&settings, "server://10.0.0.1:1000/10.0.0.2:2000?mode=2&tls=2&crt=/no&key=/no");
    np_slot_replace(bed.app, slot, &settings);
    run_ms(&bed, 10);
    NP_CHECK_INT(np_slot_run(bed.app, slot), NP_SLOT_ERROR);
    NP_CHECK_STR(np_slot_fault(bed.app, slot, &cause), "certificate not usable");
    close_bed(&bed);
}

static uint32_t mode(const struct bed *bed, uint32_t slot)
{
    struct np_app_stats stats;

    np_app_stats(bed->app, slot, &stats);
    return stats.mode;
}

/* What the first start decided stays until the URL is another one. */
NP_TEST(slots, auto_mode_is_decided_once)
{
    struct np_addr ip = np_sim_ip4(10, 0, 0, 9, 0);
    struct np_settings settings;
    struct bed bed;
    uint32_t slot;

    open_bed(&bed, 4);
    settings_of(&settings, "client://10.0.0.9:1000/10.0.0.2:2000");
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slot), NP_OK);
    NP_CHECK_INT(np_slot_mode(bed.app, slot), 0);
    np_slot_start(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(np_slot_mode(bed.app, slot), 2);
    np_sim_host_addr(bed.ours, &ip);
    np_slot_restart(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(mode(&bed, slot), 2);
    np_slot_stop(bed.app, slot);
    np_slot_start(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(mode(&bed, slot), 2);
    settings_of(&settings, "client://10.0.0.9:1001/10.0.0.2:2000");
    np_slot_replace(bed.app, slot, &settings);
    run_ms(&bed, 10);
    NP_CHECK_INT(np_slot_mode(bed.app, slot), 1);
    settings_of(&settings, "client://10.0.0.9:1001/10.0.0.2:2000?mode=1");
    np_slot_replace(bed.app, slot, &settings);
    NP_CHECK_INT(np_slot_mode(bed.app, slot), 0); /* nothing to remember */
    np_slot_remove(bed.app, slot);
    settings_of(&settings, "client://10.0.0.9:1000/10.0.0.2:2000");
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slot), NP_OK);
    np_slot_set_mode(bed.app, slot, 2); /* as saved */
    np_slot_start(bed.app, slot);
    run_ms(&bed, 10);
    NP_CHECK_INT(mode(&bed, slot), 2);
    close_bed(&bed);
}

NP_TEST(slots, table_full)
{
    uint32_t slots[NP_MAX_INSTANCES + 1];
    struct np_settings settings;
    struct bed bed;

    open_bed(&bed, 3);
    settings_of(&settings, "client://10.0.0.1:1000/10.0.0.2:2000?mode=1&noudp=1");
    for (uint32_t i = 0; i < NP_MAX_INSTANCES; i++) {
        NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slots[i]), NP_OK);
    }
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slots[NP_MAX_INSTANCES]), NP_ERR_NO_MEMORY);
    np_slot_start(bed.app, slots[7]);
    run_ms(&bed, 10);
    visit(&bed, 0, 1000);
    np_slot_remove(bed.app, slots[7]); /* drains: its place is taken when it is needed */
    NP_CHECK_INT(sessions(&bed, slots[7]), 1);
    NP_CHECK_INT(np_slot_insert(bed.app, &settings, &slots[NP_MAX_INSTANCES]), NP_OK);
    NP_CHECK_INT(slots[NP_MAX_INSTANCES], slots[7]);
    NP_CHECK_INT(sessions(&bed, slots[7]), 0);
    close_bed(&bed);
}

/* One random call; `alive` has a bit for each slot that was not removed. */
static void call_at_random(struct bed *bed, uint64_t *random, uint32_t *alive)
{
    static const char *const urls[] = {
        "client://10.0.0.1:1000/10.0.0.2:2000?mode=1",
        "client://10.0.0.1:1001/10.0.0.2:2000?mode=1&read=1s",
        "client://10.0.0.2:3000/10.0.0.2:2000?mode=2",
        "server://10.0.0.1:1002/10.0.0.1:1003?mode=1",
        "server://10.0.0.1:1004/10.0.0.2:2000?tls=1",
    };
    uint32_t slot = np_test_below(random, 4);
    struct np_settings settings;
    uint32_t fresh;

    settings_of(&settings, urls[np_test_below(random, 5)]);
    if ((*alive & 1u << slot) == 0) {
        if (np_slot_insert(bed->app, &settings, &fresh) == NP_OK) {
            NP_CHECK(fresh < 16 && (*alive & 1u << fresh) == 0);
            *alive |= 1u << fresh;
        }
        return;
    }
    switch (np_test_below(random, 7)) {
    case 0:
        np_slot_remove(bed->app, slot);
        *alive &= ~(1u << slot);
        break;
    case 1:
        np_slot_stop(bed->app, slot);
        break;
    case 2:
        np_slot_restart(bed->app, slot);
        break;
    case 3:
        np_slot_replace(bed->app, slot, &settings);
        break;
    case 4:
        visit(bed, np_test_below(random, VISITORS), (uint16_t)(1000 + np_test_below(random, 2)));
        break;
    default:
        np_slot_start(bed->app, slot);
        break;
    }
}

NP_TEST(slots, any_order)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t random = seed;
        uint32_t alive = 0;
        struct bed bed;

        np_test_context("seed %llu", (unsigned long long)seed);
        open_bed(&bed, seed);
        for (uint32_t i = 0; i < 120; i++) {
            call_at_random(&bed, &random, &alive);
            run_ms(&bed, np_test_below(&random, 4) == 0 ? np_test_below(&random, 7000) : 1);
        }
        close_bed(&bed);
    }
}
