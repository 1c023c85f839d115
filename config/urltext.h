/* SPDX-License-Identifier: BSD-3-Clause */
/* urltext: instances written as URLs (master-api.md 3 and 4). Both texts hold the key. */
#ifndef NP_CONFIG_URLTEXT_H
#define NP_CONFIG_URLTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

/* Room for any stored or full URL and its NUL: a given one, and three options added or spelled out
 * with every byte as %XX. */
#define NP_URLTEXT_CAP (NP_MAX_URL + 1024u)

/* An option to add when the URL has none of that name. */
struct np_urltext_option {
    const char *name, *value;
};

/* The URL that a server or client of these settings would be started with, every option with its
 * value in force. Returns the length, 0 if it does not fit `cap`. */
uint32_t np_urltext_format(const struct np_settings *settings, char *out, uint32_t cap);

/* `url` in the form that is stored: scheme in lower case, options sorted by name and
 * percent-encoded, those of `extra` added that are missing; no '?' without options. Returns the
 * length, 0 if it does not fit `cap` or has more than 64 options. */
uint32_t np_urltext_normalize(const char *url, uint32_t len, const struct np_urltext_option *extra,
                              uint32_t extra_count, char *out, uint32_t cap);

#endif
