/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/http_server.h"
#include "tests/unit/http_rig.h"
#include "tests/unit/np_test.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define HAS(text, part) NP_CHECK(strstr((text), (part)) != NULL)
#define FRAME "event: instance\ndata: "

struct event {
    const char *name;
    uint32_t number, fill;
};

static void write_event(void *ctx, struct np_json *out)
{
    const struct event *event = ctx;

    np_json_open(out, NULL, '{');
    np_json_put_text(out, "type", event->name);
    np_json_put_uint(out, "n", event->number);
    np_json_open(out, "fill", '[');
    for (uint32_t i = 0; i < event->fill; i += 2) {
        np_json_put_uint(out, NULL, 1);
    }
    np_json_close(out, ']');
    np_json_close(out, '}');
}

static bool publish(struct rig *rig, enum np_http_event kind, uint32_t key, uint32_t number,
                    uint32_t fill)
{
    static const char *const names[] = {"log", "update", "create", "delete", "shutdown"};
    struct event event = {names[kind], number, fill};

    return np_http_publish(&rig->server, kind, key, write_event, &event);
}

/* Every frame of a stream is whole: "event: instance", one line of JSON, an empty line. Comments
 * and the retry line aside. Returns how many frames of `type` there are; *last their last
 * number. */
static uint32_t count_frames(const char *text, const char *type, uint32_t *last)
{
    uint32_t count = 0;
    const char *at = strstr(text, "retry: 3000\n\n");

    NP_CHECK(at != NULL && strchr(at, '\r') == NULL);
    for (at = at == NULL ? "" : at + 13; *at != '\0';) {
        const char *end = strstr(at, "\n\n");
        struct np_json_value root, value;
        uint64_t number = 0;
        if (end == NULL) {
            NP_CHECK(!"cut frame");
            break;
        }
        if (*at != ':') {
            struct np_slice data = {at + sizeof FRAME - 1, 0};
            NP_CHECK(strncmp(at, FRAME, sizeof FRAME - 1) == 0);
            data.len = (uint32_t)(end - data.base);
            NP_CHECK(memchr(data.base, '\n', data.len) == NULL);
            NP_CHECK_INT(np_json_parse(data, &root), NP_OK);
            if (np_json_find(&root, "type", &value) && np_json_is_text(&value, type)) {
                count++;
                NP_CHECK(np_json_find(&root, "n", &value) &&
                         np_json_uint(&value, UINT32_MAX, &number) == NP_OK);
                *last = (uint32_t)number;
            }
        }
        at = end + 2;
    }
    return count;
}

static void check_whole_stream(bool has_tls)
{
    struct rig rig;
    struct rig_client client;
    uint32_t last = 0;

    rig_open(&rig, has_tls, 65536);
    NP_CHECK(publish(&rig, NP_HTTP_EVENT_LOG, 1, 0, 10)); /* to nobody */
    (has_tls ? rig_connect_tls : rig_connect)(&rig, &client);
    const char *text = rig_ask(&rig, &client, GET("/events"));
    HAS(text, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    HAS(text, "\r\nCache-Control: no-cache\r\n");
    HAS(text, "\r\nAccess-Control-Allow-Origin: *\r\n");
    HAS(text, "\r\n\r\nretry: 3000\n\n" FRAME "{\"at\":0,");
    NP_CHECK_INT(rig_count(text, FRAME "{\"at\":"), 3);
    NP_CHECK_INT(rig.server.streams.count, 1);
    NP_CHECK_INT(rig.server.conns.count, 0);
    NP_CHECK_INT(rig.app->http_outs.used, 0);
    for (uint32_t i = 0; i < 300; i++) {
        NP_CHECK(publish(&rig, NP_HTTP_EVENT_UPDATE, 1, i, 50));
        if (i % 90 == 0) {
            rig_read_all(&rig, &client);
        }
    }
    rig_read_all(&rig, &client);
    NP_CHECK_INT(count_frames(client.text, "update", &last), 300);
    NP_CHECK_INT(last, 299);
    NP_CHECK(!publish(&rig, NP_HTTP_EVENT_UPDATE, 1, 300, NP_HTTP_PIECE_MAX));
    NP_CHECK(publish(&rig, NP_HTTP_EVENT_LAST, 0, 0, 2));
    np_http_end_streams(&rig.server);
    rig_read_all(&rig, &client);
    NP_CHECK_INT(count_frames(client.text, "shutdown", &last), 1);
    NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_stream, whole)
{
    check_whole_stream(false);
}

NP_TEST(http_stream, whole_tls)
{
    check_whole_stream(true);
}

NP_TEST(http_stream, comment_when_silent)
{
    struct rig rig;
    struct rig_client client;
    uint32_t last;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    rig_ask(&rig, &client, GET("/events"));
    rig_run(&rig, 14000);
    NP_CHECK_INT(rig_read(&rig, &client, 1000), 0);
    rig_run(&rig, 1100);
    NP_CHECK(rig_read(&rig, &client, 1000) > 0);
    NP_CHECK_INT(rig_count(client.text, "\n: "), 1);
    rig_run(&rig, 60000);
    rig_read_all(&rig, &client);
    NP_CHECK_INT(rig_count(client.text, "\n: "), 5);
    NP_CHECK_INT(count_frames(client.text, "update", &last), 0);
    for (uint32_t i = 0; i < 10; i++) { /* not silent: no comment */
        rig_run(&rig, 10000);
        publish(&rig, NP_HTTP_EVENT_LOG, 1, i, 2);
    }
    rig_read_all(&rig, &client);
    NP_CHECK_INT(rig_count(client.text, "\n: "), 5);
    rig_hang_up(&rig, &client);
    NP_CHECK_INT(rig.server.streams.count, 0);
    rig_close(&rig);
}

/* One subscriber reads nothing: the others get all, and it finds the last states when it wakes. */
static void check_slow(bool has_tls)
{
    struct rig rig;
    struct rig_client slow, quick;
    uint32_t last = 0, updates;

    rig_open(&rig, has_tls, 8192);
    (has_tls ? rig_connect_tls : rig_connect)(&rig, &slow);
    (has_tls ? rig_connect_tls : rig_connect)(&rig, &quick);
    rig_ask(&rig, &slow, GET("/events"));
    rig_ask(&rig, &quick, GET("/events"));
    for (uint32_t i = 0; i < 3000; i++) {
        NP_CHECK(
            publish(&rig, i % 10 == 0 ? NP_HTTP_EVENT_UPDATE : NP_HTTP_EVENT_LOG, i % 7, i, 80));
        if (i == 1500) {
            NP_CHECK(publish(&rig, NP_HTTP_EVENT_DELETE, 100, i, 80));
        }
        rig_run(&rig, 2);
        rig_read(&rig, &quick, UINT32_MAX);
    }
    rig_read_all(&rig, &quick);
    NP_CHECK_INT(count_frames(quick.text, "log", &last), 2700);
    NP_CHECK_INT(count_frames(quick.text, "update", &last), 300);
    NP_CHECK_INT(rig.app->http_queues.used, 1);
    NP_CHECK(!slow.is_closed);
    rig_read_all(&rig, &slow);
    NP_CHECK_INT(count_frames(slow.text, "delete", &last), 1);
    updates = count_frames(slow.text, "update", &last);
    NP_CHECK(updates >= 7);
    NP_CHECK_INT(last, 2990);
    NP_CHECK(count_frames(slow.text, "log", &last) < 2700);
    NP_CHECK_INT(last, 2999);
    NP_CHECK_INT(rig.app->http_queues.used, 0);
    NP_CHECK(publish(&rig, NP_HTTP_EVENT_UPDATE, 1, 5000, 2));
    rig_read_all(&rig, &slow);
    NP_CHECK_INT(count_frames(slow.text, "update", &last), updates + 1);
    rig_hang_up(&rig, &slow);
    rig_hang_up(&rig, &quick);
    rig_close(&rig);
}

NP_TEST(http_stream, slow_subscriber)
{
    check_slow(false);
}

NP_TEST(http_stream, slow_subscriber_tls)
{
    check_slow(true);
}

/* The first records of a long list are still on their way when events come. */
NP_TEST(http_stream, events_behind_initial)
{
    struct rig rig;
    struct rig_client client;
    uint32_t last = 0;

    rig_open(&rig, false, 4096);
    rig.big_count = 200;
    rig.element_len = 1000;
    rig_connect(&rig, &client);
    rig_send(&rig, &client, GET("/events"));
    NP_CHECK(publish(&rig, NP_HTTP_EVENT_UPDATE, 1, 1, 10));
    NP_CHECK(publish(&rig, NP_HTTP_EVENT_UPDATE, 1, 2, 10));
    rig_read_all(&rig, &client);
    NP_CHECK_INT(rig_count(client.text, FRAME "{\"at\":"), 200);
    NP_CHECK_INT(count_frames(client.text, "update", &last), 2);
    NP_CHECK(strstr(client.text, "{\"type\":\"update\",\"n\":1") >
             strstr(client.text, "{\"at\":199,"));
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* More sleepers than queues: the rest is cut, nobody else notices. */
NP_TEST(http_stream, more_slow_ones_than_queues)
{
    enum { SLEEPERS = NP_MAX_HTTP_QUEUES + 5 };
    struct rig rig;
    static struct rig_client slow[SLEEPERS];
    struct rig_client quick;
    uint32_t last = 0;

    rig_open(&rig, false, 4096);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        rig_connect(&rig, &slow[i]);
        rig_ask(&rig, &slow[i], GET("/events"));
    }
    rig_connect(&rig, &quick);
    rig_ask(&rig, &quick, GET("/events"));
    NP_CHECK_INT(rig.server.streams.count, SLEEPERS + 1);
    for (uint32_t i = 0; i < 100; i++) {
        publish(&rig, NP_HTTP_EVENT_UPDATE, i % 5, i, 400);
        rig_run(&rig, 2);
        rig_read(&rig, &quick, UINT32_MAX);
    }
    rig_read_all(&rig, &quick);
    NP_CHECK_INT(count_frames(quick.text, "update", &last), 100);
    NP_CHECK_INT(rig.server.streams.count, NP_MAX_HTTP_QUEUES + 1);
    NP_CHECK_INT(rig.app->http_queues.used, NP_MAX_HTTP_QUEUES);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        rig_hang_up(&rig, &slow[i]);
    }
    rig_hang_up(&rig, &quick);
    rig_close(&rig);
}

NP_TEST(http_stream, sleepers_are_cut_at_the_stop)
{
    struct rig rig;
    struct rig_client slow;

    rig_open(&rig, false, 4096);
    rig_connect(&rig, &slow);
    rig_ask(&rig, &slow, GET("/events"));
    for (uint32_t i = 0; i < 100; i++) {
        publish(&rig, NP_HTTP_EVENT_UPDATE, i % 5, i, 400);
        rig_run(&rig, 2);
    }
    np_http_server_stop(&rig.server);
    NP_CHECK(!np_http_server_is_stopped(&rig.server));
    rig_run(&rig, 1100);
    NP_CHECK(np_http_server_is_stopped(&rig.server));
    rig_hang_up(&rig, &slow);
    rig_close(&rig);
}
