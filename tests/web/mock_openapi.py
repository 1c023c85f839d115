# SPDX-License-Identifier: BSD-3-Clause
"""An OpenAPI document for the mock: every route of the API, in short."""

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"},
      "description": "Id of an instance, or ******** for the API key"}
TARGET = {"name": "target", "in": "query", "required": True, "description": "host:port",
          "schema": {"type": "string", "example": "127.0.0.1:80"}}
URL = {"type": "object", "properties": {
    "url": {"type": "string", "example": "client://:8080/192.0.2.10:80?mode=1"},
    "alias": {"type": "string", "example": "web"}}}
CHANGE = {"type": "object", "properties": {
    "action": {"type": "string", "enum": ["restart", "start", "stop", "reset"]}}}
ALIAS = {"type": "object", "properties": {"alias": {"type": "string", "example": "router"}}}

# path, method, summary, parameters, schema of the body, statuses
ROUTES = [
    ("/instances", "get", "All instances and the API key's record", [], None, "200"),
    ("/instances", "post", "Create and start an instance", [], URL, "201 400 409 507"),
    ("/instances/{id}", "get", "One instance", [ID], None, "200 404"),
    ("/instances/{id}", "patch", "Start, stop, reset, rename", [ID], CHANGE, "200 400 404"),
    ("/instances/{id}", "put", "Another URL", [ID], URL, "200 400 403 404 409"),
    ("/instances/{id}", "delete", "Stop and delete", [ID], None, "204 403 404"),
    ("/events", "get", "Events as they happen (server-sent events)", [], None, "200"),
    ("/info", "get", "The master and its machine", [], None, "200"),
    ("/info", "post", "Name the master", [], ALIAS, "200 400"),
    ("/tcping", "get", "Connect to an address", [TARGET], None, "200 400"),
    ("/metrics", "get", "Figures for Prometheus", [], None, "200"),
    ("/openapi.json", "get", "This document", [], None, "200"),
    ("/docs", "get", "The page of the API", [], None, "200"),
]
PUBLIC = ("/openapi.json", "/docs")


def operation(path, summary, parameters, schema, statuses):
    result = {"summary": summary, "parameters": parameters,
              "responses": {s: {"description": "as told"} for s in statuses.split()}}
    if path not in PUBLIC:
        result["responses"]["401"] = {"$ref": "#/components/responses/Unauthorized"}
    else:
        result["security"] = []
    if schema:
        result["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return result


def document(base):
    paths = {}
    for path, method, summary, parameters, schema, statuses in ROUTES:
        paths.setdefault(path, {})[method] = operation(path, summary, parameters, schema, statuses)
    return {"openapi": "3.1.0", "info": {"title": "NodePass API", "version": "0.0.0",
                                         "description": "Everything the panel does, and more."},
            "servers": [{"url": base}], "security": [{"key": []}], "paths": paths,
            "components": {
                "securitySchemes": {"key": {"type": "apiKey", "in": "header",
                                            "name": "X-API-Key"}},
                "responses": {"Unauthorized": {"description": "The API key is missing or wrong"}}}}
