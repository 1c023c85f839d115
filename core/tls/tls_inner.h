/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_inner: what the files of the stream facade share; nobody else includes it. */
#ifndef NP_CORE_TLS_TLS_INNER_H
#define NP_CORE_TLS_TLS_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/handshake.h"
#include "core/tls/tls.h"

#define NP_TLS_FLAG_ALERT_DUE 1u      /* the alert of `reason` was not written yet */
#define NP_TLS_FLAG_CLOSE_DUE 2u      /* close_notify */
#define NP_TLS_FLAG_WRITE_CLOSED 4u   /* written, or nothing more may be */
#define NP_TLS_FLAG_READ_CLOSED 8u    /* received */
#define NP_TLS_FLAG_TRUNCATED 16u     /* the stream ended without it */
#define NP_TLS_FLAG_UPDATE_DUE 32u    /* KeyUpdate */
#define NP_TLS_FLAG_UPDATE_ASK 64u    /* that asks for one */
#define NP_TLS_FLAG_RX_PROTECTED 128u /* a record under the current keys was opened */

#define NP_TLS_POST_TICKET 4u
#define NP_TLS_POST_KEY_UPDATE 24u
#define NP_TLS_LEVEL_WARNING 1u
#define NP_TLS_LEVEL_FATAL 2u

static inline bool np_tls_has_flag(const struct np_tls *tls, uint32_t flag)
{
    return (tls->flags & flag) != 0;
}
static inline void np_tls_set_flag(struct np_tls *tls, uint32_t flag)
{
    tls->flags = (uint16_t)(tls->flags | flag);
}
static inline void np_tls_clear_flag(struct np_tls *tls, uint32_t flag)
{
    tls->flags = (uint16_t)(tls->flags & ~flag);
}

/* The first reason sticks; its alert becomes due. */
void np_tls_fail(struct np_tls *tls, enum np_tls_reason reason);
/* Takes over the keys of the handshake's epoch, for what comes in or goes out. */
void np_tls_install_rx(struct np_tls *tls);
void np_tls_install_tx(struct np_tls *tls);
/* OPEN once both Finished are through and nothing is left for pending. */
void np_tls_open_if_done(struct np_tls *tls);

#endif
