/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_io: bytes in and out of a connection.
 *
 * peek reads into the scratch, one of the pooled buffers that belongs to no handle. If the caller
 * leaves a rest, the handle takes the scratch over as it is and another buffer becomes the scratch:
 * no byte is copied. When no other buffer is free, peek leaves the bytes in the kernel as well
 * (MSG_PEEK) and consume drops as many there (MSG_TRUNC): slower, but nothing is lost and nothing
 * grows.
 */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static uint8_t *memory_of(const struct np_plat *plat, uint32_t buffer)
{
    return plat->buffer_mem + (size_t)buffer * plat->buffer_bytes;
}

/* ---- the pool -------------------------------------------------------------------------------- */

static bool has_free_buffer(const struct np_plat *plat)
{
    return plat->buffers_free != NP_POSIX_NONE || plat->buffers_fresh <= plat->buffers_cap;
}

static uint32_t take_buffer(struct np_plat *plat)
{
    uint32_t index = plat->buffers_free;
    if (index != NP_POSIX_NONE) {
        plat->buffers_free = plat->buffers[index].next;
    } else {
        index = plat->buffers_fresh++;
    }
    return index;
}

void np_posix_buffer_release(struct np_plat *plat, struct np_posix_handle *h)
{
    if (plat->peeked != 0 && plat->peeked == np_posix_name(plat, h)) {
        plat->peeked = 0;
    }
    if (h->extra == NP_POSIX_NONE) {
        return;
    }
    plat->buffers[h->extra].next = plat->buffers_free;
    plat->buffers_free = h->extra;
    plat->buffers_used--;
    h->extra = NP_POSIX_NONE;
    np_posix_update_ready(plat, h);
}

static void keep_rest(struct np_plat *plat, struct np_posix_handle *h, uint32_t off, uint32_t len)
{
    h->extra = plat->scratch;
    plat->buffers[h->extra].off = off;
    plat->buffers[h->extra].len = len;
    plat->buffers_used++;
    plat->scratch = take_buffer(plat);
    np_posix_update_ready(plat, h);
}

static void take_rest(struct np_plat *plat, struct np_posix_handle *h, uint32_t len)
{
    struct np_posix_buffer *rest = &plat->buffers[h->extra];
    len = len > rest->len ? rest->len : len;
    rest->off += len;
    rest->len -= len;
    if (rest->len == 0) {
        np_posix_buffer_release(plat, h);
    }
}

bool np_posix_has_taken(const struct np_plat *plat, const struct np_posix_handle *h)
{
    return h->extra != NP_POSIX_NONE || (h->pipe != NP_POSIX_NONE && plat->pipes[h->pipe].held > 0);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void consume_scratch(struct np_plat *plat, struct np_posix_handle *h, uint32_t len)
{
    plat->peeked = 0;
    len = len > plat->peeked_len ? plat->peeked_len : len;
    if (plat->peeked_is_copy) {
        if (len > 0) {
            (void)recv(h->fd, memory_of(plat, plat->scratch), len, MSG_TRUNC | MSG_DONTWAIT);
        }
    } else if (len < plat->peeked_len) {
        keep_rest(plat, h, len, plat->peeked_len - len);
    }
}

void np_posix_settle_peek(struct np_plat *plat)
{
    if (plat->peeked != 0) {
        consume_scratch(plat, np_posix_get(plat, plat->peeked, NP_POSIX_TCP), 0);
    }
}

int32_t np_plat_tcp_peek(struct np_plat *plat, uint32_t handle, const uint8_t **span)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    np_posix_settle_peek(plat);
    if (h->extra != NP_POSIX_NONE) {
        const struct np_posix_buffer *rest = &plat->buffers[h->extra];
        *span = memory_of(plat, h->extra) + rest->off;
        return (int32_t)rest->len;
    }
    if (h->rx_end != 0 || h->pipe != NP_POSIX_NONE) {
        return h->rx_end != 0 ? h->rx_end : (int32_t)NP_ERR_STATE;
    }
    plat->peeked_is_copy = !has_free_buffer(plat);
    uint8_t *mem = memory_of(plat, plat->scratch);
    ssize_t n = recv(h->fd, mem, plat->buffer_bytes, plat->peeked_is_copy ? MSG_PEEK : 0);
    np_posix_unquiet(plat, h);
    if (n <= 0) {
        return np_posix_rx_result(plat, h, n, errno);
    }
    plat->peeked = handle;
    plat->peeked_len = (uint32_t)n;
    *span = mem;
    return (int32_t)n;
}

void np_plat_tcp_consume(struct np_plat *plat, uint32_t handle, uint32_t len)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL) {
        return;
    }
    if (plat->peeked == handle) {
        consume_scratch(plat, h, len);
    } else if (h->extra != NP_POSIX_NONE) {
        take_rest(plat, h, len);
    }
    np_posix_unquiet(plat, h);
}

int32_t np_plat_tcp_recv(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    if (cap == 0) {
        return NP_ERR_INVALID;
    }
    cap = cap > INT32_MAX ? INT32_MAX : cap;
    if (plat->peeked == handle) {
        np_posix_settle_peek(plat);
    }
    if (h->extra != NP_POSIX_NONE) {
        const struct np_posix_buffer *rest = &plat->buffers[h->extra];
        uint32_t len = rest->len < cap ? rest->len : cap;
        memcpy(buf, memory_of(plat, h->extra) + rest->off, len);
        take_rest(plat, h, len);
        np_posix_unquiet(plat, h);
        return (int32_t)len;
    }
    if (h->rx_end != 0 || h->pipe != NP_POSIX_NONE) {
        return h->rx_end != 0 ? h->rx_end : (int32_t)NP_ERR_STATE;
    }
    ssize_t n = recv(h->fd, buf, cap, 0);
    np_posix_unquiet(plat, h);
    return n > 0 ? (int32_t)n : (int32_t)np_posix_rx_result(plat, h, n, errno);
}

/* ---- sending --------------------------------------------------------------------------------- */

int32_t np_plat_tcp_send(struct np_plat *plat, uint32_t handle, const uint8_t *buf, uint32_t len)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    if (len == 0) {
        return NP_ERR_INVALID;
    }
    if (h->tx_end != 0) {
        return h->tx_end;
    }
    ssize_t n = send(h->fd, buf, len > INT32_MAX ? INT32_MAX : len, MSG_NOSIGNAL);
    return n > 0 ? (int32_t)n : (int32_t)np_posix_tx_result(h, errno);
}

int32_t np_plat_tcp_sendv(struct np_plat *plat, uint32_t handle, const struct np_span *spans,
                          uint32_t count)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_TCP);
    struct iovec parts[NP_PLAT_SENDV_MAX];
    size_t total = 0;
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    count = count > NP_PLAT_SENDV_MAX ? NP_PLAT_SENDV_MAX : count;
    for (uint32_t i = 0; i < count; i++) {
        /* writev only reads, whatever the type of iov_base says */
        parts[i].iov_base = (void *)(uintptr_t)spans[i].base;
        parts[i].iov_len = spans[i].len;
        total += spans[i].len;
    }
    if (total == 0) {
        return NP_ERR_INVALID;
    }
    if (h->tx_end != 0) {
        return h->tx_end;
    }
    ssize_t n = writev(h->fd, parts, (int)count); /* SIGPIPE is ignored, see np_posix_open */
    return n > 0 ? (int32_t)n : (int32_t)np_posix_tx_result(h, errno);
}
