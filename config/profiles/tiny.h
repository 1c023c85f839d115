/* SPDX-License-Identifier: BSD-3-Clause */
/* tiny: a microcontroller with 64 KB of RAM: one instance, plain relay, four sessions of a single
 * end, or two of a tunnel beside two idle connections. */
#ifndef NP_CONFIG_PROFILES_TINY_H
#define NP_CONFIG_PROFILES_TINY_H

#define NP_HAS_TLS 0
#define NP_MASTER 0
#define NP_MAX_HOST 63
#define NP_MAX_KEY 63
#define NP_MAX_PATH 31
#define NP_MAX_ALIAS 15
#define NP_MAX_URL 320
#define NP_MAX_INSTANCES 1
#define NP_MAX_SESSIONS 4
#define NP_MAX_CONNS 2
#define NP_MAX_DIALS 2
#define NP_MAX_GREETS 2
#define NP_MAX_HANDSHAKES 1
#define NP_MAX_SILENT 2
#define NP_MAX_ROOTS 1
#define NP_MAX_RECORD_BUFFERS 1
#define NP_RECORDS_A_BUFFER 1
#define NP_MAX_LAUNCHES 4
#define NP_MAX_ADDRS 2
#define NP_MAX_DATAGRAM 1472
#define NP_UDP_BATCH 1
#define NP_BUFFER_BYTES 1536
#define NP_SPARE_BUFFERS 1
#define NP_MAX_BUFFERS 1
#define NP_MAX_EVENTS 8
#define NP_CONTROL_OUT_BYTES 1024
#define NP_FLOW_TURN_BYTES (8 * 1024)
#define NP_MAX_HTTP_CONNS 1
#define NP_MAX_HTTP_STREAMS 0
#define NP_MAX_HTTP_BODIES 0
#define NP_MAX_HTTP_QUEUES 1
#define NP_HTTP_PIECE_MAX 2048
#define NP_HTTP_QUEUE_BYTES 4096

#endif
