# SPDX-License-Identifier: BSD-3-Clause
"""The OpenAPI document against the running program: every operation, every status it documents,
every answer against its schema."""
import json
import os
import resource
import socket

from lib.case import limit, wait_until
from lib.master import KEY_ID, Events, MasterCase

METHODS = ("get", "head", "post", "put", "patch", "delete")
# Needs 8 random ids that are all taken.
IMPOSSIBLE = {("post", "/instances", "409")}

BODIES = (("post", "/instances"), ("patch", "/instances/{id}"), ("put", "/instances/{id}"),
          ("post", "/info"))


def check_schema(document, schema, value, where):
    """The parts of JSON Schema that the document uses; unknown ones are errors."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return check_schema(document, document["components"]["schemas"][name], value, where)
    if "anyOf" in schema:
        faults = [check_schema(document, one, value, where) for one in schema["anyOf"]]
        return min(faults, key=len)
    faults = []
    known = {"type", "required", "properties", "additionalProperties", "items", "enum", "minimum",
             "maximum", "maxLength", "format"}
    faults += ["%s: keyword %s" % (where, word) for word in set(schema) - known]
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
             "null": type(None)}
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, types[kind]) and
                         not (kind == "integer" and isinstance(value, bool)) for kind in kinds):
        return faults + ["%s: %r is no %s" % (where, value, kinds)]
    if "enum" in schema and value not in schema["enum"]:
        faults.append("%s: %r not in %s" % (where, value, schema["enum"]))
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get(
            "maximum", value):
        faults.append("%s: %d out of range" % (where, value))
    if isinstance(value, dict):
        faults += ["%s: no %s" % (where, key) for key in schema.get("required", [])
                   if key not in value]
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if inner is None and "properties" in schema:
                faults.append("%s: %s is not documented" % (where, key))
            elif inner is not None:
                faults += check_schema(document, inner, item, where + "." + key)
    if isinstance(value, list):
        for item in value:
            faults += check_schema(document, schema["items"], item, where + "[]")
    return faults


class OpenApi(MasterCase):
    def setUp(self):
        super().setUp()
        port, path = self.port(), os.path.join(self.dir, "np.ini")
        with open(path, "w", encoding="utf-8") as out:
            out.write("[master]\ntunnel = 127.0.0.1:%d\nstate = %s/state\n[instance fixed]\n"
                      "url = client://127.0.0.1:%d/127.0.0.1:1?mode=1\n"
                      % (port, self.dir, self.port()))
        os.chmod(path, 0o600)
        self.node_ = self.master(env={"NP_REPORT_INTERVAL": "200ms"}, port=port, extra=["-c", path])
        self.document = self.good("GET", "/openapi.json", key=False)
        self.seen = set()

    def try_one(self, method, path, body=None, real=None, **options):
        """Sends it and checks the answer against the document."""
        reply = self.request(method.upper(), real or path, body, **options)
        self.take(method, path, reply)
        return reply

    def take(self, method, path, reply):
        operation = self.document["paths"][path][method]
        status = str(reply.status)
        self.assertIn(status, operation["responses"], (method, path, status, reply.body[:200]))
        self.seen.add((method, path, status))
        content = operation["responses"][status].get("content")
        if content:
            self.assertEqual(reply.header("content-type"), ["application/json"])
            faults = check_schema(self.document, content["application/json"]["schema"],
                                  reply.json(), method + " " + path)
            self.assertEqual(faults, [])

    def test_document_is_whole(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        ids = []
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                self.assertIn(method, METHODS)
                ids.append(operation["operationId"])
                self.assertTrue(operation["summary"])
                for code, response in operation["responses"].items():
                    self.assertTrue(response["description"], (path, method, code))
                self.assertEqual("{id}" in path, any(
                    p["in"] == "path" for p in operation.get("parameters", [])))
                self.assertEqual("401" in operation["responses"], "security" not in operation)
        self.assertEqual(len(ids), len(set(ids)))
        text = json.dumps(self.document)
        for name in self.document["components"]["schemas"]:
            used = '"$ref": "#/components/schemas/%s"' % name in text
            self.assertTrue(used or name == "Event", name)

    def test_methods_that_are_not_documented_are_refused(self):
        made = self.create()
        for path, operations in self.document["paths"].items():
            for method in METHODS:
                public = "security" in operations.get("get", {})
                if method not in operations and not (method == "head" and public):
                    reply = self.request(method.upper(), path.replace("{id}", made["id"]))
                    self.assertEqual(reply.status, 405, (method, path))

    def provoke_good(self):
        url = "client://127.0.0.1:%d/127.0.0.1:1?mode=1" % self.port()
        made = self.try_one("post", "/instances", {"url": url}).json()
        one = "/instances/" + made["id"]
        self.try_one("get", "/instances")
        self.try_one("get", "/instances/{id}", real=one)
        self.try_one("patch", "/instances/{id}", {"alias": "x", "meta": {"tags": {"a": "b"}}}, one)
        self.try_one("put", "/instances/{id}", {"url": url}, one)
        self.try_one("put", "/instances/{id}", {"url": url + "&rate=1"}, one)
        stream = Events(self.api_port, self.key, self.base + "/events")
        stream.wait(lambda e: e["type"] == "update")
        self.assertIn(" 200 ", stream.head().splitlines()[0])
        self.seen.add(("get", "/events", "200"))
        self.try_one("delete", "/instances/{id}", real=one)
        stream.wait(lambda e: e["type"] == "delete")
        for event in stream.events:
            self.assertEqual(check_schema(self.document, {"$ref": "/Event"}, event, "event"), [])
        stream.close()
        self.try_one("get", "/info")
        self.try_one("post", "/info", {"alias": "x"})
        self.try_one("get", "/tcping", real="/tcping?target=127.0.0.1:%d" % self.api_port)
        for path in ("/metrics", "/openapi.json", "/docs"):
            self.try_one("get", path)

    def provoke_refusals(self):
        key = "/instances/" + KEY_ID
        for method in ("get", "patch", "put", "delete"):
            self.try_one(method, "/instances/{id}", {}, "/instances/")
            self.try_one(method, "/instances/{id}", {}, "/instances/none")
        fixed = "/instances/" + self.good("GET", "/instances")[1]["id"]
        self.try_one("patch", "/instances/{id}", {"alias": "x"}, fixed)
        for method, path in BODIES:
            self.try_one(method, path, b"[" * 65537, path.replace("{id}", KEY_ID))
        self.try_one("put", "/instances/{id}", {}, key)
        self.try_one("delete", "/instances/{id}", None, key)
        self.try_one("post", "/instances", {})
        self.try_one("patch", "/instances/{id}", {"action": "x"}, key)
        self.try_one("put", "/instances/{id}", {}, "/instances/" + self.create()["id"])
        self.try_one("post", "/info", "x")
        self.try_one("get", "/tcping")

    def provoke_unsaved(self):
        one = "/instances/" + self.create()["id"]
        resource.prlimit(self.node_.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        self.create()
        url = "client://127.0.0.1:%d/127.0.0.1:1" % self.port()
        self.try_one("post", "/instances", {"url": url})
        self.try_one("patch", "/instances/{id}", {"alias": "new"}, one)
        self.try_one("put", "/instances/{id}", {"url": url}, one)
        self.try_one("delete", "/instances/{id}", None, one)
        self.try_one("post", "/info", {"alias": "new"})
        resource.prlimit(self.node_.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def provoke_full(self):
        url = "client://127.0.0.1:%d/127.0.0.1:1?mode=2&min=1" % self.port()
        while self.request("POST", "/instances", {"url": url}).status == 201:
            pass
        self.try_one("post", "/instances", {"url": url})
        streams = [self.silent_stream() for _ in range(224)]
        wait_until(lambda: self.metric("nodepass_event_streams") == 224, 15, "all are served")
        self.try_one("get", "/events")
        for stream in streams:
            stream.close()

    def provoke_busy(self):
        """All places of large bodies are taken by such that do not come."""
        slow = []
        for _ in range(8):
            sock = socket.create_connection(("127.0.0.1", self.api_port), 10)
            self.addCleanup(sock.close)
            sock.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
                         + b"x" * 20000)
            slow.append(sock)
        for method, path in BODIES:
            self.try_one(method, path, b"x" * 60000, path.replace("{id}", KEY_ID))
        for sock in slow:
            sock.close()

    def provoke_keys(self):
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                if "401" in operation["responses"]:
                    self.try_one(method, path, None, key=False)
        for _ in range(10):
            self.request("GET", "/info", key="0" * 32)
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                if "401" in operation["responses"]:
                    self.try_one(method, path, None)

    @limit(90)
    def test_every_documented_status(self):
        self.provoke_good()
        self.provoke_refusals()
        self.provoke_unsaved()
        self.provoke_full()
        self.provoke_busy()
        self.provoke_keys()
        documented = {(method, path, code) for path, operations in self.document["paths"].items()
                      for method, operation in operations.items()
                      for code in operation["responses"]}
        self.assertEqual(documented - self.seen - IMPOSSIBLE, set())
        self.assertTrue(os.path.exists(os.path.join(self.state, "nodepass.ini")))
