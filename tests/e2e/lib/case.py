# SPDX-License-Identifier: BSD-3-Clause
"""One test: its ports, its processes, its servers and their end."""
import os
import shutil
import socket
import tempfile
import threading
import time
import unittest

from lib import net, patience, proc

LOOPBACK = {4: "127.0.0.1", 6: "::1"}

# Faster rhythms than the defaults, so that a test sees several rounds; a test may override any.
ENV = {"NP_REPORT_INTERVAL": "1s", "NP_SERVICE_COOLDOWN": "300ms", "NP_SHUTDOWN_TIMEOUT": "3s"}


# Every pair of ours uses this level of TLS: the same tests, over records.
TLS = os.environ.get("NP_E2E_TLS", "")


def quick(test):
    """Marks a test (or class) for `run.py --subset quick`."""
    test.quick = True
    return test


def alone(test):
    """Marks a test that measures time: nothing else runs beside it."""
    test.alone = True
    return test


def limit(seconds):
    """The time after which the runner ends a test and calls it failed (default 40 s)."""

    def mark(test):
        test.limit = seconds
        return test

    return mark


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def need(condition, why):
    """Skips the running test with one clear line."""
    if not condition:
        raise unittest.SkipTest(why)


def need_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    need(path, "%s is not installed" % name)
    return path


def need_root():
    need(os.geteuid() == 0, "needs root")


def wait_until(predicate, seconds=10.0, what="condition", step=0.02):
    """Returns the predicate's first true value; AssertionError after `seconds`."""
    limit = patience.Limit(seconds)
    while True:
        value = predicate()
        if value:
            return value
        if limit.is_over():
            raise AssertionError("not within %.1f s: %s" % (seconds, what))
        time.sleep(step)


class Tunnel:
    """A running pair (or a single end), and where its visitors go."""

    def __init__(self, visit, server, client):
        self.visit = visit  # (host, port) of the visitor side
        self.server = server  # NodePass or None
        self.client = client  # NodePass
        self.entry = client if server is None else server

    def ends(self):
        return [end for end in (self.server, self.client) if end is not None]

    def connect(self, timeout=10.0, source=None):
        return net.connect(self.visit, timeout, source)

    def visit_end(self, seconds=5.0, data=b""):
        """How a visit ends that sends `data` and waits; 'reset' also when connect is told so."""
        try:
            with self.connect(seconds) as sock:
                if data:
                    sock.sendall(data)
                return net.how_it_ends(sock, seconds)
        except ConnectionError:
            return "reset"


class Case(unittest.TestCase):
    """Base of all tests. After each one every process of ours must have lived and must stop
    cleanly."""

    port_base = int(os.environ.get("NP_E2E_PORTS", "10000"))

    def setUp(self):
        self._next_port, self._port_lock = self.port_base, threading.Lock()
        self.dir = tempfile.mkdtemp(prefix="np-e2e-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.nodes = []
        self.addCleanup(self._stop_nodes)

    # ---- ports and processes ------------------------------------------------------------------

    def port(self):
        """A port of this test's own block that is free for TCP and UDP at the moment."""
        for _ in range(100):
            with self._port_lock:  # some tests ask from several threads
                port = self._next_port
                self._next_port += 1
            if net.is_free(port):
                return port
        raise AssertionError("no free port in the block of this test")

    def node(self, *args, env=None, name=None, expect_exit=False, prefix=None, bare_env=False):
        """Starts our binary; it is stopped and judged when the test ends."""
        full = {} if bare_env else dict(ENV)
        full.update(env or {})
        node = proc.NodePass(self.dir, args, full, name or "np%d" % len(self.nodes), prefix)
        node.expect_exit = expect_exit
        self.nodes.append(node)
        return node

    def program(self, argv, name=None, env=None, prefix=None, stdin=None):
        """Starts another program; it is ended when the test ends."""
        name = name or os.path.basename(argv[0])
        process = proc.Process(self.dir, argv, name, env, prefix, stdin)
        self.addCleanup(process.kill)
        return process

    def _stop_nodes(self):
        """Stops what still runs, the clients first, and collects what must not be seen."""
        faults = []
        for node in reversed(self.nodes):
            faults += node.judge()
        if faults:
            for node in self.nodes:
                print("---- %s: %s" % (node.name, node.shown))
                print(node.tail(16))
            self.fail("; ".join(faults))

    # ---- servers ------------------------------------------------------------------------------

    def serve(self, server):
        self.addCleanup(server.close)
        return server

    def target(self, family=4):
        return self.serve(net.Target(LOOPBACK[family], self.port()))

    def udp_echo(self, family=4, port=None):
        return self.serve(net.UdpEcho(LOOPBACK[family], port or self.port()))

    def both(self, family=4):
        """A TCP target and a UDP echo on the same port."""
        target = self.target(family)
        return target, self.udp_echo(family, target.port)

    # ---- tunnels ------------------------------------------------------------------------------

    def reverse(self, target, key="secret", server="", client="", env=None, wait=True, family=4):
        """Server listens for visitors, client connects to the target (host:port text or server)."""
        return self._dual(1, target, key, server, client, env, wait, family)

    def forward(self, target, key="secret", server="", client="", env=None, wait=True, family=4):
        """Client listens for visitors, server connects to the target."""
        return self._dual(2, target, key, server, client, env, wait, family)

    def _dual(self, mode, target, key, server, client, env, wait, family):
        host = net.bracket(LOOPBACK[family])
        tunnel = "%s@%s:%d" % (key, host, self.port())
        visit = (LOOPBACK[family], self.port())
        there = target if isinstance(target, str) else target.where
        listen = net.where(*visit)
        s_target, c_target = (listen, there) if mode == 1 else (there, listen)
        tls = "tls=%s&" % TLS if TLS and "tls=" not in server else ""
        s_url = "server://%s/%s?mode=%d&%s%s" % (tunnel, s_target, mode, tls, server)
        c_url = "client://%s/%s?mode=2&min=4&%s" % (tunnel, c_target, client)
        s_node = self.node(s_url.rstrip("&"), env=env, name="server")
        net.wait_listening(tunnel.rpartition(":")[2])
        c_node = self.node(c_url.rstrip("&"), env=env, name="client")
        result = Tunnel(visit, s_node, c_node)
        result.entry = s_node if mode == 1 else c_node
        if wait:
            self.wait_up(result)
        return result

    def wait_up(self, tunnel, seconds=10.0):
        for end in tunnel.ends():
            end.wait_log("Tunnel handshaked: ", seconds)
        net.wait_listening(tunnel.visit[1], seconds)

    def single(self, target, query="", env=None, family=4):
        """One client that listens and connects each session straight to the target."""
        visit = (LOOPBACK[family], self.port())
        there = target if isinstance(target, str) else target.where
        url = "client://%s/%s?mode=1&%s" % (net.where(*visit), there, query)
        node = self.node(url.rstrip("&"), env=env, name="client")
        net.wait_listening(visit[1])
        return Tunnel(visit, None, node)

    def modes(self, target, env=None, names=("single", "reverse", "forward"), **both):
        """Yields (name, tunnel) for every mode; `both` is a query for each end of each mode."""
        query = "&".join("%s=%s" % item for item in both.items())
        for name in names:
            print("mode:", name)  # shown when the test fails
            if name == "single":
                yield name, self.single(target, query, env)
            else:
                yield name, getattr(self, name)(target, server=query, client=query, env=env)

    # ---- checks -------------------------------------------------------------------------------

    def check_echo(self, tunnel, size=1000, timeout=10.0):
        """One session that carries `size` bytes there and back and ends by half close."""
        data = net.pattern(b"echo%d" % size, size)
        with tunnel.connect(timeout) as sock:
            sock.sendall(b"ECHO\n")
            got = net.exchange(sock, data, timeout)
        self.assertEqual(net.sha(got), net.sha(data))

    def check_udp(self, tunnel, data=b"ping over udp", timeout=5.0):
        with net.udp_visitor(tunnel.visit, timeout) as sock:
            sock.send(data)
            self.assertEqual(sock.recv(65536), data)

    def check_rss(self, node, limit_kb=8000, base_kb=0):
        """`node` holds at most limit_kb more than base_kb; a sanitizer may take more."""
        factor = 4 if proc.is_sanitized() else 1
        self.assertLessEqual(node.rss_kb() - base_kb, limit_kb * factor, node.name + ": memory")

    def heal(self, tunnel, seconds=15.0, udp=False):
        """Tries until a session works again; returns how long that took."""
        start = time.monotonic()

        def try_once():
            try:
                self.check_echo(tunnel, 1000, 2.0)
                if udp:
                    self.check_udp(tunnel, timeout=1.0)
                return True
            except (OSError, AssertionError):
                return False

        wait_until(try_once, seconds, "a session works again", 0.1)
        return time.monotonic() - start

    def idle_figures(self, tunnel):
        """Descriptor counts of all ends once they stopped changing."""

        def stable():
            first = [end.fd_count() for end in tunnel.ends()]
            time.sleep(0.3)
            return first if first == [end.fd_count() for end in tunnel.ends()] else None

        return wait_until(stable, 10, "descriptor counts settle")

    def check_fds_back(self, tunnel, before, slack=0, seconds=10.0):
        """Every end holds at most `slack` more descriptors than before."""

        now = []

        def back():
            now[:] = [end.fd_count() for end in tunnel.ends()]
            return all(a <= b + slack for a, b in zip(now, before))

        try:
            wait_until(back, seconds, "descriptors back", 0.1)
        except AssertionError as late:
            raise AssertionError("%s at %s (%d more allowed), now %s" % (late, before, slack, now)
                                 ) from late
