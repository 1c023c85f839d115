/* SPDX-License-Identifier: BSD-3-Clause */
/* np_config: every compile-time size and switch with its default. A profile
 * (config/profiles/<name>.h, chosen with PROFILE=<name>) or -D overrides any of them; np_check.h
 * refuses contradictions. */
#ifndef NP_CONFIG_NP_CONFIG_H
#define NP_CONFIG_NP_CONFIG_H

#ifdef NP_PROFILE_HEADER
#include NP_PROFILE_HEADER
#endif

/* The master: instances that come and go, API, panel, state file. 0 leaves it all out: master:// is
 * an error then. */
#ifndef NP_MASTER
#define NP_MASTER 1
#endif
/* nodepass ctl, the command line of a running master. */
#ifndef NP_HAS_CTL
#define NP_HAS_CTL NP_MASTER
#endif
/* Longest host name in a URL, bytes (RFC 1035 section 2.3.4: 253). */
#ifndef NP_MAX_HOST
#define NP_MAX_HOST 253
#endif
/* Longest key, bytes after percent-decoding. */
#ifndef NP_MAX_KEY
#define NP_MAX_KEY 255
#endif
/* Longest path of a certificate, key or bundle file, bytes. */
#ifndef NP_MAX_PATH
#define NP_MAX_PATH 255
#endif
/* Longest alias of an instance, bytes. */
#ifndef NP_MAX_ALIAS
#define NP_MAX_ALIAS 63
#endif
/* Longest URL, bytes. */
#ifndef NP_MAX_URL
#define NP_MAX_URL 2048
#endif
/* Instances in one process. */
#ifndef NP_MAX_INSTANCES
#define NP_MAX_INSTANCES 64
#endif
/* Sessions of all instances together; slot=0 means this. */
#ifndef NP_MAX_SESSIONS
#define NP_MAX_SESSIONS 16384
#endif
/* Pool connections of one instance, whatever max= says. */
#ifndef NP_MAX_CONNS
#define NP_MAX_CONNS 8192
#endif
/* Below so many MB of memory the defaults of slot, max and min shrink with it, not below these. */
#ifndef NP_SMALL_RAM_MB
#define NP_SMALL_RAM_MB 128u
#endif
#ifndef NP_SMALL_RAM_SLOT
#define NP_SMALL_RAM_SLOT 32u
#endif
#ifndef NP_SMALL_RAM_MIN
#define NP_SMALL_RAM_MIN 4u
#endif
/* Largest mem=, MB. */
#ifndef NP_MAX_MEM_MB
#define NP_MAX_MEM_MB 1048576
#endif
/* Pool connections being dialled at a time by one client. */
#ifndef NP_MAX_DIALS
#define NP_MAX_DIALS 64
#endif
/* Connections of one server that have not yet proved the key. */
#ifndef NP_MAX_GREETS
#define NP_MAX_GREETS 64
#endif
/* 0: this build carries no TLS. tls= is refused, and so is a server that asks for it. */
#ifndef NP_HAS_TLS
#define NP_HAS_TLS 1
#endif
/* TLS handshakes in flight at one server; of a process eight times that. */
#ifndef NP_MAX_HANDSHAKES
#define NP_MAX_HANDSHAKES 128
#endif
/* Connections of one server that have not finished their TLS handshake. */
#ifndef NP_MAX_SILENT
#define NP_MAX_SILENT 256
#endif
/* Buffers for TLS records, and records that fit in one. */
#ifndef NP_MAX_RECORD_BUFFERS
#define NP_MAX_RECORD_BUFFERS 1024
#endif
#ifndef NP_RECORDS_A_BUFFER
#define NP_RECORDS_A_BUFFER 4
#endif
/* Largest TLS record we ask a peer to send, bytes (RFC 8449: its content and one more), 64 to
 * 16385; 0 = as long as it likes. Peers that do not know the extension send up to 16384 all the
 * same, so that a buffer holds a whole one. */
#ifndef NP_RECORD_LIMIT
#define NP_RECORD_LIMIT 0
#endif
/* Certificates that a server shows, DER bytes of all of them; three of RSA 4096 have about 6 KB. */
#ifndef NP_CHAIN_BYTES
#define NP_CHAIN_BYTES 12288
#endif
/* Certificates of a CA bundle. */
#ifndef NP_MAX_ROOTS
#define NP_MAX_ROOTS 512
#endif
/* Where a system keeps its bundle of CA certificates, tried in this order. */
#ifndef NP_CA_BUNDLES
#define NP_CA_BUNDLES                                                                              \
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"
#endif
/* When TLS buffers are short: a session that has held one without progress for this long is closed,
 * and a connection that carries none. */
#ifndef NP_STALL_MS
#define NP_STALL_MS 10000
#endif
#ifndef NP_STALL_SHORT_MS
#define NP_STALL_SHORT_MS 1000
#endif
#ifndef NP_STALL_LOOK_MS
#define NP_STALL_LOOK_MS 500
#endif
/* A tunnel that stood this long has worked: the next restart begins with the shortest wait. */
#ifndef NP_STABLE_MS
#define NP_STABLE_MS 10000
#endif
/* Launches of one instance that wait for the id of their connection. */
#ifndef NP_MAX_LAUNCHES
#define NP_MAX_LAUNCHES 256
#endif
/* Addresses kept of one name. */
#ifndef NP_MAX_ADDRS
#define NP_MAX_ADDRS 8
#endif
/* Bytes of signals waiting for room on a control connection. */
#ifndef NP_CONTROL_OUT_BYTES
#define NP_CONTROL_OUT_BYTES 16384
#endif
/* HTTP connections of a master that are no event streams; event streams (master-api.md 1, 5). */
#ifndef NP_MAX_HTTP_CONNS
#define NP_MAX_HTTP_CONNS 32
#endif
#ifndef NP_MAX_HTTP_STREAMS
#define NP_MAX_HTTP_STREAMS 224
#endif
/* Request bodies that are too long to lie behind their head, at a time. */
#ifndef NP_MAX_HTTP_BODIES
#define NP_MAX_HTTP_BODIES 4
#endif
/* Largest piece of an answer, and what waits for one slow event stream, bytes. */
#ifndef NP_HTTP_PIECE_MAX
#define NP_HTTP_PIECE_MAX 32000
#endif
#ifndef NP_HTTP_QUEUE_BYTES
#define NP_HTTP_QUEUE_BYTES 65536
#endif
/* Event streams that are slow at a time; one more is closed. */
#ifndef NP_MAX_HTTP_QUEUES
#define NP_MAX_HTTP_QUEUES 32
#endif
/* Datagrams taken from a socket at a time, 1 to NP_PLAT_UDP_BATCH: the loop has room for that. */
#ifndef NP_UDP_BATCH
#define NP_UDP_BATCH 32
#endif
/* Buffers for datagrams that could not be passed on: bytes of one, how many whatever the number of
 * sessions, and how many at most. */
#ifndef NP_BUFFER_BYTES
#define NP_BUFFER_BYTES 16384
#endif
#ifndef NP_SPARE_BUFFERS
#define NP_SPARE_BUFFERS 16
#endif
#ifndef NP_MAX_BUFFERS
#define NP_MAX_BUFFERS 512
#endif
/* Events taken from the platform in one turn. */
#ifndef NP_MAX_EVENTS
#define NP_MAX_EVENTS 256
#endif
/* Largest UDP payload that can be configured (NP_UDP_DATA_BUF_SIZE), bytes. */
#ifndef NP_MAX_DATAGRAM
#define NP_MAX_DATAGRAM 65507
#endif

/* A launch waits this long for the id of its connection (protocol.md 6). */
#ifndef NP_LAUNCH_WAIT_MS
#define NP_LAUNCH_WAIT_MS 2000
#endif
/* The client's limit for the 8 bytes of a connection's id (protocol.md 6). */
#ifndef NP_ID_TIMEOUT_MS
#define NP_ID_TIMEOUT_MS 20000
#endif
/* Between two connects to different addresses of one name (design.md 3). */
#ifndef NP_CONNECT_STAGGER_MS
#define NP_CONNECT_STAGGER_MS 250
#endif
/* Dial back-off of the pool: first and longest wait (protocol.md 6). */
#ifndef NP_DIAL_BACKOFF_MS
#define NP_DIAL_BACKOFF_MS 100
#endif
#ifndef NP_DIAL_BACKOFF_MAX_MS
#define NP_DIAL_BACKOFF_MAX_MS 30000
#endif
/* Longest wait before a restart (config.md 3, NP_SERVICE_COOLDOWN). */
#ifndef NP_COOLDOWN_MAX_MS
#define NP_COOLDOWN_MAX_MS 30000
#endif
/* Where the peer launches, surplus idle connections are closed only this long after a launch. */
#ifndef NP_SHRINK_QUIET_MS
#define NP_SHRINK_QUIET_MS 10000
#endif
/* ... and not below so many. */
#ifndef NP_SHRINK_KEEP
#define NP_SHRINK_KEEP 8
#endif
/* A cause that goes on keeping a tunnel down is said again after this, with a count. */
#ifndef NP_SAY_AGAIN_MS
#define NP_SAY_AGAIN_MS 600000
#endif
/* At most one flush signal in this time (protocol.md 6). */
#ifndef NP_FLUSH_GAP_MS
#define NP_FLUSH_GAP_MS 30000
#endif
/* A session whose far end is a Go peer (which does not pass on end of stream) is closed when one
 * direction has ended and nothing has moved in the other for this long (protocol.md 7). */
#ifndef NP_HALF_CLOSED_IDLE_MS
#define NP_HALF_CLOSED_IDLE_MS 30000
#endif
/* Bytes one direction of a session may move in one turn. */
#ifndef NP_FLOW_TURN_BYTES
#define NP_FLOW_TURN_BYTES (512 * 1024)
#endif
/* A direction that moved this much without a pause uses the platform's splice. */
#ifndef NP_FLOW_BULK_BYTES
#define NP_FLOW_BULK_BYTES (64 * 1024)
#endif

#include "config/np_check.h" /* IWYU pragma: keep */

#endif
