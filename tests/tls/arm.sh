#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Compiles the encryption code for aarch64 and runs its unit test under qemu's user emulation, on a
# CPU with AES and PMULL and on one whose kernel announces neither. Ends with `N passed, N failed`;
# without a cross compiler and qemu it says so and counts as skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
cc=${ARM_CC:-aarch64-linux-gnu-gcc} qemu=${ARM_QEMU:-qemu-aarch64-static}
bear=build/deps/bearssl out=build/arm-test

for tool in "$cc" "$qemu"; do
    command -v "$tool" > /dev/null || {
        echo "aarch64 not tested: $tool is missing (tests/setup.sh installs it as root)"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    }
done
set -e
toolchains/fetch.sh bearssl "$bear"
mkdir -p "$out"
modules=(codec/{ccopy,{dec,enc}{32,64}{be,le}} hash/ghash_{ctmul,ctmul64,pclmul}
    symcipher/{aes_common,aes_ct{,64}{,_ctr,_enc},aes_x86ni{,_ctr},chacha20_ct}
    symcipher/poly1305_{ctmul,ctmulq} aead/gcm
    ec/ec_c25519_m31 int/i32_div32
    int/i31_{montmul,muladd,sub,add,ninv31,rshift,decode,decmod,encode,bitlen})
objects=()
for name in "${modules[@]}"; do
    object=$out/bear-${name//\//-}.o
    [ "$object" -nt "$bear/.pin" ] || "$cc" -O2 -w -I"$bear/inc" -I"$bear/src" -c -o "$object" \
        "$bear/src/$name.c"
    objects+=("$object")
done
"$cc" -std=c11 -O2 -g -static -Wall -Wextra -Werror -Wconversion -I. -isystem "$bear/inc" \
    -c -o "$out/fast.o" -x c - <<< '#include "core/tls/fast.c"'
for name in core/tls/fast_{arm,chacha,x86,x25519} core/tls/engines core/base/ct; do
    "$cc" -std=c11 -O2 -g -Wall -Wextra -Werror -Wconversion -I. -isystem "$bear/inc" \
        -c -o "$out/${name##*/}.o" "$name.c"
    objects+=("$out/${name##*/}.o")
done
"$cc" -std=c11 -O2 -static -Wall -Wextra -Werror -I. -isystem "$bear/inc" -o "$out/test" \
    tests/unit/tls_fast.c tests/unit/np_test_main.c "$out/fast.o" "${objects[@]}"
echo "aarch64 with AES and PMULL:"
NP_TEST_HAS_AES=1 "$qemu" -cpu max "$out/test"
