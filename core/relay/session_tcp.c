/* SPDX-License-Identifier: BSD-3-Clause */
/* session_tcp: two flows between two streams, their interests, their turns and their rate.
 *
 * A flow ends with its source: its end of stream is passed on as FIN. A source that fails ends the
 * session with a reset of the other side. A sink that fails only cuts its flow: what the failed
 * side sent before is still delivered, then the failure shows at its source and ends the session.
 */
#include "core/np_app_state.h"

#define EMPTY_STEP_BYTES 65536u /* counted for a buffer full of records that hold nothing */

static void run_flow(struct np_session *session, uint32_t d);

/* ---- rate: first come, first served ---------------------------------------------------------- */

/* How much one flow may move before the next one's turn. */
static uint32_t quantum_of(const struct np_rate *rate)
{
    uint64_t twenty_ms = rate->bytes_per_s / 50;
    return twenty_ms < 1500 ? 1500 : twenty_ms > 65536 ? 65536 : (uint32_t)twenty_ms;
}

static void serve_rate_queue(struct np_instance *instance, uint32_t d)
{
    struct np_rate *rate = &instance->rate[d];
    uint64_t now_ms = instance->app->now_ms;
    uint32_t quantum = quantum_of(rate);
    struct np_node *node;

    while ((node = np_list_first(&instance->rate_queue[d])) != NULL &&
           np_rate_peek(rate, quantum, now_ms) >= quantum) {
        struct np_flow *flow = NP_CONTAINER(node, struct np_flow, rate);
        struct np_session *session =
            NP_CONTAINER(flow - d, struct np_session, flows); /* flows[d] back to flows[0] */
        np_list_remove(&instance->rate_queue[d], node);
        run_flow(session, d);
    }
}

static void start_rate_timer(struct np_instance *instance)
{
    struct np_app *app = instance->app;
    uint32_t wait_ms = UINT32_MAX;

    for (uint32_t d = 0; d < 2; d++) {
        if (instance->rate_queue[d].count > 0) {
            uint32_t ms =
                np_rate_wait_ms(&instance->rate[d], quantum_of(&instance->rate[d]), app->now_ms);
            wait_ms = ms < wait_ms ? ms : wait_ms;
        }
    }
    if (wait_ms != UINT32_MAX) {
        np_timer_start(&app->timers, &instance->rate_timer,
                       app->now_ms + (wait_ms > 0 ? wait_ms : 1));
    }
}

static void on_rate_timer(struct np_timer *timer, uint64_t now_ms)
{
    struct np_instance *instance = NP_CONTAINER(timer, struct np_instance, rate_timer);
    (void)now_ms;

    serve_rate_queue(instance, 0);
    serve_rate_queue(instance, 1);
    start_rate_timer(instance);
}

static void wait_for_rate(struct np_session *session, uint32_t d)
{
    struct np_instance *instance = session->instance;
    struct np_flow *flow = &session->flows[d];

    flow->is_waiting_rate = true;
    if (!np_list_has(&flow->rate)) {
        np_list_insert_last(&instance->rate_queue[d], &flow->rate);
    }
    instance->rate_timer.fire = on_rate_timer;
    if (!np_timer_is_running(&instance->rate_timer)) {
        start_rate_timer(instance);
    }
}

/* Bytes flow d may move now; 0 = it waits in the queue. `is_served`: it has just left the queue. */
static uint32_t allowance(struct np_session *session, uint32_t d, uint32_t budget, bool is_served)
{
    struct np_instance *instance = session->instance;
    struct np_rate *rate = &instance->rate[d];

    if (rate->bytes_per_s == 0) {
        return budget;
    }
    uint32_t quantum = quantum_of(rate);
    if (!is_served && instance->rate_queue[d].count > 0) {
        return 0;
    }
    uint32_t room = np_rate_peek(rate, quantum, instance->app->now_ms);
    return room < quantum ? 0 : quantum;
}

/* ---- one flow -------------------------------------------------------------------------------- */

static struct np_channel *channel_of(const struct np_session *session)
{
    return np_channel_is_set(session->channel)
               ? np_channel_get(session->instance->app, session->channel)
               : NULL;
}

static void update_interest(struct np_session *session)
{
    for (uint32_t leg = 0; leg < 2; leg++) {
        const struct np_flow *out = &session->flows[leg];
        const struct np_flow *in = &session->flows[1 - leg];
        struct np_channel *channel = leg == 1 ? channel_of(session) : NULL;
        uint32_t mask = 0;
        if (out->state == NP_FLOW_OPEN && !out->is_sink_full && !out->is_waiting_rate) {
            mask |= NP_EV_READ;
        }
        if (in->state == NP_FLOW_OPEN && in->is_sink_full) {
            mask |= NP_EV_WRITE;
        }
        if (channel != NULL) {
            mask = np_channel_interest(channel, mask);
        }
        np_plat_interest(session->instance->app->plat, session->legs[leg], mask);
    }
}

static void count_step(struct np_session *session, uint32_t d, const struct np_flow_step *step)
{
    struct np_counters *counters = &session->instance->counters;

    if (d == 0) {
        counters->tcp_rx += step->taken;
    } else {
        counters->tcp_tx += step->given;
    }
    if (step->taken > 0 || step->given > 0) {
        np_session_touch(session);
    }
    np_rate_take(&session->instance->rate[d], step->taken);
}

/* The sink failed: nothing more is read for it. True if that ended the session. */
static bool cut_flow(struct np_session *session, uint32_t d, enum np_err err)
{
    session->flows[d].state = NP_FLOW_CUT;
    if (session->flows[1 - d].state != NP_FLOW_OPEN) {
        np_session_abort(session, err);
        return true;
    }
    return false;
}

/* Tells the sink that its source ended: FIN; over TLS close_notify, and FIN when the session
 * ends. */
static enum np_err shut_sink(struct np_session *session, uint32_t d)
{
    struct np_channel *channel = d == 0 ? channel_of(session) : NULL;

    if (channel != NULL) {
        return np_channel_close_tx(channel);
    }
    np_plat_tcp_shutdown_tx(session->instance->app->plat, session->legs[1 - d]);
    return NP_OK;
}

/* End of the source: passes it on. True if that ended the session. */
static bool shut_flow(struct np_session *session, uint32_t d)
{
    struct np_flow *flow = &session->flows[d];
    enum np_err err = shut_sink(session, d);

    if (err == NP_ERR_AGAIN) {
        flow->is_sink_full = true; /* again when there is room */
        return false;
    }
    if (err != NP_OK) {
        return cut_flow(session, d, err);
    }
    flow->state = NP_FLOW_SHUT;
    if (session->flows[1 - d].state != NP_FLOW_OPEN) {
        if (session->flows[1 - d].state == NP_FLOW_CUT) {
            np_session_abort(session, NP_ERR_RESET);
        } else {
            np_session_finish(session);
        }
        return true;
    }
    np_session_start_relay(session); /* the idle limit of a half-closed session may be shorter */
    return false;
}

/* Takes over what a step said. True = go on, false = this turn is over or the session is gone. */
static bool apply_step(struct np_session *session, uint32_t d, const struct np_flow_step *step,
                       bool *is_gone)
{
    struct np_flow *flow = &session->flows[d];

    *is_gone = false;
    if (step->sink == NP_ERR_AGAIN) {
        flow->is_sink_full = true;
        return false;
    }
    if (step->sink != NP_OK) {
        *is_gone = cut_flow(session, d, step->sink);
        return false;
    }
    if (step->source == NP_ERR_EOF) {
        *is_gone = shut_flow(session, d);
        return false;
    }
    if (step->source != NP_OK && step->source != NP_ERR_AGAIN) {
        np_session_abort(session, step->source);
        *is_gone = true;
        return false;
    }
    return step->source == NP_OK;
}

static void move(struct np_session *session, uint32_t d, uint32_t max, struct np_flow_step *step)
{
    struct np_plat *plat = session->instance->app->plat;
    struct np_channel *channel = channel_of(session);

    if (channel == NULL) {
        np_flow_step(plat, &session->flows[d], session->legs[d], session->legs[1 - d], max, step);
    } else if (d == 0) {
        np_flow_seal_step(plat, channel, session->legs[0], max, step);
    } else {
        np_flow_open_step(plat, channel, session->legs[0], max, step);
    }
}

static void run_flow(struct np_session *session, uint32_t d)
{
    struct np_flow *flow = &session->flows[d];
    uint32_t budget = NP_FLOW_TURN_BYTES;
    bool is_served = flow->is_waiting_rate;
    bool is_gone = false;
    struct np_flow_step step;

    flow->is_waiting_rate = false;
    flow->is_sink_full = false;
    while (flow->state == NP_FLOW_OPEN && budget > 0) {
        uint32_t max = allowance(session, d, budget, is_served);
        if (max == 0) {
            wait_for_rate(session, d);
            break;
        }
        is_served = false;
        move(session, d, max, &step);
        count_step(session, d, &step);
        if (!apply_step(session, d, &step, &is_gone)) {
            break;
        }
        uint32_t used = step.taken > 0 ? step.taken : EMPTY_STEP_BYTES;
        budget -= used < budget ? used : budget;
    }
    if (is_gone) {
        return;
    }
    if (budget == 0 && np_channel_is_set(session->channel)) {
        np_channel_defer(channel_of(session)); /* what is in its buffer makes no event */
    }
    update_interest(session);
}

void np_tcp_start_relay(struct np_session *session)
{
    np_session_start_relay(session);
    if (np_channel_is_set(session->channel)) {
        np_channel_defer(channel_of(session)); /* bytes may have come with the launch */
    }
    update_interest(session);
}

/* What the engine has to send beside a flow: an answer to the peer's KeyUpdate. */
static void flush_channel(struct np_session *session)
{
    struct np_channel *channel = channel_of(session);
    if (channel != NULL) {
        np_channel_flush(channel); /* a failure shows at the flows */
        update_interest(session);
    }
}

void np_tcp_on_event(struct np_session *session, uint32_t leg, uint32_t flags)
{
    struct np_pool *pool = &session->instance->app->sessions;
    uint32_t self = session->self;

    if ((flags & NP_EV_WRITE) != 0 && session->flows[1 - leg].is_sink_full) {
        run_flow(session, 1 - leg);
    } else if ((flags & NP_EV_WRITE) != 0 && leg == 1) {
        flush_channel(session);
    }
    if ((flags & (NP_EV_READ | NP_EV_ERROR)) == 0 || np_pool_get(pool, self) == NULL) {
        return;
    }
    struct np_flow *flow = &session->flows[leg];
    bool is_starved =
        np_channel_is_set(session->channel) && np_channel_is_starved(channel_of(session));
    if (flow->state == NP_FLOW_OPEN && !flow->is_sink_full && !flow->is_waiting_rate &&
        !(is_starved && (flags & NP_EV_ERROR) != 0)) {
        run_flow(session, leg);
    } else if ((flags & NP_EV_ERROR) != 0) {
        /* Failed with nothing left to read, and its flow is over or stands still. */
        np_session_abort(session, NP_ERR_RESET);
    }
}
