# SPDX-License-Identifier: BSD-3-Clause
"""A running master, its API by http.client, and its event stream."""
import http.client
import json
import os
import re
import socket
import threading
import time

from lib import net
from lib.case import Case, wait_until

KEY_ID = "********"
FIELDS = ["id", "alias", "type", "status", "url", "config", "restart", "meta", "mode", "ping",
          "pool", "tcps", "udps", "tcprx", "tcptx", "udprx", "udptx"]
CORS = {"access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, PATCH, POST, PUT, DELETE, OPTIONS",
        "access-control-allow-headers": "Content-Type, Authorization, X-API-Key, Cache-Control"}


class Reply:
    """Status, headers (as sent) and body of one answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.getheaders()
        self.body = response.read()

    def header(self, name):
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


class Events(threading.Thread):
    """Subscribes and collects events until the stream ends."""

    def __init__(self, port, key, path="/api/v1/events"):
        super().__init__(daemon=True)
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n"
                           % (path, key)).encode())
        self.sock.settimeout(120)
        self.raw, self.rest, self.body = b"", b"", b""
        self.events, self.ended = [], False
        self.is_chunked, self.parsed = None, 0
        self.start()

    def run(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            self.raw += data
            self.rest += data
            self.take()
        self.ended = True

    def take(self):
        """Chunks off, then whole frames into events; what is not whole stays."""
        if self.is_chunked is None:
            head, mark, rest = self.rest.partition(b"\r\n\r\n")
            if not mark:
                return
            self.is_chunked = b"transfer-encoding: chunked" in head.lower()
            self.rest = rest
        if not self.is_chunked:
            self.body, self.rest = self.body + self.rest, b""
        while self.is_chunked:
            size, mark, rest = self.rest.partition(b"\r\n")
            length = int(size, 16) if mark and size else -1
            if length < 0 or len(rest) < length + 2:
                break
            self.body += rest[:length]
            self.rest = rest[length + 2:]
        frames = self.body[self.parsed:].split(b"\n\n")
        self.parsed = len(self.body) - len(frames.pop())
        self.events += [json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames
                        if frame.startswith(b"event: instance\ndata: ")]

    def text(self):
        """The body so far."""
        return self.body

    def head(self):
        return self.raw.partition(b"\r\n\r\n")[0].decode()

    def types(self, identity=None):
        return [event["type"] for event in self.events
                if identity is None or (event["instance"] or {}).get("id") == identity]

    def wait(self, predicate, seconds=10, what="event"):
        """The first event for which the predicate holds."""
        return wait_until(lambda: next((e for e in list(self.events) if predicate(e)), None),
                          seconds, what)

    def close(self):
        self.sock.close()


class MasterCase(Case):
    """Starts masters; `request` goes to the last one."""

    def master(self, query="", env=None, prefix="", port=None, extra=None, **options):
        self.api_port = port or self.port()
        self.base = (prefix or "/api") + "/v1"
        self.state = os.path.join(self.dir, "state")
        query = query.replace("{dir}", self.dir)
        url = "master://127.0.0.1:%d%s?state=%s&%s" % (self.api_port, prefix, self.state, query)
        self.args = extra or [url.rstrip("&")]
        return self.start(env, **options)

    def start(self, env=None, **options):
        """Starts (again) with the last arguments."""
        node = self.node(*self.args, env=env, name="master", **options)
        node.wait_log("Master started", 10)
        self.key = self.key_of(node)
        return node

    @staticmethod
    def key_of(node):
        return re.findall(r"API Key (?:created|loaded): ([0-9a-f]{32})", node.text())[-1]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=15)

    def request(self, method, path, body=None, key=True, headers=None, conn=None, raw=False):
        """One request; path without prefix and version, unless `raw`."""
        own = conn or self.connect()
        sent = dict(headers or {})
        if key:
            sent["X-API-Key"] = self.key if key is True else key
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        own.request(method, path if raw else self.base + path, body, sent)
        reply = Reply(own.getresponse())
        if conn is None:
            own.close()
        return reply

    def good(self, method, path, body=None, status=200, **options):
        """A request that has to succeed; its JSON."""
        reply = self.request(method, path, body, **options)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json() if reply.body else None

    def bad(self, method, path, body, status, error, **options):
        reply = self.request(method, path, body, **options)
        self.assertEqual((reply.status, reply.json()), (status, {"error": error}))
        return reply

    def create(self, url=None, **more):
        """An instance that listens and needs no peer."""
        url = url or "client://127.0.0.1:%d/127.0.0.1:%d?mode=1" % (self.port(), self.port())
        return self.good("POST", "/instances", dict(url=url, **more), 201)

    def get(self, identity):
        return self.good("GET", "/instances/" + identity)

    def wait_status(self, identity, status, seconds=10):
        return wait_until(lambda: self.get(identity)["status"] == status, seconds,
                          "status " + status)

    def events(self):
        stream = Events(self.api_port, self.key, self.base + "/events")
        self.addCleanup(stream.close)
        stream.wait(lambda e: e["type"] == "initial", 5, "initial events")
        return stream

    def silent_stream(self):
        """A subscriber that never reads."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", self.api_port))
        sock.sendall(("GET %s/events HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n"
                      % (self.base, self.key)).encode())
        self.addCleanup(sock.close)
        return sock

    def metric(self, name):
        text = self.request("GET", "/metrics").body.decode()
        return int(re.search(r"(?m)^%s (\d+)$" % name, text).group(1))

    def send_raw(self, data, seconds=3.0, half_close=False):
        """What comes back until the end or `seconds` of silence."""
        with socket.create_connection(("127.0.0.1", self.api_port), 5) as sock:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return net_read(sock, seconds)


def net_read(sock, seconds):
    got, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        sock.settimeout(max(0.05, end - time.monotonic()))
        try:
            data = sock.recv(65536)
        except (socket.timeout, ConnectionError):
            break
        if not data:
            break
        got += data
    return got


def listens(port):
    return not net.is_free(port)
