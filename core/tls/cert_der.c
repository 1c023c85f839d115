/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/cert_der.h"

#include <string.h>

/* Length of the body and of its header; false if malformed or beyond the span. */
static bool parse_header(const struct np_der *in, uint32_t *head, uint32_t *len)
{
    uint32_t count;

    if (in->len < 2 || (in->at[0] & 0x1fu) == 0x1fu) {
        return false;
    }
    *head = 2;
    *len = in->at[1];
    if (*len >= 0x80u) {
        count = *len & 0x7fu;
        if (count < 1 || count > 3 || in->len < 2 + count) {
            return false;
        }
        *len = 0;
        for (uint32_t i = 0; i < count; i++) {
            *len = *len << 8 | in->at[2 + i];
        }
        if (*len < 0x80u || (count > 1 && *len >> (8 * (count - 1)) == 0)) {
            return false;
        }
        *head += count;
    }
    return *len <= in->len - *head;
}

bool np_der_next(struct np_der *in, uint8_t *tag, struct np_der *body)
{
    uint32_t head, len;

    if (!parse_header(in, &head, &len)) {
        return false;
    }
    *tag = in->at[0];
    body->at = in->at + head;
    body->len = len;
    in->at += head + len;
    in->len -= head + len;
    return true;
}

bool np_der_take(struct np_der *in, uint8_t tag, struct np_der *body)
{
    uint8_t found;

    return in->len > 0 && in->at[0] == tag && np_der_next(in, &found, body);
}

bool np_der_take_uint(struct np_der *in, struct np_der *number)
{
    struct np_der rest = *in, body;

    if (!np_der_take(&rest, NP_DER_INTEGER, &body) || body.len == 0 || (body.at[0] & 0x80u) != 0) {
        return false;
    }
    if (body.at[0] == 0) {
        if (body.len > 1 && (body.at[1] & 0x80u) == 0) {
            return false; /* a zero byte that is not needed */
        }
        body.at++;
        body.len--;
    }
    *in = rest;
    *number = body;
    return true;
}

bool np_der_take_small(struct np_der *in, uint8_t value)
{
    struct np_der rest = *in, body;

    if (!np_der_take(&rest, NP_DER_INTEGER, &body) || body.len != 1 || body.at[0] != value) {
        return false;
    }
    *in = rest;
    return true;
}

bool np_der_is(const struct np_der *body, const uint8_t *oid, uint32_t len)
{
    return body->len == len && memcmp(body->at, oid, len) == 0;
}

void np_der_writer_init(struct np_der_writer *out, uint8_t *mem, uint32_t cap)
{
    out->mem = mem;
    out->cap = out->at = cap;
    out->failed = false;
}

void np_der_put(struct np_der_writer *out, const void *bytes, uint32_t len)
{
    if (len > out->at) {
        out->failed = true;
        return;
    }
    out->at -= len;
    memcpy(out->mem + out->at, bytes, len);
}

void np_der_put_byte(struct np_der_writer *out, uint8_t byte)
{
    np_der_put(out, &byte, 1);
}

void np_der_wrap(struct np_der_writer *out, uint8_t tag, uint32_t end)
{
    uint32_t len = end - out->at, count = 0;

    if (len < 0x80u) {
        np_der_put_byte(out, (uint8_t)len);
    } else {
        for (; len > 0; len >>= 8, count++) {
            np_der_put_byte(out, (uint8_t)len);
        }
        np_der_put_byte(out, (uint8_t)(0x80u | count));
    }
    np_der_put_byte(out, tag);
}
