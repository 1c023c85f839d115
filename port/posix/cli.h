/* SPDX-License-Identifier: BSD-3-Clause */
/* cli: the command line of config.md 1, and lines for the terminal. No stdio: the static build
 * stays small. */
#ifndef NP_PORT_POSIX_CLI_H
#define NP_PORT_POSIX_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

enum np_cli_action { NP_CLI_RUN, NP_CLI_CHECK, NP_CLI_VERSION, NP_CLI_HELP, NP_CLI_USAGE };

/* Strings point into argv or the environment; NULL = not given. */
struct np_cli {
    enum np_cli_action action;
    const char *url;      /* argument or NP_URL */
    const char *url_path; /* --url-file */
    const char *ini_path; /* -c */
    const char *user;     /* --user */
    const char *state_dir;
    bool is_syslog, is_colorless;
};

/* Reads the arguments; `env_url` is NP_URL or NULL and counts if they name no source. NP_CLI_USAGE
 * means that nothing at all was given. All faults are reported. */
void np_cli_parse(struct np_cli *cli, int argc, char **argv, const char *env_url,
                  struct np_report *report);

/* Overwrites the key of the URL in `text` with "***" where it stands, so that no process list shows
 * it. The rest moves up, zeros fill the end. */
void np_cli_mask(char *text);

/* Formats (as np_fmt) and writes to file descriptor `fd`; cut at 4 KiB. Errors are ignored: there
 * is nobody to tell. */
void np_cli_print(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all of `text`. */
void np_cli_write(int fd, const char *text);

#endif
