/* SPDX-License-Identifier: BSD-3-Clause */
/* openapi: the route /openapi.json. The document is made and packed at build time from the tables
 * of toolchains/openapi.py; the end-to-end tests compare it with what the program does. */
#include "core/master/pages.h"
#include "core/master/reply.h"

#define LITERAL 0u

/* Where the text of each value begins in np_openapi, or LITERAL. */
static void find_texts(uint16_t text_at[256])
{
    uint32_t at = 0;

    memset(text_at, LITERAL, 256 * sizeof text_at[0]);
    while (at < np_openapi_len) {
        text_at[np_openapi[at]] = (uint16_t)(at + 1);
        while (np_openapi[at++] != 0) {
        }
    }
}

/* One piece: it fits. */
static bool write_document(struct np_http_source *source, struct np_json *out)
{
    const struct np_master *master = source->ctx;
    const uint8_t *outer[NP_OPENAPI_DEPTH], *at = np_openapi + 1;
    uint16_t text_at[256];
    uint32_t depth = 0;

    find_texts(text_at);
    for (;; at++) {
        if (text_at[*at] != LITERAL) {
            outer[depth++] = at;
            at = np_openapi + text_at[*at] - 1;
        } else if (*at == NP_OPENAPI_PREFIX) {
            np_json_raw(out, master->prefix);
        } else if (*at != 0) {
            np_json_raw_slice(out, (struct np_slice){(const char *)at, 1});
        } else if (depth > 0) {
            at = outer[--depth];
        } else {
            return false;
        }
    }
}

void np_reply_openapi(struct np_call *call)
{
    struct np_http_source source = {write_document, call->master, 0};

    np_http_reply_source(call->conn, 200, NP_HTTP_JSON, &source);
}
