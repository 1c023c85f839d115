/* SPDX-License-Identifier: BSD-3-Clause */
/* cc: what lwIP asks of a compiler and a system; found by lwIP's headers as "arch/cc.h". */
#ifndef NP_PLATFORM_LWIP_ARCH_CC_H
#define NP_PLATFORM_LWIP_ARCH_CC_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Four random bytes, good enough for ports and sequence numbers. */
uint32_t np_lwip_random(void);
/* A rule of lwIP is broken; does not return. */
void np_lwip_panic(const char *text);

/* Names that lwIP asks for, as ours. */
#define sys_now np_lwip_sys_now
#define tcp_timer_needed np_lwip_timer_needed

#define LWIP_RAND() np_lwip_random()
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) np_lwip_panic(x)
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BYTE_ORDER BIG_ENDIAN
#endif

#endif
