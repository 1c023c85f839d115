/* SPDX-License-Identifier: BSD-3-Clause */
/* handshake: messages in, messages out, secrets to install (RFC 8446 section 4). Knows no records,
 * no alerts on the wire, no I/O; core/tls/tls.c puts records around it.
 *
 *   client: EXPECT_SH (after HRR again) -> EXPECT_EE -> EXPECT_CERT_CR -> EXPECT_CERT -> EXPECT_CV
 *           -> EXPECT_FIN -> DONE            with a PSK: EXPECT_EE -> EXPECT_FIN
 *   server: EXPECT_CH (after HRR: EXPECT_CH2) -> EXPECT_FIN -> DONE
 *
 * Keys change only between messages: `rx` and `tx` tell the epoch whose keys protect what comes in
 * and goes out next; the owner of the records compares them with its own after every call.
 * Certificate messages are streamed both ways; every other message is assembled in `in`. */
#ifndef NP_CORE_TLS_HANDSHAKE_H
#define NP_CORE_TLS_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/setup.h"
#include "core/tls/transcript.h"

/* Longest message that is assembled (a hello of today's browsers is below 2 KB). */
#define NP_TLS_MESSAGE_MAX 4096u
/* Longest Certificate message taken. */
#define NP_TLS_CERT_MESSAGE_MAX 65536u
#define NP_TLS_CERTS_MAX 12u
/* Longest cookie of a HelloRetryRequest that is sent back. */
#define NP_TLS_COOKIE_MAX 512u
#define NP_TLS_OUT_MAX 1536u

enum np_tls_epoch {
    NP_TLS_PLAIN,
    NP_TLS_EPOCH_HANDSHAKE,
    NP_TLS_EPOCH_DATA,
};

enum np_tls_hs_state {
    NP_TLS_EXPECT_SH,
    NP_TLS_EXPECT_EE,
    NP_TLS_EXPECT_CERT_CR,
    NP_TLS_EXPECT_CERT,
    NP_TLS_EXPECT_CV,
    NP_TLS_EXPECT_CH,
    NP_TLS_EXPECT_CH2,
    NP_TLS_EXPECT_FIN,
    NP_TLS_HS_DONE, /* nothing more comes in */
};

/* What goes out next. */
enum np_tls_out_step {
    NP_TLS_OUT_NONE,
    NP_TLS_OUT_EE,        /* server, keys change before it */
    NP_TLS_OUT_CERT,      /* head of a Certificate message, then its entries */
    NP_TLS_OUT_ENTRY,     /* head of the next entry */
    NP_TLS_OUT_DER,       /* its bytes, from the chain */
    NP_TLS_OUT_ENTRY_END, /* its empty extensions */
    NP_TLS_OUT_CV,
    NP_TLS_OUT_FIN,
    NP_TLS_OUT_EMPTY_CERT, /* client's answer to a CertificateRequest */
    NP_TLS_OUT_END,        /* after Finished: keys change */
};

/* Where the walk through a Certificate message stands. */
struct np_tls_cert_walk {
    uint32_t left;      /* bytes of the message body not yet seen */
    uint32_t list_left; /* of the list */
    uint32_t part_left; /* of the field being read */
    uint32_t value;     /* number being read */
    uint8_t part;
    uint8_t number_left; /* bytes of the number still to come */
    uint8_t count;       /* certificates seen */
};

struct np_tls_hs {
    const struct np_tls_config *config;
    const struct np_tls_suite *suite;
    struct np_tls_cred *cred; /* server: counted in users while set */
    uint8_t role, state, out_step;
    uint8_t rx, tx;    /* enum np_tls_epoch */
    uint8_t reason;    /* enum np_tls_reason, sticky */
    uint8_t psk;       /* 1 + index of the PSK in use, 0 = certificate */
    uint8_t psk_modes; /* server: modes in common with the client */
    uint8_t session_id_len;
    bool has_hrr;    /* a HelloRetryRequest was sent or received */
    bool has_dhe;    /* an (EC)DHE secret goes into the schedule */
    bool is_ccs_due; /* a CCS record goes before the next message */
    bool is_cert_requested;
    bool has_early_data; /* the client may send 0-RTT records, which are skipped */
    bool has_fingerprint;
    bool has_peer_limit; /* the peer knows record_size_limit */
    uint16_t group;      /* of the key share in use */
    uint16_t scheme;     /* server: signs with; client: of the peer's CertificateVerify */
    uint16_t peer_limit; /* record_size_limit of the peer, 0 = none */
    uint16_t offered;    /* client: extensions sent, a bit each */
    uint16_t psk_index;  /* server: place of the PSK in the client\'s list */
    uint16_t out_len, out_used;
    uint32_t cert_index, cert_offset; /* server: in the chain */
    uint32_t in_len;                  /* bytes at `in` */
    struct np_tls_cert_walk walk;
    struct np_tls_transcript transcript;
    uint8_t random[32]; /* client's */
    uint8_t session_id[32];
    uint8_t private_key[NP_TLS_PRIVATE_LEN];
    uint8_t share[NP_TLS_SHARE_MAX];        /* own key share */
    uint8_t secret[NP_TLS_HASH_MAX];        /* Early, Handshake, then Master Secret */
    uint8_t client_secret[NP_TLS_HASH_MAX]; /* traffic secrets of the current epoch */
    uint8_t server_secret[NP_TLS_HASH_MAX];
    uint8_t client_next[NP_TLS_HASH_MAX]; /* of the data epoch */
    uint8_t server_next[NP_TLS_HASH_MAX];
    uint8_t fingerprint[NP_TLS_FINGERPRINT_LEN];
    uint8_t in[NP_TLS_MESSAGE_MAX];
    uint8_t out[NP_TLS_OUT_MAX];
    /* Last, so that a server never touches it. */
    _Alignas(16) uint8_t verify[NP_TLS_VERIFY_BYTES];
};

/* Begins; a client's hello is ready for pull. NP_OK, NP_ERR_INVALID or what `random` said. */
enum np_err np_tls_hs_start(struct np_tls_hs *hs, enum np_tls_role role,
                            const struct np_tls_config *config);
/* Takes handshake bytes (`len` >= 1) of epoch `rx`, at most one message. Returns how many were
 * used (>= 1), or 0 when it failed (hs->reason). When `rx` changed, bytes left in the same record
 * are an error of the peer's. */
uint32_t np_tls_hs_feed(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len);
/* Writes up to `cap` handshake bytes of epoch `tx`. 0: nothing (more) is due in this epoch; look at
 * tx again, and at reason. */
uint32_t np_tls_hs_pull(struct np_tls_hs *hs, uint8_t *dst, uint32_t cap);
/* True if pull has bytes, or would change the epoch. */
bool np_tls_hs_has_output(const struct np_tls_hs *hs);
/* True if part of a message is assembled: a key change or an end here is an error. */
bool np_tls_hs_is_inside_message(const struct np_tls_hs *hs);
/* Traffic secret of the epoch in force, for what comes in or goes out. */
const uint8_t *np_tls_hs_rx_secret(const struct np_tls_hs *hs);
const uint8_t *np_tls_hs_tx_secret(const struct np_tls_hs *hs);
/* Lets go of the credentials and wipes everything. */
void np_tls_hs_deinit(struct np_tls_hs *hs);

#endif
