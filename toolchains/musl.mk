# SPDX-License-Identifier: BSD-3-Clause
# musl: one static binary for the machine that builds, by musl-gcc (Debian: musl-tools).
# It has no linux/*.h: those of the system (kernel interface, no libc) are linked into a folder.
CC := musl-gcc
OPT ?= -Os
LEAN ?= 1
BEAR_HOT_OPT ?= -O2
KERNEL_HEADERS := build/deps/kernel-headers
$(shell mkdir -p $(KERNEL_HEADERS); for name in linux asm asm-generic; do \
	ln -sfn "$$(ls -d /usr/include/$$name /usr/include/*-linux-gnu/$$name 2> /dev/null | head -1)" \
	$(KERNEL_HEADERS)/$$name; done)
ARCH_CFLAGS := -fno-pie -idirafter $(KERNEL_HEADERS)
ARCH_LDFLAGS := -static -no-pie -Wl,--fatal-warnings,-z,noexecstack,-z,relro -s
HARDEN := -fstack-protector-strong
