/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/master_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/url.h"
#include "core/master/master.h"
#include "core/np_app_state.h"
#include "platform/np_plat.h"
#include "tests/unit/np_test.h"

static void step_ours(void *context)
{
    struct master_rig *rig = context;
    struct np_event event;

    if (rig->app == NULL || np_app_is_stopped(rig->app)) {
        np_plat_poll(rig->ours, &event, 1, UINT32_MAX);
    } else {
        NP_CHECK_INT(np_app_step(rig->app, 60000), NP_OK);
    }
}

static void step_other(void *context)
{
    struct master_rig *rig = context;
    struct np_event events[16];
    struct np_addr peer;
    uint32_t handle;

    int32_t count = np_plat_poll(rig->other, events, 16, UINT32_MAX);
    for (int32_t i = 0; i < count; i++) { /* without interest, only failures are told */
        if (events[i].handle != rig->target) {
            np_plat_tcp_abort(rig->other, events[i].handle);
        }
    }
    while (np_plat_tcp_accept(rig->other, rig->target, 0, &handle, &peer) == NP_OK) {
    }
}

static void take_line(void *context, uint32_t level, const char *line, uint32_t len)
{
    struct master_rig *rig = context;

    (void)level;
    if (len < sizeof rig->log - rig->log_len) {
        memcpy(rig->log + rig->log_len, line, len);
        rig->log_len += len;
        rig->log[rig->log_len] = '\0';
    }
}

static struct np_plat *open_host(struct master_rig *rig, uint8_t last, void (*step)(void *context))
{
    struct np_sim_host host;
    struct np_addr ip = np_sim_ip4(10, 0, 0, last, 0);
    struct np_plat *plat;

    np_sim_host_defaults(&host);
    host.name = last == 1 ? "ours" : "other";
    host.has_wall_clock = true;
    host.step = step;
    host.log = last == 1 ? take_line : NULL;
    host.context = rig;
    plat = np_sim_host_open(rig->sim, &host);
    np_sim_host_addr(plat, &ip);
    return plat;
}

void master_rig_open(struct master_rig *rig)
{
    struct np_addr at = np_sim_ip4(10, 0, 0, 2, 2000);

    memset(rig, 0, sizeof *rig);
    rig->sim = np_sim_create();
    np_sim_reset(rig->sim, 1);
    rig->ours = open_host(rig, 1, step_ours);
    rig->other = open_host(rig, 2, step_other);
    rig->answer = calloc(1, RIG_ANSWER_CAP);
    np_tuning_init(&rig->tuning);
    NP_CHECK_INT(np_plat_tcp_listen(rig->other, &at, 0, &rig->target), NP_OK);
    np_plat_interest(rig->other, rig->target, NP_EV_READ);
}

static void settings_of(struct np_settings *settings, const char *url)
{
    struct np_report report = {.line = NULL};

    np_url_parse(settings, url, (uint32_t)strlen(url), &report);
    NP_CHECK_INT(report.error_count, 0);
}

void master_rig_start(struct master_rig *rig, const char *url, const char *fixed)
{
    const struct np_settings *list[2] = {&rig->settings[0], &rig->settings[1]};
    struct np_app_needs needs;

    settings_of(&rig->settings[0], url != NULL ? url : "master://10.0.0.1:9000?state=/state");
    rig->settings_count = fixed == NULL ? 1 : 2;
    if (fixed != NULL) {
        settings_of(&rig->settings[1], fixed);
        memcpy(rig->settings[1].alias, "fixed", 6);
    }
    np_app_plan(list, rig->settings_count, &rig->tuning, &needs);
    free(rig->memory);
    rig->memory = calloc(1, (size_t)needs.memory_bytes);
    rig->log_len = 0;
    rig->log[0] = '\0';
    np_sim_host_start(rig->ours);
    rig->app = np_app_init(rig->ours, rig->memory, needs.memory_bytes, list, rig->settings_count,
                           &rig->tuning, false);
    NP_CHECK(rig->app != NULL);
    master_rig_run(rig, 10);
}

void master_rig_kill(struct master_rig *rig)
{
    rig->app = NULL;
    np_sim_host_kill(rig->ours);
}

void master_rig_stop(struct master_rig *rig)
{
    np_app_stop(rig->app);
    np_sim_host_touch(rig->ours);
    master_rig_run(rig, 8000);
    NP_CHECK(np_app_is_stopped(rig->app));
    NP_CHECK_INT(np_app_objects_used(rig->app), 0);
    np_app_deinit(rig->app);
    NP_CHECK_INT(np_sim_host_handles(rig->ours), 0);
    rig->app = NULL;
}

void master_rig_close(struct master_rig *rig)
{
    free(rig->memory);
    free(rig->answer);
    np_sim_destroy(rig->sim);
}

void master_rig_run(struct master_rig *rig, uint32_t ms)
{
    if (!np_sim_run(rig->sim, np_sim_now_us(rig->sim) + ms * UINT64_C(1000))) {
        NP_CHECK_STR(np_sim_failure(rig->sim), "");
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

uint32_t master_rig_connect(struct master_rig *rig)
{
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, 9000);
    uint32_t conn = NP_HANDLE_NONE;

    NP_CHECK_INT(np_plat_tcp_connect(rig->other, NULL, &to, 0, &conn), NP_OK);
    master_rig_run(rig, 20);
    return conn;
}

uint32_t master_rig_read(struct master_rig *rig, uint32_t conn, uint32_t len)
{
    for (uint32_t quiet = 0; quiet < 3;) {
        int32_t got = np_plat_tcp_recv(rig->other, conn, (uint8_t *)rig->answer + len,
                                       RIG_ANSWER_CAP - 1 - len);
        if (got > 0) {
            len += (uint32_t)got;
            quiet = 0;
        } else if (got != NP_ERR_AGAIN) {
            break;
        } else {
            quiet++;
            master_rig_run(rig, 10);
        }
    }
    rig->answer[len] = '\0';
    return len;
}

uint32_t master_rig_ask(struct master_rig *rig, const char *method, const char *path,
                        const char *body)
{
    uint32_t conn = master_rig_connect(rig);
    char request[8192];
    int len = snprintf(request, sizeof request,
                       "%s /api/v1%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: %s\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       method, path, rig->app->master->key.text, body == NULL ? 0 : strlen(body),
                       body == NULL ? "" : body);

    NP_CHECK_INT(np_plat_tcp_send(rig->other, conn, (const uint8_t *)request, (uint32_t)len), len);
    master_rig_run(rig, 10);
    (void)master_rig_read(rig, conn, 0);
    np_plat_tcp_abort(rig->other, conn);
    master_rig_run(rig, 10);
    return strlen(rig->answer) < 12 ? 0 : (uint32_t)atoi(rig->answer + 9);
}

const char *master_rig_body(const struct master_rig *rig)
{
    const char *body = strstr(rig->answer, "\r\n\r\n");

    return body == NULL ? "" : body + 4;
}

bool master_rig_has(const struct master_rig *rig, const char *text)
{
    return strstr(master_rig_body(rig), text) != NULL;
}

bool master_rig_logged(const struct master_rig *rig, const char *text)
{
    return strstr(rig->log, text) != NULL;
}

void master_rig_last_id(struct master_rig *rig, char id[9])
{
    const char *at, *found = NULL;

    NP_CHECK_INT(master_rig_ask(rig, "GET", "/instances", NULL), 200);
    for (at = rig->answer; (at = strstr(at, "{\"id\":\"")) != NULL; at++) {
        found = at + 7;
    }
    id[0] = '\0';
    if (found != NULL && found[0] != '*') {
        snprintf(id, 9, "%.8s", found);
    }
}
