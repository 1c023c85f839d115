// SPDX-License-Identifier: BSD-3-Clause
// The drawer of one instance: its log as it comes, and everything the API tells of it.
"use strict";

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "EVENT"];
const detail = {id: "", tab: "log", reveal: false, spark: null};

function openDetail(id) {
    detail.id = id;
    detail.reveal = false;
    setTab("log");
    openDialog($("detail"));
    drawDetail(true);
}

function setTab(tab) {
    detail.tab = tab;
    for (const button of $("d-tabs").children) {
        const on = button.value === tab;
        button.setAttribute("aria-selected", on);
        button.tabIndex = on ? 0 : -1;
        $("d-" + button.value).hidden = !on;
    }
}

const plain = (line) => ansiParts(line).map((part) => part.text).join("");

/* "2026-01-31 12:00:00.000  INFO  ...": the level stands behind the time. */
function levelOf(line) {
    const match = /^\S+ \S+ +(DEBUG|INFO|WARN|ERROR|EVENT) /.exec(plain(line));
    return match ? match[1] : "";
}

function logLine(line) {
    const node = el("div.line", {"data-level": levelOf(line)});
    for (const part of ansiParts(line)) node.append(part.style ? el("span." + part.style, {}, part.text) : part.text);
    return node;
}

/* Whole: everything anew, else only the `fresh` last lines. */
function drawLog(record, whole, fresh) {
    const box = $("d-lines");
    const atEnd = whole || box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    const least = LEVELS.indexOf($("d-level").value);
    if (whole) box.replaceChildren();
    for (const line of whole ? record.logs : record.logs.slice(-fresh)) {
        if (least <= 0 || LEVELS.indexOf(levelOf(line)) >= least) box.append(logLine(line));
    }
    while (box.childElementCount > LOG_LINES) box.firstChild.remove();
    $("d-none").hidden = box.childElementCount > 0;
    if (atEnd && $("d-follow").checked) box.scrollTop = box.scrollHeight;
}

function logged(record, count) {
    if (record.data.id !== detail.id || !$("detail").open) return;
    if (count) drawLog(record, false, count);
}

function fact(name, value, mono) {
    return [el("dt", {}, name), el("dd" + (mono ? ".mono" : ""), {}, value || "–")];
}

function drawFacts(data) {
    const url = (text) => detail.reveal ? text : maskUrl(text);
    const meta = data.meta || {}, peer = meta.peer || {};
    $("d-list").replaceChildren(...[
        fact("Id", data.id, true), fact("Role", data.type + ", " + modeText(data)), fact("URL", url(data.url), true),
        fact("Effective", url(data.config), true), fact("With the master", data.restart ? "starts" : "stays stopped"),
        fact("Tags", tagsText(meta.tags)), fact("Peer", [peer.alias, peer.type, peer.sid].filter(Boolean).join(", ")),
        fact("TCP", "RX " + bytes(data.tcprx) + ", TX " + bytes(data.tcptx) + ", " + data.tcps + " open"),
        fact("UDP", "RX " + bytes(data.udprx) + ", TX " + bytes(data.udptx) + ", " + data.udps + " open"),
        fact("Ping", pingText(data)), fact("Pool", data.pool + " idle connections"),
    ].flat());
}

function drawDetail(whole) {
    const record = instances.get(detail.id);
    if (!record || !$("detail").open) return;
    const data = record.data, status = statusOf(data);
    setText($("d-title"), nameOf(data));
    setText($("d-status"), STATUS[status]);
    $("d-status").className = "status " + status;
    const top = drawSparkline(detail.spark, record.history);
    setText($("d-top"), record.history.length ? "peak " + rate(top) : "no figures yet");
    setText($("d-rx"), rate(record.rx));
    setText($("d-tx"), rate(record.tx));
    const key = JSON.stringify([data, detail.reveal]);
    if (key !== detail.drawn) drawFacts(data);
    detail.drawn = key;
    if (whole) drawLog(record, true);
}

function setUpDetail() {
    detail.spark = sparkline(600, 72);
    $("d-chart").append(detail.spark.node);
    $("d-tabs").addEventListener("click", (event) => event.target.value && setTab(event.target.value));
    $("d-tabs").addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        setTab(detail.tab === "log" ? "facts" : "log");
        $("d-tabs").querySelector('[aria-selected="true"]').focus();
    });
    $("d-level").addEventListener("change", () => drawDetail(true));
    $("d-follow").addEventListener("change", () => drawDetail(true));
    $("d-clear").addEventListener("click", () => {
        const record = instances.get(detail.id);
        if (record) record.logs.length = 0;
        drawDetail(true);
    });
    $("d-copylog").addEventListener("click", async () => {
        const record = instances.get(detail.id);
        const text = (record ? record.logs : []).map(plain).join("\n");
        say(await copyText(text) ? "Log copied" : "The browser did not let us copy");
    });
    $("d-reveal").addEventListener("click", () => {
        detail.reveal = !detail.reveal;
        setText($("d-reveal"), detail.reveal ? "Hide the key" : "Show the key");
        drawDetail(false);
    });
}
