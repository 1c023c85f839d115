/* SPDX-License-Identifier: BSD-3-Clause */
/* Also compiled and run for aarch64 by tests/tls/arm.sh: no other module is needed. */
#include "core/tls/fast.h"

#include <stdlib.h>
#include <string.h>

#include "core/tls/fast_impl.h"
#include "tests/unit/np_test.h"

#define CAP 17000u
#define GUARD 0x5a

static uint64_t seed = 20260201;

static void fill(uint8_t *mem, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        mem[i] = (uint8_t)np_test_random(&seed);
    }
}

/* All lengths up to 600, then random ones up to a record's. */
static uint32_t length_of(uint32_t round)
{
    return round < 600 ? round : np_test_below(&seed, round % 4 == 0 ? 16700 : 2000);
}

struct record {
    uint8_t key[32], nonce[12], aad[48], tag[16];
    uint8_t mem[CAP + 64];
};

/* Seals with `one` and the portable code, opens with `one`; whatever the place in memory. */
static void check_record(const struct np_tls_engines *fast, const struct np_tls_engines *portable,
                         bool is_gcm, uint32_t len)
{
    static struct record a, b;
    static uint8_t plain[CAP];
    const struct np_tls_aead *mine = is_gcm ? fast->gcm : fast->chacha;
    const struct np_tls_aead *theirs = is_gcm ? portable->gcm : portable->chacha;
    uint32_t offset = np_test_below(&seed, 33), aad_len = np_test_below(&seed, 48);
    uint32_t key_len = !is_gcm || np_test_below(&seed, 2) != 0 ? 32 : 16;
    uint8_t *data = a.mem + offset;

    fill(a.key, sizeof(a.key));
    fill(a.nonce, sizeof(a.nonce));
    fill(a.aad, sizeof(a.aad));
    fill(plain, len);
    memset(a.mem, GUARD, sizeof(a.mem));
    memcpy(data, plain, len);
    memcpy(b.mem, plain, len);
    np_test_context("%u bytes at %u, %u more, key of %u", len, offset, aad_len, key_len);
    mine->seal(fast, a.key, key_len, a.nonce, a.aad, aad_len, data, len, a.tag);
    theirs->seal(portable, a.key, key_len, a.nonce, a.aad, aad_len, b.mem, len, b.tag);
    NP_CHECK(memcmp(data, b.mem, len) == 0);
    NP_CHECK_MEM(a.tag, b.tag, 16);
    for (uint32_t i = 0; i < 32; i++) {
        NP_CHECK((i >= offset || a.mem[i] == GUARD) && data[len + i] == GUARD);
    }
    NP_CHECK(mine->open(fast, a.key, key_len, a.nonce, a.aad, aad_len, data, len, a.tag));
    NP_CHECK(memcmp(data, plain, len) == 0);
    a.tag[np_test_below(&seed, 16)] ^= (uint8_t)(1u << np_test_below(&seed, 8));
    NP_CHECK(!mine->open(fast, a.key, key_len, a.nonce, a.aad, aad_len, b.mem, len, a.tag));
    if (len > 0) { /* and one bit of the text */
        theirs->seal(portable, a.key, key_len, a.nonce, a.aad, aad_len, plain, len, b.tag);
        plain[np_test_below(&seed, len)] ^= (uint8_t)(1u << np_test_below(&seed, 8));
        NP_CHECK(!mine->open(fast, a.key, key_len, a.nonce, a.aad, aad_len, plain, len, b.tag));
    }
}

NP_TEST(tls_fast, what_init_takes_equals_portable)
{
    struct np_tls_engines fast, portable;

    np_tls_engines_portable(&portable);
    np_tls_engines_init(&fast);
    for (uint32_t round = 0; round < 1500; round++) {
        uint32_t len = length_of(round);

        check_record(&fast, &portable, true, len);
        check_record(&fast, &portable, false, len);
    }
}

/* Every variant in the tables of BearSSL's own GCM and ChaCha20-Poly1305. */
NP_TEST(tls_fast, every_variant_equals_portable)
{
    struct np_tls_engines portable;

    np_tls_engines_portable(&portable);
    for (const struct np_fast_variant *v = np_fast_variants; v->name != NULL; v++) {
        struct np_tls_engines tables = portable, whole = portable;

        if (!v->is_there()) {
            continue;
        }
        tables.aes = v->aes != NULL ? v->aes : tables.aes;
        tables.ghash = v->ghash != NULL ? v->ghash : tables.ghash;
        tables.chacha20 = v->chacha20 != NULL ? v->chacha20 : tables.chacha20;
        whole.gcm = v->gcm != NULL ? v->gcm : whole.gcm;
        whole.chacha = v->chacha != NULL ? v->chacha : whole.chacha;
        for (uint32_t round = 0; round < 900; round++) {
            uint32_t len = length_of(round);

            check_record(&tables, &portable, v->gcm != NULL, len);
            check_record(&whole, &portable, v->gcm != NULL, len);
        }
    }
}

/* The primitives as such: any length, any counter (it wraps), what they return. */
NP_TEST(tls_fast, primitives)
{
    static uint8_t a[CAP], b[CAP];

    for (const struct np_fast_variant *v = np_fast_variants; v->name != NULL; v++) {
        for (uint32_t round = 0; v->is_there() && round < 1500; round++) {
            uint32_t len = length_of(round), offset = np_test_below(&seed, 17);
            uint32_t counter = round % 3 == 0 ? UINT32_MAX - np_test_below(&seed, 300)
                                              : (uint32_t)np_test_random(&seed);
            uint8_t key[32], y[2][16];

            fill(key, sizeof(key));
            fill(a, len + offset);
            memcpy(b, a, len + offset);
            fill(y[0], 16);
            memcpy(y[1], y[0], 16);
            np_test_context("%s: %u bytes", v->name, len);
            if (v->ghash != NULL) {
                br_aes_gen_ctr_keys mine, theirs;
                uint32_t key_len = round % 2 == 0 ? 16 : 32, whole = len - len % 16;

                v->ghash(y[0], key, a + offset, len);
                br_ghash_ctmul(y[1], key, b + offset, len);
                NP_CHECK_MEM(y[0], y[1], 16);
                v->aes->init(&mine.vtable, key, key_len);
                br_aes_ct_ctr_vtable.init(&theirs.vtable, key, key_len);
                NP_CHECK_INT(
                    v->aes->run(&mine.vtable, y[0], counter, a + offset, whole),
                    br_aes_ct_ctr_vtable.run(&theirs.vtable, y[0], counter, b + offset, whole));
            }
            if (v->chacha20 != NULL) {
                NP_CHECK_INT(v->chacha20(key, y[0], counter, a + offset, len),
                             br_chacha20_ct_run(key, y[0], counter, b + offset, len));
            }
            NP_CHECK(memcmp(a, b, len + offset) == 0);
        }
    }
}

#if NP_FAST_X25519
/* Random points and scalars, and those at the edges of the field, where carries are longest. */
NP_TEST(tls_fast, x25519_equals_portable)
{
    for (uint32_t round = 0; round < 3000; round++) {
        uint8_t scalar[32], point[32], mine[32], theirs[32];

        fill(scalar, 32);
        fill(point, 32);
        if (round % 4 == 1) { /* p - 19 .. 2^255 - 1 and their like with the top bit */
            memset(point, 0xff, 32);
            point[0] = (uint8_t)(0xdb + round / 4 % 37);
            point[31] = round % 8 == 1 ? 0x7f : 0xff;
        } else if (round % 4 == 2) {
            memset(point, round % 8 == 2 ? 0 : 0xff, 31 - round / 8 % 31);
        } else if (round % 16 == 3) {
            memset(scalar, round % 32 == 3 ? 0 : 0xff, 32);
        }
        memcpy(theirs, point, 32);
        NP_CHECK_INT(br_ec_c25519_m31.mul(theirs, 32, scalar, 32, BR_EC_curve25519), 1);
        np_fast_x25519(mine, scalar, point);
        NP_CHECK_MEM(mine, theirs, 32);
        np_fast_x25519(point, scalar, point); /* in place */
        NP_CHECK_MEM(point, theirs, 32);
    }
}
#endif

/* On a CPU that has it (tests/tls/arm.sh sets this), it must be found. */
NP_TEST(tls_fast, hardware_is_found)
{
    struct np_tls_engines engines;

    np_tls_engines_init(&engines);
    if (getenv("NP_TEST_HAS_AES") != NULL) {
        NP_CHECK(engines.has_fast_aes && engines.gcm != &np_tls_gcm);
    }
    if (getenv("NP_TEST_HAS_NO_AES") != NULL) {
        NP_CHECK(!engines.has_fast_aes && engines.gcm == &np_tls_gcm);
    }
}
