/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/relay/flow.h"

#include "config/np_config.h"
#include "platform/np_plat.h"

#define LARGE_CHUNK 16384u                 /* a source that gives less was (nearly) dry */
#define BULK_CREDIT_MAX (8u * LARGE_CHUNK) /* thin splices before peek and send take over again */

/* Judges whether splice pays: large chunks earn credit, small ones spend it. */
static void judge_bulk(struct np_flow *flow, uint32_t taken)
{
    if (taken >= LARGE_CHUNK) {
        flow->run_bytes += flow->run_bytes < NP_FLOW_BULK_BYTES + BULK_CREDIT_MAX ? taken : 0;
    } else if (!flow->is_bulk || flow->run_bytes < LARGE_CHUNK) {
        flow->run_bytes = 0;
    } else {
        flow->run_bytes -= LARGE_CHUNK;
    }
    if (flow->run_bytes >= NP_FLOW_BULK_BYTES) {
        flow->is_bulk = true;
    } else if (flow->run_bytes == 0) {
        flow->is_bulk = false;
    }
}

static void copy_step(struct np_plat *plat, uint32_t from, uint32_t to, uint32_t max,
                      struct np_flow_step *step)
{
    const uint8_t *span;
    int32_t got = np_plat_tcp_peek(plat, from, &span);

    if (got < 0) {
        step->source = (enum np_err)got;
        return;
    }
    uint32_t want = (uint32_t)got < max ? (uint32_t)got : max;
    int32_t sent = np_plat_tcp_send(plat, to, span, want);
    np_plat_tcp_consume(plat, from, sent > 0 ? (uint32_t)sent : 0);
    if (sent < 0) {
        step->sink = (enum np_err)sent;
        return;
    }
    step->taken = step->given = (uint32_t)sent;
    if ((uint32_t)sent < want) {
        step->sink = NP_ERR_AGAIN;
    } else if ((uint32_t)got < LARGE_CHUNK) {
        step->source = NP_ERR_AGAIN; /* very likely dry: the loop will tell, a look costs a call */
    }
}

/* True if splice did the step. */
static bool splice_step(struct np_plat *plat, struct np_flow *flow, uint32_t from, uint32_t to,
                        uint32_t max, struct np_flow_step *step)
{
    struct np_splice result;

    if (np_plat_tcp_splice(plat, from, to, max, &result) != NP_OK) {
        return false;
    }
    flow->held = result.held;
    step->taken = result.taken;
    step->given = result.given;
    step->source = result.source;
    step->sink = result.sink;
    return true;
}

void np_flow_step(struct np_plat *plat, struct np_flow *flow, uint32_t from, uint32_t to,
                  uint32_t max, struct np_flow_step *step)
{
    step->taken = step->given = 0;
    step->source = step->sink = NP_OK;
    if ((flow->is_bulk || flow->held > 0) && splice_step(plat, flow, from, to, max, step)) {
        judge_bulk(flow, step->taken);
        return;
    }
    copy_step(plat, from, to, max, step);
    judge_bulk(flow, step->taken);
}

enum np_err np_flow_give_all(struct np_plat *plat, uint32_t to, const uint8_t *buf, uint32_t len)
{
    while (len > 0) {
        int32_t sent = np_plat_tcp_send(plat, to, buf, len);
        if (sent < 0) {
            return sent == NP_ERR_AGAIN ? NP_ERR_NO_MEMORY : (enum np_err)sent;
        }
        buf += sent;
        len -= (uint32_t)sent;
    }
    return NP_OK;
}
