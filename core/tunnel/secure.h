/* SPDX-License-Identifier: BSD-3-Clause */
/* secure: what the TLS connections of one instance share (config.md: tls, crt, key, ca, pin, sni).
 *
 * A server has a certificate with its key: made at start (tls=1), or from the files crt= and key=
 * (tls=2), read again when they change. A client has a rule for the server's certificate: with
 * tls=2 the path to a root of ca= or of the system's bundle, the name and the dates; with pin= the
 * public key, also with tls=1. The bundle is read again from time to time, and when a root of it is
 * not where it was.
 */
#ifndef NP_CORE_TUNNEL_SECURE_H
#define NP_CORE_TUNNEL_SECURE_H

#include "config/np_config.h"
#include "core/base/timer.h"
#include "core/tls/key_pair.h"
#include "core/tls/setup.h"
#include "core/tls/verify.h"

struct np_instance;

/* Two, so that handshakes in flight keep the old pair while a new one is in use. */
struct np_secure_server {
    struct np_key_pair pairs[2];
    uint8_t current;
    uint8_t digest[32]; /* SHA-256 of both files as last read */
};

struct np_secure_client {
    struct np_tls_trust trust;
    struct np_verify_policy policy;
    struct np_verify_report report;
    struct np_roots roots;
    const char *bundle; /* path of the roots, NULL = not indexed yet */
    bool said_clock;    /* that the clock is not set */
    uint8_t current;    /* of the two: the other is for the next index, used if it is good */
    struct np_root_entry entries[2][NP_MAX_ROOTS];
};

struct np_secure {
    struct np_instance *instance;
    struct np_tls_config config;
    struct np_timer reload;
    union {
        struct np_secure_server server;
        struct np_secure_client client;
    } u;
};

/* Fills *secure for its instance; a server gets its certificate and logs its pin. Returns NP_OK, or
 * what failed after an ERROR in the log that names file and cause. */
enum np_err np_secure_open(struct np_secure *secure, struct np_instance *instance);
/* Client: the server's tls= code is `level`, 1 or 2. NP_OK, or why it can't verify (no bundle); an
 * ERROR tells more. */
enum np_err np_secure_use_level(struct np_secure *secure, uint8_t level);
/* Looks whether crt= or key= changed, or indexes the bundle again. A broken pair or bundle keeps
 * the old one, with an ERROR; a bundle is tried again soon. */
void np_secure_reload(struct np_secure *secure);
/* Why the peer's certificate was refused, "" if that was not it. */
const char *np_secure_verdict(const struct np_secure *secure, enum np_tls_reason reason);
/* Client, after a handshake: says once if the clock was before the build date; keeps the time if it
 * was not, for when it is; reads the bundle again if it has changed. */
void np_secure_note_handshake(struct np_secure *secure);
/* Stops the timer, wipes keys. */
void np_secure_close(struct np_secure *secure);

#endif
