# SPDX-License-Identifier: BSD-3-Clause
"""What both ends can do beyond v1.6 is agreed on by letters (protocol.md 9.1): with a peer that
knows fewer all goes as before."""
import socket

from lib import gomodel, net
from lib.case import Case, quick

KEY = b"ZZ"  # every message goes in its plain form


class Letters(Case):
    def read_until(self, control, ends, seconds=5.0):
        """Messages up to the first that ends with one of `ends`; pings are answered."""
        lines = []
        while not lines or not lines[-1].endswith(ends):
            line = control.read_line(seconds)
            self.assertIsNotNone(line, "none of %s after %s" % (ends, lines))
            lines.append(line)
            if line == "#i":
                control.send("#o")
        return lines

    def server(self, reply):
        """Our server and a client by hand that says `reply` to the offer."""
        tunnel, visit = ("127.0.0.1", self.port()), ("127.0.0.1", self.port())
        self.node("server://ZZ@%s/%s?mode=1&log=debug" % (net.where(*tunnel), net.where(*visit)))
        net.wait_listening(tunnel[1])
        control, answer = gomodel.hello(tunnel, KEY)
        self.addCleanup(control.close)
        self.assertEqual(answer, "np://1024/-?x=uy#0")
        if reply:
            control.send(reply)
        self.read_until(control, ("#i",))
        return control, tunnel, visit

    def dial(self, tunnel):
        sock = net.connect(tunnel)
        self.addCleanup(sock.close)
        return sock, net.read_exact(sock, 8).decode()

    def visitor(self, visit):
        sock = net.connect(visit)
        self.addCleanup(sock.close)
        return sock

    @quick
    def test_a_client_that_tells_no_ids_is_served_as_before(self):
        for reply in ("", "?x=u#x", "?x=uq#x"):
            control, tunnel, visit = self.server(reply)
            _, pool_id = self.dial(tunnel)
            self.visitor(visit)
            self.assertIn("/%s#1" % pool_id, self.read_until(control, ("#1",))[-1], reply)

    @quick
    def test_only_ids_that_were_told_are_used(self):
        control, tunnel, visit = self.server("?x=uy#x")
        stranger, _ = self.dial(tunnel)
        ours, pool_id = self.dial(tunnel)
        visitor = self.visitor(visit)
        visitor.sendall(b"secret")
        self.assertIsNone(control.read_line(0.3))
        control.send("/%s#y" % pool_id)
        self.assertIn("/%s#1" % pool_id, self.read_until(control, ("#1",))[-1])
        self.assertEqual(net.read_exact(ours, 6), b"secret")
        stranger.settimeout(0.3)
        with self.assertRaises(socket.timeout):
            stranger.recv(1)
        control.send("/%s#n" % pool_id)
        self.assertEqual(net.how_it_ends(visitor, 2), "reset")

    def client(self, letters):
        """Our client and a server by hand."""
        listener = socket.create_server(("127.0.0.1", self.port()))
        self.addCleanup(listener.close)
        self.node("client://ZZ@%s/127.0.0.1:%d?mode=2&min=1" % (
            net.where(*listener.getsockname()), self.port()))
        sock, _ = listener.accept()
        net.read_exact(sock, len(KEY) + 1)
        control = gomodel.Control(sock, KEY)
        self.addCleanup(control.close)
        control.send("np://8/-%s#0" % letters)
        pool, _ = listener.accept()
        self.addCleanup(pool.close)
        pool.sendall(b"1a2b3c4d")
        return control

    @quick
    def test_a_server_is_told_what_it_offers(self):
        for letters, reply in (("", []), ("?x=u", ["?x=u#x"]),
                               ("?x=uy", ["?x=uy#x", "/1a2b3c4d#y"])):
            control = self.client(letters)
            self.assertEqual(self.read_until(control, ("#i",))[:-1], reply, letters)
            control.send("np://1.2.3.4:5/00000000#1")  # there is no such connection
            ends = ("/00000000#n",) if "y" in letters else ("#i",)
            self.read_until(control, ends)
            control.close()
