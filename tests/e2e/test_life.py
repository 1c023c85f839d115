# SPDX-License-Identifier: BSD-3-Clause
"""Start, restart, death and stop of each side; visitors that come before a client; several
instances."""
import contextlib
import os
import signal
import socket
import threading
import time

from lib import gomodel, net, patience
from lib.case import Case, limit, quick, wait_until

MEGABYTE = 1 << 20


class Restart(Case):
    @quick
    @limit(90)
    def test_kill_and_restart_of_each_side(self):
        target, _ = self.both()
        for mode in ("reverse", "forward"):
            tunnel = getattr(self, mode)(target)
            for victim in ("client", "server", "client"):
                old = getattr(tunnel, victim)
                other = tunnel.server if victim == "client" else tunnel.client
                before = other.fd_count()
                old.kill()
                args = old.shown.split(" ", 1)[1]
                setattr(tunnel, victim, self.node(args, name=victim))
                took = self.heal(tunnel, 15, udp=True)
                print("%s: %s killed and restarted, sessions again after %.2f s" % (
                    mode, victim, took))
                self.assertLess(took, 8)
                wait_until(lambda o=other, b=before: o.fd_count() <= b + 12, 10, "descriptors back")

    def test_client_starts_before_the_server(self):
        target, _ = self.both()
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        client = self.node("client://k@%s/%s?mode=2" % (net.where(*tunnel), target.where))
        client.wait_log(r"(?i)(WARN|ERROR).*refused", 5)
        time.sleep(2)
        self.assertLess(client.count(r"(?i)refused"), 12, "one line a state change, not one a try")
        self.node("server://k@%s/%s?mode=1" % (net.where(*tunnel), net.where(*visit)))
        client.wait_log("Tunnel handshaked", 15)
        net.wait_listening(visit[1])
        with net.connect(visit) as sock:
            sock.sendall(b"ECHO\nabc")
            self.assertEqual(net.read_exact(sock, 3), b"abc")

    @limit(60)
    def test_peer_that_restarts_every_two_seconds(self):
        target = self.target()
        tunnel = self.reverse(target)
        before = self.idle_figures(tunnel)
        url = tunnel.client.shown.split(" ", 1)[1]
        for _ in range(5):
            tunnel.client.kill()
            tunnel.client = self.node(url, name="client")
            time.sleep(2)
        self.heal(tunnel, 10)
        wait_until(lambda: tunnel.server.fd_count() <= before[0] + 8, 10, "descriptors back")
        self.check_rss(tunnel.server)

    def test_stopped_peer_is_noticed_and_replaced(self):
        """SIGSTOP: the peer lives but says nothing for more than two report intervals."""
        target = self.target()
        for victim in ("client", "server"):
            with self.subTest(victim=victim):
                tunnel = self.reverse(target)
                node = getattr(tunnel, victim)
                other = tunnel.server if victim == "client" else tunnel.client
                mark = other.mark()
                node.signal(signal.SIGSTOP)
                try:
                    other.wait_log(r"(WARN|ERROR|INFO)", 6, mark)
                finally:
                    node.signal(signal.SIGCONT)
                self.heal(tunnel, 20)

    def test_visitor_before_any_client_waits(self):
        target = self.target()
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        env = {"NP_POOL_GET_TIMEOUT": "8s"}
        self.node("server://k@%s/%s?mode=1" % (net.where(*tunnel), net.where(*visit)), env=env)
        net.wait_listening(tunnel[1])
        early = None
        with contextlib.suppress(OSError):
            early = net.connect(visit, 12)
            early.sendall(b"ECHO\nearly")
        self.node("client://k@%s/%s?mode=2" % (net.where(*tunnel), target.where), env=env)
        net.wait_listening(visit[1])
        if early:
            self.assertEqual(net.read_exact(early, 5), b"early")
            early.close()

    def server_without_pool(self, env):
        """(server, where to visit): its client is there and opens no pool connection."""
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        node = self.node("server://QWERTYUI@%s/%s?mode=1" % (net.where(*tunnel), net.where(*visit)),
                         env=env)
        net.wait_listening(tunnel[1])
        control, _ = gomodel.hello(tunnel, b"QWERTYUI")
        self.addCleanup(control.close)
        net.wait_listening(visit[1])
        return node, visit

    @quick
    def test_no_pool_connection_within_the_limit_closes_the_visitor(self):
        node, visit = self.server_without_pool({"NP_POOL_GET_TIMEOUT": "1s",
                                                "NP_REPORT_INTERVAL": "5s"})
        start = time.monotonic()
        with net.connect(visit) as sock:
            self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"))
        self.assertTrue(0.8 < time.monotonic() - start < 3)
        node.wait_log("WARN", 2)

    @staticmethod
    def is_closed_at_once(visit):
        try:
            with net.connect(visit) as sock:
                return net.how_it_ends(sock, 1) in ("eof", "reset")
        except ConnectionResetError:
            return True

    @quick
    def test_one_visitor_too_many_for_the_queue(self):
        """NP_SEMAPHORE_LIMIT: the newest is closed, those who wait go on waiting."""
        node, visit = self.server_without_pool({"NP_POOL_GET_TIMEOUT": "30s",
                                                "NP_SEMAPHORE_LIMIT": "2"})
        with net.connect(visit) as first, net.connect(visit) as second:
            self.assertTrue(self.is_closed_at_once(visit))
            node.wait_log(r"WARN.*2 visitors wait.*NP_SEMAPHORE_LIMIT", 2)
            net.reset(first)
            wait_until(lambda: not self.is_closed_at_once(visit), 5, "a place in the queue")
            second.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                second.recv(1)


class Stop(Case):
    @quick
    def test_clean_stop_of_an_idle_tunnel(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target):
            self.check_echo(tunnel)
            for end in reversed(tunnel.ends()):
                start = patience.Watch()
                self.assertEqual(end.stop(), 0, name)
                self.assertLess(start.took(), 2, "nothing to wait for")
                end.judge()

    @limit(60)
    def test_transfer_in_flight_completes_within_the_limit(self):
        target = self.target()
        size = 4 * MEGABYTE  # 1 MB/s after a burst of one: about three seconds
        for name, tunnel in self.modes(target, env={"NP_SHUTDOWN_TIMEOUT": "9s"}, rate=8):
            with tunnel.connect(20) as sock:
                sock.sendall(b"SOURCE drain %d\n" % size)
                sock.shutdown(socket.SHUT_WR)
                head = net.read_exact(sock, 100_000)
                stopped = tunnel.entry
                stopped.signal(signal.SIGTERM)
                time.sleep(0.3)
                with contextlib.suppress(OSError), net.connect(tunnel.visit, 1) as late:
                    self.assertIn(net.how_it_ends(late, 2), ("eof", "reset"), "takes nothing new")
                rest = net.read_to_end(sock, 15)
                self.assertEqual(net.sha(head + rest), net.pattern_sha(b"drain", size), name)
            self.assertEqual(stopped.wait(5), 0)

    def test_sessions_that_do_not_end_are_reset_at_the_limit(self):
        target = self.target()
        for name, tunnel in self.modes(target, env={"NP_SHUTDOWN_TIMEOUT": "1s"}):
            sock = tunnel.connect()
            sock.sendall(b"NAME %s\n" % name.encode())
            wait_until(lambda n=name: n in target.named, 5)
            start = time.monotonic()
            tunnel.entry.signal(signal.SIGTERM)
            self.assertEqual(net.how_it_ends(sock, 5), "reset", name)
            self.assertEqual(tunnel.entry.wait(5), 0)
            self.assertTrue(0.7 < time.monotonic() - start < 3, name)
            wait_until(lambda n=name: n in target.ended, 5, "target is told")
            sock.close()

    def test_second_signal_ends_the_drain(self):
        target = self.target()
        tunnel = self.single(target, env={"NP_SHUTDOWN_TIMEOUT": "30s"})
        sock = tunnel.connect()
        sock.sendall(b"NAME twice\n")
        wait_until(lambda: "twice" in target.named, 5)
        tunnel.client.signal(signal.SIGINT)
        time.sleep(0.5)
        self.assertTrue(tunnel.client.is_running(), "drains")
        tunnel.client.signal(signal.SIGINT)
        self.assertEqual(tunnel.client.wait(3), 0)
        sock.close()

    @limit(60)
    def test_stop_during_many_transfers(self):
        target = self.target()
        for name, tunnel in self.modes(target, env={"NP_SHUTDOWN_TIMEOUT": "2s"}):
            socks = []
            for i in range(200):
                sock = tunnel.connect()
                sock.sendall(b"SOURCE s%d 100000000\n" % i)
                socks.append(sock)
            stopped = tunnel.entry
            stopped.signal(signal.SIGTERM)
            self.assertEqual(stopped.wait(8), 0, name)
            for sock in socks:
                net.reset(sock)
            wait_until(lambda: target.open_count() == 0, 10, "targets are told")

    def test_stop_while_nothing_works(self):
        """SIGTERM during dialling, cooling down and waiting for a port is a clean stop as well."""
        dialling = self.node("client://k@127.0.0.1:%d/127.0.0.1:1?mode=2" % self.port())
        port = self.port()
        with socket.create_server(("127.0.0.1", port)):
            waiting = self.node("client://127.0.0.1:%d/127.0.0.1:1?mode=1" % port)
            alone = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d?mode=1" % (
                self.port(), self.port()))
            time.sleep(0.7)
            for node in (dialling, waiting, alone):
                self.assertEqual(node.stop(4), 0, node.shown)
                node.judge()


class Ini(Case):
    @quick
    def test_three_tunnels_in_one_process(self):
        target, _ = self.both()
        ports = [self.port() for _ in range(6)]
        path = os.path.join(self.dir, "three.ini")
        with open(path, "w", encoding="ascii") as out:
            out.write("""
[nodepass]
log = info
report_interval = 1s
service_cooldown = 300ms

[instance entry]
role = server
tunnel = 127.0.0.1:%d
target = 127.0.0.1:%d
password = s3cret
mode = 1

[instance exit]
url = client://s3cret@127.0.0.1:%d/%s?mode=2&min=4

[instance local]
role = client
tunnel = 127.0.0.1:%d
target = %s
mode = 1
""" % (ports[0], ports[1], ports[0], target.where, ports[2], target.where))
        node = self.node("-c", path, bare_env=True)
        for port in (ports[1], ports[2]):
            net.wait_listening(port, 15)
            with net.connect(("127.0.0.1", port)) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"abc"), b"abc")
            with net.udp_visitor(("127.0.0.1", port)) as sock:
                sock.send(b"datagram")
                self.assertEqual(sock.recv(100), b"datagram")
        for alias in ("entry", "exit", "local"):
            node.wait_log(r"INFO  \[%s\] " % alias, 3)
        self.assertNotIn("s3cret", node.text())
        self.assertEqual(node.stop(), 0)
        self.assertEqual(sum(p["tcps"] + p["udps"] for p in node.check_points()[-3:]), 0)

    def test_one_broken_instance_does_not_stop_the_others(self):
        target = self.target()
        port, busy = self.port(), self.port()
        path = os.path.join(self.dir, "two.ini")
        with open(path, "w", encoding="ascii") as out:
            out.write("[instance good]\nurl = client://127.0.0.1:%d/%s?mode=1\n"
                      "[instance busy]\nurl = client://127.0.0.1:%d/%s?mode=1\n"
                      "[instance bad]\nurl = client://127.0.0.1:1/127.0.0.1:2?rate=abc\n" % (
                          port, target.where, busy, target.where))
        with socket.create_server(("127.0.0.1", busy)):
            node = self.node("-c", path)
            net.wait_listening(port)
            with net.connect(("127.0.0.1", port)) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"abc"), b"abc")
            self.assertTrue(node.is_running())
            self.assertRegex(node.text() + node.errors(), r"rate")


class Leaks(Case):
    @limit(180)
    def test_no_descriptor_is_left_after_mixed_sessions(self):
        target, _ = self.both()
        env = {"NP_UDP_READ_TIMEOUT": "1s", "NP_MAX_POOL_INTERVAL": "100ms"}
        for name, tunnel in self.modes(target, env=env, max=32):
            before = self.idle_figures(tunnel)
            for _ in range(6):
                threads = [threading.Thread(target=self.mixed, args=(tunnel, i), daemon=True)
                           for i in range(40)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                wait_until(lambda: target.open_count() == 0, 10, name)
            # A pool that grew shrinks only after ten seconds without launches, and keeps a few.
            self.check_fds_back(tunnel, before, slack=12, seconds=60)

    @staticmethod
    def mixed(tunnel, i):
        with contextlib.suppress(OSError):
            sock = tunnel.connect()
            sock.sendall((b"ECHO\n", b"SOURCE a 100000\n", b"TALK t%d 5000\n" % i,
                          b"HALF h%d\n" % i, b"")[i % 5])
            if i % 3 == 0:
                net.reset(sock)
            elif i % 3 == 1:
                sock.shutdown(socket.SHUT_WR)
                net.how_it_ends(sock, 2)
            sock.close()
            with net.udp_visitor(tunnel.visit, 1) as udp:
                udp.send(b"x")
                udp.recv(10)
