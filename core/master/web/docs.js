// SPDX-License-Identifier: BSD-3-Clause
// The page of the API: reads the OpenAPI document of the running program, lists and tries its routes.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
let spec = {};

/* Where the document has no example. */
const USUAL = {url: "client://:8080/192.0.2.10:80?mode=1", alias: "web"};

/* Follows a "$ref" of this document. */
function resolved(thing, depth) {
    if (!thing || !thing.$ref || (depth || 0) > 8) return thing || {};
    const path = thing.$ref.replace(/^#\//, "").split("/").map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
    return resolved(path.reduce((at, name) => (at || {})[name], spec), (depth || 0) + 1);
}

/* An example of a schema. */
function exampleOf(schema, depth) {
    const s = resolved(schema);
    if (s.example !== undefined) return s.example;
    if (s.examples && s.examples.length) return s.examples[0];
    if (s.default !== undefined) return s.default;
    if (s.enum) return s.enum[0];
    if ((depth || 0) > 5) return null;
    if (s.properties) return Object.fromEntries(Object.entries(s.properties).map(([name, sub]) => [name, exampleOf(sub, (depth || 0) + 1)]));
    if (s.type === "array") return [exampleOf(s.items, (depth || 0) + 1)];
    return {string: "", integer: 0, number: 0, boolean: false, object: {}}[s.type] ?? null;
}

/* What a body begins with: all of it if something is required, else its last member (PATCH: the action). */
function bodyOf(schema) {
    const all = exampleOf(schema), names = Object.keys(all || {});
    for (const name of names) all[name] = all[name] || USUAL[name] || all[name];
    return schema.required ? all : Object.fromEntries(Object.entries(all).slice(-1));
}

function baseOf(item, operation) {
    const servers = operation.servers || item.servers || spec.servers;
    const url = servers && servers[0] && servers[0].url || location.pathname.replace(/\/docs$/, "");
    return new URL(url, location.href).pathname.replace(/\/$/, "");
}

/* The parts of one route's form, and the request that they make. */
function makeRequest(method, path, item, operation) {
    const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map((p) => resolved(p)).filter((p) => p.in === "path" || p.in === "query");
    const inputs = parameters.map((p) => ({p, input: el("input.mono", {type: "text", autocomplete: "off", spellcheck: "false", placeholder: String(p.example ?? exampleOf(p.schema) ?? "")})}));
    const content = (resolved(operation.requestBody).content || {})["application/json"];
    const body = content && el("textarea", {rows: "5", spellcheck: "false", "aria-label": "Body"});
    if (body) body.value = JSON.stringify(content.example ?? bodyOf(resolved(content.schema)), null, 2);
    const url = () => {
        let result = path;
        const query = new URLSearchParams();
        for (const {p, input} of inputs) {
            if (p.in === "path") result = result.replace("{" + p.name + "}", encodeURIComponent(input.value));
            else if (input.value) query.set(p.name, input.value);
        }
        return baseOf(item, operation) + result + (query.size ? "?" + query : "");
    };
    return {inputs, body, url, method: method.toUpperCase()};
}

function curlOf(request) {
    const quote = (text) => "'" + text.replace(/'/g, "'\\''") + "'";
    return "curl -X " + request.method + " -H \"X-API-Key: $NP_API_KEY\" " + (request.body ? "-d " + quote(request.body.value) + " " : "") + quote(location.origin + request.url());
}

/* ---- trying a route ---- */

async function attempt(request, out, stop) {
    const headers = {};
    if (api.key) headers["X-API-Key"] = api.key;
    if (request.body) headers["Content-Type"] = "application/json";
    const start = performance.now();
    out.status.className = "status soft";
    setText(out.status, "Waiting …");
    setText(out.text, "");
    out.text.hidden = true;
    try {
        const reply = await fetch(request.url(), {method: request.method, headers, cache: "no-store", signal: stop.signal, body: request.body ? request.body.value : undefined});
        out.status.className = "status " + (reply.ok ? "ok" : "error");
        setText(out.status, reply.status + " " + reply.statusText + " · " + Math.round(performance.now() - start) + " ms · " + (reply.headers.get("Content-Type") || "no content"));
        await showBody(reply, out);
    } catch (error) {
        if (stop.signal.aborted) return;
        out.status.className = "status error";
        setText(out.status, "No answer: " + error.message);
    }
}

async function showBody(reply, out) {
    const isStream = (reply.headers.get("Content-Type") || "").startsWith("text/event-stream");
    if (isStream) {
        const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
        out.text.hidden = false;
        for (let all = "";;) {
            const {value, done} = await reader.read();
            if (done) break;
            all = (all + value).slice(-20000);
            setText(out.text, all);
            out.text.scrollTop = out.text.scrollHeight;
        }
        return;
    }
    let text = await reply.text();
    if (/json/.test(reply.headers.get("Content-Type"))) {
        try {
            text = JSON.stringify(JSON.parse(text), null, 2);
        } catch { /* shown as it came */ }
    }
    out.text.hidden = !text;
    setText(out.text, text.length > 200000 ? text.slice(0, 200000) + "\n…" : text);
}

/* ---- the list ---- */

function responsesOf(operation) {
    return el("table", {}, el("tbody", {}, Object.entries(operation.responses || {}).map(([status, response]) => el("tr", {}, el("td", {}, status), el("td", {}, resolved(response).description || "")))));
}

function fillRoute(node, method, path, item, operation) {
    const request = makeRequest(method, path, item, operation);
    const curl = el("pre");
    const out = {status: el("p.status", {role: "status"}), text: el("pre", {hidden: true, tabindex: "0"})};
    let stop = new AbortController();
    const refresh = () => setText(curl, curlOf(request));
    const fields = request.inputs.map(({p, input}, i) => {
        input.id = "p-" + request.method + path.replace(/\W/g, "-") + i;
        return el("div.field", {}, el("label", {for: input.id}, el("code", {}, p.name), p.required ? "" : el("span.soft", {}, " optional")), input, p.description ? el("p.hint", {}, p.description) : null);
    });
    const halt = el("button", {type: "button", hidden: true, onclick: () => stop.abort()}, "Stop");
    const form = el("form", {oninput: refresh, onsubmit: async (event) => {
        event.preventDefault();
        stop.abort();
        const mine = stop = new AbortController();
        halt.hidden = false;
        await attempt(request, out, mine);
        if (stop === mine) halt.hidden = true;
    }}, fields.length ? el("div.fields", {}, fields) : null, request.body ? [el("h3", {}, "Body"), request.body] : null,
    el("h3", {}, "With curl"), curl, el("p.row", {}, el("button.main", {}, "Send"), halt), out.status, out.text);
    const isPublic = operation.security && operation.security.length === 0;
    node.append(el("div.inside", {}, operation.description ? el("p.about", {}, operation.description) : null,
        isPublic ? el("p.soft", {}, "Needs no key.") : null, form, el("h3", {}, "Answers"), responsesOf(operation)));
    refresh();
}

function makeRoute(method, path, item, operation) {
    const node = el("details.route", {id: method + path.replace(/\W+/g, "-")}, el("summary", {}, el("span.method." + method, {}, method.toUpperCase()), el("span.path.mono", {}, path), el("span.soft", {}, operation.summary || "")));
    node.addEventListener("toggle", () => node.childElementCount === 1 && fillRoute(node, method, path, item, operation));
    $("routes").append(node);
}

async function load() {
    const reply = await fetch(location.pathname.replace(/\/docs$/, "") + "/openapi.json", {cache: "no-store"});
    if (!reply.ok) throw await errorOf(reply);
    spec = await reply.json();
    setText($("title"), (spec.info.title || "NodePass API") + " " + (spec.info.version || ""));
    setText($("about"), spec.info.description || "");
    for (const [path, item] of Object.entries(spec.paths || {})) {
        for (const method of METHODS.filter((m) => item[m])) makeRoute(method, path, resolved(item), item[method]);
    }
    if (location.hash && document.getElementById(location.hash.slice(1))) document.getElementById(location.hash.slice(1)).open = true;
}

showTheme();
$("theme").addEventListener("click", switchTheme);
$("key").value = api.key;
$("key").addEventListener("input", () => {
    api.key = $("key").value.trim();
    setText($("key-note"), api.key ? "Kept in this tab" : "");
});
$("key-form").addEventListener("submit", (event) => event.preventDefault());
load().catch((error) => setText($("problem"), "The OpenAPI document can't be read: " + error.message));
