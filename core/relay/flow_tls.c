/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_tls: steps of a flow with a TLS connection at one end. */
#include "core/relay/flow.h"
#include "core/tunnel/channel.h"
#include "platform/np_plat.h"

#define LARGE_CHUNK 16384u /* a source that gives less was (nearly) dry */
#define LEAST_RECORD 2048u /* no smaller one is begun behind others */

/* Takes over the result of a flush. True if the channel can take more. */
static bool flush(struct np_channel *to, struct np_flow_step *step)
{
    enum np_err err = np_channel_flush(to);

    if (err != NP_OK) {
        step->sink = err;
    }
    return err == NP_OK;
}

/* One record from what `from` has. True if another may follow. */
static bool seal_one(struct np_plat *plat, struct np_channel *to, uint32_t from, uint32_t max,
                     struct np_flow_step *step)
{
    uint8_t *payload;
    int32_t room = np_channel_room(to, &payload);

    if (room < 0) {
        step->sink = (enum np_err)room;
        return false;
    }
    if (room == 0 || ((uint32_t)room < LEAST_RECORD && step->taken > 0)) {
        return false;
    }
    uint32_t want = max - step->taken < (uint32_t)room ? max - step->taken : (uint32_t)room;
    int32_t got = np_plat_tcp_recv(plat, from, payload, want);
    if (got < 0) {
        step->source = (enum np_err)got;
        return false;
    }
    enum np_err err = np_channel_seal(to, (uint32_t)got);
    if (err != NP_OK) {
        step->sink = err;
        return false;
    }
    step->taken += (uint32_t)got;
    step->given += (uint32_t)got;
    if ((uint32_t)got < want && (uint32_t)got < LARGE_CHUNK) {
        step->source = NP_ERR_AGAIN;
        return false;
    }
    return true;
}

void np_flow_seal_step(struct np_plat *plat, struct np_channel *to, uint32_t from, uint32_t max,
                       struct np_flow_step *step)
{
    *step = (struct np_flow_step){0};
    if (!flush(to, step)) {
        return;
    }
    while (step->taken < max && seal_one(plat, to, from, max, step)) {
    }
    if (step->sink == NP_OK || step->sink == NP_ERR_AGAIN) {
        flush(to, step);
    }
}

void np_flow_open_step(struct np_plat *plat, struct np_channel *from, uint32_t to, uint32_t max,
                       struct np_flow_step *step)
{
    uint8_t *data;
    int32_t got = np_channel_peek(from, &data);

    *step = (struct np_flow_step){0};
    if (got < 0) {
        step->source = (enum np_err)got;
        return;
    }
    if ((uint32_t)got < max) {
        got = np_channel_gather(from);
    }
    uint32_t want = (uint32_t)got < max ? (uint32_t)got : max;
    int32_t sent = want > 0 ? np_plat_tcp_send(plat, to, data, want) : 0;
    if (sent < 0) {
        step->sink = (enum np_err)sent;
        return;
    }
    np_channel_consume(from, (uint32_t)sent);
    step->taken = step->given = (uint32_t)sent;
    if ((uint32_t)sent < want) {
        step->sink = NP_ERR_AGAIN;
    }
}
