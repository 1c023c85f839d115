# SPDX-License-Identifier: BSD-3-Clause
# mps2-an385: Cortex-M3 firmware without a system, for QEMU's board of that name; images and their
# RAM classes stand in port/mps2-an385/firmware.mk, packages in tests/setup.sh --firmware.
CC := arm-none-eabi-gcc
AR := arm-none-eabi-ar
CC_HINT := run tests/setup.sh --firmware
OPT ?= -Os
BEAR_HOT_OPT ?= -O2
# newlib has long for 32 bits; the core's formats want int, which is as wide. Enums are int as on
# every other target.
ARCH_CFLAGS := -mcpu=cortex-m3 -mthumb -fno-short-enums \
	-U__INT32_TYPE__ -U__UINT32_TYPE__ -U__INT32_MAX__ -U__UINT32_MAX__ \
	-D__INT32_TYPE__=int '-D__UINT32_TYPE__=unsigned int' \
	-D__INT32_MAX__=2147483647 -D__UINT32_MAX__=4294967295U
ARCH_LDFLAGS := -nostartfiles -Wl,--no-enum-size-warning,--fatal-warnings \
	-Tport/mps2-an385/link.ld
LINK_LIBS :=
HARDEN :=
