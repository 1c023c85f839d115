/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/sha512.h"

#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_hex.h"

#define LENGTHS 301u /* two blocks and more: every place of the padding */

static uint32_t digest_of(const br_hash_class *hash, const void *data, uint32_t len, uint32_t cut,
                          uint8_t out[64])
{
    br_hash_compat_context context;

    hash->init(&context.vtable);
    hash->update(&context.vtable, data, cut);
    hash->update(&context.vtable, (const uint8_t *)data + cut, len - cut);
    hash->out(&context.vtable, out);
    return hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

static void check(const br_hash_class *hash, const char *text, const char *hex)
{
    uint8_t got[64], want[64];
    uint32_t len = digest_of(hash, text, (uint32_t)strlen(text), 0, got);

    NP_CHECK_INT(tls_hex(want, sizeof(want), hex), len);
    NP_CHECK_MEM(got, want, len);
}

/* The examples of FIPS 180-4. */
NP_TEST(tls_sha512, known_answers)
{
    static const char *const two_blocks =
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

    check(&np_sha384_class, "abc",
          "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
          "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    check(&np_sha384_class, two_blocks,
          "09330c33f71147e83d192fc782cd1b4753111b173b3b05d2"
          "2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
    check(&np_sha512_class, "abc",
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    check(&np_sha512_class, two_blocks,
          "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
          "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

/* Digest of the digests of every length, each in two pieces; the answer is of another program. */
static void check_lengths(const br_hash_class *hash, const char *hex)
{
    static uint8_t data[LENGTHS], all[LENGTHS * 64];
    uint8_t got[64], want[64];
    uint32_t used = 0;

    for (uint32_t i = 0; i < LENGTHS; i++) {
        data[i] = (uint8_t)(i * 7 + 3);
    }
    for (uint32_t len = 0; len < LENGTHS; len++) {
        used += digest_of(hash, data, len, len / 3, all + used);
    }
    used = digest_of(hash, all, used, 1, got);
    NP_CHECK_INT(tls_hex(want, sizeof(want), hex), used);
    NP_CHECK_MEM(got, want, used);
}

NP_TEST(tls_sha512, every_length)
{
    check_lengths(&np_sha384_class, "efec719c84acba157f057b3a8be4ab46d8d39b7f85dca15c"
                                    "051420621873dcdbf6b165d5061f55337fce615e1957e330");
    check_lengths(&np_sha512_class,
                  "404431b1c0eac12729b20176c61b0e1c561b6b20d2ecbb7ee1126c361943d724"
                  "d7c0814a8daf5c3a2a7d3e431a0aaf58c12f96d8c3370582b777fd375c3c972f");
}

/* What HMAC does: a state is taken at a block's end and gone on with later. */
NP_TEST(tls_sha512, state_goes_on)
{
    uint8_t data[256], state[64], got[64], want[64];
    br_hash_compat_context context;

    memset(data, 0x5a, sizeof(data));
    np_sha512_class.init(&context.vtable);
    np_sha512_class.update(&context.vtable, data, 128);
    NP_CHECK_INT(np_sha512_class.state(&context.vtable, state), 128);
    memset(&context, 0, sizeof(context)); /* as BearSSL has it, without a class */
    np_sha512_class.set_state(&context.vtable, state, 128);
    np_sha512_class.update(&context.vtable, data + 128, 128);
    np_sha512_class.out(&context.vtable, got);
    (void)digest_of(&np_sha512_class, data, 256, 0, want);
    NP_CHECK_MEM(got, want, 64);
}
