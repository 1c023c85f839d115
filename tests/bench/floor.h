/* SPDX-License-Identifier: BSD-3-Clause */
/* floor: the least a TCP relay must do, as a yardstick: one thread, edge-triggered epoll, half
 * close passed on, no limits, no logs, no name look-up. The includer defines how one direction
 * moves bytes:
 *
 *   struct mover;
 *   void mover_open(struct mover *), mover_close(struct mover *);
 *   ssize_t mover_step(struct mover *, int from, int to, bool *is_ended);
 *       moves some bytes; > 0 moved, 0 nothing to do now, -1 error; *is_ended: `from` ended, all is
 *       sent
 */
#ifndef NP_BENCH_FLOOR_H
#define NP_BENCH_FLOOR_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "tests/bench/load.h"

enum { FLOOR_EVENTS = 256, FLOOR_TURN_BYTES = 1024 * 1024 };

struct side {
    int fd;
    struct pair *pair;
};

struct pair {
    struct side side[2];
    struct mover mover[2]; /* mover[i] reads from side[i] */
    bool is_ended[2];
    bool is_dead;
    struct pair *next_dead;
};

static const uint32_t floor_mask = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static void pair_open(int poller, int visitor, uint32_t target_port)
{
    int target = connect_tcp(target_port);
    struct pair *pair = target < 0 ? NULL : calloc(1, sizeof *pair);
    if (pair == NULL) {
        close(visitor);
        return;
    }
    set_option(visitor, IPPROTO_TCP, TCP_NODELAY, 1);
    for (int i = 0; i < 2; i++) {
        pair->side[i].fd = i == 0 ? visitor : target;
        pair->side[i].pair = pair;
        mover_open(&pair->mover[i]);
        struct epoll_event ev = {.events = floor_mask, .data.ptr = &pair->side[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, pair->side[i].fd, &ev);
    }
}

static void accept_all(int poller, int listener, uint32_t target_port)
{
    int visitor;
    while ((visitor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        pair_open(poller, visitor, target_port);
    }
}

/* Returns false when the pair is finished. */
static bool pair_step(int poller, struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        int from = pair->side[i].fd;
        int to = pair->side[1 - i].fd;
        ssize_t total = 0;
        ssize_t n = 1;
        while (!pair->is_ended[i] && n > 0 && total < FLOOR_TURN_BYTES) {
            n = mover_step(&pair->mover[i], from, to, &pair->is_ended[i]);
            if (n < 0) {
                return false;
            }
            total += n;
            if (pair->is_ended[i]) {
                shutdown(to, SHUT_WR);
            }
        }
        if (total >= FLOOR_TURN_BYTES) { /* re-arming makes the edge fire again next turn */
            struct epoll_event ev = {.events = floor_mask, .data.ptr = &pair->side[i]};
            epoll_ctl(poller, EPOLL_CTL_MOD, from, &ev);
        }
    }
    return !(pair->is_ended[0] && pair->is_ended[1]);
}

/* The second side may still have an event in this batch: memory goes at the end of it. */
static void bury(struct pair **dead, struct pair *pair)
{
    pair->is_dead = true;
    pair->next_dead = *dead;
    *dead = pair;
    for (int i = 0; i < 2; i++) {
        close(pair->side[i].fd);
        mover_close(&pair->mover[i]);
    }
}

static void free_dead(struct pair *dead)
{
    while (dead != NULL) {
        struct pair *next = dead->next_dead;
        free(dead);
        dead = next;
    }
}

static int floor_run(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s LISTEN_PORT TARGET_PORT\n", argv[0]);
        return 2;
    }
    int listener = listen_tcp(parse_number(argv[1]));
    uint32_t target_port = parse_number(argv[2]);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        struct epoll_event events[FLOOR_EVENTS];
        struct pair *dead = NULL;
        int count = epoll_wait(poller, events, FLOOR_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct side *side = events[i].data.ptr;
            if (side == NULL) {
                accept_all(poller, listener, target_port);
            } else if (!side->pair->is_dead && !pair_step(poller, side->pair)) {
                bury(&dead, side->pair);
            }
        }
        free_dead(dead);
    }
}

#endif
