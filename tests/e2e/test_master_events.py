# SPDX-License-Identifier: BSD-3-Clause
"""The event stream: framing, kinds, order, many subscribers of which one never reads."""
import json
import re
import time

from lib import net, patience, proc
from lib.case import alone, limit, quick, wait_until
from lib.master import FIELDS, KEY_ID, Events, MasterCase

TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$"


class Stream(MasterCase):
    @quick
    def test_framing(self):
        self.master()
        made = self.create(alias="\u00e4 <&>")
        stream = self.events()
        stream.wait(lambda e: e["instance"]["id"] == made["id"])
        head = stream.head()
        self.assertRegex(head, r"(?m)^Content-Type: text/event-stream\r?$")
        self.assertRegex(head, r"(?m)^Cache-Control: no-cache\r?$")
        text = stream.text()
        self.assertTrue(text.startswith(b"retry: 3000\n\nevent: instance\ndata: {"), text[:80])
        self.assertNotIn(b"\r", text)
        for frame in text.decode().split("\n\n")[1:-1]:
            self.assertRegex(frame, r"^event: instance\ndata: \{[^\n]*\}$")
        first, second = stream.events[:2]
        self.assertEqual(list(first), ["type", "time", "instance", "logs"])
        self.assertEqual([first["type"], second["type"]], ["initial", "initial"])
        self.assertEqual(list(first["instance"]), FIELDS)
        self.assertEqual((first["instance"]["id"], first["instance"]["url"]), (KEY_ID, self.key))
        self.assertEqual(second["instance"]["alias"], "\u00e4 <&>")
        for event in stream.events:
            self.assertRegex(event["time"], TIME)
            self.assertEqual(event["logs"], "")

    def test_reason_of_an_error_after_initial(self):
        """Whoever subscribes later learns why an instance is in error, not only that it is."""
        self.master(env={"NP_REPORT_INTERVAL": "1h", "NP_SERVICE_COOLDOWN": "1h"})
        port = self.port()
        first, second = (self.create("client://127.0.0.1:%d/127.0.0.1:1?mode=1" % port)
                         for _ in range(2))
        self.wait_status(second["id"], "error")
        good = self.create()
        self.wait_status(good["id"], "running")
        stream = self.events()
        line = stream.wait(lambda e: e["type"] == "log", 5, "the reason")
        self.assertEqual((line["instance"]["id"], line["instance"]["status"]),
                         (second["id"], "error"))
        self.assertRegex(line["logs"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  "
                         "\x1b\\[31mERROR\x1b\\[0m  tunnel address not bound: address in use$")
        stream.wait(lambda e: (e["instance"] or {}).get("id") == good["id"], 5, "the last one")
        self.assertEqual([(e["type"], e["instance"]["id"]) for e in stream.events][1:],
                         [("initial", first["id"]), ("initial", second["id"]),
                          ("log", second["id"]), ("initial", good["id"])])

    def test_time_has_the_zone(self):
        node = self.master(env={"TZ": "AAA-5:45"})
        stream = self.events()
        self.assertTrue(stream.events[0]["time"].endswith("+05:45"), stream.events[0]["time"])
        node.stop()
        self.master(env={"TZ": "BBB3:30"})
        stream = self.events()
        self.assertTrue(stream.events[0]["time"].endswith("-03:30"), stream.events[0]["time"])

    @quick
    def test_kinds_in_order(self):
        self.master(env={"NP_REPORT_INTERVAL": "1h"})
        stream = self.events()
        made = self.create()
        path = "/instances/" + made["id"]
        stream.wait(lambda e: e["type"] == "update")
        self.good("PATCH", path, {"action": "stop"})
        self.good("PATCH", path, {"action": "start"})
        self.good("PATCH", path, {"action": "restart"})
        self.request("DELETE", path)
        stream.wait(lambda e: e["type"] == "delete")
        told = [(e["type"], e["instance"]["status"]) for e in stream.events[1:]
                if e["type"] != "log"]
        self.assertEqual(told, [
            ("create", "stopped"), ("update", "running"), ("update", "stopped"),
            ("update", "running"), ("update", "running"), ("update", "stopped"),
            ("delete", "stopped")])

    def test_reports_and_changes_by_themselves(self):
        node = self.master(env={"NP_REPORT_INTERVAL": "200ms"})
        target = self.target()
        port = self.port()
        made = self.create("client://127.0.0.1:%d/%s?mode=1" % (port, target.where))
        busy = self.create("client://127.0.0.1:%d/127.0.0.1:1?mode=1" % port)
        self.wait_status(busy["id"], "error")
        stream = self.events()
        with net.connect(("127.0.0.1", port)) as sock:
            sock.sendall(b"ECHO\n" + b"x" * 700)
            net.read_exact(sock, 700)
            stream.wait(lambda e: e["type"] == "update" and e["instance"]["tcprx"] >= 700
                        and e["instance"]["tcps"] == 1)
        self.request("DELETE", "/instances/" + made["id"])
        stream.wait(lambda e: e["type"] == "update" and e["instance"]["id"] == busy["id"]
                    and e["instance"]["status"] == "running", 15)
        self.assertTrue(node.find("address in use"))

    def test_log_lines(self):
        node = self.master("log=debug")
        stream = self.events()
        made = self.create(alias="tag")
        event = stream.wait(lambda e: e["type"] == "log" and "Client started" in e["logs"])
        self.assertEqual(event["instance"]["id"], made["id"])
        self.assertRegex(event["logs"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  "
                         "\x1b\\[32mINFO\x1b\\[0m  Client started: \\*\\*\\*@")
        self.assertIn(b"\\u001b[32mINFO", stream.text())
        node.wait_log("CHECK_POINT", 5)
        node.wait_log(r"INFO  \[tag\] Client started")
        self.assertFalse([e for e in stream.events if "CHECK_POINT" in e["logs"]])
        self.assertFalse([e for e in stream.events if e["type"] != "log" and e["logs"]])

    @limit(60)
    def test_comment_when_silent(self):
        self.master(env={"NP_REPORT_INTERVAL": "1h"})
        stream = self.events()
        wait_until(lambda: re.search(rb"\n:[^\n]*\n\n$", stream.text()), 20, "a comment line")
        self.assertEqual(len(stream.events), 1)

    @limit(120)
    def test_slow_subscriber_gets_the_last_state(self):
        self.master("log=debug", env={"NP_REPORT_INTERVAL": "1h"})
        stays, goes = self.create(), self.create()
        sock = self.silent_stream()
        time.sleep(0.3)
        start, number = time.monotonic(), 0
        while time.monotonic() - start < 6:  # streams that take nothing for 20 s are cut
            number += 1
            self.good("PATCH", "/instances/" + stays["id"], {"alias": "a%d" % number,
                                                             "action": "restart"})
        made = self.create()
        self.request("DELETE", "/instances/" + goes["id"])
        last = self.good("PATCH", "/instances/" + stays["id"], {"alias": "last"})
        sock.settimeout(5)
        raw = whole = b""
        while b'"delete"' not in whole or b'"alias":"last"' not in whole:
            data = sock.recv(65536)
            if not data:
                break
            raw += data
            whole = raw[:raw.rfind(b"\n\n") + 2]
        texts = re.findall(rb"data: (\{.*\})\n", raw)
        events = [json.loads(text) for text in texts]
        mine = [e["instance"] for e in events if e["type"] == "update"
                and e["instance"]["id"] == stays["id"]]
        self.assertEqual(mine[-1]["alias"], last["alias"])
        self.assertIn(("create", made["id"]), [(e["type"], e["instance"]["id"]) for e in events])
        self.assertIn(("delete", goes["id"]), [(e["type"], e["instance"]["id"]) for e in events])
        logs = len([e for e in events if e["type"] == "log"])
        print("%d rounds, of them %d updates and %d log lines delivered"
              % (number, len(mine), logs))

    @alone
    @limit(120)
    def test_two_hundred_subscribers(self):
        node = self.master(env={"NP_REPORT_INTERVAL": "200ms"})
        made = [self.create() for _ in range(5)]
        base = node.rss_kb()
        self.silent_stream()
        streams = [Events(self.api_port, self.key, self.base + "/events") for _ in range(199)]
        for stream in streams:
            self.addCleanup(stream.close)
        wait_until(lambda: all(len(s.events) >= 6 for s in streams), 30, "all have the start")
        late = []
        for number in range(10):
            alias = "round%d" % number
            start = time.monotonic()
            self.good("PATCH", "/instances/" + made[0]["id"], {"alias": alias})
            want = ('"alias":"%s"' % alias).encode()
            wait_until(lambda w=want: all(w in s.raw for s in streams), 10, alias, 0.002)
            late.append(time.monotonic() - start)
        grown = node.rss_kb() - base
        print("200 subscribers, one never reads: an event reaches all in %.0f ms (median, this "
              "test's threads included), memory +%d KB" % (sorted(late)[5] * 1000, grown))
        self.assertLess(sorted(late)[5], 0.5 * patience.SLOW)
        self.assertLess(grown, 12000 if not proc.is_sanitized() else 60000)

    @limit(60)
    def test_too_many_streams(self):
        self.master()
        streams = [self.silent_stream() for _ in range(224)]
        wait_until(lambda: self.metric("nodepass_event_streams") == 224, 20, "all are served")
        reply = self.request("GET", "/events")
        self.assertEqual(reply.status, 503)
        self.assertTrue(reply.error())
        self.assertEqual(self.request("GET", "/info").status, 200)
        self.assertEqual(len(streams), 224)
