# SPDX-License-Identifier: BSD-3-Clause
# cross: what the files of the static targets share. A target sets, before it includes this:
#   TRIPLE   of Debian's cross gcc             MUSL      musl's name of the target
#   DEBIAN   Debian's name of the architecture ARCH      code generation flags
#   RUNTIME  libgcc, or own (toolchains/runtime, for MIPS: Debian's libgcc there is hard-float)
#   QEMU     qemu program and the weakest CPU of the label; empty: runs on this machine
#   COLD     flags of code that is seldom run, may be empty; COLD_TOO: what of HOT_CODE is too
#   PAGE     largest page size of its kernels  GATE      bytes that the program may have; TINY:
#                                                        that it may have with PROFILE=tiny
#   OPTIONAL what it has over its GATE is told and does not fail
CROSS := $(T)
CC := $(TRIPLE)-gcc
AR := $(TRIPLE)-gcc-ar
CC_HINT := run tests/setup.sh --cross $(T), or install $(if $(filter x86_64-linux-gnu,$(TRIPLE)),\
	gcc,gcc-$(TRIPLE) linux-libc-dev-$(DEBIAN)-cross)
OPT ?= -Os
LEAN ?= 1
BEAR_HOT_OPT ?= -Os
SYSROOT := build/deps/sysroot/$(T)
LIBGCC := $(if $(filter own,$(RUNTIME)),$(SYSROOT)/lib/libruntime.a,\
	$(shell $(CC) $(ARCH) -print-libgcc-file-name 2> /dev/null))
# The whole program at once (LTO). Objects hold plain code as well, which other programs link (gcc's
# driver takes no -flto=auto behind -fno-lto). MIPS16e can't be mixed with other code in LTO: there
# only what is cold takes part, and the link's flags are the cold ones.
LTO := -flto=auto -ffat-lto-objects
MIPS16 := $(filter -mips16,$(COLD))
ARCH_CFLAGS := $(ARCH) $(if $(MIPS16),-minterlink-mips16,$(LTO)) -fno-pie \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -nostdinc -isystem $(SYSROOT)/include \
	-isystem $(shell $(CC) -print-file-name=include 2> /dev/null)
ARCH_LDFLAGS := -static -no-pie -nostdlib -s -Wl,--fatal-warnings,-z,noexecstack,-z,norelro \
	-Wl,-z,max-page-size=$(PAGE),-z,noseparate-code
build/%/nodepass: private LDFLAGS += $(LTO) $(OPT) $(MIPS16)
build/%/unit build/%/contract-posix build/%/contract-sim build/%/simtest build/%/tlspipe: \
	private LDFLAGS += -fno-lto
LINK_BEGIN = -Wl,-Map=$@.map $(SYSROOT)/lib/crt1.o $(SYSROOT)/lib/crti.o
LINK_LIBS := $(SYSROOT)/lib/libc.a $(LIBGCC)
LINK_END := $(SYSROOT)/lib/crtn.o
HARDEN := -fstack-protector --param=ssp-buffer-size=17 # the 16 bytes of an IP address are no text

# COLD: flags for smaller, slower code: all but the arithmetic of TLS. The rest is system calls and
# decisions about buffers, not work on each byte.
ifdef COLD
COLD += $(if $(MIPS16),$(LTO))
endif
HOT_CODE := core/tls/fast% $(addprefix bearssl/,$(filter-out $(COLD_TOO),ec/ec_c25519% ec/ec_p256% \
	hash/ghash% $(addprefix symcipher/,aes_ct% aes_x86% chacha% poly%) \
	int/%add.o int/%sub.o int/%montmul.o int/%mulacc.o int/i32_div32% int/i62%))
COLD_CODE = $(filter-out $(HOT_CODE),$(patsubst %.c,%.o,$(wildcard core/*.c core/*/*.c config/*.c \
	platform/posix/*.c port/posix/*.c)) deps/ini.o $(patsubst %,bearssl/%.o,$(BEAR))) \
	core/master/pages_data.o

# Division in less code than libgcc's, before it in the link of every program. Calls that gcc makes
# itself come after LTO.
ifneq ($(filter arm-%,$(TRIPLE)),)
DIVIDE = $(B)/toolchains/runtime/arm.o
build/%/toolchains/runtime/arm.o: CFLAGS += -ffreestanding -fno-builtin -fno-lto \
	-fno-stack-protector -marm
endif

# Its stamp is renewed only when musl, compiler or flags are others: the script compares.
$(SYSROOT)/.key: FORCE | build/deps/musl/.pin
	@toolchains/sysroot.sh $(SYSROOT) $(TRIPLE) $(MUSL) $(RUNTIME) $(ARCH) $(filter -mthumb,$(COLD))
build/deps/musl/.pin: toolchains/deps.txt toolchains/fetch.sh
	@toolchains/fetch.sh musl build/deps/musl
	@touch $@
