/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_head.h"

#include <stddef.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct np_slice trim(struct np_slice text)
{
    while (text.len > 0 && is_blank(text.base[0])) {
        text.base++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.base[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Index of the first `c`, or len. */
static uint32_t index_of(struct np_slice text, char c)
{
    uint32_t i = 0;

    while (i < text.len && text.base[i] != c) {
        i++;
    }
    return i;
}

/* Takes what stands before the first `c` off the front, `c` too. */
static struct np_slice cut(struct np_slice *rest, char c)
{
    uint32_t at = index_of(*rest, c);
    struct np_slice part = np_slice_part(*rest, 0, at);

    at += at < rest->len ? 1u : 0;
    rest->base += at;
    rest->len -= at;
    return part;
}

/* A token of RFC 9110 section 5.6.2. */
static bool is_token(struct np_slice text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (uint32_t i = 0; i < text.len; i++) {
        char c = np_ascii_lower(text.base[i]);
        bool is_ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        for (const char *mark = marks; !is_ok && *mark != '\0'; mark++) {
            is_ok = c == *mark;
        }
        if (!is_ok) {
            return false;
        }
    }
    return text.len > 0;
}

static uint16_t refuse(uint16_t status, const char *why, const char **reason)
{
    *reason = why;
    return status;
}

/* ---- request line ----------------------------------------------------------- */

static uint8_t method_of(struct np_slice text)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (uint8_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (np_slice_is(text, names[i])) {
            return i;
        }
    }
    return NP_HTTP_OTHER;
}

static uint16_t take_version(struct np_http_request *request, struct np_slice text,
                             const char **reason)
{
    if (text.len != 8 || memcmp(text.base, "HTTP/", 5) != 0 || text.base[6] != '.' ||
        text.base[5] < '0' || text.base[5] > '9' || text.base[7] < '0' || text.base[7] > '9') {
        return refuse(400, "bad request line", reason);
    }
    if (text.base[5] != '1') {
        return refuse(505, "HTTP version not supported", reason);
    }
    request->is_1_0 = text.base[7] == '0';
    return 0;
}

/* "http://host:port/path" means its path (RFC 9112 section 3.2.2). */
static void skip_origin(struct np_slice *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (uint32_t i = 0; i < 2; i++) {
        uint32_t len = (uint32_t)strlen(schemes[i]);
        if (target->len < len || !np_slice_is_word(np_slice_part(*target, 0, len), schemes[i])) {
            continue;
        }
        target->base += len;
        target->len -= len;
        while (target->len > 0 && *target->base != '/' && *target->base != '?') {
            target->base++;
            target->len--;
        }
        return;
    }
}

static uint16_t take_target(struct np_http_request *request, struct np_slice target,
                            const char **reason)
{
    bool is_origin_form = target.len > 0 && target.base[0] == '/';

    if (!is_origin_form && !(request->method == NP_HTTP_OPTIONS && np_slice_is(target, "*"))) {
        uint32_t whole = target.len;
        skip_origin(&target);
        if (target.len == whole) {
            return refuse(400, "bad request target", reason);
        }
    }
    request->path = cut(&target, '?');
    request->query = target;
    if (index_of(request->path, '#') < request->path.len || index_of(target, '#') < target.len) {
        return refuse(400, "bad request target", reason);
    }
    if (request->path.len == 0) {
        request->path = np_slice_of("/");
    }
    return 0;
}

uint16_t np_http_start_line(struct np_http_parser *parser, struct np_slice line,
                            const char **reason)
{
    struct np_http_request *request = &parser->request;
    struct np_slice method = cut(&line, ' ');
    struct np_slice target = cut(&line, ' ');

    if (!is_token(method) || index_of(target, '\t') < target.len) {
        return refuse(400, "bad request line", reason);
    }
    request->method = method_of(method);
    uint16_t status = take_version(request, line, reason);
    return status != 0 ? status : take_target(request, target, reason);
}

/* ---- headers ------------------------------------------------------------------ */

static uint16_t on_host(struct np_http_parser *parser, struct np_slice value, const char **reason)
{
    if (parser->has_host || index_of(value, ' ') < value.len || index_of(value, ',') < value.len) {
        return refuse(400, "bad Host", reason);
    }
    parser->has_host = true;
    return 0;
}

static uint16_t on_length(struct np_http_parser *parser, struct np_slice value, const char **reason)
{
    uint32_t length = 0;

    for (uint32_t i = 0; i < value.len; i++) {
        if (value.base[i] < '0' || value.base[i] > '9') {
            return refuse(400, "bad Content-Length", reason);
        }
        length = length > NP_HTTP_BODY_MAX ? length : length * 10 + (uint32_t)(value.base[i] - '0');
    }
    if (parser->has_length || value.len == 0) {
        return refuse(400, "bad Content-Length", reason);
    }
    parser->has_length = true;
    parser->body_left = length;
    return 0;
}

static uint16_t on_encoding(struct np_http_parser *parser, struct np_slice value,
                            const char **reason)
{
    if (parser->is_chunked || parser->request.is_1_0) {
        return refuse(400, "bad Transfer-Encoding", reason);
    }
    if (!np_slice_is_word(value, "chunked")) {
        return refuse(501, "unsupported transfer encoding", reason);
    }
    parser->is_chunked = true;
    return 0;
}

static uint16_t on_connection(struct np_http_parser *parser, struct np_slice value,
                              const char **reason)
{
    (void)reason;
    while (value.len > 0) {
        struct np_slice token = trim(cut(&value, ','));
        parser->says_close = parser->says_close || np_slice_is_word(token, "close");
        parser->says_keep = parser->says_keep || np_slice_is_word(token, "keep-alive");
    }
    return 0;
}

static uint16_t on_expect(struct np_http_parser *parser, struct np_slice value, const char **reason)
{
    if (!np_slice_is_word(value, "100-continue")) {
        return refuse(417, "unknown expectation", reason);
    }
    parser->wants_continue = !parser->request.is_1_0;
    return 0;
}

static uint16_t on_api_key(struct np_http_parser *parser, struct np_slice value,
                           const char **reason)
{
    (void)reason;
    if (!parser->request.has_api_key) {
        parser->request.has_api_key = true;
        parser->request.api_key = value;
    }
    return 0;
}

static uint16_t on_if_none_match(struct np_http_parser *parser, struct np_slice value,
                                 const char **reason)
{
    (void)reason;
    parser->request.if_none_match = value;
    return 0;
}

uint16_t np_http_header_line(struct np_http_parser *parser, struct np_slice line,
                             const char **reason)
{
    static const struct {
        const char *name;
        uint16_t (*take)(struct np_http_parser *parser, struct np_slice value, const char **reason);
    } known[] = {
        {"host", on_host},
        {"content-length", on_length},
        {"transfer-encoding", on_encoding},
        {"connection", on_connection},
        {"expect", on_expect},
        {"x-api-key", on_api_key},
        {"if-none-match", on_if_none_match},
    };
    uint32_t whole = line.len;

    if (is_blank(line.base[0])) {
        return refuse(400, "folded header", reason);
    }
    struct np_slice name = cut(&line, ':');
    if (name.len == whole || !is_token(name)) {
        return refuse(400, "bad header", reason);
    }
    for (uint32_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (np_slice_is_word(name, known[i].name)) {
            return known[i].take(parser, trim(line), reason);
        }
    }
    return 0;
}

uint16_t np_http_head_check(struct np_http_parser *parser, const char **reason)
{
    struct np_http_request *request = &parser->request;

    if (parser->has_length && parser->is_chunked) {
        return refuse(400, "Content-Length with Transfer-Encoding", reason);
    }
    if (!parser->has_host && !request->is_1_0) {
        return refuse(400, "missing Host", reason);
    }
    if (parser->body_left > NP_HTTP_BODY_MAX) {
        return refuse(413, "request body too large", reason);
    }
    request->is_last = parser->says_close || (request->is_1_0 && !parser->says_keep);
    return 0;
}

bool np_http_header(const struct np_http_request *request, const char *name, struct np_slice *value)
{
    struct np_slice rest = request->headers;

    while (rest.len > 0) {
        struct np_slice line = cut(&rest, '\n');
        struct np_slice found = cut(&line, ':');
        if (np_slice_is_word(found, name)) {
            line.len -= line.len > 0 ? 1u : 0; /* its CR */
            *value = trim(line);
            return true;
        }
    }
    return false;
}
