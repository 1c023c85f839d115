#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""make bench: measures the tunnel against haproxy, nginx, socat and minimal relays, in one run."""
import argparse
import copy
import datetime
import json
import os
import sys
import tempfile
import time

import measure
import peers
import probe
import report
import sections

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Full:
    rounds, throughput_ms = 3, 1200
    session_rounds, sessions, tls_sessions = 3, 20000, 10000
    memory_rounds = 3
    udp_rounds, udp_ms, bursts = 2, 1000, 250
    idle_s = 30
    rates_mbps, rate_ms = (80, 400), 3000


class Quick(Full):
    rounds, throughput_ms = 1, 600
    session_rounds, sessions, tls_sessions = 1, 5000, 3000
    memory_rounds = 1
    udp_rounds, udp_ms, bursts = 1, 400, 100
    idle_s = 10
    rates_mbps, rate_ms = (80,), 2000


class OurBench(peers.Bench):
    nodepass_musl = ""

    def with_program(self, path):
        other = copy.copy(self)
        other.nodepass = path
        return other


def parse_arguments():
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about 3 minutes, figures are rough")
    parser.add_argument("--only", action="append", choices=list(sections.ALL), metavar="NAME",
                        help="one part: " + ", ".join(sections.ALL) + " (may be repeated)")
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "nodepass"))
    parser.add_argument("--musl", default=os.path.join(ROOT, "build", "musl", "nodepass"),
                        help="static build for the idle part (make T=musl)")
    parser.add_argument("--out", help="where the table goes (a full run: tests/bench/RESULTS.md)")
    parser.add_argument("--update", action="store_true",
                        help="with --only: the other parts stay as the last run left them, and the "
                        "table in tests/bench/RESULTS.md is written")
    parser.add_argument("--note", default="", help="a line to put on top of the table")
    arguments = parser.parse_args()
    if arguments.update and (not arguments.only or arguments.quick):
        parser.error("--update wants --only, and not --quick")
    return arguments


def describe(arguments):
    busy = probe.busy_share()
    return {"date": datetime.date.today().isoformat(), "machine": probe.machine(),
            "quick": arguments.quick, "note": arguments.note, "busy_percent": 100 * busy,
            "versions": {
                "nodepass": probe.version([arguments.program, "--version"], r"(v?\d+\.\d+\.\d+)"),
                "haproxy": probe.version(["haproxy", "-v"], r"version (\d+\.\d+\.\d+)"),
                "nginx": probe.version(["nginx", "-v"], r"nginx/(\d+\.\d+\.\d+)"),
                "socat": probe.version(["socat", "-V"], r"socat version (\S+)"),
                "openssl": probe.version(["openssl", "version"], r"OpenSSL (\S+)"),
                "compiler": probe.version([os.environ.get("CC", "cc"), "--version"], r"(.*)\n")}}


def measure_all(arguments, bench):
    plan = Quick if arguments.quick else Full
    results = {"meta": describe(arguments)}
    print(f"others use {results['meta']['busy_percent']:.0f} % of the machine", flush=True)
    for name, section in sections.ALL.items():
        if arguments.only and name not in arguments.only:
            continue
        began = time.monotonic()
        print(f"{name} ...", flush=True)
        results[name] = section(bench, plan)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return results


def merge(last, new, only):
    """The last run's results with the parts `only` of a new one; meta tells which are newer."""
    for part in only:
        last[part] = new[part]
    updates = last["meta"].setdefault("updates", {})
    updates.update({part: {key: new["meta"][key] for key in ("date", "busy_percent")}
                    for part in only})
    last["meta"]["versions"].update(new["meta"]["versions"])
    return last


def main():
    arguments = parse_arguments()
    tools = os.path.join(ROOT, "build", "bench")
    measure.build_tools(ROOT, tools)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.chmod(folder, 0o755)
        bench = OurBench(tools, folder, arguments.program)
        bench.nodepass_musl = arguments.musl
        results = measure_all(arguments, bench)
    results["meta"]["minutes"] = (time.monotonic() - began) / 60
    kept = os.path.join(tools, "results.json")
    if arguments.update:
        with open(kept, encoding="ascii") as file:
            results = merge(json.load(file), results, arguments.only)
    with open(kept, "w", encoding="ascii") as file:
        json.dump(results, file, indent=1)
    text = report.write(results)
    print(text)
    out = arguments.out
    if out is None and not arguments.quick and (arguments.update or not arguments.only):
        out = os.path.join(ROOT, "tests", "bench", "RESULTS.md")
    if out:
        with open(out, "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
