# SPDX-License-Identifier: BSD-3-Clause
"""One firmware in QEMU, the programs around it, and what of the machine they need."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = os.path.join(ROOT, "build", "mps2-an385")
LOGS = os.path.join(IMAGES, "test")
QEMU = "qemu-system-arm"
NODEPASS = os.environ.get("NP_BIN", os.path.join(ROOT, "build", "host", "nodepass"))
HOST = "10.0.2.2"  # this machine, as a board on QEMU's user network sees it
# Seconds for what has to happen: only a failure waits so long, however busy the machine is.
PATIENCE = 120
INSIDE = "NP_FIRMWARE_INSIDE"  # set in a network of our own
PORTS = iter(range(20000, 32000) if INSIDE in os.environ else
             range(10000 + os.getpid() * 61 % 20000, 32700))


class Skip(Exception):
    """This machine can't run the case."""


def own_network():
    """The command that gives a program a network of its own; None if this machine refuses."""
    command = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if shutil.which("unshare") is None or \
            subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        return None
    return command


def need_own_network():
    if INSIDE not in os.environ:
        raise Skip("no network of its own without root here")


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port():
    """Handed out once, and below those that the system gives to connections, so that nobody takes
    it before its user does."""
    return next(port for port in PORTS if is_free(port))


def wait_for(what, check, seconds=PATIENCE):
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
                self.child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdin.close()
        self.out.close()

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=PATIENCE):
        """Until its output has the pattern; one that has ended will not write it any more."""

        def is_there():
            is_over = self.child.poll() is not None
            found = re.search(pattern, self.log())
            assert found or not is_over, f"ended without {pattern}: {self.log()[-600:]}"
            return found

        wait_for(f"{pattern} in {self.path}", is_there, seconds)


class Firmware(Program):
    """An image with its command line; `ports` maps ports here to ports of the firmware."""

    def __init__(self, name, image, words, ports=(), nic=None):
        user = "user,id=wire" + "".join(f",hostfwd={kind}:127.0.0.1:{here}-:{there}"
                                for kind in ("tcp", "udp") for here, there in ports)
        line = ",".join("arg=" + word.replace(",", ",,") for word in ["nodepass", *words])
        self.folder = tempfile.TemporaryDirectory(prefix="fw-")  # a socket's path is short
        self.image = os.path.join(IMAGES, image)
        self.monitor = os.path.join(self.folder.name, "qmp")
        self.debugger = os.path.join(self.folder.name, "gdb")
        command = [QEMU, "-M", "mps2-an385", "-display", "none", "-monitor", "none",
                   "-serial", "stdio", "-qmp", f"unix:{self.monitor},server=on,wait=off",
                   "-chardev", f"socket,id=gdb,path={self.debugger},server=on,wait=off",
                   "-gdb", "chardev:gdb",
                   "-semihosting-config", "enable=on,target=native," + line,
                   "-kernel", self.image, *(nic or ("-nic", user))]
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

    def poke(self, symbol, data):
        """Overwrites a variable of the running image, by QEMU's debugger port."""
        names = subprocess.run(["arm-none-eabi-nm", self.image], capture_output=True, text=True,
                               check=True).stdout
        address = int(re.search(rf"^([0-9a-f]+) \w {symbol}$", names, re.M).group(1), 16)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.debugger)  # the processor stands still while somebody is there
            stream = s.makefile("rwb", buffering=0)
            for order in (f"M{address:x},{len(data):x}:{data.hex()}", "D"):
                stream.write(f"${order}#{sum(order.encode()) % 256:02x}".encode())
                reply = b""
                while b"$OK#" not in reply:  # beside it the news that the processor has stopped
                    more = stream.read(256)
                    assert more and b"$E" not in reply + more, f"refused: {reply}"
                    reply += more
                stream.write(b"+")

    def press(self, key):
        self.child.stdin.write(key.encode())
        self.child.stdin.flush()

    def status(self):
        """The figures of a fresh STATUS line."""
        count = self.log().count("STATUS ")
        self.press("s")
        wait_for("a STATUS line", lambda: len(re.findall(r"STATUS .*\n", self.log())) > count)
        line = re.findall(r"STATUS (.*)\n", self.log())[-1]
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def stop(self, resets=0):
        """Stops it by the console; its own verdict must be good, and no more runs than `resets` may
        have ended badly. Returns the last figures."""
        self.press("q")
        code = self.child.wait(timeout=PATIENCE)
        text = self.log()
        last = dict(re.findall(r"(\w+)=(\d+)", re.findall(r"STATUS (.*)\n", text)[-1]))
        assert code == 0, f"exit code {code}: {text[-300:]}"
        ends = len(re.findall("FAULT|PANIC|WATCHDOG", text))
        assert int(last["resets"]) == ends == resets, text[-600:]
        return {name: int(value) for name, value in last.items()}
