#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs ctcheck under valgrind: once as it is, and once with a leak on purpose, which must be found.
# Ends with `N passed, N failed`; without valgrind it counts as skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
program=build/host/ctcheck
if ! command -v valgrind > /dev/null || ! [ -e /usr/include/valgrind/memcheck.h ]; then
    echo "no valgrind here"
    echo "0 passed, 0 failed, 2 skipped"
    exit 0
fi
make -s -j2 ctcheck-program || { echo "0 passed, 1 failed"; exit 1; }
passed=0 failed=0
check() { # what, expected exit, program's arguments
    local what=$1 want=$2 code
    shift 2
    valgrind -q --error-exitcode=9 --track-origins=no --suppressions=tests/tls/ctcheck.supp \
        "$program" "$@" > "$program.log" 2>&1
    code=$?
    if [ $code -eq "$want" ]; then
        passed=$((passed + 1)); echo "ok    $what"
    else
        failed=$((failed + 1)); echo "FAIL  $what (exit $code, want $want)"
        head -60 "$program.log"
    fi
}
check "no branch and no address depends on a secret" 0
check "a leak on purpose is found" 9 leak
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
