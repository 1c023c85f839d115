/* SPDX-License-Identifier: BSD-3-Clause */
/* floor_splice: minimal relay that splices: socket to pipe, pipe to socket, no byte seen by user
 * space. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef FLOOR_PIPE_BYTES
#define FLOOR_PIPE_BYTES 0 /* 0: as the system makes it, 64 KB */
#endif
#ifndef FLOOR_CHUNK_BYTES
#define FLOOR_CHUNK_BYTES (1024 * 1024)
#endif

struct mover {
    int pipe_out, pipe_in; /* -1 until the first bytes */
    size_t held;
};

static void mover_open(struct mover *mover);
static void mover_close(struct mover *mover);
static ssize_t mover_step(struct mover *mover, int from, int to, bool *is_ended);

#include "tests/bench/floor.h"

static void mover_open(struct mover *mover)
{
    mover->pipe_out = -1;
    mover->pipe_in = -1;
}

static void mover_close(struct mover *mover)
{
    if (mover->pipe_in >= 0) {
        close(mover->pipe_in);
        close(mover->pipe_out);
    }
    mover_open(mover);
}

static bool open_pipe(struct mover *mover)
{
    int ends[2];
    if (mover->pipe_in >= 0) {
        return true;
    }
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    }
    if (FLOOR_PIPE_BYTES > 0) {
        fcntl(ends[1], F_SETPIPE_SZ, FLOOR_PIPE_BYTES);
    }
    mover->pipe_out = ends[0];
    mover->pipe_in = ends[1];
    return true;
}

static ssize_t mover_step(struct mover *mover, int from, int to, bool *is_ended)
{
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    if (!open_pipe(mover)) {
        return -1;
    }
    if (mover->held == 0) {
        ssize_t got = splice(from, NULL, mover->pipe_in, NULL, FLOOR_CHUNK_BYTES, flags);
        if (got <= 0) {
            *is_ended = got == 0;
            return got == 0 || errno == EAGAIN ? 0 : -1;
        }
        mover->held = (size_t)got;
    }
    ssize_t sent = splice(mover->pipe_out, NULL, to, NULL, mover->held, flags);
    if (sent < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    mover->held -= (size_t)sent;
    return sent;
}

int main(int argc, char **argv)
{
    return floor_run(argc, argv);
}
