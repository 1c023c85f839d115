/* SPDX-License-Identifier: BSD-3-Clause */
/* lines: small text files of the system, read line by line without stdio. */
#ifndef NP_PLATFORM_POSIX_LINES_H
#define NP_PLATFORM_POSIX_LINES_H

#include <stdbool.h>
#include <stdint.h>

/* The decimal number at `at`, behind spaces; 0 if there is none. What is above 64 bits wraps. Sets
 * *end (may be NULL) to what follows; `at` itself if there is no number. */
uint64_t np_posix_read_number(const char *at, const char **end);

/* Gets a line without its end, to change as it likes. Returns false to stop. */
typedef bool np_posix_line(void *ctx, char *line);

/* Gives each line of `path` to `take`. Of a line above 4095 bytes the rest is lost. Returns false
 * if the file can't be opened. */
bool np_posix_read_lines(const char *path, np_posix_line *take, void *ctx);

#endif
