/* SPDX-License-Identifier: BSD-3-Clause */
/* check: what must hold in every scene; numbers as in the list of invariants in README.md. */
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "tests/sim/scene.h"

#define LOG_LINES_A_SECOND 10u
#define HOLDS (2u * 65536u) /* splice pipes of one direction through two programs */
#define RECORD 20000u       /* a TLS record in its buffer */
#define SCRATCH 65536u      /* what a host shows at once */

static bool has_go(const struct scene *scene)
{
    return scene->plan.go_client || scene->plan.go_server;
}

static const struct side *far_side(const struct side *side)
{
    const struct scene *scene = side->scene;
    if (side->session == NONE) {
        return NULL;
    }
    const struct session *session = &scene->sessions[side->session];
    if (!side->is_visitor) {
        return &session->visitor;
    }
    return session->target == NONE ? NULL : &scene->target_sides[session->target];
}

/* ---- 1: a prefix always (side.c), all of it before an orderly end ----------------------- */

/* A program that was killed, or a Go peer, may end a stream in order that is not whole. */
void check_stream_end(struct side *side)
{
    const struct side *far = far_side(side);
    const char *who = side->is_visitor ? "visitor" : "target";
    struct np_sim *sim = side->scene->sim;
    if (has_go(side->scene) || side->scene->was_killed) {
        return;
    }
    if (far == NULL) {
        /* Nothing came at all: the far side's number is not known. */
        if (side->received > 0 || (side->is_visitor && side->is_connected)) {
            np_sim_fail(sim, "invariant 1: %s %u sees an end of stream after %llu bytes", who,
                        side->number, (unsigned long long)side->received);
        }
        return;
    }
    bool has_ended = far->fin_sent || (far->is_closed && far->err == NP_OK);
    if (!has_ended || far->sent != side->received) {
        np_sim_fail(sim, "invariant 1: %s %u sees an end of stream after %llu of %llu bytes%s", who,
                    side->number, (unsigned long long)side->received, (unsigned long long)far->sent,
                    has_ended ? "" : ", the sender is not done");
    }
}

static void check_one_complete(struct scene *scene, const struct session *session)
{
    const struct side *visitor = &session->visitor;
    const struct side *target =
        session->target == NONE ? NULL : &scene->target_sides[session->target];
    if (target == NULL || visitor->err != NP_OK || target->err != NP_OK || !visitor->is_closed ||
        !target->is_closed || visitor->received != session->down_total ||
        target->received != session->up_total) {
        np_sim_fail(scene->sim,
                    "invariant 1: session %u is not complete: down %llu of %llu, up %llu of %llu, "
                    "visitor %s (%d), target %s (%d)",
                    visitor->number, (unsigned long long)visitor->received,
                    (unsigned long long)session->down_total,
                    (unsigned long long)(target == NULL ? 0 : target->received),
                    (unsigned long long)session->up_total, visitor->is_closed ? "closed" : "open",
                    visitor->err,
                    target == NULL      ? "missing"
                    : target->is_closed ? "closed"
                                        : "open",
                    target == NULL ? 0 : target->err);
    }
}

void check_complete(struct scene *scene, uint32_t first)
{
    for (uint32_t i = first; i < scene->session_count; i++) {
        if (scene->sessions[i].is_started && !scene->sessions[i].is_excused) {
            check_one_complete(scene, &scene->sessions[i]);
        }
    }
}

/* ---- 2: one session, one target connection, the right PROXY line ------------------------ */

static void check_proxy_line(struct scene *scene, const struct side *target,
                             const struct np_addr *visitor)
{
    char want[128];
    char from[NP_ADDR_TEXT_CAP];
    np_addr_format_ip(visitor, from, sizeof from);
    snprintf(want, sizeof want, "PROXY TCP4 %s 10.0.2.1 %u %u\r\n", from, visitor->port,
             PORT_TARGET);
    if (strcmp(want, target->proxy) != 0) {
        np_sim_fail(scene->sim, "invariant 2: PROXY line of visitor %s:%u is wrong: %s", from,
                    visitor->port, target->proxy);
    }
}

void check_pairing(struct scene *scene, const struct side *target)
{
    const struct session *session = &scene->sessions[target->session];
    if (session->target != NONE) {
        np_sim_fail(scene->sim, "invariant 2: session %u reaches a second target connection",
                    session->visitor.number);
    }
    if (scene->plan.proxy) {
        check_proxy_line(scene, target, &session->visitor_addr);
    }
}

/* ---- 3: nothing is held for sessions that are over -------------------------------------- */

static bool app_has_released(const struct app *app)
{
    struct np_app_stats stats;
    return !app_stats(app, &stats) || (stats.tcp_sessions == 0 && stats.udp_sessions == 0);
}

bool has_released(const struct scene *scene)
{
    return app_has_released(&scene->server) && app_has_released(&scene->client);
}

/* ---- 4: a stopped program holds nothing ------------------------------------------------- */

void check_stopped(struct scene *scene, struct app *app)
{
    if (app->app == NULL) {
        return;
    }
    uint32_t objects = np_app_objects_used(app->app);
    uint32_t handles = np_sim_host_handles(app->plat);
    if (!np_app_is_stopped(app->app)) {
        np_sim_fail(scene->sim, "invariant 4: %s does not stop",
                    np_sim_host_config(app->plat)->name);
    }
    if (objects != 0 || handles != 0) {
        np_sim_fail(scene->sim, "invariant 4: %s stopped with %u objects and %u handles in use",
                    np_sim_host_config(app->plat)->name, objects, handles);
    }
    check_memory(scene, app);
}

/* ---- 5: memory -------------------------------------------------------------------------- */

void check_memory(struct scene *scene, const struct app *app)
{
    if (!app_has_guard(app)) {
        np_sim_fail(scene->sim, "invariant 5: memory behind the arena was written");
    }
}

/* What the sender got rid of and the reader has not seen lies in socket buffers and splice pipes of
 * at most four hosts, whatever the programs would like to keep. */
void check_backlog(const struct side *sender)
{
    struct scene *scene = sender->scene;
    struct np_plat *hosts[] = {scene->visitors, scene->server.plat, scene->client.plat,
                               scene->targets};
    const struct side *far = far_side(sender);
    uint64_t seen = far == NULL ? 0 : far->received;
    uint64_t bound = HOLDS + 2 * SCRATCH;
    if (scene->plan.tls != 0) {
        bound += 4 * RECORD; /* one received and one to send at either program */
    }
    for (uint32_t i = 0; i < 4; i++) {
        const struct np_sim_host *host = np_sim_host_config(hosts[i]);
        bound += 2 * (uint64_t)(host->send_buf + host->recv_buf);
    }
    if (sender->sent > seen + bound) {
        np_sim_fail(scene->sim, "invariant 5: %llu bytes of session %u are under way",
                    (unsigned long long)(sender->sent - seen), sender->number);
    }
}

/* ---- 6: counters ------------------------------------------------------------------------ */

struct sums {
    uint64_t tcp_in, tcp_out; /* as the program at that side counts: from and to the local socket */
};

static void sum_visitors(const struct scene *scene, struct sums *sums)
{
    for (uint32_t i = 0; i < scene->session_count; i++) {
        sums->tcp_in += scene->sessions[i].visitor.sent;
        sums->tcp_out += scene->sessions[i].visitor.received;
    }
}

static void sum_targets(const struct scene *scene, struct sums *sums)
{
    for (uint32_t i = 0; i < scene->target_count; i++) {
        sums->tcp_in += scene->target_sides[i].sent;
        sums->tcp_out += scene->target_sides[i].received;
    }
}

static void check_tcp_counters(struct scene *scene, const struct app *app, const struct sums *sums,
                               bool is_exact, const char *where)
{
    struct np_app_stats stats;
    if (!app_stats(app, &stats) || app->generation != 1) {
        return;
    }
    bool is_over = stats.tcp_rx > sums->tcp_in || stats.tcp_tx < sums->tcp_out;
    bool is_equal = stats.tcp_rx == sums->tcp_in && stats.tcp_tx == sums->tcp_out;
    if (is_over || (is_exact && !is_equal)) {
        np_sim_fail(scene->sim, "invariant 6: %s sent %llu and got %llu, counted are %llu and %llu",
                    where, (unsigned long long)sums->tcp_in, (unsigned long long)sums->tcp_out,
                    (unsigned long long)stats.tcp_rx, (unsigned long long)stats.tcp_tx);
    }
}

static void check_udp_counters(struct scene *scene, const struct app *app)
{
    struct np_app_stats stats;
    uint64_t sent = 0;
    uint32_t lossy = FAULT_UDP_NET | FAULT_PARTIAL; /* of what reaches the door */
    if (!app_stats(app, &stats) || app->generation != 1 || !plan_is_mild(scene) ||
        (scene->plan.faults & lossy) != 0 || has_go(scene) || scene->is_key_bad) {
        return;
    }
    for (uint32_t i = 0; i < scene->udp_count; i++) {
        for (uint32_t k = 0; k < scene->udp[i].sent; k++) {
            sent += scene->udp[i].lens[k]; /* also where it is too long to be passed on */
        }
    }
    if (stats.udp_rx != sent) {
        np_sim_fail(scene->sim, "invariant 6: UDP visitors sent %llu bytes, counted are %llu",
                    (unsigned long long)sent, (unsigned long long)stats.udp_rx);
    }
}

void check_counters(struct scene *scene)
{
    struct sums visitors = {0}, targets = {0};
    bool is_exact = plan_is_mild(scene) && !has_go(scene) && !scene->was_killed &&
                    !scene->is_key_bad && !scene->was_late;
    for (uint32_t i = 0; i < scene->session_count; i++) {
        is_exact = is_exact && !scene->sessions[i].is_excused;
    }
    sum_visitors(scene, &visitors);
    sum_targets(scene, &targets);
    check_tcp_counters(scene, visitor_app(scene), &visitors, is_exact, "visitors");
    check_udp_counters(scene, visitor_app(scene));
    if (scene->plan.topology != TOPO_SINGLE && !scene->plan.proxy) {
        check_tcp_counters(scene, target_app(scene), &targets, is_exact, "targets");
    }
}

/* ---- 7: rate ---------------------------------------------------------------------------- */

/* A bucket that leaks at the rate and holds its burst: what the limiter let through at one side. */
static void check_rate(struct app *app, const struct np_app_stats *stats)
{
    uint64_t per_s = app->settings.rate_mbps * UINT64_C(125000);
    uint64_t now_us = np_sim_now_us(app->scene->sim);
    for (uint32_t d = 0; per_s != 0 && d < 2; d++) {
        uint64_t bytes = d == 0 ? stats->tcp_rx : stats->tcp_tx;
        /* The clock of the program shows whole milliseconds. */
        uint64_t leak = ((now_us - app->rate_at_us[d]) * per_s + 999999) / SECOND;
        app->rate_level[d] -= leak < app->rate_level[d] ? leak : app->rate_level[d];
        app->rate_level[d] += bytes - app->rate_bytes[d];
        app->rate_bytes[d] = bytes;
        app->rate_at_us[d] = now_us;
        if (app->rate_level[d] > per_s + per_s / 100) {
            np_sim_fail(app->scene->sim, "invariant 7: %llu bytes beyond rate=%u",
                        (unsigned long long)(app->rate_level[d] - per_s), app->settings.rate_mbps);
        }
    }
}

/* ---- 8: no storms ----------------------------------------------------------------------- */

static void check_dials(struct app *app, const struct np_app_stats *stats)
{
    struct scene *scene = app->scene;
    uint64_t second = np_sim_now_us(scene->sim) / SECOND;
    if (second != app->dial_second) {
        app->dial_second = second;
        app->dials_before = stats->dials;
    }
    /* A session asks for a connection in its place; failures are spaced by the back-off. */
    uint32_t limit = 20 + 2 * scene->plan.max + 2 * (scene->session_count + scene->udp_count);
    if (has_go(scene)) {
        limit += 64; /* a Go server that shuts a whole pool at once */
    }
    if (stats->dials - app->dials_before > limit) {
        np_sim_fail(scene->sim, "invariant 8: %u dials within a second",
                    stats->dials - app->dials_before);
    }
}

void check_turn(struct app *app)
{
    struct np_app_stats stats;
    if (!app_stats(app, &stats)) {
        return;
    }
    check_rate(app, &stats);
    check_dials(app, &stats);
}

static bool has_text(const char *line, uint32_t len, const uint8_t *text, uint32_t text_len)
{
    for (uint32_t i = 0; i + text_len <= len; i++) {
        if (memcmp(line + i, text, text_len) == 0) {
            return true;
        }
    }
    return false;
}

static bool says(const char *line, uint32_t len, const char *text)
{
    return has_text(line, len, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void check_line_form(struct app *app, const char *line, uint32_t len)
{
    struct scene *scene = app->scene;
    const struct plan *plan = &scene->plan;
    for (uint32_t i = 0; i + 1 < len; i++) {
        if ((uint8_t)line[i] < 0x20) {
            np_sim_fail(scene->sim, "a log line with a control byte");
        }
    }
    if (len == 0 || line[len - 1] != '\n') {
        np_sim_fail(scene->sim, "a log line without an end");
    }
    if (!plan->is_default_key && plan->key_len >= 6 &&
        has_text(line, len, plan->key, plan->key_len)) {
        np_sim_fail(scene->sim, "the key stands in the log");
    }
}

void check_log_line(struct app *app, uint32_t level, const char *line, uint32_t len)
{
    struct scene *scene = app->scene;
    uint64_t second = np_sim_now_us(scene->sim) / SECOND;
    check_line_form(app, line, len);
    if (level == NP_LOG_ERROR && says(line, len, "choose another")) {
        scene->is_key_bad = true;
    }
    if ((scene->plan.faults & FAULT_LOSS) != 0 && says(line, len, "never came")) {
        scene->was_late = true;
    }
    if (level == NP_LOG_DEBUG) {
        return;
    }
    if (second != app->log_second) {
        app->log_second = second;
        app->log_lines = 0;
    }
    if (++app->log_lines > LOG_LINES_A_SECOND) {
        np_sim_fail(scene->sim, "invariant 8: more than %u log lines within a second",
                    LOG_LINES_A_SECOND);
    }
}

/* ---- 10: datagrams (contents and sources: datagrams.c) ----------------------------------- */

/* Without a fault none is lost. */
void check_datagrams(struct scene *scene)
{
    if (scene->plan.faults != 0 || has_go(scene) || scene->plan.rate_mbps != 0 ||
        scene->is_key_bad) {
        return;
    }
    for (uint32_t i = 0; i < scene->udp_count; i++) {
        const struct udp_visitor *visitor = &scene->udp[i];
        if (visitor->replies + visitor->empties_sent != visitor->sent) {
            np_sim_fail(scene->sim, "invariant 10: visitor %u sent %u datagrams (%u empty), got %u",
                        i, visitor->sent, visitor->empties_sent, visitor->replies);
        }
    }
}
