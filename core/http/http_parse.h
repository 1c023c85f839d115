/* SPDX-License-Identifier: BSD-3-Clause */
/* http_parse: HTTP/1.1 requests (RFC 9110, RFC 9112) from bytes that come in any pieces.
 *
 *   init(mem) -> feed until it is not NP_ERR_AGAIN -> use parser.request -> reset, feed again
 *
 * How the bytes are cut changes nothing. The request points into `mem`: the head as it was
 * received, behind it the body with the chunks taken off. A body that does not fit there is
 * moved to larger memory that the caller brings when asked for it (NP_ERR_NO_MEMORY).
 *
 * Strict, since what a proxy in front and we read differently is a hole (RFC 9112 section 11.2):
 * every line ends in CRLF (a bare CR or LF is an error), no folded headers, no blank before the
 * colon, one Host (HTTP/1.1: needed), one Content-Length of digits only or one Transfer-Encoding
 * that is exactly "chunked", never both.
 */
#ifndef NP_CORE_HTTP_PARSE_H
#define NP_CORE_HTTP_PARSE_H

#include "core/base/err.h"
#include "core/http/slice.h"

#define NP_HTTP_HEAD_MAX 8192u     /* request line, headers and their end */
#define NP_HTTP_BODY_MAX 65536u    /* without the framing of chunks */
#define NP_HTTP_FRAMING_MAX 16384u /* chunk extensions and trailers of one body */

enum np_http_method {
    NP_HTTP_GET,
    NP_HTTP_HEAD,
    NP_HTTP_POST,
    NP_HTTP_PUT,
    NP_HTTP_PATCH,
    NP_HTTP_DELETE,
    NP_HTTP_OPTIONS,
    NP_HTTP_OTHER /* any other token */
};

struct np_http_request {
    uint8_t method; /* enum np_http_method */
    bool is_1_0;
    bool is_last;     /* the connection ends after the reply (Connection, version) */
    bool has_api_key; /* X-API-Key is there, maybe empty */
    struct np_slice
        path; /* as sent, from its '/' on (not decoded), without query; "*" of OPTIONS */
    struct np_slice query;         /* behind the '?', as sent */
    struct np_slice api_key;       /* never to be logged */
    struct np_slice if_none_match; /* len 0 = not there */
    struct np_slice body;
    struct np_slice headers; /* all lines of the head behind the first, for np_http_header */
};

struct np_http_parser {
    struct np_http_request request; /* valid after NP_OK until reset */
    uint8_t *mem;                   /* the head, then the body if it fits */
    uint32_t cap;                   /* NP_HTTP_HEAD_MAX or more */
    uint8_t *body_mem;              /* the body's memory: inside mem, or what grow brought */
    uint32_t body_cap;
    uint32_t head_len; /* bytes of the head so far */
    uint32_t body_len;
    uint32_t line_at;     /* where the current line of the head begins */
    uint32_t body_left;   /* of Content-Length, or of the current chunk */
    uint32_t framing_len; /* chunk extensions and trailers so far */
    uint16_t status;      /* after NP_ERR_PROTOCOL: 400, 413, 417, 431, 501, 505 */
    uint8_t state;        /* private */
    bool has_host, has_length, is_chunked, wants_continue, says_close, says_keep;
    uint8_t digit_count; /* of the chunk's size */
    const char *reason;  /* after NP_ERR_PROTOCOL: a few words, static */
};

/* Begins with the first request. `mem` stays the caller's; it may hold secrets afterwards. */
void np_http_parser_init(struct np_http_parser *parser, uint8_t *mem, uint32_t cap);
/* The next request, over the same memory; what grow brought is the caller's again. */
void np_http_parser_reset(struct np_http_parser *parser);
/* Takes bytes; *used of the `len` are done with, never one behind the end of the request (a
 * pipelined one follows). Returns NP_OK: request is whole. NP_ERR_AGAIN: all taken, more is needed.
 * NP_ERR_NO_MEMORY: bring larger memory with np_http_parser_grow, then feed the rest.
 * NP_ERR_PROTOCOL: status and reason tell what to answer before closing; it sticks. */
enum np_err np_http_parser_feed(struct np_http_parser *parser, const uint8_t *bytes, uint32_t len,
                                uint32_t *used);
/* Moves the body to `mem` of `cap` bytes; NP_HTTP_BODY_MAX is always enough. */
void np_http_parser_grow(struct np_http_parser *parser, uint8_t *mem, uint32_t cap);
/* True before the first byte of a request (blank lines do not count). */
bool np_http_parser_is_idle(const struct np_http_parser *parser);
/* True while the head is not whole. */
bool np_http_parser_is_in_head(const struct np_http_parser *parser);
/* True once, when the client waits for "100 Continue" before it sends the body (Expect). */
bool np_http_parser_wants_continue(struct np_http_parser *parser);

/* The value of the first header of that name (case does not matter), without blanks around.
 * False: not there. */
bool np_http_header(const struct np_http_request *request, const char *name,
                    struct np_slice *value);

/* ---- paths and queries -------------------------------------------------- */

/* Next segment of a path: takes '/' and what follows it up to the next '/' off *rest. "/a/" gives
 * "a", then "". Returns false when *rest is empty. Split first, decode then. */
bool np_http_segment_next(struct np_slice *rest, struct np_slice *segment);
/* Decodes %XX ('+' too if `is_query`) to `out` with a NUL. Returns NP_OK, NP_ERR_INVALID (a '%'
 * without two hex digits, or %00) or NP_ERR_TOO_LONG; out is "" then. */
enum np_err np_http_decode(struct np_slice text, bool is_query, char *out, uint32_t cap,
                           uint32_t *len);
/* Decoded value of the first parameter `name` of a query. NP_ERR_NOT_FOUND, else as
 * np_http_decode. */
enum np_err np_http_query_find(struct np_slice query, const char *name, char *out, uint32_t cap,
                               uint32_t *len);

/* True if `path` has no empty segment (but the last), "." or ".." (also written with %2e). */
bool np_http_path_is_clean(struct np_slice path);
/* The clean form of `path` for the Location of a 301, with a NUL; a '/' at the end stays. It begins
 * with exactly one '/', bytes that could mean something else in a header or to a browser are
 * percent-encoded. Returns its length, 0 if it does not fit. */
uint32_t np_http_path_clean(struct np_slice path, char *out, uint32_t cap);

#endif
