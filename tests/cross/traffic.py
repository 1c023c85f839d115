# SPDX-License-Identifier: BSD-3-Clause
"""A reverse tunnel on loopback between two programs, with hashed TCP and UDP through it.

    visitor -> [server] <== tunnel ==> [client] -> echo (TCP and UDP on one port)
"""
import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

HOST = "127.0.0.1"
START_S, VISIT_S = 90, 240  # generous: emulated CPUs beside other work
TCP_BYTES = 1000 * 1000
UDP_SIZES = (1, 2, 63, 64, 500, 1200, 1472, 1900, 0)
UDP_TRIES = 3


def free_ports(count):
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind((HOST, 0))
        return [sock.getsockname()[1] for sock in socks]


class Echo:
    """TCP and UDP on one port; TCP answers until the visitor's end, which it passes back."""

    def __init__(self):
        self.tcp, self.udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self.tcp.bind((HOST, 0))
        self.port = self.tcp.getsockname()[1]
        self.udp.bind((HOST, self.port))
        self.tcp.listen(16)
        for loop in (self.accept, self.datagrams):
            threading.Thread(target=loop, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock = self.tcp.accept()[0]
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    @staticmethod
    def serve(sock):
        with contextlib.suppress(OSError), sock:
            while data := sock.recv(65536):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

    def datagrams(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.udp.recvfrom(65535)
                if peer is None:  # shut down
                    return
                self.udp.sendto(data, peer)

    def close(self):
        # Shut down first: a thread that waits in accept or recvfrom keeps a closed port alive.
        for sock in (self.tcp, self.udp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def tcp_round(address, data):
    """What came back for `data`, until the end of the stream."""
    with socket.create_connection(address, timeout=VISIT_S) as sock:
        def send():
            with contextlib.suppress(OSError):
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        back = bytearray()
        while piece := sock.recv(65536):
            back += piece
        sender.join(5)
        return bytes(back)


def udp_round(sock, address, data):
    """Whether `data` came back as it was; UDP may lose, so a few tries."""
    for _ in range(UDP_TRIES):
        sock.sendto(data, address)
        with contextlib.suppress(socket.timeout):
            while True:
                back = sock.recv(65535)
                if back == data:
                    return True
                if len(back) == len(data):
                    return False  # else a late answer to one before
    return False


def wait_up(address, nodes):
    """What is wrong, or None when a visit went through."""
    deadline = time.monotonic() + START_S
    while True:
        for name, node in nodes:
            if node.poll() is not None:
                return f"{name} ended with {node.returncode}"
        with contextlib.suppress(OSError):
            if tcp_round(address, b"up?") == b"up?":
                return None
        if time.monotonic() > deadline:
            return f"no answer through the tunnel within {START_S} s"
        time.sleep(0.3)


def visit(address, seed, longest=65507):
    """What is wrong with the traffic, or None; datagrams have `longest` bytes at most."""
    data = random.Random(seed).randbytes(TCP_BYTES)
    back = tcp_round(address, data)
    if hashlib.sha256(back).digest() != hashlib.sha256(data).digest():
        return f"TCP: {len(back)} bytes of {len(data)} came back, or others"
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        for size in [size for size in UDP_SIZES if size <= longest]:
            if not udp_round(sock, address, random.Random(size).randbytes(size)):
                return f"UDP: a datagram of {size} bytes did not come back as it was"
    return None


def end(nodes):
    """Ends what was started, by process; returns what is wrong."""
    wrong = []
    for _, node in nodes:
        if node.poll() is None:
            node.send_signal(signal.SIGTERM)
    for name, node in nodes:
        try:
            code = node.wait(30)
        except subprocess.TimeoutExpired:
            node.kill()
            code = node.wait(10)
        if code != 0:
            wrong.append(f"{name} ended with {code}")
    return wrong


def start(logs, commands, env):
    """[(name, process)], each with its output in a file of that name."""
    nodes = []
    for name, command in commands:
        with open(os.path.join(logs, name), "wb") as out:
            nodes.append((name, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                                 stderr=out, env=env)))
    return nodes


def carry(server, client, tls, longest=65507):
    """Runs the two commands as a reverse tunnel. Returns what is wrong, with the logs' ends."""
    echo = Echo()
    tunnel, visitor = free_ports(2)
    env = dict(os.environ, NP_HANDSHAKE_TIMEOUT="60s")  # both ends emulated
    commands = (
        ("server", [*server, f"server://secret@{HOST}:{tunnel}/{HOST}:{visitor}"
                             f"?mode=1&tls={tls}&max=4"]),
        ("client", [*client, f"client://secret@{HOST}:{tunnel}/{HOST}:{echo.port}"
                             f"?mode=2&min=2&tls={tls}"]))
    with tempfile.TemporaryDirectory() as logs:
        nodes = start(logs, commands, env)
        try:
            wrong = [wait_up((HOST, visitor), nodes) or visit((HOST, visitor), tls, longest)]
        except OSError as error:
            wrong = [str(error)]
        finally:
            ended = end(nodes)
            echo.close()
        wrong = [w for w in wrong if w] + ended
        for name, _ in nodes if wrong else ():
            with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as log:
                wrong += [f"  {name}: {line}" for line in log.read().splitlines()[-12:]]
    return wrong
