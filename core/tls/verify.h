/* SPDX-License-Identifier: BSD-3-Clause */
/* verify: how a client judges a server's chain: np_tls_verify_ops (cred.h) on BearSSL's path check.
 *
 * With `roots`: every certificate is signed by the next and the last by a root of the bundle, in
 * this order; CA, path length, key usage and extended key usage of every CA right, of the root as
 * well; all within their dates; RSA of 2048 bits or more, P-256 or P-384; no SHA-1; the leaf is for
 * TLS servers and has the name asked for in subjectAltName (DNS name or IP address; the common name
 * never counts; without a name none fits). Not supported, and so refused: CAs with name
 * constraints, critical extended key usage, RSA-PSS signed certificates. Not checked: revocation.
 * With `pin`: the leaf's public key has this hash. Both may be given, and both then count.
 * With neither (tls=1) only the leaf's form and key size are checked.
 *
 * A wall clock before `floor_s` is not set: dates are then compared with the larger of `floor_s`
 * and `known_s`. A board that starts in 1970 still refuses what was expired when the program was
 * built, and accepts what is valid then.
 */
#ifndef NP_CORE_TLS_VERIFY_H
#define NP_CORE_TLS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/cred.h"
#include "core/tls/verify_roots.h"

#define NP_VERIFY_TEXT_CAP 160u

/* The last verdict, for the log. */
struct np_verify_report {
    enum np_tls_reason reason;
    bool is_clock_low;             /* the wall clock is before floor_s */
    char text[NP_VERIFY_TEXT_CAP]; /* "certificate 1 (server.example.com): expired on 2026-01-31" */
};

struct np_verify_policy {
    struct np_roots *roots;       /* NULL: no path check */
    const uint8_t *pin;           /* 32 bytes, NULL: none */
    int64_t (*wall_s)(void *ctx); /* seconds since 1970, 0 = unknown; only used with roots */
    void *clock_ctx;
    int64_t floor_s; /* a moment that has passed for certain: when the program was built */
    int64_t known_s; /* a later one, if any: such as the last that the clock told when it was set */
    struct np_verify_report *report; /* filled by each `end`; NULL: not wanted */
};

/* For np_tls_trust; its policy is a struct np_verify_policy. */
extern const struct np_tls_verify_ops np_verify_ops;

#endif
