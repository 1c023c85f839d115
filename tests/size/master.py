#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the master adds to a static program: two builds, with and without it (MASTER=0).

Usage: tests/size/master.py [--gate] [TARGET ...]     default: x86_64 armv7hf
  --gate   exit 1 if the master is above its limit, or the pages are

Pages are the packed documents (build/web/pages_data.c); the rest is code and its constants: the
master itself, and the client `nodepass ctl` beside it, which the limit does not count.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = ("x86_64", "armv7hf")
CODE_MAX, PAGES_MAX = 60 * 1024, 32 * 1024


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"master: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def sections(path):
    """Bytes of code, constants and data; the file has gaps up to whole pages beside them."""
    text, data = run("size", path).splitlines()[1].split()[:2]
    return int(text) + int(data)


def program(target, master):
    variant = target if master else target + "-nomaster"
    run("make", "-s", "-j2", f"T={target}", f"MASTER={int(master)}", f"build/{variant}/nodepass")
    return sections(f"build/{variant}/nodepass")


def ctl(target):
    """Bytes of nodepass ctl, from the link's map."""
    with open(os.path.join(ROOT, "build", target, "nodepass.map"), encoding="utf-8") as f:
        text = f.read()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"\n( \.\S+)\n +(0x)", r"\n\1 \2", text)
    pieces = re.findall(r"^ \.(?:text|rodata|data)\S*\s+0x(\w+)\s+0x(\w+) \S*/ctl\w*\.o$", text,
                        re.M)
    return sum(int(size, 16) for address, size in pieces if int(address, 16) > 0)


def main():
    targets = [a for a in sys.argv[1:] if not a.startswith("-")] or TARGETS
    is_over = False
    print("| target | with | without | pages | master | ctl |\n|---|---:|---:|---:|---:|---:|")
    for target in targets:
        with_it, without = program(target, True), program(target, False)
        page_bytes = sections(f"build/{target}/core/master/pages_data.o")
        ctl_bytes = ctl(target)
        code = with_it - without - page_bytes - ctl_bytes
        is_over = is_over or code > CODE_MAX or page_bytes > PAGES_MAX
        print(f"| {target} | {with_it} | {without} | {page_bytes} | {code} | {ctl_bytes} |")
    print(f"limits: master {CODE_MAX}, pages {PAGES_MAX}")
    sys.exit(1 if is_over and "--gate" in sys.argv else 0)


if __name__ == "__main__":
    main()
