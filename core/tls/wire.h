/* SPDX-License-Identifier: BSD-3-Clause */
/* wire: bounded reader and writer of TLS structures (RFC 8446 section 3). The first step beyond the
 * end sets `is_bad`; from then on everything read is zero and nothing is written. */
#ifndef NP_CORE_TLS_WIRE_H
#define NP_CORE_TLS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct np_tls_reader {
    const uint8_t *at;
    uint32_t left; /* bytes */
    bool is_bad;
};

static inline struct np_tls_reader np_tls_reader_init(const uint8_t *bytes, uint32_t len)
{
    return (struct np_tls_reader){bytes, len, false};
}
/* The next `len` bytes, or NULL. */
static inline const uint8_t *np_tls_read(struct np_tls_reader *reader, uint32_t len)
{
    const uint8_t *bytes = reader->at;

    if (reader->is_bad || len > reader->left) {
        reader->is_bad = true;
        reader->left = 0;
        return (const uint8_t *)0;
    }
    reader->at += len;
    reader->left -= len;
    return bytes;
}
/* A big-endian number of `len` (1 to 4) bytes. */
static inline uint32_t np_tls_read_uint(struct np_tls_reader *reader, uint32_t len)
{
    const uint8_t *bytes = np_tls_read(reader, len);
    uint32_t value = 0;

    for (uint32_t i = 0; bytes != (const uint8_t *)0 && i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}
/* A vector with a length of `len_bytes` in front, between min and max bytes. */
static inline struct np_tls_reader
np_tls_read_vector(struct np_tls_reader *reader, uint32_t len_bytes, uint32_t min, uint32_t max)
{
    uint32_t len = np_tls_read_uint(reader, len_bytes);
    const uint8_t *bytes;

    if (len < min || len > max) {
        reader->is_bad = true;
        reader->left = 0;
    }
    bytes = np_tls_read(reader, len);
    return (struct np_tls_reader){bytes, bytes != (const uint8_t *)0 ? len : 0,
                                  bytes == (const uint8_t *)0};
}
/* True if everything was there and nothing is left. */
static inline bool np_tls_reader_is_done(const struct np_tls_reader *reader)
{
    return !reader->is_bad && reader->left == 0;
}

struct np_tls_writer {
    uint8_t *base;
    uint32_t len, cap; /* bytes */
    bool is_bad;
};

static inline void np_tls_write(struct np_tls_writer *writer, const void *bytes, uint32_t len)
{
    if (writer->is_bad || len > writer->cap - writer->len) {
        writer->is_bad = true;
        return;
    }
    if (len > 0) {
        memcpy(writer->base + writer->len, bytes, len);
    }
    writer->len += len;
}
static inline void np_tls_write_uint(struct np_tls_writer *writer, uint32_t value, uint32_t len)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};

    np_tls_write(writer, bytes + 4 - len, len);
}
/* Leaves room for a length of `len_bytes`; returns the mark for np_tls_write_end. */
static inline uint32_t np_tls_write_begin(struct np_tls_writer *writer, uint32_t len_bytes)
{
    np_tls_write_uint(writer, 0, len_bytes);
    return writer->len;
}
/* Fills in the length of what was written since `mark`. */
static inline void np_tls_write_end(struct np_tls_writer *writer, uint32_t mark, uint32_t len_bytes)
{
    uint32_t len = writer->len - mark;

    for (uint32_t i = 0; !writer->is_bad && i < len_bytes; i++) {
        writer->base[mark - 1 - i] = (uint8_t)(len >> (8 * i));
    }
}

#endif
