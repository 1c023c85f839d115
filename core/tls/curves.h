/* SPDX-License-Identifier: BSD-3-Clause */
/* curves: the curves of certificates and their signatures, as one of BearSSL's tables. As
 * br_ec_all_m31, but without Curve25519, which signs nothing and has its own code where words are
 * wide (fast_x25519). */
#ifndef NP_CORE_TLS_CURVES_H
#define NP_CORE_TLS_CURVES_H

#include "core/tls/br.h"

extern const br_ec_impl np_tls_curves;

#endif
