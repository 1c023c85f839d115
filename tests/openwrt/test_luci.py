# SPDX-License-Identifier: BSD-3-Clause
"""The LuCI view in node and in Chromium (luci.mjs), with the names that it must have; and that a
wrong name is found."""
import json
import os
import re
import subprocess
import tempfile

import router
import test_init

VIEW = os.path.join(router.ROOT, "port", "openwrt", "luci-app-nodepass", "htdocs", "luci-static",
                    "resources", "view", "nodepass", "tunnels.js")
LINE = re.compile(r"^(ok  |FAIL) (.*?) \([\d.]+ s\)$", re.M)


def facts():
    script = test_init.text_of(router.INIT)
    words = {name: re.findall(rf'^{name}="([^"]*)"', script, re.M)
             for name in ("QUERY", "GLOBAL", "TUNNEL")}
    tunnel = " ".join(words["TUNNEL"] + words["QUERY"]).split()
    return {"query": test_init.query_table(), "global": words["GLOBAL"][0].split(),
            "tunnel": [w for w in tunnel if not w.startswith("$")]}


def run_view(pattern="", view=VIEW):
    env = dict(os.environ, NP_LUCI_FACTS=json.dumps(facts()), NP_LUCI_VIEW=view)
    command = ["node", os.path.join(router.HERE, "luci.mjs")] + [pattern] * bool(pattern)
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=200,
                          check=False)
    return LINE.findall(done.stdout), done.stdout + done.stderr


def test_planted(check):
    """The view's mistakes are found: each is planted in a copy."""
    source = test_init.text_of(VIEW)
    for what, old, new in (
            ("a renamed option", "'noudp'", "'no_udp'"),
            ("a wrong role", "'sni', CLIENT", "'sni', SERVER"),
            ("an option that nobody reads", "		addMore(s);\n",
             "		addMore(s);\n		s.option(form.Value, 'colour', 'x');\n"),
            ("HTML from a string", "'data-np-state': section }, [state[1]]);",
             "'data-np-state': section }, state[1]);"),
            ("a call that is not granted", "['-e', 'CHECK_POINT']", "['-f']")):
        check(f"planting {what}", source.count(old) == 1, [source.count(old)])
        with tempfile.NamedTemporaryFile("w", suffix=".js", encoding="utf-8") as f:
            f.write(source.replace(old, new))
            f.flush()
            found, output = run_view("^(its options|each key|it calls|state and)", f.name)
        if what == "HTML from a string":
            check(f"{what} is found", "HTML" in output or any(w == "FAIL" for w, _ in found))
        else:
            check(f"{what} is found", any(w == "FAIL" for w, _ in found), [output])


def run(check, program, write=False):
    del program, write
    found, output = run_view()
    for word, name in found:
        check(f"luci: {name}", word == "ok  ", output.split("FAIL")[1:])
    check("luci: all tests ran", len(found) >= 11, [output])
    test_planted(check)
