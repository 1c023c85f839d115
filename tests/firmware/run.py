#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Firmware under QEMU, by its user network: no root needed. Ends with `N passed, N failed`.

Usage: run.py [--build] [-k WORD] [--soak SECONDS]
--build: makes images and programs first. --soak: only the soak, for so long.
Logs: build/mps2-an385/test/
"""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import qemu
from qemu import Echo, Firmware, Program, UdpEcho, free_port, visit, visit_udp, wait_for

SOAK_S = int(os.environ.get("FW_SOAK_S", "60"))
NODEPASS = os.environ.get("NP_BIN", os.path.join(qemu.ROOT, "build", "host", "nodepass"))
UNIT = os.path.join(qemu.ROOT, "tests", "unit")
# Searches and forgeries by the thousand: minutes of emulation each. FW_SLOW=1 runs them as well.
SLOW = {"dialect_v16_encode", "tls_forge", "tls_handshake"}
UP = r"Tunnel handshaked"
HOST = "10.0.2.2"  # this machine, as the firmware sees it


class Skip(Exception):
    """This machine can't run the case."""


def own_network():
    """The command that gives a program a network of its own."""
    command = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if shutil.which("unshare") is None or \
            subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        raise Skip("no network of its own without root here")
    return command


# ---- unit tests --------------------------------------------------------------------------------

def unit_modules():
    """Modules of the unit program, by the files it is made of (firmware.mk)."""
    found = {"board_port"}
    for name in os.listdir(UNIT):
        path = os.path.join(UNIT, name)
        if name.endswith(".c") and name not in ("addr.c", "slots.c"):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if not re.search(r"platform/posix|_rig\.h", text):
                found |= set(re.findall(r"^NP_TEST\((\w+),", text, re.M))
    return sorted(found if os.environ.get("FW_SLOW") == "1" else found - SLOW)


def unit_piece(modules, index):
    with Firmware(f"unit-{index}", "unit.elf", modules) as unit:
        code = unit.child.wait(timeout=240)
        text = unit.log()
        counts = re.findall(r"^(\d+) passed, (\d+) failed", text, re.M)
        assert code == 0 and counts and counts[-1][1] == "0", \
            "\n".join(re.findall(r"^(?:FAIL|FAULT).*", text, re.M)[:5]) or text[-300:]
        return int(counts[-1][0])


def test_unit():
    """Every unit test that a board can run, in three pieces."""
    modules = unit_modules()
    ran = sum(unit_piece(modules[i::3], i) for i in range(3))
    assert ran >= 200, f"only {ran} tests ran"
    return f"{ran} unit tests on the Cortex-M3"


def test_resets():
    """Overflow, a loop that stands still, a panic: reported, counted, started again."""
    for what, report, cause in (("overflow", "stack overflow", "fault"),
                                ("hang", "WATCHDOG: the loop stood still", "watchdog"),
                                ("panic", "PANIC: on purpose", "assertion")):
        with Firmware(f"reset-{what}", "unit.elf", ["reset", what]) as board:
            code = board.child.wait(timeout=40)
            text = board.log()
            assert code == 0 and report in text and f"after {cause}" in text, text[-300:]


# ---- tunnels -----------------------------------------------------------------------------------

def single(image, name, sessions, rounds):
    port = free_port()
    with Echo() as echo, Firmware(name, image, [f"client://:8080/{HOST}:{echo.port}?mode=1"],
                                  [(port, 8080)]) as board:
        board.wait_log("Link: address")
        exercise(port, sessions, rounds)
        refuse_one_more(port, sessions)
        return verdict(board)


def exercise(port, sessions, rounds):
    """Whole transfers, several at once, then many in a row."""
    wait_for("a first visit", lambda: tries(port), 20)
    visit(port, 300000, 1000)
    visit(port, 1000, 300000)
    visit(port, 200000, 200000)
    visit(port, 0, 0)
    failed = []

    def one():
        try:
            visit(port, 50000, 50000, 60)
        except (OSError, AssertionError, EOFError) as err:
            failed.append(err)

    threads = [threading.Thread(target=one) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, f"{len(failed)} of {sessions} at once: {failed[0]!r}"
    for i in range(rounds):
        try:
            visit(port, 100 + i, 2000)
        except (OSError, AssertionError, EOFError) as err:
            raise AssertionError(f"session {i} of {rounds}: {err!r}") from err


def tries(port):
    try:
        visit(port, 10, 10, 5)
        return True
    except (OSError, EOFError):
        return False


def refuse_one_more(port, sessions):
    """All slots held by silent visitors: one more gets nothing, the held ones still work."""
    # A visitor without a place waits for a SYN sent again, which takes longer each time.
    held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(sessions)]
    for conn in held:
        conn.sendall((100).to_bytes(8, "big"))
        assert qemu.read_exactly(conn, 100) == qemu.content(100)
    assert not tries_briefly(port), "a visitor beyond the slots was served"
    for conn in held:
        conn.shutdown(socket.SHUT_WR)
        qemu.read_exactly(conn, 32)
        conn.close()
    wait_for("a visit after the slots are free", lambda: tries(port), 20)


def tries_briefly(port):
    try:
        visit(port, 10, 10, 2)
        return True
    except (OSError, EOFError):
        return False


def verdict(board):
    """Stops the firmware; what it used at worst."""
    last = board.stop()
    assert last["rx_errors"] == 0 and last["tx_errors"] == 0, last
    assert last["stack"] <= last["stack_size"] * 9 // 10, f"stack nearly full: {last}"
    return f"stack {last['stack']} of {last['stack_size']}, {last['pcbs_max']} connections at most"


def as_client(image, name, tls, sessions, rounds):
    """The firmware dials a POSIX server; its target is a service of this machine."""
    tunnel, door = free_port(), free_port()
    url = f"client://k3y@{HOST}:{tunnel}/{HOST}:{{}}?mode=2&tls={tls}"
    server = [NODEPASS, f"server://k3y@127.0.0.1:{tunnel}/127.0.0.1:{door}?mode=1&tls={tls}"]
    with Echo() as echo, Program(name + "-server", server) as posix, \
            Firmware(name, image, [url.format(echo.port)]) as board:
        board.wait_log(UP, 30)
        exercise(door, sessions, rounds)
        posix.child.kill()
        posix.child.wait()
        board.wait_log("restarting")
        with Program(name + "-server2", server):
            wait_for("the tunnel again", lambda: tries(door), 40)
            return verdict(board)


def as_server(image, name, tls, sessions, rounds):
    """A POSIX client dials the firmware, whose visitors come to it."""
    tunnel, door = free_port(), free_port()
    with Echo() as echo, \
            Firmware(name, image, [f"server://k3y@:7000/:7001?mode=1&tls={tls}"],
                     [(tunnel, 7000), (door, 7001)]) as board:
        board.wait_log("Link: address")
        with Program(name + "-client", [
                NODEPASS,
                f"client://k3y@127.0.0.1:{tunnel}/127.0.0.1:{echo.port}?mode=2&min=2&tls={tls}"]):
            board.wait_log(UP, 30)
            exercise(door, sessions, rounds)
            return verdict(board)


def test_single_64k():
    return single("nodepass-64k.elf", "single-64k", 4, 100)


def test_client_64k():
    return as_client("nodepass-64k.elf", "client-64k", 0, 2, 100)


def test_single_256k():
    return single("nodepass.elf", "single-256k", 8, 20)


def test_client_256k():
    return as_client("nodepass.elf", "client-256k", 0, 8, 20)


def test_client_256k_tls():
    return as_client("nodepass.elf", "client-256k-tls", 1, 8, 100)


def test_server_256k():
    return as_server("nodepass.elf", "server-256k", 0, 8, 20)


def test_server_256k_tls():
    return as_server("nodepass.elf", "server-256k-tls", 1, 8, 20)


SIZES = [1, 2, 100, 512, 1000, 1200, 1400, 1471]


def test_udp_single_64k():
    """Datagrams of all lengths, visitors one after the other and side by side."""
    port = free_port()
    with UdpEcho() as echo, Firmware("udp-64k", "nodepass-64k.elf", [
            f"client://:8080/{HOST}:{echo.port}?mode=1"], [(port, 8080)]) as board:
        board.wait_log("Link: address")
        visit_udp(port, SIZES)
        for _ in range(3):
            visit_udp(port, [10, 700])
        return verdict(board)


def test_udp_tunnel_256k():
    """The same through a tunnel with TLS: one datagram a record."""
    tunnel, door = free_port(), free_port()
    with UdpEcho() as echo, Program("udp-server", [
            NODEPASS, f"server://k3y@127.0.0.1:{tunnel}/127.0.0.1:{door}?mode=1&tls=1"]), \
            Firmware("udp-256k", "nodepass.elf", [
                f"client://k3y@{HOST}:{tunnel}/{HOST}:{echo.port}?mode=2&tls=1"]) as board:
        board.wait_log(UP, 30)
        time.sleep(2)
        for _ in range(4):
            visit_udp(door, SIZES)
        return verdict(board)


def test_dns():
    """The target by name; the name server is one of ours at port 53 of a network of its own."""
    inside = [sys.executable, os.path.abspath(__file__), "--dns"]
    with Program("dns", [*own_network(), *inside]) as run:
        code = run.child.wait(timeout=60)
        assert code == 0, run.log()[-400:]


def answer_names(server):
    """Any A query gets the address of this machine, any other one nothing."""
    while True:
        query, peer = server.recvfrom(512)
        is_a = query[-4:-2] == b"\x00\x01"
        record = (b"\xc0\x0c\x00\x01\x00\x01" + struct.pack("!IH", 60, 4) +
                  bytes([10, 0, 2, 2]))
        head = query[:2] + b"\x81\x80\x00\x01" + struct.pack("!HHH", int(is_a), 0, 0)
        server.sendto(head + query[12:] + (record if is_a else b""), peer)


def dns_inside():
    """What test_dns runs inside its network."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=answer_names, args=(server,), daemon=True).start()
    port = free_port()
    with Echo() as echo, Firmware("dns-board", "nodepass-64k.elf", [
            "--dns", HOST, f"client://:8080/service.example.com:{echo.port}?mode=1"],
            [(port, 8080)]) as board:
        board.wait_log("Link: address")
        wait_for("a visit by name", lambda: tries(port), 20)
        visit(port, 5000, 5000)
        verdict(board)
    return 0


def test_cable():
    """The cable out and in again, twice: told once each, and all works as before."""
    port = free_port()
    with Echo() as echo, Firmware("cable", "nodepass-64k.elf", [
            f"client://:8080/{HOST}:{echo.port}?mode=1"], [(port, 8080)]) as board:
        board.wait_log("Client started")
        wait_for("a first visit", lambda: tries(port), 20)
        for times in (1, 2):
            board.plug(False)
            wait_for("a line about it", lambda: board.log().count("Link: down") == times, 5)
            assert not tries_briefly(port), "served without a cable"
            board.plug(True)
            wait_for("a visit afterwards", lambda: tries(port), 30)
            visit(port, 20000, 20000)
        return verdict(board)


def test_usage():
    """Faults of the command line: told on the console, and by the exit code."""
    for words, text in ((["nothing"], "not understood"), ([], "no URL"),
                        (["server://k@:1/:2?tls=1"], "TLS is not in this build")):
        with Firmware("usage", "nodepass-64k.elf", words) as board:
            assert board.child.wait(timeout=20) == 1 and text in board.log(), board.log()


def test_readme():
    """README's commands, as they stand there: a page through a Cortex-M3 behind a reverse tunnel.
    In a network of its own, since they name ports."""
    with open(os.path.join(qemu.ROOT, "README.md"), encoding="utf-8") as f:
        block = re.search(r"^tests/setup.sh --firmware.*?\n(.*?)^```", f.read(), re.M | re.S)[1]
    assert "make firmware-run" in block and block.rstrip().endswith("/")
    script = ("ip link set lo up\nset -m\n" + block.replace("make all firmware ", ": ") +
              'code=$?\nfor job in $(jobs -p); do kill -- -"$job"; done\nexit $code\n')
    with Program("readme", ["timeout", "100", *own_network(), "bash", "-c", script]) as run:
        code = run.child.wait(timeout=110)
        assert code == 0 and "Directory listing" in run.log(), f"exit {code}: {run.log()[-300:]}"


# ---- master ------------------------------------------------------------------------------------

def ask(port, path, key, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}",
                                     data=body and json.dumps(body).encode(),
                                     headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def test_master_1m():
    """API by polling, no event streams; instances survive a restart of the board."""
    state, port, door = tempfile.mkdtemp(prefix="fw-"), free_port(), free_port()
    words = [f"master://:8080/api?state={state}"]
    ports = [(port, 8080), (door, 9090)]
    try:
        with Echo() as echo, Firmware("master-1", "nodepass-1m.elf", words, ports) as board:
            board.wait_log("API Key created: ([0-9a-f]+)")
            key = re.search("API Key created: ([0-9a-f]+)", board.log()).group(1)
            board.wait_log("Master started")
            assert ask(port, "/info", key)["arch"] == "arm"
            made = ask(port, "/instances", key,
                       {"url": f"client://:9090/{HOST}:{echo.port}?mode=1"})
            exercise(door, 4, 5)
            listed = ask(port, "/instances", key)
            assert any(i["id"] == made["id"] and i["tcprx"] > 0 for i in listed), listed
            try:
                ask(port, "/events", key)
                raise AssertionError("an event stream was opened")
            except urllib.error.HTTPError as err:
                assert err.code == 503
            used = verdict(board)
        with Firmware("master-2", "nodepass-1m.elf", words, ports) as board:
            board.wait_log("Master started")
            assert any(i["id"] == made["id"] for i in ask(port, "/instances", key))
            verdict(board)
        return used
    finally:
        shutil.rmtree(state, ignore_errors=True)


# ---- Ethernet ----------------------------------------------------------------------------------

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

    def expect(self, check, ask_again, seconds=5):
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
            assert neighbour_answers(wire), "no answer to IPv6 neighbour discovery"
            return verdict_after_flood(board)


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
                       lambda: wire.send(frame), 10)


def verdict_after_flood(board):
    last = board.stop()
    return f"{last['rx']} frames taken, {last['rx_dropped']} dropped by the full queue"


# ---- soak --------------------------------------------------------------------------------------

def soak(seconds):
    """Visits without end; what is in use in pauses stays the same."""
    tunnel, door = free_port(), free_port()
    with Echo() as echo, \
            Program("soak-server", [
                NODEPASS, f"server://k3y@127.0.0.1:{tunnel}/127.0.0.1:{door}?mode=1&tls=1"]), \
            Firmware("soak", "nodepass.elf", [f"client://k3y@{HOST}:{tunnel}/{HOST}:{echo.port}"
                                              "?mode=2&tls=1"]) as board:
        board.wait_log(UP, 30)
        end, visits, seen = time.monotonic() + seconds, 0, []
        exercise(door, 8, 5)
        while time.monotonic() < end or len(seen) < 3:
            pause = time.monotonic() + max(2, min(30, seconds / 6))
            while time.monotonic() < pause:
                visit(door, 3000 + visits % 7000, 20000)
                visits += 1
            time.sleep(4)  # the pool is full again
            status = board.status()
            seen.append((status["objects"], status["handles"], status["heap"]))
        assert len({s[:2] for s in seen}) == 1, f"pools are not flat: {seen}"
        assert max(s[2] for s in seen) <= 4096, f"heap is not flat: {seen}"
        used = verdict(board)
        return f"{visits} sessions in {seconds} s, pools flat at {seen[0][:2]}; {used}"


def test_soak():
    return soak(SOAK_S)


# ---- runner ------------------------------------------------------------------------------------

def run_one(name, case):
    start = time.monotonic()
    try:
        note = case()
        print(f"ok   {name:<24} {time.monotonic() - start:4.0f} s  {note or ''}", flush=True)
        return "passed"
    except Skip as err:
        print(f"SKIP {name:<24} {time.monotonic() - start:4.0f} s  {err}", flush=True)
        return "skipped"
    except Exception as err:  # pylint: disable=broad-except
        print(f"FAIL {name:<24} {time.monotonic() - start:4.0f} s  {type(err).__name__}: {err}",
              flush=True)
        return "failed"


def main():
    if shutil.which(qemu.QEMU) is None or shutil.which("arm-none-eabi-gcc") is None:
        print("SKIP firmware: qemu-system-arm or arm-none-eabi-gcc is missing "
              "(tests/setup.sh --firmware)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    if "--dns" in sys.argv:
        return dns_inside()
    if "--build" in sys.argv and subprocess.run(
            ["make", "-j2", "all", "firmware", "firmware-unit"], cwd=qemu.ROOT, check=False,
            stdout=subprocess.DEVNULL).returncode != 0:
        print("FAIL build: make all firmware firmware-unit")
        return 1
    if "--soak" in sys.argv:
        seconds = int(sys.argv[sys.argv.index("--soak") + 1])
        cases = [("soak", lambda: soak(seconds))]
    else:
        word = sys.argv[sys.argv.index("-k") + 1] if "-k" in sys.argv else ""
        cases = [(n[5:], f) for n, f in globals().items() if n.startswith("test_") and word in n]
    results = [run_one(*case) for case in cases]
    skipped = results.count("skipped")
    print(f"{results.count('passed')} passed, {results.count('failed')} failed" +
          (f", {skipped} skipped" if skipped else ""))
    return 0 if results and "failed" not in results else 1


if __name__ == "__main__":
    sys.exit(main())
