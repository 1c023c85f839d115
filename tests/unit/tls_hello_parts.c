/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/tls_hello.h"

#include <string.h>

#include "tests/unit/np_test.h"

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

void tls_hello_split(struct hello *hello, const uint8_t *rec)
{
    const uint8_t *p = rec + 5 + 4, *end = rec + 5 + get16(rec + 3);

    memset(hello, 0, sizeof(*hello));
    hello->type = rec[5];
    p += 2 + 32;
    p += 1 + *p;
    p += hello->type == 1 ? 2 + get16(p) : 2;
    p += hello->type == 1 ? 1 + *p : 1;
    hello->head_len = (uint32_t)(p - (rec + 9));
    memcpy(hello->head, rec + 9, hello->head_len);
    for (p += 2; p < end; p += 4 + get16(p + 2)) {
        hello->exts[hello->count].type = (uint16_t)get16(p);
        hello->exts[hello->count].len = (uint16_t)get16(p + 2);
        memcpy(hello->exts[hello->count].body, p + 4, get16(p + 2));
        hello->count++;
    }
}

uint32_t tls_put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return 2;
}

uint32_t tls_hello_join(const struct hello *hello, uint8_t *rec)
{
    uint32_t len = 9, exts;

    memcpy(rec + len, hello->head, hello->head_len);
    len += hello->head_len;
    exts = len;
    len += hello->has_no_exts ? 0 : 2;
    for (uint32_t i = 0; i < hello->count && !hello->has_no_exts; i++) {
        len += tls_put16(rec + len, hello->exts[i].type);
        len += tls_put16(rec + len, hello->exts[i].len);
        memcpy(rec + len, hello->exts[i].body, hello->exts[i].len);
        len += hello->exts[i].len;
    }
    if (!hello->has_no_exts) {
        tls_put16(rec + exts, len - exts - 2);
    }
    rec[0] = 22;
    rec[1] = 3;
    rec[2] = 3;
    tls_put16(rec + 3, len - 5);
    rec[5] = hello->type;
    rec[6] = 0;
    tls_put16(rec + 7, len - 9);
    return len;
}

uint32_t tls_hello_find(const struct hello *hello, uint16_t type)
{
    for (uint32_t i = 0; i < hello->count; i++) {
        if (hello->exts[i].type == type) {
            return i;
        }
    }
    NP_CHECK(!"extension not there");
    return 0;
}

void tls_hello_drop(struct hello *hello, uint16_t type)
{
    uint32_t at = tls_hello_find(hello, type);

    hello->count--;
    memmove(&hello->exts[at], &hello->exts[at + 1], (hello->count - at) * sizeof(hello->exts[0]));
}

void tls_hello_set(struct hello *hello, uint16_t type, const void *body, uint32_t len)
{
    uint32_t at = tls_hello_find(hello, type);

    memcpy(hello->exts[at].body, body, len);
    hello->exts[at].len = (uint16_t)len;
}

void tls_hello_add(struct hello *hello, uint16_t type, const void *body, uint32_t len)
{
    hello->exts[hello->count++].type = type;
    tls_hello_set(hello, type, body, len);
}
