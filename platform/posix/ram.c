/* SPDX-License-Identifier: BSD-3-Clause */
/* ram: how much memory this process may have: of the machine, of its control group, of its limits.
 */
#define _DEFAULT_SOURCE /* O_CLOEXEC */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "platform/posix/lines.h"
#include "platform/posix/posix.h"

#define FILE_CAP 4096u
#define PATH_CAP 512u

/* The beginning of a file; an empty text if it can't be read. */
static void read_text(const char *path, char *text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, cap - 1);

    text[len > 0 ? (size_t)len : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return b != 0 && (a == 0 || b < a) ? b : a;
}

/* The limit in a file of a control group: 0 if there is none ("max", or no such file). */
static uint64_t limit_in(const char *root, const char *group, size_t group_len, const char *name)
{
    char path[PATH_CAP], text[32];
    size_t root_len = strlen(root), name_len = strlen(name);

    if (root_len + group_len + name_len + 1 > sizeof path) {
        return 0;
    }
    memcpy(path, root, root_len);
    memcpy(path + root_len, group, group_len);
    memcpy(path + root_len + group_len, name, name_len + 1);
    read_text(path, text, sizeof text);
    return np_posix_read_number(text, NULL);
}

/* A line of /proc/self/cgroup: "0::/group" (version 2) or "4:memory:/group" (version 1). A
 * container sees its own group as the root of the file system, so that is looked at too. */
static uint64_t limit_of_line(const char *line, size_t len)
{
    const char *names = memchr(line, ':', len);
    const char *group =
        names == NULL ? NULL : memchr(names + 1, ':', len - (size_t)(names + 1 - line));

    if (group == NULL) {
        return 0;
    }
    size_t names_len = (size_t)(group - names) - 1, group_len = len - (size_t)(group + 1 - line);
    bool is_second = names_len == 0;
    if (!is_second && (names_len != 6 || memcmp(names + 1, "memory", 6) != 0)) {
        return 0;
    }
    const char *root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char *name = is_second ? "/memory.max" : "/memory.limit_in_bytes";
    return least(limit_in(root, group + 1, group_len, name), limit_in(root, "", 0, name));
}

static uint64_t group_limit(void)
{
    char text[FILE_CAP];
    uint64_t limit = 0;

    read_text("/proc/self/cgroup", text, sizeof text);
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        limit = least(limit, limit_of_line(line, len));
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    return limit;
}

static uint64_t machine_ram(void)
{
    char text[FILE_CAP];

    read_text("/proc/meminfo", text, sizeof text);
    const char *at = np_text_find(text, "MemTotal:");
    return at == NULL ? 0 : np_posix_read_number(at + 9, NULL) * 1024u;
}

uint64_t np_posix_ram_bytes(void)
{
    uint64_t ram = least(machine_ram(), group_limit());
    struct rlimit space;

    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
        ram = least(ram, (uint64_t)space.rlim_cur);
    }
    return ram;
}
