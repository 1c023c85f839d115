/* SPDX-License-Identifier: BSD-3-Clause */
/* ends: the hosts of the visitors and of the targets, and the sessions between them. */
#include <string.h>

#include "tests/sim/scene.h"

#define UDP_TAG 1000u
#define TARGET_TAG 2u
#define FIRST_TARGET 100000u
#define BANNER 64u /* every down_total is at least this */

/* ---- planning ------------------------------------------------------------------------- */

static uint64_t pick_size(struct scene *scene)
{
    uint32_t fine = FAULT_CHOP | FAULT_SMALL_BUF | FAULT_PARTIAL | FAULT_SLOW;
    uint32_t die = pick(scene, 100);
    if (die < 50) {
        return pick_between(scene, BANNER, 1000);
    }
    if ((scene->plan.faults & fine) != 0 || die < 80) {
        return pick_between(scene, BANNER, 4000);
    }
    return die < 96 ? pick_between(scene, 5000, 60000) : pick_between(scene, 80000, 300000);
}

static void pick_finish(struct scene *scene, struct session *session)
{
    bool has_go = scene->plan.go_client || scene->plan.go_server;
    struct side *visitor = &session->visitor;
    visitor->finish = FINISH_DONE;
    session->target_finish = FINISH_DONE;
    if (has_go) {
        /* A Go peer passes on no end of stream: who waits for one waits for ever. */
        return;
    }
    switch (pick(scene, 4)) {
    case 0:
        visitor->finish = FINISH_HALF;
        session->target_finish = FINISH_WAIT;
        break;
    case 1:
        visitor->finish = FINISH_WAIT;
        session->target_finish = FINISH_HALF;
        break;
    case 2:
        visitor->finish = FINISH_HALF;
        session->target_finish = FINISH_HALF;
        break;
    default:
        break;
    }
}

static void pick_rudeness(struct scene *scene, struct session *session)
{
    if (scene->is_healed || (scene->plan.faults & FAULT_RUDE) == 0 || pick_chance(scene, 50)) {
        return;
    }
    uint64_t total = session->up_total + session->down_total;
    session->is_excused = true;
    switch (pick(scene, 3)) {
    case 0:
        session->visitor.finish = FINISH_ABORT;
        session->visitor.abort_at = pick(scene, (uint32_t)total);
        return;
    case 1:
        session->target_finish = FINISH_ABORT;
        session->target_abort_at = pick(scene, (uint32_t)total);
        return;
    default:
        session->visitor.finish = FINISH_CLOSE;
        return;
    }
}

static uint32_t pick_chunk(struct scene *scene)
{
    return pick_chance(scene, 50) ? 16384 : pick_between(scene, 1, 2000) + 200;
}

static uint32_t pick_gap(struct scene *scene, uint64_t total, uint32_t chunk)
{
    if (pick_chance(scene, 60) || total / chunk > 100) {
        return 0;
    }
    return pick_between(scene, 100, 100000);
}

/* One end reads nothing for a while, or all that comes a little at a time. */
static void pick_stall(struct scene *scene, struct session *session)
{
    struct side *visitor = &session->visitor;
    uint32_t stall_us = pick_between(scene, 100000, 4000000);
    bool is_visitor = pick_chance(scene, 50);
    if (pick_chance(scene, 60)) {
        visitor->stall_at = pick(scene, (uint32_t)session->down_total);
        visitor->stall_us = is_visitor ? stall_us : 0;
        session->target_stall_us = is_visitor ? 0 : stall_us;
        return;
    }
    uint32_t trickle_us = pick_between(scene, 500, 5000);
    visitor->stall_at = 80000;
    visitor->trickle_us = is_visitor ? trickle_us : 0;
    session->target_trickle_us = is_visitor ? 0 : trickle_us;
    if ((scene->plan.faults & (FAULT_CHOP | FAULT_SMALL_BUF | FAULT_PARTIAL)) == 0) {
        *(is_visitor ? &session->down_total : &session->up_total) = 300000;
        session->target_chunk = visitor->chunk = 16384;
        session->target_gap_us = visitor->gap_us = 0;
    }
}

/* Makes the next session; it starts with session_start. */
struct session *session_plan(struct scene *scene)
{
    uint32_t index = scene->session_count++;
    struct session *session = &scene->sessions[index];
    struct side *visitor = &session->visitor;
    memset(session, 0, sizeof *session);
    session->target = NONE;
    session->up_total = pick_size(scene);
    session->down_total = pick_size(scene);
    visitor->number = index + 1;
    visitor->chunk = pick_chunk(scene);
    visitor->gap_us = pick_gap(scene, session->up_total, visitor->chunk);
    visitor->read_max = pick_chance(scene, 70) ? 16384 : pick_between(scene, 100, 3000);
    session->target_chunk = pick_chunk(scene);
    session->target_gap_us = pick_gap(scene, session->down_total, session->target_chunk);
    session->target_first = pick_chance(scene, 30);
    if (pick_chance(scene, 20)) {
        visitor->send_after_us = pick(scene, 500000);
    }
    pick_finish(scene, session);
    pick_rudeness(scene, session);
    if (!scene->is_healed && (scene->plan.faults & FAULT_STALL) != 0 && pick_chance(scene, 40)) {
        pick_stall(scene, session);
    }
    return session;
}

struct np_addr visitor_door(const struct scene *scene)
{
    switch (scene->plan.topology) {
    case TOPO_SINGLE:
        return np_sim_ip4(10, 0, 0, 2, PORT_TUNNEL);
    case TOPO_REVERSE:
        return np_sim_ip4(10, 0, 0, 1, PORT_VISITORS);
    default:
        return np_sim_ip4(10, 0, 0, 2, PORT_VISITORS);
    }
}

static void start_side(void *context, uint32_t arg)
{
    struct side *side = context;
    (void)arg;
    if (!side->is_closed) {
        side_step(side, 0);
    }
}

void session_start(struct scene *scene, uint32_t index)
{
    struct session *session = &scene->sessions[index];
    struct side *visitor = &session->visitor;
    struct np_addr door = visitor_door(scene);
    struct np_addr source = np_sim_ip4(10, 0, 1, (uint8_t)(1 + index % 4), 0);
    uint32_t handle;
    uint64_t now_us = np_sim_now_us(scene->sim);
    session->is_started = true;
    session->start_us = now_us;
    enum np_err err = np_plat_tcp_connect(scene->visitors, &source, &door, index, &handle);
    if (err != NP_OK) {
        np_sim_fail(scene->sim, "a visitor can't connect: %d", err);
        return;
    }
    side_open(visitor, scene, scene->visitors, handle);
    visitor->is_visitor = true;
    visitor->session = index;
    visitor->to_send = session->up_total;
    np_plat_local(scene->visitors, handle, &session->visitor_addr);
    np_plat_interest(scene->visitors, handle, NP_EV_READ | NP_EV_WRITE);
    if (visitor->send_after_us != 0) {
        visitor->send_after_us += now_us;
        np_sim_at(scene->sim, visitor->send_after_us, start_side, visitor, 0);
    }
}

bool session_is_over(const struct scene *scene, const struct session *session)
{
    return session->is_started && session->visitor.is_closed &&
           (session->target == NONE || scene->target_sides[session->target].is_closed);
}

/* ---- meeting -------------------------------------------------------------------------- */

static void learn_session(struct side *target, uint32_t number)
{
    struct scene *scene = target->scene;
    uint32_t index = number - 1;
    if (number == 0 || index >= scene->session_count || !scene->sessions[index].is_started) {
        np_sim_fail(scene->sim, "invariant 2: target %u hears number %u", target->number, number);
        return;
    }
    struct session *session = &scene->sessions[index];
    target->session = index;
    target->to_send = session->down_total;
    target->finish = session->target_finish;
    target->abort_at = session->target_abort_at;
    target->chunk = session->target_chunk;
    target->gap_us = session->target_gap_us;
    target->stall_us = session->target_stall_us;
    target->trickle_us = session->target_trickle_us;
    target->stall_at = target->trickle_us != 0 ? session->visitor.stall_at : target->received + 1;
    check_pairing(scene, target);
    session->target = target->number - FIRST_TARGET;
}

static void learn_target(struct side *visitor, uint32_t number)
{
    struct scene *scene = visitor->scene;
    uint32_t index = number - FIRST_TARGET;
    const struct side *target = &scene->target_sides[index];
    if (number < FIRST_TARGET || index >= scene->target_count ||
        (target->session != NONE && target->session != visitor->session)) {
        np_sim_fail(scene->sim, "invariant 2: visitor %u hears number %u", visitor->number, number);
        return;
    }
    for (uint32_t i = 0; i < scene->session_count; i++) {
        const struct side *other = &scene->sessions[i].visitor;
        if (other != visitor && other->received >= HEADER &&
            memcmp(other->head, visitor->head, HEADER) == 0) {
            np_sim_fail(scene->sim, "invariant 2: visitors %u and %u both hear target %u",
                        other->number, visitor->number, number);
        }
    }
}

/* The first bytes of the far end are there. */
void side_learn(struct side *side)
{
    uint32_t number = side->head[4] | (uint32_t)side->head[5] << 8 | (uint32_t)side->head[6] << 16;
    if (side->is_visitor) {
        learn_target(side, number);
    } else {
        learn_session(side, number);
    }
}

/* ---- hosts ---------------------------------------------------------------------------- */

void visitors_open(struct scene *scene)
{
    for (uint8_t i = 1; i <= 4; i++) {
        struct np_addr ip = np_sim_ip4(10, 0, 1, i, 0);
        np_sim_host_addr(scene->visitors, &ip);
    }
}

void visitors_step(void *context)
{
    struct scene *scene = context;
    struct np_event events[32];
    int32_t count = np_plat_poll(scene->visitors, events, 32, UINT32_MAX);
    for (int32_t i = 0; i < count; i++) {
        uint32_t tag = events[i].tag;
        if (tag >= UDP_TAG) {
            udp_visitor_step(scene, tag - UDP_TAG);
        } else if (scene->sessions[tag].visitor.handle == events[i].handle) {
            side_step(&scene->sessions[tag].visitor, events[i].flags);
        }
    }
}

void targets_open(struct scene *scene)
{
    struct np_addr ip = np_sim_ip4(10, 0, 2, 1, 0);
    struct np_addr any = {.port = PORT_TARGET};
    struct np_plat *plat = scene->targets;
    np_sim_host_addr(plat, &ip);
    if (np_plat_tcp_listen(plat, &any, 0, &scene->target_listener) != NP_OK ||
        np_plat_udp_open(plat, &any, NULL, 1, &scene->target_udp) != NP_OK) {
        np_sim_fail(scene->sim, "the target can't listen");
    }
    np_plat_interest(plat, scene->target_listener, NP_EV_READ);
    np_plat_interest(plat, scene->target_udp, NP_EV_READ);
}

static void accept_target(struct scene *scene)
{
    uint32_t handle;
    struct np_addr peer;
    while (scene->target_count < TARGETS &&
           np_plat_tcp_accept(scene->targets, scene->target_listener,
                              TARGET_TAG + scene->target_count, &handle, &peer) == NP_OK) {
        uint32_t index = scene->target_count++;
        struct side *side = &scene->target_sides[index];
        memset(side, 0, sizeof *side);
        side_open(side, scene, scene->targets, handle);
        side->is_connected = true;
        side->number = FIRST_TARGET + index;
        side->chunk = 4096;
        side->read_max = pick_chance(scene, 70) ? 16384 : pick_between(scene, 100, 3000);
        side->to_send = pick_chance(scene, 30) ? pick_between(scene, 1, BANNER) : 0;
        np_plat_interest(scene->targets, handle, NP_EV_READ);
        side_step(side, 0);
    }
}

void targets_step(void *context)
{
    struct scene *scene = context;
    struct np_event events[32];
    int32_t count = np_plat_poll(scene->targets, events, 32, UINT32_MAX);
    for (int32_t i = 0; i < count; i++) {
        uint32_t tag = events[i].tag;
        if (tag == 0) {
            accept_target(scene);
        } else if (tag == 1) {
            udp_target_step(scene, events[i].flags);
        } else if (scene->target_sides[tag - TARGET_TAG].handle == events[i].handle) {
            side_step(&scene->target_sides[tag - TARGET_TAG], events[i].flags);
        }
    }
}
