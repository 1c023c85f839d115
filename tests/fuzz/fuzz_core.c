/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole core on a simulated network, its peers driven by the input: bytes on control and pool
 * connections (raw or XORed with the key), visitors, targets, datagrams, half closes, resets, time.
 * Whatever they do, the core keeps its contract with the platform, serves the next peer, and gives
 * everything back at its stop. Input: role, then steps of an operation, a connection and its bytes.
 */
#define _GNU_SOURCE

#include <sys/mman.h>

#include "config/settings.h"
#include "config/url.h"
#include "core/np_app.h"
#include "core/wire/dialect.h"
#include "platform/np_plat.h"
#include "platform/sim/sim.h"
#include "tests/fuzz/fuzz.h"

#define CONNS 12u
#define STEPS 60u
#define TUNNEL_PORT 1000u
#define SERVICE_PORT 2000u
#define MEMORY_BYTES (128u << 20)

static const char *const urls[] = {
    "server://key@10.0.0.1:1000/10.0.0.1:2000?mode=1&max=8&slot=8",
    "server://key@10.0.0.1:1000/10.0.0.2:2000?mode=2&max=8&slot=8&proxy=1",
    "client://key@10.0.0.2:1000/10.0.0.2:2000?mode=2&min=4&slot=8",
    "client://key@10.0.0.1:1000/10.0.0.2:2000?mode=1&slot=8&rate=1",
};
#define ROLES (sizeof urls / sizeof urls[0])

struct bed {
    struct np_sim *sim;
    struct np_plat *ours, *peer;
    struct np_app *app;
    uint32_t listeners[2], conns[CONNS], udp;
};
static const struct np_key key = {(const uint8_t *)"key", 3};

static void step_ours(void *context)
{
    struct bed *bed = context;
    struct np_event event;

    if (bed->app == NULL || np_app_is_stopped(bed->app)) {
        np_plat_poll(bed->ours, &event, 1, UINT32_MAX);
        return;
    }
    FUZZ_CHECK(np_app_step(bed->app, 60000) == NP_OK);
}

static void step_peer(void *context)
{
    struct bed *bed = context;
    struct np_event events[16];
    int32_t count = np_plat_poll(bed->peer, events, 16, UINT32_MAX);

    for (int32_t i = 0; i < count; i++) { /* without interest, only failures are told */
        np_plat_tcp_abort(bed->peer, events[i].handle);
    }
}

static void take_line(void *context, uint32_t level, const char *line, uint32_t len)
{
    (void)context;
    (void)level;
    FUZZ_CHECK(len > 0 && memchr(line, '\n', len) == line + len - 1);
}

static void let_pass(struct bed *bed, uint32_t ms)
{
    np_sim_run(bed->sim, np_sim_now_us(bed->sim) + ms * UINT64_C(1000));
    if (np_sim_failure(bed->sim) != NULL) {
        fprintf(stderr, "simulation: %s\n", np_sim_failure(bed->sim));
        abort();
    }
}

static struct np_plat *open_host(struct bed *bed, uint8_t last, void (*step)(void *context))
{
    struct np_sim_host host;
    struct np_addr ip = np_sim_ip4(10, 0, 0, last, 0);
    struct np_plat *plat;

    np_sim_host_defaults(&host);
    host.name = last == 1 ? "ours" : "peer";
    host.splice_pipes = 2;
    host.step = step;
    host.log = take_line;
    host.context = bed;
    plat = np_sim_host_open(bed->sim, &host);
    FUZZ_CHECK(plat != NULL);
    np_sim_host_addr(plat, &ip);
    return plat;
}

static void open_bed(struct bed *bed, uint32_t role)
{
    static struct np_settings settings;
    static struct np_tuning tuning;
    static uint8_t *memory;
    const struct np_settings *list[1] = {&settings};
    struct np_report report = {.line = NULL};
    struct np_app_needs needs;

    np_sim_reset(bed->sim, 1);
    bed->app = NULL;
    bed->ours = open_host(bed, 1, step_ours);
    bed->peer = open_host(bed, 2, step_peer);
    memset(bed->conns, 0, sizeof bed->conns);
    for (uint32_t i = 0; i < 2; i++) {
        struct np_addr at = np_sim_ip4(10, 0, 0, 2, i == 0 ? TUNNEL_PORT : SERVICE_PORT);
        FUZZ_CHECK(np_plat_tcp_listen(bed->peer, &at, 0, &bed->listeners[i]) == NP_OK);
    }
    struct np_addr at = np_sim_ip4(10, 0, 0, 2, SERVICE_PORT);
    FUZZ_CHECK(np_plat_udp_open(bed->peer, &at, NULL, 0, &bed->udp) == NP_OK);
    np_url_parse(&settings, urls[role], (uint32_t)strlen(urls[role]), &report);
    FUZZ_CHECK(report.error_count == 0);
    np_tuning_init(&tuning);
    np_app_plan(list, 1, &tuning, &needs);
    FUZZ_CHECK(needs.memory_bytes <= MEMORY_BYTES);
    if (memory == NULL) {
        memory =
            mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        FUZZ_CHECK(memory != MAP_FAILED);
    }
    madvise(memory, MEMORY_BYTES,
            MADV_DONTNEED); /* zeros again; what is not touched costs nothing */
    bed->app = np_app_init(bed->ours, memory, needs.memory_bytes, list, 1, &tuning, false);
    FUZZ_CHECK(bed->app != NULL);
    let_pass(bed, 10);
}

/* ---- what a peer can do ---------------------------------------------------------------------- */

static void connect_to(struct bed *bed, uint32_t at, uint16_t port)
{
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, port);

    np_plat_tcp_abort(bed->peer, bed->conns[at]);
    if (np_plat_tcp_connect(bed->peer, NULL, &to, 0, &bed->conns[at]) != NP_OK) {
        bed->conns[at] = NP_HANDLE_NONE;
    }
}

static void accept_from(struct bed *bed, uint32_t at, uint32_t listener)
{
    struct np_addr peer;

    np_plat_tcp_abort(bed->peer, bed->conns[at]);
    if (np_plat_tcp_accept(bed->peer, bed->listeners[listener], 0, &bed->conns[at], &peer) !=
        NP_OK) {
        bed->conns[at] = NP_HANDLE_NONE;
    }
}

/* Sends up to 255 bytes; XORed as a line, they reach the parsers behind the key. */
static void send_bytes(struct bed *bed, uint32_t at, struct fuzz_input *in, bool is_line)
{
    uint8_t buf[257];
    uint32_t len = fuzz_byte(in);

    for (uint32_t i = 0; i < len; i++) {
        buf[i] = fuzz_byte(in) ^ (is_line ? key.bytes[i % key.len] : 0);
    }
    if (is_line) {
        buf[len++] = '\n';
    }
    if (len > 0) {
        (void)np_plat_tcp_send(bed->peer, bed->conns[at], buf, len);
    }
}

static void send_hello(struct bed *bed, uint32_t at)
{
    uint8_t line[NP_DIALECT_LINE_CAP + 1];

    (void)np_plat_tcp_send(bed->peer, bed->conns[at], line, np_hello_encode(line, key));
}

static void send_datagram(struct bed *bed, struct fuzz_input *in)
{
    uint8_t buf[256];
    struct np_datagram item = {.base = buf, .len = fuzz_byte(in)};
    struct np_datagram got = {.base = buf, .cap = sizeof buf};

    item.addr = np_sim_ip4(10, 0, 0, 1, SERVICE_PORT);
    if (np_plat_udp_recv(bed->peer, bed->udp, &got, 1) == 1) {
        item.addr = got.addr; /* an answer, if there is something to answer */
    }
    for (uint32_t i = 0; i < item.len; i++) {
        buf[i] = fuzz_byte(in);
    }
    (void)np_plat_udp_send(bed->peer, bed->udp, &item, 1);
}

static void drain(struct bed *bed, uint32_t at)
{
    uint8_t buf[4096];

    while (np_plat_tcp_recv(bed->peer, bed->conns[at], buf, sizeof buf) > 0) {
    }
}

static void act(struct bed *bed, struct fuzz_input *in)
{
    uint8_t op = fuzz_byte(in);
    uint32_t at = op / 16u % CONNS;

    switch (op % 16u) {
    case 0:
        connect_to(bed, at, TUNNEL_PORT);
        return;
    case 1:
        connect_to(bed, at, SERVICE_PORT);
        return;
    case 2:
    case 3:
        accept_from(bed, at, op % 2u);
        return;
    case 4:
    case 5:
    case 6:
        send_bytes(bed, at, in, true);
        return;
    case 7:
        send_bytes(bed, at, in, false);
        return;
    case 8:
        send_hello(bed, at);
        return;
    case 9:
        np_plat_tcp_shutdown_tx(bed->peer, bed->conns[at]);
        return;
    case 10:
        np_plat_tcp_close(bed->peer, bed->conns[at]);
        return;
    case 11:
        np_plat_tcp_abort(bed->peer, bed->conns[at]);
        return;
    case 12:
        send_datagram(bed, in);
        return;
    case 13:
        drain(bed, at);
        return;
    default:
        let_pass(bed, op % 2u ? 10u + fuzz_byte(in) : fuzz_byte(in) * 64u);
        return;
    }
}

/* ---- what must hold afterwards --------------------------------------------------------------- */

/* True if the server answers a hello on a new connection. */
static bool is_answered(struct bed *bed)
{
    struct np_line_decoder decoder;
    struct np_answer answer;
    uint8_t buf[NP_DIALECT_LINE_CAP];
    uint32_t taken = 0;
    int32_t n;

    connect_to(bed, 0, TUNNEL_PORT);
    let_pass(bed, 20);
    send_hello(bed, 0);
    let_pass(bed, 20);
    n = np_plat_tcp_recv(bed->peer, bed->conns[0], buf, sizeof buf);
    np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
    return n > 0 && np_line_decoder_feed(&decoder, buf, (uint32_t)n, &taken) == NP_OK &&
           np_answer_parse(&answer, decoder.text, decoder.len) == NP_OK;
}

static void check_serves_next(struct bed *bed)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        np_plat_tcp_abort(bed->peer, bed->conns[i]);
    }
    for (uint32_t second = 0; second < 60; second++) {
        if (is_answered(bed)) {
            return;
        }
        np_plat_tcp_abort(bed->peer, bed->conns[0]);
        let_pass(bed, 1000);
    }
    FUZZ_CHECK(!"no answer to a good hello within a minute");
}

static void check_stop(struct bed *bed)
{
    np_app_stop(bed->app);
    np_sim_host_touch(bed->ours); /* it sleeps until a time it chose before */
    let_pass(bed, 6000);
    FUZZ_CHECK(np_app_is_stopped(bed->app));
    FUZZ_CHECK(np_app_objects_used(bed->app) == 0);
    np_app_deinit(bed->app);
    FUZZ_CHECK(np_sim_host_handles(bed->ours) == 0);
    bed->app = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed bed;
    struct fuzz_input in = {data, size};
    uint32_t role = fuzz_byte(&in) % ROLES;

    if (bed.sim == NULL) {
        bed.sim = np_sim_create();
        FUZZ_CHECK(bed.sim != NULL);
    }
    open_bed(&bed, role);
    for (uint32_t i = 0; i < STEPS && in.size > 0; i++) {
        act(&bed, &in);
        let_pass(&bed, 5);
    }
    if (role < 2) {
        check_serves_next(&bed);
    }
    check_stop(&bed);
    return 0;
}
