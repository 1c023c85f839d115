/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mps2-an385/semihost.h"

#include <string.h>

/* Arm semihosting for A and M profile, section 6. */
enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0a,
    SYS_FLEN = 0x0c,
    SYS_REMOVE = 0x0e,
    SYS_RENAME = 0x0f,
    SYS_TIME = 0x11,
    SYS_SYSTEM = 0x12,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20
};
#define STOPPED_APPLICATION_EXIT 0x20026u

static int32_t ask(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "cc");
    return (int32_t)r0;
}

static uint32_t word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

uint32_t np_semihost_command_line(char *out, uint32_t cap)
{
    uint32_t block[2] = {word(out), cap};

    if (ask(SYS_GET_CMDLINE, block) != 0 || block[1] >= cap) {
        block[1] = 0;
    }
    out[block[1]] = '\0';
    return block[1];
}

int64_t np_semihost_time(void)
{
    return (uint32_t)ask(SYS_TIME, NULL);
}

_Noreturn void np_semihost_exit(uint32_t code)
{
    uint32_t block[2] = {STOPPED_APPLICATION_EXIT, code};

    for (;;) {
        (void)ask(SYS_EXIT_EXTENDED, block);
    }
}

int32_t np_semihost_open(const char *name, enum np_semihost_mode mode)
{
    uint32_t block[3] = {word(name), (uint32_t)mode, (uint32_t)strlen(name)};

    return ask(SYS_OPEN, block);
}

void np_semihost_close(int32_t file)
{
    uint32_t block[1] = {(uint32_t)file};

    (void)ask(SYS_CLOSE, block);
}

int32_t np_semihost_read(int32_t file, void *buf, uint32_t len)
{
    uint32_t block[3] = {(uint32_t)file, word(buf), len};
    int32_t left = ask(SYS_READ, block); /* what was not read */

    return left < 0 || (uint32_t)left > len ? -1 : (int32_t)(len - (uint32_t)left);
}

bool np_semihost_write(int32_t file, const void *buf, uint32_t len)
{
    uint32_t block[3] = {(uint32_t)file, word(buf), len};

    return ask(SYS_WRITE, block) == 0;
}

bool np_semihost_seek(int32_t file, uint32_t offset)
{
    uint32_t block[2] = {(uint32_t)file, offset};

    return ask(SYS_SEEK, block) == 0;
}

int32_t np_semihost_length(int32_t file)
{
    uint32_t block[1] = {(uint32_t)file};

    return ask(SYS_FLEN, block);
}

bool np_semihost_remove(const char *name)
{
    uint32_t block[2] = {word(name), (uint32_t)strlen(name)};

    return ask(SYS_REMOVE, block) == 0;
}

bool np_semihost_rename(const char *from, const char *to)
{
    uint32_t block[4] = {word(from), (uint32_t)strlen(from), word(to), (uint32_t)strlen(to)};

    return ask(SYS_RENAME, block) == 0;
}

int32_t np_semihost_system(const char *command)
{
    uint32_t block[2] = {word(command), (uint32_t)strlen(command)};

    return ask(SYS_SYSTEM, block);
}
