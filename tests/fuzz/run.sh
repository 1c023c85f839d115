#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Fuzzes each parser for a while: tests/fuzz/run.sh [SECONDS [NAME ...]]. Starts from
# tests/fuzz/corpus/NAME, keeps what it finds in build/fuzz/NAME and inputs that fail as
# build/fuzz/NAME-crash-*. Ends with `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-60}
shift
programs=build/host-fuzz/fuzz
passed=0 failed=0

# Keys and certificates are made, since none belong into the tree: as text for fuzz_pem.c,
make_pem_seeds() { # folder
    local made=build/tls-certs name
    tests/tls/certs.sh "$made" || return
    for name in p256 p384 rsa2048; do
        { echo; cat "$made/$name.key" "$made/$name.crt"; } > "$1/made-$name"
    done
} 2> /dev/null

# and in the forms that fuzz_key.c and fuzz_cert.c read.
make_der_seeds() { # key or cert, folder
    local made=build/tls-certs name chain der
    tests/tls/certs.sh "$made" || return
    if [ "$1" = key ]; then
        for name in p256 p384 rsa2048 rsa4096 p521 ed25519 weak; do
            { printf '\001\000'; openssl pkey -in "$made/$name.key" -outform DER; } \
                > "$2/made-$name"
        done
        { printf '\001\302'; openssl rsa -in "$made/rsa2048.key" -traditional -outform DER; } \
            > "$2/made-pkcs1"
        return
    fi
    for chain in "p256 inter" "p384" "rsa2048 rsaroot" "deep inter1 inter0" critical sha1 many; do
        der=$2/made-${chain// /-}
        printf '\010\036' > "$der"
        for name in $chain; do
            openssl x509 -in "$made/$name.crt" -outform DER -out "$der.tmp"
            # shellcheck disable=SC2059
            printf "$(printf '\\x%02x\\x%02x' $(($(stat -c %s "$der.tmp") / 256)) \
                $(($(stat -c %s "$der.tmp") % 256)))" >> "$der"
            cat "$der.tmp" >> "$der"
        done
        rm -f "$der.tmp"
    done
    printf '\003\011\000\100\001' > "$2/made-change"
} 2> /dev/null

make -s -j2 SAN=fuzz fuzz-programs || { echo "0 passed, 1 failed"; exit 1; }
if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        source=${source##*/fuzz_}
        set -- "$@" "${source%.c}"
    done
fi
for name; do
    mkdir -p "build/fuzz/$name"
    corpus=tests/fuzz/corpus/$name
    case $name in key | cert)
        [ -e "build/fuzz/$name/made-p384" ] || make_der_seeds "$name" "build/fuzz/$name" ;;
    esac
    [ "$name" != pem ] || [ -e build/fuzz/pem/made-p256 ] || make_pem_seeds build/fuzz/pem
    words=()
    [ -f "tests/fuzz/$name.dict" ] && words=("-dict=tests/fuzz/$name.dict")
    echo "fuzz $name: $seconds s, from $(find "$corpus" -type f 2> /dev/null | wc -l) inputs"
    if "$programs/$name" "build/fuzz/$name" "$corpus" "${words[@]}" -max_total_time="$seconds" \
        -timeout=5 -rss_limit_mb=512 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$name-" > "build/fuzz/$name.log" 2>&1; then
        passed=$((passed + 1))
        sed -n 's/^stat::number_of_executed_units: */     executed /p' "build/fuzz/$name.log"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -25 "build/fuzz/$name.log" | sed 's/^/      /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
