/* SPDX-License-Identifier: BSD-3-Clause */
/* http_queue: what waits for one event stream that is slow, in order, in bounded memory.
 *
 * Frames lie one behind the other, each behind a small header. When there is no room, LOG frames go
 * first, oldest first, then frames that a later one of the same key makes needless; the frame
 * that is being sent stays. Nothing is allocated, nothing calls back.
 */
#ifndef NP_CORE_HTTP_QUEUE_H
#define NP_CORE_HTTP_QUEUE_H

#include "config/np_config.h"
#include "core/http/http_server.h"

struct np_http_queue {
    uint32_t len;     /* used bytes of mem, from `at` on frames */
    uint32_t at;      /* the first frame */
    uint32_t sent;    /* bytes of its text that are done with */
    uint32_t dropped; /* LOG frames dropped so far */
    uint8_t mem[NP_HTTP_QUEUE_BYTES];
};

void np_http_queue_init(struct np_http_queue *queue);
bool np_http_queue_is_empty(const struct np_http_queue *queue);
/* Adds a frame, of which `sent` bytes (< len, 0 unless the queue is empty) are sent already.
 * Returns false if what may not be dropped fills the queue. */
bool np_http_queue_push(struct np_http_queue *queue, enum np_http_event kind, uint32_t key,
                        struct np_slice text, uint32_t sent);
/* What is left of the first frame; len 0 = the queue is empty. */
struct np_slice np_http_queue_peek(const struct np_http_queue *queue);
/* `len` bytes of what peek returned are sent. */
void np_http_queue_consume(struct np_http_queue *queue, uint32_t len);

#endif
