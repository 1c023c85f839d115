/* SPDX-License-Identifier: BSD-3-Clause */
/* udp: datagrams in batches. A wildcard socket learns which address each one was sent to, so
 * that its answer can leave from there: left to the route, a host with several would answer from
 * another. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Bursts that arrive while the loop is busy wait here; root may go beyond the system's ceiling. */
#define SOCKET_BUFFER_BYTES (4 * 1024 * 1024)
/* Errors of single datagrams skipped in one receiving call. */
#define ERROR_TRIES 8

struct np_posix_udp {
    struct mmsghdr messages[NP_PLAT_UDP_BATCH];
    struct iovec parts[NP_PLAT_UDP_BATCH];
    struct sockaddr_in6 names[NP_PLAT_UDP_BATCH];
    union np_posix_control {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } controls[NP_PLAT_UDP_BATCH];
};

uint64_t np_posix_udp_bytes(void)
{
    return sizeof(struct np_posix_udp);
}

void np_posix_udp_init(struct np_plat *plat, void *mem)
{
    plat->udp = mem;
}

/* ---- open ------------------------------------------------------------------------------------ */

static void enlarge(int32_t fd, int name, int name_force)
{
    int bytes = SOCKET_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, name_force, &bytes, sizeof(bytes)) != 0) {
        np_posix_set_option(fd, SOL_SOCKET, name, bytes);
    }
}

static enum np_err connect_to(int32_t fd, bool is_v6, const struct np_addr *remote)
{
    struct sockaddr_in6 to;
    socklen_t len = np_posix_sockaddr(remote, is_v6, &to);
    if (len == 0) {
        return NP_ERR_UNREACHABLE;
    }
    return connect(fd, (struct sockaddr *)(void *)&to, len) == 0 ? NP_OK : np_posix_err(errno);
}

enum np_err np_plat_udp_open(struct np_plat *plat, const struct np_addr *local,
                             const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    static const struct np_addr any = {.family = NP_FAMILY_NONE};
    int32_t fd;
    bool is_v6;
    if (plat->handles_used == plat->handles_cap) {
        return NP_ERR_NO_HANDLES;
    }
    if (local == NULL && remote == NULL) {
        local = &any;
    } else if (local != NULL && remote != NULL && local->family == NP_FAMILY_NONE &&
               local->port == 0) {
        local = NULL;
    }
    enum np_err err = np_posix_socket(SOCK_DGRAM, local, remote, &fd, &is_v6);
    if (err != NP_OK) {
        return err;
    }
    if (remote != NULL) {
        err = connect_to(fd, is_v6, remote);
        if (err != NP_OK) {
            close(fd);
            return err;
        }
    }
    if (local != NULL && remote == NULL) {
        np_posix_set_option(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                            is_v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    }
    if (local != NULL) {
        enlarge(fd, SO_RCVBUF, SO_RCVBUFFORCE);
        enlarge(fd, SO_SNDBUF, SO_SNDBUFFORCE);
    }
    struct np_posix_handle *h = np_posix_acquire(plat, NP_POSIX_UDP, fd, tag);
    h->bits |= (uint8_t)((is_v6 ? NP_POSIX_IS_V6 : 0) | (remote != NULL ? NP_POSIX_CONNECTED : 0));
    *handle = np_posix_name(plat, h);
    return NP_OK;
}

/* ---- receive --------------------------------------------------------------------------------- */

static void lay_out(struct np_posix_udp *udp, uint32_t i, uint8_t *base, uint32_t len)
{
    udp->parts[i] = (struct iovec){.iov_base = base, .iov_len = len};
    udp->messages[i].msg_hdr = (struct msghdr){.msg_name = &udp->names[i],
                                               .msg_namelen = sizeof(udp->names[i]),
                                               .msg_iov = &udp->parts[i],
                                               .msg_iovlen = 1};
}

/* Which of our addresses a datagram was sent to: the only thing asked to come with it. */
static void take_local(struct msghdr *message, struct np_datagram *datagram)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(message);
    struct in6_pktinfo info6;
    struct in_pktinfo info4;

    datagram->has_local = c != NULL;
    if (c != NULL && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        memcpy(&info4, CMSG_DATA(c), sizeof info4);
        memcpy(datagram->local_ip, &info4.ipi_spec_dst, 4);
    } else if (c != NULL && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        bool is_v4 = datagram->addr.family == NP_FAMILY_IP4; /* mapped */
        memcpy(&info6, CMSG_DATA(c), sizeof info6);
        memcpy(datagram->local_ip, info6.ipi6_addr.s6_addr + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
    } else {
        datagram->has_local = false;
    }
}

/* Asks for `datagram` to leave from its local_ip. */
static void give_local(struct msghdr *message, union np_posix_control *control, bool is_v6,
                       const struct np_datagram *datagram)
{
    struct in_pktinfo info4 = {0};
    struct in6_pktinfo info6 = {.ipi6_ifindex = datagram->addr.scope};
    size_t size = is_v6 ? sizeof info6 : sizeof info4;

    message->msg_control = control;
    message->msg_controllen = (uint32_t)CMSG_SPACE(size);
    memset(control, 0, sizeof *control);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    c->cmsg_type = is_v6 ? IPV6_PKTINFO : IP_PKTINFO;
    c->cmsg_len = (uint32_t)CMSG_LEN(size);
    if (!is_v6) {
        memcpy(&info4.ipi_spec_dst, datagram->local_ip, 4);
        memcpy(CMSG_DATA(c), &info4, size);
        return;
    }
    if (datagram->addr.family == NP_FAMILY_IP4) {
        memset(info6.ipi6_addr.s6_addr + 10, 0xff, 2);
        memcpy(info6.ipi6_addr.s6_addr + 12, datagram->local_ip, 4);
    } else {
        memcpy(info6.ipi6_addr.s6_addr, datagram->local_ip, 16);
    }
    memcpy(CMSG_DATA(c), &info6, size);
}

static bool is_of_one_datagram(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EMSGSIZE:
    case EPROTO:
    case EOPNOTSUPP:
    case EPERM:
    case EACCES:
    case ECONNRESET:
        return true;
    default:
        return false;
    }
}

/* Returns how many, or an error number as a negative. */
/* musl's wrapper on 32-bit CPUs looks for time stamps to convert, which nobody asks for here. */
static int receive_many(int32_t fd, struct mmsghdr *messages, uint32_t count)
{
#if defined(NP_POSIX_LEAN) && defined(SYS_recvmmsg) && __SIZEOF_POINTER__ == 4
    return (int)syscall(SYS_recvmmsg, fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
#else
    return recvmmsg(fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
#endif
}

static int receive(struct np_posix_udp *udp, const struct np_posix_handle *h, uint32_t count)
{
    for (uint32_t i = 0; i < ERROR_TRIES; i++) {
        int n = receive_many(h->fd, udp->messages, count);
        if (n >= 0) {
            return n;
        }
        bool is_told = errno == ECONNREFUSED && (h->bits & NP_POSIX_CONNECTED) != 0;
        if (is_told || !is_of_one_datagram(errno)) {
            return -errno;
        }
    }
    return -EAGAIN;
}

int32_t np_plat_udp_recv(struct np_plat *plat, uint32_t handle, struct np_datagram *batch,
                         uint32_t count)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_UDP);
    struct np_posix_udp *udp = plat->udp;
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    count = count > NP_PLAT_UDP_BATCH ? NP_PLAT_UDP_BATCH : count;
    for (uint32_t i = 0; i < count; i++) {
        lay_out(udp, i, batch[i].base, batch[i].cap);
        udp->messages[i].msg_hdr.msg_control = &udp->controls[i];
        udp->messages[i].msg_hdr.msg_controllen = sizeof udp->controls[i];
    }
    int n = receive(udp, h, count);
    np_posix_unquiet(plat, h);
    if (n <= 0) {
        return n == 0 || n == -ENOBUFS || n == -ENOMEM ? NP_ERR_AGAIN : (int32_t)np_posix_err(-n);
    }
    for (int i = 0; i < n; i++) {
        batch[i].len = udp->messages[i].msg_len;
        batch[i].truncated = (udp->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        np_posix_addr(&udp->names[i], &batch[i].addr);
        take_local(&udp->messages[i].msg_hdr, &batch[i]);
    }
    return n;
}

/* ---- send ------------------------------------------------------------------------------------ */

static int32_t send_error(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
        return NP_ERR_AGAIN;
    case EMSGSIZE:
        return NP_ERR_TOO_LONG;
    case ECONNREFUSED:
        return NP_ERR_REFUSED;
    case EINVAL:
    case EADDRNOTAVAIL:
        return NP_ERR_UNREACHABLE;
    default:
        return is_of_one_datagram(error) ? (int32_t)NP_ERR_UNREACHABLE
                                         : (int32_t)np_posix_err(error);
    }
}

int32_t np_plat_udp_send(struct np_plat *plat, uint32_t handle, const struct np_datagram *batch,
                         uint32_t count)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_UDP);
    struct np_posix_udp *udp = plat->udp;
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    bool is_connected = (h->bits & NP_POSIX_CONNECTED) != 0;
    count = count > NP_PLAT_UDP_BATCH ? NP_PLAT_UDP_BATCH : count;
    for (uint32_t i = 0; i < count; i++) {
        lay_out(udp, i, batch[i].base, batch[i].len);
        struct msghdr *message = &udp->messages[i].msg_hdr;
        if (is_connected) {
            message->msg_name = NULL;
            message->msg_namelen = 0;
            continue;
        }
        bool is_v6 = (h->bits & NP_POSIX_IS_V6) != 0;
        if (batch[i].has_local) {
            give_local(message, &udp->controls[i], is_v6, &batch[i]);
        }
        message->msg_namelen = np_posix_sockaddr(&batch[i].addr, is_v6, &udp->names[i]);
        if (message->msg_namelen == 0 || batch[i].addr.family == NP_FAMILY_NONE) {
            if (i == 0) {
                return NP_ERR_UNREACHABLE;
            }
            count = i; /* the next call says it */
        }
    }
    int n = sendmmsg(h->fd, udp->messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && !is_connected &&
        (errno == EINVAL || errno == EADDRNOTAVAIL || errno == ENETUNREACH)) {
        /* The address is gone, or was a broadcast: the route decides after all. */
        for (uint32_t i = 0; i < count; i++) {
            udp->messages[i].msg_hdr.msg_control = NULL;
            udp->messages[i].msg_hdr.msg_controllen = 0;
        }
        n = sendmmsg(h->fd, udp->messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return n > 0 ? n : send_error(n == 0 ? EAGAIN : errno);
}
