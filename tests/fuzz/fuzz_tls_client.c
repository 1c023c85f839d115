/* SPDX-License-Identifier: BSD-3-Clause */
/* A TLS client against whatever a server, or somebody between, can send. */
#define FUZZ_ROLE NP_TLS_CLIENT
#include "tests/fuzz/fuzz_tls_peer.h"
