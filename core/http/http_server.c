/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/http/http_server.h"

#include <stddef.h>

#include "core/http/http_conn.h"
#include "core/np_app_state.h"

#define ACCEPTS_A_TURN 8u /* so that requests are served between waves of connects */
#define PROBE_MS 60000u   /* keep-alive probes of silent connections */
#define CROWD 64u         /* refusals in a second that make the table hurry */
#define GIVE_UP_MS 30000u /* sent bytes unacknowledged */

void np_http_plan(struct np_plan *plan, bool has_tls)
{
    uint32_t conns = NP_MAX_HTTP_CONNS + NP_MAX_HTTP_STREAMS;

    plan->http_conns = conns;
    plan->http_ins = NP_MAX_HTTP_CONNS;
    plan->http_bodies = NP_MAX_HTTP_BODIES;
    plan->http_outs = NP_MAX_HTTP_CONNS + 1; /* one is the stage of published events */
    plan->http_queues = NP_MAX_HTTP_QUEUES;
    plan->timers += conns + 1;
    plan->handles += conns + 1;
    if (has_tls) {
        plan->channels += conns;
        plan->records += conns < 64 ? conns : 64u;
        if (plan->handshakes < NP_MAX_HANDSHAKES) {
            plan->handshakes = NP_MAX_HANDSHAKES;
        }
    }
}

/* ---- life -------------------------------------------------------------------- */

enum np_err np_http_server_open(struct np_http_server *server, struct np_instance *instance,
                                const struct np_addr *at, const struct np_http_hooks *hooks)
{
    struct np_plat *plat = instance->app->plat;

    memset(server, 0, sizeof *server);
    server->app = instance->app;
    server->instance = instance;
    server->hooks = *hooks;
    np_list_init(&server->conns);
    np_list_init(&server->streams);
    np_list_init(&server->leaving);
    enum np_err err = np_plat_tcp_listen(
        plat, at, np_tag(NP_TAG_HTTP, NP_HTTP_SUB_DOOR, instance->index), &server->door);
    if (err != NP_OK) {
        server->door = NP_HANDLE_NONE;
        return err;
    }
    np_plat_tcp_keepalive(plat, server->door, PROBE_MS);
    np_plat_interest(plat, server->door, NP_EV_READ);
    return NP_OK;
}

static void close_door(struct np_http_server *server)
{
    np_plat_close(server->app->plat, server->door);
    server->door = NP_HANDLE_NONE;
}

void np_http_server_stop(struct np_http_server *server)
{
    struct np_node *next;

    if (server->app == NULL || server->is_stopping) {
        return;
    }
    server->is_stopping = true;
    close_door(server);
    np_http_end_streams(server);
    for (struct np_node *node = np_list_first(&server->conns); node != NULL; node = next) {
        struct np_http_conn *conn = NP_CONTAINER(node, struct np_http_conn, node);
        next = np_list_next(&server->conns, node);
        conn->is_last = true;
        if (conn->state <= NP_HTTP_EXPECT_REQUEST) {
            np_http_conn_close(conn, NP_OK);
        }
    }
}

bool np_http_server_is_stopped(const struct np_http_server *server)
{
    return server->app == NULL || (server->door == NP_HANDLE_NONE && server->conns.count == 0 &&
                                   server->streams.count == 0 && server->leaving.count == 0);
}

static void close_all(struct np_list *list)
{
    struct np_node *node;

    while ((node = np_list_first(list)) != NULL) {
        np_http_conn_close(NP_CONTAINER(node, struct np_http_conn, node), NP_ERR_CANCELED);
    }
}

void np_http_server_close(struct np_http_server *server)
{
    if (server->app == NULL) {
        return;
    }
    close_door(server);
    close_all(&server->streams);
    close_all(&server->conns);
    close_all(&server->leaving);
    np_http_stream_flush(server); /* to nobody: gives the stage back */
}

/* ---- door --------------------------------------------------------------------- */

/* Event streams that still get their first records hold a buffer like any answer. */
static uint32_t busy_count(const struct np_http_server *server)
{
    uint32_t count = server->conns.count;

    for (struct np_node *node = np_list_first(&server->streams); node != NULL;
         node = np_list_next(&server->streams, node)) {
        count += NP_CONTAINER(node, struct np_http_conn, node)->state == NP_HTTP_SENDING ? 1u : 0;
    }
    return count;
}

/* Counts refusals by the second. */
static void note_refusal(struct np_http_server *server)
{
    if (server->app->now_ms - server->crowd_since_ms >= 1000) {
        server->is_crowded = server->refused_count >= CROWD;
        server->refused_count = 0;
        server->crowd_since_ms = server->app->now_ms;
    }
    server->refused_count++;
    server->is_crowded = server->is_crowded || server->refused_count >= CROWD;
}

/* True if `conn` is to give way before `other`, both idle. */
static bool is_before(const struct np_http_conn *conn, const struct np_http_conn *other)
{
    return conn->is_known != other->is_known ? other->is_known : conn->since_ms < other->since_ms;
}

/* A full table: whoever opened a connection and does not bring its request gives way, the oldest
 * first, so that slow ones keep nobody out; else one that is idle. */
static void make_room(struct np_http_server *server)
{
    uint32_t grace_ms = server->is_crowded ? NP_HTTP_CROWD_GRACE_MS : NP_HTTP_GRACE_MS;
    struct np_http_conn *idle = NULL;

    for (struct np_node *node = np_list_first(&server->conns); node != NULL;
         node = np_list_next(&server->conns, node)) {
        struct np_http_conn *conn = NP_CONTAINER(node, struct np_http_conn, node);
        bool is_idle = conn->in == 0 && conn->has_asked;
        uint64_t waited_ms = server->app->now_ms - conn->since_ms;

        if (conn->state > NP_HTTP_EXPECT_REQUEST ||
            waited_ms < (is_idle ? NP_HTTP_REST_MS : grace_ms)) {
            continue;
        }
        if (!is_idle) {
            np_http_conn_expire(conn);
            return;
        }
        idle = idle == NULL || is_before(conn, idle) ? conn : idle;
    }
    if (idle != NULL) {
        np_http_conn_expire(idle);
    }
}

static void admit(struct np_http_conn *conn)
{
    struct np_http_server *server = conn->server;
    struct np_plat *plat = server->app->plat;
    bool has_tls = server->instance->secure != NULL;

    np_plat_tcp_user_timeout(plat, conn->handle, GIVE_UP_MS);
    if (busy_count(server) >= server->app->plan.http_ins) {
        make_room(server);
    }
    conn->is_refused = busy_count(server) >= server->app->plan.http_ins;
    if (conn->is_refused) {
        note_refusal(server);
    }
    conn->state = has_tls ? NP_HTTP_EXPECT_TLS : NP_HTTP_EXPECT_REQUEST;
    np_list_insert_last(conn->is_refused ? &server->leaving : &server->conns, &conn->node);
    np_http_conn_wait(conn, NP_HTTP_HEAD_MS);
    if (conn->is_refused && !has_tls) {
        np_http_conn_refuse(conn);
    } else {
        np_http_conn_run(conn);
    }
}

/* Not even memory to say no. */
static enum np_err turn_away(struct np_http_server *server)
{
    struct np_plat *plat = server->app->plat;
    struct np_addr peer;
    uint32_t handle;
    enum np_err err = np_plat_tcp_accept(plat, server->door, 0, &handle, &peer);

    if (err == NP_OK) {
        np_plat_tcp_close(plat, handle);
    }
    return err;
}

static enum np_err accept_one(struct np_http_server *server)
{
    struct np_app *app = server->app;
    struct np_http_conn *conn = np_http_conn_open(server);

    if (conn == NULL) {
        if (server->leaving.count == 0) {
            make_room(server);
        }
        struct np_node *leaving = np_list_first(&server->leaving);
        if (leaving != NULL) {
            np_http_conn_close(NP_CONTAINER(leaving, struct np_http_conn, node), NP_OK);
        }
        conn = np_http_conn_open(server);
    }
    if (conn == NULL) {
        return turn_away(server);
    }
    uint32_t tag = np_tag(NP_TAG_HTTP, NP_HTTP_SUB_CONN, conn->self & NP_POOL_INDEX_MASK);
    enum np_err err = np_plat_tcp_accept(app->plat, server->door, tag, &conn->handle, &conn->peer);
    if (err != NP_OK) {
        np_pool_release(&app->http_conns, conn->self);
        return err;
    }
    admit(conn);
    return NP_OK;
}

void np_http_on_door(struct np_http_server *server)
{
    enum np_err err = NP_OK;

    for (uint32_t i = 0; i < ACCEPTS_A_TURN && err == NP_OK; i++) {
        err = accept_one(server);
    }
    if (err != NP_OK && err != NP_ERR_AGAIN) {
        np_log_limited(&server->instance->log, NP_SITE_ACCEPT, server->app->now_ms, NP_LOG_WARN,
                       "API connection not accepted: %s", np_err_text(err));
    }
}
