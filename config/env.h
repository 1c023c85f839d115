/* SPDX-License-Identifier: BSD-3-Clause */
/* env: what concerns the whole process: the NP_* variables (config.md 3) and the [nodepass] section
 * of an INI file, which knows the same values under the same names in lower case, without NP_. */
#ifndef NP_CONFIG_ENV_H
#define NP_CONFIG_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/base/err.h"

#define NP_ENV_LINE_CAP (NP_MAX_PATH + 64u) /* np_env_format */
#define NP_ENV_USER_CAP 64u                 /* "name:group" and its NUL */

struct np_process {
    struct np_tuning tuning;
    char user[NP_ENV_USER_CAP];      /* NAME[:GROUP] to become after binding; empty = stay */
    char state_dir[NP_MAX_PATH + 1]; /* empty = not given */
    bool is_syslog;                  /* log lines go to syslog */
    uint8_t log_level;               /* enum np_log_level of instances that name none */
};

void np_process_init(struct np_process *process);

/* Takes NP_* from `get`, which returns the text of a variable or NULL. A bad value is a warning and
 * keeps the default. */
void np_env_load(struct np_process *process, const char *(*get)(void *context, const char *name),
                 void *context, struct np_report *report);

/* Sets one option of [nodepass]. Results as np_query_apply; `seen` likewise. */
enum np_err np_env_apply(struct np_process *process, uint32_t *seen, const char *name,
                         const char *value, struct np_report *report);

/* Repairs contradictions between values (the two pool intervals) with a warning. */
void np_env_complete(struct np_process *process, struct np_report *report);

/* Writes option `index` as a line of [nodepass] with its effective value; empty if it is not set.
 * Returns false past the last one. `cap` >= NP_ENV_LINE_CAP never truncates. */
bool np_env_format(const struct np_process *process, uint32_t index, char *out, uint32_t cap);

#endif
