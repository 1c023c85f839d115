#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the packages of the targets that are built, checks each, and lists them with their sums.

Usage: build.py [--out FOLDER] TARGET[=PROGRAM] ...   PROGRAM: build/TARGET/nodepass unless given
Ends with a table; exit 1 if a package is refused by the checker.
"""
import hashlib
import os
import sys

import apk
import check
import content
import ipk
from reader import Refused


def packages(programs):
    """Each package once: a program for each architecture of its target, LuCI for all."""
    for arch, target in content.arch_map():
        if target in programs:
            pack = content.program_package(arch, programs[target])
            yield ipk, pack, target
            yield apk, pack, target
    yield ipk, content.luci_package("all"), ""
    yield apk, content.luci_package("noarch"), ""


def write(folder, name, data):
    part = os.path.join(folder, name + ".part")
    try:
        with open(part, "wb") as f:
            f.write(data)
        os.replace(part, os.path.join(folder, name))
    except OSError as error:
        os.unlink(part)
        raise OSError(error.errno, error.strerror, os.path.join(folder, name)) from error


def programs_of(words):
    programs = {}
    for word in words:
        target, _, program = word.partition("=")
        program = program or os.path.join(content.ROOT, "build", target, "nodepass")
        if not os.path.isfile(program):
            sys.exit(f"package: {program} is missing: make T={target}")
        if target not in (t for _, t in content.arch_map()):
            sys.exit(f"package: {target}: no package architecture in port/openwrt/pkg/arch.txt")
        programs[target] = program
    return programs


def table(rows):
    """Sizes by architecture; both formats side by side."""
    print("\n| package architecture | target | program | ipk | apk | over 140 KB |")
    print("|---|---|---:|---:|---:|---:|")
    for (name, arch, target), sizes in rows.items():
        label = arch if name == "nodepass" else f"{name} ({arch})"
        over = max(sizes["ipk"], sizes["apk"]) - content.GATE
        print(f"| {label} | {target} | {sizes['program'] or ''} | {sizes['ipk']} | {sizes['apk']} "
              f"| {over if over > 0 and name == 'nodepass' else ''} |")


def build(words):
    out = os.path.join(content.ROOT, "build", "packages")
    if words[:1] == ["--out"] and len(words) > 1:
        out, words = words[1], words[2:]
    programs = programs_of(words)
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(out):  # those of an older version, or of targets not asked for
        if name.endswith((".ipk", ".apk", ".part")) or name == "SHA256SUMS":
            os.unlink(os.path.join(out, name))
    todo, sums, rows, refused = list(packages(programs)), [], {}, 0
    for number, (maker, pack, target) in enumerate(todo, 1):
        name, data = maker.name_of(pack), maker.make(pack)
        print(f"[{number}/{len(todo)}] {name} {len(data)} bytes", flush=True)
        try:
            check.check(data, name)
        except Refused as error:
            refused += 1
            print(f"      refused: {error}", flush=True)
            continue
        write(out, name, data)
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        program = pack.files.get("usr/bin/nodepass", (0, b""))[1]
        arch = "all" if pack.arch == "noarch" else pack.arch
        row = rows.setdefault((pack.name, arch, target), {"program": len(program)})
        row[maker.__name__] = len(data)
    write(out, "SHA256SUMS", "".join(sorted(sums, key=lambda s: s[66:])).encode())
    table({k: v for k, v in rows.items() if "ipk" in v and "apk" in v})
    print(f"{len(sums)} packages in {os.path.relpath(out)}, {refused} refused")
    return 1 if refused else 0


def main():
    words = sys.argv[1:]
    try:
        return build(words)
    except OSError as error:
        sys.exit(f"package: {error.filename or 'build/packages'}: {error.strerror}: "
                 "free some space, or write elsewhere (--out FOLDER)")


if __name__ == "__main__":
    sys.exit(main())
