# SPDX-License-Identifier: BSD-3-Clause
"""Bytes per second in QEMU: printed, never judged, since QEMU counts no cycles and other programs
run beside it. What arrives is compared all the same."""
import time

from qemu import HOST, NODEPASS, Firmware, Program, free_port, wait_for
from visits import Echo, tries, visit


def mbit(door, up, down):
    start = time.monotonic()
    visit(door, up, down)
    return (up + down) * 8 / (time.monotonic() - start) / 1e6


def print_speed(what, door, size):
    wait_for("a first visit", lambda: tries(door))
    print(f"note throughput in QEMU, {what}: {mbit(door, size, 0):.2f} Mbit/s to the target, "
          f"{mbit(door, 0, size):.2f} Mbit/s to the visitor", flush=True)


def of_single(image, what):
    port = free_port()
    with Echo() as echo, Firmware("speed-single", image, [
            f"client://:8080/{HOST}:{echo.port}?mode=1"], [(port, 8080)]) as board:
        print_speed(what, port, 4000000)
        board.stop()


def of_tunnel(tls, what, size):
    tunnel, door = free_port(), free_port()
    with Echo() as echo, Program("speed-server", [
            NODEPASS, f"server://k3y@127.0.0.1:{tunnel}/127.0.0.1:{door}?mode=1&tls={tls}"]), \
            Firmware("speed-tunnel", "nodepass.elf", [
                f"client://k3y@{HOST}:{tunnel}/{HOST}:{echo.port}?mode=2&tls={tls}"]) as board:
        print_speed(what, door, size)
        board.stop()


def test_speed():
    of_single("nodepass-64k.elf", "64 KB, single-end, plain")
    of_single("nodepass.elf", "256 KB, single-end, plain")
    of_tunnel(0, "256 KB, tunnel, plain", 4000000)
    of_tunnel(1, "256 KB, tunnel, TLS", 2000000)
