/* SPDX-License-Identifier: BSD-3-Clause */
/* simtest: runs seeds in several processes, tells what failed and how to replay it.
 *
 * Usage: simtest [--seeds N] [--first S] [--seed S] [--jobs N] [--verbose] [--until-failure]
 *                [--regressions FILE]
 * Processes share nothing but the counters below, so a seed that crashes or hangs costs only its
 * own process, which is replaced.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/office.h"
#include "tests/sim/scene.h"

#define JOBS_MAX 16u
#define FAILURES_SHOWN 20u
#define REGRESSIONS 512u
#define SEED_LIMIT_S 30 /* of processor time: others may use the machine */
#define OFFICE_EVERY 8u /* one of so many seeds makes a master as well */
#define TWICE_EVERY 64u /* one of so many seeds runs twice: same seed, same history */

struct shared {
    uint32_t passed[JOBS_MAX], failed[JOBS_MAX];
    uint64_t at[JOBS_MAX]; /* item of the list that the process works on */
    uint32_t shown;
};

struct options {
    uint64_t first, count, seed;
    uint32_t jobs;
    bool has_seed, is_verbose, is_short; /* is_short: the first failure ends the run */
    const char *regressions;
};

/* The items: seeds that failed once, then first to first + count - 1. */
struct list {
    uint64_t old[REGRESSIONS];
    uint32_t old_count;
    uint64_t first, count;
};

static uint64_t item_count(const struct list *list)
{
    return list->old_count + list->count;
}

static uint64_t seed_of(const struct list *list, uint64_t item)
{
    return item < list->old_count ? list->old[item] : list->first + (item - list->old_count);
}

/* ---- one seed -------------------------------------------------------------------------- */

struct runner {
    struct np_sim *sim;
    struct scene *scene;
    struct office *office;
};

static bool make_runner(struct runner *runner)
{
    runner->sim = np_sim_create();
    runner->scene = calloc(1, sizeof *runner->scene);
    runner->office = calloc(1, sizeof *runner->office);
    return runner->sim != NULL && runner->scene != NULL && runner->office != NULL;
}

static void release_runner(struct runner *runner)
{
    scene_release(runner->scene);
    office_release(runner->office);
    free(runner->scene);
    free(runner->office);
    np_sim_destroy(runner->sim);
}

/* One block that other processes' lines do not cut. */
static void tell_failure(const struct runner *runner, const char *why)
{
    const struct scene *scene = runner->scene;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return;
    }
    fprintf(out, "FAIL seed %llu after %.3f s: %s\n  ", (unsigned long long)scene->seed,
            (double)np_sim_now_us(runner->sim) / 1e6, why);
    plan_print(scene, out);
    fprintf(out, "  replay: build/host/simtest --seed %llu --verbose\n",
            (unsigned long long)scene->seed);
    fclose(out);
    if (write(STDOUT_FILENO, text, len) < 0) {
        perror("simtest");
    }
    free(text);
}

/* The network of the seed, then the master that some have. */
static const char *run_worlds(struct runner *runner, uint64_t seed, bool is_verbose, uint64_t *hash)
{
    const char *why = scene_run(runner->scene, runner->sim, seed, is_verbose);
    *hash = np_sim_hash(runner->sim);
    if (why == NULL && seed % OFFICE_EVERY == 0) {
        why = office_run(runner->office, runner->sim, seed, is_verbose);
        *hash = *hash * 31 + np_sim_hash(runner->sim);
    }
    return why;
}

static bool run_seed(struct runner *runner, uint64_t seed, bool is_verbose, bool is_shown)
{
    uint64_t hash, again;
    const char *why = run_worlds(runner, seed, is_verbose, &hash);
    if (why == NULL && seed % TWICE_EVERY == 0) {
        why = run_worlds(runner, seed, false, &again);
        if (why == NULL && hash != again) {
            why = "the same seed gave another history";
        }
    }
    if (why != NULL && is_shown) {
        tell_failure(runner, why);
    }
    return why == NULL;
}

/* ---- processes ------------------------------------------------------------------------- */

static void work(struct shared *shared, const struct list *list, const struct options *options,
                 uint32_t job, uint64_t from)
{
    static const struct itimerval limit = {.it_value = {.tv_sec = SEED_LIMIT_S}};
    struct runner runner;
    if (!make_runner(&runner)) {
        _exit(2);
    }
    for (uint64_t item = from; item < item_count(list); item += options->jobs) {
        if (options->is_short && __atomic_load_n(&shared->shown, __ATOMIC_RELAXED) > 0) {
            break;
        }
        shared->at[job] = item;
        setitimer(ITIMER_PROF, &limit, NULL);
        bool is_shown = __atomic_load_n(&shared->shown, __ATOMIC_RELAXED) < FAILURES_SHOWN;
        if (run_seed(&runner, seed_of(list, item), options->is_verbose, is_shown)) {
            shared->passed[job]++;
        } else {
            shared->failed[job]++;
            __atomic_fetch_add(&shared->shown, 1, __ATOMIC_RELAXED);
        }
    }
    shared->at[job] = item_count(list);
    release_runner(&runner);
    exit(0); /* not _exit: coverage is written then */
}

static pid_t start(struct shared *shared, const struct list *list, const struct options *options,
                   uint32_t job, uint64_t from)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(shared, list, options, job, from);
    }
    if (pid < 0) {
        perror("simtest: fork");
        exit(2);
    }
    return pid;
}

static void total(const struct shared *shared, uint32_t jobs, uint64_t *passed, uint64_t *failed)
{
    *passed = *failed = 0;
    for (uint32_t i = 0; i < jobs; i++) {
        *passed += shared->passed[i];
        *failed += shared->failed[i];
    }
}

static void show_progress(const struct shared *shared, uint32_t jobs, uint64_t of, time_t start_s)
{
    uint64_t passed, failed;
    total(shared, jobs, &passed, &failed);
    printf("%llu of %llu seeds, %llu failed, %ld s\n", (unsigned long long)(passed + failed),
           (unsigned long long)of, (unsigned long long)failed, (long)(time(NULL) - start_s));
    fflush(stdout);
}

/* A process died in its seed: counts it, goes on behind it. Returns the new process or 0. */
static pid_t replace(struct shared *shared, const struct list *list, const struct options *options,
                     uint32_t job, int status)
{
    uint64_t item = shared->at[job];
    uint64_t seed = seed_of(list, item);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    shared->failed[job]++;
    __atomic_fetch_add(&shared->shown, 1, __ATOMIC_RELAXED);
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    printf("FAIL seed %llu: %s\n  replay: build/host/simtest --seed %llu --verbose\n",
           (unsigned long long)seed,
           sig == SIGPROF ? "hangs"
           : sig != 0     ? strsignal(sig)
                          : "crash",
           (unsigned long long)seed);
    return item + options->jobs < item_count(list)
               ? start(shared, list, options, job, item + options->jobs)
               : 0;
}

static int run_all(const struct list *list, const struct options *options)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[JOBS_MAX] = {0};
    uint32_t running = 0;
    time_t start_s = time(NULL);
    time_t told_s = start_s;
    for (uint32_t i = 0; i < options->jobs && i < item_count(list); i++) {
        pids[i] = start(shared, list, options, i, i);
        running++;
    }
    while (running > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        for (uint32_t i = 0; pid > 0 && i < options->jobs; i++) {
            if (pids[i] == pid) {
                pids[i] = replace(shared, list, options, i, status);
                running -= pids[i] == 0;
            }
        }
        if (pid == 0) {
            usleep(20000);
        }
        if (time(NULL) - told_s >= 15) {
            told_s = time(NULL);
            show_progress(shared, options->jobs, item_count(list), start_s);
        }
    }
    uint64_t passed, failed;
    total(shared, options->jobs, &passed, &failed);
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    munmap(shared, sizeof *shared);
    return failed == 0 && passed > 0 ? 0 : 1;
}

static int run_one(const struct options *options)
{
    struct runner runner;
    if (!make_runner(&runner)) {
        return 2;
    }
    bool is_good = run_seed(&runner, options->seed, true, true);
    printf("seed %llu: hash %016llx, %.3f s\n%d passed, %d failed\n",
           (unsigned long long)options->seed, (unsigned long long)np_sim_hash(runner.sim),
           (double)np_sim_now_us(runner.sim) / 1e6, is_good, !is_good);
    release_runner(&runner);
    return is_good ? 0 : 1;
}

/* ---- command line ---------------------------------------------------------------------- */

/* Lines "seed  why"; '#' begins a comment. */
static bool load_regressions(struct list *list, const char *path)
{
    char line[512];
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        fprintf(stderr, "simtest: %s: %s (run it in the top folder, or give --regressions)\n", path,
                strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, in) != NULL && list->old_count < REGRESSIONS) {
        char *end;
        unsigned long long seed = strtoull(line, &end, 10);
        if (line[0] != '#' && end != line) {
            list->old[list->old_count++] = seed;
        }
    }
    fclose(in);
    return true;
}

static bool take_number(uint64_t *out, const char *text)
{
    char *end;
    errno = 0;
    *out = text == NULL ? 0 : strtoull(text, &end, 10);
    return text != NULL && end != text && *end == '\0' && errno == 0;
}

static bool take_option(struct options *options, const char *name, const char *value)
{
    uint64_t jobs;
    if (strcmp(name, "--seeds") == 0) {
        return take_number(&options->count, value);
    }
    if (strcmp(name, "--first") == 0) {
        return take_number(&options->first, value);
    }
    if (strcmp(name, "--seed") == 0) {
        options->has_seed = true;
        return take_number(&options->seed, value);
    }
    if (strcmp(name, "--jobs") == 0) {
        bool is_good = take_number(&jobs, value) && jobs >= 1 && jobs <= JOBS_MAX;
        options->jobs = is_good ? (uint32_t)jobs : 0;
        return is_good;
    }
    if (strcmp(name, "--regressions") == 0) {
        options->regressions = value;
        return value != NULL;
    }
    return false;
}

static bool parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            options->is_verbose = true;
        } else if (strcmp(argv[i], "--until-failure") == 0) {
            options->is_short = true;
        } else if (take_option(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) {
            i++;
        } else {
            fprintf(stderr, "usage: simtest [--seeds N] [--first S] [--seed S] [--jobs N] "
                            "[--verbose] [--until-failure] [--regressions FILE]\n");
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct options options = {.first = 1,
                              .count = 2000,
                              .jobs = cpus < 1   ? 1
                                      : cpus > 8 ? 8
                                                 : (uint32_t)cpus,
                              .regressions = "tests/sim/regressions.txt"};
    static struct list list;
    if (!parse(&options, argc, argv)) {
        return 2;
    }
    if (options.has_seed) {
        return run_one(&options);
    }
    list.first = options.first;
    list.count = options.count;
    return load_regressions(&list, options.regressions) ? run_all(&list, &options) : 2;
}
