/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/tcping.h"

#include <string.h>

#include "config/endpoint.h"
#include "core/master/master.h"
#include "core/np_app_state.h"

static void answer(struct np_http_conn *conn, const char *target, bool is_connected,
                   uint64_t latency_ms, const char *error)
{
    struct np_json *body = np_http_body(conn);

    np_json_open(body, NULL, '{');
    np_json_put_text(body, "target", target);
    np_json_put_bool(body, "connected", is_connected);
    np_json_put_uint(body, "latency", latency_ms);
    if (error == NULL) {
        np_json_put_null(body, "error");
    } else {
        np_json_put_text(body, "error", error);
    }
    np_json_close(body, '}');
    np_http_reply(conn, 200, NP_HTTP_JSON);
}

static uint32_t dialling_count(const struct np_master *master)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < NP_PINGS; i++) {
        count += master->pings[i].state == NP_PING_DIALLING ? 1u : 0u;
    }
    return count;
}

static void release(struct np_ping *ping)
{
    struct np_app *app = ping->master->app;

    np_timer_stop(&app->timers, &ping->timer);
    if (ping->state == NP_PING_DIALLING) {
        np_dial_cancel(&ping->master->self, ping->dial);
        np_name_deinit(&ping->name);
    }
    ping->state = NP_PING_FREE;
}

static void finish(struct np_ping *ping, enum np_err err, const char *text)
{
    struct np_master *master = ping->master;
    struct np_http_conn *conn = np_http_conn_get(&master->server, ping->conn);
    uint64_t took_ms = (np_plat_now_us(master->app->plat) - ping->begun_us) / 1000;
    char target[NP_ENDPOINT_TEXT_CAP];

    np_endpoint_format(&ping->endpoint, target, sizeof target);
    release(ping);
    if (conn != NULL) {
        answer(conn, target, err == NP_OK, err == NP_OK ? took_ms : 0, err == NP_OK ? NULL : text);
    }
}

static void on_dialled(void *owner, enum np_err err, uint32_t handle)
{
    struct np_ping *ping = owner;

    if (err == NP_OK) {
        np_plat_tcp_close(ping->master->app->plat, handle);
    }
    ping->dial = 0;
    finish(ping, err, np_err_text(err));
    for (uint32_t i = 0; i < NP_PINGS; i++) { /* one that waits takes its place, soon */
        struct np_ping *next = &ping->master->pings[i];
        if (next->state == NP_PING_WAITING) {
            np_timer_start(&ping->master->app->timers, &next->timer, ping->master->app->now_ms);
            return;
        }
    }
}

static void dial(struct np_ping *ping)
{
    struct np_master *master = ping->master;
    uint32_t index = (uint32_t)(ping - master->pings), handle;

    ping->state = NP_PING_DIALLING;
    np_name_init(&ping->name, &master->self, &ping->endpoint, (uint8_t)(NP_PING_SUB + index));
    ping->name.is_failed = true; /* no WARN: the answer tells */
    ping->begun_us = np_plat_now_us(master->app->plat);
    enum np_err err = np_dial_start(&master->self, &ping->name, NP_PING_LIMIT_MS, on_dialled, ping,
                                    &ping->dial, &handle);
    if (err != NP_ERR_AGAIN) {
        on_dialled(ping, err, handle);
    }
}

/* A place is free, or the wait is over. */
static void on_timer(struct np_timer *timer, uint64_t now_ms)
{
    struct np_ping *ping = NP_CONTAINER(timer, struct np_ping, timer);

    (void)now_ms;
    if (dialling_count(ping->master) < NP_PINGS_AT_ONCE) {
        dial(ping);
    } else {
        finish(ping, NP_ERR_LIMIT, "too many requests");
    }
}

void np_ping_start(struct np_master *master, struct np_http_conn *conn, const char *target)
{
    struct np_ping *ping = master->pings;
    struct np_endpoint endpoint;
    const char *want = np_endpoint_parse(&endpoint, target, (uint32_t)strlen(target));

    while (ping < master->pings + NP_PINGS && ping->state != NP_PING_FREE) {
        ping++;
    }
    if (want != NULL || ping == master->pings + NP_PINGS) {
        answer(conn, target, false, 0, want != NULL ? want : "too many requests");
        return;
    }
    memset(ping, 0, sizeof *ping);
    ping->master = master;
    ping->conn = np_http_conn_handle(conn);
    ping->endpoint = endpoint;
    if (dialling_count(master) < NP_PINGS_AT_ONCE) {
        dial(ping);
        return;
    }
    ping->state = NP_PING_WAITING;
    ping->begun_us = np_plat_now_us(master->app->plat);
    ping->timer.fire = on_timer;
    np_timer_start(&master->app->timers, &ping->timer, master->app->now_ms + NP_PING_WAIT_MS);
}

void np_ping_on_name(struct np_master *master, uint32_t index, uint32_t handle)
{
    if (index < NP_PINGS && master->pings[index].state == NP_PING_DIALLING) {
        np_name_on_event(&master->pings[index].name, handle);
    }
}

void np_pings_stop(struct np_master *master)
{
    for (uint32_t i = 0; i < NP_PINGS; i++) {
        if (master->pings[i].state != NP_PING_FREE) {
            release(&master->pings[i]);
        }
    }
}
