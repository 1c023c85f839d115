# SPDX-License-Identifier: BSD-3-Clause
"""Cases against Go's crypto/tls, with NodePass's settings (go/main.go)."""
import os
import shutil
import subprocess

from peers import NAME, ROOT, pattern_hash

NEEDS = ["go"]
BYTES = 3000000
PROGRAM = os.path.join(ROOT, "build/tls-go")


def build():
    if not os.path.exists(PROGRAM) and shutil.which("go"):
        env = dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOPROXY="off",
                   GOCACHE=os.path.join(ROOT, "build/go-cache"), CGO_ENABLED="0")
        subprocess.run(["go", "build", "-o", PROGRAM, "."], check=True, env=env, timeout=300,
                       cwd=os.path.join(ROOT, "tests/tls/go"))


def server_case(label, *ours, theirs=()):
    """Go serves; our client sends and receives the pattern, and ends its direction first."""
    def run(case):
        build()
        cert, key = case.certs.pair(label)
        server, port = case.listen(PROGRAM, "-serve", "PORT", "-cert", cert, "-key", key,
                                   "-bytes", BYTES, *theirs)
        client = case.pipe("-c", port, "--source", BYTES, "--sink", BYTES, *ours)
        assert client.wait() == 0, client.stderr()
        assert server.wait() == 0, server.stderr()
        assert pattern_hash(BYTES) in server.stdout().decode(), server.stdout()
    return run


def client_case(label, *theirs, ours=()):
    def run(case):
        build()
        cert, key = case.certs.pair(label)
        server, port = case.serve("--cert", cert, "--key", key, "--source", BYTES, "--sink",
                                  BYTES, *ours)
        client = case.program(PROGRAM, "-dial", f"127.0.0.1:{port}", "-bytes", BYTES, *theirs)
        assert client.wait() == 0, client.stderr()
        assert server.wait() == 0, server.stderr()
        assert pattern_hash(BYTES) in client.stdout().decode(), client.stdout()
    return run


def verified(case_run):
    """Adds the CA, which is known only when the case runs."""
    def run(case):
        return case_run(case)(case)
    return run


def refused(case):
    build()
    cert, key = case.certs.pair("othername")
    server, port = case.serve("--cert", cert, "--key", key, "--source", 10)
    client = case.program(PROGRAM, "-dial", f"127.0.0.1:{port}", "-bytes", 10, "-ca",
                          case.certs.path("root.pem"), "-name", NAME)
    assert client.wait() != 0
    assert server.wait() == 1
    assert "bad_certificate" in server.stderr(), server.stderr()


def cases():
    yield "go-server-tls1", server_case("p256")
    for suite in ("1301", "1302", "1303"):
        yield f"go-server-{suite}", server_case("p256", "--suites", suite)
        yield f"go-client-{suite}", client_case("p256", ours=["--suites", suite])
    yield "go-server-hrr", server_case("p256", theirs=["-p256"])
    yield "go-client-hrr", client_case("p256", ours=["--groups", "17"])
    yield "go-client-tls1", client_case("p256")
    yield "go-client-rsa", client_case("rsa2048")
    yield "go-server-verified", verified(lambda case: server_case(
        "rsa2048", "--ca", case.certs.path("root.pem"), "--name", NAME))
    yield "go-client-verified", verified(lambda case: client_case(
        "p384", "-ca", case.certs.path("root.pem"), "-name", NAME))
    yield "go-client-selfsigned", go_selfsigned
    yield "go-client-refuses-name", refused


def go_selfsigned(case):
    """The certificate that our server makes for itself passes Go's strict parser."""
    build()
    server, port = case.serve("--source", BYTES, "--sink", BYTES)
    client = case.program(PROGRAM, "-dial", f"127.0.0.1:{port}", "-bytes", BYTES)
    assert client.wait() == 0, client.stderr()
    assert server.wait() == 0, server.stderr()
