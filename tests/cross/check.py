#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds static targets and tests what came out; ends with `N passed, N failed`.

Usage: tests/cross/check.py [--no-twice] TARGET ...
  --no-twice  leaves the second build in another folder out
What an OPTIONAL target has over its GATE is said, but does not count as failed.
The compilers and qemu come from tests/setup.sh --cross.
"""
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import elf
import master
import traffic

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_S = 900
UNIT_STRIDE = "16"  # of the loops over all keys, which know no CPU
UNIT_CPU_S, UNIT_S = 900, 2700  # what it computes counts, not what others take of the machine
MASTER_ON = ("x86_64", "armv7hf")
TINY_DATAGRAM = 1472  # NP_MAX_DATAGRAM of config/profiles/tiny.h
TLS_CODE = re.compile(r"^(?:br_|np_tls_|np_secure_|np_verify_)")
COUNT = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


class Report:
    passed = failed = 0

    def __call__(self, target, what, wrong, start=None):
        took = "" if start is None else f"{time.monotonic() - start:5.0f} s"
        print(f"{'FAIL' if wrong else 'ok  '}  {target:<12} {what:<28} {took}", flush=True)
        for line in wrong[:40]:
            print(f"      {line}", flush=True)
        self.failed += bool(wrong)
        self.passed += not wrong
        return not wrong


class Target:
    """A target as its file in toolchains/ describes it."""

    def __init__(self, name, profile=""):
        self.name, self.profile = name, profile
        self.label = name + (profile and "-" + profile)
        path = os.path.join(ROOT, "toolchains", name + ".mk")
        if name not in elf.ABI or not os.path.exists(path):
            sys.exit(f"cross: {name}: want one of {' '.join(elf.ABI)}")
        with open(path, encoding="utf-8") as f:
            self.fields = dict(re.findall(r"^(\w+) :=[ ]?(.*)$", f.read(), re.M))
        self.build = os.path.join(ROOT, "build", self.label)
        self.program = os.path.join(self.build, "nodepass")
        self.run = self.fields["QEMU"].split()

    def command(self, program="nodepass"):
        return [*self.run, os.path.join(self.build, program)]

    def test_model(self):
        """What make is told for tests that are larger than the program may be."""
        model = self.fields.get("TEST_MODEL")
        return ([f"MODEL={model}"], f"{self.build}-{model}") if model else ([], self.build)


def call(command, limit, cwd=ROOT, cpu=None):
    """(exit code or None, output) within `limit` seconds, and `cpu` of the processor."""
    def bound():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit, text=True, check=False,
                              preexec_fn=bound if cpu else None)
    except subprocess.TimeoutExpired as error:
        return None, (error.stdout or b"").decode(errors="replace")
    except OSError as error:
        return -1, str(error)
    return done.returncode, done.stdout


def expect(command, pattern, limit=60, code=0):
    got, output = call(command, limit)
    if got == code and re.search(pattern, output, re.M):
        return []
    return [f"exit {got}, want {code} and {pattern!r}", *output.splitlines()[-20:]]


def build(target, *goals):
    code, output = call(["make", "-s", "-j2", f"T={target.name}", f"PROFILE={target.profile}",
                         *goals], BUILD_S)
    return [] if code == 0 else [f"exit {code}", *output.splitlines()[-20:]]


def copy_sources(place, target):
    """What git knows, and the fetched sources with this target's musl."""
    for name in call(["git", "ls-files"], 60)[1].splitlines():
        source, copy = os.path.join(ROOT, name), os.path.join(place, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copy2(source, copy)
    deps = os.path.join(place, "build", "deps")
    for name in ("inih", "bearssl", "musl", os.path.join("sysroot", target.name)):
        shutil.copytree(os.path.join(ROOT, "build", "deps", name), os.path.join(deps, name),
                        symlinks=True)


def commit_time():
    """Seconds, as make takes it where git is: a copy has none, and the program knows its date."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return told or call(["git", "log", "-1", "--format=%ct"], 60)[1].strip()


def twice(target):
    """Builds the sources in another folder as well: the same bytes must come out."""
    with tempfile.TemporaryDirectory(prefix="np-twice-") as folder:
        copy = os.path.join(folder, "a-folder-of-another-length")
        copy_sources(copy, target)
        code, output = call(["make", "-s", "-j2", f"T={target.name}",
                             f"SOURCE_DATE_EPOCH={commit_time()}"], BUILD_S, copy)
        if code != 0:
            return [f"exit {code}", *output.splitlines()[-20:]]
        with open(target.program, "rb") as first, \
                open(os.path.join(copy, "build", target.name, "nodepass"), "rb") as second:
            return [] if first.read() == second.read() else ["the two programs differ"]


def unit(target):
    program = os.path.join(target.test_model()[1], "unit")
    code, output = call([*target.run, program, "--stride", UNIT_STRIDE], UNIT_S, cpu=UNIT_CPU_S)
    count = COUNT.findall(output)
    if code == 0 and count and int(count[-1][0]) > 100 and count[-1][1] == "0":
        return []
    return [f"exit {code}", *[line for line in output.splitlines() if line[:2] != "ok"][-20:]]


def refuses(command, url):
    """A build without TLS says so, once, and ends as for any wrong configuration."""
    got, output = call([*command, url], 60)
    told = [line for line in output.splitlines() if "TLS is not in this build" in line]
    return [] if got == 1 and len(told) == 1 else [f"exit {got}", *output.splitlines()[-20:]]


def check_tiny(report, target):
    """The profile `tiny`: client and server, plain, no master; within the file's TINY bytes."""
    tiny = Target(target.name, "tiny")
    start = time.monotonic()
    if not report(tiny.label, "build", build(tiny, "all"), start):
        return
    report(tiny.label, "size", elf.size(tiny.program, int(target.fields["TINY"])))
    report(tiny.label, "no TLS in it", elf.linked(tiny.program + ".map", TLS_CODE))
    for tls, other in ((1, ""), (2, "&crt=a&key=b")):
        url = f"server://key@127.0.0.1:10101/127.0.0.1:8080?tls={tls}{other}"
        report(tiny.label, f"refuses tls={tls}", refuses(tiny.command(), url))
    url = "master://127.0.0.1:9090"
    report(tiny.label, "refuses a master", expect([*tiny.command(), "--check", url], "", code=1))
    start = time.monotonic()
    wrong = traffic.carry(tiny.command(), tiny.command(), 0, TINY_DATAGRAM)
    report(tiny.label, "tunnel, tls=0", wrong, start)


def check_master(report, target):
    """What the master adds to the program, by builds without it."""
    start = time.monotonic()
    gate = [sys.executable, os.path.join(ROOT, "tests/size/master.py"), "--gate", target.name]
    report(target.name, "what the master adds", expect(gate, r"^limits: ", 3 * BUILD_S), start)


def check_file(report, target):
    report(target.name, "static, stripped", elf.static(target.program))
    report(target.name, "ABI", elf.abi(target.program, target.name))
    report(target.name, "no floating point", elf.float_helpers(target.build))
    if "COLD" in target.fields:
        report(target.name, "arithmetic not as cold code", elf.cold_arithmetic(target.build))
    wrong = elf.size(target.program, int(target.fields["GATE"]))
    if wrong and "OPTIONAL" in target.fields:
        print(f"      {target.name}: {wrong[0]}", flush=True)
    else:
        report(target.name, "size", wrong)


def check_run(report, target):
    url = "server://key@127.0.0.1:10101/127.0.0.1:8080?tls=1"
    report(target.name, "--version", expect([*target.command(), "--version"], r"^TLS: 1\.3$"))
    report(target.name, "--check", expect([*target.command(), "--check", url], ""))
    report(target.name, "--check of an error", expect(
        [*target.command(), "--check", url + "&slot=12x"], "slot=12x", code=1))
    start = time.monotonic()
    report(target.name, "master, GET /info", master.answers(target.command()), start)
    start = time.monotonic()
    report(target.name, "unit tests", unit(target), start)
    for tls in (0, 1):
        start = time.monotonic()
        wrong = traffic.carry(target.command(), target.command(), tls)
        report(target.name, f"tunnel, tls={tls}", wrong, start)


def check_pair(report, built):
    """A tunnel between two of them: big-endian MIPS serves if it is there, aarch64 is client."""
    ordered = sorted(built, key=lambda t: (not t.name.startswith("mips_"), t.name == "aarch64"))
    server, client = ordered[0], ordered[-1]
    for tls in (0, 1) if server is not client else ():
        start = time.monotonic()
        wrong = traffic.carry(server.command(), client.command(), tls)
        report(server.name, f"tunnel to {client.name}, tls={tls}", wrong, start)


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    if not names or set(sys.argv[1:]) - set(names) - {"--no-twice"}:
        sys.exit(__doc__.split("\n\n", 1)[1])
    report, built = Report(), []
    for target in [Target(name) for name in names]:
        start = time.monotonic()
        wrong = build(target, "all") or build(target, "unit-program", *target.test_model()[0])
        if not report(target.name, "build", wrong, start):
            continue
        built.append(target)
        check_file(report, target)
        if "TINY" in target.fields:
            check_tiny(report, target)
        if target.name in MASTER_ON:
            check_master(report, target)
        if "--no-twice" not in sys.argv:
            start = time.monotonic()
            report(target.name, "two builds the same", twice(target), start)
    with ThreadPoolExecutor(2) as runs:  # emulation is slow, and has one core each
        list(runs.map(lambda target: check_run(report, target), built))
    if built:
        check_pair(report, built)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
