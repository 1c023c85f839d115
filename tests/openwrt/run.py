#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of port/openwrt without a device; ends with `N passed, N failed`.

Usage: tests/openwrt/run.py [--write] [PROGRAM] [GROUP ...]   (groups: text init packages luci)
  --write   renews the golden cases of the init script: look at what changed
  PROGRAM   a static program of this machine (build/musl/nodepass)
"""
import os
import sys

import test_init
import test_luci
import test_packages
import test_text

GROUPS = {"text": test_text, "init": test_init, "packages": test_packages, "luci": test_luci}


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, good, detail=()):
        self.passed += bool(good)
        self.failed += not good
        print(("ok    " if good else "FAIL  ") + name, flush=True)
        for line in () if good else [str(d) for d in detail][:40]:
            print("      | " + line.replace("\n", "\n      | "), flush=True)


def main():
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    program = os.path.abspath(next((w for w in words if w not in GROUPS), "build/musl/nodepass"))
    report = Report()
    if not os.access(program, os.X_OK):
        sys.exit(f"{program} is missing: make T=musl build/musl/nodepass")
    for name, group in GROUPS.items():
        if name in words or not set(words) & set(GROUPS):
            try:
                group.run(report.check, program, "--write" in sys.argv)
            except Exception as error:  # noqa: BLE001 - a group that breaks is a failure
                report.check(f"{name} ran to its end", False, [repr(error)])
                if "-v" in sys.argv:
                    raise
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
