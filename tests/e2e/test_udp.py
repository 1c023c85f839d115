# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams: boundaries, bursts, sizes, many sources, bad moments."""
import contextlib
import random
import socket
import time

from lib import gomodel, net
from lib.case import TLS, Case, Tunnel, limit, quick, wait_until


class Framed(Case):
    """Both ends ours: every datagram whole, in order, to its own source."""

    SIZES = (1, 200, 0, 1400, 2048, 3, 0, 777)

    def burst(self, tunnel, seed, sizes=SIZES):
        sent = [net.pattern(b"%d-%d" % (seed, i), size) for i, size in enumerate(sizes)]
        with net.udp_visitor(tunnel.visit) as sock:
            for data in sent:
                sock.send(data)
            return sent, net.drain_udp(sock, len(sent), 5)

    @quick
    def test_bursts_of_eight_arrive_whole_and_in_order(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo):
            for seed in range(60):
                sent, got = self.burst(tunnel, seed)
                self.assertEqual([len(d) for d in got], [len(d) for d in sent], (name, seed))
                self.assertEqual(got, sent, name)

    def test_parallel_sources_keep_their_own(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo):

            def visitor(seed, tunnel=tunnel):
                sizes = [random.Random(seed).randrange(0, 1500) for _ in range(8)]
                return [self.burst(tunnel, seed * 1000 + i, sizes) for i in range(10)]

            for pairs in net.parallel(visitor, range(40), 40):
                for sent, got in pairs:
                    self.assertEqual(got, sent, name)

    def test_bursts_from_the_target(self):
        """A target that answers one datagram with eight."""
        port = self.port()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", port))
        sock.settimeout(5)
        self.addCleanup(sock.close)
        for name, tunnel in self.modes("127.0.0.1:%d" % port):
            with net.udp_visitor(tunnel.visit) as visitor:
                visitor.send(b"go")
                _, peer = sock.recvfrom(100)
                sent = [net.pattern(b"t%d" % i, size) for i, size in enumerate(self.SIZES)]
                for data in sent:
                    sock.sendto(data, peer)
                self.assertEqual(net.drain_udp(visitor, 8, 5), sent, name)

    def test_largest_datagram_as_configured(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo, env={"NP_UDP_DATA_BUF_SIZE": "65507"}):
            whole_in_a_record = TLS and name != "single"
            for size in (16384, 9000, 1) if whole_in_a_record else (65507, 60000, 9000, 1):
                data = net.pattern(b"big%d" % size, size)
                with net.udp_visitor(tunnel.visit) as sock:
                    sock.send(data)
                    self.assertEqual(net.sha(sock.recv(65536)), net.sha(data), (name, size))

    def test_datagrams_beyond_the_other_ends_buffer_are_dropped_alone(self):
        _, echo = self.both()
        tunnel, visit = "secret@127.0.0.1:%d" % self.port(), ("127.0.0.1", self.port())
        server = self.node("server://%s/%s?mode=1" % (tunnel, net.where(*visit)),
                           env={"NP_UDP_DATA_BUF_SIZE": "60000"}, name="server")
        net.wait_listening(tunnel.rpartition(":")[2])
        client = self.node("client://%s/%s?mode=2" % (tunnel, echo.where),
                           env={"NP_UDP_DATA_BUF_SIZE": "2048"}, name="client")
        self.wait_up(Tunnel(visit, server, client))
        with net.udp_visitor(visit) as sock:
            for number in range(20):
                first, last = (net.pattern(b"%d %d" % (number, i), 100) for i in range(2))
                sock.send(first)
                sock.send(bytes(20000))
                sock.send(last)
                self.assertEqual(net.drain_udp(sock, 2, 5), [first, last])

    def test_too_large_datagrams_do_not_break_the_session(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo):
            with net.udp_visitor(tunnel.visit, 1) as sock:
                sock.send(bytes(5000))
                time.sleep(0.1)
                net.drain_udp(sock, 1, 0.2)  # dropped or cut, as the limit says
                sock.send(b"small one")
                self.assertEqual(net.drain_udp(sock, 1, 3)[-1:], [b"small one"], name)

    @limit(60)
    def test_steady_stream_is_not_lost(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo):
            with net.udp_visitor(tunnel.visit) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                lost = 0
                for round_number in range(200):
                    batch = [b"%d-%d" % (round_number, i) + bytes(180) for i in range(20)]
                    for data in batch:
                        sock.send(data)
                    got = net.drain_udp(sock, 20, 3)
                    lost += 20 - len(got)
                    self.assertTrue(set(got) <= set(batch), name)
                self.assertEqual(lost, 0, name)


class ToGo(Case):
    """A Go peer knows no frames: datagrams travel bare, each with its own send."""

    KEY = b"QWERTYUI"

    def echo_one_by_one(self, visit):
        for size in (1, 500, 1400, 2000):
            data = net.pattern(b"g%d" % size, size)
            with net.udp_visitor(visit) as sock:
                for _ in range(3):
                    sock.send(data)
                    self.assertEqual(sock.recv(65536), data)

    @quick
    def test_our_server_go_client(self):
        _, echo = self.both()
        port, visit = self.port(), ("127.0.0.1", self.port())
        server = self.node("server://QWERTYUI@127.0.0.1:%d/%s?mode=1" % (port, net.where(*visit)))
        net.wait_listening(port)
        peer = self.serve(gomodel.GoClient(("127.0.0.1", port), self.KEY,
                                           ("127.0.0.1", echo.port)).start())
        server.wait_log("Tunnel handshaked")
        self.echo_one_by_one(visit)
        self.assertEqual(peer.faults, [])

    def test_our_client_go_server(self):
        _, echo = self.both()
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        peer = self.serve(gomodel.GoServer(tunnel, self.KEY, visit, "-").start())
        client = self.node("client://QWERTYUI@%s/%s?mode=2&min=4" % (
            net.where(*tunnel), echo.where))
        client.wait_log("Tunnel handshaked")
        self.echo_one_by_one(visit)
        self.assertEqual(peer.faults, [])

    def test_empty_datagrams_are_dropped_not_fatal(self):
        _, echo = self.both()
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        peer = self.serve(gomodel.GoServer(tunnel, self.KEY, ("127.0.0.1", echo.port), "+").start())
        client = self.node("client://QWERTYUI@%s/%s?mode=2&min=4" % (
            net.where(*tunnel), net.where(*visit)))
        client.wait_log("Tunnel handshaked")
        net.wait_listening(visit[1], udp=True)
        with net.udp_visitor(visit) as sock:
            for data in (b"one", b"", b"two"):
                sock.send(data)
                time.sleep(0.1)
            self.assertEqual(net.drain_udp(sock, 3, 1), [b"one", b"two"])
        self.assertEqual(peer.faults, [])


class ManySources(Case):
    @limit(90)
    def test_ten_thousand_source_ports(self):
        """The table fills; the oldest sessions make room and newcomers are served."""
        _, echo = self.both()
        for name, tunnel in self.modes(echo, env={"NP_UDP_READ_TIMEOUT": "60s"}, slot=500):
            answered = 0
            for i in range(10_000):
                with net.udp_visitor(tunnel.visit, 1) as sock:
                    sock.send(b"n%d" % i)
                    if i % 100 == 99:
                        answered += len(net.drain_udp(sock, 1, 2))
            print("%s: %d of 100 probes answered, RSS %s KB" % (
                name, answered, [end.rss_kb() for end in tunnel.ends()]))
            self.assertGreater(answered, 90, name)
            for end in tunnel.ends():
                self.assertLess(end.fd_count(), 2600)
            with net.udp_visitor(tunnel.visit) as sock:
                sock.send(b"after the flood")
                self.assertEqual(sock.recv(100), b"after the flood", name)


class BadMoments(Case):
    def test_nobody_at_the_target(self):
        """ICMP unreachable ends nothing but, at most, that session."""
        port = self.port()
        for name, tunnel in self.modes("127.0.0.1:%d" % port):
            with net.udp_visitor(tunnel.visit, 0.3) as sock:
                for _ in range(5):
                    with contextlib.suppress(OSError):
                        sock.send(b"anyone?")
                    time.sleep(0.05)
            echo = net.UdpEcho("127.0.0.1", port)
            try:
                with net.udp_visitor(tunnel.visit, 0.5) as sock:

                    def answered(sock=sock):
                        with contextlib.suppress(OSError):
                            sock.send(b"now?")
                            return sock.recv(100) == b"now?"
                        return False

                    wait_until(answered, 5, name + ": a new visitor is served")
            finally:
                echo.close()

    def test_visitor_that_went_away_does_not_stop_the_others(self):
        """A target's late answers to a closed port bring ICMP errors to the visitor socket."""
        _, echo = self.both()
        for name, tunnel in self.modes(echo):
            for _ in range(50):
                sock = net.udp_visitor(tunnel.visit)
                sock.send(b"bye")
                sock.close()
            self.check_udp(tunnel)
            with net.udp_visitor(tunnel.visit) as sock:
                for i in range(20):
                    sock.send(b"%d" % i)
                    self.assertEqual(sock.recv(100), b"%d" % i, name)
