/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* O_CLOEXEC */
#include "platform/posix/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINE_CAP 4096u

uint64_t np_posix_read_number(const char *at, const char **end)
{
    uint64_t number = 0;
    const char *digit = at;

    while (*digit == ' ' || *digit == '\t' || *digit == '\n') {
        digit++;
    }
    bool is_number = *digit >= '0' && *digit <= '9';
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        number = number * 10 + (uint64_t)(*digit - '0');
    }
    if (end != NULL) {
        *end = is_number ? digit : at;
    }
    return number;
}

/* Gives the whole lines in text[0, *used) away and keeps the rest. */
static bool give_lines(char *text, size_t *used, bool *is_skipping, np_posix_line *take, void *ctx)
{
    char *line = text, *end;
    bool goes_on = true;

    while (goes_on && (end = memchr(line, '\n', *used - (size_t)(line - text))) != NULL) {
        *end = '\0';
        goes_on = *is_skipping || take(ctx, line);
        *is_skipping = false;
        line = end + 1;
    }
    *used -= (size_t)(line - text);
    memmove(text, line, *used);
    if (goes_on && *used == LINE_CAP - 1) {
        text[*used] = '\0';
        goes_on = *is_skipping || take(ctx, text);
        *is_skipping = true;
        *used = 0;
    }
    return goes_on;
}

bool np_posix_read_lines(const char *path, np_posix_line *take, void *ctx)
{
    char text[LINE_CAP];
    size_t used = 0;
    bool is_skipping = false, goes_on = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return false;
    }
    while (goes_on) {
        ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
        goes_on = give_lines(text, &used, &is_skipping, take, ctx);
    }
    if (goes_on && used > 0 && !is_skipping) { /* a last line without its end */
        text[used] = '\0';
        (void)take(ctx, text);
    }
    close(fd);
    return true;
}
