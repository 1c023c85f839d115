#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Firmware under QEMU, by its user network and by a tap. Ends with `N passed, N failed`.

Usage: run.py [--build] [-k WORD] [--soak SECONDS]
--build: makes images and programs first. --soak: only the soak, for so long.
Where the machine allows it, all runs in a network of its own, so that no port is anybody else's;
without, the cases that need one are skipped. Logs: build/mps2-an385/test/
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import qemu
import test_ethernet
import test_speed
import test_tap
from qemu import (HOST, NODEPASS, Firmware, Program, Skip, free_port, need_own_network,
                  wait_for)
from visits import (Echo, Names, UdpEcho, begin, content, go_through, read_exactly, tries, visit,
                    visit_udp)

SOAK_S = int(os.environ.get("FW_SOAK_S", "60"))
UNIT = os.path.join(qemu.ROOT, "tests", "unit")
# Searches and forgeries by the thousand: minutes of emulation each. FW_SLOW=1 runs them as well.
SLOW = {"dialect_v16_encode", "tls_forge", "tls_handshake"}
UP = r"Tunnel handshaked"


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
        code = unit.child.wait(timeout=600)
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
            code = board.child.wait(timeout=qemu.PATIENCE)
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
    wait_for("a first visit", lambda: tries(port))
    visit(port, 300000, 1000)
    visit(port, 1000, 300000)
    visit(port, 200000, 200000)
    visit(port, 0, 0)
    visit_at_once(port, sessions)
    for i in range(rounds):
        try:
            visit(port, 100 + i, 2000)
        except (OSError, AssertionError, EOFError) as err:
            raise AssertionError(f"session {i} of {rounds}: {err!r}") from err


def visit_at_once(port, sessions):
    """They come one after the other, since QEMU's user network has a queue of one; then all send
    and read together."""
    failed, visitors = [], []
    for _ in range(sessions):
        conn = begin(port, 50000)
        visitors.append((conn, read_exactly(conn, 100)))

    def one(conn, got):
        try:
            go_through(conn, 50000, 50000, got)
        except (OSError, AssertionError, EOFError) as err:
            failed.append(err)

    threads = [threading.Thread(target=one, args=visitor) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, f"{len(failed)} of {sessions} at once: {failed[0]!r}"


def refuse_one_more(port, sessions):
    """All slots held by silent visitors: one more gets nothing, the held ones still work."""
    # A visitor without a place waits for a SYN sent again, which takes longer each time.
    held = [socket.create_connection(("127.0.0.1", port), timeout=qemu.PATIENCE)
            for _ in range(sessions)]
    for conn in held:
        conn.sendall((100).to_bytes(8, "big"))
        assert read_exactly(conn, 100) == content(100)
    assert not tries(port, 2), "a visitor beyond the slots was served"
    for conn in held:
        conn.shutdown(socket.SHUT_WR)
        read_exactly(conn, 32)
        conn.close()
    wait_for("a visit after the slots are free", lambda: tries(port))


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
        board.wait_log(UP)
        exercise(door, sessions, rounds)
        posix.child.kill()
        posix.child.wait()
        board.wait_log("restarting")
        with Program(name + "-server2", server):
            wait_for("the tunnel again", lambda: tries(door))
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
            board.wait_log(UP)
            exercise(door, sessions, rounds)
            return verdict(board)


def test_single_64k():
    return single("nodepass-64k.elf", "single-64k", 4, 100)


def test_client_64k():
    return as_client("nodepass-64k.elf", "client-64k", 0, 2, 100)


def test_single_256k():
    return single("nodepass.elf", "single-256k", 8, 100)


def test_client_256k():
    return as_client("nodepass.elf", "client-256k", 0, 8, 100)


def test_client_256k_tls():
    return as_client("nodepass.elf", "client-256k-tls", 1, 8, 100)


def test_server_256k():
    return as_server("nodepass.elf", "server-256k", 0, 8, 100)


def test_server_256k_tls():
    return as_server("nodepass.elf", "server-256k-tls", 1, 8, 100)


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
        board.wait_log(UP)
        for _ in range(4):
            visit_udp(door, SIZES)
        return verdict(board)


def test_dns():
    """The target by name; the name server is one of ours at port 53 of a network of its own."""
    need_own_network()
    port = free_port()
    with Names("127.0.0.1", {"service.example.com": [HOST]}), Echo() as echo, \
            Firmware("dns", "nodepass-64k.elf", [
                "--dns", HOST, f"client://:8080/service.example.com:{echo.port}?mode=1"],
                     [(port, 8080)]) as board:
        board.wait_log("Link: address")
        wait_for("a visit by name", lambda: tries(port))
        visit(port, 5000, 5000)
        return verdict(board)


def test_cable():
    """The cable out and in again, twice: told once each, and all works as before."""
    port = free_port()
    with Echo() as echo, Firmware("cable", "nodepass-64k.elf", [
            f"client://:8080/{HOST}:{echo.port}?mode=1"], [(port, 8080)]) as board:
        board.wait_log("Client started")
        wait_for("a first visit", lambda: tries(port))
        for times in (1, 2):
            board.plug(False)
            wait_for("a line about it", lambda n=times: board.log().count("Link: down") == n)
            assert not tries(port, 2), "served without a cable"
            board.plug(True)
            wait_for("a visit afterwards", lambda: tries(port))
            visit(port, 20000, 20000)
        assert board.status()["links"] == 4, board.status()
        return verdict(board)


def test_usage():
    """Faults of the command line: told on the console, and by the exit code."""
    for words, text in ((["nothing"], "not understood"), ([], "no URL"),
                        (["server://k@:1/:2?tls=1"], "TLS is not in this build")):
        with Firmware("usage", "nodepass-64k.elf", words) as board:
            assert board.child.wait(timeout=qemu.PATIENCE) == 1 and text in board.log(), board.log()


def test_readme():
    """README's commands, as they stand there and on a terminal, as people type them: a page through
    a Cortex-M3 behind a reverse tunnel. In a network of its own, since they name ports."""
    need_own_network()
    with open(os.path.join(qemu.ROOT, "README.md"), encoding="utf-8") as f:
        block = re.search(r"^tests/setup.sh --firmware.*?\n(.*?)^```", f.read(), re.M | re.S)[1]
    assert "make firmware-run" in block and block.rstrip().endswith("/")
    script = ("set -m\n" + block.replace("make all firmware ", ": ")
              .replace("\ncurl ", "\ntimeout 100 curl ") +
              'code=$?\nfor job in $(jobs -p); do kill -- -"$job"; kill -CONT -- -"$job"; done\n'
              'exit $code\n')
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as f:
        f.write(script)
        f.flush()
        command = ["script", "-qefc", f"bash {f.name}", "/dev/null"]
        with Program("readme", ["timeout", "200", *command]) as run:
            code = run.child.wait(timeout=220)
            assert code == 0 and "Directory listing" in run.log(), \
                f"exit {code}: {run.log()[-300:]}"


# ---- master ------------------------------------------------------------------------------------

def ask(port, path, key, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}",
                                     data=body and json.dumps(body).encode(),
                                     headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=qemu.PATIENCE) as reply:
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


# ---- soak --------------------------------------------------------------------------------------

def held(status):
    return status["objects"], status["handles"]


def settle(board):
    """What is in use once the pool is full and nothing closes any more."""
    seen = []

    def is_settled():
        seen.append(held(board.status()))
        time.sleep(1)
        return len(seen) > 3 and len(set(seen[-3:])) == 1

    wait_for("a pool that stays as it is", is_settled)
    return seen[-1]


def soak(seconds):
    """Visits without end; in pauses what is in use goes back to what it was."""
    tunnel, door = free_port(), free_port()
    with Echo() as echo, \
            Program(f"soak-{seconds}-server", [
                NODEPASS, f"server://k3y@127.0.0.1:{tunnel}/127.0.0.1:{door}?mode=1&tls=1"]), \
            Firmware(f"soak-{seconds}", "nodepass.elf", [
                f"client://k3y@{HOST}:{tunnel}/{HOST}:{echo.port}?mode=2&tls=1"]) as board:
        board.wait_log(UP)
        exercise(door, 8, 5)
        first, visits, pauses, heap = settle(board), 0, 0, []
        end = time.monotonic() + seconds
        while time.monotonic() < end or pauses < 3:
            pause = time.monotonic() + max(2, min(30, seconds / 6))
            while time.monotonic() < pause:
                visit(door, 3000 + visits % 7000, 20000)
                visits += 1
            wait_for(f"pools at {first} again", lambda: held(board.status()) == first)
            heap.append(board.status()["heap"])
            pauses += 1
        assert max(heap) <= 4096, f"heap is not flat: {heap}"
        used = verdict(board)
        return (f"{visits} sessions in {seconds} s, objects and handles {first} in each of "
                f"{pauses} pauses, lwIP's heap at most {max(heap)}; {used}")


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


def lacks_tools():
    return shutil.which(qemu.QEMU) is None or shutil.which("arm-none-eabi-gcc") is None


def build():
    return subprocess.run(["make", "-j2", "all", "firmware", "firmware-unit"], cwd=qemu.ROOT,
                          check=False, stdout=subprocess.DEVNULL).returncode == 0


def go_inside():
    """Runs this program again in a network of its own; its exit code, None where that can't be."""
    command = qemu.own_network()
    if qemu.INSIDE in os.environ or command is None:
        return None
    words = [word for word in sys.argv if word != "--build"]
    return subprocess.run([*command, sys.executable, *words], check=False,
                          env=dict(os.environ, **{qemu.INSIDE: "1"})).returncode


def chosen():
    if "--soak" in sys.argv:
        seconds = int(sys.argv[sys.argv.index("--soak") + 1])
        return [("soak", lambda: soak(seconds))]
    word = sys.argv[sys.argv.index("-k") + 1] if "-k" in sys.argv else ""
    modules = (sys.modules[__name__], test_ethernet, test_tap, test_speed)
    return [(n[5:], f) for module in modules for n, f in vars(module).items()
            if n.startswith("test_") and callable(f) and word in n]


def main():
    if lacks_tools():
        print("SKIP firmware: qemu-system-arm or arm-none-eabi-gcc is missing "
              "(tests/setup.sh --firmware)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    if "--build" in sys.argv and not build():
        print("FAIL build: make all firmware firmware-unit")
        return 1
    code = go_inside()
    if code is not None:
        return code
    if qemu.INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    results = [run_one(*case) for case in chosen()]
    skipped = results.count("skipped")
    print(f"{results.count('passed')} passed, {results.count('failed')} failed" +
          (f", {skipped} skipped" if skipped else ""))
    return 0 if results and "failed" not in results else 1


if __name__ == "__main__":
    sys.exit(main())
