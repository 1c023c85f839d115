/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/door.h"

#include <string.h>

#include "config/endpoint.h"
#include "core/np_app_state.h"

#define ACCEPTS_A_TURN 64u
#define UDP_RETRY_MS 3000u

/* Address `i` to bind for `name`; an empty host is all addresses. False beyond the last. */
static bool bind_addr(const struct np_name *name, uint32_t i, struct np_addr *addr)
{
    if (name->endpoint->host[0] == '\0') {
        memset(addr, 0, sizeof *addr);
        addr->port = name->endpoint->port;
        return i == 0;
    }
    if (i >= name->count) {
        return false;
    }
    *addr = name->addrs[i];
    return true;
}

/* Tells that an address is ours at last, after it was said that it is not. */
static void note_bind(struct np_instance *instance, struct np_name *name, enum np_err err)
{
    char text[NP_ENDPOINT_TEXT_CAP];

    if (err == NP_OK && name->is_refused) {
        np_endpoint_format(name->endpoint, text, sizeof text);
        np_log_write(&instance->log, NP_LOG_INFO, "Bound now: %s", text);
    }
    name->is_refused = err != NP_OK;
}

enum np_err np_door_listen(struct np_instance *instance, struct np_name *name, unsigned tag_kind,
                           unsigned *handle)
{
    struct np_app *app = instance->app;
    enum np_err err = NP_ERR_ADDR_NOT_LOCAL;
    struct np_addr addr;

    for (uint32_t i = 0; bind_addr(name, i, &addr); i++) {
        err = np_plat_tcp_listen(app->plat, &addr,
                                 np_tag((enum np_tag_kind)tag_kind, 0, instance->index), handle);
        if (err == NP_OK) {
            np_plat_interest(app->plat, *handle, NP_EV_READ);
            break;
        }
        *handle = NP_HANDLE_NONE;
    }
    note_bind(instance, name, err);
    return err;
}

static enum np_err open_udp(struct np_instance *instance, struct np_name *name)
{
    struct np_app *app = instance->app;
    enum np_err err = NP_ERR_ADDR_NOT_LOCAL;
    struct np_addr addr;

    for (uint32_t i = 0; bind_addr(name, i, &addr); i++) {
        err = np_plat_udp_open(app->plat, &addr, NULL, np_tag(NP_TAG_UDP_DOOR, 0, instance->index),
                               &instance->door.udp);
        if (err == NP_OK) {
            np_plat_interest(app->plat, instance->door.udp, NP_EV_READ);
            return NP_OK;
        }
        instance->door.udp = NP_HANDLE_NONE;
    }
    return err;
}

static void retry_udp_later(struct np_instance *instance)
{
    np_timer_start(&instance->app->timers, &instance->udp_retry,
                   instance->app->now_ms + UDP_RETRY_MS);
}

static void on_udp_retry(struct np_timer *timer, uint64_t now_ms)
{
    struct np_instance *instance = NP_CONTAINER(timer, struct np_instance, udp_retry);
    struct np_name *name = np_instance_is_single(instance) ? &instance->tunnel : &instance->target;
    (void)now_ms;

    if (instance->door.tcp == NP_HANDLE_NONE || instance->door.udp != NP_HANDLE_NONE) {
        return;
    }
    if (open_udp(instance, name) != NP_OK) {
        retry_udp_later(instance);
        return;
    }
    np_log_write(&instance->log, NP_LOG_INFO, "UDP port %u is free now: UDP is served",
                 name->endpoint->port);
}

enum np_err np_door_open(struct np_instance *instance, struct np_name *name)
{
    const struct np_settings *settings = instance->settings;
    enum np_err err = NP_OK;

    if (!settings->notcp && instance->door.tcp == NP_HANDLE_NONE) {
        err = np_door_listen(instance, name, NP_TAG_TCP_DOOR, &instance->door.tcp);
        if (err != NP_OK) {
            return err;
        }
    }
    if (settings->noudp || instance->door.udp != NP_HANDLE_NONE) {
        return NP_OK;
    }
    err = open_udp(instance, name);
    if (settings->notcp) {
        note_bind(instance, name, err);
    }
    if (err == NP_OK || settings->notcp) {
        return err;
    }
    np_log_limited(&instance->log, NP_SITE_UDP_BIND, instance->app->now_ms, NP_LOG_WARN,
                   "UDP port %u not bound: %s; TCP is served, UDP is tried again",
                   name->endpoint->port, np_err_text(err));
    instance->udp_retry.fire = on_udp_retry;
    retry_udp_later(instance);
    return NP_OK;
}

void np_door_close(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    np_plat_close(app->plat, instance->door.tcp);
    np_plat_close(app->plat, instance->door.udp);
    instance->door.tcp = instance->door.udp = NP_HANDLE_NONE;
    np_timer_stop(&app->timers, &instance->udp_retry);
}

void np_door_on_tcp(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    for (uint32_t i = 0; i < ACCEPTS_A_TURN && instance->door.tcp != NP_HANDLE_NONE; i++) {
        struct np_addr visitor;
        uint32_t handle;
        enum np_err err = np_plat_tcp_accept(app->plat, instance->door.tcp, 0, &handle, &visitor);
        if (err == NP_ERR_AGAIN) {
            return;
        }
        if (err == NP_ERR_NO_HANDLES && np_connpool_reclaim(instance, 1)) {
            continue; /* the visitor needs this one and another connection */
        }
        if (err != NP_OK) {
            np_log_limited(&instance->log, NP_SITE_ACCEPT, app->now_ms, NP_LOG_WARN,
                           "Visitor not accepted: %s", np_cause_text(err));
            return;
        }
        np_session_open_visitor(instance, handle, &visitor);
    }
}
