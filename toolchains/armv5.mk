# SPDX-License-Identifier: BSD-3-Clause
# armv5: ARM9 without FPU (Kirkwood, old NAS boxes); runs on every later 32-bit ARM.
TRIPLE := arm-linux-gnueabi
DEBIAN := armel
MUSL := arm-linux-musleabi
ARCH := -march=armv5te -mfloat-abi=soft -marm -DNP_TLS_P256_ALONE=0
COLD := -mthumb
# AES, for peers that insist: without AES instructions ChaCha20 comes first.
COLD_TOO := hash/ghash% symcipher/aes_ct%
RUNTIME := libgcc
QEMU := qemu-arm-static -cpu arm926
PAGE := 4096
GATE := 256000
include toolchains/cross.mk
