/* SPDX-License-Identifier: BSD-3-Clause */
/* proxyproto: PROXY protocol version 1 header (haproxy.org proxy-protocol.txt section 2.1;
 * protocol.md 7). */
#ifndef NP_CORE_WIRE_PROXYPROTO_H
#define NP_CORE_WIRE_PROXYPROTO_H

#include <stdint.h>

#include "core/base/addr.h"

#define NP_PROXYPROTO_CAP 108u

/* Writes "PROXY TCP4|TCP6 <visitor ip> <target ip> <visitor port> <target port>\r\n" to `out` of
 * NP_PROXYPROTO_CAP bytes (not NUL-terminated) and returns its length. Mixed families become TCP6
 * with the IPv4 address mapped. If `visitor` or `target` is unknown (NP_FAMILY_NONE): "PROXY
 * UNKNOWN\r\n". */
uint32_t np_proxyproto_format(char *out, const struct np_addr *visitor,
                              const struct np_addr *target);

#endif
