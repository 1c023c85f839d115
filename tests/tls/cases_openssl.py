# SPDX-License-Identifier: BSD-3-Clause
"""Cases against OpenSSL's s_server and s_client."""
import os
import time

from peers import NAME, PSK, pattern, pattern_hash

NEEDS = ["openssl"]
SUITES = {"1301": "TLS_AES_128_GCM_SHA256", "1302": "TLS_AES_256_GCM_SHA384",
          "1303": "TLS_CHACHA20_POLY1305_SHA256"}
GROUPS = {"001d": "X25519", "0017": "P-256"}
BYTES = 300000
BULK = int(os.environ.get("NP_TLS_BULK", str(1 << 30)))


def s_server(case, label="p256", *extra, quiet=True, **kwargs):
    cert, key = case.certs.pair(label)
    return case.listen("openssl", "s_server", "-accept", "PORT", "-cert", cert, "-key", key,
                       "-tls1_3", *(["-quiet"] if quiet else []), *extra, **kwargs)


def s_client(case, port, *extra, quiet=True, **kwargs):
    return case.program("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3",
                        *(["-quiet"] if quiet else []), *extra, **kwargs)


def verified(case):
    return ["--ca", case.certs.path("root.pem"), "--name", NAME]


def both_ways(case, server, client, count=BYTES, want=""):
    """Our client against their server: the pattern both ways."""
    server.write_pattern(count)
    code = client.wait()
    assert code == 0, f"our client: exit {code}"
    assert want in client.stderr(), client.stderr()
    server.wait_count(count)
    assert server.stdout()[:count] == pattern(count), "their server got other bytes"
    return case


def client_case(suite, group, label):
    def run(case):
        server, port = s_server(case, label, "-ciphersuites", SUITES[suite], "-groups",
                                GROUPS[group])
        client = case.pipe("-c", port, "--source", BYTES, "--sink", BYTES, "--close-last",
                           *verified(case))
        hrr = int(group == "0017")
        both_ways(case, server, client,
                  want=f"open {SUITES[suite]} group={group} psk=0 hrr={hrr}")
    return run


def server_case(suite, groups, ours, label, hrr):
    def run(case):
        cert, key = case.certs.pair(label)
        server, port = case.serve("--cert", cert, "--key", key, "--source", BYTES, "--sink",
                                  BYTES, "--close-last", "--groups", ours)
        client = s_client(case, port, "-ciphersuites", SUITES[suite], "-groups", groups,
                          "-CAfile", case.certs.path("root.pem"), "-verify_return_error",
                          "-verify_hostname", NAME, "-servername", NAME)
        client.write_pattern(BYTES)
        assert server.wait() == 0
        assert f"open {SUITES[suite]}" in server.stderr() and f"hrr={hrr}" in server.stderr()
        client.wait_count(BYTES)
        assert client.stdout() == pattern(BYTES), "their client got other bytes"
    return run


def client_options_case(theirs, ours, count=BYTES):
    def run(case):
        server, port = s_server(case, "p256", *theirs)
        client = case.pipe("-c", port, "--source", count, "--sink", count, "--close-last", *ours)
        both_ways(case, server, client, count)
    return run


def psk_client_case(theirs, modes, want):
    def run(case):
        server, port = case.listen("openssl", "s_server", "-accept", "PORT", "-tls1_3", "-quiet",
                                   "-nocert", "-psk", PSK, *theirs)
        client = case.pipe("-c", port, "--psk", PSK, "--psk-modes", modes, "--source", BYTES,
                           "--sink", BYTES, "--close-last")
        both_ways(case, server, client, want=want)
    return run


def psk_server_case(theirs, modes, want, ours=()):
    def run(case):
        server, port = case.serve("--psk", PSK, "--psk-modes", modes, "--source", BYTES, "--sink",
                                  BYTES, "--close-last", *ours)
        client = s_client(case, port, "-psk", PSK, *theirs)
        client.write_pattern(BYTES)
        assert server.wait() == 0
        assert want in server.stderr(), server.stderr()
    return run


def psk_wrong(case):
    server, port = case.serve("--psk", PSK)
    s_client(case, port, "-psk", "ff" + PSK[2:])
    assert server.wait() == 1
    assert "the PSK differs" in server.stderr()


def key_update_theirs(command):
    """They update their keys, and ask for ours with 'K', while data flows."""
    def run_client(case):
        server, port = s_server(case, "p256", quiet=False)
        client = case.pipe("-c", port, "--sink", "4")
        client.wait_text("open ")
        for line in (b"a\n", command, b"b\n"):
            server.write(line)
            time.sleep(0.3)
        client.write(b"still here\n")
        server.wait_text("still here")
        assert client.child.poll() is None, client.stderr()
        client.close()
        client.wait()

    def run_server(case):
        server, port = case.serve()
        client = s_client(case, port, quiet=False)
        server.wait_text("open ")
        for line in (b"a\n", command, b"b\n"):
            client.write(line)
            time.sleep(0.3)
        server.write(b"still here\n")
        client.wait_text("still here")
        server.wait_count(4)
        assert server.stdout() == b"a\nb\n", server.stdout()
    return run_client, run_server


def half_close(case):
    """Our client ends its direction first; all of the server's bytes still arrive."""
    server, port = case.serve("--echo")
    client = case.pipe("-c", port, "--source", 5000000, "--sink", 5000000)
    assert client.wait() == 0, client.stderr()
    assert server.wait() == 0, server.stderr()
    assert "no close_notify" not in client.stderr() + server.stderr()


def bulk_to_server(case):
    server, port = s_server(case, "p256", keep=False)
    client = case.pipe("-c", port, "--source", BULK, "--sink", 1, "--close-last")
    server.wait_count(BULK)
    assert server.hash.hexdigest() == pattern_hash(BULK), "their server got other bytes"
    server.write(b"\x01")
    assert client.wait() == 0, client.stderr()


def bulk_to_client(case):
    server, port = s_server(case, "p256", "-ciphersuites", SUITES["1303"])
    client = case.pipe("-c", port, "--source", 0, "--sink", BULK, "--close-last")
    # With bytes to send at once it would shake hands while it writes and then read, for ever: it
    # takes the hello that woke it for data.
    client.wait_text("open TLS")
    server.write_pattern(BULK)
    assert client.wait() == 0, client.stderr()


def bulk_from_our_server(case):
    server, port = case.serve("--source", BULK, "--sink", 2, "--close-last")
    client = s_client(case, port, keep=False)
    client.wait_count(BULK)
    assert client.hash.hexdigest() == pattern_hash(BULK), "their client got other bytes"
    client.write(b"\x01\x02")
    assert server.wait() == 0, server.stderr()


def certificate_wanted(case):
    server, port = s_server(case, "p256", "-verify", "1", "-CAfile", case.certs.path("root.pem"))
    client = case.pipe("-c", port, "--source", BYTES, "--sink", BYTES, "--close-last")
    both_ways(case, server, client)


def certificate_required(case):
    _, port = s_server(case, "p256", "-Verify", "1")
    client = case.pipe("-c", port, "--source", 10, "--sink", 10)
    assert client.wait() == 1
    assert "certificate_required" in client.stderr(), client.stderr()


def curl(case):
    server, port = case.serve("--cert", case.certs.pair("p256")[0], "--key",
                              case.certs.pair("p256")[1])
    server.write(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    server.close()
    client = case.program("curl", "-sS", "--tlsv1.3", "--cacert", case.certs.path("root.pem"),
                          "--resolve", f"{NAME}:{port}:127.0.0.1", f"https://{NAME}:{port}/")
    assert client.wait() == 0, client.stderr()
    assert client.stdout() == b"hello\n"
    server.wait_text("GET / HTTP")


def cases():
    for suite in SUITES:
        for group, label in (("001d", "p256"), ("0017", "rsa2048")):
            yield (f"openssl-server-{suite}-{GROUPS[group]}-{label}",
                   client_case(suite, group, label))
        yield (f"openssl-client-{suite}-X25519", server_case(suite, "X25519", "1d,17", "p256", 0))
        yield (f"openssl-client-{suite}-P-256", server_case(suite, "P-256", "1d,17", "p384", 0))
        yield (f"openssl-client-{suite}-hrr", server_case(suite, "X25519:P-256", "17", "rsa2048",
                                                          1))
    yield "openssl-server-p384", client_case("1301", "001d", "p384")
    yield "openssl-server-rsa4096", client_case("1302", "001d", "rsa4096")
    yield "openssl-client-rsa4096", server_case("1302", "X25519", "1d", "rsa4096", 0)
    for size, count in ((1, 2000), (100, BYTES), (4095, BYTES), (16384, BYTES)):
        yield (f"openssl-record-size-{size}",
               client_options_case([], ["--chunk", size], count))
    yield "openssl-max-send-frag", client_options_case(["-max_send_frag", "512"], [])
    yield "openssl-split-send-frag", client_options_case(["-max_send_frag", "16384",
                                                          "-split_send_frag", "700"], [])
    yield "openssl-padding", client_options_case(["-record_padding", "4096"], ["--pad", "700",
                                                                               "--chunk", "1000"])
    yield "openssl-many-tickets", client_options_case(["-num_tickets", "9"], [])
    yield "openssl-no-compat", client_options_case([], ["--no-compat"])
    yield "openssl-no-middlebox", client_options_case(["-no_middlebox"], [])
    yield "openssl-update-ours", client_options_case([], ["--chunk", "1000", "--update-every", "7",
                                                          "--update-ask"])
    for letter in "kK":
        client, server = key_update_theirs(letter.encode() + b"\n")
        yield f"openssl-update-{letter}-to-our-client", client
        yield f"openssl-update-{letter}-to-our-server", server
    yield "openssl-psk-dhe-server", psk_client_case([], 2, "group=001d psk=1")
    yield "openssl-psk-dhe-client", psk_server_case([], 2, "group=001d psk=1")
    yield "openssl-psk-ke-server", psk_client_case(["-allow_no_dhe_kex"], 1, "group=0000 psk=1")
    yield "openssl-psk-ke-client", psk_server_case(["-allow_no_dhe_kex"], 1, "group=0000 psk=1")
    yield "openssl-psk-hrr-server", psk_client_case(["-groups", "P-256"], 2,
                                                    "group=0017 psk=1 hrr=1")
    yield "openssl-psk-hrr-client", psk_server_case(["-groups", "X25519:P-256"], 2,
                                                    "group=0017 psk=1 hrr=1", ["--groups", "17"])
    yield "openssl-psk-wrong", psk_wrong
    yield "openssl-certificate-wanted", certificate_wanted
    yield "openssl-certificate-required", certificate_required
    yield "half-close", half_close
    yield "bulk-to-openssl-server", bulk_to_server
    yield "bulk-from-openssl-server-chacha", bulk_to_client
    yield "bulk-to-openssl-client", bulk_from_our_server
    yield "curl", curl
