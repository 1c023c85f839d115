// SPDX-License-Identifier: BSD-3-Clause
// The form that adds and edits an instance: each option explained, the URL it makes shown.
"use strict";

const USES = [
    ["client", "1", "Local forward", "One process, no server: a port here leads to the target."],
    ["server", "1", "Reverse tunnel, public side", "Visitors come here and leave at the client's side, for example behind a NAT."],
    ["client", "2", "Reverse or forward tunnel, other side", "Dials a server and takes its visitors, or sends it ours: whichever the server is set to."],
    ["server", "2", "Forward tunnel, far side", "Visitors come to the client; the target is dialled from here."],
];

const HINTS = {
    server: {tunnel: "Address here that the client dials. An empty host means all addresses.",
        target: "Mode 1: address here that visitors come to. Mode 2: the service to reach."},
    client: {tunnel: "Mode 1: address here that visitors come to. Mode 2: the server to dial.",
        target: "The service to reach; with a server in mode 2 the address here that visitors come to."},
};

/* master: its /info; what it adds to a URL that does not say it */
const form = {record: null, role: "client", fields: {}, extra: {}, given: new Set(), master: {}};

/* What an option is when the URL does not say it. */
function usual(option) {
    const added = option.name === "log" || (option.name === "tls" && form.role === "server");
    return (added && form.master[option.name]) || option.def;
}

/* A labelled control with its hint and a place for its error. */
function field(id, label, control, hint, tail) {
    control.id = "f-" + id;
    control.setAttribute("aria-describedby", "h-" + id + " e-" + id);
    return el("div.field", {},
        el("label", {for: control.id}, label),
        tail ? el("div.row", {}, control, tail) : control,
        el("p.hint#h-" + id, {}, hint || ""),
        el("p.error#e-" + id, {}));
}

function optionField(option) {
    const choices = choicesOf(option, form.role);
    const control = choices
        ? el("select", {}, choices.map(([value, text]) => el("option", {value}, text)))
        : el("input.mono", {type: "text", spellcheck: "false", autocomplete: "off", placeholder: option.place || option.def});
    const def = choices ? choices.find(([value]) => value === option.def)[1] : option.def + (option.unit ? " " + option.unit : "");
    const fallback = !option.def || option.place ? "" : "Default: " + def + ".";
    control.value = !choices ? "" : form.record ? option.def : usual(option);
    form.fields[option.name] = control;
    const label = [option.label + " ", el("code.soft", {}, option.name)];
    const node = field("o-" + option.name, label, control, [option.hint, fallback].filter(Boolean).join(" "));
    if (choices && choices[0][2]) control.meaning = node.querySelector(".hint");
    return node;
}

/* The options of the role, keeping what was entered where both roles know it. */
function showOptions(before) {
    const letter = roleLetter(form.role);
    const groups = new Map();
    form.fields = {};
    for (const option of OPTIONS.filter((o) => o.role.includes(letter))) {
        if (!groups.has(option.group)) groups.set(option.group, []);
        groups.get(option.group).push(optionField(option));
    }
    $("f-groups").replaceChildren(...[...groups].map(([name, list], i) => el("details.group", {open: i === 0 || null}, el("summary", {}, name, el("span.soft.count", {})), el("div.fields", {}, list))));
    setOptions(before);
    setText($("h-tunnel"), HINTS[form.role].tunnel);
    setText($("h-target"), HINTS[form.role].target);
}

function setOptions(options) {
    for (const [name, value] of Object.entries(options)) {
        const control = form.fields[name];
        if (!control) continue;
        control.value = value;
        if (control.value !== value) control.append(el("option", {value, selected: true}, value));
    }
}

/* What goes into the URL: what differs from what it would be, or was written there before. */
function formOptions() {
    const options = {};
    for (const option of OPTIONS) {
        const control = form.fields[option.name];
        const value = control ? control.value.trim() : "";
        if (value && (value !== usual(option) || form.given.has(option.name) || !option.choices)) options[option.name] = value;
    }
    return options;
}

function formParts() {
    const known = formOptions();
    return {role: form.role, key: $("f-key").value, tunnel: $("f-tunnel").value.trim(), target: $("f-target").value.trim(),
        options: {...form.extra, ...known}};
}

function loadParts(parts) {
    form.given = new Set(Object.keys(parts.options));
    form.extra = {};
    form.fields = {};
    setRole(parts.role);
    $("f-key").value = parts.key;
    $("f-tunnel").value = parts.tunnel;
    $("f-target").value = parts.target;
    setOptions(parts.options);
    for (const [name, value] of Object.entries(parts.options)) {
        if (!form.fields[name]) form.extra[name] = value;
    }
    for (const group of document.querySelectorAll("#f-groups details")) {
        if ([...group.querySelectorAll("select, input")].some((c) => c.id.slice(4) in parts.options && c.id !== "f-o-log")) group.open = true;
    }
    refreshForm();
}

function setRole(role) {
    const before = formOptions();
    form.role = role;
    for (const button of $("f-role").children) button.setAttribute("aria-pressed", button.value === role);
    showOptions(before);
    refreshForm();
}

/* Shows the error of one field; the field is "" to the eye until it was touched or sent. */
function setError(id, text) {
    setText($("e-" + id), text);
    const control = $("f-" + id);
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
}

/* Checks everything; returns the first control with an error. `strict`: empty ones as well. */
function checkForm(strict) {
    let first = null;
    const note = (id, text) => {
        setError(id, text);
        if (text && !first) first = $("f-" + id);
    };
    for (const [id, most] of [["alias", 256], ["key", 255]]) {
        const bytes = new TextEncoder().encode($("f-" + id).value).length;
        note(id, bytes > most ? "want at most " + most + " bytes, these are " + bytes : "");
    }
    for (const id of ["tunnel", "target"]) {
        const value = $("f-" + id).value.trim();
        note(id, value || strict ? checkAddress(value) : "");
    }
    note("tags", $("f-tags").value === form.tags || parseTags($("f-tags").value) ? "" : "want name=value, with commas between");
    for (const option of OPTIONS) {
        const control = form.fields[option.name];
        if (!control) continue;
        const value = control.value.trim();
        let text = value && option.check ? option.check(value) : "";
        if (strict && !value && (option.name === "crt" || option.name === "key") && form.fields.tls.value === "2") text = "tls=2 needs this file";
        note("o-" + option.name, text);
        if (text) control.closest("details").open = true;
    }
    return first;
}

function refreshForm() {
    const parts = formParts();
    const use = USES.find(([role, mode]) => role === parts.role && mode === parts.options.mode);
    $("f-use").value = use ? String(USES.indexOf(use)) : "";
    setText($("h-use"), use ? use[3] : "Set role and options yourself.");
    const shown = $("f-key").type === "text";
    const url = buildUrl({...parts, tunnel: parts.tunnel || "…", target: parts.target || "…"});
    setText($("f-url"), shown ? url : maskUrl(url));
    const extra = Object.keys(form.extra);
    setText($("f-extra"), extra.length ? "Kept as they are: " + extra.join(", ") : "");
    setText($("h-key"), $("f-key").value ? "Both ends need the same key." : "Empty: derived from the tunnel port, which anybody can do. Both ends need the same.");
    for (const group of document.querySelectorAll("#f-groups details")) {
        const set = [...group.querySelectorAll("select, input")].filter((c) => c.id.slice(4) in parts.options).length;
        setText(group.querySelector(".count"), set ? set + " set" : "defaults");
    }
    for (const option of OPTIONS) {
        const control = form.fields[option.name], choice = control && control.meaning && choicesOf(option, form.role).find(([value]) => value === control.value);
        if (choice) setText(control.meaning, choice[2] + " Default: " + choicesOf(option, form.role)[0][1] + ".");
    }
    checkForm(false);
}

function parseTags(text) {
    const tags = {};
    for (const pair of text.split(",").map((p) => p.trim()).filter(Boolean)) {
        const at = pair.indexOf("=");
        if (at < 1) return null;
        tags[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
    }
    return tags;
}

const tagsText = (tags) => Object.entries(tags || {}).map(([name, value]) => name + "=" + value).join(", ");

function openForm(record) {
    form.record = record || null;
    const data = record ? record.data : null;
    const parts = data && parseUrl(data.url);
    setText($("f-title"), data ? "Edit " + (data.alias || data.id) : "Add an instance");
    setText($("f-send"), data ? "Save" : "Create and start");
    $("f-alias").value = data ? data.alias : "";
    $("f-tags").value = form.tags = data ? tagsText(data.meta && data.meta.tags) : "";
    $("f-tags").closest(".field").hidden = !data;
    $("f-restart").checked = data ? data.restart : true;
    $("f-restart").closest("label").hidden = !data;
    setText($("f-error"), data && !parts ? "This URL can't be shown as a form: " + data.url : "");
    showKey(false);
    loadParts(parts || {role: "client", key: "", tunnel: "", target: "", options: {mode: "1"}});
    form.given = new Set(parts ? Object.keys(parts.options) : []);
    form.url = buildUrl(formParts());
    refreshForm();
    openDialog($("form"));
    $(data ? "f-tunnel" : "f-alias").focus();
}

function showKey(on) {
    $("f-key").type = on ? "text" : "password";
    $("f-show").setAttribute("aria-pressed", on);
}

async function saveForm(event) {
    event.preventDefault();
    const wrong = checkForm(true);
    if (wrong) {
        setText($("f-error"), "See the marked fields above.");
        wrong.focus();
        return;
    }
    $("f-send").disabled = true;
    setText($("f-error"), "");
    try {
        await (form.record ? saveEdit(form.record) : saveNew());
        $("form").close();
    } catch (error) {
        setText($("f-error"), error.message);
        noteError(error);
    } finally {
        $("f-send").disabled = false;
    }
}

async function saveNew() {
    const alias = $("f-alias").value.trim();
    const data = await call("POST", "/instances", alias ? {url: buildUrl(formParts()), alias} : {url: buildUrl(formParts())});
    say("Created " + (alias || data.id));
}

async function saveEdit(record) {
    const data = record.data, path = "/instances/" + encodeURIComponent(data.id);
    const url = buildUrl(formParts()), alias = $("f-alias").value.trim(), change = {};
    if (alias !== data.alias) change.alias = alias;
    if ($("f-restart").checked !== data.restart) change.restart = $("f-restart").checked;
    if ($("f-tags").value !== form.tags) change.meta = {...data.meta, tags: parseTags($("f-tags").value)};
    if (url !== form.url) await call("PUT", path, {url});
    if (Object.keys(change).length) await call("PATCH", path, change);
    say("Saved " + (alias || data.id));
}

function randomKey() {
    const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    return [...crypto.getRandomValues(new Uint8Array(20))].map((b) => letters[b % letters.length]).join("");
}

function setUpForm() {
    const basics = el("div.fields", {},
        field("use", "Use", el("select", {}, USES.map((u, i) => el("option", {value: String(i)}, u[2])), el("option", {value: ""}, "Something else"))),
        el("div.field", {}, el("span.label#l-role", {}, "Role"),
            el("div.switch#f-role", {role: "group", "aria-labelledby": "l-role"}, ["server", "client"].map((role) => el("button", {type: "button", value: role, onclick: () => setRole(role)}, role)))),
        field("alias", "Name", el("input", {type: "text", maxlength: "256", autocomplete: "off", placeholder: "web, ssh, …"}), "Shown here and in the log."),
        field("key", "Key", el("input.mono", {type: "password", autocomplete: "new-password", spellcheck: "false"}), "",
            [el("button.bare.square#f-show", {type: "button", title: "Show the key", "aria-label": "Show the key", onclick: () => { showKey($("f-key").type !== "text"); refreshForm(); }}, icon("eye")),
                el("button", {type: "button", onclick: () => { $("f-key").value = randomKey(); showKey(true); refreshForm(); }}, "Make one")]),
        field("tunnel", "Tunnel address", el("input.mono", {type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none", placeholder: ":10101 or host:10101"})),
        field("target", "Target address", el("input.mono", {type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none", placeholder: "127.0.0.1:80"})),
        field("tags", "Tags", el("input.mono", {type: "text", autocomplete: "off", spellcheck: "false", placeholder: "site=berlin, env=test"}), "For your own order."));
    $("f-basics").replaceChildren(basics);
    $("f-use").addEventListener("change", (event) => {
        const use = USES[event.target.value];
        if (!use) return;
        setRole(use[0]);
        form.fields.mode.value = use[1];
        refreshForm();
    });
    $("form").addEventListener("input", (event) => {
        setText($("f-error"), "");
        const parts = event.target.id !== "f-alias" && /^\w+:\/\//.test(event.target.value || "") && parseUrl(event.target.value);
        if (parts) loadParts(parts); /* a whole URL was pasted */
        else refreshForm();
    });
    $("f-form").addEventListener("submit", saveForm);
    $("f-copy").addEventListener("click", async () => say(await copyText(buildUrl(formParts())) ? "URL copied, with its key" : "The browser did not let us copy"));
}
