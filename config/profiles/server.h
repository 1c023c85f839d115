/* SPDX-License-Identifier: BSD-3-Clause */
/* server: a machine that has memory to spare: as many sessions as one process may have. */
#ifndef NP_CONFIG_PROFILES_SERVER_H
#define NP_CONFIG_PROFILES_SERVER_H

#define NP_MAX_INSTANCES 256
#define NP_MAX_SESSIONS 65535
#define NP_MAX_CONNS 32768
#define NP_MAX_DIALS 256
#define NP_MAX_GREETS 512
#define NP_MAX_HANDSHAKES 512
#define NP_MAX_SILENT 1024
#define NP_MAX_RECORD_BUFFERS 8192
#define NP_MAX_LAUNCHES 1024
#define NP_CONTROL_OUT_BYTES 65536

#endif
