/* SPDX-License-Identifier: BSD-3-Clause */
/* harness_posix: the Linux platform, and where its tests store files. */
#include "tests/contract/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/posix/posix.h"

const char *np_harness_name(void)
{
#ifdef NP_POSIX_POLL
    return "posix-poll";
#else
    return "posix-epoll";
#endif
}

bool np_harness_has_splice(void)
{
    return true;
}

struct np_plat *np_harness_open(uint32_t handles, uint32_t buffers, uint32_t pipes)
{
    struct np_posix_config config = {
        .handles = handles, .buffers = buffers, .pipes = pipes, .is_splice_off = pipes == 0};
    struct np_plat *plat = np_posix_open(&config);
    if (plat == NULL) {
        perror("np_posix_open");
        abort();
    }
    return plat;
}

uint32_t np_harness_handles(const struct np_plat *plat)
{
    struct np_posix_stats stats;
    np_posix_stats(plat, &stats);
    return stats.handles_used;
}

bool np_harness_close(struct np_plat *plat)
{
    struct np_posix_stats stats;
    np_posix_stats(plat, &stats);
    bool is_clean = stats.buffers_used == 0 && stats.pipes_held == 0;
    if (!is_clean) {
        printf("  left: %u buffers, %u pipes\n", stats.buffers_used, stats.pipes_held);
    }
    np_posix_close(plat);
    return is_clean;
}

const char *np_harness_blob_prefix(void)
{
    static char prefix[64];
    if (prefix[0] == '\0') {
        snprintf(prefix, sizeof(prefix), "/tmp/np-contract-%ld-", (long)getpid());
    }
    return prefix;
}
