/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp: listening, connecting, closing, options, and what a connection's events mean.
 *
 * How a connection ends. `fault` is why it failed as a whole; bytes received before are still
 * handed out, then receiving returns it (rx_end). A far end that first ended its stream in order
 * and then reset (it was sent something it did not want any more) fails the sending side only
 * (tx_end): its stream ends with EOF. The kernel tells its error once, to whoever asks first; it is
 * kept here from then on.
 *
 * ERROR is delivered from the moment there is nothing received left to take until a call has told
 * the caller, or the handle is closed.
 */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#define BACKLOG 4096
#define KEEPALIVE_PROBES 3
/* Connections that died while they waited to be accepted, skipped in one call. */
#define ACCEPT_TRIES 16

/* ---- results --------------------------------------------------------------------------------- */

static bool is_transient(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

enum np_err np_posix_rx_result(struct np_plat *plat, struct np_posix_handle *h, int64_t n,
                               int error)
{
    if (n < 0 && is_transient(error)) {
        return NP_ERR_AGAIN;
    }
    if (n < 0 && h->fault == 0) {
        h->fault = (int8_t)np_posix_err(error);
    }
    h->rx_end = h->fault != 0 ? h->fault : (int8_t)NP_ERR_EOF;
    if (h->fault != 0 && h->tx_end == 0) {
        h->tx_end = h->fault;
    }
    np_posix_mark(plat, h);
    return (enum np_err)h->rx_end;
}

enum np_err np_posix_tx_result(struct np_posix_handle *h, int error)
{
    if (is_transient(error)) {
        return NP_ERR_AGAIN;
    }
    h->tx_end = (int8_t)np_posix_err(error);
    if (error != EPIPE && h->fault == 0) {
        h->fault = h->tx_end; /* EPIPE: its stream had ended before, see the top */
    }
    return (enum np_err)h->tx_end;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int socket_error(const struct np_posix_handle *h)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static void decide_connect(struct np_posix_handle *h, bool is_bad)
{
    int error = is_bad && h->fault == 0 ? socket_error(h) : 0;
    h->bits = (uint8_t)(h->bits & ~NP_POSIX_CONNECTING);
    if (error != 0) {
        h->fault = (int8_t)np_posix_err(error);
    }
    if (h->fault != 0) {
        h->tx_end = h->fault;
    }
}

/* True if there is something to take before the failure may be told. */
static bool has_unread(struct np_plat *plat, struct np_posix_handle *h)
{
    char byte;
    if (np_posix_has_taken(plat, h)) {
        return true;
    }
    ssize_t n = recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) {
        return true;
    }
    if (n == 0) {
        return h->fault == 0; /* EOF, unless the kernel has told the error before */
    }
    if (!is_transient(errno) && h->fault == 0) {
        h->fault = (int8_t)np_posix_err(errno);
    }
    return h->fault == 0;
}

/* The kernel reports an error or a hang-up (both directions ended). */
static uint32_t failure_events(struct np_plat *plat, struct np_posix_handle *h)
{
    uint32_t read = h->want & NP_EV_READ;
    if (h->rx_end == 0) {
        return has_unread(plat, h) ? read : NP_EV_ERROR | read;
    }
    if (h->rx_end != NP_ERR_EOF || (h->bits & NP_POSIX_SHUT) != 0) {
        return 0; /* told, or nothing is left that could fail */
    }
    if (h->tx_end == 0) {
        /* A stream that had only ended would not be reported: no error means that a splice that
         * moved some bytes first has swallowed it. */
        int error = socket_error(h);
        np_posix_tx_result(h, error != 0 ? error : ECONNRESET);
        return NP_EV_ERROR;
    }
    return 0;
}

uint32_t np_posix_tcp_events(struct np_plat *plat, struct np_posix_handle *h, uint32_t flags)
{
    bool is_bad = (flags & NP_EV_ERROR) != 0;
    if ((h->bits & NP_POSIX_CONNECTING) != 0) {
        decide_connect(h, is_bad);
        if (h->fault != 0) {
            return NP_EV_ERROR | (h->want & NP_EV_WRITE);
        }
    }
    if (is_bad) {
        return failure_events(plat, h);
    }
    uint32_t held = h->rx_end != 0 ? flags & ~NP_EV_READ : flags;
    return held & h->want;
}

/* ---- listening ------------------------------------------------------------------------------- */

enum np_err np_plat_tcp_listen(struct np_plat *plat, const struct np_addr *local, uint32_t tag,
                               uint32_t *handle)
{
    static const struct np_addr any = {.family = NP_FAMILY_NONE};
    int32_t fd;
    bool is_v6;
    enum np_err err = np_posix_socket(SOCK_STREAM, local == NULL ? &any : local, NULL, &fd, &is_v6);
    if (err != NP_OK) {
        return err;
    }
    np_posix_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (listen(fd, BACKLOG) != 0) {
        err = np_posix_err(errno);
        close(fd);
        return err;
    }
    struct np_posix_handle *h = np_posix_acquire(plat, NP_POSIX_LISTENER, fd, tag);
    if (h == NULL) {
        close(fd);
        return NP_ERR_NO_HANDLES;
    }
    *handle = np_posix_name(plat, h);
    return NP_OK;
}

static void mute(struct np_plat *plat, struct np_posix_handle *listener)
{
    if ((listener->bits & NP_POSIX_MUTED) != 0) {
        return;
    }
    if (plat->muted.count == 0) {
        plat->muted_until_ms = np_plat_now_ms(plat) + NP_POSIX_MUTE_MS;
    }
    listener->bits |= NP_POSIX_MUTED;
    np_posix_list_insert(plat, &plat->muted, listener);
    np_posix_mark(plat, listener);
}

/* Returns the descriptor, or -1 with *err set. */
static int32_t accept_one(const struct np_posix_handle *listener, struct sockaddr_in6 *from,
                          enum np_err *err)
{
    *err = NP_ERR_AGAIN;
    for (uint32_t i = 0; i < ACCEPT_TRIES; i++) {
        socklen_t len = sizeof(*from);
        int fd = accept4(listener->fd, (struct sockaddr *)(void *)from, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        switch (errno) {
        case EAGAIN:
            return -1;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            *err = NP_ERR_NO_HANDLES;
            return -1;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EOPNOTSUPP:
            *err = NP_ERR_IO;
            return -1;
        default: /* what befell that connection in the queue */
            break;
        }
    }
    return -1;
}

enum np_err np_plat_tcp_accept(struct np_plat *plat, uint32_t listener, uint32_t tag,
                               uint32_t *handle, struct np_addr *peer)
{
    struct np_posix_handle *l = np_posix_get(plat, listener, NP_POSIX_LISTENER);
    struct sockaddr_in6 from = {0};
    enum np_err err;
    if (l == NULL) {
        return NP_ERR_STALE;
    }
    if (plat->handles_used == plat->handles_cap) {
        mute(plat, l);
        return NP_ERR_NO_HANDLES;
    }
    int32_t fd = accept_one(l, &from, &err);
    if (fd < 0) {
        if (err == NP_ERR_NO_HANDLES) {
            mute(plat, l);
        }
        return err;
    }
    struct np_posix_handle *h = np_posix_acquire(plat, NP_POSIX_TCP, fd, tag);
    *handle = np_posix_name(plat, h);
    np_posix_addr(&from, peer);
    return NP_OK;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static bool is_answer_of_peer(int error)
{
    return error == ECONNREFUSED || error == ECONNRESET || error == ETIMEDOUT;
}

enum np_err np_plat_tcp_connect(struct np_plat *plat, const struct np_addr *source,
                                const struct np_addr *remote, uint32_t tag, uint32_t *handle)
{
    struct sockaddr_in6 to;
    int32_t fd;
    bool is_v6;
    if (remote->family == NP_FAMILY_NONE) {
        return NP_ERR_INVALID;
    }
    if (source != NULL && source->family == NP_FAMILY_NONE) {
        source = NULL;
    }
    if (source != NULL && source->family != remote->family) {
        return NP_ERR_UNREACHABLE;
    }
    if (plat->handles_used == plat->handles_cap) {
        return NP_ERR_NO_HANDLES;
    }
    enum np_err err = np_posix_socket(SOCK_STREAM, source, remote, &fd, &is_v6);
    if (err != NP_OK) {
        return err;
    }
    np_posix_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    socklen_t len = np_posix_sockaddr(remote, is_v6, &to);
    int error = connect(fd, (struct sockaddr *)(void *)&to, len) == 0 ? 0 : errno;
    if (error != 0 && error != EINPROGRESS && !is_answer_of_peer(error)) {
        close(fd);
        return np_posix_err(error);
    }
    struct np_posix_handle *h = np_posix_acquire(plat, NP_POSIX_TCP, fd, tag);
    h->bits |= error != 0 ? NP_POSIX_CONNECTING : 0;
    if (is_answer_of_peer(error)) {
        h->fault = h->tx_end = (int8_t)np_posix_err(error);
    }
    *handle = np_posix_name(plat, h);
    return NP_OK;
}

enum np_err np_plat_tcp_connect_result(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    if ((h->bits & NP_POSIX_CONNECTING) != 0) {
        struct pollfd entry = {.fd = h->fd, .events = POLLOUT};
        if (h->fault == 0 && poll(&entry, 1, 0) <= 0) {
            return NP_ERR_AGAIN;
        }
        decide_connect(h, (entry.revents & (POLLERR | POLLHUP)) != 0);
        np_posix_mark(plat, h);
    }
    if (h->fault != 0 && h->rx_end == 0 && !has_unread(plat, h)) {
        h->rx_end = h->fault; /* told */
        np_posix_mark(plat, h);
    }
    return (enum np_err)h->fault;
}

/* ---- the end --------------------------------------------------------------------------------- */

void np_plat_tcp_shutdown_tx(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL || (h->bits & NP_POSIX_SHUT) != 0) {
        return;
    }
    (void)shutdown(h->fd, SHUT_WR);
    h->bits |= NP_POSIX_SHUT;
    if (h->tx_end == 0) {
        h->tx_end = NP_ERR_RESET; /* what writing after the end returns */
    }
    np_posix_mark(plat, h);
}

static void end(struct np_plat *plat, struct np_posix_handle *h)
{
    np_posix_buffer_release(plat, h);
    np_posix_pipe_drop(plat, h);
    np_posix_release(plat, h);
}

void np_plat_tcp_close(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h != NULL) {
        end(plat, h);
    }
}

void np_plat_tcp_abort(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h != NULL) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(h->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        end(plat, h);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static struct np_posix_handle *stream_or_listener(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_FREE);
    return h != NULL && (h->kind == NP_POSIX_TCP || h->kind == NP_POSIX_LISTENER) ? h : NULL;
}

void np_plat_tcp_keepalive(struct np_plat *plat, uint32_t handle, uint32_t period_ms)
{
    struct np_posix_handle *h = stream_or_listener(plat, handle);
    if (h == NULL) {
        return;
    }
    if (period_ms != 0) {
        uint32_t period_s = period_ms / 1000u + (period_ms % 1000u != 0);
        int seconds = period_s > 32767u ? 32767 : (int)period_s; /* the kernel's ceiling */
        np_posix_set_option(h->fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
        np_posix_set_option(h->fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
        np_posix_set_option(h->fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    }
    np_posix_set_option(h->fd, SOL_SOCKET, SO_KEEPALIVE, period_ms != 0);
}

void np_plat_tcp_user_timeout(struct np_plat *plat, uint32_t handle, uint32_t ms)
{
    struct np_posix_handle *h = stream_or_listener(plat, handle);
    if (h != NULL) {
        np_posix_set_option(h->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                            ms > INT32_MAX ? INT32_MAX : (int)ms);
    }
}
