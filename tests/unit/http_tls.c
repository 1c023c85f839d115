/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/http_server.h"
#include "tests/unit/http_rig.h"
#include "tests/unit/np_test.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define HAS(text, part) NP_CHECK(strstr((text), (part)) != NULL)

NP_TEST(http_tls, requests)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, true, 20000);
    rig_connect_tls(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "\"path\":\"/x\"");
    NP_CHECK_INT(rig_count(rig_ask(&rig, &client, GET("/1") GET("/2") GET("/3")), "200 OK"), 3);
    rig.big_count = 500;
    rig.element_len = 1000;
    rig_ask(&rig, &client, GET("/big"));
    NP_CHECK(rig_unchunk(client.text));
    HAS(client.text, "{\"at\":499,");
    NP_CHECK_INT(rig.app->handshakes.used, 0);
    NP_CHECK_INT(rig.app->records.used, 0);
    NP_CHECK_INT(rig.app->http_ins.used, 0);
    rig_ask(&rig, &client, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    HAS(client.text, "200 OK");
    NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

/* A record with half a request, then one with the rest and two more. */
NP_TEST(http_tls, records_and_requests_do_not_align)
{
    struct rig rig;
    struct rig_client client;
    static const char stream[] = GET("/1") GET("/2") GET("/3");

    rig_open(&rig, true, 20000);
    for (uint32_t at = 1; at < sizeof stream - 1; at += 5) {
        rig_connect_tls(&rig, &client);
        rig_send_bytes(&rig, &client, stream, at);
        rig_send_bytes(&rig, &client, stream + at, (uint32_t)sizeof stream - 1 - at);
        rig_read_all(&rig, &client);
        np_test_context("at %u", at);
        NP_CHECK_INT(rig_count(client.text, "200 OK"), 3);
        rig_hang_up(&rig, &client);
    }
    rig_close(&rig);
}

NP_TEST(http_tls, empty_records_and_slow_ends)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, true, 300);
    rig_connect_tls(&rig, &client);
    rig_send_bytes(&rig, &client, "", 0);
    rig_send(&rig, &client, "GET /x HTTP/1.1\r\n");
    rig_send_bytes(&rig, &client, "", 0);
    HAS(rig_ask(&rig, &client, "Host: h\r\n\r\n"), "200 OK");
    rig.big_count = 5;
    rig_ask(&rig, &client, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    HAS(client.text, "{\"at\":4,");
    NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_tls, plain_http)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, true, 20000);
    rig_connect(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "HTTP/1.0 400 Bad Request\r\n");
    HAS(client.text, "Content-Type: text/plain");
    HAS(client.text, "\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    NP_CHECK(client.is_closed && client.end == NP_ERR_EOF);
    NP_CHECK_INT(rig.requests, 0);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_tls, silent_and_broken_handshakes)
{
    struct rig rig;
    struct rig_client silent, broken, client;

    rig_open(&rig, true, 20000);
    rig_connect(&rig, &silent);
    rig_connect(&rig, &broken);
    NP_CHECK_INT(rig.app->channels.used, 0); /* no memory before the first byte */
    rig_send_bytes(&rig, &broken, "\x16\x03\x01\x00\x05hello", 10);
    rig_read_all(&rig, &broken);
    NP_CHECK(broken.is_closed);
    rig_connect_tls(&rig, &client);
    HAS(rig_ask(&rig, &client, GET("/x")), "200 OK");
    rig_run(&rig, NP_HTTP_HEAD_MS + 100);
    rig_read_all(&rig, &silent);
    NP_CHECK(silent.is_closed && silent.len == 0);
    NP_CHECK_INT(rig.server.conns.count, 1);
    rig_hang_up(&rig, &silent);
    rig_hang_up(&rig, &broken);
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}

NP_TEST(http_tls, one_too_many)
{
    struct rig rig;
    static struct rig_client clients[NP_MAX_HTTP_CONNS];
    struct rig_client last;

    rig_open(&rig, true, 20000);
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_connect_tls(&rig, &clients[i]);
    }
    rig_connect_tls(&rig, &last);
    rig_read_all(&rig, &last);
    HAS(last.text, "HTTP/1.1 503 Service Unavailable\r\n");
    NP_CHECK(last.is_closed && last.end == NP_ERR_EOF);
    HAS(rig_ask(&rig, &clients[0], GET("/x")), "200 OK");
    for (uint32_t i = 0; i < NP_MAX_HTTP_CONNS; i++) {
        rig_hang_up(&rig, &clients[i]);
    }
    rig_hang_up(&rig, &last);
    rig_close(&rig);
}

/* The peer goes away in every phase: everything comes back. */
NP_TEST(http_tls, resets)
{
    struct rig rig;
    struct rig_client client;

    rig_open(&rig, true, 4096);
    rig.big_count = 1000;
    rig.element_len = 100;
    for (uint32_t phase = 0; phase < 5; phase++) {
        (phase == 0 ? rig_connect : rig_connect_tls)(&rig, &client);
        if (phase == 0) {
            rig_send_bytes(&rig, &client, "\x16\x03\x01", 3);
        } else if (phase > 1) {
            rig_send(&rig, &client,
                     phase == 2   ? "GET /"
                     : phase == 3 ? GET("/big")
                                  : GET("/events"));
        }
        np_plat_tcp_abort(rig.plat, client.handle);
        rig_run(&rig, 50);
        NP_CHECK_INT(rig.app->http_conns.used, 0);
        rig_hang_up(&rig, &client);
        NP_CHECK_INT(rig.app->channels.used, 0);
        NP_CHECK_INT(rig.app->records.used, 0);
    }
    rig_close(&rig);
}

/* No buffer is free when the client resets: that can't be read, and costs no turn all the same. */
NP_TEST(http_tls, reset_without_a_buffer)
{
    static uint32_t taken[4096];
    struct rig rig;
    struct rig_client client;
    uint32_t count = 0;

    rig_open(&rig, true, 20000);
    rig_connect_tls(&rig, &client);
    rig_ask(&rig, &client, GET("/x"));
    while (np_pool_acquire_unset(&rig.app->records, &taken[count]) != NULL) {
        count++;
    }
    np_plat_tcp_abort(rig.plat, client.handle);
    rig_run(&rig, 1000);
    NP_CHECK_INT(rig.app->http_conns.used, 0);
    while (count > 0) {
        np_pool_release(&rig.app->records, taken[--count]);
    }
    rig_hang_up(&rig, &client);
    rig_close(&rig);
}
