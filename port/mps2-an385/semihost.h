/* SPDX-License-Identifier: BSD-3-Clause */
/* semihost: what the debugger's host does for the firmware (Arm semihosting 2.0; in QEMU
 * -semihosting-config enable=on,target=native,arg=...). A board without it implements the same in
 * flash, a random number generator and a clock. Every call stops the processor until the host has
 * answered; only from the loop, never from an interrupt. */
#ifndef NP_PORT_MPS2_AN385_SEMIHOST_H
#define NP_PORT_MPS2_AN385_SEMIHOST_H

#include <stdbool.h>
#include <stdint.h>

/* The words behind `arg=`, blanks between them, NUL-terminated. Returns the length, 0 if there are
 * none or they do not fit. */
uint32_t np_semihost_command_line(char *out, uint32_t cap);
/* Seconds since 1970-01-01 UTC, 0 if the host does not tell. */
int64_t np_semihost_time(void);
/* Ends the emulation with `code` (0 to 255). */
_Noreturn void np_semihost_exit(uint32_t code);

enum np_semihost_mode { NP_SEMIHOST_READ = 1, NP_SEMIHOST_WRITE = 5 }; /* "rb", "wb" */

/* A file of the host by name (1 to 255 bytes). Returns a descriptor > 0, or -1. */
int32_t np_semihost_open(const char *name, enum np_semihost_mode mode);
void np_semihost_close(int32_t file);
/* Bytes read into buf (0 = end of the file), or -1. */
int32_t np_semihost_read(int32_t file, void *buf, uint32_t len);
/* True if all was written. */
bool np_semihost_write(int32_t file, const void *buf, uint32_t len);
bool np_semihost_seek(int32_t file, uint32_t offset);
/* Bytes of an open file, or -1. */
int32_t np_semihost_length(int32_t file);
bool np_semihost_remove(const char *name);
/* Replaces `to` as a whole, as rename(2) of the host does. */
bool np_semihost_rename(const char *from, const char *to);
/* Runs a command of the host's shell to its end; its exit status. For tests. */
int32_t np_semihost_system(const char *command);

#endif
