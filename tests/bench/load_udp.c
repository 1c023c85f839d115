/* SPDX-License-Identifier: BSD-3-Clause */
/* load_udp: datagrams through a relay: a steady rate, or bursts.
 *
 *   load_udp -l TARGET_PORT -c RELAY_PORT -r RATE -t TIME_MS -s BYTES -n SOURCES [-e]
 *   load_udp -l TARGET_PORT -c RELAY_PORT -b BURST -k BURSTS -n SOURCES
 *
 * -e: the target sends each datagram back, and only what is back counts. Bursts: sources in turn
 * send BURST datagrams of different sizes back to back, 2 ms apart. Every datagram says who sent it
 * and how long it is; one that was cut, joined or altered counts as damaged, one seen twice as
 * double. One line of JSON. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/uio.h>

#include "tests/bench/load.h"

enum { MAX_SOURCES = 64, BATCH = 32, MAX_BYTES = 2048, MIN_BYTES = 24, TICK_NS = 200000 };

struct mark {
    uint32_t magic, source, len, filler;
    uint64_t number;
};

struct load {
    uint32_t listen_port, connect_port, rate, time_ms, bytes, source_count, burst, burst_count;
    bool echo;
    int source[MAX_SOURCES], sink;
    uint8_t *seen; /* one a number */
    uint64_t capacity, sent, send_failed, arrived, damaged, doubled, reordered;
    uint64_t next_expected[MAX_SOURCES];
};

static const uint32_t magic = 0x6e70626d;

static void read_arguments(struct load *load, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "l:c:r:t:s:n:b:k:e")) != -1) {
        uint32_t value = option == 'e' || option == '?' ? 0 : parse_number(optarg);
        switch (option) {
        case 'l':
            load->listen_port = value;
            break;
        case 'c':
            load->connect_port = value;
            break;
        case 'r':
            load->rate = value;
            break;
        case 't':
            load->time_ms = value;
            break;
        case 's':
            load->bytes = value;
            break;
        case 'n':
            load->source_count = value;
            break;
        case 'b':
            load->burst = value;
            break;
        case 'k':
            load->burst_count = value;
            break;
        case 'e':
            load->echo = true;
            break;
        default:
            exit(2);
        }
    }
    if (load->source_count == 0 || load->source_count > MAX_SOURCES || load->bytes < MIN_BYTES ||
        load->bytes > MAX_BYTES || load->burst > BATCH) {
        fprintf(stderr, "load_udp: bad -n, -s or -b\n");
        exit(2);
    }
}

static int open_udp(uint32_t bind_port, uint32_t connect_port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback(bind_port);
    if (fd < 0) {
        die("socket");
    }
    set_option(fd, SOL_SOCKET, SO_RCVBUF, 4 * 1024 * 1024);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, 4 * 1024 * 1024);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        die("bind");
    }
    addr = loopback(connect_port);
    if (connect_port != 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        die("connect");
    }
    return fd;
}

static void fill(uint8_t *bytes, uint32_t source, uint32_t len, uint64_t number)
{
    struct mark mark = {.magic = magic, .source = source, .len = len, .number = number};
    memcpy(bytes, &mark, sizeof mark);
    memset(bytes + sizeof mark, (int)(number & 0xff), len - sizeof mark);
}

static bool is_whole(const uint8_t *bytes, uint32_t len, struct mark *mark)
{
    if (len < sizeof *mark) {
        return false;
    }
    memcpy(mark, bytes, sizeof *mark);
    if (mark->magic != magic || mark->len != len) {
        return false;
    }
    for (uint32_t i = sizeof *mark; i < len; i++) {
        if (bytes[i] != (uint8_t)(mark->number & 0xff)) {
            return false;
        }
    }
    return true;
}

static void count_datagram(struct load *load, const uint8_t *bytes, uint32_t len)
{
    struct mark mark;
    if (!is_whole(bytes, len, &mark) || mark.number >= load->capacity ||
        mark.source >= MAX_SOURCES) {
        load->damaged++;
        return;
    }
    if (load->seen[mark.number] != 0) {
        load->doubled++;
        return;
    }
    load->seen[mark.number] = 1;
    load->arrived++;
    load->reordered += mark.number < load->next_expected[mark.source] ? 1 : 0;
    load->next_expected[mark.source] = mark.number + 1;
}

/* Sends `count` datagrams of one source with one call; what the socket refuses is lost here and
 * said so. */
static void send_batch(struct load *load, uint32_t source, uint32_t count)
{
    static uint8_t bytes[BATCH][MAX_BYTES];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    memset(messages, 0, sizeof messages);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = load->sent + i;
        uint32_t len = load->burst > 0 ? 50 + (uint32_t)(number * 131 % 1300) : load->bytes;
        fill(bytes[i], source, len, number);
        parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = len};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(load->source[source], messages, count, 0);
    load->sent += count;
    load->send_failed += count - (uint32_t)(sent < 0 ? 0 : sent);
}

static int receive(int fd, struct mmsghdr *messages, struct iovec *parts, uint8_t *bytes,
                   struct sockaddr_in *from)
{
    memset(messages, 0, BATCH * sizeof *messages);
    for (uint32_t i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = bytes + i * 65536u, .iov_len = 65536};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &from[i];
        messages[i].msg_hdr.msg_namelen = sizeof from[i];
    }
    return recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
}

static bool drain(struct load *load, int fd, bool send_back)
{
    static uint8_t bytes[BATCH * 65536];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    int count = receive(fd, messages, parts, bytes, from);
    for (int i = 0; i < count; i++) {
        parts[i].iov_len = messages[i].msg_len;
        if (!send_back) {
            count_datagram(load, parts[i].iov_base, messages[i].msg_len);
        }
    }
    if (send_back && count > 0) {
        sendmmsg(fd, messages, (unsigned)count, 0);
    }
    return count > 0;
}

static bool drain_all(struct load *load)
{
    bool any = drain(load, load->sink, load->echo);
    for (uint32_t i = 0; load->echo && i < load->source_count; i++) {
        any = drain(load, load->source[i], false) || any;
    }
    return any;
}

static void drain_until(struct load *load, uint64_t deadline_ns)
{
    while (now_ns() < deadline_ns) {
        if (!drain_all(load)) {
            uint64_t next_ns = now_ns() + 50000;
            sleep_until_ns(next_ns < deadline_ns ? next_ns : deadline_ns);
        }
    }
}

static void run_rate(struct load *load)
{
    uint64_t start_ns = now_ns();
    uint64_t total = (uint64_t)load->rate * load->time_ms / 1000;
    uint32_t source = 0;
    while (load->sent < total) {
        uint64_t due = (now_ns() - start_ns) * load->rate / 1000000000u + 1;
        due = due > total ? total : due;
        while (load->sent < due) {
            uint64_t left = due - load->sent;
            send_batch(load, source, left > BATCH ? BATCH : (uint32_t)left);
            source = (source + 1) % load->source_count;
            drain_all(load);
        }
        drain_until(load, now_ns() + TICK_NS);
    }
}

static void run_bursts(struct load *load)
{
    for (uint32_t i = 0; i < load->burst_count; i++) {
        send_batch(load, i % load->source_count, load->burst);
        drain_until(load, now_ns() + 2000000);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.bytes = 200, .source_count = 1, .time_ms = 1000};
    read_arguments(&load, argc, argv);
    alarm(60);
    load.sink = open_udp(load.listen_port, 0);
    for (uint32_t i = 0; i < load.source_count; i++) {
        load.source[i] = open_udp(0, load.connect_port);
    }
    load.capacity = load.burst > 0 ? (uint64_t)load.burst * load.burst_count
                                   : (uint64_t)load.rate * load.time_ms / 1000;
    load.seen = calloc(load.capacity + 1, 1);
    uint64_t start_ns = now_ns();
    if (load.burst > 0) {
        run_bursts(&load);
    } else {
        run_rate(&load);
    }
    double elapsed_s = (double)(now_ns() - start_ns) / 1e9;
    drain_until(&load, now_ns() + 700000000u);
    printf("{\"sent\": %llu, \"send_failed\": %llu, \"arrived\": %llu, \"damaged\": %llu, "
           "\"double\": %llu, \"reordered\": %llu, \"elapsed_s\": %.3f}\n",
           (unsigned long long)load.sent, (unsigned long long)load.send_failed,
           (unsigned long long)load.arrived, (unsigned long long)load.damaged,
           (unsigned long long)load.doubled, (unsigned long long)load.reordered, elapsed_s);
    return 0;
}
