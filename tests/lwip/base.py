# SPDX-License-Identifier: BSD-3-Clause
"""A tap, the system at one end of it and lwIP at the other."""
import os
import socket
import threading

from lib import case, net, netns, proc

FAR = {4: "10.9.0.1", 6: "fd09::1"}  # the system
NEAR = {4: "10.9.0.2", 6: "fd09::2"}  # lwIP
PACKET_IGNORE_OUTGOING = 23


def ip(*args):
    return netns.run("ip", *args)


class Node(proc.NodePass):
    """nodepass-lwip; which build of it, `program` says."""

    def __init__(self, directory, args, env, name, program):
        proc.Process.__init__(self, directory, [os.environ[program], *args], name, env)
        self.expect_exit = self.was_killed = self.was_asked = self.judged = False

    def judge(self):
        """Also that no handle was in use at the end, and no receive buffer (but for pieces of
        packets, after garbage)."""
        was_judged = self.judged
        faults = super().judge()
        if not was_judged and self.child.returncode == 0 and not self.expect_exit:
            if not self.find(r"lwIP: handles 0, .* buffers 0 ") and not (
                    self.find(r"lwIP: handles 0,") and self.counters().get("malformed")):
                faults.append("%s: something is left: %s" % (self.name, self.tail(3)))
        return faults

    def counters(self):
        """Numbers of the lines that it writes at its end."""
        found = {}
        for _, message in self.lines():
            if message.startswith("lwIP: "):
                for part in message[6:].split(", "):
                    words = part.rsplit(" ", 1)
                    if words[-1].isdigit():
                        found[words[0]] = int(words[-1])
        return found


class Cable(netns.Wire):
    """The system's tap0 and lwIP's tap1, joined by this process: losses, delay, order."""

    def __init__(self, seed=1):  # pylint: disable=super-init-not-called
        import random
        self.random = random.Random(seed)
        self.delay_s = self.loss = self.double = self.overtake = 0.0
        self.carried = self.lost = self.number = 0
        self.closing, self.queue = threading.Event(), []
        ip("tuntap", "add", "dev", "tap1", "mode", "tap")
        with open("/proc/sys/net/ipv6/conf/tap1/disable_ipv6", "w", encoding="ascii") as out:
            out.write("1")
        ip("link", "set", "tap1", "up")
        near = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        near.bind(("tap1", 0))
        near.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)  # SOL_PACKET
        near.setblocking(False)
        self.taps = [netns.open_tap(), near.detach()]
        self.threads = [threading.Thread(target=self._carry, daemon=True)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def remove(self):
        self.close()
        ip("link", "del", "tap1")


class Tunnel(case.Tunnel):
    """Its visitors are patient: the machine may be busy."""

    def connect(self, timeout=60.0, source=None):
        return super().connect(timeout, source)

    def visit_end(self, seconds=60.0, data=b""):
        return super().visit_end(seconds, data)


class LwipCase(case.Case):
    """Base of the tests: tap0 with addresses, or a cable between tap0 and lwIP's tap1."""

    has_cable = False
    tap = "tap0"

    def setUp(self):
        super().setUp()
        # cleanups run backwards: processes are stopped before the tap goes
        nodes = self._cleanups.pop()
        if self.has_cable:
            self.cable = Cable()
            self.addCleanup(self.cable.remove)
            self.tap = "tap1"
        else:
            ip("tuntap", "add", "dev", "tap0", "mode", "tap")
            self.addCleanup(ip, "link", "del", "tap0")
        self._cleanups.append(nodes)
        self.set_up_tap()
        if self.has_cable:
            self.cable.start()

    @staticmethod
    def set_up_tap():
        ip("addr", "replace", FAR[4] + "/24", "dev", "tap0")
        ip("link", "set", "tap0", "up")
        ip("addr", "replace", FAR[6] + "/64", "dev", "tap0", "nodad")

    # ---- nodes --------------------------------------------------------------------------------

    def lwip(self, url, *args, env=None, name="lwip", program="NP_LWIP_BIN", addresses=True):
        args = ["--tap", self.tap, *args, url]
        if addresses:
            args[2:2] = ["--ip", "%s/24,%s/64" % (NEAR[4], NEAR[6]), "--gw", FAR[4] + "," + FAR[6]]
        full = dict(case.ENV)
        full.update(env or {})
        node = Node(self.dir, args, full, name, program)
        self.nodes.append(node)
        return node

    def target(self, family=4):
        return self.serve(net.Target(FAR[family], self.port()))

    def udp_echo(self, family=4, port=None):
        return self.serve(net.UdpEcho(FAR[family], port or self.port()))

    def wait_visit(self, tunnel, seconds=10.0):
        """Until its visitors are let in."""

        def enters():
            try:
                tunnel.connect(1.0).close()
                return True
            except OSError:
                return False

        case.wait_until(enters, seconds, "visitors are let in", 0.05)

    def alone(self, target, query="", family=4, **options):
        """Single-end mode of lwIP."""
        visit = (NEAR[family], self.port())
        there = target if isinstance(target, str) else target.where
        node = self.lwip("client://%s/%s?mode=1&%s" % (net.where(*visit), there, query), **options)
        tunnel = Tunnel(visit, None, node)
        self.wait_visit(tunnel)
        return tunnel

    def pair(self, mode, side, target, query="", family=4, more="", **options):
        """mode: reverse or forward; side: which end lwIP is. `query` goes to the server and client,
        `more` to the client."""
        at = {"server": NEAR if side == "server" else FAR, "client": NEAR if side == "client" else
              FAR}
        there = target if isinstance(target, str) else target.where
        port = self.port()
        listener = "server" if mode == "reverse" else "client"
        visit = (at[listener][family], self.port())
        targets = {"server": there, "client": there, listener: net.where(*visit)}
        urls = {"server": "server://secret@%s/%s?mode=%d&%s" % (
            net.where(at["server"][family], port), targets["server"],
            1 if mode == "reverse" else 2, query),
            "client": "client://secret@%s/%s?mode=2&min=2&%s&%s" % (
                net.where(at["server"][family], port), targets["client"], query, more)}
        ends = {}
        for role in ("server", "client"):
            url = urls[role].rstrip("&")
            if role == side:
                ends[role] = self.lwip(url, name="lwip-" + role, **options)
            else:
                ends[role] = self.node(url, name="posix-" + role, env=options.get("env"))
            if role == "server":
                ends[role].wait_log("Server started")
        tunnel = Tunnel(visit, ends["server"], ends["client"])
        for end in tunnel.ends():
            end.wait_log("Tunnel handshaked: ")
        self.wait_visit(tunnel)
        return tunnel

    def every(self, target, names=None, **options):
        """Yields (name, tunnel) with lwIP alone and at each end of both modes."""
        for name in names or ("single", "reverse server", "reverse client", "forward server",
                              "forward client"):
            print("mode:", name)
            if name == "single":
                tunnel = self.alone(target, **{k: v for k, v in options.items() if k != "more"})
            else:
                tunnel = self.pair(*name.split(), target, **options)
            yield name, tunnel
            self.end(tunnel)

    def end(self, tunnel):
        """Ends both sides, so that the next tunnel can have the tap."""
        for node in reversed([n for n in tunnel.ends() if n is not None]):
            faults = node.judge()
            self.assertEqual(faults, [], node.tail())

    # ---- checks -------------------------------------------------------------------------------

    def check_echo(self, tunnel, size=1000, timeout=60.0):
        super().check_echo(tunnel, size, timeout)

    def check_udp(self, tunnel, data=b"ping over udp", timeout=30.0):
        super().check_udp(tunnel, data, timeout)

    def check_source(self, tunnel, size, timeout=60.0):
        """A download, hashed."""
        with tunnel.connect(timeout) as sock:
            sock.sendall(b"SOURCE s %d\n" % size)
            self.assertEqual(net.sha_to_end(sock, timeout), (net.pattern_sha(b"s", size), size))

    def check_sink(self, tunnel, size, timeout=60.0):
        """An upload, hashed."""
        with tunnel.connect(timeout) as sock:
            sock.sendall(b"SINK\n")
            got = net.exchange(sock, net.pattern(b"u", size), timeout)
        self.assertEqual(got.split(), [net.pattern_sha(b"u", size).encode(), b"%d" % size])
