/* SPDX-License-Identifier: BSD-3-Clause */
/* posix: what a port on Linux needs beside the contract: it makes the platform, chooses where log
 * lines go, and prepares the process (descriptor limit, signals). The core never sees this header.
 *
 *   main:  np_posix_raise_files -> np_posix_open -> np_posix_catch_signal ... -> loop ->
 *   np_posix_close
 *
 * All memory is one anonymous mapping made by np_posix_open; pages that are never touched cost
 * nothing.
 */
#ifndef NP_PLATFORM_POSIX_POSIX_H
#define NP_PLATFORM_POSIX_POSIX_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct np_addr;
struct np_plat;
struct sockaddr_storage;

#define NP_POSIX_MAX_HANDLES 262143u

struct np_posix_config {
    uint32_t handles;         /* most handles at a time, 1 to NP_POSIX_MAX_HANDLES */
    uint32_t buffers;         /* pooled buffers for received bytes shown but not taken; 0 = 64 */
    uint32_t buffer_bytes;    /* bytes of one buffer and of the loop-wide scratch; 0 = 16384 */
    uint32_t pipes;           /* pipes for splice, 2 descriptors each while in use; 0 = 64 */
    uint32_t queries;         /* name queries at a time, 0 = 16 */
    bool is_splice_off;       /* np_plat_tcp_splice answers NP_ERR_UNSUPPORTED */
    const char *syslog_ident; /* NULL = log lines go to stdout; kept, owned by the caller */
};

/* Makes a platform; SIGPIPE is ignored from now on. Returns NULL if a number is out of range or the
 * system refuses memory, epoll or eventfd. */
struct np_plat *np_posix_open(const struct np_posix_config *config);
/* Bytes that np_posix_open maps for `config`. */
uint64_t np_posix_bytes_needed(const struct np_posix_config *config);
/* Memory that this process may have, bytes: of the machine, its control group or its limit on
 * address space, whichever is least. 0 = not known. */
uint64_t np_posix_ram_bytes(void);
/* Closes every handle and gives all memory back. A name query that still blocks inside the system's
 * resolver ends by itself later, without the platform. */
void np_posix_close(struct np_plat *plat);

/* Raises the soft limit of open descriptors to `wanted`, as far as the hard limit allows (the hard
 * limit itself is raised if we may). Returns the limit that holds now. */
uint32_t np_posix_raise_files(uint32_t wanted);
/* Descriptors that `config` needs at most, with those of the process itself. */
uint32_t np_posix_files_needed(const struct np_posix_config *config);

/* From now on signal `signo` sets *flag to 1 and wakes `plat`; nothing else happens in the handler.
 * One platform a process. `flag` lives as long as the process. Returns false if the system refuses.
 */
bool np_posix_catch_signal(struct np_plat *plat, int signo, volatile sig_atomic_t *flag);

/* What errno `error` says, for reports; static. */
const char *np_posix_error_text(int error);
/* Writes `addr` as the system has it; returns its length, 0 without a family. */
uint32_t np_posix_sockaddr_of(const struct np_addr *addr, struct sockaddr_storage *out);

/* Counters for tests and benchmarks. */
struct np_posix_stats {
    uint32_t handles_used;
    uint32_t buffers_used;
    uint32_t pipes_held;    /* pipes that hold bytes */
    uint32_t pipes_open;    /* pipes that exist, held or cached */
    uint32_t queries_used;  /* name queries not fetched or canceled but still running */
    uint32_t lines_dropped; /* log lines that nobody took */
    uint32_t handle_bytes;  /* memory of one handle in all tables */
};
void np_posix_stats(const struct np_plat *plat, struct np_posix_stats *stats);

#endif
