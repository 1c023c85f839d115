/* SPDX-License-Identifier: BSD-3-Clause */
/* digest: SHA-256 of bytes in memory. */
#ifndef NP_CORE_TLS_DIGEST_H
#define NP_CORE_TLS_DIGEST_H

#include <stdint.h>

#define NP_SHA256_LEN 32u

void np_sha256(const void *bytes, uint32_t len, uint8_t out[NP_SHA256_LEN]);

#endif
