/* SPDX-License-Identifier: BSD-3-Clause */
/* duration: spans of time as text, in the form of Go's time.ParseDuration. */
#ifndef NP_CONFIG_DURATION_H
#define NP_CONFIG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define NP_DURATION_MAX_MS 3600000000u /* 1000h */
#define NP_DURATION_TEXT_CAP 24u       /* "999h59m59.999s" and its NUL, with room */

/* Parses "300ms", "1.5h", "2m30s" (units ns us ms s m h, any number of parts) or "0". Rounds up to
 * whole milliseconds. Returns true and sets *ms if all `len` bytes are one and it is at most
 * NP_DURATION_MAX_MS; negative ones are refused. */
bool np_duration_parse(uint32_t *ms, const char *text, uint32_t len);

/* Writes as Go prints it ("1h0m0s", "1.5s", "300ms", "0s") and a NUL; returns the length. */
uint32_t np_duration_format(uint32_t ms, char *out, uint32_t cap);

#endif
