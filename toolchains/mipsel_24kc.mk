# SPDX-License-Identifier: BSD-3-Clause
# mipsel_24kc: little-endian MIPS 24Kc, 74Kc and 1004Kc (MediaTek MT76xx, Ralink).
TRIPLE := mipsel-linux-gnu
DEBIAN := mipsel
MUSL := mipsel-linux-muslsf
ARCH := -march=24kc -msoft-float -mno-abicalls -fno-pic
COLD := -mips16
RUNTIME := own
QEMU := qemu-mipsel-static -cpu 24Kc
PAGE := 16384
GATE := 286720
include toolchains/cross.mk
