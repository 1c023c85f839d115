/* SPDX-License-Identifier: BSD-3-Clause */
/* store: blobs as files. */
#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "platform/lwip/np_board.h"

#define PATH_CAP 512u

static enum np_err why(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return NP_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return NP_ERR_ACCESS;
    case ENOSPC:
    case EDQUOT:
        return NP_ERR_NO_SPACE;
    default:
        return NP_ERR_IO;
    }
}

int32_t np_board_blob_load(const char *name, uint32_t offset, uint8_t *buf, uint32_t cap,
                           uint32_t *size)
{
    struct stat info;
    ssize_t n = -1;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return why();
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *size = (uint32_t)info.st_size;
        n = pread(fd, buf, cap, offset);
    }
    close(fd);
    return n < 0 ? NP_ERR_IO : (int32_t)n;
}

static bool write_file(const char *path, const uint8_t *buf, uint32_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_ok = fd >= 0;
    for (uint32_t done = 0; is_ok && done < len;) {
        ssize_t n = write(fd, buf + done, len - done);
        is_ok = n > 0;
        done += n > 0 ? (uint32_t)n : 0;
    }
    is_ok = is_ok && fsync(fd) == 0;
    if (fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return is_ok;
}

enum np_err np_board_blob_store(const char *name, const uint8_t *buf, uint32_t len)
{
    char beside[PATH_CAP];
    if (strlen(name) + 5 > sizeof(beside)) {
        return NP_ERR_IO;
    }
    np_fmt(beside, sizeof(beside), "%s.tmp", name);
    if (write_file(beside, buf, len) && rename(beside, name) == 0) {
        return NP_OK;
    }
    enum np_err err = why();
    unlink(beside);
    return err == NP_ERR_NOT_FOUND ? NP_ERR_IO : err;
}
