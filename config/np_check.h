/* SPDX-License-Identifier: BSD-3-Clause */
/* np_check: refuses contradictions between the sizes of np_config.h at compile time. */
#ifndef NP_CONFIG_NP_CHECK_H
#define NP_CONFIG_NP_CHECK_H

#if NP_MASTER != 0 && NP_MASTER != 1
#error "NP_MASTER: want 0 or 1"
#endif
#if NP_HAS_CTL != 0 && NP_HAS_CTL != 1
#error "NP_HAS_CTL: want 0 or 1"
#endif
#if NP_HAS_TLS != 0 && NP_HAS_TLS != 1
#error "NP_HAS_TLS: want 0 or 1"
#endif
#if NP_MAX_SESSIONS < 1 || NP_MAX_SESSIONS > 65535
#error "NP_MAX_SESSIONS: want 1 to 65535"
#endif
#if NP_MAX_CONNS < 1 || NP_MAX_CONNS > 65535
#error "NP_MAX_CONNS: want 1 to 65535"
#endif
#if NP_MAX_KEY < 1 || NP_MAX_KEY > 255
#error "NP_MAX_KEY: want 1 to 255"
#endif
#if NP_MAX_DATAGRAM < 1 || NP_MAX_DATAGRAM > 65535
#error "NP_MAX_DATAGRAM: want 1 to 65535 (the frame length has two bytes)"
#endif
#if NP_UDP_BATCH < 1 || NP_UDP_BATCH > 32
#error "NP_UDP_BATCH: want 1 to 32 (NP_PLAT_UDP_BATCH)"
#endif
#if NP_BUFFER_BYTES < 1024 || NP_SPARE_BUFFERS < 1 || NP_SPARE_BUFFERS > NP_MAX_BUFFERS
#error "NP_BUFFER_BYTES: want 1024 or more; NP_SPARE_BUFFERS: want 1 to NP_MAX_BUFFERS"
#endif
#if NP_MAX_EVENTS < 1
#error "NP_MAX_EVENTS: want 1 or more"
#endif
#if NP_RECORD_LIMIT != 0 && (NP_RECORD_LIMIT < 64 || NP_RECORD_LIMIT > 16385)
#error "NP_RECORD_LIMIT: want 0, or 64 to 16385"
#endif
#if NP_CHAIN_BYTES < 1024
#error "NP_CHAIN_BYTES: want 1024 or more"
#endif
#if NP_CONTROL_OUT_BYTES < 1024
#error "NP_CONTROL_OUT_BYTES: want 1024 or more"
#endif
#if NP_MAX_HTTP_CONNS < 1 || NP_MAX_HTTP_CONNS + NP_MAX_HTTP_STREAMS > 65535
#error "NP_MAX_HTTP_CONNS: want 1 or more, 65535 at most together with NP_MAX_HTTP_STREAMS"
#endif
#if NP_HTTP_PIECE_MAX < 2048 || NP_HTTP_QUEUE_BYTES < NP_HTTP_PIECE_MAX + 64
#error "NP_HTTP_PIECE_MAX: want 2048 or more, and less than NP_HTTP_QUEUE_BYTES by 64"
#endif
#if NP_MAX_ADDRS < 1 || NP_MAX_ADDRS > 32
#error "NP_MAX_ADDRS: want 1 to 32"
#endif

#endif
