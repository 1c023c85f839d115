# SPDX-License-Identifier: BSD-3-Clause
"""Faults of a network, in namespaces of our own (root): partitions, lost addresses, links down.
Each test ends with sessions working again, the time measured, descriptors and memory back."""
import contextlib
import socket
import threading
import time

from lib import net, netns
from lib.case import Case, Tunnel, limit, wait_until


class Hosts(Case):
    """A tunnel between two hosts; `lan` connects them."""

    def tunnel(self, mode, env=None):
        """Reverse: server and visitors on host a, client and target on b; forward: swapped."""
        a, b = self.lan.a, self.lan.b
        visit_at, target_at = (a, b) if mode == 1 else (b, a)
        # On loopback: it stays when the host's address goes.
        self.target = self.serve(target_at.inside(net.Target, "127.0.0.1", 7000))
        visit, target = net.where(visit_at.address, 8000), self.target.where
        # A pool that grew in need shrinks by one a second: it is kept within the slack of settle().
        server = self.node("server://k@%s:9000/%s?mode=%d&max=16" % (
            a.address, visit if mode == 1 else target, mode), env=env, name="server",
            prefix=a.prefix())
        client = self.node("client://k@%s:9000/%s?mode=2&min=8" % (
            a.address, target if mode == 1 else visit), env=env, name="client", prefix=b.prefix())
        result = Tunnel((visit_at.address, 8000), server, client)
        self.visitor_host = visit_at
        for end in result.ends():
            end.wait_log("Tunnel handshaked")
        wait_until(lambda: self.works(result), 5)
        return result

    def works(self, tunnel, timeout=1.0):
        def session():
            with contextlib.suppress(OSError, EOFError):
                with net.connect(tunnel.visit, timeout) as sock:
                    sock.sendall(b"ECHO\n")
                    return net.exchange(sock, b"x" * 1000, timeout) == b"x" * 1000
            return False

        return self.visitor_host.inside(session)

    def until_it_works(self, tunnel, what, seconds=30):
        start = time.monotonic()
        wait_until(lambda: self.works(tunnel), seconds, what, 0.1)
        took = time.monotonic() - start
        print("%s: sessions again after %.1f s" % (what, took))
        return took

    def end(self, tunnel):
        for end in reversed(tunnel.ends()):
            self.assertEqual(end.stop(), 0)
        self.target.close()

    def settle(self, tunnel, before):
        self.check_fds_back(tunnel, before, slack=16, seconds=20)
        for end in tunnel.ends():
            self.check_rss(end)


class Network(Hosts):
    def setUp(self):
        super().setUp()
        netns.need_namespaces()
        octet = self.port_base // 100 % 250 + 1
        self.lan = netns.Network(self, "10.231.%d" % octet)

    def test_partition_of_one_second_breaks_no_session(self):
        tunnel = self.tunnel(1, {"NP_REPORT_INTERVAL": "5s"})
        sock = self.visitor_host.inside(net.connect, tunnel.visit)
        sock.sendall(b"ECHO\n")
        self.lan.cut()
        sock.sendall(b"sent into the dark")
        time.sleep(1)
        self.lan.join()
        self.assertEqual(net.read_exact(sock, 18), b"sent into the dark")
        sock.close()
        self.assertEqual(tunnel.server.count("Tunnel handshaked"), 1, "the tunnel lived on")

    @limit(60)
    def test_partition_of_fifteen_seconds_reverse(self):
        self.partition(1, 15)

    @limit(60)
    def test_partition_of_six_seconds_forward(self):
        self.partition(2, 6)

    def partition(self, mode, seconds):
        tunnel = self.tunnel(mode)
        before = self.idle_figures(tunnel)
        running = self.visitor_host.inside(net.connect, tunnel.visit)
        running.sendall(b"NAME m%d\n" % mode)
        self.lan.cut()
        for end in tunnel.ends():
            end.wait_log(r"(INFO|WARN|ERROR)  .*(restarting|lost|dead|timed out)", 10)
        time.sleep(seconds)
        self.lan.join()
        took = self.until_it_works(tunnel, "partition, mode %d" % mode)
        self.assertLess(took, 20)
        running.close()
        self.settle(tunnel, before)

    @limit(60)
    def test_client_loses_its_address_and_gets_another(self):
        """The server remembers the client's address: the new one must be taken at once."""
        tunnel = self.tunnel(1)
        before = self.idle_figures(tunnel)
        b, lan = self.lan.b, self.lan.net
        b.ip("addr", "add", lan + ".9/24", "dev", "eth0")
        b.ip("addr", "del", b.address + "/24", "dev", "eth0")
        with contextlib.suppress(OSError):
            b.ip("addr", "add", lan + ".9/24", "dev", "eth0")  # went with the first one
        took = self.until_it_works(tunnel, "address change")
        self.assertLess(took, 20)
        self.assertTrue(tunnel.server.find(r"<-> %s\.9:" % lan.replace(".", r"\.")))
        self.settle(tunnel, before)

    @limit(60)
    def test_link_down_on_the_client_host(self):
        tunnel = self.tunnel(2)
        before = self.idle_figures(tunnel)
        self.lan.b.ip("link", "set", "eth0", "down")
        time.sleep(4)
        self.lan.b.ip("link", "set", "eth0", "up")
        took = self.until_it_works(tunnel, "link down for 4 s")
        self.assertLess(took, 20)
        self.settle(tunnel, before)

    @limit(60)
    def test_no_network_at_the_start(self):
        """Links that come up late, as at the boot of a router: each side says once what is missing,
        waits and begins by itself. The server's address is not there either."""
        a, b = self.lan.a, self.lan.b
        target = self.serve(b.inside(net.Target, "127.0.0.1", 7000))
        a.ip("addr", "del", a.address + "/24", "dev", "eth0")
        b.ip("link", "set", "eth0", "down")
        server = self.node("server://k@%s:9000/%s:8000?mode=1" % (a.address, a.address),
                           name="server", prefix=a.prefix())
        client = self.node("client://k@%s:9000/%s?mode=2&min=8" % (a.address, target.where),
                           name="client", prefix=b.prefix())
        server.wait_log(r"WARN .*Server restarting: tunnel address not bound: \S")
        client.wait_log(r"WARN .*Client restarting: server not reached: (network )?unreachable")
        time.sleep(5)  # several tries at this rhythm
        for node in (server, client):
            self.assertTrue(node.is_running())
            self.assertEqual(node.count("(WARN|ERROR) "), 1, node.name + " says why, once")
        a.ip("addr", "add", a.address + "/24", "dev", "eth0")
        b.ip("link", "set", "eth0", "up")
        tunnel = Tunnel((a.address, 8000), server, client)
        self.visitor_host = a
        took = self.until_it_works(tunnel, "network after 5 s")
        self.assertLess(took, 20)

    @limit(60)
    def test_server_host_dies_without_a_word(self):
        """The server is killed behind a partition, a new one starts: half-open connections at the
        client end and it joins the new server."""
        tunnel = self.tunnel(1)
        before = self.idle_figures(tunnel)
        self.lan.cut()
        args = tunnel.server.shown.split()
        tunnel.server.kill()
        tunnel.server = self.node(args[-1], name="server", prefix=self.lan.a.prefix())
        time.sleep(1)
        self.lan.join()
        took = self.until_it_works(tunnel, "server replaced behind a partition")
        self.assertLess(took, 20)
        self.settle(tunnel, before)

    @limit(60)
    def test_client_host_dies_without_a_word(self):
        tunnel = self.tunnel(1)
        before = self.idle_figures(tunnel)
        self.lan.cut()
        args = tunnel.client.shown.split()
        tunnel.client.kill()
        time.sleep(0.3)
        self.lan.join()
        tunnel.client = self.node(args[-1], name="client", prefix=self.lan.b.prefix())
        took = self.until_it_works(tunnel, "client replaced, the old one never said goodbye")
        self.assertLess(took, 20)
        self.settle(tunnel, before)

    def test_transfer_survives_short_cuts(self):
        tunnel = self.tunnel(1, {"NP_REPORT_INTERVAL": "5s"})
        size = 60_000_000
        sock = self.visitor_host.inside(net.connect, tunnel.visit)
        sock.sendall(b"SOURCE cuts %d\n" % size)
        done = []

        def read():
            done.append(net.sha_to_end(sock, 30))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for _ in range(3):
            time.sleep(0.1)
            self.lan.cut()
            time.sleep(0.4)
            self.lan.join()
        reader.join(30)
        sock.close()
        self.assertEqual(done, [(net.pattern_sha(b"cuts", size), size)])


class Lossy(Hosts):
    """A slow cable that loses, doubles and reorders frames."""

    def setUp(self):
        super().setUp()
        netns.need_namespaces()
        octet = self.port_base // 100 % 250 + 1
        self.lan = netns.Wire(self, "10.232.%d" % octet)

    def transfers(self, tunnel, size, seconds):
        """Content there and back, and half close both ways round."""
        connect = self.visitor_host.inside
        with connect(net.connect, tunnel.visit) as sock:
            sock.sendall(b"SOURCE far %d\n" % size)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(net.sha_to_end(sock, seconds), (net.pattern_sha(b"far", size), size))
        with connect(net.connect, tunnel.visit) as sock:
            data = net.pattern(b"near", size)
            sock.sendall(b"SINK\n")
            sock.settimeout(seconds)
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(net.read_to_end(sock, seconds).split()[0].decode(), net.sha(data))

    @limit(60)
    def test_delay_of_fifty_milliseconds(self):
        """The tunnel adds no round trip to a session: its connections are open already."""
        self.lan.disturb(delay_s=0.05)
        for mode in (1, 2):
            tunnel = self.tunnel(mode)
            times = []
            for _ in range(10):
                start = time.monotonic()
                with self.visitor_host.inside(net.connect, tunnel.visit) as sock:
                    sock.sendall(b"ECHO\nx")
                    self.assertEqual(sock.recv(1), b"x")
                times.append(time.monotonic() - start)
            print("mode %d: session and one byte back in %.0f ms" % (mode, 1000 * min(times)))
            self.assertLess(min(times), 0.18, "one round trip over the cable of 100 ms")
            point = tunnel.client.wait_log(r"CHECK_POINT\|MODE=2\|PING=(\d+)ms", 5)
            self.assertTrue(100 <= int(point.group(1)) < 180, point.group(0))
            self.transfers(tunnel, 2_000_000, 30)
            self.end(tunnel)

    @limit(90)
    def test_loss_doubles_and_overtaking(self):
        self.lan.disturb(delay_s=0.005, loss=0.02, double=0.01, overtake=0.02)
        for mode in (1, 2):
            # Twice the interval without a byte ends a tunnel: more than a few lost frames take.
            tunnel = self.tunnel(mode, {"NP_REPORT_INTERVAL": "5s"})

            def session(i, tunnel=tunnel):
                data = net.pattern(b"l%d" % i, 20_000)
                with self.visitor_host.inside(net.connect, tunnel.visit) as sock:
                    sock.sendall(b"ECHO\n")
                    return net.exchange(sock, data, 40) == data

            self.assertTrue(all(net.parallel(session, range(40), 20)))
            self.transfers(tunnel, 1_000_000, 40)
            self.assertEqual(tunnel.server.count("Tunnel handshaked"), 1, "the tunnel lived on")
            self.end(tunnel)
        print("%d frames carried, %d lost" % (self.lan.carried, self.lan.lost))
        self.assertGreater(self.lan.lost, 20)

    @limit(60)
    def test_a_bad_minute_and_then_a_good_one(self):
        """Every third frame is lost for a while; the tunnel may go, and comes back by itself."""
        tunnel = self.tunnel(1)
        before = self.idle_figures(tunnel)
        self.lan.disturb(delay_s=0.02, loss=0.33)
        for _ in range(10):
            self.works(tunnel, 0.5)
        self.lan.disturb()
        took = self.until_it_works(tunnel, "a third of all frames lost")
        self.assertLess(took, 20)
        self.settle(tunnel, before)
