/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/wire_cases.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define U NP_DIALECT_EXT_UDP_FRAMES
#define UY NP_DIALECT_EXT_ALL
#define ANSWER NP_SIGNAL_UNKNOWN /* kind of the rows that are answers */

struct row {
    enum np_signal_kind kind;
    const char *host, *path;
    char fragment;
    uint32_t extensions;
};

static const struct row rows[] = {
    {ANSWER, "1024", "/-", '0', 0},
    {ANSWER, "1024", "/-", '1', 0},
    {ANSWER, "1024", "/+", '2', 0},
    {ANSWER, "1024", "/+", '0', U},
    {ANSWER, "1", "/-", '2', U},
    {ANSWER, "8192", "/+", '1', 0},
    {ANSWER, "2893", "/-", '0', 0},
    {ANSWER, "2147483647", "/+", '2', 0},
    {NP_SIGNAL_PING, "", "", 'i', 0},
    {NP_SIGNAL_PONG, "", "", 'o', 0},
    {NP_SIGNAL_FLUSH, "", "", '0', 0},
    {NP_SIGNAL_EXT, "", "", 'x', U},
    {NP_SIGNAL_TCP, "127.0.0.1:50000", "/1a2b3c4d", '1', 0},
    {NP_SIGNAL_TCP, "192.168.238.239:28392", "/00000000", '1', 0},
    {NP_SIGNAL_TCP, "8.8.8.8:8", "/fedcba98", '1', 0},
    {NP_SIGNAL_TCP, "23.98.32.89:39829", "/28392893", '1', 0},
    {NP_SIGNAL_TCP, "[2001:db8:8293:28:0:3928:abcd:ef19]:39283", "/98238932", '1', 0},
    {NP_SIGNAL_TCP, "[fe80::228:39ff:fe83:9283]:8080", "/deadbeef", '1', 0},
    {NP_SIGNAL_TCP, "[2839:8293:2288:9933:9823:8932:c9f2:3898]:65535", "/33333333", '1', 0},
    {NP_SIGNAL_TCP, "[::ffff:10.0.0.9]:2893", "/0f1e2d3c", '1', 0},
    {NP_SIGNAL_TCP, "[1:0:2:0:3:0:8:9]:88", "/0a0b0c0d", '1', 0},
    {NP_SIGNAL_UDP, "203.0.113.7:53", "/c0ffee00", '2', 0},
    {NP_SIGNAL_UDP, "10.28.3.9:65535", "/88888888", '2', U},
    {NP_SIGNAL_UDP, "[::1]:1", "/ffffffff", '2', U},
    {NP_SIGNAL_UDP, "[2001:db8::2:0:0:1]:39283", "/00000001", '2', 0},
    {ANSWER, "1024", "/-", '1', UY},
    {ANSWER, "8192", "/+", '0', UY},
    {NP_SIGNAL_EXT, "", "", 'x', UY},
    {NP_SIGNAL_HAVE, "", "/1a2b3c4d", 'y', 0},
    {NP_SIGNAL_HAVE, "", "/28392893", 'y', 0},
    {NP_SIGNAL_MISSING, "", "/fedcba98", 'n', 0},
    {NP_SIGNAL_MISSING, "", "/0f1e2d3c", 'n', 0},
};

bool wire_case_at(struct wire_case *wire_case, uint32_t index)
{
    const struct row *row = &rows[index];
    struct np_signal *signal = &wire_case->signal;

    if (index >= sizeof rows / sizeof rows[0]) {
        return false;
    }
    memset(wire_case, 0, sizeof *wire_case);
    wire_case->host = row->host;
    wire_case->path = row->path;
    wire_case->fragment = row->fragment;
    wire_case->is_answer = row->kind == ANSWER;
    if (wire_case->is_answer) {
        wire_case->answer = (struct np_answer){(uint32_t)strtoul(row->host, NULL, 10), row->path[1],
                                               (uint8_t)(row->fragment - '0'), row->extensions};
        return true;
    }
    signal->kind = row->kind;
    signal->extensions = row->extensions;
    if (row->path[0] != 0) {
        signal->id = (uint32_t)strtoul(row->path + 1, NULL, 16);
    }
    if (row->host[0] != 0) {
        np_addr_parse(&signal->peer, row->host, (uint32_t)strlen(row->host));
    }
    return true;
}

uint32_t wire_case_encode(uint8_t *out, struct np_key key, const struct wire_case *wire_case)
{
    return wire_case->is_answer ? np_answer_encode(out, key, &wire_case->answer)
                                : np_signal_encode(out, key, &wire_case->signal);
}

uint32_t wire_forge(uint8_t *out, struct np_key key, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);

    for (uint32_t i = 0; i < len; i++) {
        out[i] = (uint8_t)text[i] ^ key.bytes[i % key.len];
    }
    out[len] = '\n';
    return len + 1;
}

/* ---- url.Parse ------------------------------------------------------------------------------- */

static bool is_one_of(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Decodes %XX of `text` to `out`; false if an escape is broken. */
static bool unescape(char *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '%') {
            char digits[3] = {text[1], text[1] != 0 ? text[2] : (char)0, 0};
            if (strspn(digits, "0123456789abcdefABCDEF") != 2) {
                return false;
            }
            *out++ = (char)strtoul(digits, NULL, 16);
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = 0;
    return true;
}

/* Removes "scheme:"; false for ":" at the start. */
static bool skip_scheme(char **text)
{
    for (char *c = *text; *c != 0; c++) {
        if (*c == ':') {
            bool is_first = c == *text;
            *text = c + 1;
            return !is_first;
        }
        if (!is_alnum(*c) && !is_one_of(*c, "+-.")) {
            return true;
        }
        if (c == *text && (is_one_of(*c, "0123456789+-."))) {
            return true;
        }
    }
    return true;
}

static bool is_port(const char *text)
{
    return *text == 0 || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == 0);
}

/* parseAuthority and parseHost, without zones, which we never send. */
static bool parse_authority(char *host, char *authority)
{
    char *at = strrchr(authority, '@');

    if (at != NULL) {
        for (char *c = authority; c < at; c++) {
            if (!is_alnum(*c) && !is_one_of(*c, "-._:~!$&'()*+,;=%@")) {
                return false;
            }
        }
        authority = at + 1;
    }
    strcpy(host, authority);
    if (strchr(host, '%') != NULL) {
        return false;
    }
    if (host[0] == '[') {
        char *end = strrchr(host, ']');
        uint8_t ip[16];
        if (end == NULL || !is_port(end + 1)) {
            return false;
        }
        *end = 0;
        if (inet_pton(AF_INET6, host + 1, ip) != 1) {
            return false;
        }
        *end = ']';
        return true;
    }
    for (char *c = host; *c != 0; c++) {
        if (!is_alnum(*c) && !is_one_of(*c, "-._~!$&'()*+,;=:[]<>\"")) {
            return false;
        }
    }
    return strchr(host, '[') == NULL && (strrchr(host, ':') == NULL || is_port(strrchr(host, ':')));
}

static bool parse(struct wire_url *url, char *text)
{
    char *fragment = strchr(text, '#');
    char *query;

    memset(url, 0, sizeof *url);
    if (fragment == NULL || !unescape(url->fragment, fragment + 1)) {
        return false;
    }
    *fragment = 0;
    for (char *c = text; *c != 0; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
    }
    if (!skip_scheme(&text)) {
        return false;
    }
    query = strchr(text, '?');
    if (query != NULL) {
        *query = 0;
    }
    if (text[0] == '/' && text[1] == '/') {
        char authority[NP_DIALECT_LINE_CAP + 1];
        size_t len = strcspn(text + 2, "/");
        memcpy(authority, text + 2, len);
        authority[len] = 0;
        text += 2 + len;
        if (!parse_authority(url->host, authority)) {
            return false;
        }
    } else if (text[0] != '/' && memchr(text, ':', strcspn(text, "/")) != NULL) {
        return false;
    }
    return unescape(url->path, text);
}

bool wire_receive(struct wire_url *url, struct np_key key, const uint8_t *wire, uint32_t len)
{
    char text[NP_DIALECT_LINE_CAP + 1];

    if (len == 0 || len > sizeof text || memchr(wire, '\n', len) != wire + len - 1) {
        return false;
    }
    for (uint32_t i = 0; i + 1 < len; i++) {
        text[i] = (char)(wire[i] ^ key.bytes[i % key.len]);
        if (text[i] == 0) {
            return false;
        }
    }
    text[len - 1] = 0;
    return parse(url, text);
}

/* IP as 16 bytes and port of "a.b.c.d:port" or "[v6]:port". */
static bool parse_host(uint8_t ip[16], unsigned long *port, const char *host)
{
    char copy[NP_DIALECT_LINE_CAP + 1];
    char *colon;

    strcpy(copy, host);
    colon = strrchr(copy, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = 0;
    *port = strtoul(colon + 1, NULL, 10);
    memset(ip, 0, 10);
    memset(ip + 10, 0xff, 2);
    if (copy[0] == '[' && colon[-1] == ']') {
        colon[-1] = 0;
        return inet_pton(AF_INET6, copy + 1, ip) == 1;
    }
    return inet_pton(AF_INET, copy, ip + 12) == 1;
}

void wire_name(char out[WIRE_NAME_CAP], const struct np_addr *peer)
{
    struct np_addr addr = *peer;
    uint8_t bytes[18];
    uint32_t len;

    np_addr_unmap(&addr);
    len = addr.family == NP_FAMILY_IP4 ? 4 : 16;
    memcpy(bytes, addr.ip, len);
    bytes[len] = (uint8_t)(addr.port >> 8);
    bytes[len + 1] = (uint8_t)addr.port;
    for (uint32_t i = 0; i < len + 2; i++) {
        *out++ = (char)('a' + bytes[i] / 16);
        *out++ = (char)('a' + bytes[i] % 16);
    }
    *out = 0;
}

bool wire_is_name(const struct wire_url *url, const struct wire_case *wire_case)
{
    char name[WIRE_NAME_CAP];

    if (wire_case->is_answer || wire_case->host[0] == 0) {
        return false;
    }
    wire_name(name, &wire_case->signal.peer);
    return strcasecmp(url->host, name) == 0;
}

bool wire_is_same(const struct wire_url *url, const struct wire_case *wire_case)
{
    uint8_t ip[16], want_ip[16];
    unsigned long port, want_port;
    char fragment[2] = {wire_case->fragment, 0};

    if (strcmp(url->fragment, fragment) != 0) {
        return false;
    }
    if (wire_case->host[0] == 0) { /* its id is at the end of the path */
        const char *id = strrchr(url->path, '/');
        return wire_case->path[0] == 0 || (id != NULL && strcmp(id, wire_case->path) == 0);
    }
    if (strcmp(url->path, wire_case->path) != 0) {
        return false;
    }
    if (wire_case->is_answer) {
        return strcmp(url->host, wire_case->host) == 0;
    }
    if (wire_is_name(url, wire_case)) {
        return true;
    }
    return parse_host(ip, &port, url->host) && parse_host(want_ip, &want_port, wire_case->host) &&
           memcmp(ip, want_ip, sizeof ip) == 0 && port == want_port;
}
