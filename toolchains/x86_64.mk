# SPDX-License-Identifier: BSD-3-Clause
# x86_64: any 64-bit PC.
TRIPLE := x86_64-linux-gnu
DEBIAN := amd64
MUSL := x86_64-linux-musl
ARCH := -march=x86-64
RUNTIME := libgcc
QEMU :=
PAGE := 4096
GATE := 327680
OPT ?= -Oz -fno-jump-tables
include toolchains/cross.mk
