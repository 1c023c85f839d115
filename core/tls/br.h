/* SPDX-License-Identifier: BSD-3-Clause */
/* br: the only include of BearSSL; core/tls/ alone uses it, and of it only primitives (hashes,
 * HMAC, AEAD, curves, RSA, X.509), never its SSL engine. */
#ifndef NP_CORE_TLS_BR_H
#define NP_CORE_TLS_BR_H

#include <bearssl.h> /* IWYU pragma: export */

#endif
