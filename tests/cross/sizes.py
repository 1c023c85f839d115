#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of sizes of static targets that are built; where the bytes come from.

Usage: tests/cross/sizes.py [--largest] [--write | --stale] [TARGET ...]
  --largest   also what the folders, BearSSL and libc take in each, and the largest objects
  --write     puts the table of all targets into README.md
  --stale     fails when README.md's table has another size than a program that is built
Without a TARGET it is about all of them; they must be built.
A program of PROFILE=tiny has a row where it is built and its target has a goal for it (TINY).
What was optimised as a whole has lost its objects: functions are found again by their names, so
one that was inlined counts where it went; texts that were merged are "texts".
"""
import collections
import os
import re
import sys

import elf

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COUNT = 12
BEGIN, END = "<!-- cross:begin -->\n", "<!-- cross:end -->\n"
HEAD = "| target | bytes | goal | over |\n|---|---:|---:|---:|\n"
# A section of an object in the map: name, then on the same or the next line address, size, object.
PIECE = re.compile(r"^ (\.(?:text|rodata|data|init|fini|ARM\.ex|eh_frame|got)\S*|\*fill\*)\s+"
                   r"0x[0-9a-f]+\s+(0x[0-9a-f]+)(?: (\S.*))?$", re.M)
# What the compiler adds to the name of a function of which it made a version.
VERSION = re.compile(r"\.(?:lto_priv|constprop|isra|part|cold|localalias)(?:\.\d+)?")


def gate(target):
    """What a target may have; None for the profile tiny where there is no such goal."""
    name, _, profile = target.partition("-")
    with open(os.path.join(ROOT, "toolchains", name + ".mk"), encoding="utf-8") as f:
        found = re.search(rf"^{'TINY' if profile else 'GATE'} := (\d+)", f.read(), re.M)
    return int(found.group(1)) if found else None


def owners(target):
    """{function or object: path of its object below the build folder}; statics of one name share"""
    build = os.path.join(ROOT, "build", target)
    found = {}
    for path, name, is_defined in elf.symbols(elf.objects(build)):
        if is_defined:
            found.setdefault(name, os.path.relpath(path, build))
    return found


def place(section, name, owner):
    """(module, object) of a section in the map."""
    symbol = VERSION.sub("", section.split(".", 2)[-1])
    if not name:
        return "gaps", ""
    member = re.search(r"lib(\w+)\.a\((.*)\)$", name)
    if symbol in owner and ("ltrans" in name or member):
        path = owner[symbol]
    elif "ltrans" in name:
        return "texts" if ".str" in section else "start", ""
    elif member:
        return {"c": "libc", "gcc": "libgcc"}.get(member[1], member[1]), member[2]
    else:
        path = "" if "/sysroot/" in name else name.partition("build/")[2].partition("/")[2]
    module = "bearssl" if path.startswith("bearssl") else os.path.dirname(path) or "start"
    return module, path


def objects(target):
    """[(module, object, bytes)] of what is in the program."""
    path = os.path.join(ROOT, "build", target, "nodepass.map")
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"\n( \.\S+)\n +(0x)", r"\n\1 \2", text)
    owner = owners(target)
    return [(*place(section, name, owner), int(size, 16))
            for section, size, name in PIECE.findall(text)]


def print_largest(target):
    modules, parts = collections.Counter(), collections.Counter()
    for module, part, size in objects(target):
        modules[module] += size
        parts[part or module] += size
    print(f"\n{target}: modules, largest objects")
    for (module, a), (part, b) in zip(
            modules.most_common() + [("", 0)] * COUNT, parts.most_common(len(modules))):
        print(f"  {a or '':>7} {module:<20} {b:>7} {part}")


def row(target):
    size = os.path.getsize(os.path.join(ROOT, "build", target, "nodepass"))
    return f"| {target} | {size} | {gate(target)} | {max(size - gate(target), 0) or ''} |\n"


def with_tiny(targets):
    """The targets, and what there is of them in the profile tiny."""
    tiny = [target + "-tiny" for target in targets]
    return targets + [name for name in tiny if gate(name) is not None and is_built(name)]


def is_built(target):
    return os.path.exists(os.path.join(ROOT, "build", target, "nodepass"))


def write(targets):
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as f:
        head, rest = f.read().split(BEGIN)
    table = HEAD + "".join(row(target) for target in with_tiny(targets))
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + BEGIN + table + END + rest.split(END)[1])


def stale():
    """Rows of README.md that differ from a program that is built by more than 1 %."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        table = f.read().split(BEGIN)[1].split(END)[0]
    wrong = 0
    for target, told in re.findall(r"^\| ([\w-]+) \| (\d+) \|", table, re.M):
        path = os.path.join(ROOT, "build", target, "nodepass")
        if is_built(target) and abs(os.path.getsize(path) - int(told)) * 100 > int(told):
            print(f"README.md: {target} is {os.path.getsize(path)} bytes, not {told}: "
                  "want tests/cross/sizes.py --write")
            wrong += 1
    return wrong


def main():
    named = [a for a in sys.argv[1:] if not a.startswith("-")]
    targets = named if named and "--write" not in sys.argv else list(elf.ABI)
    if "--stale" in sys.argv:
        return stale()
    missing = [target for target in targets if not is_built(target)]
    if missing:
        sys.exit(f"sizes: not built: {' '.join(missing)}; want make cross")
    print(HEAD + "".join(row(target) for target in with_tiny(targets)), end="")
    if "--write" in sys.argv:
        write(targets)
    for target in targets if "--largest" in sys.argv else ():
        print_largest(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
