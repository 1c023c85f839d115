# SPDX-License-Identifier: BSD-3-Clause
"""Little memory: 16 MB of address space or of a control group, and mem=. Of 500 visitors those
that fit are served, the others are refused with a line in the log; the process neither dies nor
grows."""
import os
import re
import subprocess
import time

from lib import net, proc
from lib.case import LOOPBACK, Case, Tunnel, limit, need_root, quick, wait_until
from lib.master import MasterCase

SPACE = 16 << 20
ROOM = re.compile(r"all tables take (\d+) KB at most.*?: (\d+) sessions")


def in_space():
    """A sanitizer's shadow does not fit in: it runs without, and under mem= alone."""
    return [] if proc.is_sanitized() else ["prlimit", "--as=%d" % SPACE]


class Group:
    """A control group with SPACE of memory, version 1 or 2; `path` is empty if none can be made."""

    def __init__(self):
        self.path = ""
        self.made = []
        name = "np-e2e-%d" % os.getpid()
        for parent, knob in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                             ("/sys/fs/cgroup", "memory.max")):
            path = os.path.join(parent, name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            self.made.append(path)
            try:
                with open(os.path.join(path, knob), "w", encoding="ascii") as file:
                    file.write(str(SPACE))
                self.path = path
                return
            except OSError:
                print("no memory controller in", parent)

    def remove(self):
        for path in self.made:
            os.rmdir(path)

    def prefix(self):
        if not self.path or proc.is_sanitized():
            return in_space()
        return ["sh", "-c", 'echo $$ > %s/cgroup.procs && exec "$@"' % self.path, "sh"]


class Crowd:
    """Visitors that come one after the other; those that are served stay."""

    def __init__(self, visit):
        self.visit = visit
        self.served, self.ends = [], []

    def come(self, count):
        for i in range(count):
            self.ends.append(self.come_one(net.pattern(b"first%d" % i, 700)))
        self.ends = [end for end in self.ends if end != "served"]

    def come_one(self, data):
        try:
            sock = net.connect(self.visit, 10)
        except ConnectionError:
            return "reset"
        try:
            sock.sendall(b"ECHO\n" + data)
            end = "served" if net.read_exact(sock, len(data)) == data else "wrong bytes"
        except EOFError:
            end = "eof"
        except ConnectionError:
            end = "reset"
        if end == "served":
            self.served.append(sock)
        else:
            sock.close()
        return end

    def carry(self, size=20000):
        """Every session that is open carries its own bytes there and back."""
        for i, sock in enumerate(self.served):
            data = net.pattern(b"more%d" % i, size)
            sock.sendall(data)
            if net.sha(net.read_exact(sock, size)) != net.sha(data):
                return i
        return None

    def leave(self, count):
        for sock in self.served[:count]:
            sock.close()
        del self.served[:count]


class Little(Case):
    wanted = 500  # sessions

    def serve_crowd(self, visit, nodes, room, entry):
        """`room` sessions are served of `wanted`; `entry` is where the visitors come in."""
        base = [self.figures(node) for node in nodes]
        crowd = Crowd(visit)
        start = time.monotonic()
        crowd.come(self.wanted)
        took = time.monotonic() - start
        print("%d of %d served, %d refused (%s), room for %d, %.1f s" % (
            len(crowd.served), self.wanted, len(crowd.ends), set(crowd.ends), room, took))
        self.assertLessEqual(len(crowd.served), room)
        self.assertGreaterEqual(len(crowd.served), room * 9 // 10)
        self.assertLessEqual(set(crowd.ends), {"eof", "reset"})
        lines = sum(node.count(r"WARN .*(refused|in use)") for node in nodes)
        self.assertGreater(lines, 0, "the log says why")
        self.assertLess(lines, 2 * len(nodes) * (took + 2), "and not for each of them")
        self.assertTrue(entry.find(r"WARN .*Session refused: all %d " % room), "with the number")
        self.assertIsNone(crowd.carry(), "old sessions live")
        crowd.leave(len(crowd.served) // 2)
        before = len(crowd.served)
        again = Crowd(visit)

        def one_more():
            again.come(1)
            return again.served

        wait_until(one_more, 10, "a new session after others have ended", 0.1)
        again.come(20)
        self.assertGreaterEqual(len(again.served), 20, "new sessions work")
        self.assertIsNone(again.carry())
        self.assertIsNone(crowd.carry())
        self.assertEqual(len(crowd.served), before)
        for node, old in zip(nodes, base):
            self.judge_figures(node, old)
        crowd.leave(before)
        again.leave(len(again.served))

    def figures(self, node):
        with open("/proc/%d/status" % node.pid, encoding="ascii") as status:
            text = status.read()
        return [int(re.search(name + r":\s+(\d+) kB", text).group(1))
                for name in ("VmSize", "RssAnon")]

    def judge_figures(self, node, old):
        """Nothing is mapped after the start but stacks of the resolver, and what is in use stays
        within what the log has promised."""
        new = self.figures(node)
        print("%s: VmSize %d -> %d KB, RssAnon %d -> %d KB" % (node.name, old[0], new[0], old[1],
                                                               new[1]))
        if proc.is_sanitized():
            return
        self.assertLessEqual(new[0], old[0] + 2048)
        ceiling_kb = int(ROOM.search(node.text()).group(1))
        self.assertLessEqual(new[1], old[1] + ceiling_kb)

    @staticmethod
    def room(node):
        """Sessions that the tables have room for, as its log tells."""
        return int(ROOM.search(node.wait_log(ROOM.pattern).group(0)).group(2))

    def pair(self, prefix, server="", client="", env=None):
        """A reverse tunnel; both ends under `prefix`."""
        target = self.target()
        visit = (LOOPBACK[4], self.port())
        at = "k@127.0.0.1:%d" % self.port()
        s_node = self.node("server://%s/%s?mode=1&%s" % (at, net.where(*visit), server), env=env,
                           name="server", prefix=prefix)
        net.wait_listening(int(at.rpartition(":")[2]))
        c_node = self.node("client://%s/%s?mode=2&%s" % (at, target.where, client), env=env,
                           name="client", prefix=prefix)
        tunnel = Tunnel(visit, s_node, c_node)
        self.wait_up(tunnel)
        return tunnel


class Tunnels(Little):
    def setUp(self):
        self.group = None
        self.addCleanup(self.remove_group)  # after all processes have ended
        super().setUp()

    def remove_group(self):
        if self.group is not None:
            self.group.remove()

    # ---- what the machine has ---------------------------------------------------------------

    def defaults(self, query=""):
        """Those of 16 MB; where the limit can't be set they are given."""
        if not proc.is_sanitized():
            return query
        return "&".join(filter(None, (query, "slot=128&mem=2")))

    def check_defaults(self, prefix, query=""):
        tunnel = self.pair(prefix, self.defaults(query), self.defaults())
        if not proc.is_sanitized():
            for node in tunnel.ends():
                self.assertTrue(node.find(
                    r"INFO  Small memory \(16 MB\): where not given, slot=128, max=128, min=8; "
                    r"all tables take \d+ KB at most: 128 sessions"), "with figures")
        self.serve_crowd(tunnel.visit, tunnel.ends(), 128, tunnel.server)

    @quick
    @limit(90)
    def test_sixteen_megabytes_of_address_space(self):
        self.check_defaults(in_space())

    @limit(90)
    def test_sixteen_megabytes_of_address_space_with_tls(self):
        self.check_defaults(in_space(), "tls=1")

    @limit(90)
    def test_sixteen_megabytes_of_a_control_group(self):
        need_root()
        self.group = Group()
        self.check_defaults(self.group.prefix())

    @limit(90)
    def test_sixteen_megabytes_of_a_control_group_with_tls(self):
        need_root()
        self.group = Group()
        self.check_defaults(self.group.prefix(), "tls=1")

    # ---- mem= -----------------------------------------------------------------------------------

    @limit(90)
    def test_ceiling_with_tls(self):
        """One megabyte for all tables of a server and 500 sessions wanted."""
        tunnel = self.pair(in_space(), "tls=1&slot=500&mem=1", "slot=500&mem=4")
        room = self.room(tunnel.server)
        self.assertTrue(100 <= room < 450, room)
        self.assertTrue(tunnel.server.find(r"at most \(mem=1\): .*, fewer than asked for"))
        self.serve_crowd(tunnel.visit, tunnel.ends(), room, tunnel.server)

    @limit(90)
    def test_ceiling_of_the_client(self):
        """The side that reaches the targets refuses; visitors see it at once."""
        tunnel = self.pair(in_space(), "slot=500&mem=4", "slot=500&mem=1&min=8")
        room = self.room(tunnel.client)
        self.assertTrue(100 <= room < 450, room)
        self.serve_crowd(tunnel.visit, tunnel.ends(), room, tunnel.client)

    @limit(60)
    def test_many_instances_share_one_ceiling(self):
        """The least of all that are given counts, for the whole process."""
        target = self.target()
        visits = [(LOOPBACK[4], self.port()) for _ in range(3)]
        path = os.path.join(self.dir, "np.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("[nodepass]\nmem = 3\n")
            for i, visit in enumerate(visits):
                file.write("[instance i%d]\nurl = client://%s/%s?mode=1&slot=0\n%s" % (
                    i, net.where(*visit), target.where, "mem = %d\n" % (i + 1) if i else ""))
        os.chmod(path, 0o600)
        node = self.node("-c", path, prefix=in_space())
        for visit in visits:
            net.wait_listening(visit[1])
        node.wait_log(r"all tables take \d+ KB at most \(mem=2\)")
        for visit in visits:
            self.check_echo(Tunnel(visit, None, node))

    @limit(60)
    def test_flood_of_udp_sources_leaves_room_for_tcp(self):
        """slot= allows more than the ceiling: what counts is what there is."""
        target, _ = self.both()
        tunnel = self.single(target, "slot=0&mem=1")
        room = self.room(tunnel.client)
        socks = [net.udp_visitor(tunnel.visit) for _ in range(room + 100)]
        for i, sock in enumerate(socks):
            sock.send(b"datagram %d" % i)
            sock.recv(100)
        self.check_echo(tunnel)
        self.assertTrue(tunnel.client.find(r"WARN .*the UDP session unused for longest gives way"))
        for sock in socks:
            sock.close()

    def test_ceilings_that_can_not_be(self):
        master = "master://127.0.0.1:%d" % self.port()
        rows = (
            ("client://h:1/t:2?mem=0", r"mem=0: want a whole number of MB, 1 or more"),
            ("client://h:1/t:2?mem=4MB", r"mem=4MB: want a whole number of MB, 1 or more"),
            (master + "?mem=1", r"mem=1: want [2-4] or more MB, the tables for these settings"),
        )
        for url, error in rows:
            for more in ((), ("--check",)):
                done = subprocess.run([proc.BINARY, *more, url], capture_output=True, text=True,
                                      check=False, timeout=20)
                self.assertEqual(done.returncode, 1, url)
                self.assertRegex(done.stderr, error)

    def test_check_tells_what_it_comes_to(self):
        rows = (
            ({}, "client://h:1/t:2?mem=2", r"; Memory: all tables take (\d+) KB at most \(mem=2\): "
             r"\d+ sessions, \d+ pool connections, \d+ buffers for TLS records, fewer"),
            ({"NP_MEM": "3"}, "server://:1/t:2?tls=1", r"(\d+) KB at most \(mem=3\)"),
            ({"NP_MEM": "3"}, "server://:1/t:2?tls=1&mem=4", r"(\d+) KB at most \(mem=3\)"),
            ({"NP_MEM": "3"}, "server://:1/t:2?tls=1&mem=2", r"(\d+) KB at most \(mem=2\)"),
            ({}, "client://h:1/t:2?mode=1&slot=100", r"; Memory: all tables would take (\d+) KB: "
             r"100 sessions$"),
        )
        for env, url, line in rows:
            done = subprocess.run([proc.BINARY, "--check", url], capture_output=True, text=True,
                                  check=True, timeout=20, env={**os.environ, **env})
            found = re.search(line, done.stdout, re.M)
            self.assertTrue(found, (url, done.stdout))
            mem = re.search(r"\(mem=(\d+)\)", found.group(0))
            if mem:
                self.assertLessEqual(int(found.group(1)), int(mem.group(1)) * 1024)


class Master(MasterCase, Little):
    @limit(90)
    def test_sixteen_megabytes_of_address_space(self):
        self.api_port, self.base = self.port(), "/api/v1"
        self.args = ["master://127.0.0.1:%d?mem=3&state=%s/state" % (self.api_port, self.dir)]
        node = self.start(prefix=in_space())
        room = self.room(node)
        self.wanted = 600  # four instances of 128 sessions fit
        self.assertTrue(100 <= room < 590, room)
        target = self.target()
        visit = (LOOPBACK[4], self.port())
        self.create("client://%s/%s?mode=1&slot=0" % (net.where(*visit), target.where))
        net.wait_listening(visit[1])
        self.serve_crowd(visit, [node], room, node)
        self.assertEqual(len(self.good("GET", "/instances")), 2, "the API answers")
        url = "client://127.0.0.1:%d/%s?mode=1&mem=" % (self.port(), target.where)
        made = self.create(url + "4")
        self.assertFalse(node.find("mem=4 has no effect"), "a higher one is kept anyway")
        self.good("PUT", "/instances/" + made["id"], {"url": url + "1"})
        node.wait_log(r"WARN .*mem=1 has no effect: it counts for the whole process")
