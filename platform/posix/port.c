/* SPDX-License-Identifier: BSD-3-Clause */
/* port: what main.c needs of the system beside the contract. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

#ifdef NP_POSIX_LEAN
#include <sys/syscall.h>
#include <unistd.h>
/* musl's setrlimit reaches all threads, for old kernels; there is one thread. */
#define setrlimit(what, limit) syscall(SYS_prlimit64, 0, what, limit, NULL)
#endif

/* ---- descriptors ----------------------------------------------------------------------------- */

uint32_t np_posix_raise_files(uint32_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < wanted) {
        struct rlimit more = {.rlim_cur = wanted,
                              .rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
            more.rlim_max = limit.rlim_max;
            more.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
            (void)setrlimit(RLIMIT_NOFILE, &more);
        }
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
}

uint32_t np_posix_files_needed(const struct np_posix_config *config)
{
    uint32_t pipes = config->pipes == 0 ? 64 : config->pipes;
    /* standard streams, epoll, eventfd, a file being read or written, resolver sockets */
    return config->handles + 2 * pipes + 24;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* A handler can be told nothing: one platform a process. */
static struct np_plat *volatile signal_plat;
static volatile sig_atomic_t *volatile signal_flags[64];

static void on_signal(int signo)
{
    int error = errno;
    if (signo > 0 && signo < 64 && signal_flags[signo] != NULL) {
        *signal_flags[signo] = 1;
    }
    if (signal_plat != NULL) {
        np_plat_wake(signal_plat);
    }
    errno = error;
}

bool np_posix_catch_signal(struct np_plat *plat, int signo, volatile sig_atomic_t *flag)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (signo <= 0 || signo >= 64) {
        return false;
    }
    sigemptyset(&action.sa_mask);
    signal_flags[signo] = flag;
    signal_plat = plat;
    return sigaction(signo, &action, NULL) == 0;
}

void np_posix_forget_signals(const struct np_plat *plat)
{
    if (signal_plat == plat) {
        signal_plat = NULL;
    }
}
