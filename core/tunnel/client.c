/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/client.h"

#include "core/np_app_state.h"
#include "core/tunnel/door.h"
#include "core/tunnel/health.h"

static const char not_understood[] = "answer of the server not understood (wrong password?)";

static void on_answer_timeout(struct np_timer *timer, uint64_t now_ms)
{
    struct np_instance *instance = NP_CONTAINER(timer, struct np_instance, timer);
    (void)now_ms;

    /* With another key an answer has no end. */
    np_instance_fail(instance, NP_ERR_TIMED_OUT,
                     instance->control.in.len > 0 ? not_understood : "handshake");
}

static void on_connected(struct np_instance *instance, uint32_t handle)
{
    struct np_app *app = instance->app;
    struct np_key key = {instance->settings->key, instance->settings->key_len};
    uint8_t hello[NP_MAX_KEY + 1];

    instance->hello_handle = handle;
    np_plat_retag(app->plat, handle, np_tag(NP_TAG_CONTROL, 0, instance->index));
    uint32_t len = np_hello_encode(hello, key);
    enum np_err err = np_flow_give_all(app->plat, handle, hello, len);
    if (err != NP_OK) {
        np_instance_fail(instance, err, "handshake");
        return;
    }
    np_line_decoder_init(&instance->control.in, key, NP_DIALECT_LINE_CAP);
    np_plat_interest(app->plat, handle, NP_EV_READ);
    np_instance_set_state(instance, NP_INSTANCE_EXPECT_ANSWER);
    instance->timer.fire = on_answer_timeout;
    np_timer_start(&app->timers, &instance->timer, app->now_ms + app->tuning->handshake_timeout_ms);
}

static void on_dialled(void *owner, enum np_err err, uint32_t handle)
{
    struct np_instance *instance = owner;

    instance->dial = 0;
    if (err != NP_OK) {
        np_instance_fail(instance, err, "server not reached");
        return;
    }
    on_connected(instance, handle);
}

void np_client_start(struct np_instance *instance)
{
    uint32_t handle;

    np_instance_set_state(instance, NP_INSTANCE_EXPECT_SERVER);
    instance->counters.dials++;
    enum np_err err =
        np_dial_start(instance, &instance->tunnel, instance->app->tuning->tcp_dial_timeout_ms,
                      on_dialled, instance, &instance->dial, &handle);
    if (err != NP_ERR_AGAIN) {
        on_dialled(instance, err, handle);
    }
}

void np_client_stop(struct np_instance *instance)
{
    np_dial_cancel(instance, instance->dial);
    instance->dial = 0;
    if (instance->hello_handle != NP_HANDLE_NONE) {
        np_plat_tcp_close(instance->app->plat, instance->hello_handle);
        instance->hello_handle = NP_HANDLE_NONE;
    }
}

/* The server says what its pool connections are. Never less than this side asks for: the answer is
 * plain text, and somebody between may have changed it. */
static bool take_tls(struct np_instance *instance, uint8_t tls)
{
    const struct np_settings *settings = instance->settings;
    enum np_err err = NP_OK;

    if (tls < settings->tls) {
        np_instance_fail(instance, NP_ERR_UNSUPPORTED,
                         "the server's tls= is below the one asked for here");
        return false;
    }
    if (tls == 0 && settings->pin_given) {
        np_instance_fail(instance, NP_ERR_UNSUPPORTED,
                         "the server has no TLS, but pin= is given here");
        return false;
    }
    if (tls != 0 && NP_HAS_TLS == 0) {
        np_instance_fail(instance, NP_ERR_UNSUPPORTED,
                         "the server asks for TLS, which this build does not carry");
        return false;
    }
    instance->tls = tls;
    if (NP_HAS_TLS != 0 && tls != 0) {
        err = instance->secure == NULL ? NP_ERR_UNSUPPORTED
                                       : np_secure_use_level(instance->secure, tls);
    }
    if (err != NP_OK) {
        np_instance_fail(instance, err, "the server's certificate can't be checked");
    }
    return err == NP_OK;
}

/* Takes up what the server offers, as the first message. */
static void reply_to_offer(struct np_instance *instance, uint32_t offer)
{
    struct np_signal ext = {0};

    ext.kind = NP_SIGNAL_EXT;
    ext.extensions = offer;
    if (offer != 0 && np_control_send(instance, &ext) == NP_OK) {
        instance->control.extensions = offer;
    }
}

static void go_up(struct np_instance *instance)
{
    char local[NP_ADDR_TEXT_CAP], peer[NP_ADDR_TEXT_CAP];

    np_addr_format(&instance->control.local, local, sizeof local);
    np_addr_format(&instance->control.peer, peer, sizeof peer);
    np_log_write(&instance->log, NP_LOG_INFO, "Tunnel handshaked: %s <-> %s", local, peer);
    np_instance_set_state(instance, NP_INSTANCE_UP);
    np_connpool_start(instance, instance->settings->min, instance->pool.max);
    np_health_start(instance);
}

/* Forward: visitors come in here, before the first launch can be wanted. */
static void on_door_known(struct np_name_waiter *waiter, enum np_err err)
{
    struct np_instance *instance = NP_CONTAINER(waiter, struct np_instance, waiter);

    if (err != NP_OK) {
        np_instance_fail(instance, err, "address not known");
        return;
    }
    err = np_door_open(instance, &instance->target);
    if (err != NP_OK) {
        np_instance_fail(instance, err, "target address not bound");
        return;
    }
    go_up(instance);
}

static void accept_answer(struct np_instance *instance, const struct np_answer *answer)
{
    uint32_t handle = instance->hello_handle;

    if (!take_tls(instance, answer->tls)) {
        return;
    }
    instance->hello_handle = NP_HANDLE_NONE;
    np_timer_stop(&instance->app->timers, &instance->timer);
    np_control_open(instance, handle);
    instance->flow = answer->flow;
    instance->pool.max = answer->max;
    reply_to_offer(instance, answer->extensions);
    if (answer->flow != '+') {
        np_door_close(instance);
        go_up(instance);
        return;
    }
    enum np_err err = np_instance_want_name(instance, &instance->target, on_door_known);
    if (err != NP_ERR_AGAIN) {
        on_door_known(&instance->waiter, err);
    }
}

/* A server that has not noticed our restart takes the new connection for a pool connection and
 * sends an id.
 * It will see our hello on it and let the old client go: try again at once, the first time. */
static bool is_taken_for_pool(struct np_instance *instance, const uint8_t *bytes, uint32_t len)
{
    uint32_t id;
    return instance->control.in.len == 0 && len >= NP_DIALECT_ID_LEN &&
           np_id_parse(&id, (const char *)bytes);
}

void np_client_on_answer_event(struct np_instance *instance, uint32_t flags)
{
    struct np_plat *plat = instance->app->plat;
    struct np_line_decoder *in = &instance->control.in;
    struct np_answer answer;
    const uint8_t *span;
    uint32_t taken = 0;
    (void)flags;

    int32_t got = np_plat_tcp_peek(plat, instance->hello_handle, &span);
    if (got == NP_ERR_AGAIN) {
        return;
    }
    if (got < 0) {
        np_instance_fail(instance, (enum np_err)got,
                         "server closed the handshake (wrong password, or it serves another)");
        return;
    }
    if (is_taken_for_pool(instance, span, (uint32_t)got)) {
        np_plat_tcp_consume(plat, instance->hello_handle, (uint32_t)got);
        np_instance_fail(instance, NP_ERR_STATE, "server still holds the connection before this");
        return;
    }
    enum np_err err = np_line_decoder_feed(in, span, (uint32_t)got, &taken);
    np_plat_tcp_consume(plat, instance->hello_handle, taken);
    if (err == NP_ERR_AGAIN) {
        return;
    }
    if (err == NP_OK) {
        err = np_answer_parse(&answer, in->text, in->len);
    }
    if (err != NP_OK) {
        np_instance_fail(instance, err, not_understood);
        return;
    }
    accept_answer(instance, &answer);
}
