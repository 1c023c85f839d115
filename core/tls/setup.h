/* SPDX-License-Identifier: BSD-3-Clause */
/* setup: what all connections of one instance share: choices, credentials, entropy. */
#ifndef NP_CORE_TLS_SETUP_H
#define NP_CORE_TLS_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/cred.h"
#include "core/tls/suite.h"

struct np_tls_engines;

enum np_tls_role {
    NP_TLS_CLIENT,
    NP_TLS_SERVER,
};

/* External pre-shared key. */
#define NP_TLS_PSK_KE 1u     /* without a key exchange: no forward secrecy */
#define NP_TLS_PSK_DHE_KE 2u /* with one */
#define NP_TLS_PSK_IDENTITY_MAX 128u

struct np_tls_psk {
    const uint8_t *identity;
    const uint8_t *key;
    uint16_t identity_len; /* 1 to NP_TLS_PSK_IDENTITY_MAX */
    uint16_t key_len;      /* 1 or more; 32 is right */
    uint8_t hash;          /* enum np_tls_hash; NP_TLS_SHA256 unless agreed otherwise */
};

/* All pointers outlive the connections. Only `cred` may change meanwhile (reload): a handshake
 * takes it when it begins to answer and counts in cred->users until it ends. */
struct np_tls_config {
    const struct np_tls_engines *engines;
    struct np_tls_random random;
    uint16_t suites[NP_TLS_SUITES]; /* most wanted first, 0 ends; none = all, in the order that
                                       suits the CPU */
    uint16_t groups[NP_TLS_GROUPS]; /* most wanted first, 0 ends; none = x25519, secp256r1 */
    uint16_t record_limit;          /* largest plaintext we want to receive with its type byte, 64
                                       to 16385; 0 = no limit asked for (RFC 8449) */
    /* server */
    struct np_tls_cred *cred; /* NULL: PSK only */
    /* client */
    const struct np_tls_trust *trust; /* NULL: PSK only */
    const char *server_name;          /* SNI; NULL or an IP address: none is sent */
    const char *verify_name;          /* name or address that the certificate must be for */
    /* both */
    const struct np_tls_psk *psks; /* a client offers the first */
    uint32_t psk_count;
    uint8_t psk_modes;  /* NP_TLS_PSK_*; 0 with psk_count 0 */
    bool has_no_compat; /* client: no session id and no CCS (middlebox compatibility off) */
};

#endif
