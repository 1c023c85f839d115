/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* setresuid, setgroups */
#include "port/posix/user.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef NP_POSIX_LEAN
#include <grp.h>
#include <pwd.h>
#endif

#include "config/env.h"
#include "core/base/fmt.h"
#include "platform/posix/lines.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

static bool parse_id(const char *text, uint32_t *id)
{
    uint64_t number = 0;
    size_t len = strlen(text);

    /* the last number means "unchanged" to the system */
    if (len == 0 || len > 10 || !np_parse_uint(text, (uint32_t)len, UINT32_MAX - 1u, &number)) {
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

#ifdef NP_POSIX_LEAN
/* An entry of /etc/passwd or /etc/group: by name, or by number when that is NULL. */
struct search {
    const char *name;
    uint32_t id, group;
    bool is_found;
};

static bool take_entry(void *ctx, char *line)
{
    struct search *search = ctx;
    char *fields[4] = {line, NULL, NULL, NULL};
    uint32_t id;

    for (int i = 1; i < 4; i++) {
        char *colon = strchr(fields[i - 1], ':');

        if (colon == NULL) {
            return true;
        }
        *colon = '\0';
        fields[i] = colon + 1;
    }
    fields[3][strcspn(fields[3], ":")] = '\0';
    if (parse_id(fields[2], &id) &&
        (search->name != NULL ? strcmp(search->name, fields[0]) == 0 : search->id == id)) {
        search->id = id;
        search->is_found = true;
        (void)parse_id(fields[3], &search->group); /* in /etc/group there is none */
    }
    return !search->is_found;
}

static bool find_name(struct np_user *user, const char *name, bool has_group)
{
    struct search search = {.name = name};

    (void)np_posix_read_lines("/etc/passwd", take_entry, &search);
    if (!search.is_found) {
        search = (struct search){0};
        if (!parse_id(name, &search.id)) {
            return false;
        }
        search.group = search.id;
        (void)np_posix_read_lines("/etc/passwd", take_entry, &search);
    }
    user->uid = search.id;
    user->gid = search.group;
    return search.is_found || has_group;
}

static bool find_group(struct np_user *user, const char *name)
{
    struct search search = {.name = name};

    (void)np_posix_read_lines("/etc/group", take_entry, &search);
    user->gid = search.id;
    return search.is_found || parse_id(name, &user->gid);
}
#else
static bool find_name(struct np_user *user, const char *name, bool has_group)
{
    const struct passwd *entry = getpwnam(name);

    if (entry != NULL) {
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
        return true;
    }
    if (!parse_id(name, &user->uid)) {
        return false;
    }
    entry = getpwuid(user->uid);
    user->gid = entry != NULL ? entry->pw_gid : user->uid;
    return entry != NULL || has_group;
}

static bool find_group(struct np_user *user, const char *name)
{
    const struct group *entry = getgrnam(name);

    if (entry != NULL) {
        user->gid = entry->gr_gid;
        return true;
    }
    return parse_id(name, &user->gid);
}

#endif

void np_user_find(struct np_user *user, const char *text, struct np_report *report)
{
    char name[NP_ENV_USER_CAP];
    char *group;

    memset(user, 0, sizeof(*user));
    if (text[0] == '\0') {
        return;
    }
    np_fmt(name, sizeof(name), "%s", text);
    group = strchr(name, ':');
    if (group != NULL) {
        *group++ = '\0';
    }
    if (!find_name(user, name, group != NULL)) {
        np_report_error(report, "user=%s: no such user, want NAME or NAME:GROUP", text);
    } else if (group != NULL && !find_group(user, group)) {
        np_report_error(report, "user=%s: no such group, want NAME or NAME:GROUP", text);
    } else if (geteuid() != 0 && (user->uid != geteuid() || user->gid != getegid())) {
        np_report_error(report, "user=%s: only root may become somebody else", text);
    } else {
        user->is_given = true;
    }
}

/* Leaves CAP_NET_BIND_SERVICE in permitted and effective if it is permitted now, else nothing. */
static bool keep_bind_only(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    uint32_t bit = 1u << CAP_NET_BIND_SERVICE;

    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].permitted &= bit;
    data[0].effective = data[0].permitted;
    data[0].inheritable = 0;
    memset(&data[1], 0, sizeof(data[1]));
    return syscall(SYS_capset, &header, data) == 0;
}

#ifdef NP_POSIX_LEAN
/* There is one thread: no need for what the C library does to reach the others. */
#ifdef SYS_setresuid32
#define SET_UID SYS_setresuid32
#define SET_GID SYS_setresgid32
#define SET_GROUPS SYS_setgroups32
#else
#define SET_UID SYS_setresuid
#define SET_GID SYS_setresgid
#define SET_GROUPS SYS_setgroups
#endif
#define setresuid(r, e, s) syscall(SET_UID, r, e, s)
#define setresgid(r, e, s) syscall(SET_GID, r, e, s)
#define setgroups(count, list) syscall(SET_GROUPS, count, list)
#endif

bool np_user_become(const struct np_user *user)
{
    if (geteuid() == 0) {
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
            setresgid(user->gid, user->gid, user->gid) != 0 ||
            setresuid(user->uid, user->uid, user->uid) != 0) {
            return false;
        }
        (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    }
    /* a kernel before 4.3 has no ambient set to clear */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return keep_bind_only() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
