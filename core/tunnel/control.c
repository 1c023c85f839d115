/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/control.h"

#include <string.h>

#include "core/np_app_state.h"
#include "core/tunnel/health.h"

#define READS_A_TURN 4u

static struct np_key key_of(const struct np_instance *instance)
{
    struct np_key key = {instance->settings->key, instance->settings->key_len};
    return key;
}

void np_control_open(struct np_instance *instance, uint32_t handle)
{
    struct np_control *control = &instance->control;
    struct np_app *app = instance->app;

    control->handle = handle;
    control->era++;
    control->extensions = 0;
    control->is_ext_open = false;
    control->bad_run = 0;
    control->has_heard = false;
    control->heard_ms = app->now_ms;
    control->pinged_us = 0;
    control->ping_count = control->pong_count = 0;
    control->ping_ms = 0;
    control->is_blocked = false;
    control->out_len = 0;
    np_line_decoder_init(&control->in, key_of(instance), NP_DIALECT_LINE_CAP);
    np_plat_local(app->plat, handle, &control->local);
    np_plat_peer(app->plat, handle, &control->peer);
    np_plat_retag(app->plat, handle, np_tag(NP_TAG_CONTROL, 0, instance->index));
    np_plat_tcp_keepalive(app->plat, handle, app->tuning->report_interval_ms);
    np_plat_interest(app->plat, handle, NP_EV_READ);
}

void np_control_close(struct np_instance *instance)
{
    struct np_control *control = &instance->control;

    if (control->handle != NP_HANDLE_NONE) {
        np_list_remove(&instance->app->dirty_controls, &control->dirty);
        np_plat_tcp_close(instance->app->plat, control->handle);
        control->handle = NP_HANDLE_NONE;
        control->ping_ms = 0;
    }
}

bool np_control_is_open(const struct np_instance *instance)
{
    return instance->control.handle != NP_HANDLE_NONE;
}

const char *np_control_fault(const struct np_instance *instance)
{
    return instance->settings->role == NP_ROLE_SERVER && !instance->control.has_heard
               ? "client has sent nothing readable since its hello (other key?)"
               : "control connection";
}

enum np_err np_control_send(struct np_instance *instance, const struct np_signal *signal)
{
    struct np_control *control = &instance->control;
    uint8_t line[NP_DIALECT_LINE_CAP + 1];

    if (control->handle == NP_HANDLE_NONE) {
        return NP_ERR_STATE;
    }
    uint32_t len = np_signal_encode(line, key_of(instance), signal);
    if (len == 0) {
        return NP_ERR_UNSUPPORTED;
    }
    if (len > NP_CONTROL_OUT_BYTES - control->out_len) {
        return NP_ERR_NO_MEMORY;
    }
    memcpy(control->out + control->out_len, line, len);
    control->out_len += len;
    if (!control->is_blocked && !np_list_has(&control->dirty)) {
        np_list_insert_last(&instance->app->dirty_controls, &control->dirty);
    }
    return NP_OK;
}

void np_control_send_kind(struct np_instance *instance, enum np_signal_kind kind)
{
    struct np_signal signal = {0};
    signal.kind = kind;
    if (np_control_send(instance, &signal) == NP_ERR_UNSUPPORTED) {
        np_log_limited(&instance->log, NP_SITE_ENCODE, instance->app->now_ms, NP_LOG_ERROR,
                       "Signal can't be sent with this key: choose another password");
    }
}

uint64_t np_control_ping(struct np_instance *instance)
{
    struct np_signal signal = {0};

    signal.kind = NP_SIGNAL_PING;
    if (np_control_send(instance, &signal) != NP_OK) {
        return instance->control.ping_count + 1; /* the next one then */
    }
    return ++instance->control.ping_count;
}

void np_control_flush(struct np_instance *instance)
{
    struct np_control *control = &instance->control;
    struct np_plat *plat = instance->app->plat;

    while (control->handle != NP_HANDLE_NONE && control->out_len > 0) {
        int32_t sent = np_plat_tcp_send(plat, control->handle, control->out, control->out_len);
        if (sent == NP_ERR_AGAIN) {
            control->is_blocked = true;
            np_plat_interest(plat, control->handle, NP_EV_READ | NP_EV_WRITE);
            return;
        }
        if (sent < 0) {
            np_instance_fail(instance, (enum np_err)sent, np_control_fault(instance));
            return;
        }
        control->out_len -= (uint32_t)sent;
        memmove(control->out, control->out + sent, control->out_len);
    }
}

static void on_signal(struct np_instance *instance, const struct np_signal *signal)
{
    /* The reply to an offer is the client's first message, or never comes. */
    bool was_ext_open = instance->control.is_ext_open;
    instance->control.is_ext_open = false;
    switch (signal->kind) {
    case NP_SIGNAL_PING:
        np_control_send_kind(instance, NP_SIGNAL_PONG);
        break;
    case NP_SIGNAL_PONG:
        instance->control.pong_count++;
        np_health_on_pong(instance);
        np_session_resume(instance);
        break;
    case NP_SIGNAL_FLUSH:
        np_log_write(&instance->log, NP_LOG_DEBUG, "Pool flush asked by the peer");
        np_connpool_flush(instance);
        break;
    case NP_SIGNAL_TCP:
    case NP_SIGNAL_UDP:
        np_launch_receive(instance, signal);
        break;
    case NP_SIGNAL_EXT:
        if (instance->settings->role == NP_ROLE_SERVER) {
            instance->control.extensions = signal->extensions & NP_DIALECT_EXT_ALL;
        }
        break;
    case NP_SIGNAL_HAVE:
        np_connpool_prove(instance, signal->id);
        break;
    case NP_SIGNAL_MISSING:
        np_launch_on_missing(instance, signal->id);
        break;
    case NP_SIGNAL_UNKNOWN:
        break;
    }
    if (was_ext_open && !instance->control.is_ext_open) {
        np_connpool_settle(instance);
    }
}

/* Counts a message that is none; false when it was one too many in a row. */
static bool tolerate_bad(struct np_instance *instance)
{
    struct np_control *control = &instance->control;

    control->bad_count++;
    control->bad_run++;
    np_log_limited(&instance->log, NP_SITE_SIGNAL, instance->app->now_ms, NP_LOG_WARN,
                   "Signal not understood, skipped");
    if (control->bad_run >= NP_CONTROL_MAX_BAD) {
        np_instance_fail(instance, NP_ERR_PROTOCOL, np_control_fault(instance));
        return false;
    }
    return true;
}

/* Serves every whole line in `buf`; false when the connection was given up. */
static bool feed_lines(struct np_instance *instance, const uint8_t *buf, uint32_t len)
{
    struct np_control *control = &instance->control;
    uint32_t handle = control->handle;

    while (len > 0) {
        uint32_t taken = 0;
        struct np_signal signal;
        enum np_err err = np_line_decoder_feed(&control->in, buf, len, &taken);
        buf += taken;
        len -= taken;
        if (err == NP_ERR_AGAIN) {
            return true;
        }
        if (err != NP_OK) {
            np_instance_fail(instance, err, np_control_fault(instance));
            return false;
        }
        err = np_signal_parse(&signal, control->in.text, control->in.len);
        np_line_decoder_reset(&control->in);
        if (err == NP_OK) {
            control->bad_run = 0;
            control->has_heard = true;
            on_signal(instance, &signal);
        } else if (!tolerate_bad(instance)) {
            return false;
        }
        if (control->handle != handle) {
            return false;
        }
    }
    return true;
}

static void read_lines(struct np_instance *instance)
{
    struct np_control *control = &instance->control;
    uint8_t buf[2048];

    for (uint32_t i = 0; i < READS_A_TURN; i++) {
        int32_t got = np_plat_tcp_recv(instance->app->plat, control->handle, buf, sizeof buf);
        if (got == NP_ERR_AGAIN) {
            return;
        }
        if (got < 0) {
            np_instance_fail(instance, (enum np_err)got, np_control_fault(instance));
            return;
        }
        control->heard_ms = instance->app->now_ms;
        if (!feed_lines(instance, buf, (uint32_t)got) || (uint32_t)got < sizeof buf) {
            return;
        }
    }
}

void np_control_on_event(struct np_instance *instance, uint32_t flags)
{
    struct np_control *control = &instance->control;
    uint32_t handle = control->handle;

    if ((flags & NP_EV_WRITE) != 0 && control->is_blocked) {
        control->is_blocked = false;
        np_plat_interest(instance->app->plat, handle, NP_EV_READ);
        np_control_flush(instance);
        if (control->handle == handle && !control->is_blocked) {
            np_launch_serve_waiting(instance);
        }
    }
    if (control->handle == handle && (flags & (NP_EV_READ | NP_EV_ERROR)) != 0) {
        read_lines(instance);
    }
}
