# SPDX-License-Identifier: BSD-3-Clause
"""Command line, files, environment, what is shown of a key, syslog, colours (config.md 1 to 6)."""
import contextlib
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import time

from lib import net, proc
from lib.case import Case, need_program, need_root, quick, wait_until

BANNER = r"^Version: v\d+\.\d+\.\d+\S* [a-z]+/[a-z0-9]+$"
SECRET = "s3cr%65tKey"  # shown nowhere, neither so nor decoded


def clean_env(more=None):
    env = {name: value for name, value in os.environ.items() if not name.startswith("NP_")}
    env.update(more or {})
    return env


class CommandLine(Case):
    """Runs that end by themselves: what they print, where, and their exit code."""

    def ask(self, *args, env=None):
        done = subprocess.run([proc.BINARY, *args], capture_output=True, text=True, timeout=30,
                              env=clean_env(env), check=False)
        self.assertNotRegex(done.stdout + done.stderr, "s3cr|" + SECRET)
        self.assertNotRegex(done.stderr, proc.SANITIZER)
        return done.returncode, done.stdout, done.stderr

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    @quick
    def test_banner_usage_version_and_help(self):
        for args in ((), ("bogus://127.0.0.1:1/127.0.0.1:2",), ("127.0.0.1:1",)):
            code, out, _ = self.ask(*args)
            self.assertEqual(code, 1, args)
            self.assertRegex(out, re.compile(BANNER, re.MULTILINE), args)
            self.assertIn("Usage:", out)
        for args in (("--version",), ("-V",), ("--help",), ("-h",)):
            code, out, err = self.ask(*args)
            self.assertEqual((code, err), (0, ""), args)
            self.assertRegex(out, re.compile(BANNER, re.MULTILINE), args)
        self.assertIn("Limits: ", self.ask("-V")[1])
        self.assertIn("--url-file", self.ask("-h")[1])

    @quick
    def test_check_prints_the_effective_settings(self):
        url = "server://%s@127.0.0.1:10101/[::1]:80?max=77&read=90s&rate=12&slot=5&proxy=1" % SECRET
        code, out, err = self.ask("--check", url)
        self.assertEqual((code, err), (0, ""))
        for line in ("role = server", "tunnel = 127.0.0.1:10101", "target = [::1]:80", "max = 77",
                     "read = 1m30s", "rate = 12", "slot = 5", "proxy = 1"):
            self.assertRegex(out, re.compile("^" + re.escape(line) + r"( *;.*)?$", re.MULTILINE))
        self.assertEqual(self.ask("--check", env={"NP_URL": url})[:2], (0, out))
        # What it prints is an INI file of the same meaning.
        again = self.write("again.ini", out)
        self.assertEqual(self.ask("--check", "-c", again)[0], 0)

    @quick
    def test_check_names_every_bad_value(self):
        bad = {"rate": "abc", "slot": "12x", "read": "5parsecs", "min": "0", "mode": "3",
               "log": "loud", "proxy": "2", "notcp": "yes", "noudp": "-1", "tls": "9",
               "dial": "nowhere", "dns": "x"}
        url = "client://%s@127.0.0.1:10101/127.0.0.1:80?" % SECRET
        code, _, err = self.ask("--check", url + "&".join("%s=%s" % item for item in bad.items()))
        self.assertEqual(code, 1)
        for name, value in bad.items():
            self.assertRegex(err, r"%s=%s: want " % (name, re.escape(value)))
        for wrong in ("client://k@127.0.0.1/127.0.0.1:80", "client://k@:70000/127.0.0.1:80",
                      "client://k@:1", "server://%s@:1/:2" % ("x" * 256)):
            code, _, err = self.ask("--check", wrong)
            self.assertEqual(code, 1, wrong)
            self.assertRegex(err, "nodepass: .*want", wrong)
            self.assertEqual(self.ask(wrong)[0], 1, "refused to run as well")
        code, _, err = self.ask("--check", url + "colour=red")
        self.assertEqual(code, 0, "an unknown key is a warning")
        self.assertRegex(err, "warning: colour: unknown")

    def test_check_of_an_ini_file(self):
        good = "[instance good]\nurl = client://%s@127.0.0.1:1/127.0.0.1:2?mode=1\n" % SECRET
        path = self.write("good.ini", "[nodepass]\nlog = warn\n\n" + good)
        code, out, err = self.ask("--check", "-c", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("[instance good]", out)
        path = self.write("bad.ini", good + "[instance bad]\nrole = server\ntunnel = :1\n"
                          "target = :2\nslot = many\n")
        code, _, err = self.ask("--check", "-c", path)
        self.assertEqual(code, 1)
        self.assertRegex(err, r"bad\.ini:7: .*instance bad.*slot")
        code, _, err = self.ask("--check", "-c", os.path.join(self.dir, "none.ini"))
        self.assertEqual(code, 1)
        self.assertIn("no such file", err)

    def test_a_url_file_must_be_private(self):
        path = self.write("url", "client://%s@127.0.0.1:1/127.0.0.1:2?mode=1\n" % SECRET)
        self.assertEqual(self.ask("--check", "--url-file", path)[0], 0)
        self.assertEqual(self.ask("--check", "--url-file=" + path)[0], 0)
        for mode in (0o640, 0o604, 0o660):
            os.chmod(path, mode)
            for check in (("--check",), ()):
                code, _, err = self.ask(*check, "--url-file", path)
                self.assertEqual(code, 1, oct(mode))
                self.assertIn("0600", err)

    def test_contradictions_and_unknown_switches(self):
        url = "client://127.0.0.1:1/127.0.0.1:2"
        path = self.write("url", url)
        for args in (("--bogus", url), (url, url), (url, "--url-file", path), ("-c",),
                     ("--url-file",), ("--check",), ("--user", "no-such-user", url),
                     ("--user", "a", "--user", "b", url)):
            code, _, err = self.ask(*args)
            self.assertEqual(code, 1, args)
            self.assertRegex(err, "^nodepass: ", args)

    def test_the_system_refuses(self):
        """Exit code 2: nothing of the user's can repair it."""
        prlimit = need_program("prlimit")
        argv = [prlimit, "--nofile=4", proc.BINARY, "client://127.0.0.1:1/127.0.0.1:2"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_env(),
                              check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("the system refused", done.stderr)


class Keys(Case):
    """A key in an argument, the environment or a file is seen by nobody else."""

    def seen(self, node):
        """All that others could read of a running process."""
        text = b""
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (node.pid, name), "rb") as data:
                text += data.read()
        return text.decode("latin-1")

    def check_hidden(self, node):
        self.assertNotRegex(self.seen(node), "s3cr|secretKey|" + SECRET)
        self.assertNotRegex(node.text() + node.errors(), "s3cr|" + SECRET)

    def start(self, *args, env=None):
        node = self.node(*args, env=env)
        node.wait_log(r"(Server|Client) started: \*+@127\.0\.0\.1")
        return node

    @quick
    def test_in_an_argument(self):
        url = "server://%s@127.0.0.1:%d/127.0.0.1:%d?mode=1" % (SECRET, self.port(), self.port())
        node = self.start(url)
        self.check_hidden(node)
        self.assertIn("server://***@127.0.0.1:", self.seen(node), "the rest is still readable")
        for key in ("a", "x" * 255, "s3cr@et", "s3cr:et"):
            url = "client://%s@127.0.0.1:%d/127.0.0.1:1?mode=1" % (key, self.port())
            node = self.start(url)
            self.assertNotIn(key + "@", self.seen(node))
            self.assertNotRegex(self.seen(node), "s3cr")

    @quick
    def test_in_the_environment(self):
        target, port = self.target(), self.port()
        url = "client://%s@127.0.0.1:%d/%s?mode=1" % (SECRET, port, target.where)
        node = self.start(env={"NP_URL": url})
        net.wait_listening(port)
        self.check_hidden(node)
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")

    def test_an_argument_goes_before_the_environment(self):
        first, second = self.port(), self.port()
        env = {"NP_URL": "client://%s@127.0.0.1:%d/127.0.0.1:1?mode=1" % (SECRET, first)}
        node = self.start("client://k@127.0.0.1:%d/127.0.0.1:1?mode=1" % second, env=env)
        net.wait_listening(second)
        self.assertFalse(net.is_listening(first))
        self.check_hidden(node)

    def test_in_a_url_file(self):
        target, port = self.target(), self.port()
        path = os.path.join(self.dir, "url")
        with open(path, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            out.write("client://%s@127.0.0.1:%d/%s?mode=1\n" % (SECRET, port, target.where))
        node = self.start("--url-file", path)
        net.wait_listening(port)
        self.check_hidden(node)
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\n")
            self.assertEqual(net.exchange(sock, b"abc"), b"abc")


class Surroundings(Case):
    """Environment, terminal, syslog, signals, a log that nobody reads."""

    def test_bad_environment_is_a_warning_and_the_default(self):
        target = self.target()
        tunnel = self.single(target, env={"NP_TCP_DIAL_TIMEOUT": "soon", "NP_NO_SUCH_THING": "1",
                                          "NP_UDP_DATA_BUF_SIZE": "-3"})
        self.check_echo(tunnel)
        said = tunnel.client.errors()
        self.assertRegex(said, "warning: NP_TCP_DIAL_TIMEOUT=soon: want .*using 30s")
        self.assertRegex(said, "warning: NP_UDP_DATA_BUF_SIZE=-3: want .*using 2048")

    def on_terminal(self, *more):
        """What the program writes to a terminal until it listens and stops."""
        port = self.port()
        master, slave = pty.openpty()
        url = "client://127.0.0.1:%d/127.0.0.1:1?mode=1" % port
        child = subprocess.Popen([proc.BINARY, *more, url], stdin=subprocess.DEVNULL,
                                 stdout=slave, stderr=slave, env=clean_env())
        os.close(slave)
        try:
            net.wait_listening(port)
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(10), 0)
            text = b""
            with contextlib.suppress(OSError):  # EIO when nothing is left
                while select.select([master], [], [], 2)[0]:
                    data = os.read(master, 65536)
                    if not data:
                        break
                    text += data
            return text.decode()
        finally:
            child.kill()
            child.wait()
            os.close(master)

    def test_colours_on_a_terminal_only(self):
        text = self.on_terminal()
        self.assertRegex(text, r"\d\d\d  \x1b\[32mINFO\x1b\[0m  Client started: ")
        self.assertRegex(text, r"\d\d\d  \x1b\[36mEVENT\x1b\[0m  CHECK_POINT")
        text = self.on_terminal("--no-color")
        self.assertIn("INFO  Client started: ", text)
        self.assertNotIn("\x1b", text)

    def test_syslog(self):
        """A /dev of the test's own, in a mount namespace, with the socket of a log daemon."""
        need_root()
        unshare = need_program("unshare")
        dev = os.path.join(self.dir, "dev")
        os.mkdir(dev)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(os.path.join(dev, "log"))
            daemon.settimeout(10)
            target, port = self.target(), self.port()
            node = self.node("--syslog", "client://%s@127.0.0.1:%d/%s?mode=1" % (
                SECRET, port, target.where),
                prefix=[unshare, "-m", "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', dev])
            net.wait_listening(port)
            lines = [daemon.recv(4096).decode()]
            self.assertRegex(lines[0], r"^<\d+>.*nodepass(\[\d+\])?: .*Client started: \*+@")
            wait_until(lambda: "CHECK_POINT|MODE=1" in daemon.recv(4096).decode(), 10)
            self.assertEqual(node.stop(), 0)
            self.assertEqual(node.text(), "", "nothing on standard output")
            self.assertNotIn("s3cr", "".join(lines))

    def test_syslog_that_nobody_reads_holds_nothing_up(self):
        """The daemon's socket is full: lines are lost, sessions are not."""
        need_root()
        unshare = need_program("unshare")
        dev = os.path.join(self.dir, "dev")
        os.mkdir(dev)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(os.path.join(dev, "log"))
            target, port = self.target(), self.port()
            node = self.node("--syslog", "client://127.0.0.1:%d/%s?mode=1&log=debug" % (
                port, target.where),
                prefix=[unshare, "-m", "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', dev])
            net.wait_listening(port)
            for i in range(600):  # a line each: more than the socket holds
                with net.connect(("127.0.0.1", port), timeout=5) as sock:
                    sock.sendall(b"ECHO\n%d" % i)
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(net.read_to_end(sock), b"%d" % i)
            self.assertEqual(node.stop(), 0)

    def test_hangup_changes_nothing_here(self):
        tunnel = self.single(self.target())
        tunnel.client.signal(signal.SIGHUP)
        self.check_echo(tunnel)
        self.assertTrue(tunnel.client.is_running())

    def test_a_log_that_nobody_reads_holds_nothing_up(self):
        """Standard output is a full pipe: lines are lost, sessions are not."""
        target, port = self.target(), self.port()
        child = subprocess.Popen([proc.BINARY, "client://127.0.0.1:%d/%s?mode=1&log=debug" % (
            port, target.where)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_env())
        try:
            net.wait_listening(port)
            slowest = 0.0
            for i in range(1500):  # a line each: more than a pipe holds
                start = time.monotonic()
                with net.connect(("127.0.0.1", port)) as sock:
                    sock.sendall(b"ECHO\n%d" % i)
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(net.read_to_end(sock), b"%d" % i)
                slowest = max(slowest, time.monotonic() - start)
            self.assertLess(slowest, 1.0)
            self.assertIsNone(child.poll())
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(10), 0)
            self.assertGreater(len(child.stdout.read()), 50_000, "the pipe was full")
        finally:
            child.kill()
            child.wait()
            child.stdout.close()

    def test_reader_of_the_log_that_goes_away(self):
        """Standard output is closed at the far end (EPIPE): the tunnel goes on."""
        target, port = self.target(), self.port()
        child = subprocess.Popen([proc.BINARY, "client://127.0.0.1:%d/%s?mode=1&log=debug" % (
            port, target.where)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_env())
        try:
            net.wait_listening(port)
            child.stdout.close()
            for i in range(20):
                with net.connect(("127.0.0.1", port)) as sock:
                    sock.sendall(b"ECHO\n%d" % i)
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(net.read_to_end(sock), b"%d" % i)
            self.assertIsNone(child.poll())
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(10), 0)
        finally:
            child.kill()
            child.wait()
