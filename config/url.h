/* SPDX-License-Identifier: BSD-3-Clause */
/* url: an instance as one line (config.md 2).
 *
 *   server://key@host:port/host:port?query      client://key@host:port/host:port?query
 *   master://host:port/prefix?query
 *
 * Strict: printable ASCII, %XX for everything else. The key never leaves the settings: what is
 * reported quotes the URL through np_url_mask only.
 */
#ifndef NP_CONFIG_URL_H
#define NP_CONFIG_URL_H

#include <stdint.h>

#include "config/settings.h"

#define NP_URL_MASKED_CAP (NP_MAX_URL + 64u)

/* The role that the scheme of `url` names (any case), NP_ROLE_NONE if we know none. */
enum np_role np_url_role(const char *url, uint32_t len);

/* Initialises *settings from a whole URL and completes them. Every fault is reported, each with
 * " (in <masked URL>)" behind it; errors are counted in report->error_count. */
void np_url_parse(struct np_settings *settings, const char *url, uint32_t len,
                  struct np_report *report);

/* As np_url_parse, but adds to settings that were initialised before and leaves completing them to
 * the caller, who has more options. `seen`: see np_query_apply. */
void np_url_apply(struct np_settings *settings, uint32_t *seen, const char *url, uint32_t len,
                  struct np_report *report);

/* Sets the master's path ("/api"; without the slash it is added). Returns NULL, or what is
 * accepted. */
const char *np_url_parse_prefix(struct np_settings *settings, const char *text, uint32_t len);

/* Copies `url` with the key (all between "://" and the last '@') and the values of unknown options
 * as "***"; bytes outside printable ASCII become '?'. Ends with a NUL; returns the length. */
uint32_t np_url_mask(const char *url, uint32_t len, char *out, uint32_t cap);

#endif
