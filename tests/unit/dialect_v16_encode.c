/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wire/dialect.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/wire_cases.h"
#include "tests/unit/wire_space.h"

struct tally {
    uint32_t lines; /* encoded */
    uint32_t named; /* of these, with the visitor as a name: no spelling, proven by wire_exists */
    uint32_t none;  /* not possible, proven by wire_exists and wire_exists_as_name */
    uint32_t stuck; /* of these, launches that no other id helps, and other messages */
};

/* Our own receiver, fed in two parts, makes the original of it. */
static void check_our_receiver(struct np_key key, const uint8_t *wire, uint32_t len, uint32_t cut,
                               const struct wire_case *want)
{
    static struct np_line_decoder decoder;
    uint32_t taken = 0;

    np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
    if (cut < len) {
        NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, cut, &taken), NP_ERR_AGAIN);
        NP_CHECK_INT(taken, cut);
        wire += cut;
        len -= cut;
    }
    if (!NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, len, &taken), NP_OK)) {
        return;
    }
    NP_CHECK_INT(taken, len);
    if (want->is_answer) {
        struct np_answer got;
        NP_CHECK_INT(np_answer_parse(&got, decoder.text, decoder.len), NP_OK);
        NP_CHECK_INT(got.max, want->answer.max);
        NP_CHECK_INT(got.flow, want->answer.flow);
        NP_CHECK_INT(got.tls, want->answer.tls);
        NP_CHECK_INT(got.extensions, want->answer.extensions);
    } else {
        struct np_signal got;
        struct np_addr peer = want->signal.peer;
        np_addr_unmap(&peer);
        NP_CHECK_INT(np_signal_parse(&got, decoder.text, decoder.len), NP_OK);
        NP_CHECK_INT(got.kind, want->signal.kind);
        NP_CHECK_INT(got.id, want->signal.id);
        NP_CHECK_INT(got.extensions, want->signal.extensions);
        NP_CHECK(np_addr_is_equal(&got.peer, &peer));
    }
}

/* Senders take the next idle connection where an id can't be written (core/tunnel/launch.c). */
static bool has_other_id(struct np_key key, const struct wire_case *wire_case)
{
    struct wire_case other = *wire_case;
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    uint64_t seed = wire_case->signal.id;

    for (uint32_t i = 0; i < 8; i++) {
        other.signal.id = (uint32_t)np_test_random(&seed);
        if (wire_case_encode(wire, key, &other) > 0) {
            return true;
        }
    }
    return false;
}

/* One message under one key: a line both receivers understand, or none and the proof. */
static void check_case(struct np_key key, const struct wire_case *wire_case, uint32_t cut,
                       struct tally *tally)
{
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    uint32_t len = wire_case_encode(wire, key, wire_case);
    struct wire_url url;

    if (len == 0) {
        tally->none++;
        NP_CHECK(!wire_exists(key, wire_case) && !wire_exists_as_name(key, wire_case));
        tally->stuck += !has_other_id(key, wire_case);
        return;
    }
    tally->lines++;
    NP_CHECK(len <= sizeof wire);
    if (NP_CHECK(wire_receive(&url, key, wire, len))) {
        NP_CHECK(wire_is_same(&url, wire_case));
        if (wire_is_name(&url, wire_case)) {
            tally->named++;
            NP_CHECK(!wire_exists(key, wire_case));
        }
    }
    check_our_receiver(key, wire, len, cut % (len + 1), wire_case);
}

static void print_tally(const char *what, const struct tally *tally)
{
    printf("     %s: %u lines, %u of them with a name, %u impossible, %u with any id\n", what,
           tally->lines, tally->named, tally->none, tally->stuck);
}

static void check_key(struct np_key key, const char *name, uint32_t cut, struct tally *tally)
{
    struct wire_case wire_case;

    for (uint32_t i = 0; wire_case_at(&wire_case, i); i++) {
        np_test_context("key %s message %u", name, i);
        check_case(key, &wire_case, cut + i, tally);
    }
}

NP_TEST(dialect_v16_encode, all_default_keys)
{
    struct tally tally = {0};
    uint32_t keys = 0;

    for (uint32_t port = 1024; port <= 65535; port += np_test_stride(), keys++) {
        char text[9];
        np_default_key(text, (uint16_t)port);
        check_key((struct np_key){(const uint8_t *)text, 8}, text, port, &tally);
    }
    print_tally("default keys", &tally);
    NP_CHECK(tally.lines > keys * 20);
    NP_CHECK(tally.none < tally.lines / 400);
    NP_CHECK_INT(tally.stuck, 0);
}

/* Keys of 1 to 64 bytes (and some up to 255) from `first` to `last`. */
static struct tally check_random_keys(uint32_t count, uint8_t first, uint8_t last, uint64_t seed)
{
    struct tally tally = {0};

    for (uint32_t i = 0; i < count; i += np_test_stride()) {
        uint8_t bytes[255];
        char name[40];
        struct np_key key = {bytes, 1 + np_test_below(&seed, i % 50 == 0 ? 255 : 64)};
        for (uint32_t b = 0; b < key.len; b++) {
            bytes[b] = (uint8_t)(first + np_test_below(&seed, (uint32_t)last - first + 1));
        }
        snprintf(name, sizeof name, "random %u, %u bytes", i, key.len);
        check_key(key, name, i, &tally);
    }
    print_tally("random keys", &tally);
    return tally;
}

NP_TEST(dialect_v16_encode, random_printable_keys)
{
    struct tally tally = check_random_keys(10000, 0x21, 0x7e, 51);

    NP_CHECK(tally.none < tally.lines / 100);
}

NP_TEST(dialect_v16_encode, random_byte_keys)
{
    struct tally tally = check_random_keys(10000, 0, 255, 52);

    NP_CHECK(tally.none < tally.lines / 100);
}

/* Keys of few different bytes are the hard ones: the same characters are forbidden everywhere. */
NP_TEST(dialect_v16_encode, keys_of_few_bytes)
{
    struct tally tally = {0};
    uint64_t seed = 53;

    for (uint32_t c = 0; c < 256; c++) {
        uint8_t bytes[7];
        for (uint32_t i = 0; i < 12; i++) {
            char name[40];
            for (uint32_t b = 0; b < sizeof bytes; b++) {
                bytes[b] = (uint8_t)(np_test_below(&seed, 3) ? c : 0x28 + np_test_below(&seed, 24));
            }
            if (i == 0) {
                memset(bytes, (int)c, sizeof bytes);
            }
            snprintf(name, sizeof name, "byte %u round %u", c, i);
            check_key((struct np_key){bytes, 1 + i % 7}, name, i, &tally);
        }
    }
    print_tally("keys of few bytes", &tally);
    NP_CHECK(tally.none > 0 && tally.lines > 10 * tally.none);
}

/* Letters of the same key as 'a' and 'b' at once cover both filler letters. */
NP_TEST(dialect_v16_encode, random_launches)
{
    struct tally tally = {0};
    uint64_t seed = 54;

    for (uint32_t i = 0; i < 30000; i++) {
        struct wire_case wire_case = {.fragment = i % 2 ? '1' : '2'};
        char host[NP_ADDR_TEXT_CAP], path[10], key[9];
        np_default_key(key, (uint16_t)np_test_random(&seed));
        wire_case.signal.kind = i % 2 ? NP_SIGNAL_TCP : NP_SIGNAL_UDP;
        wire_case.signal.id = (uint32_t)np_test_random(&seed);
        wire_case.signal.extensions = i % 2 ? 0 : np_test_below(&seed, 2);
        wire_case.signal.peer.family = i % 3 ? NP_FAMILY_IP4 : NP_FAMILY_IP6;
        wire_case.signal.peer.port = (uint16_t)np_test_random(&seed);
        for (uint32_t b = 0; b < 16; b++) {
            wire_case.signal.peer.ip[b] =
                np_test_below(&seed, 3) ? 0 : (uint8_t)np_test_random(&seed);
        }
        np_addr_format(&wire_case.signal.peer, host, sizeof host);
        snprintf(path, sizeof path, "/%08x", (unsigned)wire_case.signal.id);
        wire_case.host = host;
        wire_case.path = path;
        np_test_context("key %s %s%s", key, host, path);
        check_case((struct np_key){(const uint8_t *)key, 8}, &wire_case, i, &tally);
    }
    print_tally("random launches", &tally);
    NP_CHECK(tally.none < 10);
}

/* The text a line carries. */
static const char *text_of(struct np_key key, const uint8_t *wire, uint32_t len)
{
    static char text[NP_DIALECT_LINE_CAP + 1];

    for (uint32_t i = 0; i + 1 < len; i++) {
        text[i] = (char)(wire[i] ^ key.bytes[i % key.len]);
    }
    text[len > 0 ? len - 1 : 0] = 0;
    return text;
}

/* Where the key allows it, exactly what a Go peer would send. */
NP_TEST(dialect_v16_encode, plain_form_first)
{
    static const char *const want[] = {"np://1024/-#0",
                                       "np://1024/-#1",
                                       "np://1024/+#2",
                                       "np://1024/+?x=u#0",
                                       "np://1/-?x=u#2",
                                       "np://8192/+#1",
                                       "np://2893/-#0",
                                       "np://2147483647/+#2",
                                       "#i",
                                       "#o",
                                       "#0",
                                       "?x=u#x",
                                       "np://127.0.0.1:50000/1a2b3c4d#1",
                                       "np://192.168.238.239:28392/00000000#1"};
    struct np_key key = {(const uint8_t *)"ZZ", 2}; /* forbids 'P' only */
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    struct wire_case wire_case;

    for (uint32_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        uint32_t len;
        NP_CHECK(wire_case_at(&wire_case, i));
        len = wire_case_encode(wire, key, &wire_case);
        NP_CHECK_STR(text_of(key, wire, len), want[i]);
        NP_CHECK_INT(wire[len - 1], '\n');
    }
}

/* Each freedom is used when it is the only way. */
NP_TEST(dialect_v16_encode, each_freedom)
{
    static const struct {
        const char *key;
        uint32_t wire_case;
        const char *want;
    } rows[] = {
        {"d", 12, "//127.0.0.1:50000/1a2b3c4d#1"},       /* no 'n' in the scheme */
        {"i", 8, "#i"},                                  /* 'i' forbids 'c' */
        {"c", 8, "#%69"},                                /* no 'i' */
        {"e", 9, "#%6F"},                                /* no 'o' */
        {"h", 12, "//127.0.0.1:50000/1a2%623c4d#1"},     /* no 'b' in the id */
        {"$", 12, "//[::ffff:7f00:1]:50000/1a2b3c4d#1"}, /* no '.' */
        {"0", 12, "//hpaaaaabmdfa/1a2b3c4d#1"},          /* no ':' */
        {"k", 12, "//127.0.0.1:50000/1%612b3c4d#1"},
        {";", 23, "//aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabaaab/ffffffff?x=u#2"}, /* no '1' */
        {"%", 12, ""},                                                      /* no '/' */
        {")", 8, ""},                                                       /* no '#' */
    };
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    struct wire_case wire_case;

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_key key = {(const uint8_t *)rows[i].key, (uint32_t)strlen(rows[i].key)};
        np_test_context("row %u", i);
        NP_CHECK(wire_case_at(&wire_case, rows[i].wire_case));
        NP_CHECK_STR(text_of(key, wire, wire_case_encode(wire, key, &wire_case)), rows[i].want);
    }
}

/* Longer than NP_DIALECT_LINE_CAP is none, and nothing is written beyond. This key allows '/' at
 * two indices only, so that the path starts at index 508. */
NP_TEST(dialect_v16_encode, never_longer_than_a_line)
{
    uint8_t bytes[255], wire[NP_DIALECT_LINE_CAP + 2];
    struct np_key key = {bytes, sizeof bytes};
    struct wire_case wire_case;
    struct tally tally = {0};

    memset(bytes, '/' ^ '\n', 253);
    memset(bytes + 253, 'Z', 2);
    for (uint32_t i = 0; wire_case_at(&wire_case, i); i++) {
        uint32_t len, want;
        np_test_context("message %u", i);
        wire[sizeof wire - 1] = 0xa5;
        len = wire_case_encode(wire, key, &wire_case);
        if (wire_case.is_answer) {
            want = wire_case.answer.extensions != 0 ? 0 : NP_DIALECT_LINE_CAP + 1;
        } else {
            want = wire_case.host[0] == 0 ? len : 0;
        }
        NP_CHECK_INT(len, want);
        NP_CHECK_INT(wire[sizeof wire - 1], 0xa5);
        if (len > 0) {
            check_case(key, &wire_case, i, &tally);
        }
    }
    NP_CHECK_INT(tally.lines, 15);
}

NP_TEST(dialect_v16_encode, values_without_a_message)
{
    struct np_key key = {(const uint8_t *)"key", 3};
    struct np_signal signal = {.kind = NP_SIGNAL_UNKNOWN};
    struct np_answer answer = {1, '-', 3, 0};
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];

    NP_CHECK_INT(np_signal_encode(wire, key, &signal), 0);
    signal.kind = NP_SIGNAL_TCP; /* no visitor */
    NP_CHECK_INT(np_signal_encode(wire, key, &signal), 0);
    signal.kind = (enum np_signal_kind)99;
    NP_CHECK_INT(np_signal_encode(wire, key, &signal), 0);
    NP_CHECK_INT(np_answer_encode(wire, key, &answer), 0);
    answer.tls = 0;
    key.len = 0;
    NP_CHECK_INT(np_answer_encode(wire, key, &answer), 0);
}
