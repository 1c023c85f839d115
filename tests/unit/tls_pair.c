/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/tls_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tls/schedule.h"
#include "tests/unit/np_test.h"

static struct tls_pair shared;

static const uint8_t leaf[700] = {0x30, 0x82, 1, 2, 3}, issuer[900] = {0x30, 0x82, 9, 9, 9};
static const struct np_tls_der chain[] = {{leaf, sizeof(leaf)}, {issuer, sizeof(issuer)}};
static const uint8_t psk_key[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static enum np_err test_random(void *ctx, uint8_t *buf, uint32_t len)
{
    uint64_t *seed = ctx;

    for (uint32_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(np_test_random(seed) >> 40);
    }
    return NP_OK;
}

/* ---- the credential -------------------------------------------------------------------------- */

static void sign_content(uint16_t scheme, const uint8_t *content, uint32_t len, uint8_t out[32])
{
    uint8_t key[2] = {(uint8_t)(scheme >> 8), (uint8_t)scheme};

    np_tls_hmac(NP_TLS_SHA256, key, sizeof(key), content, len, out);
}

static int32_t test_sign(const struct np_tls_cred *cred, uint16_t scheme, const uint8_t *content,
                         uint32_t content_len, const struct np_tls_random *random, uint8_t *sig,
                         uint32_t cap)
{
    (void)random;
    if (cred->key != &shared || cap < 32) {
        return NP_ERR_INVALID;
    }
    if (shared.sign_delay > 0) {
        shared.sign_delay--;
        return NP_ERR_AGAIN;
    }
    sign_content(scheme, content, content_len, sig);
    return 32;
}

static void test_begin(void *mem, const void *policy, const char *name)
{
    struct tls_pair *pair = (struct tls_pair *)policy;

    memset(mem, 0xee, NP_TLS_VERIFY_BYTES); /* all of it is the verifier's */
    pair->chain_len = 0;
    pair->cert_count = 0;
    snprintf(pair->name_seen, sizeof(pair->name_seen), "%s", name != NULL ? name : "(none)");
}

static void test_cert(void *mem, uint32_t der_len)
{
    (void)mem;
    (void)der_len;
    shared.cert_count++;
}

static void test_append(void *mem, const uint8_t *der, uint32_t len)
{
    (void)mem;
    if (len <= sizeof(shared.chain_seen) - shared.chain_len) {
        memcpy(shared.chain_seen + shared.chain_len, der, len);
        shared.chain_len += len;
    }
}

static void test_cert_end(void *mem)
{
    (void)mem;
}

static enum np_tls_reason test_end(void *mem)
{
    (void)mem;
    return shared.chain_verdict;
}

static enum np_tls_reason test_check(void *mem, uint16_t scheme, const uint8_t *content,
                                     uint32_t content_len, const uint8_t *sig, uint32_t sig_len)
{
    uint8_t expected[32];

    (void)mem;
    sign_content(scheme, content, content_len, expected);
    return sig_len == 32 && memcmp(sig, expected, 32) == 0 ? NP_TLS_FINE : NP_TLS_CERT_SIGNATURE;
}

static void test_fingerprint(const void *mem, uint8_t out[NP_TLS_FINGERPRINT_LEN])
{
    (void)mem;
    memset(out, 0xf1, NP_TLS_FINGERPRINT_LEN);
}

static const struct np_tls_verify_ops test_ops = {
    test_begin, test_cert, test_append, test_cert_end, test_end, test_check, test_fingerprint,
};

/* ---- both ends ------------------------------------------------------------------------------- */

struct tls_pair *tls_pair_init(uint64_t seed)
{
    struct tls_pair *pair = &shared;

    memset(pair, 0, sizeof(*pair));
    np_tls_engines_init(&pair->engines);
    pair->cred =
        (struct np_tls_cred){chain, 2, {NP_TLS_ECDSA_P256_SHA256, 0, 0, 0}, test_sign, pair, 0};
    pair->trust = (struct np_tls_trust){&test_ops, pair};
    pair->psk = (struct np_tls_psk){(const uint8_t *)"Client_identity", psk_key, 15,
                                    sizeof(psk_key), NP_TLS_SHA256};
    pair->client.seed = seed * 2 + 1;
    pair->server.seed = seed * 2 + 2;
    pair->client.config.engines = &pair->engines;
    pair->client.config.random = (struct np_tls_random){test_random, &pair->client.seed};
    pair->client.config.trust = &pair->trust;
    pair->client.config.server_name = "server.example";
    pair->client.config.verify_name = "server.example";
    pair->server.config.engines = &pair->engines;
    pair->server.config.random = (struct np_tls_random){test_random, &pair->server.seed};
    pair->server.config.cred = &pair->cred;
    return pair;
}

void tls_pair_start(struct tls_pair *pair)
{
    struct tls_end *client = &pair->client, *server = &pair->server;

    memset(&client->hs, 0xaa, sizeof(client->hs)); /* any content will do */
    memset(&server->hs, 0x55, sizeof(server->hs));
    NP_CHECK_INT(np_tls_start(&client->tls, NP_TLS_CLIENT, &client->config, &client->hs), NP_OK);
    NP_CHECK_INT(np_tls_start(&server->tls, NP_TLS_SERVER, &server->config, &server->hs), NP_OK);
}

void tls_end_flush(struct tls_end *end, uint32_t cap)
{
    for (;;) {
        uint32_t room = TLS_PAIR_CAP - end->out_len, len;

        len = np_tls_pending(&end->tls, end->out + end->out_len, cap < room ? cap : room);
        if (len > cap) {
            abort();
        }
        if (len == 0) {
            return;
        }
        end->out_len += len;
    }
}

void tls_end_receive(struct tls_end *end, const uint8_t *bytes, uint32_t len)
{
    if (len > TLS_PAIR_CAP - end->in_len) {
        abort();
    }
    memcpy(end->in + end->in_len, bytes, len);
    end->in_len += len;
    for (;;) {
        struct np_tls_input input = np_tls_recv(&end->tls, end->in, end->in_len);

        end->last = input.event;
        if (input.event == NP_TLS_RECEIVED) {
            memcpy(end->data + end->data_len, input.data, input.len);
            end->data_len += input.len;
            end->record_count++;
        }
        if (input.used > end->in_len) {
            abort();
        }
        end->in_len -= input.used;
        memmove(end->in, end->in + input.used, end->in_len);
        if (input.event == NP_TLS_FLUSH) {
            uint32_t before = end->out_len;
            tls_end_flush(end, TLS_PAIR_CAP);
            if (end->out_len == before && np_tls_has_pending(&end->tls)) {
                return; /* the signer wants more time */
            }
        } else if (input.event != NP_TLS_MORE && input.event != NP_TLS_RECEIVED) {
            return;
        }
    }
}

static bool move(struct tls_end *from, struct tls_end *to, uint32_t chunk)
{
    uint32_t len;

    tls_end_flush(from, TLS_PAIR_CAP);
    len = from->out_len < chunk ? from->out_len : chunk;
    if (len == 0) {
        return false;
    }
    uint8_t copy[4096];
    len = len < sizeof(copy) ? len : (uint32_t)sizeof(copy);
    memcpy(copy, from->out, len);
    from->out_len -= len;
    memmove(from->out, from->out + len, from->out_len);
    tls_end_receive(to, copy, len);
    return true;
}

void tls_pair_run(struct tls_pair *pair, uint32_t chunk)
{
    bool is_moving = true;

    while (is_moving) {
        is_moving = move(&pair->client, &pair->server, chunk);
        is_moving |= move(&pair->server, &pair->client, chunk);
    }
}

bool tls_pair_open(struct tls_pair *pair)
{
    tls_pair_start(pair);
    tls_pair_run(pair, TLS_PAIR_CAP);
    NP_CHECK_INT(np_tls_reason(&pair->client.tls), NP_TLS_FINE);
    NP_CHECK_INT(np_tls_reason(&pair->server.tls), NP_TLS_FINE);
    return NP_CHECK(np_tls_is_open(&pair->client.tls) && np_tls_is_open(&pair->server.tls));
}

int32_t tls_end_send(struct tls_end *end, const void *payload, uint32_t len, uint32_t pad)
{
    int32_t sealed;

    tls_end_flush(end, TLS_PAIR_CAP);
    memcpy(end->out + end->out_len + NP_TLS_HEADER_LEN, payload, len);
    sealed = np_tls_seal(&end->tls, end->out + end->out_len, len, pad);
    if (sealed > 0) {
        end->out_len += (uint32_t)sealed;
    }
    return sealed;
}

void tls_end_forge(struct tls_end *end, uint8_t type, const void *content, uint32_t len)
{
    tls_end_flush(end, TLS_PAIR_CAP);
    memcpy(end->out + end->out_len + NP_TLS_HEADER_LEN, content, len);
    end->out_len += np_tls_record_seal(end->config.engines, &end->tls.tx, end->out + end->out_len,
                                       len, type, 0);
}
