/* SPDX-License-Identifier: BSD-3-Clause */
/* only_posix: what the Linux platform promises beyond np_plat.h: files of blobs, signals that wake
 * the loop, a log that nobody reads, limits of descriptors. */
#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "platform/posix/posix.h"
#include "tests/contract/contract.h"
#include "tests/contract/harness.h"

/* ---- blobs ----------------------------------------------------------------------------------- */

static void blob_name(char *name, size_t cap, const char *suffix)
{
    snprintf(name, cap, "%s%s", np_harness_blob_prefix(), suffix);
}

/* Whatever fails, the old content stays and nothing is left beside it. */
static void check_old_is_kept(struct np_plat *plat, const char *name)
{
    uint8_t in[200];
    char beside[180];
    struct stat status;
    snprintf(beside, sizeof(beside), "%s.tmp", name);
    CHECK_INT(np_plat_blob_load(plat, name, in, sizeof(in)), 100);
    CHECK(is_filled(in, 1, 0, 100));
    CHECK(stat(beside, &status) != 0 || S_ISDIR(status.st_mode));
}

static void blob_files(struct np_plat *plat)
{
    char name[128], beside[160], missing[160], other[160];
    uint8_t out[9000];
    struct stat status;
    struct rlimit limit, small;
    blob_name(name, sizeof(name), "file");
    fill(out, 1, 0, sizeof(out));
    CHECK_INT(np_plat_blob_store(plat, name, out, 100), NP_OK);
    CHECK(stat(name, &status) == 0 && (status.st_mode & 0777) == 0600);
    check_old_is_kept(plat, name);
    snprintf(missing, sizeof(missing), "%s.no/such", name);
    CHECK_INT(np_plat_blob_store(plat, missing, out, 100), NP_ERR_IO);
    CHECK_INT(np_plat_blob_load(plat, missing, out, 100), NP_ERR_NOT_FOUND);
    CHECK_INT(np_plat_blob_load(plat, "/tmp", out, 100), NP_ERR_IO); /* a directory */
    CHECK_INT(np_plat_blob_store(plat, "", out, 100), NP_ERR_IO);
    snprintf(beside, sizeof(beside), "%s.tmp", name);
    CHECK(mkdir(beside, 0700) == 0); /* in the way */
    CHECK_INT(np_plat_blob_store(plat, name, out, 50), NP_ERR_IO);
    check_old_is_kept(plat, name);
    rmdir(beside);
    snprintf(other, sizeof(other), "%s.other", name);
    CHECK_INT(np_plat_blob_store(plat, other, out, 100), NP_OK);
    CHECK(symlink(other, beside) == 0); /* never written through */
    CHECK_INT(np_plat_blob_store(plat, name, out, 50), NP_ERR_IO);
    check_old_is_kept(plat, name);
    check_old_is_kept(plat, other);
    unlink(other);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    small = (struct rlimit){4096, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0); /* a disk that takes the first half only */
    CHECK(np_plat_blob_store(plat, name, out, sizeof(out)) < 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    check_old_is_kept(plat, name);
    unlink(name);
}

/* One process has a directory, whatever it may write there; its end gives it back. */
static void blob_lock(struct np_plat *plat)
{
    char directory[128], name[160];
    blob_name(directory, sizeof(directory), "lock");
    snprintf(name, sizeof(name), "%s/state", directory);
    CHECK_INT(np_plat_blob_lock(plat, name), NP_ERR_NOT_FOUND);
    CHECK(mkdir(directory, 0500) == 0);
    int other = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
    CHECK_INT(np_plat_blob_lock(plat, name), NP_ERR_AGAIN);
    CHECK(flock(other, LOCK_UN) == 0);
    CHECK_INT(np_plat_blob_lock(plat, name), NP_OK);
    CHECK(flock(other, LOCK_EX | LOCK_NB) != 0);
    close(other);
    rmdir(directory);
}

/* ---- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void signals_wake(struct np_plat *plat)
{
    struct np_event event;
    caught = 0;
    CHECK(np_posix_catch_signal(plat, SIGUSR1, &caught));
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t start_ms = np_plat_now_ms(plat);
        CHECK(raise(SIGUSR1) == 0);
        CHECK_INT(np_plat_poll(plat, &event, 1, LONG_MS), 0);
        CHECK(np_plat_now_ms(plat) - start_ms < 500);
        CHECK_INT(caught, 1);
        caught = 0;
    }
    signal(SIGUSR1, SIG_DFL);
}

/* ---- log ------------------------------------------------------------------------------------- */

/* Writes lines to a pipe that nobody empties, then empties it. */
static void log_nobody_reads(struct np_plat *plat)
{
    static char line[1000], in[1 << 18];
    struct np_posix_stats stats;
    int ends[2], saved;
    ssize_t got;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    if (!CHECK(saved >= 0 && pipe2(ends, O_CLOEXEC) == 0)) {
        return;
    }
    dup2(ends[1], STDOUT_FILENO);
    uint64_t start_ms = np_plat_now_ms(plat);
    for (uint32_t i = 0; i < 2000; i++) {
        np_plat_log(plat, NP_LOG_INFO, line, sizeof(line));
    }
    uint64_t took_ms = np_plat_now_ms(plat) - start_ms;
    np_posix_stats(plat, &stats);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], in, sizeof(in)) > 0) {
    }
    np_plat_log(plat, NP_LOG_INFO, "again\n", 6);
    got = read(ends[0], in, sizeof(in) - 1);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    CHECK(took_ms < 1000); /* the loop went on */
    CHECK(stats.lines_dropped > 1500 && stats.lines_dropped < 2000);
    in[got > 0 ? got : 0] = '\0';
    CHECK(strstr(in, " log lines lost") != NULL && strstr(in, "again\n") != NULL);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Descriptors run out before handles do: refused like a full table, and it goes on afterwards. */
static void descriptors_run_out(struct np_plat *plat)
{
    struct rlimit limit, small;
    struct np_addr local = loopback4(0);
    uint32_t handles[HANDLES], count = 0;
    enum np_err err = NP_OK;
    int next = dup(STDOUT_FILENO);
    CHECK(next >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(next);
    small = (struct rlimit){(rlim_t)next + 10, limit.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &small) == 0);
    while (count < HANDLES && err == NP_OK) {
        err = np_plat_udp_open(plat, &local, NULL, 0, &handles[count]);
        count += err == NP_OK;
    }
    CHECK_INT(err, NP_ERR_NO_HANDLES);
    CHECK(count >= 5 && count <= 10);
    CHECK_INT(np_plat_tcp_listen(plat, &local, 0, &handles[HANDLES - 1]), NP_ERR_NO_HANDLES);
    CHECK_INT(np_plat_tcp_connect(plat, NULL, &local, 0, &handles[HANDLES - 1]), NP_ERR_NO_HANDLES);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_INT(np_plat_udp_open(plat, &local, NULL, 0, &handles[count]), NP_OK);
    for (uint32_t i = 0; i <= count; i++) {
        np_plat_close(plat, handles[i]);
    }
}

static void files_are_raised(struct np_plat *plat)
{
    struct rlimit limit, now;
    struct np_posix_config config = {.handles = 100, .pipes = 4};
    (void)plat;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(np_posix_files_needed(&config) >= 100 + 2 * 4);
    now = (struct rlimit){64, limit.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
    CHECK(np_posix_raise_files(200) >= 200);
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur >= 200);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(np_posix_raise_files(10) >= 10); /* never lowered */
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == limit.rlim_cur);
}

const struct np_contract_test np_harness_tests[] = {
    {"posix_blob_files", blob_files, 0, 0, 0},
    {"posix_blob_lock", blob_lock, 0, 0, 0},
    {"posix_signals_wake", signals_wake, 0, 0, 0},
    {"posix_log_nobody_reads", log_nobody_reads, 0, 0, 0},
    {"posix_descriptors_run_out", descriptors_run_out, 0, 0, 0},
    {"posix_files_are_raised", files_are_raised, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
