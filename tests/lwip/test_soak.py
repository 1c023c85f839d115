# SPDX-License-Identifier: BSD-3-Clause
"""Mixed sessions on the smallest profile: what the stack holds goes back to where it was.

NP_LWIP_SOAK_S: how long (default 20)."""
import os
import random
import threading
import time

from base import LwipCase
from lib import net

SECONDS = float(os.environ.get("NP_LWIP_SOAK_S", "20"))


class Soak(LwipCase):
    """Two visitors at a time, who end in every way."""

    def test_mixed_sessions(self):
        target = self.target()
        self.udp_echo(port=target.port)
        tunnel = self.alone(target, program="NP_LWIP_TINY_BIN")
        self.check_echo(tunnel, 1000)
        memory, end, faults, count = tunnel.client.rss_kb(), time.monotonic() + SECONDS, [], [0, 0]

        def visit(number):
            rng = random.Random(number)
            while time.monotonic() < end:
                try:
                    kind = rng.choice((0, 1, 2, 4))
                    if kind == 0:
                        self.check_source(tunnel, rng.randrange(1, 200000))
                    elif kind == 1:
                        self.check_sink(tunnel, rng.randrange(1, 200000))
                    elif kind == 2:
                        self.check_echo(tunnel, rng.randrange(1, 50000))
                    else:
                        sock = tunnel.connect()
                        sock.sendall(b"SOURCE s 1000000\n")
                        sock.recv(1000)
                        net.reset(sock)
                    count[number] += 1
                except (OSError, AssertionError) as error:
                    faults.append("visitor %d, kind %d: %r" % (number, kind, error))

        threads = [threading.Thread(target=visit, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        print("%d sessions in %.0f s" % (sum(count), SECONDS))
        self.check_rss(tunnel.client, 1000, memory)
        self.end(tunnel)
        self.assertEqual(tunnel.client.counters()["no buffer"], 0)
