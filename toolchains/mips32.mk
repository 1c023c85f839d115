# SPDX-License-Identifier: BSD-3-Clause
# mips32: big-endian MIPS32 release 1 without FPU (old Atheros and Broadcom).
TRIPLE := mips-linux-gnu
DEBIAN := mips
MUSL := mips-linux-muslsf
ARCH := -march=mips32 -msoft-float -mno-abicalls -fno-pic
RUNTIME := own
QEMU := qemu-mips-static -cpu 4Kc
PAGE := 16384
GATE := 286720
include toolchains/cross.mk
