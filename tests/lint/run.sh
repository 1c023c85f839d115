#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every static check; a line each, details of those that fail. Ends with `N passed, N failed`.
# Usage: tests/lint/run.sh [CHECK ...]
set -u
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
all="layers symbols style index clang-format cppcheck scripts selftest size-table"
passed=0 failed=0

need() { command -v "$1" > /dev/null || { echo "$1 is missing: run tests/setup.sh"; return 1; }; }
sources() { git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | sort -u; }

check_one() {
    case $1 in
    layers | style | index) python3 "tests/lint/$1.py" ;;
    symbols) make -s all lwip-tap > /dev/null && python3 tests/lint/symbols.py . build/host ;;
    clang-format) need clang-format && sources | xargs clang-format --dry-run -Werror ;;
    cppcheck)
        need cppcheck && mkdir -p build/cppcheck && cppcheck -q -j 2 --std=c11 -I. \
            --cppcheck-build-dir=build/cppcheck -DNP_VERSION='"0"' -UNP_PROFILE_HEADER \
            -DINI_HANDLER_LINENO=1 -DINI_USE_STACK=1 -DINI_MAX_LINE=4096 \
            --enable=warning,performance,portability --inline-suppr \
            --suppressions-list=tests/lint/cppcheck.txt --error-exitcode=1 \
            core config platform port ;;
    scripts)
        local bash_files python_files
        bash_files=$(git ls-files | grep -E '\.(sh|bash)$|^\.ci/run$')
        python_files=$(git ls-files | grep '\.py$')
        for f in $bash_files; do bash -n "$f" || return 1; done
        if command -v shellcheck > /dev/null; then
            shellcheck -x -S warning $bash_files || return 1
        fi
        python3 tests/lint/pycheck.py $python_files ;;
    selftest) python3 tests/lint/selftest.py ;;
    size-table) python3 tests/size/size.py --stale && python3 tests/cross/sizes.py --stale ;;
    *) echo "no such check: $1 (have: $all)"; return 1 ;;
    esac
}

[ $# -gt 0 ] || set -- $all
for check; do
    start=$SECONDS
    if output=$(check_one "$check" 2>&1); then
        passed=$((passed + 1))
        printf 'ok    %-13s %3d s  %s\n' "$check" $((SECONDS - start)) "$(echo "$output" | tail -1)"
    else
        failed=$((failed + 1))
        printf 'FAIL  %-13s %3d s\n' "$check" $((SECONDS - start))
        echo "$output" | sed 's/^/      /' | tail -60
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
