/* SPDX-License-Identifier: BSD-3-Clause */
/* user: becoming somebody with fewer rights (--user). */
#ifndef NP_PORT_POSIX_USER_H
#define NP_PORT_POSIX_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/settings.h"

struct np_user {
    bool is_given;
    uid_t uid;
    gid_t gid;
};

/* Looks up "NAME", "NAME:GROUP" or the same with numbers; empty means nobody was given. Reports
 * what is wrong, also that we are not allowed to change. */
void np_user_find(struct np_user *user, const char *text, struct np_report *report);

/* Becomes *user for good: no other groups, no capability but CAP_NET_BIND_SERVICE (if we had it),
 * none for programs we start, and no new privileges. Returns false if the system refused. */
bool np_user_become(const struct np_user *user);

#endif
