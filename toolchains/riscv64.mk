# SPDX-License-Identifier: BSD-3-Clause
# riscv64: 64-bit RISC-V with the usual extensions (Allwinner D1, StarFive JH7110).
TRIPLE := riscv64-linux-gnu
DEBIAN := riscv64
MUSL := riscv64-linux-musl
ARCH := -march=rv64gc -mabi=lp64d
RUNTIME := libgcc
QEMU := qemu-riscv64-static -cpu rv64
PAGE := 4096
GATE := 327680
include toolchains/cross.mk
