/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

NP_TEST(http_server, answers)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    const char *text = rig_ask(&rig, &client, GET("/x"));
    HAS(text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    HAS(text, "\r\nContent-Length: 33\r\n");
    LACKS(text, "Connection:");
    NP_CHECK_STR(body_of(text), "{\"path\":\"/x\",\"length\":0,\"sum\":0}\n");
    NP_CHECK_INT(rig_count(text, "Access-Control-Allow-Origin: *\r\n"), 1);
    NP_CHECK_INT(rig_count(text, "Access-Control-Allow-Methods: GET, PATCH, POST, PUT, DELETE, "
                                 "OPTIONS\r\n"),
                 1);
    NP_CHECK_INT(rig_count(text, "Access-Control-Allow-Headers: Content-Type, Authorization, "
                                 "X-API-Key, Cache-Control\r\n"),
                 1);
    text = rig_ask(&rig, &client, GET("/error"));
    HAS(text, "HTTP/1.1 400 Bad Request\r\n");
    NP_CHECK_STR(body_of(text), "{\"error\":\"Bad \\u003cthing\\u003e\"}\n");
    text = rig_ask(&rig, &client, GET("/empty"));
    HAS(text, "HTTP/1.1 204 No Content\r\n");
    LACKS(text, "Content-Length");
    LACKS(text, "Content-Type:");
    NP_CHECK_STR(body_of(text), "");
    text = rig_ask(&rig, &client, GET("/unmatched"));
    HAS(text, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n");
    LACKS(text, "Access-Control");
    NP_CHECK_STR(body_of(text), "404 page not found\n");
    text = rig_ask(&rig, &client, GET("/long"));
    HAS(text, "HTTP/1.1 500 ");
    NP_CHECK_STR(body_of(text), "{\"error\":\"Answer too long\"}\n");
    NP_CHECK(!client.is_closed);
    NP_CHECK_INT(rig.requests, 5);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, redirects_to_the_clean_path)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    const char *text = rig_ask(&rig, &client, GET("//a/../b/\\?q=\"1\"&r=%20"));
    HAS(text, "HTTP/1.1 301 Moved Permanently\r\n");
    HAS(text, "\r\nLocation: /b/%5C?q=%221%22&r=%20\r\n");
    HAS(text, "\r\nContent-Length: 0\r\n");
    NP_CHECK_STR(body_of(text), "");
    char path[8100] = "GET //";
    memset(path + 6, '"', 8000);
    strcpy(path + 8006, " HTTP/1.1\r\n" HOST "\r\n");
    text = rig_ask(&rig, &client, path);
    NP_CHECK_INT(rig_count(text, "%22"), 8000);
    HAS(rig_ask(&rig, &client, GET("/x")), "200 OK");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, head_gets_no_body)
{
    static const char *const paths[] = {"/x", "/big", "/page", "/error"};
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    for (uint32_t round = 0; round < 8; round++) {
        char request[64];
        rig.big_count = round < 4 ? 3 : 30000;
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\n" HOST "\r\n", paths[round % 4]);
        const char *text = rig_ask(&rig, &client, request);
        np_test_context("%s", request);
        HAS(text, "HTTP/1.1 ");
        NP_CHECK_STR(body_of(text), "");
        NP_CHECK(strstr(text, round == 5 ? "Transfer-Encoding" : "Content-Length") != NULL);
    }
    HAS(rig_ask(&rig, &client, GET("/x")), "\"path\":\"/x\"");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, documents)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    const char *text = rig_ask(&rig, &client, GET("/page"));
    HAS(text, "Content-Type: text/html; charset=utf-8\r\n");
    HAS(text, "ETag: \"v1\"\r\n");
    HAS(text, "Content-Encoding: gzip\r\n");
    HAS(text, "Content-Length: 6\r\n");
    NP_CHECK_STR(body_of(text), "\x1f\x8bgzip");
    text = rig_ask(&rig, &client,
                   "GET /page HTTP/1.1\r\n" HOST "If-None-Match: \"v0\", W/\"v1\"\r\n\r\n");
    HAS(text, "HTTP/1.1 304 Not Modified\r\n");
    HAS(text, "ETag: \"v1\"\r\n");
    LACKS(text, "Content-Length");
    LACKS(text, "Content-Encoding");
    NP_CHECK_STR(body_of(text), "");
    text = rig_ask(&rig, &client, "GET /page HTTP/1.1\r\n" HOST "If-None-Match: \"v10\"\r\n\r\n");
    HAS(text, "HTTP/1.1 200 OK\r\n");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* A list of `count` elements is whole JSON with all of them, however slow it is read. */
static void check_list(struct rig *rig, struct rig_client *client, uint32_t count, uint32_t piece,
                       const char *request)
{
    struct np_json_value root;
    struct np_json_iter it;
    uint32_t seen = 0;

    rig->big_count = count;
    rig_forget(client);
    rig_send(rig, client, request);
    for (uint32_t quiet = 0; quiet < 25 && !client->is_closed; quiet++) {
        rig_run(rig, 1);
        quiet = rig_read(rig, client, piece) > 0 ? 0 : quiet;
    }
    if (strstr(client->text, "Transfer-Encoding: chunked") != NULL) {
        NP_CHECK(rig_unchunk(client->text));
    } else if (strstr(client->text, "Content-Length:") != NULL) {
        NP_CHECK_INT(atoi(strstr(client->text, "Content-Length:") + 15),
                     strlen(body_of(client->text)));
    }
    const char *body = body_of(client->text);
    NP_CHECK(strlen(body) > 0 && body[strlen(body) - 1] == '\n');
    NP_CHECK_INT(np_json_parse(np_slice_of(body), &root), NP_OK);
    NP_CHECK_INT(root.text.len, strlen(body) - 1);
    for (bool more = np_json_first(&it, &root); more; more = np_json_next(&it)) {
        struct np_json_value at;
        uint64_t number = 0;
        NP_CHECK(np_json_find(&it.value, "at", &at));
        NP_CHECK_INT(np_json_uint(&at, UINT64_MAX, &number), NP_OK);
        NP_CHECK_INT(number, seen++);
    }
    NP_CHECK_INT(seen, count);
}

NP_TEST(http_server, lists_of_any_length)
{
    static const uint32_t counts[] = {0, 1, 3, 100, 700, 3000};
    static const uint32_t lens[] = {2, 10, 1000, 30000};
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 20000);
    rig_connect(&rig, &client);
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t k = 0; k < 4; k++) {
            if (counts[i] * lens[k] < 2000000) {
                rig.element_len = lens[k];
                np_test_context("%u of %u", counts[i], lens[k]);
                check_list(&rig, &client, counts[i], UINT32_MAX, GET("/big"));
            }
        }
    }
    rig.element_len = 100;
    check_list(&rig, &client, 600, 3000, GET("/big"));
    NP_CHECK(!client.is_closed);
    rig_hang_up(&rig, &client);
    for (uint32_t i = 0; i < 2; i++) {
        rig_connect(&rig, &client);
        check_list(&rig, &client, i * 1000, UINT32_MAX, "GET /big HTTP/1.0\r\n\r\n");
        LACKS(client.text, "Transfer-Encoding");
        NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
        rig_hang_up(&rig, &client);
    }
    rig_close(&rig);
}

NP_TEST(http_server, requests_in_pieces_and_in_a_row)
{
    static const char stream[] =
        GET("/1") "\r\nPOST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" GET(
            "/big") "PUT /3 HTTP/1.1\r\n" HOST
                    "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0"
                    "\r\n\r\n" GET("/4") "GET /5 HTTP/1.1\r\n" HOST
                                         "Connection: close\r\n\r\n" GET("/6");
    static const uint32_t steps[] = {1, 2, 3, 7, 50, sizeof stream};
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    for (uint32_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rig_connect(&rig, &client);
        for (uint32_t at = 0; at < sizeof stream - 1; at += steps[i]) {
            uint32_t left = (uint32_t)sizeof stream - 1 - at;
            rig_send_bytes(&rig, &client, stream + at, left < steps[i] ? left : steps[i]);
        }
        rig_read_all(&rig, &client);
        np_test_context("step %u", steps[i]);
        NP_CHECK_INT(rig_count(client.text, "HTTP/1.1 200 OK"), 6);
        HAS(client.text, "{\"path\":\"/2\",\"length\":3,\"sum\":96354}");
        HAS(client.text, "{\"path\":\"/3\",\"length\":3,\"sum\":96354}");
        NP_CHECK_INT(rig_count(client.text, "Connection: close\r\n"), 1);
        LACKS(client.text, "/6");
        NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
        rig_hang_up(&rig, &client);
    }
    NP_CHECK_INT(rig.requests, 36);
    rig_close(&rig);
}

NP_TEST(http_server, bodies)
{
    struct rig rig;
    struct rig_client client;
    static char request[NP_HTTP_BODY_MAX + 256];

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    static const uint32_t sizes[] = {1, 2000, 2048, 3000, NP_HTTP_BODY_MAX};
    for (uint32_t i = 0; i < 5; i++) {
        int len = snprintf(request, sizeof request,
                           "PUT / HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", sizes[i]);
        char wanted[32];
        memset(request + len, 'x', sizes[i]);
        request[(uint32_t)len + sizes[i]] = '\0';
        snprintf(wanted, sizeof wanted, "\"length\":%u,", sizes[i]);
        HAS(rig_ask(&rig, &client, request), wanted);
        NP_CHECK_INT(rig.app->http_bodies.used, 0);
        NP_CHECK_INT(rig.app->http_ins.used, 0);
        NP_CHECK_INT(rig.app->http_outs.used, 0);
    }
    const char *text =
        rig_ask(&rig, &client,
                "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    NP_CHECK_STR(text, "HTTP/1.1 100 Continue\r\n\r\n");
    HAS(rig_ask(&rig, &client, "abc"), "\"length\":3,");
    text = rig_ask(&rig, &client, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n");
    HAS(text, "HTTP/1.1 413 ");
    HAS(text, "Connection: close\r\n");
    NP_CHECK_STR(body_of(text), "{\"error\":\"request body too large\"}\n");
    NP_CHECK(client.is_closed);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, answers_later)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    NP_CHECK_STR(rig_ask(&rig, &client, GET("/later?target=t") GET("/next")), "");
    struct np_http_conn *conn = np_http_conn_get(&rig.server, rig.later);
    NP_CHECK(conn != NULL);
    NP_CHECK(np_slice_is(np_http_conn_request(conn)->query, "target=t"));
    NP_CHECK_INT(np_http_conn_peer(conn)->family, NP_FAMILY_IP4);
    np_http_reply_error(conn, 400, "late");
    NP_CHECK(np_http_conn_get(&rig.server, rig.later) == NULL);
    rig_read_all(&rig, &client);
    HAS(client.text, "{\"error\":\"late\"}\nHTTP/1.1 200 OK");
    HAS(client.text, "\"path\":\"/next\"");
    rig_ask(&rig, &client, GET("/later"));
    NP_CHECK(np_http_conn_get(&rig.server, rig.later) != NULL);
    np_plat_tcp_abort(rig.plat, client.handle);
    rig_run(&rig, 10);
    NP_CHECK(np_http_conn_get(&rig.server, rig.later) == NULL);
    NP_CHECK_INT(rig.app->http_ins.used, 0);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* The client ended its direction right behind the request: it still gets the answer. */
NP_TEST(http_server, half_closed_client)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    NP_CHECK(np_plat_tcp_send(rig.plat, client.handle, (const uint8_t *)GET("/x"),
                              sizeof GET("/x") - 1) > 0);
    np_plat_tcp_shutdown_tx(rig.plat, client.handle);
    rig_read_all(&rig, &client);
    HAS(client.text, "200 OK");
    NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, answers_once)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    rig_ask(&rig, &client, GET("/later"));
    struct np_http_conn *conn = np_http_conn_get(&rig.server, rig.later);
    np_http_reply_error(conn, 400, "one");
    np_http_reply_error(conn, 400, "two");
    rig_read_all(&rig, &client);
    NP_CHECK_INT(rig_count(client.text, "HTTP/1.1"), 1);
    HAS(rig.log, "answered twice");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

static bool has_bytes(const uint8_t *mem, uint32_t len, const char *text)
{
    for (uint32_t i = 0; i + strlen(text) <= len; i++) {
        if (memcmp(mem + i, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing that a request or an answer held can be found in the buffers' memory afterwards. */
NP_TEST(http_server, wipes_secrets)
{
    struct rig rig;
    struct rig_client client;
    static const char secret[] = "0123456789abcdef-secret";
    char request[256];

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\n" HOST "X-API-Key: %s\r\n\r\n", secret,
             secret);
    HAS(rig_ask(&rig, &client, request), secret);
    const struct np_pool *pools[] = {&rig.app->http_ins, &rig.app->http_outs};
    for (uint32_t i = 0; i < 2; i++) {
        NP_CHECK(pools[i]->fresh > 0);
        NP_CHECK(!has_bytes(pools[i]->mem, pools[i]->stride * pools[i]->fresh, secret));
    }
    LACKS(rig.log, secret);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, old_client_keeps_the_connection)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    rig_connect(&rig, &client);
    for (uint32_t i = 0; i < 2; i++) {
        HAS(rig_ask(&rig, &client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "\r\nConnection: keep-alive\r\n");
        NP_CHECK(!client.is_closed);
    }
    rig_ask(&rig, &client, "GET /x HTTP/1.0\r\n\r\n");
    NP_CHECK(client.is_closed);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_server, door_in_use)
{
    struct np_http_server other;
    struct np_http_hooks hooks = {0};
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, false, 65536);
    NP_CHECK_INT(np_http_server_open(&other, &rig.master, &rig.at, &hooks), NP_ERR_ADDR_IN_USE);
    NP_CHECK(np_http_server_is_stopped(&other));
    np_http_server_close(&other);
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "200 OK");
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* Closed at once in the middle of everything: all memory and handles come back (rig_close
 * looks). */
NP_TEST(http_server, closes_at_once)
{
    static const char *const requests[] = {"",          "GET /",       GET("/x"),
                                           GET("/big"), GET("/later"), GET("/events")};
    struct rig rig;
    struct rig_client clients[6];

    for (int has_tls = 0; has_tls < 2; has_tls++) {
        rig_open(&rig, has_tls, 4096);
        rig.big_count = 5000;
        for (uint32_t i = 0; i < 6; i++) {
            (has_tls ? rig_connect_tls : rig_connect)(&rig, &clients[i]);
            if (i > 0) {
                rig_send(&rig, &clients[i], requests[i]);
            }
        }
        np_http_server_close(&rig.server);
        for (uint32_t i = 0; i < 6; i++) {
            rig_hang_up(&rig, &clients[i]);
        }
        rig_close(&rig);
    }
}

NP_TEST(http_server, stops_gracefully)
{
    struct rig rig;
    struct rig_client idle, busy, later;

    rig_open(&rig, false, 4096);
    rig_connect(&rig, &idle);
    rig_connect(&rig, &busy);
    rig_connect(&rig, &later);
    rig.big_count = 2000;
    rig_send(&rig, &busy, GET("/big"));
    rig_send(&rig, &later, GET("/later"));
    np_http_server_stop(&rig.server);
    np_http_server_stop(&rig.server);
    rig_read_all(&rig, &idle);
    NP_CHECK(idle.is_closed && idle.len == 0);
    rig_read_all(&rig, &busy);
    NP_CHECK(busy.is_closed && rig_unchunk(busy.text));
    NP_CHECK(!np_http_server_is_stopped(&rig.server));
    np_http_reply_empty(np_http_conn_get(&rig.server, rig.later), 200);
    rig_read_all(&rig, &later);
    HAS(later.text, "200 OK");
    NP_CHECK(later.is_closed);
    rig_hang_up(&rig, &idle);
    rig_hang_up(&rig, &busy);
    rig_hang_up(&rig, &later);
    rig_run(&rig, 10);
    NP_CHECK(np_http_server_is_stopped(&rig.server));
    rig_close(&rig);
}
