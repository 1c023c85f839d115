# SPDX-License-Identifier: BSD-3-Clause
# armv7hf: Cortex-A with VFP (IPQ40xx, Armada 38x, Raspberry Pi 2).
TRIPLE := arm-linux-gnueabihf
DEBIAN := armhf
MUSL := arm-linux-musleabihf
ARCH := -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -mthumb
RUNTIME := libgcc
QEMU := qemu-arm-static -cpu cortex-a8
PAGE := 4096
GATE := 256000
TINY := 92160
include toolchains/cross.mk
