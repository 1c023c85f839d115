#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Resident memory of a client that keeps 64 idle pool connections, plain and with TLS; fails above
the bars that a router needs.

Usage: tests/size/idle.py [PROGRAM]      (default: the static musl build, built when needed)
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BARS_KB = {0: 1200, 1: 1800}  # by tls=
POOL = 64
WAIT_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(name + r":\s+(\d+) kB", f.read()).group(1))


def start(program, url, log):
    env = {k: v for k, v in os.environ.items() if not k.startswith("NP_")}
    env["NP_REPORT_INTERVAL"] = "500ms"
    with open(log, "w", encoding="utf-8") as out:
        return subprocess.Popen([program, url], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                env=env)


def wait_for(log, pattern):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        with open(log, encoding="utf-8") as f:
            text = f.read()
        if re.search(pattern, text):
            return
        time.sleep(0.1)
    sys.exit(f"idle: no {pattern!r} within {WAIT_S} s\n{text}")


def measure(program, tls):
    """(resident, of it anonymous, peak) in KB once all 64 connections are idle."""
    with tempfile.TemporaryDirectory() as folder:
        tunnel, visit = free_port(), free_port()
        logs = [os.path.join(folder, name) for name in ("server", "client")]
        ends = [start(program, f"server://k@127.0.0.1:{tunnel}/127.0.0.1:{visit}?mode=1&tls={tls}",
                      logs[0])]
        try:
            wait_for(logs[0], "Server started")
            ends.append(start(program, f"client://k@127.0.0.1:{tunnel}/127.0.0.1:9?mode=2"
                              f"&min={POOL}", logs[1]))
            wait_for(logs[1], rf"CHECK_POINT\|MODE=2\|PING=\d+ms\|POOL={POOL}\|")
            time.sleep(1)
            return tuple(status(ends[1].pid, name) for name in ("VmRSS", "RssAnon", "VmHWM"))
        finally:
            for end in reversed(ends):
                end.terminate()
                end.wait(10)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/musl/nodepass")
    if len(sys.argv) == 1:
        subprocess.run(["make", "-s", "T=musl", "build/musl/nodepass"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    failed = 0
    for tls, bar in BARS_KB.items():
        resident, own, peak = measure(os.path.abspath(program), tls)
        good = peak <= bar
        failed += 0 if good else 1
        print(f"{'ok  ' if good else 'FAIL'}  client, {POOL} idle pool connections, tls={tls}: "
              f"{resident} KB resident ({own} KB not of the file), peak {peak} KB, bar {bar} KB")
    print(f"{len(BARS_KB) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
