# SPDX-License-Identifier: BSD-3-Clause
"""What the interop cases share: certificates, processes, a meddling relay."""
import hashlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PIPE = os.path.abspath(os.environ.get("NP_TLSPIPE", os.path.join(ROOT, "build/host/tlspipe")))
BLOCK = bytes(i % 251 + 1 for i in range(251))
NAME = "server.example"
PSK = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
LIMIT_S = float(os.environ.get("NP_TLS_LIMIT_S", "60"))


def pattern(count):
    return (BLOCK * (count // 251 + 1))[:count]


def pattern_hash(count):
    """SHA-256 of the pattern, a piece at a time."""
    digest, piece = hashlib.sha256(), BLOCK * 4096
    while count > 0:
        digest.update(piece[:count])
        count -= len(piece)
    return digest.hexdigest()


def free_port():
    """Below the range that outgoing connections use, so that nobody takes it meanwhile."""
    while True:
        port = random.randint(12000, 31999)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def is_listening(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                    return True
    return False


def wait_listen(port, process):
    """False if the program ended instead."""
    end = time.monotonic() + LIMIT_S
    while not is_listening(port):
        if process.child.poll() is not None:
            return False
        if time.monotonic() > end:
            raise AssertionError(f"nothing listens on port {port}")
        time.sleep(0.01)
    return process.child.poll() is None


class Process:
    """A program with its output collected; ended with the case."""

    def __init__(self, case, command, stdin=None, keep=True):
        self.case = case
        self.name = os.path.basename(command[0])
        self.out, self.err = [], []
        self.hash, self.count = hashlib.sha256(), 0
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE if stdin is None else stdin,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=case.dir)
        self.keep = keep
        self.readers = [threading.Thread(target=self.read_out, daemon=True),
                        threading.Thread(target=self.read_err, daemon=True)]
        for reader in self.readers:
            reader.start()
        case.processes.append(self)

    def read_out(self):
        while True:
            data = self.child.stdout.read1(1 << 16)
            if not data:
                return
            self.hash.update(data)
            self.count += len(data)
            if self.keep:
                self.out.append(data)

    def read_err(self):
        for line in self.child.stderr:
            self.err.append(line.decode(errors="replace"))

    def write(self, data):
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def write_pattern(self, count):
        """In the background, since the other side may be slow."""
        def run():
            piece, left = BLOCK * 1024, count
            try:
                while left > 0:
                    self.write(piece[:left])
                    left -= len(piece)
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()

    def close(self):
        self.child.stdin.close()

    def wait(self):
        """Exit code, with all output read."""
        code = self.child.wait(timeout=LIMIT_S)
        for reader in self.readers:
            reader.join(timeout=LIMIT_S)
        return code

    def stdout(self):
        return b"".join(self.out)

    def stderr(self):
        return "".join(self.err)

    def wait_text(self, text, seconds=LIMIT_S):
        end = time.monotonic() + seconds
        while text not in self.stderr() and text.encode() not in self.stdout():
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} never said {text!r}: {self.stderr()[-500:]}")
            time.sleep(0.01)

    def wait_count(self, count):
        end = time.monotonic() + LIMIT_S
        while self.count < count:
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} got {self.count} of {count} bytes")
            time.sleep(0.01)

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.close()
            except OSError:
                pass


class Case:
    """Directory and processes of one test."""

    def __init__(self, certs):
        self.dir = tempfile.mkdtemp(prefix="np-tls-")
        self.certs = certs
        self.processes = []
        self.relays = []

    def pipe(self, *options, **kwargs):
        return Process(self, [PIPE, *[str(o) for o in options]], **kwargs)

    def program(self, *command, **kwargs):
        return Process(self, [str(c) for c in command], **kwargs)

    def serve(self, *options, **kwargs):
        """Our server: (process, port)."""
        return self.listen(PIPE, "-s", "PORT", *[str(o) for o in options], **kwargs)

    def listen(self, *command, **kwargs):
        """Another server; PORT in the command is replaced."""
        for _ in range(5):  # somebody else may take the port first
            port = free_port()
            process = self.program(*[str(port) if c == "PORT" else c for c in command], **kwargs)
            if wait_listen(port, process):
                return process, port
        raise AssertionError(f"{process.name} does not listen: {process.stderr()}")

    def relay(self, port, **kwargs):
        relay = Relay(port, **kwargs)
        self.relays.append(relay)
        return relay.port

    def close(self):
        for process in self.processes:
            process.end()
        for relay in self.relays:
            relay.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Relay:
    """Passes bytes between a client and a server, and may flip or cut what the server sends."""

    def __init__(self, target, flip_at=None, cut_at=None):
        self.flip_at, self.cut_at = flip_at, cut_at
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = target
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
        self.copy(server, client, True)

    def copy(self, source, sink, may_meddle):
        done = 0
        try:
            while True:
                data = bytearray(source.recv(65536))
                if not data:
                    break
                if may_meddle and self.flip_at is not None and \
                        done <= self.flip_at < done + len(data):
                    data[self.flip_at - done] ^= 0x10
                if may_meddle and self.cut_at is not None and done + len(data) >= self.cut_at:
                    sink.sendall(data[:self.cut_at - done])
                    break
                sink.sendall(data)
                done += len(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


CA_CONFIG = """
[ca]
default_ca = d
[d]
dir = .
database = ./index.txt
new_certs_dir = .
serial = ./serial
default_md = sha256
policy = p
copy_extensions = none
unique_subject = no
[p]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
CN = {cn}
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name},IP:127.0.0.1
"""


class Certs:
    """A CA, leaf certificates of every kind that matters, made with openssl."""

    KEYS = {"p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "rsa2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "rsa4096": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
            "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]}

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="np-tls-ca-")
        for name in ("index.txt", "index.txt.attr"):
            open(self.path(name), "w", encoding="ascii").close()
        with open(self.path("serial"), "w", encoding="ascii") as f:
            f.write("1000\n")
        for key in self.KEYS:
            self.make_key(key)
        self.make_root("root")
        self.make_root("stranger")
        for key in self.KEYS:
            self.make_leaf(key, key)
        self.make_leaf("othername", "p256", name="other.example")
        self.make_leaf("expired", "p256", start="200101000000Z", end="210101000000Z")
        self.make_leaf("future", "p256", start="400101000000Z", end="410101000000Z")
        self.make_leaf("sha1", "p256", digest="sha1")
        self.make_leaf("strangers", "p256", ca="stranger")
        self.make_leaf("selfsigned", "p256", ca=None)

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.dir, capture_output=True, text=True,
                              check=False, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr}")

    def make_key(self, key):
        self.openssl("genpkey", *self.KEYS[key], "-out", key + ".key")

    def config(self, cn, name=NAME):
        with open(self.path("ca.cnf"), "w", encoding="ascii") as f:
            f.write(CA_CONFIG.format(cn=cn, name=name))

    def make_root(self, name):
        self.config(f"interop {name}")
        self.openssl("genpkey", *self.KEYS["p256"], "-out", name + ".key")
        self.openssl("req", "-x509", "-new", "-key", name + ".key", "-config", "ca.cnf",
                     "-extensions", "root", "-days", "3650", "-out", name + ".pem")

    def make_leaf(self, label, key, name=NAME, ca="root", digest="sha256",
                  start="250101000000Z", end="491231000000Z"):
        self.config(label, name)
        if ca is None:
            self.openssl("req", "-x509", "-new", "-key", key + ".key", "-config", "ca.cnf",
                         "-extensions", "leaf", "-days", "30", "-out", label + ".pem")
        else:
            self.openssl("req", "-new", "-key", key + ".key", "-config", "ca.cnf",
                         "-out", label + ".csr")
            self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-extensions", "leaf",
                         "-keyfile", ca + ".key", "-cert", ca + ".pem", "-md", digest,
                         "-startdate", start, "-enddate", end, "-in", label + ".csr",
                         "-out", label + ".pem")
        if key != label:
            shutil.copy(self.path(key + ".key"), self.path(label + ".key"))

    def pair(self, label):
        """PEM paths of chain and key."""
        return self.path(label + ".pem"), self.path(label + ".key")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
