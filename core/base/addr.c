/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/addr.h"

#include <string.h>

#include "core/base/fmt.h"

#define IP4_LEN 4u
#define IP6_LEN 16u
#define GROUPS 8u
#define PORT_MAX 65535u

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- parsing --------------------------------------------------------------------------------- */

static uint32_t count_digits(const char *text, uint32_t len)
{
    uint32_t count = 0;

    while (count < len && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

/* Four octets, the whole of `text`. */
static bool parse_ip4(uint8_t ip[IP4_LEN], const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < IP4_LEN; i++) {
        uint32_t digits = count_digits(text, len);
        uint64_t octet;
        if ((digits > 1 && text[0] == '0') || !np_parse_uint(text, digits, 255, &octet)) {
            return false;
        }
        ip[i] = (uint8_t)octet;
        text += digits;
        len -= digits;
        if (i + 1 < IP4_LEN) {
            if (len == 0 || *text != '.') {
                return false;
            }
            text++;
            len--;
        }
    }
    return len == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hex digits at the start of `text`; returns how many, 0 if none or more. */
static uint32_t parse_group(uint8_t group[2], const char *text, uint32_t len)
{
    uint32_t value = 0;
    uint32_t digits = 0;

    while (digits < len && hex_value(text[digits]) >= 0) {
        value = (value << 4) | (uint32_t)hex_value(text[digits]);
        if (++digits > 4) {
            return 0;
        }
    }
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    return digits;
}

/* Groups as they come, before "::" is stretched. */
struct ip6_text {
    uint8_t bytes[IP6_LEN];
    uint32_t len;   /* bytes filled */
    uint32_t gap;   /* bytes before "::" */
    bool has_gap;   /* "::" was seen */
    bool can_group; /* the next thing may be a group: at the start and after ':' */
};

/* Takes one ':' or "::"; returns how many characters, 0 if it may not stand here. */
static uint32_t parse_colons(struct ip6_text *ip6, const char *text, uint32_t len)
{
    if (len >= 2 && text[1] == ':' && !ip6->has_gap) {
        ip6->has_gap = true;
        ip6->gap = ip6->len;
        ip6->can_group = true;
        return 2;
    }
    if (ip6->can_group || len < 2 || text[1] == ':') { /* first, twice or last */
        return 0;
    }
    ip6->can_group = true;
    return 1;
}

/* Takes a group, or the dotted rest; returns how many characters, 0 on an error. */
static uint32_t parse_piece(struct ip6_text *ip6, const char *text, uint32_t len)
{
    uint32_t digits;

    if (!ip6->can_group || ip6->len > IP6_LEN - 2) {
        return 0;
    }
    digits = parse_group(ip6->bytes + ip6->len, text, len);
    if (digits > 0 && digits < len && text[digits] == '.') {
        if (ip6->len > IP6_LEN - IP4_LEN || !parse_ip4(ip6->bytes + ip6->len, text, len)) {
            return 0;
        }
        ip6->len += IP4_LEN;
        return len;
    }
    ip6->len += 2;
    ip6->can_group = false;
    return digits;
}

/* RFC 4291 section 2.2, the whole of `text`. */
static bool parse_ip6(uint8_t ip[IP6_LEN], const char *text, uint32_t len)
{
    struct ip6_text ip6 = {.can_group = true};
    uint32_t tail;

    if (len > 0 && text[0] == ':' && (len < 2 || text[1] != ':')) {
        return false;
    }
    while (len > 0) {
        uint32_t taken =
            *text == ':' ? parse_colons(&ip6, text, len) : parse_piece(&ip6, text, len);
        if (taken == 0) {
            return false;
        }
        text += taken;
        len -= taken;
    }
    if (ip6.has_gap ? ip6.len > IP6_LEN - 2 : ip6.len != IP6_LEN) {
        return false;
    }
    tail = ip6.has_gap ? ip6.len - ip6.gap : 0;
    memset(ip, 0, IP6_LEN);
    memcpy(ip, ip6.bytes, ip6.len - tail);
    memcpy(ip + IP6_LEN - tail, ip6.bytes + ip6.len - tail, tail);
    return true;
}

/* Position of the first `c`, `len` if there is none. */
static uint32_t find(const char *text, uint32_t len, char c)
{
    uint32_t at = 0;

    while (at < len && text[at] != c) {
        at++;
    }
    return at;
}

/* As np_addr_parse_ip; `any_zone`: a zone that is not a number counts as none. */
static bool parse_ip(struct np_addr *addr, const char *text, uint32_t len, uint16_t port,
                     bool any_zone)
{
    struct np_addr parsed = {.port = port};
    uint32_t ip_len = find(text, len, '%');
    uint64_t scope = 0;

    if (ip_len == len && parse_ip4(parsed.ip, text, len)) {
        parsed.family = NP_FAMILY_IP4;
        *addr = parsed;
        return true;
    }
    if (!parse_ip6(parsed.ip, text, ip_len)) {
        return false;
    }
    if (ip_len < len && !np_parse_uint(text + ip_len + 1, len - ip_len - 1, UINT32_MAX, &scope) &&
        (!any_zone || ip_len + 1 == len)) {
        return false;
    }
    parsed.family = NP_FAMILY_IP6;
    parsed.scope = (uint32_t)scope;
    *addr = parsed;
    return true;
}

bool np_addr_parse_ip(struct np_addr *addr, const char *text, uint32_t len, uint16_t port)
{
    return parse_ip(addr, text, len, port, false);
}

bool np_addr_parse(struct np_addr *addr, const char *text, uint32_t len)
{
    bool has_brackets = len > 0 && text[0] == '[';
    uint32_t host_len = has_brackets ? find(text, len, ']') + 1 : find(text, len, ':');
    uint32_t port_at = host_len + 1;
    uint64_t port;

    if (host_len >= len || text[host_len] != ':') {
        return false;
    }
    while (len - port_at > 1 && text[port_at] == '0') { /* leading zeros, however many */
        port_at++;
    }
    if (!np_parse_uint(text + port_at, len - port_at, PORT_MAX, &port)) {
        return false;
    }
    if (!has_brackets) {
        return parse_ip(addr, text, host_len, (uint16_t)port, false);
    }
    /* only IPv6 stands in brackets, and it always holds a colon */
    return find(text + 1, host_len - 2, ':') < host_len - 2 &&
           parse_ip(addr, text + 1, host_len - 2, (uint16_t)port, true);
}

/* ---- formatting ------------------------------------------------------------------------------ */

static bool is_mapped(const struct np_addr *addr)
{
    return addr->family == NP_FAMILY_IP6 &&
           memcmp(addr->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

static uint32_t group_at(const struct np_addr *addr, uint32_t index)
{
    return ((uint32_t)addr->ip[2 * index] << 8) | addr->ip[2 * index + 1];
}

/* The first of the longest runs of two or more zero groups (RFC 5952 section 4.2); *len 0 if none.
 */
static uint32_t find_zeros(const struct np_addr *addr, uint32_t *len)
{
    uint32_t start = 0;
    uint32_t run = 0;

    *len = 0;
    for (uint32_t i = 0; i < GROUPS; i++) {
        run = group_at(addr, i) == 0 ? run + 1 : 0;
        if (run >= 2 && run > *len) {
            *len = run;
            start = i + 1 - run;
        }
    }
    return start;
}

static uint32_t format_ip6(const struct np_addr *addr, char *out, uint32_t cap)
{
    uint32_t zeros_len;
    uint32_t zeros_at = find_zeros(addr, &zeros_len);
    uint32_t len = 0;
    uint32_t i = 0;

    out[0] = 0;
    while (i < GROUPS) {
        if (zeros_len > 0 && i == zeros_at) {
            len += np_fmt(out + len, cap - len, "::");
            i += zeros_len;
            continue;
        }
        if (i > 0 && (zeros_len == 0 || i != zeros_at + zeros_len)) {
            len += np_fmt(out + len, cap - len, ":");
        }
        len += np_fmt(out + len, cap - len, "%x", group_at(addr, i));
        i++;
    }
    return len;
}

uint32_t np_addr_format_ip(const struct np_addr *addr, char *out, uint32_t cap)
{
    const uint8_t *ip = addr->ip;
    uint32_t len;

    if (addr->family == NP_FAMILY_IP4) {
        return np_fmt(out, cap, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    }
    if (addr->family != NP_FAMILY_IP6) {
        return np_fmt(out, cap, "-");
    }
    if (is_mapped(addr)) { /* RFC 5952 section 5 */
        len = np_fmt(out, cap, "::ffff:%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    } else {
        len = format_ip6(addr, out, cap);
    }
    if (addr->scope != 0) {
        len += np_fmt(out + len, cap - len, "%%%lu", (unsigned long)addr->scope);
    }
    return len;
}

uint32_t np_addr_format(const struct np_addr *addr, char *out, uint32_t cap)
{
    bool has_brackets = addr->family == NP_FAMILY_IP6;
    uint32_t len = has_brackets ? np_fmt(out, cap, "[") : 0;

    len += np_addr_format_ip(addr, out + len, cap - len);
    if (addr->family == NP_FAMILY_NONE) {
        return len;
    }
    len += np_fmt(out + len, cap - len, "%s:%u", has_brackets ? "]" : "", addr->port);
    return len;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static uint32_t ip_len(const struct np_addr *addr)
{
    return addr->family == NP_FAMILY_IP4 ? IP4_LEN : addr->family == NP_FAMILY_IP6 ? IP6_LEN : 0;
}

static bool is_equal_ip(const struct np_addr *a, const struct np_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, ip_len(a)) == 0 &&
           (a->family != NP_FAMILY_IP6 || a->scope == b->scope);
}

bool np_addr_is_equal(const struct np_addr *a, const struct np_addr *b)
{
    return is_equal_ip(a, b) && (a->family == NP_FAMILY_NONE || a->port == b->port);
}

bool np_addr_is_same_host(const struct np_addr *a, const struct np_addr *b)
{
    struct np_addr left = *a;
    struct np_addr right = *b;

    np_addr_unmap(&left);
    np_addr_unmap(&right);
    return is_equal_ip(&left, &right);
}

void np_addr_unmap(struct np_addr *addr)
{
    if (!is_mapped(addr)) {
        return;
    }
    addr->family = NP_FAMILY_IP4;
    addr->scope = 0;
    memcpy(addr->ip, addr->ip + sizeof mapped_prefix, IP4_LEN);
    memset(addr->ip + IP4_LEN, 0, IP6_LEN - IP4_LEN);
}

static uint32_t mix(uint32_t hash, uint32_t word)
{
    hash = (hash ^ word) * 0x9e3779b1u;
    return hash ^ (hash >> 15);
}

uint32_t np_addr_hash(const struct np_addr *addr, uint32_t seed)
{
    uint32_t hash = mix(seed, addr->family);

    for (uint32_t i = 0; i < ip_len(addr); i += 4) {
        hash = mix(hash, (group_at(addr, i / 2) << 16) | group_at(addr, i / 2 + 1));
    }
    if (addr->family != NP_FAMILY_NONE) {
        hash = mix(hash, addr->port);
    }
    if (addr->family == NP_FAMILY_IP6) {
        hash = mix(hash, addr->scope);
    }
    return mix(hash, seed);
}
