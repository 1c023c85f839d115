/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_http: requests to a master and its answers, one at a time. */
#ifndef NP_PORT_POSIX_CTL_HTTP_H
#define NP_PORT_POSIX_CTL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/http/slice.h"
#include "port/posix/ctl_conn.h"

#define NP_CTL_REPLY_CAP (8u * 1024u * 1024u) /* longest answer that is kept as a whole, bytes */

enum np_ctl_body { NP_CTL_BODY_NONE, NP_CTL_BODY_LENGTH, NP_CTL_BODY_CHUNKED, NP_CTL_BODY_CLOSE };

struct np_ctl_http {
    struct np_ctl_where where;
    const char *key; /* API key, "" = none */
    uint32_t status; /* of the last answer */
    uint8_t body;    /* enum np_ctl_body */
    uint64_t left;   /* bytes of the body, or of the chunk */
    uint32_t at, len;
    char buf[16384];
    struct np_ctl_conn conn; /* conn.why tells what went wrong */
};

/* Sends a request and reads the head of its answer; `body` may be empty. False: http->conn.why. */
bool np_ctl_http_start(struct np_ctl_http *http, const char *method, const char *path,
                       struct np_slice body, uint32_t silence_s);
/* The next bytes of the body: their count, 0 at its end, -1: http->conn.why. */
int32_t np_ctl_http_read(struct np_ctl_http *http, char *out, uint32_t cap);
/* Ends the connection. */
void np_ctl_http_stop(struct np_ctl_http *http);

/* All at once: the whole body goes to `out` (`cap` bytes), *len tells how much it is. */
bool np_ctl_http_call(struct np_ctl_http *http, const char *method, const char *path,
                      struct np_slice body, char *out, uint32_t cap, uint32_t *len);

#endif
