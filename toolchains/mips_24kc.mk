# SPDX-License-Identifier: BSD-3-Clause
# mips_24kc: big-endian MIPS 24Kc and 74Kc without FPU (Atheros AR71xx to QCA95xx).
TRIPLE := mips-linux-gnu
DEBIAN := mips
MUSL := mips-linux-muslsf
ARCH := -march=24kc -msoft-float -mno-abicalls -fno-pic
COLD := -mips16
RUNTIME := own
QEMU := qemu-mips-static -cpu 24Kc
PAGE := 16384
GATE := 286720
include toolchains/cross.mk
