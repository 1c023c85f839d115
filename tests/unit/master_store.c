/* SPDX-License-Identifier: BSD-3-Clause */
/* The master's state on a simulated disk: everything comes back, damage is seen, faults are told.
 */
#include "core/master/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/master/master.h"
#include "core/np_app_state.h"
#include "core/tls/digest.h"
#include "platform/np_plat.h"
#include "tests/unit/master_rig.h"
#include "tests/unit/np_test.h"

#define TEXT_CAP 65536u

static uint32_t load(struct master_rig *rig, const char *name, char *text)
{
    int32_t len = np_plat_blob_load(rig->ours, name, (uint8_t *)text, TEXT_CAP - 1);

    text[len > 0 ? len : 0] = '\0';
    return len > 0 ? (uint32_t)len : 0;
}

static void store(struct master_rig *rig, const char *name, const char *text, uint32_t len)
{
    NP_CHECK_INT(np_plat_blob_store(rig->ours, name, (const uint8_t *)text, len), NP_OK);
}

static void create(struct master_rig *rig, const char *url, char id[9])
{
    char body[512];

    strcpy(body, "{\"url\":\"");
    strcat(body, url);
    strcat(body, "\"}");
    NP_CHECK_INT(master_rig_ask(rig, "POST", "/instances", body), 201);
    master_rig_last_id(rig, id);
}

static const char url_one[] = "client://k%2F%3B@10.0.0.1:1000/10.0.0.2:2000?mode=1";

NP_TEST(master_store, everything_comes_back)
{
    static char before[TEXT_CAP], after[TEXT_CAP];
    static struct master_rig rig;
    char id[9], path[32] = "/instances/", key[33];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK(master_rig_logged(&rig, "API Key created: "));
    create(&rig, url_one, id);
    strcat(path, id);
    NP_CHECK_INT(
        master_rig_ask(&rig, "PATCH", path,
                       "{\"alias\":\"; # = & % \\u0001 \\u00e4 \",\"restart\":false,"
                       "\"meta\":{\"peer\":{\"sid\":\"[s]\",\"type\":\"=\",\"alias\":\"\\n\"},"
                       "\"tags\":{\"\":\"\",\"a=b\":\"c&d\",\"x\":\"\"}},\"action\":\"stop\"}"),
        200);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    strcpy(before, master_rig_body(&rig));
    NP_CHECK(strstr(before, "\"tags\":{\"\":\"\",\"a=b\":\"c\\u0026d\",\"x\":\"\"}") != NULL);
    memcpy(key, strstr(rig.log, "created: ") + 9, 32);
    key[32] = '\0';
    master_rig_kill(&rig);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK(master_rig_logged(&rig, key));
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    NP_CHECK_STR(master_rig_body(&rig), before);
    load(&rig, RIG_STATE, before);
    master_rig_stop(&rig);
    load(&rig, RIG_STATE, after);
    NP_CHECK_STR(after, before);
    load(&rig, RIG_STATE ".backup", after);
    NP_CHECK_STR(after, before);
    master_rig_close(&rig);
}

/* Each cut and each changed byte is seen, and the backup is taken. */
NP_TEST(master_store, every_damage_is_seen)
{
    static char whole[TEXT_CAP], broken[TEXT_CAP], kept[TEXT_CAP];
    static struct master_rig rig;
    char id[9], found[9];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    create(&rig, url_one, id);
    master_rig_kill(&rig);
    uint32_t len = load(&rig, RIG_STATE, whole);
    for (uint32_t i = 0; i < len; i += 3) {
        bool is_cut = i % 2 == 0;

        np_test_context("byte %u", i);
        memcpy(broken, whole, len);
        broken[i] = (char)(broken[i] ^ 1);
        store(&rig, RIG_STATE, broken, is_cut ? i : len);
        store(&rig, RIG_STATE ".backup", whole, len);
        master_rig_start(&rig, NULL, NULL);
        NP_CHECK(master_rig_logged(&rig, "State file damaged: "));
        NP_CHECK(master_rig_logged(&rig, "State taken from "));
        master_rig_last_id(&rig, found);
        NP_CHECK_STR(found, id);
        load(&rig, RIG_STATE, kept);
        NP_CHECK_STR(kept, whole); /* good again */
        master_rig_kill(&rig);
    }
    master_rig_close(&rig);
}

NP_TEST(master_store, no_state_at_all)
{
    static struct master_rig rig;
    char id[9];

    master_rig_open(&rig);
    store(&rig, RIG_STATE, "[nodepass]\nkey = 1\n", 19);
    store(&rig, RIG_STATE ".backup", "x", 1);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK(master_rig_logged(&rig, "State file damaged: " RIG_STATE ".backup, kept as "));
    NP_CHECK(master_rig_logged(&rig, "All instances of the state and the API key are lost"));
    NP_CHECK(master_rig_logged(&rig, "API Key created: "));
    master_rig_last_id(&rig, id);
    NP_CHECK_STR(id, "");
    master_rig_stop(&rig);
    master_rig_start(&rig, "master://10.0.0.1:9000", NULL);
    NP_CHECK(master_rig_logged(&rig, "No state directory: nothing is kept"));
    create(&rig, url_one, id);
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

/* The blob whose name is `prefix` and the time of a start in seconds; its length, -1: none. */
static int32_t load_kept(struct master_rig *rig, const char *prefix, char *text, uint32_t cap)
{
    char name[64];

    for (int64_t at = np_plat_wall_s(rig->ours), i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%lld", prefix, (long long)(at - i));
        int32_t len = np_plat_blob_load(rig->ours, name, (uint8_t *)text, cap);
        if (len >= 0) {
            return len;
        }
    }
    return -1;
}

/* Whatever its size, and on a full disk: what is damaged is set aside, not replaced. */
NP_TEST(master_store, the_damaged_is_kept)
{
    static char whole[TEXT_CAP], kept[TEXT_CAP];
    uint32_t cap = NP_STORE_BYTES + 1000;
    static struct master_rig rig;
    char *big = calloc(1, cap);
    char id[9], found[9];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    create(&rig, url_one, id);
    master_rig_kill(&rig);
    uint32_t len = load(&rig, RIG_STATE, whole);
    memcpy(big, whole, len);
    store(&rig, RIG_STATE, big, cap);
    store(&rig, RIG_STATE ".backup", whole, len - 1);
    np_sim_host_trouble(rig.ours)->blob_full = NP_SIM_ALWAYS;
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK(master_rig_logged(&rig, "State file damaged: " RIG_STATE ", kept as " RIG_STATE ".c"));
    NP_CHECK_INT(load_kept(&rig, RIG_STATE ".corrupt-", big, cap), cap);
    NP_CHECK_INT(load_kept(&rig, RIG_STATE ".backup.corrupt-", kept, TEXT_CAP), len - 1);
    NP_CHECK(memcmp(big, whole, len) == 0 && memcmp(kept, whole, len - 1) == 0);
    master_rig_kill(&rig);
    np_sim_host_trouble(rig.ours)->blob_full = 0;
    store(&rig, RIG_STATE, whole, len); /* a damaged backup beside a good file */
    store(&rig, RIG_STATE ".backup", "precious", 8);
    master_rig_run(&rig, 10000);
    master_rig_start(&rig, NULL, NULL);
    master_rig_last_id(&rig, found);
    NP_CHECK_STR(found, id);
    NP_CHECK_INT(load_kept(&rig, RIG_STATE ".backup.corrupt-", kept, TEXT_CAP), 8);
    NP_CHECK_INT(load(&rig, RIG_STATE ".backup", kept), len);
    master_rig_stop(&rig);
    master_rig_close(&rig);
    free(big);
}

/* Gives a state text its last line. */
static uint32_t seal(char *text, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[NP_SHA256_LEN];

    np_sha256(text, len, hash);
    len += (uint32_t)sprintf(text + len, "; sha256 ");
    for (uint32_t i = 0; i < sizeof hash; i++) {
        text[len++] = digits[hash[i] >> 4];
        text[len++] = digits[hash[i] & 15];
    }
    text[len++] = '\n';
    return len;
}

/* A file of a larger build: what does not fit here is in a copy before the file is written. */
NP_TEST(master_store, too_many_instances_are_kept)
{
    static char text[TEXT_CAP], kept[TEXT_CAP];
    static struct master_rig rig;
    char id[9];

    uint32_t len = (uint32_t)sprintf(text, "[nodepass]\nkey = %032d\n", 7);
    for (uint32_t i = 0; i < NP_MAX_INSTANCES + 2; i++) {
        len += (uint32_t)sprintf(text + len,
                                 "\n[instance %08x]\nid = %08x\n"
                                 "url = client://10.0.0.1:%u/10.0.0.2:2000?mode=1\nrestart = 0\n",
                                 i, i, 1000 + i);
    }
    len = seal(text, len);
    for (uint32_t is_full = 0; is_full < 2; is_full++) {
        master_rig_open(&rig);
        store(&rig, RIG_STATE, text, len);
        np_sim_host_trouble(rig.ours)->blob_full = is_full ? NP_SIM_ALWAYS : 0;
        master_rig_start(&rig, NULL, NULL);
        NP_CHECK(master_rig_logged(&rig, "2 instances of the state file are left out"));
        np_sim_host_trouble(rig.ours)->blob_full = 0;
        master_rig_last_id(&rig, id);
        NP_CHECK_INT(master_rig_ask(&rig, "POST", "/info", "{\"alias\":\"x\"}"),
                     is_full ? 507 : 200);
        if (is_full) {
            NP_CHECK_INT(load(&rig, RIG_STATE, kept), len);
        } else {
            NP_CHECK_INT(load_kept(&rig, RIG_STATE ".kept-", kept, TEXT_CAP), len);
        }
        NP_CHECK(memcmp(kept, text, len) == 0);
        master_rig_stop(&rig);
        master_rig_close(&rig);
    }
}

/* A URL that this build refuses: all else about the instance stays, until it gets another. */
NP_TEST(master_store, refused_urls_keep_the_rest)
{
    static char text[TEXT_CAP];
    static struct master_rig rig;
    const char path[] = "/instances/0000000a";

    master_rig_open(&rig);
    uint32_t len = (uint32_t)sprintf(text,
                                     "[nodepass]\nkey = %032d\n\n[instance 0000000a]\n"
                                     "url = server://10.0.0.1:1000/10.0.0.2:2000?mode=9\n"
                                     "restart = 1\ntcprx = 7\nudptx = 9\n",
                                     7);
    store(&rig, RIG_STATE, text, seal(text, len));
    master_rig_start(&rig, NULL, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
        NP_CHECK(master_rig_has(&rig, "\"type\":\"server\",\"status\":\"error\""));
        NP_CHECK(master_rig_has(&rig, "\"tcprx\":7,\"tcptx\":0,\"udprx\":0,\"udptx\":9}"));
        NP_CHECK_INT(master_rig_ask(&rig, "PATCH", path, "{\"alias\":\"x\"}"), 200);
        master_rig_kill(&rig);
        master_rig_start(&rig, NULL, NULL);
    }
    NP_CHECK_INT(master_rig_ask(&rig, "GET", "/metrics", NULL), 200);
    NP_CHECK(master_rig_has(&rig,
                            "nodepass_instance_tcp_rx_bytes_total{id=\"0000000a\",alias=\"x\","
                            "type=\"server\"} 7\n"));
    NP_CHECK_INT(
        master_rig_ask(&rig, "PUT", path, "{\"url\":\"client://10.0.0.1:1000/10.0.0.2:2000\"}"),
        200);
    NP_CHECK(master_rig_has(&rig, "\"tcprx\":7,\"tcptx\":0,\"udprx\":0,\"udptx\":9}"));
    master_rig_stop(&rig);
    store(&rig, RIG_STATE, text, seal(text, len));
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", path, "{\"action\":\"reset\"}"), 200);
    NP_CHECK(master_rig_has(&rig, "\"tcprx\":0,\"tcptx\":0,\"udprx\":0,\"udptx\":0}"));
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

NP_TEST(master_store, faults_of_the_disk)
{
    static char before[TEXT_CAP], after[TEXT_CAP];
    static struct master_rig rig;
    char id[9], other[9], path[32] = "/instances/";

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    create(&rig, url_one, id);
    strcat(path, id);
    load(&rig, RIG_STATE, before);
    np_sim_host_trouble(rig.ours)->blob_full = NP_SIM_ALWAYS;
    create(&rig, "client://10.0.0.1:1001/10.0.0.2:2000?mode=1", other);
    NP_CHECK(master_rig_logged(&rig, "ERROR  State not saved: /state/nodepass.ini: "));
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", path, "{\"alias\":\"x\"}"), 507);
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 507);
    NP_CHECK_INT(master_rig_ask(&rig, "POST", "/info", "{\"alias\":\"x\"}"), 507);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    load(&rig, RIG_STATE, after);
    NP_CHECK_STR(after, before);
    np_sim_host_trouble(rig.ours)->blob_full = 0;
    NP_CHECK_INT(master_rig_ask(&rig, "DELETE", path, NULL), 204);
    master_rig_kill(&rig);
    master_rig_start(&rig, NULL, NULL);
    master_rig_last_id(&rig, id);
    NP_CHECK_STR(id, other);
    master_rig_kill(&rig);
    load(&rig, RIG_STATE, before);
    np_sim_host_trouble(rig.ours)->blob_io = NP_SIM_ALWAYS; /* can't be read: never replaced */
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK(master_rig_logged(&rig, "State not read, and never replaced"));
    np_sim_host_trouble(rig.ours)->blob_io = 0;
    NP_CHECK_INT(master_rig_ask(&rig, "POST", "/info", "{\"alias\":\"x\"}"), 507);
    master_rig_stop(&rig);
    load(&rig, RIG_STATE, after);
    NP_CHECK_STR(after, before);
    master_rig_close(&rig);
}

/* A key that can't be saved would come back after a restart: the old one stays. */
NP_TEST(master_store, no_new_key_on_a_full_disk)
{
    static struct master_rig rig;
    char key[NP_KEY_LEN + 1];

    master_rig_open(&rig);
    master_rig_start(&rig, NULL, NULL);
    memcpy(key, rig.app->master->key.text, sizeof key);
    np_sim_host_trouble(rig.ours)->blob_full = NP_SIM_ALWAYS;
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", "/instances/********", "{\"action\":\"restart\"}"),
                 507);
    NP_CHECK(master_rig_has(&rig, "{\"error\":\"State can't be saved: "));
    NP_CHECK_STR(rig.app->master->key.text, key);
    np_sim_host_trouble(rig.ours)->blob_full = 0;
    NP_CHECK_INT(master_rig_ask(&rig, "PATCH", "/instances/********", "{\"action\":\"restart\"}"),
                 200);
    NP_CHECK(strcmp(rig.app->master->key.text, key) != 0);
    memcpy(key, rig.app->master->key.text, sizeof key);
    master_rig_kill(&rig);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK_STR(rig.app->master->key.text, key);
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

/* The mode that was chosen is saved, even if the choice had to wait for a name. */
NP_TEST(master_store, chosen_mode_comes_back)
{
    struct np_addr ip = np_sim_ip4(10, 0, 0, 9, 0);
    static struct master_rig rig;
    char id[9], path[32] = "/instances/";

    master_rig_open(&rig);
    struct np_sim_name *name = np_sim_name(rig.sim, "late.test");
    name->addrs[0] = ip;
    name->count = 1;
    name->delay_us = 1000000;
    master_rig_start(&rig, NULL, NULL);
    create(&rig, "client://late.test:1000/10.0.0.2:2000", id);
    strcat(path, id);
    master_rig_run(&rig, 2000);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"mode\":2"));
    master_rig_kill(&rig);
    np_sim_host_addr(rig.ours, &ip);
    master_rig_start(&rig, NULL, NULL);
    master_rig_run(&rig, 2000);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"mode\":2"));
    NP_CHECK_INT(
        master_rig_ask(&rig, "PUT", path, "{\"url\":\"client://10.0.0.9:1000/10.0.0.2:2000\"}"),
        200);
    master_rig_kill(&rig);
    master_rig_start(&rig, NULL, NULL);
    NP_CHECK_INT(master_rig_ask(&rig, "GET", path, NULL), 200);
    NP_CHECK(master_rig_has(&rig, "\"mode\":1"));
    master_rig_stop(&rig);
    master_rig_close(&rig);
}

NP_TEST(master_store, no_certificate_no_start)
{
    static struct master_rig rig;

    master_rig_open(&rig);
    master_rig_start(&rig, "master://10.0.0.1:9000?state=/state&tls=2&crt=/no&key=/no", NULL);
    NP_CHECK(np_app_is_stopped(rig.app)); /* without its certificate it never serves plain */
    NP_CHECK(master_rig_logged(&rig, "ERROR  /no: "));
    np_app_deinit(rig.app);
    NP_CHECK_INT(np_sim_host_handles(rig.ours), 0);
    NP_CHECK_INT(np_app_objects_used(rig.app), 0);
    rig.app = NULL;
    master_rig_close(&rig);
}
