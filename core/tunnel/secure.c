/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/secure.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/np_app_state.h"
#include "core/tls/cert_time.h"

#define FILE_CAP NP_CHAIN_TEXT_CAP /* longest PEM file, bytes */
#define RELOAD_AGAIN_MS 1000u      /* a new pair waits for the end of handshakes */

/* A master shows a certificate as well. */
static bool is_server(const struct np_secure *secure)
{
    return secure->instance->settings->role != NP_ROLE_CLIENT;
}

static enum np_err fill_random(void *ctx, uint8_t *buf, uint32_t len)
{
    return np_plat_random(ctx, buf, len);
}

static int64_t wall_s(void *ctx)
{
    return np_plat_wall_s(ctx);
}

/* ---- server: its certificate ----------------------------------------------------------------- */

static void log_pair(struct np_secure *secure, const struct np_key_pair *pair)
{
    struct np_instance *instance = secure->instance;
    int64_t now_s = np_plat_wall_s(instance->app->plat), built_s = instance->app->tuning->built_s;
    char pin[NP_PIN_TEXT_CAP];

    np_pin_format(pair->pin, pin);
    np_log_write(&instance->log, NP_LOG_INFO, "TLS certificate in use, pin=%s", pin);
    if (now_s >= built_s && now_s > pair->not_after_s) {
        np_log_write(&instance->log, NP_LOG_WARN, "The certificate in %s has expired",
                     instance->settings->crt);
    } else if (now_s >= built_s && now_s < pair->not_before_s) {
        np_log_write(&instance->log, NP_LOG_WARN, "The certificate in %s is not yet valid",
                     instance->settings->crt);
    }
}

/* Why a file is of no use. Who tries on says it once in a while. */
static void log_useless(struct np_secure *secure, const char *path, const char *cause)
{
    struct np_log *log = &secure->instance->log;
    uint64_t now_ms = secure->instance->app->now_ms;

    if (np_log_limited(log, NP_SITE_RELOAD, now_ms, NP_LOG_ERROR, "%s: %s", path, cause)) {
        np_log_rest(log, NP_SITE_RELOAD, now_ms + NP_SAY_AGAIN_MS);
    }
}

static enum np_err log_unreadable(struct np_secure *secure, const char *path, int32_t err)
{
    log_useless(secure, path, np_err_text((enum np_err)err));
    return (enum np_err)err;
}

/* crt= and key= as texts, one behind the other in the loop's scratch. */
struct pair_text {
    char *chain, *key;
    uint32_t chain_len, key_len;
};

static enum np_err read_pair(struct np_secure *secure, struct pair_text *text)
{
    struct np_app *app = secure->instance->app;
    const struct np_settings *settings = secure->instance->settings;
    uint32_t half = app->plan.scratch_bytes / 2 < FILE_CAP ? app->plan.scratch_bytes / 2 : FILE_CAP;
    int32_t len = np_plat_blob_load(app->plat, settings->crt, app->datagrams, half);

    if (len < 0) {
        return log_unreadable(secure, settings->crt, len);
    }
    text->chain = (char *)app->datagrams;
    text->chain_len = (uint32_t)len;
    len = np_plat_blob_load(app->plat, settings->crt_key, app->datagrams + half, half);
    if (len < 0) {
        return log_unreadable(secure, settings->crt_key, len);
    }
    text->key = (char *)app->datagrams + half;
    text->key_len = (uint32_t)len;
    return NP_OK;
}

/* Puts the pair of `text` in use. */
static enum np_err use_pair(struct np_secure *secure, const struct pair_text *text,
                            const uint8_t digest[32])
{
    struct np_secure_server *server = &secure->u.server;
    const struct np_settings *settings = secure->instance->settings;
    uint8_t next = secure->config.cred == NULL ? 0 : 1 - server->current;
    struct np_key_pair *pair = &server->pairs[next];
    struct np_key_fault fault;

    if (pair->cred.users > 0) {
        return NP_ERR_AGAIN; /* handshakes still hold the one before the last */
    }
    enum np_err err = np_key_pair_load(pair, text->chain, text->chain_len, text->key, text->key_len,
                                       &secure->config.random, &fault);
    if (err != NP_OK) {
        np_log_write(&secure->instance->log, NP_LOG_ERROR, "%s: %s",
                     fault.is_key_file ? settings->crt_key : settings->crt, fault.text);
        return err;
    }
    memcpy(server->digest, digest, sizeof server->digest);
    server->current = next;
    secure->config.cred = &pair->cred;
    log_pair(secure, pair);
    return NP_OK;
}

/* Reads the files; uses them if they are other ones than before. */
static enum np_err load_pair(struct np_secure *secure)
{
    struct np_app *app = secure->instance->app;
    struct pair_text text = {0};
    uint8_t digest[32];

    enum np_err err = read_pair(secure, &text);
    if (err == NP_OK) {
        np_key_pair_digest(text.chain, text.chain_len, text.key, text.key_len, digest);
        if (secure->config.cred == NULL ||
            memcmp(digest, secure->u.server.digest, sizeof digest) != 0) {
            err = use_pair(secure, &text, digest);
        }
    }
    np_ct_wipe(app->datagrams, app->plan.scratch_bytes);
    return err;
}

static enum np_err make_pair(struct np_secure *secure)
{
    struct np_key_pair *pair = &secure->u.server.pairs[0];
    const struct np_app *app = secure->instance->app;
    int64_t now_s = np_plat_wall_s(app->plat), built_s = app->tuning->built_s;
    enum np_err err = np_key_pair_make(pair, "NodePass " NP_VERSION,
                                       now_s > built_s ? now_s : built_s, &secure->config.random);
    if (err != NP_OK) {
        np_log_write(&secure->instance->log, NP_LOG_ERROR, "No TLS certificate could be made: %s",
                     np_err_text(err));
        return err;
    }
    secure->config.cred = &pair->cred;
    log_pair(secure, pair);
    return NP_OK;
}

static enum np_err load_bundle(struct np_secure *secure);

static void on_reload(struct np_timer *timer, uint64_t now_ms)
{
    struct np_secure *secure = NP_CONTAINER(timer, struct np_secure, reload);

    (void)now_ms;
    if (is_server(secure)) {
        np_secure_reload(secure);
    } else {
        (void)load_bundle(secure);
    }
}

static void start_reload(struct np_secure *secure, uint32_t wait_ms)
{
    struct np_app *app = secure->instance->app;

    secure->reload.fire = on_reload;
    np_timer_start(&app->timers, &secure->reload, app->now_ms + wait_ms);
}

/* ---- client: its rule for the server's certificate ------------------------------------------- */

static int32_t read_bundle(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    struct np_secure *secure = ctx;
    return np_plat_blob_read(secure->instance->app->plat, secure->u.client.bundle, offset, buf,
                             cap);
}

/* Indexes `path`; on failure the index in use stays. NP_ERR_NOT_FOUND if there is no such file. */
static enum np_err index_bundle(struct np_secure *secure, const char *path)
{
    struct np_secure_client *client = &secure->u.client;
    struct np_roots roots = client->roots;
    const char *before = client->bundle;
    uint8_t first, next = 1 - client->current;

    roots.entries = client->entries[next];
    client->bundle = path;
    int32_t got = read_bundle(secure, 0, &first, 1);
    enum np_err err = got < 0 ? (enum np_err)got : np_roots_index(&roots);
    if (err != NP_OK) {
        client->bundle = before;
        if (got < 0) {
            return err;
        }
        log_useless(secure, path,
                    err == NP_ERR_NOT_FOUND ? "no certificate in it" : np_err_text(err));
        return NP_ERR_INVALID;
    }
    client->roots = roots;
    client->current = next;
    if (roots.skipped > 0) {
        np_log_write(&secure->instance->log, NP_LOG_WARN,
                     "%s: %u entries are no usable certificate", path, roots.skipped);
    }
    return NP_OK;
}

static enum np_err find_bundle(struct np_secure *secure)
{
    static const char *const paths[] = {NP_CA_BUNDLES};
    const char *ca = secure->instance->settings->ca;
    enum np_err err = NP_ERR_NOT_FOUND;

    if (ca[0] != '\0') {
        err = index_bundle(secure, ca);
        return err == NP_OK || err == NP_ERR_INVALID ? err : log_unreadable(secure, ca, err);
    }
    for (uint32_t i = 0; i < sizeof paths / sizeof paths[0] && err != NP_OK; i++) {
        err = index_bundle(secure, paths[i]);
    }
    if (err != NP_OK) {
        log_useless(secure, "No bundle of CA certificates found in the usual places",
                    "install one (ca-certificates, ca-bundle), or give ca= or pin=");
    }
    return err;
}

/* Looks again later; soon after a failure, if there is an index to go on with. */
static enum np_err load_bundle(struct np_secure *secure)
{
    struct np_app *app = secure->instance->app;
    enum np_err err = find_bundle(secure);

    if (err == NP_OK) {
        np_log_rest(&secure->instance->log, NP_SITE_RELOAD, 0);
    }
    if (secure->u.client.bundle != NULL) {
        start_reload(secure, err == NP_OK ? app->tuning->reload_interval_ms : RELOAD_AGAIN_MS);
    }
    return err;
}

/* A pin needs neither CA nor clock. */
static bool is_pinned_alone(const struct np_settings *settings)
{
    return settings->pin_given && settings->ca[0] == '\0';
}

enum np_err np_secure_use_level(struct np_secure *secure, uint8_t level)
{
    struct np_secure_client *client = &secure->u.client;
    const struct np_settings *settings = secure->instance->settings;
    const char *name = settings->sni[0] != '\0' ? settings->sni : settings->tunnel.host;

    client->policy.roots = NULL;
    client->policy.pin = settings->pin_given ? settings->pin : NULL;
    secure->config.server_name = level == 2 || settings->sni[0] != '\0' ? name : NULL;
    secure->config.verify_name = NULL;
    if (level != 2 || is_pinned_alone(settings)) {
        return NP_OK;
    }
    if (client->bundle == NULL) {
        enum np_err err = load_bundle(secure);
        if (err != NP_OK) {
            return err;
        }
    }
    client->policy.roots = &client->roots;
    secure->config.verify_name = name;
    return NP_OK;
}

const char *np_secure_verdict(const struct np_secure *secure, enum np_tls_reason reason)
{
    const struct np_verify_report *report = &secure->u.client.report;
    return !is_server(secure) && report->reason == reason ? report->text : "";
}

void np_secure_note_handshake(struct np_secure *secure)
{
    struct np_secure_client *client = &secure->u.client;

    if (is_server(secure)) {
        return;
    }
    if (client->roots.is_stale) {
        client->roots.is_stale = false; /* until the next handshake that finds it so */
        (void)load_bundle(secure);
    }
    if (!client->report.is_clock_low && client->policy.roots != NULL &&
        client->report.reason == NP_TLS_FINE) {
        client->policy.known_s = np_plat_wall_s(secure->instance->app->plat);
    }
    if (!client->report.is_clock_low || client->said_clock) {
        return;
    }
    int64_t floor_s = client->policy.floor_s, known_s = client->policy.known_s;
    struct np_cert_civil date = np_cert_civil_of(floor_s > known_s ? floor_s : known_s);
    client->said_clock = true;
    np_log_write(&secure->instance->log, NP_LOG_WARN,
                 "The clock is not set: certificates are judged as on %04u-%02u-%02u, a day that "
                 "has passed for certain",
                 (unsigned)date.year, (unsigned)date.month, (unsigned)date.day);
}

static void open_client(struct np_secure *secure)
{
    struct np_secure_client *client = &secure->u.client;

    client->trust.ops = &np_verify_ops;
    client->trust.policy = &client->policy;
    client->policy.wall_s = wall_s;
    client->policy.clock_ctx = secure->instance->app->plat;
    client->policy.floor_s = secure->instance->app->tuning->built_s;
    client->policy.known_s = secure->instance->app->tuning->known_s;
    client->policy.report = &client->report;
    client->roots.read = read_bundle;
    client->roots.ctx = secure;
    client->roots.cap = NP_MAX_ROOTS;
    secure->config.trust = &client->trust;
}

/* ---- both ------------------------------------------------------------------------------------ */

enum np_err np_secure_open(struct np_secure *secure, struct np_instance *instance)
{
    secure->instance = instance;
    secure->config.engines = &instance->app->engines;
    secure->config.random.fill = fill_random;
    secure->config.random.ctx = instance->app->plat;
    secure->config.record_limit = NP_RECORD_LIMIT;
    if (!is_server(secure)) {
        open_client(secure);
        bool wants_roots = instance->settings->tls == 2 && !is_pinned_alone(instance->settings);
        return wants_roots ? load_bundle(secure) : NP_OK;
    }
    if (instance->settings->tls == 1) {
        return make_pair(secure);
    }
    enum np_err err = load_pair(secure);
    if (err == NP_OK) {
        start_reload(secure, instance->app->tuning->reload_interval_ms);
    }
    return err;
}

void np_secure_reload(struct np_secure *secure)
{
    np_log_rest(&secure->instance->log, NP_SITE_RELOAD, 0);
    if (!is_server(secure)) {
        if (secure->u.client.bundle != NULL) {
            (void)load_bundle(secure);
        }
        return;
    }
    if (secure->instance->settings->tls == 2) {
        enum np_err err = load_pair(secure);
        if (err != NP_OK && err != NP_ERR_AGAIN) {
            np_log_write(&secure->instance->log, NP_LOG_ERROR,
                         "The certificate in use stays: the new files can't be used");
        }
        start_reload(secure, err == NP_ERR_AGAIN
                                 ? RELOAD_AGAIN_MS
                                 : secure->instance->app->tuning->reload_interval_ms);
    }
}

void np_secure_close(struct np_secure *secure)
{
    np_timer_stop(&secure->instance->app->timers, &secure->reload);
    if (is_server(secure)) {
        secure->config.cred = NULL;
        np_key_pair_wipe(&secure->u.server.pairs[0]);
        np_key_pair_wipe(&secure->u.server.pairs[1]);
    }
}
