/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving side, hello, ids and default key of dialect v1.6. What a Go peer sends, and what
 * dialect_v16_encode.c makes of it for either receiver, is a URL reference (RFC 3986 section 4.1)
 * with the parts that matter in host, path, query and fragment. */
#include "core/wire/dialect.h"

#include <string.h>

#include "core/base/fmt.h"

#define NEWLINE 0x0au

/* ---- lines ----------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* protocol.md 2, flaw 1: every message ends with '#' and one character, as it is or escaped. */
static bool is_complete(const char *text, uint32_t len)
{
    if (len >= 2 && text[len - 2] == '#') {
        return true;
    }
    return len >= 4 && text[len - 4] == '#' && text[len - 3] == '%' &&
           hex_value(text[len - 2]) >= 0 && hex_value(text[len - 1]) >= 0;
}

void np_line_decoder_init(struct np_line_decoder *decoder, struct np_key key, uint32_t cap)
{
    decoder->key = key;
    decoder->cap = cap < NP_DIALECT_LINE_CAP ? cap : NP_DIALECT_LINE_CAP;
    np_line_decoder_reset(decoder);
}

void np_line_decoder_reset(struct np_line_decoder *decoder)
{
    decoder->len = 0;
    decoder->text[0] = 0;
}

enum np_err np_line_decoder_feed(struct np_line_decoder *decoder, const uint8_t *buf, uint32_t len,
                                 uint32_t *taken)
{
    for (uint32_t i = 0; i < len; i++) {
        uint32_t at = decoder->len;
        if (buf[i] == NEWLINE && is_complete(decoder->text, at)) {
            decoder->text[at] = 0;
            *taken = i + 1;
            return NP_OK;
        }
        if (at == decoder->cap) {
            *taken = i;
            return NP_ERR_TOO_LONG;
        }
        decoder->text[at] = (char)(buf[i] ^ decoder->key.bytes[at % decoder->key.len]);
        decoder->len++;
    }
    *taken = len;
    return NP_ERR_AGAIN;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* A part of the message, still escaped. */
struct slice {
    const char *text;
    uint32_t len;
};
struct url {
    struct slice host; /* without user part */
    struct slice path;
    struct slice query;
    struct slice fragment;
    bool has_host; /* "//" was there */
};

/* Position of the first `c`, the length if there is none. */
static uint32_t find(struct slice slice, char c)
{
    uint32_t at = 0;

    while (at < slice.len && slice.text[at] != c) {
        at++;
    }
    return at;
}

static struct slice skip(struct slice slice, uint32_t len)
{
    return (struct slice){slice.text + len, slice.len - len};
}

/* The part before the first `c`; *rest is what follows it, empty if there is none. */
static struct slice cut(struct slice slice, char c, struct slice *rest)
{
    uint32_t at = find(slice, c);

    *rest = skip(slice, at < slice.len ? at + 1 : at);
    return (struct slice){slice.text, at};
}

/* May stand in a scheme at `at` (RFC 3986 section 3.1). */
static bool is_scheme_char(char c, uint32_t at)
{
    char lower = (char)(c | 0x20);

    return (lower >= 'a' && lower <= 'z') ||
           (at > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

/* Length of "scheme:" at the start, 0 if there is none. */
static uint32_t scheme_len(struct slice text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        char c = text.text[i];
        if (c == ':' && i > 0) {
            return i + 1;
        }
        if (!is_scheme_char(c, i)) {
            return 0;
        }
    }
    return 0;
}

static bool has_control(struct slice text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.text[i] < 0x20 || text.text[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Decodes escapes to `out` of `cap` bytes; returns the length, or cap + 1 if it is longer or an
 * escape is broken. */
static uint32_t unescape(char *out, uint32_t cap, struct slice text)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < text.len; i++) {
        char c = text.text[i];
        if (c == '%') {
            if (text.len - i < 3 || hex_value(text.text[i + 1]) < 0 ||
                hex_value(text.text[i + 2]) < 0) {
                return cap + 1;
            }
            c = (char)(hex_value(text.text[i + 1]) << 4 | hex_value(text.text[i + 2]));
            i += 2;
        }
        if (len == cap) {
            return cap + 1;
        }
        out[len++] = c;
    }
    return len;
}

/* Splits a message. Returns false if it is no URL or has no fragment. */
static bool parse_url(struct url *url, const char *text, uint32_t len)
{
    struct slice rest = {text, len};
    struct slice authority, user;

    memset(url, 0, sizeof *url);
    if (has_control(rest)) {
        return false;
    }
    rest = cut(rest, '#', &url->fragment);
    if (url->fragment.len == 0) {
        return false;
    }
    rest = cut(rest, '?', &url->query);
    rest = skip(rest, scheme_len(rest));
    if (rest.len < 2 || memcmp(rest.text, "//", 2) != 0) {
        url->path = rest;
        return rest.len == 0 || rest.text[0] != ':';
    }
    rest = skip(rest, 2);
    authority = (struct slice){rest.text, find(rest, '/')};
    url->path = skip(rest, authority.len);
    url->has_host = true;
    do { /* the host follows the last '@' */
        url->host = authority;
        user = cut(authority, '@', &authority);
    } while (user.len < url->host.len);
    return true;
}

/* The set of known letters of the parameter x (protocol.md 9.1). */
static uint32_t parse_extensions(struct slice query)
{
    uint32_t extensions = 0;

    while (query.len > 0) {
        char letters[NP_DIALECT_LINE_CAP];
        struct slice param = cut(query, '&', &query);
        struct slice value;
        struct slice name = cut(param, '=', &value);
        uint32_t len = unescape(letters, sizeof letters, name);
        if (len != 1 || letters[0] != 'x') {
            continue;
        }
        len = unescape(letters, sizeof letters, value);
        for (uint32_t i = 0; i < sizeof NP_DIALECT_EXT_LETTERS - 1 && len <= sizeof letters; i++) {
            if (find((struct slice){letters, len}, NP_DIALECT_EXT_LETTERS[i]) < len) {
                extensions |= 1u << i;
            }
        }
    }
    return extensions;
}

/* ---- messages -------------------------------------------------------------------------------- */

static enum np_signal_kind signal_kind(char fragment)
{
    switch (fragment) {
    case 'i':
        return NP_SIGNAL_PING;
    case 'o':
        return NP_SIGNAL_PONG;
    case '0':
        return NP_SIGNAL_FLUSH;
    case '1':
        return NP_SIGNAL_TCP;
    case '2':
        return NP_SIGNAL_UDP;
    case 'x':
        return NP_SIGNAL_EXT;
    case 'y':
        return NP_SIGNAL_HAVE;
    case 'n':
        return NP_SIGNAL_MISSING;
    default:
        return NP_SIGNAL_UNKNOWN;
    }
}

/* A visitor written as a name, see dialect.h. */
static void parse_name(struct np_addr *peer, struct slice name)
{
    uint8_t bytes[18] = {0};
    uint32_t ip_len = name.len / 2 - 2;

    if (name.len != 2 * (4 + 2) && name.len != 2 * (16 + 2)) {
        return;
    }
    for (uint32_t i = 0; i < name.len; i++) {
        uint32_t nibble = (uint32_t)(name.text[i] | 0x20) - 'a';
        if (nibble > 15) {
            return;
        }
        bytes[i / 2] |= (uint8_t)(nibble << (i % 2 == 0 ? 4 : 0));
    }
    peer->family = ip_len == 4 ? NP_FAMILY_IP4 : NP_FAMILY_IP6;
    memcpy(peer->ip, bytes, ip_len);
    peer->port = (uint16_t)(bytes[ip_len] << 8 | bytes[ip_len + 1]);
}

/* The id: all of a launch's path, else the end of it. */
static bool parse_id(struct np_signal *signal, const struct url *url, bool is_launch)
{
    char path[NP_DIALECT_LINE_CAP];
    uint32_t len = unescape(path, sizeof path, url->path);
    uint32_t at = len - NP_DIALECT_ID_LEN;

    return len > NP_DIALECT_ID_LEN && len <= sizeof path && path[at - 1] == '/' &&
           (at == 1 || !is_launch) && np_id_parse(&signal->id, path + at);
}

/* The visitor of a launch. */
static bool parse_visitor(struct np_signal *signal, const struct url *url)
{
    if (url->host.len == 0) {
        return false;
    }
    if (!np_addr_parse(&signal->peer, url->host.text, url->host.len)) {
        parse_name(&signal->peer, url->host);
    }
    signal->peer.scope = 0; /* a zone of another machine means nothing here */
    np_addr_unmap(&signal->peer);
    return true;
}

enum np_err np_signal_parse(struct np_signal *signal, const char *text, uint32_t len)
{
    struct url url;
    char fragment[NP_DIALECT_LINE_CAP];
    uint32_t fragment_len;

    memset(signal, 0, sizeof *signal);
    if (len > NP_DIALECT_LINE_CAP || !parse_url(&url, text, len)) {
        return NP_ERR_PROTOCOL;
    }
    fragment_len = unescape(fragment, sizeof fragment, url.fragment);
    if (fragment_len > sizeof fragment) {
        return NP_ERR_PROTOCOL;
    }
    signal->kind = fragment_len == 1 ? signal_kind(fragment[0]) : NP_SIGNAL_UNKNOWN;
    bool is_launch = signal->kind == NP_SIGNAL_TCP || signal->kind == NP_SIGNAL_UDP;
    bool has_id = is_launch || signal->kind == NP_SIGNAL_HAVE || signal->kind == NP_SIGNAL_MISSING;
    if ((is_launch && !parse_visitor(signal, &url)) ||
        (has_id && !parse_id(signal, &url, is_launch))) {
        return NP_ERR_PROTOCOL;
    }
    if (signal->kind == NP_SIGNAL_EXT || signal->kind == NP_SIGNAL_UDP) {
        signal->extensions = parse_extensions(url.query);
    }
    return NP_OK;
}

enum np_err np_answer_parse(struct np_answer *answer, const char *text, uint32_t len)
{
    struct url url;
    char path[2], fragment;
    uint64_t max;

    memset(answer, 0, sizeof *answer);
    if (len > NP_DIALECT_LINE_CAP || !parse_url(&url, text, len) ||
        !np_parse_uint(url.host.text, url.host.len, INT32_MAX, &max) || max == 0) {
        return NP_ERR_PROTOCOL;
    }
    if (unescape(path, sizeof path, url.path) != sizeof path || path[0] != '/' ||
        (path[1] != '-' && path[1] != '+')) {
        return NP_ERR_PROTOCOL;
    }
    if (unescape(&fragment, 1, url.fragment) != 1 || fragment < '0' || fragment > '2') {
        return NP_ERR_PROTOCOL;
    }
    answer->max = (uint32_t)max;
    answer->flow = path[1];
    answer->tls = (uint8_t)(fragment - '0');
    answer->extensions = parse_extensions(url.query);
    return NP_OK;
}

/* ---- hello, ids, default key ----------------------------------------------------------------- */

uint32_t np_hello_encode(uint8_t *out, struct np_key key)
{
    memset(out, 0, key.len); /* the key XORed with itself */
    out[key.len] = NEWLINE;
    return key.len + 1;
}

bool np_hello_is_valid(const uint8_t *buf, uint32_t len, struct np_key key)
{
    uint32_t difference = 0;

    if (len < key.len + 1) {
        return false;
    }
    for (uint32_t i = 0; i < key.len; i++) { /* the key XORed with itself; no early way out */
        difference |= buf[i];
    }
    return (difference | (buf[key.len] ^ NEWLINE)) == 0;
}

void np_id_format(char out[NP_DIALECT_ID_LEN], uint32_t id)
{
    for (uint32_t i = 0; i < NP_DIALECT_ID_LEN; i++) {
        out[i] = "0123456789abcdef"[(id >> (28 - 4 * i)) & 15u];
    }
}

bool np_id_parse(uint32_t *id, const char text[NP_DIALECT_ID_LEN])
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < NP_DIALECT_ID_LEN; i++) {
        int digit = hex_value(text[i]);
        if (digit < 0 || (text[i] >= 'A' && text[i] <= 'F')) {
            return false;
        }
        value = (value << 4) | (uint32_t)digit;
    }
    *id = value;
    return true;
}

void np_default_key(char out[9], uint16_t port)
{
    char text[6];
    uint32_t len = np_fmt(text, sizeof text, "%u", port);
    uint32_t hash = 2166136261u; /* FNV-1a, 32 bit */

    for (uint32_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    }
    np_fmt(out, 9, "%08x", (unsigned)hash);
}
