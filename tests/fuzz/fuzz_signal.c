/* SPDX-License-Identifier: BSD-3-Clause */
/* Any signal under any key: what is encoded has one newline, at its end, and decodes to the same
 * signal.
 * Input: key length, key, kind, id, address. */
#include "core/wire/dialect.h"
#include "tests/fuzz/fuzz.h"

static void check_line(const uint8_t *line, uint32_t len)
{
    FUZZ_CHECK(len <= NP_DIALECT_LINE_CAP + 1u);
    FUZZ_CHECK(memchr(line, '\n', len) == line + len - 1);
}

static void decode_line(struct np_line_decoder *decoder, struct np_key key, const uint8_t *line,
                        uint32_t len)
{
    uint32_t taken = 0;

    np_line_decoder_init(decoder, key, NP_DIALECT_LINE_CAP);
    FUZZ_CHECK(np_line_decoder_feed(decoder, line, len, &taken) == NP_OK);
    FUZZ_CHECK(taken == len);
}

static void check_signal(struct np_key key, const struct np_signal *signal)
{
    struct np_line_decoder decoder;
    struct np_signal back;
    uint8_t line[NP_DIALECT_LINE_CAP + 1];
    uint32_t len = np_signal_encode(line, key, signal);

    if (len == 0) {
        return; /* no clean encoding under this key */
    }
    check_line(line, len);
    decode_line(&decoder, key, line, len);
    FUZZ_CHECK(np_signal_parse(&back, decoder.text, decoder.len) == NP_OK);
    FUZZ_CHECK(back.kind == signal->kind);
    if (signal->kind == NP_SIGNAL_UDP || signal->kind == NP_SIGNAL_EXT) {
        FUZZ_CHECK(back.extensions == signal->extensions);
    }
    if (signal->kind == NP_SIGNAL_TCP || signal->kind == NP_SIGNAL_UDP) {
        FUZZ_CHECK(back.id == signal->id);
        FUZZ_CHECK(np_addr_is_equal(&back.peer, &signal->peer));
    }
}

static void check_answer(struct np_key key, const struct np_answer *answer)
{
    struct np_line_decoder decoder;
    struct np_answer back;
    uint8_t line[NP_DIALECT_LINE_CAP + 1];
    uint32_t len = np_answer_encode(line, key, answer);

    if (len == 0) {
        return;
    }
    check_line(line, len);
    decode_line(&decoder, key, line, len);
    FUZZ_CHECK(np_answer_parse(&back, decoder.text, decoder.len) == NP_OK);
    FUZZ_CHECK(back.max == answer->max && back.flow == answer->flow && back.tls == answer->tls);
    FUZZ_CHECK(back.extensions == answer->extensions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum np_signal_kind kinds[] = {NP_SIGNAL_PING, NP_SIGNAL_PONG,   NP_SIGNAL_FLUSH,
                                                NP_SIGNAL_TCP,  NP_SIGNAL_UDP,    NP_SIGNAL_EXT,
                                                NP_SIGNAL_HAVE, NP_SIGNAL_MISSING};
    struct fuzz_input in = {data, size};
    uint8_t key_bytes[255];
    uint32_t key_len = fuzz_byte(&in) % sizeof(key_bytes) + 1u;

    for (uint32_t i = 0; i < key_len; i++) {
        key_bytes[i] = fuzz_byte(&in);
    }
    struct np_key key = {key_bytes, key_len};
    struct np_signal signal = {.kind = kinds[fuzz_byte(&in) % 8u], .id = fuzz_word(&in)};
    bool is_ip4 = (fuzz_byte(&in) & 1u) != 0;

    signal.peer.family = is_ip4 ? NP_FAMILY_IP4 : NP_FAMILY_IP6;
    signal.peer.port = (uint16_t)fuzz_word(&in);
    for (uint32_t i = 0; i < (is_ip4 ? 4u : 16u); i++) {
        signal.peer.ip[i] = fuzz_byte(&in);
    }
    np_addr_unmap(&signal.peer);
    signal.extensions = fuzz_byte(&in) & NP_DIALECT_EXT_ALL;
    check_signal(key, &signal);
    struct np_answer answer = {.max = fuzz_word(&in) % 0x7fffffffu + 1u,
                               .flow = fuzz_byte(&in) & 1u ? '-' : '+',
                               .tls = fuzz_byte(&in) % 3u,
                               .extensions = fuzz_byte(&in) & NP_DIALECT_EXT_ALL};
    check_answer(key, &answer);
    return 0;
}
