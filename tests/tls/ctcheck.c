/* SPDX-License-Identifier: BSD-3-Clause */
/* ctcheck: handshakes and records with every secret marked as undefined memory, under valgrind: a
 * branch or an address that depends on one is then reported (ctcheck.supp names the few places
 * where a verdict becomes public). Takes secrets to be: private keys of the key exchange, PSKs,
 * payloads, and all that is made of them, until it leaves as ciphertext or comes out of a record
 * whose tag was right.
 *
 *   ctcheck          every suite, group and PSK mode, portable and fast code
 *   ctcheck leak     branches on a secret on purpose: valgrind must report it */
#include <valgrind/memcheck.h>

#define FUZZ_ROLE NP_TLS_CLIENT
#include "tests/fuzz/fuzz_tls_peer.h"

static struct np_tls_engines real; /* what does the work behind `engines` */
static uint32_t client_calls, server_calls;
static uint8_t secret_psk[16];
static struct np_tls_psk test_psk = {(const uint8_t *)"id", secret_psk, 2, 16, NP_TLS_SHA256};

/* A client draws random, session id, then keys; a server random, then keys. */
static enum np_err client_random(void *ctx, uint8_t *buf, uint32_t len)
{
    fixed_random(ctx, buf, len);
    if (++client_calls > 2) {
        VALGRIND_MAKE_MEM_UNDEFINED(buf, len);
    }
    return NP_OK;
}

static enum np_err server_random(void *ctx, uint8_t *buf, uint32_t len)
{
    fixed_random(ctx, buf, len);
    if (++server_calls > 1) {
        VALGRIND_MAKE_MEM_UNDEFINED(buf, len);
    }
    return NP_OK;
}

static void seal_with(const struct np_tls_aead *aead, const uint8_t *key, uint32_t key_len,
                      const uint8_t *nonce, const uint8_t *aad, uint32_t aad_len, uint8_t *data,
                      uint32_t len, uint8_t *tag)
{
    aead->seal(&real, key, key_len, nonce, aad, aad_len, data, len, tag);
    VALGRIND_MAKE_MEM_DEFINED(data, len);
    VALGRIND_MAKE_MEM_DEFINED(tag, NP_TLS_TAG_LEN);
}

static bool open_with(const struct np_tls_aead *aead, const uint8_t *key, uint32_t key_len,
                      const uint8_t *nonce, const uint8_t *aad, uint32_t aad_len, uint8_t *data,
                      uint32_t len, const uint8_t *tag)
{
    bool is_right = aead->open(&real, key, key_len, nonce, aad, aad_len, data, len, tag);

    VALGRIND_MAKE_MEM_DEFINED(&is_right, sizeof(is_right));
    VALGRIND_MAKE_MEM_DEFINED(data, len);
    return is_right;
}

static void gcm_seal(const struct np_tls_engines *unused, const uint8_t *key, uint32_t key_len,
                     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                     uint8_t *data, uint32_t len, uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)unused;
    seal_with(real.gcm, key, key_len, nonce, aad, aad_len, data, len, tag);
}

static bool gcm_open(const struct np_tls_engines *unused, const uint8_t *key, uint32_t key_len,
                     const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                     uint8_t *data, uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)unused;
    return open_with(real.gcm, key, key_len, nonce, aad, aad_len, data, len, tag);
}

static void chacha_seal(const struct np_tls_engines *unused, const uint8_t *key, uint32_t key_len,
                        const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                        uint8_t *data, uint32_t len, uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)unused;
    seal_with(real.chacha, key, key_len, nonce, aad, aad_len, data, len, tag);
}

static bool chacha_open(const struct np_tls_engines *unused, const uint8_t *key, uint32_t key_len,
                        const uint8_t nonce[NP_TLS_NONCE_LEN], const uint8_t *aad, uint32_t aad_len,
                        uint8_t *data, uint32_t len, const uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)unused;
    return open_with(real.chacha, key, key_len, nonce, aad, aad_len, data, len, tag);
}

static const struct np_tls_aead gcm = {gcm_seal, gcm_open};
static const struct np_tls_aead chacha = {chacha_seal, chacha_open};

/* A signature and what it signs are public: the hash of messages that anybody can read. */
static enum np_tls_reason public_signature(void *mem, uint16_t scheme, const uint8_t *content,
                                           uint32_t content_len, const uint8_t *sig,
                                           uint32_t sig_len)
{
    VALGRIND_MAKE_MEM_DEFINED(content, content_len);
    return judge_signature(mem, scheme, content, content_len, sig, sig_len);
}

static const struct np_tls_verify_ops public_ops = {judge_begin,      judge_cert, judge_append,
                                                    judge_cert_end,   judge_end,  public_signature,
                                                    judge_fingerprint};
static const struct np_tls_trust public_trust = {&public_ops, NULL};

/* What leaves an end is public: shares in the clear, and ciphertext. */
static void move(struct end *from, struct end *to)
{
    static uint8_t wire[CAP];
    uint32_t len = from->out_len;

    VALGRIND_MAKE_MEM_DEFINED(from->out, len);
    memcpy(wire, from->out, len);
    from->out_len = 0;
    give(to, wire, len);
}

static void send_secret(struct end *from, uint32_t len)
{
    int32_t sealed;

    flush(from);
    VALGRIND_MAKE_MEM_UNDEFINED(from->out + from->out_len + NP_TLS_HEADER_LEN, len);
    sealed = np_tls_seal(&from->tls, from->out + from->out_len, len, len / 3);
    FUZZ_CHECK(sealed > 0);
    from->out_len += (uint32_t)sealed;
}

static void run_one(uint8_t choice)
{
    static const uint32_t lens[] = {0, 1, 15, 16, 17, 100, 1000, 5000};

    configure(&tested, choice, false);
    configure(&peer, choice, true);
    client_calls = server_calls = 0;
    tested.config.trust = &public_trust;
    tested.config.random.fill = client_random;
    peer.config.random.fill = server_random;
    tested.config.record_limit = peer.config.record_limit = 0;
    if (tested.config.psk_count > 0) {
        tested.config.psks = peer.config.psks = &test_psk;
    }
    FUZZ_CHECK(np_tls_start(&tested.tls, NP_TLS_CLIENT, &tested.config, &tested.hs) == NP_OK);
    FUZZ_CHECK(np_tls_start(&peer.tls, NP_TLS_SERVER, &peer.config, &peer.hs) == NP_OK);
    for (int i = 0; i < 4; i++) {
        flush(&tested);
        move(&tested, &peer);
        move(&peer, &tested);
    }
    FUZZ_CHECK(np_tls_is_open(&tested.tls) && np_tls_is_open(&peer.tls));
    for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        send_secret(&tested, lens[i]);
        send_secret(&peer, lens[i]);
        np_tls_key_update(&tested.tls, true);
        flush(&tested);
        move(&tested, &peer);
        move(&peer, &tested);
    }
    np_tls_close_write(&tested.tls);
    flush(&tested);
    move(&tested, &peer);
    FUZZ_CHECK(np_tls_is_read_closed(&peer.tls));
    np_tls_deinit(&tested.tls);
    np_tls_deinit(&peer.tls);
}

int main(int argc, char **argv)
{
    bool leak = argc > 1 && strcmp(argv[1], "leak") == 0;
    uint32_t runs = 0;

    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "ctcheck: run it under valgrind (tests/tls/ctcheck.sh)\n");
        return 2;
    }
    memset(secret_psk, 0x5c, sizeof(secret_psk));
    VALGRIND_MAKE_MEM_UNDEFINED(secret_psk, sizeof(secret_psk));
    if (leak && secret_psk[3] == 0x5c) {
        printf("leaked\n");
    }
    for (int fast = 0; fast < 2 && !leak; fast++) {
        (fast ? np_tls_engines_init : np_tls_engines_portable)(&real);
        engines = real;
        engines.gcm = &gcm;
        engines.chacha = &chacha;
        for (uint8_t suite = 0; suite < 3; suite++) {
            run_one(suite);     /* x25519 */
            run_one(suite | 4); /* HelloRetryRequest to P-256 */
            if (suite != 1) {   /* the PSK goes with SHA-256 */
                run_one(suite | 16);
                run_one(suite | 48);
            }
            runs += suite != 1 ? 4 : 2;
        }
    }
    printf("%u connections\n", runs);
    return 0;
}
