/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* getrandom, clock_gettime */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/key_pair.h"
#include "core/tls/tls.h"
#include "core/tls/verify.h"
#include "tests/bench/handshakes.h"

#define WIRE_CAP 8192u

struct end {
    struct np_tls tls;
    struct np_tls_hs hs;
    uint8_t in[WIRE_CAP]; /* received, not used */
    uint32_t in_len;
    uint64_t spent_ns;
};

static struct np_tls_engines engines;
static struct np_key_pair pair;
static struct np_verify_policy anybody;
static const struct np_tls_trust trust = {&np_verify_ops, &anybody};
static struct np_tls_config client_config, server_config;
static struct end client, server;

uint64_t handshake_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum np_err fill_random(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? NP_OK : NP_ERR_IO;
}

static uint32_t load(const char *path, char *text)
{
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(text, 1, NP_CHAIN_TEXT_CAP, file) : 0;

    if (file != NULL) {
        fclose(file);
    }
    return (uint32_t)len;
}

static bool open_ours(const char *crt_path, const char *key_path)
{
    static char chain[NP_CHAIN_TEXT_CAP], key[NP_CHAIN_TEXT_CAP];
    struct np_key_fault fault = {false, ""};

    np_tls_engines_init(&engines);
    client_config = (struct np_tls_config){.engines = &engines,
                                           .random = {fill_random, NULL},
                                           .suites = {NP_TLS_AES_128_GCM_SHA256},
                                           .groups = {NP_TLS_X25519},
                                           .trust = &trust};
    server_config = client_config;
    server_config.trust = NULL;
    server_config.cred = &pair.cred;
    if (np_key_pair_load(&pair, chain, load(crt_path, chain), key, load(key_path, key),
                         &server_config.random, &fault) != NP_OK) {
        fprintf(stderr, "handshakes: %s: %s\n", crt_path, fault.text);
        return false;
    }
    return true;
}

/* Takes what is there; then sends what is due to `to`. False if nothing moved. */
static bool step(struct end *end, struct end *to)
{
    uint64_t begin = handshake_clock_ns();
    uint32_t used = 0, sent = 0, len;
    struct np_tls_input input;

    do {
        input = np_tls_recv(&end->tls, end->in + used, end->in_len - used);
        used += input.used;
    } while (input.event == NP_TLS_MORE);
    end->in_len -= used;
    memmove(end->in, end->in + used, end->in_len);
    while (WIRE_CAP - to->in_len >= NP_TLS_PENDING_MIN &&
           (len = np_tls_pending(&end->tls, to->in + to->in_len, WIRE_CAP - to->in_len)) > 0) {
        to->in_len += len;
        sent += len;
    }
    end->spent_ns += handshake_clock_ns() - begin;
    return used + sent > 0;
}

static void begin(struct end *end, enum np_tls_role role, const struct np_tls_config *config)
{
    uint64_t start = handshake_clock_ns();

    end->in_len = 0;
    end->spent_ns = 0;
    (void)np_tls_start(&end->tls, role, config, &end->hs);
    end->spent_ns += handshake_clock_ns() - start;
}

static void finish(struct end *end)
{
    uint64_t start = handshake_clock_ns();

    (void)np_tls_deinit(&end->tls);
    end->spent_ns += handshake_clock_ns() - start;
}

static bool run_ours(struct handshake_cost *cost)
{
    bool is_moving = true, is_open;

    begin(&client, NP_TLS_CLIENT, &client_config);
    begin(&server, NP_TLS_SERVER, &server_config);
    while (is_moving) {
        is_moving = step(&client, &server);
        is_moving |= step(&server, &client);
    }
    is_open = np_tls_is_open(&client.tls) && np_tls_is_open(&server.tls);
    finish(&client);
    finish(&server);
    cost->client_ns += client.spent_ns;
    cost->server_ns += server.spent_ns;
    cost->count++;
    return is_open;
}

static void close_ours(void)
{
    np_key_pair_wipe(&pair);
}

const struct handshake_maker handshakes_ours = {"ours", open_ours, run_ours, close_ours};
