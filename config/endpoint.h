/* SPDX-License-Identifier: BSD-3-Clause */
/* endpoint: a host and a port as text. */
#ifndef NP_CONFIG_ENDPOINT_H
#define NP_CONFIG_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

#define NP_ENDPOINT_TEXT_CAP (NP_MAX_HOST + 16u) /* "[host%zone]:65535" and its NUL */

/* Parses "name:80", "1.2.3.4:80", "[v6]:80" or ":80"; an IPv6 zone is numeric ("[fe80::1%2]:80").
 * Returns NULL, or what is accepted ("want ...") and leaves *endpoint empty. */
const char *np_endpoint_parse(struct np_endpoint *endpoint, const char *text, uint32_t len);

/* The same text back (an IPv6 host in brackets) and a NUL; returns the length. */
uint32_t np_endpoint_format(const struct np_endpoint *endpoint, char *out, uint32_t cap);

/* True for a host name that a resolver can be asked: letters, digits, '-', '_', labels of 1 to 63
 * bytes, not all digits in the last one, at most NP_MAX_HOST bytes. */
bool np_endpoint_is_name(const char *text, uint32_t len);

#endif
