/* SPDX-License-Identifier: BSD-3-Clause */
/* load_tcp: throughput of N streams through a relay, one direction.
 *
 *   load_tcp -l TARGET_PORT -c RELAY_PORT -n STREAMS -d up|down -w WARM_MS -t TIME_MS [-z] [-x]
 *
 * Listens on the target port, connects to the relay, fills every stream from one side and empties
 * it on the other. -z: source by sendfile, sink by MSG_TRUNC (no copies in the generator). -x: no
 * drain at the end (rate limits). Prints one line of JSON: bytes the sink counted in the window
 * after the warm-up, the window's length, bytes of the whole run, the slowest and fastest stream,
 * CPU of the generator. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include "tests/bench/load.h"

enum { MAX_STREAMS = 256, CHUNK = 256 * 1024 };

struct load {
    uint32_t listen_port, connect_port, stream_count, warm_ms, time_ms;
    bool is_up, zero_copy, no_drain;
    int source[MAX_STREAMS], sink[MAX_STREAMS];
    uint64_t per_stream[MAX_STREAMS];
    int file; /* CHUNK bytes in memory, for sendfile */
    atomic_bool stop;
    atomic_ullong received;
};

static void read_arguments(struct load *load, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "l:c:n:d:w:t:zx")) != -1) {
        switch (option) {
        case 'l':
            load->listen_port = parse_number(optarg);
            break;
        case 'c':
            load->connect_port = parse_number(optarg);
            break;
        case 'n':
            load->stream_count = parse_number(optarg);
            break;
        case 'd':
            load->is_up = strcmp(optarg, "up") == 0;
            break;
        case 'w':
            load->warm_ms = parse_number(optarg);
            break;
        case 't':
            load->time_ms = parse_number(optarg);
            break;
        case 'z':
            load->zero_copy = true;
            break;
        case 'x':
            load->no_drain = true;
            break;
        default:
            exit(2);
        }
    }
    if (load->stream_count == 0 || load->stream_count > MAX_STREAMS || load->time_ms == 0) {
        fprintf(stderr, "load_tcp: 1 to %d streams, a time\n", MAX_STREAMS);
        exit(2);
    }
}

static void wait_ready(int fd, short events, const char *what)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, 10000) != 1 || (p.revents & (POLLERR | POLLHUP)) != 0) {
        errno = errno == 0 ? ETIMEDOUT : errno;
        die(what);
    }
}

/* One stream after the other, so that source and sink of the same index belong together. */
static void open_streams(struct load *load)
{
    int listener = listen_tcp(load->listen_port);
    for (uint32_t i = 0; i < load->stream_count; i++) {
        int visitor = connect_tcp(load->connect_port);
        if (visitor < 0) {
            die("connect");
        }
        wait_ready(visitor, POLLOUT, "connect");
        wait_ready(listener, POLLIN, "no connection reached the target");
        int target = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (target < 0) {
            die("accept");
        }
        load->source[i] = load->is_up ? visitor : target;
        load->sink[i] = load->is_up ? target : visitor;
    }
    close(listener);
}

static int watch(const int *fds, uint32_t count, uint32_t events)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < count; i++) {
        struct epoll_event ev = {.events = events, .data.u32 = i};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &ev) != 0) {
            die("epoll_ctl");
        }
    }
    return poller;
}

static ssize_t send_chunk(const struct load *load, int fd, const uint8_t *bytes)
{
    if (load->zero_copy) {
        off_t offset = 0;
        return sendfile(fd, load->file, &offset, CHUNK);
    }
    return send(fd, bytes, CHUNK, MSG_NOSIGNAL);
}

static void *run_source(void *argument)
{
    struct load *load = argument;
    uint8_t *bytes = malloc(CHUNK);
    struct epoll_event events[MAX_STREAMS];
    int poller = watch(load->source, load->stream_count, EPOLLOUT);
    memset(bytes, 0x5a, CHUNK);
    while (!atomic_load_explicit(&load->stop, memory_order_relaxed)) {
        int count = epoll_wait(poller, events, MAX_STREAMS, 100);
        for (int i = 0; i < count; i++) {
            ssize_t n = send_chunk(load, load->source[events[i].data.u32], bytes);
            if (n < 0 && errno != EAGAIN) {
                die("source");
            }
        }
    }
    for (uint32_t i = 0; i < load->stream_count; i++) {
        shutdown(load->source[i], SHUT_WR);
    }
    free(bytes);
    close(poller);
    return NULL;
}

/* Ends when every stream ended, or at the stop if nothing is to be drained. */
static void *run_sink(void *argument)
{
    struct load *load = argument;
    uint8_t *bytes = malloc(CHUNK);
    struct epoll_event events[MAX_STREAMS];
    int poller = watch(load->sink, load->stream_count, EPOLLIN);
    uint32_t open = load->stream_count;
    while (open > 0 && !(load->no_drain && atomic_load(&load->stop))) {
        int count = epoll_wait(poller, events, MAX_STREAMS, 100);
        for (int i = 0; i < count; i++) {
            uint32_t stream = events[i].data.u32;
            ssize_t n = recv(load->sink[stream], bytes, CHUNK, load->zero_copy ? MSG_TRUNC : 0);
            if (n > 0) {
                load->per_stream[stream] += (uint64_t)n;
                atomic_fetch_add_explicit(&load->received, (uint64_t)n, memory_order_relaxed);
            } else if (n == 0) {
                epoll_ctl(poller, EPOLL_CTL_DEL, load->sink[stream], NULL);
                open--;
            } else if (errno != EAGAIN) {
                die("sink");
            }
        }
    }
    free(bytes);
    close(poller);
    return NULL;
}

static void print_result(const struct load *load, uint64_t window_bytes, uint64_t window_ns)
{
    uint64_t slowest = UINT64_MAX;
    uint64_t fastest = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (uint32_t i = 0; i < load->stream_count; i++) {
        slowest = load->per_stream[i] < slowest ? load->per_stream[i] : slowest;
        fastest = load->per_stream[i] > fastest ? load->per_stream[i] : fastest;
    }
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"window_bytes\": %llu, \"window_s\": %.6f, \"bytes\": %llu, \"slowest\": %llu, "
           "\"fastest\": %llu, \"generator_cpu_s\": %.3f}\n",
           (unsigned long long)window_bytes, (double)window_ns / 1e9,
           (unsigned long long)load->received, (unsigned long long)slowest,
           (unsigned long long)fastest, cpu_s);
}

int main(int argc, char **argv)
{
    static struct load load;
    pthread_t source, sink;
    load.is_up = true;
    read_arguments(&load, argc, argv);
    alarm((load.warm_ms + load.time_ms) / 1000 + 30);
    load.file = memfd_create("chunk", MFD_CLOEXEC);
    if (load.file < 0 || ftruncate(load.file, CHUNK) != 0) {
        die("memfd");
    }
    open_streams(&load);
    uint64_t start_ns = now_ns();
    pthread_create(&sink, NULL, run_sink, &load);
    pthread_create(&source, NULL, run_source, &load);
    sleep_until_ns(start_ns + load.warm_ms * 1000000ull);
    uint64_t window_bytes = load.received;
    uint64_t window_ns = now_ns();
    sleep_until_ns(start_ns + (load.warm_ms + load.time_ms) * 1000000ull);
    window_bytes = load.received - window_bytes;
    window_ns = now_ns() - window_ns;
    atomic_store(&load.stop, true);
    pthread_join(source, NULL);
    pthread_join(sink, NULL);
    print_result(&load, window_bytes, window_ns);
    return 0;
}
