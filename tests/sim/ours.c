/* SPDX-License-Identifier: BSD-3-Clause */
/* ours: the program under test on a simulated host: memory, start, death, stop. */
#define _GNU_SOURCE

#include <string.h>
#include <sys/mman.h>

#include "tests/sim/scene.h"

#define GUARD 64u /* bytes behind the memory of the app that must not change */
#define GUARD_BYTE 0x5a

static void on_log(void *context, uint32_t level, const char *line, uint32_t len)
{
    check_log_line(context, level, line, len);
}

void app_open(struct app *app, struct scene *scene, struct np_plat *plat, enum np_role role)
{
    app->scene = scene;
    app->plat = plat;
    app->is_ours = true;
    app->generation = 0;
    app->app = NULL;
    app->log_second = app->dial_second = 0;
    app->log_lines = app->dials_before = 0;
    settings_make(scene, &app->settings, role);
    app->list[0] = &app->settings;
    np_sim_host_config(plat)->context = app;
    np_sim_host_config(plat)->log = on_log;
}

/* Fresh zero pages, so that memory never touched costs nothing here either. */
static void clear_memory(struct app *app, uint64_t len)
{
    if (app->memory_cap < len + GUARD) {
        if (app->memory != NULL) {
            munmap(app->memory, app->memory_cap);
        }
        app->memory_cap = (len + GUARD + 0xfffffu) & ~UINT64_C(0xfffff);
        app->memory =
            mmap(NULL, app->memory_cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else {
        madvise(app->memory, app->memory_cap, MADV_DONTNEED);
    }
    app->memory_len = len;
    memset(app->memory + len, GUARD_BYTE, GUARD);
}

bool app_has_guard(const struct app *app)
{
    for (uint32_t i = 0; app->memory != NULL && i < GUARD; i++) {
        if (app->memory[app->memory_len + i] != GUARD_BYTE) {
            return false;
        }
    }
    return true;
}

void app_start(struct app *app)
{
    struct np_app_needs needs;
    np_app_plan(app->list, 1, &app->scene->plan.tuning, &needs);
    clear_memory(app, needs.memory_bytes);
    app->generation++;
    app->log_lines = 0;
    app->dials_before = 0;
    memset(app->rate_bytes, 0, sizeof app->rate_bytes);
    memset(app->rate_level, 0, sizeof app->rate_level);
    app->app = np_app_init(app->plat, app->memory, needs.memory_bytes, app->list, 1,
                           &app->scene->plan.tuning, false);
    if (app->app == NULL) {
        np_sim_fail(app->scene->sim, "np_app_init fails");
    }
}

/* Dies as a process or with its whole machine; what it held is the system's to clean up. */
void app_kill(struct app *app, bool is_crash)
{
    if (app->app == NULL) {
        return;
    }
    check_memory(app->scene, app);
    app->app = NULL;
    app->scene->was_killed = true;
    if (is_crash) {
        np_sim_host_crash(app->plat);
    } else {
        np_sim_host_kill(app->plat);
    }
}

void app_step(void *context)
{
    struct app *app = context;
    if (app->app == NULL || np_app_is_stopped(app->app)) {
        struct np_event event;
        np_plat_poll(app->plat, &event, 1, UINT32_MAX);
        return;
    }
    enum np_err err = np_app_step(app->app, 60000);
    if (err != NP_OK) {
        np_sim_fail(app->scene->sim, "np_app_step returns %d", err);
    }
    check_turn(app);
}

bool app_stats(const struct app *app, struct np_app_stats *stats)
{
    if (app == NULL || app->app == NULL) {
        return false;
    }
    np_app_stats(app->app, 0, stats);
    return true;
}

void app_release(struct app *app)
{
    if (app->memory != NULL) {
        munmap(app->memory, app->memory_cap);
        app->memory = NULL;
        app->memory_cap = 0;
    }
}

static struct app *ours_or_none(struct app *app, bool is_go)
{
    return is_go ? NULL : app;
}

struct app *visitor_app(struct scene *scene)
{
    return scene->plan.topology == TOPO_REVERSE
               ? ours_or_none(&scene->server, scene->plan.go_server)
               : ours_or_none(&scene->client, scene->plan.go_client);
}

struct app *target_app(struct scene *scene)
{
    return scene->plan.topology == TOPO_FORWARD
               ? ours_or_none(&scene->server, scene->plan.go_server)
               : ours_or_none(&scene->client, scene->plan.go_client);
}
