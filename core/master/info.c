/* SPDX-License-Identifier: BSD-3-Clause */
/* info: the route /info: the machine and the master. */
#include "core/base/fmt.h"
#include "core/master/reply.h"
#include "core/np_app_state.h"

/* Share of all processors since the sample before; called by the loop, so that the route never
 * waits. */
void np_info_sample(struct np_master *master)
{
    struct np_figures f;

    np_plat_figures(master->app->plat, &f);
    uint64_t all = f.cpu_all - master->cpu_all, busy = f.cpu_busy - master->cpu_busy;
    if (f.cpu_all == 0 || f.cpu_all < master->cpu_all) {
        master->cpu_percent = -1;
    } else if (master->cpu_all != 0 && all > 0) {
        master->cpu_percent = (int8_t)(busy >= all ? 100 : busy * 100 / all);
    }
    master->cpu_all = f.cpu_all;
    master->cpu_busy = f.cpu_busy;
}

static void write_info(const struct np_master *master, struct np_json *out)
{
    static const char *const levels[] = {"none", "debug", "info", "warn", "error", "event"};
    static const char *const tls[] = {"0", "1", "2"};
    const struct np_settings *s = master->settings;
    struct np_figures f;

    np_plat_figures(master->app->plat, &f);
    np_json_open(out, NULL, '{');
    np_json_put_text(out, "alias", master->alias);
    np_json_put_text(out, "arch", f.arch);
    np_json_put_int(out, "cpu", master->cpu_percent);
    np_json_put_text(out, "crt", s->crt);
    np_json_put_uint(out, "diskr", f.disk_read);
    np_json_put_uint(out, "diskw", f.disk_written);
    np_json_put_text(out, "key", s->crt_key);
    np_json_put_text(out, "log", levels[s->log_level <= NP_LOG_EVENT ? s->log_level : NP_LOG_INFO]);
    np_json_put_uint(out, "mem_free", f.mem_free);
    np_json_put_uint(out, "mem_total", f.mem_total);
    np_json_put_uint(out, "mem_used", f.mem_used);
    np_json_put_text(out, "mid", master->mid);
    np_json_put_text(out, "name", f.name);
    np_json_put_uint(out, "netrx", f.net_rx);
    np_json_put_uint(out, "nettx", f.net_tx);
    np_json_put_text(out, "os", f.os);
    np_json_put_uint(out, "swap_free", f.swap_free);
    np_json_put_uint(out, "swap_total", f.swap_total);
    np_json_put_uint(out, "swap_used", f.swap_used);
    np_json_put_uint(out, "sysup", f.uptime_s);
    np_json_put_text(out, "tls", tls[s->tls <= 2 ? s->tls : 0]);
    np_json_put_uint(out, "uptime", (master->app->now_ms - master->started_ms) / 1000);
    np_json_put_text(out, "ver", "v" NP_VERSION);
    np_json_close(out, '}');
}

void np_reply_info(struct np_call *call)
{
    write_info(call->master, np_http_body(call->conn));
    np_http_reply(call->conn, 200, NP_HTTP_JSON);
}

void np_reply_alias(struct np_call *call)
{
    char alias[NP_RECORD_VALUE_MAX + 1];
    struct np_json_value root;

    if (!np_reply_read_body(call, &root)) {
        return;
    }
    enum np_err err = np_reply_read_text(&root, "alias", alias, sizeof alias);
    if (err == NP_ERR_TOO_LONG) {
        np_http_reply_error(call->conn, 400, "Master alias exceeds maximum length %u",
                            NP_RECORD_VALUE_MAX);
        return;
    }
    if (err == NP_ERR_INVALID) {
        np_http_reply_error(call->conn, 400, "Invalid request body");
        return;
    }
    if (err == NP_OK && !np_slice_is(np_slice_of(alias), call->master->alias)) {
        if (!np_reply_is_savable(call)) {
            return;
        }
        np_fmt(call->master->alias, sizeof call->master->alias, "%s", alias);
        np_held_reply(call, NP_HELD_INFO, 200);
        return;
    }
    np_reply_info(call);
}
