#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The documents hold what they promise: every URL and INI file shown is accepted by the program,
every path named exists, every make goal named is one, every option and variable is documented, the
platform contract counts its functions, a board has ten at most.
Usage: tests/docs.py [PROGRAM]"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXTS = ("README.md", "DEVELOPING.md", "port/posix/nodepass.1")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
URL = re.compile(r"nodepass\s+'((?:server|client)://[^']+)'")
PATH = re.compile(r"`((?:core|config|platform|port|tests|toolchains)/[\w./*,-]*)`")
GOAL = re.compile(r"`make ([a-z-]+)\b|^make ([a-z-]+)", re.M)


class Report:
    """Runs the program in `folder`, where the files of the examples are."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.passed = self.failed = 0

    def note(self, good, text, detail=""):
        self.passed += 1 if good else 0
        self.failed += 0 if good else 1
        if not good:
            print(f"FAIL  {text}" + (f"\n      {detail.strip()}" if detail else ""))

    def run(self, where, *arguments):
        env = {k: v for k, v in os.environ.items() if not k.startswith("NP_")}
        done = subprocess.run([self.program, "--check", *arguments], capture_output=True, text=True,
                              check=False, env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                              timeout=20)
        output = done.stdout + done.stderr
        warned = " WARN " in output or "warning" in output.lower()
        self.note(done.returncode == 0 and not warned, f"{where}: {' '.join(arguments)}", output)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def make_pair(folder, crt, key):
    """A certificate and its key under the names of an example."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=docs", "-days", "30",
                    "-out", crt, "-keyout", key], cwd=folder, check=True, capture_output=True)


def check_urls(report, path, text):
    for url in URL.findall(text):
        pair = re.search(r"[?&]crt=([\w.]+)&key=([\w.]+)", url)
        if pair:
            make_pair(report.folder, *pair.groups())
        bundle = re.search(r"[?&]ca=([\w.]+)", url)
        if bundle:
            make_pair(report.folder, bundle.group(1), bundle.group(1) + ".key")
        report.run(path, url.replace("sha256:...", "sha256:" + "0123456789abcdef" * 4))


def write_private(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as f:
        f.write(text)


def check_example(report):
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "nodepass.ini")
        write_private(name, read("config/nodepass.ini"))
        report.run("config/nodepass.ini", "-c", name)


def check_ini_blocks(report, path, text):
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, body) in enumerate(BLOCK.findall(text)):
            if kind == "ini":
                name = os.path.join(folder, f"block{number}.ini")
                write_private(name, body)
                report.run(path, "-c", name)


def check_paths(report, path, text):
    for named in sorted(set(PATH.findall(text))):
        report.note(bool(glob.glob(os.path.join(ROOT, named))), f"{path}: {named} does not exist")


def check_goals(report, path, text):
    makefiles = ["Makefile", "tests/tests.mk", *glob.glob("toolchains/*.mk", root_dir=ROOT),
                 *glob.glob("port/*/*.mk", root_dir=ROOT)]
    goals = set(re.findall(r"^([a-z][a-z -]*):", "\n".join(map(read, makefiles)), re.M))
    goals = {word for line in goals for word in line.split()}
    for pair in sorted(set(GOAL.findall(text))):
        goal = pair[0] or pair[1]
        report.note(goal in goals, f"{path}: make {goal} is no goal")


def roles_of(text):
    return {"S": "server", "C": "client", "M": "master"}[text]


def check_options(report):
    """Each option of the query table and each variable is where users look for it."""
    manual, readme = read("port/posix/nodepass.1"), read("README.md")
    text, completion = read("port/posix/text.c"), read("port/posix/nodepass.bash")
    completion = dict(re.findall(r"^\s+(\S+)\) keys=\"([^\"]+)\"", completion, re.M))
    panel = set(re.findall(r'name: "(\w+)"', read("core/master/web/url.js")))
    options = re.findall(r'^    \{"(\w+)", ([SCM |]+), KIND_', read("config/query.c"), re.M)
    report.note(len(options) >= 18, f"only {len(options)} options found in config/query.c")
    for name, letters in options:
        roles = [roles_of(letter) for letter in letters.split(" | ")]
        for role in roles:
            keys = completion["*" if role == "master" else role + "://*"].split()
            report.note(name in keys, f"nodepass.bash: {role} lacks {name}")
        report.note(re.search(rf"`{name}`", readme), f"README.md: {name} is missing")
        report.note(re.search(rf"^\.(It )?Cm .*\b{name}\b", manual, re.M),
                    f"nodepass.1: {name} is missing")
        report.note(roles == ["master"] or f"{name}=" in text, f"--help: {name} is missing")
        # In a panel an instance's mem= would have no effect: it counts at the start of a process.
        report.note((name in panel) == (roles != ["master"] and name != "mem"),
                    f"core/master/web/url.js and the query table differ on {name}")
    for name in re.findall(r'^    \{"(\w+)", KIND_\w+, true,', read("config/env.c"), re.M):
        for path in ("README.md", "port/posix/nodepass.1"):
            report.note("NP_" + name.upper() in read(path), f"{path}: NP_{name.upper()} is missing")


def check_contract_count(report):
    text = read("platform/np_plat.h")
    told = re.search(r"Counted functions: (\d+)\.", text)
    found = len(re.findall(r"^[\w ]+ \*?np_plat_\w+\(", text, re.M))
    report.note(told and int(told.group(1)) == found, f"platform/np_plat.h has {found} functions")


def check_board(report):
    found = re.findall(r"^[\w ]+ \*?(np_board_\w+)\(", read("platform/lwip/np_board.h"), re.M)
    told = re.findall(r"^\| `(np_board_\w+)` \|", read("platform/lwip/PORTING.md"), re.M)
    report.note(len(found) <= 10, f"platform/lwip/np_board.h has {len(found)} functions")
    report.note(found == told, f"platform/lwip/PORTING.md: {set(found) ^ set(told)} or their order")


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/nodepass")
    with tempfile.TemporaryDirectory() as folder:
        report = Report(program, folder)
        for path in TEXTS:
            text = read(path)
            check_urls(report, path, text)
            check_ini_blocks(report, path, text)
            check_paths(report, path, text)
            check_goals(report, path, text)
        check_example(report)
        check_contract_count(report)
        check_board(report)
        check_options(report)
    urls = sum(len(URL.findall(read(path))) for path in TEXTS)
    report.note(urls >= 8, f"only {urls} URLs found: the patterns of this test no longer fit")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
