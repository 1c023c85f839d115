#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sysroot.sh DIR TRIPLE MUSL RUNTIME FLAGS...: builds musl, static only, from build/deps/musl into
# DIR (include, lib), with the kernel's headers beside it and, for RUNTIME=own, libruntime.a.
# Called by toolchains/cross.mk. DIR/.key says what it was made of: the same again takes no time.
set -u
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: sysroot.sh DIR TRIPLE MUSL RUNTIME FLAGS...}
triple=$2 musl=$3 runtime=$4
shift 4
flags=("$@" -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables)
source=$(cd "$here/../build/deps/musl" && pwd) || exit 1
log=$dir.log

die() {
    echo "sysroot ${dir##*/}: $*" >&2
    exit 1
}

kernel_headers() { # where linux/, asm/ or asm-generic/ of the target stand
    local place
    for place in "/usr/$triple/include/$1" "/usr/include/$triple/$1" "/usr/include/$1"; do
        [ -d "$place" ] && echo "$place" && return 0
    done
    return 1
}

for tool in "$triple-gcc" "$triple-ar" "$triple-ranlib"; do
    command -v "$tool" > /dev/null ||
        die "$tool is missing: run tests/setup.sh --cross ${dir##*/}, or install gcc-$triple"
done
key=$({ cat "$source/.pin" "$0" "$here/runtime/mips.c" && "$triple-gcc" --version | head -1 &&
    echo "$triple $musl $runtime ${flags[*]}"; } | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/.key" 2> /dev/null)" = "$key" ] && exit 0
mkdir -p "${dir%/*}"
exec 9> "$dir.lock" && flock 9 # two makes at once: one builds
[ "$(cat "$dir/.key" 2> /dev/null)" = "$key" ] && exit 0
for name in linux asm asm-generic; do
    kernel_headers $name > /dev/null ||
        die "the kernel's headers of $triple are missing: run tests/setup.sh --cross ${dir##*/}"
done

echo "  MUSL   $dir"
rm -rf "$dir" "$dir.build"
mkdir -p "$dir/lib" "$dir.build" || die "can't write $dir"
dir=$(cd "$dir" && pwd)
work=$(cd "$dir.build" && pwd)
log=$(dirname "$dir")/${dir##*/}.log

build_musl() (
    cd "$work" || exit 1
    CC="$triple-gcc" AR="$triple-ar" RANLIB="$triple-ranlib" LIBCC=" " \
        CFLAGS="${flags[*]} -ffile-prefix-map=$source=musl -ffile-prefix-map=$work=." \
        "$source/configure" --target="$musl" --prefix="$dir" --syslibdir="$dir/lib" \
        --disable-shared --disable-gcc-wrapper --enable-optimize=size &&
        make -j"${SYSROOT_JOBS:-2}" install-headers lib/libc.a lib/crt1.o lib/crti.o \
            lib/crtn.o && cp lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o "$dir/lib/"
)

build_runtime() {
    "$triple-gcc" "${flags[@]}" -std=c11 -Os -Wall -Wextra -Werror -ffreestanding -fno-builtin \
        -fno-lto -c -o "$work/runtime.o" "$here/runtime/mips.c" &&
        "$triple-ar" rcD "$dir/lib/libruntime.a" "$work/runtime.o"
}

build_musl > "$log" 2>&1 || {
    [ "$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')" -ge 512 ] ||
        die "the disk that holds ${dir#"$PWD/"} is full: make room (a target takes about 60 MB)" \
            "and run make again"
    tail -5 "$log" >&2
    die "musl was not built; everything it said is in ${log#"$PWD/"}"
}
for name in linux asm asm-generic; do
    ln -sfn "$(kernel_headers $name)" "$dir/include/$name"
done
if [ "$runtime" = own ]; then
    build_runtime || die "the runtime was not built"
fi
rm -rf "$work"
echo "$key" > "$dir/.key"
