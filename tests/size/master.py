#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the master adds to a static program: three builds, as it is, without `nodepass ctl` (CTL=0),
and without both (MASTER=0).

Usage: tests/size/master.py [--gate] [TARGET ...]     default: x86_64 armv7hf
  --gate   exit 1 if the master is above its limit, or the pages are

Pages are the packed documents (build/web/pages_data.c). The master is what CTL=0 has more than
MASTER=0, less the pages; the client of its API, `nodepass ctl`, is what the whole program has more
than CTL=0, and the limit does not count it.
"""
import os
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


def program(target, without=None):
    """The size of a build, without one of MASTER, CTL or nothing."""
    path = f"build/{target}{'-no' + without.lower() if without else ''}/nodepass"
    run("make", "-s", "-j2", f"T={target}", *([f"{without}=0"] if without else []), path)
    return sections(path)


def measure(target):
    """Bytes of the master, of the pages, of nodepass ctl."""
    whole, bare, plain = (program(target, name) for name in (None, "CTL", "MASTER"))
    pages = sections(f"build/{target}/core/master/pages_data.o")
    return bare - plain - pages, pages, whole - bare


def over(master, pages):
    """Lines about what is above its limit."""
    return [f"{what}: {size} bytes, {size - limit} over the {limit} that it may have"
            for what, size, limit in (("master", master, CODE_MAX), ("pages", pages, PAGES_MAX))
            if size > limit]


def main():
    targets = [a for a in sys.argv[1:] if not a.startswith("-")] or TARGETS
    print("| target | master | pages | ctl |\n|---|---:|---:|---:|")
    wrong = []
    for target in targets:
        sizes = measure(target)
        print(f"| {target} | {' | '.join(map(str, sizes))} |", flush=True)
        wrong += [f"{target}: {line}" for line in over(*sizes[:2])]
    print(f"limits: master {CODE_MAX}, pages {PAGES_MAX}")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong and "--gate" in sys.argv else 0)


if __name__ == "__main__":
    main()
