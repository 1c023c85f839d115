# SPDX-License-Identifier: BSD-3-Clause
"""The master: answers a second beside a transfer, memory of idle tunnels, events to many."""
import http.client
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import threading
import time

import measure
import probe
from peers import Relay

MBPS = 1000         # of the transfer
INSTANCES = 20
IDLE_INSTANCES = 10
SUBSCRIBERS = 200   # one of them never reads
SPREAD_S = 10
CONNECTIONS = 4     # of wrk


def configuration(bench, api, entry, target, idle):
    """A master with one instance for the transfer (entry not 0) and `idle` servers, as an INI
    file's text."""
    text = f"[master]\ntunnel = 127.0.0.1:{api}\nstate = {bench.folder}/state-{api}\n"
    if entry:
        text += (f"[instance load]\nurl = client://127.0.0.1:{entry}/127.0.0.1:{target}"
                 f"?mode=1&slot=0&rate={MBPS}\n")
    for number in range(idle):
        text += (f"[instance idle{number}]\nurl = server://bench@127.0.0.1:{bench.port()}"
                 f"/127.0.0.1:{bench.port()}?mode=1\n")
    return text


class Master(Relay):
    """A master that serves the API at self.api; its entry is one instance's."""

    def __init__(self, bench, name, idle, has_load=True):
        self.api, self.idle, self.has_load = bench.port(), idle, has_load
        super().__init__(bench, name, 1, self.make, "nodepass")

    def make(self, bench, entry, target):
        entry = entry if self.has_load else 0
        path = bench.write(f"master-{self.api}.ini",
                           configuration(bench, self.api, entry, target, self.idle))
        return [[bench.nodepass, "-c", path]]

    def wait_ready(self):
        wanted = self.entry
        self.entry = wanted if self.has_load else self.api
        super().wait_ready()
        self.entry = wanted

    def key(self):
        with open(os.path.join(self.bench.folder, f"{self.entry}-0.log"), encoding="utf-8") as file:
            return re.search(r"API Key \w+: (\w+)", file.read()).group(1)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=10)
        connection.request(method, "/api/v1" + path, body and json.dumps(body),
                           {"X-API-Key": self.key()})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply.status} {text.decode()}")
        return json.loads(text) if text else None


# ---- answers ------------------------------------------------------------------------------------

def wrk(relay, seconds):
    """Answers to GET /instances: a second, and the 99th percentile of their time in ms."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-H",
         "X-API-Key: " + relay.key(), f"http://127.0.0.1:{relay.api}/api/v1/instances"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done:
        raise RuntimeError("answers that are none: " + done)
    late = re.search(r"99%\s+([0-9.]+)(us|ms|s)", done)
    factor = {"us": 0.001, "ms": 1, "s": 1000}[late.group(2)]
    return {"per_s": float(re.search(r"Requests/sec:\s+([0-9.]+)", done).group(1)),
            "p99_ms": float(late.group(1)) * factor}


def transfer(relay, time_ms):
    return measure.limited_rate(relay, 1, "up", time_ms, 2500)


def both(relay, seconds):
    """Answers while the transfer runs, and its Mbps meanwhile."""
    found = {}
    thread = threading.Thread(target=lambda: found.update(wrk(relay, seconds + 1)))
    timer = threading.Timer(2.0, thread.start)  # the burst of the limit is over then
    timer.start()
    found["mbps"] = transfer(relay, seconds * 1000)
    timer.join()
    thread.join()
    return found


# ---- events -------------------------------------------------------------------------------------

def subscribe(relay):
    sock = socket.create_connection(("127.0.0.1", relay.api), 10)
    sock.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: m\r\nX-API-Key: {relay.key()}\r\n\r\n"
                 .encode())
    return sock


def spread(relay, socks, alias, instance):
    """Ms until each of `socks` has the event that tells of a new name, SPREAD_S at most."""
    want, missing = f'"alias":"{alias}"'.encode(), {sock: b"" for sock in socks}
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        began = time.monotonic()
        asking = threading.Thread(target=relay.ask,
                                  args=("PATCH", "/instances/" + instance, {"alias": alias}))
        asking.start()
        while missing:
            if time.monotonic() - began > SPREAD_S:
                raise RuntimeError(f"{len(missing)} subscribers did not hear of {alias}")
            for key, _ in selector.select(1):
                sock = key.fileobj
                tail = missing.get(sock, b"") + sock.recv(262144)
                if sock in missing and want in tail:
                    del missing[sock]
                elif sock in missing:
                    missing[sock] = tail[-len(want):]
        spent = (time.monotonic() - began) * 1000
    asking.join()
    return spent


def events(relay, rounds):
    """(ms an event takes to reach all but the one who never reads, KB that all of them cost)"""
    before = probe.memory_kb(relay.pids())[0]
    tunnel, target = relay.bench.port(), relay.bench.port()
    url = f"server://bench@127.0.0.1:{tunnel}/127.0.0.1:{target}?mode=1"
    instance = relay.ask("POST", "/instances", {"url": url})["id"]  # those of the file keep theirs
    socks = [subscribe(relay) for _ in range(SUBSCRIBERS)]
    try:
        time.sleep(1.0)
        spent = [spread(relay, socks[1:], f"name{n}", instance) for n in range(rounds)]
        return {"ms": sorted(spent)[len(spent) // 2], "most_ms": max(spent),
                "kb": probe.memory_kb(relay.pids())[0] - before}
    finally:
        for sock in socks:
            sock.close()


# ---- the part of a run --------------------------------------------------------------------------

def run(bench, plan, results, running):
    relay = Master(bench, "nodepass master", INSTANCES - 1)
    quiet = Master(bench.with_program(bench.nodepass_musl), "nodepass static master",
                   IDLE_INSTANCES, has_load=False)
    with running([relay, quiet], results) as relays:
        for turn in range(plan.rounds if relay in relays else 0):
            if shutil.which("wrk") is None:
                results.fail(relay, RuntimeError("wrk is not installed"))
            results.add(relay, "answers", lambda: wrk(relay, 3))
            results.add(relay, "transfer", lambda: transfer(relay, 3000))
            results.add(relay, "both", lambda: both(relay, 3))
            print(f"  master: round {turn + 1} of {plan.rounds}", flush=True)
        if relay in relays:
            results.add(relay, "events", lambda: events(relay, 10))
        if quiet in relays:
            results.add(quiet, "idle", lambda: probe.memory_kb(quiet.pids())[0])
    results["pages"] = {"bytes": [page_bytes(bench)]}
    return results


def page_bytes(bench):
    """The two pages for people, as they travel."""
    folder = os.path.join(os.path.dirname(os.path.dirname(bench.tools)), "build", "web")
    return sum(os.path.getsize(os.path.join(folder, name + ".html.gz"))
               for name in ("panel", "docs"))
