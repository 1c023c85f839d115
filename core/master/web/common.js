// SPDX-License-Identifier: BSD-3-Clause
// What both pages share: elements, API calls, the key, light and dark.
"use strict";

/* ---- elements: text and attributes only, never markup made of data ---- */

/* el("button.main#save", {onclick: f, title: "x"}, "text", child, ...) */
function el(spec, props, ...kids) {
    const [, tag, rest] = /^([\w-]*)(.*)$/.exec(spec);
    const node = document.createElement(tag || "div");
    for (const part of rest.match(/[.#][\w-]+/g) || []) {
        if (part[0] === "#") node.id = part.slice(1);
        else node.classList.add(part.slice(1));
    }
    for (const [name, value] of Object.entries(props || {})) {
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else if (name in node && typeof value !== "string") node[name] = value;
        else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...kids.flat().filter((kid) => kid !== null && kid !== undefined && kid !== false));
    return node;
}

const $ = (id) => document.getElementById(id);

function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function svg(tag, attributes, ...kids) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...kids);
    return node;
}

const ICONS = {
    play: "M5 3.2v9.6L12.5 8z",
    stop: "M4.5 4.5h7v7h-7z",
    restart: "M12.8 6.2A5.2 5.2 0 1 0 13 9.6M13 2.8v3.6H9.4",
    log: "M2.8 4h10.4M2.8 8h7M2.8 12h9",
    edit: "M10.6 2.9l2.5 2.5-7.6 7.6-3 .5.5-3zM9 4.5L11.5 7",
    more: "M3 7.3h1.4v1.4H3zM7.3 7.3h1.4v1.4H7.3zM11.6 7.3H13v1.4h-1.4z",
    plus: "M8 3v10M3 8h10",
    close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
    key: "M9.2 6.8a3 3 0 1 0-2.2 2.4l1 1h1.6v1.6h1.6v1.6h2.3v-2.3zM5 5.6h.01",
    copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
    light: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
    dark: "M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6z",
    trash: "M2.8 4.5h10.4M6 4.5V3h4v1.5M4.2 4.5l.6 8.7h6.4l.6-8.7",
    zero: "M8 2.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 0 0 8 2.8M4.4 11.6l7.2-7.2",
    eye: "M1.5 8S4 3.7 8 3.7 14.5 8 14.5 8 12 12.3 8 12.3 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6",
};

function icon(name) {
    return svg("svg", {viewBox: "0 0 16 16", class: "icon " + name, "aria-hidden": "true"}, svg("path", {d: ICONS[name]}));
}

/* A button that is an icon; `label` is what it says to the mouse and to screen readers. */
function iconButton(name, label, onclick) {
    return el("button.bare.square", {type: "button", title: label, "aria-label": label, onclick}, icon(name));
}

/* ---- light and dark ---- */

const darkWish = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
    const theme = localStorage.getItem("np-theme") || (darkWish.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    const button = $("theme");
    if (button) {
        const other = theme === "dark" ? "light" : "dark";
        button.replaceChildren(icon(other));
        button.title = "Switch to " + other + " colours";
        button.setAttribute("aria-label", button.title);
    }
}

function switchTheme() {
    localStorage.setItem("np-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    showTheme();
}

darkWish.addEventListener("change", showTheme);

/* ---- API ---- */

const api = {
    base: "/api/v1",
    get key() { return sessionStorage.getItem("np-key") || ""; },
    set key(key) {
        if (key) sessionStorage.setItem("np-key", key);
        else sessionStorage.removeItem("np-key");
    },
};

class ApiError extends Error {
    constructor(status, text) {
        super(text);
        this.status = status; /* 0: no answer at all */
    }
}

async function errorOf(reply) {
    const text = await reply.text().catch(() => "");
    let said = "";
    try {
        said = JSON.parse(text).error;
    } catch {
        said = text.trim().slice(0, 200);
    }
    return new ApiError(reply.status, said || "HTTP status " + reply.status);
}

async function send(method, path, body, signal) {
    const headers = {"X-API-Key": api.key};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
        return await fetch(api.base + path, {
            method, headers, signal, cache: "no-store",
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (error) {
        if (signal && signal.aborted && signal.reason !== "late") throw error;
        throw new ApiError(0, "The master does not answer");
    }
}

/* The reply's JSON (null if empty), or an ApiError with the text of the API. */
async function call(method, path, body) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort("late"), 15000);
    try {
        const reply = await send(method, path, body, stop.signal);
        if (!reply.ok) throw await errorOf(reply);
        const text = await reply.text();
        return text ? JSON.parse(text) : null;
    } catch (error) {
        if (error instanceof ApiError) throw error;
        throw new ApiError(0, error instanceof SyntaxError ? "The answer is no JSON" : "The master does not answer");
    } finally {
        clearTimeout(timer);
    }
}

/* Without a secure context (plain HTTP, not loopback) there is no clipboard object. */
async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        const area = el("textarea.off-screen", {readOnly: true, "aria-hidden": "true"});
        area.value = text;
        (document.querySelector("dialog[open]") || document.body).append(area);
        const before = document.activeElement;
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        if (before) before.focus();
        return done;
    }
}
