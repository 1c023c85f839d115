# SPDX-License-Identifier: BSD-3-Clause
"""Reads from /proc what processes cost: CPU, memory, wake-ups; and what the machine is."""
import os
import platform
import re
import subprocess
import time

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def tasks(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def tree(pids):
    """The processes and all that descend from them."""
    found, todo = [], list(pids)
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in tasks(pid):
            todo += [int(p) for p in read(f"/proc/{pid}/task/{task}/children").split()]
    return found


def cpu_ns(pids):
    """CPU time of the processes so far: running threads to the nanosecond, ended children in
    ticks."""
    total = 0
    for pid in tree(pids):
        for task in tasks(pid):
            text = read(f"/proc/{pid}/task/{task}/schedstat")
            total += int(text.split()[0]) if text else 0
        fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(fields) > 14:
            total += (int(fields[13]) + int(fields[14])) * TICK_NS
    return total


def memory_kb(pids):
    """Sums over the processes: (RSS, PSS, private dirty pages)."""
    sums = {"Rss": 0, "Pss": 0, "Private_Dirty": 0}
    for pid in tree(pids):
        text = read(f"/proc/{pid}/smaps_rollup")
        for key in sums:
            match = re.search(rf"^{key}:\s+(\d+) kB", text, re.M)
            sums[key] += int(match.group(1)) if match else 0
    return sums["Rss"], sums["Pss"], sums["Private_Dirty"]


def wakeups(pids):
    """Times a thread of the processes went to sleep of its own will."""
    total = 0
    for pid in tree(pids):
        for task in tasks(pid):
            match = re.search(r"^voluntary_ctxt_switches:\s+(\d+)",
                              read(f"/proc/{pid}/task/{task}/status"), re.M)
            total += int(match.group(1)) if match else 0
    return total


def tcp_sockets():
    """(local port, remote port, state) of every TCP socket; state 1 is connected, 10 listens."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(table).splitlines()[1:]:
            fields = line.split()
            yield (int(fields[1].rpartition(":")[2], 16), int(fields[2].rpartition(":")[2], 16),
                   int(fields[3], 16))


def is_listening(port):
    return any(local == port and state == 10 for local, _, state in tcp_sockets())


def connected_count(port):
    return sum(1 for _, remote, state in tcp_sockets() if remote == port and state == 1)


def busy_share(seconds=1.0):
    """Share of all cores that others use now, 0 to 1."""
    def sample():
        fields = [int(f) for f in read("/proc/stat").splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]
    total, idle = sample()
    time.sleep(seconds)
    total_after, idle_after = sample()
    return 1.0 - (idle_after - idle) / max(1, total_after - total)


def machine():
    """A class of machine, not this one: cores, architecture, kernel, virtual or not."""
    kernel = ".".join(platform.release().split(".")[:2])
    virtual = " VM" if "hypervisor" in read("/proc/cpuinfo") else ""
    return f"{os.cpu_count()}-core {platform.machine()}{virtual}, Linux {kernel}"


def version(argv, pattern):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "missing"
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group(1) if match else "unknown"
