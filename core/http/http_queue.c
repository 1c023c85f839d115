/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_queue.h"

#include <stddef.h>

#include "core/base/ct.h"

/* In front of each frame's text; read and written with memcpy, since frames are not aligned. */
struct header {
    uint32_t len;
    uint32_t key;
    uint32_t kind;
};

void np_http_queue_init(struct np_http_queue *queue)
{
    memset(queue, 0, offsetof(struct np_http_queue, mem));
}

bool np_http_queue_is_empty(const struct np_http_queue *queue)
{
    return queue->at == queue->len;
}

static struct header header_at(const struct np_http_queue *queue, uint32_t at)
{
    struct header header;

    memcpy(&header, queue->mem + at, sizeof header);
    return header;
}

static uint32_t next_of(const struct np_http_queue *queue, uint32_t at)
{
    return at + (uint32_t)sizeof(struct header) + header_at(queue, at).len;
}

struct np_slice np_http_queue_peek(const struct np_http_queue *queue)
{
    struct np_slice text = {NULL, 0};

    if (!np_http_queue_is_empty(queue)) {
        text.base = (const char *)queue->mem + queue->at + sizeof(struct header) + queue->sent;
        text.len = header_at(queue, queue->at).len - queue->sent;
    }
    return text;
}

void np_http_queue_consume(struct np_http_queue *queue, uint32_t len)
{
    queue->sent += len;
    if (queue->sent == header_at(queue, queue->at).len) {
        queue->at = next_of(queue, queue->at);
        queue->sent = 0;
    }
}

/* ---- making room ----------------------------------------------------------- */

/* True if a frame of `kind` is not needed once one of `later` about the same record follows. */
static bool is_replaced_by(uint32_t kind, uint32_t later)
{
    return (kind == NP_HTTP_EVENT_UPDATE &&
            (later == NP_HTTP_EVENT_UPDATE || later == NP_HTTP_EVENT_DELETE)) ||
           (kind == NP_HTTP_EVENT_CREATE && later == NP_HTTP_EVENT_DELETE);
}

/* True if something behind the frame at `at`, or the new one, replaces it. */
static bool is_needless(const struct np_http_queue *queue, uint32_t at, const struct header *fresh)
{
    struct header frame = header_at(queue, at);

    if (frame.key == fresh->key && is_replaced_by(frame.kind, fresh->kind)) {
        return true;
    }
    for (uint32_t i = next_of(queue, at); i < queue->len; i = next_of(queue, i)) {
        struct header later = header_at(queue, i);
        if (later.key == frame.key && is_replaced_by(frame.kind, later.kind)) {
            return true;
        }
    }
    return false;
}

/* Moves the frames together, without those that can go. Stops dropping once `goal` bytes are gained
 * (LOG frames, `logs`), or drops every needless one. */
static void sweep(struct np_http_queue *queue, bool logs, uint32_t goal, const struct header *fresh)
{
    uint32_t to = 0, gained = 0;

    for (uint32_t at = queue->at, next; at < queue->len; at = next) {
        next = next_of(queue, at);
        bool is_log = header_at(queue, at).kind == NP_HTTP_EVENT_LOG;
        bool can_go = logs ? is_log && gained < goal : is_needless(queue, at, fresh);
        if (can_go && !(at == queue->at && queue->sent > 0)) {
            gained += next - at;
            queue->dropped += is_log ? 1u : 0;
            continue;
        }
        memmove(queue->mem + to, queue->mem + at, next - at);
        to += next - at;
    }
    np_ct_wipe(queue->mem + to, queue->len - to);
    queue->at = 0;
    queue->len = to;
}

static uint32_t room(const struct np_http_queue *queue)
{
    return NP_HTTP_QUEUE_BYTES - (queue->len - queue->at);
}

bool np_http_queue_push(struct np_http_queue *queue, enum np_http_event kind, uint32_t key,
                        struct np_slice text, uint32_t sent)
{
    struct header header = {text.len, key, (uint32_t)kind};
    uint32_t need = text.len + (uint32_t)sizeof header;

    if (room(queue) < need && need <= NP_HTTP_QUEUE_BYTES) {
        /* An eighth at a time, so that a flood of logs does not move the queue for each. */
        uint32_t goal = NP_HTTP_QUEUE_BYTES / 8;
        sweep(queue, true, goal > need ? goal : need, &header);
        if (room(queue) < need && kind != NP_HTTP_EVENT_LOG) {
            sweep(queue, false, 0, &header);
        }
    }
    if (room(queue) < need) {
        queue->dropped += kind == NP_HTTP_EVENT_LOG ? 1u : 0;
        return kind == NP_HTTP_EVENT_LOG;
    }
    if (NP_HTTP_QUEUE_BYTES - queue->len < need) {
        sweep(queue, true, 0, &header); /* only moves to the front */
    }
    memcpy(queue->mem + queue->len, &header, sizeof header);
    memcpy(queue->mem + queue->len + sizeof header, text.base, text.len);
    if (np_http_queue_is_empty(queue)) {
        queue->sent = sent;
    }
    queue->len += need;
    return true;
}
