# SPDX-License-Identifier: BSD-3-Clause
"""One measurement each: a load tool around one running relay, and what the relay cost meanwhile."""
import json
import os
import shutil
import subprocess
import time

import probe


def run_tool(relay, name, *arguments, limit_s=300):
    argv = [relay.bench.tool(name), "-l", str(relay.bench.target), "-c", str(relay.entry)]
    done = subprocess.run(argv + [str(a) for a in arguments], capture_output=True, text=True,
                          timeout=limit_s, check=False)
    if done.returncode != 0:
        relay.check_alive()
        raise RuntimeError(f"{relay.name}: {name} {arguments}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def throughput(relay, streams, direction, time_ms, warm_ms=300):
    cpu = probe.cpu_ns(relay.pids())
    got = run_tool(relay, "load_tcp", "-n", streams, "-d", direction, "-t", time_ms, "-w", warm_ms)
    cpu = probe.cpu_ns(relay.pids()) - cpu
    return {"gbytes_s": got["window_bytes"] / got["window_s"] / 1e9,
            "cpu_s_gb": cpu / got["bytes"], "generator_s_gb": got["generator_cpu_s"] * 1e9 /
            got["bytes"], "fairness": got["slowest"] / max(1, got["fastest"])}


def limited_rate(relay, streams, direction, time_ms, warm_ms):
    """Mbps through a relay with a rate limit, after its first burst."""
    got = run_tool(relay, "load_tcp", "-n", streams, "-d", direction, "-t", time_ms, "-w", warm_ms,
                   "-x")
    return got["window_bytes"] / got["window_s"] / 125000


def sessions(relay, count, parallel=50):
    cpu = probe.cpu_ns(relay.pids())
    got = run_tool(relay, "load_conn", "-n", count, "-p", parallel)
    time.sleep(0.2)  # the relay's last closes
    cpu = probe.cpu_ns(relay.pids()) - cpu
    return {"per_s": got["sessions"] / got["elapsed_s"], "cpu_ms": cpu / 1e6 / got["sessions"],
            "p50_ms": got["p50_us"] / 1000, "p99_ms": got["p99_us"] / 1000,
            "max_ms": got["max_us"] / 1000, **{key: got[key] for key in (
                "sessions", "failed", "refused", "reset", "short", "wrong", "timeout")}}


def held_sessions(relay, counts):
    """User memory that open idle sessions add: [(count, open, bytes of PSS a session and end)]."""
    argv = [relay.bench.tool("load_conn"), "-l", str(relay.bench.target), "-c", str(relay.entry),
            "-n", str(max(counts)), "-p", "50", "-H"]
    before = probe.memory_kb(relay.pids())[1]
    results = []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        try:
            for count in counts:
                load.stdin.write(f"open {count}\n")
                load.stdin.flush()
                line = load.stdout.readline()
                if not line:
                    raise RuntimeError(f"{relay.name}: load_conn ended")
                got = json.loads(line)
                time.sleep(1.0)
                after = probe.memory_kb(relay.pids())[1]
                results.append({"count": count, "open": got["open"], "failed": got["failed"],
                                "bytes": (after - before) * 1024 / max(1, got["open"]) /
                                relay.ends})
        finally:
            load.kill()
    return results


def datagrams(relay, rate, time_ms, echo, sources=4, size=200):
    extra = ["-e"] if echo else []
    got = run_tool(relay, "load_udp", "-r", rate, "-t", time_ms, "-s", size, "-n", sources, *extra)
    got["is_lossless"] = got["arrived"] == got["sent"] and got["damaged"] + got["double"] == 0
    return got


def best_rate(relay, ladder, time_ms, echo):
    """Highest step of the ladder without loss, by bisection; a step may fail once by chance."""
    low, high = -1, len(ladder)
    while high - low > 1:
        middle = (low + high) // 2
        if any(datagrams(relay, ladder[middle], time_ms, echo)["is_lossless"] for _ in range(2)):
            low = middle
        else:
            high = middle
    return ladder[low] if low >= 0 else 0


def bursts(relay, burst, count, echo):
    extra = ["-e"] if echo else []
    return run_tool(relay, "load_udp", "-b", burst, "-k", count, "-n", 8, *extra)


def idle(groups, seconds):
    """What process groups {name: pids} cost while nothing happens."""
    start = {name: (probe.cpu_ns(pids), probe.wakeups(pids)) for name, pids in groups.items()}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    results = {}
    for name, pids in groups.items():
        cpu, wakeups = start[name]
        rss, pss, dirty = probe.memory_kb(pids)
        results[name] = {"cpu_percent": (probe.cpu_ns(pids) - cpu) / 1e7 / elapsed,
                         "wakeups_s": (probe.wakeups(pids) - wakeups) / elapsed,
                         "rss_kb": rss, "pss_kb": pss, "dirty_kb": dirty}
    return results


def crypto(bench):
    """Rows of bench-crypto: ours and OpenSSL's, each with its part and name."""
    out = os.path.join(bench.folder, "crypto.json")
    done = subprocess.run([bench.tool("bench-crypto"), "--json", out], check=False, timeout=600)
    if done.returncode != 0:
        raise RuntimeError("bench-crypto failed")
    with open(out, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def build_tools(root, folder):
    """Compiles the load tools and floors; the splice floor gets pipes of 1 MB, its best."""
    os.makedirs(folder, exist_ok=True)
    here = os.path.join(root, "tests", "bench")
    for name in ("load_tcp", "load_conn", "load_udp", "floor_copy", "floor_splice"):
        argv = [os.environ.get("CC", "cc"), "-std=c11", "-O2", "-Wall", "-Wextra", "-I", root,
                "-DFLOOR_PIPE_BYTES=1048576", os.path.join(here, name + ".c"), "-o",
                os.path.join(folder, name), "-pthread"]
        subprocess.run(argv, check=True)
    subprocess.run(["make", "-s", "-C", root, "build/host/bench-crypto"], check=True)
    shutil.copy(os.path.join(root, "build", "host", "bench-crypto"), folder)
