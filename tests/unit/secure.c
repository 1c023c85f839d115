/* SPDX-License-Identifier: BSD-3-Clause */
/* core/tunnel/secure: certificates of servers and rules of clients, from files on simulated hosts:
 * good, bad, changed, too old, too new. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/np_test.h"
#include "tests/unit/tls_files.h"
#include "tests/unit/tunnel_rig.h"

#define SIM_EPOCH_S 1767225600 /* the simulated wall clock's start */
#define YEAR_S 31536000
#define SERVER_FILES "tls=2&crt=/crt&key=/key"
#define CLIENT_CHECKS "tls=2&ca=/ca&sni=server.example.com"

static void store(struct tunnel_rig *rig, uint32_t side, const char *path, const char *file)
{
    uint32_t len;
    const char *text = tls_file(file, &len);

    NP_CHECK_INT(np_plat_blob_store(rig->sides[side].plat, path, (const uint8_t *)text, len),
                 NP_OK);
}

/* The test's certificates are valid from the day on which they were made. */
static void set_clocks(struct tunnel_rig *rig, int64_t offset_s)
{
    for (uint32_t i = 0; i < 2; i++) {
        np_sim_host_config(rig->sides[i].plat)->wall_offset_s =
            (int64_t)time(NULL) - SIM_EPOCH_S + offset_s;
    }
}

/* A rig whose hosts have the files of a good pair and its root, today. */
static struct tunnel_rig *open_rig(uint64_t seed)
{
    struct tunnel_rig *rig = tunnel_rig_open(seed);

    set_clocks(rig, 60);
    store(rig, RIG_SERVER, "/crt", "rsa2048.crt");
    store(rig, RIG_SERVER, "/key", "rsa2048.key");
    store(rig, RIG_CLIENT, "/ca", "rsaroot.crt");
    return rig;
}

static void start_server(struct tunnel_rig *rig)
{
    tunnel_rig_start(rig, RIG_SERVER,
                     "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&" SERVER_FILES, NULL);
    tunnel_rig_run_ms(rig, 10);
}

static void start_client(struct tunnel_rig *rig, const char *query)
{
    char url[300];

    snprintf(url, sizeof url, "client://key@10.0.0.1:7000/10.0.0.3:8080?mode=2&min=4&%s", query);
    tunnel_rig_start(rig, RIG_CLIENT, url, NULL);
    tunnel_rig_run_ms(rig, 500);
}

#define HAS(rig, side, text) NP_CHECK(tunnel_rig_log_count(rig, side, text) > 0)

NP_TEST(secure, a_checked_certificate)
{
    struct tunnel_rig *rig = open_rig(60);

    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    HAS(rig, RIG_SERVER, "INFO  TLS certificate in use, pin=sha256:");
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

/* ---- files of a server ----------------------------------------------------------------------- */

struct bad_pair {
    const char *crt, *key; /* NULL: no such file */
    const char *why;
};

static const struct bad_pair bad_pairs[] = {
    {NULL, "rsa2048.key", "ERROR  /crt: not found"},
    {"rsa2048.crt", NULL, "ERROR  /key: not found"},
    {"rsa2048.crt", "p256.key", "ERROR  /key: the key does not belong to the certificate"},
    {"rsa2048.crt", "encrypted.key", "ERROR  /key: the key is encrypted"},
    {"rsa2048.crt", "cut.key", "ERROR  /key: the file ends inside"},
    {"nocert.pem", "p256.key", "ERROR  /crt: "},
    {"gap.crt", "p256.key", "ERROR  /crt: certificate "},
    {"weak.crt", "weak.key", "ERROR  /key: RSA keys below 2048 bits are refused"},
};

NP_TEST(secure, bad_pairs_stop_the_start)
{
    for (uint32_t i = 0; i < sizeof bad_pairs / sizeof bad_pairs[0]; i++) {
        const struct bad_pair *bad = &bad_pairs[i];
        struct tunnel_rig *rig = tunnel_rig_open(61);

        np_test_context("%s %s", bad->crt, bad->key);
        if (bad->crt != NULL) {
            store(rig, RIG_SERVER, "/crt", bad->crt);
        }
        if (bad->key != NULL) {
            store(rig, RIG_SERVER, "/key", bad->key);
        }
        start_server(rig);
        HAS(rig, RIG_SERVER, bad->why);
        HAS(rig, RIG_SERVER, "Server not started: its certificates can't be used");
        NP_CHECK(np_app_is_stopped(rig->sides[RIG_SERVER].app));
        tunnel_rig_close(rig);
    }
}

static uint32_t count_pairs(struct tunnel_rig *rig)
{
    return tunnel_rig_log_count(rig, RIG_SERVER, "TLS certificate in use, pin=");
}

static void reload(struct tunnel_rig *rig, uint32_t side)
{
    np_app_reload(rig->sides[side].app);
    np_sim_host_touch(rig->sides[side].plat);
    tunnel_rig_run_ms(rig, 10);
}

static void renew_pool(struct tunnel_rig *rig)
{
    np_connpool_flush(&rig->sides[RIG_CLIENT].app->instances[0]);
    np_sim_host_touch(rig->sides[RIG_CLIENT].plat);
    tunnel_rig_run_ms(rig, 500);
}

/* By signal: other files are taken, the same ones are not read as others; a session lives on. */
NP_TEST(secure, new_files_are_taken_on_reload)
{
    struct tunnel_rig *rig = open_rig(62);
    struct person *visitor;

    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    visitor = tunnel_rig_visit(rig, WISH_ECHO);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(visitor->received, 1);
    reload(rig, RIG_SERVER);
    NP_CHECK_INT(count_pairs(rig), 1);
    store(rig, RIG_SERVER, "/crt", "chain.crt");
    store(rig, RIG_SERVER, "/key", "p256.key");
    store(rig, RIG_CLIENT, "/ca", "root.crt");
    reload(rig, RIG_SERVER);
    reload(rig, RIG_CLIENT);
    NP_CHECK_INT(count_pairs(rig), 2);
    renew_pool(rig);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool connection failed"), 0);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_say(rig, visitor, "more", 4);
    tunnel_rig_run_ms(rig, 100);
    NP_CHECK_INT(visitor->received, 5);
    tunnel_rig_close(rig);
}

/* By the clock, and a broken pair keeps the one in use. */
NP_TEST(secure, files_are_looked_at_from_time_to_time)
{
    struct tunnel_rig *rig = open_rig(63);

    rig->tuning.reload_interval_ms = 60000;
    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    store(rig, RIG_SERVER, "/key", "damaged.key");
    tunnel_rig_run_ms(rig, 30000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "ERROR"), 0);
    tunnel_rig_run_ms(rig, 31000);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "ERROR  /key: "), 1);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "ERROR  The certificate in use stays"), 1);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    renew_pool(rig);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    NP_CHECK_INT(count_pairs(rig), 1);
    store(rig, RIG_SERVER, "/crt", "chain.crt");
    store(rig, RIG_SERVER, "/key", "p256.key");
    tunnel_rig_run_ms(rig, 61000);
    NP_CHECK_INT(count_pairs(rig), 2);
    tunnel_rig_close(rig);
}

/* Two changes while one handshake lasts: the second waits for its end, and is not forgotten. */
NP_TEST(secure, two_changes_within_a_handshake)
{
    struct tunnel_rig *rig = open_rig(64);
    struct np_sim_link *link;

    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    link = np_sim_link(rig->sides[RIG_SERVER].plat, rig->sides[RIG_CLIENT].plat);
    link->latency_us = 3000000;
    np_conn_close(np_connpool_oldest(&rig->sides[RIG_CLIENT].app->instances[0]));
    np_connpool_fill(&rig->sides[RIG_CLIENT].app->instances[0]);
    np_sim_host_touch(rig->sides[RIG_CLIENT].plat);
    tunnel_rig_run_ms(rig, 4000);
    NP_CHECK_INT(rig->sides[RIG_SERVER].app->handshakes.used, 1);
    store(rig, RIG_SERVER, "/crt", "chain.crt");
    store(rig, RIG_SERVER, "/key", "p256.key");
    reload(rig, RIG_SERVER);
    NP_CHECK_INT(count_pairs(rig), 2);
    store(rig, RIG_SERVER, "/crt", "rsa3072.crt");
    store(rig, RIG_SERVER, "/key", "rsa3072.key");
    reload(rig, RIG_SERVER);
    NP_CHECK_INT(count_pairs(rig), 2);
    link->latency_us = 1000;
    tunnel_rig_run_ms(rig, 11000);
    NP_CHECK_INT(count_pairs(rig), 3);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "ERROR"), 0);
    tunnel_rig_close(rig);
}

/* ---- dates ----------------------------------------------------------------------------------- */

struct moment {
    int64_t offset_s;
    const char *server, *client; /* in their logs; NULL: all is well */
};

static const struct moment moments[] = {
    {60, NULL, NULL},
    {2 * YEAR_S, "WARN  The certificate in /crt has expired", "expired on"},
    {-YEAR_S / 4, "WARN  The certificate in /crt is not yet valid", "not valid before"},
};

NP_TEST(secure, dates_by_the_clock)
{
    for (uint32_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        const struct moment *moment = &moments[i];
        struct tunnel_rig *rig = open_rig(65);

        np_test_context("moment %u", i);
        set_clocks(rig, moment->offset_s);
        start_server(rig);
        start_client(rig, CLIENT_CHECKS);
        if (moment->server == NULL) {
            NP_CHECK(tunnel_rig_has_echo(rig, 1000));
            NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_SERVER, "WARN  The certificate"), 0);
        } else {
            HAS(rig, RIG_SERVER, moment->server);
            HAS(rig, RIG_CLIENT, moment->client);
            NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle, 0);
        }
        tunnel_rig_close(rig);
    }
}

/* A board that starts in 1970, or knows no time: the build date counts, the log says so; a pin
 * needs no time at all. */
NP_TEST(secure, a_clock_before_the_build)
{
    for (uint32_t has_clock = 0; has_clock < 2; has_clock++) {
        struct tunnel_rig *rig = open_rig(66);
        struct np_sim_host *host = np_sim_host_config(rig->sides[RIG_CLIENT].plat);
        char pin[100] = "tls=2&pin=";

        np_test_context("clock %u", has_clock);
        host->has_wall_clock = has_clock != 0;
        host->wall_offset_s = -SIM_EPOCH_S;
        start_server(rig);
        start_client(rig, CLIENT_CHECKS);
        tunnel_rig_run_ms(rig, 20000);
        /* made after the build date: not valid yet by that */
        HAS(rig, RIG_CLIENT, "server.example.com): not valid before");
        NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT,
                                          "WARN  The clock is not set: certificates are judged as "
                                          "on 2026-02-01"),
                     1);
        NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle, 0);
        tunnel_rig_close(rig);

        rig = open_rig(67);
        host = np_sim_host_config(rig->sides[RIG_CLIENT].plat);
        host->has_wall_clock = has_clock != 0;
        host->wall_offset_s = -SIM_EPOCH_S;
        start_server(rig);
        const char *at = strstr(rig->sides[RIG_SERVER].log, "pin=");
        if (NP_CHECK(at != NULL)) {
            strncat(pin, at + 4, 7 + 64);
        }
        start_client(rig, pin);
        NP_CHECK(tunnel_rig_has_echo(rig, 1000));
        tunnel_rig_close(rig);
    }
}

/* The clock of a machine falls back while the program runs, or it starts without one beside a state
 * file: the last time that is known counts. */
NP_TEST(secure, a_clock_that_is_lost)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct tunnel_rig *rig = open_rig(84);

        np_test_context("%u", i);
        rig->tuning.known_s = i == 1 ? time(NULL) + 60 : i == 2 ? time(NULL) + 2 * YEAR_S : 0;
        start_server(rig);
        if (i > 0) {
            np_sim_host_config(rig->sides[RIG_CLIENT].plat)->wall_offset_s = -SIM_EPOCH_S;
        }
        start_client(rig, CLIENT_CHECKS);
        np_sim_host_config(rig->sides[RIG_CLIENT].plat)->wall_offset_s = -SIM_EPOCH_S;
        renew_pool(rig);
        NP_CHECK_INT(tunnel_rig_has_echo(rig, 1000), i < 2);
        HAS(rig, RIG_CLIENT, "WARN  The clock is not set: certificates are judged as on 20");
        tunnel_rig_close(rig);
    }
}

NP_TEST(secure, no_entropy_no_certificate)
{
    struct tunnel_rig *rig = tunnel_rig_open(68);
    struct np_secure secure;
    struct np_instance *instance;

    tunnel_rig_start(rig, RIG_SERVER, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&tls=1",
                     NULL);
    instance = &rig->sides[RIG_SERVER].app->instances[0];
    np_sim_host_trouble(rig->sides[RIG_SERVER].plat)->entropy = NP_SIM_ALWAYS;
    memset(&secure, 0, sizeof secure);
    NP_CHECK_INT(np_secure_open(&secure, instance), NP_ERR_IO);
    HAS(rig, RIG_SERVER, "ERROR  No TLS certificate could be made: input/output error");
    np_sim_host_trouble(rig->sides[RIG_SERVER].plat)->entropy = 0;
    np_secure_close(&secure);
    tunnel_rig_close(rig);
}

/* ---- bundle of a client ---------------------------------------------------------------------- */

struct bundle {
    const char *path, *file; /* NULL: no such file */
    const char *query, *said;
    bool is_up;
};

static const struct bundle bundles[] = {
    {NULL, NULL, CLIENT_CHECKS, "ERROR  /ca: not found", false},
    {"/ca", "p256.key", CLIENT_CHECKS, "ERROR  /ca: no certificate in it", false},
    {"/ca", "stranger.crt", CLIENT_CHECKS, "Pool connection failed: TLS handshake: ", false},
    {NULL, NULL, "tls=2&sni=server.example.com", "ERROR  No bundle of CA certificates found",
     false},
    {"/etc/ssl/cert.pem", "rsaroot.crt", "tls=2&sni=server.example.com", "Tunnel handshaked", true},
    {"/etc/ssl/cert.pem", "rsaroot.crt", "sni=server.example.com", "Tunnel handshaked", true},
    {"/ca", "rsaroot.crt", "tls=2&ca=/ca&sni=other.example.com",
     "Pool connection failed: TLS handshake: ", false},
    {"/ca", "rsaroot.crt", "tls=2&ca=/ca", "Pool connection failed: TLS handshake: ", false},
    {NULL, NULL, "tls=1&sni=server.example.com", "the server's certificate can't be checked",
     false},
};

NP_TEST(secure, bundles)
{
    for (uint32_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++) {
        const struct bundle *b = &bundles[i];
        struct tunnel_rig *rig = tunnel_rig_open(70 + i);

        np_test_context("%u: %s", i, b->query);
        set_clocks(rig, 60);
        store(rig, RIG_SERVER, "/crt", "rsa2048.crt");
        store(rig, RIG_SERVER, "/key", "rsa2048.key");
        if (b->file != NULL) {
            store(rig, RIG_CLIENT, b->path, b->file);
        }
        start_server(rig);
        start_client(rig, b->query);
        HAS(rig, RIG_CLIENT, b->said);
        NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle > 0, b->is_up);
        tunnel_rig_close(rig);
    }
}

/* A bundle that can't be read any more when the client is told to look: the log says why, nothing
 * can be trusted meanwhile, and as soon as it is back all goes on. */
NP_TEST(secure, a_bundle_that_is_lost)
{
    struct tunnel_rig *rig = open_rig(79);

    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    np_sim_host_trouble(rig->sides[RIG_CLIENT].plat)->blob_io = NP_SIM_ALWAYS;
    reload(rig, RIG_CLIENT);
    HAS(rig, RIG_CLIENT, "ERROR  /ca: input/output error");
    renew_pool(rig);
    HAS(rig, RIG_CLIENT, "Pool connection failed: TLS handshake: ");
    NP_CHECK_INT(tunnel_rig_stats(rig, RIG_CLIENT, 0).pool_idle, 0);
    np_sim_host_trouble(rig->sides[RIG_CLIENT].plat)->blob_io = 0;
    tunnel_rig_run_ms(rig, 10000);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

/* Told to look at a bad moment, which passes before a handshake needs the bundle. */
NP_TEST(secure, a_bundle_that_is_missing_for_a_moment)
{
    struct tunnel_rig *rig = open_rig(82);

    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    store(rig, RIG_CLIENT, "/ca", "p256.key"); /* half-way through a change */
    reload(rig, RIG_CLIENT);
    HAS(rig, RIG_CLIENT, "ERROR  /ca: no certificate in it");
    store(rig, RIG_CLIENT, "/ca", "rsaroot.crt");
    renew_pool(rig);
    NP_CHECK_INT(tunnel_rig_log_count(rig, RIG_CLIENT, "Pool connection failed"), 0);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

/* Nobody tells it: the root has moved in the file, or is another one. */
NP_TEST(secure, a_bundle_that_changes)
{
    struct tunnel_rig *rig = open_rig(83);
    static char text[2 * TLS_FILE_CAP];
    uint32_t len;
    const char *stranger = tls_file("stranger.crt", &len), *root = tls_file("rsaroot.crt", &len);

    rig->tuning.reload_interval_ms = 60000;
    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    snprintf(text, sizeof text, "%s%s", stranger, root);
    NP_CHECK_INT(np_plat_blob_store(rig->sides[RIG_CLIENT].plat, "/ca", (const uint8_t *)text,
                                    (uint32_t)strlen(text)),
                 NP_OK);
    renew_pool(rig);
    tunnel_rig_run_ms(rig, 1000); /* a failed one waits before the next */
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    store(rig, RIG_SERVER, "/crt", "chain.crt");
    store(rig, RIG_SERVER, "/key", "p256.key");
    store(rig, RIG_CLIENT, "/ca", "root.crt");
    tunnel_rig_run_ms(rig, 61000);
    renew_pool(rig);
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

/* An entry that is none is counted, the others are used. */
NP_TEST(secure, a_bundle_with_a_hole)
{
    struct tunnel_rig *rig = open_rig(80);
    static char text[2 * TLS_FILE_CAP];
    uint32_t len;

    snprintf(text, sizeof text,
             "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n%s",
             tls_file("rsaroot.crt", &len));
    NP_CHECK_INT(np_plat_blob_store(rig->sides[RIG_CLIENT].plat, "/ca", (const uint8_t *)text,
                                    (uint32_t)strlen(text)),
                 NP_OK);
    start_server(rig);
    start_client(rig, CLIENT_CHECKS);
    HAS(rig, RIG_CLIENT, "WARN  /ca: 1 entries are no usable certificate");
    NP_CHECK(tunnel_rig_has_echo(rig, 1000));
    tunnel_rig_close(rig);
}

/* Never below what is asked for here, whatever an answer in plain text says. */
NP_TEST(secure, lower_levels_are_refused)
{
    static const struct {
        const char *server, *client, *why;
    } pairs[] = {
        {"max=9", "tls=1", "the server's tls= is below the one asked for here"},
        {"tls=1", "tls=2&ca=/ca", "the server's tls= is below the one asked for here"},
        {"max=9", "pin=sha256:0000000000000000000000000000000000000000000000000000000000000000",
         "the server has no TLS, but pin= is given here"},
    };

    for (uint32_t i = 0; i < 3; i++) {
        struct tunnel_rig *rig = open_rig(81);
        char url[100];

        np_test_context("%u", i);
        snprintf(url, sizeof url, "server://key@10.0.0.1:7000/10.0.0.1:9000?mode=1&%s",
                 pairs[i].server);
        tunnel_rig_start(rig, RIG_SERVER, url, NULL);
        start_client(rig, pairs[i].client);
        HAS(rig, RIG_CLIENT, pairs[i].why);
        NP_CHECK(!tunnel_rig_stats(rig, RIG_CLIENT, 0).is_up);
        tunnel_rig_close(rig);
    }
}
