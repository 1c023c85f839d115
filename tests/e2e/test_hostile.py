# SPDX-License-Identifier: BSD-3-Clause
"""Bad input on every port: bounded memory, a clear line, nothing else disturbed."""
import contextlib
import os
import random
import re
import socket
import threading
import time

from lib import goline, gomodel, net, patience
from lib.case import Case, Tunnel, limit, need_program, need_root, quick, wait_until

KEY = b"secret"


class Strangers(Case):
    """Connections to the tunnel port that are no good client."""

    def server(self, env=None, query="", key="secret"):
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        node = self.node("server://%s@%s/%s?mode=1%s" % (key, net.where(*tunnel), net.where(*visit),
                                                        query), env=env, name="server")
        net.wait_listening(tunnel[1])
        return node, tunnel, visit

    def good_client(self, tunnel, visit, target, seconds=5.0, name="client"):
        start = patience.Watch()
        client = self.node("client://secret@%s/%s?mode=2&min=4" % (
            net.where(*tunnel), target.where), name=name)
        client.wait_log("Tunnel handshaked", seconds)
        net.wait_listening(visit[1])
        with net.connect(visit) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        return start.took()

    @quick
    def test_wrong_key_is_denied_and_others_are_served_at_once(self):
        target = self.target()
        node, tunnel, visit = self.server()
        # Not the proof of this key: something else than len(key) zero bytes.
        for wrong in (b"wrong!", bytes(7), b"secre", b"secrets", bytes(5), b"", b"x" * 255):
            with net.connect(tunnel) as sock:
                port = sock.getsockname()[1]
                sock.sendall(wrong + b"\n")
                self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"), wrong)
            if wrong in (b"wrong!", bytes(7)):
                node.wait_log(r"WARN  Access denied: 127\.0\.0\.1:%d\b" % port, 5)
                time.sleep(1.1)  # such lines are limited to one a second
        took = self.good_client(tunnel, visit, target)
        self.assertLess(took, 2.0, "a wrong key must not make others wait")

    def test_wrong_key_client_backs_off_and_says_why(self):
        node, tunnel, _ = self.server()
        client = self.node("client://other-key@%s/127.0.0.1:1?mode=2" % net.where(*tunnel),
                           name="client")
        client.wait_log("(WARN|ERROR)", 5)
        time.sleep(3)
        self.assertLess(client.count("(WARN|ERROR)"), 20)
        self.assertLess(node.count("Access denied"), 20)
        self.assertTrue(client.is_running())

    def test_handshake_time_out(self):
        node, tunnel, _ = self.server(env={"NP_HANDSHAKE_TIMEOUT": "1s"})
        for sent in (b"", b"\0\0\0", b"abc"):
            with net.connect(tunnel) as sock:
                mark = node.mark()
                port = sock.getsockname()[1]
                start = time.monotonic()
                sock.sendall(sent)
                self.assertIn(net.how_it_ends(sock, 4), ("eof", "reset"))
                self.assertTrue(0.8 < time.monotonic() - start < 2.5)
                node.wait_log(r"WARN  Handshake timeout: 127\.0\.0\.1:%d\b" % port, 2, mark)

    @quick
    def test_500_silent_connections_do_not_delay_a_good_client(self):
        target = self.target()
        for sent in (b"", b"\0\0\0"):
            with self.subTest(sent=sent), contextlib.ExitStack() as stack:
                node, tunnel, visit = self.server()
                base = node.rss_kb()
                for _ in range(500):
                    sock = stack.enter_context(net.connect(tunnel, 5))
                    with contextlib.suppress(OSError):
                        sock.sendall(sent)
                took = self.good_client(tunnel, visit, target)
                print("good client served after %.2f s, RSS +%d KB" % (took, node.rss_kb() - base))
                self.assertLess(took, 2.0)
                self.check_rss(node, 1024, base)
                self.assertLess(node.count("WARN"), 50)

    def test_500_silent_connections_after_the_good_client(self):
        """From another address, while the client is there: refused, and nothing else happens."""
        target = self.target()
        node, tunnel, visit = self.server()
        self.good_client(tunnel, visit, target)
        with contextlib.ExitStack() as stack:
            for _ in range(500):
                with contextlib.suppress(OSError):
                    stack.enter_context(net.connect(tunnel, 5, ("127.0.0.3", 0)))
            with net.connect(visit) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        self.assertTrue(node.is_running())

    def test_bytes_that_drip_do_not_put_off_the_time_limit(self):
        """Connections that send a byte of a long key now and then: each ends at the limit."""
        node, tunnel, _ = self.server(env={"NP_HANDSHAKE_TIMEOUT": "2s"}, key="k" * 250)
        lived = []
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(net.connect(tunnel, 5)) for _ in range(40)]
            left, start = set(socks), time.monotonic()
            while left and time.monotonic() - start < 10:
                for sock in list(left):
                    if is_ended(sock):
                        left.discard(sock)
                        lived.append(time.monotonic() - start)
                    with contextlib.suppress(OSError):
                        sock.send(b"\0")
                time.sleep(0.1)
        self.assertEqual(len(lived), 40)
        self.assertGreater(min(lived), 1.5)
        self.assertLess(max(lived), 6)
        node.wait_log("WARN  Handshake timeout")
        self.assertTrue(self.hello_works(tunnel, b"k" * 250))

    @staticmethod
    def hello_works(tunnel, key):
        control, text = gomodel.hello(tunnel, key)
        control.close()
        return goline.Url(text).fragment == "0"

    @limit(60)
    def test_silent_strangers_from_the_address_of_the_client(self):
        """They look like pool connections, but the client has not told their ids: no visitor is
        handed to them, they learn nothing, and they are let go after the handshake's limit."""
        target = self.target()
        node, tunnel, visit = self.server(env={"NP_HANDSHAKE_TIMEOUT": "3s"})
        self.good_client(tunnel, visit, target)
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(net.connect(tunnel, 5)) for _ in range(50)]
            for _ in range(100):
                self.assertTrue(self.session_works(visit))
            for sock in socks:
                self.assertRegex(net.read_exact(sock, 8), b"^[0-9a-f]{8}$")
                self.assertEqual(net.how_it_ends(sock, 5), "reset")
            self.assertTrue(self.session_works(visit))
            for end in self.nodes:
                self.assertEqual(end.count("Pool flushed"), 0)

    @staticmethod
    def session_works(visit):
        with contextlib.suppress(OSError):
            with net.connect(visit, 1) as sock:
                sock.sendall(b"ECHO\n")
                return net.exchange(sock, b"abc", 1) == b"abc"
        return False

    @limit(60)
    def test_flood_beside_a_working_tunnel(self):
        """Strangers connect as fast as they can from other addresses, with garbage, silence and the
        proof of the key. Sessions go on; not one fails."""
        target = self.target()
        node, tunnel, visit = self.server()
        self.good_client(tunnel, visit, target)
        stop, made = threading.Event(), [0]

        def flood(number):
            source = random.Random(number)
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    with net.connect(tunnel, 2, ("127.0.0.%d" % (4 + number), 0)) as sock:
                        made[0] += 1
                        if source.randrange(3):
                            sock.sendall(source.choice((bytes(6), source.randbytes(300), b"")))
                            sock.sendall(b"\n")
                        if source.randrange(2):
                            net.reset(sock)
                time.sleep(0.002)

        threads = [threading.Thread(target=flood, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        held = net.connect(visit)
        held.sendall(b"ECHO\n")
        base, start = node.rss_kb(), time.monotonic()
        while time.monotonic() - start < 5:
            with net.connect(visit) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"abc", 10), b"abc")
            held.sendall(b"tick")
            self.assertEqual(net.read_exact(held, 4), b"tick")
        stop.set()
        for thread in threads:
            thread.join(5)
        held.close()
        print("%d connections of strangers in 5 s" % made[0])
        self.assertGreater(made[0], 500)
        self.assertEqual(node.count("Tunnel handshaked"), 1, "the client was never let go")
        self.check_rss(node, 1024, base)
        self.assertLess(node.count("(WARN|ERROR)"), 60)

    def test_endless_line_is_cut(self):
        node, tunnel, _ = self.server()
        base = node.rss_kb()
        for byte in (b"\0", b"A", b"\xff"):
            with net.connect(tunnel) as sock:
                with contextlib.suppress(OSError):
                    for _ in range(500):
                        sock.sendall(byte * 4096)
                self.assertIn(net.how_it_ends(sock, 3), ("eof", "reset"))
        self.check_rss(node, 512, base)
        node.wait_log("WARN  Access denied", 2)

    def test_first_line_in_pieces(self):
        node, tunnel, _ = self.server()
        sock = net.connect(tunnel)
        for byte in bytes(6) + b"\n":
            sock.sendall(bytes([byte]))
            time.sleep(0.03)
        control = gomodel.Control(sock, KEY)
        self.assertIsNotNone(control.read_line(3))
        node.wait_log("Tunnel handshaked")
        control.close()

    def test_dialect_warning_once_per_start(self):
        node, tunnel, visit = self.server()
        target = self.target()
        self.good_client(tunnel, visit, target)
        self.assertEqual(node.count(r"(?i)WARN.*(key's length|length of the key|key length)"), 1)


def is_ended(sock):
    """Whether the far end has closed or reset the connection."""
    sock.setblocking(False)
    try:
        return sock.recv(100) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class Garbage(Case):
    """Random and mutated bytes to every port of a working tunnel."""

    def blast(self, address, source, rounds=40, source_ip=None):
        for _ in range(rounds):
            with contextlib.suppress(OSError):
                with net.connect(address, 2, (source_ip, 0) if source_ip else None) as sock:
                    sock.sendall(source.randbytes(source.randrange(1, 3000)))
                    if source.randrange(2):
                        net.reset(sock)

    @quick
    def test_garbage_to_every_port(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target):
            source = random.Random(name)
            self.blast(tunnel.visit, source)  # the target closes on a line it does not know
            if tunnel.server:
                port = int(tunnel.server.shown.split("@")[1].split("/")[0].rpartition(":")[2])
                self.blast(("127.0.0.1", port), source)
                self.blast(("127.0.0.1", port), source, source_ip="127.0.0.8")
                with net.udp_visitor(("127.0.0.1", port)) as sock:
                    for _ in range(50):
                        with contextlib.suppress(OSError):
                            sock.send(source.randbytes(source.randrange(0, 1500)))
            with net.udp_visitor(tunnel.visit) as sock:
                for _ in range(50):
                    sock.send(source.randbytes(source.randrange(0, 1500)))
            wait_until(lambda t=tunnel: self.works(t), 10, name + ": works afterwards")
            for end in tunnel.ends():
                self.check_rss(end)

    def works(self, tunnel):
        with contextlib.suppress(OSError, AssertionError):
            self.check_echo(tunnel, 1000, 2)
            self.check_udp(tunnel, timeout=1)
            return True
        return False

    def test_mutated_signals_from_a_client(self):
        """Every kind of message with bytes changed, cut and doubled: counted, skipped or the end of
        that tunnel, never of the server."""
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        node = self.node("server://secret@%s/%s?mode=1" % (net.where(*tunnel), net.where(*visit)))
        net.wait_listening(tunnel[1])
        source = random.Random(7)
        kinds = ["#i", "#o", "#0", "np://127.0.0.1:1/0a0b0c0d#1", "np://[::1]:1/0a0b0c0d#2",
                 "?x=u#x"]
        for _ in range(15):
            with contextlib.suppress(OSError, gomodel.TunnelEnd):
                control, _ = gomodel.hello(tunnel, KEY, 2)
                for _ in range(60):
                    wire = bytearray(goline.line(KEY, source.choice(kinds)))
                    for _ in range(source.randrange(3)):
                        wire[source.randrange(len(wire))] = source.randrange(256)
                    if source.randrange(4) == 0:
                        del wire[source.randrange(len(wire)):]
                    control.sock.sendall(bytes(wire))
                control.read_line(0.1)
            control.close()
        target = self.target()
        client = self.node("client://secret@%s/%s?mode=2" % (net.where(*tunnel), target.where))
        client.wait_log("Tunnel handshaked", 10)
        net.wait_listening(visit[1])
        with net.connect(visit) as sock:
            sock.sendall(b"ECHO\nabc")
            self.assertEqual(net.read_exact(sock, 3), b"abc")
        self.check_rss(node)

    def test_mutated_answers_and_ids_from_a_server(self):
        """Our client meets a server that sends anything."""
        source = random.Random(8)
        port = self.port()
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.addCleanup(listener.close)
        listener.settimeout(0.3)
        client = self.node("client://secret@127.0.0.1:%d/127.0.0.1:1?mode=2" % port,
                           env={"NP_SERVICE_COOLDOWN": "50ms"})
        end = time.monotonic() + 8
        kept = []
        while time.monotonic() < end:
            try:
                sock, _ = listener.accept()
            except socket.timeout:
                continue
            kept.append(sock)
            wire = bytearray(goline.line(KEY, "np://64/-#0"))
            if source.randrange(3):
                wire[source.randrange(len(wire))] = source.randrange(256)
            with contextlib.suppress(OSError):
                sock.sendall(bytes(wire) + source.randbytes(source.randrange(200)))
                if source.randrange(2):
                    sock.close()
        for sock in kept:
            sock.close()
        self.assertTrue(client.is_running())
        self.check_rss(client)


class SmallTable(Case):
    """prlimit --nofile=64: sessions are refused or wait, the process stays and heals. `least` is
    what the client keeps in its pool: 4, or the default that alone is more than the table holds."""

    @limit(60)
    def test_server_reverse(self):
        self.fill("server", "reverse", 4)
        self.fill("server", "reverse", 64)

    @limit(60)
    def test_client_reverse(self):
        self.fill("client", "reverse", 4)
        self.fill("client", "reverse", 64)

    @limit(60)
    def test_server_forward(self):
        self.fill("server", "forward", 4)
        self.fill("server", "forward", 64)

    @limit(60)
    def test_client_forward(self):
        self.fill("client", "forward", 4)
        self.fill("client", "forward", 64)

    def start(self, small, mode, least):
        target = self.target()
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        there = {"server": net.where(*visit), "client": target.where}
        if mode == "forward":
            there = {"server": target.where, "client": net.where(*visit)}
        prefix = {small: [need_program("prlimit"), "--nofile=64"]}
        server = self.node("server://k@%s/%s?mode=%d" % (
            net.where(*tunnel), there["server"], 1 if mode == "reverse" else 2), name="server",
            prefix=prefix.get("server"))
        net.wait_listening(tunnel[1])
        client = self.node("client://k@%s/%s?mode=2&min=%d" % (
            net.where(*tunnel), there["client"], least), name="client",
            prefix=prefix.get("client"))
        server.wait_log("Tunnel handshaked")
        net.wait_listening(visit[1])
        return target, Tunnel(visit, server, client)

    def fill(self, small, mode, least):
        target, tunnel = self.start(small, mode, least)
        node = getattr(tunnel, small)
        held = []
        for _ in range(120):
            with contextlib.suppress(OSError):
                sock = tunnel.connect(2)
                sock.sendall(b"ECHO\n")
                held.append(sock)
        wait_until(lambda: target.open_count() > 0, 10, "some visitors are served meanwhile")
        self.assertTrue(node.is_running())
        ticks = node.cpu_ticks()
        time.sleep(1.0)
        self.assertLess(node.cpu_ticks() - ticks, 50, "spins while the table is full")
        for end in tunnel.ends():
            self.assertLess(end.count("(WARN|ERROR)"), 60)
        self.assertEqual(node.count(r"WARN .*Open files: the limit is 64, these settings want \d+"),
                         1, "says why")
        for sock in held:
            sock.close()
        took = self.heal(tunnel, 20)
        print("%s, %s with 64 descriptors, min=%d: healed after %.1f s" % (
            mode, small, least, took))
        for _ in range(30):
            self.check_echo(tunnel)
        self.assertLessEqual(node.fd_count(), 64)
        for end in reversed(tunnel.ends()):
            self.assertEqual(end.stop(), 0)

    def test_single_end_with_a_full_table(self):
        target = self.target()
        visit = ("127.0.0.1", self.port())
        node = self.node("client://%s/%s?mode=1" % (net.where(*visit), target.where),
                         prefix=["prlimit", "--nofile=%d" % 64])
        net.wait_listening(visit[1])
        held = [net.connect(visit, 2) for _ in range(100)]
        time.sleep(0.5)
        self.assertTrue(node.is_running())
        self.assertEqual(node.count(r"WARN .*Open files: the limit is 64, these settings want \d+"),
                         1, "says why")
        self.assertTrue(1 <= node.count("WARN ") <= 5, "and that it refuses, once a second")
        for sock in held:
            sock.close()

        def works():
            return Strangers.session_works(visit)

        wait_until(works, 15, "heals", 0.1)


class Rights(Case):
    def test_user_switch_drops_root(self):
        from lib.netns import temp_copy
        from lib import proc
        need_root()
        copy = temp_copy(proc.BINARY)
        self.addCleanup(os.rmdir, os.path.dirname(copy))
        self.addCleanup(os.unlink, copy)
        target = self.target()
        original, proc.BINARY = proc.BINARY, copy
        try:
            address = "127.%d.9.9" % (self.port_base // 100 % 250 + 1)
            url = "client://%s:81/%s?mode=1" % (address, target.where)
            node = self.node("--user", "nobody", url)
        finally:
            proc.BINARY = original
        net.wait_listening(81)
        with net.connect((address, 81)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")

        def status(name):
            with open("/proc/%d/status" % node.pid, encoding="ascii") as text:
                return re.search("^%s:(.*)$" % name, text.read(), re.MULTILINE).group(1).split()

        wait_until(lambda: "0" not in status("Uid") and "0" not in status("Gid"), 5, "root dropped")
        self.assertEqual(status("NoNewPrivs"), ["1"])
        self.assertEqual(int(status("CapEff")[0], 16) & ~(1 << 10), 0, "only CAP_NET_BIND_SERVICE")
        self.assertEqual(status("Groups"), status("Gid")[:1] if status("Groups") else [])
