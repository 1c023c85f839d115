# SPDX-License-Identifier: BSD-3-Clause
"""A master that answers GET /info and keeps its state; one program, maybe emulated."""
import contextlib
import json
import os
import tempfile
import time
import urllib.error
import urllib.request

from traffic import HOST, START_S, end, free_ports, start


def key_in(log):
    """The API key that a master tells once, at its first start, or None."""
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            if "API Key created:" in line:
                return line.split("API Key created:")[1].split()[0]
    return None


def ask(port, key):
    """What is wrong with GET /info, or None."""
    request = urllib.request.Request(f"http://{HOST}:{port}/api/v1/info",
                                     headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=20) as reply:
        info = json.load(reply)
    missing = {"os", "arch", "ver", "name", "uptime", "log", "tls"} - set(info)
    return f"GET /info lacks {' '.join(sorted(missing))}: {info}" if missing else None


def ask_until(port, log, node):
    """As ask, of a master that is still starting."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and node.poll() is None:
        key = key_in(log)
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if key:
                return ask(port, key)
        time.sleep(0.3)
    return f"no answer within {START_S} s, or it ended"


def answers(command):
    """Starts the command as a master, asks it and ends it. Returns what is wrong."""
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        url = f"master://{HOST}:{port}?state={folder}/state"
        nodes = start(folder, (("master", [*command, url]),), None)
        log = os.path.join(folder, "master")
        try:
            wrong = [ask_until(port, log, nodes[0][1])]
        except (OSError, ValueError) as error:
            wrong = [str(error)]
        finally:
            ended = end(nodes)
        wrong = [w for w in wrong if w] + ended
        if wrong:
            with open(log, encoding="utf-8", errors="replace") as f:
                wrong += [f"  {line}" for line in f.read().splitlines()[-12:]]
    return wrong
