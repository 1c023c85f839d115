/* SPDX-License-Identifier: BSD-3-Clause */
/* query: the options of an instance (config.md 2), from one table: which roles have each, what it
 * accepts, and where it is kept. The query of a URL and a section of an INI file both come here. */
#ifndef NP_CONFIG_QUERY_H
#define NP_CONFIG_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/base/err.h"

#define NP_QUERY_VALUE_CAP (NP_MAX_PATH + NP_MAX_HOST + 1u) /* longest value and its NUL */
#define NP_QUERY_LINE_CAP (NP_QUERY_VALUE_CAP + 64u)        /* np_query_format */

#define NP_QUERY_SEEN_LOG 1u /* the bit of log= in a set of options: it is the first of the table */

/* Sets option `name` of `settings` to the decoded `value`. `seen` is a set of the options given so
 * far, 0 at the start. Options of another role (role NONE takes all) are ignored with a warning.
 * Returns NP_OK, NP_ERR_INVALID after it reported why, or NP_ERR_NOT_FOUND if there is no such
 * option (nothing is reported). */
enum np_err np_query_apply(struct np_settings *settings, uint32_t *seen, const char *name,
                           uint32_t name_len, const char *value, uint32_t value_len,
                           struct np_report *report);

/* Takes a whole query, "a=1&b=%2Fx": '+' is a space, %XX a byte. Unknown names are warnings, bad
 * values errors; all of them are reported. */
void np_query_parse(struct np_settings *settings, uint32_t *seen, const char *text, uint32_t len,
                    struct np_report *report);

bool np_query_is_known(const char *name, uint32_t len);

/* True if `text` may be quoted to a user as the name of an option: short, and no punctuation that a
 * secret could have brought along. */
bool np_query_is_quotable(const char *name, uint32_t len);

/* Writes option `index` as a line of an INI file, "rate = 0 ; Mbps each way, 0 = off", with its
 * effective value; empty if the role has no such option or nothing is set. Returns false past the
 * end of the table. `cap` >= NP_QUERY_LINE_CAP never truncates. */
bool np_query_format(const struct np_settings *settings, uint32_t index, char *out, uint32_t cap);

/* Name and effective value of option `index`; the value is empty if the role has no such option or
 * nothing is set. Returns false past the end of the table. `cap` >= NP_QUERY_VALUE_CAP. */
bool np_query_value(const struct np_settings *settings, uint32_t index, const char **name,
                    char *value, uint32_t cap);

/* Decodes %XX strictly (and '+' if `plus_is_space`). Returns the length, or -1 if a '%' is not
 * followed by two hex digits, -2 if it does not fit `cap` bytes. */
int32_t np_query_decode(const char *text, uint32_t len, bool plus_is_space, char *out,
                        uint32_t cap);

#endif
