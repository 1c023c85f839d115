#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Mixed TCP and UDP load through a dual-end tunnel, both ends ours, with memory and descriptors of
both processes flat.

    soak.py [--seconds N] [--mode reverse|forward]

Bounds: after a warm-up of a fifth of the time (at most 30 s), no sample of resident memory exceeds
the largest of the warm-up by more than 512 KB, and the middle of the last third exceeds the middle
of the first by at most 256 KB; after the load descriptors are back within 16 of the start. No
session fails.
"""
import argparse
import os
import random
import statistics
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from lib import net, proc  # noqa: E402
from lib.case import Case, wait_until  # noqa: E402

SPIKE_KB, DRIFT_KB, FD_SLACK = 512, 256, 16
OPTIONS = {"seconds": 180, "mode": "reverse"}
WORKERS = 6


class Soak(Case):
    """One tunnel, a few visitors that do a bit of everything."""

    port_base = 9000

    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.done = {"tcp": 0, "udp": 0, "bulk": 0, "reset": 0, "idle": 0}
        self.bytes = 0
        self.errors = []

    def visitor(self, number, tunnel):
        source = random.Random(number)
        kinds = ["tcp"] * 5 + ["udp"] * 4 + ["bulk", "reset", "idle"]
        while not self.stop.is_set():
            kind = source.choice(kinds)
            try:
                getattr(self, "do_" + kind)(tunnel, source)
                self.done[kind] += 1
            except (OSError, AssertionError, EOFError) as error:
                self.errors.append("%s: %s: %s" % (kind, type(error).__name__, error))
            time.sleep(0.002)

    def do_tcp(self, tunnel, source):
        data = net.pattern(b"%d" % source.randrange(1000), source.randrange(1, 60_000))
        with tunnel.connect() as sock:
            sock.sendall(b"ECHO\n")
            assert net.exchange(sock, data) == data, "content differs"
        self.bytes += len(data)

    def do_udp(self, tunnel, source):
        with net.udp_visitor(tunnel.visit) as sock:
            sent = [source.randbytes(source.randrange(0, 1400)) for _ in range(8)]
            for data in sent:
                sock.send(data)
            assert net.drain_udp(sock, 8, 15) == sent, "datagrams differ"

    def do_bulk(self, tunnel, source):
        size, seed = source.randrange(1_000_000, 6_000_000), b"%d" % source.randrange(9)
        with tunnel.connect() as sock:
            sock.sendall(b"SOURCE %s %d\n" % (seed, size))
            assert net.sha_to_end(sock) == (net.pattern_sha(seed, size), size), "content differs"
        self.bytes += size

    def do_reset(self, tunnel, source):
        sock = tunnel.connect()
        sock.sendall(b"SOURCE r 3000000\n")
        net.read_exact(sock, source.randrange(1, 500_000))
        net.reset(sock)

    def do_idle(self, tunnel, source):
        with tunnel.connect():
            time.sleep(source.random() * 0.2)

    def test_soak(self):
        seconds = OPTIONS["seconds"]
        target, _ = self.both()
        # The pool grows under load and shrinks by one an interval: not for minutes after the end.
        tunnel = getattr(self, OPTIONS["mode"])(target, env={
            "NP_UDP_READ_TIMEOUT": "5s", "NP_MAX_POOL_INTERVAL": "100ms"})
        self.check_echo(tunnel)
        before = self.idle_figures(tunnel)
        threads = [threading.Thread(target=self.visitor, args=(i, tunnel), daemon=True)
                   for i in range(WORKERS)]
        for thread in threads:
            thread.start()
        samples = self.watch(tunnel, seconds)
        self.stop.set()
        for thread in threads:
            thread.join(15)
        print("%s, %.1f GB, %d errors" % (self.done, self.bytes / 1e9, len(self.errors)))
        self.assertEqual(self.errors[:5], [])
        for end, values in zip(tunnel.ends(), zip(*samples)):
            self.judge(end.name, values, seconds)
        wait_until(lambda: target.open_count() == 0, 10, "targets are left alone")
        self.check_fds_back(tunnel, before, slack=FD_SLACK, seconds=60)
        print("descriptors before %s, after %s" % (before, [e.fd_count() for e in tunnel.ends()]))

    def watch(self, tunnel, seconds):
        """(RSS of each end) twice a second, with a line now and then."""
        samples, start, said = [], time.monotonic(), 0
        while time.monotonic() - start < seconds and len(self.errors) < 20:
            samples.append(tuple(end.rss_kb() for end in tunnel.ends()))
            if time.monotonic() - start >= said:
                said += 20
                print("%4.0f s  RSS %s KB  descriptors %s  sessions %d" % (
                    time.monotonic() - start, samples[-1], [e.fd_count() for e in tunnel.ends()],
                    sum(self.done.values())), flush=True)
            time.sleep(0.5)
        return samples

    def judge(self, name, values, seconds):
        warm = max(2, int(2 * min(30, seconds / 5)))
        rest = values[warm:]
        third = max(1, len(rest) // 3)
        drift = statistics.median(rest[-third:]) - statistics.median(rest[:third])
        print("%s: RSS warm-up at most %d KB, later at most %d KB, drift %+.0f KB" % (
            name, max(values[:warm]), max(rest), drift))
        factor = 4 if proc.is_sanitized() else 1
        self.assertLessEqual(max(rest) - max(values[:warm]), SPIKE_KB * factor, name)
        self.assertLessEqual(drift, DRIFT_KB * factor, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--mode", choices=["reverse", "forward"], default="reverse")
    OPTIONS.update(vars(parser.parse_args()))
    result = unittest.TestResult()
    Soak("test_soak").run(result)
    problems = result.failures + result.errors
    for _, text in problems:
        print(text)
    print("%d passed, %d failed" % (result.testsRun - len(problems), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
