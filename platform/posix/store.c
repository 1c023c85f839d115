/* SPDX-License-Identifier: BSD-3-Clause */
/* store: named blobs as files. A store writes a second file beside the first, forces it to the disk
 * and renames it, then forces the directory: whatever happens, the name shows the old or the new
 * content. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_CAP 1024u
static const char suffix[] = ".tmp";

/* Reads until the end or `cap` bytes; returns how many, or an error. */
static int32_t read_all(int fd, uint8_t *buf, uint32_t cap)
{
    uint32_t used = 0;
    while (used < cap) {
        ssize_t n = read(fd, buf + used, cap - used);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return NP_ERR_IO;
        }
        used += n > 0 ? (uint32_t)n : 0;
    }
    return (int32_t)used;
}

static enum np_err load_error(int error)
{
    enum np_err err = np_posix_err(error);
    return err == NP_ERR_NOT_FOUND || err == NP_ERR_ACCESS ? err : NP_ERR_IO;
}

int32_t np_plat_blob_load(struct np_plat *plat, const char *name, uint8_t *buf, uint32_t cap)
{
    uint8_t beyond;
    (void)plat;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return load_error(errno);
    }
    int32_t len = read_all(fd, buf, cap > INT32_MAX ? INT32_MAX : cap);
    if (len >= 0 && (uint32_t)len == cap) {
        int32_t more = read_all(fd, &beyond, 1);
        len = more < 0 ? more : more > 0 ? (int32_t)NP_ERR_TOO_LONG : len;
    }
    close(fd);
    return len;
}

int32_t np_plat_blob_read(struct np_plat *plat, const char *name, uint32_t offset, uint8_t *buf,
                          uint32_t cap)
{
    (void)plat;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return load_error(errno);
    }
    int32_t len = NP_ERR_IO;
    if (lseek(fd, (off_t)offset, SEEK_SET) >= 0) {
        len = read_all(fd, buf, cap > INT32_MAX ? INT32_MAX : cap);
    }
    close(fd);
    return len;
}

static enum np_err store_error(int error)
{
    enum np_err err = np_posix_err(error);
    return err == NP_ERR_ACCESS || err == NP_ERR_NO_SPACE ? err : NP_ERR_IO;
}

static enum np_err write_all(int fd, const uint8_t *buf, uint32_t len)
{
    for (uint32_t used = 0; used < len;) {
        ssize_t n = write(fd, buf + used, len - used);
        if (n < 0 && errno != EINTR) {
            return store_error(errno);
        }
        used += n > 0 ? (uint32_t)n : 0;
    }
    return fsync(fd) == 0 ? NP_OK : store_error(errno);
}

static enum np_err write_file(const char *path, const uint8_t *buf, uint32_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return store_error(errno);
    }
    enum np_err err = fchmod(fd, 0600) == 0 ? write_all(fd, buf, len) : store_error(errno);
    if (close(fd) != 0 && err == NP_OK) {
        err = store_error(errno);
    }
    return err;
}

/* The directory of `name`, opened; -1 if that fails. */
static int open_directory(const char *name)
{
    char path[PATH_CAP];
    const char *slash = strrchr(name, '/');
    size_t len = slash == NULL ? 0 : slash == name ? 1 : (size_t)(slash - name);
    if (len >= sizeof(path)) {
        return -1;
    }
    memcpy(path, name, len);
    path[len] = '\0';
    return open(len == 0 ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Forces the directory to the disk. The rename has happened: a failure here can't be taken back and
 * is not told. */
static void sync_directory(const char *name)
{
    int fd = open_directory(name);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

enum np_err np_plat_blob_store(struct np_plat *plat, const char *name, const uint8_t *buf,
                               uint32_t len)
{
    char path[PATH_CAP];
    size_t name_len = strlen(name);
    (void)plat;
    if (name_len == 0 || name_len + sizeof(suffix) > sizeof(path)) {
        return NP_ERR_IO;
    }
    memcpy(path, name, name_len);
    memcpy(path + name_len, suffix, sizeof(suffix));
    enum np_err err = write_file(path, buf, len);
    if (err == NP_OK && rename(path, name) != 0) {
        err = store_error(errno);
    }
    if (err != NP_OK) {
        (void)unlink(path);
        return err;
    }
    sync_directory(path);
    return NP_OK;
}

enum np_err np_plat_blob_rename(struct np_plat *plat, const char *name, const char *to)
{
    (void)plat;
    if (rename(name, to) != 0) {
        return errno == ENOENT ? NP_ERR_NOT_FOUND : store_error(errno);
    }
    sync_directory(to);
    return NP_OK;
}

/* On the directory itself: leaves no file behind, and works where nothing can be written. */
enum np_err np_plat_blob_lock(struct np_plat *plat, const char *name)
{
    int fd = open_directory(name);
    if (fd < 0) {
        return load_error(errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum np_err err = errno == EWOULDBLOCK ? NP_ERR_AGAIN : NP_ERR_IO;
        close(fd);
        return err;
    }
    plat->lock_fd = fd;
    return NP_OK;
}
