/* SPDX-License-Identifier: BSD-3-Clause */
/* large: a microcontroller with 1 MB of RAM: a master with four instances and its API, no event
 * streams. */
#ifndef NP_CONFIG_PROFILES_LARGE_H
#define NP_CONFIG_PROFILES_LARGE_H

#define NP_MAX_HOST 253
#define NP_MAX_KEY 63
#define NP_MAX_PATH 127
#define NP_MAX_ALIAS 63
#define NP_MAX_URL 1024
#define NP_MAX_INSTANCES 4
#define NP_MAX_SESSIONS 16
#define NP_MAX_CONNS 16
#define NP_MAX_DIALS 4
#define NP_MAX_GREETS 4
#define NP_MAX_HANDSHAKES 2
#define NP_MAX_SILENT 4
#define NP_MAX_ROOTS 1
#define NP_MAX_RECORD_BUFFERS 6
#define NP_RECORDS_A_BUFFER 1
#define NP_RECORD_LIMIT 2048
#define NP_CHAIN_BYTES 4096
#define NP_MAX_LAUNCHES 8
#define NP_MAX_ADDRS 2
#define NP_MAX_DATAGRAM 1472
#define NP_UDP_BATCH 4
#define NP_BUFFER_BYTES 4096
#define NP_SPARE_BUFFERS 2
#define NP_MAX_BUFFERS 4
#define NP_MAX_EVENTS 16
#define NP_CONTROL_OUT_BYTES 2048
#define NP_FLOW_TURN_BYTES (16 * 1024)
#define NP_MAX_HTTP_CONNS 4
#define NP_MAX_HTTP_STREAMS 0
#define NP_MAX_HTTP_BODIES 1
#define NP_MAX_HTTP_QUEUES 1
#define NP_HTTP_PIECE_MAX 4096
#define NP_HTTP_QUEUE_BYTES 8192

#endif
