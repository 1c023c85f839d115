/* SPDX-License-Identifier: BSD-3-Clause */
/* office_users: connections of those who drive the API. */
#define _GNU_SOURCE

#include <string.h>

#include "tests/sim/office.h"

#define GIVE_UP_US (20 * OFFICE_SECOND) /* where the network may have swallowed the answer */
#define CLOCK_US 20000u

static uint64_t now_us(const struct office_user *user)
{
    return np_sim_now_us(user->office->sim);
}

static struct np_plat *host(const struct office_user *user)
{
    return user->office->users_host;
}

static void close_user(struct office_user *user, bool with_reset)
{
    if (!user->is_open) {
        return;
    }
    user->is_open = user->is_connected = user->is_stream = user->is_deaf = false;
    if (with_reset) {
        np_plat_tcp_abort(host(user), user->handle);
    } else {
        np_plat_tcp_close(host(user), user->handle);
    }
    if (user->is_asking) {
        user->is_asking = false;
        ask_lose(user);
    }
    user->next_us = now_us(user) + office_pick(user->office, 300000);
}

static void open_user(struct office_user *user)
{
    struct np_addr from = np_sim_ip4(10, 0, 3, 1, 0);
    struct np_addr to = np_sim_ip4(10, 0, 0, 1, OFFICE_API_PORT);

    user->next_us = now_us(user) + 200000;
    if (np_plat_tcp_connect(host(user), &from, &to, user->index, &user->handle) == NP_OK) {
        user->is_open = true;
        user->generation = user->office->generation;
        user->request_len = user->sent = user->mask = 0;
        user->answer_len = 0;
    }
}

/* The peer ended it. Without a fault it may do so only when nothing is asked, or after a request
 * that can't be served. */
static void on_end(struct office_user *user, int32_t err)
{
    struct office *office = user->office;
    bool is_fault = office->has_net_faults || office->app == NULL ||
                    user->generation != office->generation || office->is_over;
    bool may_end = user->ask == ASK_NONSENSE || user->ask == ASK_HALF || user->is_stream;

    if (user->is_asking && user->is_connected && !is_fault && !may_end) {
        np_sim_fail(office->sim, "user %u: no answer to %d, the connection ends with %d",
                    user->index, user->ask, err);
    }
    close_user(user, false);
}

static void take(struct office_user *user)
{
    uint32_t len;

    if (user->is_stream || user->ask == ASK_EVENTS) {
        if (user->answer_len > OFFICE_ANSWER / 2) { /* what was seen is of no use any more */
            user->answer_len = 0;
        }
    }
    while (user->is_asking && (len = ask_whole_len(user)) > 0) {
        user->is_asking = false;
        user->office->answered++;
        ask_take(user);
        if (memmem(user->answer, len, "\r\nConnection: close\r\n", 21) != NULL) {
            close_user(user, false);
            return;
        }
        memmove(user->answer, user->answer + len, user->answer_len - len);
        user->answer_len -= len;
        user->next_us = now_us(user) + office_pick(user->office, 400000);
    }
}

static void receive(struct office_user *user)
{
    while (user->is_open && !user->is_deaf) {
        uint32_t room = OFFICE_ANSWER - user->answer_len;
        int32_t len = room == 0 ? NP_ERR_TOO_LONG
                                : np_plat_tcp_recv(host(user), user->handle,
                                                   (uint8_t *)user->answer + user->answer_len,
                                                   room < 16384 ? room : 16384);
        if (len == NP_ERR_AGAIN) {
            return;
        }
        if (len < 0) {
            on_end(user, len);
            return;
        }
        user->answer_len += (uint32_t)len;
        take(user);
    }
}

static void transmit(struct office_user *user)
{
    while (user->sent < user->request_len) {
        int32_t len =
            np_plat_tcp_send(host(user), user->handle, (const uint8_t *)user->request + user->sent,
                             user->request_len - user->sent);
        if (len == NP_ERR_AGAIN) {
            return;
        }
        if (len < 0) {
            receive(user); /* an answer may have come before the end */
            if (user->is_open) {
                on_end(user, len);
            }
            return;
        }
        user->sent += (uint32_t)len;
    }
}

static void set_interest(struct office_user *user)
{
    uint32_t mask = user->is_deaf ? 0 : NP_EV_READ;

    if (!user->is_connected || user->sent < user->request_len) {
        mask |= NP_EV_WRITE;
    }
    if (mask != user->mask) {
        user->mask = mask;
        np_plat_interest(host(user), user->handle, mask);
    }
}

static void begin(struct office_user *user)
{
    struct office *office = user->office;

    user->asked_us = now_us(user);
    user->sent = 0;
    user->is_asking = true;
    user->was_ill = office->has_net_faults || user->generation != office->generation;
    ask_make(user);
    user->is_stream = user->ask == ASK_EVENTS;
    user->is_deaf = user->is_stream && office_chance(office, 20);
}

static void check_deadline(struct office_user *user)
{
    struct office *office = user->office;
    uint64_t waited_us = now_us(user) - user->asked_us;

    if (!user->is_asking || user->is_stream) {
        return;
    }
    bool is_ill = user->was_ill || office->has_net_faults ||
                  user->generation != office->generation || office->app == NULL;
    if (is_ill && waited_us > GIVE_UP_US) {
        close_user(user, true);
    } else if (!is_ill && waited_us > ask_limit_ms(user) * UINT64_C(1000)) {
        np_sim_fail(office->sim, "user %u: ask %d is not answered after %llu ms", user->index,
                    user->ask, (unsigned long long)waited_us / 1000);
    }
}

static void step_user(struct office_user *user)
{
    struct office *office = user->office;

    if (!user->is_open) {
        if (now_us(user) >= user->next_us && !office->is_quiet) {
            open_user(user);
        }
    } else if (!user->is_connected) {
        enum np_err err = np_plat_tcp_connect_result(host(user), user->handle);
        user->is_connected = err == NP_OK;
        if (err != NP_OK && err != NP_ERR_AGAIN) {
            close_user(user, true);
        }
    }
    if (user->is_open && user->is_connected) {
        bool is_time = now_us(user) >= user->next_us;
        if (!user->is_asking && is_time && office->is_quiet) {
            close_user(user, false);
            return;
        }
        if (!user->is_asking && is_time && office_chance(office, 20)) {
            close_user(user, office_chance(office, 30));
            return;
        }
        if (!user->is_asking && is_time) {
            begin(user);
        }
        transmit(user);
        receive(user);
    }
    if (user->is_open) {
        set_interest(user);
    }
    check_deadline(user);
    bool is_weary =
        user->is_asking && user->ask != ASK_HALF && office_chance(office, user->is_stream ? 1 : 2);
    if (user->is_open && (is_weary || (user->is_stream && office->is_quiet))) {
        close_user(user, true);
    }
}

void users_step(void *context)
{
    struct office *office = context;
    struct np_event events[16];

    np_plat_poll(office->users_host, events, 16, UINT32_MAX);
    for (uint32_t i = 0; i < office->user_count && !office->is_over; i++) {
        step_user(&office->users[i]);
    }
}

static void on_clock(void *context, uint32_t arg)
{
    struct office *office = context;

    (void)arg;
    if (!office->is_over) {
        np_sim_host_touch(office->users_host);
        np_sim_at(office->sim, np_sim_now_us(office->sim) + CLOCK_US, on_clock, office, 0);
    }
}

void users_open(struct office *office)
{
    office->user_count = 1 + office_pick(office, OFFICE_USERS);
    for (uint32_t i = 0; i < office->user_count; i++) {
        struct office_user *user = &office->users[i];
        user->office = office;
        user->index = i;
        user->answer = office->answers[i];
        user->next_us = office_pick(office, 300000);
    }
    on_clock(office, 0);
}

bool users_are_done(const struct office *office)
{
    for (uint32_t i = 0; i < office->user_count; i++) {
        if (office->users[i].is_open && !office->users[i].is_stream) {
            return false;
        }
    }
    return true;
}

void users_leave(struct office *office)
{
    for (uint32_t i = 0; i < office->user_count; i++) {
        close_user(&office->users[i], true);
    }
}
