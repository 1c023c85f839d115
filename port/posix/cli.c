/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/cli.h"

#include <string.h>
#include <unistd.h>

#include "core/base/ct.h"
#include "core/base/fmt.h"

#define PRINT_CAP 4096u

/* A switch with a value: "--name VALUE" or "--name=VALUE". */
struct valued {
    const char *name;
    const char *want;
    const char **field;
};

void np_cli_write(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = write(fd, text, left);

        if (n <= 0) {
            return;
        }
        text += n;
        left -= (size_t)n;
    }
}

void np_cli_print(int fd, const char *format, ...)
{
    char text[PRINT_CAP];
    va_list args;

    va_start(args, format);
    np_vfmt(text, sizeof(text), format, args);
    va_end(args);
    np_cli_write(fd, text);
}

void np_cli_mask(char *text)
{
    const char *scheme = np_text_find(text, "://");
    char *start = scheme == NULL ? text : text + (scheme - text) + 3, *at = strrchr(text, '@');
    size_t key_len, mask_len;

    if (at == NULL || at < start) {
        return;
    }
    key_len = (size_t)(at - start);
    mask_len = key_len < 3 ? key_len : 3;
    np_ct_wipe(start, (uint32_t)key_len);
    memset(start, '*', mask_len);
    memmove(start + mask_len, at, strlen(at) + 1);
    memset(start + mask_len + strlen(start + mask_len), 0, key_len - mask_len);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static bool is_flag(struct np_cli *cli, const char *arg)
{
    if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
        cli->action = NP_CLI_VERSION;
    } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        cli->action = NP_CLI_HELP;
    } else if (strcmp(arg, "--check") == 0) {
        cli->action = cli->action == NP_CLI_RUN ? NP_CLI_CHECK : cli->action;
    } else if (strcmp(arg, "--syslog") == 0) {
        cli->is_syslog = true;
    } else if (strcmp(arg, "--no-color") == 0) {
        cli->is_colorless = true;
    } else {
        return false;
    }
    return true;
}

static void set_value(const struct valued *valued, const char *value, struct np_report *report)
{
    if (value == NULL || value[0] == '\0') {
        np_report_error(report, "%s: want %s behind it", valued->name, valued->want);
    } else if (*valued->field != NULL) {
        np_report_error(report, "%s: given twice, want it once", valued->name);
    } else {
        *valued->field = value;
    }
}

/* Takes the switch at argv[i], with its value. Returns how many arguments it took, 0 if unknown. */
static int take_valued(struct np_cli *cli, char **argv, int i, struct np_report *report)
{
    const struct valued table[] = {
        {"-c", "the path of an INI file", &cli->ini_path},
        {"--url-file", "the path of a file with the URL", &cli->url_path},
        {"--user", "NAME or NAME:GROUP", &cli->user},
        {"--state-dir", "a directory", &cli->state_dir},
    };

    for (uint32_t n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
        size_t len = strlen(table[n].name);

        if (strncmp(argv[i], table[n].name, len) != 0) {
            continue;
        }
        if (argv[i][len] == '\0') {
            set_value(&table[n], argv[i + 1], report);
            return argv[i + 1] == NULL ? 1 : 2;
        }
        if (argv[i][len] == '=' && len > 2) {
            set_value(&table[n], argv[i] + len + 1, report);
            return 1;
        }
    }
    return 0;
}

static void take_url(struct np_cli *cli, const char *arg, struct np_report *report)
{
    if (cli->url != NULL) {
        np_report_error(report, "more than one URL: want one, or an INI file (-c) for many");
        return;
    }
    cli->url = arg;
}

/* Exactly one source of settings, unless nothing has to be known. */
static void complete(struct np_cli *cli, int argc, const char *env_url, struct np_report *report)
{
    int sources = (cli->url != NULL) + (cli->url_path != NULL) + (cli->ini_path != NULL);

    if (cli->action == NP_CLI_VERSION || cli->action == NP_CLI_HELP) {
        return;
    }
    if (sources > 1) {
        np_report_error(report, "want one of: a URL, --url-file FILE, -c FILE");
    }
    if (sources == 0 && env_url != NULL && env_url[0] != '\0') {
        cli->url = env_url;
    } else if (sources == 0 && report->error_count == 0 && argc > 1) {
        np_report_error(report, "nothing to run: want a URL, --url-file FILE or -c FILE");
    } else if (argc <= 1) {
        cli->action = NP_CLI_USAGE;
    }
}

void np_cli_parse(struct np_cli *cli, int argc, char **argv, const char *env_url,
                  struct np_report *report)
{
    memset(cli, 0, sizeof(*cli));
    for (int i = 1; i < argc;) {
        int taken = 1;

        if (argv[i][0] != '-') {
            take_url(cli, argv[i], report);
        } else if (!is_flag(cli, argv[i])) {
            taken = take_valued(cli, argv, i, report);
        }
        if (taken == 0) {
            np_report_error(report, "%s: unknown switch, see nodepass --help",
                            strchr(argv[i], '@') == NULL ? argv[i] : "-...");
            taken = 1;
        }
        i += taken;
    }
    complete(cli, argc, env_url, report);
}
