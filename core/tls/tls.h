/* SPDX-License-Identifier: BSD-3-Clause */
/* tls: a TLS 1.3 connection as two streams of bytes. No I/O, no clock, no memory of its own.
 *
 *   start                                                  np_tls_start(tls, role, config, hs)
 *   received  TCP bytes -> buf:  np_tls_recv(tls, buf, len) -> event, `used` bytes to drop
 *   to send   np_tls_pending(tls, dst, cap) -> bytes, until it returns 0
 *             payload at rec + 5:  np_tls_seal(tls, rec, n, 0) -> n + 22 bytes
 *
 * Order    Bytes go out in the order in which pending and seal made them. Call pending after start
 *          and after every recv, whatever it returned (an alert may be due), and before seal.
 * Memory   `tls` (see NP_TLS_IDLE_BYTES) lives as long as the connection. `hs` is scratch of a
 *          handshake in flight: after each recv and pending, when np_tls_is_open, read what is
 *          wanted (np_tls_fingerprint) and take it back with np_tls_detach. Received bytes wait in
 *          a buffer of the caller's that exists only while part of a record is there; a whole
 *          record must fit: np_tls_need_max bytes. An idle connection needs neither.
 * Time     Deadlines are the caller's: np_tls_is_open tells what is still a handshake.
 * Errors   The first one sticks: np_tls_reason, np_tls_peer_alert, np_tls_describe. After FAILED
 *          send what pending gives and close.
 * Closing  np_tls_close_write ends our direction (pending then gives close_notify), the other goes
 *          on; recv returns EOF when the peer ended its own.
 * Nothing calls back except config.random, config.cred->sign and config.trust->ops. */
#ifndef NP_CORE_TLS_TLS_H
#define NP_CORE_TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/record.h"
#include "core/tls/setup.h"

struct np_tls_hs; /* core/tls/handshake.h */

#define NP_TLS_PENDING_MIN 128u /* least room for np_tls_pending */

/* Bounds, in records. */
#define NP_TLS_KEY_RECORDS (1u << 24) /* our direction gets new keys after so many */
#define NP_TLS_IDLE_RECORDS 16u       /* of CCS, KeyUpdate and tickets in a row */
#define NP_TLS_EARLY_BYTES 32768u     /* 0-RTT data that a server skips */
#define NP_TLS_EARLY_LEAST 256u       /* bytes of that that a record counts for at least */
#define NP_TLS_TICKET_MAX 16384u      /* longest NewSessionTicket that is skipped */

struct np_tls {
    const struct np_tls_config *config;
    struct np_tls_hs *hs; /* NULL once taken back */
    struct np_tls_keys rx, tx;
    uint16_t send_max;   /* largest payload of a record that the peer takes */
    uint16_t recv_max;   /* largest length field of a protected record from the peer */
    uint16_t flags;      /* private */
    uint16_t early_left; /* server: bytes of 0-RTT data still to be skipped */
    uint16_t skip_left;  /* bytes of a ticket still to come */
    uint16_t asked;      /* KeyUpdates of the peer that we asked for and did not see yet */
    uint8_t post[5];     /* first bytes of a message after the handshake */
    uint8_t post_len;
    uint8_t role;       /* enum np_tls_role */
    uint8_t state;      /* enum np_tls_state */
    uint8_t reason;     /* enum np_tls_reason */
    uint8_t peer_alert; /* the peer's fatal alert, when reason is PEER_ALERT */
    uint8_t rx_epoch;   /* enum np_tls_epoch */
    uint8_t tx_epoch;
    uint8_t idle_records; /* records in a row without progress */
};
#define NP_TLS_IDLE_BYTES 256u /* what an idle connection holds at most */
_Static_assert(sizeof(struct np_tls) <= NP_TLS_IDLE_BYTES, "an idle connection is small");

/* Each state is named by what it expects. */
enum np_tls_state {
    NP_TLS_EXPECT_HANDSHAKE,
    NP_TLS_OPEN,
    NP_TLS_FAILED,
};

/* Begins. `hs` is sizeof(struct np_tls_hs) bytes with any content, aligned to 16, until
 * np_tls_detach. Returns NP_OK, NP_ERR_INVALID (config without any means to authenticate) or what
 * `random` said. */
enum np_err np_tls_start(struct np_tls *tls, enum np_tls_role role,
                         const struct np_tls_config *config, struct np_tls_hs *hs);

enum np_tls_event {
    NP_TLS_NEED,     /* wait until buf holds `need` bytes (more is fine) */
    NP_TLS_MORE,     /* progress without data: drop `used`, call again */
    NP_TLS_FLUSH,    /* nothing used: empty np_tls_pending first */
    NP_TLS_RECEIVED, /* `len` bytes at `data`: one record, inside buf; len 0 is an empty record */
    NP_TLS_EOF,      /* the peer ended its direction; later calls return the same */
    NP_TLS_ERROR,    /* np_tls_reason tells why; later calls return the same */
};

struct np_tls_input {
    enum np_tls_event event;
    uint32_t used; /* bytes at the front of buf that are done with; take `data` before dropping */
    uint32_t need; /* NEED: bytes from the front that make the next step possible */
    uint8_t *data;
    uint32_t len;
};
/* Takes at most one record from the front of the `len` received bytes at `buf`, decrypting in
 * place. */
struct np_tls_input np_tls_recv(struct np_tls *tls, uint8_t *buf, uint32_t len);
/* Most that recv can ask for: the longest record the peer may send now. */
uint32_t np_tls_need_max(const struct np_tls *tls);
/* The TCP stream ended with `left` received bytes not used. Returns NP_TLS_EOF: the peer had said
 * so, or the end is at a record's border (np_tls_is_truncated then tells that close_notify was
 * missing); NP_TLS_ERROR: inside a record or the handshake. */
enum np_tls_event np_tls_recv_end(struct np_tls *tls, uint32_t left);
/* True if the stream ended without close_notify. */
bool np_tls_is_truncated(const struct np_tls *tls);

/* Writes what is due (handshake flight, CCS, KeyUpdate, alert, close_notify) as whole records, as
 * far as it fits; cap >= NP_TLS_PENDING_MIN. Returns the bytes written, 0 = nothing is due. */
uint32_t np_tls_pending(struct np_tls *tls, uint8_t *dst, uint32_t cap);
/* True if pending has something to write. */
bool np_tls_has_pending(const struct np_tls *tls);

/* Protects `len` (<= np_tls_seal_max) payload bytes that the caller put at rec + 5, with `pad`
 * bytes of padding: one call, one record, one datagram. rec has room for len + pad +
 * NP_TLS_OVERHEAD. Returns the record's length; NP_ERR_STATE before OPEN, after close_write or
 * FAILED; NP_ERR_AGAIN: a KeyUpdate is due, so np_tls_has_pending: never after pending was
 * emptied; NP_ERR_TOO_LONG. */
int32_t np_tls_seal(struct np_tls *tls, uint8_t *rec, uint32_t len, uint32_t pad);
/* Most payload one record takes: 16384, or less if the peer wants it. */
uint32_t np_tls_seal_max(const struct np_tls *tls);
/* Ends our direction: nothing is sealed afterwards, close_notify becomes due. Before OPEN it ends
 * the connection. */
void np_tls_close_write(struct np_tls *tls);
/* New keys for our direction; with `ask`, for the peer's as well. It also happens by itself after
 * NP_TLS_KEY_RECORDS records. Does nothing before OPEN. */
void np_tls_key_update(struct np_tls *tls, bool ask);

/* True once both Finished are through and ours was taken by pending. */
bool np_tls_is_open(const struct np_tls *tls);
/* True after close_notify was received, or was taken by pending. */
bool np_tls_is_read_closed(const struct np_tls *tls);
bool np_tls_is_write_closed(const struct np_tls *tls);
/* Takes the scratch back, wiped; NULL while it is needed or if it was taken. */
struct np_tls_hs *np_tls_detach(struct np_tls *tls);
/* Ends the connection's use: wipes its keys. Returns the scratch, wiped, if still attached. */
struct np_tls_hs *np_tls_deinit(struct np_tls *tls);

/* SHA-256 of the server's leaf certificate, for a client between OPEN and detach. False if there is
 * none (PSK, server). */
bool np_tls_fingerprint(const struct np_tls *tls, uint8_t out[NP_TLS_FINGERPRINT_LEN]);
/* Negotiated suite ("TLS_AES_128_GCM_SHA256"); "" before that. */
const char *np_tls_suite_name(const struct np_tls *tls);
enum np_tls_reason np_tls_reason(const struct np_tls *tls);
/* The peer's fatal alert, -1 if it sent none. */
int np_tls_peer_alert(const struct np_tls *tls);
/* One line for the log, without a newline: "the certificate is for another name", "the peer sent
 * alert unknown_ca". Returns its length. */
uint32_t np_tls_describe(const struct np_tls *tls, char *out, uint32_t cap);

#endif
