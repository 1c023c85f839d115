/* SPDX-License-Identifier: BSD-3-Clause */
/* office: the master's world, its faults and its course. */
#define _GNU_SOURCE

#include "tests/sim/office.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "config/url.h"
#include "core/np_app_state.h"

#define STEP_US 50000u
#define GUARD 64u /* bytes behind the memory of the app that must not change */
#define GUARD_BYTE 0x5a

uint32_t office_pick(struct office *office, uint32_t range)
{
    uint64_t s1 = office->rng[0], s0 = office->rng[1];
    uint64_t result = s0 + s1;

    office->rng[0] = s0; /* xorshift128+ */
    s1 ^= s1 << 23;
    office->rng[1] = s1 ^ s0 ^ (s1 >> 18) ^ (s0 >> 5);
    return (uint32_t)((result >> 11) % range);
}

bool office_chance(struct office *office, uint32_t percent)
{
    return office_pick(office, 100) < percent;
}

/* ---- the program ------------------------------------------------------------------------ */

static bool has_guard(const struct office *office)
{
    for (uint32_t i = 0; i < GUARD; i++) {
        if (office->memory[office->memory_len + i] != GUARD_BYTE) {
            return false;
        }
    }
    return true;
}

static void clear_memory(struct office *office, uint64_t len)
{
    if (office->memory_cap < len + GUARD) {
        office_release(office);
        office->memory_cap = (len + GUARD + 0xfffffu) & ~UINT64_C(0xfffff);
        office->memory = mmap(NULL, office->memory_cap, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    } else {
        madvise(office->memory, office->memory_cap, MADV_DONTNEED);
    }
    office->memory_len = len;
    memset(office->memory + len, GUARD_BYTE, GUARD);
}

static void start_program(struct office *office)
{
    const struct np_settings *list[2] = {&office->settings[0], &office->settings[1]};
    struct np_app_needs needs;

    np_app_plan(list, office->settings_count, &office->tuning, &needs);
    clear_memory(office, needs.memory_bytes);
    office->generation++;
    office->app = np_app_init(office->plat, office->memory, needs.memory_bytes, list,
                              office->settings_count, &office->tuning, false);
    if (office->app == NULL) {
        np_sim_fail(office->sim, "np_app_init fails");
    }
}

static void step_program(void *context)
{
    struct office *office = context;
    struct np_event event;

    if (office->app == NULL || np_app_is_stopped(office->app)) {
        np_plat_poll(office->plat, &event, 1, UINT32_MAX);
        return;
    }
    enum np_err err = np_app_step(office->app, 60000);
    if (err != NP_OK) {
        np_sim_fail(office->sim, "np_app_step returns %d", err);
    }
    if (!has_guard(office)) {
        np_sim_fail(office->sim, "memory behind the arena was written");
    }
}

/* Dies, and is there again a little later; its disk stays. */
static void restart(void *context, uint32_t arg)
{
    struct office *office = context;

    (void)arg;
    np_sim_host_start(office->plat);
    start_program(office);
}

static void kill_program(void *context, uint32_t arg)
{
    struct office *office = context;

    (void)arg;
    if (office->is_over || office->app == NULL) {
        return;
    }
    np_sim_trace(office->sim, office->plat, "killed");
    office->app = NULL;
    office->unsaved_us = 0;
    np_sim_host_kill(office->plat);
    np_sim_at(office->sim, np_sim_now_us(office->sim) + 20000 + office_pick(office, 500000),
              restart, office, 0);
}

/* ---- visitors and targets --------------------------------------------------------------- */

static void send_guest(struct office *office, struct office_guest *guest)
{
    struct np_addr from = np_sim_ip4(10, 0, 1, 1, 0);
    struct np_addr to = np_sim_ip4(
        10, 0, 0, 1, (uint16_t)(OFFICE_FIRST_PORT + office_pick(office, 2 * OFFICE_PORTS)));
    uint32_t tag = (uint32_t)(guest - office->guests);

    if (np_plat_tcp_connect(office->guests_host, &from, &to, tag, &guest->handle) == NP_OK) {
        guest->is_open = true;
        guest->end_us = np_sim_now_us(office->sim) + office_pick(office, 2000000);
        np_plat_interest(office->guests_host, guest->handle, NP_EV_READ | NP_EV_WRITE);
    }
}

static void end_guest(struct office *office, struct office_guest *guest, bool with_reset)
{
    guest->is_open = false;
    if (with_reset) {
        np_plat_tcp_abort(office->guests_host, guest->handle);
    } else {
        np_plat_tcp_close(office->guests_host, guest->handle);
    }
}

/* Says something once, reads whatever comes. */
static void serve_guest(struct office *office, struct office_guest *guest)
{
    uint8_t buf[2048];
    int32_t len;

    if (np_plat_tcp_connect_result(office->guests_host, guest->handle) == NP_ERR_AGAIN) {
        return;
    }
    memset(buf, 'x', sizeof buf);
    len = np_plat_tcp_send(office->guests_host, guest->handle, buf,
                           1 + office_pick(office, sizeof buf));
    np_plat_interest(office->guests_host, guest->handle, NP_EV_READ);
    while (len > 0) {
        len = np_plat_tcp_recv(office->guests_host, guest->handle, buf, sizeof buf);
    }
    if (len < 0 && len != NP_ERR_AGAIN) {
        end_guest(office, guest, office_chance(office, 50));
    }
}

static void guests_step(void *context)
{
    struct office *office = context;
    struct np_event events[OFFICE_GUESTS];
    int32_t count = np_plat_poll(office->guests_host, events, OFFICE_GUESTS, UINT32_MAX);

    for (int32_t i = 0; i < count; i++) {
        struct office_guest *guest = &office->guests[events[i].tag];
        if (guest->is_open && guest->handle == events[i].handle) {
            serve_guest(office, guest);
        }
    }
}

static void on_guest_clock(void *context, uint32_t arg)
{
    struct office *office = context;
    uint64_t now_us = np_sim_now_us(office->sim);

    (void)arg;
    for (uint32_t i = 0; i < OFFICE_GUESTS; i++) {
        struct office_guest *guest = &office->guests[i];
        if (guest->is_open && (guest->end_us <= now_us || office->is_quiet)) {
            end_guest(office, guest, office_chance(office, 50));
        } else if (!guest->is_open && !office->is_quiet && office_chance(office, 40)) {
            send_guest(office, guest);
        }
    }
    if (!office->is_over) {
        np_sim_at(office->sim, now_us + 150000, on_guest_clock, office, 0);
    }
}

/* Takes connections, drops what comes, ends when the far end has. */
static void target_step(void *context)
{
    struct office *office = context;
    struct np_plat *plat = office->target_host;
    struct np_event events[32];
    struct np_addr peer;
    uint32_t handle;
    uint8_t buf[4096];

    int32_t count = np_plat_poll(plat, events, 32, UINT32_MAX);
    for (int32_t i = 0; i < count; i++) {
        int32_t len = 1;
        while (events[i].handle != office->target_door && len > 0) {
            len = np_plat_tcp_recv(plat, events[i].handle, buf, sizeof buf);
        }
        if (len < 0 && len != NP_ERR_AGAIN) {
            np_plat_tcp_close(plat, events[i].handle);
        }
    }
    while (np_plat_tcp_accept(plat, office->target_door, 1, &handle, &peer) == NP_OK) {
        np_plat_interest(plat, handle, NP_EV_READ);
        (void)np_plat_tcp_send(plat, handle, (const uint8_t *)"hello\n", 6);
    }
}

/* ---- faults ------------------------------------------------------------------------------ */

enum event {
    EVENT_DISK_FAILS,
    EVENT_DISK_WORKS,
    EVENT_PARTITION,
    EVENT_HEALED,
    EVENT_RESET,
    EVENT_NO_MEMORY
};

static void on_event(void *context, uint32_t event)
{
    struct office *office = context;
    struct np_sim_trouble *trouble = np_sim_host_trouble(office->plat);
    bool is_full = office_chance(office, 50);
    uint32_t p = office_chance(office, 50) ? NP_SIM_ALWAYS : NP_SIM_ALWAYS / 3;

    if (office->is_quiet) {
        return;
    }
    switch ((enum event)event) {
    case EVENT_DISK_FAILS:
        trouble->blob_full = is_full ? p : 0;
        trouble->blob_io = is_full ? 0 : p;
        office->has_disk_faults = office->had_disk_faults = true;
        office->dead_us = p == NP_SIM_ALWAYS ? np_sim_now_us(office->sim) : 0;
        break;
    case EVENT_DISK_WORKS:
        trouble->blob_full = trouble->blob_io = 0;
        office->has_disk_faults = false;
        office->dead_us = office->unsaved_us = 0;
        break;
    case EVENT_PARTITION:
        np_sim_partition(office->users_host, office->plat, true);
        break;
    case EVENT_HEALED:
        np_sim_partition(office->users_host, office->plat, false);
        break;
    case EVENT_RESET:
        np_sim_reset_conns(office->users_host, office->plat, NP_SIM_ALWAYS / 2);
        break;
    case EVENT_NO_MEMORY:
        trouble->no_memory = NP_SIM_ALWAYS / 4;
        break;
    }
}

static void schedule(struct office *office, enum event event, uint32_t within_us)
{
    np_sim_at(office->sim, np_sim_now_us(office->sim) + office_pick(office, within_us), on_event,
              office, (uint32_t)event);
}

static void plan_network(struct office *office, uint32_t phase_us)
{
    struct np_sim_link *links[2] = {np_sim_link(office->users_host, office->plat),
                                    np_sim_link(office->plat, office->users_host)};

    if (!office_chance(office, 40)) {
        return;
    }
    office->has_net_faults = office->had_net_faults = true;
    for (uint32_t i = 0; i < 2; i++) {
        links[i]->latency_us = 100 + office_pick(office, 40000);
        links[i]->segment_max = office_chance(office, 30) ? 1 + office_pick(office, 60) : 1400;
        links[i]->loss = office_chance(office, 50) ? office_pick(office, 3000) : 0;
        links[i]->bytes_per_ms = office_chance(office, 30) ? 20 + office_pick(office, 200) : 0;
    }
    if (office_chance(office, 50)) {
        schedule(office, EVENT_PARTITION, phase_us / 2);
        schedule(office, EVENT_HEALED, phase_us);
    }
    if (office_chance(office, 50)) {
        schedule(office, EVENT_RESET, phase_us);
    }
}

static void plan_faults(struct office *office, uint32_t phase_us)
{
    plan_network(office, phase_us);
    if (office_chance(office, 30)) {
        struct np_sim_host *host = np_sim_host_config(office->plat);
        host->partial = 1000 + office_pick(office, 40000);
        host->peek_max = 16 + office_pick(office, 2000);
    }
    if (office_chance(office, 30)) {
        np_sim_host_config(office->plat)->send_buf = 100 + office_pick(office, 2000);
    }
    if (office_chance(office, 30)) {
        schedule(office, EVENT_DISK_FAILS, phase_us);
        schedule(office, EVENT_DISK_WORKS, phase_us);
    }
    if (office_chance(office, 20)) {
        schedule(office, EVENT_NO_MEMORY, phase_us);
    }
    if (office_chance(office, 30)) {
        np_sim_at(office->sim, np_sim_now_us(office->sim) + office_pick(office, phase_us),
                  kill_program, office, 0);
    }
}

static void heal(struct office *office)
{
    struct np_sim_trouble *trouble = np_sim_host_trouble(office->plat);

    np_sim_partition(office->users_host, office->plat, false);
    np_sim_link_defaults(np_sim_link(office->users_host, office->plat));
    np_sim_link_defaults(np_sim_link(office->plat, office->users_host));
    trouble->blob_full = trouble->blob_io = trouble->no_memory = 0;
    office->has_disk_faults = false;
    office->dead_us = office->unsaved_us = 0;
}

/* ---- the course --------------------------------------------------------------------------- */

static struct np_plat *open_host(struct office *office, const char *name, uint8_t net,
                                 void (*step)(void *context))
{
    struct np_addr ip = np_sim_ip4(10, 0, net, 1, 0);
    struct np_sim_host host;

    np_sim_host_defaults(&host);
    host.name = name;
    host.step = step;
    host.context = office;
    struct np_plat *plat = np_sim_host_open(office->sim, &host);
    np_sim_host_addr(plat, &ip);
    return plat;
}

static void make_settings(struct np_settings *settings, const char *url)
{
    struct np_report report = {.line = NULL};

    np_url_parse(settings, url, (uint32_t)strlen(url), &report);
}

static void open_world(struct office *office)
{
    struct np_addr at = np_sim_ip4(10, 0, 2, 1, OFFICE_TARGET_PORT);
    static const char fixed[] = "client://10.0.0.1:6999/10.0.2.1:8080?mode=1";

    office->plat = open_host(office, "master", 0, step_program);
    office->guests_host = open_host(office, "guests", 1, guests_step);
    office->target_host = open_host(office, "target", 2, target_step);
    office->users_host = open_host(office, "users", 3, users_step);
    np_plat_tcp_listen(office->target_host, &at, 0, &office->target_door);
    np_plat_interest(office->target_host, office->target_door, NP_EV_READ);
    make_settings(&office->settings[0], office_chance(office, 70)
                                            ? "master://10.0.0.1:9000?state=/s"
                                            : "master://10.0.0.1:9000?state=/s&log=debug");
    make_settings(&office->settings[1], fixed);
    memcpy(office->settings[1].alias, "fixed", 6);
    office->settings_count = office_chance(office, 20) ? 2 : 1;
    np_tuning_init(&office->tuning);
    office->tuning.report_interval_ms = 500 + office_pick(office, 2000);
    office->tuning.shutdown_timeout_ms = 200 + office_pick(office, 2000);
    office->tuning.pool_get_timeout_ms = office->tuning.tcp_dial_timeout_ms = 2000;
    office->tuning.reload_interval_ms = 1000 + office_pick(office, 20000);
}

static void clear(struct office *office, struct np_sim *sim, uint64_t seed)
{
    uint8_t *memory = office->memory;
    uint64_t cap = office->memory_cap;

    memset(office, 0, offsetof(struct office, answers));
    memset(office->known, 0, sizeof *office - offsetof(struct office, known));
    office->memory = memory;
    office->memory_cap = cap;
    office->sim = sim;
    office->seed = seed;
    office->rng[0] = seed * 0x9e3779b97f4a7c15u + 7;
    office->rng[1] = ~seed;
}

static void run_for(struct office *office, uint64_t us)
{
    np_sim_run(office->sim, np_sim_now_us(office->sim) + us);
}

static bool run_until(struct office *office, bool (*is_done)(const struct office *office),
                      uint64_t limit_us)
{
    uint64_t end_us = np_sim_now_us(office->sim) + limit_us;

    while (!is_done(office) && np_sim_failure(office->sim) == NULL) {
        if (np_sim_now_us(office->sim) >= end_us) {
            return false;
        }
        run_for(office, STEP_US);
    }
    return np_sim_failure(office->sim) == NULL;
}

static bool is_stopped(const struct office *office)
{
    return np_app_is_stopped(office->app);
}

static bool is_running(const struct office *office)
{
    return office->app != NULL;
}

/* Nobody asks any more: all is answered, drained, saved. */
static void run_quiet(struct office *office)
{
    heal(office);
    (void)run_until(office, is_running, OFFICE_SECOND);
    office->has_net_faults = false;
    run_for(office, 2 * OFFICE_SECOND); /* users ask on, now against deadlines */
    office->is_quiet = true;
    if (!run_until(office, users_are_done, 60 * OFFICE_SECOND) &&
        np_sim_failure(office->sim) == NULL) {
        np_sim_fail(office->sim, "a request is neither answered nor closed");
    }
    users_leave(office);
    run_for(office, office->tuning.shutdown_timeout_ms * UINT64_C(1000) + OFFICE_SECOND);
    check_records(office);
    check_known(office);
    check_disk(office, false);
}

static void run_end(struct office *office)
{
    if (has_leftovers(office)) { /* of one who reset it with an answer on its way */
        run_for(office, 21 * OFFICE_SECOND);
    }
    check_idle(office);
    np_app_stop(office->app);
    np_sim_host_touch(office->plat);
    (void)run_until(office, is_stopped,
                    office->tuning.shutdown_timeout_ms * UINT64_C(1000) + 3 * OFFICE_SECOND);
    if (np_sim_failure(office->sim) == NULL && !is_stopped(office)) {
        np_sim_fail(office->sim, "the master does not stop");
    }
    if (np_sim_failure(office->sim) != NULL) {
        return;
    }
    check_disk(office, true);
    uint32_t objects = np_app_objects_used(office->app);
    uint32_t handles = np_sim_host_handles(office->plat);
    if (objects != 0 || handles != 0) {
        np_sim_fail(office->sim, "stopped with %u objects and %u handles in use", objects, handles);
    }
    np_app_deinit(office->app);
    office->is_over = true;
}

const char *office_run(struct office *office, struct np_sim *sim, uint64_t seed, bool is_verbose)
{
    np_sim_reset(sim, seed);
    np_sim_set_verbose(sim, is_verbose);
    clear(office, sim, seed);
    open_world(office);
    start_program(office);
    uint32_t phase_us = 2000000 + office_pick(office, 4000000);
    users_open(office);
    plan_faults(office, phase_us);
    on_guest_clock(office, 0);
    run_for(office, phase_us);
    if (np_sim_failure(sim) == NULL) {
        run_quiet(office);
    }
    if (np_sim_failure(sim) == NULL) {
        run_end(office);
    }
    return np_sim_failure(sim);
}

void office_release(struct office *office)
{
    if (office->memory != NULL) {
        munmap(office->memory, office->memory_cap);
        office->memory = NULL;
        office->memory_cap = 0;
    }
}
