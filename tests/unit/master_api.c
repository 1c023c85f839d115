/* SPDX-License-Identifier: BSD-3-Clause */
/* The routes of the master's API on a simulated host: statuses, held answers, names, look-ups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/master/master.h"
#include "core/np_app_state.h"
#include "platform/np_plat.h"
#include "tests/unit/master_rig.h"
#include "tests/unit/np_test.h"

static const char body_one[] = "{\"url\":\"client://10.0.0.1:1000/10.0.0.2:2000?mode=1\"}";

/* Path of the last instance. */
static void path_of(struct master_rig *rig, char path[24])
{
    char id[9];

    master_rig_last_id(rig, id);
    snprintf(path, 24, "/instances/%s", id);
}

NP_TEST(master_api, statuses)
{
    static struct master_rig rig;
    char path[24];
    struct {
        const char *method, *path, *body;
        uint32_t status;
        const char *text;
    } const rows[] = {
        {"GET", "/instances", NULL, 200, "[{\"id\":\"********\""},
        {"POST", "/instances", body_one, 201, "{\"id\":\""},
        {"POST", "/instances", "x", 400, "Invalid request body"},
        {"POST", "/instances", "{\"url\":\"a\\u0001\"}", 400, "Invalid URL format"},
        {"POST", "/instances", "{\"url\":\"ftp://a\"}", 400, "Invalid URL scheme"},
        {"POST", "/instances", "{\"url\":\"client://a:1/b:2?rate=x\"}", 400, "rate=x: want 0 or"},
        {"POST", "/instances", "{\"url\":\"client://a:1/b:2\",\"alias\":[]}", 400, "Invalid"},
        {"GET", "/instances/", NULL, 400, "Instance ID is required"},
        {"GET", "/instances/%zz", NULL, 404, "Instance not found"},
        {"GET", "/instances/deadbeef", NULL, 404, "Instance not found"},
        {"PATCH", "/instances/********", "{}", 200, "********"},
        {"PUT", "/instances/********", "{}", 403, "Forbidden: API Key"},
        {"BREW", "/instances", NULL, 405, "Method not allowed"},
        {"GET", "/info", NULL, 200, "\"os\":\"sim\""},
        {"POST", "/info", "{\"alias\":\"a\"}", 200, "\"alias\":\"a\""},
        {"POST", "/info", "{\"alias\":1}", 400, "Invalid request body"},
        {"GET", "/metrics", NULL, 200, "nodepass_instance_up{id=\""},
        {"GET", "/openapi.json", NULL, 200, "\"openapi\":\"3.1.0\""},
        {"GET", "/docs", NULL, 200, ""},
        {"GET", "/tcping", NULL, 400, "Target address required"},
        {"GET", "/nothing", NULL, 404, "404 page not found"},
        {"GET", "/../v1/info", NULL, 301, ""},
    };

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("%s %s %s", rows[i].method, rows[i].path,
                        rows[i].body == NULL ? "" : rows[i].body);
        NP_CHECK_INT(master_rig_ask(&rig, rows[i].method, rows[i].path, rows[i].body),
                     rows[i].status);
        NP_CHECK(master_rig_has(&rig, rows[i].text));
    }
    path_of(&rig, path);
    NP_CHECK_INT(master_rig_ask(&rig, "PUT", path, body_one), 409);
    NP_CHECK_INT(master_rig_ask(&rig, "PUT", path,
                                "{\"url\":\"server://10.0.0.1:1001/10.0.0.2:2000?mode=2\"}"),
                 200);
    NP_CHECK(master_rig_has(&rig, "\"type\":\"server\",\"status\":\"running\""));
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", path, "{\"action\":\"reset\"}"), 200);
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 204);
    NP_CHECK_STR(master_rig_body(&rig), "");
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

/* Sends a PATCH and does not wait. */
static uint32_t send_patch(struct master_rig *rig, const char *path, const char *body)
{
    uint32_t conn = master_rig_connect(rig);
    char text[512];
    int len = snprintf(text, sizeof text,
                       "PATCH /api/v1%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       path, rig->app->master->key.text, strlen(body), body);

    NP_CHECK_INT(np_plat_tcp_send(rig->other, conn, (const uint8_t *)text, (uint32_t)len), len);
    master_rig_run(rig, 10);
    return conn;
}

static bool is_on_disk(struct master_rig *rig, const char *text)
{
    static char state[65536];
    int32_t len = np_plat_blob_load(rig->ours, RIG_STATE, (uint8_t *)state, sizeof state - 1);

    state[len > 0 ? len : 0] = '\0';
    return strstr(state, text) != NULL;
}

/* When saves are slow, answers come with the next one; a deletion meanwhile is told. */
NP_TEST(master_api, answers_follow_their_save)
{
    static struct master_rig rig;
    uint32_t first, second, third;
    char path[24];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK_INT(master_rig_ask(&rig, "POST", "/instances", body_one), 201);
    path_of(&rig, path);
    rig.app->master->store.due_ms = rig.app->now_ms + 500; /* as after a slow save */
    first = send_patch(&rig, path, "{\"alias\":\"one\"}");
    NP_CHECK_INT(master_rig_read(&rig, first, 0), 0);
    NP_CHECK(!is_on_disk(&rig, "alias = one"));
    second = send_patch(&rig, path, "{\"alias\":\"two\"}");
    third = send_patch(&rig, path, "{\"alias\":\"three\"}");
    np_plat_tcp_abort(rig.other, third);
    master_rig_run(&rig, 500);
    NP_CHECK(is_on_disk(&rig, "alias = three"));
    NP_CHECK(master_rig_read(&rig, first, 0) > 0 && strstr(rig.answer, " 200 ") != NULL);
    NP_CHECK(master_rig_read(&rig, second, 0) > 0 && master_rig_has(&rig, "\"alias\":\"three\""));
    rig.app->master->store.due_ms = rig.app->now_ms + 500;
    first = send_patch(&rig, path, "{\"alias\":\"four\"}");
    rig.app->master->store.due_ms = 0; /* the deletion is saved at once */
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 204);
    master_rig_run(&rig, 500);
    NP_CHECK(master_rig_read(&rig, first, 0) > 0 && strstr(rig.answer, " 404 ") != NULL);
    rig.app->master->store.due_ms = rig.app->now_ms + 500;
    first = send_patch(&rig, "/instances/********", "{\"action\":\"restart\"}");
    NP_CHECK(master_rig_read(&rig, first, 0) > 0); /* a new key is saved at once */
    NP_CHECK(is_on_disk(&rig, rig.app->master->key.text));
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

NP_TEST(master_api, tcping)
{
    static struct master_rig rig;
    struct np_sim_name *name;

    master_rig_open(&rig);
    name = np_sim_name(rig.sim, "target.test");
    name->addrs[0] = np_sim_ip4(10, 0, 0, 2, 0);
    name->count = 1;
    name->delay_us = 1000;
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/tcping?target=10.0.0.2:2000", NULL), 200);
    NP_CHECK(master_rig_has(&rig, "{\"target\":\"10.0.0.2:2000\",\"connected\":true,\"latency\":"));
    NP_CHECK(master_rig_has(&rig, "\"error\":null}"));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/tcping?target=target.test:2000", NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"connected\":true"));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/tcping?target=no.test:2000", NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"connected\":false,\"latency\":0,\"error\":\"not found\""));
    NP_CHECK(!master_rig_logged(&rig, "Name not resolved"));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/tcping?target=10.0.0.2:2001", NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"connected\":false"));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/tcping?target=::", NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"error\":\"want "));
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

NP_TEST(master_api, door_by_name_and_busy)
{
    static struct master_rig rig;
    struct np_sim_name *name;

    master_rig_open(&rig);
    name = np_sim_name(rig.sim, "box.test");
    name->addrs[0] = np_sim_ip4(10, 0, 0, 1, 0);
    name->count = 1;
    name->delay_us = 500000;
    np_sim_host_trouble(rig.ours)->busy_tcp[0] = 9000;
    master_rig_start(&rig, "master://box.test:9000/x//?state=/state", NULL);
    NP_CHECK(!np_app_is_bound(rig.app));
    master_rig_run(&rig, 1000);
    NP_CHECK(np_app_is_bound(rig.app));
    NP_CHECK(master_rig_logged(&rig, "API address not bound: address in use; tried again"));
    np_sim_host_trouble(rig.ours)->busy_tcp[0] = 0;
    master_rig_run(&rig, 4000);
    NP_CHECK(master_rig_logged(&rig, "API at /x/v1"));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/info", NULL), 404);
    master_rig_stop(&rig);
    name->error = NP_ERR_NOT_FOUND;
    master_rig_start(&rig, "master://box.test:9000?state=/state", NULL);
    master_rig_run(&rig, 5000);
    NP_CHECK(master_rig_logged(&rig, "API address not bound: "));
    master_rig_stop(&rig); /* while it waits */
    master_rig_close(&rig);
}

NP_TEST(master_api, instances_of_the_configuration_file)
{
    static struct master_rig rig;
    char first[24], path[24];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, "client://10.0.0.1:1000/10.0.0.2:2000?mode=1");
    path_of(&rig, path);
    memcpy(first, path, sizeof first);
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 403);
    NP_CHECK_INT(master_rig_ask(&rig, "PUT", path, body_one), 403);
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", path, "{\"action\":\"stop\"}"), 200);
    NP_CHECK(
        master_rig_has(&rig, "\"alias\":\"fixed\",\"type\":\"client\",\"status\":\"stopped\""));
    NP_CHECK(!is_on_disk(&rig, "instance"));
    master_rig_kill(&rig);
    master_rig_start(&rig, NULL, "client://10.0.0.1:1000/10.0.0.2:2000?mode=1");
    path_of(&rig, path);
    NP_CHECK_STR(path, first);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"status\":\"running\""));
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

/* Events without a clock on the wall, and the end of a stream. */
NP_TEST(master_api, events)
{
    static struct master_rig rig;
    char text[256], path[24];
    uint32_t conn, len;

    master_rig_open(&rig);
    np_sim_host_config(rig.ours)->has_wall_clock = false;
    rig.tuning.report_interval_ms = 1000;
    master_rig_start(&rig, NULL, NULL);
    conn = master_rig_connect(&rig);
    len = (uint32_t)snprintf(text, sizeof text,
                             "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n",
                             rig.app->master->key.text);
    NP_CHECK_INT(np_plat_tcp_send(rig.other, conn, (const uint8_t *)text, len), len);
    NP_CHECK_INT(master_rig_ask(&rig, "POST", "/instances", body_one), 201);
    path_of(&rig, path);
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 204);
    master_rig_run(&rig, 2000);
    np_app_stop(rig.app);
    np_sim_host_touch(rig.ours);
    (void)master_rig_read(&rig, conn, 0);
    NP_CHECK(strstr(rig.answer, "{\"type\":\"initial\",\"time\":\"1970-01-01T00:00:00.000Z\"") !=
             NULL);
    NP_CHECK(strstr(rig.answer, "{\"type\":\"create\",") != NULL);
    NP_CHECK(strstr(rig.answer, "{\"type\":\"delete\",") != NULL);
    NP_CHECK(strstr(rig.answer, "\"instance\":null,\"logs\":\"\"}") != NULL);
    master_rig_stop(&rig);
    master_rig_close(&rig);
}
