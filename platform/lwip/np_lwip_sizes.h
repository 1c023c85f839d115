/* SPDX-License-Identifier: BSD-3-Clause */
/* np_lwip_sizes: how much of everything platform/lwip and lwIP have, from the profile. A profile or
 * -D overrides any of them; stats.c checks that the sum stays in NP_LWIP_RAM_MAX. */
#ifndef NP_PLATFORM_LWIP_NP_LWIP_SIZES_H
#define NP_PLATFORM_LWIP_NP_LWIP_SIZES_H

#include <stdint.h>

#include "config/np_config.h"

/* A host program: no profile of a microcontroller. */
#define NP_LWIP_IS_BIG (NP_MAX_SESSIONS > 64)

/* TCP connections that hold a ring: both legs of the sessions, idle pool connections, control. In
 * the smallest class single-end mode and a tunnel share the places. */
#ifndef NP_LWIP_TCP
#if NP_LWIP_IS_BIG
#define NP_LWIP_TCP 320
#elif NP_MAX_CONNS <= 4
#define NP_LWIP_TCP (2 * NP_MAX_SESSIONS)
#else
#define NP_LWIP_TCP (2 * NP_MAX_SESSIONS + NP_MAX_CONNS + 2 + NP_MAX_HTTP_CONNS)
#endif
#endif
/* Connections of lwIP beyond those: closing in the background, TIME_WAIT, handshakes. */
#ifndef NP_LWIP_TCP_EXTRA
#define NP_LWIP_TCP_EXTRA (NP_LWIP_IS_BIG ? 256 : 4)
#endif
#ifndef NP_LWIP_LISTENERS
#define NP_LWIP_LISTENERS (NP_LWIP_IS_BIG ? 32 : NP_MAX_INSTANCES + 1)
#endif
/* Connections of one listener that wait to be accepted, handshakes under way included: a visitor
 * beyond them tries again after a second or more. */
#ifndef NP_LWIP_BACKLOG
#define NP_LWIP_BACKLOG (NP_LWIP_IS_BIG ? 64 : NP_MAX_SESSIONS <= 4 ? 2 : 8)
#endif
#ifndef NP_LWIP_UDP
#define NP_LWIP_UDP (NP_LWIP_IS_BIG ? 256 : NP_MAX_SESSIONS + 1)
#endif
#ifndef NP_LWIP_QUERIES
#define NP_LWIP_QUERIES (NP_LWIP_IS_BIG ? 32 : 2)
#endif

/* Received datagrams kept for all sockets together and for one of them; bytes of the longest. */
#ifndef NP_LWIP_DATAGRAMS
#define NP_LWIP_DATAGRAMS (NP_LWIP_IS_BIG ? 1024 : NP_MAX_SESSIONS <= 4 ? 2 : 4)
#endif
#ifndef NP_LWIP_UDP_QUEUE
#define NP_LWIP_UDP_QUEUE (NP_LWIP_IS_BIG ? 64 : NP_MAX_SESSIONS <= 4 ? 2 : 4)
#endif
#ifndef NP_LWIP_DATAGRAM_BYTES
#define NP_LWIP_DATAGRAM_BYTES (NP_LWIP_IS_BIG ? 9216 : 1472)
#endif

/* Segment, window (= ring of a connection) and send buffer, bytes. */
#ifndef NP_LWIP_MSS
#define NP_LWIP_MSS (NP_LWIP_IS_BIG ? 1460 : 536)
#endif
#ifndef NP_LWIP_WND
#define NP_LWIP_WND (NP_LWIP_IS_BIG ? 44 * NP_LWIP_MSS : 2 * NP_LWIP_MSS)
#endif
#ifndef NP_LWIP_SND_BUF
#define NP_LWIP_SND_BUF (NP_LWIP_IS_BIG ? 44 * NP_LWIP_MSS : 2 * NP_LWIP_MSS)
#endif
/* Pieces that may wait in one send buffer. */
#ifndef NP_LWIP_SND_QUEUE
#define NP_LWIP_SND_QUEUE (NP_LWIP_IS_BIG ? 180 : 8)
#endif
/* lwIP's heap: sent bytes until they are acknowledged, with 100 bytes of heads a piece. */
#ifndef NP_LWIP_HEAP_BYTES
#define NP_LWIP_HEAP_BYTES                                                                         \
    (NP_LWIP_IS_BIG ? 40 * 1024 * 1024                                                             \
                    : NP_LWIP_TCP * (NP_LWIP_SND_BUF + 100 * (NP_LWIP_SND_BUF / NP_LWIP_MSS)))
#endif
/* Receive buffers of one whole frame each. */
#ifndef NP_LWIP_RX_BUFFERS
#define NP_LWIP_RX_BUFFERS (NP_LWIP_IS_BIG ? 1024 : NP_MAX_SESSIONS <= 4 ? 5 : 8)
#endif
/* 1: 127.0.0.1 and ::1 work. */
#ifndef NP_LWIP_LOOPBACK
#define NP_LWIP_LOOPBACK NP_LWIP_IS_BIG
#endif
/* 1: lwIP checks its own rules and calls config.panic when one is broken. */
#ifndef NP_LWIP_ASSERT
#define NP_LWIP_ASSERT 1
#endif
/* Milliseconds that a visitor's handshake, a connect, and a connection closed in the background may
 * take. */
#ifndef NP_LWIP_SYN_MS
#define NP_LWIP_SYN_MS 5000
#endif
#ifndef NP_LWIP_CONNECT_MS
#define NP_LWIP_CONNECT_MS 15000
#endif
#ifndef NP_LWIP_ORPHAN_MS
#define NP_LWIP_ORPHAN_MS 30000
#endif
/* Static RAM of platform/lwip and lwIP together may be so much, bytes; a host's pointers are
 * larger than a board's. */
#ifndef NP_LWIP_RAM_MAX
#define NP_LWIP_RAM_MAX                                                                            \
    (NP_LWIP_IS_BIG                                                                                \
         ? 96 * 1024 * 1024                                                                        \
         : (NP_MAX_SESSIONS <= 4 ? 36 : 200) * (UINTPTR_MAX > UINT32_MAX ? 2048 : 1024))
#endif

#endif
