// SPDX-License-Identifier: BSD-3-Clause
// What the panel knows: instances, their rates and log lines, kept right by the event stream.
"use strict";

const KEY_RECORD = "********";
const HISTORY = 60; /* samples of a sparkline */
const LOG_LINES = 500; /* kept for each instance */
const SILENCE_MS = 45000; /* the master says something each 15 s */

const instances = new Map(); /* id -> record of newRecord */

function newRecord(data) {
    return {data, rx: 0, tx: 0, history: [], logs: [], base: null, fault: ""};
}

const sums = (data) => ({rx: data.tcprx + data.udprx, tx: data.tcptx + data.udptx});

/* Rates from two states of the counters, by our own clock (the master's may jump, or stand in 1970); states
   closer than half a second wait for the next. */
function sample(record) {
    const now = {time: performance.now(), ...sums(record.data)};
    const base = record.base;
    if (record.data.status !== "running") {
        record.rx = record.tx = 0;
        record.base = null;
        return;
    }
    if (!base || now.rx < base.rx || now.tx < base.tx) {
        record.base = now;
        return;
    }
    const seconds = (now.time - base.time) / 1000;
    if (seconds < 0.5) return;
    record.rx = (now.rx - base.rx) / seconds;
    record.tx = (now.tx - base.tx) / seconds;
    record.base = now;
    record.history.push({rx: record.rx, tx: record.tx});
    if (record.history.length > HISTORY) record.history.shift();
}

function putInstance(data) {
    if (!data || !data.id || data.id === KEY_RECORD) return null;
    let record = instances.get(data.id);
    if (record) record.data = data;
    else instances.set(data.id, record = newRecord(data));
    sample(record);
    return record;
}

/* ---- the stream ---- */

const stream = {state: "off", stop: null, timer: 0, tries: 0, retryAt: 0, error: ""};

/* Calls onFrame with each event's data until the stream ends. */
async function readFrames(reply, alive, onFrame) {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const {value, done} = await reader.read();
        if (done) return;
        alive();
        text += value;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
            const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data:"))
                .map((line) => line.slice(5).trimStart()).join("\n");
            if (data) onFrame(JSON.parse(data));
        }
    }
}

function startStream(on) {
    stopStream();
    const stop = stream.stop = new AbortController();
    let watch = 0;
    const alive = () => {
        clearTimeout(watch);
        watch = setTimeout(() => stop.abort(), SILENCE_MS);
    };
    const run = async () => {
        alive();
        const reply = await send("GET", "/events", undefined, stop.signal);
        if (!reply.ok) throw await errorOf(reply);
        await syncList(on);
        stream.tries = 0;
        setStream("live", on);
        await readFrames(reply, alive, (event) => takeEvent(event, on));
    };
    setStream(stream.tries ? "trying" : "starting", on);
    run().catch((error) => error).then((error) => {
        clearTimeout(watch);
        if (stream.stop !== stop) return; /* another one runs */
        stop.abort();
        if (error && (error.status === 401 || error.status === 404)) {
            stopStream();
            on.refused(error);
            return;
        }
        stream.error = error && error.status ? error.message : "No connection";
        const wait = error && error.status === 429 ? 60 : Math.min(15, 2 ** stream.tries / 2);
        stream.tries++;
        stream.retryAt = Date.now() + wait * 1000 * (0.8 + Math.random() * 0.4);
        setStream("lost", on);
        stream.timer = setInterval(() => {
            if (Date.now() >= stream.retryAt) startStream(on);
            else on.state();
        }, 250);
    });
}

function stopStream() {
    const stop = stream.stop;
    clearInterval(stream.timer);
    stream.stop = null;
    stream.state = "off";
    if (stop) stop.abort();
}

function setStream(state, on) {
    stream.state = state;
    on.state();
}

/* The list as it is now; what is not in it is gone. */
async function syncList(on) {
    const list = await call("GET", "/instances");
    const ids = new Set(list.map((data) => data.id));
    for (const id of [...instances.keys()].filter((id) => !ids.has(id))) removeInstance(id, on);
    for (const data of list) {
        const record = putInstance(data);
        if (record) on.change(record);
    }
    on.listed();
}

function removeInstance(id, on) {
    if (instances.delete(id)) on.gone(id);
}

function takeEvent(event, on) {
    const data = event.instance;
    if (event.type === "shutdown" || !data || data.id === KEY_RECORD) return;
    if (event.type === "delete") {
        removeInstance(data.id, on);
        return;
    }
    const record = putInstance(data);
    if (!record) return;
    if (event.type === "log" && event.logs) {
        const lines = event.logs.split("\n").filter(Boolean);
        record.logs.push(...lines);
        const extra = record.logs.length - LOG_LINES;
        if (extra > 0) record.logs.splice(0, extra);
        const said = /^\S+ \S+ +(?:WARN|ERROR) +(?:\w+ restarting: )?(.*)/.exec(plain(lines[lines.length - 1] || ""));
        if (said) record.fault = said[1];
        on.logged(record, Math.min(lines.length, LOG_LINES));
        return;
    }
    on.change(record);
}

/* ---- how figures are shown ---- */

function amount(bytes, unit) {
    const step = bytes >= 1e15 ? 5 : bytes >= 1e12 ? 4 : bytes >= 1e9 ? 3 : bytes >= 1e6 ? 2 : bytes >= 1e3 ? 1 : 0;
    const value = bytes / 1000 ** step;
    return value.toFixed(step === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2) + " " + ["", "k", "M", "G", "T", "P"][step] + unit;
}

const bytes = (count) => amount(count, "B");
const rate = (perSecond) => amount(perSecond * 8, "bit/s");

function span(seconds) {
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
    if (days) return days + " d " + hours + " h";
    if (hours) return hours + " h " + minutes + " min";
    return minutes ? minutes + " min" : Math.floor(seconds) + " s";
}

const pingText = (data) => data.status === "running" ? data.ping + " ms" : "–";

function modeText(data) {
    const names = data.type === "server" ? ["auto", "reverse", "forward"] : ["auto", "single-end", "dual-end"];
    return names[data.mode] || "mode " + data.mode;
}

/* ---- log colours ---- */

/* [{text, style}] of a line with colour codes; every other control sequence is left out. */
function ansiParts(line) {
    const parts = [];
    let color = "";
    for (const piece of line.split(/(\x1b\[[0-9;?]*[ -/]*[@-~])/)) {
        const code = /^\x1b\[([0-9;]*)m$/.exec(piece);
        if (code) {
            for (const number of code[1].split(";")) {
                if (+number === 0 || +number === 39) color = "";
                else if (+number >= 30 && +number <= 37) color = "c" + (+number - 30);
                else if (+number >= 90 && +number <= 97) color = "c" + (+number - 90);
            }
        } else if (piece && piece[0] !== "\x1b") {
            /* eslint-disable-next-line no-control-regex */
            parts.push({text: piece.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, ""), style: color});
        }
    }
    return parts;
}
