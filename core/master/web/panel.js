// SPDX-License-Identifier: BSD-3-Clause
// The panel: key, header, dialogs, actions, and what the event stream makes of them.
"use strict";

/* ---- messages and dialogs ---- */

function say(text, isError) {
    const toast = el("div.toast" + (isError ? ".bad" : ""), {role: isError ? "alert" : "status"}, el("span.grow", {}, text));
    toast.append(iconButton("close", "Dismiss", () => toast.remove()));
    const open = [...document.querySelectorAll("dialog[open]")].pop();
    (open || document.body).append($("toasts")); /* above a modal dialog, where it is read as well */
    $("toasts").append(toast);
    while ($("toasts").childElementCount > 4) $("toasts").firstChild.remove();
    setTimeout(() => toast.remove(), isError ? 12000 : 4000);
}

function openDialog(dialog) {
    if (!dialog.open) dialog.showModal();
}

/* Asks; resolves true if the answer is the action's word. */
function ask(title, text, word, isDanger) {
    return new Promise((resolve) => {
        const dialog = $("ask");
        setText($("ask-title"), title);
        setText($("ask-text"), text);
        setText($("ask-yes"), word);
        $("ask-yes").className = isDanger ? "danger" : "main";
        dialog.returnValue = "";
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), {once: true});
        openDialog(dialog);
        $("ask-no").focus();
    });
}

/* ---- menus ---- */

/* items: [icon, text, function] */
function openMenu(anchor, items) {
    const menu = $("menu");
    menu.replaceChildren(...items.map(([name, text, run]) => el("button.bare", {type: "button", role: "menuitem", onclick: () => {
        menu.hidePopover();
        anchor.focus();
        run();
    }}, icon(name), text)));
    menu.showPopover();
    const at = anchor.getBoundingClientRect(), size = menu.getBoundingClientRect();
    menu.style.left = Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8)) + "px";
    menu.style.top = (at.bottom + size.height + 8 > innerHeight ? Math.max(8, at.top - size.height - 4) : at.bottom + 4) + "px";
    menu.firstChild.focus();
    openMenu.anchor = anchor;
}

function moveInMenu(event) {
    const list = [...$("menu").children], at = list.indexOf(document.activeElement);
    const step = {ArrowDown: 1, ArrowUp: -1, Home: -at, End: list.length - 1 - at}[event.key];
    if (event.key === "Tab") $("menu").hidePopover();
    if (step === undefined) return;
    event.preventDefault();
    list[(at + step + list.length) % list.length].focus();
}

function instanceMenu(id) {
    const data = instances.get(id).data;
    return [
        ["copy", "Copy URL", async () => say(await copyText(data.url) ? "URL copied, with its key" : "The browser did not let us copy")],
        ["zero", "Reset counters", () => confirmReset(id)],
        ["trash", "Delete …", () => confirmDelete(id)],
    ];
}

function keyMenu() {
    return [
        ["copy", "Copy API key", async () => say(await copyText(api.key) ? "API key copied" : "The browser did not let us copy")],
        ["restart", "Make a new key …", rotateKey],
        ["close", "Forget key and leave", () => askKey("")],
    ];
}

/* ---- actions ---- */

const pathOf = (id) => "/instances/" + encodeURIComponent(id);

/* A refused key while something was done: ask for it again. */
function noteError(error) {
    if (error.status === 401) askKey(error.message);
}

async function attempt(work, done) {
    try {
        await work();
        if (done) say(done);
    } catch (error) {
        say(error.message, true);
        noteError(error);
    }
}

const act = (id, action) => attempt(() => call("PATCH", pathOf(id), {action}));

async function confirmReset(id) {
    const name = nameOf(instances.get(id).data);
    if (await ask("Reset the counters of " + name + "?", "Its four traffic counters go back to zero, for every panel and script that reads them.", "Reset")) {
        await attempt(() => call("PATCH", pathOf(id), {action: "reset"}), "Counters of " + name + " are zero");
    }
}

async function confirmDelete(id) {
    const {data} = instances.get(id), open = data.tcps + data.udps;
    const text = (open ? open + " open session" + (open > 1 ? "s" : "") + " will end. " : "") + "Its URL and counters are gone for good.";
    if (await ask("Delete " + nameOf(data) + "?", text, "Delete", true)) {
        await attempt(() => call("DELETE", pathOf(id)), "Deleted " + nameOf(data));
    }
}

async function rotateKey() {
    if (!await ask("Make a new API key?", "The present key stops working at once, in every panel and script.", "Make a new key", true)) return;
    await attempt(async () => {
        const record = await call("PATCH", pathOf(KEY_RECORD), {action: "restart"});
        api.key = record.url;
        $("newkey-text").value = record.url;
        openDialog($("newkey"));
        $("newkey-text").select();
        startStream(on);
    });
}

/* ---- the master itself ---- */

async function refreshInfo() {
    if (stream.state !== "live" || document.hidden) return;
    try {
        const info = form.master = await call("GET", "/info");
        setText($("m-alias"), info.alias || info.name || location.host);
        document.title = (info.alias || info.name || location.host) + " · NodePass";
        const memory = info.mem_total ? Math.round(info.mem_used / info.mem_total * 100) + " % of " + (info.mem_total >= 2 ** 30 ? (info.mem_total / 2 ** 30).toFixed(1) + " GiB" : Math.round(info.mem_total / 2 ** 20) + " MiB") : "";
        const facts = [["CPU", info.cpu >= 0 ? info.cpu + " %" : ""], ["Memory", memory], ["Up", span(info.uptime)],
            ["Version", String(info.ver).replace(/^v?/, "v")], ["System", info.os + "/" + info.arch]];
        $("system").replaceChildren(...facts.filter((f) => f[1]).map(([name, value]) => el("span", {}, el("i", {}, name + " "), value)));
    } catch (error) {
        noteError(error);
    }
}

async function nameMaster() {
    const now = $("m-alias").textContent;
    $("rename-text").value = now;
    openDialog($("rename"));
    $("rename-text").select();
}

/* ---- connection ---- */

const on = {
    change(record) {
        updateRow(record);
        showTotals();
        if (record.data.id === detail.id) drawDetail(false);
    },
    listed() {
        showTotals();
        refreshInfo();
    },
    gone(id) {
        removeRow(id);
        showTotals();
        if (id === detail.id && $("detail").open) {
            $("detail").close();
            say("This instance was deleted");
        }
    },
    logged(record, count) {
        logged(record, count);
        updateRow(record);
    },
    state() {
        const left = Math.max(1, Math.ceil((stream.retryAt - Date.now()) / 1000));
        const words = {live: "Live", starting: "Connecting", trying: "Connecting", lost: stream.error + ", again in " + left + " s", off: "Not connected"};
        const box = $("state"), before = box.dataset.state;
        box.dataset.state = stream.state;
        setText($("state-text"), words[stream.state]);
        $("retry").hidden = stream.state !== "lost";
        document.body.classList.toggle("stale", stream.state !== "live");
        if (before !== stream.state) {
            if (stream.state === "lost") setText($("live-note"), "Connection to the master lost");
            if (stream.state === "live" && before) setText($("live-note"), "Connected");
            if (stream.state === "live") refreshInfo();
            showTotals();
        }
    },
    refused(error) {
        if (error.status === 404) findApi();
        else askKey(error.message);
    },
};

/* Another prefix than /api: the reply of the page itself names it. */
async function findApi() {
    const said = await fetch(location.pathname, {cache: "no-store"}).then((reply) => reply.headers.get("X-NodePass-API"), () => null);
    if (said && said.startsWith("/") && said !== api.base) {
        api.base = said;
        connect();
        return;
    }
    askKey("No API at " + api.base);
}

function askKey(text) {
    stopStream();
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    if ($("menu").matches(":popover-open")) $("menu").hidePopover();
    api.key = "";
    for (const id of [...instances.keys()]) removeInstance(id, {gone: removeRow});
    $("app").hidden = true;
    $("login").hidden = false;
    $("k-plain").hidden = location.protocol === "https:" || /^(localhost|127\.|\[::1\])/.test(location.hostname);
    setText($("k-error"), text);
    $("k-key").value = "";
    $("k-key").focus();
}

function connect() {
    $("login").hidden = true;
    $("app").hidden = false;
    $("docs").href = api.base + "/docs";
    stream.tries = 0;
    startStream(on);
}

async function tryKey(event) {
    event.preventDefault();
    const key = $("k-key").value.trim();
    if (!/^[\x21-\x7e]+$/.test(key)) {
        setText($("k-error"), key ? "This can't be an API key." : "Enter the API key.");
        return;
    }
    $("k-send").disabled = true;
    setText($("k-error"), "");
    api.key = key;
    try {
        await call("GET", "/info");
        connect();
        $("add").focus();
    } catch (error) {
        if (error.status === 404) {
            connect();
            return;
        }
        api.key = "";
        setText($("k-error"), error.message);
        $("k-key").select();
    } finally {
        $("k-send").disabled = false;
    }
}

/* ---- start ---- */

function setUpDialogs() {
    for (const dialog of document.querySelectorAll("dialog")) {
        dialog.addEventListener("click", (event) => {
            if (event.target.closest("[data-close]") || (event.target === dialog && dialog.id === "detail")) dialog.close();
        });
        dialog.addEventListener("close", () => document.body.append($("toasts")));
    }
    $("newkey-copy").addEventListener("click", async () => say(await copyText($("newkey-text").value) ? "API key copied" : "The browser did not let us copy"));
    $("rename-form").addEventListener("submit", (event) => {
        event.preventDefault();
        attempt(() => call("POST", "/info", {alias: $("rename-text").value.trim()}).then(refreshInfo));
        $("rename").close();
    });
}

function setUp() {
    showTheme();
    $("theme").addEventListener("click", switchTheme);
    $("key").append(icon("key"));
    $("key").addEventListener("click", () => openMenu($("key"), keyMenu()));
    $("m-alias").addEventListener("click", nameMaster);
    $("retry").addEventListener("click", () => startStream(on));
    for (const id of ["add", "empty-add"]) {
        $(id).prepend(icon("plus"));
        $(id).addEventListener("click", () => openForm(null));
    }
    for (const button of document.querySelectorAll("[data-icon]")) button.prepend(icon(button.dataset.icon));
    $("filter").addEventListener("input", () => { filter.text = $("filter").value.trim().toLowerCase(); applyFilter(); });
    $("f-status").addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button) { filter.status = button.value; applyFilter(); }
    });
    $("empty-clear").addEventListener("click", () => { $("filter").value = filter.text = filter.status = ""; applyFilter(); $("filter").focus(); });
    $("menu").addEventListener("keydown", moveInMenu);
    $("menu").addEventListener("toggle", (event) => {
        if (event.newState === "closed" && $("menu").contains(document.activeElement)) openMenu.anchor.focus();
    });
    $("k-form").addEventListener("submit", tryKey);
    setUpDialogs();
    setUpForm();
    setUpDetail();
    setInterval(refreshInfo, 10000);
    addEventListener("online", () => stream.state === "lost" && startStream(on));
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) return;
        if (stream.state === "lost") startStream(on);
        refreshInfo();
    });
    if (api.key) connect();
    else askKey("");
}

setUp();
