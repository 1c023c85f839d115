/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/health.h"

#include "core/np_app_state.h"

#define THIN_REPORTS_TO_FLUSH 2u

void np_health_check_point(struct np_instance *instance, int is_final)
{
    const struct np_counters *c = &instance->counters;

    np_log_write(&instance->log, NP_LOG_EVENT,
                 "CHECK_POINT|MODE=%u|PING=%ums|POOL=%u|TCPS=%u|UDPS=%u|TCPRX=%llu|TCPTX=%llu|"
                 "UDPRX=%llu|UDPTX=%llu",
                 instance->mode, is_final ? 0 : instance->control.ping_ms,
                 is_final ? 0 : instance->pool.idle.count, is_final ? 0 : c->tcp_sessions,
                 is_final ? 0 : c->udp_sessions, (unsigned long long)c->tcp_rx,
                 (unsigned long long)c->tcp_tx, (unsigned long long)c->udp_rx,
                 (unsigned long long)c->udp_tx);
}

/* ---- single-end: how long the target takes to accept ----------------------------------------- */

static void on_probed(void *owner, enum np_err err, uint32_t handle)
{
    struct np_instance *instance = owner;
    struct np_plat *plat = instance->app->plat;

    instance->probe_dial = 0;
    instance->control.ping_ms = 0;
    if (err == NP_OK) {
        instance->control.ping_ms = (uint32_t)((np_plat_now_us(plat) - instance->probe_us) / 1000);
        np_plat_tcp_close(plat, handle);
    }
    np_health_check_point(instance, 0);
}

static void probe_target(struct np_instance *instance)
{
    struct np_app *app = instance->app;
    uint32_t timeout_ms = app->tuning->tcp_dial_timeout_ms;
    uint32_t handle;

    if (instance->settings->notcp) {
        np_health_check_point(instance, 0);
        return;
    }
    if (timeout_ms > app->tuning->report_interval_ms) {
        timeout_ms = app->tuning->report_interval_ms;
    }
    np_dial_cancel(instance, instance->probe_dial);
    instance->probe_us = np_plat_now_us(app->plat);
    enum np_err err = np_dial_start(instance, &instance->target, timeout_ms, on_probed, instance,
                                    &instance->probe_dial, &handle);
    if (err != NP_ERR_AGAIN) {
        on_probed(instance, err, handle);
    }
}

/* ---- dual-end -------------------------------------------------------------------------------- */

static void flush_if_sick(struct np_instance *instance)
{
    struct np_connpool *pool = &instance->pool;
    struct np_app *app = instance->app;
    bool is_dry = pool->idle.count == 0 && instance->waiting.count > 0;
    bool is_thin = (is_dry || pool->idle.count * 5 < pool->peak) && pool->arrived == 0;

    pool->thin_reports = is_thin ? pool->thin_reports + 1 : 0;
    pool->arrived = 0;
    /* A Go client holds ids that died and does not refill; a Go server full of them closes what a
     * client dials. */
    bool can_be_stale = pool->is_down || (instance->settings->role == NP_ROLE_SERVER &&
                                          np_instance_has_visitors(instance));
    bool is_stale = can_be_stale && pool->thin_reports >= THIN_REPORTS_TO_FLUSH;
    bool has_errors = pool->errors > 0 && pool->errors > pool->idle.count / 2;
    if ((!is_stale && !has_errors) ||
        (pool->flushed_ms != 0 && app->now_ms - pool->flushed_ms < NP_FLUSH_GAP_MS)) {
        return;
    }
    np_log_limited(&instance->log, NP_SITE_FLUSH, app->now_ms, NP_LOG_WARN,
                   "Pool flushed: %u of its connections did not work, %u idle%s", pool->errors,
                   pool->idle.count,
                   has_errors ? "" : " and none comes (the client's may be stale)");
    np_control_send_kind(instance, NP_SIGNAL_FLUSH);
    np_connpool_flush(instance);
}

static void check_tunnel(struct np_instance *instance)
{
    struct np_control *control = &instance->control;
    struct np_app *app = instance->app;

    if (app->now_ms - control->heard_ms >= 2ull * app->tuning->report_interval_ms) {
        np_instance_fail(instance, NP_ERR_TIMED_OUT, np_control_fault(instance));
        return;
    }
    control->pinged_us = np_plat_now_us(app->plat);
    np_control_ping(instance);
    flush_if_sick(instance);
}

static void on_report(struct np_timer *timer, uint64_t now_ms)
{
    struct np_instance *instance = NP_CONTAINER(timer, struct np_instance, report);

    np_timer_start(&instance->app->timers, timer,
                   now_ms + instance->app->tuning->report_interval_ms);
    if (np_instance_is_single(instance)) {
        probe_target(instance);
    } else {
        check_tunnel(instance);
    }
}

void np_health_on_pong(struct np_instance *instance)
{
    struct np_control *control = &instance->control;

    if (control->pinged_us == 0) {
        return;
    }
    control->ping_ms =
        (uint32_t)((np_plat_now_us(instance->app->plat) - control->pinged_us) / 1000);
    control->pinged_us = 0;
    np_health_check_point(instance, 0);
}

void np_health_start(struct np_instance *instance)
{
    struct np_app *app = instance->app;

    instance->report.fire = on_report;
    np_timer_start(&app->timers, &instance->report, app->now_ms + app->tuning->report_interval_ms);
}

void np_health_stop(struct np_instance *instance)
{
    np_timer_stop(&instance->app->timers, &instance->report);
    np_dial_cancel(instance, instance->probe_dial);
    instance->probe_dial = 0;
}
