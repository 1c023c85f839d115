/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS against a hostile network. The first byte chooses:
 *   raw      the input is what one end receives: nothing opens, and how it is cut changes nothing
 *   wire     client and server of ours, the input flips bytes between them: an end never shows
 *            bytes that the other did not send, in this order; without a flip all of them arrive
 *   messages the same below the records, where a changed message is seen as such: no handshake
 *            whose messages were changed ends well at both ends
 */
#include <stdlib.h>

#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/key_pair.h"
#include "core/tls/tls.h"
#include "core/tls/verify.h"
#include "tests/fuzz/fuzz.h"

#define CAP 65536u
#define EDITS 8u
#define RECORDS 3u
#define RECORD_LEN 700u

struct edit {
    uint32_t at; /* offset in the bytes of this direction */
    uint8_t flip;
};
struct end {
    struct np_tls tls;
    struct np_tls_config config;
    struct np_tls_hs hs;
    uint64_t seed;
    uint8_t in[CAP];
    uint32_t in_len, sent, shown; /* shown: payload bytes */
    struct edit edits[EDITS];     /* of what this end sends */
    uint32_t edit_count, changed;
    enum np_tls_event last;
};

static struct np_tls_engines engines;
static struct np_key_pair pair;
static struct np_verify_policy policy;
static const struct np_tls_trust trust = {&np_verify_ops, &policy};
static struct end ends[2]; /* client, server */

static enum np_err fill(void *context, uint8_t *buf, uint32_t len)
{
    uint64_t *state = context;

    for (uint32_t i = 0; i < len; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        buf[i] = (uint8_t)(*state >> 56);
    }
    return NP_OK;
}

static void prepare(void)
{
    static bool is_ready;
    uint64_t seed = 1;
    struct np_tls_random random = {fill, &seed};

    if (!is_ready) {
        np_tls_engines_init(&engines);
        FUZZ_CHECK(np_key_pair_make(&pair, "fuzz", 1800000000, &random) == NP_OK);
        policy.pin = pair.pin;
        is_ready = true;
    }
}

static void init_end(struct end *end, bool is_server)
{
    memset(&end->config, 0, sizeof end->config);
    end->seed = is_server ? 7 : 8;
    end->config.engines = &engines;
    end->config.random = (struct np_tls_random){fill, &end->seed};
    end->config.cred = is_server ? &pair.cred : NULL;
    end->config.trust = is_server ? NULL : &trust;
    end->in_len = end->sent = end->shown = end->edit_count = end->changed = 0;
    end->last = NP_TLS_NEED;
}

static void start_end(struct end *end, bool is_server)
{
    init_end(end, is_server);
    FUZZ_CHECK(np_tls_start(&end->tls, is_server ? NP_TLS_SERVER : NP_TLS_CLIENT, &end->config,
                            &end->hs) == NP_OK);
}

static uint8_t payload_byte(bool is_server, uint32_t at)
{
    return (uint8_t)(at * 7 + (is_server ? 100 : 0));
}

/* ---- wire ------------------------------------------------------------------------------------ */

/* The bytes of `from` get to `to`, flipped on their way. */
static void carry(struct end *from, struct end *to, const uint8_t *bytes, uint32_t len)
{
    FUZZ_CHECK(len <= CAP - to->in_len);
    memcpy(to->in + to->in_len, bytes, len);
    for (uint32_t i = 0; i < from->edit_count; i++) {
        struct edit edit = from->edits[i];
        if (edit.at >= from->sent && edit.at - from->sent < len) {
            to->in[to->in_len + edit.at - from->sent] ^= edit.flip;
        }
    }
    from->changed += memcmp(to->in + to->in_len, bytes, len) != 0; /* flips may cancel out */
    to->in_len += len;
    from->sent += len;
}

static bool flush(struct end *from, struct end *to)
{
    uint8_t out[4096];
    uint32_t len, total = 0;

    while ((len = np_tls_pending(&from->tls, out, sizeof out)) > 0) {
        FUZZ_CHECK(len <= sizeof out);
        if (to != NULL) {
            carry(from, to, out, len);
        }
        total += len;
    }
    return total > 0;
}

static void show(struct end *end, const struct np_tls_input *input)
{
    bool is_from_server = end == &ends[0];

    FUZZ_CHECK(np_tls_is_open(&end->tls));
    FUZZ_CHECK(input->data >= end->in && input->data + input->len <= end->in + end->in_len);
    for (uint32_t i = 0; i < input->len; i++) {
        FUZZ_CHECK(input->data[i] == payload_byte(is_from_server, end->shown + i));
    }
    end->shown += input->len;
}

/* Takes all that can be taken; what is due to `far` goes there (NULL: nowhere). */
static void receive(struct end *end, struct end *far)
{
    for (uint32_t turns = 0;; turns++) {
        struct np_tls_input input = np_tls_recv(&end->tls, end->in, end->in_len);

        FUZZ_CHECK(turns < CAP && input.used <= end->in_len);
        end->last = input.event;
        if (input.event == NP_TLS_RECEIVED) {
            show(end, &input);
        }
        end->in_len -= input.used;
        memmove(end->in, end->in + input.used, end->in_len);
        switch (input.event) {
        case NP_TLS_MORE:
        case NP_TLS_RECEIVED:
            break;
        case NP_TLS_FLUSH:
            FUZZ_CHECK(flush(end, far));
            break;
        case NP_TLS_NEED:
            FUZZ_CHECK(input.need > end->in_len && input.need <= np_tls_need_max(&end->tls));
            return;
        default:
            return;
        }
    }
}

static void exchange(void)
{
    bool is_moving = true;

    while (is_moving) {
        is_moving = false;
        for (uint32_t i = 0; i < 2; i++) {
            is_moving |= flush(&ends[i], &ends[1 - i]);
            receive(&ends[1 - i], &ends[i]);
        }
    }
}

static void send_payload(bool is_server)
{
    struct end *from = &ends[is_server ? 1 : 0], *to = &ends[is_server ? 0 : 1];
    uint8_t record[RECORD_LEN + NP_TLS_OVERHEAD];

    for (uint32_t n = 0; n < RECORDS && np_tls_is_open(&from->tls); n++) {
        for (uint32_t i = 0; i < RECORD_LEN; i++) {
            record[NP_TLS_HEADER_LEN + i] = payload_byte(is_server, n * RECORD_LEN + i);
        }
        flush(from, to);
        int32_t len = np_tls_seal(&from->tls, record, RECORD_LEN, 0);
        if (len < 0) {
            return; /* the peer's alert or end came first */
        }
        carry(from, to, record, (uint32_t)len);
    }
}

static void take_edits(struct fuzz_input *in)
{
    while (in->size >= 4 && (ends[0].edit_count < EDITS && ends[1].edit_count < EDITS)) {
        struct end *end = &ends[fuzz_byte(in) & 1u];
        uint32_t at = (uint32_t)fuzz_byte(in) << 8;
        end->edits[end->edit_count].at = (at | fuzz_byte(in)) % 4096u;
        end->edits[end->edit_count++].flip = fuzz_byte(in);
    }
}

static void run_wire(struct fuzz_input *in)
{
    start_end(&ends[0], false);
    start_end(&ends[1], true);
    take_edits(in);
    exchange();
    send_payload(false);
    send_payload(true);
    exchange();
    if (ends[0].changed + ends[1].changed == 0) {
        FUZZ_CHECK(ends[0].shown == RECORDS * RECORD_LEN && ends[1].shown == ends[0].shown);
    }
    FUZZ_CHECK(ends[0].shown <= RECORDS * RECORD_LEN && ends[1].shown <= RECORDS * RECORD_LEN);
    np_tls_deinit(&ends[0].tls);
    np_tls_deinit(&ends[1].tls);
}

/* ---- raw ------------------------------------------------------------------------------------- */

static enum np_tls_reason run_raw(bool is_server, struct fuzz_input in, uint32_t piece)
{
    struct end *end = &ends[0];
    enum np_tls_reason reason;

    start_end(end, is_server);
    flush(end, NULL);
    while (in.size > 0 && end->last != NP_TLS_ERROR && end->last != NP_TLS_EOF) {
        uint32_t len = in.size < piece ? (uint32_t)in.size : piece;
        memcpy(end->in + end->in_len, in.data, len);
        end->in_len += len;
        in.data += len;
        in.size -= len;
        receive(end, NULL);
        flush(end, NULL);
    }
    FUZZ_CHECK(!np_tls_is_open(&end->tls) && end->shown == 0);
    reason = np_tls_reason(&end->tls);
    np_tls_deinit(&end->tls);
    return reason;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool carry_messages(struct end *from, struct end *to)
{
    uint8_t out[1024];
    uint32_t len, total = 0;

    from->hs.is_ccs_due = false; /* there are no records here */
    while ((len = np_tls_hs_pull(&from->hs, out, sizeof out)) > 0) {
        FUZZ_CHECK(len <= sizeof out);
        carry(from, to, out, len);
        total += len;
    }
    for (uint32_t used; to->in_len > 0 && to->hs.reason == NP_TLS_FINE;) {
        used = np_tls_hs_feed(&to->hs, to->in, to->in_len);
        FUZZ_CHECK(used <= to->in_len && (used > 0 || to->hs.reason != NP_TLS_FINE));
        to->in_len -= used;
        memmove(to->in, to->in + used, to->in_len);
        if (to->hs.state == NP_TLS_HS_DONE) {
            break; /* more would not be taken */
        }
    }
    return total > 0;
}

static void run_messages(struct fuzz_input *in)
{
    bool is_done;

    for (uint32_t i = 0; i < 2; i++) {
        init_end(&ends[i], i == 1);
        FUZZ_CHECK(np_tls_hs_start(&ends[i].hs, i == 1 ? NP_TLS_SERVER : NP_TLS_CLIENT,
                                   &ends[i].config) == NP_OK);
    }
    take_edits(in);
    for (uint32_t turns = 0; turns < 8; turns++) {
        (void)carry_messages(&ends[0], &ends[1]);
        (void)carry_messages(&ends[1], &ends[0]);
    }
    is_done = ends[0].hs.state == NP_TLS_HS_DONE && ends[1].hs.state == NP_TLS_HS_DONE &&
              ends[0].hs.reason == NP_TLS_FINE && ends[1].hs.reason == NP_TLS_FINE;
    FUZZ_CHECK(is_done == (ends[0].changed + ends[1].changed == 0));
    np_tls_hs_deinit(&ends[0].hs);
    np_tls_hs_deinit(&ends[1].hs);
    FUZZ_CHECK(pair.cred.users == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t choice = fuzz_byte(&in);
    uint32_t piece = choice / 8u + 1u;

    prepare();
    if (in.size > CAP / 2) {
        return 0;
    }
    switch (choice % 4u) {
    case 0:
        run_wire(&in);
        break;
    case 1:
        run_messages(&in);
        break;
    default:
        FUZZ_CHECK(run_raw(choice % 2u, in, CAP / 2) == run_raw(choice % 2u, in, piece));
        break;
    }
    FUZZ_CHECK(pair.cred.users == 0);
    return 0;
}
