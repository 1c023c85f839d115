# SPDX-License-Identifier: BSD-3-Clause
"""The init script under busybox ash and dash: golden cases, reloads, what it must never do."""
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.parse

import router
import uci

sys.path.insert(0, os.path.join(router.ROOT, "tests", "cross"))
import traffic  # noqa: E402

DATA = os.path.join(router.HERE, "data")
CASES = ("default", "roles", "mistakes", "jail")
QUERY_C = os.path.join(router.ROOT, "config", "query.c")
GLOBAL = "config nodepass 'global'\n\toption enabled '1'\n"


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def query_table():
    """{key: roles} of the program's table, roles as a string of S, C and M."""
    table = text_of(QUERY_C)
    table = table[table.index("options[] = {"):table.index("#define OPTION_COUNT")]
    return {name: "".join(re.findall("[SCM]", roles))
            for name, roles in re.findall(r'\{"(\w+)", ([SCM |]+), KIND_', table)}


def make_router(folder, shell, program, **more):
    place = router.Router(folder, shell, program, **more)
    crt, key = (place.path("etc/nodepass/" + name) for name in ("a & b.crt", "a.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test", "-days", "30",
                    "-out", crt, "-keyout", key], check=True, capture_output=True)
    return place


def config_of(name, place):
    path = os.path.join(DATA, name + ".uci") if name != "default" else \
        os.path.join(router.PACKAGE, "files", "nodepass.config")
    return text_of(path).replace("@ROOT@", place.root)


def lines_differing(got, want):
    got, want = got.splitlines(), want.splitlines()
    return [f"- {line}" for line in want if line not in got] + \
        [f"+ {line}" for line in got if line not in want] or ["the order of lines is another"]


def test_golden(check, place, name, write):
    if name == "jail":
        place.install_ujail()
    outcome = place.call("start", config_of(name, place))
    got = place.describe(outcome)
    path = os.path.join(DATA, name + ".golden")
    if write:
        with open(path, "w", encoding="utf-8") as f:
            f.write(got)
    want = text_of(path)
    check(f"golden {name}", got == want, lines_differing(got, want))
    check(f"{name}: no fault", not outcome.faults, outcome.faults)
    for section in outcome.instances:
        done = subprocess.run([place.program, "--check", "--url-file",
                               place.path(f"var/etc/nodepass/{section}.url")],
                              capture_output=True, text=True, check=False, timeout=20)
        check(f"{name}: URL of {section} is right", done.returncode == 0, [done.stderr])
    return outcome


def test_secrets(check, place):
    """Keys stand in files of their owner alone, and in no argument, parameter or log line."""
    outcome = place.call("start", config_of("roles", place))
    record = text_of(place.path("record"))
    leaks = [w for w in ("s3cret", "s3cret%2F", "quoted", "k%40y") if w in record]
    check("no password in arguments or log", not leaks, leaks)
    for name in outcome.instances:
        mode = stat.S_IMODE(os.stat(place.path(f"var/etc/nodepass/{name}.url")).st_mode)
        check(f"URL file of {name} is 0600", mode == 0o600, [oct(mode)])
    place.call("start", config_of("mistakes", place))
    check("no password in a reason", "not-in-the-log" not in text_of(place.path("record")))
    left = sorted(os.listdir(place.path("var/etc/nodepass")))
    want = ["cfg10abcd.url", "firewall", "good.url", "master1.url"]
    check("files of other sections are removed", left == want, [f"{left}, want {want}"])


def test_mistakes(check, place):
    """Each mistake is told by name, with its section, and the others start."""
    log = "\n".join(t for _, _, t in place.call("start", config_of("mistakes", place)).log)
    for section, word in (("global", "colour"), ("second", "global"), ("typo", "tunel"),
                          ("no_role", "role"), ("bad_role", "role=proxy"),
                          ("no_port", "tunnel_port"),
                          ("bad_port", "99999"), ("no_target", "target"),
                          ("bad_target", "target"), ("bad_rate", "rate=12x"),
                          ("bad_enabled", "want 0 or 1"), ("bad_url", "url"),
                          ("no_file", "/nonexistent/tls.crt"), ("master2", "second master"),
                          ("cfg10abcd", "no name"), ("good", "pasword")):
        found = [line for line in log.splitlines()
                 if re.search(rf"section {section}[ :]", line)]
        check(f"mistake in {section} is told", any(word in line for line in found),
              found or [f"no line for section {section}"])


def names(sections):
    return {name for _, name, _ in sections}


def test_reload(check, place):
    """Only what changed restarts."""
    base = config_of("roles", place)
    outcome, started, ended = place.reload(base)
    check("first start starts all", len(started) == len(outcome.instances) == 8, started)

    def step(what, config, want_started, want_ended=(), firewall=None):
        outcome, started, ended = place.reload(config)
        check(f"reload, {what}", started == sorted(want_started) and ended == sorted(want_ended),
              [f"started {started}, ended {ended}"] + outcome.faults)
        if firewall is not None:
            check(f"reload, {what}: the firewall is told: {firewall}",
                  (["firewall"] in outcome.changed) == firewall, outcome.changed)

    step("nothing changed", base, [], firewall=False)
    other = base.replace("option password 'a'", "option password 'b'")
    step("a password", other, ["home"], firewall=False)
    step("an option", other.replace("option max '32'", "option max '33'"), ["reverse"])
    step("and back", other, ["reverse"], firewall=False)
    closed = other.replace("\toption max '32'\n\toption open_firewall '1'", "\toption max '32'")
    step("a firewall switch restarts nothing", closed, [], firewall=True)
    gone = closed.replace("config tunnel 'zone'\n", "config tunnel 'zone'\n\toption enabled '0'\n")
    step("a section off", gone, [], ["zone"], firewall=False)
    more = gone + "\nconfig tunnel 'more'\n\toption url 'client://:8081/192.0.2.9:80?mode=1'\n"
    step("a section more", more, ["more"])
    broken = more.replace("option rate '10'", "option rate 'ten'")
    step("a mistake ends its section only", broken, [], ["home"])
    with open(place.path("etc/nodepass/a & b.crt"), "a", encoding="utf-8") as f:
        f.write("\n")
    step("a certificate file", broken, ["certificate"])
    off = broken.replace("option enabled '1'\n\toption log", "option enabled '0'\n\toption log")
    step("the global switch", off, [], sorted(place.running), firewall=True)
    check("no URL file is left", not [n for n in os.listdir(place.path("var/etc/nodepass"))
                                      if n.endswith(".url")])


def test_stop(check, place):
    config = config_of("roles", place)
    place.call("start", config)
    outcome = place.call("stop", config, "home")
    check("stop of one keeps the others' files",
          os.path.exists(place.path("var/etc/nodepass/whole.url")) and not outcome.changed,
          outcome.changed)
    outcome = place.call("stop", config)
    left = [n for n in os.listdir(place.path("var/etc/nodepass"))]
    check("stop removes URL files, closes the firewall",
          not left and outcome.changed == [["firewall"]] and not outcome.faults,
          left + outcome.faults)
    outcome = place.call("start", None)
    check("a file that can't be read: told, nothing starts",
          not outcome.instances and any("can't be read" in line[2] for line in outcome.log),
          outcome.log)
    os.unlink(place.program)
    outcome = place.call("start", config)
    check("a missing program: told, nothing starts",
          not outcome.instances and any("missing" in line[2] for line in outcome.log), outcome.log)


def test_encoding(check, place):
    """Passwords of every byte come out as they went in, and the program takes them."""
    rand = random.Random(1)
    secrets = ["".join(map(chr, range(1, 127))), "\u20ac\u00e9\U0001f511", "a" * 255, "%41"]
    raw = [bytes(range(128, 256)).decode("utf-8", "surrogateescape"), "trailing\n\n", "\n", "*",
           "[", "'\"\\"]
    secrets += raw + ["".join(chr(rand.randrange(1, 256)) for _ in range(20)) for _ in range(8)]
    config = GLOBAL
    for i, secret in enumerate(secrets):
        config += f"\nconfig tunnel 't{i}'\n\toption role 'client'\n\toption tunnel_host 'h'\n" \
            f"\toption tunnel_port '1'\n\toption target ':2'\n\toption password " \
            f"{uci.quoted(secret)}\n"
    outcome = place.call("start", config)
    wrong = []
    for i, secret in enumerate(secrets):
        if f"t{i}" not in outcome.instances:
            wrong.append(f"{secret!r} was skipped")
            continue
        key = place.url(f"t{i}").removeprefix("client://").rpartition("@")[0]
        if urllib.parse.unquote_to_bytes(key) != secret.encode("utf-8", "surrogateescape") or \
                re.search(r"[^A-Za-z0-9._~%-]", key):
            wrong.append(f"{secret!r} became {key}")
    check(f"{len(secrets)} passwords of all bytes are encoded", not wrong and not outcome.faults,
          wrong + outcome.faults + outcome.log)


def test_folders(check, place):
    """Folders on the way are for everybody, the last one for its user alone, whatever the umask."""
    for name in ("var/lib", "var/etc"):
        os.rmdir(place.path(name))
    before = os.umask(0o077)
    outcome = place.call("start", config_of("roles", place))
    os.umask(before)
    modes = {name: stat.S_IMODE(os.stat(place.path(name)).st_mode)
             for name in ("var/lib", "var/lib/nodepass", "var/etc", "var/etc/nodepass")}
    check("modes of folders", list(modes.values()) == [0o755, 0o700, 0o755, 0o711]
          and "panel" in outcome.instances, [f"{n}: {m:o}" for n, m in modes.items()])


def test_names(check):
    """The script knows the program's keys, and each of its lists the same ones."""
    script = text_of(router.INIT)
    table = list(query_table())
    listed = re.search(r'^QUERY="([^"]*)"', script, re.M).group(1).split()
    body = script[script.index("validate_tunnel() {"):]
    specs = re.findall(r"'(\w+):", body[:body.index("\n}")])
    own = ["enabled", "role", "url", "tunnel_host", "tunnel_port", "password", "target", "prefix",
           "interface", "open_firewall", "firewall_src"]
    check("keys of the script are the program's", sorted(listed) == sorted(table),
          [f"{sorted(set(listed) ^ set(table))}"])
    check("validated options are the known ones", sorted(specs) == sorted(own + listed),
          [f"{sorted(set(specs) ^ set(own + listed))}"])


def test_traffic(check, folder, program):
    """A reverse tunnel between the commands of two generated instances carries bytes."""
    if os.geteuid() == 0:
        user = "nobody"
    else:
        user = subprocess.run(["id", "-un"], capture_output=True, text=True,
                              check=True).stdout.strip()
    os.chmod(folder, 0o755)
    place = make_router(os.path.join(folder, "plain"), router.SHELLS[0], program, plain=True)
    echo = traffic.Echo()
    tunnel, visitor = traffic.free_ports(2)
    part = "\toption password 'p@ss:w/rd %'\n\toption tunnel_host '127.0.0.1'\n" \
        f"\toption tunnel_port '{tunnel}'\n"
    config = GLOBAL + f"\toption user '{user}'\n" \
        f"config tunnel 'far'\n\toption role 'server'\n{part}\toption tls '1'\n" \
        f"\toption mode '1'\n\toption max '4'\n\toption target '127.0.0.1:{visitor}'\n" \
        f"config tunnel 'near'\n\toption role 'client'\n{part}\toption tls '1'\n" \
        f"\toption mode '2'\n\toption min '2'\n\toption target '127.0.0.1:{echo.port}'\n"
    outcome = place.call("start", config)
    check("the tunnel's instances are made", sorted(outcome.instances) == ["far", "near"],
          outcome.log + outcome.faults)
    commands = [(n, i.params["command"]) for n, i in outcome.instances.items()]
    nodes = traffic.start(folder, commands, {"PATH": os.environ["PATH"]})
    try:
        address = (traffic.HOST, visitor)
        wrong = traffic.wait_up(address, nodes) or traffic.visit(address, 7)
        shown = [w for _, node in nodes
                 for w in text_of(f"/proc/{node.pid}/cmdline").split("\0") if "rd" in w]
    finally:
        ended = traffic.end(nodes)
        echo.close()
    logs = [text_of(os.path.join(folder, name))[-1500:] for name, _ in nodes] if wrong else []
    check("a generated command line carries TCP and UDP over TLS", not wrong and not ended,
          [str(wrong)] + ended + logs)
    check("its arguments have no password", not shown, shown)


def test_scope_rules(check, program):
    """The harness finds the mistakes it is there for: each is planted in a copy of the script."""
    script = text_of(router.INIT)
    for what, old, new, sign in (
            ("a leaking variable", 'local section="$1" text\n', 'local section="$1"\n', "text"),
            ("global values read as locals of the callback", "	if load_config && load_global",
             "	local log=error\n	if load_config && load_global", "log=error"),
            ("values used outside the callback", "	# shellcheck disable=SC2086\n	remove_others",
             '	echo "role is $role"\n	[ -n "$role" ] || logger -t x -p y lost\n'
             "	remove_others", "lost"),
            ("a parameter outside an instance", "	procd_open_instance \"$section\"\n",
             "	procd_set_param pidfile /x\n	procd_open_instance \"$section\"\n", "pidfile"),
            ("a password in the arguments", '"$@" --url-file "$URL_DIR/$section.url"',
             '"$@" "$url_text"', "s3cret")):
        check(f"planting {what}", script.count(old) == 1, [f"{script.count(old)} places"])
        with tempfile.TemporaryDirectory() as folder:
            init = os.path.join(folder, "planted.init")
            with open(init, "w", encoding="utf-8") as f:
                f.write(script.replace(old, new))
            place = make_router(os.path.join(folder, "r"), router.SHELLS[1], program, init=init)
            outcome = place.call("start", config_of("roles", place).replace("\toption log 'warn'\n",
                                                                            ""))
            shown = place.describe(outcome) if outcome.instances else str(outcome.faults)
            check(f"{what} is found", sign in shown, shown.splitlines()[:20])


def run(check, program, write=False):
    test_names(check)
    for shell in router.SHELLS:
        if not shutil.which(shell[0]):
            check(f"{shell[0]} is here", False, ["run tests/setup.sh"])
            continue
        def named(name, good, detail=(), shell=shell):
            check(f"{shell[0]}: {name}", good, detail)
        for name in CASES:
            with tempfile.TemporaryDirectory() as folder:
                test_golden(named, make_router(os.path.join(folder, "r"), shell, program), name,
                            write and shell is router.SHELLS[0])
        for test in (test_secrets, test_mistakes, test_reload, test_stop, test_encoding,
                     test_folders):
            with tempfile.TemporaryDirectory() as folder:
                test(named, make_router(os.path.join(folder, "r"), shell, program))
    test_scope_rules(check, program)
    with tempfile.TemporaryDirectory() as folder:
        test_traffic(check, folder, program)
