/* SPDX-License-Identifier: BSD-3-Clause */
/* cert_der: strict reading of DER (X.690) held in memory, and writing of small structures.
 *
 * A reader is a span that shrinks from the front. Lengths must be minimal and inside of the span;
 * tags have one byte. A failed read leaves the span as it was.
 *
 * A writer fills a buffer from its END to its start, so that a body's length is known before its
 * header is written; running out of room sticks in `failed`.
 */
#ifndef NP_CORE_TLS_CERT_DER_H
#define NP_CORE_TLS_CERT_DER_H

#include <stdbool.h>
#include <stdint.h>

#define NP_DER_BOOLEAN 0x01u
#define NP_DER_INTEGER 0x02u
#define NP_DER_BITS 0x03u
#define NP_DER_OCTETS 0x04u
#define NP_DER_NULL 0x05u
#define NP_DER_OID 0x06u
#define NP_DER_UTF8 0x0cu
#define NP_DER_SEQUENCE 0x30u
#define NP_DER_SET 0x31u
#define NP_DER_CONTEXT(n) (0xa0u | (n)) /* constructed, explicit */

struct np_der {
    const uint8_t *at;
    uint32_t len; /* bytes left */
};

/* Takes the next element: its tag and contents. False at the end or if it is malformed. */
bool np_der_next(struct np_der *in, uint8_t *tag, struct np_der *body);
/* Takes the next element if its tag is `tag`. */
bool np_der_take(struct np_der *in, uint8_t tag, struct np_der *body);
/* Takes an INTEGER >= 0, without its leading zero byte (0 itself gives length 0). */
bool np_der_take_uint(struct np_der *in, struct np_der *number);
/* Takes an INTEGER that must equal `value` (0 to 127). */
bool np_der_take_small(struct np_der *in, uint8_t value);
/* True if the contents of an OID are `oid` of `len` bytes. */
bool np_der_is(const struct np_der *body, const uint8_t *oid, uint32_t len);

struct np_der_writer {
    uint8_t *mem;
    uint32_t cap;
    uint32_t at; /* offset of the first byte written so far; starts at cap */
    bool failed;
};

void np_der_writer_init(struct np_der_writer *out, uint8_t *mem, uint32_t cap);
/* Puts raw bytes before what is there. */
void np_der_put(struct np_der_writer *out, const void *bytes, uint32_t len);
/* Puts one byte. */
void np_der_put_byte(struct np_der_writer *out, uint8_t byte);
/* Puts tag and length in front of all that was written since `end` (an earlier value of out->at).
 */
void np_der_wrap(struct np_der_writer *out, uint8_t tag, uint32_t end);

#endif
