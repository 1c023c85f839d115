# SPDX-License-Identifier: BSD-3-Clause
"""Hostile clients of the master's API: slow, endless, huge, smuggling, broken."""
import http.client
import os
import random
import socket
import time

from lib import patience
from lib.case import limit, quick, wait_until
from lib.master import MasterCase, net_read


class Hostile(MasterCase):
    def setUp(self):
        super().setUp()
        self.node_ = self.master()

    def head(self, first="GET /api/v1/info", more=""):
        return ("%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n%s" % (first, self.key, more)).encode()

    def status(self, data, **options):
        """Status of the first answer, and everything that came."""
        got = self.send_raw(data, **options)
        return int(got.split(b" ", 2)[1]) if got else 0, got

    def check_alive(self):
        start = patience.Watch()
        self.good("GET", "/info")
        self.assertLess(start.took(), 1.0 * patience.SLOW)

    @quick
    def test_smuggling(self):
        body = b"GET /api/v1/instances HTTP/1.1\r\nHost: x\r\n\r\n"
        for more in ("Content-Length: 5\r\nContent-Length: 6\r\n",
                     "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n",
                     "Content-Length: 0x5\r\n", "Content-Length: \r\n",
                     "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                     "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
                     "Transfer-Encoding : chunked\r\n", " Folded: x\r\n", "No colon\r\n",
                     "X: a\x00b\r\n", "X: a\nY: b\r\n", "Host: y\r\n",
                     "Content-Length: 99999999999999999999\r\n"):
            status, got = self.status(self.head("POST /api/v1/info", more) + b"\r\n" + body)
            self.assertIn(status, (400, 413, 501), more)
            self.assertEqual(got.count(b"HTTP/1.1 "), 1, more)
        for chunk in (b"-1\r\n", b"zz\r\n", b"1\nx\r\n0\r\n\r\n", b"ffffffffffffffff\r\n",
                      b"2\r\nabX", b"1\r\nx\r\n0\nX: y\r\n\r\n"):
            status, got = self.status(
                self.head("POST /api/v1/info", "Transfer-Encoding: chunked\r\n") + b"\r\n" + chunk
                + body, half_close=True)
            self.assertIn(status, (400, 413), chunk)
            self.assertEqual(got.count(b"HTTP/1.1 "), 1, chunk)
        self.check_alive()

    def test_sizes(self):
        self.assertIn(self.status(self.head(more="X: %s\r\n" % ("a" * 9000)) + b"\r\n")[0],
                      (400, 431))
        self.assertIn(self.status(b"GET /" + b"a" * 20000)[0], (400, 414, 431))
        self.assertIn(self.status(self.head(more="A: b\r\n" * 3000))[0], (400, 431))
        for size, good in ((65536, True), (65537, False), (10 << 20, False)):
            body = b'{"alias":"x"}' + b" " * (size - 13)
            if size < 1 << 20:
                status, _ = self.status(self.head("POST /api/v1/info", "Content-Length: %d\r\n"
                                                  "Connection: close\r\n" % size)
                                        + b"\r\n" + body)
            else:
                status, _ = self.status(self.head("POST /api/v1/info", "Content-Length: %d\r\n"
                                                  % size) + b"\r\n")
            self.assertEqual(status, 200 if good else 413)
        self.check_alive()

    def test_broken_json(self):
        texts = [b"\xff\xfe", b"{\"a\"", b"{\"alias\":\"\\ud800\"", b"[" * 65536,
                 b"{\"a\":" * 10000,
                 b"\"", b"{,}", b"{\"alias\":}", b"{\"alias\":01}", b"nul", b"{\"alias\":\"\n\"}",
                 b"{\"alias\":\"\\x\"}", b"", b"\0", b"{\"alias\":\"\\u0000\"}",
                 b"{'alias':'x'}", b"{\"alias\":NaN}"]
        for text in texts:
            for method, path in (("POST", "/info"), ("POST", "/instances"),
                                 ("PATCH", "/instances/********")):
                if len(text) <= 65536:
                    reply = self.request(method, path, text)
                    self.assertEqual((reply.status, reply.error()),
                                     (400, "Invalid request body"), text[:40])
        self.check_alive()

    @limit(60)
    def test_slow_clients_do_not_hold_others(self):
        slow = []
        for data in (b"", b"G", self.head(), self.head("POST /api/v1/info",
                                                       "Content-Length: 100\r\n") + b"\r\n{"):
            for _ in range(6):
                sock = socket.create_connection(("127.0.0.1", self.api_port), 5)
                self.addCleanup(sock.close)
                sock.sendall(data)
                slow.append((sock, data))
        start = time.monotonic()
        dripping = slow[12:18]
        while time.monotonic() - start < 12:  # a byte a second does not put the limit off
            self.check_alive()
            for sock, _ in dripping:
                try:
                    sock.sendall(b"X")
                except OSError:
                    pass
            time.sleep(0.5)
        for sock, data in slow[6:18]:
            got = net_read(sock, 5)
            self.assertTrue(got == b"" or b"408" in got.split(b"\r\n")[0], (data, got[:80]))

    def test_newest_is_refused_when_the_table_is_full(self):
        held = [socket.create_connection(("127.0.0.1", self.api_port), 5) for _ in range(32)]
        for sock in held:
            sock.sendall(self.head())
            self.addCleanup(sock.close)
        time.sleep(0.2)
        status, got = self.status(self.head() + b"\r\n")
        self.assertEqual(status, 503, got)
        for sock in held:
            sock.close()
        wait_until(lambda: self.request("GET", "/info").status == 200, 5, "served again")

    def test_many_wrong_keys_cost_little(self):
        conn = self.connect()
        start = patience.Watch()
        for number in range(2000):
            reply = self.request("GET", "/instances", key="%032x" % number, conn=conn)
            self.assertEqual(reply.status, 401 if number < 10 else 429)
        self.assertLess(start.took(), 10 * patience.SLOW)

    @limit(60)
    def test_random_bytes(self):
        source = random.Random(7)
        good = self.head("PATCH /api/v1/instances/********") + \
            b"Content-Length: 20\r\n\r\n{\"action\":\"restart2\"}"
        before = self.node_.rss_kb()
        for _ in range(300):
            data = bytearray(good)
            for _ in range(source.randrange(1, 6)):
                at = source.randrange(len(data))
                kind = source.randrange(3)
                if kind == 0:
                    data[at] = source.randrange(256)
                elif kind == 1:
                    del data[at:at + source.randrange(1, 30)]
                else:
                    data[at:at] = os.urandom(source.randrange(1, 30))
            with socket.create_connection(("127.0.0.1", self.api_port), 5) as sock:
                sock.sendall(bytes(data))
                if source.randrange(2):
                    sock.shutdown(socket.SHUT_WR)
                    net_read(sock, 0.5)
        self.key = self.key_of(self.node_)
        wait_until(lambda: self.request("GET", "/docs", key=False).status == 200, 15, "served")
        self.check_rss(self.node_, 3000, before)

    @limit(60)
    def test_clients_that_vanish(self):
        made = self.create()
        before = self.node_.fd_count()
        for _ in range(100):
            sock = socket.create_connection(("127.0.0.1", self.api_port), 5)
            sock.sendall(self.head("GET /api/v1/events") + b"\r\n")
            sock.close()
            sock = socket.create_connection(("127.0.0.1", self.api_port), 5)
            sock.sendall(self.head("GET /api/v1/tcping?target=127.0.0.1:1") + b"\r\n")
            sock.close()
        wait_until(lambda: self.node_.fd_count() <= before + 1, 10, "descriptors back")
        self.assertEqual(self.get(made["id"])["status"], "running")

    @limit(60)
    def test_tcping_limits(self):
        backlog = socket.socket()
        backlog.bind(("127.0.0.1", 0))
        backlog.listen(0)
        fill = []
        for _ in range(4):  # a full backlog does not answer
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(backlog.getsockname())
            fill.append(sock)
        target = "127.0.0.1:%d" % backlog.getsockname()[1]
        conns = []
        for _ in range(14):
            conn = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=15)
            conn.request("GET", self.base + "/tcping?target=" + target,
                         headers={"X-API-Key": self.key})
            conns.append(conn)
            time.sleep(0.02)
        start = time.monotonic()
        texts = [conn.getresponse().read().decode() for conn in reversed(conns)]
        took = time.monotonic() - start
        for text in texts[:4]:
            self.assertIn('"connected":false,"latency":0,"error":"too many requests"', text)
        for text in texts[4:]:
            self.assertIn('"connected":false,"latency":0,"error":"timed out"', text)
        self.assertTrue(4 < took < 7 * patience.SLOW, took)
        for sock in fill + [backlog]:
            sock.close()
