/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/ctl_show.h"

#include <string.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "port/posix/cli.h"

#define TEXT_CAP 4096u
#define NAME_COLUMNS 24u
#define FIGURE_CAP 24u
#define KEY_ID "********"

/* ---- figures and texts ----------------------------------------------------------------------- */

/* Length of a colour code "ESC [ digits ; m" at `text`, 0 if there is none. */
static size_t color_len(const char *text)
{
    size_t len = text[0] == 0x1b && text[1] == '[' ? 2 + strspn(text + 2, "0123456789;") : 0;

    return len > 0 && text[len] == 'm' ? len + 1 : 0;
}

/* Colour codes stay with `has_color`, else they are left out; control bytes become '?'. */
static void clean(char *text, bool has_color)
{
    char *to = text;

    while (*text != '\0') {
        size_t len = color_len(text);

        if (len > 0) {
            memmove(to, text, has_color ? len : 0);
            to += has_color ? len : 0;
            text += len;
            continue;
        }
        unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F */
        *to++ = c < ' ' || c == 0x7f || is_c1 ? '?' : text[0];
        text += is_c1 ? 2 : 1;
    }
    *to = '\0';
}

void np_ctl_text_of(const struct np_json_value *object, const char *name, char *out, uint32_t cap)
{
    struct np_json_value value;
    uint32_t len;

    out[0] = '\0';
    if (np_json_find(object, name, &value) && np_json_text(&value, out, cap, &len) == NP_OK) {
        clean(out, false);
    }
}

static uint64_t number_of(const struct np_json_value *object, const char *name)
{
    struct np_json_value value;
    uint64_t number = 0;

    if (np_json_find(object, name, &value)) {
        (void)np_json_uint(&value, UINT64_MAX, &number);
    }
    return number;
}

/* "0 B", "12.3 kB", "456 MB" */
static void format_bytes(uint64_t bytes, char out[FIGURE_CAP])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t tenths = bytes * 10;
    uint32_t unit = 0;

    if (bytes > UINT64_MAX / 10) {
        tenths = bytes / 100;
        unit = 1;
    }
    while (tenths >= 10000) {
        tenths /= 1000;
        unit++;
    }
    if (unit == 0 || tenths >= 1000) {
        np_fmt(out, FIGURE_CAP, "%u %s", (unsigned)(tenths / 10), units[unit]);
    } else {
        np_fmt(out, FIGURE_CAP, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
               units[unit]);
    }
}

static void format_span(uint64_t seconds, char out[FIGURE_CAP])
{
    if (seconds >= 86400) {
        np_fmt(out, FIGURE_CAP, "%u d %u h", (unsigned)(seconds / 86400),
               (unsigned)(seconds / 3600 % 24));
    } else if (seconds >= 3600) {
        np_fmt(out, FIGURE_CAP, "%u h %u min", (unsigned)(seconds / 3600),
               (unsigned)(seconds / 60 % 60));
    } else {
        np_fmt(out, FIGURE_CAP, "%u min %u s", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    }
}

static const char *mode_of(const struct np_json_value *instance)
{
    static const char *const server[] = {"auto", "reverse", "forward"};
    static const char *const client[] = {"auto", "single-end", "dual-end"};
    char type[16];
    uint64_t mode = number_of(instance, "mode");

    np_ctl_text_of(instance, "type", type, sizeof type);
    if (mode > 2) {
        return "?";
    }
    return strcmp(type, "server") == 0 ? server[mode] : client[mode];
}

/* The URL without the tunnel's key, which stands before the '@' of the authority. */
static void mask_url(char *url)
{
    const char *scheme = np_text_find(url, "://");
    size_t len;

    if (scheme == NULL) {
        return;
    }
    char *start = url + (scheme - url) + 3;
    len = strcspn(start, "/?");
    for (size_t i = len; i > 0; i--) {
        if (start[i - 1] == '@') {
            size_t mask = i - 1 < 3 ? i - 1 : 3;

            memset(start, '*', mask);
            memmove(start + mask, start + i - 1, strlen(start + i - 1) + 1);
            return;
        }
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Characters, not bytes. */
static uint32_t columns_of(const char *text)
{
    uint32_t count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

/* Cuts to `most` columns. */
static void cut(char *text, uint32_t most)
{
    char *end = text;

    if (columns_of(text) <= most) {
        return;
    }
    for (uint32_t count = 0; *end != '\0' && count < most; count++) {
        end++;
        while (((unsigned char)*end & 0xc0) == 0x80) {
            end++;
        }
    }
    *end = '\0';
    if (end > text) {
        end[-1] = (unsigned char)end[-1] < 0x80 ? '~' : end[-1];
    }
}

static void print_padded(const char *text, uint32_t width, bool is_right)
{
    static const char blanks[] = "                                ";
    uint32_t have = columns_of(text), pad = have < width ? width - have : 0;

    np_cli_print(STDOUT_FILENO, "%.*s%s%.*s", is_right ? (int)pad : 0, blanks, text,
                 is_right ? 0 : (int)pad, blanks);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void name_of(const struct np_json_value *instance, char *out, uint32_t cap)
{
    np_ctl_text_of(instance, "alias", out, cap);
    if (out[0] == '\0') {
        np_fmt(out, cap, "-");
    }
    cut(out, NAME_COLUMNS);
}

static bool is_key_record(const struct np_json_value *instance)
{
    char id[16];

    np_ctl_text_of(instance, "id", id, sizeof id);
    return strcmp(id, KEY_ID) == 0;
}

static void put_cell(const char *text, uint32_t width, bool is_right)
{
    print_padded(text, width, is_right);
    np_cli_write(STDOUT_FILENO, "  ");
}

static void show_row(const struct np_json_value *instance, uint32_t name_width)
{
    char text[TEXT_CAP], figure[FIGURE_CAP];

    np_ctl_text_of(instance, "id", text, sizeof text);
    put_cell(text, 8, false);
    name_of(instance, text, sizeof text);
    put_cell(text, name_width, false);
    np_ctl_text_of(instance, "status", text, sizeof text);
    put_cell(text, 7, false);
    put_cell(mode_of(instance), 10, false);
    np_fmt(figure, sizeof figure, "%u", (unsigned)number_of(instance, "tcps"));
    put_cell(figure, 4, true);
    np_fmt(figure, sizeof figure, "%u", (unsigned)number_of(instance, "udps"));
    put_cell(figure, 4, true);
    format_bytes(number_of(instance, "tcprx") + number_of(instance, "udprx"), figure);
    put_cell(figure, 8, true);
    format_bytes(number_of(instance, "tcptx") + number_of(instance, "udptx"), figure);
    put_cell(figure, 8, true);
    np_ctl_text_of(instance, "url", text, sizeof text);
    mask_url(text);
    text[strcspn(text, "?")] = '\0';
    np_cli_print(STDOUT_FILENO, "%s\n", text);
}

void np_ctl_show_list(const struct np_json_value *list)
{
    struct np_json_iter it;
    uint32_t width = 4, count = 0;
    char name[TEXT_CAP];

    for (bool more = np_json_first(&it, list); more; more = np_json_next(&it)) {
        if (!is_key_record(&it.value)) {
            name_of(&it.value, name, sizeof name);
            width = columns_of(name) > width ? columns_of(name) : width;
            count++;
        }
    }
    if (count == 0) {
        np_cli_write(STDOUT_FILENO, "No instances. Add one: nodepass ctl add URL [NAME]\n");
        return;
    }
    put_cell("ID", 8, false);
    put_cell("NAME", width, false);
    np_cli_write(STDOUT_FILENO, "STATUS   MODE         TCP   UDP        RX        TX  URL\n");
    for (bool more = np_json_first(&it, list); more; more = np_json_next(&it)) {
        if (!is_key_record(&it.value)) {
            show_row(&it.value, width);
        }
    }
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void show_fact(const char *name, const char *value)
{
    np_cli_print(STDOUT_FILENO, "%s", name);
    print_padded("", (uint32_t)(14 - strlen(name)), false);
    np_cli_print(STDOUT_FILENO, "%s\n", value[0] == '\0' ? "-" : value);
}

static void show_traffic(const struct np_json_value *instance, const char *name, const char *rx,
                         const char *tx, const char *open)
{
    char in[FIGURE_CAP], out[FIGURE_CAP], text[96];

    format_bytes(number_of(instance, rx), in);
    format_bytes(number_of(instance, tx), out);
    np_fmt(text, sizeof text, "rx %s, tx %s, %u open", in, out,
           (unsigned)number_of(instance, open));
    show_fact(name, text);
}

static void show_url(const struct np_json_value *instance, const char *name, bool is_open)
{
    char text[TEXT_CAP];

    np_ctl_text_of(instance, name, text, sizeof text);
    if (!is_open) {
        mask_url(text);
    }
    show_fact(name, text);
}

static void show_instance(const struct np_json_value *instance, bool is_open)
{
    static const char *const texts[] = {"id", "alias", "status", "type"};
    struct np_json_value restart, meta, tags;
    char text[TEXT_CAP];
    bool starts = false;

    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        np_ctl_text_of(instance, texts[i], text, sizeof text);
        show_fact(texts[i], text);
    }
    show_fact("mode", mode_of(instance));
    show_url(instance, "url", is_open);
    show_url(instance, "config", is_open);
    if (np_json_find(instance, "restart", &restart)) {
        (void)np_json_bool(&restart, &starts);
    }
    show_fact("restart", starts ? "starts with the master" : "stays stopped at a start");
    np_fmt(text, sizeof text, "%u ms", (unsigned)number_of(instance, "ping"));
    show_fact("ping", text);
    np_fmt(text, sizeof text, "%u idle connections", (unsigned)number_of(instance, "pool"));
    show_fact("pool", text);
    show_traffic(instance, "tcp", "tcprx", "tcptx", "tcps");
    show_traffic(instance, "udp", "udprx", "udptx", "udps");
    if (np_json_find(instance, "meta", &meta) && np_json_find(&meta, "tags", &tags)) {
        struct np_json_iter it;
        char name[TEXT_CAP], value[TEXT_CAP];
        uint32_t len;

        for (bool more = np_json_first(&it, &tags); more; more = np_json_next(&it)) {
            if (np_json_text(&it.key, name, sizeof name, &len) == NP_OK &&
                np_json_text(&it.value, value, sizeof value, &len) == NP_OK) {
                clean(name, false);
                clean(value, false);
                np_fmt(text, sizeof text, "%s=%s", name, value);
                show_fact("tag", text);
            }
        }
    }
}

void np_ctl_show_instance(const struct np_json_value *instance)
{
    show_instance(instance, false);
}

void np_ctl_show_open(const struct np_json_value *instance)
{
    show_instance(instance, true);
}

void np_ctl_show_info(const struct np_json_value *info)
{
    static const char *const texts[][2] = {
        {"name", "name"}, {"alias", "alias"}, {"ver", "version"}, {"log", "log"}, {"tls", "tls"}};
    char text[TEXT_CAP], arch[32], used[FIGURE_CAP], total[FIGURE_CAP];
    struct np_json_value cpu;
    uint64_t percent;

    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        np_ctl_text_of(info, texts[i][0], text, sizeof text);
        show_fact(texts[i][1], text);
    }
    np_ctl_text_of(info, "os", text, 32);
    np_ctl_text_of(info, "arch", arch, sizeof arch);
    np_cli_print(STDOUT_FILENO, "system        %s/%s\n", text, arch);
    format_span(number_of(info, "uptime"), text);
    show_fact("uptime", text);
    format_span(number_of(info, "sysup"), text);
    show_fact("system uptime", text);
    if (np_json_find(info, "cpu", &cpu) && np_json_uint(&cpu, 100, &percent) == NP_OK) {
        np_fmt(text, sizeof text, "%u %%", (unsigned)percent);
        show_fact("cpu", text);
    }
    format_bytes(number_of(info, "mem_used"), used);
    format_bytes(number_of(info, "mem_total"), total);
    np_fmt(text, sizeof text, "%s of %s", used, total);
    show_fact("memory", text);
    format_bytes(number_of(info, "netrx"), used);
    format_bytes(number_of(info, "nettx"), total);
    np_fmt(text, sizeof text, "rx %s, tx %s", used, total);
    show_fact("network", text);
}

/* ---- events ---------------------------------------------------------------------------------- */

void np_ctl_show_event(const struct np_json_value *event, bool has_color)
{
    struct np_json_value instance, logs;
    char type[16], time[64], name[TEXT_CAP], status[16], text[TEXT_CAP], rx[FIGURE_CAP],
        tx[FIGURE_CAP];
    uint32_t len;

    np_ctl_text_of(event, "type", type, sizeof type);
    np_ctl_text_of(event, "time", time, sizeof time);
    if (!np_json_find(event, "instance", &instance) || is_key_record(&instance)) {
        return;
    }
    name_of(&instance, name, sizeof name);
    if (strcmp(name, "-") == 0) {
        np_ctl_text_of(&instance, "id", name, sizeof name);
    }
    if (strcmp(type, "log") == 0 && np_json_find(event, "logs", &logs) &&
        np_json_text(&logs, text, sizeof text, &len) == NP_OK) {
        clean(text, has_color);
        np_cli_print(STDOUT_FILENO, "%s: %s\n", name, text);
        return;
    }
    time[strlen(time) > 19 ? 19 : 0] = '\0';
    np_cli_print(STDOUT_FILENO, "%s %s", time[0] == '\0' ? "" : time + 11, type);
    print_padded("", (uint32_t)(9 - (strlen(type) < 9 ? strlen(type) : 8)), false);
    if (strcmp(type, "shutdown") == 0) {
        np_cli_write(STDOUT_FILENO, "\n");
        return;
    }
    np_ctl_text_of(&instance, "status", status, sizeof status);
    format_bytes(number_of(&instance, "tcprx") + number_of(&instance, "udprx"), rx);
    format_bytes(number_of(&instance, "tcptx") + number_of(&instance, "udptx"), tx);
    np_cli_print(STDOUT_FILENO, "%s: %s, %u TCP, %u UDP, rx %s, tx %s, ping %u ms, pool %u\n", name,
                 status, (unsigned)number_of(&instance, "tcps"),
                 (unsigned)number_of(&instance, "udps"), rx, tx,
                 (unsigned)number_of(&instance, "ping"), (unsigned)number_of(&instance, "pool"));
}
