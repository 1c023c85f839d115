#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the end-to-end tests: each in a process group of its own, with its own ports and time limit.

    run.py [-k PATTERN] [--subset quick] [--list] [--jobs N]
"""
import argparse
import contextlib
import glob
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from lib import patience  # pylint: disable=wrong-import-position

DEFAULT_LIMIT = 40
PORT_FIRST, PORT_BLOCK, PORT_BLOCKS = 10000, 100, 220


def find_tests(pattern, subset):
    """(id, test) in file order; `pattern` is a regular expression on the id."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        name = os.path.splitext(os.path.basename(path))[0]
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        for test in flatten(suite):
            if isinstance(test, unittest.loader._FailedTest):  # the module does not import
                found.append((name, test))
                continue
            test_id = test.id()
            if pattern and not re.search(pattern, test_id):
                continue
            if subset == "quick" and not mark(test, "quick", False):
                continue
            found.append((test_id, test))
    return found


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def mark(test, name, default):
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    return getattr(method, name, getattr(type(test), name, default))


def claim_block(first):
    """(number, claim) of a block of ports that no other run on this machine holds."""
    for offset in range(PORT_BLOCKS):
        block = (first + offset) % PORT_BLOCKS
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind("\0np-e2e-ports-%d" % block)
            return block, claim
        except OSError:
            claim.close()
    raise RuntimeError("all blocks of ports are taken")


class Running:
    """A test in its own process group."""

    def __init__(self, test_id, test, first_block):
        self.test_id = test_id
        block, self.claim = claim_block(first_block)
        self.limit = patience.Limit(mark(test, "limit", DEFAULT_LIMIT))
        self.report = tempfile.NamedTemporaryFile(prefix="np-e2e-report-", delete=False).name
        self.start = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.child(test, PORT_FIRST + block * PORT_BLOCK)

    def child(self, test, port):
        """Never returns."""
        code = 3
        with contextlib.suppress(BaseException):
            os.setsid()
            text, outcome = run_test(test, port)
            with open(self.report, "w", encoding="utf-8") as out:
                json.dump({"outcome": outcome, "text": text}, out)
            code = 0
        os._exit(code)

    def poll(self):
        """None while it runs, else (outcome, text)."""
        pid, _ = os.waitpid(self.pid, os.WNOHANG)
        timed_out = self.limit.is_over()
        if pid == 0 and not timed_out:
            return None
        self.end_group()
        if pid == 0:
            os.waitpid(self.pid, 0)
            self.take_report()
            return "FAIL", "no end within %d s" % self.limit.seconds
        return self.take_report()

    def take_report(self):
        try:
            with open(self.report, encoding="utf-8") as report:
                data = json.load(report)
            return data["outcome"], data["text"]
        except (OSError, ValueError):
            return "FAIL", "the test process left no report"
        finally:
            os.unlink(self.report)

    def end_group(self):
        """Ends what the test left running: its own group only; its ports are free again."""
        self.claim.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def run_test(test, port):
    """(text, outcome) of one test, in the child."""
    type(test).port_base = port
    out = io.StringIO()
    result = unittest.TestResult()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            test.run(result)
        except Exception:  # pylint: disable=broad-except
            return out.getvalue() + traceback.format_exc(), "FAIL"
    problems = result.failures + result.errors
    if problems:
        return out.getvalue() + "\n".join(text for _, text in problems), "FAIL"
    if result.skipped:
        return result.skipped[0][1], "SKIP"
    return out.getvalue(), "ok"


class Runner:
    """Starts tests as slots become free; those that must be alone come last."""

    def __init__(self, tests, jobs):
        self.shared = [t for t in tests if not mark(t[1], "alone", False)]
        self.lonely = [t for t in tests if mark(t[1], "alone", False)]
        self.jobs, self.running, self.block = jobs, [], os.getpid() % PORT_BLOCKS
        self.outcomes = {"ok": 0, "FAIL": 0, "SKIP": 0}
        self.failed = []

    def run(self):
        try:
            self.run_queue(self.shared, self.jobs)
            self.run_queue(self.lonely, 1)
        finally:
            for item in self.running:
                item.end_group()

    def run_queue(self, queue, jobs):
        # The longest limit first, so that the end is not one long test alone.
        queue.sort(key=lambda item: -mark(item[1], "limit", DEFAULT_LIMIT))
        while queue or self.running:
            while queue and len(self.running) < jobs:
                test_id, test = queue.pop(0)
                self.running.append(Running(test_id, test, self.block))
                self.block += 1
            time.sleep(0.02)
            for item in list(self.running):
                done = item.poll()
                if done:
                    self.running.remove(item)
                    self.say(item, *done)

    def say(self, item, outcome, text):
        self.outcomes[outcome] += 1
        took = time.monotonic() - item.start
        note = "  (%s)" % text.strip().splitlines()[-1] if outcome == "SKIP" and text else ""
        print("%-4s %6.2f s  %s%s" % (outcome, took, item.test_id, note))
        if outcome == "FAIL":
            self.failed.append(item.test_id)
            print("\n".join("     | " + line for line in text.rstrip().splitlines()))
        elif outcome == "ok" and text.strip():
            print("\n".join("     : " + line for line in text.rstrip().splitlines()[-6:]))
        sys.stdout.flush()


def remove_namespaces():
    """Network namespaces that tests of this run made and could not remove."""
    prefix = "npe2e%d-" % os.getpid()
    with contextlib.suppress(OSError):
        shown = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
        for line in shown.stdout.splitlines():
            name = line.split()[0]
            if name.startswith(prefix):
                subprocess.run(["ip", "netns", "del", name], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose id matches")
    parser.add_argument("--without", metavar="PATTERN", help="none of the tests whose id matches")
    parser.add_argument("--subset", choices=["quick"])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=3, choices=[1, 2, 3])
    options = parser.parse_args()
    tests = [t for t in find_tests(options.k, options.subset)
             if not (options.without and re.search(options.without, t[0]))]
    if options.list:
        for test_id, _ in tests:
            print(test_id)
        return 0
    from lib import proc
    if not os.access(proc.BINARY, os.X_OK):
        print("no program at %s (NP_BIN)" % proc.BINARY)
        return 2
    os.environ["NP_E2E_RUN"] = str(os.getpid())
    start = time.monotonic()
    runner = Runner(tests, options.jobs)
    try:
        runner.run()
    finally:
        remove_namespaces()
    if runner.failed:
        print("failed: " + " ".join(runner.failed))
    print("%.0f s" % (time.monotonic() - start))
    skipped = ", %d skipped" % runner.outcomes["SKIP"] if runner.outcomes["SKIP"] else ""
    print("%d passed, %d failed%s" % (runner.outcomes["ok"], runner.outcomes["FAIL"], skipped))
    return 1 if runner.failed or not runner.outcomes["ok"] + runner.outcomes["SKIP"] else 0


if __name__ == "__main__":
    sys.exit(main())
