# SPDX-License-Identifier: BSD-3-Clause
"""rate, slot, read, notcp, noudp, dial and proxy (config.md 2)."""
import contextlib
import threading
import time

from lib import net, patience
from lib.case import Case, LOOPBACK, Tunnel, alone, have_ipv6, need, quick, wait_until


class Sides(Case):
    def targets_side(self):
        """(how to make a tunnel, which end connects to the target; None: the only one)"""
        return ((self.single, None), (self.reverse, "client"), (self.forward, "server"))


class Rate(Case):
    """Within 3 % of the set value once the burst of the first second is gone."""

    MBPS = 16
    WINDOW = 6.0

    def feed(self, tunnel, name, stop):
        with contextlib.suppress(OSError), tunnel.connect(30) as sock:
            sock.sendall(b"COUNT %s\n" % name.encode())
            while not stop.is_set():
                sock.sendall(bytes(32768))

    def read(self, tunnel, name, counted, stop):
        with contextlib.suppress(OSError), tunnel.connect(30) as sock:
            sock.sendall(b"SOURCE %s 1000000000\n" % name.encode())
            while not stop.is_set():
                data = sock.recv(65536)
                counted[name] = counted.get(name, 0) + len(data)
            net.reset(sock)

    def measure(self, streams):
        target = self.target()
        query = "rate=%d" % self.MBPS
        tunnels = {"single": self.single(target, query),
                   "reverse": self.reverse(target, server=query),
                   "forward": self.forward(target, client=query)}
        counted, stop, threads = {}, threading.Event(), []
        for mode, tunnel in tunnels.items():
            for i in range(streams):
                name = "%s%d" % (mode, i)
                for function, args in ((self.feed, ()), (self.read, (counted,))):
                    threads.append(threading.Thread(
                        target=function, args=(tunnel, name, *args, stop), daemon=True))
        for thread in threads:
            thread.start()
        time.sleep(3.0)  # the bucket holds one second; socket buffers fill meanwhile

        def totals():
            tables = (("up", target.counted), ("down", counted))
            return {(way, mode): sum(v for k, v in list(table.items()) if k.startswith(mode))
                    for mode in tunnels for way, table in tables}

        first, start = totals(), time.monotonic()
        time.sleep(self.WINDOW)
        last, took = totals(), time.monotonic() - start
        stop.set()
        wrong = []
        for key in sorted(first):
            ratio = (last[key] - first[key]) / (took * self.MBPS * 125000)
            print("%2d streams %-8s %-4s %.4f of the rate" % (streams, key[1], key[0], ratio))
            if not 0.97 <= ratio <= 1.03:
                wrong.append((key, round(ratio, 4)))
        self.assertEqual(wrong, [])

    @alone
    @quick
    def test_one_stream(self):
        self.measure(1)

    @alone
    def test_ten_streams(self):
        self.measure(10)

    def test_burst_is_bounded_and_the_limiter_does_not_stall(self):
        """One second of burst, then the rate; after idling it works again."""
        target = self.target()
        size = 3_000_000  # 1 MB/s: one second of burst and two of rate
        for name, tunnel in self.modes(target, names=("single", "reverse"), rate=8):
            for _ in range(2):
                start = time.monotonic()
                with tunnel.connect() as sock:
                    sock.sendall(b"SOURCE burst %d\n" % size)
                    got = net.sha_to_end(sock)
                took = time.monotonic() - start
                self.assertEqual(got, (net.pattern_sha(b"burst", size), size))
                self.assertGreater(took, 1.8, name)
                self.assertLess(took, 3.5, name)
                time.sleep(1.2)


class Slots(Case):
    @quick
    def test_slot_limit_on_the_visitor_side(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target, slot=3):
            self.fill_and_check(tunnel, target, name)

    def test_slot_limit_on_the_target_side_closes_the_visitor(self):
        target, _ = self.both()
        tunnel = self.reverse(target, client="slot=3")
        self.fill_and_check(tunnel, target, "client slots")

    def fill_and_check(self, tunnel, target, name):
        held = []
        for i in range(3):
            sock = tunnel.connect()
            sock.sendall(b"NAME %s%d\n" % (name.replace(" ", "").encode(), i))
            held.append(sock)
        wait_until(lambda: target.open_count() == 3, 5, "three sessions")
        start = patience.Watch()
        end = tunnel.visit_end(data=b"ECHO\nabc")
        self.assertIn(end, ("eof", "reset"), "the fourth visitor is refused")
        self.assertLess(start.took(), 2.0)
        self.assertTrue(any(end.find(r"(?i)WARN.*(slot|sessions)") for end in tunnel.ends()),
                        "one WARN about it")
        self.assertEqual(target.open_count(), 3, "the others run on")
        held.pop().close()
        target.done.set()
        # The closed session's slot is free again, soon.
        wait_until(lambda: self.works(tunnel), 5, name + ": a slot is free again")
        for sock in held:
            sock.close()
        wait_until(lambda: target.open_count() == 0, 5)
        target.done.clear()

    def works(self, tunnel):
        try:
            self.check_echo(tunnel, 100, 2)
            return True
        except (OSError, AssertionError):
            return False

    def test_udp_sessions_take_slots_and_give_them_back(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target, names=("single", "reverse"), slot=2, read="1s"):
            for _ in range(2):
                socks = [net.udp_visitor(tunnel.visit, 2) for _ in range(2)]
                for sock in socks:
                    sock.send(b"hello")
                    self.assertEqual(sock.recv(100), b"hello", name)
                    sock.close()
                # Idle for `read`: the slots come back.
                wait_until(lambda tunnel=tunnel: self.udp_answers(tunnel), 6, "UDP slot free again")

    @staticmethod
    def udp_answers(tunnel):
        with net.udp_visitor(tunnel.visit, 0.3) as sock:
            sock.send(b"x")
            try:
                return bool(sock.recv(10))
            except OSError:
                return False


class ReadTimeout(Case):
    @quick
    def test_idle_tcp_session_ends_and_a_busy_one_does_not(self):
        target = self.target()
        for name, tunnel in self.modes(target, read="1500ms"):
            idle, busy = tunnel.connect(), tunnel.connect()
            idle.sendall(b"NAME idle%s\n" % name.encode())
            busy.sendall(b"ECHO\n")
            start = time.monotonic()
            ended = []
            waiter = threading.Thread(
                target=lambda s=idle: ended.append((net.how_it_ends(s, 8), time.monotonic())))
            waiter.start()
            while time.monotonic() - start < 3.5:
                busy.sendall(b"x")
                self.assertEqual(busy.recv(1), b"x")
                time.sleep(0.3)
            waiter.join()
            self.assertIn(ended[0][0], ("eof", "reset"), name)
            self.assertGreater(ended[0][1] - start, 1.2, name)
            self.assertLess(ended[0][1] - start, 3.4, name)
            idle.close()
            busy.close()

    def test_data_in_one_direction_keeps_a_session(self):
        target = self.target()
        tunnel = self.reverse(target, server="read=1s", client="read=1s")
        with tunnel.connect() as sock:
            sock.sendall(b"NAME oneway\n")
            for _ in range(15):
                sock.sendall(b"y")
                time.sleep(0.2)
            self.assertNotIn("oneway", target.ended)
            self.assertEqual(len(target.got["oneway"]), 15)

    def test_udp_session_ends_after_np_udp_read_timeout(self):
        _, echo = self.both()
        for name, tunnel in self.modes(echo, env={"NP_UDP_READ_TIMEOUT": "1s"}):
            echo.sources.clear()
            with net.udp_visitor(tunnel.visit) as sock:
                for pause in (0.4, 0.4, 2.5, 0):
                    sock.send(b"same visitor")
                    self.assertEqual(sock.recv(100), b"same visitor", name)
                    time.sleep(pause)
            self.assertEqual(len(echo.sources), 2, "one session before the pause, one after it")

    def test_read_counts_for_udp_too_when_given(self):
        _, echo = self.both()
        tunnel = self.reverse(echo, server="read=1s", client="read=1s")
        with net.udp_visitor(tunnel.visit) as sock:
            for _ in range(2):
                sock.send(b"hello")
                sock.recv(100)
                time.sleep(2.2)
        self.assertEqual(len(echo.sources), 2)


class Switches(Sides):
    @staticmethod
    def refused(tunnel):
        return tunnel.visit_end(3, b"ECHO\n") != "open"

    @quick
    def test_notcp_and_noudp(self):
        target, _ = self.both()
        for make in (self.single, self.reverse, self.forward):
            name = make.__name__
            with self.subTest(mode=name):
                tunnel = self.switched(make, target, "noudp=1")
                self.check_echo(tunnel)
                with net.udp_visitor(tunnel.visit, 0.5) as sock:
                    sock.send(b"x")
                    self.assertRaises(OSError, sock.recv, 10)
                tunnel = self.switched(make, target, "notcp=1", wait=False)
                net.wait_listening(tunnel.visit[1], udp=True)
                wait_until(lambda t=tunnel: self.udp_once(t), 10, "UDP alone works")
                self.assertTrue(self.refused(tunnel), name)

    def switched(self, make, target, query, wait=True):
        if make.__name__ != "single":
            return make(target, server=query, client=query, wait=wait)
        if wait:
            return self.single(target, query)
        visit = (LOOPBACK[4], self.port())
        node = self.node("client://%s/%s?mode=1&%s" % (net.where(*visit), target.where, query))
        return Tunnel(visit, None, node)

    @staticmethod
    def udp_once(tunnel):
        with net.udp_visitor(tunnel.visit, 0.5) as sock:
            try:
                sock.send(b"x")
                return sock.recv(10) == b"x"
            except OSError:
                return False

    def test_dial_sets_the_source_address(self):
        target, echo = self.both()
        for make, query in self.targets_side():
            with self.subTest(mode=make.__name__):
                target.peers.clear()
                echo.sources.clear()
                if query is None:
                    tunnel = make(target, "dial=127.0.0.9")
                else:
                    tunnel = make(target, **{query: "dial=127.0.0.9"})
                self.check_echo(tunnel)
                self.check_udp(tunnel)
                self.assertEqual({p[0] for p in target.peers}, {"127.0.0.9"})
                self.assertEqual({p[0] for p in echo.sources}, {"127.0.0.9"})
                if query == "client":
                    line = tunnel.server.find(r"Tunnel handshaked: \S+ <-> (\S+)").group(1)
                    self.assertTrue(line.startswith("127.0.0.9:"), line)


class Proxy(Sides):
    """PROXY protocol v1, byte for byte, before any other byte."""

    def header(self, recorder, tunnel):
        recorder.seen.clear()
        with tunnel.connect() as sock:
            port = sock.getsockname()[1]
            sock.sendall(b"after the header")
            wait_until(lambda: recorder.seen and recorder.seen[0][1].endswith(b"header"), 5)
        return bytes(recorder.seen[0][1]), port

    @quick
    def test_ipv4_in_every_mode(self):
        recorder = self.serve(net.Recorder("127.0.0.1", self.port()))
        for make, query in self.targets_side():
            with self.subTest(mode=make.__name__):
                tunnel = make(recorder, "proxy=1") if query is None else make(
                    recorder, **{query: "proxy=1"})
                got, port = self.header(recorder, tunnel)
                self.assertEqual(got, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n"
                                      b"after the header" % (port, recorder.port))

    def test_ipv6_and_mixed_families(self):
        need(have_ipv6(), "no IPv6 on this machine")
        recorder = self.serve(net.Recorder("::1", self.port()))
        for make, query in self.targets_side():
            for family, visitor in ((6, b"::1"), (4, b"::ffff:127.0.0.1")):
                with self.subTest(mode=make.__name__, family=family):
                    tunnel = make(recorder, "proxy=1", family=family) if query is None else make(
                        recorder, family=family, **{query: "proxy=1"})
                    got, port = self.header(recorder, tunnel)
                    self.assertEqual(got, b"PROXY TCP6 %s ::1 %d %d\r\nafter the header" % (
                        visitor, port, recorder.port))

    def test_header_comes_before_a_silent_visitor_sends(self):
        recorder = self.serve(net.Recorder("127.0.0.1", self.port()))
        tunnel = self.reverse(recorder, client="proxy=1")
        with tunnel.connect() as sock:
            want = b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (
                sock.getsockname()[1], recorder.port)
            wait_until(lambda: recorder.seen and bytes(recorder.seen[0][1]) == want, 5)

    def test_udp_has_no_header(self):
        _, echo = self.both()
        tunnel = self.reverse(echo, client="proxy=1")
        with net.udp_visitor(tunnel.visit) as sock:
            sock.send(b"plain")
            self.assertEqual(sock.recv(100), b"plain")
        self.assertEqual(echo.sizes, [5])
