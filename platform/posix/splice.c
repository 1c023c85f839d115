/* SPDX-License-Identifier: BSD-3-Clause */
/* splice: bytes from one connection to another inside the kernel, through a pipe.
 *
 * Pipes are opened when first needed, kept when empty, and belong to a handle only while they hold
 * its bytes; the one used last is used next, so that its memory is still in the cache.
 */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPE_BYTES (512u * 1024u)
#define PIPE_BYTES_LEAST (64u * 1024u)
#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

/* ---- the pool -------------------------------------------------------------------------------- */

static bool open_pipe(struct np_plat *plat, struct np_posix_pipe *p)
{
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    }
    p->rd = fds[0];
    p->wr = fds[1];
    p->cap = PIPE_BYTES_LEAST; /* what a pipe has if the system refuses more */
    for (uint32_t bytes = PIPE_BYTES; bytes > PIPE_BYTES_LEAST; bytes /= 2) {
        if (fcntl(p->wr, F_SETPIPE_SZ, (int)bytes) >= 0) {
            p->cap = bytes;
            break;
        }
    }
    plat->pipes_open++;
    return true;
}

/* `is_open` = 0 in a slot that was never used or was closed: rd == wr == 0. */
static bool is_open(const struct np_posix_pipe *p)
{
    return p->rd != p->wr;
}

static void close_pipe(struct np_plat *plat, struct np_posix_pipe *p)
{
    close(p->rd);
    close(p->wr);
    p->rd = p->wr = 0;
    plat->pipes_open--;
}

static uint32_t take_pipe(struct np_plat *plat)
{
    uint32_t index = plat->pipes_free;
    if (index != NP_POSIX_NONE) {
        plat->pipes_free = plat->pipes[index].next;
    } else if (plat->pipes_fresh < plat->pipes_cap) {
        index = plat->pipes_fresh++;
    } else {
        return NP_POSIX_NONE;
    }
    struct np_posix_pipe *p = &plat->pipes[index];
    p->held = 0;
    if (!is_open(p) && !open_pipe(plat, p)) {
        p->next = plat->pipes_free;
        plat->pipes_free = index;
        return NP_POSIX_NONE;
    }
    plat->pipes_held++;
    return index;
}

static void give_pipe_back(struct np_plat *plat, uint32_t index)
{
    plat->pipes[index].next = plat->pipes_free;
    plat->pipes_free = index;
    plat->pipes_held--;
}

void np_posix_pipe_drop(struct np_plat *plat, struct np_posix_handle *h)
{
    if (h->pipe != NP_POSIX_NONE) {
        close_pipe(plat, &plat->pipes[h->pipe]);
        give_pipe_back(plat, h->pipe);
        h->pipe = NP_POSIX_NONE;
    }
}

void np_posix_pipes_close(struct np_plat *plat)
{
    for (uint32_t i = 0; i < plat->pipes_fresh; i++) {
        if (is_open(&plat->pipes[i])) {
            close_pipe(plat, &plat->pipes[i]);
        }
    }
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* From the pipe to the sink. Returns true if the pipe is empty. */
static bool give(struct np_posix_pipe *p, struct np_posix_handle *to, struct np_splice *result)
{
    if (to->tx_end != 0) {
        result->sink = (enum np_err)to->tx_end;
        return false;
    }
    ssize_t n = splice(p->rd, NULL, to->fd, NULL, p->held, FLAGS);
    if (n <= 0) {
        result->sink = np_posix_tx_result(to, n == 0 ? EPIPE : errno);
        return false;
    }
    p->held -= (uint32_t)n;
    result->given += (uint32_t)n;
    result->sink = p->held == 0 ? NP_OK : NP_ERR_AGAIN;
    return p->held == 0;
}

/* From the source to the empty pipe. Returns true if there is something to give. */
static bool take(struct np_plat *plat, struct np_posix_pipe *p, struct np_posix_handle *from,
                 uint32_t max, struct np_splice *result)
{
    if (from->rx_end != 0) {
        result->source = (enum np_err)from->rx_end;
        return false;
    }
    ssize_t n = splice(from->fd, NULL, p->wr, NULL, max < p->cap ? max : p->cap, FLAGS);
    if (n <= 0) {
        result->source = np_posix_rx_result(plat, from, n, errno);
        return false;
    }
    p->held = (uint32_t)n;
    result->taken += (uint32_t)n;
    return true;
}

enum np_err np_plat_tcp_splice(struct np_plat *plat, uint32_t from, uint32_t to, uint32_t max,
                               struct np_splice *result)
{
    struct np_posix_handle *source = np_posix_get(plat, from, NP_POSIX_TCP);
    struct np_posix_handle *sink = np_posix_get(plat, to, NP_POSIX_TCP);
    *result = (struct np_splice){0};
    if (source == NULL || sink == NULL) {
        return NP_ERR_STALE;
    }
    if (plat->is_splice_off) {
        return NP_ERR_UNSUPPORTED;
    }
    if (plat->peeked == from) {
        np_posix_settle_peek(plat);
    }
    uint32_t index = source->pipe != NP_POSIX_NONE    ? source->pipe
                     : source->extra == NP_POSIX_NONE ? take_pipe(plat)
                                                      : NP_POSIX_NONE;
    if (index == NP_POSIX_NONE) {
        return NP_ERR_NO_MEMORY;
    }
    struct np_posix_pipe *p = &plat->pipes[index];
    if (p->held > 0 && p->to != to) {
        return NP_ERR_STATE;
    }
    bool is_going = p->held == 0 || give(p, sink, result);
    while (is_going && result->taken < max && take(plat, p, source, max - result->taken, result)) {
        is_going = give(p, sink, result);
    }
    result->held = p->held;
    p->to = to;
    if (p->held > 0) {
        source->pipe = index;
    } else {
        source->pipe = NP_POSIX_NONE;
        give_pipe_back(plat, index);
    }
    np_posix_unquiet(plat, source);
    return NP_OK;
}
