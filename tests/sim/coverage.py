#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lines and branches of core/ that unit tests and simulated networks reach (gcov of gcc).

Usage: tests/sim/coverage.py [--seeds N] [--missed FILE]
Objects and counts: build/cov. --missed lists the lines of one file that nothing reached.
Fails below the goals of 95 % of lines and 90 % of branches.
"""
import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = "build/cov"
LINES, BRANCHES = 95.0, 90.0


def build_and_run(seeds):
    subprocess.run(["make", "-j2", f"B={OUT}", "OPT=-O0", "WARN=-w",
                    "CFLAGS=--coverage -DNP_FAST_ONE_COPY", f"{OUT}/unit", f"{OUT}/simtest"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for folder, _, names in os.walk(os.path.join(ROOT, OUT)):
        for name in names:
            if name.endswith(".gcda"):
                os.remove(os.path.join(folder, name))
    for command in ([f"{OUT}/unit"], [f"{OUT}/simtest", "--seeds", str(seeds)]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                              check=False)
        print(" ".join(command) + ": " + done.stdout.strip().split("\n")[-1], flush=True)


def objects():
    """The .gcno files of core/."""
    for folder, _, names in os.walk(os.path.join(ROOT, OUT, "core")):
        for name in sorted(names):
            if name.endswith(".gcno"):
                yield os.path.join(folder, name)


class Count:
    def __init__(self):
        self.lines, self.branches = {}, {}

    def take(self, line):
        number = line["line_number"]
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        for i, branch in enumerate(line["branches"]):
            key = (number, i)
            self.branches[key] = self.branches.get(key, 0) + branch["count"]

    def figures(self):
        """(lines, lines reached, branches, branches taken)"""
        return (len(self.lines), sum(n > 0 for n in self.lines.values()),
                len(self.branches), sum(n > 0 for n in self.branches.values()))


def collect():
    """Counts by source file of core/."""
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        for gcno in objects():
            subprocess.run(["gcov", "-b", "--json-format", gcno], cwd=scratch, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(scratch):
                with gzip.open(os.path.join(scratch, name), "rt", encoding="utf-8") as f:
                    data = json.load(f)
                os.remove(os.path.join(scratch, name))
                for item in data["files"]:
                    path = os.path.normpath(item["file"])
                    if path.startswith("core/"):
                        count = counts.setdefault(path, Count())
                        for line in item["lines"]:
                            count.take(line)
    return counts


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def show(name, figures):
    lines, reached, branches, taken = figures
    print(f"{name:<40} {percent(reached, lines):6.1f} % of {lines:5} lines"
          f"  {percent(taken, branches):6.1f} % of {branches:5} branches")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--missed")
    args = parser.parse_args()
    if shutil.which("gcov") is None:
        print("gcov is missing: install gcc")
        return 2
    build_and_run(args.seeds)
    counts = collect()
    if args.missed:
        count = counts[args.missed]
        with open(os.path.join(ROOT, args.missed), encoding="utf-8") as f:
            text = f.read().split("\n")
        for number in sorted(count.lines):
            never = [i for (at, i), n in count.branches.items() if at == number and n == 0]
            if count.lines[number] == 0 or never:
                what = "never" if count.lines[number] == 0 else f"-{len(never)} br"
                print(f"{number:5} {what:<6} {text[number - 1]}")
    total = [0, 0, 0, 0]
    folders = {}
    for name in sorted(counts):
        figures = counts[name].figures()
        show(name, figures)
        folder = folders.setdefault(os.path.dirname(name), [0, 0, 0, 0])
        for i, value in enumerate(figures):
            folder[i] += value
            total[i] += value
    for name in sorted(folders):
        show(name + "/", folders[name])
    show("all", total)
    is_good = percent(total[1], total[0]) >= LINES and percent(total[3], total[2]) >= BRANCHES
    print(f"{1 if is_good else 0} passed, {0 if is_good else 1} failed")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
