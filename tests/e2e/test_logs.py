# SPDX-License-Identifier: BSD-3-Clause
"""Log lines that the ecosystem relies on (config.md 6) and check points (protocol.md 8)."""
import re
import socket
import time

from lib import net, proc
from lib.case import Case, limit, quick, wait_until

ADDRESS = r"127\.0\.0\.1:\d+"


class Lines(Case):
    @quick
    def test_every_line_has_the_form_and_the_known_ones_are_there(self):
        target, _ = self.both()
        tunnel = self.reverse(target, server="max=99&rate=0&slot=7&read=5m")
        self.check_echo(tunnel)
        tunnel.client.wait_log("CHECK_POINT")
        for end in reversed(tunnel.ends()):
            self.assertEqual(end.stop(), 0)
            for line in end.text().splitlines():
                self.assertRegex(line, proc.LINE)
            self.assertNotIn("secret", end.text())
            self.assertNotIn("\x1b", end.text(), "no colour when it is not a terminal")
            self.assertEqual(end.errors(), "")
        server, client = tunnel.server, tunnel.client
        start = server.find(r"INFO  Server started: (\S+)$").group(1)
        self.assertRegex(start, r"^[^@]*\*+[^@]*@127\.0\.0\.1:\d+/127\.0\.0\.1:\d+\?max=99&mode=1"
                                r"&read=5m\S*&rate=0&slot=7")
        start = client.find(r"INFO  Client started: (\S+)$").group(1)
        self.assertRegex(start, r"@127\.0\.0\.1:\d+/127\.0\.0\.1:%d\?min=4" % target.port)
        for end in (server, client):
            self.assertTrue(end.find(r"INFO  Tunnel handshaked: %s <-> %s$" % (ADDRESS, ADDRESS)))
        self.assertTrue(client.find(r"INFO  Client shutdown complete$"))
        self.assertTrue(server.find(r"INFO  Server shutdown complete$"))

    def test_restart_line(self):
        target = self.target()
        tunnel = self.reverse(target)
        tunnel.client.kill()
        tunnel.server.wait_log(r"(INFO|WARN|ERROR)  Server restarting: \S", 5)

    def test_levels(self):
        """Each level shows itself and what is graver; check points come at all but none."""
        expect = {"none": set(), "event": {"EVENT"}, "error": {"EVENT", "ERROR"},
                  "warn": {"EVENT", "ERROR", "WARN"}, "info": {"EVENT", "ERROR", "WARN", "INFO"},
                  "debug": {"EVENT", "ERROR", "WARN", "INFO", "DEBUG"}}
        nodes = {}
        for level in expect:
            nobody = "127.0.0.1:%d" % self.port()
            # A certificate that is not there is an ERROR.
            broken = "server://k@127.0.0.1:%d/%s?mode=2&tls=2&crt=%s/none&key=%s/none&log=%s" % (
                self.port(), nobody, self.dir, self.dir, level)
            refusing = self.single(nobody, "log=" + level)  # a refused target is a WARN
            nodes[level] = (self.node(broken, expect_exit=True), refusing.client)
            refusing.visit_end()
            self.assertEqual(nodes[level][0].wait(), 1)
        for level, pair in nodes.items():
            pair[1].stop()
            seen = {name for node in pair for name, _ in node.lines()}
            self.assertEqual(seen, expect[level], level)

    def test_no_peer_can_forge_a_line(self):
        """Control bytes in what a peer sends never reach the log as they are."""
        target = self.target()
        tunnel = self.reverse(target)
        port = int(tunnel.server.shown.split("@")[1].split("/")[0].rpartition(":")[2])
        for junk in (b"\n2026-01-01 00:00:00.000  INFO  forged\n", b"\x1b[31mred\n"):
            with net.connect(("127.0.0.1", port), 2, ("127.0.0.6", 0)) as sock:
                sock.sendall(junk)
                net.how_it_ends(sock, 3)
        self.assertFalse(tunnel.server.find("forged|red$"))
        for line in tunnel.server.text().splitlines():
            self.assertRegex(line, proc.LINE)


class CheckPoints(Case):
    """Numbers equal to the bytes that the test itself counted at the local side."""

    @quick
    @limit(60)
    def test_counters_are_the_real_bytes(self):
        target, echo = self.both()
        for name, tunnel in self.modes(target, env={"NP_UDP_READ_TIMEOUT": "1s"}):
            mode = {"single": 1, "reverse": 1, "forward": 2}[name]
            up = down = 0
            for size in (0, 1, 1000, 3_000_000):
                with tunnel.connect() as sock:
                    sock.sendall(b"SINK\n" + bytes(size))
                    sock.shutdown(socket.SHUT_WR)
                    down += len(net.read_to_end(sock))
                    up += 5 + size
            with tunnel.connect() as sock:
                line = b"SOURCE c 2000000\n"
                sock.sendall(line)
                sock.shutdown(socket.SHUT_WR)
                down += len(net.read_to_end(sock))
                up += len(line)
            udp = 0
            with net.udp_visitor(tunnel.visit) as sock:
                for size in (1, 100, 1400, 0, 100):
                    sock.send(bytes(size))
                    sock.recv(65536)
                    udp += size
            wait_until(lambda: target.open_count() == 0, 5)
            for end in tunnel.ends():
                self.check_end(end, tunnel, name, mode, (up, down, udp))

    def check_end(self, end, tunnel, name, mode, sums):
        """RX is read from, TX written to the local side: the visitor at the entry, the target at
        the other end; single-end counts at the listener."""
        up, down, udp = sums
        rx, tx = (up, down) if end is tunnel.entry else (down, up)

        def settled():
            points = end.check_points()
            last = points[-1] if points else {}
            is_quiet = last.get("tcps") == 0 and last.get("udps") == 0
            return is_quiet and last.get("tcprx") == rx and last

        note = "%s %s: want TCPRX=%d TCPTX=%d UDP=%d, last %s" % (
            name, end.name, rx, tx, udp, end.check_points()[-1:])
        last = wait_until(settled, 6, note, 0.1)
        self.assertEqual((last["tcprx"], last["tcptx"]), (rx, tx), note)
        self.assertEqual((last["udprx"], last["udptx"]), (udp, udp), note)
        if name == "single":
            self.assertEqual(last["pool"], 0)
        else:
            self.assertGreaterEqual(last["pool"], 4 if end is tunnel.client else 1)
        self.assertLess(last["ping"], 1000)
        end.stop()
        final = end.check_points()[-1]
        self.assertEqual(final["tcprx"], rx, "the last check point keeps the counters")
        self.assertEqual([final[k] for k in ("ping", "pool", "tcps", "udps")], [0, 0, 0, 0])

    def test_sessions_are_counted_while_they_run(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target):
            socks = [tunnel.connect() for _ in range(3)]
            for i, sock in enumerate(socks):
                sock.sendall(b"NAME %s%d\n" % (name.encode(), i))
            udp = net.udp_visitor(tunnel.visit)
            udp.send(b"x")
            udp.recv(10)
            for end in tunnel.ends():
                end.wait_log(r"CHECK_POINT\|.*\|TCPS=3\|UDPS=1\|", 5)
            for sock in socks:
                net.reset(sock)
            udp.close()
            for end in tunnel.ends():
                end.wait_log(r"CHECK_POINT\|.*\|TCPS=0\|", 5, end.mark())

    def test_one_each_report_interval(self):
        target = self.target()
        for name, tunnel in self.modes(target, env={"NP_REPORT_INTERVAL": "500ms"}):
            time.sleep(4)
            for end in tunnel.ends():
                count = len(end.check_points())
                self.assertTrue(6 <= count <= 10, "%s %s: %d in 4 s" % (name, end.name, count))
                stamps = re.findall(r"^\S+ (\S+)  EVENT", end.text(), re.MULTILINE)
                self.assertEqual(stamps, sorted(stamps))

    def test_single_end_ping_is_zero_when_the_target_is_refused(self):
        tunnel = self.single("127.0.0.1:%d" % self.port())
        tunnel.client.wait_log(r"CHECK_POINT\|MODE=1\|PING=0ms\|POOL=0\|TCPS=0\|", 5)
