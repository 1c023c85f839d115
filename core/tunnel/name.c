/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/name.h"

#include <string.h>

#include "core/np_app_state.h"

void np_name_init(struct np_name *name, struct np_instance *instance,
                  const struct np_endpoint *endpoint, uint8_t which)
{
    memset(name, 0, sizeof *name);
    name->instance = instance;
    name->endpoint = endpoint;
    name->which = which;
    np_list_init(&name->waiters);
    if (endpoint->ip.family != NP_FAMILY_NONE) {
        name->addrs[0] = endpoint->ip;
        name->addrs[0].port = endpoint->port;
        name->count = 1;
        name->fresh_until_ms = UINT64_MAX;
    } else if (endpoint->host[0] == '\0') {
        /* An empty host: all addresses to listen on; to dial, this very machine. */
        np_addr_parse_ip(&name->addrs[0], "127.0.0.1", 9, endpoint->port);
        np_addr_parse_ip(&name->addrs[1], "::1", 3, endpoint->port);
        name->count = 2;
        name->fresh_until_ms = UINT64_MAX;
    }
}

/* A waiter may ask again at once (dns=0): those wait for the next answer. */
static void tell_waiters(struct np_name *name)
{
    for (uint32_t left = name->waiters.count; left > 0; left--) {
        struct np_node *node = np_list_first(&name->waiters);
        if (node == NULL) {
            break;
        }
        np_list_remove(&name->waiters, node);
        struct np_name_waiter *waiter = NP_CONTAINER(node, struct np_name_waiter, node);
        waiter->ready(waiter, name->count > 0 ? NP_OK : name->cause);
    }
}

static void on_late(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    tell_waiters(NP_CONTAINER(timer, struct np_name, late));
}

enum np_err np_name_want(struct np_name *name, struct np_name_waiter *waiter)
{
    struct np_app *app = name->instance->app;

    if (app->now_ms < name->fresh_until_ms) {
        return name->count > 0 ? NP_OK : name->cause;
    }
    if (name->query == NP_HANDLE_NONE) {
        enum np_err err =
            np_plat_resolve(app->plat, name->endpoint->host,
                            np_tag(NP_TAG_NAME, name->which, name->instance->index), &name->query);
        if (err != NP_OK) {
            name->query = NP_HANDLE_NONE;
            return name->count > 0 ? NP_OK : err;
        }
        if (name->count > 0 && !name->is_failed) {
            name->late.fire = on_late;
            np_timer_start(&app->timers, &name->late, app->now_ms + NP_NAME_WAIT_MS);
        }
    }
    if (name->count > 0 && !np_timer_is_running(&name->late)) {
        return NP_OK;
    }
    np_list_insert_last(&name->waiters, &waiter->node);
    return NP_ERR_AGAIN;
}

void np_name_cancel(struct np_name *name, struct np_name_waiter *waiter)
{
    np_list_remove(&name->waiters, &waiter->node);
}

/* Keeps the resolver's order but alternates the families, so that a dead one costs one step. */
static void keep_alternating(struct np_name *name, const struct np_addr *found, uint32_t count)
{
    bool used[NP_MAX_ADDRS] = {false};
    uint8_t wanted = found[0].family;

    name->count = 0;
    name->best = 0;
    while (name->count < count) {
        uint32_t pick = count;
        for (uint32_t i = 0; i < count; i++) {
            if (!used[i] && (pick == count || found[i].family == wanted)) {
                pick = i;
                if (found[i].family == wanted) {
                    break;
                }
            }
        }
        used[pick] = true;
        name->addrs[name->count] = found[pick];
        name->addrs[name->count].port = name->endpoint->port;
        name->count++;
        wanted = found[pick].family == NP_FAMILY_IP4 ? NP_FAMILY_IP6 : NP_FAMILY_IP4;
    }
}

static void take_failure(struct np_name *name, enum np_err err)
{
    struct np_instance *instance = name->instance;

    name->cause = err;
    bool is_first = !name->is_failed || name->count == 0; /* nothing to use meanwhile: ask soon */
    name->retry_ms = is_first                                    ? NP_NAME_RETRY_MS
                     : name->retry_ms < NP_NAME_RETRY_MAX_MS / 2 ? 2 * name->retry_ms
                                                                 : NP_NAME_RETRY_MAX_MS;
    name->fresh_until_ms = instance->app->now_ms + name->retry_ms;
    if (!name->is_failed) {
        np_log_write(&instance->log, NP_LOG_WARN, "Name not resolved: %s: %s%s",
                     name->endpoint->host, np_err_text(err),
                     name->count > 0 ? ", using the last answer" : "");
    }
    name->is_failed = true;
}

void np_name_on_event(struct np_name *name, uint32_t handle)
{
    struct np_instance *instance = name->instance;
    struct np_addr found[NP_MAX_ADDRS];

    if (handle != name->query) {
        return;
    }
    int32_t count = np_plat_resolve_result(instance->app->plat, handle, found, NP_MAX_ADDRS);
    if (count == NP_ERR_AGAIN) {
        return;
    }
    name->query = NP_HANDLE_NONE;
    np_timer_stop(&instance->app->timers, &name->late);
    if (count > 0) {
        keep_alternating(name, found, (uint32_t)count);
        name->is_failed = false;
        name->fresh_until_ms = instance->app->now_ms + instance->settings->dns_ms;
    } else {
        take_failure(name, count == 0 ? NP_ERR_NOT_FOUND : (enum np_err)count);
    }
    tell_waiters(name);
}

void np_name_deinit(struct np_name *name)
{
    np_timer_stop(&name->instance->app->timers, &name->late);
    if (name->query != NP_HANDLE_NONE) {
        np_plat_close(name->instance->app->plat, name->query);
        name->query = NP_HANDLE_NONE;
    }
}
