# SPDX-License-Identifier: BSD-3-Clause
# host: the machine that builds; gcc or clang (make CC=clang), hardened, position independent.
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(SAN)),clang,gcc)
endif
OPT ?= -O2
BEAR_HOT_OPT ?= -O3
ARCH_CFLAGS := -fPIE
ARCH_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack
HARDEN := $(if $(filter 0,$(SAN)),-D_FORTIFY_SOURCE=2) -fstack-protector-strong
