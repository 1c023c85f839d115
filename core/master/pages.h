/* SPDX-License-Identifier: BSD-3-Clause */
/* pages: the master's two pages for people, packed at build time from core/master/web.
 *
 * Each is one file that asks for nothing else: style and script are inside, and its own
 * Content-Security-Policy allows only these. The body is gzip, whatever the client accepts.
 * Reply with
 *   Content-Type: <type>       Content-Encoding: gzip        ETag: <etag>
 *   Cache-Control: no-cache    Content-Security-Policy: frame-ancestors 'none'
 * and 304 without a body when If-None-Match is the ETag. With another prefix than /api also
 *   X-NodePass-API: <prefix>/v1
 * for the panel, which looks there when /api/v1 is not found. */
#ifndef NP_CORE_MASTER_PAGES_H
#define NP_CORE_MASTER_PAGES_H

#include <stdint.h>

struct np_page {
    const char *path; /* "/" is the panel, "/docs" what <prefix>/v1/docs shows */
    const uint8_t *body;
    uint32_t body_len; /* bytes */
    const char *type;  /* content type */
    const char *etag;  /* with its quotes */
};

/* All pages; use np_page_find. */
extern const struct np_page np_pages[];
extern const uint32_t np_page_count;

/* The OpenAPI document, packed: for each value a text, which is that value, bytes and values that
 * stand for another text, 0. The first text is the whole document; NP_OPENAPI_PREFIX in it is where
 * the prefix of the API goes. Texts lie at most NP_OPENAPI_DEPTH deep in each other. */
extern const uint8_t np_openapi[];
extern const uint32_t np_openapi_len;
#define NP_OPENAPI_PREFIX 1u
#define NP_OPENAPI_DEPTH 24u

/* The page of this path of `len` bytes ("/" or "/docs", so without prefix and version), NULL if
 * there is none. It lives for ever. */
const struct np_page *np_page_find(const char *path, uint32_t len);

#endif
