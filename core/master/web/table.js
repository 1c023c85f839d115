// SPDX-License-Identifier: BSD-3-Clause
// The table of instances: one row of lasting elements each, so that focus stays while figures move.
"use strict";

const rows = new Map(); /* id -> {node, parts} */
const filter = {text: "", status: ""};
const STATUS = {running: "Running", stopped: "Stopped", error: "Error"};

const statusOf = (data) => STATUS[data.status] ? data.status : "stopped";
const nameOf = (data) => data.alias || data.id;

/* ---- sparklines ---- */

function sparkline(width, height) {
    const line = (cls) => svg("polyline", {class: cls, points: "", fill: "none", "vector-effect": "non-scaling-stroke"});
    const node = svg("svg", {viewBox: "0 0 " + width + " " + height, preserveAspectRatio: "none", class: "spark", "aria-hidden": "true"},
        svg("line", {x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "ground"}), line("rx"), line("tx"));
    return {node, width, height};
}

/* Draws the history; returns the rate at the top edge. */
function drawSparkline(spark, history) {
    const top = Math.max(1, ...history.map((h) => Math.max(h.rx, h.tx)));
    const steps = Math.max(12, history.length - 1), step = spark.width / steps, start = steps + 1 - history.length;
    for (const [i, name] of [[1, "rx"], [2, "tx"]]) {
        const points = history.map((h, n) => ((start + n) * step).toFixed(1) + "," + (spark.height - 1.5 - h[name] / top * (spark.height - 3)).toFixed(1));
        if (points.length === 1) points.push(spark.width + "," + points[0].split(",")[1]);
        spark.node.children[i].setAttribute("points", points.join(" "));
    }
    return top;
}

/* ---- rows ---- */

function cell(name, label, ...kids) {
    return el("td." + name, {role: "cell", "data-label": label}, ...kids);
}

function makeRow(id) {
    const p = {
        name: el("button.link.name.cut", {type: "button", onclick: () => openDetail(id)}),
        address: el("div.address.mono.soft.cut"),
        status: el("span.status"), mode: el("div.soft.mode"),
        spark: sparkline(120, 30), rx: el("span.figure"), tx: el("span.figure"), rxAll: el("span.figure"), txAll: el("span.figure"),
        ping: el("span.figure"), pool: el("span.figure"), tcps: el("span.figure"), udps: el("span.figure"),
        toggle: el("button.bare.square", {type: "button", onclick: () => act(id, p.toggle.value)}),
    };
    p.restart = iconButton("restart", "Restart", () => act(id, "restart"));
    p.log = iconButton("log", "Log and details", () => openDetail(id));
    p.edit = iconButton("edit", "Edit", () => openForm(instances.get(id)));
    p.more = iconButton("more", "More actions", () => openMenu(p.more, instanceMenu(id)));
    p.more.setAttribute("aria-haspopup", "menu");
    const node = el("tr", {role: "row", "data-id": id},
        cell("c-name", "Instance", p.name, p.address),
        cell("c-status", "Status", p.status, p.mode),
        cell("c-spark", "Traffic", p.spark.node),
        cell("c-rate.num", "Rate", el("div", {}, el("i.rx", {title: "RX: read from the local side"}, "RX"), p.rx), el("div", {}, el("i.tx", {title: "TX: written to the local side"}, "TX"), p.tx)),
        cell("c-total.num", "Total", el("div", {}, p.rxAll), el("div", {}, p.txAll)),
        cell("c-ping.num", "Ping", p.ping),
        cell("c-pool.num", "Pool", p.pool),
        cell("c-sess.num", "Sessions", el("div", {}, p.tcps, el("span.unit", {}, " TCP")), el("div", {}, p.udps, el("span.unit", {}, " UDP"))),
        cell("c-act", "Actions", el("div.actions", {}, p.toggle, p.restart, p.log, p.edit, p.more)));
    return {node, parts: p};
}

function updateRow(record) {
    const data = record.data;
    let row = rows.get(data.id);
    if (!row) {
        rows.set(data.id, row = makeRow(data.id));
        insertSorted(row.node, data);
    } else if (row.sortedAs !== nameOf(data)) {
        insertSorted(row.node, data);
    }
    row.sortedAs = nameOf(data);
    const p = row.parts, status = statusOf(data), runs = status === "running", name = nameOf(data);
    const url = parseUrl(data.url);
    setText(p.name, name);
    setText(p.address, url ? (url.tunnel || ":") + " → " + url.target : maskUrl(data.url));
    p.address.title = maskUrl(data.url);
    setText(p.status, STATUS[status]);
    p.status.className = "status " + status;
    setText(p.mode, status === "error" && record.fault || [data.type, runs || data.mode ? modeText(data) : "", url && +url.options.tls ? "TLS" : ""].filter(Boolean).join(" · "));
    drawSparkline(p.spark, record.history);
    setText(p.rx, runs ? rate(record.rx) : "–");
    setText(p.tx, runs ? rate(record.tx) : "–");
    const all = sums(data);
    setText(p.rxAll, bytes(all.rx));
    setText(p.txAll, bytes(all.tx));
    setText(p.ping, pingText(data));
    setText(p.pool, runs ? String(data.pool) : "–");
    setText(p.tcps, String(data.tcps));
    setText(p.udps, String(data.udps));
    const action = status === "stopped" ? "start" : "stop";
    if (p.toggle.value !== action) {
        p.toggle.value = action;
        p.toggle.replaceChildren(icon(action === "start" ? "play" : "stop"));
    }
    for (const [button, what] of [[p.toggle, action === "start" ? "Start" : "Stop"], [p.restart, "Restart"], [p.log, "Log and details"], [p.edit, "Edit"], [p.more, "More actions"]]) {
        button.title = what;
        button.setAttribute("aria-label", what + ": " + name);
    }
    row.node.classList.toggle("idle", !runs);
    row.node.hidden = !isShown(data);
}

function insertSorted(node, data) {
    const order = (a, b) => nameOf(a).localeCompare(nameOf(b), undefined, {numeric: true}) || (a.id < b.id ? -1 : 1);
    const held = document.activeElement;
    const next = [...$("rows").children].find((other) => other !== node && instances.has(other.dataset.id) && order(data, instances.get(other.dataset.id).data) < 0);
    $("rows").insertBefore(node, next || null);
    if (node.contains(held)) held.focus();
}

function removeRow(id) {
    const row = rows.get(id);
    if (!row) return;
    const hadFocus = row.node.contains(document.activeElement);
    row.node.remove();
    rows.delete(id);
    if (hadFocus) $("add").focus();
}

/* ---- filter and sums ---- */

function isShown(data) {
    if (filter.status && statusOf(data) !== filter.status) return false;
    const tags = tagsText(data.meta && data.meta.tags);
    return !filter.text || [data.alias, data.id, data.type, maskUrl(data.url), tags].join(" ").toLowerCase().includes(filter.text);
}

function showTotals() {
    const total = {rx: 0, tx: 0, tcps: 0, udps: 0, running: 0, stopped: 0, error: 0};
    let shown = 0;
    for (const {data, rx, tx} of instances.values()) {
        total[statusOf(data)]++;
        total.rx += rx;
        total.tx += tx;
        total.tcps += data.tcps;
        total.udps += data.udps;
        if (isShown(data)) shown++;
    }
    setText($("t-running"), String(total.running));
    setText($("t-all"), "of " + instances.size + (total.error ? ", " + total.error + " with errors" : ""));
    setText($("t-rx"), rate(total.rx));
    setText($("t-tx"), rate(total.tx));
    setText($("t-tcps"), String(total.tcps));
    setText($("t-udps"), String(total.udps));
    for (const button of $("f-status").children) {
        setText(button.querySelector("b"), String(button.value ? total[button.value] : instances.size));
        button.setAttribute("aria-pressed", button.value === filter.status);
    }
    $("empty").hidden = shown > 0;
    $("list").hidden = shown === 0;
    setText($("empty-text"), instances.size ? "No instance fits the filter." : stream.state === "live" ? "No instance yet. The first tunnel is a minute away." : "Waiting for the master …");
    $("empty-add").hidden = instances.size > 0 || stream.state !== "live";
    $("empty-clear").hidden = instances.size === 0;
}

function applyFilter() {
    for (const [id, row] of rows) row.node.hidden = !isShown(instances.get(id).data);
    showTotals();
}
