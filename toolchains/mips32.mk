# SPDX-License-Identifier: BSD-3-Clause
# mips32: big-endian MIPS32 release 1 without FPU (old Atheros and Broadcom).
TRIPLE := mips-linux-gnu
DEBIAN := mips
MUSL := mips-linux-muslsf
ARCH := -march=mips32 -msoft-float -mno-abicalls -fno-pic
RUNTIME := own
QEMU := qemu-mips-static -cpu 4Kc
PAGE := 16384
# Without MIPS16e the goal is out of reach: the size is told, not demanded.
GATE := 286720
OPTIONAL := yes
include toolchains/cross.mk
