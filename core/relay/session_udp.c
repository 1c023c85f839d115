/* SPDX-License-Identifier: BSD-3-Clause */
/* session_udp: datagrams between a visitor's address (or our target) and a pool connection, and in
 * single-end mode between a visitor and the target (protocol.md 7).
 *
 *   visitor --UDP door--> session --[len|bytes]--> pool connection --> session --UDP socket-->
 *   target
 *
 * Here are visitors, sockets, limits and counts; the pool connection is in udp_leg.c.
 */
#include <string.h>

#include "core/np_app_state.h"
#include "core/relay/udp_leg.h"

#define DOOR_ROUNDS 8u /* batches a turn, so that UDP never starves TCP */

static bool is_single(const struct np_session *session)
{
    return np_instance_is_single(session->instance);
}

void np_udp_count_drop(struct np_session *session, uint32_t count, const char *why)
{
    struct np_instance *instance = session->instance;

    instance->counters.udp_dropped += count;
    np_log_limited(&instance->log, NP_SITE_UDP_DROP, instance->app->now_ms, NP_LOG_DEBUG,
                   "Datagram dropped: %s", why);
}

/* The visitor is there: puts off the idle limit and the end of the least recently used. */
static void use(struct np_session *session)
{
    struct np_list *lru = &session->instance->udp_lru;

    np_session_touch(session);
    np_list_remove(lru, &session->udp.lru);
    np_list_insert_last(lru, &session->udp.lru);
}

/* Policing: a datagram goes whole or not at all. */
static bool may_pass(struct np_session *session, uint32_t d, uint32_t len)
{
    struct np_rate *rate = &session->instance->rate[d];

    if (np_rate_peek(rate, len, session->instance->app->now_ms) < len) {
        np_udp_count_drop(session, 1, "over rate=");
        return false;
    }
    np_rate_take(rate, len);
    return true;
}

/* ---- sessions by visitor --------------------------------------------------------------------- */

static uint32_t *bucket_of(struct np_instance *instance, const struct np_addr *visitor)
{
    struct np_app *app = instance->app;
    uint32_t hash = np_addr_hash(visitor, app->hash_seed + instance->index);
    return &app->udp_buckets[hash & (app->plan.udp_buckets - 1)];
}

static struct np_session *find_visitor(struct np_instance *instance, const struct np_addr *visitor)
{
    struct np_app *app = instance->app;

    for (uint32_t i = *bucket_of(instance, visitor); i != 0;) {
        struct np_session *session = np_pool_at(&app->sessions, i - 1);
        if (session->instance == instance && np_addr_is_equal(&session->visitor, visitor)) {
            return session;
        }
        i = session->udp.next_by_visitor;
    }
    return NULL;
}

static void insert_visitor(struct np_session *session)
{
    uint32_t *bucket = bucket_of(session->instance, &session->visitor);

    session->udp.next_by_visitor = *bucket;
    session->udp.is_hashed = true;
    *bucket = (session->self & NP_POOL_INDEX_MASK) + 1;
}

static void remove_visitor(struct np_session *session)
{
    uint32_t *link = bucket_of(session->instance, &session->visitor);
    uint32_t mine = (session->self & NP_POOL_INDEX_MASK) + 1;

    while (*link != 0 && *link != mine) {
        struct np_session *other = np_pool_at(&session->instance->app->sessions, *link - 1);
        link = &other->udp.next_by_visitor;
    }
    if (*link == mine) {
        *link = session->udp.next_by_visitor;
    }
}

bool np_udp_reclaim(struct np_instance *instance)
{
    struct np_node *node = np_list_first(&instance->udp_lru);

    if (node == NULL) {
        return false;
    }
    np_log_limited(&instance->log, NP_SITE_UDP_RECLAIM, instance->app->now_ms, NP_LOG_WARN,
                   "No slot free: the UDP session unused for longest gives way");
    np_session_abort(NP_CONTAINER(node, struct np_session, udp.lru), NP_ERR_LIMIT);
    return true;
}

void np_udp_release(struct np_session *session)
{
    struct np_app *app = session->instance->app;

    if (session->udp.is_hashed) {
        remove_visitor(session);
    }
    np_list_remove(&session->instance->udp_lru, &session->udp.lru);
    np_name_cancel(&session->instance->target, &session->udp.waiter);
    np_pool_release(&app->buffers, session->udp.out);
    np_pool_release(&app->buffers, session->udp.in);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* Opens the session's own socket as leg `leg`, to the target's first address from udp.target_at on
 * that can be had. */
static enum np_err open_socket(struct np_session *session, uint32_t leg)
{
    struct np_instance *instance = session->instance;
    struct np_app *app = instance->app;
    const struct np_settings *settings = instance->settings;
    enum np_err err = NP_ERR_UNREACHABLE;

    for (uint32_t i = 0; i < instance->target.count; i++, session->udp.target_at++) {
        session->udp.target_at %= instance->target.count;
        const struct np_addr *target = &instance->target.addrs[session->udp.target_at];
        bool from = settings->dial_given && settings->dial.family == target->family;
        if (settings->dial_given && !from) {
            continue;
        }
        err = np_plat_udp_open(app->plat, from ? &settings->dial : NULL, target,
                               np_tag(NP_TAG_SESSION, leg, session->self & NP_POOL_INDEX_MASK),
                               &session->legs[leg]);
        if (err == NP_OK) {
            np_plat_interest(app->plat, session->legs[leg], NP_EV_READ);
            return NP_OK;
        }
        session->legs[leg] = NP_HANDLE_NONE;
    }
    return err;
}

/* The target's address refused. One that has never answered gives way to the next, where the
 * visitor's next datagram goes. */
static void try_next_addr(struct np_session *session, uint32_t leg)
{
    struct np_instance *instance = session->instance;

    if (session->udp.has_answer || instance->target.count < 2) {
        return;
    }
    np_plat_close(instance->app->plat, session->legs[leg]);
    session->legs[leg] = NP_HANDLE_NONE;
    session->udp.target_at++;
    enum np_err err = open_socket(session, leg);
    if (err != NP_OK) {
        np_session_abort(session, err);
    }
}

/* Datagrams to the local side: to the visitor through the door, or to the target. */
void np_udp_feed_local(struct np_session *session, struct np_datagram *batch, uint32_t count)
{
    struct np_instance *instance = session->instance;
    uint32_t handle = session->legs[0] != NP_HANDLE_NONE ? session->legs[0] : instance->door.udp;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (may_pass(session, 1, batch[i].len)) {
            batch[kept] = batch[i];
            batch[kept].has_local = session->udp.has_local;
            memcpy(batch[kept].local_ip, session->udp.local_ip, sizeof session->udp.local_ip);
            batch[kept++].addr = session->visitor;
        }
    }
    for (uint32_t done = 0; done < kept;) {
        int32_t sent = np_plat_udp_send(instance->app->plat, handle, batch + done, kept - done);
        if (sent == NP_ERR_AGAIN) {
            np_udp_count_drop(session, kept - done, "the local socket is full");
            return;
        }
        if (sent < 0) { /* this one can't be sent: on with the next */
            np_udp_count_drop(session, 1, np_err_text((enum np_err)sent));
            sent = 1;
        } else {
            for (uint32_t i = done; i < done + (uint32_t)sent; i++) {
                instance->counters.udp_tx += batch[i].len;
            }
        }
        done += (uint32_t)sent;
    }
}

static void prepare_batch(struct np_app *app, struct np_datagram *batch)
{
    for (uint32_t i = 0; i < NP_UDP_BATCH; i++) {
        batch[i].base = app->datagrams + (uint64_t)i * app->plan.datagram_bytes;
        batch[i].cap = app->plan.datagram_bytes;
        batch[i].has_local = false;
    }
}

/* Single-end: to the session's socket. */
static void give_target(struct np_session *session, const struct np_datagram *batch, uint32_t kept)
{
    struct np_instance *instance = session->instance;

    for (uint32_t done = 0; done < kept;) {
        int32_t sent =
            np_plat_udp_send(instance->app->plat, session->legs[1], batch + done, kept - done);
        if (sent == NP_ERR_AGAIN) {
            np_udp_count_drop(session, kept - done, "the socket to the target is full");
            return;
        }
        if (sent < 0) {
            np_udp_count_drop(session, 1, np_err_text((enum np_err)sent));
        }
        done += sent < 0 ? 1 : (uint32_t)sent;
    }
}

/* Takes out what did not fit its buffer; returns how many are left. */
static uint32_t drop_cut(struct np_session *session, struct np_datagram *batch, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (batch[i].truncated) {
            np_udp_count_drop(session, 1, "longer than NP_UDP_DATA_BUF_SIZE");
        } else {
            batch[kept++] = batch[i];
        }
    }
    return kept;
}

/* From the local side: counts, polices and passes on `count` datagrams of one session. */
static void give_up(struct np_session *session, struct np_datagram *batch, uint32_t count)
{
    struct np_instance *instance = session->instance;
    uint32_t kept = 0;

    if (session->udp.is_hashed) { /* else it is the target that speaks */
        use(session);
    }
    for (uint32_t i = 0; i < count; i++) {
        instance->counters.udp_rx += batch[i].len;
    }
    count = drop_cut(session, batch, count);
    for (uint32_t i = 0; i < count; i++) {
        if (may_pass(session, 0, batch[i].len)) {
            batch[kept++] = batch[i];
        }
    }
    if (!is_single(session)) {
        np_udp_leg_feed(session, batch, kept);
    } else if (session->state == NP_SESSION_RELAYING) {
        give_target(session, batch, kept);
    } else {
        for (uint32_t i = 0; i < kept; i++) {
            np_udp_leg_enqueue(session, &batch[i]);
        }
    }
}

/* Single-end: what came before the target's name was known. */
static void give_kept(struct np_session *session)
{
    struct np_udp_link *udp = &session->udp;

    while (udp->out_sent < udp->out_len) {
        uint8_t *entry =
            (uint8_t *)np_pool_get(&session->instance->app->buffers, udp->out) + udp->out_sent;
        struct np_datagram datagram = {0};
        datagram.base = entry + NP_UDPFRAME_HEADER;
        datagram.len = np_udpframe_len(entry);
        udp->out_sent += datagram.len + NP_UDPFRAME_HEADER;
        give_target(session, &datagram, 1);
    }
    np_udp_leg_drop(session);
}

/* A socket of the session's own: replies of the target. */
static void read_socket(struct np_session *session, uint32_t leg)
{
    struct np_app *app = session->instance->app;
    struct np_pool *sessions = &app->sessions;
    struct np_datagram batch[NP_UDP_BATCH];
    uint32_t self = session->self;

    for (uint32_t round = 0; round < DOOR_ROUNDS; round++) {
        prepare_batch(app, batch);
        int32_t got = np_plat_udp_recv(app->plat, session->legs[leg], batch, NP_UDP_BATCH);
        if (got == NP_ERR_REFUSED) {
            try_next_addr(session, leg);
            return;
        }
        if (got == NP_ERR_AGAIN) {
            return;
        }
        if (got < 0) {
            np_session_abort(session, (enum np_err)got);
            return;
        }
        session->udp.has_answer = true;
        session->instance->target.best = session->udp.target_at;
        if (leg == 0) {
            give_up(session, batch, (uint32_t)got);
        } else {
            np_udp_feed_local(session, batch, drop_cut(session, batch, (uint32_t)got));
        }
        if ((uint32_t)got < NP_UDP_BATCH || np_pool_get(sessions, self) == NULL) {
            return;
        }
    }
}

void np_udp_on_event(struct np_session *session, uint32_t leg, uint32_t flags)
{
    if (leg == 0 || is_single(session)) {
        read_socket(session, leg);
        return;
    }
    if ((flags & NP_EV_ERROR) != 0 && np_channel_is_set(session->channel) &&
        np_channel_is_starved(np_channel_get(session->instance->app, session->channel))) {
        np_session_abort(session, NP_ERR_RESET); /* nothing is left to read: no buffer is needed */
        return;
    }
    if ((flags & NP_EV_WRITE) != 0) {
        struct np_pool *sessions = &session->instance->app->sessions;
        uint32_t self = session->self;
        np_udp_leg_flush(session);
        if (np_pool_get(sessions, self) == NULL) {
            return;
        }
    }
    if ((flags & (NP_EV_READ | NP_EV_ERROR)) != 0) {
        if (!session->udp.is_hashed) { /* the visitor is at the far end */
            use(session);
        }
        np_udp_leg_read(session);
    }
}

/* ---- beginnings ------------------------------------------------------------------------------ */

/* The session is over before it began. */
static void fail_target(struct np_session *session, enum np_err err)
{
    struct np_instance *instance = session->instance;

    np_log_limited(&instance->log, NP_SITE_TARGET, instance->app->now_ms, NP_LOG_WARN,
                   "UDP target not reached: %s:%u: %s", instance->settings->target.host,
                   instance->settings->target.port, np_err_text(err));
    np_session_abort(session, err);
}

static void on_target_known(struct np_name_waiter *waiter, enum np_err err)
{
    struct np_udp_link *udp = NP_CONTAINER(waiter, struct np_udp_link, waiter);
    struct np_session *session = NP_CONTAINER(udp, struct np_session, udp);
    struct np_instance *instance = session->instance;

    if (err == NP_OK) {
        session->udp.target_at = instance->target.best;
        err = open_socket(session, is_single(session) ? 1 : 0);
        if (err == NP_ERR_NO_HANDLES && np_connpool_reclaim(instance, 0)) {
            err = open_socket(session, is_single(session) ? 1 : 0);
        }
    }
    if (err != NP_OK) {
        fail_target(session, err);
        return;
    }
    np_session_start_relay(session);
    if (is_single(session)) {
        give_kept(session);
    } else {
        np_udp_leg_start(session);
    }
}

static void on_dial_timeout(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    fail_target(NP_CONTAINER(timer, struct np_session, timer), NP_ERR_TIMED_OUT);
}

void np_udp_open_target(struct np_session *session)
{
    struct np_app *app = session->instance->app;

    session->udp.waiter.ready = on_target_known;
    use(session);
    enum np_err err = np_name_want(&session->instance->target, &session->udp.waiter);
    if (err != NP_ERR_AGAIN) {
        on_target_known(&session->udp.waiter, err);
        return;
    }
    session->timer.fire = on_dial_timeout;
    np_timer_start(&app->timers, &session->timer, app->now_ms + app->tuning->udp_dial_timeout_ms);
}

void np_udp_attach_conn(struct np_session *session, bool is_framed)
{
    session->udp.is_framed = is_framed;
    np_session_start_relay(session);
    np_udp_leg_start(session);
    np_udp_leg_flush(session);
}

/* A new visitor; its first datagrams come right after. NULL if it can't be served. */
static struct np_session *open_visitor(struct np_instance *instance, const struct np_addr *visitor)
{
    bool single = np_instance_is_single(instance);

    if (!np_session_reserve_slot(instance, true)) {
        return NULL;
    }
    struct np_session *session = np_session_acquire(
        instance, true, single ? NP_SESSION_EXPECT_TARGET : NP_SESSION_EXPECT_CONN);
    if (session == NULL) {
        return NULL;
    }
    session->visitor = *visitor;
    insert_visitor(session);
    if (single) {
        np_udp_open_target(session);
    } else {
        use(session);
        np_launch_enqueue(instance, session);
    }
    return find_visitor(instance, visitor); /* it may have failed at once */
}

/* Passes on a batch of the door, one run of equal visitors at a time. */
static void spread(struct np_instance *instance, struct np_datagram *batch, uint32_t count)
{
    for (uint32_t first = 0; first < count;) {
        uint32_t last = first + 1;
        while (last < count && np_addr_is_equal(&batch[last].addr, &batch[first].addr)) {
            last++;
        }
        struct np_addr visitor = batch[first].addr;
        struct np_session *session = find_visitor(instance, &visitor);
        if (session == NULL && instance->state != NP_INSTANCE_DRAINING) {
            session = open_visitor(instance, &visitor);
        }
        if (session != NULL) {
            session->udp.has_local = batch[first].has_local;
            memcpy(session->udp.local_ip, batch[first].local_ip, sizeof session->udp.local_ip);
            give_up(session, batch + first, last - first);
        } else {
            instance->counters.udp_dropped += last - first;
        }
        first = last;
    }
}

void np_udp_on_door(struct np_instance *instance)
{
    struct np_app *app = instance->app;
    struct np_datagram batch[NP_UDP_BATCH];

    for (uint32_t round = 0; round < DOOR_ROUNDS; round++) {
        prepare_batch(app, batch);
        int32_t got = np_plat_udp_recv(app->plat, instance->door.udp, batch, NP_UDP_BATCH);
        if (got < 0) {
            return;
        }
        spread(instance, batch, (uint32_t)got);
        if ((uint32_t)got < NP_UDP_BATCH) {
            return;
        }
    }
}
