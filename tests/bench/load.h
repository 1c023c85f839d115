/* SPDX-License-Identifier: BSD-3-Clause */
/* load: what the load tools share: clock, loopback sockets, numbers from the command line. Every
 * tool owns both ends of a measurement (visitor and target), each in its own thread, so that
 * counting needs no protocol of its own and the relay under test sits between two ports of one
 * process. */
#ifndef NP_BENCH_LOAD_H
#define NP_BENCH_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOAD_UNUSED __attribute__((unused))

LOAD_UNUSED static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

LOAD_UNUSED static void sleep_until_ns(uint64_t deadline_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                          .tv_nsec = (long)(deadline_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
}

__attribute__((noreturn)) LOAD_UNUSED static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

LOAD_UNUSED static uint32_t parse_number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || value > UINT32_MAX) {
        fprintf(stderr, "%s: want a whole number\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

LOAD_UNUSED static struct sockaddr_in loopback(uint32_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    addr.sin_port = htons((uint16_t)port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

LOAD_UNUSED static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
        die("setsockopt");
    }
}

LOAD_UNUSED static int listen_tcp(uint32_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback(port);
    if (fd < 0) {
        die("socket");
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 4096) != 0) {
        die("listen");
    }
    return fd;
}

/* Begins a connect; returns the handle, or -1 with errno. */
LOAD_UNUSED static int connect_tcp(uint32_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback(port);
    if (fd < 0) {
        return -1;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

#endif
