# SPDX-License-Identifier: BSD-3-Clause
"""Each of our ends with the byte-level model of a Go v1.6.0 peer, with keys that put 0x0a into
every kind of message. The model cuts lines at every 0x0a; one wrong cut fails the test."""
import os
import random

from lib import gomodel, goline, net
from lib.case import Case, have_ipv6, limit, need, quick, wait_until

MESSAGES = {
    "answer -": "np://1024/-#0", "answer +": "np://1024/+#0",
    "launch": "np://127.0.0.1:43210/1a2b3c4d#1", "udp launch": "np://127.0.0.1:43210/1a2b3c4d#2",
    "launch v6": "np://[::1]:43210/1a2b3c4d#1", "ping": "#i", "pong": "#o", "flush": "#0",
}
DEFAULT_PORTS = (80, 8000, 12345, 50000)
SAFE = b"QVERTYUI"
BRIEF = {"NP_SHUTDOWN_TIMEOUT": "200ms"}  # the peer never ends its half of a session


def breaker(index, plain, length=7):
    """A key whose byte at `index` turns `plain` into 0x0a; the others disturb nothing."""
    key = bytearray((SAFE * 9)[:length])
    key[index] = ord(plain) ^ 0x0A
    return bytes(key)


CHOSEN = [breaker(0, "n"), breaker(1, "p"), breaker(2, ":"), breaker(3, "/"), breaker(4, "/"),
          breaker(5, "1", 11), breaker(6, "0"), breaker(0, "#"), breaker(1, "i"), breaker(1, "o"),
          breaker(1, "0"), breaker(0, "-", 10), breaker(0, "+", 10), breaker(5, "[", 9),
          b"d0000000", b"z1029384756", b"secret", b"password", b"nodepass", b"c0ffee", b"i", b"oo",
          bytes(range(1, 65)), b"2" * 3 + b"Q", b"\xff\xfe\x0a\x00"]


def random_keys(count):
    source = random.Random(20)
    return [bytes(source.randrange(256) for _ in range(source.randrange(4, 65)))
            for _ in range(count)]


def can_be_sent(key):
    """Keys of one or two characters may have no clean form; longer ones always do."""
    return len(key) >= 4


class Pairs(Case):
    """TCP, UDP, pings and pongs over one pair and key."""

    def setUp(self):
        super().setUp()
        self.target_server, self.echo = self.both()
        self.target_address = ("127.0.0.1", self.target_server.port)

    def our_server(self, key, tunnel, flow, max_pool=None, family=4):
        visit = ("::1" if family == 6 else "127.0.0.1", self.port())
        there = net.where(*(visit if flow == "-" else self.target_address))
        at = goline.key_text(key) + "@" if key else ""
        node = self.node("server://%s%s/%s?mode=%d%s" % (
            at, net.where(*tunnel), there, 1 if flow == "-" else 2,
            "&max=%d" % max_pool if max_pool else ""), env=BRIEF)
        wait_until(lambda: tunnel_is_bound(tunnel), 10, "tunnel port bound")
        return node, visit

    def our_client(self, key, tunnel, flow, family=4):
        visit = ("::1" if family == 6 else "127.0.0.1", self.port())
        there = net.where(*(self.target_address if flow == "-" else visit))
        at = goline.key_text(key) + "@" if key else ""
        url = "client://%s%s/%s?mode=2&min=4" % (at, net.where(*tunnel), there)
        return self.node(url, env=BRIEF), visit

    def pair(self, ours, key, flow, tunnel, family=4):
        """(our node, Go peer, visitor address)"""
        real_key = key or goline.default_key(tunnel[1])
        if ours == "server":
            node, visit = self.our_server(key, tunnel, flow, family=family)
            peer = gomodel.GoClient(tunnel, real_key,
                                    self.target_address if flow == "-" else visit)
        else:
            go_target = visit_of(self, family) if flow == "-" else self.target_address
            peer = gomodel.GoServer(tunnel, real_key, go_target, flow)
            node, visit = self.our_client(key, tunnel, flow, family)
            visit = go_target if flow == "-" else visit
        self.serve(peer.start())
        return node, peer, visit

    def check(self, ours, key, flow, tunnel, family=4):
        node, peer, visit = self.pair(ours, key, flow, tunnel, family)
        note = "%s, flow %s, key %r" % (ours, flow, key or tunnel[1])
        try:
            self.check_pair(ours, flow, node, peer, visit, note)
        except (AssertionError, OSError, EOFError) as error:
            raise AssertionError("%s: %s; peer: %s, restarts %d, failed launches %d" % (
                note, error, peer.faults, peer.restarts, peer.failed_launches)) from error

    def check_pair(self, ours, flow, node, peer, visit, note):
        wait_until(peer.up.is_set, 10, note + ": tunnel up")
        node.wait_log("Tunnel handshaked")
        wait_until(lambda: can_connect(visit), 5, note + ": visitors are served")
        for turn in range(8):
            with net.connect(visit) as sock:
                sock.sendall(b"ECHO\n")
                data = net.pattern(b"%d" % turn, 1000)
                self.assertEqual(net.exchange(sock, data, 5, half_close=False), data, note)
        for turn in range(3):
            with net.udp_visitor(visit) as sock:
                sock.send(b"datagram %d" % turn)
                self.assertEqual(sock.recv(100), b"datagram %d" % turn, note)
        wait_until(lambda: peer.pongs >= 1 and peer.pings >= 1 or peer.faults, 5, note + ": pings")
        node.wait_log(r"CHECK_POINT\|", 3)
        self.assertEqual(peer.faults, [], note)
        self.assertEqual(peer.restarts, 0, note)
        if ours == "server":
            self.assertEqual((peer.max, peer.flow), (1024, flow), note)
        node.stop()
        peer.close()

    def check_keys(self, ours, flow, keys):
        tunnels = [("127.0.0.1", self.port()) for _ in keys]
        net.parallel(lambda pair: self.check(ours, pair[0], flow, pair[1]),
                     list(zip(keys, tunnels)), 4)


def visit_of(case, family):
    return ("::1" if family == 6 else "127.0.0.1", case.port())


def tunnel_is_bound(tunnel):
    """Bound on that very address: other tests may use the port on another one."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        want = "%08X:%04X" % (int.from_bytes(bytes(map(int, tunnel[0].split("."))), "little"),
                              tunnel[1])
        return any(line.split()[1] == want and line.split()[3] == "0A" for line in table)


def can_connect(address):
    """A visitor that leaves at once."""
    try:
        net.connect(address, 1).close()
        return True
    except OSError:
        return False


class Keys(Pairs):
    def test_the_keys_break_every_kind_of_message(self):
        """The list is only worth something if a Go pair would break on it."""
        keys = CHOSEN + [goline.default_key(p) for p in DEFAULT_PORTS]
        for kind, text in MESSAGES.items():
            self.assertTrue(any(goline.breaks(key, text) for key in keys), kind)
        self.assertFalse(any(goline.breaks(SAFE, text) for text in MESSAGES.values()))

    @quick
    @limit(60)
    def test_our_server_reverse(self):
        self.check_keys("server", "-", [k for k in CHOSEN if can_be_sent(k)] + random_keys(6))

    @limit(60)
    def test_our_server_forward(self):
        self.check_keys("server", "+", [k for k in CHOSEN if can_be_sent(k)] + random_keys(6))

    @quick
    @limit(60)
    def test_our_client_reverse(self):
        self.check_keys("client", "-", [k for k in CHOSEN if can_be_sent(k)] + random_keys(6))

    @limit(60)
    def test_our_client_forward(self):
        self.check_keys("client", "+", [k for k in CHOSEN if can_be_sent(k)] + random_keys(6))

    @limit(60)
    def test_default_keys_of_ports_that_break_a_go_pair(self):
        """Each on a loopback address of its own, so that the port is free."""
        number = self.port_base // 100
        jobs = []
        for i, port in enumerate(DEFAULT_PORTS):
            if port < 1024 and os.geteuid() != 0:
                print("port %d: needs root" % port)
                continue
            for j, (ours, flow) in enumerate((o, f) for o in ("server", "client") for f in "-+"):
                jobs.append((ours, flow, ("127.%d.%d.%d" % (number % 250 + 1, i + 1, j + 1), port)))
        net.parallel(lambda job: self.check(job[0], b"", job[1], job[2]), jobs, 4)

    def test_ipv6_visitors(self):
        need(have_ipv6(), "no IPv6 on this machine")
        keys = (breaker(5, "[", 9), breaker(6, ":", 9), SAFE)
        for ours in ("server", "client"):
            for flow in "-+":
                for key in keys:
                    self.check(ours, key, flow, ("127.0.0.1", self.port()), 6)

    @limit(60)
    def test_ids_that_cannot_be_sent_do_not_pile_up(self):
        """With this key every third id has no clean form. Skipped and kept, such connections would
        be all that is left after some hundred sessions."""
        key = b"222Q"
        node, peer, visit = self.pair("server", key, "-", ("127.0.0.1", self.port()))
        wait_until(peer.up.is_set, 10, "tunnel up")
        wait_until(lambda: can_connect(visit), 5, "visitors are served")
        failed = []
        for turn in range(300):
            try:
                with net.connect(visit) as sock:
                    sock.sendall(b"ECHO\nabc")
                    self.assertEqual(net.read_exact(sock, 3), b"abc")
            except (OSError, EOFError):
                failed.append(turn)
        self.assertLessEqual(len(failed), 3, failed)
        self.assertEqual(node.count("ERROR"), min(len(failed), 1))
        self.assertEqual(peer.faults, [])

    def test_a_key_without_any_clean_form_is_one_clear_error(self):
        """')' turns every '#' into 0x0a: no message can be sent to a Go peer."""
        url = "server://%%29@127.0.0.1:%d/127.0.0.1:%d" % (self.port(), self.port())
        for args in (("--check", url), (url,)):
            node = self.node(*args, expect_exit=True)
            self.assertEqual(node.wait(), 1)
            self.assertIn("password: no control message can be written", node.errors())


class Load(Pairs):
    KEY = breaker(0, "n")

    @limit(60)
    def test_200_sessions_with_a_go_client(self):
        node = self.load("server", "-")
        # The peer passes no end on: what is half closed goes after a while without a byte.
        wait_until(lambda: node.fd_count() < 60, 40, "sessions of gone visitors are given up", 0.5)

    @limit(60)
    def test_200_sessions_with_a_go_server(self):
        self.load("client", "-")

    @limit(60)
    def test_200_sessions_forward(self):
        for ours in ("server", "client"):
            self.load(ours, "+")

    def load(self, ours, flow):
        """Sessions whose visitor ends them: at 8 at a time all must work, none on a used
        connection."""
        node, peer, visit = self.pair(ours, self.KEY, flow, ("127.0.0.1", self.port()))
        peer.up.wait(10)
        wait_until(lambda: can_connect(visit), 5, "visitors are served")

        def session(i):
            data = net.pattern(b"load%d" % i, 20_000 + i)
            with net.connect(visit, 10) as sock:
                sock.sendall(b"ECHO\n")
                return net.exchange(sock, data, 10, half_close=False) == data

        self.assertTrue(all(net.parallel(session, range(200), 8)))
        self.assertEqual(peer.faults, [])
        self.assertEqual(peer.leftover, b"", "no byte of a session may arrive after it")
        self.assertEqual(peer.restarts, 0)
        return node

    def test_large_transfer_both_ways(self):
        for ours in ("server", "client"):
            for flow in "-+":
                _, peer, visit = self.pair(ours, self.KEY, flow, ("127.0.0.1", self.port()))
                peer.up.wait(10)
                wait_until(lambda v=visit: can_connect(v), 5, "visitors are served")
                data = net.pattern(b"large", 20_000_000)
                with net.connect(visit, 10) as sock:
                    sock.sendall(b"ECHO\n")
                    got = net.exchange(sock, data, 20, half_close=False)
                self.assertEqual(net.sha(got), net.sha(data), (ours, flow))
                self.assertEqual(peer.faults, [])
