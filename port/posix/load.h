/* SPDX-License-Identifier: BSD-3-Clause */
/* load: from command line and environment to settings: reads files, wipes what held a key. */
#ifndef NP_PORT_POSIX_LOAD_H
#define NP_PORT_POSIX_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/env.h"
#include "config/settings.h"
#include "port/posix/cli.h"

#define NP_LOAD_FILE_BYTES (256u * 1024u) /* largest INI file */

struct np_load {
    struct np_process process;
    struct np_settings settings[NP_MAX_INSTANCES]; /* good ones first */
    uint32_t count;
    bool is_scheme_unknown; /* the URL has no scheme that we know: show the usage */
    bool is_ini;            /* a bad instance does not stop the others */
};

/* Fills *load from what `cli` names and from NP_* variables. All faults are reported. */
void np_load_open(struct np_load *load, const struct np_cli *cli, struct np_report *report);

/* Takes out a second master. With `is_check` crt= and key= are read and tried; without, a master
 * gets its state directory, which is made. */
void np_load_restrict(struct np_load *load, bool is_check, struct np_report *report);

/* The master's state directory and files belong to that user from now on, who will write them. */
void np_load_give_state(const struct np_load *load, uint32_t uid, uint32_t gid);

/* Prints the effective settings to standard output. */
void np_load_print(const struct np_load *load);

/* Wipes the keys. */
void np_load_close(struct np_load *load);

#endif
