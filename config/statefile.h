/* SPDX-License-Identifier: BSD-3-Clause */
/* statefile: the syntax of a master's state (config.md 5): an INI file read through inih, whose
 * values have every byte that INI could mistake as %XX. */
#ifndef NP_CONFIG_STATEFILE_H
#define NP_CONFIG_STATEFILE_H

#include <stdbool.h>
#include <stdint.h>

/* Calls `option` for each option of `text`, in order; `section` and `name` are cut at 49 bytes.
 * Returns false if a line is no option, section or comment, or `option` returned false for one. */
bool np_statefile_parse(const char *text, uint32_t len,
                        bool (*option)(void *context, const char *section, const char *name,
                                       const char *value),
                        void *context);

/* Copies `text` with control bytes, blanks and % ; # = & as %XX, and a NUL. Returns the length, 0
 * (and an empty text) if it does not fit. */
uint32_t np_statefile_escape(const char *text, uint32_t len, char *out, uint32_t cap);
/* The reverse: NUL-terminated in `out`. False if it is not well-formed, has a NUL or does not fit.
 */
bool np_statefile_unescape(const char *text, uint32_t len, char *out, uint32_t cap);

#endif
