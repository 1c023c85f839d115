/* SPDX-License-Identifier: BSD-3-Clause */
/* Client against server: what is negotiated, every split of bytes, every altered byte. */
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_pair.h"

static const uint16_t suites[] = {NP_TLS_AES_128_GCM_SHA256, NP_TLS_AES_256_GCM_SHA384,
                                  NP_TLS_CHACHA20_POLY1305_SHA256};
static const uint16_t groups[] = {NP_TLS_X25519, NP_TLS_SECP256R1};

static void check_traffic(struct tls_pair *pair)
{
    NP_CHECK(tls_end_send(&pair->client, "hello from the client", 21, 0) > 0);
    NP_CHECK(tls_end_send(&pair->server, "and from the server", 19, 100) > 0);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(pair->server.data_len, 21);
    NP_CHECK_MEM(pair->server.data, "hello from the client", 21);
    NP_CHECK_INT(pair->client.data_len, 19);
    NP_CHECK_MEM(pair->client.data, "and from the server", 19);
}

NP_TEST(tls_handshake, every_suite_and_group)
{
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t g = 0; g < 2; g++) {
            struct tls_pair *pair = tls_pair_init(s * 2 + g);
            uint8_t fingerprint[32];

            np_test_context("suite %x group %x", suites[s], groups[g]);
            pair->client.config.suites[0] = suites[s];
            pair->client.config.groups[0] = groups[g];
            if (!tls_pair_open(pair)) {
                continue;
            }
            NP_CHECK_INT(pair->client.tls.tx.suite, suites[s]);
            NP_CHECK_INT(pair->server.tls.rx.suite, suites[s]);
            NP_CHECK_INT(pair->client.hs.group, groups[g]);
            NP_CHECK_INT(pair->cert_count, 2);
            NP_CHECK_INT(pair->chain_len, 1600);
            NP_CHECK_MEM(pair->chain_seen, pair->cred.chain[0].der, 700);
            NP_CHECK_STR(pair->name_seen, "server.example");
            NP_CHECK_INT(pair->cred.users, 1);
            NP_CHECK(np_tls_fingerprint(&pair->client.tls, fingerprint) && fingerprint[9] == 0xf1);
            NP_CHECK(!np_tls_fingerprint(&pair->server.tls, fingerprint));
            NP_CHECK(np_tls_detach(&pair->client.tls) == &pair->client.hs);
            NP_CHECK(np_tls_detach(&pair->server.tls) == &pair->server.hs);
            NP_CHECK(np_tls_detach(&pair->server.tls) == NULL);
            NP_CHECK_INT(pair->cred.users, 0);
            memset(&pair->client.hs, 0xaa, sizeof(pair->client.hs)); /* somebody else's now */
            memset(&pair->server.hs, 0xaa, sizeof(pair->server.hs));
            check_traffic(pair);
        }
    }
}

/* The client's share is of a group that the server does not have: HelloRetryRequest. */
NP_TEST(tls_handshake, hello_retry_request)
{
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t g = 0; g < 2; g++) {
            struct tls_pair *pair = tls_pair_init(s);

            np_test_context("suite %x group %x", suites[s], groups[g]);
            pair->server.config.suites[0] = suites[s];
            pair->client.config.groups[0] = groups[1 - g];
            pair->client.config.groups[1] = groups[g];
            pair->server.config.groups[0] = groups[g];
            if (tls_pair_open(pair)) {
                NP_CHECK(pair->client.hs.has_hrr && pair->server.hs.has_hrr);
                NP_CHECK_INT(pair->server.hs.group, groups[g]);
                NP_CHECK_INT(pair->cred.users, 1);
                check_traffic(pair);
            }
        }
    }
}

static void check_refused(struct tls_pair *pair, enum np_tls_reason client,
                          enum np_tls_reason server)
{
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), client);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), server);
    NP_CHECK(!np_tls_is_open(&pair->client.tls) && !np_tls_is_open(&pair->server.tls));
    NP_CHECK(np_tls_deinit(&pair->server.tls) == &pair->server.hs);
    NP_CHECK_INT(pair->cred.users, 0);
}

NP_TEST(tls_handshake, nothing_in_common)
{
    struct tls_pair *pair = tls_pair_init(1);

    pair->client.config.suites[0] = NP_TLS_AES_128_GCM_SHA256;
    pair->server.config.suites[0] = NP_TLS_AES_256_GCM_SHA384;
    check_refused(pair, NP_TLS_PEER_ALERT, NP_TLS_NO_SUITE);
    pair = tls_pair_init(2);
    pair->client.config.groups[0] = NP_TLS_X25519;
    pair->server.config.groups[0] = NP_TLS_SECP256R1;
    check_refused(pair, NP_TLS_PEER_ALERT, NP_TLS_NO_GROUP);
    NP_CHECK_INT(pair->client.tls.peer_alert, NP_TLS_ALERT_HANDSHAKE_FAILURE);
    pair = tls_pair_init(3);
    pair->cred.schemes[0] = 0x0807; /* Ed25519 */
    check_refused(pair, NP_TLS_PEER_ALERT, NP_TLS_NO_SCHEME);
}

/* What the verifier says reaches the log of one end and, as an alert, the other. */
NP_TEST(tls_handshake, chain_refused)
{
    for (int reason = NP_TLS_CERT_EMPTY; reason <= NP_TLS_CERT_NO_CLOCK; reason++) {
        struct tls_pair *pair = tls_pair_init((uint64_t)reason);

        np_test_context("reason %d", reason);
        pair->chain_verdict = (enum np_tls_reason)reason;
        check_refused(pair, (enum np_tls_reason)reason, NP_TLS_PEER_ALERT);
    }
}

NP_TEST(tls_handshake, alert_is_protected_and_named)
{
    struct tls_pair *pair = tls_pair_init(1);
    char text[96];

    pair->chain_verdict = NP_TLS_CERT_UNTRUSTED;
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_peer_alert(&pair->server.tls), NP_TLS_ALERT_UNKNOWN_CA);
    np_tls_describe(&pair->server.tls, text, sizeof(text));
    NP_CHECK_STR(text, "the peer sent alert unknown_ca (48)");
    np_tls_describe(&pair->client.tls, text, sizeof(text));
    NP_CHECK_STR(text, "the certificate is not from a trusted authority");
    NP_CHECK_INT(pair->client.tls.tx_epoch, NP_TLS_EPOCH_HANDSHAKE);
}

NP_TEST(tls_handshake, slow_signer)
{
    struct tls_pair *pair = tls_pair_init(5);

    pair->sign_delay = 3;
    tls_pair_start(pair);
    for (int i = 0; i < 6; i++) {
        tls_pair_run(pair, TLS_PAIR_CAP);
    }
    NP_CHECK_INT(pair->sign_delay, 0);
    NP_CHECK(np_tls_is_open(&pair->client.tls) && np_tls_is_open(&pair->server.tls));
}

/* Smallest room for pending: the flight leaves in many records. */
NP_TEST(tls_handshake, flight_in_small_pieces)
{
    for (uint32_t cap = NP_TLS_PENDING_MIN; cap < NP_TLS_PENDING_MIN + 64; cap++) {
        struct tls_pair *pair = tls_pair_init(cap);
        bool is_moving = true;

        np_test_context("cap %u", cap);
        tls_pair_start(pair);
        while (is_moving) {
            is_moving = false;
            for (int i = 0; i < 2; i++) {
                struct tls_end *from = i ? &pair->server : &pair->client;
                struct tls_end *to = i ? &pair->client : &pair->server;
                tls_end_flush(from, cap);
                is_moving |= from->out_len > 0;
                tls_end_receive(to, from->out, from->out_len);
                from->out_len = 0;
            }
        }
        NP_CHECK(np_tls_is_open(&pair->client.tls) && np_tls_is_open(&pair->server.tls));
    }
}

NP_TEST(tls_handshake, byte_by_byte)
{
    for (uint32_t chunk = 1; chunk < 40; chunk++) {
        struct tls_pair *pair = tls_pair_init(7);

        np_test_context("chunk %u", chunk);
        tls_pair_start(pair);
        tls_pair_run(pair, chunk);
        NP_CHECK(np_tls_is_open(&pair->client.tls) && np_tls_is_open(&pair->server.tls));
        check_traffic(pair);
    }
}

/* ---- flights as bytes: cut, altered ---------------------------------------------------------- */

/* Delivers flight number `which` (0 = hello, 1 = server's flight, 2 = client's Finished) through
 * `change`, all others as they are. Returns the flight's length. */
static uint32_t run_with(struct tls_pair *pair, int which,
                         void (*deliver)(struct tls_end *to, uint8_t *bytes, uint32_t len,
                                         uint32_t argument),
                         uint32_t argument)
{
    static uint8_t flight[TLS_PAIR_CAP];
    uint32_t length = 0;

    tls_pair_start(pair);
    for (int i = 0; i < 5; i++) {
        struct tls_end *from = i % 2 ? &pair->server : &pair->client;
        struct tls_end *to = i % 2 ? &pair->client : &pair->server;
        uint32_t len;

        tls_end_flush(from, TLS_PAIR_CAP);
        len = from->out_len;
        memcpy(flight, from->out, len);
        from->out_len = 0;
        if (i == which) {
            length = len;
            deliver(to, flight, len, argument);
        } else {
            tls_end_receive(to, flight, len);
        }
    }
    return length;
}

static void deliver_cut(struct tls_end *to, uint8_t *bytes, uint32_t len, uint32_t at)
{
    at = at < len ? at : len;
    tls_end_receive(to, bytes, at);
    tls_end_receive(to, bytes + at, len - at);
}

NP_TEST(tls_handshake, every_split)
{
    for (int which = 0; which < 3; which++) {
        uint32_t len = 1;

        for (uint32_t at = 0; at < len; at++) {
            struct tls_pair *pair = tls_pair_init(11);

            np_test_context("flight %d cut at %u", which, at);
            len = run_with(pair, which, deliver_cut, at);
            if (!NP_CHECK(np_tls_is_open(&pair->client.tls) && np_tls_is_open(&pair->server.tls))) {
                return;
            }
        }
        NP_CHECK(len > 50);
    }
}

/* Bytes of a flight that nothing protects and that say nothing: the minor version of records in the
 * clear (RFC 8446 section 5.1: ignored for all purposes). */
static bool is_free_byte(const uint8_t *bytes, uint32_t len, uint32_t at)
{
    uint32_t rec = 0;

    while (rec + 5 <= len) {
        if (at == rec + 2) {
            return bytes[rec] != NP_TLS_DATA;
        }
        rec += 5 + ((uint32_t)bytes[rec + 3] << 8 | bytes[rec + 4]);
    }
    return false;
}

static struct {
    uint8_t mask;
    bool is_free;
} alteration;

static void deliver_altered(struct tls_end *to, uint8_t *bytes, uint32_t len, uint32_t at)
{
    if (at < len) {
        alteration.is_free = is_free_byte(bytes, len, at);
        bytes[at] ^= alteration.mask;
    }
    tls_end_receive(to, bytes, len);
}

NP_TEST(tls_handshake, every_altered_byte_is_refused)
{
    static const uint8_t masks[] = {0x01, 0x80};

    for (int which = 0; which < 3; which++) {
        uint32_t len = 1;

        for (uint32_t i = 0; i < len * sizeof(masks); i++) {
            struct tls_pair *pair = tls_pair_init(13);
            bool is_open;

            alteration.mask = masks[i % sizeof(masks)];
            np_test_context("flight %d byte %u mask %x", which, i / 2, alteration.mask);
            len = run_with(pair, which, deliver_altered, i / 2);
            /* The end that got the altered flight must not be open; a client that has sent its
             * Finished cannot know of what happens to it. */
            is_open = np_tls_is_open(which == 1 ? &pair->client.tls : &pair->server.tls) ||
                      (which == 0 && np_tls_is_open(&pair->client.tls));
            if (!NP_CHECK_INT(is_open, alteration.is_free)) {
                return;
            }
        }
        NP_CHECK(len > 50);
    }
}

/* A flight cut off is not open, and the end of the stream says so. */
static void deliver_part(struct tls_end *to, uint8_t *bytes, uint32_t len, uint32_t at)
{
    tls_end_receive(to, bytes, at < len ? at : len);
    NP_CHECK_INT(np_tls_recv_end(&to->tls, to->in_len), NP_TLS_ERROR);
    NP_CHECK_INT(np_tls_reason(&to->tls), NP_TLS_TRUNCATED);
}

NP_TEST(tls_handshake, every_truncation)
{
    for (int which = 0; which < 3; which++) {
        uint32_t len = 1;

        for (uint32_t at = 0; at < len; at += 3) {
            struct tls_pair *pair = tls_pair_init(17);

            np_test_context("flight %d of %u bytes cut off at %u", which, len, at);
            len = run_with(pair, which, deliver_part, at);
            NP_CHECK(!np_tls_is_open(which == 1 ? &pair->client.tls : &pair->server.tls));
        }
    }
}
