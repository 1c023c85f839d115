/* SPDX-License-Identifier: BSD-3-Clause */
/* reason: why a TLS connection failed. One list for engine and certificates; each has a text for
 * the log and the alert that the peer is sent (RFC 8446 section 6.2). The first reason of a
 * connection sticks. */
#ifndef NP_CORE_TLS_REASON_H
#define NP_CORE_TLS_REASON_H

#include <stdint.h>

/* Alerts (RFC 8446 section 6). */
#define NP_TLS_ALERT_CLOSE_NOTIFY 0
#define NP_TLS_ALERT_UNEXPECTED_MESSAGE 10
#define NP_TLS_ALERT_BAD_RECORD_MAC 20
#define NP_TLS_ALERT_RECORD_OVERFLOW 22
#define NP_TLS_ALERT_HANDSHAKE_FAILURE 40
#define NP_TLS_ALERT_BAD_CERTIFICATE 42
#define NP_TLS_ALERT_UNSUPPORTED_CERTIFICATE 43
#define NP_TLS_ALERT_CERTIFICATE_EXPIRED 45
#define NP_TLS_ALERT_CERTIFICATE_UNKNOWN 46
#define NP_TLS_ALERT_ILLEGAL_PARAMETER 47
#define NP_TLS_ALERT_UNKNOWN_CA 48
#define NP_TLS_ALERT_DECODE_ERROR 50
#define NP_TLS_ALERT_DECRYPT_ERROR 51
#define NP_TLS_ALERT_PROTOCOL_VERSION 70
#define NP_TLS_ALERT_INTERNAL_ERROR 80
#define NP_TLS_ALERT_USER_CANCELED 90
#define NP_TLS_ALERT_MISSING_EXTENSION 109
#define NP_TLS_ALERT_UNSUPPORTED_EXTENSION 110
#define NP_TLS_ALERT_CERTIFICATE_REQUIRED 116

enum np_tls_reason {
    NP_TLS_FINE = 0,
    /* records and messages */
    NP_TLS_NOT_TLS,          /* the first bytes are no TLS record */
    NP_TLS_UNEXPECTED,       /* a message, record type or CCS that is not due now */
    NP_TLS_BAD_MAC,          /* a record does not decrypt: tampered or other keys */
    NP_TLS_RECORD_TOO_LONG,  /* beyond 2^14 + 256 bytes, or beyond our record_size_limit */
    NP_TLS_MESSAGE_TOO_LONG, /* a handshake message beyond our bound */
    NP_TLS_DECODE,           /* lengths of a message do not add up */
    NP_TLS_ILLEGAL,          /* a field with a value that is not allowed */
    NP_TLS_KEY_CHANGE,       /* message bytes on both sides of a key change */
    NP_TLS_NO_PROGRESS,      /* too many records in a row that carry nothing */
    NP_TLS_TRUNCATED,        /* the TCP stream ended inside a record or the handshake */
    /* negotiation */
    NP_TLS_VERSION,           /* the peer does not speak TLS 1.3 */
    NP_TLS_DOWNGRADE,         /* the server's random tells of a downgrade */
    NP_TLS_NO_SUITE,          /* no common cipher suite */
    NP_TLS_NO_GROUP,          /* no common group */
    NP_TLS_NO_SCHEME,         /* no signature scheme that the peer takes and our key can */
    NP_TLS_MISSING_EXTENSION, /* an extension that must be there is not */
    NP_TLS_STRAY_EXTENSION,   /* an answer to an extension that we did not send */
    NP_TLS_BAD_SHARE,         /* key share not on the curve, or an all-zero secret */
    NP_TLS_NO_AUTH,           /* neither a certificate nor a PSK in common */
    NP_TLS_PSK_BINDER,        /* the binder is wrong: the PSK differs */
    NP_TLS_FINISHED,          /* Finished is wrong: the handshake was altered */
    NP_TLS_CERT_SIGNATURE,    /* CertificateVerify is wrong: the peer does not hold the key */
    /* certificates; the path check says which */
    NP_TLS_CERT_EMPTY,         /* the server sent no certificate */
    NP_TLS_CERT_MALFORMED,     /* not DER, not X.509 */
    NP_TLS_CERT_UNSUPPORTED,   /* key type or critical extension that we do not know */
    NP_TLS_CERT_WEAK,          /* RSA below 2048 bits, SHA-1 or MD5 */
    NP_TLS_CERT_UNTRUSTED,     /* the chain does not end in a known root */
    NP_TLS_CERT_CHAIN,         /* a signature or issuer name in the chain does not fit */
    NP_TLS_CERT_EXPIRED,       /* a validity period has passed */
    NP_TLS_CERT_NOT_YET_VALID, /* a validity period has not begun */
    NP_TLS_CERT_NAME,          /* the certificate is for another name */
    NP_TLS_CERT_USAGE,         /* the certificate is not for TLS servers */
    NP_TLS_CERT_PIN,           /* the pin is another */
    NP_TLS_CERT_NO_CLOCK,      /* the time is not known */
    /* ends */
    NP_TLS_PEER_ALERT, /* the peer sent a fatal alert; its number is beside */
    NP_TLS_CLOSED,     /* we gave up before the handshake was through */
    NP_TLS_INTERNAL,   /* no entropy, or our own key could not sign */
    NP_TLS_REASONS
};

/* Short lower-case English text for the end of a log line. Never NULL. */
const char *np_tls_reason_text(enum np_tls_reason reason);
/* Alert that tells the peer. */
uint8_t np_tls_reason_alert(enum np_tls_reason reason);
/* Name of an alert as in RFC 8446 ("handshake_failure"); "unknown alert" for others. */
const char *np_tls_alert_text(uint8_t alert);

#endif
