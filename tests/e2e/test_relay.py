# SPDX-License-Identifier: BSD-3-Clause
"""How sessions end, and what they hold meanwhile (protocol.md 7)."""
import contextlib
import random
import socket
import time

from lib import net, patience
from lib.case import Case, limit, quick, wait_until

MEGABYTE = 1 << 20


class HalfClose(Case):
    @quick
    def test_visitor_first_then_much_data_back(self):
        target = self.target()
        size = 64 * MEGABYTE
        for name, tunnel in self.modes(target):
            with tunnel.connect() as sock:
                sock.sendall(b"SOURCE after %d\n" % size)
                sock.shutdown(socket.SHUT_WR)
                want = (net.pattern_sha(b"after", size), size)
                self.assertEqual(net.sha_to_end(sock), want, name)

    def test_target_first_then_much_data_up(self):
        target = self.target()
        size = 64 * MEGABYTE
        for name, tunnel in self.modes(target):
            with tunnel.connect() as sock:
                sock.sendall(b"HALF %s\n" % name.encode())
                self.assertEqual(sock.recv(1), b"", "the target's end of stream must arrive")
                for block in net.pattern_blocks(b"late", size):
                    sock.sendall(block)
                sock.shutdown(socket.SHUT_WR)
                wait_until(lambda: name in target.results, 20, "target has read to the end")
            self.assertEqual(target.results[name], (net.pattern_sha(b"late", size), size))

    def test_the_end_comes_after_the_last_byte_also_when_the_reader_is_slow(self):
        target = self.target()
        size = 8 * MEGABYTE
        for name, tunnel in self.modes(target):
            with tunnel.connect() as sock:
                sock.sendall(b"SOURCE slow %d\n" % size)
                sock.shutdown(socket.SHUT_WR)
                time.sleep(0.5)
                self.assertEqual(net.sha_to_end(sock), (net.pattern_sha(b"slow", size), size), name)

    def test_empty_session_both_ends_close(self):
        target = self.target()
        for name, tunnel in self.modes(target, max=32):
            before = self.idle_figures(tunnel)
            for _ in range(20):
                tunnel.connect().close()
            wait_until(lambda: target.open_count() == 0, 5, name)
            self.check_fds_back(tunnel, before, slack=30)


class Resets(Case):
    """A reset on one side closes the other with a reset, from each of four corners, and soon."""

    def reset_from(self, tunnel, target, name, corner):
        sock = tunnel.connect()
        sock.sendall(b"NAME %s\n" % name.encode())
        wait_until(lambda: name in target.named, 5, "session reaches the target")
        start = patience.Watch()
        if corner == "visitor":
            net.reset(sock)
            wait_until(lambda: name in target.ended, 5, "target sees the end")
            self.assertEqual(target.ended[name], "reset")
        elif corner == "target":
            target.reset(name)
            self.assertEqual(net.how_it_ends(sock, 5), "reset")
            sock.close()
        took = start.took()
        self.assertLess(took, 1.0, "%s: %.2f s" % (corner, took))

    @quick
    def test_reset_by_visitor_and_by_target(self):
        target = self.target()
        for name, tunnel in self.modes(target):
            before = self.idle_figures(tunnel)
            for corner in ("visitor", "target"):
                self.reset_from(tunnel, target, name + corner, corner)
            self.check_fds_back(tunnel, before, slack=4)
            self.check_echo(tunnel)

    def test_reset_in_the_middle_of_a_transfer(self):
        target = self.target()
        for name, tunnel in self.modes(target):
            before = self.idle_figures(tunnel)
            with tunnel.connect() as sock:
                sock.sendall(b"SOURCE mid %d\n" % (50 * MEGABYTE))
                net.read_exact(sock, MEGABYTE)
                net.reset(sock)
            wait_until(lambda: target.open_count() == 0, 5, name + ": source is told")
            sock = tunnel.connect()
            sock.sendall(b"TALK %s %d\n" % (name.encode(), MEGABYTE))
            net.read_exact(sock, 1000)
            target.reset(name)
            self.assertEqual(net.how_it_ends(sock, 5), "reset", name)
            sock.close()
            self.check_fds_back(tunnel, before, slack=4)

    @limit(90)
    def test_thousands_of_resets_in_the_middle_leave_no_session(self):
        """A reset that falls into a splice must not be lost: one in a thousand was, and its session
        stood still with the descriptors of both ends."""
        target = self.target()
        for name, tunnel in self.modes(target, names=("single", "reverse")):

            def visitor(number, tunnel=tunnel):
                source = random.Random(number)
                for _ in range(500):
                    with tunnel.connect() as sock:
                        sock.sendall(b"SOURCE r 3000000\n")
                        net.read_exact(sock, source.randrange(1, 500_000))
                        net.reset(sock)

            net.parallel(visitor, range(6), 6)
            wait_until(lambda: target.open_count() == 0, 10, name + ": sources are told")
            for end in tunnel.ends():
                end.wait_log(r"CHECK_POINT\|.*\|TCPS=0\|", 10, end.mark())

    def test_each_process_killed_resets_its_sessions(self):
        """The other two corners: an end of the tunnel dies; visitor and target both learn it."""
        target = self.target()
        for mode in ("reverse", "forward"):
            for victim in ("server", "client"):
                with self.subTest(mode=mode, victim=victim):
                    tunnel = getattr(self, mode)(target)
                    name = mode + victim
                    sock = tunnel.connect()
                    sock.sendall(b"NAME %s\n" % name.encode())
                    wait_until(lambda name=name: name in target.named, 5)
                    getattr(tunnel, victim).kill()
                    self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"))
                    wait_until(lambda name=name: name in target.ended, 5, "target sees the end")
                    sock.close()


class Refused(Case):
    @quick
    def test_visitor_of_a_refused_target_sees_its_end_at_once(self):
        for name, tunnel in self.modes("127.0.0.1:%d" % self.port()):
            before = self.idle_figures(tunnel)
            for _ in range(5):
                start = patience.Watch()
                self.assertEqual(tunnel.visit_end(), "reset", name)
                self.assertLess(start.took(), 1.0, name)
            self.check_fds_back(tunnel, before, slack=6)

    def test_target_that_comes_later(self):
        port = self.port()
        for name, tunnel in self.modes("127.0.0.1:%d" % port, names=("single", "reverse")):
            tunnel.visit_end()
            target = net.Target("127.0.0.1", port)
            try:
                self.check_echo(tunnel)
            finally:
                target.close()

    def test_refusals_are_logged_with_the_cause_but_not_each(self):
        tunnel = self.single("127.0.0.1:%d" % self.port())
        for _ in range(50):
            tunnel.visit_end()
        tunnel.client.wait_log(r"(?i)(WARN|ERROR).*refused")
        self.assertLess(tunnel.client.count(r"(?i)refused"), 20)


class SlowReaders(Case):
    @limit(60)
    def test_a_reader_that_stops_does_not_fill_memory(self):
        """Zero window: the source is held back, our memory stays small, other sessions run."""
        target = self.target()
        size = 64 * MEGABYTE
        for name, tunnel in self.modes(target):
            base = [end.rss_kb() for end in tunnel.ends()]
            lazy = []
            for _ in range(10):
                sock = socket.socket()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.settimeout(30)
                sock.connect(tunnel.visit)
                sock.sendall(b"SOURCE lazy %d\n" % size)
                lazy.append(sock)
            self.check_echo(tunnel, 1_000_000)
            time.sleep(1)
            grown = [end.rss_kb() - b for end, b in zip(tunnel.ends(), base)]
            print("%s: RSS +%s KB with 10 stopped readers" % (name, grown))
            for end, before in zip(tunnel.ends(), base):
                self.check_rss(end, 10 * 512, before)  # bounded buffering per direction
            self.check_echo(tunnel, 1_000_000)
            got = net.sha_to_end(lazy[0], 60)
            self.assertEqual(got, (net.pattern_sha(b"lazy", size), size))
            for sock in lazy:
                sock.close()
            wait_until(lambda: target.open_count() == 0, 10, "sources end")

    def test_a_target_that_never_reads(self):
        target = self.target()
        for name, tunnel in self.modes(target):
            base = [end.rss_kb() for end in tunnel.ends()]
            sock = tunnel.connect()
            sock.sendall(b"MUTE %s\n" % name.encode())
            sock.settimeout(1.0)
            sent = 0
            with contextlib.suppress(socket.timeout):
                while sent < 512 * MEGABYTE:
                    sent += sock.send(bytes(65536))
            hops = 1 + len(tunnel.ends())
            most = hops * kernel_buffers() + 2 * MEGABYTE
            self.assertLess(sent, most, "the visitor is held back")
            for end, before in zip(tunnel.ends(), base):
                self.check_rss(end, 2048, before)
            self.check_echo(tunnel, 100_000)
            net.reset(sock)


def kernel_buffers():
    """Bytes that one connection's two sockets may hold."""
    most = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open("/proc/sys/net/ipv4/" + name, encoding="ascii") as figures:
            most += int(figures.read().split()[2])
    return most


class Parallel(Case):
    @limit(60)
    def test_200_sessions_at_once_each_with_its_own_content(self):
        target = self.target()
        for name, tunnel in self.modes(target):

            def session(i, tunnel=tunnel):
                data = net.pattern(b"p%d" % i, 50_000 + i * 101)
                with tunnel.connect(20) as sock:
                    sock.sendall(b"ECHO\n")
                    return net.exchange(sock, data) == data

            self.assertTrue(all(net.parallel(session, range(200), 200)), name)
            wait_until(lambda: target.open_count() == 0, 5)

    def test_many_short_sessions_one_after_the_other(self):
        target = self.target()
        for name, tunnel in self.modes(target):
            for i in range(300):
                with tunnel.connect() as sock:
                    sock.sendall(b"ECHO\nx%d" % i)
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(net.read_to_end(sock), b"x%d" % i, name)
