/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/listing.h"

#include "config/endpoint.h"
#include "config/query.h"
#include "core/base/fmt.h"

void np_listing_format_process(const struct np_process *process, np_listing_line *line,
                               void *context)
{
    char text[NP_ENV_LINE_CAP];

    line(context, "[nodepass]");
    for (uint32_t i = 0; np_env_format(process, i, text, sizeof(text)); i++) {
        if (text[0] != '\0') {
            line(context, text);
        }
    }
}

static void format_place(const char *name, const struct np_endpoint *endpoint,
                         np_listing_line *line, void *context)
{
    char text[NP_ENDPOINT_TEXT_CAP + 16];
    uint32_t len = np_fmt(text, sizeof(text), "%s = ", name);

    np_endpoint_format(endpoint, text + len, (uint32_t)sizeof(text) - len);
    line(context, text);
}

void np_listing_format_instance(const struct np_settings *settings, np_listing_line *line,
                                void *context)
{
    static const char *const roles[] = {"none", "server", "client", "master"};
    char text[NP_QUERY_LINE_CAP];

    np_fmt(text, sizeof(text), "[instance %s]",
           settings->alias[0] != '\0' ? settings->alias : "url");
    line(context, text);
    np_fmt(text, sizeof(text), "role = %s", roles[settings->role]);
    line(context, text);
    format_place("tunnel", &settings->tunnel, line, context);
    if (settings->role == NP_ROLE_MASTER) {
        if (settings->prefix[0] != '\0') {
            np_fmt(text, sizeof(text), "prefix = %s", settings->prefix);
            line(context, text);
        }
    } else {
        format_place("target", &settings->target, line, context);
        line(context, settings->key_given ? "password = ***" : "; password: made from the port");
    }
    for (uint32_t i = 0; np_query_format(settings, i, text, sizeof(text)); i++) {
        if (text[0] != '\0') {
            line(context, text);
        }
    }
}
