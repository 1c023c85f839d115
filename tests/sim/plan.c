/* SPDX-License-Identifier: BSD-3-Clause */
/* plan: what a seed chooses: topology, settings, timing, traffic, faults. */
#include <stdio.h>
#include <string.h>

#include "core/wire/dialect.h"
#include "tests/sim/scene.h"

/* ---- random choices of the scene (splitmix64) ----------------------------------------- */

uint64_t pick64(struct scene *scene)
{
    uint64_t z = (scene->rng[0] += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t pick(struct scene *scene, uint32_t range)
{
    return range == 0 ? 0 : (uint32_t)(((pick64(scene) >> 32) * range) >> 32);
}

uint32_t pick_between(struct scene *scene, uint32_t low, uint32_t high)
{
    return low + pick(scene, high - low + 1);
}

bool pick_chance(struct scene *scene, uint32_t percent)
{
    return pick(scene, 100) < percent;
}

/* ---- faults --------------------------------------------------------------------------- */

static const char *const fault_names[] = {
    "loss",        "jitter",      "chop",         "slow",         "small-buf",   "partial",
    "wake",        "intruder",    "partition",    "one-way",      "reset",       "blackhole",
    "kill-server", "kill-client", "crash-server", "crash-client", "target-down", "target-silent",
    "handles",     "no-memory",   "dns",          "udp-net",      "busy",        "readdress",
    "rude",        "stall",       "slots",        "stop-busy",    "garbage"};
#define FAULTS (sizeof fault_names / sizeof fault_names[0])

static uint32_t pick_faults(struct scene *scene)
{
    uint32_t faults = 0;
    if (pick_chance(scene, 15)) {
        return 0;
    }
    bool is_mild = pick_chance(scene, 35);
    uint32_t count = pick_between(scene, 1, 4);
    while (count > 0) {
        uint32_t fault = 1u << pick(scene, FAULTS);
        if (is_mild && (fault & MILD) == 0) {
            continue;
        }
        faults |= fault;
        count--;
    }
    return faults;
}

bool plan_is_mild(const struct scene *scene)
{
    return (scene->plan.faults & ~(uint32_t)MILD) == 0;
}

/* ---- plan ----------------------------------------------------------------------------- */

static void pick_tuning(struct scene *scene, struct np_tuning *tuning)
{
    bool is_lossy = (scene->plan.faults & FAULT_LOSS) != 0;
    np_tuning_init(tuning);
    tuning->report_interval_ms = pick_between(scene, 700, 2000);
    tuning->handshake_timeout_ms = pick_between(scene, 1500, 3000);
    tuning->tcp_dial_timeout_ms = pick_between(scene, 1500, 3000);
    tuning->udp_dial_timeout_ms = pick_between(scene, 1500, 3000);
    tuning->pool_get_timeout_ms = pick_between(scene, 2500, 5000);
    tuning->min_pool_interval_ms = pick_between(scene, 20, 100);
    tuning->max_pool_interval_ms = pick_between(scene, 100, 1000);
    tuning->service_cooldown_ms = pick_between(scene, 100, 500);
    tuning->shutdown_timeout_ms = pick_between(scene, 300, 2000);
    tuning->udp_read_timeout_ms = pick_between(scene, 2000, 4000);
    tuning->udp_data_buf_size = pick_chance(scene, 70) ? 2048 : pick_between(scene, 64, 2048);
    if (is_lossy) {
        tuning->report_interval_ms = 5000;
        tuning->handshake_timeout_ms = 10000;
        tuning->tcp_dial_timeout_ms = 15000;
        tuning->pool_get_timeout_ms = 20000;
    }
}

static void pick_key(struct scene *scene, struct plan *plan)
{
    plan->is_default_key = pick_chance(scene, 40);
    if (plan->is_default_key) {
        char key[9];
        np_default_key(key, PORT_TUNNEL);
        memcpy(plan->key, key, 8);
        plan->key_len = 8;
        return;
    }
    plan->key_len =
        pick_chance(scene, 80) ? pick_between(scene, 2, 24) : pick_between(scene, 1, 64);
    for (uint32_t i = 0; i < plan->key_len; i++) {
        plan->key[i] = (uint8_t)pick_between(scene, 0x21, 0x7e);
    }
}

static void pick_topology(struct scene *scene, struct plan *plan)
{
    uint32_t die = pick(scene, 100);
    plan->topology = die < 15 ? TOPO_SINGLE : die < 60 ? TOPO_REVERSE : TOPO_FORWARD;
    if (plan->topology != TOPO_SINGLE) {
        uint32_t go = pick(scene, 100);
        plan->go_server = go < 15;
        plan->go_client = go >= 15 && go < 30;
    }
    plan->is_auto = pick_chance(scene, 30);
}

static void pick_traffic(struct scene *scene, struct plan *plan)
{
    plan->tcp_sessions =
        pick_chance(scene, 85) ? pick_between(scene, 1, 8) : pick_between(scene, 9, 40);
    plan->udp_visitors = pick_chance(scene, 50) ? pick_between(scene, 1, 5) : 0;
    plan->proxy = pick_chance(scene, 15);
    plan->has_names = pick_chance(scene, 25) || (plan->faults & FAULT_DNS) != 0;
    plan->rate_mbps = pick_chance(scene, 6) ? 1 : 0;
    plan->min = pick_between(scene, 1, 6);
    plan->max = plan->tcp_sessions + plan->udp_visitors + pick_between(scene, 4, 16);
    plan->slot = plan->tcp_sessions + plan->udp_visitors + pick_between(scene, 8, 16);
    if ((plan->faults & FAULT_SLOTS) != 0) {
        plan->slot = pick_between(scene, 3, 8);
    }
    if (pick_chance(scene, 6)) {
        plan->noudp = true;
        plan->udp_visitors = 0;
    } else if (pick_chance(scene, 6)) {
        plan->notcp = true;
        plan->tcp_sessions = 0;
        plan->udp_visitors = 3;
    }
    if (plan->go_client || plan->go_server) {
        plan->proxy = false;
        plan->notcp = plan->noudp = false;
    }
}

void plan_make(struct scene *scene)
{
    struct plan *plan = &scene->plan;
    memset(plan, 0, sizeof *plan);
    pick_topology(scene, plan);
    plan->faults = pick_faults(scene);
    plan->phase1_us = pick_between(scene, 2000, 6000) * UINT64_C(1000);
    plan->latency_us =
        pick_chance(scene, 70) ? pick_between(scene, 50, 5000) : pick_between(scene, 5000, 60000);
    pick_tuning(scene, &plan->tuning);
    pick_key(scene, plan);
    pick_traffic(scene, plan);
    bool is_ours = plan->topology != TOPO_SINGLE && !plan->go_server && !plan->go_client;
    if (is_ours && pick_chance(scene, 5)) { /* few: handshakes cost real time */
        plan->tls = 1;
        plan->tcp_sessions = plan->tcp_sessions < 10 ? plan->tcp_sessions : 10;
        plan->max = plan->max < 16 ? plan->max : 16;
    }
    plan->has_source = pick_chance(scene, 10);
}

void plan_print(const struct scene *scene, FILE *out)
{
    static const char *const topologies[] = {"single-end", "reverse", "forward"};
    const struct plan *plan = &scene->plan;
    fprintf(out, "seed %llu: %s server=%s client=%s tcp=%u udp=%u latency=%uus rate=%u slot=%u",
            (unsigned long long)scene->seed, topologies[plan->topology],
            plan->go_server ? "go" : "ours", plan->go_client ? "go" : "ours", plan->tcp_sessions,
            plan->udp_visitors, plan->latency_us, plan->rate_mbps, plan->slot);
    fprintf(out, " min=%u max=%u tls=%u%s%s%s%s faults:", plan->min, plan->max, plan->tls,
            plan->proxy ? " proxy" : "", plan->has_names ? " names" : "",
            plan->notcp ? " notcp" : "", plan->noudp ? " noudp" : "");
    for (uint32_t i = 0; i < FAULTS; i++) {
        if ((plan->faults & 1u << i) != 0) {
            fprintf(out, " %s", fault_names[i]);
        }
    }
    fprintf(out, "\n");
}

/* ---- settings ------------------------------------------------------------------------- */

static void set_endpoint(struct np_endpoint *endpoint, const char *host, uint16_t port)
{
    memset(endpoint, 0, sizeof *endpoint);
    snprintf(endpoint->host, sizeof endpoint->host, "%s", host);
    endpoint->port = port;
    if (host[0] != '\0') {
        np_addr_parse_ip(&endpoint->ip, host, (uint32_t)strlen(host), port);
    }
}

static void set_addresses(struct scene *scene, struct np_settings *settings)
{
    const struct plan *plan = &scene->plan;
    bool is_server = settings->role == NP_ROLE_SERVER;
    const char *target = plan->has_names ? "target.sim" : "10.0.2.1";
    if (plan->topology == TOPO_SINGLE) {
        set_endpoint(&settings->tunnel, pick_chance(scene, 50) ? "" : "10.0.0.2", PORT_TUNNEL);
    } else if (is_server) {
        static const char *const own[] = {"", "10.0.0.1", "server.sim"};
        set_endpoint(&settings->tunnel, own[pick(scene, plan->has_names ? 3 : 2)], PORT_TUNNEL);
    } else {
        set_endpoint(&settings->tunnel, plan->has_names ? "server.sim" : "10.0.0.1", PORT_TUNNEL);
    }
    bool has_visitors =
        (plan->topology == TOPO_REVERSE) == is_server && plan->topology != TOPO_SINGLE;
    if (has_visitors) {
        set_endpoint(&settings->target, is_server ? "10.0.0.1" : "10.0.0.2", PORT_VISITORS);
    } else {
        set_endpoint(&settings->target, target, PORT_TARGET);
    }
}

static uint8_t pick_mode(struct scene *scene, enum np_role role)
{
    const struct plan *plan = &scene->plan;
    if (plan->is_auto && (plan->faults & FAULT_BUSY) == 0 && !plan->has_names) {
        return 0;
    }
    if (role == NP_ROLE_SERVER) {
        return plan->topology == TOPO_REVERSE ? 1 : 2;
    }
    return plan->topology == TOPO_SINGLE ? 1 : 2;
}

void settings_make(struct scene *scene, struct np_settings *settings, enum np_role role)
{
    const struct plan *plan = &scene->plan;
    np_settings_init(settings);
    settings->role = (uint8_t)role;
    settings->mode = pick_mode(scene, role);
    settings->log_level = pick_chance(scene, 80) && !scene->is_verbose ? 2 : 1; /* INFO, DEBUG */
    settings->proxy = plan->proxy;
    settings->notcp = plan->notcp;
    settings->noudp = plan->noudp;
    settings->key_given = !plan->is_default_key;
    memcpy(settings->key, plan->key, plan->key_len);
    settings->key_len = (uint16_t)plan->key_len;
    settings->min = plan->min;
    settings->max = plan->max;
    settings->rate_mbps = plan->rate_mbps;
    settings->slot = plan->slot;
    settings->read_ms = pick_between(scene, 20, 40) * 1000;
    settings->dns_ms = pick_between(scene, 200, 5000);
    set_addresses(scene, settings);
    if (plan->has_source && (plan->faults & FAULT_READDRESS) == 0) {
        bool is_server = role == NP_ROLE_SERVER;
        settings->dial_given = true;
        settings->dial = np_sim_ip4(10, 0, 0, is_server ? 1 : 2, 0);
    }
    if (plan->tls != 0) {
        settings->tls = role == NP_ROLE_SERVER || pick_chance(scene, 50) ? 1 : 0;
    }
}
