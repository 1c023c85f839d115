/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/ctl_http.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/base/fmt.h"

#define LINE_CAP 4096u
#define SILENCE_S 20u

static bool fail(struct np_ctl_http *http, const char *text)
{
    if (http->conn.why[0] == '\0') {
        np_fmt(http->conn.why, sizeof http->conn.why, "%s", text);
    }
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* At least one byte in buf: 1, at the end 0, -1. */
static int32_t fill(struct np_ctl_http *http)
{
    if (http->at < http->len) {
        return 1;
    }
    int32_t n = np_ctl_conn_recv(&http->conn, http->buf, sizeof http->buf);
    http->at = 0;
    http->len = n > 0 ? (uint32_t)n : 0;
    return n > 0 ? 1 : n;
}

/* A line without its end; what does not fit is cut. */
static bool read_line(struct np_ctl_http *http, char *out, uint32_t cap)
{
    uint32_t len = 0;

    for (;;) {
        if (fill(http) <= 0) {
            return fail(http, "the answer ends too early");
        }
        char c = http->buf[http->at++];
        if (c == '\n') {
            break;
        }
        if (len + 1 < cap) {
            out[len++] = c;
        }
    }
    len -= len > 0 && out[len - 1] == '\r' ? 1 : 0;
    out[len] = '\0';
    return true;
}

static void take_header(struct np_ctl_http *http, const char *line)
{
    const char *colon = strchr(line, ':');
    uint64_t number;

    if (colon == NULL) {
        return;
    }
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    struct np_slice name = {line, (uint32_t)(colon - line)};
    if (np_slice_is_word(name, "Content-Length") && http->body != NP_CTL_BODY_CHUNKED &&
        np_parse_uint(value, (uint32_t)strlen(value), UINT64_MAX, &number)) {
        http->body = NP_CTL_BODY_LENGTH;
        http->left = number;
    } else if (np_slice_is_word(name, "Transfer-Encoding") &&
               np_slice_is_word(np_slice_of(value), "chunked")) {
        http->body = NP_CTL_BODY_CHUNKED;
        http->left = 0;
    }
}

static bool read_head(struct np_ctl_http *http)
{
    char line[LINE_CAP];
    uint64_t status;

    if (!read_line(http, line, sizeof line)) {
        return false;
    }
    if (strncmp(line, "HTTP/1.", 7) != 0 || strlen(line) < 12 ||
        !np_parse_uint(line + 9, 3, 999, &status)) {
        return fail(http, "the answer is no HTTP: is this the master's port?");
    }
    http->status = (uint32_t)status;
    http->body = NP_CTL_BODY_CLOSE;
    do {
        if (!read_line(http, line, sizeof line)) {
            return false;
        }
        take_header(http, line);
    } while (line[0] != '\0');
    if (status == 204 || status == 304) {
        http->body = NP_CTL_BODY_NONE;
    }
    return true;
}

/* The head of the next chunk. 1, 0 at the end of the body, -1. */
static int32_t read_chunk_head(struct np_ctl_http *http)
{
    char line[LINE_CAP];
    uint32_t i = 0;

    do { /* the end of the chunk before is an empty line */
        if (!read_line(http, line, sizeof line)) {
            return -1;
        }
    } while (line[0] == '\0');
    for (; i < 8 && np_hex_value(line[i]) >= 0; i++) {
        http->left = http->left << 4 | (uint64_t)np_hex_value(line[i]);
    }
    if (i == 0) {
        return (int32_t)fail(http, "the answer has a broken chunk") - 1;
    }
    return http->left > 0 ? 1 : 0;
}

int32_t np_ctl_http_read(struct np_ctl_http *http, char *out, uint32_t cap)
{
    if (http->body == NP_CTL_BODY_CHUNKED && http->left == 0) {
        int32_t more = read_chunk_head(http);
        if (more <= 0) {
            http->body = NP_CTL_BODY_NONE;
            return more;
        }
    }
    if (http->body == NP_CTL_BODY_NONE || (http->body == NP_CTL_BODY_LENGTH && http->left == 0)) {
        return 0;
    }
    int32_t more = fill(http);
    if (more <= 0) {
        bool is_whole = more == 0 && http->body == NP_CTL_BODY_CLOSE;
        return is_whole ? 0 : (int32_t)fail(http, "the answer ends too early") - 1;
    }
    uint32_t len = http->len - http->at < cap ? http->len - http->at : cap;
    if (http->body != NP_CTL_BODY_CLOSE) {
        len = len < http->left ? len : (uint32_t)http->left;
        http->left -= len;
    }
    memcpy(out, http->buf + http->at, len);
    http->at += len;
    return (int32_t)len;
}

/* ---- requests -------------------------------------------------------------------------------- */

bool np_ctl_http_start(struct np_ctl_http *http, const char *method, const char *path,
                       struct np_slice body, uint32_t silence_s)
{
    const struct np_ctl_where *where = &http->where;
    const char *open = strchr(where->host, ':') == NULL ? "" : "[";
    char head[2048];

    http->at = http->len = http->status = 0;
    http->left = 0;
    if (!np_ctl_conn_open(&http->conn, where, silence_s)) {
        return false;
    }
    uint32_t len =
        np_fmt(head, sizeof head,
               "%s %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n"
               "Content-Length: %u\r\n%s%s%s\r\n",
               method, where->base, path, open, where->host, open[0] == '\0' ? "" : "]",
               where->port, body.len, http->key[0] == '\0' ? "" : "X-API-Key: ", http->key,
               http->key[0] == '\0' ? "" : "\r\n");
    bool is_sent = np_ctl_conn_send(&http->conn, head, len) &&
                   (body.len == 0 || np_ctl_conn_send(&http->conn, body.base, body.len));
    np_ct_wipe(head, sizeof head);
    if (!is_sent || !read_head(http)) {
        np_ctl_conn_close(&http->conn);
        return false;
    }
    return true;
}

void np_ctl_http_stop(struct np_ctl_http *http)
{
    np_ctl_conn_close(&http->conn);
}

bool np_ctl_http_call(struct np_ctl_http *http, const char *method, const char *path,
                      struct np_slice body, char *out, uint32_t cap, uint32_t *len)
{
    int32_t n = 0;

    *len = 0;
    if (!np_ctl_http_start(http, method, path, body, SILENCE_S)) {
        return false;
    }
    while (*len < cap && (n = np_ctl_http_read(http, out + *len, cap - *len)) > 0) {
        *len += (uint32_t)n;
    }
    np_ctl_http_stop(http);
    return n == 0 || fail(http, *len == cap ? "the answer is too long" : "the answer is cut");
}
