/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/record.h"

#include "tests/unit/np_test.h"
#include "tests/unit/tables/rfc8448.h"
#include "tests/unit/tls_hex.h"

static const uint16_t suites[] = {NP_TLS_AES_128_GCM_SHA256, NP_TLS_AES_256_GCM_SHA384,
                                  NP_TLS_CHACHA20_POLY1305_SHA256};

static void install(struct np_tls_keys *keys, const char *hex)
{
    uint8_t secret[48];

    tls_hex(secret, sizeof(secret), hex);
    np_tls_keys_install(keys, NP_TLS_AES_128_GCM_SHA256, secret);
}

/* Opens a record of the trace, seals the same again and compares. */
static struct np_tls_opened reseal(const struct np_tls_engines *engines, struct np_tls_keys *keys,
                                   const char *hex, uint8_t *rec)
{
    uint8_t original[1024];
    uint32_t len = tls_hex(original, sizeof(original), hex);
    struct np_tls_keys copy = *keys;
    struct np_tls_opened opened;

    memcpy(rec, original, len);
    opened = np_tls_record_open(engines, keys, rec, len);
    NP_CHECK_INT(opened.reason, NP_TLS_FINE);
    if (opened.reason == NP_TLS_FINE) {
        uint8_t again[1024];
        memcpy(again + 5, opened.data, opened.len);
        NP_CHECK_INT(np_tls_record_seal(engines, &copy, again, opened.len, opened.type, 0), len);
        NP_CHECK_MEM(again, original, len);
    }
    return opened;
}

NP_TEST(tls_record, records_of_rfc8448)
{
    struct np_tls_engines engines[2];
    struct np_tls_opened opened;
    struct np_tls_keys keys;
    uint8_t rec[1024];

    np_tls_engines_portable(&engines[0]);
    np_tls_engines_init(&engines[1]);
    for (uint32_t i = 0; i < 2; i++) {
        install(&keys, ks_server_hs);
        opened = reseal(&engines[i], &keys, rtt1_server_flight, rec);
        NP_CHECK_INT(opened.type, NP_TLS_HANDSHAKE);
        NP_CHECK_INT(opened.len, 657);
        install(&keys, ks_server_ap);
        opened = reseal(&engines[i], &keys, rtt1_ticket, rec);
        NP_CHECK_INT(opened.data[0], 4);
        opened = reseal(&engines[i], &keys, rtt1_server_data, rec);
        NP_CHECK_INT(opened.type, NP_TLS_DATA);
        NP_CHECK_INT(opened.len, 50);
        NP_CHECK_INT(opened.data[49], 49);
        opened = reseal(&engines[i], &keys, rtt1_server_close, rec);
        NP_CHECK_INT(opened.type, NP_TLS_ALERT);
        NP_CHECK_INT(keys.sequence, 3);
    }
}

/* Every suite, lengths around block borders, paddings; every altered byte is refused and leaves
 * nothing of the plaintext. */
NP_TEST(tls_record, seal_open_alter)
{
    static const uint32_t lens[] = {0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1500};
    struct np_tls_engines engines;
    uint8_t secret[48] = {7}, rec[2048], copy[2048];

    np_tls_engines_init(&engines);
    for (uint32_t s = 0; s < 3; s++) {
        struct np_tls_keys tx, rx;
        np_tls_keys_install(&tx, suites[s], secret);
        np_tls_keys_install(&rx, suites[s], secret);
        for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            uint32_t pad = i * 7 % 40, len;
            np_test_context("suite %x len %u", suites[s], lens[i]);
            memset(rec + 5, 0x5a, lens[i]);
            len = np_tls_record_seal(&engines, &tx, rec, lens[i], NP_TLS_DATA, pad);
            NP_CHECK_INT(len, lens[i] + pad + NP_TLS_OVERHEAD);
            for (uint32_t at = 0; at<len; at += lens[i]> 100 ? 97 : 1) {
                struct np_tls_keys scratch = rx;
                memcpy(copy, rec, len);
                copy[at] ^= 0x20;
                NP_CHECK_INT(np_tls_record_open(&engines, &scratch, copy, len).reason,
                             NP_TLS_BAD_MAC);
                NP_CHECK(copy[5] == 0 && copy[len - 1] == 0);
            }
            struct np_tls_opened opened = np_tls_record_open(&engines, &rx, rec, len);
            NP_CHECK_INT(opened.reason, NP_TLS_FINE);
            NP_CHECK_INT(opened.len, lens[i]);
            NP_CHECK_INT(opened.inner_len, lens[i] + 1 + pad);
            NP_CHECK_INT(opened.type, NP_TLS_DATA);
        }
    }
}

/* Padding counts for the longest record (RFC 8446 section 5.4). */
NP_TEST(tls_record, padding_has_a_limit)
{
    static uint8_t rec[NP_TLS_PLAIN_MAX + 64];
    struct np_tls_engines engines;
    uint8_t secret[48] = {7};

    np_tls_engines_init(&engines);
    for (uint32_t more = 0; more < 2; more++) {
        for (uint32_t kept = 0; kept < 3; kept++) {
            struct np_tls_keys tx, rx;
            uint32_t len;

            np_test_context("%u %u", more, kept);
            np_tls_keys_install(&tx, suites[0], secret);
            np_tls_keys_install(&rx, suites[0], secret);
            memset(rec, 0x5a, sizeof(rec));
            len = kept == 0 ? 0 : kept == 1 ? 100 : NP_TLS_PLAIN_MAX;
            len = np_tls_record_seal(&engines, &tx, rec, len, NP_TLS_DATA,
                                     NP_TLS_PLAIN_MAX - len + more);
            NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).reason,
                         more == 0 ? NP_TLS_FINE : NP_TLS_RECORD_TOO_LONG);
        }
    }
}

NP_TEST(tls_record, replay_and_order)
{
    struct np_tls_engines engines;
    struct np_tls_keys tx, rx, scratch;
    uint8_t secret[48] = {9}, first[64], second[64], copy[64];
    uint32_t len;

    np_tls_engines_init(&engines);
    np_tls_keys_install(&tx, NP_TLS_AES_128_GCM_SHA256, secret);
    np_tls_keys_install(&rx, NP_TLS_AES_128_GCM_SHA256, secret);
    memset(first, 1, sizeof(first));
    memset(second, 2, sizeof(second));
    len = np_tls_record_seal(&engines, &tx, first, 10, NP_TLS_DATA, 0);
    np_tls_record_seal(&engines, &tx, second, 10, NP_TLS_DATA, 0);
    scratch = rx;
    memcpy(copy, second, len);
    NP_CHECK_INT(np_tls_record_open(&engines, &scratch, copy, len).reason, NP_TLS_BAD_MAC);
    memcpy(copy, first, len);
    NP_CHECK_INT(np_tls_record_open(&engines, &rx, copy, len).reason, NP_TLS_FINE);
    memcpy(copy, first, len);
    NP_CHECK_INT(np_tls_record_open(&engines, &rx, copy, len).reason, NP_TLS_BAD_MAC);
}

/* The sequence number reaches the nonce with all of its bytes. */
NP_TEST(tls_record, long_sequence)
{
    struct np_tls_engines engines;
    struct np_tls_keys tx, rx;
    uint8_t secret[48] = {3}, rec[64];

    np_tls_engines_init(&engines);
    np_tls_keys_install(&tx, NP_TLS_CHACHA20_POLY1305_SHA256, secret);
    rx = tx;
    for (uint32_t bit = 0; bit < 64; bit++) {
        tx.sequence = (uint64_t)1 << bit;
        rx.sequence = tx.sequence ^ 1;
        uint32_t len = np_tls_record_seal(&engines, &tx, rec, 4, NP_TLS_DATA, 0);
        uint8_t copy[64];
        memcpy(copy, rec, sizeof(copy));
        NP_CHECK_INT(np_tls_record_open(&engines, &rx, copy, len).reason, NP_TLS_BAD_MAC);
        rx.sequence = (uint64_t)1 << bit;
        NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).reason, NP_TLS_FINE);
    }
}

NP_TEST(tls_record, only_padding_and_too_short)
{
    struct np_tls_engines engines;
    struct np_tls_keys tx, rx;
    uint8_t secret[48] = {4}, rec[64] = {0};

    np_tls_engines_init(&engines);
    np_tls_keys_install(&tx, NP_TLS_AES_128_GCM_SHA256, secret);
    rx = tx;
    uint32_t len = np_tls_record_seal(&engines, &tx, rec, 0, 0, 9); /* type 0: all zeros inside */
    NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).reason, NP_TLS_UNEXPECTED);
    for (len = 5; len < 22; len++) {
        NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).reason, NP_TLS_BAD_MAC);
    }
}

/* Content of 2^14 bytes is the most; one more is record_overflow although the tag is right. */
NP_TEST(tls_record, largest)
{
    static uint8_t rec[NP_TLS_RECORD_MAX + 64];
    struct np_tls_engines engines;
    struct np_tls_keys tx, rx;
    uint8_t secret[48] = {5};
    uint32_t len;

    np_tls_engines_init(&engines);
    np_tls_keys_install(&tx, NP_TLS_AES_128_GCM_SHA256, secret);
    rx = tx;
    memset(rec, 1, sizeof(rec));
    len = np_tls_record_seal(&engines, &tx, rec, NP_TLS_PLAIN_MAX, NP_TLS_DATA, 0);
    NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).len, NP_TLS_PLAIN_MAX);
    len = np_tls_record_seal(&engines, &tx, rec, NP_TLS_PLAIN_MAX + 1, NP_TLS_DATA, 0);
    NP_CHECK_INT(np_tls_record_open(&engines, &rx, rec, len).reason, NP_TLS_RECORD_TOO_LONG);
}
