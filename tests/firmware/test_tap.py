# SPDX-License-Identifier: BSD-3-Clause
"""The board on a tap: datagrams, names and IPv6, which QEMU's user network shows only in part."""
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

from qemu import (NODEPASS, PATIENCE, Firmware, Program, Skip, free_port, need_own_network,
                  wait_for)
from visits import Echo, Names, UdpEcho, go_through, tries, visit, visit_udp

FAR, FAR6 = "10.9.0.1", "fd09::1"  # this machine
NEAR, NEAR6 = "10.9.0.2", "fd09::2"  # the board
WORDS = ["--ip", NEAR + "/24", "--ip6", NEAR6 + "/64"]
UP = "Tunnel handshaked"
# An echo is one byte longer than what was sent; datagrams of IPv6 end at 1452 bytes.
SIZES = {False: [1, 2, 100, 512, 1000, 1200, 1400, 1471], True: [1, 2, 700, 1200, 1400, 1451]}


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Tap:
    """A tap of the network that the tests have for themselves, and the board's end of it."""

    nic = ("-nic", "tap,id=wire,ifname=npfw0,script=no,downscript=no")

    def __enter__(self):
        need_own_network()
        if shutil.which("ip") is None or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise Skip("no /dev/net/tun here")
        ip("tuntap", "add", "dev", "npfw0", "mode", "tap")
        ip("addr", "add", FAR + "/24", "dev", "npfw0")
        ip("link", "set", "npfw0", "up")
        ip("addr", "add", FAR6 + "/64", "dev", "npfw0", "nodad")
        return self

    def __exit__(self, *_):
        ip("link", "del", "npfw0")


def carry(door, board):
    """Hashed bytes both ways, and datagrams of all lengths from several visitors."""
    wait_for("a first visit", lambda: tries(door))
    visit(door, 150000, 1000)
    visit(door, 1000, 150000)
    for number in range(10):
        visit(door, 100 + number, 2000)
    for _ in range(3):
        visit_udp(door, SIZES[":" in door[0]])
    last = board.stop()
    assert last["rx_errors"] == 0 and last["tx_errors"] == 0, last


def same_port(host):
    """A TCP service and a UDP echo with one port: what a tunnel leads to."""
    for _ in range(20):
        tcp = Echo(host)
        try:
            return tcp, UdpEcho(host, tcp.port)
        except OSError:
            tcp.listener.close()
    raise AssertionError("no port free for both")


def bracket(host):
    return f"[{host}]" if ":" in host else host


def as_client(image, name, far, tls):
    """The board dials a server of this machine; its target is a service of this machine."""
    tunnel, door = free_port(), free_port()
    with Tap() as tap:
        tcp, udp = same_port(far)
        at = bracket(far)
        with tcp, udp, Program(name + "-server", [
                NODEPASS, f"server://k3y@{at}:{tunnel}/{at}:{door}?mode=1&tls={tls}"]), \
                Firmware(name, image, [*WORDS, f"client://k3y@{at}:{tunnel}/{at}:{tcp.port}"
                                       f"?mode=2&tls={tls}"], nic=tap.nic) as board:
            board.wait_log(UP)
            carry((far, door), board)


def as_server(image, name, far, near, tls):
    """A client of this machine dials the board, whose visitors come to it."""
    with Tap() as tap:
        tcp, udp = same_port(far)
        with tcp, udp, Firmware(name, image, [
                *WORDS, f"server://k3y@{bracket(near)}:7000/{bracket(near)}:7001?mode=1&tls={tls}"],
                                nic=tap.nic) as board:
            board.wait_log("Link: address")
            with Program(name + "-client", [
                    NODEPASS, f"client://k3y@{bracket(near)}:7000/{bracket(far)}:{tcp.port}"
                    f"?mode=2&min=2&tls={tls}"]):
                board.wait_log(UP)
                carry((near, 7001), board)


# ---- tunnels -----------------------------------------------------------------------------------

def test_tap_client_64k():
    as_client("nodepass-64k.elf", "tap-client-64k", FAR, 0)


def test_tap_client_tls():
    as_client("nodepass.elf", "tap-client-tls", FAR, 1)


def test_tap_server_tls():
    as_server("nodepass.elf", "tap-server-tls", FAR, NEAR, 1)


def test_tap_client_ip6():
    as_client("nodepass.elf", "tap-client-ip6", FAR6, 1)


def test_tap_server_ip6():
    as_server("nodepass.elf", "tap-server-ip6", FAR6, NEAR6, 0)


def test_tap_single_ip6_64k():
    """Visitors and target of IPv6; then a visitor of IPv4 to the same target."""
    with Tap() as tap:
        tcp, udp = same_port(FAR6)
        with tcp, udp, Firmware("tap-single-ip6", "nodepass-64k.elf", [
                *WORDS, f"client://:8080/[{FAR6}]:{tcp.port}?mode=1"], nic=tap.nic) as board:
            board.wait_log("Link: address")
            wait_for("a first visit", lambda: tries((NEAR, 8080)))
            visit((NEAR, 8080), 20000, 20000)
            carry((NEAR6, 8080), board)


def test_tap_rush():
    """As many visitors as it has sessions, all at the same moment: all are served, and in one of
    some rounds none of them has to knock twice (a busy machine may be a reason, too)."""
    with Tap() as tap, Echo(FAR) as echo, Firmware("tap-rush", "nodepass.elf", [
            *WORDS, f"client://:8080/{FAR}:{echo.port}?mode=1"], nic=tap.nic) as board:
        board.wait_log("Link: address")
        wait_for("a first visit", lambda: tries((NEAR, 8080)))
        rounds = []
        while not rounds or (min(rounds) > 0 and len(rounds) < 12):
            rounds.append(rush(8))
        board.stop()
        assert min(rounds) == 0, f"SYNs sent again in each round: {rounds}"


TOTAL_RETRANS = 100  # of struct tcp_info, bytes from its begin


def rush(count):
    """How many SYNs had to be sent again."""
    visitors = [socket.socket() for _ in range(count)]
    for conn in visitors:
        conn.setblocking(False)
        conn.connect_ex((NEAR, 8080))
    again = 0
    for conn in visitors:
        conn.settimeout(PATIENCE)
        select.select([], [conn], [], PATIENCE)
        info = conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TOTAL_RETRANS + 4)
        again += int.from_bytes(info[TOTAL_RETRANS:], sys.byteorder)
        conn.sendall((5000).to_bytes(8, "big"))
    for conn in visitors:
        go_through(conn, 5000, 5000)
    return again


# ---- names -------------------------------------------------------------------------------------

def test_tap_names():
    """Server and target by name: the board asks for both, and goes on over what it is told."""
    tunnel, door = free_port(), free_port()
    records = {"tunnel.example.com": [FAR], "six.example.com": [FAR6]}
    server = [NODEPASS, f"server://k3y@{FAR}:{tunnel}/{FAR}:{door}?mode=1&tls=1"]
    with Tap() as tap, Names(FAR, records) as names, Echo(FAR6) as echo, \
            Program("tap-names-server", server), \
            Firmware("tap-names", "nodepass.elf", [
                *WORDS, "--dns", FAR, f"client://k3y@tunnel.example.com:{tunnel}/"
                f"six.example.com:{echo.port}?mode=2&tls=1"], nic=tap.nic) as board:
        board.wait_log(UP)
        wait_for("a visit by name", lambda: tries((FAR, door)))
        visit((FAR, door), 100000, 100000)
        board.stop()
        assert {("tunnel.example.com", 1), ("six.example.com", 28)} <= set(names.asked), names.asked


def test_tap_no_such_name():
    """A name that nobody knows: told once, the visitor is sent away; known later, it works."""
    records = {}
    with Tap() as tap, Names(FAR, records) as names, Echo(FAR) as echo, \
            Firmware("tap-no-name", "nodepass-64k.elf", [
                *WORDS, "--dns", FAR, f"client://:8080/late.example.com:{echo.port}?mode=1"],
                     nic=tap.nic) as board:
        board.wait_log("Link: address")
        wait_for("a question", lambda: not tries((NEAR, 8080)) and names.asked)
        board.wait_log("late.example.com")
        records["late.example.com"] = [FAR]
        wait_for("a visit", lambda: tries((NEAR, 8080)))
        visit((NEAR, 8080), 5000, 5000)
        board.stop()


# ---- bad input ---------------------------------------------------------------------------------

BOARD = bytes.fromhex("024e50000385")


def bad_frames(seed):
    """Frames to the board that are noise, or IPv4 and IPv6 with a wrong length or check sum."""
    rng = random.Random(seed)
    while True:
        kind = rng.choice((b"\x08\x00\x45", b"\x86\xdd\x60", b"\x08\x06\x00", b"\x12\x34"))
        body = rng.randbytes(rng.choice((20, 46, 100, 600, 1400)))
        yield BOARD + b"\x02" + rng.randbytes(5) + kind + body


def flood(seconds, seed):
    """Sends such frames as fast as the tap takes them; how many."""
    count, end = 0, time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind(("npfw0", 0))
        frames = bad_frames(seed)
        while time.monotonic() < end:
            for _ in range(50):
                try:
                    sock.send(next(frames))
                    count += 1
                except OSError:  # the tap's queue is full
                    time.sleep(0.001)
    return count


def test_tap_flood():
    """Bad frames faster than the board can read them, twice: counted, told once in ten seconds, and
    sessions go on meanwhile and afterwards without a restart."""
    with Tap() as tap, Echo(FAR) as echo, Firmware("tap-flood", "nodepass-64k.elf", [
            *WORDS, f"client://:8080/{FAR}:{echo.port}?mode=1"], nic=tap.nic) as board:
        board.wait_log("Link: address")
        wait_for("a first visit", lambda: tries((NEAR, 8080)))
        failed, begun = [], time.monotonic()

        def long_visit():
            try:
                visit((NEAR, 8080), 200000, 200000)
            except (OSError, AssertionError, EOFError) as err:
                failed.append(err)

        for seed in (1, 2):
            thread = threading.Thread(target=long_visit)
            thread.start()
            sent = flood(3, seed)
            thread.join()
            assert not failed, f"a session in the flood: {failed[0]!r}"
            wait_for("a visit afterwards", lambda: tries((NEAR, 8080)))
            visit((NEAR, 8080), 30000, 30000)
        board.wait_log("malformed packets dropped")
        told, lines = board.log().count("malformed packets"), 1 + (time.monotonic() - begun) / 10
        assert told <= lines, f"told {told} times"
        last = board.stop()
        assert last["malformed"] > 100, last
        return f"{sent} bad frames in 3 s, {last['rx']} taken in all, {last['malformed']} malformed"


def test_tap_assertion():
    """lwIP finds its memory broken: the reason on the console, a reset, and it serves again."""
    with Tap() as tap, Echo(FAR) as echo, Firmware("tap-assertion", "nodepass.elf", [
            *WORDS, f"client://:8080/{FAR}:{echo.port}?mode=1"], nic=tap.nic) as board:
        board.wait_log("Link: address")
        wait_for("a first visit", lambda: tries((NEAR, 8080)))
        board.poke("memp_tab_PBUF_POOL", (0x20000001).to_bytes(4, "little"))
        board.wait_log("PANIC: memp_malloc: memp properly aligned at 0x[0-9a-f]+")
        board.wait_log("started after assertion, resets 1")
        wait_for("a visit after the reset", lambda: tries((NEAR, 8080)))
        visit((NEAR, 8080), 20000, 20000)
        board.stop(resets=1)


def test_tap_pools():
    """Handshakes of visitors who do not exist, and more pings than can wait for an address."""
    with Tap() as tap, Echo(FAR) as echo, Firmware("tap-pools", "nodepass-64k.elf", [
            *WORDS, f"client://:8080/{FAR}:{echo.port}?mode=1"], nic=tap.nic) as board:
        board.wait_log("Link: address")
        wait_for("a first visit", lambda: tries((NEAR, 8080)))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.bind(("npfw0", 0))
            for number in range(300):
                sock.send(strange_syn(number) if number % 2 else strange_ping(number))
                time.sleep(0.002)
        wait_for("a visit afterwards", lambda: tries((NEAR, 8080)))
        visit((NEAR, 8080), 30000, 30000)
        board.wait_log("times a pool of lwIP was empty")
        board.wait_log("handshakes given up, the visitors are silent")
        last = board.stop()
        assert last["pool_empty"] > 0 and last["half_open"] > 0, last
        return f"{last['pool_empty']} times a pool was empty, {last['half_open']} half open"


def check_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


def strange_packet(source, number, protocol, payload):
    """From an address that nobody has."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, 0, 64, protocol, 0,
                       source, socket.inet_aton(NEAR))
    return (BOARD + b"\x02\0\0\0\0\x09\x08\0" + head[:10] + check_sum(head) + head[12:] +
            payload).ljust(60, b"\0")


def strange_syn(number):
    source = bytes([10, 9, 0, 30 + number * 7 % 200])
    segment = struct.pack("!HHIIBBHHH", 2000 + number, 8080, number, 0, 0x50, 2, 8192, 0, 0)
    pseudo = source + socket.inet_aton(NEAR) + struct.pack("!HH", 6, len(segment))
    segment = segment[:16] + check_sum(pseudo + segment) + segment[18:]
    return strange_packet(source, number, 6, segment)


def strange_ping(number):
    body = struct.pack("!BBHHH", 8, 0, 0, 1, number) + bytes(32)
    body = body[:2] + check_sum(body) + body[4:]
    return strange_packet(bytes([10, 9, 0, 20 + number // 2 % 4]), number, 1, body)
