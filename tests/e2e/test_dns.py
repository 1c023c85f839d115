# SPDX-License-Identifier: BSD-3-Clause
"""Names: DNS that fails first and heals, a changed address, dead and live addresses of one name.
Each test has a network namespace of its own with its own resolver."""
import contextlib
import os
import signal
import time

from lib import net, netns, patience, services
from lib.case import Case, limit, need_program, wait_until

HOST = "127.0.0.1"


class Names(Case):
    def setUp(self):
        super().setUp()
        netns.need_namespaces()
        need_program("dnsmasq")
        self.host = netns.Host("d")
        self.addCleanup(self.host.remove)
        self.host.use_resolver("127.0.0.1")

    def name_server(self, records):
        return services.dnsmasq(self, "127.0.0.1", 53, records, prefix=self.host.prefix())

    def target_at(self, address, port=7000):
        return self.serve(self.host.inside(net.Target, address, port))

    def echoes(self, port=8000, timeout=2):
        """Whether a session through the port works, in the namespace."""

        def session():
            with contextlib.suppress(OSError, EOFError):
                with net.connect((HOST, port), timeout) as sock:
                    sock.sendall(b"ECHO\n")
                    return net.exchange(sock, b"abc", timeout) == b"abc"
            return False

        return self.host.inside(session)

    def single_end(self, query="", env=None):
        node = self.node("client://127.0.0.1:8000/target.test:7000?mode=1" + query, env=env,
                         prefix=self.host.prefix())
        wait_until(lambda: self.host.inside(net.is_listening, 8000), 5, "listens")
        return node

    def test_target_name_fails_first_and_heals(self):
        self.target_at("127.0.0.1")
        node = self.single_end(env={"NP_TCP_DIAL_TIMEOUT": "3s"})
        self.assertFalse(self.echoes(timeout=5))
        self.assertTrue(node.is_running())
        node.wait_log(r"(WARN|ERROR).*target\.test", 5)
        self.assertFalse(self.echoes(timeout=5))
        self.assertEqual(node.count(r"Name not resolved: target\.test: \S"), 1, "said once")
        self.name_server({"target.test": ["127.0.0.1"]})
        start = time.monotonic()
        wait_until(self.echoes, 15, "heals when the name resolves")
        print("healed after %.1f s" % (time.monotonic() - start))

    def test_tunnel_name_fails_first_and_heals(self):
        self.target_at("127.0.0.1")
        prefix = self.host.prefix()
        self.node("server://k@127.0.0.1:9000/127.0.0.1:8000?mode=1", prefix=prefix, name="server")
        client = self.node("client://k@tunnel.test:9000/127.0.0.1:7000?mode=2", prefix=prefix,
                           name="client")
        client.wait_log(r"(WARN|ERROR).*tunnel\.test", 10)
        time.sleep(4)  # several tries at this rhythm
        self.assertTrue(client.is_running())
        self.assertEqual(client.count(r"Name not resolved: tunnel\.test: \S"), 1, "said once")
        self.assertEqual(client.count("Client restarting: server not reached"), 1, "said once")
        self.name_server({"tunnel.test": ["127.0.0.1"]})
        client.wait_log("Tunnel handshaked", 15)
        wait_until(self.echoes, 5)

    @limit(50)
    def test_changed_address_is_seen_after_dns_seconds(self):
        self.target_at("127.0.0.2")
        server = self.name_server({"target.test": ["127.0.0.2"]})
        self.single_end("&dns=2s")
        wait_until(self.echoes, 10, "old address")
        services.write_hosts(self, {"target.test": ["127.0.0.3"]})
        os.kill(server.pid, signal.SIGHUP)
        new = self.target_at("127.0.0.3")

        def moved():
            self.echoes()
            return new.accepted > 0

        wait_until(moved, 12, "sessions go to the new address", 0.2)

    def test_kept_while_dns_has_not_passed(self):
        old = self.target_at("127.0.0.2")
        server = self.name_server({"target.test": ["127.0.0.2"]})
        self.single_end("&dns=1h")
        wait_until(self.echoes, 10)
        server.kill()  # the name server is gone: nothing may notice
        before = old.accepted
        for _ in range(5):
            self.assertTrue(self.echoes())
        self.assertEqual(old.accepted, before + 5)

    def test_tunnel_moves_to_another_address(self):
        """The server's name changes; after the old one dies the client finds the new one."""
        self.target_at("127.0.0.1")
        prefix = self.host.prefix()
        names = self.name_server({"tunnel.test": ["127.0.0.4"]})
        first = self.node("server://k@127.0.0.4:9000/127.0.0.1:8000?mode=1", prefix=prefix)
        client = self.node("client://k@tunnel.test:9000/127.0.0.1:7000?mode=2&dns=1s",
                           prefix=prefix)
        client.wait_log("Tunnel handshaked", 10)
        services.write_hosts(self, {"tunnel.test": ["127.0.0.5"]})
        os.kill(names.pid, signal.SIGHUP)
        first.kill()
        self.node("server://k@127.0.0.5:9000/127.0.0.1:8000?mode=1", prefix=prefix)
        client.wait_log(r"Tunnel handshaked: \S+ <-> 127\.0\.0\.5:9000", 15)
        wait_until(self.echoes, 5)

    def test_one_dead_address_and_one_live(self):
        self.target_at("127.0.0.3")
        self.name_server({"target.test": ["127.0.0.2", "127.0.0.3"]})
        self.single_end()
        wait_until(self.echoes, 10)
        for _ in range(5):
            start = patience.Watch()
            self.assertTrue(self.echoes())
            self.assertLess(start.took(), 1.5)

    def test_udp_target_by_name(self):
        self.serve(self.host.inside(net.UdpEcho, "127.0.0.2", 7000))
        self.name_server({"target.test": ["127.0.0.2"]})
        self.single_end()

        def once():
            with contextlib.suppress(OSError):
                with net.udp_visitor((HOST, 8000), 1) as sock:
                    sock.send(b"x")
                    return sock.recv(10) == b"x"
            return False

        wait_until(lambda: self.host.inside(once), 10, "UDP to a name")

    def test_slow_name_server_does_not_stop_running_sessions(self):
        """No name server answers at all: a session to it waits, a session that runs goes on."""
        self.target_at("127.0.0.2")
        names = self.name_server({"target.test": ["127.0.0.2"]})
        self.single_end("&dns=1s")
        wait_until(self.echoes, 10)
        visitor = self.host.inside(net.connect, (HOST, 8000))
        visitor.sendall(b"ECHO\n")
        os.kill(names.pid, signal.SIGSTOP)
        self.addCleanup(names.signal, signal.SIGCONT)
        time.sleep(1.2)
        others = [self.host.inside(net.connect, (HOST, 8000)) for _ in range(5)]
        for _ in range(20):
            start = patience.Watch()
            visitor.sendall(b"tick")
            self.assertEqual(net.read_exact(visitor, 4), b"tick")
            self.assertLess(start.took(), 0.5)
            time.sleep(0.05)
        for sock in others:
            sock.close()
        visitor.close()
