/* SPDX-License-Identifier: BSD-3-Clause */
/* nodepass-lwip: the core on lwIP on a tap interface of this machine, for tests and for people who
 * bring platform/lwip to a board. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/np_app.h"
#include "platform/np_plat.h"
#include "port/lwip-tap/options.h"
#include "port/lwip-tap/tap.h"
#include "port/posix/load.h"
#include "port/posix/text.h"

enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2 };

static struct np_load load;
static struct np_plat *plat;
static volatile sig_atomic_t stop_asked, reload_asked;

static void print_report(void *context, bool is_error, const char *text)
{
    (void)context;
    np_cli_print(STDERR_FILENO, "nodepass-lwip: %s%s\n", is_error ? "" : "warning: ", text);
}

static int refuse(const char *what, const char *why)
{
    np_cli_print(STDERR_FILENO, "nodepass-lwip: %s: %s\n", what, why);
    return EXIT_SYSTEM;
}

static void panic(const char *text)
{
    (void)refuse("lwIP is broken", text);
    abort();
}

static void on_signal(int signo)
{
    *(signo == SIGHUP ? &reload_asked : &stop_asked) = 1;
    np_plat_wake(plat);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run_loop(struct np_app *app)
{
    if (np_app_is_stopped(app)) {
        return EXIT_USAGE; /* nothing could start, the log tells why */
    }
    while (!np_app_is_stopped(app)) {
        if (np_app_step(app, UINT32_MAX) != NP_OK) {
            return refuse("loop", "the platform can't wait any more");
        }
        if (stop_asked) {
            stop_asked = 0;
            np_app_stop(app);
        }
        if (reload_asked) {
            reload_asked = 0;
            np_app_reload(app);
        }
    }
    return EXIT_SUCCESS;
}

/* What the stack went through, for tests and for tuning sizes. */
static void log_stats(void)
{
    struct np_log log;
    struct np_lwip_stats s;
    np_lwip_stats(plat, &s);
    np_log_init(&log, plat, NP_LOG_INFO, NULL, false);
    np_log_write(&log, NP_LOG_INFO,
                 "lwIP: handles %u, heap %u (most %u) of %u bytes, connections %u (most %u), "
                 "segments %u (most %u), buffers %u (most %u)",
                 s.handles_used, s.heap_used_bytes, s.heap_max_bytes, s.heap_bytes, s.pcbs_used,
                 s.pcbs_max, s.segments_used, s.segments_max, s.pbufs_used, s.pbufs_max);
    np_log_write(&log, NP_LOG_INFO,
                 "lwIP: no buffer %u, malformed %u, not sent %u, datagrams dropped %u, refused %u, "
                 "half open %u, pool empty %u, link changes %u",
                 s.rx_no_buffer, s.rx_malformed, s.tx_no_room, s.udp_dropped, s.accept_refused,
                 s.half_open, s.pool_empty, s.link_changes);
}

static int run_app(bool color)
{
    static const struct np_settings *list[NP_MAX_INSTANCES];
    struct np_app_needs needs;
    int code = EXIT_SYSTEM;
    for (uint32_t i = 0; i < load.count; i++) {
        list[i] = &load.settings[i];
    }
    memset(&needs, 0, sizeof(needs));
    np_app_plan(list, load.count, &load.process.tuning, &needs);
    void *memory = mmap(NULL, (size_t)needs.memory_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return refuse("memory", "the system has none");
    }
    struct np_app *app = np_app_init(plat, memory, needs.memory_bytes, list, load.count,
                                     &load.process.tuning, color);
    if (app != NULL) {
        catch_signals();
        code = run_loop(app);
        np_app_deinit(app);
        log_stats();
    }
    return code;
}

static int run(struct np_tap_options *options, const struct np_cli *cli)
{
    const char *fault = np_tap_open(options->tap);
    if (fault != NULL) {
        return refuse(options->tap, fault);
    }
    options->config.panic = panic;
    plat = np_lwip_open(&options->config);
    if (plat == NULL) {
        return refuse("lwIP", "it can't be started");
    }
    int code = run_app(!cli->is_colorless && isatty(STDOUT_FILENO) == 1);
    np_lwip_close(plat);
    np_tap_close();
    return code;
}

static int serve(struct np_tap_options *options, const struct np_cli *cli, struct np_report *report)
{
    bool is_check = cli->action == NP_CLI_CHECK;
    if (load.process.user[0] != '\0' || load.process.is_syslog) {
        np_report_error(report, "--user and --syslog: not in this program");
    }
    if (load.is_scheme_unknown && !is_check) {
        np_text_print_usage();
        return EXIT_USAGE;
    }
    if (report->error_count == 0) {
        np_load_restrict(&load, is_check, report);
    }
    if (is_check) {
        np_load_print(&load);
        return report->error_count == 0 ? EXIT_SUCCESS : EXIT_USAGE;
    }
    return report->error_count > 0 || load.count == 0 ? EXIT_USAGE : run(options, cli);
}

int main(int argc, char **argv)
{
    struct np_report report = {print_report, NULL, 0};
    struct np_tap_options options;
    struct np_cli cli;
    int code = EXIT_USAGE;

    np_tap_options_parse(&options, &argc, argv, &report);
    np_cli_parse(&cli, argc, argv, getenv("NP_URL"), &report);
    if (cli.action == NP_CLI_USAGE) {
        np_text_print_usage();
    } else if (report.error_count == 0 && cli.action == NP_CLI_VERSION) {
        np_text_print_version();
        code = EXIT_SUCCESS;
    } else if (report.error_count == 0 && cli.action == NP_CLI_HELP) {
        np_text_print_help();
        np_tap_options_print();
        code = EXIT_SUCCESS;
    } else if (report.error_count == 0) {
        np_load_open(&load, &cli, &report);
        for (int i = 1; i < argc; i++) { /* no process list shows the key */
            if (strstr(argv[i], "://") != NULL) {
                np_cli_mask(argv[i]);
            }
        }
        code = serve(&options, &cli, &report);
        np_load_close(&load);
    }
    return code;
}
