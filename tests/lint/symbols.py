#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Object check. Usage: symbols.py [ROOT [BUILD]]  (BUILD: build/host)

core and config reference no allocator, printf, errno or socket symbol and no floating-point
helper, keep no mutable state (nothing in .data or .bss), and export np_ names only; so does
platform. platform/lwip and lwIP reference no allocator and no stdio.
"""
import os
import re
import subprocess
import sys

import tree

COMPILER = {"__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
CORE_LIBC = {"memcpy", "memmove", "memset", "memcmp", "strlen",
             "__memcpy_chk", "__memmove_chk", "__memset_chk"}
CONFIG_LIBC = CORE_LIBC | {"strcmp", "strncmp", "strchr", "strrchr", "strstr", "memchr",
                           "strcspn", "strspn"}
HEAP = re.compile(r"(malloc|calloc|realloc|free|mmap|s?n?printf|fprintf|puts|abort|rand)$")
INIH = {"ini_parse_string", "ini_parse_string_length", "ini_parse_stream"}
FLOAT = re.compile(r"__\w*[ds]f\w*$|__(float|fix)\w+|f?(add|sub|mul|div)[sd]f3")
STATE = re.compile(r"^(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*|COMMON)")


def objects(build, folder):
    found = []
    for where, dirs, names in os.walk(os.path.join(build, folder)):
        dirs.sort()
        found += [os.path.join(where, n) for n in sorted(names) if n.endswith(".o")]
    return found


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def undefined(path):
    return [line.split()[-1] for line in run("nm", "-u", path).splitlines() if line.strip()]


def exported(path):
    lines = run("nm", "-g", "--defined-only", path).splitlines()
    return [line.split()[-1] for line in lines if len(line.split()) == 3]


def state(path):
    """Objects (flag O) and common symbols in writable sections."""
    found = []
    for line in run("objdump", "-t", path).splitlines():
        match = re.match(r"^[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+)\s+(\S.*)$", line)
        if match and "d" not in match.group(1) and STATE.match(match.group(2)):
            found.append(f"{match.group(4)} in {match.group(2)}")
    return found


def check_object(build, path, own, allowed):
    short = os.path.relpath(path, build)
    tls = short.startswith("core/tls/")
    errors = []
    for name in undefined(path):
        if FLOAT.match(name):
            errors.append(f"{short}: floating point ({name})")
        elif name not in own and name not in allowed and not name.startswith("np_plat_") \
                and not (tls and name.startswith("br_")):
            errors.append(f"{short}: references {name}")
    errors += [f"{short}: mutable state: {what}" for what in state(path)]
    return errors


def check_static(build, path):
    short = os.path.relpath(path, build)
    return [f"{short}: references {n}" for n in undefined(path) if HEAP.match(n)]


def check_names(build, path):
    short = os.path.relpath(path, build)
    return [f"{short}: exported name without np_: {n}"
            for n in exported(path) if not n.startswith("np_")]


def main():
    root = tree.root_dir()
    build = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else os.path.join(root, "build/host")
    core, config = objects(build, "core"), objects(build, "config")
    platform = objects(build, "platform")
    own = {name for path in core + config for name in exported(path)}
    errors = []
    for path in core:
        errors += check_object(build, path, own, COMPILER | CORE_LIBC)
    for path in config:
        errors += check_object(build, path, own, COMPILER | CONFIG_LIBC | INIH)
    for path in core + config + platform:
        errors += check_names(build, path)
    for path in objects(build, "platform/lwip") + objects(build, "lwip"):
        errors += check_static(build, path)
    if not core or not config:
        errors.append(f"no objects in {build}: run make first")
    tree.finish("symbols", errors, f"{len(core)} core, {len(config)} config objects")


if __name__ == "__main__":
    sys.exit(main())
