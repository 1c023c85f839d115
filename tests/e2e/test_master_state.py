# SPDX-License-Identifier: BSD-3-Clause
"""The master's state: kill -9 at any point of a save, full disk, damage, no rights, no needless
write."""
import glob
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import threading
import time

from lib import net, proc
from lib.case import alone, limit, need_root, quick, wait_until
from lib.master import KEY_ID, MasterCase, listens

STRANGE = "a b;#=%&[x]\u00e4\U0001f600\"'\\ \t"


class State(MasterCase):
    def path(self, extra=""):
        return os.path.join(self.state, "nodepass.ini" + extra)

    def read(self, extra=""):
        with open(self.path(extra), "rb") as text:
            return text.read()

    def write(self, data, extra=""):
        with open(self.path(extra), "wb") as out:
            out.write(data)

    def records(self):
        """All but what changes by itself."""
        kept = ("id", "alias", "type", "url", "config", "restart", "meta")
        return [{k: i[k] for k in kept} for i in self.good("GET", "/instances")[1:]]

    @quick
    def test_everything_survives_kill_9(self):
        node = self.master()
        ports = [self.port() for _ in range(3)]
        target = self.target()
        for port in ports:
            made = self.create("client://k%%25%%40@127.0.0.1:%d/%s?mode=1" % (port, target.where),
                               alias=STRANGE)
        path = "/instances/" + made["id"]
        net.wait_listening(ports[2])
        with net.connect(("127.0.0.1", ports[2])) as sock:
            sock.sendall(b"ECHO\n" + b"x" * 500)
            net.read_exact(sock, 500)
        self.good("POST", "/info", {"alias": STRANGE})
        self.good("PATCH", path, {"action": "stop", "restart": False, "meta": {
            "peer": {"sid": STRANGE, "type": "t", "alias": ""},
            "tags": {STRANGE: STRANGE, "": "empty", "n": ""}}})
        before, info, key = self.records(), self.good("GET", "/info"), self.key
        self.assertEqual(os.stat(self.path()).st_mode & 0o777, 0o600)
        node.kill()
        node = self.start()
        self.assertEqual((self.key, self.good("GET", "/info")["alias"],
                          self.good("GET", "/info")["mid"]), (key, STRANGE, info["mid"]))
        self.assertEqual(self.records(), before)
        node.wait_log("API Key loaded: " + key)
        wait_until(lambda: listens(ports[0]) and listens(ports[1]), 5, "instances are back")
        got = self.get(made["id"])
        self.assertEqual((got["status"], listens(ports[2])), ("stopped", False))
        self.assertGreaterEqual(got["tcprx"], 500)

    def test_kill_9_right_after_each_reply(self):
        node = self.master()
        ids = []
        for _ in range(6):
            for _ in range(3):
                ids.append(self.create()["id"])
            self.request("DELETE", "/instances/" + ids.pop(0))
            node.kill()
            node = self.start()
            self.assertEqual([r["id"] for r in self.records()], ids)

    def test_one_master_a_directory(self):
        """A second one would erase what the first saves: it does not start."""
        node = self.master()
        made = self.create()
        other = self.node("master://127.0.0.1:%d?state=%s" % (self.port(), self.state), name="two",
                          expect_exit=True)
        self.assertEqual(other.wait(5), 1)
        other.wait_log("ERROR  .*another master.*" + self.state)
        node.kill()
        self.start()
        self.assertEqual([r["id"] for r in self.records()], [made["id"]])

    def test_counters_are_saved_at_stop(self):
        node = self.master()
        target, port = self.target(), self.port()
        made = self.create("client://127.0.0.1:%d/%s?mode=1" % (port, target.where))
        net.wait_listening(port)
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\n" + b"x" * 500)
            net.read_exact(sock, 500)
        self.assertEqual(node.stop(), 0)
        self.start()
        self.assertGreaterEqual(self.get(made["id"])["tcprx"], 500)

    @limit(90)
    def test_kill_9_at_every_point_of_a_save(self):
        """strace-free: a writer hammers the state while the master dies at random moments."""
        node = self.master()
        for _ in range(5):
            self.create(alias="x" * 200)
        want = [r["id"] for r in self.records()]
        for round_ in range(25):
            stop = threading.Event()

            def hammer(stop=stop):
                conn, count = self.connect(), 0
                while not stop.is_set():
                    count += 1
                    try:
                        self.request("PATCH", "/instances/" + want[count % 5],
                                     {"alias": "y" * (count % 250)}, conn=conn)
                    except (OSError, Exception):  # pylint: disable=broad-except
                        return

            thread = threading.Thread(target=hammer)
            thread.start()
            time.sleep(0.02 + 0.003 * round_)
            node.kill()
            stop.set()
            thread.join()
            node = self.start()
            self.assertEqual([r["id"] for r in self.records()], want)
            self.assertEqual(node.count("damaged"), 0)

    def test_cut_at_every_byte_takes_the_backup(self):
        node = self.master(env={"NP_RELOAD_INTERVAL": "200ms"})
        one = self.create()
        wait_until(lambda: os.path.exists(self.path(".backup"))
                   and self.read(".backup") == self.read(), 5, "a backup")
        whole = self.read()
        node.kill()
        for size in list(range(0, len(whole), max(1, len(whole) // 12))) + [len(whole) - 1]:
            self.write(whole[:size])
            self.write(whole, ".backup")
            node = self.start()
            self.assertEqual([r["id"] for r in self.records()], [one["id"]])
            node.wait_log("State file damaged: .*kept as ")
            node.wait_log("State taken from ")
            node.kill()
        kept = sorted(glob.glob(self.path(".corrupt-*")))
        self.assertTrue(kept)
        for name in kept:
            os.unlink(name)

    def test_both_damaged(self):
        node = self.master()
        self.create()
        key = self.key
        node.kill()
        for text in (b"", b"\0" * 5000, b"[instance x]\nurl = client://a:1/b:2\n",
                     self.read().replace(b"client", b"cliemt")):
            self.write(text)
            self.write(text[:-1], ".backup")
            node = self.start(env={"NP_RELOAD_INTERVAL": "1h"})
            node.wait_log("damaged too|API key are lost")
            node.wait_log("API Key created")
            self.assertNotEqual(self.key, key)
            self.assertEqual(self.records(), [])
            self.create()
            node.kill()

    def test_bad_instance_in_a_good_file(self):
        node = self.master()
        good, bad = self.create(), self.create()
        node.stop()
        text = self.read().rpartition(b"; sha256 ")[0]
        text = text.replace(bad["url"].encode(), b"client://127.0.0.1:1/x?mode=7")
        self.write(text + b"; sha256 " + hashlib.sha256(text).hexdigest().encode() + b"\n")
        node = self.start()
        node.wait_log("Instance %s can't start: " % bad["id"])
        self.wait_status(good["id"], "running")
        got = self.get(bad["id"])
        self.assertEqual((got["status"], got["config"]), ("error", ""))
        self.good("PATCH", "/instances/" + bad["id"], {"action": "restart", "alias": "b"})
        self.good("PUT", "/instances/" + bad["id"], {"url": bad["url"]})
        self.wait_status(bad["id"], "running")

    def check_refused(self, node, good_again, is_logged=True):
        """A save fails: the change is told and logged, the next one is refused."""
        made = self.create()
        if is_logged:
            node.wait_log("ERROR  State not saved: ")
        reply = self.request("POST", "/instances", {"url": made["url"]})
        self.assertEqual(reply.status, 507, reply.body)
        self.assertRegex(reply.error(), "^State can't be saved: ")
        path = "/instances/" + made["id"]
        for method, body in (("PATCH", {"alias": "x"}), ("DELETE", None),
                             ("PUT", {"url": made["url"] + "&rate=1"})):
            self.assertEqual(self.request(method, path, body).status, 507)
        self.assertEqual(self.request("POST", "/info", {"alias": "other"}).status, 507)
        self.assertEqual(self.request("GET", path).status, 200)
        good_again()
        self.good("PATCH", path, {"alias": "again"})
        node.kill()
        self.start()
        self.assertEqual(self.get(made["id"])["alias"], "again")

    def test_full_disk(self):
        need_root()
        mount = os.path.join(self.dir, "disk")
        os.mkdir(mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount],
                              check=False, capture_output=True)
        if done.returncode != 0:
            self.skipTest("mounting a tmpfs is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", mount], check=False)
        os.mkdir(os.path.join(self.dir, "state"))
        self.state = os.path.join(mount, "state")
        self.api_port, self.base = self.port(), "/api/v1"
        self.args = ["master://127.0.0.1:%d?state=%s" % (self.api_port, self.state)]
        node = self.start()
        first = self.create()
        filler = os.path.join(mount, "filler")
        with open(filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(b"x" * 512)
            except OSError:
                pass
        self.check_refused(node, lambda: os.unlink(filler))
        self.assertIn(first["id"], [r["id"] for r in self.records()])

    def test_file_size_limit(self):
        node = self.master()
        self.create()
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
        self.check_refused(node, lambda: resource.prlimit(
            node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
                           is_logged=False)  # the log is a file as well

    def test_read_only_directory(self):
        need_root()
        self.master(prefix="").stop()
        os.chown(self.state, 65534, 65534)
        for name in os.listdir(self.state):
            os.chown(os.path.join(self.state, name), 65534, 65534)
        os.chmod(self.dir, 0o755)
        os.chmod(self.state, 0o500)
        self.args += ["--user", "nobody"]
        # the master gives itself the directory, but not the right to write there
        node = self.start()
        self.check_refused(node, lambda: os.chmod(self.state, 0o700))

    def test_no_write_when_nothing_changed(self):
        node = self.master(env={"NP_RELOAD_INTERVAL": "100ms", "NP_REPORT_INTERVAL": "100ms"})
        made = self.create()
        wait_until(lambda: os.path.exists(self.path(".backup"))
                   and self.read(".backup") == self.read(), 5, "a backup")
        path = "/instances/" + made["id"]

        def stamps():
            return [(os.stat(self.path(e)).st_ino, os.stat(self.path(e)).st_mtime_ns)
                    for e in ("", ".backup")]

        before = stamps()
        for body in ({}, {"alias": ""}, {"restart": True}, {"action": "start"},
                     {"meta": {"tags": {}}}, {"action": "reset"}, {"action": "restart"}):
            self.good("PATCH", path, body)
        self.request("PUT", path, {"url": made["url"]})
        self.request("PATCH", path, {"action": "x"})
        self.good("POST", "/info", {"alias": ""})
        time.sleep(0.5)
        self.assertEqual(node.stop(), 0)
        self.assertEqual(stamps(), before)
        self.start().stop()
        self.assertEqual(stamps(), before)

    def test_saves_are_bounded(self):
        """Many changes are answered after their save, and do not write more often than that."""
        self.master()
        ids = [self.create()["id"] for _ in range(3)]
        threads = []
        for number in range(9):
            body = {"alias": "n%d" % number}
            threads.append(threading.Thread(target=self.good, args=(
                "PATCH", "/instances/" + ids[number % 3], body)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        text = self.read().decode()
        for record in self.records():
            self.assertIn("alias = " + record["alias"], text)

    def test_no_state_directory(self):
        self.api_port, self.base = self.port(), "/api/v1"
        self.args = ["master://127.0.0.1:%d" % self.api_port]
        home = os.path.join(self.dir, "home")
        env = {"NP_STATE_DIR": os.path.join(home, "deep", "er")}
        node = self.start(env)
        self.create()
        self.assertTrue(os.path.exists(os.path.join(home, "deep", "er", "nodepass.ini")))
        self.assertEqual(os.stat(os.path.join(home, "deep", "er")).st_mode & 0o777, 0o700)
        node.stop()
        shutil.rmtree(home)

    def test_stop_ends_streams_and_drains(self):
        node = self.master()
        target, port = self.target(), self.port()
        self.create("client://127.0.0.1:%d/%s?mode=1" % (port, target.where))
        net.wait_listening(port)
        stream = self.events()
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\nx")
            net.read_exact(sock, 1)
            node.signal(signal.SIGTERM)
            wait_until(lambda: stream.ended, 3, "the stream ends")
            self.assertEqual(stream.events[-1]["type"], "shutdown")
            self.assertFalse(listens(self.api_port))
            sock.sendall(b"y")
            self.assertEqual(net.read_exact(sock, 1), b"y", "sessions may finish")
        self.assertEqual(node.wait(8), 0)
        node.wait_log("Master shutdown complete")

    @alone
    @limit(60)
    def test_memory_with_ten_idle_tunnels(self):
        node = self.master()
        for _ in range(10):
            tunnel, visit = self.port(), self.port()
            self.create("server://k@127.0.0.1:%d/127.0.0.1:%d?mode=1" % (tunnel, visit))
        time.sleep(2)
        print("RSS with 10 idle servers: %d KB" % node.rss_kb())
        limit_kb = 5000 if not proc.is_sanitized() else 60000
        self.assertLess(node.rss_kb(), limit_kb)
        self.assertEqual(self.good("GET", "/instances")[0]["id"], KEY_ID)
