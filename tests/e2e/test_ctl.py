# SPDX-License-Identifier: BSD-3-Clause
"""nodepass ctl against a running master: every verb, address and key, HTTPS, what a hostile or
broken master sends, texts and exit codes."""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

from lib import proc
from lib.case import limit, need_program, quick, wait_until
from lib.certs import Authority, pin_of
from lib.master import MasterCase

USAGE, UNREACHED = 1, 2


class Ctl(MasterCase):
    def url(self):
        """Of a client that does no harm: it listens on loopback and dials nobody by itself."""
        return "client://s3cret@127.0.0.1:%d/127.0.0.1:9?mode=1" % self.port()

    def environment(self, more=None):
        env = {name: value for name, value in os.environ.items() if not name.startswith("NP_")}
        env.update({"NP_STATE_DIR": self.state})
        env.update(more or {})
        return env

    def ctl(self, *args, env=None, code=0):
        """(stdout, stderr) of one command, which has to end with `code`."""
        done = subprocess.run([proc.BINARY, "ctl", *args], capture_output=True, text=True,
                              timeout=40, env=self.environment(env), check=False)
        self.assertNotRegex(done.stderr, proc.SANITIZER)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assertEqual(done.stderr == "", code == 0, (args, done.stderr))
        return done.stdout, done.stderr

    def answer(self, *args, **options):
        return json.loads(self.ctl(*args, "--json", **options)[0])

    def by_name(self, name):
        found = [i for i in self.good("GET", "/instances") if i["alias"] == name]
        return found[0] if found else None


class Verbs(Ctl):
    @quick
    def test_life_of_an_instance(self):
        self.master()
        self.assertIn("No instances", self.ctl("list")[0])
        out = self.ctl("add", self.url(), "web one")[0]
        ident = self.by_name("web one")["id"]
        self.assertEqual(out, ident + "  web one  added\n")
        out = self.ctl("list")[0]
        self.assertRegex(out, r"^ID +NAME +STATUS +MODE")
        self.assertRegex(out, re.compile(r"^%s  web one  running  single-end" % ident, re.M))
        self.assertNotIn("s3cret", out, "the tunnel's key is hidden")
        self.assertNotIn("****", out.replace("***@", ""), "the API key's record is left out")
        for word in ("web one", ident, ident[:4]):
            self.assertRegex(self.ctl("stop", word)[0], "stopping")
            wait_until(lambda: self.by_name("web one")["status"] == "stopped", 5, "stopped")
            self.assertRegex(self.ctl("start", word)[0], "starting")
            wait_until(lambda: self.by_name("web one")["status"] == "running", 5, "running")
        self.assertRegex(self.ctl("restart", "web one")[0], "restarting")
        self.ctl("reset", ident)
        self.ctl("rename", "web one", "web two")
        other = self.url()
        self.ctl("edit", "web two", other)
        self.assertIn(other.partition("?")[0], self.by_name("web two")["url"])
        out = self.ctl("show", "web two")[0]
        self.assertRegex(out, re.compile(r"^id +%s$" % ident, re.M))
        self.assertNotIn("s3cret", out)
        self.assertIn("s3cret@", self.ctl("show", "--show-key", "web two")[0])
        self.assertEqual(self.ctl("rm", "web two")[0], ident + "  removed\n")
        self.assertIsNone(self.by_name("web two"))

    @quick
    def test_json_is_what_the_api_says(self):
        self.master()
        added = self.answer("add", self.url(), "a")
        self.assertEqual(self.answer("list")[0]["id"], "********")
        self.assertEqual(self.answer("show", "a")["id"], added["id"])
        self.assertEqual(self.answer("info")["os"], self.good("GET", "/info")["os"])
        self.assertEqual(self.answer("restart", "a")["alias"], "a")
        self.assertEqual(self.answer("key"), {"key": self.key})
        self.assertEqual(self.ctl("rm", "a", "--json")[0], "")

    def test_several_at_once_and_which_is_meant(self):
        self.master()
        for name in ("a", "b", "twin", "twin"):
            self.ctl("add", self.url(), name)
        self.assertEqual(len(self.ctl("stop", "a", "b")[0].splitlines()), 2)
        out, err = self.ctl("rm", "a", "nope", "b", code=USAGE)
        self.assertEqual(len(out.splitlines()), 2, "the good ones are done")
        self.assertIn("nope: no such instance", err)
        self.assertIn("several instances fit", self.ctl("stop", "twin", code=USAGE)[1])
        self.assertIn("no such instance", self.ctl("stop", "********", code=USAGE)[1])
        self.assertIn("no such instance", self.ctl("rm", "", code=USAGE)[1])

    @quick
    def test_errors_of_the_api_come_through(self):
        self.master()
        for url, why in (("client://127.0.0.1:1/127.0.0.1:2?rate=abc", "rate=abc: want"),
                         ("master://127.0.0.1:1", "Invalid URL scheme"),
                         ("no url", "Invalid URL")):
            self.assertIn(why, self.ctl("add", url, code=USAGE)[1])
        self.ctl("add", self.url(), "a")
        err = self.ctl("edit", "a", self.by_name("a")["url"], code=USAGE)[1]
        self.assertIn("Instance URL conflict", err)
        self.assertIn("too long", self.ctl("add", "client://" + "x" * 20000, code=USAGE)[1])

    def test_names_may_hold_anything(self):
        self.master()
        strange = "quote\" back\\ <b>\u00e4\U0001f600"
        self.ctl("add", self.url(), strange)
        self.assertIsNotNone(self.by_name(strange))
        self.assertIn(strange, self.ctl("list")[0])
        self.ctl("rm", strange)
        hostile = "\x1b[2J\x1b]0;x\x07\u009b31m"
        self.good("POST", "/instances", {"url": self.url(), "alias": hostile}, status=201)
        for verb in (("list",), ("show", self.good("GET", "/instances")[-1]["id"])):
            found = [i["id"] for i in self.good("GET", "/instances") if i["id"][0] != "*"]
            out = self.ctl(verb[0], *([found[0]] if len(verb) > 1 else []))[0]
            self.assertNotRegex(out, "[\x00-\x09\x0b-\x1f\x7f-\x9f]", "control bytes on a terminal")

    def test_info_and_key(self):
        self.master()
        out = self.ctl("info")[0]
        for fact in ("version", "system", "uptime", "memory"):
            self.assertRegex(out, re.compile("^%s +\\S" % fact, re.M))
        old = self.key
        self.assertEqual(self.ctl("key")[0], old + "\n")
        new = self.ctl("key", "rotate")[0].strip()
        self.assertRegex(new, "^[0-9a-f]{32}$")
        self.assertNotEqual(new, old)
        self.bad("GET", "/info", None, 401, "Unauthorized: Invalid API key", key=old)
        self.assertEqual(self.ctl("key")[0], new + "\n", "the state has the new one")
        self.ctl("list")

    @limit(60)
    def test_events_until_the_master_stops(self):
        node = self.master()
        self.ctl("add", self.url(), "a")
        self.ctl("add", self.url(), "b")
        one = self.program([proc.BINARY, "ctl", "events", "a"], env=self.environment())
        everything = self.program([proc.BINARY, "ctl", "events", "--json"],
                                  env=self.environment())
        everything.wait_log('"initial"', 10)
        one.wait_log("initial +a: running", 10)
        self.ctl("restart", "a", "b")
        one.wait_log("^a: .*INFO  Client started", 10)
        wait_until(lambda: '"type":"log"' in everything.text(), 10, "log events")
        self.assertNotRegex(one.text(), "^b: ")
        self.assertNotIn("\x1b", one.text(), "no colours into a file")
        node.stop()
        for watcher in (one, everything):
            self.assertEqual(watcher.wait(10), UNREACHED)
            self.assertIn("ended the stream", watcher.errors())
        kinds = [json.loads(line)["type"] for line in everything.text().splitlines()]
        self.assertEqual(kinds[0], "initial")
        self.assertIn("shutdown", kinds)

    @quick
    def test_wrong_commands_and_help(self):
        self.state = os.path.join(self.dir, "none")
        for args in (("help",), ("--help",), ("-h",), ("list", "--help")):
            out = self.ctl(*args)[0]
            self.assertIn("nodepass ctl add", out)
        self.assertIn("no address", self.ctl("list", code=USAGE)[1])
        for args, why in ((("bogus",), "unknown verb"), (("list", "x"), "want: nodepass ctl list"),
                          (("add",), "want: nodepass ctl add URL"),
                          (("list", "--bogus"), "unknown switch"),
                          (("list", "--master"), "unknown switch or no value"),
                          (("key", "x"), "want nothing or rotate")):
            self.assertIn(why, self.ctl(*args, env={"NP_MASTER": "127.0.0.1:1"}, code=USAGE)[1])
        done = subprocess.run([proc.BINARY, "ctl"], capture_output=True, text=True, timeout=20,
                              env=self.environment(), check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("nodepass ctl VERB", done.stdout)


class Address(Ctl):
    @quick
    def test_environment_switches_and_state(self):
        self.master(prefix="/some/where")
        here = "127.0.0.1:%d/some/where" % self.api_port
        elsewhere = os.path.join(self.dir, "elsewhere")
        key = {"NP_STATE_DIR": elsewhere, "NP_API_KEY": self.key}
        for master in (here, "http://" + here, "http://" + here + "/", "http://" + here + "/v1",
                       "master://" + here + "?log=debug"):
            self.ctl("list", env=dict(key, NP_MASTER=master))
            self.ctl("list", "--master", master, env=dict(key, NP_MASTER="192.0.2.1:1"))
        self.ctl("list")
        self.ctl("list", "--state-dir=" + self.state, env={"NP_STATE_DIR": elsewhere})
        err = self.ctl("list", env={"NP_MASTER": here, "NP_STATE_DIR": elsewhere}, code=USAGE)[1]
        self.assertIn("API key required", err)
        self.assertIn("NP_API_KEY", err)
        err = self.ctl("list", env=dict(key, NP_MASTER=here, NP_API_KEY="0" * 32), code=USAGE)[1]
        self.assertIn("Invalid API key", err)
        self.assertIn("from NP_API_KEY", err)
        for bad in ("here", "host:", "host:0", "host:99999", "ftp://x:1", "user@host:1", "[::1:1",
                    "::1:1", "[]x:1"):
            self.assertIn("want http://", self.ctl("list", env=dict(key, NP_MASTER=bad),
                                                   code=USAGE)[1], bad)
        for bad in ("a b", "a\r\nX: y", "x" * 300):
            self.assertIn("NP_API_KEY", self.ctl("list", env=dict(key, NP_MASTER=here,
                                                                 NP_API_KEY=bad), code=USAGE)[1])
        err = self.ctl("list", env=dict(key, NP_MASTER=here.partition("/")[0]), code=USAGE)[1]
        self.assertIn("404", err)
        self.assertIn("prefix", err)

    @quick
    def test_nobody_there(self):
        self.state = os.path.join(self.dir, "none")
        err = self.ctl("list", env={"NP_MASTER": "127.0.0.1:%d" % self.port()}, code=UNREACHED)[1]
        self.assertRegex(err, "no master at 127.0.0.1:.*refused")
        err = self.ctl("list", env={"NP_MASTER": "no.such.host.invalid:1"}, code=UNREACHED)[1]
        self.assertIn("no master at no.such.host.invalid:1", err)

    @quick
    def test_the_states_key_stays_on_this_machine(self):
        """An address from outside, another host than the state's: its key is not sent there."""
        self.master()
        heard = []
        fake = self.fake(lambda request: heard.append(request) or (401, b'{"error":"no"}\n'))
        with self.alias_of_loopback(fake) as host:
            self.ctl("list", env={"NP_MASTER": "%s:%d" % (host, fake)}, code=USAGE)
            self.ctl("list", "--state-dir", self.state,
                     env={"NP_MASTER": "%s:%d" % (host, fake)}, code=USAGE)
        self.assertEqual([self.key.encode() in request for request in heard], [False, True])

    @contextlib.contextmanager
    def alias_of_loopback(self, port):
        """An address of this machine that is not loopback, and forwards nothing elsewhere."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
                host = probe.getsockname()[0]
            except OSError:
                self.skipTest("this machine has no address but loopback")
        self.assertNotEqual(port, 0)
        yield host

    def fake(self, answer, raw=None):
        """A server that answers each request by what `answer` says; its port."""
        listener = socket.create_server(("0.0.0.0", self.port()))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    conn, _ = listener.accept()
                    with conn:
                        conn.settimeout(10)
                        request = conn.recv(65536)
                        if raw is not None:
                            conn.sendall(raw)
                            continue
                        status, body = answer(request)
                        conn.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s"
                                     % (status, len(body), body))

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def test_answers_of_any_form(self):
        self.state = os.path.join(self.dir, "none")
        empty = b"[]\n"
        good = [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + empty,
                b"HTTP/1.1 200 OK\r\n\r\n" + empty,
                b"HTTP/1.0 200 OK\nContent-Length: 3\n\n" + empty,
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"1\r\n[\r\n2;x=y\r\n]\n\r\n0\r\nTrailer: x\r\n\r\n"]
        bad = [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n",
               b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[]",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n[]",
               b"HTTP/1.1 " + b"9" * 100000, os.urandom(3000)]
        key = {"NP_API_KEY": "k"}
        for raw in good:
            port = self.fake(None, raw)
            self.ctl("list", env=dict(key, NP_MASTER="127.0.0.1:%d" % port))
        for raw in bad:
            port = self.fake(None, raw)
            err = self.ctl("list", env=dict(key, NP_MASTER="127.0.0.1:%d" % port),
                           code=UNREACHED)[1]
            self.assertRegex(err, "^nodepass ctl: ", raw[:40])
        for body in (b"{}", b"[", b"[1,2]", b"[{}]", b'[{"id":7,"alias":{},"url":[]}]', b"null",
                     b'[{"id":"abcdefgh","tcps":-1,"tcprx":99999999999999999999}]',
                     b"[" * 100):
            port = self.fake(lambda _, body=body: (200, body))
            done = subprocess.run([proc.BINARY, "ctl", "list"], capture_output=True, timeout=20,
                                  env=self.environment(dict(key, NP_MASTER="127.0.0.1:%d" % port)),
                                  check=False)
            self.assertIn(done.returncode, (0, USAGE), body)
        port = self.fake(lambda _: (500, b"<html>\x1b[2Jnot ours"))
        err = self.ctl("list", env=dict(key, NP_MASTER="127.0.0.1:%d" % port), code=USAGE)[1]
        self.assertIn("HTTP status 500", err)

    def test_many_instances_in_one_answer(self):
        self.state = os.path.join(self.dir, "none")
        items = [{"id": "%08x" % i, "alias": "n%d" % i, "type": "client", "status": "running",
                  "url": "client://:1/:2?" + "x" * 2000, "mode": 1,
                  "tcprx": 10 ** i if i < 19 else 0}
                 for i in range(3000)]
        port = self.fake(lambda _: (200, json.dumps(items).encode()))
        out = self.ctl("list", env={"NP_API_KEY": "k", "NP_MASTER": "127.0.0.1:%d" % port})[0]
        self.assertEqual(len(out.splitlines()), 3001)
        for text in (" 1 B ", " 1.0 kB ", " 100 kB ", " 1.0 GB ", " 1.0 EB "):
            self.assertIn(text, out)


class Https(Ctl):
    def test_pin_insecure_and_neither(self):
        node = self.master("tls=1")
        pin = re.search(r"pin=(sha256:[0-9a-f]{64})", node.text()).group(1)
        err = self.ctl("list", code=UNREACHED)[1]
        self.assertIn("self-signed", err)
        self.assertIn("--pin", err)
        self.ctl("list", "--pin", pin)
        self.ctl("list", "--pin=" + pin, "--json")
        self.ctl("list", env={"NP_MASTER_PIN": pin})
        self.ctl("list", "--insecure")
        wrong = "sha256:" + "0" * 64
        self.assertIn("pinned", self.ctl("list", "--pin", wrong, code=UNREACHED)[1])
        self.assertIn("pinned", self.ctl("list", "--pin", wrong, "--insecure", code=UNREACHED)[1])
        self.assertIn("want sha256:", self.ctl("list", "--pin", "sha256:12", code=USAGE)[1])
        self.ctl("add", self.url(), "a" * 256, "--pin", pin)
        self.ctl("rm", "a" * 256, "--pin", pin)
        here = "127.0.0.1:%d" % self.api_port
        err = self.ctl("list", env={"NP_MASTER": "http://" + here}, code=USAGE)[1]
        self.assertIn("HTTP status 400", err)

    def test_events_over_tls(self):
        node = self.master("tls=1")
        pin = re.search(r"pin=(sha256:[0-9a-f]{64})", node.text()).group(1)
        self.ctl("add", self.url(), "early", "--pin", pin)
        watcher = self.program([proc.BINARY, "ctl", "events", "--pin", pin],
                               env=self.environment())
        watcher.wait_log("initial +early: ", 10)
        self.ctl("add", self.url(), "late", "--pin", pin)
        watcher.wait_log("create +late: ", 10)
        watcher.signal(signal.SIGTERM)  # SIGINT is ignored below a shell's background job
        self.assertEqual(watcher.wait(5), -signal.SIGTERM)

    def test_another_https_server(self):
        """Python's TLS 1.3, and one that speaks only 1.2."""
        need_program("openssl")
        self.state = os.path.join(self.dir, "none")
        chain, key = Authority(self.dir).issue()
        for version, code in ((ssl.TLSVersion.TLSv1_3, 0), (ssl.TLSVersion.TLSv1_2, UNREACHED)):
            port = self.https(chain, key, version)
            env = {"NP_MASTER": "https://127.0.0.1:%d" % port, "NP_API_KEY": "k"}
            self.ctl("list", "--insecure", env=env, code=code)
            self.ctl("list", "--pin", pin_of(chain), env=env, code=code)
            self.ctl("list", env=env, code=UNREACHED)

    def https(self, chain, key, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        context.minimum_version = context.maximum_version = version
        listener = socket.create_server(("127.0.0.1", self.port()))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), conn:
                    with context.wrap_socket(conn, server_side=True) as tls:
                        tls.recv(65536)
                        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]\n")

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]
