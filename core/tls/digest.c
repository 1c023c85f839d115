/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/digest.h"

#include "core/tls/br.h"

void np_sha256(const void *bytes, uint32_t len, uint8_t out[NP_SHA256_LEN])
{
    br_sha256_context context;

    br_sha256_init(&context);
    br_sha256_update(&context, bytes, len);
    br_sha256_out(&context, out);
}
