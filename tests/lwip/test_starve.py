# SPDX-License-Identifier: BSD-3-Clause
"""One session must not starve another: on the profile of 64 KB, where everything is short."""
import socket
import threading
import time

from base import LwipCase
from lib import case, net


class Starve(LwipCase):
    """Four sessions at most, eight connections, a heap of some kilobytes."""

    def tiny(self, target, query=""):
        return self.alone(target, query, program="NP_LWIP_TINY_BIN")

    def check_others(self, tunnel, seconds=60):
        """Bytes of every kind still go both ways."""
        self.check_echo(tunnel, 1000, seconds)
        self.check_source(tunnel, 100000, seconds)
        self.check_sink(tunnel, 100000, seconds)

    def fill(self, sock, seconds=1.0):
        """Writes until nothing fits any more. Returns how many bytes."""
        sock.settimeout(seconds)
        count = 0
        try:
            while True:
                count += sock.send(b"f" * 4096)
        except socket.timeout:
            return count

    def test_stalled_readers(self):
        target = self.target()
        tunnel = self.tiny(target)
        socks = []
        for name in ("one", "two", "three"):
            sock = tunnel.connect()
            sock.sendall(b"MUTE %s\n" % name.encode())
            self.fill(sock)
            socks.append(sock)
        self.check_others(tunnel)
        for sock in socks:
            net.reset(sock)
        case.wait_until(lambda: target.open_count() <= 3, 10, "the stalled ones are gone")
        for _ in range(10):
            self.check_echo(tunnel, 5000)

    def test_stalled_peers_with_data_under_way(self):
        target = self.target()
        tunnel = self.tiny(target)
        socks = []
        for _ in range(3):  # nobody reads what lwIP wants to deliver to the visitor
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.settimeout(60)
            sock.connect(tunnel.visit)
            sock.sendall(b"SOURCE s 5000000\n")
            socks.append(sock)
        time.sleep(1.5)
        self.check_others(tunnel)
        for sock in socks:
            sock.close()
        self.heal(tunnel)

    def test_one_byte_segments(self):
        target = self.target()
        tunnel = self.tiny(target)
        done = []

        def trickle(number):
            with tunnel.connect() as sock:
                sock.sendall(b"ECHO\n")
                data = net.pattern(b"%d" % number, 1500)
                for at in range(len(data)):
                    sock.send(data[at:at + 1])
                sock.shutdown(socket.SHUT_WR)
                done.append(net.read_to_end(sock, 60) == data)

        threads = [threading.Thread(target=trickle, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        self.check_others(tunnel)
        for thread in threads:
            thread.join(120)
        self.assertEqual(done, [True] * 3)

    def test_every_place_taken(self):
        target = self.target()
        tunnel = self.tiny(target)
        socks = []
        for number in range(4):
            socks.append(tunnel.connect())
            socks[-1].sendall(b"NAME n%d\n" % number)
        case.wait_until(lambda: len(target.named) == 4, 10, "four sessions")
        late = []
        for _ in range(6):  # they wait: never one of the four is hurt
            sock = socket.socket()
            sock.setblocking(False)
            self.assertRaises(BlockingIOError, sock.connect, tunnel.visit)
            late.append(sock)
        time.sleep(2)
        for number, sock in enumerate(socks):
            sock.sendall(b"still%d" % number)
            case.wait_until(lambda n=number: target.got["n%d" % n] == b"still%d" % n, 5, "bytes")
        for sock in late:
            sock.close()
        for sock in socks:
            net.reset(sock)
        self.heal(tunnel)
        tunnel.client.wait_log("every TCP place was taken")

    def test_many_in_a_row_and_at_once(self):
        target = self.target()
        tunnel = self.tiny(target)

        def visit(number):
            for _ in range(30):
                try:
                    self.check_echo(tunnel, 100 + number, 5)
                    return True
                except (OSError, AssertionError):
                    time.sleep(0.05)
            return False

        self.assertEqual(net.parallel(visit, range(100), 6), [True] * 100)
        self.assertEqual(net.parallel(visit, range(100), 2), [True] * 100)

    def test_datagrams_of_many(self):
        echo = self.udp_echo()
        tunnel = self.alone(echo, program="NP_LWIP_TINY_BIN")
        for number in range(30):  # more sources than places: the oldest goes
            self.check_udp(tunnel, b"from %d" % number)
        with net.udp_visitor(tunnel.visit) as sock:
            for number in range(500):
                sock.send(b"flood %d" % number)
        time.sleep(0.5)
        self.check_udp(tunnel)

    def test_tunnel_of_the_smallest(self):
        target = self.target()
        tunnel = self.pair("reverse", "client", target, program="NP_LWIP_TINY_BIN")
        for _ in range(20):
            self.check_echo(tunnel, 3000)
        self.check_source(tunnel, 300000)
        self.check_sink(tunnel, 300000)

    def test_tls_of_the_next(self):
        target = self.target()
        for _, tunnel in self.every(target, ("reverse client", "forward client"),
                                    query="tls=1", program="NP_LWIP_SMALL_BIN"):
            self.check_source(tunnel, 300000)
            self.check_sink(tunnel, 300000)
            net.parallel(lambda n, t=tunnel: self.check_echo(t, 2000 + n), range(24), 4)
            self.heal(tunnel)


class Full(LwipCase):
    """The large build has ends, too."""

    def test_half_open_visitors(self):
        target = self.target()
        tunnel = self.alone(target)
        socks = [tunnel.connect() for _ in range(100)]  # they say nothing
        self.check_echo(tunnel, 10000)
        for sock in socks:
            sock.close()
        self.heal(tunnel)
