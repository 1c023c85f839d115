/* SPDX-License-Identifier: BSD-3-Clause */
/* tags: what a platform handle belongs to, in the 32 bits that come back with its events.
 * kind (4 bits) | sub (8 bits) | index of the owner in its pool (20 bits) */
#ifndef NP_CORE_TUNNEL_TAGS_H
#define NP_CORE_TUNNEL_TAGS_H

#include <stdint.h>

enum np_tag_kind {
    NP_TAG_NONE,
    NP_TAG_TUNNEL_DOOR, /* instance: listener on the tunnel address (server) */
    NP_TAG_TCP_DOOR,    /* instance: listener for TCP visitors */
    NP_TAG_UDP_DOOR,    /* instance: socket for UDP visitors */
    NP_TAG_CONTROL,     /* instance: control connection */
    NP_TAG_NAME,        /* instance: name query; sub = which endpoint */
    NP_TAG_GREET,       /* greet: connection that has not proved the key */
    NP_TAG_CONN,        /* conn: pool connection, dialling or idle */
    NP_TAG_DIAL,        /* dial; sub = attempt */
    NP_TAG_SESSION,     /* session; sub = leg */
    NP_TAG_HTTP         /* master: its door (sub 0) or a connection of it (sub 1) */
};

static inline uint32_t np_tag(enum np_tag_kind kind, uint32_t sub, uint32_t index)
{
    return ((uint32_t)kind << 28) | (sub << 20) | index;
}
static inline enum np_tag_kind np_tag_kind(uint32_t tag)
{
    return (enum np_tag_kind)(tag >> 28);
}
static inline uint32_t np_tag_sub(uint32_t tag)
{
    return (tag >> 20) & 0xffu;
}
static inline uint32_t np_tag_index(uint32_t tag)
{
    return tag & 0xfffffu;
}

#endif
