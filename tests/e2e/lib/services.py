# SPDX-License-Identifier: BSD-3-Clause
"""Real programs as targets, started in the foreground for one test."""
import json
import os
import socket
import struct
import subprocess

from lib import case as case_module
from lib import net

NGINX_CONF = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    sendfile on;
    keepalive_timeout 30;
    server {{ {listen} root {root}; }}
}}
"""


def nginx(case, root, port, proxy_protocol=False):
    """Serves the files of `root` on 127.0.0.1 and, where there is IPv6, ::1."""
    program = case_module.need_program("nginx")
    hosts = ["127.0.0.1"] + (["[::1]"] if case_module.have_ipv6() else [])
    suffix = " proxy_protocol" if proxy_protocol else ""
    listen = " ".join("listen %s:%d%s;" % (host, port, suffix) for host in hosts)
    conf = os.path.join(case.dir, "nginx.conf")
    with open(conf, "w", encoding="ascii") as out:
        out.write(NGINX_CONF.format(dir=case.dir, listen=listen, root=root))
    os.chmod(case.dir, 0o755)
    process = case.program([program, "-c", conf, "-p", case.dir, "-g", user_line()], "nginx")
    net.wait_listening(port)
    return process


def user_line():
    return "user root;" if os.geteuid() == 0 else ""


def http_get(address, path, timeout=60.0):
    """(status, sha256, length) of a GET with Connection: close."""
    with net.connect(address, timeout) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n" % path.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(1)
            if not data:
                raise EOFError("end of stream inside the header")
            head += data
        status = int(head.split()[1])
        return status, *net.sha_to_end(sock, timeout)


def dnsmasq(case, host, port, records, prefix=None, extra=()):
    """A name server with fixed records {name: [address, ...]}."""
    program = case_module.need_program("dnsmasq")
    hosts = write_hosts(case, records)
    argv = [program, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
            "--addn-hosts=" + hosts, "--port=%d" % port, "--listen-address=" + host,
            "--bind-interfaces", "--local-ttl=0", "--local=/test/", "--user=root", "--pid-file",
            *extra]
    process = case.program(argv, "dnsmasq", prefix=prefix)
    process.hosts = hosts
    return process


def write_hosts(case, records):
    path = os.path.join(case.dir, "hosts")
    with open(path, "w", encoding="ascii") as out:
        for name, addresses in records.items():
            for address in addresses:
                out.write("%s %s\n" % (address, name))
    return path


def dns_query(name, number=0x1234):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(
        ">HH", 1, 1)


def dns_addresses(answer, number=0x1234):
    """The A records of an answer to dns_query."""
    got, flags, questions, count = struct.unpack(">HHHH", answer[:8])
    if got != number or not flags & 0x8000 or flags & 0xF or questions != 1:
        raise ValueError("no good answer: %r" % answer[:12])
    at = answer.index(b"\0", 12) + 5
    found = []
    for _ in range(count):
        kind, _, _, size = struct.unpack(">HHIH", answer[at + 2:at + 12])
        if kind == 1:
            found.append(socket.inet_ntoa(answer[at + 12:at + 12 + size]))
        at += 12 + size
    return found


def iperf3(case, target_port, visit_port, *args, timeout=30):
    """The parsed report of one run, with a server for it alone: one that serves on refuses the next
    client for a moment."""
    program = case_module.need_program("iperf3")
    server = case.program([program, "-s", "-1", "-p", str(target_port), "-B", "127.0.0.1"],
                          "iperf3-server")
    net.wait_listening(target_port)
    done = subprocess.run([program, "-c", "127.0.0.1", "-p", str(visit_port), "-J", *args],
                          capture_output=True, text=True, timeout=timeout, check=False)
    report = json.loads(done.stdout or "{}")
    if done.returncode != 0 or "error" in report:
        raise AssertionError("iperf3 %s: exit code %d, %s %s" % (
            " ".join(args), done.returncode, report.get("error"), done.stderr))
    server.wait(10)
    return report


def wait_dns(host, port, name, seconds=5.0):
    """Until the name server answers."""

    def answers():
        try:
            with net.udp_visitor((host, port), 0.3) as sock:
                sock.send(dns_query(name))
                return bool(dns_addresses(sock.recv(512)))
        except (OSError, ValueError):
            return False

    case_module.wait_until(answers, seconds, "name server answers")
