/* SPDX-License-Identifier: BSD-3-Clause */
/* api: the route table, and the order of checks of master-api.md 1. */
#include <string.h>

#include "core/master/pages.h"
#include "core/master/reply.h"
#include "core/np_app_state.h"

#define ID_CAP 64u
#define TARGET_CAP 300u

static void reply_events(struct np_call *call)
{
    np_events_start_stream(call->master, call->conn);
}

static void reply_tcping(struct np_call *call)
{
    char target[TARGET_CAP];
    uint32_t len;
    enum np_err err =
        np_http_query_find(call->request->query, "target", target, sizeof target, &len);

    if (err != NP_OK || len == 0) {
        np_http_reply_error(call->conn, 400, "Target address required");
        return;
    }
    np_ping_start(call->master, call->conn, target);
}

static void reply_page(struct np_call *call, const char *path)
{
    const struct np_page *page = np_page_find(path, (uint32_t)strlen(path));

    if (page == NULL) {
        np_http_reply_unmatched(call->conn);
        return;
    }
    const char *prefix = call->master->prefix;
    struct np_http_page body = {.gzip = page->body,
                                .len = page->body_len,
                                .etag = page->etag,
                                .type = NP_HTTP_HTML,
                                .api = np_slice_is(np_slice_of(prefix), "/api") ? NULL : prefix};
    np_http_reply_page(call->conn, call->request, &body);
}

static void reply_panel(struct np_call *call)
{
    reply_page(call, "/");
}

static void reply_docs(struct np_call *call)
{
    reply_page(call, "/docs");
}

/* ---- routes ---------------------------------------------------------------------------------- */

#define WITH_ID 1u
#define PUBLIC 2u

static const struct route {
    const char *path; /* behind "<prefix>/v1"; "" = the root of the server */
    uint8_t flags;
    void (*get)(struct np_call *call);
    void (*post)(struct np_call *call);
    void (*patch)(struct np_call *call);
    void (*put)(struct np_call *call);
    void (*del)(struct np_call *call);
} routes[] = {
    {"/instances", 0, np_reply_list, np_reply_create, NULL, NULL, NULL},
    {"/instances/", WITH_ID, np_reply_instance, NULL, np_reply_patch, np_reply_put,
     np_reply_delete},
    {"/events", 0, reply_events, NULL, NULL, NULL, NULL},
    {"/info", 0, np_reply_info, np_reply_alias, NULL, NULL, NULL},
    {"/tcping", 0, reply_tcping, NULL, NULL, NULL, NULL},
    {"/metrics", 0, np_reply_metrics, NULL, NULL, NULL, NULL},
    {"/openapi.json", PUBLIC, np_reply_openapi, NULL, NULL, NULL, NULL},
    {"/docs", PUBLIC, reply_docs, NULL, NULL, NULL, NULL},
    {"", PUBLIC, reply_panel, NULL, NULL, NULL, NULL},
};
#define ROUTE_COUNT ((uint32_t)(sizeof routes / sizeof routes[0]))

/* Takes `text` off the front of *rest. */
static bool skip_text(struct np_slice *rest, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);

    if (rest->len < len || memcmp(rest->base, text, len) != 0) {
        return false;
    }
    *rest = np_slice_part(*rest, len, rest->len - len);
    return true;
}

/* The route of `path`; *id is what follows "/instances/". */
static const struct route *find_route(const struct np_master *master, struct np_slice path,
                                      struct np_slice *id)
{
    if (np_slice_is(path, "/")) {
        return &routes[ROUTE_COUNT - 1];
    }
    if (!skip_text(&path, master->prefix) || !skip_text(&path, "/v1")) {
        return NULL;
    }
    for (uint32_t i = 0; i + 1 < ROUTE_COUNT; i++) {
        *id = path;
        if ((routes[i].flags & WITH_ID) != 0 ? skip_text(id, routes[i].path)
                                             : np_slice_is(path, routes[i].path)) {
            return &routes[i];
        }
    }
    return NULL;
}

bool np_api_is_route(void *ctx, struct np_slice path)
{
    struct np_slice id;

    return find_route(ctx, path, &id) != NULL;
}

typedef void reply(struct np_call *call);

static reply *find_reply(const struct route *route, uint8_t method)
{
    switch (method) {
    case NP_HTTP_GET:
        return route->get;
    case NP_HTTP_HEAD:
        return (route->flags & PUBLIC) != 0 ? route->get : NULL;
    case NP_HTTP_POST:
        return route->post;
    case NP_HTTP_PATCH:
        return route->patch;
    case NP_HTTP_PUT:
        return route->put;
    case NP_HTTP_DELETE:
        return route->del;
    default:
        return NULL;
    }
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool has_key(struct np_call *call)
{
    const struct np_http_request *request = call->request;
    struct np_master *master = call->master;

    if (!request->has_api_key || request->api_key.len == 0) {
        np_http_reply_error(call->conn, 401, "Unauthorized: API key required");
        return false;
    }
    switch (np_api_key_check(&master->key, request->api_key, np_http_conn_peer(call->conn),
                             master->app->now_ms)) {
    case NP_KEY_RIGHT:
        np_http_set_known(call->conn);
        return true;
    case NP_KEY_BLOCKED:
        np_http_reply_error(call->conn, 429, "Too many wrong API keys: try again in a minute");
        return false;
    default:
        np_http_reply_error(call->conn, 401, "Unauthorized: Invalid API key");
        return false;
    }
}

static bool has_known_id(struct np_call *call, struct np_slice escaped)
{
    char id[ID_CAP];
    uint32_t len = 0;

    if (escaped.len == 0) {
        np_http_reply_error(call->conn, 400, "Instance ID is required");
        return false;
    }
    if (np_http_decode(escaped, false, id, sizeof id, &len) == NP_OK) {
        if (np_slice_is((struct np_slice){id, len}, NP_MASTER_KEY_ID)) {
            return true;
        }
        call->record = np_record_find(call->master, id, len);
    }
    if (call->record == NULL) {
        np_http_reply_error(call->conn, 404, "Instance not found");
        return false;
    }
    return true;
}

void np_api_on_request(void *ctx, struct np_http_conn *conn, const struct np_http_request *request)
{
    struct np_call call = {ctx, conn, request, NULL};
    struct np_slice id;
    const struct route *route;
    reply *answer;

    if (!np_http_path_is_clean(request->path)) {
        np_http_reply_clean(conn, request);
        return;
    }
    route = find_route(call.master, request->path, &id);
    if (route == NULL) {
        np_http_reply_unmatched(conn);
        return;
    }
    np_http_set_cors(conn);
    if (request->method == NP_HTTP_OPTIONS) {
        np_http_reply_empty(conn, 200);
        return;
    }
    if ((route->flags & PUBLIC) == 0 && !has_key(&call)) {
        return;
    }
    if ((route->flags & WITH_ID) != 0 && !has_known_id(&call, id)) {
        return;
    }
    answer = find_reply(route, request->method);
    if (answer == NULL) {
        np_http_reply_error(conn, 405, "Method not allowed");
        return;
    }
    answer(&call);
}

/* ---- for the replies ------------------------------------------------------------------------- */

void np_reply_unsaved(struct np_call *call)
{
    np_http_reply_error(call->conn, 507, "State can't be saved: %s",
                        np_err_text(call->master->store.failure));
}

bool np_reply_is_savable(struct np_call *call)
{
    if (np_store_is_ready(call->master)) {
        return true;
    }
    np_reply_unsaved(call);
    return false;
}

bool np_reply_read_body(struct np_call *call, struct np_json_value *root)
{
    if (np_json_parse(call->request->body, root) == NP_OK &&
        (root->kind == NP_JSON_OBJECT || root->kind == NP_JSON_NULL)) {
        return true;
    }
    np_http_reply_error(call->conn, 400, "Invalid request body");
    return false;
}

enum np_err np_reply_read_text(const struct np_json_value *object, const char *name, char *out,
                               uint32_t cap)
{
    struct np_json_value value;
    uint32_t len;

    out[0] = '\0';
    if (!np_json_find_set(object, name, &value)) {
        return NP_ERR_NOT_FOUND;
    }
    return np_json_text(&value, out, cap, &len);
}
