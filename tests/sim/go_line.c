/* SPDX-License-Identifier: BSD-3-Clause */
/* go_line: messages of the Go peer: XOR without care, URLs as net/url reads them. */
#include <string.h>

#include "tests/sim/go.h"

void go_xor(const struct go *go, uint8_t *bytes, uint32_t len)
{
    const struct plan *plan = &go->scene->plan;
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] ^= plan->key[i % plan->key_len];
    }
}

bool go_send(struct go *go, const char *text)
{
    uint8_t line[600];
    uint32_t len = (uint32_t)strlen(text);
    memcpy(line, text, len);
    go_xor(go, line, len);
    line[len] = '\n';
    np_sim_trace(go->scene->sim, go->plat, "go sends %s", text);
    return np_plat_tcp_send(go->plat, go->control, line, len + 1) == (int32_t)len + 1;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Copies `len` bytes with percent-decoding; false if they are not well-formed or too many. */
static bool unescape(char *out, uint32_t cap, const char *in, uint32_t len)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(in[i + 1]) : -1;
            int low = i + 2 < len ? hex(in[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if ((uint8_t)c < 0x20 || c == 0x7f) {
            return false;
        }
        if (at + 1 >= cap) {
            return false;
        }
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}

static bool is_scheme(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        bool is_letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
        bool is_other = (text[i] >= '0' && text[i] <= '9') || strchr("+-.", text[i]) != NULL;
        if (!is_letter && (i == 0 || !is_other)) {
            return false;
        }
    }
    return len > 0;
}

/* "//host/path" with an optional scheme before it and user part in it. */
static bool split_rest(struct go_url *url, const char *text, uint32_t len)
{
    const char *colon = memchr(text, ':', len);
    if (colon != NULL && is_scheme(text, (uint32_t)(colon - text))) {
        len -= (uint32_t)(colon + 1 - text);
        text = colon + 1;
    }
    if (len < 2 || text[0] != '/' || text[1] != '/') {
        return unescape(url->path, sizeof url->path, text, len);
    }
    text += 2;
    len -= 2;
    const char *slash = memchr(text, '/', len);
    uint32_t host_len = slash == NULL ? len : (uint32_t)(slash - text);
    for (uint32_t i = host_len; i > 0; i--) {
        if (text[i - 1] == '@') {
            memmove(url->host, text + i, host_len - i < 127 ? host_len - i : 127);
            url->host[host_len - i < 127 ? host_len - i : 127] = '\0';
            return slash == NULL ||
                   unescape(url->path, sizeof url->path, slash + 1, len - host_len - 1);
        }
    }
    return unescape(url->host, sizeof url->host, text, host_len) &&
           (slash == NULL || unescape(url->path, sizeof url->path, slash + 1, len - host_len - 1));
}

bool go_url_parse(struct go_url *url, const char *text)
{
    memset(url, 0, sizeof *url);
    const char *sharp = strchr(text, '#');
    if (sharp == NULL) {
        return false;
    }
    uint32_t len = (uint32_t)(sharp - text);
    const char *query = memchr(text, '?', len);
    if (!unescape(url->fragment, sizeof url->fragment, sharp + 1, (uint32_t)strlen(sharp + 1))) {
        return false;
    }
    return split_rest(url, text, query == NULL ? len : (uint32_t)(query - text)) &&
           strlen(url->fragment) == 1;
}
