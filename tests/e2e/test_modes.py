# SPDX-License-Identifier: BSD-3-Clause
"""Every mode, both address families, the automatic decisions (config.md, modes)."""
import socket
import time
import unittest

from lib import net
from lib.case import Case, LOOPBACK, have_ipv6, limit, need, quick, wait_until


class Modes(Case):
    @quick
    def test_every_mode_carries_tcp_and_udp(self):
        target, _ = self.both()
        for name, tunnel in self.modes(target):
            self.check_echo(tunnel, 1000)
            self.check_echo(tunnel, 3_000_000)
            self.check_udp(tunnel)
            up, down = net.pattern(b"up", 5_000_000), 5_000_000
            with tunnel.connect() as sock:
                sock.sendall(b"SINK\n" + up)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(net.read_to_end(sock).split()[0].decode(), net.sha(up), name)
            with tunnel.connect() as sock:
                sock.sendall(b"SOURCE %s %d\n" % (name.encode(), down))
                self.assertEqual(net.sha_to_end(sock),
                                 (net.pattern_sha(name.encode(), down), down), name)

    def test_every_mode_over_ipv6(self):
        need(have_ipv6(), "no IPv6 on this machine")
        target, _ = self.both(6)
        for make in (self.single, self.reverse, self.forward):
            with self.subTest(mode=make.__name__):
                tunnel = make(target, family=6)
                self.check_echo(tunnel, 2_000_000)
                self.check_udp(tunnel)

    def test_ipv4_visitors_of_an_ipv6_target(self):
        need(have_ipv6(), "no IPv6 on this machine")
        target, _ = self.both(6)
        tunnel = self.reverse(target)
        self.check_echo(tunnel)
        self.check_udp(tunnel)

    def test_empty_host_listens_on_all_addresses(self):
        target, _ = self.both()
        tunnel_port, visit = self.port(), self.port()
        self.node("server://k@:%d/:%d?mode=1" % (tunnel_port, visit))
        net.wait_listening(tunnel_port)
        client = self.node("client://k@127.0.0.2:%d/%s?mode=2&min=2" % (tunnel_port, target.where))
        client.wait_log("Tunnel handshaked")
        net.wait_listening(visit)
        hosts = ["127.0.0.1", "127.0.0.7"] + (["::1"] if have_ipv6() else [])
        for host in hosts:
            with net.connect((host, visit)) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"x" * 1000), b"x" * 1000, host)
            with net.udp_visitor((host, visit)) as sock:
                sock.send(b"datagram")
                self.assertEqual(sock.recv(100), b"datagram", host)

    def test_names_in_every_place(self):
        target, _ = self.both()
        there = "localhost:%d" % target.port
        for mode in (1, 2, 0):
            tunnel, visit = "localhost:%d" % self.port(), "localhost:%d" % self.port()
            if mode == 0:
                client = self.node("client://%s/%s?mode=1" % (visit, there))
            else:
                ends = (visit, there) if mode == 1 else (there, visit)
                self.node("server://k@%s/%s?mode=%d" % (tunnel, ends[0], mode))
                net.wait_listening(tunnel.rpartition(":")[2])
                client = self.node("client://k@%s/%s?mode=2&min=2" % (tunnel, ends[1]))
                client.wait_log("Tunnel handshaked")
            net.wait_listening(visit.rpartition(":")[2])
            with net.connect(("localhost", int(visit.rpartition(":")[2]))) as sock:
                sock.sendall(b"ECHO\n")
                self.assertEqual(net.exchange(sock, b"abc"), b"abc", mode)

    def test_default_key_and_percent_encoded_key(self):
        target, _ = self.both()
        pairs = (("", ""), ("a%2Fb%40c%0A", "a%2fb%40c%0a"), ("x" * 255,) * 2)
        for server_key, client_key in pairs:
            with self.subTest(key=server_key[:20]):
                port, visit = self.port(), self.port()
                at = "@" if server_key else ""
                self.node("server://%s%s127.0.0.1:%d/127.0.0.1:%d?mode=1" % (
                    server_key, at, port, visit))
                net.wait_listening(port)
                client = self.node("client://%s%s127.0.0.1:%d/%s?mode=2" % (
                    client_key, at, port, target.where))
                client.wait_log("Tunnel handshaked")
                net.wait_listening(visit)
                with net.connect(("127.0.0.1", visit)) as sock:
                    sock.sendall(b"ECHO\n")
                    self.assertEqual(net.exchange(sock, b"abc"), b"abc")


class Auto(Case):
    """mode=0: a bind decides, once."""

    @quick
    def test_client_that_can_bind_is_single_end(self):
        target, _ = self.both()
        port = self.port()
        client = self.node("client://127.0.0.1:%d/%s" % (port, target.where))
        net.wait_listening(port)
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        client.stop()
        self.assertEqual(client.check_points()[-1]["mode"], 1)

    def test_client_that_cannot_bind_dials(self):
        target, _ = self.both()
        tunnel = self.port(), self.port()
        server = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d" % tunnel, name="server")
        net.wait_listening(tunnel[0])
        client = self.node("client://k@127.0.0.1:%d/%s" % (tunnel[0], target.where), name="client")
        client.wait_log("Tunnel handshaked")
        net.wait_listening(tunnel[1])
        with net.connect(("127.0.0.1", tunnel[1])) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        client.wait_log(r"CHECK_POINT\|MODE=2")
        server.wait_log(r"CHECK_POINT\|MODE=1")

    def test_server_that_cannot_bind_the_target_is_forward(self):
        target, _ = self.both()
        port, visit = self.port(), self.port()
        server = self.node("server://k@127.0.0.1:%d/%s" % (port, target.where), name="server")
        net.wait_listening(port)
        client = self.node("client://k@127.0.0.1:%d/127.0.0.1:%d?mode=2" % (port, visit))
        client.wait_log("Tunnel handshaked")
        net.wait_listening(visit)
        with net.connect(("127.0.0.1", visit)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        server.wait_log(r"CHECK_POINT\|MODE=2")

    def test_target_address_of_another_host_is_forward(self):
        """An address that is not local can't be bound."""
        port = self.port()
        server = self.node("server://k@127.0.0.1:%d/192.0.2.1:%d" % (port, self.port()),
                           name="server")
        client = self.node("client://k@127.0.0.1:%d/127.0.0.1:%d?mode=2" % (port, self.port()))
        client.wait_log("Tunnel handshaked")
        server.wait_log(r"CHECK_POINT\|MODE=2")

    def test_only_udp_busy_keeps_reverse(self):
        """TCP bound but UDP busy: reverse, TCP served at once, UDP when the port is free."""
        target, _ = self.both()
        port, visit = self.port(), self.port()
        block = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(block.close)
        block.bind(("127.0.0.1", visit))
        server = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d" % (port, visit), name="server")
        net.wait_listening(port)
        self.node("client://k@127.0.0.1:%d/%s?mode=2" % (port, target.where), name="client")
        net.wait_listening(visit)
        with net.connect(("127.0.0.1", visit)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        server.wait_log(r"(?i)udp.*(in use|busy)")
        server.wait_log(r"CHECK_POINT\|MODE=1")
        block.close()

        def udp_works():
            with net.udp_visitor(("127.0.0.1", visit), 0.5) as sock:
                sock.send(b"now")
                try:
                    return sock.recv(100) == b"now"
                except OSError:
                    return False

        wait_until(udp_works, 15, "UDP served after its port became free")

    @limit(60)
    def test_decision_stays_when_the_port_is_taken_later(self):
        """A restart that finds the visitor port taken waits for it and does not turn to forward."""
        target, _ = self.both()
        port, visit = self.port(), self.port()
        server = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d" % (port, visit), name="server")
        net.wait_listening(port)
        client_url = "client://k@127.0.0.1:%d/%s?mode=2" % (port, target.where)
        client = self.node(client_url, name="client")
        server.wait_log("Tunnel handshaked")
        net.wait_listening(visit)
        # The client goes; while no tunnel is up the visitor port may be free: somebody takes it.
        client.kill()
        server.wait_log("Server restarting")
        thief = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.addCleanup(thief.close)
        stolen = False
        try:
            thief.bind(("127.0.0.1", visit))
            thief.listen(1)
            stolen = True
        except OSError:
            pass  # the server kept its listener: nothing can flip it
        mark = server.mark()
        self.node(client_url, name="client2")
        time.sleep(1.0)
        if stolen:
            self.assertFalse(server.find(r"MODE=2", mark), "the server flipped to forward")
            thief.close()
        server.wait_log("Tunnel handshaked", 15, mark)
        net.wait_listening(visit, 15)
        with net.connect(("127.0.0.1", visit)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")
        server.wait_log(r"CHECK_POINT\|MODE=1", 5, mark)
        self.assertFalse(server.find(r"MODE=2"))

    def test_forced_mode_waits_for_its_port(self):
        """Port busy, freed later: the process stays, says why, retries and heals."""
        target, _ = self.both()
        for role in ("client", "server-tunnel", "server-visitors"):
            with self.subTest(role=role):
                port, visit = self.port(), self.port()
                busy = visit if role == "server-visitors" else port
                block = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                self.addCleanup(block.close)
                block.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                block.bind((LOOPBACK[4], busy))
                block.listen(1)
                if role == "client":
                    node = self.node("client://127.0.0.1:%d/%s?mode=1" % (port, target.where))
                    visit = port
                else:
                    node = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d?mode=1" % (port, visit))
                    if role == "server-visitors":
                        net.wait_listening(port)
                    self.node("client://k@127.0.0.1:%d/%s?mode=2" % (port, target.where))
                node.wait_log(r"(?i)(WARN|ERROR).*in use", 5)
                self.assertTrue(node.is_running())
                time.sleep(2.5)  # several tries at this rhythm
                self.assertEqual(node.count(r"(?i)in use"), 1, "said once")
                block.close()
                free = time.monotonic()

                def works(visit=visit):
                    try:
                        with net.connect(("127.0.0.1", visit), 2) as sock:
                            sock.sendall(b"ECHO\n")
                            return net.exchange(sock, b"abc", 2) == b"abc"
                    except OSError:
                        return False

                wait_until(works, 15, "served after the port became free", 0.1)
                print("%s: healed %.1f s after the port was free" % (role, time.monotonic() - free))


if __name__ == "__main__":
    unittest.main()
