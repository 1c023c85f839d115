# SPDX-License-Identifier: BSD-3-Clause
"""The parts of a run: each takes (bench, plan) and returns {relay: {case: [one value a round]}}."""
import contextlib
import time

import master as master_part
import measure
import peers
from peers import Relay, floor, haproxy, in_a_row, nodepass_dual, nodepass_single
from probe import connected_count

ONE_THREAD = "    nbthread 1\n"
CASES = [(1, "up"), (1, "down"), (8, "up"), (8, "down")]
LADDER = [5000, 10000, 20000, 30000, 40000, 50000, 60000, 80000, 100000, 125000, 150000, 200000]
BAR_RATE = 30000


def direct(bench):
    return Relay(bench, "direct", 0, None)


def singles(bench):
    return [Relay(bench, "floor copy", 1, floor("floor_copy")),
            Relay(bench, "floor splice", 1, floor("floor_splice")),
            Relay(bench, "haproxy", 1, haproxy(), "haproxy"),
            Relay(bench, "nginx stream", 1, peers.nginx, "nginx"),
            Relay(bench, "socat", 1, peers.socat, "socat"),
            Relay(bench, "nodepass single", 1, nodepass_single(), "nodepass")]


def duals(bench):
    return [Relay(bench, "2 x floor copy", 2, in_a_row(floor("floor_copy"))),
            Relay(bench, "2 x floor splice", 2, in_a_row(floor("floor_splice"))),
            Relay(bench, "2 x haproxy", 2, in_a_row(haproxy()), "haproxy"),
            Relay(bench, "2 x haproxy, 1 thread", 2, in_a_row(haproxy(ONE_THREAD)), "haproxy"),
            Relay(bench, "nodepass reverse", 2, nodepass_dual("-"), "nodepass"),
            Relay(bench, "nodepass forward", 2, nodepass_dual("+"), "nodepass")]


class Results(dict):
    """{relay: {case: [values]}}; what failed is said once and kept under "error"."""

    def add(self, relay, case, call):
        row = self.setdefault(relay.name, {})
        if "error" in row:
            return
        try:
            row.setdefault(case, []).append(call())
        except (RuntimeError, OSError, ValueError) as error:
            self.fail(relay, error)

    def fail(self, relay, error):
        self.setdefault(relay.name, {})["error"] = str(error)
        print(f"  ! {relay.name}: {error}", flush=True)


@contextlib.contextmanager
def running(relays, results):
    """Starts what is installed; the others are left out and named."""
    with contextlib.ExitStack() as stack:
        started = []
        for relay in relays:
            try:
                if not relay.is_available():
                    raise RuntimeError("not installed")
                started.append(stack.enter_context(relay))
            except (RuntimeError, OSError) as error:
                results.fail(relay, error)
        yield started


def rotated(relays, turn):
    """Another first one each round, so that no relay always follows the same one."""
    shift = turn % max(1, len(relays))
    return relays[shift:] + relays[:shift]


def throughput(bench, plan):
    results = Results()
    with running([direct(bench)] + singles(bench) + duals(bench), results) as relays:
        for turn in range(plan.rounds):
            for streams, way in CASES:
                for relay in rotated(relays, turn):
                    results.add(relay, f"{streams} {way}", lambda r=relay, n=streams, w=way:
                                measure.throughput(r, n, w, plan.throughput_ms))
            print(f"  throughput: round {turn + 1} of {plan.rounds}", flush=True)
    return results


def sessions(bench, plan):
    results = Results()
    dry = [Relay(bench, "nodepass reverse, min=1", 2, nodepass_dual("-", "", "&min=1"), "nodepass"),
           Relay(bench, "nodepass reverse, min=1 max=8", 2,
                 nodepass_dual("-", "&max=8", "&min=1"), "nodepass"),
           Relay(bench, "nodepass forward, min=1 max=8", 2,
                 nodepass_dual("+", "&max=8", "&min=1"), "nodepass")]
    with running([direct(bench)] + singles(bench) + duals(bench) + dry, results) as relays:
        for turn in range(plan.session_rounds):
            for relay in rotated(relays, turn):
                count = plan.sessions // (10 if relay.name == "socat" else 1)
                results.add(relay, "short", lambda r=relay, n=count: measure.sessions(r, n))
            print(f"  sessions: round {turn + 1} of {plan.session_rounds}", flush=True)
    return results


def tls_relays(bench):
    return [Relay(bench, "2 x haproxy, TLS", 2, peers.haproxy_tls, "haproxy"),
            Relay(bench, "nodepass reverse, tls=1", 2, nodepass_dual("-", "&tls=1"), "nodepass"),
            Relay(bench, "nodepass forward, tls=1", 2, nodepass_dual("+", "&tls=1"), "nodepass")]


def tls(bench, plan):
    """TLS 1.3 between the two ends, AES-128-GCM; each session is a full handshake."""
    results = Results()
    with running(tls_relays(bench), results) as relays:
        for turn in range(plan.rounds):
            for streams, way in CASES:
                for relay in rotated(relays, turn):
                    results.add(relay, f"{streams} {way}", lambda r=relay, n=streams, w=way:
                                measure.throughput(r, n, w, plan.throughput_ms))
            print(f"  tls: round {turn + 1} of {plan.rounds}", flush=True)
        for turn in range(plan.session_rounds):
            for relay in rotated(relays, turn):
                results.add(relay, "short",
                            lambda r=relay: measure.sessions(r, plan.tls_sessions))
            print(f"  tls sessions: round {turn + 1} of {plan.session_rounds}", flush=True)
    return results


def crypto(bench, plan):
    """Our engine beside OpenSSL's, without any relay: rows of bench-crypto."""
    print("  crypto: records, operations, handshakes", flush=True)
    return {"rows": measure.crypto(bench)}


def memory(bench, plan):
    """Fresh processes for each: memory that was touched once stays."""
    results = Results()
    wanted = [r for r in singles(bench) + duals(bench)
              if "floor" not in r.name and "1 thread" not in r.name]
    for turn in range(plan.memory_rounds):
        for relay in rotated(wanted, turn):
            counts = [n for n in (1000, 5000) if relay.name != "socat" or n <= 1000]
            with running([relay], results) as started:
                for one in started:
                    time.sleep(1.0)  # the pool fills
                    results.add(one, "open", lambda r=one, c=counts: measure.held_sessions(r, c))
        print(f"  memory: round {turn + 1} of {plan.memory_rounds}", flush=True)
    return results


def udp(bench, plan):
    results = Results()
    wanted = [direct(bench)] + [r for r in singles(bench) + duals(bench)
                                if r.name.startswith(("nginx", "socat", "nodepass"))]
    with running(wanted, results) as relays:
        for turn in range(plan.udp_rounds):
            for relay in rotated(relays, turn):
                measure_udp(results, relay, plan)
            print(f"  udp: round {turn + 1} of {plan.udp_rounds}", flush=True)
    return results


def measure_udp(results, relay, plan):
    for case, echo in (("one way", False), ("there and back", True)):
        results.add(relay, f"best, {case}",
                    lambda: measure.best_rate(relay, LADDER, plan.udp_ms, echo))
        results.add(relay, f"at the bar, {case}",
                    lambda: measure.datagrams(relay, BAR_RATE, plan.udp_ms, echo))
        results.add(relay, f"bursts, {case}",
                    lambda: measure.bursts(relay, 8, plan.bursts, echo))


def idle(bench, plan):
    """A client with 64 pool connections; both builds of ours side by side, and haproxy."""
    results = Results()
    builds = [("host glibc", bench.nodepass), ("static musl", bench.nodepass_musl)]
    relays = [Relay(bench, "haproxy", 1, haproxy(), "haproxy")]
    for title, path in builds:
        for suffix, query in (("", ""), (", tls=1", "&tls=1")):
            relay = Relay(bench, f"nodepass {title}{suffix}", 2, nodepass_dual("-", query),
                          "nodepass")
            relay.bench = bench.with_program(path)
            relays.append(relay)
    with running(relays, results) as started:
        groups = {}
        for relay in started:
            if relay.is_ours():
                wait_pool(relay, 64)
                groups[relay.name + " server"] = relay.pids()[:1]
                groups[relay.name + " client"] = relay.pids()[1:]
            else:
                groups[relay.name] = relay.pids()
        time.sleep(3.0)
        print(f"  idle: {plan.idle_s} s", flush=True)
        for name, values in measure.idle(groups, plan.idle_s).items():
            results[name] = {"idle": [values]}
    return results


def wait_pool(relay, count):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and connected_count(relay.tunnel_port()) <= count:
        time.sleep(0.1)
    found = connected_count(relay.tunnel_port()) - 1
    if found < count:
        print(f"  ! {relay.name}: pool holds {found} of {count}", flush=True)


def rate(bench, plan):
    results = Results()
    for mbps in plan.rates_mbps:
        limit = f"&rate={mbps}"
        wanted = [Relay(bench, f"single, rate={mbps}", 1, nodepass_single(limit), "nodepass"),
                  Relay(bench, f"reverse, rate={mbps} at the server", 2,
                        nodepass_dual("-", limit), "nodepass"),
                  Relay(bench, f"reverse, rate={mbps} at the client", 2,
                        nodepass_dual("-", "", limit), "nodepass")]
        with running(wanted, results) as relays:
            for relay in relays:
                for streams, way in ((1, "up"), (1, "down"), (10, "up"), (10, "down")):
                    results.add(relay, f"{streams} {way}", lambda r=relay, n=streams, w=way:
                                measure.limited_rate(r, n, w, plan.rate_ms, 2500) / mbps)
            print(f"  rate: {mbps} Mbps", flush=True)
    return results


def master(bench, plan):
    return master_part.run(bench, plan, Results(), running)


ALL = {"throughput": throughput, "sessions": sessions, "tls": tls, "crypto": crypto,
       "memory": memory, "udp": udp, "idle": idle, "rate": rate, "master": master}
