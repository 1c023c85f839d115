/* SPDX-License-Identifier: BSD-3-Clause */
/* udpframe: datagrams in a byte stream as 2-byte big-endian length + bytes (protocol.md 9.1). */
#ifndef NP_CORE_WIRE_UDPFRAME_H
#define NP_CORE_WIRE_UDPFRAME_H

#include <stdint.h>

#define NP_UDPFRAME_HEADER 2u

static inline void np_udpframe_put(uint8_t header[NP_UDPFRAME_HEADER], uint32_t len)
{
    header[0] = (uint8_t)(len >> 8);
    header[1] = (uint8_t)len;
}

static inline uint32_t np_udpframe_len(const uint8_t header[NP_UDPFRAME_HEADER])
{
    return ((uint32_t)header[0] << 8) | header[1];
}

#endif
