/* SPDX-License-Identifier: BSD-3-Clause */
/* sha512: SHA-384 and SHA-512 (FIPS 180-4), as two of BearSSL's hash classes over its contexts:
 * what its HMAC, signatures and path check take. */
#ifndef NP_CORE_TLS_SHA512_H
#define NP_CORE_TLS_SHA512_H

#include "core/tls/br.h"

/* Context: br_sha384_context, br_sha512_context. */
extern const br_hash_class np_sha384_class, np_sha512_class;

#endif
