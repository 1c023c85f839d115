/* SPDX-License-Identifier: BSD-3-Clause */
/* lwipopts: lwIP's options; found by lwIP's headers under this name. Sizes come from the profile
 * (np_lwip_sizes.h). */
#ifndef NP_PLATFORM_LWIP_LWIPOPTS_H
#define NP_PLATFORM_LWIP_LWIPOPTS_H

#include "platform/lwip/np_lwip_sizes.h"

/* ---- shape ----------------------------------------------------------------------------------- */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* the stack is entered from the loop only */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS 0 /* timers.c calls what is due */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_TCP 1
#define LWIP_UDP 1
#define LWIP_RAW 1 /* ICMP errors, for refused datagrams and connects */
#define LWIP_DHCP 1
#define LWIP_ACD 0
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_DHCP_BOOTP_FILE 0
#define LWIP_DNS 1
#define LWIP_IPV6_DHCP6 0
#define LWIP_IGMP 0
#define LWIP_NETIF_LINK_CALLBACK 0
#define LWIP_NETIF_HOSTNAME 1
#define IP_FORWARD 0
#define LWIP_NETIF_LOOPBACK NP_LWIP_LOOPBACK
#define LWIP_HAVE_LOOPIF NP_LWIP_LOOPBACK
#define LWIP_SINGLE_NETIF 0
#define LWIP_HOOK_FILENAME "platform/lwip/lwip_hooks.h"

/* ---- memory ---------------------------------------------------------------------------------- */
#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_ALIGNMENT (UINTPTR_MAX > UINT32_MAX ? 8 : 4)
#define MEM_SIZE NP_LWIP_HEAP_BYTES
#define MEMP_OVERFLOW_CHECK 0
#define PBUF_POOL_SIZE NP_LWIP_RX_BUFFERS
#define PBUF_POOL_BUFSIZE 1520 /* one frame of NP_BOARD_FRAME_MAX, aligned */
#define MEMP_NUM_TCP_PCB (NP_LWIP_TCP + NP_LWIP_TCP_EXTRA)
#define MEMP_NUM_TCP_PCB_LISTEN NP_LWIP_LISTENERS
#define MEMP_NUM_TCP_SEG (NP_LWIP_IS_BIG ? 16384 : NP_LWIP_TCP * 3 + 8)
#define MEMP_NUM_UDP_PCB (NP_LWIP_UDP + 2) /* and DHCP, DNS */
#define MEMP_NUM_RAW_PCB 2
#define MEMP_NUM_PBUF (NP_LWIP_IS_BIG ? 512 : 8)
#define MEMP_NUM_REASSDATA (NP_LWIP_IS_BIG ? 16 : 1)
#define MEMP_NUM_FRAG_PBUF (NP_LWIP_IS_BIG ? 64 : 2)
#define MEMP_NUM_ARP_QUEUE (NP_LWIP_IS_BIG ? 30 : 4)
#define MEMP_NUM_ND6_QUEUE (NP_LWIP_IS_BIG ? 20 : 4)
#define MEMP_NUM_MLD6_GROUP 6
#define IP_REASS_MAX_PBUFS (NP_LWIP_IS_BIG ? 128 : 2)

/* ---- IP -------------------------------------------------------------------------------------- */
#define ARP_QUEUEING 1 /* else the first SYN to a cold entry is lost */
#define ARP_TABLE_SIZE (NP_LWIP_IS_BIG ? 32 : 4)
#define ETH_PAD_SIZE 0
#define IP_REASSEMBLY NP_LWIP_IS_BIG
#define IP_FRAG NP_LWIP_IS_BIG
#define LWIP_IPV6_REASS NP_LWIP_IS_BIG
#define LWIP_IPV6_FRAG NP_LWIP_IS_BIG
#define IPV6_FRAG_COPYHEADER 1 /* 64-bit hosts need it */
#define LWIP_IPV6_NUM_ADDRESSES 3
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_MLD 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_ND6_NUM_NEIGHBORS (NP_LWIP_IS_BIG ? 16 : 4)
#define LWIP_ND6_NUM_DESTINATIONS (NP_LWIP_IS_BIG ? 16 : 4)
#define LWIP_ND6_NUM_PREFIXES 2
#define LWIP_ND6_NUM_ROUTERS 2
#define LWIP_ND6_QUEUEING 1

/* ---- TCP ------------------------------------------------------------------------------------- */
#define TCP_MSS NP_LWIP_MSS
#define TCP_WND NP_LWIP_WND
#define TCP_SND_BUF NP_LWIP_SND_BUF
#define TCP_SND_QUEUELEN NP_LWIP_SND_QUEUE
#define TCP_SNDLOWAT (TCP_SND_BUF / 4)
#define TCP_SNDQUEUELOWAT (TCP_SND_QUEUELEN / 2)
#define TCP_OVERSIZE 0 /* a segment of one byte takes no room for a whole one */
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS (NP_LWIP_IS_BIG ? 32 : 1)
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG NP_LWIP_BACKLOG
#define LWIP_TCP_KEEPALIVE 1
#define SO_REUSE 1
#define LWIP_TCP_SACK_OUT NP_LWIP_IS_BIG
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298 section 2 */

/* ---- names ----------------------------------------------------------------------------------- */
#define DNS_MAX_NAME_LENGTH (NP_MAX_HOST + 1)
#define DNS_TABLE_SIZE (NP_LWIP_IS_BIG ? 32 : 4)
#define DNS_MAX_SERVERS 2
#define LWIP_DHCP_PROVIDE_DNS_SERVERS 1
#define LWIP_DHCP_MAX_DNS_SERVERS 2
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 1

/* ---- checks and counters --------------------------------------------------------------------- */
#if !NP_LWIP_ASSERT
#define LWIP_NOASSERT 1
#endif
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1 /* counters of 32 bits */
#define LWIP_STATS_DISPLAY 0
#define LWIP_CHECKSUM_ON_COPY 1

#endif
