/* SPDX-License-Identifier: BSD-3-Clause */
/* scene: one seed from an empty world to stopped programs.
 *
 *   phase 1  sessions and datagrams while faults happen           safety: 1, 2, 5 to 8, 10
 *   phase 2  healed: up within 10 s, old sessions end, new work   liveness: 1, 3, 9
 *   end      counters, stop (during transfers, if planned)        4, 6
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scene.h"

#define UP_US (10 * SECOND)
#define STEP_US 50000u

static bool has(const struct scene *scene, enum fault fault)
{
    return (scene->plan.faults & (uint32_t)fault) != 0;
}

static bool has_go(const struct scene *scene)
{
    return scene->plan.go_client || scene->plan.go_server;
}

static void run_for(struct scene *scene, uint64_t us)
{
    np_sim_run(scene->sim, np_sim_now_us(scene->sim) + us);
}

/* Runs until `is_done` or `limit_us` have passed; true if it is done. */
static bool run_until(struct scene *scene, bool (*is_done)(struct scene *scene), uint64_t limit_us)
{
    uint64_t end_us = np_sim_now_us(scene->sim) + limit_us;
    while (!is_done(scene) && np_sim_failure(scene->sim) == NULL) {
        if (np_sim_now_us(scene->sim) >= end_us) {
            return false;
        }
        run_for(scene, STEP_US);
    }
    return np_sim_failure(scene->sim) == NULL;
}

/* ---- making --------------------------------------------------------------------------- */

static struct np_plat *open_host(struct scene *scene, const char *name, void (*step)(void *),
                                 void *context)
{
    struct np_sim_host host;
    np_sim_host_defaults(&host);
    host.name = name;
    host.step = step;
    host.context = context;
    return np_sim_host_open(scene->sim, &host);
}

static void open_ends(struct scene *scene)
{
    struct np_addr server = np_sim_ip4(10, 0, 0, 1, 0);
    struct np_addr client = np_sim_ip4(10, 0, 0, 2, 0);
    struct np_addr intruder = np_sim_ip4(10, 0, 3, 1, 0);
    scene->server.plat = open_host(scene, "server", app_step, &scene->server);
    scene->client.plat = open_host(scene, "client", app_step, &scene->client);
    scene->visitors = open_host(scene, "visitors", visitors_step, scene);
    scene->targets = open_host(scene, "targets", targets_step, scene);
    scene->intruder = open_host(scene, "intruder", intruder_step, scene);
    np_sim_host_addr(scene->server.plat, &server);
    np_sim_host_addr(scene->client.plat, &client);
    np_sim_host_addr(scene->intruder, &intruder);
    intruder = np_sim_ip4(10, 0, 0, 2, 0); /* the client's too; who dials that reaches the client */
    np_sim_host_addr(scene->intruder, &intruder);
    scene->server.scene = scene->client.scene = scene;
}

static void open_programs(struct scene *scene)
{
    struct app *server = &scene->server;
    struct app *client = &scene->client;
    server->is_ours = scene->plan.topology != TOPO_SINGLE && !scene->plan.go_server;
    client->is_ours = !scene->plan.go_client;
    if (server->is_ours) {
        app_open(server, scene, server->plat, NP_ROLE_SERVER);
    } else if (scene->plan.go_server) {
        go_open(scene, server->plat, true);
    }
    if (client->is_ours) {
        app_open(client, scene, client->plat, NP_ROLE_CLIENT);
    } else {
        go_open(scene, client->plat, false);
    }
}

/* Everything but the memory of the two programs starts from zero. */
static void clear(struct scene *scene, struct np_sim *sim, uint64_t seed)
{
    uint8_t *memory[2] = {scene->server.memory, scene->client.memory};
    uint64_t caps[2] = {scene->server.memory_cap, scene->client.memory_cap};
    struct go *go[2] = {scene->go_server, scene->go_client};
    memset(scene, 0, sizeof *scene);
    scene->server.memory = memory[0];
    scene->client.memory = memory[1];
    scene->server.memory_cap = caps[0];
    scene->client.memory_cap = caps[1];
    scene->go_server = go[0];
    scene->go_client = go[1];
    scene->sim = sim;
    scene->seed = seed;
    scene->rng[0] = seed * 0x9e3779b97f4a7c15u + 1;
}

static void start_later(void *context, uint32_t index)
{
    struct scene *scene = context;
    if (!scene->is_over) {
        session_start(scene, index);
    }
}

static void plan_sessions(struct scene *scene, uint32_t count, uint64_t within_us)
{
    uint64_t now_us = np_sim_now_us(scene->sim);
    for (uint32_t i = 0; i < count && scene->session_count < SESSIONS; i++) {
        uint32_t index = scene->session_count;
        session_plan(scene);
        np_sim_at(scene->sim, now_us + pick(scene, (uint32_t)within_us + 1), start_later, scene,
                  index);
    }
}

/* ---- state ---------------------------------------------------------------------------- */

static bool is_app_up(const struct app *app)
{
    struct np_app_stats stats;
    return app_stats(app, &stats) && stats.is_up;
}

bool is_up(struct scene *scene)
{
    bool server = scene->plan.topology == TOPO_SINGLE ||
                  (scene->plan.go_server ? go_is_up(scene->go_server) : is_app_up(&scene->server));
    bool client = scene->plan.go_client ? go_is_up(scene->go_client) : is_app_up(&scene->client);
    return server && client;
}

static bool are_sessions_over(struct scene *scene)
{
    for (uint32_t i = 0; i < scene->session_count; i++) {
        if (!session_is_over(scene, &scene->sessions[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < scene->target_count; i++) {
        if (!scene->target_sides[i].is_closed) {
            return false;
        }
    }
    return true;
}

static bool is_released(struct scene *scene)
{
    return has_released(scene);
}

static bool is_udp_sent(struct scene *scene)
{
    for (uint32_t i = 0; i < scene->udp_count; i++) {
        if (scene->udp[i].sent < scene->udp[i].count) {
            return false;
        }
    }
    return true;
}

static uint64_t rtt_us(const struct scene *scene)
{
    uint64_t one_way_us =
        scene->plan.latency_us + np_sim_host_config(scene->server.plat)->wake_delay_us;
    if (has(scene, FAULT_JITTER)) {
        one_way_us *= 4;
    }
    return 2 * 3 * one_way_us; /* visitor, server, client, target: three links */
}

/* Ends by force what faults left behind: a peer that is gone, a Go peer that waits. */
static void end_leftovers(struct scene *scene)
{
    for (uint32_t i = 0; i < scene->session_count; i++) {
        struct side *visitor = &scene->sessions[i].visitor;
        if (scene->sessions[i].is_started) {
            side_close(visitor, true);
        }
    }
    for (uint32_t i = 0; i < scene->target_count; i++) {
        side_close(&scene->target_sides[i], true);
    }
}

/* ---- phases --------------------------------------------------------------------------- */

static void run_phase1(struct scene *scene)
{
    if (scene->server.is_ours) {
        app_start(&scene->server);
    }
    if (scene->client.is_ours) {
        app_start(&scene->client);
    }
    /* Visitors come when the doors are there, or run against closed ones, which costs them. */
    uint64_t ready_us = 600000 + 40 * (uint64_t)scene->plan.latency_us;
    if (plan_is_mild(scene)) {
        run_until(scene, is_up, UP_US);
        run_for(scene, 100000);
    } else {
        run_for(scene, pick(scene, (uint32_t)ready_us));
    }
    plan_sessions(scene, scene->plan.tcp_sessions, scene->plan.phase1_us);
    udp_open(scene, scene->plan.udp_visitors, scene->plan.phase1_us / 2);
    run_for(scene, scene->plan.phase1_us);
    if (plan_is_mild(scene)) {
        run_until(scene, is_udp_sent, 10 * SECOND);
        run_for(scene, 2 * rtt_us(scene) + SECOND / 2);
    }
}

/* How long a transfer may take in this scene before it counts as hanging. */
static uint64_t patience_us(const struct scene *scene)
{
    uint64_t us = 20 * SECOND;
    if (has(scene, FAULT_LOSS) || has(scene, FAULT_SLOW) || has(scene, FAULT_SMALL_BUF)) {
        us = 120 * SECOND;
    }
    return us + 40 * rtt_us(scene) + scene->plan.rate_mbps * 60 * SECOND;
}

static void check_old_sessions(struct scene *scene)
{
    bool must_complete = plan_is_mild(scene) && !has_go(scene) && !scene->was_killed;
    run_until(scene, are_sessions_over, must_complete ? patience_us(scene) : 2 * SECOND);
    if (must_complete && !scene->is_key_bad && !scene->was_late &&
        np_sim_failure(scene->sim) == NULL) {
        check_complete(scene, 0);
    }
    end_leftovers(scene);
    uint64_t limit_us = rtt_us(scene) + SECOND;
    if (scene->udp_count > 0) {
        limit_us += scene->plan.tuning.udp_read_timeout_ms * UINT64_C(1000) + 4 * SECOND;
    }
    if (scene->udp_count > 0 && has(scene, FAULT_SLOW)) { /* what is kept still trickles */
        limit_us += 60 * SECOND;
    }
    if (has_go(scene)) { /* it passes on no end of stream: half-closed sessions wait for it */
        limit_us += (NP_HALF_CLOSED_IDLE_MS + scene->client.settings.read_ms) * UINT64_C(1000);
        limit_us += scene->server.settings.read_ms * UINT64_C(1000);
    }
    if (has(scene, FAULT_LOSS) || !plan_is_mild(scene)) {
        limit_us += scene->client.settings.read_ms * UINT64_C(1000) + 4 * SECOND;
    }
    if (!run_until(scene, is_released, limit_us)) {
        np_sim_fail(scene->sim, "invariant 3: sessions are held after both ends closed");
    }
}

static bool is_probe_good(const struct scene *scene, uint32_t index)
{
    const struct session *session = &scene->sessions[index];
    return session_is_over(scene, session) && session->visitor.err == NP_OK &&
           session->target != NONE && session->visitor.received == session->down_total &&
           scene->target_sides[session->target].received == session->up_total;
}

/* New sessions work, at once after a mild scene. After others a pool may be flushed once more; a Go
 * peer loses some launches: one of several must work. */
static void probe(struct scene *scene)
{
    uint32_t tries = has(scene, FAULT_GARBAGE) ? 24 : has_go(scene) ? 12 : 3;
    if (scene->plan.notcp || scene->is_key_bad) {
        return;
    }
    if (plan_is_mild(scene) && !has_go(scene)) {
        uint32_t first = scene->session_count;
        plan_sessions(scene, 3, 100000);
        run_until(scene, are_sessions_over, patience_us(scene));
        if (np_sim_failure(scene->sim) == NULL && !scene->is_key_bad && !scene->was_late) {
            check_complete(scene, first);
        }
        return;
    }
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t index = scene->session_count;
        plan_sessions(scene, 1, 0);
        run_until(scene, are_sessions_over, patience_us(scene));
        if (is_probe_good(scene, index) || scene->is_key_bad) {
            return;
        }
        end_leftovers(scene);
    }
    np_sim_fail(scene->sim, "invariant 9: none of %u new sessions works", tries);
}

/* Time for the programs to notice what the network did to connections that it does not tell of:
 * twice the report interval without a signal, four times without an answer to a keep-alive. */
static void let_notice(struct scene *scene)
{
    uint64_t report_us = scene->plan.tuning.report_interval_ms * UINT64_C(1000);
    if (!plan_is_mild(scene)) {
        run_for(scene, 5 * report_us + SECOND);
    }
}

/* UDP works again too. Over a Go peer it is not asked for. */
static void probe_udp(struct scene *scene)
{
    uint32_t index = scene->udp_count;
    if (has_go(scene) || scene->plan.noudp || scene->is_key_bad) {
        return;
    }
    run_for(scene, 4 * SECOND); /* a busy port is tried again every 3 s */
    udp_open(scene, 1, 0);
    if (index == scene->udp_count) {
        return;
    }
    struct udp_visitor *visitor = &scene->udp[index];
    visitor->count = 12;
    visitor->gap_us = 20000;
    for (uint32_t i = 0; i < visitor->count; i++) {
        visitor->lens[i] = (uint16_t)(20 + 3 * i);
    }
    run_for(scene, 2 * SECOND + 10 * rtt_us(scene));
    if (visitor->replies == 0 && np_sim_failure(scene->sim) == NULL && !scene->is_key_bad) {
        np_sim_fail(scene->sim, "invariant 9: a new UDP visitor gets no answer");
    }
}

#define RATE_BYTES 1000000u
#define RATE_BURST_BYTES 125000u /* a second of rate=1 */

/* A long transfer gets at least 95 % of the rate. */
static void probe_rate(struct scene *scene)
{
    const struct plan *plan = &scene->plan;
    if (plan->rate_mbps != 1 || plan->faults != 0 || has_go(scene) || plan->notcp ||
        scene->is_key_bad || plan->latency_us > 5000) {
        return;
    }
    run_for(scene, SECOND + SECOND / 10); /* the bucket is full again */
    uint32_t index = scene->session_count;
    struct session *session = session_plan(scene);
    bool is_up_stream = pick_chance(scene, 50);
    session->up_total = is_up_stream ? RATE_BYTES : 64;
    session->down_total = is_up_stream ? 64 : RATE_BYTES;
    session->visitor.gap_us = session->target_gap_us = 0;
    session->visitor.send_after_us = 0;
    uint64_t start_us = np_sim_now_us(scene->sim);
    session_start(scene, index);
    run_until(scene, are_sessions_over, patience_us(scene));
    uint64_t took_us = np_sim_now_us(scene->sim) - start_us;
    uint64_t most_us = (RATE_BYTES - RATE_BURST_BYTES) * SECOND / RATE_BURST_BYTES * 100 / 95;
    if (scene->is_key_bad) {
        return;
    }
    if (!is_probe_good(scene, index) || took_us > most_us + 2 * STEP_US + 4 * rtt_us(scene)) {
        np_sim_fail(scene->sim, "invariant 7: %u bytes at rate=1 took %.3f s", RATE_BYTES,
                    (double)took_us / 1e6);
    }
}

static void run_phase2(struct scene *scene)
{
    faults_heal(scene);
    let_notice(scene);
    uint64_t limit_us = UP_US + 10 * rtt_us(scene);
    if (has(scene, FAULT_LOSS)) { /* its time-outs are long, so that losses fit in */
        limit_us += scene->plan.tuning.tcp_dial_timeout_ms * UINT64_C(1000);
    }
    if (has(scene, FAULT_BUSY)) { /* both ends back off for as long as that lasts */
        limit_us += 20 * SECOND;
    }
    if (has_go(scene)) { /* it notices a dead peer later than ours, which backs off meanwhile */
        limit_us += UP_US;
    }
    if (scene->plan.go_server && (has(scene, FAULT_INTRUDER) || !plan_is_mild(scene))) {
        limit_us += 80 * SECOND; /* it greets one at a time and sleeps after each */
    }
    if (!run_until(scene, is_up, limit_us) && !scene->is_key_bad) {
        np_sim_fail(scene->sim, "invariant 9: the tunnel is not up %u s after healing",
                    (unsigned)(limit_us / SECOND));
    }
    check_old_sessions(scene);
    check_datagrams(scene);
    if (np_sim_failure(scene->sim) == NULL) {
        probe(scene);
    }
    if (np_sim_failure(scene->sim) == NULL) {
        probe_udp(scene);
    }
    if (np_sim_failure(scene->sim) == NULL) {
        probe_rate(scene);
    }
}

/* ---- end ------------------------------------------------------------------------------ */

static bool is_app_stopped(const struct app *app)
{
    return app->app == NULL || np_app_is_stopped(app->app);
}

static bool are_stopped(struct scene *scene)
{
    return is_app_stopped(&scene->server) && is_app_stopped(&scene->client);
}

static void stop(struct app *app)
{
    if (app->app != NULL) {
        np_app_stop(app->app);
        np_sim_host_touch(app->plat);
    }
}

/* Ends without a drain. */
static void deinit(struct app *app)
{
    if (app->app == NULL) {
        return;
    }
    np_app_deinit(app->app);
    check_stopped(app->scene, app);
    app->app = NULL;
}

static void run_end(struct scene *scene)
{
    check_counters(scene);
    if (has(scene, FAULT_STOP_BUSY) && !scene->plan.notcp) {
        plan_sessions(scene, 4, 50000);
        udp_open(scene, 2, 50000);
        run_for(scene, pick(scene, 300000));
    }
    if (pick_chance(scene, 10)) { /* ended at once, as after a fatal error */
        deinit(&scene->server);
        deinit(&scene->client);
        scene->is_over = true;
        return;
    }
    struct app *first = pick_chance(scene, 50) ? &scene->server : &scene->client;
    stop(first);
    run_for(scene, pick(scene, 200000));
    stop(first == &scene->server ? &scene->client : &scene->server);
    if (pick_chance(scene, 10)) { /* asked twice: no more patience */
        run_for(scene, 1000);
        stop(&scene->server);
        stop(&scene->client);
        run_for(scene, 20000);
        if (!are_stopped(scene)) {
            np_sim_fail(scene->sim, "invariant 4: a second stop does not end the drain");
        }
    }
    run_until(scene, are_stopped,
              scene->plan.tuning.shutdown_timeout_ms * UINT64_C(1000) + SECOND / 2);
    check_stopped(scene, &scene->server);
    check_stopped(scene, &scene->client);
    scene->is_over = true;
}

const char *scene_run(struct scene *scene, struct np_sim *sim, uint64_t seed, bool is_verbose)
{
    np_sim_reset(sim, seed);
    np_sim_set_verbose(sim, is_verbose);
    clear(scene, sim, seed);
    scene->is_verbose = is_verbose;
    plan_make(scene);
    if (is_verbose) {
        plan_print(scene, stderr);
    }
    open_ends(scene);
    open_programs(scene);
    visitors_open(scene);
    targets_open(scene);
    links_make(scene);
    faults_schedule(scene);
    run_phase1(scene);
    if (np_sim_failure(sim) == NULL) {
        run_phase2(scene);
    }
    if (np_sim_failure(sim) == NULL) {
        run_end(scene);
    }
    return np_sim_failure(sim);
}

void scene_release(struct scene *scene)
{
    free(scene->go_server);
    free(scene->go_client);
    app_release(&scene->server);
    app_release(&scene->client);
}
