# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts and a switch, each a network namespace of our own (root). Names start with npe2e<run>-,
so that the runner can remove what a killed test left."""
import contextlib
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time

from lib import case as case_module

COUNTER = [0]


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError("%s: %s" % (" ".join(argv), done.stderr.strip()))
    return done.stdout


def need_namespaces():
    case_module.need_root()
    case_module.need_program("ip")
    name = prefix() + "probe%d" % os.getpid()
    try:
        run("ip", "netns", "add", name)
        run("ip", "netns", "del", name)
    except OSError as error:
        case_module.need(False, "no network namespaces here: %s" % error)


def prefix():
    return "npe2e%s-" % os.environ.get("NP_E2E_RUN", os.getpid())


class Host:
    """One namespace with loopback up."""

    def __init__(self, label):
        COUNTER[0] += 1
        self.name = "%s%d-%d%s" % (prefix(), os.getpid(), COUNTER[0], label)
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        self.etc = os.path.join("/etc/netns", self.name)
        self.has_etc = False

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def prefix(self):
        """Put before a command to run it here."""
        return ["ip", "netns", "exec", self.name]

    def use_resolver(self, address, timeout=1):
        """A resolv.conf of its own; ip netns binds it over the system's for what runs here."""
        os.makedirs(self.etc, exist_ok=True)
        self.has_etc = True
        with open(os.path.join(self.etc, "resolv.conf"), "w", encoding="ascii") as out:
            out.write("nameserver %s\noptions timeout:%d attempts:1\n" % (address, timeout))
        with open(os.path.join(self.etc, "nsswitch.conf"), "w", encoding="ascii") as out:
            out.write("hosts: files dns\n")

    def inside(self, function, *args):
        """function(*args) run by a thread that lives in this namespace."""
        result = {}

        def work():
            try:
                enter(self.name)
                result["value"] = function(*args)
            except BaseException as error:  # pylint: disable=broad-except
                result["error"] = error

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
        if "error" in result:
            raise result["error"]
        return result.get("value")

    def remove(self):
        with contextlib.suppress(OSError):
            run("ip", "netns", "del", self.name)
        if self.has_etc:
            shutil.rmtree(self.etc, ignore_errors=True)


def enter(name):
    """Moves the calling thread into the namespace."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/run/netns/" + name, "rb") as handle:
        if libc.setns(handle.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Network:
    """Hosts a and b on a switch; cutting the switch loses packets silently, as a partition does."""

    def __init__(self, test, net="10.231.77"):
        self.net = net
        self.switch = Host("s")
        test.addCleanup(self.switch.remove)
        self.switch.ip("link", "add", "br0", "type", "bridge")
        self.switch.ip("link", "set", "br0", "up")
        self.hosts = []
        for number, label in ((1, "a"), (2, "b")):
            host = Host(label)
            test.addCleanup(host.remove)
            host.address = "%s.%d" % (net, number)
            run("ip", "link", "add", "eth0", "netns", host.name, "type", "veth", "peer", "name",
                "port" + label, "netns", self.switch.name)
            self.switch.ip("link", "set", "port" + label, "master", "br0", "up")
            host.ip("addr", "add", host.address + "/24", "dev", "eth0")
            host.ip("link", "set", "eth0", "up")
            self.hosts.append(host)
        self.a, self.b = self.hosts

    def cut(self):
        self.switch.ip("link", "set", "br0", "down")

    def join(self):
        self.switch.ip("link", "set", "br0", "up")


class Wire:
    """Hosts a and b on one cable that this process carries frame by frame (TAP devices): with a
    delay, losses, doubles and overtaking, as netem would do where the kernel has it."""

    def __init__(self, test, net="10.232.77", seed=1):
        case_module.need(os.path.exists("/dev/net/tun"), "no /dev/net/tun: no lossy link here")
        self.net, self.random = net, random.Random(seed)
        self.delay_s = self.loss = self.double = self.overtake = 0.0
        self.carried = self.lost = 0
        self.closing = threading.Event()
        self.queue, self.number = [], 0  # (due, number, descriptor, frame)
        self.hosts, self.taps = [], []
        for number, label in ((1, "a"), (2, "b")):
            host = Host(label)
            test.addCleanup(host.remove)
            host.address = "%s.%d" % (net, number)
            self.taps.append(host.inside(open_tap))
            host.ip("addr", "add", host.address + "/24", "dev", "tap0")
            host.ip("link", "set", "tap0", "up")
            self.hosts.append(host)
        self.a, self.b = self.hosts
        self.threads = [threading.Thread(target=self._carry, daemon=True)]
        test.addCleanup(self.close)
        for thread in self.threads:
            thread.start()

    def disturb(self, delay_s=0.0, loss=0.0, double=0.0, overtake=0.0):
        """From now on: one-way delay, and shares (0 to 1) of frames lost, doubled, sent late."""
        self.delay_s, self.loss, self.double, self.overtake = delay_s, loss, double, overtake

    def cut(self):
        self.loss = 1.0

    def join(self):
        self.loss = 0.0

    def _take(self, tap, other):
        for _ in range(64):
            try:
                frame = os.read(tap, 65536)
            except OSError:
                return
            if self.random.random() < self.loss:
                self.lost += 1
                continue
            self.carried += 1
            due = time.monotonic() + self.delay_s
            if self.random.random() < self.overtake:
                due += self.delay_s + 0.002
            for _ in range(2 if self.random.random() < self.double else 1):
                self.number += 1
                heapq.heappush(self.queue, (due, self.number, other, frame))

    def _carry(self):
        first, second = self.taps
        while not self.closing.is_set():
            wait = 0.1
            if self.queue:
                wait = min(wait, max(0.0, self.queue[0][0] - time.monotonic()))
            ready = select.select(self.taps, [], [], wait)[0]
            if first in ready:
                self._take(first, second)
            if second in ready:
                self._take(second, first)
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, tap, frame = heapq.heappop(self.queue)
                with contextlib.suppress(OSError):  # link down, or the device's queue is full
                    os.write(tap, frame)

    def close(self):
        self.closing.set()
        for thread in self.threads:
            thread.join(5)
        for tap in self.taps:
            os.close(tap)


def open_tap():
    """A TAP device of the calling thread's namespace; it goes with its descriptor."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x1002))  # TUNSETIFF, no info
    except OSError:
        os.close(tap)
        raise
    return tap


def temp_copy(path):
    """A world-readable copy of a file, for programs that drop their rights."""
    directory = tempfile.mkdtemp(prefix="np-e2e-bin-")
    os.chmod(directory, 0o755)
    copy = os.path.join(directory, os.path.basename(path))
    shutil.copy(path, copy)
    os.chmod(copy, 0o755)
    return copy
