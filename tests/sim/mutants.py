#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plants each defect of mutants.txt in a copy of the tree; simtest must see it.

Usage: tests/sim/mutants.py [--seeds N] [--list] [NAME ...]     (no NAME: all of them)
Copy and objects: build/mutants. Ends with `N passed, M failed`; passed = caught.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(ROOT, "build", "mutants")
COPIED = ("config", "core", "platform/sim", "platform/np_plat.h", "tests/sim", "toolchains")
LIMIT_S = 300


class Mutant:
    def __init__(self, name, why):
        self.name, self.why = name, why
        self.seeds = 0   # a rare defect needs more of them than usual
        self.edits = []  # [file, old lines, new lines]


def load():
    """Every mutant of mutants.txt, in order."""
    mutants = []
    with open(os.path.join(ROOT, "tests/sim/mutants.txt"), encoding="utf-8") as f:
        for number, line in enumerate(f.read().split("\n"), 1):
            if line.startswith("@ "):
                name, _, why = line[2:].partition(": ")
                mutants.append(Mutant(name, why))
            elif line.startswith("seeds "):
                mutants[-1].seeds = int(line[6:])
            elif line.startswith("file "):
                mutants[-1].edits.append([line[5:], [], []])
            elif line[:1] in ("-", "+"):
                mutants[-1].edits[-1][1 if line[0] == "-" else 2].append(line[1:])
            elif line and not line.startswith("#"):
                sys.exit(f"mutants.txt:{number}: not understood: {line}")
    return mutants


def copy_tree():
    """Brings the copy up to date; equal files keep their time, so that make skips them."""
    kept = set()
    for item in COPIED:
        top = os.path.join(ROOT, item)
        names = [item] if os.path.isfile(top) else [
            os.path.relpath(os.path.join(d, n), ROOT) for d, _, ns in os.walk(top) for n in ns]
        kept.update(names)
    kept.update(("Makefile", "VERSION", "tests/tests.mk"))
    for name in kept:
        source, target = os.path.join(ROOT, name), os.path.join(TREE, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(source, "rb") as f:
            text = f.read()
        if not os.path.exists(target) or open(target, "rb").read() != text:
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
    for folder in COPIED:
        for d, _, names in os.walk(os.path.join(TREE, folder)):
            for n in names:
                if os.path.relpath(os.path.join(d, n), TREE) not in kept:
                    os.remove(os.path.join(d, n))
    os.makedirs(os.path.join(TREE, "build"), exist_ok=True)
    deps = os.path.join(TREE, "build", "deps")
    if not os.path.islink(deps):
        os.symlink(os.path.join(ROOT, "build", "deps"), deps)


def build():
    """None, or what the compiler said."""
    done = subprocess.run(["make", "-j2", "simtest-program", "WARN=-w"], cwd=TREE,
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return None if done.returncode == 0 else done.stderr.strip()[-400:]


def run(seeds):
    """(exit code, output) of simtest; a run that hangs counts as an exit code of its own."""
    try:
        done = subprocess.run(["build/host/simtest", "--seeds", str(seeds), "--until-failure"],
                              cwd=TREE, capture_output=True, text=True, errors="replace",
                              timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def plant(mutant):
    """Applies the edits; returns the original texts, or an error."""
    originals = {}
    for name, old, new in mutant.edits:
        path = os.path.join(TREE, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        originals.setdefault(path, text)
        count = ("\n" + text).count("\n" + "\n".join(old) + "\n")
        if count != 1:
            return originals, f"{name}: the text stands there {count} times: {old[0].strip()}"
        text = ("\n" + text).replace("\n" + "\n".join(old) + "\n", "\n" + "\n".join(new) + "\n")[1:]
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return originals, None


def judge(mutant, seeds):
    """(caught, text for the table)."""
    originals, error = plant(mutant)
    try:
        if error is None:
            error = build()
        if error is not None:
            return False, f"does not fit: {error}"
        seeds = max(seeds, mutant.seeds)
        code, out = run(seeds)
    finally:
        for path, text in originals.items():
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    if code is None:
        return False, "simtest hangs"
    found = re.search(r"FAIL seed (\d+)(?: after [\d.]+ s)?: (.*)", out)
    if code != 1 or not found:
        return False, f"not seen in {seeds} seeds"
    return True, f"seed {found.group(1)}: {found.group(2)[:80]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    mutants = load()
    unknown = set(args.names) - {m.name for m in mutants}
    if unknown or args.list:
        print("\n".join(f"{m.name:<18} {m.why}" for m in mutants))
        return 2 if unknown else 0
    chosen = [m for m in mutants if not args.names or m.name in args.names]
    copy_tree()
    error = build()
    code, out = (1, error) if error else run(400)
    if code != 0:
        print(f"the tree itself fails:\n{out}\n0 passed, 1 failed")
        return 1
    passed = 0
    for mutant in chosen:
        start = time.monotonic()
        caught, text = judge(mutant, args.seeds)
        passed += caught
        seconds = time.monotonic() - start
        print(f"{'caught' if caught else 'MISSED'}  {mutant.name:<18} {seconds:4.1f} s  {text}",
              flush=True)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    return 0 if passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
