# SPDX-License-Identifier: BSD-3-Clause
"""Sockets: patterns with known hashes, visitors, a TCP target that obeys commands, a UDP echo."""
import contextlib
import errno
import hashlib
import select
import socket
import struct
import threading
import time

from lib import patience

BLOCK = 65536


def pattern(seed, size):
    """`size` bytes that depend on seed and offset."""
    return b"".join(pattern_blocks(seed, size))


def pattern_blocks(seed, size):
    index = 0
    while size > 0:
        block = hashlib.shake_128(seed + struct.pack(">Q", index)).digest(min(size, BLOCK))
        yield block
        size -= len(block)
        index += 1


def pattern_sha(seed, size):
    digest = hashlib.sha256()
    for block in pattern_blocks(seed, size):
        digest.update(block)
    return digest.hexdigest()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def bracket(host):
    return "[%s]" % host if ":" in host else host


def where(host, port):
    return "%s:%d" % (bracket(host), port)


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def bind_patiently(sock, address, seconds=3.0):
    """Binds; a port that another program has for a moment (a probe, a name server's query) is
    waited for."""
    end = time.monotonic() + seconds
    while True:
        try:
            sock.bind(address)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise OSError(error.errno, "%s: %s" % (where(*address[:2]), error)) from error
        time.sleep(0.02)


def is_listening(port, udp=False):
    """True if some socket of this network namespace is bound there (no connection is made)."""
    want, state = "%04X" % int(port), "07" if udp else "0A"
    for name in ("udp", "udp6") if udp else ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            with open("/proc/thread-self/net/" + name, encoding="ascii") as table:
                for line in table:
                    parts = line.split()
                    if parts[1].endswith(":" + want) and parts[3] == state:
                        return True
    return False


def wait_listening(port, seconds=10.0, udp=False):
    limit = patience.Limit(seconds)
    while not is_listening(port, udp):
        if limit.is_over():
            raise AssertionError("nobody listens on port %s within %.1f s" % (port, seconds))
        time.sleep(0.02)


def connect(address, timeout=10.0, source=None):
    sock = socket.socket(family_of(address[0]), socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        if source:
            sock.bind(source)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def udp_visitor(address, timeout=5.0, source=None):
    sock = socket.socket(family_of(address[0]), socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    if source:
        sock.bind(source)
    sock.connect(address)
    return sock


def reset(sock):
    """Closes with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_to_end(sock, timeout=30.0):
    """Everything up to the end of stream; an error of the socket is raised."""
    sock.settimeout(timeout)
    parts = []
    while True:
        data = sock.recv(BLOCK)
        if not data:
            return b"".join(parts)
        parts.append(data)


def sha_to_end(sock, timeout=30.0):
    """(sha256, length) of everything up to the end of stream."""
    sock.settimeout(timeout)
    digest, size = hashlib.sha256(), 0
    while True:
        data = sock.recv(BLOCK)
        if not data:
            return digest.hexdigest(), size
        digest.update(data)
        size += len(data)


def read_exact(sock, size):
    parts = []
    while size > 0:
        data = sock.recv(min(size, BLOCK))
        if not data:
            raise EOFError("end of stream with %d bytes missing" % size)
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def read_line(sock, limit=1024):
    """Bytes up to and without the next newline, one byte at a time so that nothing is taken
    beyond."""
    line = bytearray()
    while len(line) < limit:
        byte = sock.recv(1)
        if not byte:
            raise EOFError("end of stream inside a line")
        if byte == b"\n":
            return bytes(line)
        line += byte
    raise ValueError("line too long")


def exchange(sock, data, timeout=30.0, half_close=True):
    """Sends data while reading what comes back, ends by half close; returns what came."""

    def send():
        with contextlib.suppress(OSError):
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)

    sock.settimeout(timeout)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    if half_close:
        got = read_to_end(sock, timeout)
    else:
        got = read_exact(sock, len(data))
    sender.join(timeout)
    return got


def how_it_ends(sock, timeout=10.0):
    """'eof', 'reset' or 'open', after reading whatever still comes."""
    end = time.monotonic() + timeout
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return "open"
        sock.settimeout(left)
        try:
            if not sock.recv(BLOCK):
                return "eof"
        except socket.timeout:
            return "open"
        except OSError:
            return "reset"


class TcpServer:
    """Accepts until closed; each connection runs `self.serve(sock, peer)` in a thread."""

    def __init__(self, host, port, backlog=512):
        self.host, self.port = host, port
        self.where = where(host, port)
        self.connections = []
        self.accepted = 0
        self.peers = []
        self.closing = False
        self.listener = socket.socket(family_of(host), socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(backlog)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closing:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.peers.append(peer)
            self.connections.append(sock)
            threading.Thread(target=self._run, args=(sock, peer), daemon=True).start()

    def _run(self, sock, peer):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(sock, peer)
        except (OSError, EOFError, ValueError, TypeError):
            pass
        finally:
            with contextlib.suppress(ValueError):
                self.connections.remove(sock)
            sock.close()

    def serve(self, sock, peer):
        raise NotImplementedError

    def open_count(self):
        return len(self.connections)

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Target(TcpServer):
    """Obeys the first line of each connection.

    ECHO            everything back, half close answered by half close
    SINK            reads to the end, answers "<sha256> <length>\\n"
    SOURCE seed n   sends n pattern bytes, half closes, reads to the end
    TALK seed n     sends n pattern bytes and reads to the end before it ends itself
    COUNT name      reads to the end, self.counted[name] tells how much so far
    HALF name       half closes at once, reads to the end, result in self.results[name]
    NAME name       keeps the connection in self.named[name] and what arrives in self.got[name]
    MUTE name       as NAME, but never reads
    """

    def __init__(self, host, port, backlog=512):
        self.results, self.named, self.got, self.ended, self.counted = {}, {}, {}, {}, {}
        self.done = threading.Event()
        self.to_reset = set()
        super().__init__(host, port, backlog)

    def serve(self, sock, peer):
        words = read_line(sock).decode("latin-1").split()
        command = getattr(self, "do_" + words[0].lower(), None) if words else None
        if command is None:
            raise ValueError("not a command")
        command(sock, *words[1:])

    @staticmethod
    def do_echo(sock):
        while True:
            data = sock.recv(BLOCK)
            if not data:
                sock.shutdown(socket.SHUT_WR)
                return
            sock.sendall(data)

    @staticmethod
    def do_sink(sock):
        digest, size = sha_to_end(sock, 120)
        sock.sendall(b"%s %d\n" % (digest.encode(), size))

    @staticmethod
    def do_source(sock, seed, size):
        for block in pattern_blocks(seed.encode(), int(size)):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        sha_to_end(sock, 120)

    def do_talk(self, sock, seed, size):
        self.named[seed] = sock
        for block in pattern_blocks(seed.encode(), int(size)):
            sock.sendall(block)
        sha_to_end(sock, 120)

    def wait_for_end(self, name):
        while not self.done.wait(0.02) and name not in self.to_reset:
            pass

    def reset(self, name):
        """Resets that connection. Its own thread closes it: a close here would wait."""
        self.to_reset.add(name)
        sock = self.named[name]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)

    def do_count(self, sock, name):
        self.counted[name] = 0
        while True:
            data = sock.recv(BLOCK)
            if not data:
                return
            self.counted[name] += len(data)

    def do_half(self, sock, name):
        sock.shutdown(socket.SHUT_WR)
        self.results[name] = sha_to_end(sock, 120)

    def do_name(self, sock, name):
        self.got[name] = b""
        self.named[name] = sock
        try:
            while True:
                data = sock.recv(BLOCK)
                if not data:
                    self.ended[name] = "eof"
                    break
                self.got[name] += data
        except OSError:
            self.ended[name] = "reset"
        # An end of stream is not the end of the connection: the test decides when that comes.
        if self.ended.get(name) == "eof":
            self.wait_for_end(name)

    def do_mute(self, sock, name):
        self.named[name] = sock
        self.wait_for_end(name)

    def close(self):
        self.done.set()
        super().close()


class Recorder(TcpServer):
    """Keeps what every connection sends, in order of arrival."""

    def __init__(self, host, port):
        self.seen = []
        super().__init__(host, port)

    def serve(self, sock, peer):
        record = bytearray()
        self.seen.append((peer, record))
        while True:
            data = sock.recv(BLOCK)
            if not data:
                return
            record += data


class UdpEcho:
    """Sends every datagram back to its source."""

    def __init__(self, host, port, buffer_bytes=4 << 20):
        self.host, self.port, self.where = host, port, where(host, port)
        self.sources, self.count, self.sizes = set(), 0, []
        self.sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.sock.bind((host, port))
        self.sock.settimeout(0.2)
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.closing:
            try:
                data, peer = self.sock.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                if self.closing:
                    return
                continue
            self.count += 1
            self.sizes.append(len(data))
            self.sources.add(peer)
            with contextlib.suppress(OSError):
                self.sock.sendto(data, peer)

    def close(self):
        self.closing = True
        self.thread.join(2)
        self.sock.close()


def parallel(function, arguments, width):
    """Runs function(argument) for all in `width` threads; returns results, raises the first
    error."""
    results, errors, lock = {}, [], threading.Lock()
    items = iter(list(enumerate(arguments)))

    def worker():
        while not errors:
            with lock:
                item = next(items, None)
            if item is None:
                return
            try:
                results[item[0]] = function(item[1])
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[key] for key in sorted(results)]


def drain_udp(sock, count, seconds):
    """Datagrams that arrive within `seconds`, at most `count`."""
    got, end = [], time.monotonic() + seconds
    while len(got) < count:
        left = end - time.monotonic()
        if left <= 0 or not select.select([sock], [], [], left)[0]:
            return got
        got.append(sock.recv(65536))
    return got
