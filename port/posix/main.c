/* SPDX-License-Identifier: BSD-3-Clause */
/* The program on a POSIX system: arguments, memory, signals and rights around the app's loop. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/url.h"
#include "core/base/ct.h"
#include "core/base/fmt.h"
#include "core/np_app.h"
#include "platform/posix/posix.h"
#include "port/posix/cli.h"
#include "port/posix/ctl.h"
#include "port/posix/handles.h"
#include "port/posix/load.h"
#include "port/posix/memory.h"
#include "port/posix/text.h"
#include "port/posix/user.h"

enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2 };
enum { BIND_LOOK_MS = 50 }; /* until all is bound and the user is changed */

static struct np_load load;
static volatile sig_atomic_t stop_asked, reload_asked;

static void print_report(void *context, bool is_error, const char *text)
{
    (void)context;
    np_cli_print(STDERR_FILENO, "nodepass: %s%s\n", is_error ? "" : "warning: ", text);
}

static int fail(const char *text)
{
    np_cli_print(STDERR_FILENO, "nodepass: %s\n", text);
    return EXIT_SYSTEM;
}

/* The key must not stay where other users can see it: arguments and environment. */
static void mask_sources(int argc, char **argv, char *env_url)
{
    for (int i = 1; i < argc; i++) {
        if (np_text_find(argv[i], "://") != NULL) {
            np_cli_mask(argv[i]);
        }
    }
    if (env_url != NULL) {
        np_cli_mask(env_url);
    }
}

static bool catch_signals(struct np_plat *plat)
{
    return np_posix_catch_signal(plat, SIGINT, &stop_asked) &&
           np_posix_catch_signal(plat, SIGTERM, &stop_asked) &&
           np_posix_catch_signal(plat, SIGHUP, &reload_asked);
}

/* Runs until a stop is complete. Returns the exit code. */
static int run_loop(struct np_app *app, struct np_user *user)
{
    if (np_app_is_stopped(app)) {
        return EXIT_USAGE; /* nothing could start, the log tells why */
    }
    while (!np_app_is_stopped(app)) {
        if (user->is_given && np_app_is_bound(app)) {
            user->is_given = false;
            np_load_give_state(&load, user->uid, user->gid);
            if (!np_user_become(user)) {
                return fail("the system refused to change the user");
            }
        }
        if (np_app_step(app, user->is_given ? BIND_LOOK_MS : UINT32_MAX) != NP_OK) {
            return fail("the system can't wait for events any more");
        }
        if (stop_asked) {
            stop_asked = 0;
            np_app_stop(app); /* a second time ends the drain */
        }
        if (reload_asked) {
            reload_asked = 0;
            np_app_reload(app);
        }
    }
    return EXIT_SUCCESS;
}

static int run(struct np_user *user, bool is_colorless, struct np_report *report)
{
    static const struct np_settings *list[NP_MAX_INSTANCES];
    bool color = !is_colorless && !load.process.is_syslog && isatty(STDOUT_FILENO) == 1;
    struct np_app_needs needs;
    struct np_app *app = NULL;
    struct np_plat *plat;
    int code = EXIT_SYSTEM;
    void *memory;

    if (!np_memory_plan(&load, list, &needs, report)) {
        return EXIT_USAGE;
    }
    plat = np_handles_open(&load, &needs, color);
    if (plat == NULL) {
        return fail("the system refused memory or descriptors for the event loop");
    }
    np_memory_tell(&load, &needs, plat, color);
    /* untouched pages cost nothing, so all of it is mapped at once */
    memory = mmap(NULL, (size_t)needs.memory_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED && catch_signals(plat)) {
        app = np_app_init(plat, memory, needs.memory_bytes, list, load.count, &load.process.tuning,
                          color);
    }
    if (app != NULL) {
        code = run_loop(app, user);
        np_app_deinit(app);
    } else {
        (void)fail("the system refused memory, signals or random numbers");
    }
    np_posix_close(plat);
    return code;
}

/* Settings are read: checks, prints or runs them. */
static int serve(const struct np_cli *cli, struct np_report *report)
{
    bool is_check = cli->action == NP_CLI_CHECK;
    struct np_user user;

    np_user_find(&user, load.process.user, report);
    if (load.is_scheme_unknown && !is_check) {
        np_text_print_usage();
        return EXIT_USAGE;
    }
    if (is_check) {
        np_load_restrict(&load, true, report);
        np_memory_check(&load, report);
        return report->error_count == 0 ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (!load.is_ini && report->error_count > 0) {
        return EXIT_USAGE;
    }
    np_load_restrict(&load, false, report);
    if (load.count == 0 || (load.process.user[0] != '\0' && !user.is_given)) {
        return EXIT_USAGE;
    }
    np_memory_fit(&load);
    return run(&user, cli->is_colorless, report);
}

int main(int argc, char **argv)
{
    struct np_report report = {print_report, NULL, 0};
    char *env_url = getenv("NP_URL");
    struct np_cli cli;
    int code = EXIT_USAGE;

    if (NP_HAS_CTL && argc > 1 && strcmp(argv[1], "ctl") == 0) {
        return np_ctl_run(argc - 2, argv + 2);
    }
    np_cli_parse(&cli, argc, argv, env_url, &report);
    if (cli.action == NP_CLI_USAGE) {
        np_text_print_usage();
    } else if (report.error_count == 0 && cli.action == NP_CLI_VERSION) {
        np_text_print_version();
        code = EXIT_SUCCESS;
    } else if (report.error_count == 0 && cli.action == NP_CLI_HELP) {
        np_text_print_help();
        code = EXIT_SUCCESS;
    } else if (report.error_count == 0) {
        np_load_open(&load, &cli, &report);
        mask_sources(argc, argv, env_url);
        code = serve(&cli, &report);
        np_load_close(&load);
    }
    return code;
}
