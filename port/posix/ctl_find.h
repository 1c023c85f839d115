/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_find: where the master is, and its API key: from switches, the environment, or the state
 * directory of a master on this machine. */
#ifndef NP_PORT_POSIX_CTL_FIND_H
#define NP_PORT_POSIX_CTL_FIND_H

#include <stdbool.h>

#include "port/posix/ctl_conn.h"

#define NP_CTL_KEY_CAP 256u

struct np_ctl_found {
    struct np_ctl_where where;
    char key[NP_CTL_KEY_CAP];          /* "" = not found */
    const char *key_from;              /* "NP_API_KEY" or the path of the state file */
    char state_path[NP_MAX_PATH + 16]; /* of the state file, whether it is there or not */
    bool has_where;
    bool is_state_denied; /* it is there and we may not read it */
};

/* Reads "http://host:port[/prefix]", "https://...", "master://host:port[/prefix][?tls=1]" or
 * "host:port". False if it is none of these. */
bool np_ctl_where_parse(struct np_ctl_where *where, const char *text);
/* Reads "sha256:" and 64 hex digits. */
bool np_ctl_pin_parse(struct np_ctl_where *where, const char *text);
/* `master`: --master or NULL; `state_dir`: --state-dir or NULL. Returns false if an address or key
 * was given that can't be one; *bad is that text, or the name of the key's variable. */
bool np_ctl_find(struct np_ctl_found *found, const char *master, const char *state_dir,
                 const char **bad);

#endif
