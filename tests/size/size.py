#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Flash, memory and stack figures of the host and the static musl build.

Usage: tests/size/size.py           print everything
       tests/size/size.py --write   also rewrite the table in README.md
       tests/size/size.py --stale   exit 1 if README.md differs by more than 5 %
"""
import glob
import os
import re
import subprocess
import sys

import idle

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- size:begin -->", "<!-- size:end -->"
VARIANTS = ("host", "musl")
TOLERANCE = 0.05
MEASURED = "resident, a client with 64 idle pool connections"  # rows that another kernel changes


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"size: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def build():
    for variant in VARIANTS:
        run("make", "-s", f"T={variant}", f"build/{variant}/nodepass", f"build/{variant}/sizes")


def compiler():
    return run("gcc", "-dumpfullversion").strip()


# ---- figures -------------------------------------------------------------------------------------

def sections(path):
    """text, data, bss of one object or program."""
    return tuple(int(n) for n in run("size", path).splitlines()[1].split()[:3])


def modules(variant):
    """Sums per folder of the objects that go into the program."""
    sums = {}
    base = os.path.join(ROOT, "build", variant)
    for folder in ("core", "config", "platform/posix", "port/posix", "deps"):
        for path in glob.glob(f"{base}/{folder}/**/*.o", recursive=True):
            name = os.path.relpath(os.path.dirname(path), base)
            old = sums.get(name, (0, 0, 0))
            sums[name] = tuple(a + b for a, b in zip(old, sections(path)))
    return sums


def program(variant):
    """(text, data, bss, bytes of the stripped file)"""
    path = f"build/{variant}/nodepass"
    stripped = path + ".stripped"
    run("strip", "-o", stripped, path)
    return sections(path) + (os.path.getsize(os.path.join(ROOT, stripped)),)


def largest_functions(variant, count):
    found = []
    for line in run("nm", "-S", "--defined-only", f"build/{variant}/nodepass").splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[2] in "tT":
            found.append((int(parts[1], 16), parts[3]))
    return sorted(found, reverse=True)[:count]


def largest_frames(variant, count):
    found = []
    for folder in ("core", "config", "platform/posix", "port/posix"):
        for path in glob.glob(f"{ROOT}/build/{variant}/{folder}/**/*.su", recursive=True):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    where, size, kind = line.rstrip("\n").split("\t")
                    found.append((int(size), where.split(":")[0] + ":" + where.split(":")[-1],
                                  kind))
    return sorted(found, reverse=True)[:count]


def objects(variant):
    """Pools as (name, bytes, purpose) and apps as (name, bytes, handles)."""
    pools, apps = [], []
    for line in run(f"build/{variant}/sizes").splitlines():
        word, rest = line.split(" ", 1)
        if word == "pool":
            name, size, _, purpose = rest.split(" ", 3)
            pools.append((name, int(size), purpose))
        else:
            name, size, handles = rest.split()
            apps.append((name, int(size), int(handles)))
    return pools, apps


# ---- report --------------------------------------------------------------------------------------

def print_modules():
    for variant in VARIANTS:
        print(f"\n{variant}: bytes per module (objects, before unused functions are dropped)")
        print(f"  {'module':<16} {'text':>8} {'data':>7} {'bss':>7}")
        for name, sums in sorted(modules(variant).items()):
            print(f"  {name:<16} {sums[0]:>8} {sums[1]:>7} {sums[2]:>7}")
        text, data, bss, size = program(variant)
        print(f"  {'program':<16} {text:>8} {data:>7} {bss:>7}   stripped file {size}")


def print_extremes():
    print("\nlargest functions (host)")
    for size, name in largest_functions("host", 10):
        print(f"  {size:>7}  {name}")
    print("\nlargest stack frames (host)")
    for size, where, kind in largest_frames("host", 10):
        print(f"  {size:>7}  {where}{'' if kind == 'static' else ' (' + kind + ')'}")


def print_objects():
    pools, apps = objects("host")
    print("\nbytes per object (host)")
    for name, size, purpose in pools:
        print(f"  {size or '-':>7}  {name:<10} {purpose}")
    for name, size, handles in apps:
        print(f"  {size:>9}  reserved by a {name} with default settings ({handles} handles); "
              "pages that are never used cost nothing")


def resident():
    """Rows of what is measured on running programs, in bytes."""
    program_path = os.path.join(ROOT, "build/musl/nodepass")
    return [f"| {MEASURED}, {name} (static musl build) | "
            f"{idle.measure(program_path, tls)[0] * 1024} |"
            for tls, name in ((0, "plain"), (1, "TLS"))]


def table():
    host, musl = program("host"), program("musl")
    pools, _ = objects("host")
    lines = [f"Made by `make size` with gcc {compiler()}, x86_64.", "",
             "| Part | Bytes |", "|---|---:|",
             f"| program, static musl build, stripped | {musl[3]} |",
             f"| program, host build, stripped | {host[3]} |",
             "| fixed data (static musl build; a page costs memory once it is used) "
             f"| {musl[1] + musl[2]} |"]
    lines += [f"| {purpose} | {size} |" for _, size, purpose in pools if size]
    frame = largest_frames("host", 1)
    lines += [f"| largest stack frame | {frame[0][0]} |"] if frame else []
    return lines


def readme():
    path = os.path.join(ROOT, "README.md")
    if not os.path.exists(path):
        sys.exit("size: README.md is missing")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if BEGIN not in text or END not in text:
        sys.exit(f"size: README.md has no {BEGIN} ... {END}")
    head, rest = text.split(BEGIN, 1)
    old, tail = rest.split(END, 1)
    return path, head, old.strip().splitlines(), tail


def cells(lines):
    return {m.group(1): int(m.group(2)) for m in
            (re.match(r"^\| (.*) \| (\d+) \|$", line) for line in lines) if m}


def stale():
    old_lines = readme()[2]
    made_with = re.search(r"gcc (\S+),", "\n".join(old_lines))
    if made_with and made_with.group(1) != compiler():
        print(f"size table: made with gcc {made_with.group(1)}, this is {compiler()}: not compared")
        return 0
    old, new = cells(old_lines), cells(table())
    old = {name: value for name, value in old.items() if not name.startswith(MEASURED)}
    errors = [f"{name}: README.md says {old.get(name)}, now {value}"
              for name, value in new.items()
              if name not in old or abs(old[name] - value) > max(TOLERANCE * value, 16)]
    errors += [f"{name}: in README.md only" for name in old if name not in new]
    for error in errors:
        print(error)
    print(f"size table: {len(errors)} row(s) stale of {len(new)}" +
          ("; run tests/size/size.py --write" if errors else ""))
    return 1 if errors else 0


def write():
    path, head, _, tail = readme()
    text = head + BEGIN + "\n" + "\n".join(table() + resident()) + "\n" + END + tail
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    build()
    if "--stale" in sys.argv:
        return stale()
    print_modules()
    print_extremes()
    print_objects()
    print("\n" + "\n".join(table() + resident()))
    if "--write" in sys.argv:
        write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
