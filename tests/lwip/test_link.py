# SPDX-License-Identifier: BSD-3-Clause
"""The link itself: losses, outage, garbage, address by DHCP."""
import os
import random
import socket
import struct
import time

from base import FAR, NEAR, LwipCase, Tunnel, ip
from lib import case, net


class Lossy(LwipCase):
    """A cable that loses, delays, doubles and reorders frames."""

    has_cable = True

    def check_over(self, tunnel, size):
        self.check_source(tunnel, size, 90)
        self.check_sink(tunnel, size, 90)
        net.parallel(lambda n: self.check_echo(tunnel, 3000 + n, 60), range(8), 4)

    def test_delay(self):
        tunnel = self.alone(self.target())
        self.cable.disturb(delay_s=0.03)
        self.check_over(tunnel, 1000000)

    def test_loss_and_disorder(self):
        tunnel = self.pair("reverse", "client", self.target())
        self.cable.disturb(delay_s=0.005, loss=0.01, double=0.02, overtake=0.05)
        self.check_over(tunnel, 500000)
        self.assertGreater(self.cable.lost, 5)

    def test_loss_under_tls(self):
        tunnel = self.pair("forward", "server", self.target(), query="tls=1")
        self.cable.disturb(delay_s=0.005, loss=0.01, double=0.02, overtake=0.05)
        self.check_over(tunnel, 300000)

    def test_partition(self):
        env = {"NP_REPORT_INTERVAL": "1s", "NP_TCP_DIAL_TIMEOUT": "2s"}
        tunnel = self.pair("reverse", "client", self.target(), env=env)
        self.check_echo(tunnel, 1000)
        self.cable.cut()
        time.sleep(6)
        self.cable.join()
        self.heal(tunnel)


class Link(LwipCase):
    """Up and down, floods, malformed frames."""

    def frames(self):
        """A socket that puts frames on the tap as the system would."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind(("tap0", 0))
        self.addCleanup(sock.close)
        return sock

    def mac(self):
        """lwIP's: port/lwip-tap/tap.c makes it from the interface's."""
        with open("/sys/class/net/tap0/address", encoding="ascii") as source:
            mac = bytearray.fromhex(source.read().strip().replace(":", ""))
        own = bytes(mac)
        mac[0], mac[5] = mac[0] & 0xFE | 2, mac[5] ^ 0x55
        return bytes(mac), own

    def test_down_and_up(self):
        tunnel = self.alone(self.target())
        for times in (1, 2):
            self.check_echo(tunnel, 1000)
            mark = tunnel.client.mark()
            ip("link", "set", "tap0", "down")
            tunnel.client.wait_log("Link: down", since=mark)
            time.sleep(1)
            self.set_up_tap()
            tunnel.client.wait_log("Link: up", since=mark)
            self.heal(tunnel)
            self.assertEqual([tunnel.client.count("Link: " + way) for way in ("down", "up")],
                             [times, times])
        self.end(tunnel)
        self.assertEqual(tunnel.client.counters()["link changes"], 4)

    def test_down_and_up_under_a_tunnel(self):
        tunnel = self.pair("reverse", "client", self.target())
        self.check_echo(tunnel, 1000)
        ip("link", "set", "tap0", "down")
        time.sleep(2)
        self.set_up_tap()
        self.heal(tunnel)

    def malformed(self, count=4000, seed=5):
        """Good frames with bytes changed or cut off, and noise."""
        rng = random.Random(seed)
        near, far = self.mac()
        ip4 = [bytes(map(int, a.split("."))) for a in (FAR[4], NEAR[4])]
        for number in range(count):
            protocol = rng.choice((1, 6, 17, 2, 58, 255))
            payload = rng.randbytes(rng.choice((0, 4, 8, 20, 40, 200, 1400)))
            cut = rng.choice((0, 0x2000, 0x1FFF, 0x4000))
            head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload),
                                         number & 65535, cut, 64, protocol, 0, *ip4))
            total = sum(struct.unpack(">10H", head))
            total = (total & 65535) + (total >> 16)
            head[10:12] = struct.pack(">H", ~(total + (total >> 16)) & 65535)
            kind = rng.choice((0x0800, 0x0800, 0x0806, 0x86DD, 0x1234))
            body = bytes(head) + payload
            if kind == 0x86DD:
                body = bytes([0x60, 0, 0, 0]) + rng.randbytes(1) + rng.randbytes(1) + bytes(
                    [rng.choice((0, 6, 17, 43, 44, 58, 60)), 64]) + socket.inet_pton(
                        socket.AF_INET6, FAR[6]) + socket.inet_pton(
                            socket.AF_INET6, NEAR[6]) + payload
            elif kind == 0x0806:
                body = rng.randbytes(28)
            frame = bytearray(near + far + struct.pack(">H", kind) + body)
            if rng.random() < 0.5:
                frame[rng.randrange(14, len(frame))] ^= 1 << rng.randrange(8)
            if rng.random() < 0.3:
                frame = frame[:rng.randrange(14, len(frame) + 1)]
            yield bytes(frame[:1514])

    def check_told(self, tunnel, what):
        """The log tells it at once, and again every ten seconds at most while it goes on."""
        tunnel.client.wait_log(what)
        lived_s = time.monotonic() - self.begun
        self.assertLessEqual(tunnel.client.count(what), 1 + lived_s / 10)

    def setUp(self):
        super().setUp()
        self.begun = time.monotonic()

    def test_malformed_packets(self):
        tunnel = self.alone(self.target())
        self.check_echo(tunnel, 1000)
        sock = self.frames()
        for frame in self.malformed():
            sock.send(frame)
        self.check_told(tunnel, "malformed packets dropped")
        self.heal(tunnel)
        self.end(tunnel)
        self.assertGreater(tunnel.client.counters()["malformed"], 100)

    def test_flood(self):
        tunnel = self.alone(self.target())
        sock, (near, far) = self.frames(), self.mac()
        frame, count = near + far + b"\x08\x00" + b"\x45" + bytes(1400), 0
        with tunnel.connect(60) as visitor:
            visitor.sendall(b"ECHO\n")
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for _ in range(200):
                    sock.send(frame)
                count += 200
                visitor.sendall(b"x" * 10)
                self.assertEqual(net.read_exact(visitor, 10), b"x" * 10)
        self.check_source(tunnel, 1000000)
        self.check_told(tunnel, "malformed packets dropped")
        self.end(tunnel)
        self.assertGreaterEqual(tunnel.client.counters()["malformed"], count)

    def send_syns(self, tunnel, count):
        """From addresses that never answer."""
        sock, (near, far) = self.frames(), self.mac()
        rng = random.Random(3)
        target = bytes(map(int, NEAR[4].split(".")))
        for number in range(count):
            source = bytes([10, 9, 0, rng.randrange(10, 250)])
            segment = struct.pack(">HHIIBBHHH", rng.randrange(1024, 65535), tunnel.visit[1], number,
                                  0, 0x50, 2, 8192, 0, 0)
            segment = segment[:16] + checksum(source + target + struct.pack(">HH", 6, 20) +
                                              segment) + segment[18:]
            head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, number, 0, 64, 6, 0, source, target)
            head = head[:10] + checksum(head) + head[12:]
            sock.send(near + far + b"\x08\x00" + head + segment)

    def test_syn_flood(self):
        tunnel = self.alone(self.target())
        self.send_syns(tunnel, 3000)
        self.heal(tunnel)
        self.check_silent(tunnel)

    def check_silent(self, tunnel):
        """Their handshakes are given up, told and counted; so are answers that found no way."""
        self.check_told(tunnel, "handshakes given up, the visitors are silent")
        self.check_echo(tunnel, 10000)
        self.end(tunnel)
        self.assertGreater(tunnel.client.counters()["half open"], 0)

    def test_syns_of_nobody_on_the_smallest(self):
        tunnel = self.alone(self.target(), program="NP_LWIP_TINY_BIN")
        self.send_syns(tunnel, 20)
        self.heal(tunnel)
        self.check_silent(tunnel)

    def test_pools_run_empty(self):
        """Answers to pings of hosts that are not there wait for their addresses: more than the
        pools have room for."""
        tunnel = self.alone(self.target(), program="NP_LWIP_TINY_BIN")
        sock, (near, far) = self.frames(), self.mac()
        for number in range(200):
            body = struct.pack(">BBHHH", 8, 0, 0, 1, number) + bytes(32)
            body = body[:2] + checksum(body) + body[4:]
            head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number, 0, 64, 1, 0,
                               bytes([10, 9, 0, 30 + number % 4]), socket.inet_aton(NEAR[4]))
            sock.send(near + far + b"\x08\x00" + head[:10] + checksum(head) + head[12:] + body)
        self.check_told(tunnel, "times a pool of lwIP was empty")
        self.heal(tunnel)
        self.check_source(tunnel, 300000)
        time.sleep(8)  # what waits for addresses goes after five questions, a second apart
        self.end(tunnel)
        self.assertGreater(tunnel.client.counters()["pool empty"], 10)

    def test_unreachable_target(self):
        tunnel = self.alone("%s:%d" % ("10.9.0.77", self.port()))  # nobody has that address
        start = time.monotonic()
        self.assertIn(tunnel.visit_end(), ("reset", "eof"))
        self.assertLess(time.monotonic() - start, 22)


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 65535) + (total >> 16)
    return struct.pack(">H", ~total & 65535)


class Dhcp(LwipCase):
    """No address given."""

    def test_address_and_name_server(self):
        program = case.need_program("dnsmasq")
        target = self.target()
        hosts = os.path.join(self.dir, "hosts")
        with open(hosts, "w", encoding="ascii") as out:
            out.write("%s far.test\n" % FAR[4])
        self.program([program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                      "--no-hosts", "--addn-hosts=" + hosts, "--interface=tap0",
                      "--bind-interfaces", "--user=root", "--pid-file", "--no-ping",
                      "--dhcp-leasefile=" + os.path.join(self.dir, "leases"),
                      "--dhcp-range=10.9.0.50,10.9.0.60,1h"], "dnsmasq")
        port = self.port()
        node = self.lwip("client://:%d/far.test:%d?mode=1" % (port, target.port), addresses=False)
        address = node.wait_log(r"Link: address (10\.9\.0\.\d+)").group(1)
        tunnel = Tunnel((address, port), None, node)
        self.heal(tunnel)  # the name was asked for before there was a name server
        self.check_echo(tunnel, 10000)
