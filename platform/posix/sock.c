/* SPDX-License-Identifier: BSD-3-Clause */
/* sock: addresses and socket options. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

uint32_t np_posix_sockaddr_of(const struct np_addr *addr, struct sockaddr_storage *out)
{
    struct sockaddr_in6 at;
    socklen_t len = np_posix_sockaddr(addr, addr->family == NP_FAMILY_IP6, &at);
    memset(out, 0, sizeof(*out));
    memcpy(out, &at, len);
    return len;
}

socklen_t np_posix_sockaddr(const struct np_addr *addr, bool is_v6, struct sockaddr_in6 *out)
{
    memset(out, 0, sizeof(*out));
    if (is_v6) {
        out->sin6_family = AF_INET6;
        out->sin6_port = htons(addr->port);
        if (addr->family == NP_FAMILY_IP4) {
            memcpy(&out->sin6_addr, mapped_prefix, 12);
            memcpy((uint8_t *)&out->sin6_addr + 12, addr->ip, 4);
        } else if (addr->family == NP_FAMILY_IP6) {
            memcpy(&out->sin6_addr, addr->ip, 16);
            out->sin6_scope_id = addr->scope;
        }
        return sizeof(struct sockaddr_in6);
    }
    if (addr->family == NP_FAMILY_IP6) {
        return 0;
    }
    struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)out;
    in4->sin_family = AF_INET;
    in4->sin_port = htons(addr->port);
    if (addr->family == NP_FAMILY_IP4) {
        memcpy(&in4->sin_addr, addr->ip, 4);
    }
    return sizeof(struct sockaddr_in);
}

void np_posix_addr(const struct sockaddr_in6 *in, struct np_addr *addr)
{
    memset(addr, 0, sizeof(*addr));
    if (in->sin6_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)in;
        addr->family = NP_FAMILY_IP4;
        addr->port = ntohs(in4->sin_port);
        memcpy(addr->ip, &in4->sin_addr, 4);
    } else if (in->sin6_family == AF_INET6 && memcmp(&in->sin6_addr, mapped_prefix, 12) == 0) {
        addr->family = NP_FAMILY_IP4;
        addr->port = ntohs(in->sin6_port);
        memcpy(addr->ip, (const uint8_t *)&in->sin6_addr + 12, 4);
    } else if (in->sin6_family == AF_INET6) {
        addr->family = NP_FAMILY_IP6;
        addr->port = ntohs(in->sin6_port);
        addr->scope = in->sin6_scope_id;
        memcpy(addr->ip, &in->sin6_addr, 16);
    }
}

void np_posix_set_option(int32_t fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* ---- sockets --------------------------------------------------------------------------------- */

static bool is_any_ip6(const struct np_addr *addr)
{
    static const uint8_t zero[16] = {0};
    return memcmp(addr->ip, zero, 16) == 0;
}

static enum np_err open_bound(int type, bool is_v6, const struct np_addr *local, bool is_client,
                              int32_t *fd)
{
    struct sockaddr_in6 at;
    int s = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) {
        return np_posix_err(errno);
    }
    *fd = s;
    if (local == NULL) {
        return NP_OK;
    }
    if (is_v6) {
        bool is_dual = local->family != NP_FAMILY_IP6 || is_any_ip6(local);
        np_posix_set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, is_dual ? 0 : 1);
    }
    if (type == SOCK_STREAM && is_client) {
        /* The port is chosen by connect, for the pair: not one of 28,000 for this address alone. */
        np_posix_set_option(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    } else if (type == SOCK_STREAM) {
        np_posix_set_option(s, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    socklen_t len = np_posix_sockaddr(local, is_v6, &at);
    if (len != 0 && bind(s, (struct sockaddr *)(void *)&at, len) == 0) {
        return NP_OK;
    }
    enum np_err err = len == 0 ? NP_ERR_INVALID : np_posix_err(errno);
    close(s);
    return err;
}

enum np_err np_posix_socket(int type, const struct np_addr *local, const struct np_addr *remote,
                            int32_t *fd, bool *is_v6)
{
    uint8_t family = local == NULL ? NP_FAMILY_NONE : local->family;
    if (family == NP_FAMILY_NONE && remote != NULL) {
        family = remote->family;
    }
    if (family != NP_FAMILY_NONE) {
        *is_v6 = family == NP_FAMILY_IP6;
        return open_bound(type, *is_v6, local, remote != NULL, fd);
    }
    *is_v6 = true;
    enum np_err err = open_bound(type, true, local, remote != NULL, fd);
    if (err == NP_ERR_UNREACHABLE || err == NP_ERR_ADDR_NOT_LOCAL) {
        *is_v6 = false; /* no IPv6 on this system */
        err = open_bound(type, false, local, remote != NULL, fd);
    }
    return err;
}

/* ---- addresses of handles -------------------------------------------------------------------- */

static enum np_err name_of(const struct np_plat *plat, uint32_t handle, bool is_peer,
                           struct np_addr *addr)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_FREE);
    struct sockaddr_in6 at;
    socklen_t len = sizeof(at);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    if (h->kind == NP_POSIX_QUERY || h->fd < 0) {
        return NP_ERR_INVALID;
    }
    memset(&at, 0, sizeof(at));
    struct sockaddr *sa = (struct sockaddr *)(void *)&at;
    if ((is_peer ? getpeername(h->fd, sa, &len) : getsockname(h->fd, sa, &len)) != 0) {
        return NP_ERR_INVALID;
    }
    np_posix_addr(&at, addr);
    return NP_OK;
}

enum np_err np_plat_local(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    return name_of(plat, handle, false, addr);
}

enum np_err np_plat_peer(struct np_plat *plat, uint32_t handle, struct np_addr *addr)
{
    return name_of(plat, handle, true, addr);
}
