# SPDX-License-Identifier: BSD-3-Clause
"""Processes with captured output, ended by their own id; figures of a process from /proc."""
import contextlib
import os
import re
import signal
import subprocess
import time

from lib import patience

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BINARY = os.path.abspath(os.environ.get("NP_BIN", os.path.join(ROOT, "build", "nodepass")))

LINE = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})  (DEBUG|INFO|WARN|ERROR|EVENT)  (.*)$")
CHECK_POINT = re.compile(
    r"^CHECK_POINT\|MODE=(\d+)\|PING=(\d+)ms\|POOL=(\d+)\|TCPS=(\d+)\|UDPS=(\d+)"
    r"\|TCPRX=(\d+)\|TCPTX=(\d+)\|UDPRX=(\d+)\|UDPTX=(\d+)$")
CHECK_FIELDS = ("mode", "ping", "pool", "tcps", "udps", "tcprx", "tcptx", "udprx", "udptx")
LEAKS = "print_suppressions=0:suppressions=" + os.path.join(ROOT, "tests", "e2e", "lib", "lsan.txt")
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:")


def is_sanitized():
    """Whether the binary was built with AddressSanitizer, which takes memory of its own."""
    with open(BINARY, "rb") as program:
        return b"__asan_init" in program.read()


class Process:
    """A child with its output in files. Its end is asked for by process id only."""

    def __init__(self, directory, argv, name, env=None, prefix=None, stdin=None):
        self.name = name
        base = os.path.join(directory, "%s-%d" % (name, time.monotonic_ns()))
        self.out_path, self.err_path = base + ".out", base + ".err"
        full = dict(os.environ, LSAN_OPTIONS=LEAKS)
        full.update(env or {})
        argv = list(prefix or []) + [str(a) for a in argv]
        self.shown = " ".join(argv)
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.child = subprocess.Popen(argv, stdin=stdin or subprocess.DEVNULL, stdout=out,
                                          stderr=err, env=full)
        self.pid = self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.child.wait(10)

    def stop(self, seconds=10.0):
        """SIGTERM and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds=10.0):
        limit = patience.Limit(seconds)
        while self.is_running():
            if limit.is_over():
                raise AssertionError("%s did not end within %.1f s" % (self.name, seconds))
            time.sleep(0.01)
        return self.child.returncode

    def text(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as out:
            return out.read()

    def errors(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as err:
            return err.read()

    def tail(self, lines=30):
        return "\n".join((self.text() + self.errors()).splitlines()[-lines:])

    def mark(self):
        """A place in the output, for `since`."""
        return len(self.text())

    def find(self, pattern, since=0):
        return re.search(pattern, self.text()[since:], re.MULTILINE)

    def count(self, pattern, since=0):
        return len(re.findall(pattern, self.text()[since:], re.MULTILINE))

    def wait_log(self, pattern, seconds=10.0, since=0):
        """The match of `pattern` in the output, waited for."""
        limit = patience.Limit(seconds)
        while True:
            alive = self.is_running()
            match = self.find(pattern, since)
            if match:
                return match
            if not alive or limit.is_over():
                raise AssertionError("%s: no %r within %.1f s (%s)\n%s" % (
                    self.name, pattern, seconds,
                    "running" if alive else "ended with %s" % self.child.returncode,
                    self.tail()))
            time.sleep(0.02)

    # ---- /proc --------------------------------------------------------------------------------

    def target_pid(self):
        return self.pid

    def fd_count(self):
        return len(os.listdir("/proc/%d/fd" % self.target_pid()))

    def rss_kb(self):
        with open("/proc/%d/status" % self.target_pid(), encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))

    def cpu_ticks(self):
        with open("/proc/%d/stat" % self.target_pid(), encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


class NodePass(Process):
    """Our binary."""

    def __init__(self, directory, args, env, name, prefix=None):
        super().__init__(directory, [BINARY, *args], name, env, prefix)
        self.expect_exit = False
        self.was_killed = False
        self.was_asked = False
        self.judged = False

    def kill(self):
        self.was_killed = True
        return super().kill()

    def signal(self, number):
        if number in (signal.SIGTERM, signal.SIGINT):
            self.was_asked = True
            self.wait_caught(number)
        super().signal(number)

    def wait_caught(self, number, seconds=10.0):
        """Until it catches that signal: one that comes while the program is loaded kills it."""
        end = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < end:
            with contextlib.suppress(OSError, AttributeError):
                with open("/proc/%d/status" % self.pid, encoding="ascii") as status:
                    mask = int(re.search(r"SigCgt:\s+(\w+)", status.read()).group(1), 16)
                if mask >> (number - 1) & 1:
                    return
            time.sleep(0.01)

    def lines(self):
        """(level, message) of every log line; text that is none has level ''."""
        result = []
        for line in self.text().splitlines():
            match = LINE.match(line)
            result.append((match.group(2), match.group(3)) if match else ("", line))
        return result

    def check_points(self):
        """Every check point as a dictionary of numbers."""
        found = []
        for level, message in self.lines():
            match = CHECK_POINT.match(re.sub(r"^\[[^]]*\] ", "", message))
            if match and level == "EVENT":
                found.append(dict(zip(CHECK_FIELDS, map(int, match.groups()))))
        return found

    def judge(self):
        """Stops it; a list of what is wrong about how it lived and ended."""
        if self.judged:
            return []
        self.judged = True
        faults = []
        if not self.is_running():
            if not (self.expect_exit or self.was_killed or self.was_asked):
                faults.append("%s ended by itself with %s" % (self.name, self.child.returncode))
            elif self.was_asked and self.child.returncode != 0 and not self.was_killed:
                faults.append("%s: exit code %s" % (self.name, self.child.returncode))
        else:
            try:
                code = self.stop(10)
                if code != 0:
                    faults.append("%s: exit code %s after SIGTERM" % (self.name, code))
            except AssertionError as error:
                faults.append(str(error))
                self.kill()
        if SANITIZER.search(self.errors()):
            faults.append("%s: sanitizer report\n%s" % (self.name, self.errors()[-4000:]))
        if not self.was_killed and (self.child.returncode or 0) < 0:
            faults.append("%s died of signal %d" % (self.name, -self.child.returncode))
        return faults
