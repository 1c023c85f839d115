/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/dial.h"

#include <string.h>

#include "core/np_app_state.h"

/* Frees the dial; `winner` (a platform handle or NONE) survives. */
static void release(struct np_dial *dial, uint32_t winner)
{
    struct np_app *app = dial->instance->app;

    for (uint32_t i = 0; i < dial->next; i++) {
        if (dial->tries[i] != NP_HANDLE_NONE && dial->tries[i] != winner) {
            np_plat_tcp_abort(app->plat, dial->tries[i]);
        }
    }
    np_timer_stop(&app->timers, &dial->stagger);
    np_timer_stop(&app->timers, &dial->deadline);
    if (dial->name != NULL) {
        np_name_cancel(dial->name, &dial->waiter);
    }
    np_pool_release(&app->dials, dial->self);
}

static void decide(struct np_dial *dial, enum np_err err, uint32_t winner)
{
    void (*done)(void *, enum np_err, uint32_t) = dial->done;
    void *owner = dial->owner;
    struct np_plat *plat = dial->instance->app->plat;

    release(dial, winner);
    if (winner != NP_HANDLE_NONE) {
        np_plat_interest(plat, winner, 0);
    }
    done(owner, err, winner);
}

static bool has_open_try(const struct np_dial *dial)
{
    for (uint32_t i = 0; i < dial->next; i++) {
        if (dial->tries[i] != NP_HANDLE_NONE) {
            return true;
        }
    }
    return false;
}

/* The address the settings ask to dial from, if it fits the family of `remote`. */
static const struct np_addr *source_for(const struct np_instance *instance,
                                        const struct np_addr *remote)
{
    const struct np_settings *settings = instance->settings;
    return settings->dial_given && settings->dial.family == remote->family ? &settings->dial : NULL;
}

/* Begins the next address. NP_OK: *winner is connected. AGAIN: something is in flight. Else all
 * failed. */
static enum np_err begin_next(struct np_dial *dial, uint32_t *winner)
{
    struct np_app *app = dial->instance->app;

    while (dial->next < dial->count) {
        uint32_t i = dial->next++;
        const struct np_addr *remote = &dial->addrs[i];
        uint32_t handle = NP_HANDLE_NONE;
        enum np_err err =
            np_plat_tcp_connect(app->plat, source_for(dial->instance, remote), remote,
                                np_tag(NP_TAG_DIAL, i, dial->self & NP_POOL_INDEX_MASK), &handle);
        dial->tries[i] = err == NP_OK ? handle : NP_HANDLE_NONE;
        if (err == NP_OK) {
            err = np_plat_tcp_connect_result(app->plat, handle);
        }
        if (err == NP_OK) {
            *winner = handle;
            return NP_OK;
        }
        if (err == NP_ERR_AGAIN) {
            np_plat_interest(app->plat, handle, NP_EV_WRITE);
            if (dial->next < dial->count) {
                np_timer_start(&app->timers, &dial->stagger, app->now_ms + NP_CONNECT_STAGGER_MS);
            }
            return NP_ERR_AGAIN;
        }
        dial->cause = err;
        if (dial->tries[i] != NP_HANDLE_NONE) {
            np_plat_tcp_abort(app->plat, dial->tries[i]);
            dial->tries[i] = NP_HANDLE_NONE;
        }
    }
    return has_open_try(dial) ? NP_ERR_AGAIN : dial->cause;
}

static void advance(struct np_dial *dial)
{
    uint32_t winner = NP_HANDLE_NONE;
    enum np_err err = begin_next(dial, &winner);
    if (err != NP_ERR_AGAIN) {
        decide(dial, err, winner);
    }
}

static void on_stagger(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    advance(NP_CONTAINER(timer, struct np_dial, stagger));
}

static void on_deadline(struct np_timer *timer, uint64_t now_ms)
{
    (void)now_ms;
    decide(NP_CONTAINER(timer, struct np_dial, deadline), NP_ERR_TIMED_OUT, NP_HANDLE_NONE);
}

static void take_addrs(struct np_dial *dial)
{
    const struct np_name *name = dial->name;

    if (name == NULL) {
        dial->addrs[dial->count++] = dial->instance->control.peer;
        return;
    }
    for (uint32_t i = 0; i < name->count && dial->count < NP_DIAL_MAX_TRIES; i++) {
        /* dial= binds the family too: the other one can't be reached from there. */
        if (!dial->instance->settings->dial_given ||
            source_for(dial->instance, &name->addrs[i]) != NULL) {
            dial->addrs[dial->count++] = name->addrs[i];
        }
    }
}

static void on_name(struct np_name_waiter *waiter, enum np_err err)
{
    struct np_dial *dial = NP_CONTAINER(waiter, struct np_dial, waiter);

    if (err != NP_OK) {
        decide(dial, err, NP_HANDLE_NONE);
        return;
    }
    take_addrs(dial);
    advance(dial);
}

enum np_err np_dial_start(struct np_instance *instance, struct np_name *name, uint32_t timeout_ms,
                          void (*done)(void *owner, enum np_err err, uint32_t handle), void *owner,
                          uint32_t *handle, uint32_t *connection)
{
    struct np_app *app = instance->app;
    uint32_t self;
    struct np_dial *dial = np_pool_acquire(&app->dials, &self);

    *handle = 0;
    *connection = NP_HANDLE_NONE;
    if (dial == NULL) {
        return NP_ERR_NO_MEMORY;
    }
    dial->instance = instance;
    dial->name = name;
    dial->self = self;
    dial->cause = NP_ERR_UNREACHABLE; /* no address of the right family */
    dial->done = done;
    dial->owner = owner;
    dial->stagger.fire = on_stagger;
    dial->deadline.fire = on_deadline;
    dial->waiter.ready = on_name;
    enum np_err err = name == NULL ? NP_OK : np_name_want(name, &dial->waiter);
    if (err == NP_OK) {
        take_addrs(dial);
        err = begin_next(dial, connection);
    }
    if (err == NP_ERR_AGAIN) {
        np_timer_start(&app->timers, &dial->deadline, app->now_ms + timeout_ms);
        *handle = self;
        return err;
    }
    release(dial, *connection);
    return err;
}

void np_dial_cancel(struct np_instance *instance, uint32_t handle)
{
    struct np_dial *dial = np_pool_get(&instance->app->dials, handle);
    if (dial != NULL) {
        release(dial, NP_HANDLE_NONE);
    }
}

void np_dial_on_event(struct np_dial *dial, uint32_t handle)
{
    struct np_plat *plat = dial->instance->app->plat;

    for (uint32_t i = 0; i < dial->next; i++) {
        if (dial->tries[i] != handle) {
            continue;
        }
        enum np_err err = np_plat_tcp_connect_result(plat, handle);
        if (err == NP_OK) {
            decide(dial, NP_OK, handle);
        } else if (err != NP_ERR_AGAIN) {
            np_plat_tcp_abort(plat, handle);
            dial->tries[i] = NP_HANDLE_NONE;
            dial->cause = err;
            advance(dial);
        }
        return;
    }
}
