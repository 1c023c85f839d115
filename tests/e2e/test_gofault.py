# SPDX-License-Identifier: BSD-3-Clause
"""What a Go v1.6.0 peer does wrong, and what a broken one might do (protocol.md 2, 3, 6, 7)."""
import contextlib
import socket
import threading
import time

from lib import goline, gomodel, net, patience
from lib.case import limit, quick, wait_until
from test_go import Pairs, can_connect

KEY = b"QWERTYUI"


class ScriptedServer:
    """Takes one client by hand: the control connection first, then pool connections without ids."""

    def __init__(self, port, answer="np://64/-#0"):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.listener.settimeout(10)
        self.answer = answer
        self.control = None
        self.sockets = []

    def accept_control(self):
        sock, _ = self.listener.accept()
        self.control = gomodel.Control(sock, KEY)
        assert self.control.read_line(5).encode() == KEY
        self.control.send(self.answer)
        self.control.sock.settimeout(10)
        threading.Thread(target=self._pong, daemon=True).start()

    def _pong(self):
        with contextlib.suppress(OSError, gomodel.TunnelEnd):
            while True:
                if self.control.read_line(0.2) == "#i":
                    self.control.send("#o")

    def accept_pool(self, pool_id=None):
        sock, _ = self.listener.accept()
        sock.settimeout(10)
        self.sockets.append(sock)
        if pool_id:
            sock.sendall(pool_id)
        return sock

    def launch(self, pool_id, kind=1, peer="127.0.0.1:5000"):
        self.control.send(goline.launch_url(peer, pool_id.decode(), kind))

    def close(self):
        self.listener.close()
        for sock in self.sockets + ([self.control.sock] if self.control else []):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class ToOurClient(Pairs):
    """Our client against a server played by hand."""

    def start(self, answer="np://64/-#0", query="", env=None):
        server = self.serve(ScriptedServer(self.port(), answer))
        port = server.listener.getsockname()[1]
        node = self.node("client://QWERTYUI@127.0.0.1:%d/%s?mode=2&min=4%s" % (
            port, net.where(*self.target_address), query), env=env)
        server.accept_control()
        return server, node

    def works(self, sock, data=b"echo me"):
        sock.sendall(b"ECHO\n" + data)
        self.assertEqual(net.read_exact(sock, len(data)), data)

    @quick
    def test_launch_overtakes_its_id(self):
        server, _ = self.start()
        socks = [server.accept_pool() for _ in range(4)]
        for number, pause in enumerate((0.0, 0.3, 1.2)):
            pool_id = b"0000000%d" % number
            server.launch(pool_id)
            time.sleep(pause)
            socks[number].sendall(pool_id)
            self.works(socks[number])

    def test_id_in_pieces(self):
        server, _ = self.start()
        sock = server.accept_pool()
        for byte in b"deadbee1":
            sock.sendall(bytes([byte]))
            time.sleep(0.02)
        server.launch(b"deadbee1")
        self.works(sock)

    def test_id_and_first_bytes_in_one_segment(self):
        server, _ = self.start()
        sock = server.accept_pool()
        sock.sendall(b"deadbee2ECHO\nearly")
        server.launch(b"deadbee2")
        self.assertEqual(net.read_exact(sock, 5), b"early")

    def test_launch_that_never_matches_disturbs_nothing(self):
        # So many would flush the pool at the next report: none comes meanwhile.
        server, node = self.start(env={"NP_REPORT_INTERVAL": "20s"})
        socks = [server.accept_pool(b"a000000%d" % i) for i in range(4)]
        for i in range(20):
            server.launch(b"ffff00%02d" % i)
        server.launch(b"a0000000")
        self.works(socks[0])
        node.wait_log("WARN  Launch dropped", 5)
        server.launch(b"a0000001")
        self.works(socks[1])
        self.assertFalse(node.find("Client restarting"))

    @quick
    def test_used_connection_is_never_used_again(self):
        """A launch with the id of a running session: the next visitor's bytes reach nobody's
        target."""
        server, _ = self.start()
        sock = server.accept_pool(b"b0000000")
        server.launch(b"b0000000")
        sock.sendall(b"NAME first\n")
        wait_until(lambda: "first" in self.target_server.named, 5, "first session")
        server.launch(b"b0000000")
        self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"))
        with contextlib.suppress(OSError):
            sock.sendall(b"bytes of another visitor")
        time.sleep(0.3)
        self.assertEqual(self.target_server.got["first"], b"")
        other = server.accept_pool(b"b0000001")
        server.launch(b"b0000001")
        self.works(other)

    def test_closed_with_its_session(self):
        """When the target has closed completely, the connection is closed completely too."""
        server, _ = self.start()
        sock = server.accept_pool(b"b0000002")
        server.launch(b"b0000002")
        sock.sendall(b"NAME whole\n")
        wait_until(lambda: "whole" in self.target_server.named, 5)
        self.target_server.reset("whole")
        self.assertIn(net.how_it_ends(sock, 3), ("eof", "reset"))

    def test_refused_target_closes_its_connection_at_once(self):
        server = self.serve(ScriptedServer(self.port()))
        self.node("client://QWERTYUI@127.0.0.1:%d/127.0.0.1:%d?mode=2&min=4" % (
            server.listener.getsockname()[1], self.port()))
        server.accept_control()
        sock = server.accept_pool(b"b0000003")
        start = patience.Watch()
        server.launch(b"b0000003")
        self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"))
        self.assertLess(start.took(), 1.0)

    @quick
    def test_flush_drops_the_idle_and_keeps_the_running(self):
        server, _ = self.start()
        running = server.accept_pool(b"c0000000")
        idle = [server.accept_pool(b"c000000%d" % i) for i in range(1, 4)]
        server.launch(b"c0000000")
        self.works(running)
        server.control.send("#0")
        for sock in idle:
            self.assertIn(net.how_it_ends(sock, 5), ("eof", "reset"))
        fresh = server.accept_pool(b"c0000009")
        server.launch(b"c0000009")
        self.works(fresh)
        running.sendall(b"still here")
        self.assertEqual(net.read_exact(running, 10), b"still here")

    def test_idle_connection_closed_by_the_server_is_replaced_at_once(self):
        server, _ = self.start()
        socks = [server.accept_pool(b"d000000%d" % i) for i in range(4)]
        time.sleep(0.2)
        start = patience.Watch()
        socks[0].close()
        server.accept_pool(b"d0000009")
        self.assertLess(start.took(), 1.5)

    def test_unknown_fragments_are_ignored(self):
        server, node = self.start()
        sock = server.accept_pool(b"e0000000")
        for text in ("#z", "np://1.2.3.4:5/0011#q", "?x=uvw#x", "#9", "np://h/p#A"):
            server.control.send(text)
        server.launch(b"e0000000")
        self.works(sock)
        self.assertFalse(node.find("restarting"))

    def test_bad_answers_are_refused_with_the_cause_and_back_off(self):
        for answer in ("np:///-#0", "np://64#0", "np://64/-", "np://many/-#0", "np://64/x#0",
                       "np://64/-#7", "np://-5/-#0"):
            with self.subTest(answer=answer):
                port = self.port()
                peer = self.serve(gomodel.GoServer(("127.0.0.1", port), KEY, self.target_address,
                                                   "-", answer=answer, cooldown=0.05))
                peer.start()
                node = self.node("client://QWERTYUI@127.0.0.1:%d/127.0.0.1:1?mode=2" % port)
                # "np://64/-" has no '#': our decoder waits for more until the handshake limit.
                if "#" in answer:
                    node.wait_log("(WARN|ERROR)", 5)
                    time.sleep(1.5)
                    self.assertLess(peer.restarts, 12, "dials too often")
                self.assertTrue(node.is_running())
                self.assertFalse(node.find("Tunnel handshaked"), answer)
                node.stop()
                peer.close()

    @limit(60)
    def test_go_server_reuse_does_not_mix_visitors(self):
        """The Go server puts connections back and hands them out again; ours never serve two
        visitors."""
        _, peer, visit = self.pair("client", KEY, "-", ("127.0.0.1", self.port()))
        peer.up.wait(10)
        wait_until(lambda: can_connect(visit), 5)
        for i in range(60):
            data = b"visitor %d" % i
            try:
                with net.connect(visit, 5) as sock:
                    sock.sendall(b"ECHO\n" + data)
                    got = net.read_exact(sock, len(data))
            except (OSError, EOFError):
                got = data  # such a visitor may fail, never get another one's bytes
            self.assertEqual(got, data)
        self.assertEqual(peer.leftover, b"")

    def test_go_server_that_dies_and_returns(self):
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        node, _ = self.our_client(KEY, tunnel, "-")
        for turn in range(2):
            peer = gomodel.GoServer(tunnel, KEY, visit, "-").start()
            try:
                wait_until(peer.up.is_set, 15, "tunnel up, turn %d" % turn)
                wait_until(lambda: can_connect(visit), 5)
                with net.connect(visit) as sock:
                    sock.sendall(b"ECHO\nabc")
                    self.assertEqual(net.read_exact(sock, 3), b"abc")
            finally:
                peer.close()
        self.assertTrue(node.is_running())


class ToOurServer(Pairs):
    """Our server against a Go client."""

    def up(self, flow="-", **options):
        tunnel = ("127.0.0.1", self.port())
        node, visit = self.our_server(KEY, tunnel, flow)
        peer = self.serve(gomodel.GoClient(tunnel, KEY, self.target_address, **options).start())
        wait_until(peer.up.is_set, 5, "tunnel up")
        net.wait_listening(visit[1])
        return node, peer, visit, tunnel

    def session(self, visit, timeout=5):
        with net.connect(visit, timeout) as sock:
            sock.settimeout(timeout)
            sock.sendall(b"ECHO\nabc")
            self.assertEqual(net.read_exact(sock, 3), b"abc")

    def works(self, visit, timeout=2):
        try:
            self.session(visit, timeout)
            return True
        except (OSError, EOFError, AssertionError):
            return False

    @limit(60)
    def test_stale_ids_are_flushed(self):
        """The client believes in connections that are gone and does not refill: our server sends
        #0."""
        _, peer, visit, _ = self.up()
        self.session(visit)
        # All is quiet: none in use, none on the way.
        wait_until(lambda: len(peer.idle) == 4 and peer.dialled == 5, 5, "four idle connections")
        with peer.lock:
            for sock in peer.idle.values():
                sock.shutdown(socket.SHUT_RDWR)  # its own table still counts them
        wait_until(lambda: peer.flushes >= 1, 15, "the flush signal")
        wait_until(lambda: self.works(visit), 10, "sessions work again")
        self.assertEqual(peer.faults, [])

    def test_silent_failed_launch_frees_all_when_the_visitor_leaves(self):
        tunnel = ("127.0.0.1", self.port())
        node, visit = self.our_server(KEY, tunnel, "-")
        peer = self.serve(gomodel.GoClient(tunnel, KEY, ("127.0.0.1", self.port())).start())
        wait_until(peer.up.is_set, 5)
        net.wait_listening(visit[1])
        time.sleep(0.5)
        before = node.fd_count()
        for _ in range(10):
            with net.connect(visit, 5) as sock:
                sock.sendall(b"anyone")
                time.sleep(0.05)
        wait_until(lambda: node.fd_count() <= before + 8, 5, "descriptors back")
        self.assertEqual(peer.faults, [])

    @quick
    @limit(60)
    def test_go_client_restarts_while_the_old_one_is_believed_in(self):
        """The old client vanished without a word; a line of zero bytes on a fresh connection is the
        new one."""
        node, peer, visit, tunnel = self.up()
        self.session(visit)
        peer.vanish()
        start = time.monotonic()
        second = self.serve(gomodel.GoClient(tunnel, KEY, self.target_address, cooldown=0.3))
        second.start()
        wait_until(second.up.is_set, 15, "the new client is served")
        wait_until(lambda: self.works(visit), 10, "sessions work again")
        print("served again after %.1f s" % (time.monotonic() - start))
        self.assertTrue(node.is_running())

    def test_go_client_reuse_after_its_target_closed_first(self):
        """The end of the target's stream is not passed on by the peer; the visitor ends the
        session."""
        _, peer, visit, _ = self.up()
        for i in range(20):
            with net.connect(visit, 5) as sock:
                sock.sendall(b"HALF s%d\n" % i)
                time.sleep(0.02)
        self.assertEqual(peer.leftover, b"")
        self.session(visit)
        self.assertEqual(peer.faults, [])

    def test_pool_connection_from_another_address_is_closed(self):
        _, peer, visit, tunnel = self.up()
        with net.connect(tunnel, 5, ("127.0.0.5", 0)) as sock:
            self.assertIn(net.how_it_ends(sock, 3), ("eof", "reset"))
        self.session(visit)
        self.assertEqual(peer.faults, [])

    @quick
    def test_bad_signals_are_skipped_and_eight_in_a_row_close(self):
        tunnel = ("127.0.0.1", self.port())
        node, _ = self.our_server(KEY, tunnel, "-")
        control, _ = gomodel.hello(tunnel, KEY)
        bad = "np://[::1/00000000#1"
        for _ in range(3):
            for _ in range(7):
                control.send(bad)
            control.send("#i")
            wait_until(lambda: control.read_line(0.2) == "#o", 3, "still served after seven")
        for _ in range(8):
            control.send(bad)
        with self.assertRaises((gomodel.TunnelEnd, OSError)):
            for _ in range(50):
                control.read_line(0.2)
        node.wait_log("(WARN|ERROR)")
        control.close()
        wait_until(lambda: hello_works(tunnel), 10, "a good client is served again")

    def test_endless_line_after_the_handshake(self):
        tunnel = ("127.0.0.1", self.port())
        node, _ = self.our_server(KEY, tunnel, "-")
        control, _ = gomodel.hello(tunnel, KEY)
        base = node.rss_kb()
        with contextlib.suppress(OSError):
            for _ in range(200):
                control.sock.sendall(b"\x01" * 4096)
        with self.assertRaises((gomodel.TunnelEnd, OSError)):
            for _ in range(20):
                control.read_line(0.2)
        self.check_rss(node, 512, base)
        control.close()
        wait_until(lambda: hello_works(tunnel), 10, "a good client is served again")

    def test_signals_in_pieces_and_many_in_one_segment(self):
        tunnel = ("127.0.0.1", self.port())
        self.our_server(KEY, tunnel, "-")
        control, _ = gomodel.hello(tunnel, KEY)
        for byte in goline.line(KEY, "#i") * 3:
            control.sock.sendall(bytes([byte]))
            time.sleep(0.01)
        control.sock.sendall(goline.line(KEY, "#i") * 40)
        pongs, end = 0, time.monotonic() + 5
        while pongs < 43 and time.monotonic() < end:
            pongs += control.read_line(0.2) == "#o"
        self.assertEqual(pongs, 43)
        control.close()


def hello_works(tunnel):
    """A handshake that gets an answer with host, path and fragment."""
    with contextlib.suppress(OSError, gomodel.TunnelEnd, ValueError):
        control, text = gomodel.hello(tunnel, KEY, 1)
        control.close()
        url = goline.Url(text or "")
        return bool(url.host and url.path and url.fragment)
    return False


del Pairs  # not to be run again from here
