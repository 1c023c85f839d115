# SPDX-License-Identifier: BSD-3-Clause
"""Turns the figures of a run into tables and holds them against the bars."""
from statistics import median

CASES = ("1 up", "1 down", "8 up", "8 down")

HOW = """How it is measured: the load tools own visitor and target, the relay sits between; all
relays of a part run at the same time and take turns within each round, in another order every
round. Figures are medians over the rounds; ratios are medians of the ratios within one round. CPU
is that of the relay's processes only (all threads, children included), memory is the growth of PSS.
Everything runs over loopback on the same cores as the load tools. The peers run as installed:
haproxy with its default threads (one row with one thread), no logs, buffers as shipped; nginx with
one worker a core; socat with a process a session. Ratios are to haproxy with its default threads.
The floors are the least a relay can do: one thread, 64 KB copy buffer, or splice with pipes of
1 MB. The TLS engine is measured alone: records and operations beside `openssl speed`, handshakes
with client and server in one thread and in memory, both implementations with the same suite, group
and certificate; "client" and "server" count the CPU time of that side only. Best of three rounds
each, in turns."""


def middle(values, key=None):
    values = [v[key] for v in values] if key else list(values)
    return median(values) if values else None


def show(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows] + [""]


def cases(results, section, name):
    """The measured cases of a relay; empty if it failed or is missing."""
    row = results.get(section, {}).get(name, {})
    return {case: values for case, values in row.items() if case != "error"}


def paired(results, section, name, peer, case, key):
    """Median of the ratios of one relay to another, round by round."""
    ours = cases(results, section, name).get(case, [])
    theirs = cases(results, section, peer).get(case, [])
    ratios = [a[key] / b[key] for a, b in zip(ours, theirs) if b[key] > 0]
    return middle(ratios)


class Bars:
    """The goals: what was measured, what is wanted, met or missed by how much."""

    def __init__(self):
        self.rows = []

    def add(self, what, value, limit, is_floor, unit="", digits=2):
        sign = ">=" if is_floor else "<="
        want = f"{sign} {limit:g}{unit}"
        if value is None:
            self.rows.append((what, "-", want, "not measured"))
            return
        met = value >= limit if is_floor else value <= limit
        by = abs(value / limit - 1) * 100 if limit else abs(value)
        verdict = "met" if met else f"**missed by {by:.0f} %**" if limit else "**missed**"
        self.rows.append((what, f"{value:.{digits}f}{unit}", want, verdict))

    def met_count(self):
        return sum(1 for row in self.rows if row[3] == "met")


def throughput_rows(results, section):
    rows = []
    for name in results[section]:
        row = [name]
        for case in CASES:
            values = cases(results, section, name).get(case, [])
            row.append(f"{show(middle(values, 'gbytes_s'), 2)} / "
                       f"{show(middle(values, 'cpu_s_gb') if name != 'direct' else None, 2)}")
        rows.append(row)
    head = ["GB/s / CPU seconds a GB"] + [f"{c.split()[0]} stream(s) {c.split()[1]}" for c in CASES]
    return table(head, rows)


def throughput_part(results):
    return ["## Throughput", ""] + throughput_rows(results, "throughput")


def throughput_bars(results, bars):
    for name, peer in (("nodepass single", "haproxy"), ("nodepass reverse", "2 x haproxy"),
                       ("nodepass forward", "2 x haproxy")):
        for case in CASES:
            ratio = paired(results, "throughput", name, peer, case, "gbytes_s")
            cpu = paired(results, "throughput", name, peer, case, "cpu_s_gb")
            bars.add(f"{name}, {case}: throughput to {peer}", ratio, 1.2, True)
            bars.add(f"{name}, {case}: CPU a GB to {peer}", cpu, 0.6, False)


def total(values, key):
    return sum(v[key] for v in values)


def sessions_rows(results, section):
    rows = []
    for name in results[section]:
        values = cases(results, section, name).get("short", [])
        if not values:
            continue
        rows.append([name, show(middle(values, "per_s"), 0),
                     f"{total(values, 'failed')} of {total(values, 'sessions')}",
                     show(middle(values, "p50_ms"), 2), show(middle(values, "p99_ms"), 2),
                     show(max(v["max_ms"] for v in values), 1),
                     show(middle(values, "cpu_ms") if name != "direct" else None, 3)])
    head = ["short sessions, 50 at a time", "a second", "failed", "first byte p50 ms", "p99 ms",
            "worst ms", "CPU ms a session"]
    return table(head, rows)


def sessions_part(results):
    return ["## Sessions", ""] + sessions_rows(results, "sessions")


def tls_part(results):
    return (["## TLS 1.3 between the ends", ""] + throughput_rows(results, "tls") +
            sessions_rows(results, "tls"))


def tls_bars(results, bars):
    peer = "2 x haproxy, TLS"
    for name in ("nodepass reverse, tls=1", "nodepass forward, tls=1"):
        for case in CASES:
            bars.add(f"{name}, {case}: throughput to {peer}",
                     paired(results, "tls", name, peer, case, "gbytes_s"), 1.0, True)
            bars.add(f"{name}, {case}: CPU a GB to {peer}",
                     paired(results, "tls", name, peer, case, "cpu_s_gb"), 1.0, False)
        values = cases(results, "tls", name).get("short", [])
        bars.add(f"{name}: new sessions a second", middle(values, "per_s"), 1000, True, digits=0)
        bars.add(f"{name}: failed of {total(values, 'sessions')}",
                 total(values, "failed") if values else None, 0, False, digits=0)


def crypto_rows(results, part):
    return [row for row in results["crypto"].get("rows", []) if row["part"] == part]


def slower(row, ours):
    return show(row["openssl"] / ours if row["openssl"] else None, 2)


def crypto_part(results):
    """Tables of bench-crypto: one core, no relay."""
    records = [[row["name"].strip(), row["bytes"], show(row["seal"], 0), show(row["open"], 0),
                show(row["openssl"], 0), slower(row, min(row["seal"], row["open"]))]
               for row in crypto_rows(results, "records")]
    operations = [[row["name"], show(row["ours"], 0), show(row["openssl"], 0),
                   slower(row, row["ours"])] for row in crypto_rows(results, "operations")]
    whole = [[row["name"], row["side"], show(row["ours"], 0), show(row["openssl"], 0),
              slower(row, row["ours"])] for row in crypto_rows(results, "handshakes")]
    return (["## Our TLS engine beside OpenSSL, one core (`make bench-crypto`)", ""] +
            table(["MB a second", "bytes a record", "seal", "open", "openssl", "times slower"],
                  records) +
            table(["a second", "ours", "openssl", "times slower"], operations) +
            table(["full TLS 1.3 handshakes a second and core", "side", "ours", "openssl",
                   "times slower"], whole))


def crypto_bars(results, bars):
    for row in crypto_rows(results, "records"):
        if row["bar"] > 0:
            bars.add(f"{row['name']}, {row['bytes']} bytes: OpenSSL's speed to ours",
                     row["openssl"] / min(row["seal"], row["open"]) if row["openssl"] else None,
                     row["bar"], False)


def session_bars(results, bars):
    for name in results["sessions"]:
        if not name.startswith("nodepass") or name == "nodepass single":
            continue
        values = cases(results, "sessions", name).get("short", [])
        peer = "2 x haproxy"
        bars.add(f"{name}: failed of {total(values, 'sessions')}",
                 total(values, "failed") if values else None, 0, False, digits=0)
        bars.add(f"{name}: sessions a second to {peer} (5,000 to 8,000)",
                 paired(results, "sessions", name, peer, "short", "per_s"), 0.625, True)
        bars.add(f"{name}: CPU a session, both ends", middle(values, "cpu_ms"), 0.3, False,
                 " ms", 3)
        if "max" not in name:
            bars.add(f"{name}: p99 to first byte to {peer}",
                     paired(results, "sessions", name, peer, "short", "p99_ms"), 2, False)


def memory_part(results):
    rows = []
    for name in results["memory"]:
        rounds = cases(results, "memory", name).get("open", [])
        if rounds:
            rows.append([name] + [show(middle([r[i] for r in rounds], "bytes"), 0)
                                  for i in range(len(rounds[0]))])
            rows[-1] += ["-"] * (3 - len(rows[-1]))
    return (["## Memory of open idle sessions", ""] +
            table(["bytes a session and end", "1,000 open", "5,000 open"], rows))


def memory_bars(results, bars):
    for name in ("nodepass single", "nodepass reverse", "nodepass forward"):
        rounds = cases(results, "memory", name).get("open", [])
        for index, count in enumerate(("1,000", "5,000")):
            values = [r[index] for r in rounds if r[index]["open"] >= r[index]["count"]]
            bars.add(f"{name}: user memory a session and end, {count} open",
                     middle(values, "bytes"), 2048, False, " bytes", 0)


def udp_part(results):
    rows = []
    for name in results["udp"]:
        got = cases(results, "udp", name)
        row = [name]
        for way in ("one way", "there and back"):
            at_bar = got.get(f"at the bar, {way}", [])
            bursts = got.get(f"bursts, {way}", [])
            row += [show(middle(got.get(f"best, {way}", [])), 0),
                    f"{total(at_bar, 'sent') - total(at_bar, 'arrived')}" if at_bar else "-",
                    f"{total(bursts, 'arrived')} of {total(bursts, 'sent')}" if bursts else "-"]
        rows.append(row)
    head = ["200 bytes, 4 sources", "a second without loss", "lost at 30,000/s",
            "bursts of 8: whole", "there and back, a second", "lost at 30,000/s",
            "bursts of 8: whole"]
    return ["## UDP", ""] + table(head, rows)


def udp_bars(results, bars):
    for name in ("nodepass single", "nodepass reverse", "nodepass forward"):
        got = cases(results, "udp", name)
        bars.add(f"{name}: datagrams a second without loss", middle(got.get("best, one way", [])),
                 30000, True, digits=0)
        for way in ("one way", "there and back"):
            bursts = got.get(f"bursts, {way}", [])
            lost = total(bursts, "sent") - total(bursts, "arrived") + total(bursts, "damaged")
            bars.add(f"{name}: datagrams lost or damaged in bursts of 8, {way}",
                     lost if bursts else None, 0, False, digits=0)


def idle_part(results):
    rows = []
    for name in results["idle"]:
        for values in cases(results, "idle", name).get("idle", []):
            rows.append([name, show(values["cpu_percent"], 3), show(values["wakeups_s"], 2),
                         values["rss_kb"], values["pss_kb"], values["dirty_kb"]])
    return (["## Idle, 64 pool connections", ""] +
            table(["process", "CPU %", "wake-ups a second", "RSS kB", "PSS kB", "private dirty kB"],
                  rows))


def idle_bars(results, bars):
    for build, limit in (("static musl", 1536), ("host glibc", 2560), ("static musl, tls=1", 2048)):
        name = f"nodepass {build} client"
        values = cases(results, "idle", name).get("idle", [])
        bars.add(f"{name}: RSS", middle(values, "rss_kb"), limit, False, " kB", 0)
        bars.add(f"{name}: wake-ups a second", middle(values, "wakeups_s"), 1, False)
        bars.add(f"{name}: CPU", middle(values, "cpu_percent"), 0.05, False, " %", 3)


def rate_part(results):
    ways = ("1 up", "1 down", "10 up", "10 down")
    rows = [[name] + [show(middle(cases(results, "rate", name).get(way, [])), 4) for way in ways]
            for name in results["rate"]]
    return (["## Rate limit, reached share of the set value", ""] +
            table(["limit"] + [w.replace(" ", " stream(s) ") for w in ways], rows))


def rate_bars(results, bars):
    for name in results["rate"]:
        values = [v for way in cases(results, "rate", name).values() for v in way]
        worst = max((abs(v - 1) * 100 for v in values), default=None)
        bars.add(f"{name}: worst distance from the set value", worst, 3, False, " %")


def master_part(results):
    got = cases(results, "master", "nodepass master")
    rows = []
    for title, case in (("alone", "answers"), ("beside a transfer of 1,000 Mbps", "both")):
        values = got.get(case, [])
        rows.append([title, show(middle(values, "per_s"), 0), show(middle(values, "p99_ms"), 2),
                     show(middle(values, "mbps"), 0) if case == "both" else "-"])
    rows.append(["that transfer alone", "-", "-", show(middle(got.get("transfer", [])), 0)])
    return (["## Master: GET /instances with 20 instances, 4 connections, 1 processor", ""] +
            table(["", "answers a second", "p99 ms", "transfer, Mbps"], rows))


def master_bars(results, bars):
    got = cases(results, "master", "nodepass master")
    both, alone = got.get("both", []), middle(got.get("transfer", []))
    mbps = middle(both, "mbps")
    bars.add("master, beside 1,000 Mbps: answers a second", middle(both, "per_s"), 5000, True,
             digits=0)
    bars.add("master, beside 1,000 Mbps: p99", middle(both, "p99_ms"), 5, False, " ms")
    bars.add("master: what the transfer loses", None if mbps is None or alone is None else
             max(0, 100 * (1 - mbps / alone)), 10, False, " %")
    events = got.get("events", [])
    bars.add("master: an event to 199 of 200 subscribers, one never reads", middle(events, "ms"),
             100, False, " ms", 0)
    bars.add("master, static, 10 idle tunnels: RSS", middle(
        cases(results, "master", "nodepass static master").get("idle", [])), 3072, False, " kB", 0)
    bars.add("master: panel and documents on the wire", middle(
        cases(results, "master", "pages").get("bytes", [])), 32768, False, " bytes", 0)


PARTS = {"throughput": (throughput_part, throughput_bars),
         "sessions": (sessions_part, session_bars), "tls": (tls_part, tls_bars),
         "crypto": (crypto_part, crypto_bars),
         "memory": (memory_part, memory_bars), "udp": (udp_part, udp_bars),
         "idle": (idle_part, idle_bars), "rate": (rate_part, rate_bars),
         "master": (master_part, master_bars)}


def errors(results):
    lines = []
    for section in PARTS:
        for name, row in results.get(section, {}).items():
            if isinstance(row, dict) and "error" in row:
                lines.append(f"- {section}, {name}: {row['error'].splitlines()[0]}")
    return ["## Left out", ""] + lines + [""] if lines else []


def write(results):
    meta = results["meta"]
    bars = Bars()
    body = []
    for section, (part, judge) in PARTS.items():
        if section in results:
            body += part(results)
            judge(results, bars)
    versions = ", ".join(f"{name} {text}" for name, text in meta["versions"].items())
    head = ["# Benchmarks", "", "Written by `make bench`" + (" (quick)" if meta["quick"] else "") +
            f" on {meta['date']}; {meta['machine']}; others used "
            f"{meta['busy_percent']:.0f} % of it "
            f"before the run; it took {meta['minutes']:.0f} minutes.", f"Versions: {versions}.",
            "Repeat: `make && make T=musl && make bench` (`make bench ARGS=--quick` for a rough "
            "look, `ARGS='--only sessions'` for a part).", ""]
    if meta["note"]:
        head += [meta["note"], ""]
    for part, update in meta.get("updates", {}).items():
        head += [f"Part {part} is newer: {update['date']}, others used "
                 f"{update['busy_percent']:.0f} % of the machine.", ""]
    verdict = [f"## Bars: {bars.met_count()} of {len(bars.rows)} met", ""]
    verdict += table(["bar", "measured", "wanted", "verdict"], bars.rows)
    return "\n".join(head + verdict + body + errors(results) + [HOW, ""])
