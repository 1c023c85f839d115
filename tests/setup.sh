#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Names the tools that tests, lint and bench need; as root on Debian it installs the missing ones.
# Usage: tests/setup.sh                      what `make check` and `make lint` need
#        tests/setup.sh --demo               what `make demo` needs
#        tests/setup.sh --firmware           what `make firmware` and its tests need
#        tests/setup.sh --cross [TARGET...]  what `make cross` and `make check-cross` need
set -u

# command:package
build="gcc:gcc make:make ar:binutils python3:python3 tar:tar xz:xz-utils patch:patch"
tests="clang:clang musl-gcc:musl-tools nginx:nginx iperf3:iperf3 dnsmasq:dnsmasq-base ncat:ncat
    socat:socat haproxy:haproxy ip:iproute2 tc:iproute2 ss:iproute2 prlimit:util-linux git:git
    nm:binutils objdump:binutils size:binutils openssl:openssl
    gnutls-cli:gnutls-bin curl:curl wrk:wrk valgrind:valgrind
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu qemu-aarch64-static:qemu-user-static"
lint="clang-format:clang-format cppcheck:cppcheck shellcheck:shellcheck
    systemd-analyze:systemd mandoc:mandoc"
# Of tests/openwrt and tests/web: the shells of routers, a browser.
router="busybox:busybox-static dash:dash node:nodejs npm:npm chromium:chromium"

# Of the static targets (toolchains/*.mk): compiler, the kernel's headers, emulation.
cross_packages() { # target...
    local file triple debian qemu
    for file in "${@/%/.mk}"; do
        [ -f "toolchains/$file" ] || { echo "setup: ${file%.mk}: no such target" >&2; return 1; }
        triple=$(sed -n 's/^TRIPLE := //p' "toolchains/$file")
        debian=$(sed -n 's/^DEBIAN := //p' "toolchains/$file")
        qemu=$(sed -n 's/^QEMU := \([^ ]*\).*/\1/p' "toolchains/$file")
        if [ "$triple" = "$(gcc -dumpmachine 2> /dev/null)" ]; then
            [ -e /usr/include/linux/netlink.h ] || echo linux-libc-dev
        else
            command -v "$triple-gcc" > /dev/null || echo "gcc-${triple//_/-}"
            [ -e "/usr/$triple/include/linux/netlink.h" ] || echo "linux-libc-dev-$debian-cross"
        fi
        [ -z "$qemu" ] || command -v "$qemu" > /dev/null || echo qemu-user-static
    done
}

missing_packages() { # list
    local pair
    for pair in $1; do
        command -v "${pair%%:*}" > /dev/null || echo "${pair##*:}"
    done | sort -u
}

# Compiler, C library and emulation of the microcontroller (newlib brings no command).
firmware_packages() {
    missing_packages "arm-none-eabi-gcc:gcc-arm-none-eabi qemu-system-arm:qemu-system-arm"
    [ -e /usr/lib/arm-none-eabi/include/stdint.h ] ||
        [ -e "$(arm-none-eabi-gcc -print-file-name=libg_nano.a 2> /dev/null)" ] ||
        echo libnewlib-arm-none-eabi
}

has_libfuzzer() {
    local dir result=0
    dir=$(mktemp -d)
    echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return n > 9 && !p; }' \
        > "$dir/a.c"
    clang -fsanitize=fuzzer,address -o "$dir/a" "$dir/a.c" 2> /dev/null || result=1
    rm -rf "$dir"
    return $result
}

has_stream_module() {
    nginx -V 2>&1 | grep -q 'with-stream ' || ls /usr/lib/nginx/modules/ngx_stream_module.so \
        /usr/share/nginx/modules/ngx_stream_module.so > /dev/null 2>&1
}

has_playwright() { cmp -s tests/web/package-lock.json build/deps/web/package-lock.json; }

# Drives Chromium in tests/web; pinned by tests/web/package-lock.json.
install_playwright() {
    echo "setup: fetching playwright-core"
    mkdir -p build/deps/web && cp tests/web/package.json build/deps/web/ || return 1
    cp tests/web/package-lock.json build/deps/web/lock.part &&
        mv build/deps/web/lock.part build/deps/web/package-lock.json &&
        npm ci --prefix build/deps/web --ignore-scripts --no-audit --no-fund \
            > build/setup.log 2>&1 && return 0
    rm -f build/deps/web/package-lock.json
    tail -5 build/setup.log >&2
    echo "setup: npm could not fetch playwright-core" >&2
    return 1
}

has_asan() {
    [ -e "$(gcc -print-file-name=libasan.so)" ] && [ -e "$(gcc -print-file-name=libubsan.so)" ]
}

install_packages() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
        echo "setup: missing; install them with your package manager:" "$@" >&2
        return 1
    fi
    echo "setup: installing" "$@"
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p build
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"; } \
        < /dev/null > build/setup.log 2>&1 && return 0
    tail -5 build/setup.log >&2
    echo "setup: apt-get could not install:" "$@" >&2
    return 1
}

cd "$(dirname "$0")/.." || exit 2
if [ "${1:-}" = --demo ]; then
    packages=$(missing_packages "$build")
elif [ "${1:-}" = --firmware ]; then
    packages="$(missing_packages "$build") $(firmware_packages)"
elif [ "${1:-}" = --cross ]; then
    shift
    [ $# -gt 0 ] ||
        mapfile -t all < <(grep -l '^TRIPLE' toolchains/*.mk | xargs -n1 basename -s .mk)
    packages=$(missing_packages "$build") || exit 1
    more=$(cross_packages "${@:-${all[@]}}") || exit 1
    packages=$(echo "$packages" "$more" | tr ' ' '\n' | sort -u)
    # shellcheck disable=SC2086
    [ -z "$packages" ] || install_packages $packages
    exit
else
    packages="$(missing_packages "$build $tests $lint $router") $(firmware_packages)"
fi
# shellcheck disable=SC2086,SC2116
packages=$(echo $packages) # one line, no blanks around
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages || exit 1
case ${1:-} in --demo | --firmware) exit 0 ;; esac

packages=
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || packages="$packages libc6-dev-arm64-cross"
[ -e /usr/include/openssl/ssl.h ] || packages="$packages libssl-dev"
has_asan || packages="$packages libasan8 libubsan1"
has_libfuzzer || packages="$packages libclang-rt-dev"
has_stream_module || packages="$packages libnginx-mod-stream"
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages || exit 1
has_playwright || install_playwright || exit 1
echo "setup: every tool is here"
