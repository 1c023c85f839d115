/* SPDX-License-Identifier: BSD-3-Clause */
/* poll: np_plat_poll. First the kernel is told what changed, then it is asked, then what is ready
 * without it (received bytes kept back, answers of the resolver) is added. */
#include "platform/posix/posix_priv.h"

#include <unistd.h>

/* ---- what the kernel watches ----------------------------------------------------------------- */

static uint8_t wanted_watch(const struct np_posix_handle *h)
{
    uint32_t mask = h->want;
    if (h->kind == NP_POSIX_FREE || (h->kind == NP_POSIX_QUERY && h->fd < 0) ||
        (h->bits & (NP_POSIX_QUIET | NP_POSIX_MUTED)) != 0) {
        return 0;
    }
    if (h->rx_end != 0 && (h->rx_end != NP_ERR_EOF || (h->bits & NP_POSIX_SHUT) != 0)) {
        return 0; /* over, and the caller knows */
    }
    if (h->rx_end != 0) {
        mask &= ~NP_EV_READ;
    }
    if (h->tx_end != 0) {
        mask &= ~NP_EV_WRITE;
    }
    return (uint8_t)(NP_POSIX_WATCHED | mask);
}

static void sync_watches(struct np_plat *plat)
{
    uint32_t count = plat->dirty_count;
    plat->dirty_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct np_posix_handle *h = &plat->handles[plat->dirty[i]];
        h->bits = (uint8_t)(h->bits & ~NP_POSIX_DIRTY);
        uint8_t watch = wanted_watch(h);
        if (watch == h->armed) {
            continue;
        }
        if (np_posix_loop_watch(plat, h, watch)) {
            h->armed = watch;
        } else {
            np_posix_mark(plat, h); /* the kernel is out of memory: again next time */
        }
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static uint32_t udp_events(struct np_posix_handle *h, uint32_t flags)
{
    /* A pending error is taken like a datagram. */
    uint32_t held = flags | ((flags & NP_EV_ERROR) != 0 ? NP_EV_READ : 0);
    return held & h->want;
}

static uint32_t events_of(struct np_plat *plat, struct np_posix_handle *h, uint32_t flags)
{
    uint32_t events = 0;
    if (h->kind == NP_POSIX_QUERY) {
        np_posix_query_input(plat, h); /* puts it into the ready list when it knows */
        return 0;
    }
    if (h->kind == NP_POSIX_TCP) {
        events = np_posix_tcp_events(plat, h, flags);
    } else if (h->kind == NP_POSIX_UDP || h->kind == NP_POSIX_LISTENER) {
        events = udp_events(h, flags);
    }
    if (events == 0 && (flags & NP_EV_ERROR) != 0) {
        h->bits |= NP_POSIX_QUIET;
    }
    if (events == 0) {
        np_posix_mark(plat, h);
    }
    return events;
}

static bool drain_wake(struct np_plat *plat)
{
    uint64_t count = 0;
    return read(plat->wake_fd, &count, sizeof(count)) > 0;
}

struct turn {
    struct np_event *events;
    uint32_t cap, count;
    uint32_t told; /* handles at the end of the ready list that have their event already */
    bool is_woken;
};

static void look_for_wake(struct np_plat *plat, const struct np_posix_report *reports, uint32_t n,
                          struct turn *turn)
{
    for (uint32_t i = 0; i < n; i++) {
        if (reports[i].handle == 0) {
            turn->is_woken = drain_wake(plat) || turn->is_woken;
            np_posix_resolver_collect(plat);
            return;
        }
    }
}

static void add_reports(struct np_plat *plat, const struct np_posix_report *reports, uint32_t n,
                        struct turn *turn)
{
    look_for_wake(plat, reports, n, turn);
    for (uint32_t i = 0; i < n; i++) {
        struct np_posix_handle *h = np_posix_get(plat, reports[i].handle, NP_POSIX_FREE);
        uint32_t flags = h == NULL ? 0 : events_of(plat, h, reports[i].flags);
        if (flags == 0) {
            continue;
        }
        if ((h->bits & NP_POSIX_READY) != 0) {
            /* One event a handle: this one speaks for the list as well, which goes on behind it. */
            flags |= NP_EV_READ;
            np_posix_list_remove(plat, &plat->ready, h);
            np_posix_list_insert(plat, &plat->ready, h);
            turn->told++;
        }
        turn->events[turn->count++] =
            (struct np_event){.handle = reports[i].handle, .tag = h->tag, .flags = flags};
    }
}

static void add_ready(struct np_plat *plat, struct turn *turn)
{
    for (uint32_t left = plat->ready.count - turn->told; left > 0 && turn->count < turn->cap;
         left--) {
        struct np_posix_handle *h = &plat->handles[plat->ready.first];
        np_posix_list_remove(plat, &plat->ready, h);
        np_posix_list_insert(plat, &plat->ready, h);
        turn->events[turn->count++] =
            (struct np_event){.handle = np_posix_name(plat, h), .tag = h->tag, .flags = NP_EV_READ};
    }
}

/* ---- listeners that keep quiet --------------------------------------------------------------- */

static void unmute(struct np_plat *plat)
{
    while (plat->muted.count > 0) {
        struct np_posix_handle *h = &plat->handles[plat->muted.first];
        np_posix_list_remove(plat, &plat->muted, h);
        h->bits = (uint8_t)(h->bits & ~NP_POSIX_MUTED);
        np_posix_mark(plat, h);
    }
}

/* How long one kernel call may take. */
static int32_t wait_ms(struct np_plat *plat, uint64_t deadline_ms)
{
    uint64_t until_ms = deadline_ms;
    if (plat->ready.count > 0) {
        return 0;
    }
    if (plat->muted.count > 0 && plat->muted_until_ms < until_ms) {
        until_ms = plat->muted_until_ms;
    }
    until_ms = plat->query_due_ms < until_ms ? plat->query_due_ms : until_ms;
    if (until_ms == UINT64_MAX) {
        return -1;
    }
    uint64_t now_ms = until_ms == 0 ? 0 : np_plat_now_ms(plat);
    uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    return left_ms > INT32_MAX ? INT32_MAX : (int32_t)left_ms;
}

static int32_t poll_once(struct np_plat *plat, struct turn *turn, int32_t timeout_ms)
{
    struct np_posix_report reports[NP_POSIX_BATCH];
    uint32_t room = turn->cap < NP_POSIX_BATCH ? turn->cap : NP_POSIX_BATCH;
    uint32_t share = (turn->cap + (++plat->turn & 1u)) / 2; /* of the ready list */
    share = plat->ready.count < share ? plat->ready.count : share;
    room = room > share ? room - share : 0;
    if (room > 0) {
        int32_t n = np_posix_loop_wait(plat, reports, room, timeout_ms);
        if (n < 0) {
            return n;
        }
        add_reports(plat, reports, (uint32_t)n, turn);
    }
    add_ready(plat, turn);
    return NP_OK;
}

int32_t np_plat_poll(struct np_plat *plat, struct np_event *events, uint32_t cap,
                     uint32_t timeout_ms)
{
    struct turn turn = {.events = events, .cap = cap};
    uint64_t deadline_ms = 0;
    if (timeout_ms != 0) {
        deadline_ms = timeout_ms == UINT32_MAX ? UINT64_MAX : np_plat_now_ms(plat) + timeout_ms;
    }
    for (;;) {
        sync_watches(plat);
        int32_t result = poll_once(plat, &turn, wait_ms(plat, deadline_ms));
        if (result < 0) {
            return result;
        }
        if (plat->query_due_ms != UINT64_MAX) {
            np_posix_resolver_collect(plat);
        }
        if (plat->muted.count > 0 && np_plat_now_ms(plat) >= plat->muted_until_ms) {
            unmute(plat);
        }
        if (turn.count > 0 || turn.is_woken || deadline_ms == 0 ||
            (deadline_ms != UINT64_MAX && np_plat_now_ms(plat) >= deadline_ms)) {
            return (int32_t)turn.count;
        }
    }
}

void np_plat_wake(struct np_plat *plat)
{
    uint64_t one = 1;
    ssize_t n = write(plat->wake_fd, &one, sizeof(one));
    (void)n; /* full means that it is awake already */
}
