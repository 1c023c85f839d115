/* SPDX-License-Identifier: BSD-3-Clause */
/* tlspipe: one TLS 1.3 connection through our engine over a socket, either role, for tests against
 * other implementations.
 *
 *   tlspipe -c PORT [options]      connects to 127.0.0.1:PORT
 *   tlspipe -s PORT [options]      listens there; serves --count connections, one after the other
 *
 * What is sent: stdin (default), --source BYTES of a pattern, or --echo (what was received).
 * What is received: stdout (default) or --sink BYTES (must be that pattern, in full).
 * Ends when both directions ended. Our direction ends with what is sent, or with --close-last when
 * the sink is full as well (for peers that know no half close).
 * A line on stderr tells what was negotiated and how it ended; exit 0 if fine. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/built.h"
#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/key_pair.h"
#include "core/tls/tls.h"
#include "core/tls/verify.h"

#define RX_CAP (4u * NP_TLS_RECORD_MAX)
#define TX_CAP (2u * NP_TLS_RECORD_MAX)
#define ECHO_FULL (TX_CAP - NP_TLS_PLAIN_MAX)
#define FILE_CAP (1u << 20)
#define ROOTS_CAP 512
#define WAIT_MS 45000
#define NOT_SET UINT64_MAX

static struct {
    bool is_server, is_echo, close_last, is_portable, update_ask;
    uint16_t port;
    uint64_t source, sink;
    uint32_t chunk, pad, update_every, count, psk_modes, psk_hash;
    const char *cert, *key, *ca, *pin, *psk_id;
} options = {.chunk = NP_TLS_PLAIN_MAX,
             .count = 1,
             .source = NOT_SET,
             .sink = NOT_SET,
             .psk_modes = NP_TLS_PSK_DHE_KE,
             .psk_id = "Client_identity"};

static struct np_tls_config config;
static struct np_tls_engines engines;
static struct np_key_pair pair;
static struct np_tls_psk psk;
static uint8_t psk_key[64], pin[32];
static struct np_verify_policy policy;
static struct np_verify_report report;
static struct np_roots roots;
static struct np_root_entry root_entries[ROOTS_CAP];
static struct np_roots_text roots_text;
static struct np_tls_trust trust = {&np_verify_ops, &policy};

/* One connection. */
static struct {
    struct np_tls tls;
    struct np_tls_hs hs;
    int fd;
    uint8_t rx[RX_CAP], tx[TX_CAP], echo[TX_CAP];
    uint32_t rx_len, tx_len, tx_used, echo_len;
    uint64_t sent, received, records;
    bool is_source_done, is_eof, is_fin_sent, is_named, is_sink_bad;
    bool is_stalled; /* records wait for room in the echo */
} conn;

static void die(const char *what)
{
    fprintf(stderr, "tlspipe: %s\n", what);
    exit(2);
}

static enum np_err entropy(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? NP_OK : NP_ERR_IO;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

/* Byte of the pattern at a place: a period of 251 meets no power of two. */
static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at % 251 + 1);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static char *load(const char *path, uint32_t *len)
{
    FILE *file = fopen(path, "r");
    char *text = malloc(FILE_CAP);

    if (file == NULL || text == NULL) {
        die(path);
    }
    *len = (uint32_t)fread(text, 1, FILE_CAP, file);
    fclose(file);
    return text;
}

static uint32_t parse_hex(const char *hex, uint8_t *out, uint32_t cap)
{
    uint32_t len = 0;

    for (; hex[0] != '\0' && hex[1] != '\0' && len < cap; hex += 2) {
        unsigned value;
        if (sscanf(hex, "%2x", &value) != 1) {
            die("not hex");
        }
        out[len++] = (uint8_t)value;
    }
    return len;
}

static void parse_list(const char *text, uint16_t *list, uint32_t cap)
{
    for (uint32_t i = 0; i < cap && text != NULL && *text != '\0'; i++) {
        list[i] = (uint16_t)strtoul(text, NULL, 16);
        text = strchr(text, ',');
        text = text != NULL ? text + 1 : NULL;
    }
}

static void setup_server(void)
{
    struct np_key_fault fault = {false, ""};
    uint32_t chain_len, key_len;
    enum np_err err;

    if (options.cert == NULL) {
        if (config.psk_count == 0) {
            err = np_key_pair_make(&pair, "tlspipe", time(NULL), &config.random);
            if (err != NP_OK) {
                die("no self-signed certificate");
            }
            config.cred = &pair.cred;
        }
        return;
    }
    char *chain = load(options.cert, &chain_len);
    char *key = load(options.key, &key_len);
    err = np_key_pair_load(&pair, chain, chain_len, key, key_len, &config.random, &fault);
    if (err != NP_OK) {
        die(fault.text);
    }
    config.cred = &pair.cred;
    free(chain);
    free(key);
}

static void setup_client(void)
{
    uint32_t len;

    policy.wall_s = wall_s;
    policy.floor_s = np_built_s;
    policy.report = &report;
    if (options.pin != NULL && parse_hex(options.pin, pin, sizeof(pin)) == sizeof(pin)) {
        policy.pin = pin;
    }
    if (options.ca != NULL) {
        roots_text.text = load(options.ca, &len);
        roots_text.len = len;
        roots = (struct np_roots){.read = np_roots_read_text,
                                  .ctx = &roots_text,
                                  .entries = root_entries,
                                  .cap = ROOTS_CAP};
        if (np_roots_index(&roots) != NP_OK) {
            die("no usable root in --ca");
        }
        policy.roots = &roots;
    }
    if (config.psk_count == 0) {
        config.trust = &trust;
    }
}

/* Options with their kind: f(lag), n(umber of 32 bits), l(ong number), w(ord of 16 bits), s(tring),
 * list of S(uites) or G(roups), h(ex key). */
static const struct {
    const char *name;
    char kind;
    void *target;
} table[] = {
    {"suites", 'S', config.suites},
    {"groups", 'G', config.groups},
    {"limit", 'w', &config.record_limit},
    {"no-compat", 'f', &config.has_no_compat},
    {"cert", 's', &options.cert},
    {"key", 's', &options.key},
    {"ca", 's', &options.ca},
    {"pin", 's', &options.pin},
    {"name", 's', &config.verify_name},
    {"psk", 'h', psk_key},
    {"psk-id", 's', &options.psk_id},
    {"psk-modes", 'n', &options.psk_modes},
    {"psk-hash", 'n', &options.psk_hash},
    {"source", 'l', &options.source},
    {"sink", 'l', &options.sink},
    {"echo", 'f', &options.is_echo},
    {"chunk", 'n', &options.chunk},
    {"pad", 'n', &options.pad},
    {"update-every", 'n', &options.update_every},
    {"update-ask", 'f', &options.update_ask},
    {"count", 'n', &options.count},
    {"close-last", 'f', &options.close_last},
    {"portable", 'f', &options.is_portable},
};

static void set_option(char kind, void *target, const char *value)
{
    switch (kind) {
    case 'f':
        *(bool *)target = true;
        return;
    case 'n':
        *(uint32_t *)target = (uint32_t)atoi(value);
        return;
    case 'l':
        *(uint64_t *)target = strtoull(value, NULL, 10);
        return;
    case 'w':
        *(uint16_t *)target = (uint16_t)atoi(value);
        return;
    case 's':
        *(const char **)target = value;
        return;
    case 'h':
        psk.key_len = (uint16_t)parse_hex(value, target, sizeof(psk_key));
        return;
    default:
        parse_list(value, target, kind == 'S' ? NP_TLS_SUITES : NP_TLS_GROUPS);
    }
}

static void parse_options(int argc, char **argv)
{
    enum { COUNT = sizeof(table) / sizeof(table[0]) };
    struct option longs[COUNT + 1] = {{0}};
    int option;

    for (int i = 0; i < COUNT; i++) {
        longs[i] = (struct option){table[i].name, table[i].kind != 'f', NULL, 256 + i};
    }
    while ((option = getopt_long(argc, argv, "c:s:", longs, NULL)) != -1) {
        if (option >= 256) {
            set_option(table[option - 256].kind, table[option - 256].target, optarg);
        } else if (option == 'c' || option == 's') {
            options.is_server = option == 's';
            options.port = (uint16_t)atoi(optarg);
        } else {
            exit(2);
        }
    }
    if (options.port == 0) {
        die("-c PORT or -s PORT");
    }
}

static void setup_common(void)
{
    config.random = (struct np_tls_random){entropy, NULL};
    config.engines = &engines;
    config.server_name = config.verify_name;
    if (psk.key_len > 0) {
        psk.key = psk_key;
        psk.identity = (const uint8_t *)options.psk_id;
        psk.identity_len = (uint16_t)strlen(options.psk_id);
        psk.hash = options.psk_hash == 384 ? NP_TLS_SHA384 : NP_TLS_SHA256;
        config.psks = &psk;
        config.psk_count = 1;
        config.psk_modes = (uint8_t)options.psk_modes;
    }
    (options.is_portable ? np_tls_engines_portable : np_tls_engines_init)(&engines);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void name_it(void)
{
    if (conn.is_named || !np_tls_is_open(&conn.tls)) {
        return;
    }
    conn.is_named = true;
    fprintf(stderr, "open %s group=%04x psk=%u hrr=%d\n", np_tls_suite_name(&conn.tls),
            conn.hs.has_dhe || conn.hs.psk == 0 ? conn.hs.group : 0, conn.hs.psk, conn.hs.has_hrr);
    np_tls_detach(&conn.tls);
}

static void write_out(const uint8_t *data, uint32_t len)
{
    while (len > 0) {
        ssize_t done = write(STDOUT_FILENO, data, len);
        if (done <= 0) {
            die("stdout");
        }
        data += done;
        len -= (uint32_t)done;
    }
}

static void take_data(const uint8_t *data, uint32_t len)
{
    if (options.is_echo) {
        memcpy(conn.echo + conn.echo_len, data, len);
        conn.echo_len += len;
    } else if ((options.sink != NOT_SET)) {
        for (uint32_t i = 0; i < len; i++) {
            conn.is_sink_bad |= data[i] != pattern(conn.received + i);
        }
    } else {
        write_out(data, len);
    }
    conn.received += len;
}

/* Uses whole records, as long as the echo has room. */
static void use_rx(void)
{
    uint32_t used = 0;

    conn.is_stalled = true;
    while (conn.echo_len <= ECHO_FULL) {
        struct np_tls_input input = np_tls_recv(&conn.tls, conn.rx + used, conn.rx_len - used);

        if (input.event == NP_TLS_RECEIVED) {
            take_data(input.data, input.len);
        }
        used += input.used;
        if (input.event != NP_TLS_RECEIVED && input.event != NP_TLS_MORE) {
            conn.is_eof |= input.event == NP_TLS_EOF;
            conn.is_stalled = false;
            break;
        }
        name_it();
    }
    conn.rx_len -= used;
    memmove(conn.rx, conn.rx + used, conn.rx_len);
}

/* Payload for the next record at `dst`; 0 when there is none now. */
static uint32_t take_source(uint8_t *dst, uint32_t cap)
{
    uint32_t len = 0;

    if (options.is_echo) {
        len = conn.echo_len < cap ? conn.echo_len : cap;
        memcpy(dst, conn.echo, len);
        conn.echo_len -= len;
        memmove(conn.echo, conn.echo + len, conn.echo_len);
        conn.is_source_done = conn.echo_len == 0 && conn.is_eof;
    } else if ((options.source != NOT_SET)) {
        uint64_t left = options.source - conn.sent;
        len = left < cap ? (uint32_t)left : cap;
        for (uint32_t i = 0; i < len; i++) {
            dst[i] = pattern(conn.sent + i);
        }
        conn.is_source_done = conn.sent + len == options.source;
    } else {
        struct pollfd in = {STDIN_FILENO, POLLIN, 0};
        if (poll(&in, 1, 0) > 0) {
            ssize_t got = read(STDIN_FILENO, dst, cap);
            conn.is_source_done = got <= 0;
            len = got > 0 ? (uint32_t)got : 0;
        }
    }
    return len;
}

static void seal_source(void)
{
    uint8_t *rec = conn.tx + conn.tx_len;
    uint32_t cap = np_tls_seal_max(&conn.tls), pad = options.pad, len;
    int32_t sealed;

    cap = cap < options.chunk ? cap : options.chunk;
    pad = pad < np_tls_seal_max(&conn.tls) - cap ? pad : np_tls_seal_max(&conn.tls) - cap;
    len = take_source(rec + NP_TLS_HEADER_LEN, cap);
    if (len > 0) {
        sealed = np_tls_seal(&conn.tls, rec, len, pad);
        if (sealed <= 0) {
            die("seal");
        }
        conn.tx_len += (uint32_t)sealed;
        conn.sent += len;
        if (options.update_every > 0 && ++conn.records % options.update_every == 0) {
            np_tls_key_update(&conn.tls, options.update_ask);
        }
    }
}

static void fill_tx(void)
{
    if (conn.tx_len > 0) {
        return;
    }
    conn.tx_used = 0;
    while (TX_CAP - conn.tx_len > NP_TLS_RECORD_MAX) {
        uint32_t before = conn.tx_len;

        conn.tx_len += np_tls_pending(&conn.tls, conn.tx + conn.tx_len, TX_CAP - conn.tx_len);
        name_it();
        if (np_tls_is_open(&conn.tls) && !conn.is_source_done &&
            TX_CAP - conn.tx_len > NP_TLS_RECORD_MAX) {
            seal_source();
            conn.tx_len += np_tls_pending(&conn.tls, conn.tx + conn.tx_len, TX_CAP - conn.tx_len);
        }
        if (conn.is_source_done &&
            (!options.close_last || conn.is_eof || conn.received >= options.sink)) {
            np_tls_close_write(&conn.tls);
        }
        if (conn.tx_len == before && !np_tls_has_pending(&conn.tls)) {
            return;
        }
    }
}

static void send_tx(void)
{
    while (conn.tx_used < conn.tx_len) {
        ssize_t done =
            send(conn.fd, conn.tx + conn.tx_used, conn.tx_len - conn.tx_used, MSG_NOSIGNAL);
        if (done < 0) {
            if (errno == EAGAIN) {
                return;
            }
            conn.tx_used = conn.tx_len; /* the peer is gone: recv will tell why */
            conn.is_source_done = true;
            break;
        }
        conn.tx_used += (uint32_t)done;
    }
    conn.tx_len = 0;
    if (np_tls_is_write_closed(&conn.tls) && !conn.is_fin_sent) {
        conn.is_fin_sent = true;
        shutdown(conn.fd, SHUT_WR);
    }
}

/* False when the stream ended. */
static bool receive(void)
{
    ssize_t got = recv(conn.fd, conn.rx + conn.rx_len, RX_CAP - conn.rx_len, 0);

    if (got < 0 && errno == EAGAIN) {
        return true;
    }
    if (got <= 0) {
        use_rx();
        np_tls_recv_end(&conn.tls, conn.rx_len);
        conn.is_eof = true;
        return false;
    }
    conn.rx_len += (uint32_t)got;
    return true;
}

static bool is_over(void)
{
    if (np_tls_reason(&conn.tls) != NP_TLS_FINE) {
        return conn.tx_len == 0 && !np_tls_has_pending(&conn.tls);
    }
    return conn.is_eof && np_tls_is_write_closed(&conn.tls) && conn.tx_len == 0;
}

static int finish(void)
{
    bool is_fine = np_tls_reason(&conn.tls) == NP_TLS_FINE;
    char text[128];

    np_tls_describe(&conn.tls, text, sizeof(text));
    if (is_fine && options.sink != NOT_SET && (conn.is_sink_bad || conn.received != options.sink)) {
        is_fine = false;
        snprintf(text, sizeof(text), "wrong bytes received");
    }
    fprintf(stderr, "%s: %s; sent %llu received %llu%s%s%s\n", is_fine ? "closed" : "failed", text,
            (unsigned long long)conn.sent, (unsigned long long)conn.received,
            np_tls_is_truncated(&conn.tls) ? "; no close_notify" : "",
            report.text[0] != '\0' ? "; " : "", report.text);
    np_tls_deinit(&conn.tls);
    return is_fine ? 0 : 1;
}

/* Waits until the socket or stdin can do what is wanted. True if the socket can be read. */
static bool wait_for_more(bool is_up)
{
    bool is_open = np_tls_is_open(&conn.tls), has_source = options.source != NOT_SET;
    bool wants_stdin =
        is_open && !options.is_echo && !has_source && !conn.is_source_done && conn.tx_len == 0;
    bool wants_send = conn.tx_len > 0 || np_tls_has_pending(&conn.tls) || conn.echo_len > 0 ||
                      (is_open && has_source && !conn.is_source_done);
    bool wants_recv = is_up && conn.rx_len < RX_CAP;
    struct pollfd fds[2] = {{wants_recv || wants_send ? conn.fd : -1,
                             (short)((wants_recv ? POLLIN : 0) | (wants_send ? POLLOUT : 0)), 0},
                            {wants_stdin ? STDIN_FILENO : -1, POLLIN, 0}};

    if (poll(fds, 2, WAIT_MS) <= 0) {
        fprintf(stderr, "sent %llu received %llu, %u to send, %u not used\n",
                (unsigned long long)conn.sent, (unsigned long long)conn.received,
                conn.tx_len - conn.tx_used, conn.rx_len);
        die("nothing moved for too long");
    }
    return wants_recv && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

static int run(int fd)
{
    bool is_up = true;

    memset(&conn, 0, sizeof(conn));
    conn.fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (np_tls_start(&conn.tls, options.is_server ? NP_TLS_SERVER : NP_TLS_CLIENT, &config,
                     &conn.hs) != NP_OK) {
        die("np_tls_start");
    }
    for (;;) {
        use_rx();
        fill_tx();
        send_tx();
        if (is_over()) {
            return finish();
        }
        if (conn.is_stalled && conn.echo_len <= ECHO_FULL) {
            continue;
        }
        if (wait_for_more(is_up)) {
            is_up = receive();
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0), result = 0;

    signal(SIGPIPE, SIG_IGN);
    parse_options(argc, argv);
    setup_common();
    addr.sin_port = htons(options.port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!options.is_server) {
        setup_client();
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
            die("connect");
        }
        return run(fd);
    }
    setup_server();
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 64) != 0) {
        die("listen");
    }
    fprintf(stderr, "listening\n");
    for (uint32_t i = 0; i < options.count; i++) {
        int one = accept(fd, NULL, NULL);
        result |= run(one);
        close(one);
    }
    return result;
}
