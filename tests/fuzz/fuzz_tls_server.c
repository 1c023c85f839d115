/* SPDX-License-Identifier: BSD-3-Clause */
/* A TLS server against whatever a client, or somebody between, can send. */
#define FUZZ_ROLE NP_TLS_SERVER
#include "tests/fuzz/fuzz_tls_peer.h"
