# SPDX-License-Identifier: BSD-3-Clause
"""Every mode with lwIP at either end: bytes, ends of sessions, datagrams, names, restarts."""
import os
import re
import shlex
import socket
import subprocess
import time

from base import FAR, NEAR, LwipCase, Tunnel, ip
from lib import case, net, proc, services


class Modes(LwipCase):
    """Bytes both ways in every mode and family."""

    def carry(self, **options):
        family = options.get("family", 4)
        target = self.target(family)
        self.udp_echo(family, target.port)
        for _, tunnel in self.every(target, **options):
            self.check_echo(tunnel, 1)
            self.check_echo(tunnel, 300000)
            self.check_source(tunnel, 2000000)
            self.check_sink(tunnel, 2000000)
            self.check_udp(tunnel)
            self.check_udp(tunnel, b"u" * 1400)
            net.parallel(lambda n, t=tunnel: self.check_echo(t, 5000 + n), range(12), 6)

    def test_plain(self):
        self.carry()

    def test_ipv6(self):
        self.carry(family=6)

    def test_tls(self):
        self.carry(query="tls=1", names=("reverse server", "reverse client", "forward server",
                                         "forward client"))

    def test_one_after_the_other(self):
        target = self.target()
        for _, tunnel in self.every(target, names=("single", "reverse client")):
            for n in range(100):
                self.check_echo(tunnel, 100 + n)


class Ends(LwipCase):
    """How sessions end, seen from both sides."""

    NAMES = ("single", "reverse server", "reverse client", "forward client")

    def test_half_close(self):
        target = self.target()
        for name, tunnel in self.every(target, self.NAMES):
            with tunnel.connect() as sock:  # the target ends first and still gets all
                sock.sendall(b"HALF %s\n" % name.replace(" ", "-").encode())
                self.assertEqual(sock.recv(1), b"")
                data = net.pattern(b"half", 200000)
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                key = name.replace(" ", "-")
                got = case.wait_until(lambda k=key: target.results.get(k), 10, "half closed end")
                self.assertEqual(got, (net.sha(data), len(data)))

    def test_reset_by_visitor(self):
        target = self.target()
        for name, tunnel in self.every(target, self.NAMES):
            key = name.replace(" ", "-")
            sock = tunnel.connect()
            sock.sendall(b"NAME %s\nabc" % key.encode())
            case.wait_until(lambda k=key: target.got.get(k) == b"abc", 5, "bytes at the target")
            net.reset(sock)
            case.wait_until(lambda k=key: target.ended.get(k), 5, "the target hears of it")
            self.check_echo(tunnel, 1000)

    def test_reset_by_target(self):
        target = self.target()
        for name, tunnel in self.every(target, self.NAMES):
            key = name.replace(" ", "-")
            with tunnel.connect() as sock:
                sock.sendall(b"NAME %s\n" % key.encode())
                case.wait_until(lambda k=key: k in target.named, 5, "connection at the target")
                target.reset(key)
                self.assertIn(net.how_it_ends(sock, 60), ("reset", "eof"))
            self.check_echo(tunnel, 1000)

    def test_slow_reader(self):
        target = self.target()
        for _, tunnel in self.every(target, self.NAMES):
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
                sock.settimeout(60)
                sock.connect(tunnel.visit)
                sock.sendall(b"SOURCE slow 3000000\n")
                time.sleep(1.0)
                self.check_echo(tunnel, 50000)
                self.assertEqual(net.sha_to_end(sock, 60), (net.pattern_sha(b"slow", 3000000),
                                                            3000000))

    def test_refused(self):
        where = net.where(FAR[4], self.port())  # nobody listens there
        for _, tunnel in self.every(where, self.NAMES):
            self.assertIn(tunnel.visit_end(), ("reset", "eof"))
            self.assertIn(tunnel.visit_end(), ("reset", "eof"))


class Life(LwipCase):
    """Restarts, names, datagrams, the command line."""

    def test_far_side_killed_and_back(self):
        target = self.target()
        port, visit = self.port(), (FAR[4], self.port())
        url = "server://secret@%s:%d/%s?mode=1" % (FAR[4], port, net.where(*visit))
        server = self.node(url, name="server1")
        server.wait_log("Server started")
        client = self.lwip("client://secret@%s:%d/%s?mode=2&min=2" % (FAR[4], port, target.where))
        tunnel = Tunnel(visit, server, client)
        client.wait_log("Tunnel handshaked: ")
        self.check_echo(tunnel, 1000)
        server.kill()
        time.sleep(1)
        mark = client.mark()
        tunnel.server = self.node(url, name="server2")
        client.wait_log("Tunnel handshaked: ", since=mark)
        self.heal(tunnel)

    def test_lwip_side_killed_and_back(self):
        target = self.target()
        tunnel = self.pair("reverse", "client", target)
        self.check_echo(tunnel, 1000)
        args = tunnel.client.shown.split()[-1]
        tunnel.client.kill()
        time.sleep(0.5)
        tunnel.client = self.lwip(args, name="lwip2")
        tunnel.client.wait_log("Tunnel handshaked: ")
        self.heal(tunnel)

    def test_names(self):
        target = self.target()
        records = {"far.test": [FAR[4]], "six.test": [FAR[6]]}
        server = services.dnsmasq(self, FAR[4], 53, records)
        services.wait_dns(FAR[4], 53, "far.test")
        for _, tunnel in self.every("far.test:%d" % target.port, ("single",)):
            pass  # lwIP without a name server: nothing to ask
        visit = (NEAR[4], self.port())
        url = "client://%s/far.test:%d?mode=1" % (net.where(*visit), target.port)
        tunnel = Tunnel(visit, None, self.lwip(url, "--dns", FAR[4]))
        self.wait_visit(tunnel)
        self.check_echo(tunnel, 1000)
        self.end(tunnel)
        missing = self.lwip("client://%s/nosuch.test:%d?mode=1" % (net.where(*visit), target.port),
                            "--dns", FAR[4], name="missing")
        tunnel = Tunnel(visit, None, missing)
        self.wait_visit(tunnel)
        self.assertIn(tunnel.visit_end(), ("reset", "eof"))
        missing.wait_log("nosuch")
        self.assertTrue(server.is_running())

    def test_behind_a_gateway(self):
        port = self.port()
        for host, bits in (("10.77.0.1", 32), ("fd77::1", 128)):  # not in the tap's networks
            ip("addr", "add", "%s/%d" % (host, bits), "dev", "lo")
            self.addCleanup(ip, "addr", "del", "%s/%d" % (host, bits), "dev", "lo")
            target = self.serve(net.Target(host, port))
            for _, tunnel in self.every(target, ("single",)):
                self.check_echo(tunnel, 10000)

    def test_datagrams(self):
        echo = self.udp_echo()
        for _, tunnel in self.every(echo, ("single", "reverse client", "forward client")):
            for size in (0, 1, 100, 1200, 1472):
                if size == 0 and tunnel.server is not None:
                    continue  # an empty datagram has no frame
                self.check_udp(tunnel, b"x" * size)
            visitors = [net.udp_visitor(tunnel.visit) for _ in range(20)]
            for number, sock in enumerate(visitors):
                sock.send(b"visitor %d" % number)
            for number, sock in enumerate(visitors):
                self.assertEqual(sock.recv(100), b"visitor %d" % number)
                sock.close()

    def test_large_datagrams(self):
        echo = self.udp_echo()
        for _, tunnel in self.every(echo, ("single", "reverse client"),
                                    env={"NP_UDP_DATA_BUF_SIZE": "9000"}):
            self.check_udp(tunnel, net.pattern(b"big", 8000))
            self.check_udp(tunnel, net.pattern(b"big", 3000))

    def test_example_of_the_readme(self):
        with open(os.path.join(proc.ROOT, "README.md"), encoding="utf-8") as source:
            line = re.search(r"^build/nodepass-lwip (.*) &$", source.read(), re.M).group(1)
        *args, url = shlex.split(line)
        self.assertEqual(args[:2], ["--tap", "tap0"])
        self.serve(net.Target(FAR[4], 8000))
        tunnel = Tunnel((NEAR[4], 8080), None, self.lwip(url, *args[2:], addresses=False))
        self.wait_visit(tunnel)
        self.check_echo(tunnel, 10000)

    def test_command_line(self):
        program = os.environ["NP_LWIP_BIN"]

        def run(*args, **env):
            return subprocess.run([program, *args], capture_output=True, text=True, timeout=60,
                                  env=dict(os.environ, **env), check=False)

        self.assertEqual(run("--help").returncode, 0)
        self.assertIn("--tap NAME", run("--help").stdout)
        self.assertEqual(run("--version").returncode, 0)
        self.assertEqual(run().returncode, 1)
        url = "client://:1/127.0.0.1:2?mode=1"
        for bad in (["--ip", "10.9.0.2"], ["--ip", "10.9.0.2/33"], ["--ip", "fd09::2/48"],
                    ["--gw", "x"], ["--dns", "1.1.1.1,2.2.2.2,3.3.3.3"], ["--tap"]):
            done = run(url, *bad)
            self.assertEqual(done.returncode, 1, bad)
            self.assertIn(bad[0] + ": want", done.stderr)
        done = run(url, NP_LWIP_ADDR="nonsense")
        self.assertEqual((done.returncode, "NP_LWIP_ADDR: want" in done.stderr), (1, True))
        self.assertEqual(run("--check", url).returncode, 0)
        self.assertEqual(run("--tap", "a-name-that-is-too-long", url).returncode, 2)
