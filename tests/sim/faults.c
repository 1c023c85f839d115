/* SPDX-License-Identifier: BSD-3-Clause */
/* faults: the network of the scene and what goes wrong in phase 1. */
#include <string.h>

#include "tests/sim/scene.h"

static bool has(const struct scene *scene, enum fault fault)
{
    return (scene->plan.faults & (uint32_t)fault) != 0;
}

/* ---- links and hosts ------------------------------------------------------------------ */

static void make_link(struct scene *scene, struct np_sim_link *link, bool is_local)
{
    link->latency_us = is_local ? 20 : scene->plan.latency_us;
    link->segment_max = 16384;
    if (has(scene, FAULT_JITTER)) {
        link->jitter_us = pick_between(scene, 1, 3 * scene->plan.latency_us);
    }
    if (has(scene, FAULT_CHOP)) {
        link->segment_max = pick_between(scene, 1, 120);
    }
    if (has(scene, FAULT_SLOW)) {
        link->bytes_per_ms = pick_between(scene, 20, 400);
    }
    if (has(scene, FAULT_LOSS)) {
        link->loss = pick_between(scene, 100, 3000);
    }
    if (has(scene, FAULT_UDP_NET)) {
        link->udp_loss = pick(scene, 10000);
        link->udp_dup = pick(scene, 10000);
        link->udp_late = pick(scene, 10000);
    }
}

static void make_host(struct scene *scene, struct np_plat *plat)
{
    struct np_sim_host *host = np_sim_host_config(plat);
    if (has(scene, FAULT_SMALL_BUF)) {
        host->send_buf = pick_between(scene, 64, 2000);
        host->recv_buf = pick_between(scene, 64, 2000);
    }
    if (!has(scene, FAULT_SMALL_BUF) && pick_chance(scene, 40)) {
        host->send_buf = host->recv_buf = 65536;
    }
    if (has(scene, FAULT_PARTIAL)) {
        host->partial = pick_between(scene, 1000, 40000);
        host->peek_max = pick_between(scene, 16, 4096);
    }
    if (has(scene, FAULT_WAKE)) {
        host->wake_delay_us = pick_between(scene, 100, 8000);
    }
    host->splice_pipes = pick_chance(scene, 60) ? pick_between(scene, 1, 32) : 0;
    host->clock_offset_ms = pick_chance(scene, 50) ? 1000 : UINT32_MAX - pick(scene, 8000);
    host->has_wall_clock = pick_chance(scene, 90);
}

void links_make(struct scene *scene)
{
    struct np_plat *hosts[] = {scene->server.plat, scene->client.plat, scene->visitors,
                               scene->targets, scene->intruder};
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t k = 0; k < 5; k++) {
            make_link(scene, np_sim_link(hosts[i], hosts[k]), i == k);
        }
        /* The runtime of a Go peer writes until all is given. */
        if (!(i == 0 && scene->plan.go_server) && !(i == 1 && scene->plan.go_client)) {
            make_host(scene, hosts[i]);
        }
    }
}

/* ---- timed faults --------------------------------------------------------------------- */

enum act {
    ACT_PARTITION,
    ACT_JOIN,
    ACT_ONE_WAY,
    ACT_RESET,
    ACT_BLACKHOLE,
    ACT_KILL_SERVER,
    ACT_KILL_CLIENT,
    ACT_CRASH_SERVER,
    ACT_CRASH_CLIENT,
    ACT_START_SERVER,
    ACT_START_CLIENT,
    ACT_TARGET_DOWN,
    ACT_TARGET_UP,
    ACT_TARGET_SILENT,
    ACT_TARGET_HEARD,
    ACT_HANDLES,
    ACT_NO_MEMORY,
    ACT_DNS_BAD,
    ACT_DNS_GOOD,
    ACT_READDRESS
};

static struct np_plat *targets_neighbour(struct scene *scene)
{
    return scene->plan.topology == TOPO_FORWARD ? scene->server.plat : scene->client.plat;
}

static void restart(struct app *app)
{
    if (app->is_ours && app->app == NULL && !app->scene->is_over) {
        np_sim_host_start(app->plat);
        app_start(app);
    }
}

static void set_target(struct scene *scene, bool is_up)
{
    struct np_addr any = {.port = PORT_TARGET};
    if (!is_up) {
        np_plat_close(scene->targets, scene->target_listener);
        scene->target_listener = 0;
    } else if (scene->target_listener == 0 &&
               np_plat_tcp_listen(scene->targets, &any, 0, &scene->target_listener) == NP_OK) {
        np_plat_interest(scene->targets, scene->target_listener, NP_EV_READ);
    }
}

static void break_names(struct scene *scene)
{
    struct np_sim_name *server = np_sim_name(scene->sim, "server.sim");
    struct np_sim_name *target = np_sim_name(scene->sim, "target.sim");
    struct np_addr dead = np_sim_ip4(10, 0, 9, 9, 0);
    static const enum np_err errors[] = {NP_ERR_NOT_FOUND, NP_ERR_TIMED_OUT, NP_ERR_IO};
    server->error = errors[pick(scene, 3)];
    target->delay_us = pick_between(scene, 0, 3000000);
    if (pick_chance(scene, 50)) { /* a dead address in front of the live one */
        target->addrs[1] = target->addrs[0];
        target->addrs[0] = dead;
        target->count = 2;
    }
}

static void mend_names(struct scene *scene)
{
    struct np_sim_name *server = np_sim_name(scene->sim, "server.sim");
    struct np_sim_name *target = np_sim_name(scene->sim, "target.sim");
    server->error = target->error = NP_OK;
    server->delay_us = target->delay_us = pick_between(scene, 0, 20000);
    server->addrs[0] = np_sim_ip4(10, 0, 0, 1, 0);
    target->addrs[0] = np_sim_ip4(10, 0, 2, 1, 0);
    server->count = target->count = 1;
}

static void limit_handles(struct scene *scene, bool is_on)
{
    struct np_plat *hosts[] = {scene->server.plat, scene->client.plat};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t held = np_sim_host_handles(hosts[i]);
        np_sim_host_trouble(hosts[i])->handle_max = is_on ? held + pick(scene, 6) : 0;
    }
}

static void limit_memory(struct scene *scene, uint32_t p)
{
    np_sim_host_trouble(scene->server.plat)->no_memory = p;
    np_sim_host_trouble(scene->client.plat)->no_memory = p;
}

static void act_on_hosts(struct scene *scene, enum act act)
{
    switch (act) {
    case ACT_KILL_SERVER:
    case ACT_CRASH_SERVER:
        if (scene->server.is_ours) {
            app_kill(&scene->server, act == ACT_CRASH_SERVER);
        }
        return;
    case ACT_KILL_CLIENT:
    case ACT_CRASH_CLIENT:
        if (scene->client.is_ours) {
            app_kill(&scene->client, act == ACT_CRASH_CLIENT);
        }
        return;
    case ACT_START_SERVER:
        restart(&scene->server);
        return;
    case ACT_START_CLIENT:
        restart(&scene->client);
        return;
    case ACT_HANDLES:
        limit_handles(scene, true);
        return;
    case ACT_NO_MEMORY:
        limit_memory(scene, 20000);
        return;
    default:
        return;
    }
}

static void act_on_net(void *context, uint32_t arg)
{
    struct scene *scene = context;
    struct np_plat *server = scene->server.plat;
    struct np_plat *client = scene->client.plat;
    if (scene->is_healed) {
        return;
    }
    switch ((enum act)arg) {
    case ACT_PARTITION:
    case ACT_JOIN:
        np_sim_partition(server, client, arg == ACT_PARTITION);
        return;
    case ACT_ONE_WAY:
        (pick_chance(scene, 50) ? np_sim_link(server, client) : np_sim_link(client, server))
            ->is_down = true;
        return;
    case ACT_RESET:
        np_sim_reset_conns(server, client, pick(scene, NP_SIM_ALWAYS));
        return;
    case ACT_BLACKHOLE:
        np_sim_blackhole_conns(server, client, pick(scene, NP_SIM_ALWAYS));
        return;
    case ACT_TARGET_DOWN:
    case ACT_TARGET_UP:
        set_target(scene, arg == ACT_TARGET_UP);
        return;
    case ACT_TARGET_SILENT:
    case ACT_TARGET_HEARD:
        np_sim_partition(targets_neighbour(scene), scene->targets, arg == ACT_TARGET_SILENT);
        return;
    case ACT_DNS_BAD:
        break_names(scene);
        return;
    case ACT_DNS_GOOD:
        mend_names(scene);
        return;
    case ACT_READDRESS: {
        struct np_addr from = np_sim_ip4(10, 0, 0, 2, 0);
        struct np_addr to = np_sim_ip4(10, 0, 0, 77, 0);
        np_sim_host_readdress(client, &from, &to);
        np_sim_host_addr(client, &from);
        return;
    }
    default:
        act_on_hosts(scene, (enum act)arg);
        return;
    }
}

static void plan_act(struct scene *scene, enum act bad, enum act good, uint32_t longest_ms)
{
    uint64_t now_us = np_sim_now_us(scene->sim);
    uint64_t at_us = now_us + pick(scene, (uint32_t)scene->plan.phase1_us);
    np_sim_at(scene->sim, at_us, act_on_net, scene, (uint32_t)bad);
    if (good != bad) {
        at_us += pick_between(scene, 50, longest_ms) * UINT64_C(1000);
        np_sim_at(scene->sim, at_us, act_on_net, scene, (uint32_t)good);
    }
}

void faults_schedule(struct scene *scene)
{
    static const struct {
        enum fault fault;
        enum act bad, good;
        uint32_t longest_ms, times;
    } table[] = {
        {FAULT_PARTITION, ACT_PARTITION, ACT_JOIN, 8000, 1},
        {FAULT_ONE_WAY, ACT_ONE_WAY, ACT_JOIN, 8000, 1},
        {FAULT_RESET, ACT_RESET, ACT_RESET, 0, 3},
        {FAULT_BLACKHOLE, ACT_BLACKHOLE, ACT_BLACKHOLE, 0, 2},
        {FAULT_KILL_SERVER, ACT_KILL_SERVER, ACT_START_SERVER, 3000, 2},
        {FAULT_KILL_CLIENT, ACT_KILL_CLIENT, ACT_START_CLIENT, 3000, 2},
        {FAULT_CRASH_SERVER, ACT_CRASH_SERVER, ACT_START_SERVER, 3000, 1},
        {FAULT_CRASH_CLIENT, ACT_CRASH_CLIENT, ACT_START_CLIENT, 3000, 1},
        {FAULT_TARGET_DOWN, ACT_TARGET_DOWN, ACT_TARGET_UP, 3000, 2},
        {FAULT_TARGET_SILENT, ACT_TARGET_SILENT, ACT_TARGET_HEARD, 5000, 1},
        {FAULT_HANDLES, ACT_HANDLES, ACT_HANDLES, 0, 1},
        {FAULT_NO_MEMORY, ACT_NO_MEMORY, ACT_NO_MEMORY, 0, 1},
        {FAULT_DNS, ACT_DNS_BAD, ACT_DNS_GOOD, 5000, 2},
        {FAULT_READDRESS, ACT_READDRESS, ACT_READDRESS, 0, 1},
    };
    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (uint32_t k = 0; has(scene, table[i].fault) && k < table[i].times; k++) {
            plan_act(scene, table[i].bad, table[i].good, table[i].longest_ms);
        }
    }
    mend_names(scene);
    if (has(scene, FAULT_BUSY)) {
        struct np_plat *hosts[] = {scene->server.plat, scene->client.plat};
        for (uint32_t i = 0; i < 2; i++) {
            struct np_sim_trouble *trouble = np_sim_host_trouble(hosts[i]);
            trouble->busy_tcp[0] = pick_chance(scene, 50) ? PORT_TUNNEL : 0;
            trouble->busy_tcp[1] = pick_chance(scene, 50) ? PORT_VISITORS : 0;
            trouble->busy_udp[0] = pick_chance(scene, 50) ? PORT_VISITORS : 0;
            trouble->busy_udp[1] = pick_chance(scene, 50) ? PORT_TUNNEL : 0;
        }
    }
}

/* Everything works again from here on. */
void faults_heal(struct scene *scene)
{
    struct np_plat *hosts[] = {scene->server.plat, scene->client.plat};
    scene->is_healed = true;
    scene->healed_us = np_sim_now_us(scene->sim);
    np_sim_trace(scene->sim, NULL, "healed");
    np_sim_partition(hosts[0], hosts[1], false);
    np_sim_partition(targets_neighbour(scene), scene->targets, false);
    set_target(scene, true);
    limit_handles(scene, false);
    limit_memory(scene, 0);
    mend_names(scene);
    for (uint32_t i = 0; i < 2; i++) {
        struct np_sim_trouble *trouble = np_sim_host_trouble(hosts[i]);
        memset(trouble->busy_tcp, 0, sizeof trouble->busy_tcp);
        memset(trouble->busy_udp, 0, sizeof trouble->busy_udp);
        for (uint32_t k = 0; k < 5; k++) {
            struct np_plat *others[] = {scene->server.plat, scene->client.plat, scene->visitors,
                                        scene->targets, scene->intruder};
            np_sim_link(hosts[i], others[k])->loss = 0;
            np_sim_link(others[k], hosts[i])->loss = 0;
            np_sim_link(hosts[i], others[k])->udp_loss = 0;
            np_sim_link(others[k], hosts[i])->udp_loss = 0;
        }
    }
    restart(&scene->server);
    restart(&scene->client);
}

/* ---- strangers at the tunnel port ----------------------------------------------------- */

static void intrude(struct scene *scene, uint32_t handle)
{
    uint8_t bytes[300];
    uint32_t len = pick_between(scene, 1, sizeof bytes);
    switch (pick(scene, 4)) {
    case 0: /* an endless line of zeros */
        memset(bytes, 0, len);
        break;
    case 1: /* noise */
        for (uint32_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)pick(scene, 256);
        }
        break;
    case 2: /* a key of the wrong length */
        len = scene->plan.key_len + 2;
        memset(bytes, 0, len);
        bytes[len - 1] = '\n';
        break;
    default: /* half of a hello, then silence */
        len = scene->plan.key_len / 2 + 1;
        memset(bytes, 0, len);
        break;
    }
    np_plat_tcp_send(scene->intruder, handle, bytes, len);
}

/* Every other stranger shares the client's address (behind one NAT). It keeps silent, so that the
 * server takes its connection for one of the client's pool. */
static bool is_near(uint32_t slot)
{
    return slot % 2 == 1;
}

static void dial_tunnel(struct scene *scene)
{
    struct np_addr door = np_sim_ip4(10, 0, 0, 1, PORT_TUNNEL);
    struct np_addr near = np_sim_ip4(10, 0, 0, 2, 0);
    uint32_t slot = scene->intruder_count;
    if (scene->plan.topology == TOPO_SINGLE || slot == 8 ||
        np_plat_tcp_connect(scene->intruder, is_near(slot) ? &near : NULL, &door, slot,
                            &scene->intruders[slot]) != NP_OK) {
        return;
    }
    np_plat_interest(scene->intruder, scene->intruders[slot], NP_EV_READ | NP_EV_WRITE);
    scene->intruder_count++;
}

static void read_intruder(struct scene *scene, const struct np_event *event)
{
    uint8_t buf[256];
    int32_t len = np_plat_tcp_recv(scene->intruder, event->handle, buf, sizeof buf);
    uint32_t limit = is_near(event->tag) ? NP_DIALECT_ID_LEN : 0;
    scene->intruder_bytes[event->tag] += len > 0 ? (uint32_t)len : 0;
    if (scene->intruder_bytes[event->tag] > limit && !scene->plan.go_server &&
        !(limit > 0 && scene->plan.go_client)) {
        np_sim_fail(scene->sim, "a stranger without the key is told %u bytes",
                    scene->intruder_bytes[event->tag]);
    }
    if (len < 0 && len != NP_ERR_AGAIN) {
        np_plat_tcp_close(scene->intruder, event->handle);
    }
}

void intruder_step(void *context)
{
    struct scene *scene = context;
    struct np_event events[8];
    bool is_on = has(scene, FAULT_INTRUDER) && !scene->is_healed;
    uint32_t wait_ms = is_on ? pick_between(scene, 100, 1500) : UINT32_MAX;
    int32_t count = np_plat_poll(scene->intruder, events, 8, wait_ms);
    if (count == 0 && is_on && np_sim_now_us(scene->sim) > 100000) {
        dial_tunnel(scene);
    }
    for (int32_t i = 0; i < count; i++) {
        if ((events[i].flags & NP_EV_WRITE) != 0 &&
            np_plat_tcp_connect_result(scene->intruder, events[i].handle) == NP_OK) {
            np_plat_interest(scene->intruder, events[i].handle, NP_EV_READ);
            if (!is_near(events[i].tag)) {
                intrude(scene, events[i].handle);
            }
        }
        if ((events[i].flags & (NP_EV_READ | NP_EV_ERROR)) != 0) {
            read_intruder(scene, &events[i]);
        }
    }
}
