/* SPDX-License-Identifier: BSD-3-Clause */
/* cert_scan: reads one X.509 certificate (RFC 5280) in pieces of any size and notes what BearSSL's
 * path check does not tell: hashes of names and key, dates, IP addresses and DNS names of
 * subjectAltName, what a certificate may be used for, the signature algorithm. Keeps no certificate
 * bytes.
 *
 *   init -> (want) -> feed ... -> is_whole
 *
 * It trusts nothing: a form it does not expect sets `failed`. Signatures are not its task.
 */
#ifndef NP_CORE_TLS_CERT_SCAN_H
#define NP_CORE_TLS_CERT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/br.h"

#define NP_CERT_HASH_LEN 32u
#define NP_CERT_DEPTH 12u
#define NP_CERT_TEXT_CAP 64u /* of a common name, with its NUL */
#define NP_CERT_NAME_CAP 256u

enum np_cert_signature {
    NP_CERT_SIG_NONE,    /* not read yet */
    NP_CERT_SIG_FINE,    /* SHA-256, -384 or -512 with RSA or ECDSA */
    NP_CERT_SIG_WEAK,    /* MD5 or SHA-1 */
    NP_CERT_SIG_UNKNOWN, /* RSA-PSS, Ed25519 and others that BearSSL does not check */
};

/* Takes a copy of an element's DER while it is read. */
struct np_cert_copy {
    uint8_t *mem; /* caller's; NULL = no copy */
    uint32_t cap;
    uint32_t len; /* 0: it did not fit */
};

struct np_cert_scan {
    /* results, right once is_whole (names and key as soon as they were passed) */
    uint8_t issuer[NP_CERT_HASH_LEN];  /* SHA-256 of the Name's DER */
    uint8_t subject[NP_CERT_HASH_LEN]; /* likewise */
    uint8_t key[NP_CERT_HASH_LEN];     /* of SubjectPublicKeyInfo: what a pin is compared with */
    int64_t not_before_s, not_after_s;
    char text[NP_CERT_TEXT_CAP]; /* common name, else organization, of the subject; printable */
    uint8_t signature;           /* enum np_cert_signature */
    bool has_issuer, has_key;
    bool is_v1;         /* version 1: has no extensions */
    bool is_ca;         /* basicConstraints says so */
    uint8_t path_len;   /* and how many CAs may be between it and a leaf; 255 = any number */
    bool may_not_sign;  /* key usage is there, without keyCertSign */
    bool has_limits;    /* name constraints are there */
    bool has_usage;     /* extended key usage is there */
    bool is_server;     /* it has serverAuth or anyExtendedKeyUsage */
    bool has_name;      /* a DNS name or IP address in subjectAltName */
    bool is_name_found; /* the wanted one is among them */
    bool failed;
    /* set by the caller between init and feed */
    struct np_cert_copy copy_subject; /* the Name */
    struct np_cert_copy copy_key;     /* SubjectPublicKeyInfo */
    /* private */
    uint8_t depth_, head_len_, step_, extension_;
    uint8_t head_[5];
    uint8_t hash_to_; /* which result the running hash is for, 0 = none */
    uint8_t attribute_;
    uint8_t want_ip_len_;
    uint8_t want_ip_[16];
    const char *want_name_;
    uint32_t at_, len_, leaf_left_, hash_end_, kept_len_;
    uint32_t end_[NP_CERT_DEPTH];
    uint8_t role_[NP_CERT_DEPTH], index_[NP_CERT_DEPTH];
    uint8_t leaf_role_, leaf_tag_;
    uint8_t kept_[NP_CERT_NAME_CAP];
    br_sha256_context hash_;
};

/* Starts a certificate of `len` bytes; 0 = not known, its own header tells. */
void np_cert_scan_init(struct np_cert_scan *scan, uint32_t len);
/* What to look for in subjectAltName, after init: a DNS name without final dot, or an IPv4 or IPv6
 * literal. `name` is kept, not copied. NULL or "" = nothing. */
void np_cert_scan_want(struct np_cert_scan *scan, const char *name);
/* Reads `len` bytes. After `failed` or the certificate's end further bytes set `failed`. */
void np_cert_scan_feed(struct np_cert_scan *scan, const uint8_t *der, uint32_t len);
/* True if the whole certificate was read and has all that it must have. */
bool np_cert_scan_is_whole(const struct np_cert_scan *scan);

/* False if a CA with this certificate can't vouch for TLS servers of any name: it has extended key
 * usage without them, or name constraints, which we don't evaluate. */
static inline bool np_cert_may_issue(const struct np_cert_scan *scan)
{
    return (!scan->has_usage || scan->is_server) && !scan->has_limits;
}

/* True if `pattern` (a dNSName, `len` bytes) is for the host `name`: equal but for letter case, or
 * "*.rest" for one more label and at least two labels in rest (RFC 6125 section 6.4.3). */
bool np_cert_name_is_for(const uint8_t *pattern, uint32_t len, const char *name);

#endif
