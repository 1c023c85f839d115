#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs into an empty directory, checks each file, uninstalls, and finds nothing left. Then
# builds a copy of the tree elsewhere: the program must come out byte for byte the same.
set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C
dest=$(mktemp -d)
copy=$(mktemp -d)
trap 'rm -rf "$dest" "$copy"' EXIT
passed=0 failed=0

check() { # name command...
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        echo "$output" | tail -10 | sed 's/^/      /'
    fi
}

is_installed() { [ -s "$dest/usr/$1" ]; }
version_fits() { "$dest/usr/bin/nodepass" --version | grep -q "$(cat VERSION)"; }
is_manual_clean() { [ -z "$(mandoc -Tlint -W warning "$1")" ]; }
has_completion() {
    bash -c 'source "$1" && complete -p nodepass' - \
        "$dest/usr/share/bash-completion/completions/nodepass"
}
# A manual that misses a switch or a query key of the program is wrong.
manual_is_complete() {
    local word missing=
    local switches
    switches=$("$dest/usr/bin/nodepass" --help | grep -oE '(^|[ ,|])--[a-z-]+' | tr -d ' ,|')
    for word in $switches log tls min max mode read rate slot proxy notcp noudp dial dns sni ca \
        pin crt key; do
        mandoc -Tutf8 "$dest/usr/share/man/man1/nodepass.1" | col -b |
            grep -qE -- "(^|[^a-z])$word([^a-z]|\$)" || missing="$missing $word"
    done
    [ -z "$missing" ] || { echo "not in the manual:$missing"; return 1; }
}
is_unit_valid() {
    local unit=$dest/usr/lib/systemd/system/nodepass.service output
    mkdir -p "$dest/check" && sed "s|=/usr/bin/|=$dest/usr/bin/|; s|^Documentation=.*||" \
        "$unit" > "$dest/check/nodepass.service"
    output=$(systemd-analyze verify "$dest/check/nodepass.service" 2>&1 | grep 'nodepass.service')
    [ -z "$output" ] || { echo "$output"; return 1; }
}
is_unit_hardened() {
    systemd-analyze security --offline=true --threshold=20 "$dest/check/nodepass.service"
}
is_empty() {
    rm -rf "$dest/check"
    [ -z "$(find "$dest" ! -type d)" ] || { find "$dest" ! -type d; return 1; }
}
# Whatever was built before, build/nodepass is what the last make asked for.
is_what_was_asked_for() {
    make -s T=musl && [ "$(readlink build/nodepass)" = musl/nodepass ] &&
        make -s && [ "$(readlink build/nodepass)" = host/nodepass ]
}
is_reproducible() {
    git ls-files -z --cached --others --exclude-standard |
        xargs -0 ls -d 2> /dev/null | tar -cf - -T - | tar -xf - -C "$copy"
    mkdir -p "$copy/build" && cp -r build/deps "$copy/build/deps" || return 1
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} \
        make -s -j2 -C "$copy" all > /dev/null || return 1
    cmp build/host/nodepass "$copy/build/host/nodepass"
}

check "make install" make -s install DESTDIR="$dest" PREFIX=/usr
for file in bin/nodepass share/man/man1/nodepass.1 lib/systemd/system/nodepass.service \
    share/bash-completion/completions/nodepass share/doc/nodepass/nodepass.ini; do
    check "$file is installed" is_installed "$file"
done
check "version" version_fits
check "example INI is valid" "$dest/usr/bin/nodepass" --check \
    -c "$dest/usr/share/doc/nodepass/nodepass.ini"
check "manual is clean" is_manual_clean "$dest/usr/share/man/man1/nodepass.1"
check "manual is complete" manual_is_complete
check "completion loads" has_completion
check "unit is valid" is_unit_valid
check "unit is hardened" is_unit_hardened
check "make uninstall" make -s uninstall DESTDIR="$dest" PREFIX=/usr
check "nothing is left" is_empty
check "build/nodepass is of the last make" is_what_was_asked_for
check "build is reproducible" is_reproducible
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
