/* SPDX-License-Identifier: BSD-3-Clause */
/* Any chain to the client's verifier. How it is cut into pieces changes no verdict; a trusted
 * certificate with any byte changed is never taken. Input: mode, piece size, then certificates with
 * two bytes of length each; or changes (two bytes of place, one of difference) to a good one. */
#include "core/tls/key_pair.h"
#include "core/tls/pem.h"
#include "core/tls/verify.h"
#include "tests/fuzz/fuzz.h"

#define NOW_S 1790000000
#define CHAIN_CAP 12u

static enum np_err fill(void *context, uint8_t *buf, uint32_t len)
{
    (void)context;
    memset(buf, 0x5a, len);
    return NP_OK;
}

static const struct np_tls_random fixed = {fill, NULL};

static int64_t wall(void *context)
{
    (void)context;
    return NOW_S;
}

/* A root that is trusted for itself, and its bundle. */
static struct {
    struct np_key_pair pair;
    char pem[1200];
    struct np_roots_text text;
    struct np_root_entry entries[4];
    struct np_roots roots;
} world;

static void build_world(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *der;
    uint32_t len, at;

    FUZZ_CHECK(np_key_pair_make(&world.pair, "fuzz", NOW_S - 1000, &fixed) == NP_OK);
    der = world.pair.cred.chain[0].der;
    len = world.pair.cred.chain[0].len;
    at = (uint32_t)snprintf(world.pem, sizeof world.pem, "-----BEGIN CERTIFICATE-----\n");
    for (uint32_t i = 0; i < len; i += 3) {
        uint32_t left = len - i, bits = (uint32_t)der[i] << 16;

        bits |= left > 1 ? (uint32_t)der[i + 1] << 8 : 0;
        bits |= left > 2 ? der[i + 2] : 0u;
        world.pem[at++] = digits[bits >> 18];
        world.pem[at++] = digits[bits >> 12 & 63];
        world.pem[at++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        world.pem[at++] = left > 2 ? digits[bits & 63] : '=';
    }
    at +=
        (uint32_t)snprintf(world.pem + at, sizeof world.pem - at, "\n-----END CERTIFICATE-----\n");
    world.text.text = world.pem;
    world.text.len = at;
    world.roots.read = np_roots_read_text;
    world.roots.ctx = &world.text;
    world.roots.entries = world.entries;
    world.roots.cap = 4;
    FUZZ_CHECK(np_roots_index(&world.roots) == NP_OK && world.roots.count == 1);
}

struct chain {
    uint32_t count, len[CHAIN_CAP];
    const uint8_t *der[CHAIN_CAP];
};

static enum np_tls_reason judge(const struct chain *chain, bool has_roots, bool has_pin,
                                const char *name, uint32_t piece)
{
    static _Alignas(16) uint8_t mem[NP_TLS_VERIFY_BYTES];
    struct np_verify_report report;
    struct np_verify_policy policy = {has_roots ? &world.roots : NULL,
                                      has_pin ? world.pair.pin : NULL,
                                      wall,
                                      NULL,
                                      0,
                                      0,
                                      &report};
    const struct np_tls_verify_ops *ops = &np_verify_ops;
    uint8_t sig[8] = {0};
    enum np_tls_reason reason;

    memset(mem, 0xa5, sizeof mem);
    ops->begin(mem, &policy, name);
    for (uint32_t i = 0; i < chain->count; i++) {
        ops->cert(mem, chain->len[i]);
        for (uint32_t at = 0; at < chain->len[i]; at += piece) {
            uint32_t part = chain->len[i] - at < piece ? chain->len[i] - at : piece;
            uint8_t *copy = fuzz_copy(chain->der[i] + at, part);

            ops->append(mem, copy, part);
            free(copy);
        }
        ops->cert_end(mem);
    }
    reason = ops->end(mem);
    FUZZ_CHECK(report.reason == reason && reason < NP_TLS_REASONS);
    FUZZ_CHECK((report.text[0] != 0) == (reason != NP_TLS_FINE));
    for (const char *c = report.text; *c != 0; c++) {
        FUZZ_CHECK(*c >= 0x20 && *c < 0x7f); /* nothing that could forge a line of the log */
    }
    if (reason == NP_TLS_FINE) { /* the key is usable */
        FUZZ_CHECK(ops->check_signature(mem, NP_TLS_RSA_PKCS1_SHA256, sig, 1, sig, 8) ==
                   NP_TLS_ILLEGAL);
        enum np_tls_reason wrong =
            ops->check_signature(mem, NP_TLS_ECDSA_P256_SHA256, sig, 1, sig, 8);
        FUZZ_CHECK(wrong == NP_TLS_CERT_SIGNATURE || wrong == NP_TLS_ILLEGAL);
    }
    return reason;
}

/* A good certificate, changed in some places. */
static void check_changed(struct fuzz_input in, uint32_t piece)
{
    struct chain chain = {1, {world.pair.cred.chain[0].len}, {NULL}};
    uint8_t *der = fuzz_copy(world.pair.cred.chain[0].der, chain.len[0]);
    bool is_same;

    while (in.size >= 3) {
        uint32_t place = (uint32_t)fuzz_byte(&in) << 8;

        place |= fuzz_byte(&in);
        der[place % chain.len[0]] ^= fuzz_byte(&in);
    }
    chain.der[0] = der;
    is_same = memcmp(der, world.pair.cred.chain[0].der, chain.len[0]) == 0;
    /* it has no name: that is what is wrong with it, unless something else is */
    FUZZ_CHECK((judge(&chain, true, true, NULL, piece) == NP_TLS_CERT_NAME) == is_same);
    FUZZ_CHECK((judge(&chain, false, true, NULL, piece) == NP_TLS_FINE) || !is_same);
    FUZZ_CHECK((judge(&chain, true, false, "x.example", piece) != NP_TLS_FINE));
    free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t mode = fuzz_byte(&in);
    uint32_t piece = fuzz_byte(&in) % 100u + 1u;
    struct chain chain = {0, {0}, {NULL}};

    if (world.roots.count == 0) {
        build_world();
    }
    if (mode % 4 == 3) {
        check_changed(in, piece);
        return 0;
    }
    while (in.size >= 2 && chain.count < CHAIN_CAP) {
        uint32_t len = (uint32_t)fuzz_byte(&in) << 8;

        len |= fuzz_byte(&in);
        len = len < in.size ? len : (uint32_t)in.size;
        chain.der[chain.count] = in.data;
        chain.len[chain.count++] = len;
        in.data += len;
        in.size -= len;
    }
    for (uint32_t i = 0; i < 3; i++) {
        const char *name = mode & 8u ? "server.example.com" : mode & 16u ? "192.0.2.1" : NULL;
        enum np_tls_reason whole = judge(&chain, i == 0, i == 1, name, UINT32_MAX);

        FUZZ_CHECK(judge(&chain, i == 0, i == 1, name, piece) == whole);
        FUZZ_CHECK(i == 2 || whole != NP_TLS_FINE); /* a fuzzer does not make signatures */
    }
    return 0;
}
