# SPDX-License-Identifier: BSD-3-Clause
"""Real programs through the tunnel: nginx, iperf3, dnsmasq, ncat; content hashed both ways."""
import os
import subprocess

from lib import net, patience, services
from lib.case import Case, have_ipv6, limit, need, need_program, quick, wait_until

BIG = 200_000_000


class Web(Case):
    def make_root(self, sizes):
        root = os.path.join(self.dir, "www")
        os.mkdir(root)
        os.chmod(self.dir, 0o755)
        for name, size in sizes.items():
            with open(os.path.join(root, name), "wb") as out:
                for block in net.pattern_blocks(name.encode(), size):
                    out.write(block)
        return root

    @limit(90)
    def test_nginx_200_megabytes_in_every_mode(self):
        root = self.make_root({"big": BIG, "small": 777})
        port = self.port()
        services.nginx(self, root, port)
        want = net.pattern_sha(b"big", BIG)
        for name, tunnel in self.modes("127.0.0.1:%d" % port):
            self.assertEqual(services.http_get(tunnel.visit, "/big"), (200, want, BIG), name)
            for _ in range(20):
                self.assertEqual(services.http_get(tunnel.visit, "/small"),
                                 (200, net.pattern_sha(b"small", 777), 777))
            self.assertEqual(services.http_get(tunnel.visit, "/none")[0], 404)

    @quick
    @limit(60)
    def test_nginx_200_parallel_sessions(self):
        sizes = {"f%d" % i: 1000 + i * 7919 for i in range(40)}
        root = self.make_root(sizes)
        port = self.port()
        services.nginx(self, root, port)
        for name, tunnel in self.modes("127.0.0.1:%d" % port, max=256):
            before = self.idle_figures(tunnel)

            def fetch(i, tunnel=tunnel):
                path = "f%d" % (i % 40)
                got = services.http_get(tunnel.visit, "/" + path, 30)
                return got == (200, net.pattern_sha(path.encode(), sizes[path]), sizes[path])

            self.assertTrue(all(net.parallel(fetch, range(200), 200)), name)
            # The pool may have grown to its max on the way, and shrinks by one a second.
            self.check_fds_back(tunnel, before, slack=300)

    def test_nginx_over_ipv6(self):
        need(have_ipv6(), "no IPv6 on this machine")
        root = self.make_root({"page": 300_000})
        port = self.port()
        services.nginx(self, root, port)
        tunnel = self.reverse("[::1]:%d" % port, family=6)
        self.assertEqual(services.http_get(tunnel.visit, "/page"),
                         (200, net.pattern_sha(b"page", 300_000), 300_000))

    def test_nginx_understands_the_proxy_header(self):
        root = self.make_root({"page": 1000})
        port = self.port()
        services.nginx(self, root, port, proxy_protocol=True)
        tunnel = self.reverse("127.0.0.1:%d" % port, client="proxy=1")
        self.assertEqual(services.http_get(tunnel.visit, "/page")[0], 200)


class Throughput(Case):
    @limit(60)
    def test_iperf3_both_directions_and_udp(self):
        port = self.port()
        for name, tunnel in self.modes("127.0.0.1:%d" % port, names=("reverse", "forward")):
            visit = tunnel.visit[1]
            for extra in ((), ("-R",), ("-P", "8"), ("--bidir",)):
                report = services.iperf3(self, port, visit, "-t", "1", *extra)
                rate = report["end"]["sum_received"]["bits_per_second"]
                print("%s iperf3 %s: %.1f Gbit/s" % (name, " ".join(extra) or "up", rate / 1e9))
                self.assertGreater(rate, 5e7)
            rate = "%dM" % (20 / patience.SLOW)
            report = services.iperf3(self, port, visit, "-u", "-b", rate, "-l", "1200", "-t", "1")
            figures = report["end"]["sum"]
            self.assertGreater(figures["packets"], 1000 / patience.SLOW)
            # The receiver's own buffer holds 40 ms: on a busy machine it is the one that loses.
            self.assertLess(figures["lost_percent"], 25.0, figures)
            self.check_nothing_lost(tunnel, 1000 * 1200 / patience.SLOW)

    def check_nothing_lost(self, tunnel, at_least):
        """What came in at the visitors' end went out at the target's: byte for byte."""
        inside, = (end for end in tunnel.ends() if end is not tunnel.entry)

        def sums():
            ends = [node.check_points()[-1:] for node in (tunnel.entry, inside)]
            return [point["udprx" if i == 0 else "udptx"] for i, last in enumerate(ends)
                    for point in last]

        def is_equal():
            figures = sums()
            return len(figures) == 2 and figures[0] == figures[1] >= at_least

        wait_until(is_equal, 10, "all datagrams carried")


class Names(Case):
    @quick
    def test_dns_over_udp_and_tcp(self):
        port = self.port()
        services.dnsmasq(self, "127.0.0.1", port, {"host.test": ["192.0.2.7"]})
        services.wait_dns("127.0.0.1", port, "host.test")
        for name, tunnel in self.modes("127.0.0.1:%d" % port):
            for number in range(1, 60):
                with net.udp_visitor(tunnel.visit) as sock:
                    sock.send(services.dns_query("host.test", number))
                    self.assertEqual(services.dns_addresses(sock.recv(512), number), ["192.0.2.7"])
            with tunnel.connect() as sock:
                query = services.dns_query("host.test", 99)
                sock.sendall(len(query).to_bytes(2, "big") + query)
                size = int.from_bytes(net.read_exact(sock, 2), "big")
                answer = net.read_exact(sock, size)
                self.assertEqual(services.dns_addresses(answer, 99), ["192.0.2.7"], name)

    def test_parallel_queries_get_their_own_answers(self):
        port = self.port()
        names = {"h%d.test" % i: ["192.0.2.%d" % i] for i in range(1, 51)}
        services.dnsmasq(self, "127.0.0.1", port, names)
        services.wait_dns("127.0.0.1", port, "h1.test")
        tunnel = self.reverse("127.0.0.1:%d" % port)

        def ask(i):
            with net.udp_visitor(tunnel.visit, 10) as sock:
                for turn in range(10):
                    sock.send(services.dns_query("h%d.test" % i, turn * 64 + i))
                    got = services.dns_addresses(sock.recv(512), turn * 64 + i)
                    if got != ["192.0.2.%d" % i]:
                        return (i, got)
            return None

        self.assertEqual([bad for bad in net.parallel(ask, range(1, 51), 50) if bad], [])


class Ncat(Case):
    @quick
    def test_ncat_half_close(self):
        """Up: the far ncat has sent a line and its end before megabytes come. Down: only the far
        one sends, after the visitor has half closed."""
        ncat = need_program("ncat")
        data = {"long": net.pattern(b"ncat", 5_000_000), "short": b"a line\n", "none": b""}
        paths = {name: os.path.join(self.dir, name) for name in data}
        for name, content in data.items():
            with open(paths[name], "wb") as out:
                out.write(content)
        for mode in ("single", "reverse", "forward"):
            for here, there in (("long", "short"), ("none", "long")):
                port = self.port()
                more = ["--send-only"] if here == "none" else []
                with open(paths[there], "rb") as stdin:
                    server = self.program([ncat, "-l", *more, "127.0.0.1", port], "ncat-" + mode,
                                          stdin=stdin)
                net.wait_listening(port)
                tunnel = getattr(self, mode)("127.0.0.1:%d" % port)
                with open(paths[here], "rb") as stdin:
                    done = subprocess.run([ncat, "127.0.0.1", str(tunnel.visit[1])], stdin=stdin,
                                          capture_output=True, timeout=30, check=False)
                self.assertEqual(server.wait(10), 0, mode)
                with open(server.out_path, "rb") as out:
                    self.assertEqual(net.sha(out.read()), net.sha(data[here]), (mode, here))
                self.assertEqual(net.sha(done.stdout), net.sha(data[there]), (mode, there))
