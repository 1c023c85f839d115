/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_pair: a client and a server of our engine in memory, with a credential that needs no X.509:
 * the certificate is any bytes, a signature is a keyed hash of what was signed. */
#ifndef NP_TESTS_UNIT_TLS_PAIR_H
#define NP_TESTS_UNIT_TLS_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/tls.h"

#define TLS_PAIR_CAP (1u << 17)

struct tls_end {
    struct np_tls tls;
    struct np_tls_config config;
    uint64_t seed;              /* of its random numbers */
    uint8_t in[TLS_PAIR_CAP];   /* received, not used */
    uint8_t out[TLS_PAIR_CAP];  /* made, not delivered */
    uint8_t data[TLS_PAIR_CAP]; /* received payload */
    uint32_t in_len, out_len, data_len, record_count;
    enum np_tls_event last; /* of recv */
    struct np_tls_hs hs;
};

struct tls_pair {
    struct tls_end client, server;
    struct np_tls_engines engines;
    struct np_tls_cred cred;
    struct np_tls_trust trust;
    struct np_tls_psk psk;
    uint32_t sign_delay;              /* the signer answers AGAIN so often */
    enum np_tls_reason chain_verdict; /* what the verifier says of the chain */
    uint8_t chain_seen[8192];         /* bytes of all certificates as the verifier saw them */
    uint32_t chain_len, cert_count;
    char name_seen[64];
};

/* Sets both configurations to their defaults; tests change them before tls_pair_start. One pair at
 * a time: the memory is shared. */
struct tls_pair *tls_pair_init(uint64_t seed);
void tls_pair_start(struct tls_pair *pair);
/* Takes what `end` has to send; `cap` at a time. */
void tls_end_flush(struct tls_end *end, uint32_t cap);
/* Gives bytes to `end`, which uses what it can. */
void tls_end_receive(struct tls_end *end, const uint8_t *bytes, uint32_t len);
/* Delivers until nothing moves, `chunk` bytes at a time. */
void tls_pair_run(struct tls_pair *pair, uint32_t chunk);
/* tls_pair_start and run, and both ends are open. */
bool tls_pair_open(struct tls_pair *pair);
/* Seals one record of payload into the end's `out`. Returns what np_tls_seal said. */
int32_t tls_end_send(struct tls_end *end, const void *payload, uint32_t len, uint32_t pad);
/* Puts any record into `out`, under the keys of `end`. */
void tls_end_forge(struct tls_end *end, uint8_t type, const void *content, uint32_t len);

#endif
