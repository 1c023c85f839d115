#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""make demo: a reverse tunnel on loopback, with real traffic.

    visitor -> [nodepass server] <== tunnel ==> [nodepass client] -> web server, echo (TCP and UDP)

The server side is what you would run on a public machine, the client side on a machine behind NAT.
Both run two tunnels in one process from an INI file; the same bytes go plain, over TLS with a
pinned certificate made at start (tls=1), and over TLS with a certificate of a CA made here (tls=2).
Usage: tests/demo.py [PROGRAM]
"""
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIG_BYTES = 100 * 1000 * 1000
LIMIT_S = 50
HOST = "127.0.0.1"


# ---- targets: a process of their own -------------------------------------------------------------

def make_page():
    with open(os.path.join(ROOT, "tests", "README.md"), encoding="utf-8") as f:
        items = "".join(f"<li>{line[2:].strip()}</li>" for line in f if line.startswith("- "))
    return f"<!doctype html><title>NodePass demo</title><h1>It works</h1><ul>{items}</ul>".encode()


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    contents = {}

    def do_GET(self):
        body = self.contents.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args):
        pass


class EchoTcp(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(65536)
            if not data:
                return
            self.request.sendall(data)


def echo_udp(sock):
    while True:
        data, peer = sock.recvfrom(65535)
        sock.sendto(data, peer)


class Threading(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def run_targets():
    """Serves until standard input ends; tells ports and hashes on standard output."""
    Web.contents = {"/": make_page(), "/big": os.urandom(BIG_BYTES)}
    web = Threading((HOST, 0), Web)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for _ in range(50):
        echo = Threading((HOST, 0), EchoTcp)
        try:
            udp.bind((HOST, echo.server_address[1]))
            break
        except OSError:
            echo.server_close()
    for target, args in ((web.serve_forever, ()), (echo.serve_forever, ()), (echo_udp, (udp,))):
        threading.Thread(target=target, args=args, daemon=True).start()
    sums = {path: hashlib.sha256(body).hexdigest() for path, body in Web.contents.items()}
    told = {"web": web.server_address[1], "echo": echo.server_address[1], "sha256": sums}
    print(json.dumps(told), flush=True)
    sys.stdin.read()


# ---- the demo ------------------------------------------------------------------------------------

class Failed(Exception):
    pass


class Demo:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.children = []
        self.start = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.1f} s] {text}", flush=True)

    def log_path(self, name):
        return os.path.join(self.folder, name + ".log")

    def log_text(self, name):
        with open(self.log_path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def launch(self, name, ini):
        path = os.path.join(self.folder, name + ".ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(ini)
        env = dict(os.environ, NP_REPORT_INTERVAL="1s")
        with open(self.log_path(name), "wb") as log:
            child = subprocess.Popen([self.program, "-c", path], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=subprocess.STDOUT, env=env)
        self.children.append((name, child))
        for line in ini.strip().splitlines():
            print(f"            {line}")
        self.say(f"started the {name}: {os.path.basename(self.program)} -c {name}.ini "
                 f"(pid {child.pid})")

    def launch_targets(self):
        child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--targets"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.children.append(("targets", child))
        told = json.loads(child.stdout.readline())
        self.say(f"targets: web server on port {told['web']}, echo (TCP and UDP) on {told['echo']}")
        return told

    def wait_for(self, what, probe, limit_s=20):
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for name, child in self.children:
                if child.poll() is not None:
                    raise Failed(f"the {name} ended with code {child.returncode}")
            if probe():
                return
            time.sleep(0.1)
        raise Failed(f"waited {limit_s} s in vain for {what}")

    def stop(self, is_last=True):
        """Ends every child by its pid, the targets only at the end; True if each nodepass left with
        exit code 0."""
        clean = True
        for name, child in reversed(self.children):
            if name == "targets" and is_last:
                child.stdin.close()
            elif name == "targets":
                continue
            elif child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                code = child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait()
            if name != "targets":
                self.say(f"stopped the {name}: exit code {code}")
                clean = clean and code == 0
        self.children = [child for child in self.children if child[0] == "targets" and not is_last]
        return clean


def free_port():
    """A port that is free for TCP and UDP."""
    for _ in range(100):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind((HOST, 0))
            try:
                udp.bind((HOST, tcp.getsockname()[1]))
                return tcp.getsockname()[1]
            except OSError:
                continue
    raise Failed("no free port")


def ini_of(scheme, mode, tunnels, options):
    """mode: on one machine both ends could bind every port, so each is told its part."""
    parts = [f"[instance {name}]\n"
             f"url = {scheme}://demo-key@{HOST}:{tunnel}/{HOST}:{port}?mode={mode}{option}"
             for (name, tunnel, port), option in zip(tunnels, options)]
    return "\n".join(parts) + "\n"


def fetch(port, path):
    digest, count = hashlib.sha256(), 0
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=30) as reply:
        while True:
            block = reply.read(1 << 18)
            if not block:
                return digest.hexdigest(), count
            digest.update(block)
            count += len(block)


def can_fetch(port):
    try:
        return fetch(port, "/")[1] > 0
    except (OSError, urllib.error.URLError):
        return False


def show_web(demo, port, sums):
    digest, count = fetch(port, "/")
    if digest != sums["/"]:
        raise Failed("the page came out different")
    demo.say(f"page: {count} bytes, sha256 {digest[:16]}... as sent")
    start = time.monotonic()
    digest, count = fetch(port, "/big")
    seconds = time.monotonic() - start
    if digest != sums["/big"] or count != BIG_BYTES:
        raise Failed("the 100 MB came out different")
    demo.say(f"100 MB: {seconds:.2f} s, {count / seconds / 1e6:.0f} MB/s "
             f"({count * 8 / seconds / 1e9:.2f} Gbit/s), sha256 {digest[:16]}... as sent")


def show_tcp_echo(demo, port):
    data = os.urandom(1 << 20)
    got = bytearray()
    with socket.create_connection((HOST, port), timeout=20) as sock:
        def send():
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        while len(got) <= len(data):
            block = sock.recv(65536)
            if not block:
                break
            got += block
        sender.join()
    if bytes(got) != data:
        raise Failed(f"TCP echo: {len(got)} bytes of {len(data)} came back, or others")
    demo.say("TCP echo: 1 MiB there and back, half close passed on")


def show_udp_echo(demo, port):
    trips = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((HOST, port))
        for number in range(200):
            data = os.urandom(1 + number * 7)
            start = time.monotonic()
            sock.send(data)
            try:
                back = sock.recv(65535)
            except socket.timeout as error:
                raise Failed(f"UDP echo: no answer to datagram {number}") from error
            if back != data:
                raise Failed(f"UDP echo: datagram {number} came back different")
            trips.append(time.monotonic() - start)
    trips.sort()
    demo.say(f"UDP echo: 200 datagrams of 1 to {len(data)} bytes, all as sent, "
             f"median round trip {trips[100] * 1e6:.0f} us")


def check_point(demo, name, least_bytes):
    """Newest check point whose TCP counters hold the 100 MB; None if there is none yet."""
    lines = re.findall(r"CHECK_POINT\|\S*", demo.log_text(name))
    fitting = [line for line in lines
               if sum(int(n) for n in re.findall(r"\bTCP[RT]X=(\d+)", line)) >= least_bytes]
    return fitting[-1] if fitting else None


def show_check_points(demo):
    for name in ("server", "client"):
        demo.wait_for(f"a check point of the {name}",
                      lambda side=name: check_point(demo, side, BIG_BYTES))
        demo.say(f"check point of the {name}: {check_point(demo, name, BIG_BYTES)}")


def openssl(*args):
    try:
        subprocess.run(["openssl", *args], check=True, capture_output=True)
    except FileNotFoundError as error:
        raise Failed("openssl is missing: run tests/setup.sh") from error


def make_certificate(folder):
    """A CA and a certificate for this host, as README.md tells; returns their files."""
    path = {name: os.path.join(folder, name) for name in
            ("ca.pem", "ca.key", "demo.csr", "demo.ext", "demo.pem", "demo.key")}
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=demo CA", "-keyout",
            path["ca.key"], "-out", path["ca.pem"])
    openssl("req", *new_key, "-subj", "/CN=demo", "-keyout", path["demo.key"], "-out",
            path["demo.csr"])
    with open(path["demo.ext"], "w", encoding="ascii") as f:
        f.write(f"subjectAltName=IP:{HOST}\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", path["demo.csr"], "-CA", path["ca.pem"], "-CAkey",
            path["ca.key"], "-CAcreateserial", "-days", "2", "-extfile", path["demo.ext"], "-out",
            path["demo.pem"])
    return path


def pins(demo):
    """The pins that the server tells at its start, one a tunnel."""
    demo.wait_for("the pins", lambda: demo.log_text("server").count("pin=sha256:") >= 2)
    return re.findall(r"pin=(sha256:[0-9a-f]{64})", demo.log_text("server"))


def carry(demo, told, server_options, client_options):
    """One pair of processes, all kinds of traffic, and their end. client_options(demo) is asked
    once the server runs."""
    tunnels = [("web", free_port(), free_port()), ("echo", free_port(), free_port())]
    demo.launch("server", ini_of("server", 1, tunnels, [server_options] * 2))
    to_targets = [("web", tunnels[0][1], told["web"]), ("echo", tunnels[1][1], told["echo"])]
    demo.launch("client", ini_of("client", 2, to_targets, client_options(demo)))
    demo.wait_for("the tunnels", lambda: can_fetch(tunnels[0][2]) and
                  demo.log_text("client").count("Tunnel handshaked") >= 2)
    demo.say("both tunnels are up")
    show_web(demo, tunnels[0][2], told["sha256"])
    show_tcp_echo(demo, tunnels[1][2])
    show_udp_echo(demo, tunnels[1][2])
    show_check_points(demo)
    if not demo.stop(is_last=False):
        raise Failed("a nodepass did not stop cleanly")


def run_demo(demo):
    told = demo.launch_targets()
    demo.say("1. plain")
    carry(demo, told, "", lambda _: [""] * 2)
    demo.say("2. TLS 1.3, certificate made at start, pinned by the client")
    carry(demo, told, "&tls=1", lambda d: [f"&tls=1&pin={pin}" for pin in pins(d)])
    demo.say("3. TLS 1.3, certificate of a CA, verified by the client")
    files = make_certificate(demo.folder)
    carry(demo, told, f"&tls=2&crt={files['demo.pem']}&key={files['demo.key']}",
          lambda _: [f"&tls=2&ca={files['ca.pem']}"] * 2)


def give_up(why):
    raise Failed(why)


def main():
    if sys.argv[1:] == ["--targets"]:
        run_targets()
        return 0
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/nodepass")
    for number, text in ((signal.SIGALRM, "it took too long"), (signal.SIGINT, "interrupted"),
                         (signal.SIGTERM, "interrupted")):
        signal.signal(number, lambda *_, why=text: give_up(why))
    signal.alarm(LIMIT_S)
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(program, folder)
        why = None
        try:
            run_demo(demo)
        except (Failed, OSError, urllib.error.URLError) as error:
            why = str(error)
        if why:
            for name, _ in demo.children:
                if name != "targets":
                    print(f"--- log of the {name}\n" + "\n".join(
                        demo.log_text(name).splitlines()[-15:]))
        signal.alarm(0)
        if not demo.stop() and not why:
            why = "a nodepass did not stop cleanly"
    print(f"demo failed: {why}" if why else "demo: everything came out as it went in")
    print("0 passed, 1 failed" if why else "1 passed, 0 failed")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
