/* SPDX-License-Identifier: BSD-3-Clause */
/* router: a home router with 64 to 256 MB of RAM: some tunnels, about a thousand sessions. */
#ifndef NP_CONFIG_PROFILES_ROUTER_H
#define NP_CONFIG_PROFILES_ROUTER_H

#define NP_MAX_INSTANCES 16
#define NP_MAX_SESSIONS 2048
#define NP_MAX_CONNS 1024
#define NP_MAX_DIALS 32
#define NP_MAX_GREETS 32
#define NP_MAX_HANDSHAKES 32
#define NP_MAX_SILENT 64
#define NP_MAX_RECORD_BUFFERS 128
#define NP_RECORDS_A_BUFFER 2
#define NP_MAX_DATAGRAM 16384
#define NP_FLOW_TURN_BYTES (128 * 1024)
#define NP_MAX_HTTP_STREAMS 32
#define NP_MAX_HTTP_QUEUES 8

#endif
