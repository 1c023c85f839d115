/* SPDX-License-Identifier: BSD-3-Clause */
/* fmt: bounded text building without stdio.
 *
 * Directives: %s %.*s %c %d %u %x %% with the lengths none, l, ll; a width with optional 0 (%02u,
 * %08x).
 * PRIu64 and friends expand to these. Nothing else is supported (no floats, no %p, no %n).
 */
#ifndef NP_CORE_BASE_FMT_H
#define NP_CORE_BASE_FMT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* Writes at most cap - 1 bytes and always a NUL (cap >= 1). Returns the length written, without the
 * NUL; text that did not fit is cut. */
uint32_t np_fmt(char *out, uint32_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t np_vfmt(char *out, uint32_t cap, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Writes `len` bytes as 2 * len lower-case hex digits and a NUL. */
void np_fmt_hex(char *out, const uint8_t *bytes, uint32_t len);

/* The first `part` in `text`, or NULL: strstr without its tables for long texts. */
const char *np_text_find(const char *text, const char *part);

/* Parses a whole decimal number without sign, spaces or leading '+': returns true and sets *value
 * if all `len` (1 to 20) bytes are digits and the number is <= max. */
bool np_parse_uint(const char *text, uint32_t len, uint64_t max, uint64_t *value);

#endif
