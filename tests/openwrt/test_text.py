# SPDX-License-Identifier: BSD-3-Clause
"""Form: shellcheck and `ash -n` of the router's scripts, JSON, the systemd unit, the image file."""
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile

import router

OPENWRT = os.path.join(router.ROOT, "port", "openwrt")
DOCKER = os.path.join(router.ROOT, "port", "docker")
FAKE_ENGINE = """#!/bin/sh
[ "$1" = info ] && exit 0
for folder; do :; done
echo "$@" > "$OUT/words"
cp -r "$folder" "$OUT/context"
"""


def call(*command, **more):
    """(exit code, output) of a command; 127 if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                              **more)
    except FileNotFoundError as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def test_shell(check):
    test = os.path.join(router.PACKAGE, "test.sh")
    for path in (router.INIT, test, os.path.join(router.HERE, "rc.sh")):
        name = os.path.basename(path)
        code, output = call("shellcheck", "-s", "dash", "-S", "style" if path == router.INIT
                            else "warning", path)
        check(f"shellcheck -s dash {name}", code == 0, [output])
        code, output = call("busybox", "ash", "-n", path)
        check(f"busybox ash -n {name}", code == 0, [output])
    with tempfile.NamedTemporaryFile("w", suffix=".init") as f:
        with open(router.INIT, encoding="utf-8") as source:
            f.write(source.read() + "\nif true; then\n")
        f.flush()
        check("ash -n finds an error", call("busybox", "ash", "-n", f.name)[0] != 0)


def test_json(check):
    paths = glob.glob(OPENWRT + "/**/*.json", recursive=True)
    for path in paths:
        with open(path, encoding="utf-8") as f:
            found = json.load(f)
        check(f"{os.path.basename(path)} is JSON", isinstance(found, dict))
        if path.endswith("capabilities.json"):
            check("capabilities: low ports and nothing else", set(found) == {
                "bounding", "effective", "ambient", "permitted", "inheritable"} and all(
                    v == ["CAP_NET_BIND_SERVICE"] for v in found.values()), [found])
    check("three JSON files", len(paths) == 3, paths)


def test_unit(check, program):
    if not shutil.which("systemd-analyze"):
        check("systemd-analyze is here", False, ["run tests/setup.sh"])
        return
    with open(os.path.join(router.ROOT, "port/systemd/nodepass.service"), encoding="utf-8") as f:
        text = f.read()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "nodepass.service")

        def verify(unit):
            unit = re.sub(r"^Documentation=.*", "", unit, flags=re.M)
            with open(path, "w", encoding="utf-8") as f:
                f.write(unit.replace("@PREFIX@/bin/nodepass", program))
            return [line for line in call("systemd-analyze", "verify", path)[1].splitlines()
                    if "nodepass.service" in line]
        wrong = verify(text)
        check("the systemd unit is valid", not wrong, wrong)
        check("a wrong unit is found", verify(text.replace("Restart=on-failure", "Restart=maybe")))


def test_image(check, program):
    """build.sh under an engine that notes what it is given; none answers: one clear line."""
    script = os.path.join(DOCKER, "build.sh")
    with tempfile.TemporaryDirectory() as folder:
        engine = os.path.join(folder, "docker")
        with open(engine, "w", encoding="utf-8") as f:
            f.write(FAKE_ENGINE)
        os.chmod(engine, 0o755)
        env = {"PATH": f"{folder}:{os.environ['PATH']}", "OUT": folder}
        code, output = call("sh", script, program, "np:test", env=env)
        context = os.path.join(folder, "context")
        found = {n: stat.S_IMODE(os.stat(os.path.join(context, n)).st_mode)
                 for n in sorted(os.listdir(context))} if code == 0 else {}
        check("image: context holds program, state and Dockerfile",
              sorted(found) == ["Dockerfile", "nodepass", "state"] and found["nodepass"] == 0o755,
              [output, found])
        with open(os.path.join(DOCKER, "Dockerfile"), encoding="utf-8") as f:
            lines = [line.split() for line in f.read().splitlines() if line[:1] not in ("", "#")]
        sources = {w[-2] for w in lines if w[0] == "COPY"}
        check("image: from scratch, not as root, copies what is there",
              lines[0] == ["FROM", "scratch"] and ["USER", "65534:65534"] in lines
              and sources == set(found) - {"Dockerfile"}, lines)
        code, output = call("sh", script, os.path.join(folder, "none"), env=env)
        check("image: a missing program is told", code == 1 and output.count("\n") == 1, [output])
        with open(engine, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexit 1\n")
        code, output = call("sh", script, program, env=dict(env, NP_ENGINE="docker"))
        check("image: no engine: one line that says what to do",
              code == 3 and output.count("\n") == 1 and "start one" in output, [output])
    code, output = call("sh", script, program, "nodepass:test")
    if code != 3:  # an engine runs here
        engine = "docker" if call("docker", "info")[0] == 0 else "podman"
        ran, shown = call(engine, "run", "--rm", "nodepass:test", "--version")
        call(engine, "rmi", "nodepass:test")
        check("image: built by a real engine, runs", code == 0 and ran == 0
              and "Version: v" in shown, [output, shown])


def run(check, program, write=False):
    del write
    test_shell(check)
    test_json(check)
    test_unit(check, program)
    test_image(check, program)
