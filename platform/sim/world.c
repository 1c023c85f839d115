/* SPDX-License-Identifier: BSD-3-Clause */
/* world: clock, event heap, random numbers, memory and the run loop. */
#include "platform/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_LIMIT 200000u /* turns of one host within one virtual millisecond */

/* ---- random numbers (xoroshiro128+) -------------------------------------------------------- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void np_sim_rng_seed(uint64_t state[2], uint64_t seed)
{
    state[0] = splitmix(&seed);
    state[1] = splitmix(&seed) | 1u;
}

static uint64_t rotate(uint64_t value, uint32_t by)
{
    return (value << by) | (value >> (64u - by));
}

uint64_t np_sim_rng_next(uint64_t state[2])
{
    uint64_t a = state[0];
    uint64_t b = state[1];
    uint64_t result = a + b;
    b ^= a;
    state[0] = rotate(a, 24) ^ b ^ (b << 16);
    state[1] = rotate(b, 37);
    return result;
}

uint64_t np_sim_random(struct np_sim *sim)
{
    return np_sim_rng_next(sim->rng);
}

uint32_t np_sim_below(struct np_sim *sim, uint32_t range)
{
    return (uint32_t)(((np_sim_rng_next(sim->rng) >> 32) * range) >> 32);
}

bool np_sim_chance(struct np_sim *sim, uint32_t p)
{
    return p != 0 && np_sim_below(sim, NP_SIM_ALWAYS) < p;
}

/* ---- memory ------------------------------------------------------------ */

static uint32_t mem_class(uint32_t cap)
{
    uint32_t bits = 4;
    while ((1u << bits) < cap) {
        bits++;
    }
    return bits;
}

/* Rounds *cap up to a power of two. The bytes are not cleared. */
uint8_t *np_sim_mem_acquire(struct np_sim *sim, uint32_t *cap)
{
    uint32_t bits = mem_class(*cap);
    *cap = 1u << bits;
    uint8_t *mem = sim->free_mem[bits];
    if (mem != NULL) {
        memcpy(&sim->free_mem[bits], mem, sizeof(uint8_t *));
        return mem;
    }
    mem = malloc(*cap);
    if (mem == NULL) {
        abort();
    }
    return mem;
}

void np_sim_mem_release(struct np_sim *sim, uint8_t *mem, uint32_t cap)
{
    if (mem == NULL) {
        return;
    }
    uint32_t bits = mem_class(cap);
    memcpy(mem, &sim->free_mem[bits], sizeof(uint8_t *));
    sim->free_mem[bits] = mem;
}

/* ---- event heap ------------------------------------------------------------ */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void np_sim_push(struct np_sim *sim, struct sim_event event)
{
    if (sim->heap_len == sim->heap_cap) {
        sim->heap_cap = sim->heap_cap == 0 ? 256 : sim->heap_cap * 2;
        sim->heap = realloc(sim->heap, sim->heap_cap * sizeof *sim->heap);
        if (sim->heap == NULL) {
            abort();
        }
    }
    event.order = sim->order++;
    if (event.at_us < sim->now_us) {
        event.at_us = sim->now_us;
    }
    uint32_t at = sim->heap_len++;
    while (at > 0 && is_before(&event, &sim->heap[(at - 1) / 4])) {
        sim->heap[at] = sim->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    sim->heap[at] = event;
}

static uint32_t first_child(const struct np_sim *sim, uint32_t at)
{
    uint32_t best = at * 4 + 1;
    uint32_t end = best + 4 < sim->heap_len ? best + 4 : sim->heap_len;
    for (uint32_t i = best + 1; i < end; i++) {
        if (is_before(&sim->heap[i], &sim->heap[best])) {
            best = i;
        }
    }
    return best;
}

static struct sim_event pop(struct np_sim *sim)
{
    struct sim_event top = sim->heap[0];
    struct sim_event last = sim->heap[--sim->heap_len];
    uint32_t at = 0;
    while (at * 4 + 1 < sim->heap_len) {
        uint32_t child = first_child(sim, at);
        if (!is_before(&sim->heap[child], &last)) {
            break;
        }
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = last;
    return top;
}

void np_sim_at(struct np_sim *sim, uint64_t at_us, void (*fn)(void *context, uint32_t arg),
               void *context, uint32_t arg)
{
    struct sim_event event = {.at_us = at_us, .kind = SIM_EV_CALL, .arg = arg};
    event.object = context;
    event.fn = fn;
    np_sim_push(sim, event);
}

/* ---- telling ------------------------------------------------------------ */

void np_sim_note(struct np_sim *sim, uint64_t value)
{
    uint64_t hash = (sim->hash ^ value) * 0x9e3779b97f4a7c15u;
    sim->hash = hash ^ (hash >> 29);
}

uint64_t np_sim_hash(const struct np_sim *sim)
{
    return sim->hash;
}

uint64_t np_sim_now_us(const struct np_sim *sim)
{
    return sim->now_us;
}

void np_sim_set_verbose(struct np_sim *sim, bool is_verbose)
{
    sim->is_verbose = is_verbose;
}

void np_sim_trace(struct np_sim *sim, const struct np_plat *host, const char *format, ...)
{
    if (!sim->is_verbose) {
        return;
    }
    fprintf(stderr, "%6llu.%06llu %-8s ", (unsigned long long)(sim->now_us / 1000000u),
            (unsigned long long)(sim->now_us % 1000000u), host == NULL ? "-" : host->config.name);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void np_sim_fail(struct np_sim *sim, const char *format, ...)
{
    if (sim->has_failed) {
        return;
    }
    sim->has_failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->failure, sizeof sim->failure, format, args);
    va_end(args);
    np_sim_trace(sim, NULL, "FAILED: %s", sim->failure);
}

const char *np_sim_failure(const struct np_sim *sim)
{
    return sim->has_failed ? sim->failure : NULL;
}

/* ---- life ------------------------------------------------------------ */

struct np_sim *np_sim_create(void)
{
    struct np_sim *sim = calloc(1, sizeof *sim);
    if (sim != NULL) {
        np_sim_reset(sim, 0);
    }
    return sim;
}

static void drop_events(struct np_sim *sim)
{
    for (uint32_t i = 0; i < sim->heap_len; i++) {
        if (sim->heap[i].kind == SIM_EV_DGRAM) {
            np_sim_dgram_release(sim, sim->heap[i].object);
        }
    }
    sim->heap_len = 0;
}

void np_sim_reset(struct np_sim *sim, uint64_t seed)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        np_sim_host_clear(sim->hosts[i]);
    }
    for (uint32_t i = 0; i < sim->conn_fresh; i++) {
        if (sim->conns[i]->is_used) {
            np_sim_tcp_release(sim, sim->conns[i], 0);
            np_sim_tcp_release(sim, sim->conns[i], 1);
        }
    }
    drop_events(sim);
    sim->free_conns = NULL;
    sim->conn_fresh = 0;
    sim->host_count = 0;
    sim->name_count = 0;
    sim->now_us = 0;
    sim->order = 0;
    sim->hash = seed;
    sim->has_failed = false;
    np_sim_rng_seed(sim->rng, seed);
}

static void free_hosts(struct np_sim *sim)
{
    for (uint32_t i = 0; i < NP_SIM_HOSTS; i++) {
        struct np_plat *plat = sim->hosts[i];
        if (plat == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < SIM_BLOBS; k++) {
            free(plat->blobs[k].bytes);
        }
        free(plat->entries);
        free(plat->queue);
        free(plat->scratch);
        free(plat);
    }
}

static void free_lists(struct np_sim *sim)
{
    for (struct sim_port *port = sim->free_ports; port != NULL;) {
        struct sim_port *next = port->next;
        free(port);
        port = next;
    }
    for (struct sim_query *query = sim->free_queries; query != NULL;) {
        struct sim_query *next = query->next;
        free(query);
        query = next;
    }
    for (struct sim_dgram *dgram = sim->free_dgrams; dgram != NULL;) {
        struct sim_dgram *next = dgram->next;
        free(dgram);
        dgram = next;
    }
    for (uint32_t bits = 0; bits < 32; bits++) {
        for (uint8_t *mem = sim->free_mem[bits]; mem != NULL;) {
            uint8_t *next;
            memcpy(&next, mem, sizeof next);
            free(mem);
            mem = next;
        }
    }
}

void np_sim_destroy(struct np_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    np_sim_reset(sim, 0);
    free_hosts(sim);
    free_lists(sim);
    for (uint32_t i = 0; i < sim->conn_count; i++) {
        free(sim->conns[i]);
    }
    free(sim->conns);
    free(sim->heap);
    free(sim);
}

/* ---- running ------------------------------------------------------------ */

static void dispatch(struct np_sim *sim, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_EV_CALL:
        event->fn(event->object, event->arg);
        return;
    case SIM_EV_DGRAM:
        np_sim_udp_event(sim, event);
        return;
    case SIM_EV_TOUCH:
        np_sim_ready(event->object, event->arg);
        return;
    case SIM_EV_ANSWER:
        np_sim_query_event(sim, event);
        return;
    default:
        np_sim_tcp_event(sim, event);
        return;
    }
}

static void step_host(struct np_sim *sim, struct np_plat *host)
{
    uint64_t ms = sim->now_us / 1000u;
    if (host->spin_ms != ms) {
        host->spin_ms = ms;
        host->spin_count = 0;
    }
    if (++host->spin_count > SPIN_LIMIT) {
        np_sim_fail(sim, "host %s spins: %u turns within a millisecond", host->config.name,
                    SPIN_LIMIT);
        return;
    }
    host->config.step(host->config.context);
}

static struct np_plat *next_awake(const struct np_sim *sim, uint64_t *due_us)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct np_plat *host = sim->hosts[i];
        if (!host->is_running || host->config.step == NULL) {
            continue;
        }
        if (host->is_awake) {
            return host;
        }
        if (host->due_us < *due_us) {
            *due_us = host->due_us;
        }
    }
    return NULL;
}

static void wake_due(struct np_sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (sim->hosts[i]->due_us <= sim->now_us) {
            sim->hosts[i]->due_us = NP_SIM_NEVER;
            sim->hosts[i]->is_awake = true;
        }
    }
}

/* One turn of a host or one event. Returns false when nothing is left before until_us (the clock
 * shows it then) or after a failure. */
bool np_sim_advance(struct np_sim *sim, uint64_t until_us)
{
    uint64_t due_us = NP_SIM_NEVER;
    struct np_plat *host = next_awake(sim, &due_us);
    if (sim->has_failed) {
        return false;
    }
    if (host != NULL) {
        step_host(sim, host);
        return true;
    }
    uint64_t event_us = sim->heap_len > 0 ? sim->heap[0].at_us : NP_SIM_NEVER;
    uint64_t next_us = event_us < due_us ? event_us : due_us;
    if (next_us > until_us || next_us == NP_SIM_NEVER) {
        sim->now_us = until_us == NP_SIM_NEVER ? sim->now_us : until_us;
        return false;
    }
    sim->now_us = next_us;
    if (event_us <= next_us) {
        struct sim_event event = pop(sim);
        dispatch(sim, &event);
    } else {
        wake_due(sim);
    }
    return true;
}

bool np_sim_run(struct np_sim *sim, uint64_t until_us)
{
    while (np_sim_advance(sim, until_us)) {
    }
    return !sim->has_failed;
}
