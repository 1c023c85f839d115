/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_conn: one blocking connection to a master, plain or TLS 1.3. */
#ifndef NP_PORT_POSIX_CTL_CONN_H
#define NP_PORT_POSIX_CTL_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "config/np_config.h"
#include "core/tls/engines.h"
#include "core/tls/handshake.h"
#include "core/tls/tls.h"
#include "core/tls/verify.h"

#define NP_CTL_WHY_CAP 320u
#define NP_CTL_RECORD_CAP 17408u /* a whole TLS record */

/* Where the API is, and how its certificate is judged. */
struct np_ctl_where {
    bool is_tls;
    bool is_unchecked; /* TLS with whoever answers */
    bool has_pin;
    uint8_t pin[32];
    char host[NP_MAX_HOST + 1];
    char port[6];
    char base[NP_MAX_PATH + 8]; /* "/api/v1" */
};

struct np_ctl_conn {
    int fd;
    bool is_tls;
    char why[NP_CTL_WHY_CAP]; /* what went wrong, one line */
    uint32_t in_at, in_len;   /* bytes of `in`: done with, there in all */
    uint32_t data_len;        /* opened and not yet taken, at `data` */
    uint8_t *data;
    int roots_fd;
    struct np_tls tls;
    struct np_tls_config config;
    struct np_tls_engines engines;
    struct np_tls_trust trust;
    struct np_verify_policy policy;
    struct np_verify_report report;
    struct np_roots roots;
    struct np_root_entry entries[NP_MAX_ROOTS];
    struct np_tls_hs hs;
    uint8_t in[NP_CTL_RECORD_CAP];
    uint8_t out[NP_CTL_RECORD_CAP];
};

/* Connects, with a TLS handshake if `where` says so. Returns false and sets `why` if that fails;
 * nothing is open then. `silence_s`: how long the master may stay silent later on. */
bool np_ctl_conn_open(struct np_ctl_conn *conn, const struct np_ctl_where *where,
                      uint32_t silence_s);
/* Sends all of it. False: `why`. */
bool np_ctl_conn_send(struct np_ctl_conn *conn, const char *bytes, uint32_t len);
/* Waits for bytes. Returns how many (1 to cap), 0 at the end of the stream, -1: `why`. */
int32_t np_ctl_conn_recv(struct np_ctl_conn *conn, char *out, uint32_t cap);
/* Ends it; nothing to do if nothing is open (fd -1). */
void np_ctl_conn_close(struct np_ctl_conn *conn);

#endif
