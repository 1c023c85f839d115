/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of RFC 8448's traces, played by ours: it is given the trace's hello and key, and must
 * then read every record of the server and write the trace's own. (The certificate of the traces is
 * below our minimum; the test verifier takes the signature as it is.) */
#include <string.h>

#include "core/tls/hs.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tables/rfc8448.h"
#include "tests/unit/tls_hex.h"
#include "tests/unit/tls_pair.h"

static enum np_tls_reason take_signature(void *mem, uint16_t scheme, const uint8_t *content,
                                         uint32_t content_len, const uint8_t *sig, uint32_t sig_len)
{
    (void)mem;
    (void)content;
    (void)sig;
    NP_CHECK_INT(scheme, NP_TLS_RSA_PSS_SHA256);
    NP_CHECK_INT(content_len, 64 + 34 + 32);
    NP_CHECK_INT(sig_len, 128);
    return NP_TLS_FINE;
}

static struct np_tls_verify_ops ops;
static struct np_tls_trust trust = {&ops, NULL};

/* Our client as if it had sent the trace's hello with this key. */
static struct tls_end *trace_client(struct tls_pair *pair, const char *record, uint16_t group,
                                    const uint8_t *private_key)
{
    struct tls_end *end = &pair->client;
    uint8_t hello[1024];
    uint32_t len = tls_hex(hello, sizeof(hello), record);

    ops = *pair->trust.ops;
    ops.check_signature = take_signature;
    trust.policy = pair;
    end->config.trust = &trust;
    end->config.record_limit = 16385;
    tls_pair_start(pair);
    tls_end_flush(end, TLS_PAIR_CAP);
    end->out_len = 0;
    np_tls_transcript_init(&end->hs.transcript);
    np_tls_transcript_append(&end->hs.transcript, hello + 5, len - 5);
    memcpy(end->hs.random, hello + 11, 32);
    end->hs.session_id_len = hello[43];
    memcpy(end->hs.session_id, hello + 44, hello[43]);
    end->hs.group = group;
    memcpy(end->hs.private_key, private_key, 32);
    return end;
}

static void give(struct tls_end *end, const char *record)
{
    uint8_t bytes[2048];
    uint32_t len = tls_hex(bytes, sizeof(bytes), record);

    tls_end_receive(end, bytes, len);
    NP_CHECK_INT(np_tls_reason(&end->tls), NP_TLS_FINE);
}

static void expect(struct tls_end *end, const char *record)
{
    uint8_t bytes[2048];
    uint32_t len = tls_hex(bytes, sizeof(bytes), record);

    tls_end_flush(end, TLS_PAIR_CAP);
    NP_CHECK_INT(end->out_len, len);
    NP_CHECK_MEM(end->out, bytes, len);
    end->out_len = 0;
}

NP_TEST(tls_rfc8448, section_3_simple)
{
    uint8_t key[32], data[50];
    struct tls_end *end;

    tls_hex(key, sizeof(key), rtt1_client_private);
    end = trace_client(tls_pair_init(1), rtt1_client_hello, NP_TLS_X25519, key);
    give(end, rtt1_server_hello);
    give(end, rtt1_server_flight);
    expect(end, rtt1_client_finished);
    NP_CHECK(np_tls_is_open(&end->tls));
    np_tls_detach(&end->tls);
    give(end, rtt1_ticket);
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)i;
    }
    tls_end_send(end, data, sizeof(data), 0);
    expect(end, rtt1_client_data);
    give(end, rtt1_server_data);
    NP_CHECK_INT(end->data_len, sizeof(data));
    NP_CHECK_MEM(end->data, data, sizeof(data));
    np_tls_close_write(&end->tls);
    expect(end, rtt1_client_close);
    give(end, rtt1_server_close);
    NP_CHECK_INT(end->last, NP_TLS_EOF);
}

/* Section 5: a cookie and another group; our second hello is replaced by the trace's. */
NP_TEST(tls_rfc8448, section_5_hello_retry_request)
{
    struct tls_pair *pair = tls_pair_init(2);
    uint8_t pool[96], hello[1024], request[512];
    uint32_t hello_len = tls_hex(hello, sizeof(hello), hrr_client_hello2);
    uint32_t request_len = tls_hex(request, sizeof(request), hrr_request);
    uint8_t first[512];
    uint32_t first_len = tls_hex(first, sizeof(first), hrr_client_hello);
    struct tls_end *end;

    tls_hex(pool, sizeof(pool), hrr_client_pool);
    end = trace_client(pair, hrr_client_hello, NP_TLS_X25519, pool + 32);
    give(end, hrr_request);
    NP_CHECK(end->hs.has_hrr);
    NP_CHECK_INT(end->hs.group, NP_TLS_SECP256R1);
    tls_end_flush(end, TLS_PAIR_CAP);
    end->out_len = 0;
    np_tls_transcript_init(&end->hs.transcript);
    np_tls_transcript_append(&end->hs.transcript, first + 5, first_len - 5);
    np_tls_transcript_retry(&end->hs.transcript, NP_TLS_SHA256);
    np_tls_transcript_append(&end->hs.transcript, request + 5, request_len - 5);
    np_tls_transcript_append(&end->hs.transcript, hello + 5, hello_len - 5);
    memcpy(end->hs.private_key, pool + 64, 32);
    give(end, hrr_server_hello);
    give(end, hrr_server_flight);
    expect(end, hrr_client_finished);
    np_tls_close_write(&end->tls);
    expect(end, hrr_client_close);
    give(end, hrr_server_close);
}

/* Section 7: session id and CCS on both sides. */
NP_TEST(tls_rfc8448, section_7_middlebox_compatibility)
{
    struct tls_pair *pair = tls_pair_init(3);
    uint8_t pool[96];
    struct tls_end *end;

    tls_hex(pool, sizeof(pool), compat_client_pool);
    end = trace_client(pair, compat_client_hello, NP_TLS_X25519, pool + 64);
    NP_CHECK_INT(end->hs.session_id_len, 32);
    give(end, compat_server_hello);
    give(end, compat_server_flight);
    expect(end, compat_client_finished);
    np_tls_close_write(&end->tls);
    expect(end, compat_client_close);
    give(end, compat_server_close);
}

/* The traces' hellos are good enough for our server. */
NP_TEST(tls_rfc8448, hellos_are_answered)
{
    static const char *const hellos[] = {rtt1_client_hello, hrr_client_hello, compat_client_hello,
                                         res_client_hello};

    for (uint32_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        struct tls_pair *pair = tls_pair_init(4);
        np_test_context("hello %u", i);
        tls_pair_start(pair);
        give(&pair->server, hellos[i]);
        tls_end_flush(&pair->server, TLS_PAIR_CAP);
        NP_CHECK(pair->server.out_len > 1000);
        NP_CHECK_INT(pair->server.hs.group, NP_TLS_X25519);
    }
}
