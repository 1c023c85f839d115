# SPDX-License-Identifier: BSD-3-Clause
"""Routes of the master's API: contents, texts, statuses, order of checks."""
import json
import os
import re
import subprocess

from lib import net
from lib.case import limit, quick, wait_until
from lib.master import CORS, FIELDS, KEY_ID, MasterCase, listens

PROTECTED = ["/instances", "/instances/x", "/events", "/info", "/tcping", "/metrics"]
PUBLIC = ["/openapi.json", "/docs"]


class Transport(MasterCase):
    @quick
    def test_order_of_checks(self):
        self.master()
        for path in PROTECTED:
            for method in ("GET", "POST", "DELETE", "BREW"):
                self.bad(method, path, None, 401, "Unauthorized: API key required", key=False)
                if path == "/instances/x":
                    self.bad(method, path, None, 404, "Instance not found")
            self.assertEqual(self.request("OPTIONS", path, key=False).status, 200)
        self.bad("GET", "/instances/", None, 401, "Unauthorized: API key required", key=False)
        self.bad("GET", "/instances", None, 401, "Unauthorized: Invalid API key", key="0" * 32)
        self.bad("BREW", "/instances/", None, 400, "Instance ID is required")
        self.bad("DELETE", "/instances/nope", None, 404, "Instance not found")
        self.bad("POST", "/instances/%2a%2A******", {}, 405, "Method not allowed")
        for method, path in (("PUT", "/instances"), ("DELETE", "/instances"), ("POST", "/events"),
                             ("DELETE", "/info"), ("POST", "/tcping"), ("PUT", "/metrics"),
                             ("POST", "/openapi.json"), ("PATCH", "/docs")):
            self.bad(method, path, None, 405, "Method not allowed")
        for path in ("/instances", "/info", "/events"):
            reply = self.request("HEAD", path)
            self.assertEqual((reply.status, reply.body), (405, b""))

    def test_cors_once_on_every_matched_route(self):
        self.master()
        for path in PROTECTED + PUBLIC:
            for method, key in (("OPTIONS", False), ("GET", False), ("DELETE", True)):
                reply = self.request(method, path, key=key)
                for name, value in CORS.items():
                    self.assertEqual(reply.header(name), [value], (method, path))
        reply = self.request("OPTIONS", "/instances", key=False)
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(self.request("GET", "/", raw=True, key=False).header(
            "access-control-allow-origin"), ["*"])

    def test_unmatched_and_unclean_paths(self):
        self.master()
        for path in ("/api", "/api/v1", "/api/v1/", "/api/v2/instances", "/api/v1/nope", "/x",
                     "/api/v1/instancesx", "/api/v1/info/"):
            reply = self.request("GET", path, raw=True)
            self.assertEqual((reply.status, reply.body), (404, b"404 page not found\n"), path)
            self.assertIn("text/plain", reply.header("content-type")[0])
            self.assertEqual(reply.header("access-control-allow-origin"), [])
        for path, clean in (("/api//v1/instances", "/api/v1/instances"),
                            ("/api/v1/../v1/info?a=1", "/api/v1/info?a=1"),
                            ("//api/v1/info", "/api/v1/info")):
            reply = self.request("GET", path, raw=True)
            self.assertEqual((reply.status, reply.header("location")), (301, [clean]))

    def test_prefix(self):
        for prefix, base in (("/", "/api"), ("/one/two/", "/one/two"), ("/api", "/api")):
            node = self.master(prefix=prefix)
            self.base = base + "/v1"
            self.assertEqual(self.good("GET", "/instances")[0]["id"], KEY_ID)
            self.assertEqual(self.good("GET", "/openapi.json")["servers"], [{"url": base + "/v1"}])
            node.stop()

    def test_keep_alive_pipelining_and_close(self):
        self.master()
        conn = self.connect()
        for _ in range(50):
            self.assertEqual(self.request("GET", "/info", conn=conn).status, 200)
        one = "GET %s/info HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n" % (self.base, self.key)
        got = self.send_raw((one + "\r\n").encode() * 5
                            + (one + "Connection: close\r\n\r\n").encode())
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 6)

    def test_chunked_body(self):
        self.master()
        body = json.dumps({"alias": "in pieces"}).encode()
        chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (1, body[i:i + 1]) for i in range(len(body)))
        got = self.send_raw(("POST %s/info HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n"
                             "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                             % (self.base, self.key)).encode() + chunks + b"0\r\n\r\n")
        self.assertIn(b'"alias":"in pieces"', got)

    def test_json_form(self):
        self.master()
        strange = "</a>&\u2028\u2029\x01\"\\/\u00e4\U0001f600"
        reply = self.request("POST", "/info", {"ALIAS": strange, "x": [{}]})
        self.assertEqual(reply.header("content-type"), ["application/json"])
        self.assertTrue(reply.body.endswith(b"}\n") and b": " not in reply.body)
        self.assertIn(rb'"\u003c/a\u003e\u0026\u2028\u2029\u0001\"\\/', reply.body)
        self.assertEqual(reply.json()["alias"], strange)
        reply = self.request("POST", "/info", b'{"alias":"\xff"} and more')
        self.assertEqual(reply.json()["alias"], "\ufffd")
        self.bad("POST", "/info", "[" * 17 + "]" * 17, 400, "Invalid request body")

    def test_wrong_keys_block_their_address(self):
        self.master()
        for _ in range(10):
            self.bad("GET", "/info", None, 401, "Unauthorized: Invalid API key", key="f" * 32)
        for key in (True, "f" * 32):
            self.bad("GET", "/info", None, 429, "Too many wrong API keys: try again in a minute",
                     key=key)
        self.bad("GET", "/info", None, 401, "Unauthorized: API key required", key=False)
        self.assertEqual(self.request("GET", "/docs", key=False).status, 200)

    def test_tls(self):
        node = self.master("tls=1")
        node.wait_log("TLS certificate in use")
        done = subprocess.run(
            ["curl", "-sk", "--max-time", "5", "-H", "X-API-Key: " + self.key,
             "https://127.0.0.1:%d/api/v1/info" % self.api_port], capture_output=True, check=False)
        self.assertEqual(json.loads(done.stdout)["tls"], "1")
        self.assertIn(b"400", self.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").split(b"\r\n")[0])


class Instances(MasterCase):
    @quick
    def test_life(self):
        self.master()
        first = self.good("GET", "/instances")
        self.assertEqual(len(first), 1)
        self.assertEqual(list(first[0]), FIELDS)
        self.assertEqual((first[0]["id"], first[0]["url"], first[0]["type"], first[0]["status"]),
                         (KEY_ID, self.key, "", ""))
        port = self.port()
        reply = self.request("POST", "/instances", {
            "url": "CLIENT://127.0.0.1:%d/127.0.0.1:1?mode=1&rate=0" % port, "alias": "w"})
        self.assertEqual(reply.status, 201)
        self.assertTrue(reply.body.startswith(b'{"id":"'))
        made = reply.json()
        self.assertEqual(list(made), FIELDS)
        self.assertRegex(made["id"], r"^[0-9a-f]{8}$")
        self.assertEqual((made["alias"], made["type"], made["status"], made["restart"]),
                         ("w", "client", "running", True))
        self.assertEqual(made["url"], "client://127.0.0.1:%d/127.0.0.1:1?mode=1&rate=0" % port)
        self.assertEqual(made["config"], made["url"].partition("?")[0] + "?dial=auto&dns=5m"
                         "&log=info&min=64&mode=1&notcp=0&noudp=0&proxy=0&rate=0&read=1h"
                         "&slot=1024&tls=0")
        wait_until(lambda: listens(port), 5, "the instance listens")
        self.assertEqual(self.get(made["id"])["id"], made["id"])
        self.assertEqual([i["id"] for i in self.good("GET", "/instances")], [KEY_ID, made["id"]])
        path = "/instances/" + made["id"]
        self.good("PATCH", path, {"action": "stop"})
        self.wait_status(made["id"], "stopped")
        wait_until(lambda: not listens(port), 5, "the port is free")
        self.assertEqual(self.good("PATCH", path, {"action": "start"})["status"], "running")
        self.good("PATCH", path, {"action": "restart"})
        wait_until(lambda: listens(port), 5, "the instance listens again")
        self.assertEqual(self.request("DELETE", path).status, 204)
        self.bad("GET", path, None, 404, "Instance not found")
        wait_until(lambda: not listens(port), 5, "the port is free")

    def test_create_refusals(self):
        self.master()
        long = "x" * 257
        for body, text in (
                ("", "Invalid request body"), ("{", "Invalid request body"),
                ("[]", "Invalid request body"), ({}, "Invalid request body"),
                ({"url": ""}, "Invalid request body"), ({"url": 5}, "Invalid request body"),
                ({"url": None}, "Invalid request body"), ("null", "Invalid request body"),
                ({"url": "client://a:1/b:2", "alias": 7}, "Invalid request body"),
                ({"url": "client://a:1/b:2\n"}, "Invalid URL format"),
                ({"url": "://a"}, "Invalid URL format"),
                ({"url": "client://" + "a" * 4000}, "Invalid URL format"),
                ({"url": "x"}, "Invalid URL scheme"), ({"url": "http://a/"}, "Invalid URL scheme"),
                ({"url": "master://a:1"}, "Invalid URL scheme"),
                ({"url": "client://a:1/b:2?mode=3"}, "mode=3: want 0, 1 or 2"),
                ({"url": "client://a:1/b:2?slot=12x"},
                 "slot=12x: want 0 or a whole number of sessions"),
                ({"url": "client://a:1"},
                 "target: missing, want host:port behind the tunnel, as in /127.0.0.1:80"),
                ({"url": "client://a:1/b:2", "alias": long},
                 "Instance alias exceeds maximum length 256")):
            self.bad("POST", "/instances", body, 400, text)
        self.assertEqual(len(self.good("GET", "/instances")), 1)

    def test_stored_url(self):
        self.master("log=debug")
        port = self.port()
        for given, stored in (
                ("client://127.0.0.1:%d/127.0.0.1:1?slot=5&mode=1&dial=auto" % port,
                 "?dial=auto&log=debug&mode=1&slot=5"),
                ("client://127.0.0.1:%d/127.0.0.1:1?mode=1&log=error" % port, "?log=error&mode=1"),
                ("client://127.0.0.1:%d/127.0.0.1:1" % port, "?log=debug"),
                ("client://127.0.0.1:%d/127.0.0.1:1?sni=a%%2eb&unknown=%%20+%%2f" % port,
                 "?log=debug&sni=a.b&unknown=++%2F")):
            made = self.create(given)
            self.assertEqual(made["url"], given.partition("?")[0] + stored)
            self.request("DELETE", "/instances/" + made["id"])
        self.request("DELETE", "/instances/" + made["id"])

    def test_no_query_stays_without(self):
        self.master()
        url = "client://127.0.0.1:%d/127.0.0.1:1" % self.port()
        self.assertEqual(self.create(url)["url"], url)
        self.assertEqual(self.create(url + "?")["url"], url)

    def test_servers_take_tls_of_the_master(self):
        self.master("tls=1")
        # over TLS, so by curl
        body = json.dumps({"url": "server://127.0.0.1:%d/127.0.0.1:1?mode=2" % self.port()})
        done = subprocess.run(
            ["curl", "-sk", "--max-time", "5", "-H", "X-API-Key: " + self.key, "-d", body,
             "https://127.0.0.1:%d/api/v1/instances" % self.api_port], capture_output=True,
            check=False)
        self.assertTrue(json.loads(done.stdout)["url"].endswith("?mode=2&tls=1"))

    def test_error_state_heals(self):
        node = self.master()
        busy = self.target()
        made = self.create("client://127.0.0.1:%d/127.0.0.1:1?mode=1" % busy.port)
        self.wait_status(made["id"], "error")
        node.wait_log("address in use")
        busy.close()
        self.wait_status(made["id"], "running", 15)
        lost = self.create("client://127.0.0.1:%d/127.0.0.1:1?mode=2" % self.port())
        self.wait_status(lost["id"], "error")

    @limit(60)
    def test_table_full(self):
        self.master()
        port = self.port()
        status = 201
        count = 0
        while status == 201 and count < 300:
            reply = self.request("POST", "/instances", {
                "url": "client://127.0.0.1:%d/127.0.0.1:1?mode=2&min=1" % port})
            status = reply.status
            count += 1
        self.assertEqual(status, 503)
        self.assertRegex(reply.error(), r"^Too many instances: this process runs at most \d+$")
        one = self.good("GET", "/instances")[1]["id"]
        self.assertEqual(self.request("DELETE", "/instances/" + one).status, 204)
        self.create()

    def test_put(self):
        self.master()
        old, new = self.port(), self.port()
        url = "client://127.0.0.1:%d/127.0.0.1:1?mode=1" % old
        made = self.create(url, alias="keep")
        path = "/instances/" + made["id"]
        self.good("PATCH", path, {"meta": {"tags": {"a": "b"}}, "restart": False})
        self.bad("PUT", path, {"url": url}, 409, "Instance URL conflict")
        self.bad("PUT", path, {}, 400, "Invalid request body")
        self.bad("PUT", path, {"url": "tcp://x"}, 400, "Invalid URL scheme")
        self.bad("PUT", "/instances/" + KEY_ID, {"url": url}, 403, "Forbidden: API Key")
        got = self.good("PUT", path, {"url": url.replace(str(old), str(new))})
        self.assertEqual((got["id"], got["alias"], got["restart"], got["meta"]["tags"]),
                         (made["id"], "keep", False, {"a": "b"}))
        wait_until(lambda: listens(new) and not listens(old), 8, "the new port is served")
        self.good("PATCH", path, {"action": "stop"})
        got = self.good("PUT", path, {"url": "server://127.0.0.1:%d/127.0.0.1:1?mode=2" % old})
        self.assertEqual((got["type"], got["status"]), ("server", "running"))
        self.bad("DELETE", "/instances/" + KEY_ID, None, 403, "Forbidden: API Key")


class Patch(MasterCase):
    def setUp(self):
        super().setUp()
        self.master(env={"NP_REPORT_INTERVAL": "1h"})  # every event is one that a test caused
        self.id = self.create(alias="one")["id"]
        self.wait_status(self.id, "running")
        self.path = "/instances/" + self.id

    @quick
    def test_refusals_change_nothing(self):
        before = self.get(self.id)
        for body, text in (
                ("", "Invalid request body"), ("{", "Invalid request body"),
                ({"alias": 1}, "Invalid request body"), ({"restart": "x"}, "Invalid request body"),
                ({"meta": []}, "Invalid request body"),
                ({"meta": {"tags": {"a": 1}}}, "Invalid request body"),
                ({"meta": {"peer": "x"}}, "Invalid request body"),
                ({"action": "explode"}, "Invalid action: explode"),
                ({"alias": "x" * 257}, "Instance alias exceeds maximum length 256"),
                ({"meta": {"peer": {"sid": "x" * 257}}},
                 "Meta peer.sid exceeds maximum length 256"),
                ({"meta": {"tags": {"k": "x" * 257}}},
                 "Meta tag value exceeds maximum length 256")):
            if isinstance(body, dict):
                body = dict({"restart": False}, **body)
            self.bad("PATCH", self.path, body, 400, text)
        self.assertEqual(self.get(self.id), before)

    def test_everything_at_once(self):
        stream = self.events()
        body = {"Alias": "two", "restart": False, "action": "stop", "other": 1,
                "meta": {"peer": {"sid": "s", "type": "t", "alias": "a"},
                         "tags": {"x": "1", "y": "\u00e4 b=c&d;#%"}}}
        got = self.good("PATCH", self.path, body)
        self.assertEqual((got["alias"], got["restart"], got["meta"]),
                         ("two", False, body["meta"]))
        stream.wait(lambda e: e["type"] == "update" and e["instance"]["status"] == "stopped")
        updates = [e["instance"] for e in stream.events if e["type"] == "update"]
        self.assertEqual([(u["restart"], u["alias"], bool(u["meta"]["tags"]), u["status"])
                          for u in updates],
                         [(False, "one", False, "running"), (False, "two", False, "running"),
                          (False, "two", True, "running"), (False, "two", True, "stopped")])
        count = len(stream.events)
        for same in (body, {}, "null", {"alias": None}, {"meta": {}}, {"action": ""}):
            self.assertEqual(self.request("PATCH", self.path, same).status, 200)
        self.good("PATCH", self.path, {"meta": {"tags": {}}})
        wait_until(lambda: len(stream.events) > count, 5, "the event of the last change")
        self.assertEqual([e["instance"]["meta"]["tags"] for e in stream.events[count:]], [{}])
        self.assertEqual(self.get(self.id)["meta"]["peer"]["sid"], "s")

    def test_reset(self):
        target = self.target()
        visit = self.port()
        made = self.create("client://127.0.0.1:%d/%s?mode=1" % (visit, target.where))
        net.wait_listening(visit)
        with net.connect(("127.0.0.1", visit)) as sock:
            sock.sendall(b"ECHO\n" + b"x" * 1000)
            net.read_exact(sock, 1000)
        wait_until(lambda: self.get(made["id"])["tcprx"] >= 1000, 5, "counters")
        path = "/instances/" + made["id"]
        for action in ("stop", "start", "restart"):
            self.good("PATCH", path, {"action": action})
        self.good("PUT", path, {"url": "client://127.0.0.1:%d/%s?mode=1&rate=1"
                                       % (visit, target.where)})
        got = self.get(made["id"])
        self.assertGreaterEqual(got["tcprx"], 1000, "counters survive restart and replace")
        self.assertGreaterEqual(got["tcptx"], 1000)
        got = self.good("PATCH", path, {"action": "reset"})
        self.assertEqual((got["tcprx"], got["tcptx"]), (0, 0))
        self.assertEqual(got["status"], "running")

    def test_key_rotation(self):
        stream = self.events()
        old = self.key
        self.assertEqual(self.good("PATCH", "/instances/" + KEY_ID, {"alias": "no"})["alias"], "")
        got = self.good("PATCH", "/instances/" + KEY_ID, {"action": "restart"})
        self.assertEqual(got["id"], KEY_ID)
        self.assertNotEqual(got["url"], old)
        self.bad("GET", "/info", None, 401, "Unauthorized: Invalid API key", key=old)
        self.key = got["url"]
        self.good("GET", "/info")
        wait_until(lambda: stream.ended, 5, "the stream ends")
        self.assertEqual(stream.events[-1]["type"], "shutdown")
        self.assertIsNone(stream.events[-1]["instance"])
        node = self.nodes[0]
        node.kill()
        self.start()
        self.assertEqual(self.key, got["url"])


class Others(MasterCase):
    def test_info(self):
        self.master("log=debug", env={"NP_REPORT_INTERVAL": "200ms"})
        got = self.good("GET", "/info")
        self.assertEqual(list(got), (
            "alias arch cpu crt diskr diskw key log mem_free mem_total mem_used mid name netrx "
            "nettx os swap_free swap_total swap_used sysup tls uptime ver").split())
        self.assertRegex(got["mid"], r"^[0-9a-f]{16}$")
        self.assertEqual((got["os"], got["log"], got["tls"], got["crt"], got["key"]),
                         ("linux", "debug", "0", "", ""))
        self.assertEqual(got["mem_total"], got["mem_used"] + got["mem_free"])
        self.assertGreater(got["sysup"], 0)
        wait_until(lambda: self.good("GET", "/info")["cpu"] >= 0, 5, "a sample of the processors")
        self.assertEqual(self.good("POST", "/info", {"alias": "box"})["alias"], "box")
        self.bad("POST", "/info", {"alias": "x" * 257}, 400,
                 "Master alias exceeds maximum length 256")
        self.bad("POST", "/info", "nope", 400, "Invalid request body")

    @limit(60)
    def test_tcping(self):
        self.master()
        target = self.target()
        got = self.good("GET", "/tcping?target=" + target.where)
        self.assertEqual(list(got), ["target", "connected", "latency", "error"])
        self.assertEqual((got["target"], got["connected"], got["error"]),
                         (target.where, True, None))
        got = self.good("GET", "/tcping?target=127.0.0.1%%3A%d" % self.port())
        self.assertEqual((got["connected"], got["latency"], got["error"]),
                         (False, 0, "connection refused"))
        got = self.good("GET", "/tcping?target=localhost:%d" % target.port)
        self.assertTrue(got["connected"])
        got = self.good("GET", "/tcping?target=no.such.name.invalid:1")
        self.assertFalse(got["connected"])
        self.assertIn("want", self.good("GET", "/tcping?target=x")["error"])
        for query in ("", "?target=", "?other=x"):
            self.bad("GET", "/tcping" + query, None, 400, "Target address required")

    def test_metrics(self):
        self.master()
        made = self.create(alias='quo"te\\ and\nline')
        text = self.request("GET", "/metrics").body.decode()
        self.assertRegex(text, r'(?m)^nodepass_info\{version="[^"]+",os="linux",arch="\w+"\} 1$')
        label = 'id="%s",alias="quo\\"te\\\\ and\\nline",type="client"' % made["id"]
        self.assertIn("nodepass_instance_up{%s} 1\n" % label, text)
        for line in text.splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) \w+ .*|\w+(\{.*\})? -?[0-9.]+)$")
        names = re.findall(r"(?m)^# TYPE (\w+)", text)
        self.assertEqual(len(names), len(set(names)))

    def test_pages(self):
        self.master()
        for path in ("/", "/api/v1/docs"):
            reply = self.request("GET", path, raw=True, key=False)
            self.assertEqual((reply.status, reply.header("content-encoding")), (200, ["gzip"]))
            tag = reply.header("etag")[0]
            again = self.request("GET", path, raw=True, key=False, headers={"If-None-Match": tag})
            self.assertEqual((again.status, again.body), (304, b""))

    @limit(90)
    def test_ini_with_a_master_and_instances(self):
        visit, target = self.port(), self.target()
        self.api_port, self.base = self.port(), "/api/v1"
        self.state = os.path.join(self.dir, "state")
        path = os.path.join(self.dir, "np.ini")
        for section in ("[master]\ntunnel = 127.0.0.1:%d\nstate = %s\n",
                        "[instance m]\nurl = master://127.0.0.1:%d?state=%s\n"):
            with open(path, "w", encoding="utf-8") as out:
                out.write("[instance fixed]\nurl = client://127.0.0.1:%d/%s?mode=1\n"
                          % (visit, target.where))
                out.write(section % (self.api_port, self.state))
            os.chmod(path, 0o600)
            self.args = ["-c", path]
            node = self.start()
            net.wait_listening(visit)
            fixed = next(i for i in self.good("GET", "/instances") if i["alias"] == "fixed")
            one = "/instances/" + fixed["id"]
            self.assertEqual((fixed["type"], fixed["status"]), ("client", "running"))
            self.bad("DELETE", one, None, 403, "Forbidden: defined in the configuration file")
            self.bad("PUT", one, {"url": "client://a:1/b:2"}, 403,
                     "Forbidden: defined in the configuration file")
            for body in ({"alias": "x"}, {"restart": False}, {"meta": {"tags": {"a": "b"}}},
                         {"alias": "x", "action": "stop"}):
                self.bad("PATCH", one, body, 403, "Forbidden: defined in the configuration file")
            self.wait_status(fixed["id"], "running")
            self.good("PATCH", one, {"action": "stop"})
            self.wait_status(fixed["id"], "stopped")
            node.stop()
