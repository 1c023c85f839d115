# SPDX-License-Identifier: BSD-3-Clause
"""A router without a device: runs the init script under rc.sh, and does with what it recorded what
procd would do."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

import uci

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.join(ROOT, "port", "openwrt", "nodepass")
INIT = os.path.join(PACKAGE, "files", "nodepass.init")
SHELLS = (["busybox", "ash"], ["dash"])
PARAMS = {"command", "env", "file", "netdev", "respawn", "term_timeout", "stdout", "stderr",
          "limits", "user", "group", "no_new_privs", "capabilities"}
# What procd compares; a change of the service data alone restarts nothing.
COMPARED = ("command", "env", "netdev", "respawn", "term_timeout", "limits", "user", "group",
            "no_new_privs", "capabilities", "jail", "mounts")
# The user of the package is not on this machine: the program is told nothing of it.
WRAPPER = """#!/bin/bash
kept=()
while [ $# -gt 0 ]; do
    if [ "$1" = --user ] && [ "$2" = nodepass ]; then shift; else kept+=("$1"); fi
    shift
done
exec %s "${kept[@]}"
"""


class Instance:
    """One procd instance: its parameters as lists of words."""

    def __init__(self, name):
        self.name, self.params, self.data, self.mounts, self.jail = name, {}, [], [], None

    def digest(self):
        """What procd compares: parameters, and the content of the files."""
        files = []
        for path in self.params.get("file", []):
            with open(path, "rb") as f:
                files.append((path, hashlib.md5(f.read()).hexdigest()))
        return [self.params.get(k, getattr(self, k, None)) for k in COMPARED], files


class Outcome:
    """What one call of the init script did."""

    def __init__(self):
        self.instances, self.log, self.triggers = {}, [], []
        self.changed, self.chown, self.faults, self.order = [], [], [], None


def collect(text):
    outcome, inst = Outcome(), None
    for line in filter(None, text.split("\036")):
        word, *rest = line.split("\037")
        if word == "instance":
            if rest[0] in outcome.instances:
                outcome.faults.append(f"instance {rest[0]} twice")
            inst = outcome.instances[rest[0]] = Instance(rest[0])
        elif inst is None and word in ("set", "append", "json", "jail", "mount"):
            outcome.faults.append(f"outside an instance: {' '.join(rest)}")
        elif word in ("set", "append"):
            if rest[0] not in PARAMS:
                outcome.faults.append(f"procd knows no parameter {rest[0]}")
            if word == "set":
                inst.params[rest[0]] = rest[1:]
            else:
                inst.params.setdefault(rest[0], []).extend(rest[1:])
        elif word == "json":
            inst.data.append(rest)
        elif word == "jail":
            inst.jail = rest
        elif word == "mount":
            inst.mounts.append(rest)
        elif word == "trigger":
            outcome.triggers.append(rest)
        elif word == "fault":
            outcome.faults.append(rest[0])
        elif word == "order":
            outcome.order = rest
        elif word in ("log", "changed", "chown"):
            getattr(outcome, word).append(rest)
    return outcome


def firewall_rules(data):
    """[{...}] of the service data that fw4 reads; ValueError if its form is another."""
    if not data:
        return []
    if data[0] != ["array", "firewall"] or data[-1] != ["end", "array"]:
        raise ValueError("want one array `firewall`")
    rules, rule = [], None
    for item in data[1:-1]:
        if item[0] == "object" and rule is None:
            rule = {}
        elif item[0] == "string" and rule is not None:
            rule[item[1]] = item[2]
        elif item == ["end", "object"] and rule is not None:
            rules, rule = rules + [rule], None
        else:
            raise ValueError(f"not expected: {item}")
    return rules


class Router:
    """A folder that stands for /, with the init script for it."""

    def __init__(self, folder, shell, program, init=INIT, plain=False):
        self.root, self.shell, self.running = folder, shell, {}
        for name in ("usr/bin", "var/etc", "var/lib", "etc/nodepass", "sbin"):
            os.makedirs(os.path.join(folder, name))
        self.program = os.path.join(folder, "usr/bin/nodepass")
        if plain:
            os.symlink(os.path.abspath(program), self.program)
        else:
            with open(self.program, "w", encoding="utf-8") as f:
                f.write(WRAPPER % os.path.abspath(program))
            os.chmod(self.program, 0o755)
        with open(os.path.join(folder, "sbin/network.sh"), "w", encoding="utf-8") as f:
            f.write('network_get_device() { [ "$2" = wan ] && eval "$1=pppoe-wan"; }\n')
        self.init = os.path.join(folder, "nodepass.init")
        with open(init, encoding="utf-8") as f:
            text = f.read()
        for name, path in (("PROG", "usr/bin/nodepass"), ("URL_DIR", "var/etc/nodepass"),
                           ("RAM_STATE", "var/lib/nodepass"), ("UJAIL", "sbin/ujail"),
                           ("FLASH_STATE", "etc/nodepass/state"),
                           ("NETWORK_LIB", "sbin/network.sh")):
            before, line, after = text.partition(f"\n{name}=/")
            if not line:
                raise ValueError(f"{INIT}: {name}= is not there")
            text = f"{before}\n{name}={folder}/{path}\n{after.split(chr(10), 1)[1]}"
        with open(self.init, "w", encoding="utf-8") as f:
            f.write(text)

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def install_ujail(self):
        shutil.copy("/bin/true", self.path("sbin/ujail"))

    def call(self, action, config=None, *arguments):
        """Runs the script with a configuration (None: it can't be read)."""
        record, shell = self.path("record"), self.path("config.sh")
        source = self.path("config.uci")
        for name in (record, shell, source):
            if os.path.exists(name):
                os.unlink(name)
        if config is not None:
            with open(source, "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
                f.write(config)
            with open(shell, "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
                f.write(uci.as_shell(uci.read(config)))
        env = {"PATH": os.environ["PATH"], "STUB_INIT": self.init, "STUB_RECORD": record,
               "STUB_CONFIG": shell,
               "STUB_VALIDATE": f"{sys.executable} {HERE}/uci.py validate {source}"}
        done = subprocess.run([*self.shell, os.path.join(HERE, "rc.sh"), action, *arguments],
                              env=env, capture_output=True, timeout=120, check=False)
        with open(record, encoding="utf-8", errors="surrogateescape") as f:
            outcome = collect(f.read())
        for text in (done.stdout + done.stderr).decode(errors="replace").splitlines():
            outcome.faults.append(f"printed: {text}")
        return outcome

    def reload(self, config):
        """(outcome, names of instances that procd would start anew, names that it would end)"""
        outcome = self.call("reload", config)
        now = {name: inst.digest() for name, inst in outcome.instances.items()}
        started = sorted(n for n, digest in now.items() if self.running.get(n) != digest)
        ended = sorted(set(self.running) - set(now))
        self.running = now
        return outcome, started, ended

    def url(self, name):
        with open(self.path(f"var/etc/nodepass/{name}.url"), encoding="utf-8") as f:
            return f.read().rstrip("\n")

    def describe(self, outcome):
        """The outcome as text, paths as on a router."""
        lines = [f"log {priority} {text}" for _, priority, text in outcome.log]
        for name, inst in outcome.instances.items():
            lines += ["", f"instance {name}"]
            lines.append(f"  url {self.url(name)}")
            for param in sorted(inst.params):
                lines.append(f"  {param} {' '.join(inst.params[param])}")
            lines += [f"  jail {' '.join(inst.jail)}"] if inst.jail else []
            lines += [f"  mount {' '.join(m)}" for m in inst.mounts if "/etc/" not in m[1]
                      or m[1].startswith(self.root)]
            for rule in firewall_rules(inst.data):
                lines.append("  firewall " + " ".join(f"{k}={v}" for k, v in rule.items()))
        lines += [""] + [f"trigger {' '.join(t)}" for t in outcome.triggers]
        lines += [f"changed {' '.join(c)}" for c in outcome.changed]
        lines += [f"chown {' '.join(c)}" for c in outcome.chown]
        lines += [f"FAULT {text}" for text in outcome.faults]
        text = "\n".join(lines).replace(self.root, "").strip() + "\n"
        return re.sub(r"(/nonexistent/[\w.]+: ).*", r"\1<the system's reason>", text)
