/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_hello: a hello in parts, so that a test can change one and write it again. */
#ifndef NP_TESTS_UNIT_TLS_HELLO_H
#define NP_TESTS_UNIT_TLS_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#define EXTS_CAP 80

struct hello {
    uint8_t type;
    uint8_t head[512]; /* to the end of compression */
    uint32_t head_len;
    struct {
        uint16_t type, len;
        uint8_t body[600];
    } exts[EXTS_CAP];
    uint32_t count;
    bool has_no_exts;
};

/* Takes apart the hello in the record at `rec`. */
void tls_hello_split(struct hello *hello, const uint8_t *rec);
/* Writes the record; returns its length. */
uint32_t tls_hello_join(const struct hello *hello, uint8_t *rec);
/* Place of an extension; a missing one fails the test. */
uint32_t tls_hello_find(const struct hello *hello, uint16_t type);
void tls_hello_drop(struct hello *hello, uint16_t type);
void tls_hello_set(struct hello *hello, uint16_t type, const void *body, uint32_t len);
void tls_hello_add(struct hello *hello, uint16_t type, const void *body, uint32_t len);
uint32_t tls_put16(uint8_t *out, uint32_t value);

#endif
