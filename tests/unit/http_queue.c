/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/np_test.h"

#define HEADER 12u

static bool push(struct np_http_queue *queue, enum np_http_event kind, uint32_t key,
                 const char *text)
{
    return np_http_queue_push(queue, kind, key, np_slice_of(text), 0);
}

/* Takes the first frame; "" if there is none. */
static const char *pop(struct np_http_queue *queue)
{
    static char text[256];
    struct np_slice slice = np_http_queue_peek(queue);
    uint32_t len = slice.len < 255 ? slice.len : 255;

    memcpy(text, slice.base == NULL ? "" : slice.base, len);
    text[len] = '\0';
    if (slice.len > 0) {
        np_http_queue_consume(queue, slice.len);
    }
    return text;
}

static struct np_http_queue *open_queue(void)
{
    struct np_http_queue *queue = malloc(sizeof *queue);

    np_http_queue_init(queue);
    return queue;
}

NP_TEST(http_queue, keeps_order)
{
    struct np_http_queue *queue = open_queue();

    NP_CHECK(np_http_queue_is_empty(queue));
    NP_CHECK_STR(pop(queue), "");
    NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, "one"));
    NP_CHECK(push(queue, NP_HTTP_EVENT_UPDATE, 1, "two"));
    NP_CHECK(push(queue, NP_HTTP_EVENT_UPDATE, 1, "three"));
    np_http_queue_consume(queue, 1);
    NP_CHECK_STR(pop(queue), "ne");
    NP_CHECK_STR(pop(queue), "two");
    NP_CHECK(push(queue, NP_HTTP_EVENT_DELETE, 1, "four"));
    NP_CHECK_STR(pop(queue), "three");
    NP_CHECK_STR(pop(queue), "four");
    NP_CHECK(np_http_queue_is_empty(queue));
    NP_CHECK(np_http_queue_push(queue, NP_HTTP_EVENT_LOG, 1, np_slice_of("half sent"), 5));
    NP_CHECK_STR(pop(queue), "sent");
    free(queue);
}

/* A frame of `len` bytes that begins with `name`. */
static const char *frame(const char *name, uint32_t len)
{
    static char text[NP_HTTP_QUEUE_BYTES + 1];

    memset(text, '.', len);
    memcpy(text, name, strlen(name));
    text[len] = '\0';
    return text;
}

NP_TEST(http_queue, oldest_logs_go_first)
{
    struct np_http_queue *queue = open_queue();
    char name[16];

    NP_CHECK(push(queue, NP_HTTP_EVENT_UPDATE, 1, "first"));
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "log %u;", i);
        NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, frame(name, 100)));
        if (i % 500 == 7) {
            snprintf(name, sizeof name, "delete %u;", i);
            NP_CHECK(push(queue, NP_HTTP_EVENT_DELETE, 1000 + i, name));
        }
    }
    NP_CHECK_STR(pop(queue), "first");
    uint32_t deletes = 0, logs = 0, last = 0;
    for (const char *text = pop(queue); *text != '\0'; text = pop(queue)) {
        uint32_t number = (uint32_t)strtoul(strchr(text, ' ') + 1, NULL, 10);
        NP_CHECK(number >= last);
        last = number;
        deletes += text[0] == 'd' ? 1u : 0;
        logs += text[0] == 'l' ? 1u : 0;
    }
    NP_CHECK_INT(deletes, 10);
    NP_CHECK_INT(last, 4999);
    NP_CHECK_INT(logs + queue->dropped, 5000);
    NP_CHECK(logs > NP_HTTP_QUEUE_BYTES / 2 / (100 + HEADER));
    free(queue);
}

/* However many updates come, the last one of each record is there, and deletes are. */
NP_TEST(http_queue, last_states_stay)
{
    struct np_http_queue *queue = open_queue();
    uint64_t seed = 3;
    int last[64], got[64];
    char name[32];

    for (uint32_t key = 0; key < 64; key++) {
        last[key] = got[key] = -1;
        snprintf(name, sizeof name, "create %u %u;", key, 0u);
        NP_CHECK(push(queue, NP_HTTP_EVENT_CREATE, key, frame(name, 100)));
    }
    for (int i = 0; i < 20000; i++) {
        uint32_t key = np_test_below(&seed, 64);
        bool is_delete = i > 15000 && key % 4 == 0;
        if (last[key] >= 1000000) {
            continue;
        }
        last[key] = is_delete ? 1000000 + i : i;
        snprintf(name, sizeof name, "update %u %d;", key, last[key]);
        NP_CHECK(push(queue, is_delete ? NP_HTTP_EVENT_DELETE : NP_HTTP_EVENT_UPDATE, key,
                      frame(name, 200)));
        NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, key, frame("log 0 0", 150)));
    }
    for (const char *text = pop(queue); *text != '\0'; text = pop(queue)) {
        unsigned key;
        int number;
        NP_CHECK_INT(sscanf(strchr(text, ' '), "%u %d;", &key, &number), 2);
        if (text[0] == 'u') {
            NP_CHECK(number > got[key]);
            got[key] = number;
        }
    }
    for (uint32_t key = 0; key < 64; key++) {
        NP_CHECK_INT(got[key], last[key]);
    }
    free(queue);
}

NP_TEST(http_queue, the_frame_being_sent_stays)
{
    struct np_http_queue *queue = open_queue();

    NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, "half sent"));
    np_http_queue_consume(queue, 5);
    for (uint32_t i = 0; i < 200; i++) {
        NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, frame("more", 1000)));
    }
    NP_CHECK_STR(pop(queue), "sent");
    NP_CHECK(push(queue, NP_HTTP_EVENT_UPDATE, 1, "update"));
    free(queue);
}

NP_TEST(http_queue, full_of_what_may_not_go)
{
    struct np_http_queue *queue = open_queue();
    uint32_t count = 0;

    while (push(queue, NP_HTTP_EVENT_DELETE, count, frame("delete", 1000))) {
        count++;
    }
    NP_CHECK_INT(count, NP_HTTP_QUEUE_BYTES / (1000 + HEADER));
    NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, frame("log", 1000)));
    NP_CHECK_INT(queue->dropped, 1);
    NP_CHECK(!push(queue, NP_HTTP_EVENT_LAST, 1, frame("last", 1000)));
    NP_CHECK(!push(queue, NP_HTTP_EVENT_DELETE, 1, frame("huge", NP_HTTP_QUEUE_BYTES)));
    for (uint32_t i = 0; i < count; i++) {
        NP_CHECK_INT(strlen(pop(queue)), 255);
    }
    NP_CHECK(np_http_queue_is_empty(queue));
    NP_CHECK(push(queue, NP_HTTP_EVENT_LOG, 1, frame("log", NP_HTTP_QUEUE_BYTES - HEADER)));
    free(queue);
}
