/* SPDX-License-Identifier: BSD-3-Clause */
/* datagrams: UDP visitors and the UDP target that answers each datagram once.
 *
 * A datagram is empty or: magic, kind (0 asks, 1 answers), visitor, sequence, length (2), content.
 */
#include <string.h>

#include "tests/sim/scene.h"

#define UDP_TAG 1000u
#define DGRAM_HEADER 6u
#define DGRAM_MAX 2048u
#define MAGIC 0xd7u
#define FIRST_NUMBER 0x400000u

struct label {
    uint32_t kind, visitor, seq, len;
};

static uint32_t number_of(const struct label *label)
{
    return FIRST_NUMBER + label->visitor * 512 + label->seq * 2 + label->kind;
}

static void build(uint8_t *out, const struct label *label)
{
    out[0] = MAGIC;
    out[1] = (uint8_t)label->kind;
    out[2] = (uint8_t)label->visitor;
    out[3] = (uint8_t)label->seq;
    out[4] = (uint8_t)label->len;
    out[5] = (uint8_t)(label->len >> 8);
    content_fill(out + DGRAM_HEADER, number_of(label), HEADER, label->len - DGRAM_HEADER);
}

/* Reads one message at the start of `in`. Returns its length, 0 if it is none. */
static uint32_t read_label(const uint8_t *in, uint32_t len, struct label *label)
{
    if (len < DGRAM_HEADER || in[0] != MAGIC) {
        return 0;
    }
    *label = (struct label){in[1], in[2], in[3], in[4] | (uint32_t)in[5] << 8};
    if (label->kind > 1 || label->visitor >= UDP_VISITORS || label->seq >= UDP_SEQS ||
        label->len < DGRAM_HEADER || label->len > len) {
        return 0;
    }
    uint32_t body = label->len - DGRAM_HEADER;
    return content_check(in + DGRAM_HEADER, number_of(label), HEADER, body) == body ? label->len
                                                                                    : 0;
}

/* A key of one character may forbid what an offer is written with. */
static bool can_offer_frames(const struct scene *scene)
{
    struct np_key key = {scene->plan.key, scene->plan.key_len};
    struct np_answer answer = {.max = 1024, .flow = '-'};
    uint8_t line[NP_DIALECT_LINE_CAP + 1];

    answer.extensions = NP_DIALECT_EXT_ALL;
    return np_answer_encode(line, key, &answer) != 0;
}

/* Without frames datagrams may run together: towards a Go peer, and when the client's reply to the
 * offer of frames came too late. */
static bool may_merge(const struct scene *scene)
{
    uint32_t late = FAULT_LOSS | FAULT_PARTITION | FAULT_ONE_WAY;
    return scene->plan.go_client || scene->plan.go_server || (scene->plan.faults & late) != 0 ||
           !can_offer_frames(scene);
}

/* Copies that the network itself may have made. */
static uint32_t copies(const struct scene *scene)
{
    return (scene->plan.faults & FAULT_UDP_NET) != 0 ? 4 : 1;
}

/* ---- target --------------------------------------------------------------------------- */

static void check_source(struct scene *scene, uint32_t visitor, const struct np_addr *from)
{
    for (uint32_t i = 0; i < scene->udp_count; i++) {
        if (i != visitor && np_addr_is_equal(&scene->udp[i].source, from)) {
            np_sim_fail(scene->sim, "invariant 10: visitors %u and %u share a source", i, visitor);
        }
    }
    scene->udp[visitor].source = *from;
}

static void answer(struct scene *scene, const struct label *ask, const struct np_addr *to)
{
    uint8_t buf[DGRAM_MAX];
    uint32_t len = DGRAM_HEADER + (ask->len * 7 + ask->seq * 13) % 400;
    uint32_t max = scene->plan.tuning.udp_data_buf_size;
    struct label label = {1, ask->visitor, ask->seq, len < max ? len : max};
    build(buf, &label);
    struct np_datagram out = {.base = buf, .len = label.len, .addr = *to};
    np_plat_udp_send(scene->targets, scene->target_udp, &out, 1);
}

static void take_at_target(struct scene *scene, const struct np_datagram *in)
{
    struct label label;
    uint32_t at = 0;
    if (in->len == 0) {
        uint32_t sent = 0;
        for (uint32_t i = 0; i < scene->udp_count; i++) {
            sent += scene->udp[i].empties_sent;
        }
        if (++scene->target_empties > sent * copies(scene)) {
            np_sim_fail(scene->sim, "invariant 10: an empty datagram nobody sent");
        }
        return;
    }
    while (at < in->len) {
        uint32_t len = read_label(in->base + at, in->len - at, &label);
        if ((len == 0 || len != in->len) && !may_merge(scene)) {
            np_sim_fail(scene->sim, "invariant 10: target gets a datagram of %u that is not whole",
                        in->len);
            return;
        }
        if (len == 0) {
            return;
        }
        at += len;
        struct udp_visitor *visitor = &scene->udp[label.visitor];
        if (label.kind != 0 || label.seq >= visitor->sent ||
            label.len != visitor->lens[label.seq]) {
            np_sim_fail(scene->sim, "invariant 10: datagram %u of visitor %u was not sent so",
                        label.seq, label.visitor);
            return;
        }
        if (++visitor->at_target[label.seq] > copies(scene)) {
            np_sim_fail(scene->sim, "invariant 10: datagram %u of visitor %u came twice", label.seq,
                        label.visitor);
        }
        check_source(scene, label.visitor, &in->addr);
        answer(scene, &label, &in->addr);
    }
}

void udp_target_step(struct scene *scene, uint32_t flags)
{
    uint8_t buf[8][DGRAM_MAX];
    struct np_datagram batch[8];
    (void)flags;
    for (uint32_t i = 0; i < 8; i++) {
        batch[i] = (struct np_datagram){.base = buf[i], .cap = DGRAM_MAX};
    }
    int32_t count = np_plat_udp_recv(scene->targets, scene->target_udp, batch, 8);
    for (int32_t i = 0; i < count; i++) {
        take_at_target(scene, &batch[i]);
    }
}

/* ---- visitors ------------------------------------------------------------------------- */

static void take_at_visitor(struct scene *scene, uint32_t index, const struct np_datagram *in)
{
    struct udp_visitor *visitor = &scene->udp[index];
    struct label label;
    struct np_addr door = visitor_door(scene);
    uint32_t at = 0;
    /* A socket bound to all addresses answers from the host's first one, which may be a new one. */
    if (!np_addr_is_equal(&in->addr, &door) && (scene->plan.faults & FAULT_READDRESS) == 0) {
        np_sim_fail(scene->sim, "invariant 10: an answer from another address than asked");
    }
    if (in->len == 0) {
        np_sim_fail(scene->sim, "invariant 10: an empty answer nobody sent");
    }
    while (at < in->len) {
        uint32_t len = read_label(in->base + at, in->len - at, &label);
        if ((len == 0 || len != in->len) && !may_merge(scene)) {
            np_sim_fail(scene->sim, "invariant 10: visitor %u gets a datagram that is not whole",
                        index);
            return;
        }
        if (len == 0) {
            return;
        }
        at += len;
        if (label.kind != 1 || label.visitor != index || label.seq >= visitor->sent) {
            np_sim_fail(scene->sim, "invariant 2: UDP visitor %u gets what is for %u", index,
                        label.visitor);
            return;
        }
        visitor->replies++;
        if (++visitor->at_visitor[label.seq] > copies(scene) * copies(scene)) {
            np_sim_fail(scene->sim, "invariant 10: answer %u came to visitor %u twice", label.seq,
                        index);
        }
    }
}

void udp_visitor_step(struct scene *scene, uint32_t index)
{
    uint8_t buf[8][DGRAM_MAX];
    struct np_datagram batch[8];
    for (uint32_t i = 0; i < 8; i++) {
        batch[i] = (struct np_datagram){.base = buf[i], .cap = DGRAM_MAX};
    }
    int32_t count = np_plat_udp_recv(scene->visitors, scene->udp[index].handle, batch, 8);
    for (int32_t i = 0; i < count; i++) {
        take_at_visitor(scene, index, &batch[i]);
    }
}

static void send_one(struct scene *scene, uint32_t index)
{
    struct udp_visitor *visitor = &scene->udp[index];
    uint8_t buf[DGRAM_MAX];
    struct label label = {0, index, visitor->sent, visitor->lens[visitor->sent]};
    struct np_datagram out = {.base = buf, .len = label.len, .addr = visitor_door(scene)};
    if (label.len > 0) {
        build(buf, &label);
    } else {
        visitor->empties_sent++;
    }
    visitor->sent++;
    np_plat_udp_send(scene->visitors, visitor->handle, &out, 1);
}

static void send_next(void *context, uint32_t index)
{
    struct scene *scene = context;
    struct udp_visitor *visitor = &scene->udp[index];
    if (visitor->sent >= visitor->count || scene->is_over) {
        return;
    }
    send_one(scene, index);
    np_sim_at(scene->sim, np_sim_now_us(scene->sim) + visitor->gap_us, send_next, scene, index);
}

static uint16_t pick_len(struct scene *scene)
{
    uint32_t max = scene->plan.tuning.udp_data_buf_size;
    bool is_checked = scene->plan.faults == 0; /* then all must arrive */
    if (pick_chance(scene, 5)) {
        return 0;
    }
    if (pick_chance(scene, 5)) {
        return (uint16_t)max;
    }
    if (!is_checked && max + 1 < DGRAM_MAX && pick_chance(scene, 3)) {
        return (uint16_t)(max + 1); /* too long: dropped whole */
    }
    return (uint16_t)pick_between(scene, DGRAM_HEADER, max < 500 ? max : 500);
}

/* Opens `count` more visitors that start within the next `within_us`. */
void udp_open(struct scene *scene, uint32_t count, uint64_t within_us)
{
    for (uint32_t i = 0; i < count && scene->udp_count < UDP_VISITORS; i++) {
        uint32_t index = scene->udp_count++;
        struct udp_visitor *visitor = &scene->udp[index];
        memset(visitor, 0, sizeof *visitor);
        visitor->count = pick_between(scene, 1, 12);
        visitor->gap_us = pick_chance(scene, 20) ? 1 : pick_between(scene, 1000, 300000);
        bool is_flood =
            visitor->gap_us == 1 && (scene->plan.faults & (FAULT_SLOW | FAULT_WAKE)) == FAULT_SLOW;
        if (is_flood) {
            visitor->count = UDP_SEQS;
        }
        for (uint32_t k = 0; k < visitor->count; k++) {
            visitor->lens[k] =
                is_flood ? (uint16_t)scene->plan.tuning.udp_data_buf_size : pick_len(scene);
        }
        struct np_addr local = np_sim_ip4(10, 0, 1, (uint8_t)(1 + index % 4), 0);
        if (np_plat_udp_open(scene->visitors, &local, NULL, UDP_TAG + index, &visitor->handle) !=
            NP_OK) {
            np_sim_fail(scene->sim, "a UDP visitor can't open a socket");
            return;
        }
        np_plat_interest(scene->visitors, visitor->handle, NP_EV_READ);
        np_sim_at(scene->sim, np_sim_now_us(scene->sim) + pick(scene, (uint32_t)within_us + 1),
                  send_next, scene, index);
    }
}
