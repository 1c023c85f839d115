/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_tls_peer: one end of a TLS connection under test, and our engine in the other role as its
 * peer, whose records the input passes on, cuts, alters, repeats, drops, or replaces by others
 * under the right keys. Each program defines FUZZ_ROLE, the role of the end under test. */
#ifndef NP_TESTS_FUZZ_FUZZ_TLS_PEER_H
#define NP_TESTS_FUZZ_FUZZ_TLS_PEER_H

#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/schedule.h"
#include "core/tls/tls.h"
#include "tests/fuzz/fuzz.h"

#define CAP 40000u
#define STEPS 60

struct end {
    struct np_tls tls;
    struct np_tls_config config;
    struct np_tls_hs hs;
    uint64_t seed;
    uint8_t in[CAP], out[CAP];
    uint32_t in_len, out_len;
};

static struct end tested, peer;
static struct np_tls_engines engines;
static bool is_altered;  /* something that the peer did not send reached the end under test */
static uint32_t updates; /* requests for new keys, of both ends */

/* ---- a credential that needs no X.509 -------------------------------------------------------- */

static enum np_err fixed_random(void *ctx, uint8_t *buf, uint32_t len)
{
    uint64_t *seed = ctx;

    for (uint32_t i = 0; i < len; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        buf[i] = (uint8_t)(*seed >> 56);
    }
    return NP_OK;
}

static int32_t sign(const struct np_tls_cred *cred, uint16_t scheme, const uint8_t *content,
                    uint32_t content_len, const struct np_tls_random *random, uint8_t *sig,
                    uint32_t cap)
{
    (void)cred;
    (void)scheme;
    (void)random;
    FUZZ_CHECK(cap >= 32);
    np_tls_hmac(NP_TLS_SHA256, (const uint8_t *)"k", 1, content, content_len, sig);
    return 32;
}

struct judge {
    uint32_t left, state; /* bytes of the certificate; 0 begun, 1 inside, 2 ended */
};

static void judge_begin(void *mem, const void *policy, const char *name)
{
    (void)policy;
    (void)name;
    memset(mem, 0, sizeof(struct judge));
}

static void judge_cert(void *mem, uint32_t der_len)
{
    struct judge *judge = mem;

    FUZZ_CHECK(judge->state == 0 && der_len > 0);
    judge->state = 1;
    judge->left = der_len;
}

static void judge_append(void *mem, const uint8_t *der, uint32_t len)
{
    struct judge *judge = mem;

    FUZZ_CHECK(judge->state == 1 && len <= judge->left && der != NULL);
    judge->left -= len;
}

static void judge_cert_end(void *mem)
{
    struct judge *judge = mem;

    FUZZ_CHECK(judge->state == 1 && judge->left == 0);
    judge->state = 0;
}

static enum np_tls_reason judge_end(void *mem)
{
    struct judge *judge = mem;

    FUZZ_CHECK(judge->state == 0);
    judge->state = 2;
    return NP_TLS_FINE;
}

static enum np_tls_reason judge_signature(void *mem, uint16_t scheme, const uint8_t *content,
                                          uint32_t content_len, const uint8_t *sig,
                                          uint32_t sig_len)
{
    uint8_t right[32];

    (void)scheme;
    FUZZ_CHECK(((struct judge *)mem)->state == 2 && content_len <= 192);
    np_tls_hmac(NP_TLS_SHA256, (const uint8_t *)"k", 1, content, content_len, right);
    return sig_len == 32 && memcmp(sig, right, 32) == 0 ? NP_TLS_FINE : NP_TLS_CERT_SIGNATURE;
}

static void judge_fingerprint(const void *mem, uint8_t out[NP_TLS_FINGERPRINT_LEN])
{
    (void)mem;
    memset(out, 7, NP_TLS_FINGERPRINT_LEN);
}

static const struct np_tls_verify_ops ops = {judge_begin,      judge_cert, judge_append,
                                             judge_cert_end,   judge_end,  judge_signature,
                                             judge_fingerprint};
static const struct np_tls_trust trust = {&ops, NULL};
static const uint8_t der[300] = {0x30};
static const struct np_tls_der chain[2] = {{der, sizeof(der)}, {der, 40}};
static struct np_tls_cred cred = {chain, 2, {NP_TLS_ECDSA_P256_SHA256, 0, 0, 0}, sign, NULL, 0};
static const struct np_tls_psk psk = {(const uint8_t *)"id", (const uint8_t *)"0123456789abcdef", 2,
                                      16, NP_TLS_SHA256};

/* ---- the end under test ---------------------------------------------------------------------- */

static void check_input(const struct np_tls_input *input, const uint8_t *buf, uint32_t len)
{
    FUZZ_CHECK(input->used <= len);
    switch (input->event) {
    case NP_TLS_NEED:
        FUZZ_CHECK(input->used == 0 && input->need > len);
        FUZZ_CHECK(input->need <= np_tls_need_max(&tested.tls));
        break;
    case NP_TLS_MORE:
        FUZZ_CHECK(input->used > 0);
        break;
    case NP_TLS_FLUSH:
        FUZZ_CHECK(input->used == 0 && np_tls_has_pending(&tested.tls));
        break;
    case NP_TLS_RECEIVED:
        FUZZ_CHECK(input->data >= buf && input->data + input->len <= buf + input->used);
        break;
    case NP_TLS_EOF:
        FUZZ_CHECK(np_tls_is_read_closed(&tested.tls));
        break;
    case NP_TLS_ERROR:
        FUZZ_CHECK(np_tls_reason(&tested.tls) != NP_TLS_FINE);
        break;
    }
}

static void flush(struct end *end)
{
    uint32_t len;

    do {
        uint32_t cap = CAP - end->out_len;
        if (cap < NP_TLS_PENDING_MIN) {
            end->out_len = 0; /* nobody listens */
            cap = CAP;
        }
        len = np_tls_pending(&end->tls, end->out + end->out_len, cap);
        FUZZ_CHECK(len <= cap);
        end->out_len += len;
    } while (len > 0);
    FUZZ_CHECK(!np_tls_has_pending(&end->tls));
}

/* Uses what is in the end's buffer, in memory of exactly that size. */
static void use(struct end *end)
{
    uint8_t *buf = fuzz_copy(end->in, end->in_len);
    uint32_t at = 0;

    for (;;) {
        uint8_t *piece = buf + at;
        struct np_tls_input input = np_tls_recv(&end->tls, piece, end->in_len - at);
        if (end == &tested) {
            check_input(&input, piece, end->in_len - at);
        }
        at += input.used;
        if (input.event == NP_TLS_FLUSH) {
            flush(end);
        } else if (input.event != NP_TLS_MORE && input.event != NP_TLS_RECEIVED) {
            break;
        }
    }
    end->in_len -= at;
    memcpy(end->in, buf + at, end->in_len);
    free(buf);
    flush(end);
    if (np_tls_reason(&end->tls) != NP_TLS_FINE) {
        end->in_len = 0;
    }
}

static void give(struct end *end, const uint8_t *bytes, uint32_t len)
{
    len = len < CAP - end->in_len ? len : CAP - end->in_len;
    memcpy(end->in + end->in_len, bytes, len);
    end->in_len += len;
    use(end);
}

/* Length of the first record that `end` has to send, 0 = none. */
static uint32_t first_record(const struct end *end)
{
    return end->out_len < 5 ? 0 : 5u + ((uint32_t)end->out[3] << 8 | end->out[4]);
}

static void drop_first(struct end *end, uint32_t len)
{
    end->out_len -= len;
    memmove(end->out, end->out + len, end->out_len);
}

/* What the end under test made reaches the peer as it is. */
static void answer(void)
{
    give(&peer, tested.out, tested.out_len);
    tested.out_len = 0;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void pass_record(struct fuzz_input *in, bool alter)
{
    uint32_t len = first_record(&peer);
    uint8_t rec[CAP];

    if (len == 0) {
        return;
    }
    memcpy(rec, peer.out, len);
    drop_first(&peer, len);
    if (alter) {
        uint32_t at = fuzz_word(in) % len;
        uint8_t mask = fuzz_byte(in);
        rec[at] ^= mask;
        /* The minor version of a record in the clear says nothing. */
        is_altered |= mask != 0 && (at != 2 || rec[0] == NP_TLS_DATA);
    }
    give(&tested, rec, len);
}

static void raw_bytes(struct fuzz_input *in)
{
    uint32_t len = fuzz_word(in) % 600;

    len = len < in->size ? len : (uint32_t)in->size;
    is_altered |= len > 0;
    give(&tested, in->data, len);
    in->data += len;
    in->size -= len;
}

/* Any content under the peer's own keys: what a hostile peer can do. */
static void forge(struct fuzz_input *in)
{
    uint8_t rec[1024], type = (uint8_t)(20 + fuzz_byte(in) % 5);
    uint32_t len = fuzz_word(in) % 500;

    len = len < in->size ? len : (uint32_t)in->size;
    memcpy(rec + NP_TLS_HEADER_LEN, in->data, len);
    in->data += len;
    in->size -= len;
    is_altered = true;
    len = np_tls_record_seal(&engines, &peer.tls.tx, rec, len, type, fuzz_byte(in) % 8);
    give(&tested, rec, len);
}

static void act(struct fuzz_input *in)
{
    int32_t sealed;

    switch (fuzz_byte(in) % 5) {
    case 0:
        np_tls_key_update(&tested.tls, fuzz_byte(in) & 1);
        updates++;
        break;
    case 1:
        np_tls_close_write(&tested.tls);
        break;
    case 2:
        np_tls_key_update(&peer.tls, fuzz_byte(in) & 1);
        flush(&peer);
        updates++;
        break;
    case 3:
        if (CAP - tested.out_len > 400) {
            sealed = np_tls_seal(&tested.tls, tested.out + tested.out_len, fuzz_byte(in) % 90, 3);
            tested.out_len += sealed > 0 ? (uint32_t)sealed : 0;
        }
        break;
    default:
        FUZZ_CHECK(np_tls_recv_end(&tested.tls, tested.in_len) != NP_TLS_RECEIVED);
        is_altered = true;
        break;
    }
    flush(&tested);
}

static void step(struct fuzz_input *in)
{
    switch (fuzz_byte(in) % 8) {
    case 0:
        raw_bytes(in);
        break;
    case 1:
        pass_record(in, true);
        break;
    case 2:
        forge(in);
        break;
    case 3: /* lost */
        is_altered |= peer.out_len > 0;
        drop_first(&peer, first_record(&peer));
        break;
    case 4: /* twice */
        if (peer.out_len > 0) {
            is_altered = true;
            give(&tested, peer.out, first_record(&peer));
        }
        break;
    case 5:
        act(in);
        break;
    default:
        pass_record(in, false);
        break;
    }
    answer();
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void configure(struct end *end, uint8_t choice, bool is_server)
{
    memset(end, 0, sizeof(*end));
    end->seed = is_server ? 1 : 2;
    end->config.engines = &engines;
    end->config.random = (struct np_tls_random){fixed_random, &end->seed};
    end->config.suites[0] = (uint16_t)(NP_TLS_AES_128_GCM_SHA256 + (choice & 3) % 3);
    end->config.groups[0] = choice & 4 && is_server ? NP_TLS_SECP256R1 : NP_TLS_X25519;
    end->config.groups[1] = choice & 4 && is_server ? 0 : NP_TLS_SECP256R1;
    end->config.record_limit = choice & 8 ? 100 : 0;
    if (is_server) {
        end->config.cred = &cred;
    } else {
        end->config.trust = &trust;
    }
    if (choice & 16) {
        end->config.psks = &psk;
        end->config.psk_count = 1;
        end->config.psk_modes = choice & 32 ? NP_TLS_PSK_KE : NP_TLS_PSK_DHE_KE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t choice = fuzz_byte(&in);
    bool is_server = FUZZ_ROLE == NP_TLS_SERVER, was_open = false;

    np_tls_engines_portable(&engines);
    configure(&tested, choice, is_server);
    configure(&peer, choice, !is_server);
    is_altered = false;
    updates = 0;
    FUZZ_CHECK(np_tls_start(&tested.tls, FUZZ_ROLE, &tested.config, &tested.hs) == NP_OK);
    FUZZ_CHECK(np_tls_start(&peer.tls, is_server ? NP_TLS_CLIENT : NP_TLS_SERVER, &peer.config,
                            &peer.hs) == NP_OK);
    flush(&tested);
    flush(&peer);
    answer();
    for (int i = 0; i < STEPS && in.size > 0; i++) {
        step(&in);
        /* Nothing altered was ever taken for a handshake: the end is open only with a peer that
         * saw the very same bytes. */
        if (np_tls_is_open(&tested.tls) && !was_open) {
            was_open = true;
            FUZZ_CHECK(np_tls_reason(&peer.tls) == NP_TLS_FINE);
            FUZZ_CHECK(updates > 0 || memcmp(tested.tls.rx.key, peer.tls.tx.key, 32) == 0);
            if ((choice & 64) != 0) {
                FUZZ_CHECK(np_tls_detach(&tested.tls) == &tested.hs);
                memset(&tested.hs, 0xaa, sizeof(tested.hs));
            }
        }
        FUZZ_CHECK(is_altered || updates > NP_TLS_IDLE_RECORDS / 2 ||
                   np_tls_reason(&tested.tls) == NP_TLS_FINE ||
                   np_tls_reason(&tested.tls) == NP_TLS_CLOSED);
    }
    np_tls_deinit(&tested.tls);
    np_tls_deinit(&peer.tls);
    FUZZ_CHECK(cred.users == 0);
    return 0;
}

#endif
