#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests of this folder in a network namespace of their own.

    run.py [-k PATTERN] [--speed]       (--speed: only the measurement)
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]
BUDGET_S = 800


def set_up():
    """Deadlines for what has to happen: only a failure waits for them, however busy the machine."""
    os.environ.setdefault("NP_E2E_SLOW", "6")
    san = "-san" if os.path.exists(os.path.join(ROOT, "build/host-san/nodepass-lwip")) else ""
    for name, path in (("NP_BIN", "build/host%s/nodepass" % san),
                       ("NP_LWIP_BIN", "build/host%s/nodepass-lwip" % san),
                       ("NP_LWIP_SPEED_BIN", "build/host/nodepass-lwip"),
                       ("NP_LWIP_TINY_BIN", "build/host-tiny%s/nodepass-lwip" % san),
                       ("NP_LWIP_SMALL_BIN", "build/host-small%s/nodepass-lwip" % san)):
        os.environ[name] = os.path.abspath(os.environ.get(name, os.path.join(ROOT, path)))


def outside():
    """Makes the namespace and runs this program in it."""
    why = None
    if os.geteuid() != 0:
        why = "want root"
    elif not os.path.exists("/dev/net/tun"):
        why = "want /dev/net/tun"
    if why is None:
        name = "nplwip-%d" % os.getpid()
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
        why = None if made.returncode == 0 else "no network namespaces: %s" % made.stderr.decode()
    if why is not None:
        print("SKIP  tests of lwIP on a tap: %s" % why.strip())
        print("0 passed, 0 failed, 1 skipped")
        return 0
    try:
        env = dict(os.environ, NP_LWIP_INSIDE="1")
        return subprocess.run(["ip", "netns", "exec", name, sys.executable, *sys.argv], env=env,
                              check=False).returncode
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


class Result(unittest.TextTestResult):
    """A line a test, with its time."""

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def tell(self, word, test):
        took = time.monotonic() - self.begun
        print("%-5s %5.1f s  %s" % (word, took, test.id()), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.tell("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell("FAIL", test)
        print(self._exc_info_to_string(err, test), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.tell("FAIL", test)
        print(self._exc_info_to_string(err, test), flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.tell("SKIP", test)
        print("  %s" % reason, flush=True)


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def inside(args):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pattern = "test_speed" if args.speed else args.k
    names = [os.path.basename(p)[:-3] for p in sorted(glob.glob(os.path.join(HERE, "test_*.py")))]
    tests = [t for t in flatten(unittest.defaultTestLoader.loadTestsFromNames(names))
             if not pattern or re.search(pattern, t.id())]
    result = Result(unittest.runner._WritelnDecorator(sys.stderr), False, 0)
    start = time.monotonic()
    for test in tests:
        if time.monotonic() - start > BUDGET_S:
            result.addError(test, (TimeoutError, TimeoutError("no time is left"), None))
            break
        test.run(result)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    print("%d passed, %d failed, %d skipped" % (result.testsRun - failed - skipped, failed,
                                                skipped))
    return 1 if failed or result.testsRun == 0 else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", default="")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    if not os.environ.get("NP_LWIP_INSIDE"):
        return outside()
    set_up()
    return inside(args)


if __name__ == "__main__":
    sys.exit(main())
