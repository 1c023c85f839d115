# SPDX-License-Identifier: BSD-3-Clause
"""What must not be accepted, and what both ends say about it."""
import socket

from cases_openssl import s_client, s_server
from peers import NAME, PSK

NEEDS = ["openssl"]


def client_refuses(label, text, name=NAME, alert=None, ca="root.pem", options=()):
    def run(case):
        server, port = s_server(case, label, "-cipher", "DEFAULT@SECLEVEL=0", quiet=False)
        trust = ["--ca", case.certs.path(ca)] if ca else []
        client = case.pipe("-c", port, "--source", 10, *trust, "--name", name, *options)
        assert client.wait() == 1, client.stderr()
        assert text in client.stderr(), client.stderr()
        if alert:
            server.wait_text(alert)
    return run


def old_client(case):
    server, port = case.serve()
    client = case.program("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2")
    client.wait_text("protocol version")
    assert server.wait() == 1
    assert "does not speak TLS 1.3" in server.stderr()


def old_server(case):
    cert, key = case.certs.pair("rsa2048")
    _, port = case.listen("openssl", "s_server", "-accept", "PORT", "-cert", cert, "-key", key,
                          "-tls1_2", "-quiet")
    client = case.pipe("-c", port, "--source", 10)
    assert client.wait() == 1, client.stderr()


def not_tls(case):
    server, port = case.serve()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert s.recv(100)[:1] == b"\x15", "no alert"
    assert server.wait() == 1
    assert "does not speak TLS" in server.stderr()


def tampered(case):
    for flip_at, text in ((20, "failed"), (700, "failed"), (60000, "altered on its way")):
        server, port = case.serve("--source", 200000)
        relay = case.relay(port, flip_at=flip_at)
        client = case.pipe("-c", relay, "--sink", 200000)
        assert client.wait() == 1, client.stderr()
        assert text in client.stderr(), client.stderr()
        server.end()


def truncated(case):
    server, port = case.serve("--source", 200000)
    relay = case.relay(port, cut_at=100000)
    client = case.pipe("-c", relay, "--source", 10)
    assert client.wait() == 1, client.stderr()
    assert "ended in the middle" in client.stderr(), client.stderr()
    server.end()


def suites_apart(case):
    server, port = case.serve("--suites", "1302")
    s_client(case, port, "-ciphersuites", "TLS_AES_128_GCM_SHA256", quiet=False)
    assert server.wait() == 1
    assert "no common cipher suite" in server.stderr()


def groups_apart(case):
    server, port = case.serve("--groups", "1d")
    client = s_client(case, port, "-groups", "P-384", quiet=False)
    client.wait_text("handshake failure")
    assert server.wait() == 1
    assert "no common key exchange group" in server.stderr()


def psk_only(case):
    server, port = case.serve("--psk", PSK)
    s_client(case, port)
    assert server.wait() == 1
    assert "neither certificate nor common PSK" in server.stderr()


def weak_pair(case):
    cert, key = case.certs.pair("rsa1024")
    server = case.pipe("-s", 1, "--cert", cert, "--key", key)
    assert server.wait() == 2


def cases():
    yield "refused-name", client_refuses("othername", "another name", alert="bad certificate")
    yield "refused-expired", client_refuses("expired", "expired", alert="certificate expired")
    yield "refused-future", client_refuses("future", "not valid yet", alert="certificate expired")
    yield "refused-stranger", client_refuses("strangers", "trusted authority", alert="unknown ca")
    yield "refused-selfsigned", client_refuses("selfsigned", "trusted authority",
                                               alert="unknown ca")
    yield "refused-sha1", client_refuses("sha1", "weak", alert="bad certificate")
    yield "refused-rsa1024", client_refuses("rsa1024", "weak", alert="bad certificate")
    yield "refused-pin", client_refuses("p256", "pin", ca=None, options=["--pin", "00" * 32],
                                        alert="bad certificate")
    yield "refused-old-client", old_client
    yield "refused-old-server", old_server
    yield "refused-not-tls", not_tls
    yield "refused-tampered", tampered
    yield "refused-truncated", truncated
    yield "refused-suites", suites_apart
    yield "refused-groups", groups_apart
    yield "refused-psk-only", psk_only
    yield "refused-weak-pair", weak_pair
