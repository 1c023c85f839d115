/* SPDX-License-Identifier: BSD-3-Clause */
/* figures: what /proc tells of the machine and of this process. */
#include "platform/posix/posix_priv.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "platform/posix/lines.h"

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__riscv)
#define ARCH "riscv64"
#elif defined(__mips64) && defined(__MIPSEL__)
#define ARCH "mips64le"
#elif defined(__mips64)
#define ARCH "mips64"
#elif defined(__mips__) && defined(__MIPSEL__)
#define ARCH "mipsle"
#elif defined(__mips__)
#define ARCH "mips"
#else
#define ARCH "unknown"
#endif

#define FILE_CAP 16384u
#define SECTOR_BYTES 512u

/* Reads as much of `path` as fits; an empty text if there is no such file. */
static void read_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n = fd < 0 ? 0 : 1;

    while (n > 0 && used < FILE_CAP - 1) {
        n = read(fd, text + used, FILE_CAP - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static char *next_line(char *line)
{
    char *end = strchr(line, '\n');
    return end == NULL ? NULL : end + 1;
}

/* The number of "<label>   123 kB" in bytes, 0 if it is not there. */
static uint64_t kilobytes(char *text, const char *label)
{
    const char *at = np_text_find(text, label);
    return at == NULL ? 0 : np_posix_read_number(at + strlen(label), NULL) * 1024u;
}

static void read_memory(struct np_figures *f, char *text)
{
    read_text("/proc/meminfo", text);
    f->mem_total = kilobytes(text, "MemTotal:");
    f->mem_free = kilobytes(text, "MemAvailable:");
    f->mem_used = f->mem_total > f->mem_free ? f->mem_total - f->mem_free : 0;
    f->swap_total = kilobytes(text, "SwapTotal:");
    f->swap_free = kilobytes(text, "SwapFree:");
    f->swap_used = f->swap_total > f->swap_free ? f->swap_total - f->swap_free : 0;
}

/* "cpu  user nice system idle iowait irq softirq steal ..." */
static void read_cpu(struct np_figures *f, char *text)
{
    uint64_t ticks[8] = {0};
    const char *at = text + 3;

    read_text("/proc/stat", text);
    if (strncmp(text, "cpu ", 4) != 0) {
        return;
    }
    for (int i = 0; i < 8; i++) {
        ticks[i] = np_posix_read_number(at, &at);
        f->cpu_all += ticks[i];
    }
    f->cpu_busy = f->cpu_all - ticks[3] - ticks[4];
}

static bool is_machine_only(const char *name)
{
    static const char *const prefixes[] = {"lo", "veth", "docker", "podman", "br-", "virbr"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* "  eth0: rx_bytes and 7 more, tx_bytes ..." */
static void read_network(struct np_figures *f, char *text)
{
    read_text("/proc/net/dev", text);
    for (char *line = text; line != NULL; line = next_line(line)) {
        const char *colon = strchr(line, ':'), *end = strchr(line, '\n'), *at;

        while (*line == ' ') {
            line++;
        }
        if (colon == NULL || end == NULL || colon > end || is_machine_only(line)) {
            continue;
        }
        at = colon + 1;
        f->net_rx += np_posix_read_number(at, &at);
        for (int i = 0; i < 7; i++) {
            (void)np_posix_read_number(at, &at);
        }
        f->net_tx += np_posix_read_number(at, &at);
    }
}

/* Whole disks: no loop, ram, dm-, md; "sda1" and "nvme0n1p1" are partitions. */
static bool is_disk(const char *name, size_t len)
{
    static const char *const others[] = {"loop", "ram", "dm-", "md", "zram", "sr", "fd"};
    bool has_number_scheme = strncmp(name, "nvme", 4) == 0 || strncmp(name, "mmcblk", 6) == 0;
    size_t digits = 0;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strncmp(name, others[i], strlen(others[i])) == 0) {
            return false;
        }
    }
    while (digits < len && isdigit((unsigned char)name[len - 1 - digits])) {
        digits++;
    }
    if (!has_number_scheme) {
        return digits == 0;
    }
    return digits == 0 || digits == len || name[len - 1 - digits] != 'p';
}

/* "   8  0 sda reads merged sectors ms writes merged sectors ..." */
static void read_disks(struct np_figures *f, char *text)
{
    read_text("/proc/diskstats", text);
    for (char *line = text; line != NULL; line = next_line(line)) {
        uint64_t fields[7] = {0};
        const char *at = line, *name;

        (void)np_posix_read_number(at, &at);
        (void)np_posix_read_number(at, &at);
        name = at + strspn(at, " ");
        at = name + strcspn(name, " \n");
        if (at == name || *at != ' ' || !is_disk(name, (size_t)(at - name))) {
            continue;
        }
        for (int i = 0; i < 7; i++) {
            fields[i] = np_posix_read_number(at, &at);
        }
        f->disk_read += fields[2] * SECTOR_BYTES;
        f->disk_written += fields[6] * SECTOR_BYTES;
    }
}

static void read_process(struct np_plat *plat, struct np_figures *f, char *text)
{
    struct rusage usage;
    const char *at = text;

    f->process_handles = plat->handles_used;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        f->process_cpu_ms = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000u +
                            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000u;
    }
    read_text("/proc/self/statm", text);
    (void)np_posix_read_number(at, &at);
    f->process_rss = np_posix_read_number(at, NULL) * getauxval(AT_PAGESZ);
}

void np_plat_figures(struct np_plat *plat, struct np_figures *figures)
{
    static char text[FILE_CAP]; /* the loop is one thread; a stack may be small */

    memset(figures, 0, sizeof *figures);
    memcpy(figures->arch, ARCH, sizeof ARCH);
    memcpy(figures->os, "linux", 6);
    (void)gethostname(figures->name, sizeof figures->name - 1);
    read_memory(figures, text);
    read_cpu(figures, text);
    read_network(figures, text);
    read_disks(figures, text);
    read_process(plat, figures, text);
    read_text("/proc/uptime", text);
    figures->uptime_s = np_posix_read_number(text, NULL);
}
