/* SPDX-License-Identifier: BSD-3-Clause */
/* http_parse: the head is kept byte by byte and looked at line by line, each line when it is whole,
 * so that the cuts of the stream can't matter. The body is copied behind it without its framing.
 *
 *   START_LINE -> HEADERS -+-> BODY ---------------------------------> DONE
 *                          +-> CHUNK_SIZE -> CHUNK_DATA -> CHUNK_END -+
 *                          |       ^------------------------+         |
 *                          |       0 -> TRAILERS ---------------------+
 *                          +------------------------------------------+ no body
 *
 * _EXT, _LF: inside a line. FAILED sticks.
 */
#include "core/http/http_parse.h"

#include <stddef.h>

#include "core/http/http_head.h"

#define CHUNK_DIGITS 8u

enum state {
    START_LINE,
    HEADERS,
    BODY,
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_LF,
    TRAILERS_END_LF,
    DONE,
    FAILED
};

void np_http_parser_init(struct np_http_parser *parser, uint8_t *mem, uint32_t cap)
{
    memset(parser, 0, sizeof *parser);
    parser->mem = mem;
    parser->cap = cap;
}

void np_http_parser_reset(struct np_http_parser *parser)
{
    np_http_parser_init(parser, parser->mem, parser->cap);
}

bool np_http_parser_is_idle(const struct np_http_parser *parser)
{
    return parser->state == START_LINE && parser->head_len == 0;
}

bool np_http_parser_is_in_head(const struct np_http_parser *parser)
{
    return parser->state == START_LINE || parser->state == HEADERS;
}

bool np_http_parser_wants_continue(struct np_http_parser *parser)
{
    bool wants = parser->wants_continue && !np_http_parser_is_in_head(parser) &&
                 parser->state < DONE && parser->body_len == 0;

    if (!np_http_parser_is_in_head(parser)) {
        parser->wants_continue = false;
    }
    return wants;
}

void np_http_parser_grow(struct np_http_parser *parser, uint8_t *mem, uint32_t cap)
{
    if (parser->body_len > 0) {
        memcpy(mem, parser->body_mem, parser->body_len);
    }
    parser->body_mem = mem;
    parser->body_cap = cap;
}

static enum np_err fail(struct np_http_parser *parser, uint16_t status, const char *reason)
{
    parser->state = FAILED;
    parser->status = status;
    parser->reason = reason;
    return NP_ERR_PROTOCOL;
}

/* ---- head ---------------------------------------------------------------- */

static enum np_err done(struct np_http_parser *parser)
{
    parser->request.body.base = (const char *)parser->body_mem;
    parser->request.body.len = parser->body_len;
    parser->state = DONE;
    return NP_OK;
}

/* The empty line was read. */
static enum np_err end_head(struct np_http_parser *parser)
{
    const char *reason = NULL;
    uint16_t status = np_http_head_check(parser, &reason);

    if (status != 0) {
        return fail(parser, status, reason);
    }
    parser->body_mem = parser->mem + parser->head_len;
    parser->body_cap = parser->cap - parser->head_len;
    if (parser->is_chunked) {
        parser->state = CHUNK_SIZE;
    } else if (parser->body_left > 0) {
        parser->state = BODY;
    } else {
        return done(parser);
    }
    return NP_ERR_AGAIN;
}

/* A line of the head is whole, its CRLF included. */
static enum np_err end_line(struct np_http_parser *parser)
{
    struct np_slice line = {(const char *)parser->mem + parser->line_at,
                            parser->head_len - parser->line_at - 2};
    const char *reason = NULL;
    uint16_t status = 0;

    if (parser->state == START_LINE && line.len == 0) {
        parser->head_len = 0; /* blank lines before a request (RFC 9112 section 2.2) */
        return ++parser->framing_len > 2 ? fail(parser, 400, "too many blank lines") : NP_ERR_AGAIN;
    }
    parser->line_at = parser->head_len;
    if (parser->state == START_LINE) {
        status = np_http_start_line(parser, line, &reason);
        parser->request.headers.base = (const char *)parser->mem + parser->head_len;
        parser->state = HEADERS;
        parser->framing_len = 0;
    } else if (line.len == 0) {
        return end_head(parser);
    } else {
        status = np_http_header_line(parser, line, &reason);
        parser->request.headers.len += line.len + 2;
    }
    return status == 0 ? NP_ERR_AGAIN : fail(parser, status, reason);
}

/* One byte of the head. */
static enum np_err feed_head(struct np_http_parser *parser, uint8_t c)
{
    uint8_t last = parser->head_len > parser->line_at ? parser->mem[parser->head_len - 1] : 0;

    if (parser->head_len == NP_HTTP_HEAD_MAX) {
        return fail(parser, 431, "request head too large");
    }
    if ((c == '\n') != (last == '\r')) {
        return fail(parser, 400, "line without CRLF");
    }
    if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
        return fail(parser, 400, "control byte in the head");
    }
    parser->mem[parser->head_len++] = c;
    return c == '\n' ? end_line(parser) : NP_ERR_AGAIN;
}

/* ---- body ---------------------------------------------------------------- */

/* Copies what belongs to the body or the current chunk; at its end comes `next`. */
static enum np_err feed_data(struct np_http_parser *parser, const uint8_t *bytes, uint32_t len,
                             uint32_t *used)
{
    uint32_t room = parser->body_cap - parser->body_len;
    uint32_t take = len < parser->body_left ? len : parser->body_left;

    if (take > room) {
        take = room;
    }
    if (take == 0) {
        return NP_ERR_NO_MEMORY;
    }
    memcpy(parser->body_mem + parser->body_len, bytes, take);
    parser->body_len += take;
    parser->body_left -= take;
    *used += take;
    if (parser->body_left > 0) {
        return NP_ERR_AGAIN;
    }
    if (parser->state == BODY) {
        return done(parser);
    }
    parser->state = CHUNK_DATA_CR;
    return NP_ERR_AGAIN;
}

static enum np_err end_chunk_line(struct np_http_parser *parser)
{
    if (parser->body_left > NP_HTTP_BODY_MAX - parser->body_len) {
        return fail(parser, 413, "request body too large");
    }
    parser->state = parser->body_left > 0 ? CHUNK_DATA : TRAILER_START;
    parser->digit_count = 0;
    return NP_ERR_AGAIN;
}

static enum np_err feed_chunk_size(struct np_http_parser *parser, uint8_t c)
{
    int32_t digit = np_hex_value((char)c);

    if (digit >= 0 && parser->digit_count < CHUNK_DIGITS) {
        parser->digit_count++;
        parser->body_left = parser->body_left << 4 | (uint32_t)digit;
        return NP_ERR_AGAIN;
    }
    if (parser->digit_count > 0 && c == '\r') {
        parser->state = CHUNK_SIZE_LF;
        return NP_ERR_AGAIN;
    }
    if (parser->digit_count > 0 && c == ';') {
        parser->state = CHUNK_EXT;
        return NP_ERR_AGAIN;
    }
    return fail(parser, 400, "bad chunk size");
}

/* A byte inside a chunk extension or a trailer line; `lf` is the state behind its CR. */
static enum np_err feed_ignored(struct np_http_parser *parser, uint8_t c, uint8_t lf)
{
    if (c == '\r') {
        parser->state = lf;
        return NP_ERR_AGAIN;
    }
    if ((c < 0x20 && c != '\t') || c == 0x7f) {
        return fail(parser, 400, "bad chunk framing");
    }
    if (++parser->framing_len > NP_HTTP_FRAMING_MAX) {
        return fail(parser, 400, "chunk framing too large");
    }
    return NP_ERR_AGAIN;
}

static enum np_err expect(struct np_http_parser *parser, uint8_t c, uint8_t wanted, uint8_t next)
{
    if (c != wanted) {
        return fail(parser, 400, "bad chunk framing");
    }
    parser->state = next;
    return NP_ERR_AGAIN;
}

static enum np_err start_trailer(struct np_http_parser *parser, uint8_t c)
{
    if (c == ' ' || c == '\t') {
        return fail(parser, 400, "folded header");
    }
    parser->state = TRAILER;
    return feed_ignored(parser, c, TRAILERS_END_LF);
}

/* One byte of framing around and behind chunks. */
static enum np_err feed_framing(struct np_http_parser *parser, uint8_t c)
{
    switch (parser->state) {
    case CHUNK_SIZE:
        return feed_chunk_size(parser, c);
    case CHUNK_EXT:
        return feed_ignored(parser, c, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return c == '\n' ? end_chunk_line(parser) : fail(parser, 400, "bad chunk framing");
    case CHUNK_DATA_CR:
        return expect(parser, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return expect(parser, c, '\n', CHUNK_SIZE);
    case TRAILER_START:
        return start_trailer(parser, c);
    case TRAILER:
        return feed_ignored(parser, c, TRAILER_LF);
    case TRAILER_LF:
        return expect(parser, c, '\n', TRAILER_START);
    case TRAILERS_END_LF:
        return c == '\n' ? done(parser) : fail(parser, 400, "bad chunk framing");
    case DONE:
        return NP_OK;
    default:
        return NP_ERR_PROTOCOL;
    }
}

enum np_err np_http_parser_feed(struct np_http_parser *parser, const uint8_t *bytes, uint32_t len,
                                uint32_t *used)
{
    enum np_err err = parser->state == DONE     ? NP_OK
                      : parser->state == FAILED ? NP_ERR_PROTOCOL
                                                : NP_ERR_AGAIN;

    *used = 0;
    while (err == NP_ERR_AGAIN && *used < len) {
        if (np_http_parser_is_in_head(parser)) {
            err = feed_head(parser, bytes[(*used)++]);
        } else if (parser->state == BODY || parser->state == CHUNK_DATA) {
            err = feed_data(parser, bytes + *used, len - *used, used);
        } else {
            err = feed_framing(parser, bytes[(*used)++]);
        }
    }
    return err;
}
