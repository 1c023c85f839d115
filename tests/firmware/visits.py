# SPDX-License-Identifier: BSD-3-Clause
"""Services behind a tunnel, and visitors whose bytes must arrive whole."""
import hashlib
import os
import socket
import struct
import threading

from qemu import PATIENCE


class Echo:
    """A TCP server: a visitor's first 8 bytes say how much to send; what comes back is the hash of
    what the visitor sends until its end of stream, after those bytes."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    @staticmethod
    def serve(conn):
        try:
            with conn:
                count = int.from_bytes(read_exactly(conn, 8), "big")
                sender = threading.Thread(target=conn.sendall, args=(content(count),))
                sender.start()
                digest = hashlib.sha256()
                while chunk := conn.recv(65536):
                    digest.update(chunk)
                sender.join()
                conn.sendall(digest.digest())
        except (OSError, EOFError):
            pass


class UdpEcho:
    """Sends each datagram back, behind one byte."""

    def __init__(self, host="127.0.0.1", port=0):
        self.socket = datagram_socket(host)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        try:
            while True:
                data, peer = self.socket.recvfrom(65536)
                self.socket.sendto(b"!" + data, peer)
        except OSError:
            pass


class Names:
    """A name server for A and AAAA of fixed names; counts what it was asked."""

    def __init__(self, host, records):
        self.records, self.asked = records, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        self.socket.settimeout(0.2)
        self.is_over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        self.socket.close()

    def serve(self):
        while not self.is_over:
            try:
                query, peer = self.socket.recvfrom(512)
                self.socket.sendto(self.answer(query), peer)
            except TimeoutError:
                continue

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, question = ".".join(labels), query[12:at + 5]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        packed = [socket.inet_pton(family, a) for a in self.records.get(name, ())
                  if family is not None and (":" in a) == (family == socket.AF_INET6)]
        flags = 0x8180 if name in self.records else 0x8183  # no such name
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 5, len(p)) + p
                           for p in packed)
        return (query[:2] + struct.pack("!HHHHH", flags, 1, len(packed), 0, 0) + question +
                answers)


def place(where):
    """A port of this machine, or (host, port)."""
    return ("127.0.0.1", where) if isinstance(where, int) else where


def datagram_socket(host):
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)


def visit_udp(where, sizes, tries=10):
    """A visitor whose datagrams must all come back as they were; each may be sent some times."""
    where = place(where)
    with datagram_socket(where[0]) as s:
        s.connect(where)
        s.settimeout(3)
        for size in sizes:
            data = os.urandom(size)
            for _ in range(tries):
                try:
                    s.send(data)
                    while (got := s.recv(65536)) != b"!" + data:
                        assert len(got) != size + 1 or size < 8, f"{size} bytes changed"
                    break
                except (TimeoutError, ConnectionRefusedError):
                    continue
            else:
                raise AssertionError(f"no answer to a datagram of {size} bytes")


def content(count):
    return (hashlib.sha256(b"down").digest() * (count // 32 + 1))[:count]


def read_exactly(conn, count):
    data = bytearray()
    while len(data) < count:
        chunk = conn.recv(min(65536, count - len(data)))
        if not chunk:
            raise EOFError(f"ended after {len(data)} of {count} bytes")
        data += chunk
    return bytes(data)


def visit(where, up, down, seconds=PATIENCE):
    """Sends `up` random bytes and takes `down`, both at once; both must arrive whole."""
    go_through(begin(where, down, seconds), up, down)


def begin(where, down, seconds=PATIENCE):
    """A visitor that has said what it wants."""
    conn = socket.create_connection(place(where), timeout=seconds)
    conn.sendall(down.to_bytes(8, "big"))
    return conn


def go_through(conn, up, down, got=b""):
    """The rest of a visit; `got`: what came already."""
    data = os.urandom(up)
    with conn:

        def send():
            try:
                conn.sendall(data)
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the reader tells

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        got += read_exactly(conn, down - len(got))
        digest = read_exactly(conn, 32)
        sender.join(conn.gettimeout())
        assert got == content(down), "bytes towards the visitor changed on their way"
        assert digest == hashlib.sha256(data).digest(), "bytes to the target changed on their way"
        assert conn.recv(1) == b"", "bytes behind the end"


def tries(where, seconds=15):
    """True if a short visit works."""
    try:
        visit(where, 10, 10, seconds)
        return True
    except (OSError, EOFError):
        return False
