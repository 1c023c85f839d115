# SPDX-License-Identifier: BSD-3-Clause
"""TLS on the pool connections (config.md: tls, crt, key, ca, sni, pin). That everything else works
over TLS as well is shown by running the other tests with NP_E2E_TLS=1."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from lib import net, patience
from lib.case import Case, limit, need_program, quick
from lib.certs import Authority, openssl, pin_of

REFUSED = "Pool connection failed: .*"


class Tls(Case):
    def lone_server(self, target, query, key="secret"):
        tunnel_port, visit = self.port(), ("127.0.0.1", self.port())
        server = self.node("server://%s@127.0.0.1:%d/%s?mode=1&%s" % (
            key, tunnel_port, net.where(*visit), query), name="server")
        net.wait_listening(tunnel_port)
        return server, tunnel_port, visit

    def client(self, tunnel_port, target, query, host="127.0.0.1"):
        return self.node("client://secret@%s:%d/%s?mode=2&min=2&%s" % (
            host, tunnel_port, target.where, query), name="client")

    def echo_at(self, visit):
        with net.connect(visit) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"over tls"), b"over tls")


class Level1(Tls):
    @quick
    def test_data_both_ways_in_every_mode_and_the_pin_holds(self):
        target, _ = self.both()
        for make in (self.reverse, self.forward):
            tunnel = make(target, server="tls=1")
            self.check_echo(tunnel, 3 << 20)
            self.check_udp(tunnel)

    def test_the_pin_of_the_log_is_taken_and_another_refused(self):
        target = self.target()
        server, tunnel_port, visit = self.lone_server(target, "tls=1")
        pin = server.wait_log(r"pin=sha256:[0-9a-f]{64}").group(0)[4:]
        good = self.client(tunnel_port, target, "tls=1&pin=" + pin)
        good.wait_log("Tunnel handshaked: ")
        self.echo_at(visit)
        good.stop()
        bad = self.client(tunnel_port, target, "tls=1&pin=sha256:" + "ab" * 32)
        bad.wait_log(REFUSED + "(?i:pin)")


class Floor(Tls):
    """The server's level comes in plain text: the client never takes less than it asked for."""

    def test_a_lower_level_is_refused(self):
        target = self.target()
        for server_query, client_query in (("tls=0", "tls=1"), ("tls=1", "tls=2"),
                                           ("tls=0", "pin=sha256:" + "ab" * 32)):
            server, port, visit = self.lone_server(target, server_query)
            client = self.client(port, target, client_query)
            client.wait_log("(WARN|ERROR).*(?i:tls)")
            self.assertEqual(self.how_a_visit_ends(visit), "open", "no data passes")
            client.stop()
            server.stop()

    def how_a_visit_ends(self, visit):
        with net.connect(visit, 1.0) as sock:
            sock.settimeout(1.0)
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"ECHO\nsecret bytes")
                try:
                    return "data" if sock.recv(100) else "end"
                except socket.timeout:
                    return "open"
        return "reset"


class Level2(Tls):
    def setUp(self):
        super().setUp()
        need_program("openssl")
        self.ca = Authority(self.dir)

    def files(self, pair):
        return "tls=2&crt=%s&key=%s" % pair

    @quick
    def test_chain_and_name_or_address_are_checked(self):
        target = self.target()
        _, port, visit = self.lone_server(target, self.files(self.ca.issue()))
        for host in ("127.0.0.1", "localhost"):
            client = self.client(port, target, "tls=2&ca=" + self.ca.cert, host)
            client.wait_log("Tunnel handshaked: ")
            self.echo_at(visit)
            client.stop()
        client = self.client(port, target, "tls=2&sni=other.example&ca=" + self.ca.cert)
        client.wait_log(REFUSED + "is not for other.example")

    @limit(90)
    def test_every_kind_of_key(self):
        target = self.target()
        for kind in ("RSA 2048", "RSA 4096", "P-256", "P-384"):
            cert, key = self.ca.issue(kind=kind)
            forms = {"PKCS#8": key}
            if kind.startswith("RSA"):
                forms["PKCS#1"] = key + ".1"
                openssl("rsa", "-in", key, "-traditional", "-out", key + ".1")
            else:
                forms["SEC1"] = key + ".1"
                openssl("ec", "-in", key, "-out", key + ".1")
            for form, path in forms.items():
                print(kind, form)
                server, port, visit = self.lone_server(target, self.files((cert, path)))
                client = self.client(port, target, "tls=2&ca=" + self.ca.cert)
                client.wait_log("Tunnel handshaked: ")
                self.echo_at(visit)
                client.stop()
                server.stop()

    @limit(90)
    def test_what_is_not_right_is_refused_and_the_log_says_which(self):
        target = self.target()
        other = Authority(self.dir, "other CA")
        cases = (("expired", self.ca.issue(days=(-400, -300)), "expired"),
                 ("not yet valid", self.ca.issue(days=(10, 20)), "not (yet )?valid"),
                 ("unknown CA", other.issue(), "(?i:issuer|root|trust|CA)"),
                 ("wrong usage", self.ca.issue(usage="clientAuth"), "(?i:usage|server)"))
        for name, pair, pattern in cases:
            print(name)
            server, port, _ = self.lone_server(target, self.files(pair))
            client = self.client(port, target, "tls=2&ca=" + self.ca.cert)
            line = client.wait_log(REFUSED + pattern).group(0)
            self.assertIn("certificate 1", line, "which certificate")
            time.sleep(1.0)
            self.assertEqual(client.count(REFUSED), 1, "said once")
            client.stop()
            server.stop()

    def test_bad_files_stop_the_start_with_file_and_cause(self):
        pair, stranger = self.ca.issue(), self.ca.issue()
        empty = os.path.join(self.dir, "empty.pem")
        open(empty, "wb").close()
        locked = os.path.join(self.dir, "locked.key")
        openssl("pkey", "-in", pair[1], "-aes128", "-passout", "pass:x", "-out", locked)
        weak = self.ca.issue(kind="RSA 1024")
        sha1 = self.ca.issue(digest="sha1")
        for name, files, bad in (("missing", (pair[0] + ".no", pair[1]), [pair[0] + ".no"]),
                                 ("empty", (empty, pair[1]), [empty]),
                                 ("other key", (pair[0], stranger[1]), [stranger[1]]),
                                 ("encrypted", (pair[0], locked), [locked]),
                                 ("RSA 1024", weak, weak), ("SHA-1", sha1, sha1)):
            print(name)
            for check in ([], ["--check"]):
                node = self.node("server://k@127.0.0.1:%d/127.0.0.1:%d?mode=1&%s" % (
                    self.port(), self.port(), self.files(files)), *check, expect_exit=True)
                self.assertEqual(node.wait(5), 1, name)
                said = node.text() + node.errors()
                self.assertTrue(any(os.path.basename(path) in said for path in bad), name)

    def test_a_bundle_that_is_not_there_stops_the_start(self):
        for check in ([], ["--check"]):
            node = self.node("client://k@127.0.0.1:1/127.0.0.1:2?mode=2&tls=2&ca=/no/ca.pem",
                             *check, expect_exit=True)
            self.assertEqual(node.wait(5), 1)
            self.assertIn("/no/ca.pem", node.text() + node.errors())

    @limit(60)
    def test_new_files_are_used_on_hangup_and_broken_ones_are_not(self):
        target = self.target()
        cert, key = (os.path.join(self.dir, name) for name in ("live.pem", "live.key"))
        first, second = self.ca.issue(), self.ca.issue()
        for source, place in zip(first, (cert, key)):
            shutil.copy(source, place)
        server, port, visit = self.lone_server(target, self.files((cert, key)))
        old = self.client(port, target, "tls=2&pin=" + pin_of(first[0]))
        old.wait_log("Tunnel handshaked: ")
        with net.connect(visit) as held:
            held.sendall(b"ECHO\n")
            held.sendall(b"before")
            self.assertEqual(net.read_exact(held, 6), b"before")
            shutil.copy(second[0], cert)
            shutil.copy(second[1], key)
            server.signal(signal.SIGHUP)
            server.wait_log(pin_of(second[0]))
            held.sendall(b"after")
            self.assertEqual(net.read_exact(held, 5), b"after", "old connections live on")
        old.stop()
        new = self.client(port, target, "tls=2&pin=" + pin_of(second[0]))
        new.wait_log("Tunnel handshaked: ")
        self.echo_at(visit)
        shutil.copy(first[0], cert)  # the key is the other one's
        server.signal(signal.SIGHUP)
        server.wait_log("ERROR.*live")
        self.echo_at(visit)


class Hostile(Tls):
    @limit(60)
    def test_five_hundred_silent_handshakes_keep_nobody_out(self):
        target = self.target()
        server, port, visit = self.lone_server(target, "tls=1")
        client = self.client(port, target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        self.echo_at(visit)
        rss = server.rss_kb()
        hello = bytes.fromhex("16030100c4010000c00303") + bytes(60)
        with contextlib.ExitStack() as stack:
            for i in range(500):
                with contextlib.suppress(OSError):
                    sock = stack.enter_context(net.connect(("127.0.0.1", port)))
                    if i % 2:
                        sock.sendall(hello)
            for _ in range(20):
                start = patience.Watch()
                self.echo_at(visit)
                self.assertLess(start.took(), 1.0)
            self.check_rss(server, 6000, rss)

    def test_garbage_instead_of_a_handshake_is_one_line_a_second(self):
        target = self.target()
        server, port, visit = self.lone_server(target, "tls=1")
        client = self.client(port, target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        mark = server.mark()
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(20000),
                     b"\x16\x03\x01\x00\x05hello", b"\x15\x03\x03\x00\x02\x02\x28", bytes(64)) * 4:
            with contextlib.suppress(OSError), net.connect(("127.0.0.1", port)) as sock:
                sock.sendall(data)
                sock.settimeout(2)
                net.read_to_end(sock, 2)
        server.wait_log("TLS handshake with 127.0.0.1:.* failed: ", 5, mark)
        self.assertLess(server.count("TLS handshake with", mark), 8)
        self.echo_at(visit)

    def test_older_versions_are_refused(self):
        program = need_program("openssl")
        target = self.target()
        server, port, _ = self.lone_server(target, "tls=1")
        client = self.client(port, target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        done = subprocess.run([program, "s_client", "-connect", "127.0.0.1:%d" % port, "-tls1_2"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10,
                              check=False)
        self.assertIn("protocol version", done.stdout + done.stderr)
        server.wait_log("TLS handshake with .* failed: ")

    def test_openssl_gets_an_id_over_tls(self):
        """What a peer of another make sees: TLS 1.3, then eight hexadecimal digits."""
        program = need_program("openssl")
        target = self.target()
        _, port, _ = self.lone_server(target, "tls=1")
        client = self.client(port, target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                      "TLS_CHACHA20_POLY1305_SHA256"):
            with subprocess.Popen([program, "s_client", "-connect", "127.0.0.1:%d" % port, "-quiet",
                                   "-ciphersuites", suite], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as peer:
                try:
                    self.assertRegex(peer.stdout.read(8), b"^[0-9a-f]{8}$", suite)
                finally:
                    peer.kill()


class Crowds(Tls):
    """Two servers in one process with few TLS buffers: what comes from the client's address of the
    first one, and stands still inside a record, takes none from the second."""

    def setUp(self):
        super().setUp()
        self.attacked, self.visit, good = self.port(), ("127.0.0.1", self.port()), self.port()
        path = os.path.join(self.dir, "two.ini")
        with open(path, "w", encoding="ascii") as file:
            for name, port, visit in (("a", self.attacked, ("127.0.0.1", self.port())),
                                      ("b", good, self.visit)):
                file.write("[instance %s]\n" % name)
                file.write("url = server://k@127.0.0.1:%d/%s?tls=1&mode=1&mem=8\n" % (
                    port, net.where(*visit)))
        self.server = self.node("-c", path, name="server", env={"NP_REPORT_INTERVAL": "60s"})
        net.wait_listening(self.attacked)
        net.wait_listening(good)
        client = self.node("client://k@127.0.0.1:%d/%s?mode=2&min=2" % (good, self.target().where),
                           name="client")
        client.wait_log("Tunnel handshaked: ")
        self.echo_at(self.visit)
        control = self.serve(net.connect(("127.0.0.1", self.attacked)))
        control.sendall(b"\0\n")
        control.recv(200)

    def check_others(self, times):
        for _ in range(times):
            start = patience.Watch()
            self.echo_at(self.visit)
            self.assertLess(start.took(), 1.0)

    @limit(60)
    def test_idle_connections_inside_a_record(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with contextlib.ExitStack() as stack:
            crowd = []
            for _ in range(100):
                sock = stack.enter_context(
                    context.wrap_socket(net.connect(("127.0.0.1", self.attacked))))
                self.assertEqual(len(sock.recv(8)), 8)
                crowd.append(sock)
            for sock in crowd:
                os.write(sock.fileno(), b"\x17\x03\x03")
            self.check_others(20)
            self.server.wait_log("All .* TLS buffers for pool connections are in use")

    @limit(60)
    def test_handshakes_inside_a_record(self):
        crowd = []
        with net.connect(self.visit) as session:
            session.sendall(b"ECHO\n")
            for _ in range(400):
                crowd.append(net.connect(("127.0.0.1", self.attacked)))
                crowd[-1].sendall(b"\x16\x03\x01")
                if len(crowd) > 110:
                    crowd.pop(0).close()
                start = patience.Watch()
                self.assertEqual(net.exchange(session, b"over tls", 10, False), b"over tls")
                self.assertLess(start.took(), 1.0)
            self.check_others(20)
        for sock in crowd:
            sock.close()


class Middle:
    """Somebody between client and server, who can end what the client sends."""

    def __init__(self, port, server_port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.server_port, self.pairs = server_port, []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = net.connect(("127.0.0.1", self.server_port))
                self.pairs.append((client, server))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def pass_on(one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    def cut(self):
        """All pool connections end in order towards the server, without close_notify."""
        for _, server in self.pairs[1:]:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()
        for pair in self.pairs:
            for sock in pair:
                sock.close()


class Cut(Tls):
    def test_a_stream_that_is_cut_is_no_orderly_end(self):
        target = self.target()
        _, port, visit = self.lone_server(target, "tls=1")
        middle = self.serve(Middle(self.port(), port))
        client = self.client(middle.listener.getsockname()[1], target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        with net.connect(visit) as sock:
            sock.sendall(b"ECHO\nhalf of it")
            self.assertEqual(net.read_exact(sock, 10), b"half of it")
            middle.cut()
            self.assertEqual(net.how_it_ends(sock, 5), "reset")


class Fresh(Tls):
    def test_a_killed_client_comes_back_over_tls(self):
        target = self.target()
        server, port, visit = self.lone_server(target, "tls=1")
        client = self.client(port, target, "tls=1")
        client.wait_log("Tunnel handshaked: ")
        self.echo_at(visit)
        client.kill()
        again = self.client(port, target, "tls=1")
        again.wait_log("Tunnel handshaked: ", 15)
        self.echo_at(visit)
        self.assertTrue(server.is_running())
