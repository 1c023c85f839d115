# SPDX-License-Identifier: BSD-3-Clause
"""One firmware in QEMU, and the programs around it: servers, visitors, the POSIX build."""
import hashlib
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = os.path.join(ROOT, "build", "mps2-an385")
LOGS = os.path.join(IMAGES, "test")
QEMU = "qemu-system-arm"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds):
    """Asks `check` until it is true; the time-out tells what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Program:
    """A child with its output in a file; `with` ends it."""

    def __init__(self, name, command):
        os.makedirs(LOGS, exist_ok=True)
        self.path = os.path.join(LOGS, name + ".log")
        self.out = open(self.path, "wb")
        self.child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=self.out,
                                      stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdin.close()
        self.out.close()

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=20):
        wait_for(f"{pattern} in {self.path}", lambda: re.search(pattern, self.log()), seconds)


class Firmware(Program):
    """An image with its command line; `ports` maps ports here to ports of the firmware."""

    def __init__(self, name, image, words, ports=(), nic=None):
        user = "user,id=wire" + "".join(f",hostfwd={kind}:127.0.0.1:{here}-:{there}"
                                for kind in ("tcp", "udp") for here, there in ports)
        line = ",".join("arg=" + word.replace(",", ",,") for word in ["nodepass", *words])
        self.folder = tempfile.TemporaryDirectory(prefix="fw-")  # a socket's path is short
        self.monitor = os.path.join(self.folder.name, "qmp")
        command = [QEMU, "-M", "mps2-an385", "-display", "none", "-monitor", "none",
                   "-serial", "stdio", "-qmp", f"unix:{self.monitor},server=on,wait=off",
                   "-semihosting-config", "enable=on,target=native," + line,
                   "-kernel", os.path.join(IMAGES, image), *(nic or ("-nic", user))]
        super().__init__(name, ["bash", "-c", f'echo "IMAGE {image}"; exec "$0" "$@"', *command])

    def __exit__(self, *why):
        super().__exit__(*why)
        self.folder.cleanup()

    def plug(self, is_in):
        """Puts the cable in or out."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.monitor)
            lines = s.makefile("rw")
            lines.readline()  # greeting
            for order in ({"execute": "qmp_capabilities"},
                          {"execute": "set_link", "arguments": {"name": "wire", "up": is_in}}):
                lines.write(json.dumps(order) + "\n")
                lines.flush()
                reply = json.loads(lines.readline())
                assert "return" in reply, reply

    def press(self, key):
        self.child.stdin.write(key.encode())
        self.child.stdin.flush()

    def status(self):
        """The figures of a fresh STATUS line."""
        count = self.log().count("STATUS ")
        self.press("s")
        wait_for("a STATUS line", lambda: len(re.findall(r"STATUS .*\n", self.log())) > count, 10)
        line = re.findall(r"STATUS (.*)\n", self.log())[-1]
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def stop(self):
        """Stops it by the console; its own verdict must be good, and no run may have ended badly.
        Returns the last figures."""
        self.press("q")
        code = self.child.wait(timeout=60)
        text = self.log()
        last = dict(re.findall(r"(\w+)=(\d+)", re.findall(r"STATUS (.*)\n", text)[-1]))
        assert code == 0, f"exit code {code}: {text[-300:]}"
        assert last["resets"] == "0" and "FAULT" not in text and "PANIC" not in text, text[-600:]
        return {name: int(value) for name, value in last.items()}


class Echo:
    """A TCP server: a visitor's first 8 bytes say how much to send; what comes back is the hash of
    what the visitor sends until its end of stream, after those bytes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
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

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
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


def visit_udp(port, sizes):
    """A visitor whose datagrams must all come back as they were; each may be sent three times."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        s.settimeout(2)
        for size in sizes:
            data = os.urandom(size)
            for _ in range(3):
                s.send(data)
                try:
                    while (got := s.recv(65536)) != b"!" + data:
                        assert len(got) != size + 1 or size < 8, f"{size} bytes changed"
                    break
                except TimeoutError:
                    continue
            else:
                raise AssertionError(f"no answer to a datagram of {size} bytes")


def content(count):
    return (hashlib.sha256(b"down").digest() * (count // 32 + 1))[:count]


def read_exactly(conn, count):
    data = b""
    while len(data) < count:
        chunk = conn.recv(min(65536, count - len(data)))
        if not chunk:
            raise EOFError(f"ended after {len(data)} of {count} bytes")
        data += chunk
    return data


def visit(port, up, down, seconds=30):
    """Sends `up` random bytes and takes `down`, both at once; both must arrive whole."""
    data = os.urandom(up)
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as conn:
        conn.sendall(down.to_bytes(8, "big"))

        def send():
            try:
                conn.sendall(data)
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the reader tells

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        got = read_exactly(conn, down)
        digest = read_exactly(conn, 32)
        sender.join(seconds)
        assert got == content(down), "bytes towards the visitor changed on their way"
        assert digest == hashlib.sha256(data).digest(), "bytes to the target changed on their way"
        assert conn.recv(1) == b"", "bytes behind the end"
