/* SPDX-License-Identifier: BSD-3-Clause */
/* http_head: what the lines of a request's head mean, for http_parse. */
#ifndef NP_CORE_HTTP_HEAD_H
#define NP_CORE_HTTP_HEAD_H

#include "core/http/http_parse.h"

/* Each takes a line without its CRLF, inside the parser's memory, and returns 0 or the status to
 * fail with, and *reason. */
uint16_t np_http_start_line(struct np_http_parser *parser, struct np_slice line,
                            const char **reason);
uint16_t np_http_header_line(struct np_http_parser *parser, struct np_slice line,
                             const char **reason);
/* After the last line: what only shows over all of them. Sets body_left. */
uint16_t np_http_head_check(struct np_http_parser *parser, const char **reason);

#endif
