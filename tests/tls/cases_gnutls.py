# SPDX-License-Identifier: BSD-3-Clause
"""Cases against GnuTLS."""
from peers import NAME, PSK, pattern

NEEDS = ["gnutls-cli", "gnutls-serv"]
BASE = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
CIPHERS = {"TLS_AES_128_GCM_SHA256": "AES-128-GCM", "TLS_AES_256_GCM_SHA384": "AES-256-GCM",
           "TLS_CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305"}
GROUPS = {"001d": "X25519", "0017": "SECP256R1"}
BYTES = 60000


def priority(suite, group):
    return f"{BASE}:-CIPHER-ALL:+{CIPHERS[suite]}:-GROUP-ALL:+GROUP-{GROUPS[group]}"


def serv(case, rules, *extra):
    cert, key = case.certs.pair("p256")
    return case.listen("gnutls-serv", "--port", "PORT", "--echo", "--x509certfile", cert,
                       "--x509keyfile", key, "--priority", rules, *extra)


def server_case(suite, group, *ours, theirs=()):
    """gnutls-serv echoes what our client sends, and asks for a client certificate by default."""
    def run(case):
        _, port = serv(case, priority(suite, group), *theirs)
        client = case.pipe("-c", port, "--ca", case.certs.path("root.pem"), "--name", NAME,
                           "--source", BYTES, "--sink", BYTES, "--close-last", *ours)
        assert client.wait() == 0, client.stderr()
        assert f"open {suite} group={group}" in client.stderr(), client.stderr()
    return run


def client_case(suite, group, ours="1d,17", theirs=(), extra=(), count=BYTES):
    def run(case):
        cert, key = case.certs.pair("p256")
        server, port = case.serve("--cert", cert, "--key", key, "--echo", "--groups", ours, *extra)
        rules = priority(suite, group) if group else f"{BASE}:-CIPHER-ALL:+{CIPHERS[suite]}"
        client = case.program("gnutls-cli", "--logfile", "log", "--x509cafile",
                              case.certs.path("root.pem"), "--verify-hostname", NAME,
                              "--sni-hostname", NAME, "--port", port, "--priority", rules,
                              *theirs, "127.0.0.1")
        server.wait_text("open ")
        client.write(pattern(count))
        client.wait_count(count)  # it drops what comes after the end of its input
        client.close()
        assert client.wait() == 0, client.stderr()
        assert server.wait() == 0, server.stderr()
        assert f"open {suite}" in server.stderr(), server.stderr()
        assert client.stdout() == pattern(count), f"{len(client.stdout())} bytes came back"
    return run


def psk_server(case):
    with open(case.dir + "/psk.txt", "w", encoding="ascii") as f:
        f.write(f"Client_identity:{PSK}\n")
    _, port = case.listen("gnutls-serv", "--port", "PORT", "--echo", "--pskpasswd",
                          case.dir + "/psk.txt", "--priority", BASE + ":+ECDHE-PSK:+PSK:+DHE-PSK")
    client = case.pipe("-c", port, "--psk", PSK, "--source", BYTES, "--sink", BYTES,
                       "--close-last")
    assert client.wait() == 0, client.stderr()
    assert "psk=1" in client.stderr()


def psk_client(case):
    server, port = case.serve("--psk", PSK, "--psk-modes", 3, "--echo")
    client = case.program("gnutls-cli", "--logfile", "log", "--pskusername", "Client_identity",
                          "--pskkey", PSK, "--port", port, "--priority",
                          BASE + ":+ECDHE-PSK:+PSK:+DHE-PSK", "127.0.0.1")
    server.wait_text("open ")
    assert "psk=1" in server.stderr()
    client.write(pattern(BYTES))
    client.wait_count(BYTES)
    client.close()
    assert client.wait() == 0, client.stderr()
    assert client.stdout() == pattern(BYTES)


def cases():
    for suite in CIPHERS:
        for group in GROUPS:
            yield f"gnutls-server-{suite}-{group}", server_case(suite, group)
            yield f"gnutls-client-{suite}-{group}", client_case(suite, group)
    first = "TLS_AES_128_GCM_SHA256"
    yield "gnutls-client-hrr", client_case(first, None, ours="17")
    yield "gnutls-server-record-limit", server_case(first, "001d", "--limit", "512")
    # It sends one record of each read of its input, and drops the rest.
    yield "gnutls-client-record-limit", client_case(first, "001d", extra=["--limit", "600"],
                                                    theirs=["--recordsize", "1000"], count=590)
    yield "gnutls-server-padding", server_case(first, "001d", "--pad", "300", "--chunk", "777")
    yield "gnutls-server-no-compat", server_case(first, "001d", "--no-compat")
    yield "gnutls-psk-server", psk_server
    yield "gnutls-psk-client", psk_client
