# SPDX-License-Identifier: BSD-3-Clause
"""Bytes per second of the large build over the tap, plain; nothing may be lost.

The gate is 300 Mbit/s. Where others use the machine (load above half a task a processor before the
measurement) a slower run is measured twice more, and only less than a third of that fails."""
import hashlib
import os
import time

from base import LwipCase
from lib import net

BLOCK = os.urandom(1 << 20)
BLOCKS = 200
WANT_MBIT = 300


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


class Speed(LwipCase):
    """Single-end forwarding: every byte goes through lwIP twice."""

    def once(self, tunnel, bulk, is_up):
        start = time.monotonic()
        with tunnel.connect(120) as sock:
            if is_up:
                sock.sendall(b"TAKE\n")
                for _ in range(BLOCKS):
                    sock.sendall(BLOCK)
                sock.shutdown(1)
                self.assertEqual(sock.recv(4), b"done")
                self.assertEqual(bulk.taken, expected())
            else:
                sock.sendall(b"GIVE\n")
                self.assertEqual(net.sha_to_end(sock, 120), expected())
        return len(BLOCK) * BLOCKS * 8 / (time.monotonic() - start) / 1e6

    def test_throughput(self):
        bulk = self.serve(Bulk("10.9.0.1", self.port()))
        tunnel = self.alone(bulk, program="NP_LWIP_SPEED_BIN")
        is_shared = os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)
        for is_up in (False, True):
            best = 0.0
            for _ in range(3 if is_shared else 2):
                best = max(best, self.once(tunnel, bulk, is_up))
                if best >= WANT_MBIT:
                    break
            print("lwIP on the tap, one session %s: %.0f Mbit/s%s" % (
                "up" if is_up else "down", best, " (shared machine)" if is_shared else ""))
            self.assertGreaterEqual(best, WANT_MBIT / 3 if is_shared else WANT_MBIT)
        self.end(tunnel)
        counters = tunnel.client.counters()
        self.assertEqual([counters[k] for k in ("no buffer", "not sent", "pool empty")], [0, 0, 0])
