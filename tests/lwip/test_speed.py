# SPDX-License-Identifier: BSD-3-Clause
"""Bytes per second of the large build over the tap, plain; nothing may be lost.

The gate is 300 Mbit/s, on a busy machine too: what counts is the time that a run had. From its wall
clock goes what the system kept from it: the time that the program and the busiest thread of its
peers stood in the queue for a processor (schedstat), and what a hypervisor stole. Time in which
they waited for bytes stays, so that a stall counts in full; and no more goes than leaves the
processor time that the program took, so that wasted work counts in full, too."""
import glob
import hashlib
import os
import time

from base import LwipCase
from lib import net

BLOCK = os.urandom(1 << 20)
BLOCKS = 200
WANT_MBIT = 300
RUNS = 5


def expected():
    digest = hashlib.sha256()
    for _ in range(BLOCKS):
        digest.update(BLOCK)
    return digest.hexdigest(), len(BLOCK) * BLOCKS


class Bulk(net.TcpServer):
    """Sends the blocks, or takes bytes: what the first line says."""

    def __init__(self, host, port):
        self.taken = None
        super().__init__(host, port)

    def serve(self, sock, peer):
        if net.read_line(sock) == b"GIVE":
            for _ in range(BLOCKS):
                sock.sendall(BLOCK)
            return
        self.taken = net.sha_to_end(sock, 120)
        sock.sendall(b"done")


def schedstat(path):
    """(seconds on a processor, seconds in the queue for one)."""
    try:
        with open(path, encoding="ascii") as source:
            run_ns, queue_ns = map(int, source.read().split()[:2])
        return run_ns / 1e9, queue_ns / 1e9
    except OSError:  # a thread has ended, or the system does not count
        return 0.0, 0.0


def stolen_share(before, after):
    """Of the processors' time between two first lines of /proc/stat."""
    grown = [b - a for a, b in zip(before, after)]
    return grown[7] / max(1, sum(grown[:8]))


def stat_line():
    with open("/proc/stat", encoding="ascii") as source:
        return [int(n) for n in source.readline().split()[1:]]


class Watch:
    """What the machine gave to a run: to process `pid` and to the threads of this one."""

    def __init__(self, pid):
        self.own = "/proc/%d/schedstat" % pid
        self.begun = time.monotonic()
        self.before, self.stat, self.threads = schedstat(self.own), stat_line(), self.read_threads()

    @staticmethod
    def read_threads():
        return {path: schedstat(path) for path in glob.glob("/proc/self/task/*/schedstat")}

    def stop(self, threads):
        """(wall clock, time of the run that counts, processor time of the process); `threads`: the
        last figures of those that end with the run."""
        wall_s = time.monotonic() - self.begun
        run_s, queue_s = (b - a for a, b in zip(self.before, schedstat(self.own)))
        threads = {**threads, **self.read_threads()}
        peer = max(now[1] - self.threads.get(path, (0, 0))[1] for path, now in threads.items())
        stolen_s = wall_s * stolen_share(self.stat, stat_line())
        return wall_s, max(wall_s - queue_s - peer - stolen_s, run_s), run_s


class Speed(LwipCase):
    """Single-end forwarding: every byte goes through lwIP twice."""

    def once(self, tunnel, bulk, is_up):
        """(Mbit/s by the wall clock, in the time it had, a second of processor time)."""
        with tunnel.connect(120) as sock:
            watch = Watch(tunnel.client.pid)
            if is_up:
                sock.sendall(b"TAKE\n")
                for _ in range(BLOCKS):
                    sock.sendall(BLOCK)
                threads = watch.read_threads()
                sock.shutdown(1)
                self.assertEqual(sock.recv(4), b"done")
            else:
                sock.sendall(b"GIVE\n")
                digest, size = hashlib.sha256(), 0
                while size < len(BLOCK) * BLOCKS:
                    data = sock.recv(net.BLOCK)
                    self.assertTrue(data, "ended after %d bytes" % size)
                    digest.update(data)
                    size += len(data)
                threads = watch.read_threads()
            times = watch.stop(threads)
            if is_up:
                self.assertEqual(bulk.taken, expected())
            else:
                self.assertEqual((sock.recv(1), digest.hexdigest(), size), (b"", *expected()))
        return [len(BLOCK) * BLOCKS * 8 / seconds / 1e6 for seconds in times]

    def test_throughput(self):
        bulk = self.serve(Bulk("10.9.0.1", self.port()))
        tunnel = self.alone(bulk, program="NP_LWIP_SPEED_BIN")
        for is_up in (False, True):
            best = [0.0, 0.0, 0.0]
            for run in range(RUNS):
                best = max(best, self.once(tunnel, bulk, is_up), key=lambda m: m[1])
                if best[0] >= WANT_MBIT or (run > 0 and best[1] >= WANT_MBIT):
                    break
            print("lwIP on the tap, one session %s: %.0f Mbit/s; %.0f in the time that the machine "
                  "gave, %.0f a processor" % ("up" if is_up else "down", *best), flush=True)
            self.assertGreaterEqual(best[1], WANT_MBIT)
        self.end(tunnel)
        counters = tunnel.client.counters()
        self.assertEqual([counters[k] for k in ("no buffer", "not sent", "pool empty")], [0, 0, 0])
