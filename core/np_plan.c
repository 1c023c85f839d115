/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/np_plan.h"

#include <string.h>

#include "core/master/master.h"
#include "core/np_app_state.h"

#define MB (UINT64_C(1024) * 1024u)
#define WHOLE 1024u /* of the scale */
#define STEPS 16u   /* of the search for shares */

/* The least that a plan under a ceiling has. */
enum {
    LEAST_SESSIONS = 8,
    LEAST_CONNS = 8, /* an instance */
    LEAST_GREETS = 4,
    LEAST_SILENT = 2,
    LEAST_LAUNCHES = 8,
    LEAST_HANDSHAKES = 2,
    LEAST_RECORDS = 4,
    LEAST_BUFFERS = 4,
    LEAST_INSTANCES = 4, /* of a master */
    LEAST_HTTP_CONNS = 4,
    LEAST_HTTP_QUEUES = 1,
    USUAL_RECORDS = 32 /* fewer of these, and a buffer has room for fewer records */
};

/* Timers an object of each kind embeds; kept beside the sum below. */
enum {
    /* timer, report, udp_retry, rate_timer, pool.retry, pool.shrink, tunnel.late, target.late */
    TIMERS_INSTANCE = 8,
    TIMERS_SESSION = 1,
    TIMERS_CONN = 1,
    TIMERS_DIAL = 2,
    TIMERS_GREET = 1,
    TIMERS_LAUNCH = 1,
    TIMERS_SECURE = 1,
    TIMERS_APP = 1 /* starve_timer */
};

/* What the settings are made of, and how much of it there may be. */
struct draft {
    const struct np_tuning *tuning;
    uint32_t servers, tunnels; /* instances of the settings: servers; all that have a pool */
    uint32_t ready;            /* connections that clients keep */
    bool is_fitted;            /* there is a ceiling: the next two count */
    uint64_t bulk;             /* bytes that bulky things get their shares of */
    uint32_t scale;            /* of WHOLE: of the rest */
};

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t size = 16;
    while (size < at_least) {
        size *= 2;
    }
    return size;
}

static uint32_t at_most(uint32_t value, uint32_t ceiling)
{
    return value < ceiling ? value : ceiling;
}

static uint32_t at_least(uint32_t value, uint32_t floor)
{
    return value > floor ? value : floor;
}

/* ---- what is asked for ----------------------------------------------------------------------- */

/* A client that forwards alone has none. */
static bool has_pool(const struct np_settings *s)
{
    return s->role == NP_ROLE_SERVER || (s->role == NP_ROLE_CLIENT && s->mode != 1);
}

/* A client learns from the server whether there is TLS. */
static void plan_tls(struct np_plan *plan, const struct np_settings *s)
{
    bool is_server = s->role == NP_ROLE_SERVER;

    if (NP_HAS_TLS == 0 || (is_server && s->tls == 0)) {
        return;
    }
    plan->secures++;
    plan->handshakes = at_most(plan->handshakes + (is_server ? NP_MAX_HANDSHAKES : NP_MAX_DIALS),
                               8 * NP_MAX_HANDSHAKES);
    plan->conns += is_server ? NP_MAX_SILENT : 0;
}

const struct np_settings *np_plan_master(const struct np_settings *const *settings, uint32_t count)
{
    for (uint32_t i = 0; i < count && NP_MASTER; i++) {
        if (settings[i]->role == NP_ROLE_MASTER) {
            return settings[i];
        }
    }
    return NULL;
}

/* What will be asked for is not known: room for all that one process may have, shared. Memory never
 * touched costs nothing. */
static void plan_dynamic(struct np_plan *plan, const struct np_settings *master)
{
    uint32_t slots = NP_MAX_INSTANCES;

    plan->is_dynamic = true;
    plan->instances = slots;
    plan->sessions = NP_MAX_SESSIONS;
    plan->conns = at_most(slots, 4) * NP_MAX_CONNS + slots * NP_MAX_DIALS + NP_MAX_SILENT;
    plan->greets = slots * NP_MAX_GREETS;
    plan->secures = NP_HAS_TLS != 0 ? slots : 0;
    plan->handshakes = NP_HAS_TLS != 0 ? at_most(slots, 8) * NP_MAX_HANDSHAKES : 0;
    plan->launches = slots * NP_MAX_LAUNCHES;
    plan->handles = plan->conns + slots * 16;
    np_master_plan(master, plan);
}

static void plan_objects(struct np_plan *plan, const struct np_settings *const *settings,
                         uint32_t count)
{
    const struct np_settings *master = np_plan_master(settings, count);
    uint32_t sessions = 0;

    if (NP_MASTER && master != NULL) {
        plan_dynamic(plan, master);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct np_settings *s = settings[i];
        bool is_server = s->role == NP_ROLE_SERVER;
        sessions += at_most(s->slot, NP_MAX_SESSIONS);
        if (!has_pool(s)) {
            plan->handles += NP_MAX_DIALS + 16; /* a dial may try several addresses at a time */
            continue;
        }
        /* A client learns its ceiling from the server; memory never touched costs nothing. */
        plan->conns += at_most(is_server ? s->max : NP_MAX_CONNS, NP_MAX_CONNS) + NP_MAX_DIALS;
        plan->handles += at_most(is_server ? s->max : 1024, NP_MAX_CONNS) + NP_MAX_DIALS + 16;
        plan->greets += is_server ? NP_MAX_GREETS : 0;
        plan_tls(plan, s);
        plan->launches += NP_MAX_LAUNCHES;
    }
    plan->instances = count;
    plan->sessions = at_most(sessions, NP_MAX_SESSIONS);
}

/* ---- less of it ------------------------------------------------------------------------------ */

static void shrink(uint32_t *count, uint32_t scale, uint32_t floor)
{
    uint32_t part = (uint32_t)((uint64_t)*count * scale / WHOLE);
    *count = at_most(*count, at_least(part, floor));
}

/* At most so many that they fill 1 / `parts` of `bulk`. */
static void cap_share(uint32_t *count, uint64_t bulk, uint32_t parts, uint64_t bytes,
                      uint32_t floor)
{
    uint64_t fit = bulk / parts / bytes;
    *count = at_most(*count, at_least((uint32_t)(fit < UINT32_MAX ? fit : UINT32_MAX), floor));
}

/* The API of a master: what a request and its answer need goes together. */
static void fit_http(struct np_plan *plan, uint64_t bulk)
{
    uint64_t each = NP_HTTP_IN_BYTES + NP_HTTP_OUT_BYTES + NP_HTTP_BODY_MAX / 8;
    uint32_t conns = plan->http_conns;

    cap_share(&plan->http_ins, bulk, 16, each, LEAST_HTTP_CONNS);
    plan->http_outs = plan->http_ins + 1;
    plan->http_bodies = at_most(plan->http_bodies, at_least(plan->http_ins / 8, 1));
    cap_share(&plan->http_queues, bulk, 16, sizeof(struct np_http_queue), LEAST_HTTP_QUEUES);
    shrink(&plan->http_conns, WHOLE * plan->http_ins / NP_MAX_HTTP_CONNS, 2 * LEAST_HTTP_CONNS);
    plan->handles -= conns - plan->http_conns;
    plan->channels -= plan->channels > 0 ? conns - plan->http_conns : 0;
}

/* What a master alone has. */
static void fit_dynamic(struct np_plan *plan, const struct draft *draft)
{
    uint64_t each =
        sizeof(struct np_instance) + sizeof(struct np_secure) + 2 * sizeof(struct np_settings);
    uint32_t instances = plan->instances;

    cap_share(&plan->instances, draft->bulk, 4, each, LEAST_INSTANCES);
    instances -= plan->instances;
    plan->secures -= plan->secures > 0 ? instances : 0;
    plan->greets -= instances * NP_MAX_GREETS;
    plan->launches -= instances * NP_MAX_LAUNCHES;
    plan->handles -= instances * 16;
    fit_http(plan, draft->bulk);
}

/* What the settings ask for of the small objects, under the scale. */
static void fit_objects(struct np_plan *plan, const struct draft *draft)
{
    uint32_t conns = plan->conns;

    if (plan->is_dynamic) {
        fit_dynamic(plan, draft);
    }
    uint32_t tunnels = plan->is_dynamic ? plan->instances : draft->tunnels;
    uint32_t servers = plan->is_dynamic ? plan->instances : draft->servers;
    /* more connections ready than there can be sessions are of little use */
    plan->conns = at_most(plan->conns, plan->sessions + draft->ready + tunnels * NP_MAX_DIALS);
    shrink(&plan->sessions, draft->scale, LEAST_SESSIONS);
    shrink(&plan->conns, draft->scale, tunnels * LEAST_CONNS);
    shrink(&plan->greets, draft->scale, servers * LEAST_GREETS);
    shrink(&plan->launches, draft->scale, tunnels * LEAST_LAUNCHES);
    cap_share(&plan->handshakes, draft->bulk, 8, sizeof(struct np_tls_hs),
              at_most(plan->secures, 8) * LEAST_HANDSHAKES);
    if (plan->is_dynamic) {
        plan->handles -= conns - plan->conns;
    } else {
        plan->handles = at_most(plan->handles, plan->conns + plan->instances * (NP_MAX_DIALS + 16));
    }
}

/* Limits of one instance, that several leave room for each other. */
static void plan_limits(struct np_plan *plan, const struct draft *draft)
{
    uint32_t tunnels = plan->is_dynamic ? plan->instances : draft->tunnels;
    uint32_t servers = plan->is_dynamic ? plan->instances : draft->servers;
    /* a master's few busy tunnels share what many idle ones leave */
    uint32_t sharers = plan->is_dynamic ? at_most(tunnels, 4) : tunnels;

    plan->pool_conns = NP_MAX_CONNS;
    plan->pool_dials = NP_MAX_DIALS;
    plan->pool_greets = NP_MAX_GREETS;
    plan->pool_silent = NP_MAX_SILENT;
    if (plan->secures > 0) {
        uint32_t each = plan->handshakes / at_most(plan->secures, sharers);
        plan->pool_dials = at_most(plan->pool_dials, at_least(each, 1));
    }
    if (!draft->is_fitted || tunnels == 0) {
        return;
    }
    plan->pool_conns = at_most(NP_MAX_CONNS, plan->conns / sharers);
    plan->pool_silent = at_most(NP_MAX_SILENT, at_least(plan->pool_conns / 4, LEAST_SILENT));
    plan->pool_conns -= plan->secures > 0 ? plan->pool_silent : 0;
    plan->pool_dials = at_most(plan->pool_dials, at_least(plan->pool_conns / 4, 2));
    if (servers > 0) {
        plan->pool_greets = at_most(NP_MAX_GREETS, plan->greets / servers);
    }
}

/* Buffers of TLS records: fewer and smaller ones in a quarter of it. */
static void fit_records(struct np_plan *plan, uint64_t bulk)
{
    uint32_t wanted = plan->records, each = NP_RECORDS_A_BUFFER;

    cap_share(&plan->records, bulk, 4, each * NP_TLS_RECORD_MAX, LEAST_RECORDS);
    while (each > 1 && plan->records < at_most(wanted, USUAL_RECORDS)) {
        each /= 2;
        plan->records = wanted;
        cap_share(&plan->records, bulk, 4, each * NP_TLS_RECORD_MAX, LEAST_RECORDS);
    }
    plan->record_bytes = each * NP_TLS_RECORD_MAX;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void plan_buffers(struct np_plan *plan, const struct draft *draft)
{
    plan->datagram_bytes = draft->tuning->udp_data_buf_size;
    plan->buffer_bytes = NP_BUFFER_BYTES;
    if (plan->buffer_bytes < plan->datagram_bytes + 2) {
        plan->buffer_bytes = (plan->datagram_bytes + 2 + 15u) & ~15u;
    }
    plan->buffers = at_most(plan->sessions / 4 + NP_SPARE_BUFFERS, NP_MAX_BUFFERS);
    plan->record_bytes = NP_RECORDS_A_BUFFER * NP_TLS_RECORD_MAX;
    plan->scratch_bytes = plan->datagram_bytes * NP_UDP_BATCH;
    if (plan->scratch_bytes < plan->buffer_bytes) {
        plan->scratch_bytes = plan->buffer_bytes;
    }
    if (plan->secures > 0) {
        plan->channels += plan->conns + plan->sessions;
        plan->records += at_most(plan->channels, NP_MAX_RECORD_BUFFERS);
    }
    if (draft->is_fitted) {
        cap_share(&plan->buffers, draft->bulk, 8, plan->buffer_bytes, LEAST_BUFFERS);
        fit_records(plan, draft->bulk);
    }
    /* each handshake may hold a buffer, and one is for answers */
    uint32_t most = np_channel_share_cap(plan->records, NP_SHARE_HANDSHAKE) - 1;
    plan->handshakes = at_most(plan->handshakes, at_least(most, LEAST_HANDSHAKES));
}

/* What follows from the number of instances, sessions and connections. */
static void plan_rest(struct np_plan *plan)
{
    plan->dials += plan->sessions + plan->instances * (plan->pool_dials + 2);
    plan->handles += plan->sessions * 2 + plan->greets;
    plan->conn_buckets = power_of_two(plan->conns);
    plan->udp_buckets = power_of_two(plan->sessions);
    plan->timers += TIMERS_APP + plan->instances * TIMERS_INSTANCE +
                    plan->sessions * TIMERS_SESSION + plan->conns * TIMERS_CONN +
                    plan->dials * TIMERS_DIAL + plan->greets * TIMERS_GREET +
                    plan->launches * TIMERS_LAUNCH + plan->secures * TIMERS_SECURE;
}

static void plan_all(struct np_plan *plan, const struct np_settings *const *settings,
                     uint32_t count, const struct draft *draft)
{
    memset(plan, 0, sizeof *plan);
    plan_objects(plan, settings, count);
    plan->is_fitted = draft->is_fitted;
    if (draft->is_fitted) {
        fit_objects(plan, draft);
    }
    plan_buffers(plan, draft);
    plan_limits(plan, draft);
    plan_rest(plan);
}

/* With what the platform takes. */
static uint64_t total(const struct np_plan *plan, const struct np_tuning *tuning)
{
    return np_plan_bytes(plan) + tuning->platform_bytes +
           (uint64_t)plan->handles * tuning->handle_bytes;
}

uint32_t np_plan_ceiling_mb(const struct np_settings *const *settings, uint32_t count,
                            const struct np_tuning *tuning, bool *is_given)
{
    uint32_t least = tuning->mem_mb;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t mem_mb = settings[i]->mem_mb;
        least = mem_mb != 0 && (least == 0 || mem_mb < least) ? mem_mb : least;
    }
    *is_given = least != 0;
    return *is_given ? least : tuning->spare_mb;
}

/* Counts what there is of each kind. */
static void count_instances(struct draft *draft, const struct np_settings *const *settings,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct np_settings *s = settings[i];
        draft->servers += s->role == NP_ROLE_SERVER ? 1u : 0u;
        draft->tunnels += has_pool(s) ? 1u : 0u;
        draft->ready += has_pool(s) && s->role == NP_ROLE_CLIENT ? s->min : 0;
    }
}

/* The largest plan of at most `ceiling` bytes, or the smallest one. Half of it at least is for the
 * small objects; what they leave goes back to the bulky ones. */
static void fit(struct np_plan *plan, const struct np_settings *const *settings, uint32_t count,
                struct draft *draft, uint64_t ceiling)
{
    uint32_t low = 0, high = WHOLE + 1; /* low fits, or nothing does */

    draft->is_fitted = true;
    draft->scale = 0;
    draft->bulk = ceiling;
    plan_all(plan, settings, count, draft);
    while (draft->bulk > STEPS && total(plan, draft->tuning) > ceiling / 2) {
        draft->bulk -= draft->bulk / STEPS;
        plan_all(plan, settings, count, draft);
    }
    while (high - low > 1) {
        draft->scale = (low + high) / 2;
        plan_all(plan, settings, count, draft);
        if (total(plan, draft->tuning) <= ceiling) {
            low = draft->scale;
        } else {
            high = draft->scale;
        }
    }
    draft->scale = low;
    plan_all(plan, settings, count, draft);
    while (draft->bulk < ceiling && total(plan, draft->tuning) <= ceiling) {
        draft->bulk += draft->bulk / STEPS + 1;
        plan_all(plan, settings, count, draft);
    }
    if (total(plan, draft->tuning) > ceiling) {
        draft->bulk -= draft->bulk / (STEPS + 1) + 1;
        plan_all(plan, settings, count, draft);
    }
}

uint64_t np_plan_make(struct np_plan *plan, const struct np_settings *const *settings,
                      uint32_t count, const struct np_tuning *tuning)
{
    struct draft draft = {tuning, 0, 0, 0, false, 0, 0};
    uint64_t ceiling, least;
    bool is_given;

    count_instances(&draft, settings, count);
    ceiling = np_plan_ceiling_mb(settings, count, tuning, &is_given) * MB;
    draft.is_fitted = true;
    plan_all(plan, settings, count, &draft);
    least = total(plan, tuning);
    draft.is_fitted = false;
    plan_all(plan, settings, count, &draft);
    if (ceiling > 0 && total(plan, tuning) > ceiling) {
        fit(plan, settings, count, &draft, is_given || ceiling > least ? ceiling : least);
    }
    plan->ceiling_mb = is_given ? (uint32_t)(ceiling / MB) : 0;
    return least;
}

/* ---- memory ---------------------------------------------------------------------------------- */

bool np_plan_cut(const struct np_plan *p, struct np_app *app, struct np_arena *arena)
{
    bool ok = np_timers_init(&app->timers, arena, p->timers);
#define NP_POOL(name, count, size, purpose)                                                        \
    ok = np_pool_init(&app->name, arena, (uint32_t)(size), count) && ok;
#include "config/np_pools.def"
#undef NP_POOL
    app->instances = np_arena_acquire(arena, (uint64_t)p->instances * sizeof(struct np_instance));
    if (NP_MASTER && p->is_dynamic) {
        app->copies = np_arena_acquire(arena, 1ull * p->instances * sizeof(struct np_settings));
        ok = np_master_cut(app, arena) && ok && app->copies != NULL;
    }
    app->conn_buckets = np_arena_acquire(arena, (uint64_t)p->conn_buckets * sizeof(uint32_t));
    app->udp_buckets = np_arena_acquire(arena, (uint64_t)p->udp_buckets * sizeof(uint32_t));
    app->datagrams = np_arena_acquire(arena, p->scratch_bytes);
    return ok && app->instances != NULL && app->conn_buckets != NULL && app->udp_buckets != NULL &&
           app->datagrams != NULL;
}

uint64_t np_plan_bytes(const struct np_plan *plan)
{
    struct np_arena arena = {0};
    struct np_app app; /* never used but to be cut into */

    np_arena_acquire(&arena, sizeof app);
    np_plan_cut(plan, &app, &arena);
    return arena.used;
}
