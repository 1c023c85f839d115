/* SPDX-License-Identifier: BSD-3-Clause */
/* floor_copy: minimal relay that copies: recv into a buffer, send from it. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#ifndef FLOOR_BUFFER_BYTES
#define FLOOR_BUFFER_BYTES 65536
#endif

struct mover {
    uint8_t *bytes; /* only while something is left over */
    size_t start, end;
};

static uint8_t scratch[FLOOR_BUFFER_BYTES];

static void mover_open(struct mover *mover);
static void mover_close(struct mover *mover);
static ssize_t mover_step(struct mover *mover, int from, int to, bool *is_ended);

#include "tests/bench/floor.h"

static void mover_open(struct mover *mover)
{
    mover->bytes = NULL;
}

static void mover_close(struct mover *mover)
{
    free(mover->bytes);
    mover->bytes = NULL;
}

static ssize_t send_left_over(struct mover *mover, int to)
{
    ssize_t n = send(to, mover->bytes + mover->start, mover->end - mover->start, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    mover->start += (size_t)n;
    if (mover->start == mover->end) {
        mover_close(mover);
    }
    return n;
}

static ssize_t mover_step(struct mover *mover, int from, int to, bool *is_ended)
{
    if (mover->bytes != NULL) {
        return send_left_over(mover, to);
    }
    ssize_t got = recv(from, scratch, sizeof scratch, 0);
    if (got <= 0) {
        *is_ended = got == 0;
        return got == 0 || errno == EAGAIN ? 0 : -1;
    }
    ssize_t sent = send(to, scratch, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        return -1;
    }
    sent = sent < 0 ? 0 : sent;
    if (sent < got) {
        mover->bytes = malloc(sizeof scratch);
        mover->start = 0;
        mover->end = (size_t)(got - sent);
        if (mover->bytes == NULL) {
            return -1;
        }
        memcpy(mover->bytes, scratch + sent, mover->end);
    }
    return sent;
}

int main(int argc, char **argv)
{
    return floor_run(argc, argv);
}
