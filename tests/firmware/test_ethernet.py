# SPDX-License-Identifier: BSD-3-Clause
"""The board's Ethernet: frames of every length, damaged ones, floods."""
import os
import socket
import struct
import tempfile
import time

from qemu import PATIENCE, Firmware


class Wire:
    """The other end of the board's cable: whole frames as datagrams of a Unix socket."""

    def __init__(self, folder):
        self.here, self.there = os.path.join(folder, "here"), os.path.join(folder, "board")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.here)
        self.socket.settimeout(0.2)
        self.nic = ("-netdev", f"dgram,id=wire,local.type=unix,local.path={self.there},"
                    f"remote.type=unix,remote.path={self.here}", "-net", "nic,netdev=wire")

    def send(self, frame):
        try:
            self.socket.sendto(frame, self.there)
        except OSError:
            time.sleep(0.01)

    def expect(self, check, ask_again, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ask_again()
            try:
                while not check(self.socket.recv(2048)):
                    pass
                return True
            except TimeoutError:
                pass
        return False


MINE, ALL = bytes.fromhex("020000000001"), b"\xff" * 6
BOARD = bytes.fromhex("024e50000385")


def arp_request():
    return (ALL + MINE + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + MINE +
            bytes([10, 9, 0, 1]) + bytes(6) + bytes([10, 9, 0, 2])).ljust(60, b"\0")


def echo_request(len_bytes):
    """ICMP echo in one frame, with an address the board knows from ARP."""
    body = os.urandom(len_bytes)
    icmp = b"\x08\x00" + bytes(2) + b"\x00\x01\x00\x01" + body
    icmp = icmp[:2] + checksum(icmp) + icmp[4:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0) + \
        bytes([10, 9, 0, 1, 10, 9, 0, 2])
    ip = ip[:10] + checksum(ip) + ip[12:]
    return BOARD + MINE + b"\x08\x00" + ip + icmp, body


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


def answers_ping(wire, size):
    request, body = echo_request(size)
    return wire.expect(lambda f: f[12:14] == b"\x08\x00" and f[34:35] == b"\0" and
                       f[42:42 + size] == body, lambda: wire.send(request))


def test_ethernet():
    """Frames of every length, damaged ones, floods, IPv6 neighbour discovery."""
    with tempfile.TemporaryDirectory() as folder:
        wire = Wire(folder)
        with Firmware("ethernet", "nodepass-64k.elf",
                      ["--ip", "10.9.0.2/24", "client://:80/10.9.0.1:80?mode=1"],
                      nic=wire.nic) as board:
            board.wait_log("Client started")
            assert wire.expect(lambda f: f[12:14] == b"\x08\x06" and f[21:22] == b"\x02",
                               lambda: wire.send(arp_request())), "no answer to ARP"
            for size in list(range(0, 70)) + [500, 501, 502, 503, 1000, 1471, 1472]:
                assert answers_ping(wire, size), f"no answer to a ping of {size} bytes"
            for _ in range(3000):  # far more than its queue holds, of all sorts
                wire.send(os.urandom(6) + os.urandom(int.from_bytes(os.urandom(2), "big") % 1500))
                wire.send(ALL + MINE + b"\x08\x00" + os.urandom(60))
            assert answers_ping(wire, 100), "no answer after a flood"
            check_oversized(wire, board)
            assert neighbour_answers(wire), "no answer to IPv6 neighbour discovery"
            return verdict_after_flood(board)


def check_oversized(wire, board):
    """The controller marks what is too long: counted, told once, and the next frame is read."""
    for first in range(1515, 1915, 4):  # as many as its queue holds
        for size in range(first, first + 4):
            wire.send((BOARD + MINE + b"\x08\x00").ljust(size, b"x"))
        assert answers_ping(wire, 100), f"no answer after frames of {first} bytes and more"
    board.wait_log("WARN  Ethernet: [0-9]+ frames lost")
    assert board.status()["rx_errors"] > 50, board.status()
    assert board.log().count("frames lost") <= 2, "told more than once in ten seconds"


def neighbour_answers(wire):
    """A solicitation goes to a multicast address: the controller must let it through."""
    iid = bytes([BOARD[0] ^ 2]) + BOARD[1:3] + b"\xff\xfe" + BOARD[3:]
    target = b"\xfe\x80" + bytes(6) + iid
    source = b"\xfe\x80" + bytes(13) + b"\x09"
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + iid[5:]
    body = b"\x87\x00\x00\x00" + bytes(4) + target + b"\x01\x01" + MINE
    sum_ = checksum(source + group + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + sum_ + body[4:]
    frame = (b"\x33\x33\xff" + iid[5:] + MINE + b"\x86\xdd" +
             struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + group + body)
    return wire.expect(lambda f: f[12:14] == b"\x86\xdd" and f[54:55] == b"\x88",
                       lambda: wire.send(frame))


def verdict_after_flood(board):
    last = board.stop()
    return f"{last['rx']} frames taken, {last['rx_dropped']} dropped by the full queue"
