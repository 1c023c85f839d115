#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs every tier of tests, two lanes side by side, each tier in a network of its own (alone.sh),
and ends with `N passed, N failed`.

Usage: tests/check.py [--list] [TIER ...]        (no TIER: all; the build tiers always run)
Each tier prints its own `N passed, N failed`; a tier that prints none, runs no test, or runs into
its time limit counts as failed, and so does a test that was skipped when root runs this.
Output of each tier: build/check/TIER.log
Environment: SEEDS (simulated networks, 20000), FUZZ_S (seconds a parser, 5), SOAK_S (180).
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "check")
SEEDS = int(os.environ.get("SEEDS", "20000"))
FUZZ_S = int(os.environ.get("FUZZ_S", "5"))
SOAK_S = int(os.environ.get("SOAK_S", "180"))
BUDGET_S = 3000  # for all tiers together: CI has an hour for these, lint, installation and sizes
START = time.monotonic()
# What names a failure in the tiers' logs; the lines after it, marked so, are its reason.
BAD = re.compile(r"^\s*(FAIL|SKIP|failed:|not ok)|\b(FAILED|Sanitizer|[Ee]rror:)"
                 r"|^\s+(\| |\S+\.[ch]:\d+: )")
COUNT = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", re.M)

# name, lane, limit in seconds, command. Lane 0 runs first and alone: the builds.
TIERS = [
    ("build", 0, 900, "make -j2 all unit-program contract-programs simtest-program "
     "tlspipe-program"),
    ("build-poll", 0, 900, "make -j2 BACKEND=poll build/host-poll/nodepass contract-programs"),
    ("build-san", 0, 900, "make -j2 SAN=1 build/host-san/nodepass unit-program contract-programs "
     "simtest-program tlspipe-program"),
    ("build-san-poll", 0, 900, "make -j2 SAN=1 BACKEND=poll contract-programs"),
    ("build-musl", 0, 900, "make -j2 T=musl build/musl/nodepass contract-programs"),
    ("build-clang", 0, 900, "make -j2 CC=clang B=build/host-clang build/host-clang/nodepass "
     "unit-program contract-programs"),
    ("build-profiles", 0, 900, "for p in config/profiles/*.h; do p=$(basename $p .h); "
     "make -j2 PROFILE=$p build/host-$p/nodepass || exit 1; done"),
    ("build-fuzz", 0, 900, "make -j2 SAN=fuzz fuzz-programs"),
    ("build-lwip", 0, 900, "make -j2 lwip-tap contract-lwip-program && make -j2 SAN=1 "
     "contract-lwip-program build/host-san/nodepass-lwip && for p in tiny small; do make -j2 SAN=1 "
     "PROFILE=$p build/host-$p-san/nodepass-lwip || exit 1; done"),
    ("unit", 1, 120, "build/host/unit"),
    ("unit-san", 1, 300, "build/host-san/unit"),
    ("contract-epoll", 1, 120, "build/host/contract-posix"),
    ("contract-poll", 1, 120, "build/host-poll/contract-posix"),
    ("contract-musl", 1, 120, "build/musl/contract-posix"),
    ("contract-sim", 1, 120, "build/host/contract-sim"),
    ("contract-lwip", 1, 120, "build/host/contract-lwip"),
    ("contract-lwip-san", 1, 120, "build/host-san/contract-lwip"),
    ("contract-epoll-san", 1, 120, "build/host-san/contract-posix"),
    ("contract-poll-san", 1, 120, "build/host-poll-san/contract-posix"),
    ("contract-sim-san", 1, 120, "build/host-san/contract-sim"),
    ("sim", 1, 900, f"build/host/simtest --seeds {SEEDS}"),
    ("sim-san", 1, 900, f"build/host-san/simtest --seeds {max(SEEDS // 20, 1)}"),
    ("mutants", 1, 300, "python3 tests/sim/mutants.py --seeds 2000 conn-reuse short-write "
     "slot-leak fin-for-launch stranger-served timer-order"),
    ("docs", 1, 60, "python3 tests/docs.py build/host/nodepass"),
    ("memory", 1, 120, "python3 tests/size/idle.py"),
    ("arm", 1, 300, "tests/tls/arm.sh"),
    ("firmware", 1, 900, "python3 tests/firmware/run.py --build"),  # the tap: root, /dev/net/tun
    ("web", 1, 300, "python3 tests/web/run.py"),
    ("web-real", 2, 300, "python3 tests/web/run.py --real build/host/nodepass"),
    ("openwrt", 1, 300, "python3 tests/openwrt/run.py build/musl/nodepass"),
    ("ctcheck", 1, 200, "tests/tls/ctcheck.sh"),
    ("fuzz", 1, 240 + 20 * (FUZZ_S + 5), f"tests/fuzz/run.sh {FUZZ_S}"),
    ("e2e", 2, 900, "NP_BIN=build/host/nodepass python3 tests/e2e/run.py"),
    ("e2e-musl", 2, 120, "NP_BIN=build/musl/nodepass python3 tests/e2e/run.py "
     "-k 'test_(dns|ctl|logs)|Names|Rights'"),  # what it does itself in place of the C library
    ("e2e-poll", 2, 600, "NP_BIN=build/host-poll/nodepass python3 tests/e2e/run.py --subset quick"),
    ("e2e-tls", 2, 900, "NP_E2E_TLS=1 NP_BIN=build/host/nodepass python3 tests/e2e/run.py "
     "-k 'test_(modes|relay|limits|life|real|hostile|faults)|test_udp.Framed'"),
    ("e2e-san", 2, 1200, "NP_BIN=build/host-san/nodepass NP_E2E_SLOW=3 python3 tests/e2e/run.py "
     "--without test_master_speed"),  # a sanitizer is no measure of speed
    ("lwip", 2, 850, "python3 tests/lwip/run.py"),  # root and /dev/net/tun
    ("tls", 2, 600, "python3 tests/tls/interop.py"),
    ("tls-san", 2, 900, "NP_TLSPIPE=build/host-san/tlspipe NP_TLS_BULK=5000000 "
     "python3 tests/tls/interop.py"),
    ("soak", 2, 400, f"NP_BIN=build/host/nodepass python3 tests/e2e/soak.py --seconds {SOAK_S}"),
    ("demo", 2, 120, "python3 tests/demo.py build/host/nodepass"),
]


class Totals:
    """Counts of both lanes; one lock, since lanes are threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = 0
        self.bad = []

    def add(self, name, passed, failed, seconds, why, log):
        with self.lock:
            self.passed += passed
            self.failed += failed
            word = "FAIL" if failed else "ok  "
            print(f"{word}  {name:<18} {seconds:4.0f} s  {passed} passed, {failed} failed{why}",
                  flush=True)
            if failed:
                self.bad.append(name)
                for line in telling(log):
                    print(f"      {line}", flush=True)


def telling(log):
    """The lines of a failed tier's log that say what went wrong, else its last ones."""
    with open(log, encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    bad = [line for line in lines if BAD.search(line)]
    return bad[:40] + lines[-2:] if bad else lines[-40:]


def time_left():
    """Seconds of the whole run's budget."""
    return int(START + BUDGET_S - time.monotonic())


def run_limited(command, limit, log):
    """Exit code of the command, or None when it ran into the limit (its whole group is ended)."""
    with open(log, "w", encoding="utf-8") as out:
        child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return child.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            return None


def judge(name, code, limit, log):
    """(passed, failed, remark) of a finished tier."""
    with open(log, encoding="utf-8", errors="replace") as f:
        counts = COUNT.findall(f.read())
    passed, failed, skipped = (int(n or 0) for n in counts[-1]) if counts else (0, 0, 0)
    if code is None:
        return passed, max(failed, 1), f" (ran into its limit of {limit} s)"
    if name.startswith("build"):
        return (1, 0, "") if code == 0 else (0, 1, f" (exit {code})")
    if not counts:
        return 0, 1, f" (exit {code}, printed no count)"
    if code != 0:
        return passed, max(failed, 1), f" (exit {code})"
    has_tap = name not in ("lwip", "firmware") or os.path.exists("/dev/net/tun")
    if skipped and os.geteuid() == 0 and has_tap:
        return passed, failed + skipped, f" ({skipped} skipped, though root has every tool)"
    if passed == 0 and skipped:
        return 0, 0, f" ({skipped} skipped: a tool is missing)"
    if passed == 0 and not skipped:
        return 0, 1, " (ran no test)"
    return passed, failed, ""


def run_lane(tiers, totals, prefix):
    for name, _, limit, command in tiers:
        log = os.path.join(LOGS, name + ".log")
        start = time.monotonic()
        limit = max(min(limit, time_left()), 1)
        code = run_limited(prefix + ["bash", "-c", command], limit, log)
        passed, failed, why = judge(name, code, limit, log)
        totals.add(name, passed, failed, time.monotonic() - start, why, log)


def main():
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    unknown = set(wanted) - {t[0] for t in TIERS}
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    if "--list" in sys.argv or unknown:
        for name, _, limit, command in TIERS:
            print(f"{name:<18} {limit:5} s at most  {command}")
        return 2 if unknown else 0
    os.makedirs(LOGS, exist_ok=True)
    chosen = [t for t in TIERS if not wanted or t[0] in wanted or t[1] == 0]
    print(f"running {len(chosen)} tiers; details in build/check/", flush=True)
    totals = Totals()
    run_lane([t for t in chosen if t[1] == 0], totals, [])  # these may fetch sources
    lanes = [threading.Thread(target=run_lane, args=([t for t in chosen if t[1] == n], totals,
                                                     ["tests/alone.sh"])) for n in (1, 2)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    if totals.bad:
        print(f"failed tiers: {' '.join(totals.bad)} (build/check/TIER.log)")
    print(f"{totals.passed} passed, {totals.failed} failed")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
