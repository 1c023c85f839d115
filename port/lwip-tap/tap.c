/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* ppoll, tm_gmtoff, getrandom */
#include "port/lwip-tap/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "platform/lwip/np_board.h"

#define LOOK_US 100000u /* between two looks whether the interface is up */

static int tap_fd = -1, control_fd = -1;
static struct ifreq request;
static uint64_t next_look_us;
static bool is_up;

const char *np_tap_open(const char *name)
{
    if (strlen(name) >= sizeof(request.ifr_name)) {
        return "the name is too long";
    }
    tap_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap_fd < 0) {
        return "/dev/net/tun can't be opened";
    }
    memset(&request, 0, sizeof(request));
    memcpy(request.ifr_name, name, strlen(name));
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap_fd, TUNSETIFF, &request) != 0) {
        return errno == EBUSY ? "somebody else uses it" : "the system refuses it (want root)";
    }
    control_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return control_fd < 0 ? "no socket to ask about it" : NULL;
}

void np_tap_close(void)
{
    close(control_fd);
    close(tap_fd);
}

/* ---- link ------------------------------------------------------------------------------------ */

/* An address of the same life as the interface's own, so that a restart does not change it. */
bool np_board_link_open(uint8_t mac[6])
{
    if (ioctl(control_fd, SIOCGIFHWADDR, &request) != 0) {
        return false;
    }
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2u);
    mac[5] ^= 0x55u;
    return true;
}

static bool look_if_up(void)
{
    uint64_t now_us = np_board_now_us();
    if (now_us >= next_look_us) {
        next_look_us = now_us + LOOK_US;
        is_up = ioctl(control_fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
    }
    return is_up;
}

/* A frame where no cable was is worth a look at once; one that is left over from before goes. */
int32_t np_board_link_receive(uint8_t *frame, uint32_t cap)
{
    ssize_t len = read(tap_fd, frame, cap);
    if (len > 0 && !is_up) {
        next_look_us = 0;
    }
    if (!look_if_up()) {
        return NP_ERR_UNREACHABLE;
    }
    return len > 0 ? (int32_t)len : 0;
}

bool np_board_link_send(const uint8_t *frame, uint32_t len)
{
    return write(tap_fd, frame, len) == (ssize_t)len;
}

/* ---- time ------------------------------------------------------------------------------------ */

static struct timespec get_clock(clockid_t id)
{
    struct timespec now = {0, 0};
    clock_gettime(id, &now);
    return now;
}

uint64_t np_board_now_us(void)
{
    struct timespec now = get_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int64_t np_board_wall_ms(int32_t *offset_s)
{
    struct timespec now = get_clock(CLOCK_REALTIME);
    struct tm local;
    *offset_s = localtime_r(&now.tv_sec, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Signals are kept back from the look at *is_woken until ppoll waits, so that none is missed. */
void np_board_idle(uint64_t until_us, const volatile bool *is_woken)
{
    struct pollfd item = {tap_fd, POLLIN, 0};
    sigset_t all, before;
    uint64_t now_us = np_board_now_us();
    uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
    struct timespec wait = {1, 0}; /* the interface is looked at once in a while */
    if (left_us < 1000000u) {
        wait = (struct timespec){0, (long)left_us * 1000};
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    if (!*is_woken) {
        (void)ppoll(&item, 1, &wait, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- entropy and console --------------------------------------------------------------------- */

bool np_board_random(uint8_t *buf, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        ssize_t n = getrandom(buf + done, len - done, 0);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (uint32_t)n : 0;
    }
    return true;
}

void np_board_log(uint32_t level, const char *line, uint32_t len)
{
    (void)level;
    (void)!write(STDOUT_FILENO, line, len);
}
