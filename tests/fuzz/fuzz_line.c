/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes on a control connection: the decoder stays in its bounds, and how the stream is cut
 * into pieces changes nothing. Input: key length, key, piece size, stream. */
#include "core/wire/dialect.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGES 64

struct outcome {
    enum np_err last;
    uint32_t count, lens[MESSAGES], hashes[MESSAGES];
};

static void note_message(struct outcome *out, const struct np_line_decoder *decoder)
{
    struct np_signal signal;
    struct np_answer answer;
    uint32_t hash = 2166136261u;

    FUZZ_CHECK(decoder->len <= decoder->cap);
    FUZZ_CHECK(decoder->text[decoder->len] == '\0');
    for (uint32_t i = 0; i < decoder->len; i++) {
        hash = (hash ^ (uint8_t)decoder->text[i]) * 16777619u;
    }
    if (np_signal_parse(&signal, decoder->text, decoder->len) == NP_OK) {
        hash += (uint32_t)signal.kind;
    }
    if (np_answer_parse(&answer, decoder->text, decoder->len) == NP_OK) {
        FUZZ_CHECK(answer.max >= 1 && answer.max <= 0x7fffffffu && answer.tls <= 2);
        FUZZ_CHECK(answer.flow == '-' || answer.flow == '+');
    }
    if (out->count < MESSAGES) {
        out->lens[out->count] = decoder->len;
        out->hashes[out->count] = hash;
        out->count++;
    }
}

static void feed_all(struct outcome *out, struct np_key key, uint32_t cap, struct fuzz_input stream,
                     uint32_t piece)
{
    struct np_line_decoder decoder;

    memset(out, 0, sizeof(*out));
    np_line_decoder_init(&decoder, key, cap);
    while (stream.size > 0) {
        uint32_t len = stream.size < piece ? (uint32_t)stream.size : piece, taken = 0;
        uint8_t *copy = fuzz_copy(stream.data, len);

        out->last = np_line_decoder_feed(&decoder, copy, len, &taken);
        free(copy);
        FUZZ_CHECK(taken <= len);
        if (out->last == NP_ERR_TOO_LONG) {
            return;
        }
        FUZZ_CHECK(out->last == NP_OK || (out->last == NP_ERR_AGAIN && taken == len));
        if (out->last == NP_OK) {
            FUZZ_CHECK(taken > 0);
            note_message(out, &decoder);
            np_line_decoder_reset(&decoder);
        }
        stream.data += taken;
        stream.size -= taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct outcome whole, pieces;
    uint8_t key_bytes[64];
    uint32_t key_len = fuzz_byte(&in) % sizeof(key_bytes) + 1u;
    uint32_t cap = fuzz_byte(&in) & 1u ? NP_DIALECT_HELLO_CAP : NP_DIALECT_LINE_CAP;
    uint32_t piece = fuzz_byte(&in) % 16u + 1u;

    for (uint32_t i = 0; i < key_len; i++) {
        key_bytes[i] = fuzz_byte(&in);
    }
    struct np_key key = {key_bytes, key_len};
    feed_all(&whole, key, cap, in, UINT32_MAX);
    feed_all(&pieces, key, cap, in, piece);
    FUZZ_CHECK((whole.last == NP_ERR_TOO_LONG) == (pieces.last == NP_ERR_TOO_LONG));
    FUZZ_CHECK(whole.count == pieces.count);
    FUZZ_CHECK(memcmp(whole.lens, pieces.lens, sizeof(whole.lens)) == 0);
    FUZZ_CHECK(memcmp(whole.hashes, pieces.hashes, sizeof(whole.hashes)) == 0);
    np_hello_is_valid(data, size < 4096 ? (uint32_t)size : 4096u, key);
    return 0;
}
