/* SPDX-License-Identifier: BSD-3-Clause */
/* selfsigned: writes the certificate of tls=1: X.509 v3, P-256, ecdsa-with-SHA256, issuer = subject
 * = O=<organization>, keyUsage digitalSignature and keyEncipherment (critical), extended key usage
 * serverAuth, valid for one year from `now_s`. */
#ifndef NP_CORE_TLS_SELFSIGNED_H
#define NP_CORE_TLS_SELFSIGNED_H

#include <stdint.h>

#include "core/base/err.h"
#include "core/tls/key.h"

#define NP_SELFSIGNED_CAP 512u         /* room that is always enough */
#define NP_SELFSIGNED_SERIAL_LEN 16u   /* random bytes of the serial number */
#define NP_SELFSIGNED_ORGANIZATION 64u /* longest organization, bytes (RFC 5280, ub-organization) */
#define NP_SELFSIGNED_VALID_S 31536000u /* 365 days */

/* Writes DER to the start of `der`. `key` is a P-256 key (np_tls_key_make); `organization` UTF-8
 * text; `now_s` seconds since 1970, 0 to year 9998; `serial` random bytes. Returns NP_OK and *len,
 * NP_ERR_INVALID (another key, text or time) or NP_ERR_TOO_LONG (cap). */
enum np_err np_selfsigned_make(const struct np_tls_key *key, const char *organization,
                               int64_t now_s, const uint8_t serial[NP_SELFSIGNED_SERIAL_LEN],
                               uint8_t *der, uint32_t cap, uint32_t *len);

#endif
