# SPDX-License-Identifier: BSD-3-Clause
"""The OpenAPI document of the master's API, from the tables below, and its packed form.

The end-to-end tests compare the document with what the program does, every status of every
operation.
"""
import collections
import json

PREFIX = "\x01"  # where the program puts the prefix of its API
TOP = 2          # stands for the whole document
FIRST_FREE = 3   # from here on, bytes that the document does not have stand for a text each
LEAST_PAIRS = 4  # fewer cost more than they save

# path, method, id, summary, schema of the body, schema of the first status ("" = no JSON), statuses
OPERATIONS = [
    ("/instances", "get", "listInstances", "All instances, and the record of the API key",
     None, "Instances", "200 401 429"),
    ("/instances", "post", "createInstance",
     "Creates an instance and starts it; 409 if the id collides", "NewInstance", "Instance",
     "201 400 401 409 413 429 503 507"),
    ("/instances/{id}", "get", "getInstance", "One instance", None, "Instance",
     "200 400 401 404 429"),
    ("/instances/{id}", "patch", "patchInstance",
     "Changes alias, restart flag or meta, or acts; restart of ******** makes a new API key",
     "Patch", "Instance", "200 400 401 403 404 413 429 503 507"),
    ("/instances/{id}", "put", "putInstance", "Gives it another URL and restarts it", "NewUrl",
     "Instance", "200 400 401 403 404 409 413 429 503 507"),
    ("/instances/{id}", "delete", "deleteInstance", "Stops and forgets it", None, "",
     "204 400 401 403 404 429 507"),
    ("/events", "get", "streamEvents",
     "Server-sent events named instance, each with an Event as data", None, "",
     "200 401 429 503"),
    ("/info", "get", "getInfo", "The machine and the master", None, "Info", "200 401 429"),
    ("/info", "post", "setAlias", "Names the master", "Alias", "Info",
     "200 400 401 413 429 503 507"),
    ("/tcping", "get", "tcping", "Whether a target takes TCP connections", None, "Tcping",
     "200 400 401 429"),
    ("/metrics", "get", "getMetrics", "Figures as Prometheus reads them", None, "",
     "200 401 429"),
    ("/openapi.json", "get", "getOpenapi", "This document", None, "Document", "200"),
    ("/docs", "get", "getDocs", "A page to read and try this API", None, "", "200"),
]
PARAMETERS = {"/instances/{id}": ("id", "path"), "/tcping": ("target", "query")}

MEANINGS = {
    "200": "Done",
    "201": "Created",
    "204": "Deleted",
    "400": "The request can't be understood or can't work; the error tells why",
    "401": "No API key, or a wrong one",
    "403": "Not for the API key's record, nor for instances of the configuration file",
    "404": "Instance not found",
    "409": "The URL is the one it has, or the id is taken",
    "413": "The body is larger than 64 KB",
    "429": "Ten wrong API keys in a minute from this address",
    "503": "A table of this build is full",
    "507": "The last change could not be saved, and still can't be",
}

TEXT = {"type": "string"}
NAME = {"type": "string", "maxLength": 256}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}


def ref(name):
    return {"$ref": "#/components/schemas/" + name}


def one_of(words):
    return {"enum": words.split(" ")}


def record(required, **properties):
    """An object; `required`: names, or all of them."""
    names = list(properties) if required == "all" else required.split()
    return {"type": "object", **({"required": names} if names else {}), "properties": properties}


SCHEMAS = {
    "Error": record("all", error=TEXT),
    "Document": {"type": "object"},
    "NewUrl": record("all", url=TEXT),
    "Alias": record("", alias=NAME),
    "NewInstance": record("url", url=TEXT, alias=NAME),
    "Meta": record("", peer=record("", sid=TEXT, type=TEXT, alias=TEXT),
                   tags={"type": "object", "additionalProperties": TEXT}),
    "Patch": record("", alias=NAME, restart=FLAG, meta=ref("Meta"),
                    action=one_of("start stop restart reset")),
    "Instance": record(
        "all", id=TEXT, alias=TEXT, type=one_of("client server "),
        status=one_of("running stopped error "), url=TEXT, config=TEXT, restart=FLAG,
        meta=ref("Meta"), mode=COUNT, ping=COUNT, pool=COUNT, tcps=COUNT, udps=COUNT, tcprx=COUNT,
        tcptx=COUNT, udprx=COUNT, udptx=COUNT),
    "Instances": {"type": "array", "items": ref("Instance")},
    "Event": record(
        "all", type=one_of("initial create update delete shutdown log"),
        time={"type": "string", "format": "date-time"},
        instance={"anyOf": [ref("Instance"), {"type": "null"}]}, logs=TEXT),
    "Tcping": record("all", target=TEXT, connected=FLAG, latency=COUNT,
                     error={"type": ["string", "null"]}),
    "Info": record(
        "all", alias=TEXT, arch=TEXT, cpu={"type": "integer", "minimum": -1, "maximum": 100},
        crt=TEXT, diskr=COUNT, diskw=COUNT, key=TEXT, log=TEXT, mem_free=COUNT, mem_total=COUNT,
        mem_used=COUNT, mid=TEXT, name=TEXT, netrx=COUNT, nettx=COUNT, os=TEXT, swap_free=COUNT,
        swap_total=COUNT, swap_used=COUNT, sysup=COUNT, tls=TEXT, uptime=COUNT, ver=TEXT),
}


# ---- the document -------------------------------------------------------------------------------

def content(schema):
    return {"application/json": {"schema": ref(schema)}}


def responses(result, statuses):
    out = {}
    for status in statuses.split():
        schema = result if not out else "Error"
        out[status] = {"description": MEANINGS[status],
                       **({"content": content(schema)} if schema else {})}
    return out


def operation(path, name, summary, body, result, statuses):
    out = {"operationId": name, "summary": summary}
    if path in PARAMETERS:
        parameter, place = PARAMETERS[path]
        out["parameters"] = [{"name": parameter, "in": place, "required": True, "schema": TEXT}]
    if body:
        out["requestBody"] = {"required": True, "content": content(body)}
    if "401" not in statuses:
        out["security"] = []  # public
    out["responses"] = responses(result, statuses)
    return out


def document(version):
    """As one line of text, PREFIX in it."""
    paths = {}
    for path, method, *rest in OPERATIONS:
        paths.setdefault(path, {})[method] = operation(path, *rest)
    key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    whole = {"openapi": "3.1.0", "info": {
                 "title": "NodePass", "version": "v" + version,
                 "description": "Another method: 405. Errors are JSON, as Error."},
             "servers": [{"url": PREFIX + "/v1"}], "security": [{"key": []}],
             "components": {"securitySchemes": {"key": key}, "schemas": SCHEMAS}, "paths": paths}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).replace("\\u0001", PREFIX)


# ---- packing ------------------------------------------------------------------------------------

def pair_counts(texts):
    counts = collections.Counter()
    for text in texts:
        counts.update(zip(text, text[1:]))
    return counts


def add_rules(rules, free):
    """The most frequent pair of all texts becomes a value of its own, while that saves bytes."""
    while free:
        pair, count = max(pair_counts(rules.values()).items(), key=lambda item: item[::-1])
        if count < LEAST_PAIRS:
            return
        value = free.pop(0)
        for name, text in rules.items():
            rules[name] = text.replace(bytes(pair), bytes([value]))
        rules[value] = bytes(pair)


def drop_rules(rules, free):
    """What is used once goes back to its place. Returns whether there was any."""
    counts = collections.Counter(b"".join(rules.values()))
    once = [value for value in rules if counts[value] == 1]
    for value in once:
        body = rules.pop(value)
        for name, text in rules.items():
            rules[name] = text.replace(bytes([value]), body)
        free.append(value)
    return bool(once)


def pack(text):
    """{value: what it stands for, values again}; that of TOP is the whole text."""
    rules = {TOP: text.encode("ascii")}
    free = sorted(set(range(FIRST_FREE, 256)) - set(rules[TOP]))
    add_rules(rules, free)
    while drop_rules(rules, free):
        add_rules(rules, free)
    return rules


def unpack(rules, value=TOP):
    return "".join(unpack(rules, v) if v in rules else chr(v) for v in rules[value])


def depth(rules, value=TOP):
    return 1 + max(depth(rules, v) if v in rules else 0 for v in rules[value])


def packed(version):
    """(bytes, depth): for each value that byte, what it stands for, 0; the whole text first."""
    text = document(version)
    rules = pack(text)
    if unpack(rules) != text:
        raise ValueError("openapi: packed wrongly")
    out = b"".join(bytes([v, *rules[v], 0]) for v in sorted(rules))
    return out, depth(rules)
