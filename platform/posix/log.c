/* SPDX-License-Identifier: BSD-3-Clause */
/* log: finished lines to stdout or to the system's log daemon.
 *
 * A line for the daemon is a datagram to /dev/log, as syslog(3) sends it, but without the time (the
 * daemon has its own clock) and without waiting: syslog(3) stops the loop when the daemon does not
 * read, and brings printf and strftime into a static program.
 *
 * stdout belongs to others as well, so it is not made non-blocking: it is asked first. When nobody
 * takes the lines of a pipe the loop waits a moment once, then lines are dropped and counted until
 * one fits.
 */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "core/base/log.h"

#define STUCK_WAIT_MS 20
/* A pipe that says it is writable takes this much at once (PIPE_BUF). */
#define PIECE_BYTES 4096u

static unsigned syslog_level(uint32_t level)
{
    switch (level) {
    case NP_LOG_DEBUG:
        return LOG_DEBUG;
    case NP_LOG_WARN:
        return LOG_WARNING;
    case NP_LOG_ERROR:
        return LOG_ERR;
    default:
        return LOG_INFO;
    }
}

/* To an address, not connected: a daemon that was started again gets the next line. */
static bool send_line(struct np_plat *plat, uint32_t level, const char *line, uint32_t len)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char head[64];
    uint32_t head_len = np_fmt(head, sizeof(head), "<%u>%s[%u]: ", LOG_DAEMON | syslog_level(level),
                               plat->syslog_ident, (unsigned)getpid());
    /* sendmsg only reads, but its struct has no const. */
    union {
        const char *given;
        void *base;
    } text = {line};
    struct iovec parts[] = {{head, head_len}, {text.base, len}};
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};

    return sendmsg(plat->syslog_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool can_write(int timeout_ms)
{
    struct pollfd entry = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&entry, 1, timeout_ms) > 0;
}

/* Returns how many bytes went out. */
static uint32_t write_line(const char *text, uint32_t len, int timeout_ms)
{
    uint32_t used = 0;
    while (used < len && can_write(timeout_ms)) {
        uint32_t left = len - used;
        ssize_t n = write(STDOUT_FILENO, text + used, left < PIECE_BYTES ? left : PIECE_BYTES);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
        used += n > 0 ? (uint32_t)n : 0;
    }
    return used;
}

/* "(n log lines lost)", without stdio. */
static void tell_lost(struct np_plat *plat)
{
    static const char tail[] = " log lines lost: nobody took them)\n";
    char text[64];
    uint32_t at = sizeof(text);
    uint32_t lost = plat->lines_dropped - plat->lines_dropped_told;
    for (uint32_t i = sizeof(tail) - 1; i > 0; i--) {
        text[--at] = tail[i - 1];
    }
    do {
        text[--at] = (char)('0' + lost % 10u);
        lost /= 10u;
    } while (lost > 0);
    text[--at] = '(';
    write_line(text + at, (uint32_t)sizeof(text) - at, 0);
    plat->lines_dropped_told = plat->lines_dropped;
}

void np_plat_log(struct np_plat *plat, uint32_t level, const char *line, uint32_t len)
{
    if (plat->syslog_ident != NULL) {
        uint32_t text_len = len > 0 && line[len - 1] == '\n' ? len - 1 : len;
        plat->lines_dropped += !send_line(plat, level, line, text_len);
        return;
    }
    if (plat->is_log_stuck && can_write(0)) {
        tell_lost(plat);
    }
    uint32_t used = write_line(line, len, plat->is_log_stuck ? 0 : STUCK_WAIT_MS);
    plat->is_log_stuck = used < len;
    plat->lines_dropped += used < len;
}
