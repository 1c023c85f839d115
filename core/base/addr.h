/* SPDX-License-Identifier: BSD-3-Clause */
/* addr: an IP address with a port, and its text. */
#ifndef NP_CORE_BASE_ADDR_H
#define NP_CORE_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#define NP_ADDR_TEXT_CAP 72u /* "[v6%4294967295]:65535" and its NUL */

enum np_family { NP_FAMILY_NONE = 0, NP_FAMILY_IP4 = 4, NP_FAMILY_IP6 = 6 };

/* Plain value, compared with np_addr_is_equal, never with memcmp. */
struct np_addr {
    uint8_t family; /* enum np_family; NONE = not set */
    uint16_t port;  /* host byte order */
    uint32_t scope; /* IPv6 zone index, 0 = none */
    uint8_t ip[16]; /* network byte order; IPv4 uses the first 4 */
};

/* Parses a bare IPv4 or IPv6 literal (no brackets, no port; an IPv6 zone must be numeric).
 * Strict: four decimal octets without leading zeros; RFC 4291 section 2.2 for IPv6.
 * Sets ip, family, scope and port of *addr. Returns true if `text` of `len` bytes is one. */
bool np_addr_parse_ip(struct np_addr *addr, const char *text, uint32_t len, uint16_t port);

/* Parses "1.2.3.4:80" or "[v6]:80" (a zone name that is not numeric is dropped).
 * Port 0 to 65535. Returns true if the whole of `text` is one. */
bool np_addr_parse(struct np_addr *addr, const char *text, uint32_t len);

/* Writes "1.2.3.4:80" or "[v6]:80" (RFC 5952) and a NUL; returns the length without it.
 * NP_FAMILY_NONE gives "-". `cap` >= NP_ADDR_TEXT_CAP never truncates. */
uint32_t np_addr_format(const struct np_addr *addr, char *out, uint32_t cap);

/* As np_addr_format but without port and brackets. */
uint32_t np_addr_format_ip(const struct np_addr *addr, char *out, uint32_t cap);

bool np_addr_is_equal(const struct np_addr *a, const struct np_addr *b);
/* Same IP, ports aside; an IPv4-mapped IPv6 address equals its IPv4 form. */
bool np_addr_is_same_host(const struct np_addr *a, const struct np_addr *b);
/* Turns an IPv4-mapped IPv6 address (::ffff:a.b.c.d) into IPv4, in place; others stay. */
void np_addr_unmap(struct np_addr *addr);
/* 32-bit hash of all that np_addr_is_equal compares, keyed with `seed`. */
uint32_t np_addr_hash(const struct np_addr *addr, uint32_t seed);

#endif
