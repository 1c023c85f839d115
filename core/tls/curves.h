/* SPDX-License-Identifier: BSD-3-Clause */
/* curves: the curves of certificates and their signatures, as one of BearSSL's tables. As
 * br_ec_all_m31, but without Curve25519, which signs nothing and has its own code where words are
 * wide (fast_x25519). */
#ifndef NP_CORE_TLS_CURVES_H
#define NP_CORE_TLS_CURVES_H

#include "core/tls/br.h"

/* 1: P-256 by BearSSL's code for it alone, which is faster and has 5 KB; 0: by its code for any
 * prime, which is there for P-384. */
#ifndef NP_TLS_P256_ALONE
#define NP_TLS_P256_ALONE 1
#endif

#if NP_TLS_P256_ALONE
extern const br_ec_impl np_tls_curves;
#else
#define np_tls_curves br_ec_prime_i31
#endif

#endif
