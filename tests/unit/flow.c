/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/relay/flow.h"

#include <string.h>

#include "config/np_config.h"
#include "platform/np_plat.h"
#include "platform/sim/sim.h"
#include "tests/unit/np_test.h"

/* A source that sends to in, and out that the sink reads: source -> in | flow | out -> sink. */
struct bed {
    struct np_sim *sim;
    struct np_plat *plat;
    uint32_t source, in, out, sink;
    struct np_flow flow;
    uint64_t sent, taken, given, received;
};

static void idle(void *context)
{
    (void)context;
}

static void let_pass(struct bed *bed)
{
    struct np_event events[16];

    (void)np_plat_poll(bed->plat, events, 16, 20);
    (void)np_plat_poll(bed->plat, events, 16, 20);
}

static void open_ends(struct bed *bed, uint32_t listener, uint32_t *a, uint32_t *b)
{
    struct np_addr at, peer;

    NP_CHECK_INT(np_plat_local(bed->plat, listener, &at), NP_OK);
    NP_CHECK_INT(np_plat_tcp_connect(bed->plat, NULL, &at, 0, a), NP_OK);
    let_pass(bed);
    NP_CHECK_INT(np_plat_tcp_accept(bed->plat, listener, 0, b, &peer), NP_OK);
}

/* `pipes` = 0: without splice. `peek_max`: bytes a peek shows. */
static void open_bed(struct bed *bed, uint32_t pipes, uint32_t peek_max)
{
    struct np_sim_host host;
    struct np_addr any = np_sim_ip4(127, 0, 0, 1, 0);
    uint32_t listener = NP_HANDLE_NONE;

    memset(bed, 0, sizeof *bed);
    bed->sim = np_sim_create();
    np_sim_reset(bed->sim, 5);
    np_sim_host_defaults(&host);
    host.splice_pipes = pipes;
    host.peek_max = peek_max;
    host.send_buf = host.recv_buf = 65536;
    host.step = idle;
    bed->plat = np_sim_host_open(bed->sim, &host);
    np_sim_host_set_blocking(bed->plat, true);
    NP_CHECK_INT(np_plat_tcp_listen(bed->plat, &any, 0, &listener), NP_OK);
    open_ends(bed, listener, &bed->source, &bed->in);
    open_ends(bed, listener, &bed->out, &bed->sink);
    np_plat_close(bed->plat, listener);
}

static void close_bed(struct bed *bed)
{
    np_plat_tcp_close(bed->plat, bed->source);
    np_plat_tcp_close(bed->plat, bed->in);
    np_plat_tcp_close(bed->plat, bed->out);
    np_plat_tcp_close(bed->plat, bed->sink);
    NP_CHECK_INT(np_sim_host_handles(bed->plat), 0);
    NP_CHECK_STR(np_sim_failure(bed->sim) == NULL ? "" : np_sim_failure(bed->sim), "");
    np_sim_destroy(bed->sim);
}

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

/* Sends up to `len` bytes of the stream; what does not fit stays for the next call. */
static void feed(struct bed *bed, uint32_t len)
{
    static uint8_t buf[65536];
    int32_t n;

    for (uint32_t i = 0; i < len; i++) {
        buf[i] = byte_at(bed->sent + i);
    }
    n = np_plat_tcp_send(bed->plat, bed->source, buf, len);
    bed->sent += n > 0 ? (uint32_t)n : 0;
    let_pass(bed);
}

static int32_t drain(struct bed *bed)
{
    static uint8_t buf[65536];
    int32_t n = np_plat_tcp_recv(bed->plat, bed->sink, buf, sizeof buf);

    for (int32_t i = 0; i < n; i++) {
        NP_CHECK_INT(buf[i], byte_at(bed->received + (uint32_t)i));
    }
    bed->received += n > 0 ? (uint32_t)n : 0;
    return n;
}

static struct np_flow_step step(struct bed *bed, uint32_t max)
{
    struct np_flow_step result;

    np_flow_step(bed->plat, &bed->flow, bed->in, bed->out, max, &result);
    bed->taken += result.taken;
    bed->given += result.given;
    NP_CHECK(result.taken <= max);
    NP_CHECK_INT(bed->taken - bed->given, bed->flow.held);
    return result;
}

NP_TEST(flow, moves_what_is_there)
{
    struct bed bed;
    struct np_flow_step s;

    open_bed(&bed, 0, 65536);
    s = step(&bed, 1000);
    NP_CHECK_INT(s.source, NP_ERR_AGAIN);
    NP_CHECK_INT(s.taken, 0);
    feed(&bed, 1500);
    s = step(&bed, 1000); /* bounded by max */
    NP_CHECK_INT(s.taken, 1000);
    NP_CHECK_INT(s.given, 1000);
    s = step(&bed, 1000);
    NP_CHECK_INT(s.given, 500);
    NP_CHECK_INT(s.source, NP_ERR_AGAIN); /* little there was: the loop will tell */
    NP_CHECK_INT(s.sink, NP_OK);
    let_pass(&bed);
    NP_CHECK_INT(drain(&bed), 1500);
    close_bed(&bed);
}

NP_TEST(flow, end_of_the_source)
{
    struct bed bed;
    struct np_flow_step s;

    open_bed(&bed, 0, 65536);
    feed(&bed, 10);
    np_plat_tcp_shutdown_tx(bed.plat, bed.source);
    let_pass(&bed);
    s = step(&bed, 1000);
    NP_CHECK_INT(s.given, 10);
    NP_CHECK(s.source != NP_ERR_EOF); /* the bytes first */
    NP_CHECK_INT(step(&bed, 1000).source, NP_ERR_EOF);
    NP_CHECK_INT(step(&bed, 1000).source, NP_ERR_EOF);
    close_bed(&bed);
}

NP_TEST(flow, failed_ends)
{
    struct bed bed;
    struct np_flow_step s;

    open_bed(&bed, 0, 65536);
    feed(&bed, 10);
    np_plat_tcp_abort(bed.plat, bed.sink);
    let_pass(&bed);
    s = step(&bed, 1000);
    NP_CHECK_INT(s.sink, NP_ERR_RESET);
    NP_CHECK_INT(s.taken, 0); /* not lost to a dead sink */
    np_plat_tcp_abort(bed.plat, bed.source);
    let_pass(&bed);
    NP_CHECK_INT(step(&bed, 1000).sink, NP_ERR_RESET);
    close_bed(&bed);
    open_bed(&bed, 0, 65536);
    np_plat_tcp_abort(bed.plat, bed.source);
    let_pass(&bed);
    NP_CHECK_INT(step(&bed, 1000).source, NP_ERR_RESET);
    close_bed(&bed);
}

/* A full sink takes nothing from the source, and the rest follows in order once there is room. */
static void check_full_sink(uint32_t pipes)
{
    struct bed bed;
    struct np_flow_step s = {0};
    uint32_t turns = 0;

    open_bed(&bed, pipes, 65536);
    bed.flow.is_bulk = pipes > 0;
    bed.flow.run_bytes = pipes > 0 ? NP_FLOW_BULK_BYTES : 0;
    while (s.sink != NP_ERR_AGAIN && turns++ < 100) {
        feed(&bed, 30000);
        s = step(&bed, 50000);
        NP_CHECK(s.sink == NP_OK || s.sink == NP_ERR_AGAIN);
    }
    NP_CHECK_INT(s.sink, NP_ERR_AGAIN);
    NP_CHECK(pipes > 0 || bed.flow.held == 0);
    while (bed.received < bed.sent && turns++ < 1000) {
        if (drain(&bed) < 0) {
            (void)step(&bed, 50000);
        }
        let_pass(&bed);
    }
    NP_CHECK_INT(bed.received, bed.sent);
    NP_CHECK_INT(bed.flow.held, 0);
    close_bed(&bed);
}

NP_TEST(flow, full_sink_by_copy)
{
    check_full_sink(0);
}

NP_TEST(flow, full_sink_by_splice)
{
    check_full_sink(4);
}

/* Feeds pieces of `len`, takes all at the far end. Returns if the flow ended up in splice. */
static bool run(struct bed *bed, uint32_t pieces, uint32_t len)
{
    for (uint32_t i = 0; i < pieces; i++) {
        feed(bed, len);
        while (step(bed, NP_FLOW_TURN_BYTES).given > 0) {
        }
        let_pass(bed);
        while (drain(bed) > 0) {
        }
    }
    NP_CHECK_INT(bed->received, bed->sent);
    return bed->flow.is_bulk;
}

NP_TEST(flow, splices_only_what_moves_in_bulk)
{
    struct bed bed;

    open_bed(&bed, 4, 65536);
    NP_CHECK(!run(&bed, 500, 1400)); /* many bytes, but thin */
    NP_CHECK(!run(&bed, 20, 40000)); /* large pieces, but dry after each */
    NP_CHECK(run(&bed, 20, 65536));  /* large pieces */
    NP_CHECK(run(&bed, 1, 1000));    /* one thin piece is forgiven */
    NP_CHECK(!run(&bed, 100, 1000)); /* thin for long: back to copying */
    NP_CHECK(run(&bed, 20, 65536));
    close_bed(&bed);
    open_bed(&bed, 0, 65536); /* no splice here: bytes still move */
    (void)run(&bed, 30, 65536);
    close_bed(&bed);
    open_bed(&bed, 4, 700); /* a platform that shows little at a time */
    NP_CHECK(!run(&bed, 20, 65536));
    close_bed(&bed);
}

/* Pipes gone to others: peek and send take over, nothing is lost. */
NP_TEST(flow, no_pipe_left)
{
    struct bed bed;

    open_bed(&bed, 4, 65536);
    NP_CHECK(run(&bed, 20, 65536));
    np_sim_host_config(bed.plat)->splice_pipes = 0;
    (void)run(&bed, 10, 65536);
    np_sim_host_config(bed.plat)->splice_pipes = 4;
    (void)run(&bed, 10, 65536);
    close_bed(&bed);
}
