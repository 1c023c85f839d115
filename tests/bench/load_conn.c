/* SPDX-License-Identifier: BSD-3-Clause */
/* load_conn: short sessions a second through a relay, or many sessions that stay open.
 *
 *   load_conn -l TARGET_PORT -c RELAY_PORT -n SESSIONS -p AT_A_TIME [-s TIMEOUT_S]
 *   load_conn -l TARGET_PORT -c RELAY_PORT -H            commands on stdin: "open N", "quit"
 *
 * A session: connect, 16 bytes of request with a number of its own, 64 bytes of reply made from it,
 * then the target closes first and the visitor waits for that end. It fails if it is refused,
 * reset, ends early, gets other bytes than its own, or takes longer than the limit. Prints one line
 * of JSON; with -H one for each command, and the sessions stay open after their reply. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "tests/bench/load.h"

enum { REQUEST_BYTES = 16, REPLY_BYTES = 64, BATCH = 256, MAX_FDS = 65536 };
enum { FAIL_CONNECT, FAIL_RESET, FAIL_SHORT, FAIL_BYTES, FAIL_TIMEOUT, FAIL_KINDS };

struct visit {
    uint64_t start_ns, number;
    uint32_t received;
    int fd; /* -1: free */
    bool is_sent, is_held;
    uint8_t reply[REPLY_BYTES];
};

struct load {
    uint32_t listen_port, connect_port, session_count, parallel, timeout_s;
    bool hold;
    int poller, listener;
    struct visit *visits;
    uint32_t *first_byte_us; /* one a session that got one */
    uint32_t first_byte_count, started, ended, active, failed[FAIL_KINDS];
    uint64_t next_number;
    atomic_uint served;
};

/* --- target --- */

struct request {
    uint32_t received;
    uint8_t bytes[REQUEST_BYTES];
};

static void make_reply(uint8_t *reply, const uint8_t *request)
{
    for (uint32_t i = 0; i < REPLY_BYTES; i++) {
        reply[i] = (uint8_t)(request[i % REQUEST_BYTES] + i);
    }
}

/* Returns false when the connection is to be closed. */
static bool serve(struct load *load, int fd, struct request *request)
{
    uint8_t reply[REPLY_BYTES];
    ssize_t n = recv(fd, request->bytes + request->received, REQUEST_BYTES - request->received, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    request->received += (uint32_t)n;
    if (request->received < REQUEST_BYTES) {
        return true;
    }
    request->received = 0;
    make_reply(reply, request->bytes);
    atomic_fetch_add_explicit(&load->served, 1, memory_order_relaxed);
    if (send(fd, reply, sizeof reply, MSG_NOSIGNAL) != (ssize_t)sizeof reply) {
        return false;
    }
    return request->bytes[0] == 'H';
}

static void accept_requests(struct load *load, int poller, struct request *requests)
{
    int fd;
    while ((fd = accept4(load->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        requests[fd].received = 0;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void *run_target(void *argument)
{
    struct load *load = argument;
    struct request *requests = calloc(MAX_FDS, sizeof *requests);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = load->listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, load->listener, &ev);
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(poller, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == load->listener) {
                accept_requests(load, poller, requests);
            } else if (!serve(load, fd, &requests[fd])) {
                close(fd);
            }
        }
    }
    return NULL;
}

/* --- visitor --- */

static void make_request(const struct load *load, const struct visit *visit, uint8_t *request)
{
    memset(request, 0, REQUEST_BYTES);
    request[0] = load->hold ? 'H' : 'R';
    for (uint32_t i = 0; i < 8; i++) {
        request[1 + i] = (uint8_t)(visit->number >> (8 * i));
    }
}

static void end_visit(struct load *load, struct visit *visit, int failure)
{
    if (failure >= 0) {
        load->failed[failure]++;
    }
    if (visit->fd >= 0) {
        close(visit->fd);
    }
    load->ended += visit->is_held ? 0 : 1; /* a held one was counted when it got its reply */
    load->active--;
    visit->fd = -1;
    visit->is_held = false;
}

static void start_visit(struct load *load, struct visit *visit)
{
    memset(visit, 0, sizeof *visit);
    load->started++;
    load->active++;
    visit->number = load->next_number++;
    visit->start_ns = now_ns();
    visit->fd = connect_tcp(load->connect_port);
    if (visit->fd < 0) {
        end_visit(load, visit, FAIL_CONNECT);
        return;
    }
    struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = visit};
    epoll_ctl(load->poller, EPOLL_CTL_ADD, visit->fd, &ev);
}

/* Connected, or not. */
static void send_request(struct load *load, struct visit *visit)
{
    uint8_t request[REQUEST_BYTES];
    make_request(load, visit, request);
    if (send(visit->fd, request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request) {
        end_visit(load, visit, FAIL_CONNECT);
        return;
    }
    visit->is_sent = true;
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = visit};
    epoll_ctl(load->poller, EPOLL_CTL_MOD, visit->fd, &ev);
}

static bool is_right(const struct load *load, const struct visit *visit)
{
    uint8_t request[REQUEST_BYTES], reply[REPLY_BYTES];
    make_request(load, visit, request);
    make_reply(reply, request);
    return memcmp(reply, visit->reply, sizeof reply) == 0;
}

static void take_reply(struct load *load, struct visit *visit, uint32_t len)
{
    if (visit->received == 0) {
        uint64_t us = (now_ns() - visit->start_ns) / 1000;
        load->first_byte_us[load->first_byte_count++] = (uint32_t)us;
    }
    visit->received += len;
    if (visit->received == REPLY_BYTES) {
        if (!is_right(load, visit)) {
            end_visit(load, visit, FAIL_BYTES);
        } else if (load->hold) {
            visit->is_held = true;
            load->ended++;
        }
    }
}

static void read_reply(struct load *load, struct visit *visit)
{
    uint8_t extra;
    bool is_full = visit->received == REPLY_BYTES;
    uint8_t *into = is_full ? &extra : visit->reply + visit->received;
    ssize_t n = recv(visit->fd, into, is_full ? 1 : REPLY_BYTES - visit->received, 0);
    if (n < 0) {
        if (errno != EAGAIN) {
            end_visit(load, visit, FAIL_RESET);
        }
    } else if (n == 0) {
        end_visit(load, visit, is_full && !load->hold ? -1 : FAIL_SHORT);
    } else if (is_full) {
        end_visit(load, visit, FAIL_BYTES);
    } else {
        take_reply(load, visit, (uint32_t)n);
    }
}

static void expire(struct load *load, uint32_t slots)
{
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < slots; i++) {
        struct visit *visit = &load->visits[i];
        if (visit->fd >= 0 && !visit->is_held &&
            now - visit->start_ns > load->timeout_s * 1000000000ull) {
            end_visit(load, visit, FAIL_TIMEOUT);
        }
    }
}

static void turn(struct load *load)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(load->poller, events, BATCH, 100);
    for (int i = 0; i < count; i++) {
        struct visit *visit = events[i].data.ptr;
        if (visit->fd < 0) {
            continue;
        }
        if (!visit->is_sent) {
            send_request(load, visit);
        } else {
            read_reply(load, visit);
        }
    }
}

/* Runs until `goal` sessions ended (or, with -H, are open or failed). */
static void run_visits(struct load *load, uint32_t goal)
{
    uint64_t checked_ns = now_ns();
    while (load->ended < goal) {
        uint32_t slots = load->hold ? load->session_count : load->parallel;
        for (uint32_t i = 0; i < slots && load->started < goal; i++) {
            if (load->started - load->ended >= load->parallel) {
                break;
            }
            if (load->visits[i].fd < 0) {
                start_visit(load, &load->visits[i]);
            }
        }
        turn(load);
        if (now_ns() - checked_ns > 500000000u) {
            checked_ns = now_ns();
            expire(load, slots);
        }
    }
}

static int compare_us(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static uint32_t percentile(const struct load *load, double share)
{
    if (load->first_byte_count == 0) {
        return 0;
    }
    return load->first_byte_us[(uint32_t)(share * (load->first_byte_count - 1))];
}

static void print_result(struct load *load, uint64_t elapsed_ns)
{
    uint32_t failed = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (int i = 0; i < FAIL_KINDS; i++) {
        failed += load->failed[i];
    }
    qsort(load->first_byte_us, load->first_byte_count, sizeof *load->first_byte_us, compare_us);
    printf("{\"sessions\": %u, \"failed\": %u, \"refused\": %u, \"reset\": %u, \"short\": %u, "
           "\"wrong\": %u, \"timeout\": %u, \"open\": %u, \"elapsed_s\": %.6f, \"p50_us\": %u, "
           "\"p99_us\": %u, \"max_us\": %u, \"generator_cpu_s\": %.3f}\n",
           load->ended, failed, load->failed[FAIL_CONNECT], load->failed[FAIL_RESET],
           load->failed[FAIL_SHORT], load->failed[FAIL_BYTES], load->failed[FAIL_TIMEOUT],
           load->active, (double)elapsed_ns / 1e9, percentile(load, 0.5), percentile(load, 0.99),
           percentile(load, 1.0),
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}

static void run_commands(struct load *load)
{
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "open ", 5) == 0) {
        line[strcspn(line, "\n")] = '\0';
        uint32_t goal = parse_number(line + 5);
        uint64_t start_ns = now_ns();
        alarm(120);
        run_visits(load, goal < load->session_count ? goal : load->session_count);
        print_result(load, now_ns() - start_ns);
    }
}

static void read_arguments(struct load *load, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "l:c:n:p:s:H")) != -1) {
        switch (option) {
        case 'l':
            load->listen_port = parse_number(optarg);
            break;
        case 'c':
            load->connect_port = parse_number(optarg);
            break;
        case 'n':
            load->session_count = parse_number(optarg);
            break;
        case 'p':
            load->parallel = parse_number(optarg);
            break;
        case 's':
            load->timeout_s = parse_number(optarg);
            break;
        case 'H':
            load->hold = true;
            break;
        default:
            exit(2);
        }
    }
    if (load->parallel == 0 || load->session_count == 0) {
        fprintf(stderr, "load_conn: want -n and -p above 0\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.session_count = 10000, .parallel = 50, .timeout_s = 20};
    pthread_t target;
    read_arguments(&load, argc, argv);
    uint32_t slots = load.hold ? load.session_count : load.parallel;
    load.visits = calloc(slots, sizeof *load.visits);
    load.first_byte_us = calloc(load.session_count, sizeof *load.first_byte_us);
    load.poller = epoll_create1(EPOLL_CLOEXEC);
    load.listener = listen_tcp(load.listen_port);
    for (uint32_t i = 0; i < slots; i++) {
        load.visits[i].fd = -1;
    }
    pthread_create(&target, NULL, run_target, &load);
    if (load.hold) {
        run_commands(&load);
        return 0;
    }
    alarm(240);
    uint64_t start_ns = now_ns();
    run_visits(&load, load.session_count);
    print_result(&load, now_ns() - start_ns);
    return 0;
}
