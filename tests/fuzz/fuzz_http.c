/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a stream of requests: how it is cut changes nothing, every slice lies where it
 * should, bounds hold, and what is accepted has one meaning only. Input: two bytes for the
 * pieces, stream. */
#include "core/http/http_parse.h"
#include "tests/fuzz/fuzz.h"

#define REQUESTS 64u

/* What is to be the same for every cut. */
struct outcome {
    enum np_err last;
    uint16_t status;
    uint32_t count, sums[REQUESTS];
    uint32_t used; /* bytes up to the end or the error */
};

struct sink {
    struct np_http_parser parser;
    uint8_t *mem, *large;
    uint32_t cap;
    bool is_grown;
};

static uint32_t add(uint32_t sum, const void *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 16777619u;
    }
    return (sum ^ len) * 16777619u;
}

static bool is_inside(struct np_slice part, struct np_slice whole)
{
    return part.len == 0 ||
           (part.base >= whole.base && part.base + part.len <= whole.base + whole.len);
}

/* How often a header stands in the head, counted by hand. */
static uint32_t count_headers(struct np_slice headers, const char *name)
{
    uint32_t count = 0, len = (uint32_t)strlen(name);

    for (uint32_t at = 0; at < headers.len;) {
        uint32_t end = at;
        while (end < headers.len && headers.base[end] != '\n') {
            end++;
        }
        FUZZ_CHECK(end > at && end < headers.len && headers.base[end - 1] == '\r');
        if (end - at > len && headers.base[at + len] == ':') {
            count += np_slice_is_word(np_slice_part(headers, at, len), name) ? 1u : 0;
        }
        at = end + 1;
    }
    return count;
}

static void check_paths(struct np_slice path, struct np_slice query)
{
    static char out[4 * NP_HTTP_HEAD_MAX];
    struct np_slice rest = path, segment;
    uint32_t len, sum = 0;

    while (np_http_segment_next(&rest, &segment)) {
        FUZZ_CHECK(is_inside(segment, path));
        sum += segment.len + 1;
        if (np_http_decode(segment, false, out, sizeof out, &len) == NP_OK) {
            FUZZ_CHECK(len <= segment.len && strlen(out) == len);
        }
    }
    FUZZ_CHECK(sum == path.len);
    if (!np_http_path_is_clean(path)) {
        len = np_http_path_clean(path, out, sizeof out);
        FUZZ_CHECK(len > 0 && strlen(out) == len && out[0] == '/' && out[1] != '/');
        FUZZ_CHECK(np_http_path_is_clean(np_slice_of(out)));
        for (uint32_t i = 0; i < len; i++) {
            FUZZ_CHECK(out[i] > ' ' && out[i] < 0x7f && out[i] != '\\');
        }
    }
    if (np_http_query_find(query, "target", out, sizeof out, &len) == NP_OK) {
        FUZZ_CHECK(strlen(out) == len && len <= query.len);
    }
}

static uint32_t check_request(const struct sink *sink)
{
    const struct np_http_parser *parser = &sink->parser;
    const struct np_http_request *r = &parser->request;
    struct np_slice head = {(const char *)sink->mem, parser->head_len};
    struct np_slice body_room = {(const char *)parser->body_mem, parser->body_cap};
    uint32_t lengths = count_headers(r->headers, "content-length");
    uint32_t codings = count_headers(r->headers, "transfer-encoding");
    struct np_slice value;

    FUZZ_CHECK(parser->head_len <= NP_HTTP_HEAD_MAX && r->body.len <= NP_HTTP_BODY_MAX);
    FUZZ_CHECK(is_inside(r->path, head) || np_slice_is(r->path, "/"));
    FUZZ_CHECK(is_inside(r->query, head) && is_inside(r->headers, head));
    FUZZ_CHECK(is_inside(r->api_key, r->headers) && is_inside(r->if_none_match, r->headers));
    FUZZ_CHECK(is_inside(r->body, body_room));
    FUZZ_CHECK(r->path.len > 0 && (r->path.base[0] == '/' || np_slice_is(r->path, "*")));
    FUZZ_CHECK(lengths + codings <= 1);
    FUZZ_CHECK(lengths + codings == 1 || r->body.len == 0);
    FUZZ_CHECK(count_headers(r->headers, "host") == 1 || r->is_1_0);
    FUZZ_CHECK(np_http_header(r, "x-api-key", &value) == r->has_api_key);
    FUZZ_CHECK(!r->has_api_key || value.base == r->api_key.base);
    if (np_http_header(r, "content-length", &value)) {
        FUZZ_CHECK((uint32_t)strtoul(value.base, NULL, 10) == r->body.len);
    }
    check_paths(r->path, r->query);
    uint32_t sum = add(2166136261u, r->path.base, r->path.len);
    sum = add(sum, r->query.base, r->query.len);
    sum = add(sum, r->api_key.base, r->api_key.len);
    sum = add(sum, r->headers.base, r->headers.len);
    sum = add(sum, r->body.base, r->body.len);
    return sum + r->method + (r->is_last ? 8u : 0) + (r->is_1_0 ? 16u : 0);
}

/* Feeds one piece; true while the parser goes on. */
static bool feed_piece(struct sink *sink, struct outcome *out, const uint8_t *bytes, uint32_t len)
{
    uint8_t *copy = fuzz_copy(bytes, len);
    uint32_t at = 0, used;

    out->last = NP_ERR_AGAIN;
    while (at < len && out->last != NP_ERR_PROTOCOL) {
        out->last = np_http_parser_feed(&sink->parser, copy + at, len - at, &used);
        FUZZ_CHECK(used <= len - at);
        at += used;
        out->used += used;
        if (out->last == NP_OK) {
            FUZZ_CHECK(used > 0);
            if (out->count < REQUESTS) {
                out->sums[out->count++] = check_request(sink);
            }
            np_http_parser_reset(&sink->parser);
            sink->is_grown = false;
            FUZZ_CHECK(np_http_parser_is_idle(&sink->parser));
        } else if (out->last == NP_ERR_NO_MEMORY) {
            FUZZ_CHECK(!sink->is_grown);
            np_http_parser_grow(&sink->parser, sink->large, NP_HTTP_BODY_MAX);
            sink->is_grown = true;
        } else {
            FUZZ_CHECK(out->last == NP_ERR_PROTOCOL || (out->last == NP_ERR_AGAIN && at == len));
        }
    }
    free(copy);
    return out->last != NP_ERR_PROTOCOL;
}

/* `pieces`: 0 = the whole at once, else a seed of piece lengths. */
static void feed_all(struct outcome *out, struct fuzz_input in, uint32_t cap, uint32_t pieces)
{
    struct sink sink = {.cap = cap};

    memset(out, 0, sizeof *out);
    sink.mem = malloc(cap);
    sink.large = malloc(NP_HTTP_BODY_MAX);
    np_http_parser_init(&sink.parser, sink.mem, cap);
    while (in.size > 0) {
        uint32_t len = (uint32_t)in.size;
        if (pieces != 0) {
            pieces = pieces * 1664525u + 1013904223u;
            len = (pieces >> 16) % 13u + 1u;
            len = len < in.size ? len : (uint32_t)in.size;
        }
        if (!feed_piece(&sink, out, in.data, len)) {
            break;
        }
        in.data += len;
        in.size -= len;
    }
    out->status = out->last == NP_ERR_PROTOCOL ? sink.parser.status : 0;
    FUZZ_CHECK((out->status != 0) == (out->last == NP_ERR_PROTOCOL));
    free(sink.mem);
    free(sink.large);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint32_t seed = fuzz_byte(&in) + 1u;
    uint32_t cap = NP_HTTP_HEAD_MAX + fuzz_byte(&in) * 16u;
    struct outcome whole, pieces;

    feed_all(&whole, in, NP_HTTP_HEAD_MAX + 2048u, 0);
    feed_all(&pieces, in, cap, seed);
    FUZZ_CHECK(whole.status == pieces.status && whole.count == pieces.count);
    FUZZ_CHECK(whole.used == pieces.used);
    FUZZ_CHECK(memcmp(whole.sums, pieces.sums, sizeof whole.sums) == 0);
    return 0;
}
