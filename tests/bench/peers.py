# SPDX-License-Identifier: BSD-3-Clause
"""The relays that are compared: how each is configured, started, waited for and ended."""
import os
import random
import shutil
import signal
import socket
import subprocess
import time

from probe import connected_count, is_listening

NGINX_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")

HAPROXY = """global
    maxconn {maxconn}
{extra}defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind 127.0.0.1:{entry} backlog 4096{bind}
    server target 127.0.0.1:{target}{server}
"""

TLS_BIND = " ssl crt {cert} ssl-min-ver TLSv1.3 ciphersuites {suite}"
TLS_SERVER = " ssl verify none no-ssl-reuse ssl-min-ver TLSv1.3 ciphersuites {suite}"
TLS_SUITE = "TLS_AES_128_GCM_SHA256"

NGINX = """{module}worker_processes auto;
daemon off;
pid {folder}/nginx-{entry}.pid;
error_log {folder}/nginx-{entry}.log crit;
events {{ worker_connections 10000; }}
stream {{
    server {{ listen 127.0.0.1:{entry} backlog=4096; proxy_pass 127.0.0.1:{target};
        proxy_timeout 1h; }}
    server {{ listen 127.0.0.1:{entry} udp; proxy_pass 127.0.0.1:{target}; proxy_timeout 1m; }}
}}
"""


class Bench:
    """What a run shares: programs, a folder for configurations and logs, port numbers."""

    def __init__(self, tools, folder, nodepass):
        self.tools, self.folder, self.nodepass = tools, folder, nodepass
        self.used_ports = set()
        self.target = self.port()

    def port(self):
        """A loopback port below the ephemeral range that nothing uses."""
        for _ in range(1000):
            port = random.randrange(20000, 32000)
            if port not in self.used_ports and can_bind(port):
                self.used_ports.add(port)
                return port
        raise RuntimeError("no free port")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def tool(self, name):
        return os.path.join(self.tools, name)


def can_bind(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def file_limit():
    import resource
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


# Each makes the command lines of one hop from `entry` to `target`.

def floor(name):
    return lambda bench, entry, target: [[bench.tool(name), str(entry), str(target)]]


def haproxy(extra="", bind="", server=""):
    def commands(bench, entry, target):
        maxconn = min(9000, (file_limit() - 200) // 2)
        text = HAPROXY.format(entry=entry, target=target, extra=extra, maxconn=maxconn, bind=bind,
                              server=server)
        return [["haproxy", "-db", "-q", "-f", bench.write(f"haproxy-{entry}.cfg", text)]]
    return commands


def nginx(bench, entry, target):
    folders = [f for f in NGINX_MODULES if os.path.exists(f + "/ngx_stream_module.so")]
    module = f"load_module {folders[0]}/ngx_stream_module.so;\n" if folders else ""
    text = NGINX.format(entry=entry, target=target, folder=bench.folder, module=module)
    return [["nginx", "-c", bench.write(f"nginx-{entry}.conf", text)]]


def socat(bench, entry, target):
    return [["socat", f"TCP-LISTEN:{entry},fork,reuseaddr,backlog=4096,bind=127.0.0.1",
             f"TCP:127.0.0.1:{target}"],
            ["socat", f"UDP-LISTEN:{entry},fork,reuseaddr,bind=127.0.0.1",
             f"UDP:127.0.0.1:{target}"]]


def in_a_row(hop):
    def commands(bench, entry, target):
        middle = bench.port()
        return hop(bench, middle, target) + hop(bench, entry, middle)
    return commands


def certificate(bench):
    """A P-256 certificate with its key, as haproxy wants it; made once a run."""
    path = os.path.join(bench.folder, "bench.pem")
    if not os.path.exists(path):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                        "-keyout", path + ".key", "-out", path + ".crt"], check=True,
                       capture_output=True)
        with open(path, "w", encoding="ascii") as out:
            for part in (".crt", ".key"):
                with open(path + part, encoding="ascii") as file:
                    out.write(file.read())
    return path


def haproxy_tls(bench, entry, target):
    """Two haproxy with TLS 1.3 between them, a full handshake for each session."""
    middle = bench.port()
    bind = TLS_BIND.format(cert=certificate(bench), suite=TLS_SUITE)
    server = TLS_SERVER.format(suite=TLS_SUITE)
    return (haproxy(bind=bind)(bench, middle, target) +
            haproxy(server=server)(bench, entry, middle))


def nodepass_single(query=""):
    return lambda bench, entry, target: [
        [bench.nodepass, f"client://127.0.0.1:{entry}/127.0.0.1:{target}?mode=1&slot=0{query}"]]


def nodepass_dual(flow, server_query="", client_query=""):
    def commands(bench, entry, target):
        tunnel = bench.port()
        at_server, at_client, mode = (entry, target, 1) if flow == "-" else (target, entry, 2)
        return [[bench.nodepass, f"server://bench@127.0.0.1:{tunnel}/127.0.0.1:{at_server}"
                                 f"?mode={mode}&slot=0{server_query}"],
                [bench.nodepass, f"client://bench@127.0.0.1:{tunnel}/127.0.0.1:{at_client}"
                                 f"?mode=2&slot=0{client_query}"]]
    return commands


class Relay:
    """One relay, or two in a row, between an entry port and the target port."""

    def __init__(self, bench, name, ends, commands, program=None):
        self.bench, self.name, self.ends, self.commands = bench, name, ends, commands
        self.program = program
        self.processes, self.entry = [], bench.target

    def is_ours(self):
        return self.program == "nodepass"

    def is_available(self):
        if self.is_ours():
            return os.path.exists(self.bench.nodepass)
        return self.program is None or shutil.which(self.program) is not None

    def pids(self):
        return [p.pid for p in self.processes]

    def start(self):
        if self.commands is None:
            return
        self.entry = self.bench.port()
        for index, argv in enumerate(self.commands(self.bench, self.entry, self.bench.target)):
            log = open(os.path.join(self.bench.folder, f"{self.entry}-{index}.log"), "wb")
            with log:
                self.processes.append(subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True))
            time.sleep(0.1 if self.is_ours() else 0.02)
        self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.check_alive()
            if is_listening(self.entry) and self.has_pool():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name}: not ready: {self.last_log()}")

    def tunnel_port(self):
        return int(self.processes[0].args[1].split("@127.0.0.1:")[1].split("/")[0])

    def has_pool(self):
        """Ours in two ends: control connection and a pool connection are up."""
        if not self.is_ours() or self.ends == 1:
            return True
        return connected_count(self.tunnel_port()) >= 2

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError(f"{self.name}: ended with {process.returncode}: "
                                   f"{self.last_log()}")

    def last_log(self):
        text = b""
        for index in range(len(self.processes)):
            with open(os.path.join(self.bench.folder, f"{self.entry}-{index}.log"), "rb") as file:
                text += file.read()[-600:]
        return text.decode("utf-8", "replace")

    def stop(self):
        """Ends the process groups that start() made, by their ids."""
        for process in self.processes:
            end_group(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=8)
            except subprocess.TimeoutExpired:
                pass
            end_group(process.pid, signal.SIGKILL)
            process.wait()
        self.processes, self.entry = [], self.bench.target

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


def end_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass
