/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/tunnel_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/url.h"
#include "tests/unit/np_test.h"

#define POUR_BYTES 1000000u
#define ECHO_BYTES 1000u
#define TARGET_TAG UINT32_MAX

static struct tunnel_rig shared;

/* ---- people ---------------------------------------------------------------------------------- */

static struct person *add_person(struct tunnel_rig *rig, uint32_t handle)
{
    struct person *person = &rig->people[rig->people_count];

    if (rig->people_count == PEOPLE) {
        abort();
    }
    memset(person, 0, sizeof *person);
    person->handle = handle;
    np_plat_retag(rig->people_plat, handle, rig->people_count++);
    return person;
}

static void leave(struct tunnel_rig *rig, struct person *person, bool with_reset)
{
    if (with_reset) {
        np_plat_tcp_abort(rig->people_plat, person->handle);
    } else {
        np_plat_tcp_close(rig->people_plat, person->handle);
    }
    person->handle = NP_HANDLE_NONE;
}

static void watch(struct tunnel_rig *rig, const struct person *person)
{
    np_plat_interest(rig->people_plat, person->handle,
                     (person->is_paused ? 0 : NP_EV_READ) |
                         (person->to_send > 0 ? NP_EV_WRITE : 0));
}

/* A target learns from the first byte what it is to do. */
static void take(struct person *person, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len && person->head_len < sizeof person->head; i++) {
        person->head[person->head_len++] = bytes[i];
    }
    if (person->is_target && person->received == 0) {
        person->wish = (char)bytes[0];
        person->to_send = person->wish == WISH_POUR ? POUR_BYTES : 0;
        person->is_paused = person->wish == WISH_IGNORE;
    }
    person->received += len;
    if (person->wish == WISH_ECHO) {
        person->to_send += len;
    }
}

static void read_all(struct tunnel_rig *rig, struct person *person)
{
    uint8_t buf[4096];
    int32_t got;

    while (!person->is_paused && (got = np_plat_tcp_recv(rig->people_plat, person->handle, buf,
                                                         sizeof buf)) != NP_ERR_AGAIN) {
        if (got == NP_ERR_EOF && person->wish == WISH_AFTER) {
            person->saw_end = person->is_paused = true;
            person->to_send = POUR_BYTES;
            return;
        }
        if (got < 0) {
            person->saw_end = got == NP_ERR_EOF;
            person->err = got == NP_ERR_EOF ? NP_OK : (enum np_err)got;
            leave(rig, person, got != NP_ERR_EOF);
            return;
        }
        take(person, buf, (uint32_t)got);
    }
}

static void send_all(struct tunnel_rig *rig, struct person *person)
{
    static const uint8_t bytes[4096];

    while (person->to_send > 0) {
        uint32_t len = person->to_send < sizeof bytes ? (uint32_t)person->to_send : sizeof bytes;
        int32_t sent = np_plat_tcp_send(rig->people_plat, person->handle, bytes, len);
        if (sent < 0) {
            return; /* a failure shows when it reads */
        }
        person->to_send -= (uint32_t)sent;
    }
}

static void serve(struct tunnel_rig *rig, struct person *person, uint32_t flags)
{
    if ((flags & NP_EV_ERROR) != 0 && person->is_paused) {
        leave(rig, person, true);
        person->err = NP_ERR_RESET;
        return;
    }
    if ((flags & (NP_EV_READ | NP_EV_ERROR)) != 0) {
        read_all(rig, person);
    }
    if (person->handle != NP_HANDLE_NONE) {
        send_all(rig, person);
        watch(rig, person);
    }
    if (person->wish == WISH_AFTER && person->saw_end && person->to_send == 0 &&
        person->handle != NP_HANDLE_NONE) {
        leave(rig, person, false);
    }
}

static void step_people(void *context)
{
    struct tunnel_rig *rig = context;
    struct np_event events[64];
    struct np_addr peer;
    uint32_t handle;
    int32_t count = np_plat_poll(rig->people_plat, events, 64, UINT32_MAX);

    for (int32_t i = 0; i < count; i++) {
        if (events[i].tag != TARGET_TAG && rig->people[events[i].tag].handle == events[i].handle) {
            serve(rig, &rig->people[events[i].tag], events[i].flags);
        }
    }
    while (np_plat_tcp_accept(rig->people_plat, rig->target, 0, &handle, &peer) == NP_OK) {
        struct person *person = add_person(rig, handle);
        person->is_target = true;
        watch(rig, person);
    }
}

struct person *tunnel_rig_connect(struct tunnel_rig *rig, struct np_addr to, const void *head,
                                  uint32_t head_len)
{
    uint32_t handle;

    NP_CHECK_INT(np_plat_tcp_connect(rig->people_plat, NULL, &to, 0, &handle), NP_OK);
    struct person *person = add_person(rig, handle);
    tunnel_rig_run_ms(rig, 10);
    if (head_len > 0) {
        tunnel_rig_say(rig, person, head, head_len);
    }
    watch(rig, person);
    np_sim_host_touch(rig->people_plat);
    return person;
}

void tunnel_rig_say(struct tunnel_rig *rig, struct person *person, const void *bytes, uint32_t len)
{
    NP_CHECK_INT(np_plat_tcp_send(rig->people_plat, person->handle, bytes, len), len);
}

struct person *tunnel_rig_visit(struct tunnel_rig *rig, enum wish wish)
{
    char head = (char)wish;

    return tunnel_rig_connect(rig, np_sim_ip4(10, 0, 0, 1, 9000), &head, 1);
}

void tunnel_rig_resume(struct tunnel_rig *rig, struct person *person)
{
    person->is_paused = false;
    watch(rig, person);
    np_sim_host_touch(rig->people_plat);
}

void tunnel_rig_hang_up(struct tunnel_rig *rig, struct person *person)
{
    if (person->handle != NP_HANDLE_NONE) {
        leave(rig, person, true);
    }
}

bool tunnel_rig_has_echo(struct tunnel_rig *rig, uint32_t ms)
{
    struct person *person = tunnel_rig_visit(rig, WISH_ECHO);
    bool is_good = false;

    person->to_send = ECHO_BYTES - 1;
    watch(rig, person);
    np_sim_host_touch(rig->people_plat);
    for (uint32_t waited = 0; waited < ms && !is_good && person->handle != NP_HANDLE_NONE;
         waited += 20) {
        tunnel_rig_run_ms(rig, 20);
        is_good = person->received == ECHO_BYTES;
    }
    tunnel_rig_hang_up(rig, person);
    return is_good;
}

/* ---- apps ------------------------------------------------------------------------------------ */

static void step_app(void *context)
{
    struct rig_side *side = context;
    struct np_event event;

    if (side->app == NULL || np_app_is_stopped(side->app)) {
        np_plat_poll(side->plat, &event, 1, UINT32_MAX);
    } else {
        NP_CHECK_INT(np_app_step(side->app, 60000), NP_OK);
    }
}

static void keep_log(void *context, uint32_t level, const char *line, uint32_t len)
{
    struct rig_side *side = context;

    (void)level;
    if (side->log_len + len < sizeof side->log) {
        memcpy(side->log + side->log_len, line, len);
        side->log_len += len;
    }
}

static struct np_plat *open_host(struct tunnel_rig *rig, const char *name, uint8_t last,
                                 void (*step)(void *context), void *context)
{
    struct np_addr ip = np_sim_ip4(10, 0, 0, last, 0);
    struct np_sim_host host;
    struct np_plat *plat;

    np_sim_host_defaults(&host);
    host.name = name;
    host.step = step;
    host.log = last == 3 ? NULL : keep_log;
    host.context = context;
    plat = np_sim_host_open(rig->sim, &host);
    np_sim_host_addr(plat, &ip);
    return plat;
}

struct tunnel_rig *tunnel_rig_open(uint64_t seed)
{
    struct np_addr target = np_sim_ip4(10, 0, 0, 3, RIG_TARGET_PORT);
    struct tunnel_rig *rig = &shared;

    memset(rig, 0, sizeof *rig);
    np_tuning_init(&rig->tuning);
    rig->tuning.built_s = RIG_BUILT_S;
    rig->sim = np_sim_create();
    np_sim_reset(rig->sim, seed);
    rig->sides[0].plat = open_host(rig, "server", 1, step_app, &rig->sides[0]);
    rig->sides[1].plat = open_host(rig, "client", 2, step_app, &rig->sides[1]);
    rig->people_plat = open_host(rig, "people", 3, step_people, rig);
    NP_CHECK_INT(np_plat_tcp_listen(rig->people_plat, &target, TARGET_TAG, &rig->target), NP_OK);
    np_plat_interest(rig->people_plat, rig->target, NP_EV_READ);
    return rig;
}

static void add_settings(struct rig_side *side, const char *url)
{
    struct np_report report = {.line = NULL};

    np_url_parse(&side->settings[side->count], url, (uint32_t)strlen(url), &report);
    NP_CHECK_INT(report.error_count, 0);
    side->list[side->count] = &side->settings[side->count];
    side->count++;
}

void tunnel_rig_start(struct tunnel_rig *rig, uint32_t which, const char *first, const char *second)
{
    struct rig_side *side = &rig->sides[which];
    struct np_app_needs needs;

    side->count = 0;
    add_settings(side, first);
    if (second != NULL) {
        add_settings(side, second);
    }
    np_app_plan(side->list, side->count, &rig->tuning, &needs);
    free(side->memory);                                   /* of a start before a crash */
    side->memory = calloc(1, (size_t)needs.memory_bytes); /* zero pages on demand */
    side->app = np_app_init(side->plat, side->memory, needs.memory_bytes, side->list, side->count,
                            &rig->tuning, false);
    NP_CHECK(side->app != NULL);
    np_sim_host_touch(side->plat);
}

bool tunnel_rig_is_up(struct tunnel_rig *rig)
{
    return tunnel_rig_stats(rig, RIG_SERVER, 0).is_up &&
           tunnel_rig_stats(rig, RIG_CLIENT, 0).is_up &&
           tunnel_rig_stats(rig, RIG_SERVER, 0).pool_idle > 0;
}

void tunnel_rig_start_pair(struct tunnel_rig *rig, const char *server_query,
                           const char *client_query)
{
    char url[200];

    snprintf(url, sizeof url, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&%s", server_query);
    tunnel_rig_start(rig, RIG_SERVER, url, NULL);
    snprintf(url, sizeof url, "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&%s", client_query);
    tunnel_rig_start(rig, RIG_CLIENT, url, NULL);
    NP_CHECK(tunnel_rig_run_until(rig, tunnel_rig_is_up, 5000));
}

void tunnel_rig_run_ms(struct tunnel_rig *rig, uint32_t ms)
{
    if (!np_sim_run(rig->sim, np_sim_now_us(rig->sim) + ms * UINT64_C(1000))) {
        NP_CHECK_STR(np_sim_failure(rig->sim), "");
    }
}

bool tunnel_rig_run_until(struct tunnel_rig *rig, bool (*is_done)(struct tunnel_rig *), uint32_t ms)
{
    for (uint32_t waited = 0; waited < ms && !is_done(rig); waited += 20) {
        tunnel_rig_run_ms(rig, 20);
    }
    return is_done(rig);
}

struct np_app_stats tunnel_rig_stats(const struct tunnel_rig *rig, uint32_t side, uint32_t index)
{
    struct np_app_stats stats;

    np_app_stats(rig->sides[side].app, index, &stats);
    return stats;
}

uint32_t tunnel_rig_log_count(const struct tunnel_rig *rig, uint32_t side, const char *text)
{
    uint32_t count = 0;

    for (const char *at = rig->sides[side].log; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

/* ---- end ------------------------------------------------------------------------------------- */

static void stop(struct rig_side *side)
{
    if (side->app != NULL) {
        np_app_stop(side->app);
        np_app_stop(side->app); /* no drain */
        np_sim_host_touch(side->plat);
    }
}

static void release(struct rig_side *side)
{
    if (side->app == NULL) {
        return;
    }
    NP_CHECK(np_app_is_stopped(side->app));
    NP_CHECK_INT(np_app_objects_used(side->app), 0);
    np_app_deinit(side->app);
    NP_CHECK_INT(np_sim_host_handles(side->plat), 0);
    free(side->memory);
}

void tunnel_rig_close(struct tunnel_rig *rig)
{
    for (uint32_t i = 0; i < rig->people_count; i++) {
        tunnel_rig_hang_up(rig, &rig->people[i]);
    }
    tunnel_rig_run_ms(rig, 100);
    stop(&rig->sides[0]);
    stop(&rig->sides[1]);
    tunnel_rig_run_ms(rig, 2000);
    release(&rig->sides[0]);
    release(&rig->sides[1]);
    np_sim_destroy(rig->sim);
}
