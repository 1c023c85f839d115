/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/http_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/np_test.h"

/* ---- what the server answers --------------------------------------------------- */

static const uint8_t gzip_page[] = "\x1f\x8bgzip";
static const struct np_http_page page = {gzip_page, sizeof gzip_page - 1, "\"v1\"", NP_HTTP_HTML,
                                         NULL};

static void write_element(const struct rig *rig, uint64_t at, struct np_json *out)
{
    np_json_open(out, NULL, '{');
    np_json_put_uint(out, "at", at);
    np_json_open(out, "fill", '[');
    for (uint32_t i = 0; i < rig->element_len; i += 2) {
        np_json_put_uint(out, NULL, at % 10);
    }
    np_json_close(out, ']');
    np_json_close(out, '}');
}

static bool write_big(struct np_http_source *source, struct np_json *out)
{
    const struct rig *rig = source->ctx;

    if (source->at == 0) {
        np_json_open(out, NULL, '[');
    }
    if (source->at < rig->big_count) {
        write_element(rig, source->at++, out);
        return true;
    }
    np_json_close(out, ']');
    return false;
}

static bool write_initial(struct np_http_source *source, struct np_json *out)
{
    const struct rig *rig = source->ctx;

    if (source->at == rig->big_count) {
        return false;
    }
    np_http_frame_open(out);
    write_element(rig, source->at++, out);
    np_http_frame_close(out);
    return true;
}

static void echo(struct np_http_conn *conn, const struct np_http_request *request)
{
    struct np_json *body = np_http_body(conn);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < request->body.len; i++) {
        sum = sum * 31 + (uint8_t)request->body.base[i];
    }
    np_json_open(body, NULL, '{');
    np_json_put_slice(body, "path", request->path);
    np_json_put_uint(body, "length", request->body.len);
    np_json_put_uint(body, "sum", sum);
    np_json_close(body, '}');
    np_http_reply(conn, 200, NP_HTTP_JSON);
}

static void answer(struct rig *rig, struct np_http_conn *conn,
                   const struct np_http_request *request)
{
    struct np_http_source big = {write_big, rig, 0}, initial = {write_initial, rig, 0};

    if (np_slice_is(request->path, "/big")) {
        np_http_reply_source(conn, 200, NP_HTTP_JSON, &big);
    } else if (np_slice_is(request->path, "/events")) {
        np_http_stream_start(conn, &initial);
    } else if (np_slice_is(request->path, "/page")) {
        np_http_reply_page(conn, request, &page);
    } else if (np_slice_is(request->path, "/known")) {
        np_http_set_known(conn);
        np_http_reply_empty(conn, 200);
    } else if (np_slice_is(request->path, "/empty")) {
        np_http_reply_empty(conn, 204);
    } else if (np_slice_is(request->path, "/later")) {
        rig->later = np_http_conn_handle(conn);
    } else if (np_slice_is(request->path, "/error")) {
        np_http_reply_error(conn, 400, "Bad <%s>", "thing");
    } else if (np_slice_is(request->path, "/long")) {
        struct np_json *body = np_http_body(conn);
        for (uint32_t i = 0; i < NP_HTTP_PIECE_MAX; i++) {
            np_json_raw(body, "xy");
        }
        np_http_reply(conn, 200, NP_HTTP_TEXT);
    } else if (np_slice_is(request->path, "/unmatched")) {
        np_http_reply_unmatched(conn);
    } else {
        echo(conn, request);
    }
}

static bool is_route(void *ctx, struct np_slice path)
{
    (void)ctx;
    return !np_slice_is(path, "/unmatched");
}

static void on_request(void *ctx, struct np_http_conn *conn, const struct np_http_request *request)
{
    struct rig *rig = ctx;

    rig->requests++;
    if (!np_http_path_is_clean(request->path)) {
        np_http_reply_clean(conn, request);
        return;
    }
    if (is_route(ctx, request->path)) {
        np_http_set_cors(conn);
    }
    answer(rig, conn, request);
}

/* ---- life ------------------------------------------------------------------------ */

static void idle(void *context)
{
    (void)context;
}

static void keep_log(void *context, uint32_t level, const char *line, uint32_t len)
{
    struct rig *rig = context;

    (void)level;
    if (rig->log_len + len < sizeof rig->log) {
        memcpy(rig->log + rig->log_len, line, len);
        rig->log_len += len;
    }
}

static void open_host(struct rig *rig, uint32_t send_buf)
{
    struct np_sim_host host;

    rig->sim = np_sim_create();
    np_sim_reset(rig->sim, 11);
    np_sim_host_defaults(&host);
    host.send_buf = host.recv_buf = send_buf;
    host.backlog = 512;
    host.step = idle;
    host.log = keep_log;
    host.context = rig;
    rig->plat = np_sim_host_open(rig->sim, &host);
    np_sim_host_set_blocking(rig->plat, true);
}

static bool cut_memory(struct np_app *app, struct np_arena *arena, const struct np_plan *p)
{
    bool ok = np_timers_init(&app->timers, arena, p->timers);
#define NP_POOL(name, count, size, purpose)                                                        \
    ok = np_pool_init(&app->name, arena, (uint32_t)(size), count) && ok;
#include "config/np_pools.def"
#undef NP_POOL
    return ok;
}

/* Only what the server needs of an app: pools, timers, platform. */
static void open_app(struct rig *rig, bool has_tls)
{
    struct np_arena arena = {0};
    struct np_plan plan = {0};

    plan.record_bytes = NP_RECORDS_A_BUFFER * NP_TLS_RECORD_MAX;
    plan.secures = 2;
    np_http_plan(&plan, has_tls);
    plan.channels *= 2; /* the clients' are in the same app */
    plan.timers += 16;
    rig->app = calloc(1, sizeof *rig->app);
    NP_CHECK(!cut_memory(rig->app, &arena, &plan));
    arena.cap = arena.used;
    arena.used = 0;
    rig->memory = calloc(1, arena.cap + 15);
    arena.base = (uint8_t *)(((uintptr_t)rig->memory + 15) & ~(uintptr_t)15);
    NP_CHECK(cut_memory(rig->app, &arena, &plan));
    rig->app->plan = plan;
    rig->app->plat = rig->plat;
    rig->app->tuning = &rig->tuning;
    rig->app->now_ms = np_plat_now_ms(rig->plat);
    np_list_init(&rig->app->deferred);
    np_list_init(&rig->app->holders);
    np_tls_engines_init(&rig->app->engines);
}

static void open_instance(struct rig *rig, struct np_instance *instance, uint8_t role, bool has_tls)
{
    uint32_t handle;

    rig->settings.role = role;
    instance->app = rig->app;
    instance->settings = &rig->settings;
    np_log_init(&instance->log, rig->plat, NP_LOG_WARN, NULL, false);
    if (has_tls) {
        instance->secure = np_pool_acquire(&rig->app->secures, &handle);
        NP_CHECK_INT(np_secure_open(instance->secure, instance), NP_OK);
    }
}

void rig_open(struct rig *rig, bool has_tls, uint32_t send_buf)
{
    struct np_http_hooks hooks = {on_request, is_route, rig};
    struct np_addr any = np_sim_ip4(127, 0, 0, 1, 0);

    memset(rig, 0, sizeof *rig);
    rig->big_count = 3;
    rig->element_len = 10;
    np_settings_init(&rig->settings);
    np_tuning_init(&rig->tuning);
    rig->settings.tls = 1;
    open_host(rig, send_buf);
    open_app(rig, has_tls);
    open_instance(rig, &rig->visitor, NP_ROLE_CLIENT, has_tls);
    if (has_tls) {
        NP_CHECK_INT(np_secure_use_level(rig->visitor.secure, 1), NP_OK);
    }
    open_instance(rig, &rig->master, NP_ROLE_SERVER, has_tls);
    NP_CHECK_INT(np_http_server_open(&rig->server, &rig->master, &any, &hooks), NP_OK);
    NP_CHECK_INT(np_plat_local(rig->plat, rig->server.door, &rig->at), NP_OK);
}

void rig_close(struct rig *rig)
{
    np_http_server_close(&rig->server);
    np_http_server_close(&rig->server);
    NP_CHECK(np_http_server_is_stopped(&rig->server));
    if (rig->master.secure != NULL) {
        np_secure_close(rig->master.secure);
        np_secure_close(rig->visitor.secure);
        np_pool_release(&rig->app->secures, np_pool_handle(&rig->app->secures, rig->master.secure));
        np_pool_release(&rig->app->secures,
                        np_pool_handle(&rig->app->secures, rig->visitor.secure));
    }
#define NP_POOL(name, count, size, purpose) NP_CHECK_INT(rig->app->name.used, 0);
#include "config/np_pools.def"
#undef NP_POOL
    NP_CHECK_INT(rig->app->timers.count, 0);
    NP_CHECK_INT(rig->app->deferred.count, 0);
    NP_CHECK_INT(np_sim_host_handles(rig->plat), 0);
    NP_CHECK_STR(np_sim_failure(rig->sim) == NULL ? "" : np_sim_failure(rig->sim), "");
    free(rig->memory);
    free(rig->app);
    np_sim_destroy(rig->sim);
}

/* ---- the loop ---------------------------------------------------------------------- */

static void dispatch(struct rig *rig, const struct np_event *ev)
{
    if (np_tag_kind(ev->tag) != NP_TAG_HTTP) {
        return;
    }
    if (np_tag_sub(ev->tag) == NP_HTTP_SUB_DOOR) {
        if (ev->handle == rig->server.door) {
            np_http_on_door(&rig->server);
        }
        return;
    }
    struct np_http_conn *conn = np_pool_at(&rig->app->http_conns, np_tag_index(ev->tag));
    if (conn != NULL && conn->handle == ev->handle) {
        np_http_on_event(conn, ev->flags);
    }
}

static void turn(struct rig *rig, uint32_t wait_ms)
{
    struct np_event events[64];
    struct np_channel *channel;
    uint32_t due = np_timers_wait_ms(&rig->app->timers, np_plat_now_ms(rig->plat));

    wait_ms = np_channel_has_deferred(rig->app) ? 0 : wait_ms < due ? wait_ms : due;
    int32_t count = np_plat_poll(rig->plat, events, 64, wait_ms);
    rig->app->now_ms = np_plat_now_ms(rig->plat);
    for (int32_t i = 0; i < count; i++) {
        dispatch(rig, &events[i]);
    }
    for (uint32_t left = rig->app->deferred.count;
         left > 0 && (channel = np_channel_next_deferred(rig->app)) != NULL; left--) {
        struct np_event ev = {channel->handle, channel->owner_tag, NP_EV_READ | NP_EV_WRITE};
        dispatch(rig, &ev);
    }
    np_timers_fire(&rig->app->timers, rig->app->now_ms, 1000);
}

void rig_run(struct rig *rig, uint32_t ms)
{
    uint64_t end = np_plat_now_ms(rig->plat) + ms;

    do {
        uint64_t now = np_plat_now_ms(rig->plat);
        turn(rig, now < end ? (uint32_t)(end - now) : 0);
    } while (np_plat_now_ms(rig->plat) < end);
}

/* ---- clients ------------------------------------------------------------------------- */

void rig_connect(struct rig *rig, struct rig_client *client)
{
    memset(client, 0, sizeof *client);
    client->text = malloc(RIG_TEXT_CAP);
    client->text[0] = '\0';
    NP_CHECK_INT(np_plat_tcp_connect(rig->plat, NULL, &rig->at, 0, &client->handle), NP_OK);
    rig_run(rig, 2);
}

static struct np_channel *channel_of(struct rig *rig, const struct rig_client *client)
{
    return np_channel_get(rig->app, client->channel);
}

void rig_connect_tls(struct rig *rig, struct rig_client *client)
{
    enum np_err err = NP_ERR_AGAIN;

    rig_connect(rig, client);
    NP_CHECK_INT(np_channel_open(&rig->visitor, NP_TLS_CLIENT, client->handle, &client->channel),
                 NP_OK);
    for (int i = 0; i < 20 && err == NP_ERR_AGAIN; i++) {
        err = np_channel_step(channel_of(rig, client));
        rig_run(rig, 2);
    }
    NP_CHECK_INT(err, NP_OK);
}

static void send_plain(struct rig *rig, struct rig_client *client, const uint8_t *bytes,
                       uint32_t len)
{
    uint32_t stalls = 0;

    while (len > 0 && stalls < 200) {
        int32_t n = np_plat_tcp_send(rig->plat, client->handle, bytes, len);
        stalls += n == NP_ERR_AGAIN ? 1u : 0;
        if (n < 0 && n != NP_ERR_AGAIN) {
            client->is_closed = true;
            return;
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (uint32_t)n : 0;
        rig_run(rig, 2);
    }
}

void rig_send_bytes(struct rig *rig, struct rig_client *client, const void *bytes, uint32_t len)
{
    if (client->channel == 0) {
        send_plain(rig, client, bytes, len);
        return;
    }
    NP_CHECK_INT(np_channel_send(channel_of(rig, client), bytes, len), NP_OK);
    NP_CHECK_INT(np_channel_flush(channel_of(rig, client)), NP_OK);
    rig_run(rig, 2);
}

void rig_send(struct rig *rig, struct rig_client *client, const char *text)
{
    rig_send_bytes(rig, client, text, (uint32_t)strlen(text));
}

void rig_send_records(struct rig *rig, struct rig_client *client, const char *text, uint32_t piece)
{
    uint32_t len = (uint32_t)strlen(text);

    for (uint32_t at = 0; at < len; at += piece) {
        uint32_t part = len - at < piece ? len - at : piece;
        NP_CHECK_INT(np_channel_send(channel_of(rig, client), (const uint8_t *)text + at, part),
                     NP_OK);
    }
    NP_CHECK_INT(np_channel_flush(channel_of(rig, client)), NP_OK);
    rig_run(rig, 2);
}

static int32_t receive(struct rig *rig, struct rig_client *client, uint32_t most)
{
    uint8_t *data;

    if (client->channel == 0) {
        return np_plat_tcp_recv(rig->plat, client->handle, (uint8_t *)client->text + client->len,
                                most);
    }
    int32_t got = np_channel_peek(channel_of(rig, client), &data);
    if (got > 0) {
        got = (uint32_t)got < most ? got : (int32_t)most;
        memcpy(client->text + client->len, data, (uint32_t)got);
    }
    if (got >= 0) {
        np_channel_consume(channel_of(rig, client), (uint32_t)got);
    }
    return got;
}

uint32_t rig_read(struct rig *rig, struct rig_client *client, uint32_t most)
{
    uint32_t sum = 0;

    while (sum < most && !client->is_closed) {
        uint32_t room = RIG_TEXT_CAP - 1 - client->len;
        int32_t got = receive(rig, client, most - sum < room ? most - sum : room);
        if (got == NP_ERR_AGAIN) {
            break;
        }
        if (got < 0) {
            client->is_closed = true;
            client->end = (enum np_err)got;
            break;
        }
        client->len += (uint32_t)got;
        sum += (uint32_t)got;
    }
    client->text[client->len] = '\0';
    return sum;
}

void rig_read_all(struct rig *rig, struct rig_client *client)
{
    for (uint32_t quiet = 0; quiet < 25 && !client->is_closed; quiet++) {
        rig_run(rig, 2);
        if (rig_read(rig, client, UINT32_MAX) > 0) {
            quiet = 0;
        }
    }
}

void rig_forget(struct rig_client *client)
{
    client->len = 0;
    client->text[0] = '\0';
}

void rig_hang_up(struct rig *rig, struct rig_client *client)
{
    np_channel_release(rig->app, client->channel);
    np_plat_tcp_close(rig->plat, client->handle);
    free(client->text);
    memset(client, 0, sizeof *client);
    rig_run(rig, 2);
}

const char *rig_ask(struct rig *rig, struct rig_client *client, const char *request)
{
    rig_forget(client);
    rig_send(rig, client, request);
    rig_read_all(rig, client);
    return client->text;
}

uint32_t rig_count(const char *text, const char *part)
{
    uint32_t count = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        count++;
    }
    return count;
}

bool rig_unchunk(char *text)
{
    char *from = strstr(text, "\r\n\r\n");
    char *to;

    if (from == NULL) {
        return false;
    }
    from += 4;
    to = from;
    for (;;) {
        char *end;
        unsigned long len = strtoul(from, &end, 16);
        if (end == from || memcmp(end, "\r\n", 2) != 0 || strlen(end + 2) < len + 2) {
            return false;
        }
        memmove(to, end + 2, len);
        to += len;
        from = end + 2 + len;
        if (memcmp(from, "\r\n", 2) != 0) {
            return false;
        }
        from += 2;
        if (len == 0) {
            *to = '\0';
            return *from == '\0';
        }
    }
}
