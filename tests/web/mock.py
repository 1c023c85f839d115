#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A small model of the master's API, to work on the pages without the program.

Usage: mock.py [--port 8080] [--key HEX] [--interval 1.0] [--state FILE] [--prefix /api] [--demo]

Serves the panel at / and the API page at <prefix>/v1/docs from core/master/web, packed as in the
program, and every route of the API with its checks, texts and events; instances only pretend to
carry traffic. --state keeps key and instances over restarts, --demo begins with some instances.
Prints `API Key created: <key>` (or loaded) and `listening on <port>`.
"""
import argparse
import datetime
import http.server
import json
import os
import queue
import random
import re
import secrets
import sys
import threading
import time
import urllib.parse

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "toolchains"))
import embed  # noqa: E402
import mock_openapi  # noqa: E402

KEY_ID = "********"
CORS = (("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, PATCH, POST, PUT, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type, Authorization, X-API-Key, Cache-Control"))
FIGURES = ("mode", "ping", "pool", "tcps", "udps", "tcprx", "tcptx", "udprx", "udptx")
WANTS = {"rate": (r"\d+", "want 0 or a whole number of Mbps"),
         "slot": (r"\d+", "want 0 or a whole number of sessions"),
         "min": (r"[1-9]\d*", "want a whole number of connections, 1 or more"),
         "max": (r"[1-9]\d*", "want a whole number of connections, 1 or more"),
         "mode": (r"[012]", "want 0, 1 or 2"), "tls": (r"[012]", "want 0, 1 or 2")}
NOT_BOUND = "tunnel address not bound: address not available"
COLOURS = {"DEBUG": 34, "INFO": 32, "WARN": 33, "ERROR": 31, "EVENT": 36}
DEMO = [
    ("web", "client://:8080/192.0.2.10:80?mode=1"),
    ("ssh at home", "server://s3cret@:10101/:8022?mode=1&tls=1"),
    ("postgres", "client://s3cret@db.example.com:10101/127.0.0.1:5432?mode=2&min=16&rate=200"),
    ("dns", "client://:5353/192.0.2.53:53?mode=1&notcp=1"),
    ("a name that is much longer than any column could ever be wide enough for",
     "server://k@[2001:db8:85a3:8d3:1319:8a2e:370:7348]:10102/[2001:db8::8a2e:370:7334]:443?"
     "mode=2"),
    ("backup", "client://s3cret@203.0.113.9:10103/127.0.0.1:873?mode=2&tls=2"),
]


def check_url(url):
    """The error of the API, or None."""
    match = re.match(r"^(\w+)://(?:[^/?]*@)?([^/?]*)/([^?]*)(?:\?(.*))?$", url)
    if not match:
        return "Invalid URL format"
    if match.group(1) not in ("client", "server"):
        return "Invalid URL scheme"
    for name, value in urllib.parse.parse_qsl(match.group(4) or "", keep_blank_values=True):
        pattern, want = WANTS.get(name, ("(?s:.*)", ""))
        if not re.fullmatch(pattern, value):
            return "%s=%s: %s" % (name, value, want)
    return None


def stored_url(url):
    """Query keys sorted and encoded; the master's log level is added."""
    base, mark, query = url.partition("?")
    pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    pairs.setdefault("log", "debug")
    return base + "?" + urllib.parse.urlencode(sorted(pairs.items()))


class Master:
    """Instances, key and subscribers; every method holds the lock."""

    def __init__(self, options):
        self.lock = threading.RLock()
        self.interval, self.path = options.interval, options.state
        self.start = time.time()
        self.alias, self.key, self.items, self.streams = "", options.key, {}, []
        self.wrong = {}
        if self.path and os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as f:
                saved = json.load(f)
            self.key, self.items, self.alias = saved["key"], saved["items"], saved["alias"]
            for item in self.items.values():
                item["status"] = "running" if item["restart"] else "stopped"
            print("API Key loaded: " + self.key, flush=True)
        else:
            self.key = self.key or secrets.token_hex(16)
            print("API Key created: " + self.key, flush=True)
            for alias, url in DEMO if options.demo else ():
                self.create(url, alias)
        threading.Thread(target=self.tick, daemon=True).start()

    def save(self):
        if self.path:
            part = self.path + ".new"
            with open(part, "w", encoding="utf-8") as f:
                json.dump({"key": self.key, "items": self.items, "alias": self.alias}, f)
            os.replace(part, self.path)

    # ---- records --------------------------------------------------------------------------------

    def key_record(self):
        return self.record(KEY_ID, "", "", self.key, False, "")

    @staticmethod
    def record(ident, alias, role, url, restart, status):
        item = {"id": ident, "alias": alias, "type": role, "status": status, "url": url,
                "config": "", "restart": restart,
                "meta": {"peer": {"sid": "", "type": "", "alias": ""}, "tags": {}}}
        item.update({name: 0 for name in FIGURES})
        return item

    def list(self):
        with self.lock:
            return [json.loads(json.dumps(i)) for i in
                    list(self.items.values()) + [self.key_record()]]

    def create(self, url, alias):
        with self.lock:
            ident = secrets.token_hex(4)
            role = url.split(":")[0]
            item = self.record(ident, alias, role, stored_url(url), True, "running")
            self.items[ident] = item
            self.begin(item)
            self.emit("create", item)
            self.emit("update", item)
            self.save()
            return item

    def begin(self, item):
        query = dict(urllib.parse.parse_qsl(item["url"].partition("?")[2]))
        item["mode"] = int(query.get("mode", "0")) or 2
        item["config"] = item["url"] + "&dial=auto&dns=5m&rate=0&read=1h&slot=1024"
        item["status"] = "error" if "0.0.0.1:" in item["url"] else "running"
        self.log(item, "INFO", "Instance started: " + re.sub("//.*@", "//***@", item["url"]))
        if item["status"] == "error":
            self.log(item, "WARN", "Client restarting: " + NOT_BOUND)

    def act(self, item, action):
        if action == "reset":
            item.update({name: 0 for name in FIGURES[5:]})
        elif action == "stop" and item["status"] != "stopped":
            item.update(status="stopped", tcps=0, udps=0, pool=0, ping=0)
            self.log(item, "INFO", "Client shutdown complete")
        elif action == "restart" or (action == "start" and item["status"] == "stopped"):
            self.begin(item)
        else:
            return False
        return True

    def patch(self, item, body):
        with self.lock:
            action = body.get("action", "")
            if action == "reset":
                self.act(item, "reset")
                self.emit("update", item)
            for name in ("restart", "alias"):
                if name in body and item[name] != body[name]:
                    item[name] = body[name]
                    self.emit("update", item)
            if "meta" in body and item["meta"] != body["meta"]:
                item["meta"].update(body["meta"])
                self.emit("update", item)
            if action not in ("", "reset") and self.act(item, action):
                self.emit("update", item)
            self.save()

    def delete(self, item):
        with self.lock:
            if self.act(item, "stop"):
                self.emit("update", item)
            del self.items[item["id"]]
            self.emit("delete", item)
            self.save()

    def rotate(self):
        with self.lock:
            self.key = secrets.token_hex(16)
            self.save()
            self.emit("shutdown", None)
            for stream in self.streams:
                stream.put(None)
            return self.key_record()

    # ---- events ---------------------------------------------------------------------------------

    @staticmethod
    def frame(kind, item, logs=""):
        """Its clock stands in 1970, as on a board that has none."""
        now = datetime.datetime.fromtimestamp(time.monotonic(), datetime.timezone.utc).isoformat()
        data = {"type": kind, "time": now, "instance": item, "logs": logs}
        return "event: instance\ndata: %s\n\n" % embed_json(data)

    def emit(self, kind, item, logs=""):
        text = self.frame(kind, item, logs)
        for stream in self.streams:
            stream.put(text)

    @staticmethod
    def line(level, message):
        now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return "%s  \x1b[%dm%s\x1b[0m  %s" % (now, COLOURS[level], level, message)

    def log(self, item, level, message):
        self.emit("log", item, self.line(level, message))

    def subscribe(self):
        with self.lock:
            stream = queue.Queue()
            stream.put("retry: 3000\n\n")
            for item in self.list():
                stream.put(self.frame("initial", item))
                if item["status"] == "error":
                    stream.put(self.frame("log", item, self.line("ERROR", NOT_BOUND)))
            self.streams.append(stream)
            return stream

    def tick(self):
        """Traffic that looks like traffic."""
        pace = {}
        while True:
            time.sleep(self.interval)
            with self.lock:
                for item in self.items.values():
                    if item["status"] != "running":
                        continue
                    last = pace.get(item["id"], random.uniform(2e4, 4e6))
                    now = max(2e3, last * random.uniform(.7, 1.4) if last < 2e7 else last / 2)
                    pace[item["id"]] = now
                    kind = "udp" if "notcp=1" in item["url"] else "tcp"
                    item[kind + "rx"] += int(now * self.interval * random.uniform(.8, 1.2))
                    item[kind + "tx"] += int(now * self.interval * random.uniform(.2, .6))
                    item[kind + "s"] = max(1, min(64, int(now / 6e4)))
                    item["pool"] = 64
                    item["ping"] = random.randint(3, 42)
                    self.emit("update", item)
                    if random.random() < .4:
                        self.log(item, random.choice(("DEBUG", "INFO", "INFO", "WARN")),
                                 "Session from 198.51.100.%d:%d" % (random.randint(1, 254),
                                                                  random.randint(1024, 65535)))


def embed_json(data):
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, "\\u%04x" % ord(sign))
    return text


# ---- HTTP ---------------------------------------------------------------------------------------

class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    master = prefix = pages = None

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="application/json", more=()):
        self.send_response(status)
        for name, value in CORS + tuple(more):
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, data, status=200):
        self.reply(status, (embed_json(data) + "\n").encode())

    def page(self, name):
        body, etag = self.pages[name]
        more = [("ETag", etag), ("Cache-Control", "no-cache"), ("Content-Encoding", "gzip"),
                ("X-Frame-Options", "DENY")]
        if self.prefix != "/api":
            more.append(("X-NodePass-API", self.prefix + "/v1"))
        if self.headers.get("If-None-Match") == etag:
            self.reply(304, more=more)
        else:
            self.reply(200, body, "text/html; charset=utf-8", more)

    def answer(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        self.text = self.rfile.read(length)
        try:
            self.route(path, urllib.parse.parse_qs(query))
        except Refused as refused:
            self.json({"error": str(refused)}, refused.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer

    def route(self, path, query):
        base = self.prefix + "/v1"
        if path == "/":
            return self.page("/")
        match = re.match(re.escape(base) + r"/(\w+(?:\.json)?)(?:/([^/]*))?$", path)
        if not match or match.group(1) not in ("instances", "events", "info", "tcping", "metrics",
                                               "openapi.json", "docs"):
            return self.reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
        if self.command == "OPTIONS":
            return self.reply(200)
        name, ident = match.groups()
        if name == "docs":
            return self.page("/docs")
        if name == "openapi.json":
            return self.json(mock_openapi.document(base))
        self.check_key()
        if name == "instances" and ident is not None:
            return self.one(urllib.parse.unquote(ident))
        return getattr(self, "route_" + name)(query)

    def check_key(self):
        key, who = self.headers.get("X-API-Key"), self.client_address[0]
        recent = [t for t in self.master.wrong.get(who, []) if time.time() - t < 60]
        if len(recent) >= 10:
            raise Refused(429, "Too many wrong API keys, wait a minute")
        if not key:
            raise Refused(401, "Unauthorized: API key required")
        if not secrets.compare_digest(key.encode("latin-1"), self.master.key.encode()):
            self.master.wrong[who] = recent + [time.time()]
            raise Refused(401, "Unauthorized: Invalid API key")

    def only(self, *methods):
        if self.command not in methods:
            raise Refused(405, "Method not allowed")

    def body(self):
        try:
            data = json.loads(self.text)
            return {name.lower(): value for name, value in data.items()}
        except (ValueError, AttributeError):
            raise Refused(400, "Invalid request body") from None

    def url_of_body(self):
        url = self.body().get("url", "")
        wrong = check_url(url)
        if wrong:
            raise Refused(400, wrong)
        return url

    def route_instances(self, _):
        self.only("GET", "POST")
        if self.command == "GET":
            return self.json(self.master.list())
        return self.json(self.master.create(self.url_of_body(), self.body().get("alias", "")), 201)

    def one(self, ident):
        master = self.master
        if not ident:
            raise Refused(400, "Instance ID is required")
        item = master.key_record() if ident == KEY_ID else master.items.get(ident)
        if item is None:
            raise Refused(404, "Instance not found")
        self.only("GET", "PATCH", "PUT", "DELETE")
        if ident == KEY_ID and self.command in ("PUT", "DELETE"):
            raise Refused(403, "Forbidden: API Key")
        if self.command == "GET":
            return self.json(item)
        if self.command == "DELETE":
            master.delete(item)
            return self.reply(204)
        if self.command == "PUT":
            return self.replace(item)
        body = self.body()
        if body.get("action", "") not in ("", "start", "stop", "restart", "reset"):
            raise Refused(400, "Invalid action: " + body["action"])
        if ident == KEY_ID:
            return self.json(master.rotate() if body.get("action") == "restart" else item)
        master.patch(item, body)
        return self.json(item)

    def replace(self, item):
        url = stored_url(self.url_of_body())
        if url == item["url"]:
            raise Refused(409, "Instance URL conflict")
        with self.master.lock:
            self.master.act(item, "stop")
            item.update(url=url, type=url.split(":")[0])
            self.master.begin(item)
            self.master.emit("update", item)
            self.master.save()
        return self.json(item)

    def route_events(self, _):
        self.only("GET")
        self.send_response(200)
        for name, value in CORS + (("Content-Type", "text/event-stream"),
                                   ("Cache-Control", "no-cache"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        stream = self.master.subscribe()
        try:
            while True:
                try:
                    text = stream.get(timeout=15)
                except queue.Empty:
                    text = ": still here\n\n"
                if text is None:
                    return
                self.wfile.write(text.encode())
                self.wfile.flush()
        finally:
            self.master.streams.remove(stream)

    def route_info(self, _):
        self.only("GET", "POST")
        master = self.master
        if self.command == "POST":
            master.alias = self.body().get("alias", "")
            master.save()
        now = time.time()
        self.json({"alias": master.alias, "arch": "amd64", "cpu": random.randint(2, 30), "crt": "",
                   "diskr": 0, "diskw": 0, "key": "", "log": "debug", "mem_free": 6 << 27,
                   "mem_total": 1 << 30, "mem_used": 2 << 27, "mid": "0123456789abcdef",
                   "name": "router", "netrx": 0, "nettx": 0, "os": "linux", "swap_free": 0,
                   "swap_total": 0, "swap_used": 0, "sysup": int(now) % 1000000, "tls": "0",
                   "uptime": int(now - master.start), "ver": "0.0.0"})

    def route_tcping(self, query):
        self.only("GET")
        target = query.get("target", [""])[0]
        if not target:
            raise Refused(400, "Target address required")
        self.json({"target": target, "connected": True, "latency": 3, "error": None})

    def route_metrics(self, _):
        self.only("GET")
        self.reply(200, b"nodepass_up 1\n", "text/plain; version=0.0.4")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--key", default="")
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--state", default="")
    parser.add_argument("--prefix", default="/api")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    built = embed.build(os.path.join(ROOT, "core", "master", "web"),
                        os.path.join(ROOT, "build", "web-mock"), "0.0.0",
                        [("panel", "/"), ("docs", "/docs")])
    Handler.pages = {path: (body, '"%s"' % etag) for _, path, body, etag in built}
    Handler.prefix = options.prefix
    Handler.master = Master(options)
    server = Server(("127.0.0.1", options.port), Handler)
    print("listening on %d" % server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
