/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/suite.h"

#include "core/tls/reason.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tables/rfc8448.h"
#include "tests/unit/tls_hex.h"

struct script {
    const uint8_t *bytes;
    uint32_t left;
};

static enum np_err scripted(void *ctx, uint8_t *buf, uint32_t len)
{
    struct script *script = ctx;

    if (script->left < len) {
        return NP_ERR_IO;
    }
    memcpy(buf, script->bytes, len);
    script->bytes += len;
    script->left -= len;
    return NP_OK;
}

NP_TEST(tls_suite, x25519_of_rfc8448)
{
    uint8_t input[32], private_key[32], share[65], expected[32], peer[32], secret[32];
    struct script script = {input, sizeof(input)};
    struct np_tls_random random = {scripted, &script};

    tls_hex(input, 32, rtt1_client_private);
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_X25519, &random, private_key, share), NP_OK);
    tls_hex(expected, 32, ks_client_public);
    NP_CHECK_MEM(share, expected, 32);
    tls_hex(peer, 32, ks_server_public);
    NP_CHECK(np_tls_group_derive(NP_TLS_X25519, private_key, peer, 32, secret));
    tls_hex(expected, 32, ks_shared);
    NP_CHECK_MEM(secret, expected, 32);
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_X25519, &random, private_key, share), NP_ERR_IO);
}

/* Points of small order give the all-zero secret (RFC 7748 section 6.1; list of Curve25519's). */
NP_TEST(tls_suite, x25519_small_order_is_refused)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t private_key[32] = {0x55, 1, 2, 3}, peer[32], secret[32];

    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        np_test_context("%s", points[i]);
        tls_hex(peer, 32, points[i]);
        NP_CHECK(!np_tls_group_derive(NP_TLS_X25519, private_key, peer, 32, secret));
    }
}

NP_TEST(tls_suite, p256_agrees_and_refuses)
{
    uint8_t input[64], a[32], b[32], share_a[65], share_b[65], x[32], y[32];
    struct script script = {input, sizeof(input)};
    struct np_tls_random random = {scripted, &script};

    for (uint32_t i = 0; i < sizeof(input); i++) {
        input[i] = (uint8_t)(i * 7 + 1);
    }
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_SECP256R1, &random, a, share_a), NP_OK);
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_SECP256R1, &random, b, share_b), NP_OK);
    NP_CHECK(np_tls_group_derive(NP_TLS_SECP256R1, a, share_b, 65, x));
    NP_CHECK(np_tls_group_derive(NP_TLS_SECP256R1, b, share_a, 65, y));
    NP_CHECK_MEM(x, y, 32);
    for (uint32_t len = 0; len < 65; len++) {
        NP_CHECK(!np_tls_group_derive(NP_TLS_SECP256R1, a, share_b, len, x));
    }
    share_b[0] = 3; /* compressed */
    NP_CHECK(!np_tls_group_derive(NP_TLS_SECP256R1, a, share_b, 65, x));
    share_b[0] = 4;
    for (uint32_t bit = 0; bit < 64 * 8; bit += 5) {
        share_b[1 + bit / 8] ^= (uint8_t)(1u << bit % 8); /* off the curve */
        NP_CHECK(!np_tls_group_derive(NP_TLS_SECP256R1, a, share_b, 65, x));
        share_b[1 + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Scalars of zero, the order and above are drawn again; a source that gives nothing else fails. */
NP_TEST(tls_suite, p256_scalar_range)
{
    static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    uint8_t input[32 * 4] = {0}, zeros[32 * 9] = {0}, key[32], share[65];
    struct script script = {input, sizeof(input)}, broken = {zeros, sizeof(zeros)};
    struct np_tls_random random = {scripted, &script}, bad = {scripted, &broken};

    tls_hex(input + 32, 32, order);
    memset(input + 64, 0xff, 32);
    tls_hex(input + 96, 32, order);
    input[127]--; /* order - 1 */
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_SECP256R1, &random, key, share), NP_OK);
    NP_CHECK_MEM(key, input + 96, 32);
    NP_CHECK_INT(np_tls_group_generate(NP_TLS_SECP256R1, &bad, key, share), NP_ERR_IO);
}

NP_TEST(tls_suite, unknown_values)
{
    uint8_t key[32] = {1}, secret[32], peer[65] = {4};

    NP_CHECK(np_tls_suite_find(0x1304) == NULL);
    NP_CHECK(np_tls_suite_find(0) == NULL);
    NP_CHECK_INT(np_tls_group_share_len(0x11ec), 0);
    NP_CHECK(!np_tls_group_derive(0x11ec, key, peer, 0, secret));
}

NP_TEST(tls_suite, every_reason_has_text_and_alert)
{
    for (int i = 0; i < NP_TLS_REASONS; i++) {
        np_test_context("reason %d", i);
        NP_CHECK(strcmp(np_tls_reason_text((enum np_tls_reason)i), "unknown reason") != 0);
        NP_CHECK(i == NP_TLS_FINE || i == NP_TLS_PEER_ALERT ||
                 np_tls_reason_alert((enum np_tls_reason)i) != NP_TLS_ALERT_CLOSE_NOTIFY);
        NP_CHECK(strcmp(np_tls_alert_text(np_tls_reason_alert((enum np_tls_reason)i)),
                        "unknown alert") != 0);
    }
    NP_CHECK_STR(np_tls_reason_text((enum np_tls_reason)9999), "unknown reason");
    NP_CHECK_STR(np_tls_alert_text(48), "unknown_ca");
}
