#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the master's pages in Chromium: against the mock, or with --real against the program.

Usage: run.py [--real PROGRAM] [-k PATTERN]          last line: `N passed, N failed`
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def missing():
    """What tests/setup.sh would bring, or None."""
    for program in ("node", "chromium"):
        if not shutil.which(os.environ.get("NP_CHROMIUM", program) if program == "chromium"
                            else program):
            return program
    if not os.path.isdir(os.path.join(ROOT, "build", "deps", "web", "node_modules",
                                      "playwright-core")):
        return "playwright-core"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", metavar="PROGRAM")
    parser.add_argument("-k", metavar="PATTERN", default="")
    options = parser.parse_args()
    what = missing()
    if what:
        sys.exit("%s is missing: run tests/setup.sh" % what)
    if options.real:
        start = [os.path.abspath(options.real),
                 "master://127.0.0.1:PORT" + "PREFIX?log=debug&state=STATE"]
    else:
        start = [sys.executable, os.path.join(HERE, "mock.py"), "--port", "PORT", "--state",
                 "STATE", "--prefix", "PREFIX", "--interval", "0.7"]
    env = dict(os.environ, NP_WEB_START=json.dumps(start), NP_WEB_REAL="1" if options.real else "0")
    return subprocess.run(["node", os.path.join(HERE, "all.mjs")] + [options.k] * bool(options.k),
                          env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
