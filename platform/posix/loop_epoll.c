/* SPDX-License-Identifier: BSD-3-Clause */
/* loop_epoll: waiting by epoll, level-triggered. */
#ifndef NP_POSIX_POLL
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

struct np_posix_loop {
    int32_t fd;
    struct epoll_event events[NP_POSIX_BATCH];
};

uint64_t np_posix_loop_bytes(uint32_t handles)
{
    (void)handles; /* the kernel keeps the list */
    return sizeof(struct np_posix_loop);
}

bool np_posix_loop_open(struct np_plat *plat, void *mem)
{
    plat->loop = mem;
    plat->loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (plat->loop->fd < 0) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = 0}};
    if (epoll_ctl(plat->loop->fd, EPOLL_CTL_ADD, plat->wake_fd, &event) != 0) {
        close(plat->loop->fd);
        return false;
    }
    return true;
}

void np_posix_loop_close(struct np_plat *plat)
{
    close(plat->loop->fd);
}

bool np_posix_loop_watch(struct np_plat *plat, struct np_posix_handle *h, uint8_t armed)
{
    struct epoll_event event = {.events = 0, .data = {.u64 = np_posix_name(plat, h)}};
    int op = armed == 0 ? EPOLL_CTL_DEL : h->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if ((armed & NP_EV_READ) != 0) {
        event.events |= EPOLLIN;
    }
    if ((armed & NP_EV_WRITE) != 0) {
        event.events |= EPOLLOUT;
    }
    return epoll_ctl(plat->loop->fd, op, h->fd, &event) == 0;
}

void np_posix_loop_forget(struct np_plat *plat, struct np_posix_handle *h)
{
    (void)plat; /* closing the only descriptor of a socket takes it out of the set */
    (void)h;
}

int32_t np_posix_loop_wait(struct np_plat *plat, struct np_posix_report *reports, uint32_t cap,
                           int32_t timeout_ms)
{
    struct np_posix_loop *loop = plat->loop;
    int n = epoll_wait(loop->fd, loop->events, (int)cap, timeout_ms);
    if (n < 0) {
        return errno == EINTR ? 0 : NP_ERR_IO;
    }
    for (int i = 0; i < n; i++) {
        uint32_t got = loop->events[i].events;
        uint32_t flags = 0;
        flags |= (got & EPOLLIN) != 0 ? NP_EV_READ : 0;
        flags |= (got & EPOLLOUT) != 0 ? NP_EV_WRITE : 0;
        flags |= (got & (EPOLLERR | EPOLLHUP)) != 0 ? NP_EV_ERROR : 0;
        reports[i] = (struct np_posix_report){(uint32_t)loop->events[i].data.u64, flags};
    }
    return n;
}
#else
/* An empty translation unit is not C. */
extern int np_posix_loop_epoll_is_off;
#endif
