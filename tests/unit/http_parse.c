/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/np_test.h"

#define REPORT_CAP 8192u
#define SMALL_CAP (NP_HTTP_HEAD_MAX + 8u) /* hardly room for a body behind the head */

/* What the parser made of a stream, as text: every request, then the state it ended in. */
struct report {
    char text[REPORT_CAP];
    uint32_t len;
};

static void note(struct report *report, const char *name, struct np_slice value)
{
    int made = snprintf(report->text + report->len, REPORT_CAP - report->len, " %s=%.*s", name,
                        (int)value.len, value.base == NULL ? "" : value.base);

    report->len += made > 0 ? (uint32_t)made : 0;
    if (report->len >= REPORT_CAP) {
        report->len = REPORT_CAP - 1;
    }
}

static void note_number(struct report *report, const char *name, uint32_t number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    note(report, name, np_slice_of(text));
}

static void note_request(struct report *report, const struct np_http_request *r)
{
    note_number(report, "method", r->method);
    note(report, "path", r->path);
    note(report, "query", r->query);
    note_number(report, "flags",
                (r->is_1_0 ? 1u : 0) | (r->is_last ? 2u : 0) | (r->has_api_key ? 4u : 0));
    note(report, "key", r->api_key);
    note(report, "match", r->if_none_match);
    note_number(report, "length", r->body.len);
    if (r->body.len <= 64) {
        note(report, "body", r->body);
    }
    note(report, "|", np_slice_of(""));
}

struct bench {
    struct np_http_parser parser;
    uint8_t *mem, *large;
    struct report report;
    bool is_over;
};

static void bench_init(struct bench *bench, uint32_t cap)
{
    memset(bench, 0, sizeof *bench);
    bench->mem = malloc(cap);
    np_http_parser_init(&bench->parser, bench->mem, cap);
}

static void bench_deinit(struct bench *bench)
{
    free(bench->mem);
    free(bench->large);
}

/* Gives one piece, in memory of its own size; requests that become whole are noted. */
static void give(struct bench *bench, const char *bytes, uint32_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    uint32_t at = 0, used;

    memcpy(copy, bytes, len);
    while (!bench->is_over && at < len) {
        enum np_err err = np_http_parser_feed(&bench->parser, copy + at, len - at, &used);
        NP_CHECK(used <= len - at);
        at += used;
        if (err == NP_OK) {
            note_request(&bench->report, &bench->parser.request);
            np_http_parser_reset(&bench->parser);
        } else if (err == NP_ERR_NO_MEMORY) {
            NP_CHECK(bench->parser.body_mem != bench->large || bench->large == NULL);
            bench->large = bench->large == NULL ? malloc(NP_HTTP_BODY_MAX) : bench->large;
            np_http_parser_grow(&bench->parser, bench->large, NP_HTTP_BODY_MAX);
        } else if (err == NP_ERR_PROTOCOL) {
            note_number(&bench->report, "status", bench->parser.status);
            note(&bench->report, "reason", np_slice_of(bench->parser.reason));
            NP_CHECK_INT(np_http_parser_feed(&bench->parser, copy, 1, &used), NP_ERR_PROTOCOL);
            bench->is_over = true;
        } else {
            NP_CHECK_INT(err, NP_ERR_AGAIN);
            NP_CHECK_INT(at, len);
        }
    }
    free(copy);
}

static void end(struct bench *bench)
{
    if (!bench->is_over) {
        note_number(&bench->report, "idle", np_http_parser_is_idle(&bench->parser));
    }
}

static void parse_whole(struct report *report, const char *stream, uint32_t len, uint32_t cap)
{
    struct bench bench;

    bench_init(&bench, cap);
    give(&bench, stream, len);
    end(&bench);
    *report = bench.report;
    bench_deinit(&bench);
}

static void parse_split(struct report *report, const char *stream, uint32_t len, uint32_t at,
                        uint32_t step)
{
    struct bench bench;

    bench_init(&bench, step % 2 ? SMALL_CAP : NP_HTTP_HEAD_MAX + 4096);
    give(&bench, stream, at);
    for (; at < len; at += step) {
        give(&bench, stream + at, at + step < len ? step : len - at);
    }
    end(&bench);
    *report = bench.report;
    bench_deinit(&bench);
}

#define HOST "Host: h\r\n"

static const struct {
    const char *stream, *report;
} streams[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n",
     " method=0 path=/ query= flags=0 key= match= length=0 body= |= idle=1"},
    {"\r\n\r\nGET /a HTTP/1.1\r\n" HOST "\r\n",
     " method=0 path=/a query= flags=0 key= match= length=0 body= |= idle=1"},
    {"\r\n\r\n\r\nGET /a HTTP/1.1\r\n" HOST "\r\n", " status=400 reason=too many blank lines"},
    {"HEAD /api/v1/x?a=b&c HTTP/1.1\r\nhOST:h\r\nx-api-KEY:  k1 \t\r\nX-API-Key: k2\r\n"
     "Accept-Encoding: br, gzip;q=0.5\r\nIf-None-Match: \"e\"\r\nConnection: x, Close\r\n\r\n",
     " method=1 path=/api/v1/x query=a=b&c flags=6 key=k1 match=\"e\" length=0 body= |= idle=1"},
    {"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     " method=0 path=/ query= flags=3 key= match= length=0 body= |="
     " method=0 path=/ query= flags=1 key= match= length=0 body= |= idle=1"},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n",
     " method=0 path=/ query= flags=2 key= match= length=0 body= |= idle=1"},
    {"GET / HTTP/1.1\r\n" HOST "Accept-Encoding: gzip;q=0.00\r\nX-API-Key:\r\n\r\n",
     " method=0 path=/ query= flags=4 key= match= length=0 body= |= idle=1"},
    {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloPATCH /q HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A ; x=\"y\"\r\n0123456789\r\n0\r\n"
     "T: v\r\nU: w\r\n\r\nDELETE /r HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\nPUT",
     " method=2 path=/p query= flags=0 key= match= length=5 body=hello |="
     " status=400 reason=bad chunk size"},
    {"PATCH /q HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x=\"y\"\r\n"
     "0123456789\r\n000\r\nT: v\r\nU: w\r\n\r\nDELETE /r HTTP/1.1\r\n" HOST
     "Content-Length: 0\r\n\r\nPUT",
     " method=4 path=/q query= flags=0 key= match= length=13 body=abc0123456789 |="
     " method=5 path=/r query= flags=0 key= match= length=0 body= |= idle=0"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     " method=2 path=/ query= flags=0 key= match= length=0 body= |= idle=1"},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
     " method=6 path=* query= flags=0 key= match= length=0 body= |= idle=1"},
    {"BREW http://h:80/pot?x HTTP/1.1\r\n" HOST "\r\nGET HTTPS://h HTTP/1.1\r\n" HOST "\r\n",
     " method=7 path=/pot query=x flags=0 key= match= length=0 body= |="
     " method=0 path=/ query= flags=0 key= match= length=0 body= |= idle=1"},
    {"GET /\xc3\xa9%20 HTTP/1.1\r\n" HOST "X: \xff\ty\r\n\r\n",
     " method=0 path=/\xc3\xa9%20 query= flags=0 key= match= length=0 body= |= idle=1"},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", " idle=0"},
    /* request lines */
    {"GET  / HTTP/1.1\r\n", " status=400 reason=bad request line"},
    {"GET / HTTP/1.1 \r\n", " status=400 reason=bad request line"},
    {" GET / HTTP/1.1\r\n", " status=400 reason=bad request line"},
    {"GET /\r\n", " status=400 reason=bad request line"},
    {"GET /a b HTTP/1.1\r\n", " status=400 reason=bad request line"},
    {"GET /a\tb HTTP/1.1\r\n", " status=400 reason=bad request line"},
    {"G@T / HTTP/1.1\r\n", " status=400 reason=bad request line"},
    {"GET / http/1.1\r\n", " status=400 reason=bad request line"},
    {"GET / HTTP/1.10\r\n", " status=400 reason=bad request line"},
    {"GET / HTTP/2.0\r\n", " status=505 reason=HTTP version not supported"},
    {"GET x HTTP/1.1\r\n", " status=400 reason=bad request target"},
    {"GET * HTTP/1.1\r\n", " status=400 reason=bad request target"},
    {"GET /x#y HTTP/1.1\r\n", " status=400 reason=bad request target"},
    {"CONNECT h:1 HTTP/1.1\r\n", " status=400 reason=bad request target"},
    {"GET / HTTP/1.1\n", " status=400 reason=line without CRLF"},
    {"GET / HTTP/1.1\r" HOST, " status=400 reason=line without CRLF"},
    {"\nGET / HTTP/1.1\r\n", " status=400 reason=line without CRLF"},
    {"GET /\x01 HTTP/1.1\r\n", " status=400 reason=control byte in the head"},
    {"\x16\x03\x01", " status=400 reason=control byte in the head"},
    /* headers */
    {"GET / HTTP/1.1\r\n" HOST "A: b\n\r\n", " status=400 reason=line without CRLF"},
    {"GET / HTTP/1.1\r\n" HOST "A: b\r\r\n\r\n", " status=400 reason=line without CRLF"},
    {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", " status=400 reason=folded header"},
    {"GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", " status=400 reason=bad header"},
    {"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", " status=400 reason=bad header"},
    {"GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", " status=400 reason=bad header"},
    {"GET / HTTP/1.1\r\n" HOST "A: \x7f\r\n\r\n", " status=400 reason=control byte in the head"},
    {"GET / HTTP/1.1\r\n\r\n", " status=400 reason=missing Host"},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", " status=400 reason=bad Host"},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", " status=400 reason=bad Host"},
    {"GET / HTTP/1.1\r\n" HOST "Expect: cake\r\n\r\n", " status=417 reason=unknown expectation"},
    /* smuggling */
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     " status=400 reason=bad Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello",
     " status=400 reason=bad Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello",
     " status=400 reason=bad Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello",
     " status=400 reason=bad Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", " status=400 reason=bad Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     " status=400 reason=Content-Length with Transfer-Encoding"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     " status=400 reason=Content-Length with Transfer-Encoding"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     " status=400 reason=bad Transfer-Encoding"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     " status=501 reason=unsupported transfer encoding"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n",
     " status=501 reason=unsupported transfer encoding"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     " status=400 reason=bad Transfer-Encoding"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n",
     " status=400 reason=bad header"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n",
     " status=413 reason=request body too large"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n",
     " status=413 reason=request body too large"},
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
    {CHUNKED "\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "g\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "-1\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED " 1\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "1 \r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "0x1\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "000000001\r\n", " status=400 reason=bad chunk size"},
    {CHUNKED "1\n", " status=400 reason=bad chunk size"},
    {CHUNKED "1;a\n", " status=400 reason=bad chunk framing"},
    {CHUNKED "1\rx", " status=400 reason=bad chunk framing"},
    {CHUNKED "1\r\naa", " status=400 reason=bad chunk framing"},
    {CHUNKED "1\r\na\n", " status=400 reason=bad chunk framing"},
    {CHUNKED "1\r\na\r\n0\r\n x\r\n\r\n", " status=400 reason=folded header"},
    {CHUNKED "0\r\n\n", " status=400 reason=bad chunk framing"},
    {CHUNKED "0\r\n\r\r", " status=400 reason=bad chunk framing"},
    {CHUNKED "0\r\na\rb", " status=400 reason=bad chunk framing"},
    {CHUNKED "FFFFFFFF\r\n", " status=413 reason=request body too large"},
    {CHUNKED "1\r\na\r\n10000\r\n", " status=413 reason=request body too large"},
};
#define STREAM_COUNT (sizeof streams / sizeof streams[0])

NP_TEST(http_parse, streams)
{
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        struct report report;
        np_test_context("%s", streams[i].stream);
        parse_whole(&report, streams[i].stream, (uint32_t)strlen(streams[i].stream), SMALL_CAP);
        NP_CHECK_STR(report.text, streams[i].report);
    }
}

NP_TEST(http_parse, any_split_is_the_same)
{
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        uint32_t len = (uint32_t)strlen(streams[i].stream);
        for (uint32_t at = 0; at <= len; at++) {
            struct report report;
            np_test_context("row %u at %u", i, at);
            parse_split(&report, streams[i].stream, len, at, len + 1);
            NP_CHECK_STR(report.text, streams[i].report);
            parse_split(&report, streams[i].stream, len, at, 1 + at % 3);
            NP_CHECK_STR(report.text, streams[i].report);
        }
    }
}

/* A head of `len` bytes in all. */
static char *head_of(uint32_t len)
{
    static const char front[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    char *head = malloc(len + 1);

    memset(head, 'x', len);
    memcpy(head, front, sizeof front - 1);
    memcpy(head + len - 4, "\r\n\r\n", 5);
    return head;
}

NP_TEST(http_parse, head_limit)
{
    for (uint32_t len = NP_HTTP_HEAD_MAX - 1; len <= NP_HTTP_HEAD_MAX + 1; len++) {
        for (uint32_t step = 1; step <= len; step += len - 1) {
            char *head = head_of(len);
            struct report report;
            parse_split(&report, head, len, 0, step);
            NP_CHECK(strstr(report.text, len > NP_HTTP_HEAD_MAX ? "status=431" : "idle=1") != NULL);
            free(head);
        }
    }
}

NP_TEST(http_parse, body_limit)
{
    for (uint32_t size = NP_HTTP_BODY_MAX - 1; size <= NP_HTTP_BODY_MAX + 1; size++) {
        char head[128];
        uint32_t len = (uint32_t)snprintf(
            head, sizeof head, "PUT / HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", size);
        char *stream = calloc(1, len + size), *copy = malloc(size);
        struct report report;
        memcpy(stream, head, len);
        parse_split(&report, stream, len + size, 0, 1000);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "length=%u |= idle=1", size);
        NP_CHECK(strstr(report.text, size > NP_HTTP_BODY_MAX ? "status=413" : wanted) != NULL);
        free(copy);
        free(stream);
    }
}

/* Content goes to larger memory in the middle and stays what it was. */
NP_TEST(http_parse, grows)
{
    static uint8_t mem[NP_HTTP_HEAD_MAX + 100], large[NP_HTTP_BODY_MAX];
    static uint8_t body[20000];
    struct np_http_parser parser;
    uint32_t used;
    static const char head[] = "PUT / HTTP/1.1\r\n" HOST "Content-Length: 20000\r\n\r\n";

    for (uint32_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    np_http_parser_init(&parser, mem, sizeof mem);
    NP_CHECK_INT(np_http_parser_feed(&parser, (const uint8_t *)head, sizeof head - 1, &used),
                 NP_ERR_AGAIN);
    NP_CHECK(!np_http_parser_is_in_head(&parser));
    NP_CHECK_INT(np_http_parser_feed(&parser, body, sizeof body, &used), NP_ERR_NO_MEMORY);
    NP_CHECK(used > 0 && used < sizeof mem);
    np_http_parser_grow(&parser, large, sizeof large);
    uint32_t at = used;
    NP_CHECK_INT(np_http_parser_feed(&parser, body + at, (uint32_t)sizeof body - at, &used), NP_OK);
    NP_CHECK_INT(at + used, sizeof body);
    NP_CHECK_INT(parser.request.body.len, sizeof body);
    NP_CHECK_MEM(parser.request.body.base, body, sizeof body);
}

NP_TEST(http_parse, chunk_framing_limit)
{
    struct bench bench;

    bench_init(&bench, SMALL_CAP);
    give(&bench, CHUNKED "1;", strlen(CHUNKED) + 2);
    for (uint32_t i = 0; i < NP_HTTP_FRAMING_MAX; i++) {
        give(&bench, "x", 1);
    }
    NP_CHECK(!bench.is_over);
    give(&bench, "x", 1);
    NP_CHECK_STR(bench.report.text, " status=400 reason=chunk framing too large");
    bench_deinit(&bench);
}

NP_TEST(http_parse, asks_to_continue_once)
{
    static const char head[] =
        "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    static uint8_t mem[SMALL_CAP];
    struct np_http_parser parser;
    uint32_t used;

    for (uint32_t with_body = 0; with_body < 2; with_body++) {
        char stream[256];
        uint32_t len =
            (uint32_t)snprintf(stream, sizeof stream, "%s%s", head, with_body ? "a" : "");
        np_http_parser_init(&parser, mem, sizeof mem);
        NP_CHECK(!np_http_parser_wants_continue(&parser));
        np_http_parser_feed(&parser, (const uint8_t *)stream, 20, &used);
        NP_CHECK(!np_http_parser_wants_continue(&parser));
        np_http_parser_feed(&parser, (const uint8_t *)stream + 20, len - 20, &used);
        NP_CHECK_INT(np_http_parser_wants_continue(&parser), !with_body);
        NP_CHECK(!np_http_parser_wants_continue(&parser));
    }
}

NP_TEST(http_parse, header_lookup)
{
    static const char stream[] =
        "GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nx-two: 1\r\nX-Two: 2\r\nLast:  v w \r\n\r\n";
    static uint8_t mem[SMALL_CAP];
    struct np_http_parser parser;
    struct np_slice value;
    uint32_t used;

    np_http_parser_init(&parser, mem, sizeof mem);
    NP_CHECK_INT(np_http_parser_feed(&parser, (const uint8_t *)stream, sizeof stream - 1, &used),
                 NP_OK);
    const struct np_http_request *request = &parser.request;
    NP_CHECK(np_http_header(request, "host", &value) && np_slice_is(value, "h"));
    NP_CHECK(np_http_header(request, "X-EMPTY", &value) && value.len == 0);
    NP_CHECK(np_http_header(request, "X-Two", &value) && np_slice_is(value, "1"));
    NP_CHECK(np_http_header(request, "last", &value) && np_slice_is(value, "v w"));
    NP_CHECK(!np_http_header(request, "las", &value));
    NP_CHECK(!np_http_header(request, "lastly", &value));
    NP_CHECK(!np_http_header(request, "", &value));
}
