/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/endpoint.h"

#include <string.h>

#include "core/base/fmt.h"

#define WANT_ENDPOINT "want host:port"
#define WANT_PORT "want a port of 1 to 65535 after the host"
#define WANT_BRACKETS "want an IPv6 address in brackets, as in [::1]:80"
#define WANT_IP6 "want an IPv6 address between the brackets (a zone as a number)"
#define WANT_HOST "want a host name, an IPv4 address, an IPv6 address in brackets, or nothing"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool np_endpoint_is_name(const char *text, uint32_t len)
{
    uint32_t label = 0;
    bool is_number = true;

    if (len == 0 || len > NP_MAX_HOST) {
        return false;
    }
    if (len > 1 && text[len - 1] == '.') {
        len--; /* the root: "example.com." */
    }
    for (uint32_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            is_number = true;
            continue;
        }
        if (!is_name_char(text[i]) || ++label > 63) {
            return false;
        }
        is_number = is_number && text[i] >= '0' && text[i] <= '9';
    }
    return label > 0 && !is_number;
}

static const char *parse_host(struct np_endpoint *endpoint, const char *host, uint32_t len)
{
    bool has_brackets = len >= 2 && host[0] == '[' && host[len - 1] == ']';

    if (has_brackets) {
        host++;
        len -= 2;
        if (len > NP_MAX_HOST || !np_addr_parse_ip(&endpoint->ip, host, len, endpoint->port) ||
            endpoint->ip.family != NP_FAMILY_IP6) {
            return WANT_IP6;
        }
    } else if (memchr(host, ':', len) != NULL) {
        return WANT_BRACKETS;
    } else if (len > 0 && !np_addr_parse_ip(&endpoint->ip, host, len, endpoint->port) &&
               !np_endpoint_is_name(host, len)) {
        return WANT_HOST;
    }
    memcpy(endpoint->host, host, len);
    return NULL;
}

const char *np_endpoint_parse(struct np_endpoint *endpoint, const char *text, uint32_t len)
{
    uint32_t colon = len;
    uint64_t port = 0;
    const char *want;

    memset(endpoint, 0, sizeof(*endpoint));
    while (colon > 0 && text[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return WANT_ENDPOINT;
    }
    if (len - colon > 5 || len == colon || text[colon] == '0' ||
        !np_parse_uint(text + colon, len - colon, 65535, &port)) {
        return text[0] == '[' || memchr(text, ':', colon - 1) == NULL ? WANT_PORT : WANT_BRACKETS;
    }
    endpoint->port = (uint16_t)port;
    want = parse_host(endpoint, text, colon - 1);
    if (want != NULL) {
        memset(endpoint, 0, sizeof(*endpoint));
    }
    return want;
}

uint32_t np_endpoint_format(const struct np_endpoint *endpoint, char *out, uint32_t cap)
{
    const char *format = endpoint->ip.family == NP_FAMILY_IP6 ? "[%s]:%u" : "%s:%u";

    return np_fmt(out, cap, format, endpoint->host, (unsigned)endpoint->port);
}
