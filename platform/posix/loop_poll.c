/* SPDX-License-Identifier: BSD-3-Clause */
/* loop_poll: waiting by poll(2), for systems without epoll. The entries of all watched handles lie
 * packed in one array; entry 0 is the wake-up. A scan that fills the caller's batch goes on where
 * it stopped the next time. */
#ifdef NP_POSIX_POLL
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <poll.h>

struct np_posix_loop {
    struct pollfd *entries; /* [0, count) */
    uint32_t *owners;       /* handle of each entry */
    uint32_t *places;       /* entry of each handle index */
    uint32_t count;
    uint32_t start; /* the next scan begins here */
};

uint64_t np_posix_loop_bytes(uint32_t handles)
{
    uint64_t each = sizeof(struct pollfd) + 2 * sizeof(uint32_t);
    return sizeof(struct np_posix_loop) + (handles + 1ull) * each;
}

bool np_posix_loop_open(struct np_plat *plat, void *mem)
{
    struct np_posix_loop *loop = mem;
    uint32_t cap = plat->handles_cap + 1;
    loop->entries = (struct pollfd *)(void *)(loop + 1);
    loop->owners = (uint32_t *)(void *)(loop->entries + cap);
    loop->places = loop->owners + cap;
    loop->entries[0] = (struct pollfd){.fd = plat->wake_fd, .events = POLLIN};
    loop->owners[0] = 0;
    loop->count = 1;
    plat->loop = loop;
    return true;
}

void np_posix_loop_close(struct np_plat *plat)
{
    (void)plat;
}

static void remove_entry(struct np_posix_loop *loop, uint32_t index)
{
    uint32_t place = loop->places[index];
    uint32_t last = --loop->count;
    loop->entries[place] = loop->entries[last];
    loop->owners[place] = loop->owners[last];
    loop->places[loop->owners[place] & NP_POSIX_INDEX_MASK] = place;
}

bool np_posix_loop_watch(struct np_plat *plat, struct np_posix_handle *h, uint8_t armed)
{
    struct np_posix_loop *loop = plat->loop;
    uint32_t index = (uint32_t)(h - plat->handles);
    if (armed == 0) {
        remove_entry(loop, index);
        return true;
    }
    if (h->armed == 0) {
        loop->places[index] = loop->count++;
        loop->owners[loop->places[index]] = np_posix_name(plat, h);
    }
    int events =
        ((armed & NP_EV_READ) != 0 ? POLLIN : 0) | ((armed & NP_EV_WRITE) != 0 ? POLLOUT : 0);
    loop->entries[loop->places[index]] = (struct pollfd){.fd = h->fd, .events = (short)events};
    return true;
}

void np_posix_loop_forget(struct np_plat *plat, struct np_posix_handle *h)
{
    if (h->armed != 0) {
        remove_entry(plat->loop, (uint32_t)(h - plat->handles));
    }
}

int32_t np_posix_loop_wait(struct np_plat *plat, struct np_posix_report *reports, uint32_t cap,
                           int32_t timeout_ms)
{
    struct np_posix_loop *loop = plat->loop;
    int n = poll(loop->entries, loop->count, timeout_ms);
    if (n < 0) {
        return errno == EINTR ? 0 : NP_ERR_IO;
    }
    uint32_t found = 0;
    uint32_t place = loop->start;
    for (uint32_t i = 0; i < loop->count && found < cap && found < (uint32_t)n; i++, place++) {
        place = place >= loop->count ? 0 : place;
        int got = loop->entries[place].revents;
        uint32_t flags = 0;
        flags |= (got & POLLIN) != 0 ? NP_EV_READ : 0;
        flags |= (got & POLLOUT) != 0 ? NP_EV_WRITE : 0;
        flags |= (got & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? NP_EV_ERROR : 0;
        if (flags != 0) {
            reports[found++] = (struct np_posix_report){loop->owners[place], flags};
        }
    }
    loop->start = place;
    return (int32_t)found;
}
#else
/* An empty translation unit is not C. */
extern int np_posix_loop_poll_is_off;
#endif
