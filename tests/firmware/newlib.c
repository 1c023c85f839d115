/* SPDX-License-Identifier: BSD-3-Clause */
/* What newlib asks of a system, for the unit tests only: console, read-only files of the host, a
 * heap behind the last variable. The firmware itself links none of this. */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "port/mps2-an385/clock.h"
#include "port/mps2-an385/semihost.h"
#include "port/mps2-an385/uart.h"

#define FIRST_FILE 3
#define RAM_END ((char *)0x22000000)

extern char end[];
static char *heap_end = end;
static int32_t popen_status;

void *_sbrk(ptrdiff_t step);
int _write(int file, const char *buf, int len);
int _read(int file, char *buf, int len);
int _open(const char *name, int flags, int mode);
int _close(int file);
int _lseek(int file, int offset, int whence);
int _fstat(int file, struct stat *info);
int _isatty(int file);
int _getpid(void);
int _kill(int pid, int number);
int _gettimeofday(struct timeval *now, void *zone);
int posix_memalign(void **out, size_t alignment, size_t size);
FILE *popen(const char *command, const char *mode);
int pclose(FILE *file);
void _fini(void);
_Noreturn void _exit(int code);

void *_sbrk(ptrdiff_t step)
{
    char *old = heap_end;

    if (step > RAM_END - heap_end) {
        errno = ENOMEM;
        return (void *)-1;
    }
    heap_end += step;
    return old;
}

int _write(int file, const char *buf, int len)
{
    if (file >= FIRST_FILE) {
        return np_semihost_write(file - FIRST_FILE, buf, (uint32_t)len) ? len : -1;
    }
    np_uart_write(buf, (uint32_t)len);
    return len;
}

int _read(int file, char *buf, int len)
{
    return file < FIRST_FILE ? 0 : (int)np_semihost_read(file - FIRST_FILE, buf, (uint32_t)len);
}

int _open(const char *name, int flags, int mode)
{
    int32_t file = np_semihost_open(name, (flags & 3) == 0 ? NP_SEMIHOST_READ : NP_SEMIHOST_WRITE);

    (void)mode;
    errno = ENOENT;
    return file <= 0 ? -1 : (int)file + FIRST_FILE;
}

int _close(int file)
{
    if (file >= FIRST_FILE) {
        np_semihost_close(file - FIRST_FILE);
    }
    return 0;
}

int _lseek(int file, int offset, int whence)
{
    int32_t len = file < FIRST_FILE ? -1 : np_semihost_length(file - FIRST_FILE);
    int at = whence == 2 ? (int)len + offset : offset;

    if (len < 0 || whence == 1 || !np_semihost_seek(file - FIRST_FILE, (uint32_t)at)) {
        errno = ESPIPE;
        return -1;
    }
    return at;
}

int _fstat(int file, struct stat *info)
{
    info->st_mode = file < FIRST_FILE ? S_IFCHR : S_IFREG;
    info->st_blksize = 512;
    return 0;
}

int _isatty(int file)
{
    return file < FIRST_FILE;
}

int _getpid(void)
{
    return 1;
}

int _kill(int pid, int number)
{
    (void)pid;
    (void)number;
    return -1;
}

int _gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    now->tv_sec = np_semihost_time();
    now->tv_usec = (suseconds_t)(np_clock_now_us() % 1000000u);
    return 0;
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

/* A command of the host, to its end; its output lies in a file. One at a time. */
FILE *popen(const char *command, const char *mode)
{
    static char line[2048];
    static const char before[] = "(", after[] = ") > build/mps2-an385/popen.out";
    size_t len = strlen(command);

    if (len + sizeof before + sizeof after > sizeof line) {
        return NULL;
    }
    memcpy(line, before, sizeof before);
    memcpy(line + sizeof before - 1, command, len);
    memcpy(line + sizeof before - 1 + len, after, sizeof after);
    popen_status = np_semihost_system(line);
    return fopen("build/mps2-an385/popen.out", mode);
}

int system(const char *command)
{
    return command == NULL ? 1 : (int)np_semihost_system(command);
}

int pclose(FILE *file)
{
    return fclose(file) != 0 ? -1 : (int)popen_status;
}

void _fini(void)
{
}

_Noreturn void _exit(int code)
{
    np_semihost_exit((uint32_t)code);
}
