/* SPDX-License-Identifier: BSD-3-Clause */
/* record: protection of records in place (RFC 8446 section 5). Knows no messages. */
#ifndef NP_CORE_TLS_RECORD_H
#define NP_CORE_TLS_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/engines.h"
#include "core/tls/schedule.h"

#define NP_TLS_CCS 20u
#define NP_TLS_ALERT 21u
#define NP_TLS_HANDSHAKE 22u
#define NP_TLS_DATA 23u

#define NP_TLS_HEADER_LEN 5u
#define NP_TLS_PLAIN_MAX 16384u           /* content of a record, bytes */
#define NP_TLS_CIPHER_MAX (16384u + 256u) /* length field of a protected record */
#define NP_TLS_OVERHEAD 22u               /* header, inner type, tag */
#define NP_TLS_RECORD_MAX (5u + 16384u + 256u)

/* One direction's keys: all that a connection keeps when it is idle. */
struct np_tls_keys {
    uint64_t sequence; /* records under this key */
    uint8_t secret[NP_TLS_HASH_MAX];
    uint8_t key[NP_TLS_KEY_MAX];
    uint8_t iv[NP_TLS_IV_LEN];
    uint16_t suite; /* id; 0 = plaintext */
};

/* Starts to use a traffic secret; sequence numbers begin at 0. */
void np_tls_keys_install(struct np_tls_keys *keys, uint16_t suite, const uint8_t *secret);
/* The next generation (KeyUpdate). */
void np_tls_keys_update(struct np_tls_keys *keys);

/* Protects `len` bytes that stand at rec + 5: writes header, inner type, `pad` zeros and tag around
 * them. rec has room for len + pad + NP_TLS_OVERHEAD; len + pad <= NP_TLS_PLAIN_MAX. Returns the
 * record's length. Without keys (suite 0) it writes the header of a plaintext record and returns
 * len + 5. */
uint32_t np_tls_record_seal(const struct np_tls_engines *engines, struct np_tls_keys *keys,
                            uint8_t *rec, uint32_t len, uint8_t type, uint32_t pad);

struct np_tls_opened {
    enum np_tls_reason reason; /* NP_TLS_FINE, else the rest is not set and the record is wiped */
    uint8_t type;              /* content type, of the inside when protected */
    uint8_t *data;             /* inside the record */
    uint32_t len;              /* bytes at data, padding stripped */
    uint32_t inner_len;        /* with type and padding: what record_size_limit bounds */
};
/* Opens a whole protected record (header and body, `rec_len` bytes) in place. */
struct np_tls_opened np_tls_record_open(const struct np_tls_engines *engines,
                                        struct np_tls_keys *keys, uint8_t *rec, uint32_t rec_len);

#endif
