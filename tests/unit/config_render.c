/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/config_render.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/endpoint.h"
#include "config/query.h"
#include "core/base/log.h"

static void __attribute__((format(printf, 2, 3)))
add(struct render *render, const char *format, ...)
{
    uint32_t cap = (uint32_t)sizeof render->text - render->len;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(render->text + render->len, cap, format, args);
    va_end(args);
    render->len += len < 0 ? 0 : (uint32_t)len < cap ? (uint32_t)len : cap - 1;
}

static void begin_line(struct render *render)
{
    if (render->len > 0) {
        add(render, "\n");
    }
}

void render_init(struct render *render)
{
    memset(render, 0, sizeof *render);
}

static void on_line(void *context, bool is_error, const char *text)
{
    struct render *render = context;
    size_t len = strlen(text);
    size_t suffix = render->suffix != NULL ? strlen(render->suffix) : 0;
    size_t prefix = render->prefix != NULL ? strlen(render->prefix) : 0;

    if (suffix > len || (suffix > 0 && memcmp(text + len - suffix, render->suffix, suffix) != 0)) {
        render->suffix_missed++;
        suffix = 0;
    }
    if (prefix > len - suffix || (prefix > 0 && memcmp(text, render->prefix, prefix) != 0)) {
        render->prefix_missed++;
        prefix = 0;
    }
    begin_line(render);
    add(render, "%s %.*s", is_error ? "E" : "W", (int)(len - suffix - prefix), text + prefix);
}

struct np_report render_report(struct render *render)
{
    return (struct np_report){on_line, render, 0};
}

static void add_key(struct render *render, const struct np_settings *settings)
{
    for (uint32_t i = 0; i < settings->key_len; i++) {
        uint8_t c = settings->key[i];

        add(render, c > 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
    }
}

/* " name=value" of "name = value ; unit", unless `line` is the default. */
static void add_option(struct render *render, const char *line, const char *initial)
{
    const char *equals = strstr(line, " = "), *comment = strstr(line, " ; ");
    int value_len;

    if (line[0] == ';' || equals == NULL || strcmp(line, initial) == 0) {
        return;
    }
    equals += 3;
    value_len = comment != NULL ? (int)(comment - equals) : (int)strlen(equals);
    add(render, " %.*s=%.*s", (int)(equals - 3 - line), line, value_len, equals);
}

void render_settings(struct render *render, const struct np_settings *settings)
{
    static const char *const roles[] = {"none", "server", "client", "master"};
    static struct np_settings initial;
    char place[NP_ENDPOINT_TEXT_CAP], line[NP_QUERY_LINE_CAP], plain[NP_QUERY_LINE_CAP];

    np_settings_init(&initial);
    initial.role = settings->role;
    begin_line(render);
    if (settings->alias[0] != '\0') {
        add(render, "%s: ", settings->alias);
    }
    add(render, "%s ", roles[settings->role]);
    if (settings->key_given) {
        add_key(render, settings);
        add(render, "@");
    }
    np_endpoint_format(&settings->tunnel, place, sizeof place);
    add(render, "%s", place);
    np_endpoint_format(&settings->target, place, sizeof place);
    add(render, "%s%s", settings->role == NP_ROLE_MASTER ? "" : "/",
        settings->role == NP_ROLE_MASTER ? settings->prefix : place);
    for (uint32_t i = 0; np_query_format(settings, i, line, sizeof line); i++) {
        np_query_format(&initial, i, plain, sizeof plain);
        add_option(render, line, plain);
    }
}

void render_process(struct render *render, const struct np_process *process)
{
    static struct np_process initial;
    char line[NP_ENV_LINE_CAP], plain[NP_ENV_LINE_CAP];

    np_process_init(&initial);
    begin_line(render);
    add(render, "nodepass");
    for (uint32_t i = 0; np_env_format(process, i, line, sizeof line); i++) {
        np_env_format(&initial, i, plain, sizeof plain);
        add_option(render, line, plain);
    }
}

void render_line(void *context, const char *line)
{
    struct render *render = context;

    begin_line(render);
    add(render, "%s", line);
}

/* ---- rules -------------------------------------------------------------------------------- */

/* strnlen is not C11. */
static size_t bounded_len(const char *text, size_t cap)
{
    const char *end = memchr(text, '\0', cap);

    return end != NULL ? (size_t)(end - text) : cap;
}

static bool is_text(const char *text, size_t cap, size_t least)
{
    size_t len = bounded_len(text, cap);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20) {
            return false;
        }
    }
    return len < cap && len >= least;
}

static bool is_place(const struct np_endpoint *endpoint)
{
    struct np_addr ip = {0};
    bool is_ip = np_addr_parse_ip(&ip, endpoint->host,
                                  (uint32_t)bounded_len(endpoint->host, sizeof endpoint->host),
                                  endpoint->port);

    return endpoint->port > 0 && is_text(endpoint->host, sizeof endpoint->host, 0) &&
           (is_ip ? np_addr_is_equal(&ip, &endpoint->ip)
                  : endpoint->ip.family == NP_FAMILY_NONE &&
                        (endpoint->host[0] == '\0' ||
                         np_endpoint_is_name(endpoint->host, (uint32_t)strlen(endpoint->host))));
}

#define RULE(condition)                                                                            \
    if (!(condition)) {                                                                            \
        *broken = #condition;                                                                      \
        return false;                                                                              \
    }

bool render_is_valid(const struct np_settings *s, const char **broken)
{
    bool is_master = s->role == NP_ROLE_MASTER;

    RULE(s->role == NP_ROLE_SERVER || s->role == NP_ROLE_CLIENT || is_master);
    RULE(s->mode <= 2 && s->tls <= 2 && s->log_level <= NP_LOG_EVENT);
    RULE(is_place(&s->tunnel));
    RULE(is_master || is_place(&s->target));
    RULE(is_master || (s->key_len >= 1 && s->key_len <= NP_MAX_KEY));
    RULE(s->min >= 1 && s->min <= s->max && s->max <= NP_MAX_CONNS);
    RULE(s->rate_mbps <= 1000000 && s->slot >= 1 && s->slot <= NP_MAX_SESSIONS);
    RULE(s->read_ms >= 1 && s->read_ms <= 3600000000u && s->dns_ms <= 3600000000u);
    RULE(!(s->notcp && s->noudp));
    RULE(s->dial_given == (s->dial.family != NP_FAMILY_NONE) && s->dial.port == 0);
    RULE(is_text(s->alias, sizeof s->alias, 0) && is_text(s->crt, sizeof s->crt, 0));
    RULE(is_text(s->crt_key, sizeof s->crt_key, 0) && is_text(s->ca, sizeof s->ca, 0));
    RULE(is_text(s->sni, sizeof s->sni, 0) && is_text(s->state, sizeof s->state, 0));
    RULE(is_text(s->prefix, sizeof s->prefix, 0));
    RULE(s->tls != 2 || s->role == NP_ROLE_CLIENT || (s->crt[0] != '\0' && s->crt_key[0] != '\0'));
    return true;
}
