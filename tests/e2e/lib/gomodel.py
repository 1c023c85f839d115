# SPDX-License-Identifier: BSD-3-Clause
"""A Go v1.6.0 peer at byte level (protocol.md 2 to 7), flaws included: lines are cut at every 0x0a,
failed launches are silent, the end of a stream is not passed on, a used connection goes back into
the pool when neither end closed it, idle connections are not watched.

A line that was cut wrongly, or that net/url refuses, ends the tunnel (`faults` says why), as it
does in the real program. `restarts` counts the sessions that ended that way.
"""
import contextlib
import os
import select
import socket
import threading
import time
from collections import OrderedDict

from lib import goline, net

KNOWN = ("0", "1", "2", "i", "o")
DATA = 2048  # NP_UDP_DATA_BUF_SIZE of the peer
# The real one looks once and loses a launch that overtook its id (0.3 % of sessions); Python files
# an id so much later than Go does that looking once would lose far more.
GRACE = 0.2


class TunnelEnd(Exception):
    """The control connection can't go on."""


class Control:
    """The control connection: raw lines out, lines cut at every 0x0a in."""

    def __init__(self, sock, key):
        self.sock, self.key = sock, key
        self.buffer = b""
        self.lock = threading.Lock()
        self.last_received = time.monotonic()

    def send(self, text):
        with self.lock:
            self.sock.sendall(goline.line(self.key, text))

    def read_line(self, timeout):
        """The decoded text of the next piece that ends with 0x0a, or None after `timeout`."""
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None
            data = self.sock.recv(4096)
            if not data:
                raise TunnelEnd("control connection closed by the peer")
            self.buffer += data
            self.last_received = time.monotonic()
        piece, _, self.buffer = self.buffer.partition(b"\n")
        return goline.xor(self.key, piece).decode("latin-1")

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class GoPeer:
    """What both roles share."""

    def __init__(self, key, target, tunnel, report=1.0, cooldown=0.5, pool_get=5.0, reuse=True):
        self.key, self.target, self.tunnel = key, target, tunnel
        self.report, self.cooldown, self.pool_get, self.reuse = report, cooldown, pool_get, reuse
        self.idle = OrderedDict()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.up = threading.Event()
        self.session_over = threading.Event()
        self.control, self.flow, self.max = None, "", 0
        self.faults, self.texts, self.pongs, self.pings, self.flushes = [], [], 0, 0, 0
        self.unknown = []
        self.restarts = self.failed_launches = self.reused = self.dropped_after_use = 0
        self.leftover = b""
        self.open = set()
        self.sockets = []
        self.thread = None

    def start(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self):
        while not self.stopping.is_set():
            self.session_over.clear()
            try:
                self.session()
            except (TunnelEnd, OSError, goline.UrlError, ValueError) as error:
                if not self.stopping.is_set() and self.up.is_set():
                    self.faults.append("%s: %s" % (type(error).__name__, error))
            self.up.clear()
            self.session_over.set()
            self._drop_all()
            self.restarts += 1
            self.stopping.wait(self.cooldown)

    def keep(self, sock):
        self.sockets.append(sock)
        return sock

    def _drop_all(self):
        with self.lock:
            sockets = list(self.idle.values()) + list(self.open) + self.sockets
            self.idle.clear()
            self.sockets = []
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self):
        self.stopping.set()
        self.session_over.set()
        if self.control:
            self.control.close()
        self._drop_all()
        if self.thread:
            self.thread.join(5)

    def vanish(self):
        """Stops answering without closing anything, as a host does that lost its power."""
        self.stopping.set()
        self.session_over.set()
        if self.thread:
            self.thread.join(5)

    # ---- signals ------------------------------------------------------------------------------

    def signals(self):
        """Reads messages until the tunnel ends."""
        next_ping = time.monotonic() + self.report
        while not self.stopping.is_set():
            text = self.control.read_line(0.05)
            if text is not None:
                self.texts.append(text)
                self.signal(goline.Url(text), text)
            now = time.monotonic()
            if now >= next_ping:
                next_ping = now + self.report
                self.control.send("#i")
            if now - self.control.last_received > max(3 * self.report, 4):
                raise TunnelEnd("nothing received for three report intervals")

    def signal(self, url, text):
        kind = url.fragment
        if kind == "0":
            self.flushes += 1
            self.flush()
        elif kind == "1":
            self.spawn(self.launched_tcp, url.path.lstrip("/"), url.host)
        elif kind == "2":
            self.spawn(self.launched_udp, url.path.lstrip("/"), url.host)
        elif kind == "i":
            self.pings += 1
            self.control.send("#o")
        elif kind == "o":
            self.pongs += 1
        elif len(kind) != 1 or text.count("#") != 1:
            raise TunnelEnd("a line without a signal: %r" % text)
        else:
            self.unknown.append(text)

    def flush(self):
        with self.lock:
            stale = list(self.idle.values())
            self.idle.clear()
        for sock in stale:
            sock.close()

    @staticmethod
    def spawn(function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    # ---- sessions -----------------------------------------------------------------------------

    def take(self, pool_id, wait):
        """The idle connection of that id (None: the oldest one), waited for at most `wait`
        seconds."""
        end = time.monotonic() + wait
        while not self.session_over.is_set():
            with self.lock:
                if pool_id is None and self.idle:
                    return self.idle.popitem(last=False)
                if pool_id in self.idle:
                    return pool_id, self.idle.pop(pool_id)
            if time.monotonic() >= end:
                break
            time.sleep(0.01)
        return None, None

    def launched_tcp(self, pool_id, _peer):
        _, remote = self.take(pool_id, GRACE)
        if remote is None:
            self.failed_launches += 1  # silent: the other side is not told
            return
        try:
            local = net.connect(self.target, 5)
        except OSError:
            self.put_back(pool_id, remote)
            return
        self.relay(pool_id, remote, local)

    def launched_udp(self, pool_id, _peer):
        _, remote = self.take(pool_id, GRACE)
        if remote is None:
            self.failed_launches += 1
            return
        local = net.udp_visitor(self.target, None)
        self.open |= {local, remote}
        ended = threading.Event()
        self.spawn(self.udp_back, local, remote, ended)
        with contextlib.suppress(OSError):
            while not ended.is_set():
                data = remote.recv(DATA)
                if not data:
                    break
                local.send(data)
        ended.set()
        for sock in (local, remote):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.open -= {local, remote}

    @staticmethod
    def udp_back(local, remote, ended):
        local.settimeout(0.2)
        while not ended.is_set():
            try:
                remote.sendall(local.recv(DATA))
            except socket.timeout:
                continue
            except OSError:
                return

    def relay(self, pool_id, remote, local):
        """Two copies that do not pass on the end of a stream; both must end before the session
        does."""
        self.open |= {local, remote}
        remote_alive = [True]

        def copy(source, sink, source_is_remote):
            try:
                while True:
                    data = source.recv(65536)
                    if not data:
                        remote_alive[0] &= not source_is_remote
                        break
                    try:
                        sink.sendall(data)
                    except OSError:
                        remote_alive[0] &= source_is_remote
                        break
            except OSError:
                remote_alive[0] &= not source_is_remote

        for sock in (remote, local):
            sock.settimeout(None)
        back = threading.Thread(target=copy, args=(local, remote, False), daemon=True)
        back.start()
        copy(remote, local, True)
        back.join()  # for up to an hour in the real one: the local side is not told of the end
        local.close()
        self.open -= {local, remote}
        if remote_alive[0]:
            self.put_back(pool_id, remote)
        else:
            remote.close()

    def put_back(self, pool_id, remote):
        """Drains what is there; a connection that is still open is used again under its old id."""
        if not self.reuse:
            remote.close()
            return
        remote.settimeout(0.1)
        try:
            while True:
                data = remote.recv(4096)
                if not data:
                    self.dropped_after_use += 1
                    remote.close()
                    return
                self.leftover += data
        except socket.timeout:
            pass
        except OSError:
            self.dropped_after_use += 1
            remote.close()
            return
        self.reused += 1
        with self.lock:
            self.idle[pool_id] = remote

    # ---- the listening side -------------------------------------------------------------------

    def listen_for_visitors(self):
        tcp = self.keep(socket.socket(net.family_of(self.target[0]), socket.SOCK_STREAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        net.bind_patiently(tcp, self.target)
        tcp.listen(256)
        udp = self.keep(socket.socket(net.family_of(self.target[0]), socket.SOCK_DGRAM))
        net.bind_patiently(udp, self.target)
        self.spawn(self.accept_visitors, tcp)
        self.spawn(self.udp_visitors, udp)

    def accept_visitors(self, tcp):
        while not self.session_over.is_set():
            try:
                sock, peer = tcp.accept()
            except OSError:
                return
            self.spawn(self.visitor_tcp, sock, peer)

    def visitor_tcp(self, sock, peer):
        pool_id, remote = self.take(None, self.pool_get)
        if remote is None:
            sock.close()
            return
        try:
            self.control.send(goline.launch_url(net.where(*peer[:2]), pool_id, 1))
        except OSError:
            sock.close()
            return
        self.relay(pool_id, remote, sock)

    def udp_visitors(self, udp):
        sessions = {}
        while not self.session_over.is_set():
            try:
                data, peer = udp.recvfrom(DATA)
            except OSError:
                return
            remote = sessions.get(peer)
            if remote is None:
                pool_id, remote = self.take(None, self.pool_get)
                if remote is None:
                    continue
                sessions[peer] = remote
                self.open |= {remote}
                self.spawn(self.udp_to_visitor, udp, remote, peer, sessions)
                self.control.send(goline.launch_url(net.where(*peer[:2]), pool_id, 2))
            with contextlib.suppress(OSError):
                remote.sendall(data)

    def udp_to_visitor(self, udp, remote, peer, sessions):
        remote.settimeout(None)
        with contextlib.suppress(OSError):
            while True:
                data = remote.recv(DATA)
                if not data:
                    break
                udp.sendto(data, peer)
        sessions.pop(peer, None)
        self.open -= {remote}
        remote.close()


def hello(address, key, timeout=5.0):
    """A control connection that proved the key: (Control, decoded answer)."""
    control = Control(net.connect(address, timeout), key)
    control.sock.sendall(bytes(len(key)) + b"\n")
    return control, control.read_line(timeout)


class GoClient(GoPeer):
    """client://key@tunnel/target"""

    def __init__(self, tunnel, key, target, min_pool=4, **options):
        super().__init__(key, target, tunnel, **options)
        self.min_pool = min_pool
        self.answers = []
        self.dialled = 0

    def session(self):
        sock = net.connect(self.tunnel, 5)
        self.control = Control(sock, self.key)
        sock.sendall(bytes(len(self.key)) + b"\n")
        text = self.control.read_line(5)
        if text is None:
            raise TunnelEnd("no answer to the key")
        self.answers.append(text)
        try:
            url = goline.Url(text)
            if not (url.host and url.path and url.fragment):
                raise TunnelEnd("answer cut in the middle: %r" % text)
            self.max = int(url.host)
            self.flow = url.path.lstrip("/")
        except (TunnelEnd, ValueError) as error:
            self.faults.append("answer: %s" % error)
            raise
        self.up.set()
        self.spawn(self.fill_pool)
        if self.flow == "+":
            self.listen_for_visitors()
        try:
            self.signals()
        finally:
            if not self.stopping.is_set():
                self.control.close()

    def fill_pool(self):
        while not self.session_over.is_set():
            while len(self.idle) < self.min_pool and not self.session_over.is_set():
                if not self.dial_one():
                    break
            time.sleep(0.1)

    def dial_one(self):
        try:
            sock = net.connect(self.tunnel, 5)
            sock.settimeout(20)
            pool_id = net.read_exact(sock, 8).decode("latin-1")
        except (OSError, EOFError):
            return False
        if len(pool_id) != 8 or pool_id.strip("0123456789abcdef"):
            self.faults.append("pool id %r" % pool_id)
        with self.lock:
            self.idle[pool_id] = sock
            self.dialled += 1
        return True


class GoServer(GoPeer):
    """server://key@tunnel/target"""

    def __init__(self, tunnel, key, target, flow, max_pool=1024, answer=None, **options):
        super().__init__(key, target, tunnel, **options)
        self.flow, self.max = flow, max_pool
        self.answer = answer or "np://%d/%s#0" % (max_pool, flow)
        self.listener = socket.socket(net.family_of(tunnel[0]), socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        net.bind_patiently(self.listener, tunnel)
        self.listener.listen(256)
        self.denied = 0
        self.opened = 0

    def session(self):
        self.handshake()
        self.up.set()
        self.spawn(self.accept_pool)
        if self.flow == "-":
            self.listen_for_visitors()
        try:
            self.signals()
        finally:
            self.control.close()

    def handshake(self):
        """Serial, and three seconds of sleep after a wrong key, as the real one does."""
        while not self.stopping.is_set():
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            sock, peer = self.listener.accept()
            control = Control(sock, self.key)
            try:
                text = control.read_line(5)
            except (TunnelEnd, OSError):
                text = None
            if text is None or text.encode("latin-1") != self.key:
                self.denied += 1
                control.close()
                self.stopping.wait(3)
                continue
            self.control, self.client_ip = control, peer[0]
            control.send(self.answer)
            return
        raise TunnelEnd("stopped")

    def accept_pool(self):
        while not self.session_over.is_set():
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            if self.session_over.is_set():
                return
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return  # closed meanwhile
            if peer[0] != self.client_ip or len(self.idle) >= self.max:
                sock.close()
                continue
            pool_id = os.urandom(4).hex()
            sock.sendall(pool_id.encode())
            self.opened += 1
            with self.lock:
                self.idle[pool_id] = sock

    def close(self):
        super().close()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # also where a thread still waits on it
        self.listener.close()
