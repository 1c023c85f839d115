# SPDX-License-Identifier: BSD-3-Clause
# aarch64: 64-bit ARM with pages of 4 KB (MT7622 and later, IPQ807x, Raspberry Pi 3 and later).
TRIPLE := aarch64-linux-gnu
DEBIAN := arm64
MUSL := aarch64-linux-musl
ARCH := -mno-outline-atomics -fomit-frame-pointer -DNP_TLS_P256_ALONE=0
# The program lies within 1 MB, so that one instruction makes an address; its tests are larger.
MODEL ?= tiny
TEST_MODEL := small
VARIANT_TOO := $(if $(filter small,$(MODEL)),-small)
RUNTIME := libgcc
QEMU := qemu-aarch64-static -cpu cortex-a53
PAGE := 4096
GATE := 327680
include toolchains/cross.mk
ARCH_CFLAGS += -mcmodel=$(MODEL)
