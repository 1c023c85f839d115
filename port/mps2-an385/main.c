/* SPDX-License-Identifier: BSD-3-Clause */
/* The firmware: command line, static memory, watchdog and console around the app's loop. It ends
 * only by the console (q) or --run, with an exit code for tests: 0 all memory came back, 1 usage,
 * 2 the settings do not fit this image, 3 something is still held. */
#include <string.h>

#include "core/base/log.h"
#include "core/np_app.h"
#include "platform/lwip/np_lwip_sizes.h"
#include "platform/lwip/np_plat_lwip.h"
#include "platform/np_plat.h"
#include "port/mps2-an385/args.h"
#include "port/mps2-an385/board.h"
#include "port/mps2-an385/semihost.h"
#include "port/mps2-an385/start.h"
#include "port/mps2-an385/uart.h"
#include "port/mps2-an385/watchdog.h"

enum { EXIT_USAGE = 1, EXIT_SIZE = 2, EXIT_HELD = 3 };
enum { TURN_MS = 500, WATCHDOG_S = 10, CLOSING_MS = 35000, ADDRESS_MS = 3000, QUIET_MS = 10000 };
enum { COMMAND_LINE_CAP = NP_MAX_URL + 512 };

/* A tunnel has its control connection and idle ones beside two connections a session. */
#define TUNNEL_SESSIONS (NP_LWIP_TCP > NP_MAX_CONNS + 1 ? (NP_LWIP_TCP - 1 - NP_MAX_CONNS) / 2 : 0)
_Static_assert(TUNNEL_SESSIONS >= 1, "no session of a tunnel fits");

/* Of the linker: their addresses are the values. */
extern const char np_link_ram_bytes[], np_ram_used[];

static struct np_args args;
static char command_line[COMMAND_LINE_CAP];
static uint8_t arena[NP_FIRMWARE_ARENA_BYTES] __attribute__((aligned(16)));

static void print_value(const char *name, uint64_t value)
{
    np_uart_print(name);
    np_uart_print_uint((uint32_t)value);
}

static void print_report(void *context, bool is_error, const char *text)
{
    (void)context;
    np_uart_print(is_error ? "nodepass: " : "nodepass: warning: ");
    np_uart_print(text);
    np_uart_print("\n");
}

static void print_banner(void)
{
    np_uart_print("NodePass v" NP_VERSION " mps2-an385, started after ");
    np_uart_print(np_reset_cause_text(np_reset_cause()));
    print_value(", resets ", np_reset_count());
    print_value(", arena ", sizeof arena);
    print_value(", stack ", np_stack_bytes());
    np_uart_print("\n");
}

/* One line for people and tests: what is in use now, and the worst that was. */
static void print_status(const struct np_app *app, const struct np_plat *plat)
{
    const struct np_lan9118 *lan = np_board_lan();
    struct np_lwip_stats stats;

    np_lwip_stats(plat, &stats);
    print_value("STATUS objects=", app != NULL ? np_app_objects_used(app) : 0);
    print_value(" handles=", stats.handles_used);
    print_value(" orphans=", stats.tcp_orphans);
    print_value(" pcbs=", stats.pcbs_used);
    print_value(" pcbs_max=", stats.pcbs_max);
    print_value(" heap=", stats.heap_used_bytes);
    print_value(" heap_max=", stats.heap_max_bytes);
    print_value(" pbufs=", stats.pbufs_used);
    print_value(" pool_empty=", stats.pool_empty);
    print_value(" no_buffer=", stats.rx_no_buffer);
    print_value(" malformed=", stats.rx_malformed);
    print_value(" half_open=", stats.half_open);
    print_value(" links=", stats.link_changes);
    print_value(" stack=", np_stack_used());
    print_value(" stack_size=", np_stack_bytes());
    print_value(" rx=", lan->rx_frames);
    print_value(" tx=", lan->tx_frames);
    print_value(" rx_errors=", lan->rx_errors);
    print_value(" rx_dropped=", lan->rx_dropped);
    print_value(" tx_full=", lan->tx_full);
    print_value(" tx_errors=", lan->tx_errors);
    print_value(" resets=", np_reset_count());
    np_uart_print("\n");
}

/* Both ends of every session are ours to hold. */
static void limit_sessions(struct np_settings *settings)
{
    bool is_single = settings->role == NP_ROLE_CLIENT && settings->mode == 1;

    if (settings->role != NP_ROLE_MASTER && !is_single && settings->slot > TUNNEL_SESSIONS) {
        settings->slot = TUNNEL_SESSIONS;
    }
}

static void obey_console(struct np_app *app, const struct np_plat *plat)
{
    for (int32_t key; (key = np_uart_read()) >= 0;) {
        if (key == 'q') {
            np_app_stop(app);
        } else if (key == 's') {
            print_status(app, plat);
        }
    }
}

/* What the controller threw away; what goes on for long is told every ten seconds. */
static void tell_lost_frames(struct np_plat *plat)
{
    static uint32_t told;
    static uint64_t quiet_until_ms;
    const struct np_lan9118 *lan = np_board_lan();
    uint32_t lost = lan->rx_dropped + lan->rx_errors;
    uint64_t now_ms = np_plat_now_ms(plat);
    struct np_log log;

    if (lost != told && now_ms >= quiet_until_ms) {
        np_log_init(&log, plat, NP_LOG_INFO, NULL, false);
        np_log_write(&log, NP_LOG_WARN, "Ethernet: %u frames lost, damaged or beyond the queue",
                     lost - told);
        told = lost;
        quiet_until_ms = now_ms + QUIET_MS;
    }
}

/* Dialling without an address would only fail; a network that gives none is the log's to tell. */
static void wait_for_address(struct np_plat *plat)
{
    uint64_t end_ms = np_plat_now_ms(plat) + ADDRESS_MS;
    struct np_event event;

    while (!np_lwip_has_address(plat) && np_plat_now_ms(plat) < end_ms) {
        np_watchdog_feed();
        (void)np_plat_poll(plat, &event, 1, 100);
    }
}

static void run_loop(struct np_app *app, struct np_plat *plat)
{
    uint64_t end_ms = args.run_s == 0 ? UINT64_MAX : np_plat_now_ms(plat) + args.run_s * 1000ull;

    while (!np_app_is_stopped(app)) {
        np_watchdog_feed();
        if (np_app_step(app, TURN_MS) != NP_OK) {
            np_reset_panic("the platform can't wait for events any more");
        }
        obey_console(app, plat);
        tell_lost_frames(plat);
        if (np_plat_now_ms(plat) >= end_ms) {
            end_ms = UINT64_MAX;
            np_app_stop(app);
        }
    }
}

/* Connections that still send after their close have some seconds; then nothing may be left. */
static bool is_all_returned(struct np_app *app, struct np_plat *plat)
{
    uint64_t end_ms = np_plat_now_ms(plat) + CLOSING_MS;
    uint32_t objects = np_app_objects_used(app);
    struct np_lwip_stats stats;
    struct np_event event;

    np_app_deinit(app);
    do {
        np_watchdog_feed();
        (void)np_plat_poll(plat, &event, 1, 100);
        np_lwip_stats(plat, &stats);
    } while (stats.tcp_orphans > 0 && np_plat_now_ms(plat) < end_ms);
    print_status(NULL, plat);
    print_value("Held at the end: objects ", objects);
    print_value(", handles ", stats.handles_used);
    print_value(", connections ", stats.tcp_orphans);
    np_uart_print("\n");
    return objects == 0 && stats.handles_used == 0 && stats.tcp_orphans == 0;
}

static uint32_t run(void)
{
    static const struct np_settings *const list[1] = {&args.settings};
    struct np_app_needs needs;
    struct np_plat *plat;
    struct np_app *app;
    bool is_clean;

    limit_sessions(&args.settings);
    np_app_plan(list, 1, &args.process.tuning, &needs);
    print_value("Arena: needed ", needs.memory_bytes);
    print_value(" of ", sizeof arena);
    np_uart_print("\n");
    args.net.panic = np_reset_panic;
    args.net.arch = "arm";
    args.net.os = "none";
    args.net.ram_bytes = (uint32_t)(uintptr_t)np_link_ram_bytes;
    args.net.ram_used_bytes = (uint32_t)(uintptr_t)np_ram_used;
    plat = np_lwip_open(&args.net);
    if (plat == NULL) {
        print_report(NULL, true, "no entropy");
        return EXIT_SIZE;
    }
    np_watchdog_start(WATCHDOG_S);
    wait_for_address(plat);
    app = np_app_init(plat, arena, sizeof arena, list, 1, &args.process.tuning, false);
    if (app == NULL) {
        print_report(NULL, true, "these settings need more memory than this image has");
        return EXIT_SIZE;
    }
    run_loop(app, plat);
    is_clean = is_all_returned(app, plat);
    np_lwip_close(plat);
    return is_clean ? 0 : EXIT_HELD;
}

int main(void)
{
    struct np_report report = {print_report, NULL, 0};

    print_banner();
    (void)np_semihost_command_line(command_line, sizeof command_line);
    np_args_parse(&args, command_line, &report);
    np_semihost_exit(report.error_count == 0 ? run() : EXIT_USAGE);
}
