/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wire/dialect.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/np_test.h"
#include "tests/unit/wire_cases.h"

#define U NP_DIALECT_EXT_UDP_FRAMES

static const char *const go_messages[] = {
    "np://1024/-#0",
    "np://1024/+#2",
    "#i",
    "#o",
    "#0",
    "np://127.0.0.1:50000/1a2b3c4d#1",
    "np://[2001:db8:8293:28:0:3928:abcd:ef19]:39283/98238932#1",
    "np://203.0.113.7:53/c0ffee00#2",
};
#define GO_COUNT (sizeof go_messages / sizeof go_messages[0])

/* ---- lines ----------------------------------------------------------------------------------- */

static struct np_line_decoder decoder;

static void check_line(const uint8_t *wire, uint32_t len, uint32_t cut, const char *want)
{
    uint32_t taken;

    np_line_decoder_reset(&decoder);
    if (cut < len) {
        NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, cut, &taken), NP_ERR_AGAIN);
        NP_CHECK_INT(taken, cut);
        wire += cut;
        len -= cut;
    }
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, len, &taken), NP_OK);
    NP_CHECK_INT(taken, len);
    NP_CHECK_STR(decoder.text, want);
    NP_CHECK_INT(decoder.len, strlen(want));
}

/* What a Go peer sends, 0x0a within a message or not, cut anywhere, is received as it was meant. */
NP_TEST(dialect_v16, go_lines_under_every_default_key)
{
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    uint32_t torn = 0;

    for (uint32_t port = 1; port <= 65535; port++) {
        char text[9];
        struct np_key key = {(const uint8_t *)text, 8};
        np_default_key(text, (uint16_t)port);
        np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
        np_test_context("key %s", text);
        for (uint32_t i = 0; i < GO_COUNT; i++) {
            uint32_t len = wire_forge(wire, key, go_messages[i]);
            torn += memchr(wire, '\n', len) != wire + len - 1;
            check_line(wire, len, (port + i) % len, go_messages[i]);
        }
    }
    NP_CHECK(torn > 65535); /* a Go peer would have torn so many */
}

NP_TEST(dialect_v16, a_newline_inside_a_launch_is_data)
{
    struct np_key key = {(const uint8_t *)"d0000000", 8}; /* turns 'n' into 0x0a at index 0 */
    uint8_t wire[NP_DIALECT_LINE_CAP + 1];
    uint32_t len = wire_forge(wire, key, go_messages[5]);

    np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
    NP_CHECK_INT(wire[0], '\n');
    for (uint32_t cut = 0; cut <= len; cut++) {
        check_line(wire, len, cut, go_messages[5]);
    }
}

NP_TEST(dialect_v16, lines_in_one_piece_stay_apart)
{
    struct np_key key = {(const uint8_t *)"k3y", 3};
    uint8_t wire[GO_COUNT * 100];
    uint32_t len = 0, at = 0, taken;

    for (uint32_t i = 0; i < GO_COUNT; i++) {
        len += wire_forge(wire + len, key, go_messages[i]);
    }
    np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
    for (uint32_t i = 0; i < GO_COUNT; i++) {
        NP_CHECK_INT(np_line_decoder_feed(&decoder, wire + at, len - at, &taken), NP_OK);
        NP_CHECK_STR(decoder.text, go_messages[i]);
        np_line_decoder_reset(&decoder);
        at += taken;
    }
    NP_CHECK_INT(at, len);
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, 0, &taken), NP_ERR_AGAIN);
    NP_CHECK_INT(taken, 0);
}

/* The longest line has `cap` bytes; one more is an error before anything is written behind it. */
static void check_cap(uint32_t asked, uint32_t cap)
{
    struct np_key key = {(const uint8_t *)"Z", 1};
    uint8_t wire[NP_DIALECT_LINE_CAP + 2];
    uint32_t taken;

    memset(wire, 'a' ^ 'Z', sizeof wire);
    wire[cap - 2] = '#' ^ 'Z';
    wire[cap] = '\n';
    np_line_decoder_init(&decoder, key, asked);
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, cap + 1, &taken), NP_OK);
    NP_CHECK_INT(decoder.len, cap);
    NP_CHECK_INT(decoder.text[cap], 0);
    np_line_decoder_reset(&decoder);
    wire[cap] = 'a' ^ 'Z';
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, cap + 1, &taken), NP_ERR_TOO_LONG);
    NP_CHECK_INT(taken, cap);
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, 1, &taken), NP_ERR_TOO_LONG);
    NP_CHECK_INT(taken, 0);
    memset(wire, '\n', sizeof wire); /* newlines alone end no message */
    np_line_decoder_reset(&decoder);
    NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, cap + 1, &taken), NP_ERR_TOO_LONG);
}

NP_TEST(dialect_v16, lines_are_bounded)
{
    check_cap(NP_DIALECT_HELLO_CAP, NP_DIALECT_HELLO_CAP);
    check_cap(NP_DIALECT_LINE_CAP, NP_DIALECT_LINE_CAP);
    check_cap(UINT32_MAX, NP_DIALECT_LINE_CAP);
}

NP_TEST(dialect_v16, what_ends_a_line)
{
    static const struct {
        const char *text;
        bool is_complete;
    } rows[] = {
        {"#i", true},   {"#%69", true}, {"#%6F", true}, {"a#b", true},    {"", false},
        {"#", false},   {"i", false},   {"#ab", false}, {"#%6", false},   {"#%6g", false},
        {"%69", false}, {"##", true},   {"#%%", false}, {"#%69a", false}, {"x#%zz", false},
    };
    struct np_key key = {(const uint8_t *)"\x80", 1};
    uint8_t wire[16];
    uint32_t taken;

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t len = wire_forge(wire, key, rows[i].text);
        np_test_context("%s", rows[i].text);
        np_line_decoder_init(&decoder, key, NP_DIALECT_LINE_CAP);
        NP_CHECK_INT(np_line_decoder_feed(&decoder, wire, len, &taken),
                     rows[i].is_complete ? NP_OK : NP_ERR_AGAIN);
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

struct signal_row {
    const char *text;
    enum np_signal_kind kind;
    const char *peer; /* "" = family NONE */
    uint32_t id, extensions;
};
static const struct signal_row good_signals[] = {
    {"#i", NP_SIGNAL_PING, "", 0, 0},
    {"#%69", NP_SIGNAL_PING, "", 0, 0},
    {"#o", NP_SIGNAL_PONG, "", 0, 0},
    {"#%6f", NP_SIGNAL_PONG, "", 0, 0},
    {"#0", NP_SIGNAL_FLUSH, "", 0, 0},
    {"aba#0", NP_SIGNAL_FLUSH, "", 0, 0},
    {"?aba#0", NP_SIGNAL_FLUSH, "", 0, 0},
    {"x://h/p?q#i", NP_SIGNAL_PING, "", 0, 0},
    {"?x=u#x", NP_SIGNAL_EXT, "", 0, U},
    {"?ab&x=u&ba#x", NP_SIGNAL_EXT, "", 0, U},
    {"?%78=%75#x", NP_SIGNAL_EXT, "", 0, U},
    {"?x=abuz#x", NP_SIGNAL_EXT, "", 0, U},
    {"?x=abc&x=u#x", NP_SIGNAL_EXT, "", 0, U},
    {"?x=abc#x", NP_SIGNAL_EXT, "", 0, 0},
    {"?xx=u&y=u&x&=u#x", NP_SIGNAL_EXT, "", 0, 0},
    {"?x=%7#x", NP_SIGNAL_EXT, "", 0, 0},
    {"#x", NP_SIGNAL_EXT, "", 0, 0},
    {"#7", NP_SIGNAL_UNKNOWN, "", 0, 0},
    {"#ii", NP_SIGNAL_UNKNOWN, "", 0, 0},
    {"##", NP_SIGNAL_UNKNOWN, "", 0, 0},
    {"np://1.2.3.4:5/00000000#3", NP_SIGNAL_UNKNOWN, "", 0, 0},
    {"np://1.2.3.4:50000/1a2b3c4d#1", NP_SIGNAL_TCP, "1.2.3.4:50000", 0x1a2b3c4d, 0},
    {"//1.2.3.4:50000/1a2b3c4d#1", NP_SIGNAL_TCP, "1.2.3.4:50000", 0x1a2b3c4d, 0},
    {"z+.-9://ab@1.2.3.4:00050/%31a2b3c4%64?ab#%31", NP_SIGNAL_TCP, "1.2.3.4:50", 0x1a2b3c4d, 0},
    {"np://a@b@1.2.3.4:5/ffffffff#1", NP_SIGNAL_TCP, "1.2.3.4:5", 0xffffffff, 0},
    {"np://[2001:db8::1]:5/00000001#1", NP_SIGNAL_TCP, "[2001:db8::1]:5", 1, 0},
    {"np://[::ffff:1.2.3.4]:5/00000001#2", NP_SIGNAL_UDP, "1.2.3.4:5", 1, 0},
    {"np://[fe80::1%257]:5/00000001#2", NP_SIGNAL_UDP, "[fe80::1]:5", 1, 0},
    {"np://[fe80::1%7]:5/00000001#2", NP_SIGNAL_UDP, "[fe80::1]:5", 1, 0},
    {"np://1.2.3.4:5/00000001?x=u#2", NP_SIGNAL_UDP, "1.2.3.4:5", 1, U},
    {"np://1.2.3.4:5/00000001?x=u#1", NP_SIGNAL_TCP, "1.2.3.4:5", 1, 0},
    {"np://localhost:5/00000001#1", NP_SIGNAL_TCP, "", 1, 0},
    {"np://1.2.3.4/00000001#1", NP_SIGNAL_TCP, "", 1, 0},
    {"np://hpaaaaabmdfa/00000001#1", NP_SIGNAL_TCP, "127.0.0.1:50000", 1, 0},
    {"np://HpaAAaabMDFA/00000001#1", NP_SIGNAL_TCP, "127.0.0.1:50000", 1, 0},
    {"//aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabaaab/00000001?x=u#2", NP_SIGNAL_UDP, "[::1]:1", 1, U},
    {"//aaaaaaaaaaaaaaaaaaaappppabacadaeaaab/00000001#2", NP_SIGNAL_UDP, "1.2.3.4:1", 1, 0},
    {"np://hpaaaaabmdfq/00000001#1", NP_SIGNAL_TCP, "", 1, 0}, /* no letter of a name */
    {"np://hpaaaaabmdf`/00000001#1", NP_SIGNAL_TCP, "", 1, 0},
    {"np://hpaaaaabmdf0/00000001#1", NP_SIGNAL_TCP, "", 1, 0},
    {"np://hpaaaaabmdf/00000001#1", NP_SIGNAL_TCP, "", 1, 0},   /* one letter short */
    {"np://hpaaaaabmdfaa/00000001#1", NP_SIGNAL_TCP, "", 1, 0}, /* and one too many */
};

NP_TEST(dialect_v16, signals)
{
    for (uint32_t i = 0; i < sizeof good_signals / sizeof good_signals[0]; i++) {
        const struct signal_row *row = &good_signals[i];
        struct np_signal got;
        struct np_addr peer = {0};

        np_test_context("%s", row->text);
        np_addr_parse(&peer, row->peer, (uint32_t)strlen(row->peer));
        NP_CHECK_INT(np_signal_parse(&got, row->text, (uint32_t)strlen(row->text)), NP_OK);
        NP_CHECK_INT(got.kind, row->kind);
        NP_CHECK_INT(got.id, row->id);
        NP_CHECK_INT(got.extensions, row->extensions);
        NP_CHECK(np_addr_is_equal(&got.peer, &peer));
    }
}

NP_TEST(dialect_v16, no_signals)
{
    static const char *const rows[] = {
        "",
        "#",
        "i",
        "np://1.2.3.4:5/00000001",
        "np://1.2.3.4:5/00000001#",
        "np://1.2.3.4:5/0000001#1",   /* seven digits */
        "np://1.2.3.4:5/000000001#1", /* nine */
        "np://1.2.3.4:5/0000000g#1",  /* no digit */
        "np://1.2.3.4:5/0000000A#1",  /* upper case */
        "np://1.2.3.4:5/0000000%4#1", /* broken escape */
        "np://1.2.3.4:5/0000000%zz#1",
        "np://1.2.3.4:5/00000001/#1",
        "np://1.2.3.4:5#1",
        "np://1.2.3.4:5/#1",
        "np:///00000001#1", /* no host */
        "/00000001#1",
        "00000001#2",
        "://1.2.3.4:5/00000001#1",
        ":#i",
        "#%6",
        "#%zz",
        "\x1f#i",
        "\x7f#i",
    };
    struct np_signal got;
    char text[NP_DIALECT_LINE_CAP + 8];

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("%s", rows[i]);
        NP_CHECK_INT(np_signal_parse(&got, rows[i], (uint32_t)strlen(rows[i])), NP_ERR_PROTOCOL);
    }
    memset(text, 'a', sizeof text);
    memcpy(text + NP_DIALECT_LINE_CAP - 2, "#i", 2);
    NP_CHECK_INT(np_signal_parse(&got, text, NP_DIALECT_LINE_CAP), NP_OK);
    memcpy(text + NP_DIALECT_LINE_CAP - 2, "a#i", 3);
    NP_CHECK_INT(np_signal_parse(&got, text, NP_DIALECT_LINE_CAP + 1), NP_ERR_PROTOCOL);
    NP_CHECK_INT(np_signal_parse(&got, "\0#i", 3), NP_ERR_PROTOCOL);
}

/* Any bytes give a result, and a launch only with all that belongs to it. */
NP_TEST(dialect_v16, damaged_signals)
{
    uint64_t seed = 61;
    uint32_t launches = 0;

    for (uint32_t i = 0; i < 200000; i++) {
        char text[NP_DIALECT_LINE_CAP];
        const char *source = go_messages[np_test_below(&seed, GO_COUNT)];
        uint32_t len = (uint32_t)strlen(source), edits = 1 + np_test_below(&seed, 3);
        struct np_signal got;

        memcpy(text, source, len);
        while (edits-- > 0) {
            text[np_test_below(&seed, len)] = "#/:@?%&=[]0aZ\n"[np_test_below(&seed, 14)];
        }
        np_test_context("%.*s", (int)len, text);
        if (np_signal_parse(&got, text, len) == NP_OK &&
            (got.kind == NP_SIGNAL_TCP || got.kind == NP_SIGNAL_UDP)) {
            launches++;
            NP_CHECK(memchr(text, '#', len) != NULL && memchr(text, '/', len) != NULL);
            NP_CHECK_INT(got.peer.scope, 0);
        }
    }
    NP_CHECK(launches > 10000);
}

/* ---- answers --------------------------------------------------------------------------------- */

NP_TEST(dialect_v16, answers)
{
    static const struct {
        const char *text;
        struct np_answer want;
    } rows[] = {
        {"np://1024/-#0", {1024, '-', 0, 0}},
        {"np://1/+#2", {1, '+', 2, 0}},
        {"np://2147483647/+#1", {2147483647, '+', 1, 0}},
        {"//0001024/%2d#%30", {1024, '-', 0, 0}},
        {"x://aa@1024/%2B?x=u#1", {1024, '+', 1, U}},
        {"np://1024/-?y=1&x=zu#0", {1024, '-', 0, U}},
        {"np://1024/-?x=a#0", {1024, '-', 0, 0}},
    };
    struct np_answer got;

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("%s", rows[i].text);
        NP_CHECK_INT(np_answer_parse(&got, rows[i].text, (uint32_t)strlen(rows[i].text)), NP_OK);
        NP_CHECK_INT(got.max, rows[i].want.max);
        NP_CHECK_INT(got.flow, rows[i].want.flow);
        NP_CHECK_INT(got.tls, rows[i].want.tls);
        NP_CHECK_INT(got.extensions, rows[i].want.extensions);
    }
}

NP_TEST(dialect_v16, no_answers)
{
    static const char *const rows[] = {
        "",
        "#0",
        "np://1024/-",
        "np://1024/-#",
        "np://1024/-#3",
        "np://1024/-#00",
        "np://1024/-#%3",
        "np://1024#0",
        "np://1024/#0",
        "np://1024/*#0",
        "np://1024/--#0",
        "np:///-#0",
        "/-#0",
        "np://0/-#0",
        "np://-1/-#0",
        "np://1024:80/-#0",
        "np://2147483648/-#0",
        "np://99999999999999999999/-#0",
        "np://10x4/-#0",
        "np://1024/-\n#0",
    };
    struct np_answer got;

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("%s", rows[i]);
        NP_CHECK_INT(np_answer_parse(&got, rows[i], (uint32_t)strlen(rows[i])), NP_ERR_PROTOCOL);
    }
}

/* ---- hello, ids, default key ----------------------------------------------------------------- */

NP_TEST(dialect_v16, hello)
{
    uint8_t bytes[255], line[257], other[257];

    memset(bytes, 'k', sizeof bytes);
    for (uint32_t len = 1; len <= 255; len++) {
        struct np_key key = {bytes, len};
        np_test_context("key of %u bytes", len);
        NP_CHECK_INT(np_hello_encode(line, key), len + 1);
        NP_CHECK(np_hello_is_valid(line, len + 1, key));
        line[len + 1] = 'x';
        NP_CHECK(np_hello_is_valid(line, len + 2, key)); /* what follows is another message */
        NP_CHECK(!np_hello_is_valid(line, len, key));
        for (uint32_t at = 0; at <= len; at++) {
            memcpy(other, line, sizeof other);
            other[at] ^= (uint8_t)(1u << at % 8);
            NP_CHECK(!np_hello_is_valid(other, len + 1, key));
        }
    }
    NP_CHECK(!np_hello_is_valid(line, 256, (struct np_key){bytes, 254}));
}

NP_TEST(dialect_v16, ids)
{
    static const uint32_t values[] = {0, 1, 0x1a2b3c4d, 0x7fffffff, 0x80000000, 0xffffffff};
    static const char *const wrong[] = {"1a2b3c4",  "1A2b3c4d", "1a2b3c4g", " a2b3c4d",
                                        "-a2b3c4d", "0x123456", "1a2b3c4\n"};
    char text[NP_DIALECT_ID_LEN + 1] = {0}, want[16];
    uint32_t id;

    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        np_id_format(text, values[i]);
        snprintf(want, sizeof want, "%08x", (unsigned)values[i]);
        NP_CHECK_STR(text, want);
        NP_CHECK(np_id_parse(&id, text));
        NP_CHECK_INT(id, values[i]);
    }
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        NP_CHECK(!np_id_parse(&id, wrong[i]));
    }
}

NP_TEST(dialect_v16, default_key)
{
    char key[9];

    np_default_key(key, 10101); /* FNV-1a, 32 bit, of "10101", worked out apart */
    NP_CHECK_STR(key, "e68be2b4");
    np_default_key(key, 80);
    NP_CHECK_STR(key, "9201aa55");
}
