/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens at the server's limits: tables, sizes, deadlines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/http_server.h"
#include "tests/unit/http_rig.h"
#include "tests/unit/np_test.h"

#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define HAS(text, part) NP_CHECK(strstr((text), (part)) != NULL)
#define LACKS(text, part) NP_CHECK(strstr((text), (part)) == NULL)

static const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return body == NULL ? "" : body + 4;
}

/* Large bodies that never come hold no more than their share; small ones are served meanwhile. */
NP_TEST(http_limits, all_large_bodies_in_use)
{
    struct rig rig;
    struct rig_client slow[NP_MAX_HTTP_BODIES], client;
    static char part[9000];

    rig_open(&rig, false, 65536);
    memset(part, 'x', sizeof part - 1);
    for (uint32_t i = 0; i < NP_MAX_HTTP_BODIES; i++) {
        rig_connect(&rig, &slow[i]);
        rig_send(&rig, &slow[i], "PUT / HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
        rig_send(&rig, &slow[i], part);
        rig_send(&rig, &slow[i], part);
    }
    NP_CHECK_INT(rig.app->http_bodies.used, NP_MAX_HTTP_BODIES);
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"), "200 OK");
    rig_send(&rig, &client, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
    rig_send(&rig, &client, part);
    rig_send(&rig, &client, part);
    rig_read_all(&rig, &client);
    HAS(client.text, "503 Service Unavailable");
    rig_hang_up(&rig, &client);
    rig_run(&rig, NP_HTTP_BODY_MS);
    for (uint32_t i = 0; i < NP_MAX_HTTP_BODIES; i++) {
        rig_read_all(&rig, &slow[i]);
        HAS(slow[i].text, "408 Request Timeout");
        rig_hang_up(&rig, &slow[i]);
    }
    NP_CHECK_INT(rig.app->http_bodies.used, 0);
    for (uint32_t i = 0; i < NP_HTTP_BODY_MAX * rig.app->http_bodies.fresh; i++) {
        if (rig.app->http_bodies.mem[i] == 'x') {
            NP_CHECK(!"a body is wiped");
            break;
        }
    }
    rig_close(&rig);
}

NP_TEST(http_limits, one_too_many)
{
    struct rig rig;
    struct rig_client clients[NP_MAX_HTTP_CONNS + 1];

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i <= NP_MAX_HTTP_CONNS; i++) {
        rig_connect(&rig, &clients[i]);
        if (i % 2 == 0) {
            HAS(rig_ask(&rig, &clients[i], GET("/x")),
                i < NP_MAX_HTTP_CONNS ? "200 OK" : "503 Service Unavailable");
        }
    }
    const struct rig_client *last = &clients[NP_MAX_HTTP_CONNS];
    const char *length = strstr(last->text, "Content-Length: ");
    NP_CHECK(length != NULL && (size_t)atoi(length + 16) == strlen(body_of(last->text)));
    NP_CHECK(last->is_closed && last->end == NP_ERR_EOF);
    NP_CHECK_INT(rig.server.conns.count, NP_MAX_HTTP_CONNS);
    rig_hang_up(&rig, &clients[NP_MAX_HTTP_CONNS]);
    rig_hang_up(&rig, &clients[0]);
    rig_connect(&rig, &clients[0]);
    HAS(rig_ask(&rig, &clients[0], GET("/x")), "200 OK");
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_hang_up(&rig, &clients[i]);
    }
    rig_run(&rig, 100);
    NP_CHECK_INT(rig.app->http_conns.used, 0);
    rig_close(&rig);
}

/* A table full of slow or silent clients lets a new one in, at the cost of the slowest. */
NP_TEST(http_limits, slow_ones_give_way)
{
    struct rig rig;
    struct rig_client slow[NP_MAX_HTTP_CONNS], client;

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_connect(&rig, &slow[i]);
        if (i == 0) {
            HAS(rig_ask(&rig, &slow[i], GET("/x")), "200 OK"); /* idle, but known: stays */
        } else if (i == 1) {
            rig_send(&rig, &slow[i], "GET /slow HTTP/1.1\r\nX: ");
        } else if (i % 2 == 0) {
            rig_send(&rig, &slow[i], "PUT / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n");
        }
    }
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "503 Service Unavailable");
    rig_hang_up(&rig, &client);
    rig_run(&rig, NP_HTTP_GRACE_MS);
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "200 OK");
    rig_read_all(&rig, &slow[1]);
    HAS(slow[1].text, "408 Request Timeout");
    NP_CHECK_INT(rig.server.conns.count, NP_MAX_HTTP_CONNS);
    HAS(rig_ask(&rig, &slow[0], GET("/x")), "200 OK");
    rig_hang_up(&rig, &client);
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_hang_up(&rig, &slow[i]);
    }
    rig_close(&rig);
}

/* A table full of idle connections too: the longest idle goes, those without the key before others.
 */
NP_TEST(http_limits, idle_ones_give_way)
{
    struct rig rig;
    struct rig_client idle[NP_MAX_HTTP_CONNS], client;

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_connect(&rig, &idle[i]);
        HAS(rig_ask(&rig, &idle[i], i % 2 == 0 ? GET("/known") : GET("/x")), "200 OK");
    }
    rig_run(&rig, NP_HTTP_REST_MS);
    rig_forget(&idle[1]);
    HAS(rig_ask(&rig, &idle[1], GET("/x")), "200 OK"); /* not idle for long now */
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "200 OK");
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_read_all(&rig, &idle[i]);
        NP_CHECK_INT(idle[i].is_closed, i == 3);
    }
    NP_CHECK_INT(rig.server.conns.count, NP_MAX_HTTP_CONNS);
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_hang_up(&rig, &idle[i]);
    }
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* Hundreds of slow clients that come again and again: a quick one gets through all the same. */
NP_TEST(http_limits, crowd_of_slow_ones)
{
    enum { CROWD = 400 };
    struct rig rig;
    static struct rig_client slow[CROWD];
    struct rig_client client;
    uint32_t served = 0;

    rig_open(&rig, false, 4096);
    for (uint32_t i = 0; i < CROWD; i++) {
        rig_connect(&rig, &slow[i]);
        rig_send(&rig, &slow[i], "GET /slow");
    }
    NP_CHECK(rig.server.is_crowded);
    NP_CHECK(rig.app->http_conns.used <= NP_MAX_HTTP_CONNS + NP_MAX_HTTP_STREAMS);
    for (uint32_t i = 0; i < 100; i++) {
        rig_hang_up(&rig, &slow[i]);
        rig_connect(&rig, &slow[i]);
        rig_send(&rig, &slow[i], "GET /slow");
        rig_connect(&rig, &client);
        served += strstr(rig_ask(&rig, &client, GET("/x")), "200 OK") != NULL ? 1u : 0;
        rig_hang_up(&rig, &client);
    }
    NP_CHECK(served >= 95);
    for (uint32_t i = 0; i < CROWD; i++) {
        rig_hang_up(&rig, &slow[i]);
    }
    rig_close(&rig);
}

NP_TEST(http_limits, deadlines)
{
    struct rig rig;
    struct rig_client silent, slow, second, idle, stuck;

    rig_open(&rig, false, 4096);
    rig_connect(&rig, &silent);
    rig_connect(&rig, &slow);
    rig_connect(&rig, &idle);
    rig_connect(&rig, &stuck);
    rig_connect(&rig, &second);
    HAS(rig_ask(&rig, &idle, GET("/x")), "200 OK");
    HAS(rig_ask(&rig, &second, GET("/x") "GET "), "200 OK");
    rig.big_count = 10000;
    rig_send(&rig, &stuck, GET("/big"));
    for (uint32_t i = 0; i < 9; i++) { /* a byte a second does not help */
        rig_send(&rig, &slow, i == 0 ? "GET / " : "X");
        rig_run(&rig, 1000);
    }
    NP_CHECK_INT(rig_read(&rig, &slow, 10000), 0);
    rig_run(&rig, 2000);
    rig_read_all(&rig, &silent);
    NP_CHECK(silent.is_closed && silent.len == 0);
    rig_read_all(&rig, &slow);
    HAS(slow.text, "HTTP/1.1 408 Request Timeout");
    NP_CHECK(slow.is_closed);
    rig_read_all(&rig, &second);
    HAS(second.text, "HTTP/1.1 408 Request Timeout");
    rig_hang_up(&rig, &second);
    NP_CHECK_INT(rig.server.conns.count, 2);
    rig_run(&rig, 10000);
    NP_CHECK_INT(rig.server.conns.count, 1); /* the stuck one is cut */
    NP_CHECK_INT(rig.app->http_outs.used, 0);
    rig_run(&rig, NP_HTTP_IDLE_MS - 25000);
    NP_CHECK_INT(rig.server.conns.count, 1);
    rig_run(&rig, 5000);
    NP_CHECK_INT(rig.server.conns.count, 0);
    rig_read_all(&rig, &idle);
    NP_CHECK(idle.is_closed && idle.end == NP_ERR_EOF);
    rig_hang_up(&rig, &silent);
    rig_hang_up(&rig, &slow);
    rig_hang_up(&rig, &idle);
    rig_hang_up(&rig, &stuck);
    rig_close(&rig);
}

/* The table is full of streams and of requests: the next one is closed, until one gives way. */
NP_TEST(http_limits, no_place_at_all)
{
    enum { ALL = NP_MAX_HTTP_CONNS + NP_MAX_HTTP_STREAMS };
    struct rig rig;
    static struct rig_client clients[ALL + 1];
    struct rig_client *last = &clients[ALL];

    rig_open(&rig, false, 4096);
    rig.big_count = 1;
    for (uint32_t i = 0; i < ALL; i++) {
        rig_connect(&rig, &clients[i]);
        if (i < NP_MAX_HTTP_STREAMS) {
            HAS(rig_ask(&rig, &clients[i], GET("/events")), "200 OK");
        } else if (i < ALL - 1) {
            rig_send(&rig, &clients[i], "GET /slow");
        }
    }
    NP_CHECK_INT(rig.server.streams.count, NP_MAX_HTTP_STREAMS);
    HAS(rig_ask(&rig, &clients[ALL - 1], GET("/events")), "503 Service Unavailable");
    NP_CHECK_STR(body_of(clients[ALL - 1].text), "{\"error\":\"Too many event streams\"}\n");
    rig_connect(&rig, last);
    rig_read_all(&rig, last);
    NP_CHECK(last->is_closed && last->len == 0);
    rig_hang_up(&rig, &clients[0]);
    rig_hang_up(&rig, last);
    rig_connect(&rig, last);
    HAS(rig_ask(&rig, last, GET("/x")), "503 Service Unavailable");
    rig_hang_up(&rig, last);
    rig_connect(&rig, &clients[0]);
    HAS(rig_ask(&rig, &clients[0], GET("/events")), "503 Service Unavailable");
    rig_run(&rig, NP_HTTP_GRACE_MS + NP_HTTP_LINGER_MS);
    rig_connect(&rig, last);
    HAS(rig_ask(&rig, last, GET("/x")), "200 OK");
    for (uint32_t i = 0; i <= ALL; i++) {
        rig_hang_up(&rig, &clients[i]);
    }
    rig_close(&rig);
}

/* Whatever the server itself answers about a path that the API has may be read by scripts of other
 * origins. */
NP_TEST(http_limits, refusals_of_routes_have_cors)
{
    static const struct {
        const char *request, *status;
        bool has_cors;
    } rows[] = {
        {"PUT /x HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\n", "413 ", true},
        {"PUT /unmatched HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\n", "413 ", false},
        {"PUT /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", "400 ", true},
        {"PUT /unmatched HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", "400 ", false},
        {"PUT /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab", "408 ", true},
        {"GET /x HTTP/1.1\r\n" HOST "x", "408 ", true},
        {"PUT /unmatched HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab", "408 ", false},
        {"GET /x", "408 ", false}, /* who knows how it would have gone on */
    };
    struct rig_client client;
    struct rig rig;

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("row %u", i);
        rig_connect(&rig, &client);
        rig_send(&rig, &client, rows[i].request);
        rig_run(&rig, NP_HTTP_BODY_MS + 1000);
        rig_read_all(&rig, &client);
        HAS(client.text, rows[i].status);
        NP_CHECK_INT(rig_count(client.text, "Access-Control-Allow-Origin: *\r\n"),
                     rows[i].has_cors);
        rig_hang_up(&rig, &client);
    }
    rig_close(&rig);
}

/* More requests at once than one turn of the loop serves. */
NP_TEST(http_limits, many_requests_at_once)
{
    enum { COUNT = 400 };
    struct rig rig;
    struct rig_client client;
    static char stream[COUNT * 64];

    stream[0] = '\0';
    for (uint32_t i = 0; i < COUNT; i++) {
        strcat(stream, GET("/x"));
    }
    for (uint32_t round = 0; round < 8; round++) {
        rig_open(&rig, round > 0, 200000);
        if (round == 0) {
            rig_connect(&rig, &client);
            rig_send(&rig, &client, stream);
        } else { /* records that end inside requests: a turn may end at any step of one */
            rig_connect_tls(&rig, &client);
            rig_send_records(&rig, &client, stream, 29 + round * 17);
        }
        rig_read_all(&rig, &client);
        NP_CHECK_INT(rig_count(client.text, "200 OK"), COUNT);
        rig_hang_up(&rig, &client);
        rig_close(&rig);
    }
}

/* An element that never fits ends the connection, not the server. */
NP_TEST(http_limits, piece_too_long)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig.element_len = NP_HTTP_PIECE_MAX + 10;
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/big")), "500 Internal");
    HAS(rig.log, "longer than");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* A part that never fits shows up in the middle of a list: that connection ends, by a reset. */
NP_TEST(http_limits, piece_too_long_in_the_middle)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 4096);
    rig.big_count = 5000;
    rig_connect(&rig, &client);
    rig_send(&rig, &client, GET("/big"));
    rig.element_len = NP_HTTP_PIECE_MAX + 10;
    rig_read_all(&rig, &client);
    NP_CHECK(client.is_closed && client.end == NP_ERR_RESET);
    NP_CHECK(!rig_unchunk(client.text));
    HAS(rig.log, "longer than");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_limits, refuses_bad_requests)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400 "},
        {"GET / HTTP/1.1\n\n", "400 "},
        {"\x16\x03\x01\x02\x03", "400 "},
        {"GET / HTTP/3.0\r\n\r\n", "505 "},
        {"GET / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n", "417 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", "501 "},
    };
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_connect(&rig, &client);
        const char *text = rig_ask(&rig, &client, rows[i].request);
        np_test_context("%s", rows[i].request);
        NP_CHECK(strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, rows[i].status, 4) == 0);
        HAS(text, "Connection: close\r\n");
        HAS(text, "{\"error\":\"");
        NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
        rig_hang_up(&rig, &client);
    }
    NP_CHECK_INT(rig.requests, 0);
    rig_close(&rig);
}
