// SPDX-License-Identifier: BSD-3-Clause
// URLs of instances: taken apart, checked and put together again; what each option means.
"use strict";

const DURATION = /^(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))*$/;
const whole = (text) => /^\d{1,9}$/.test(text);

/* check: the error of a value that is not empty, or "". `role` s: server, c: client. choices: value, text,
   explanation, by role. */
const OPTIONS = [
    {group: "Behaviour", name: "mode", role: "sc", label: "Mode", def: "0", choices: {
        s: [["0", "0 · automatic", "Reverse if the target address can be bound here, else forward."], ["1", "1 · reverse", "Visitors come to the target address here."], ["2", "2 · forward", "Visitors come to the client, the target is dialled from here."]],
        c: [["0", "0 · automatic", "Alone if the tunnel address can be bound here, else it dials the server."], ["1", "1 · single-end", "Listens on the tunnel address, no server needed."], ["2", "2 · dual-end", "Dials the server at the tunnel address."]],
    }},
    {group: "Behaviour", name: "notcp", role: "sc", label: "TCP", def: "0", choices: {"": [["0", "served"], ["1", "off (notcp=1)"]]}},
    {group: "Behaviour", name: "noudp", role: "sc", label: "UDP", def: "0", choices: {"": [["0", "served"], ["1", "off (noudp=1)"]]}},
    {group: "Behaviour", name: "log", role: "sc", label: "Log level", def: "info", choices: {"": ["none", "debug", "info", "warn", "error", "event"].map((v) => [v, v])},
        hint: "debug shows the end of each session and its cause. A new instance takes the master's level."},

    {group: "TLS", name: "tls", role: "sc", label: "TLS", def: "0", choices: {
        s: [["0", "0 · off", "Data travels in the clear."], ["1", "1 · own certificate", "TLS 1.3, with a certificate made at each start."], ["2", "2 · certificate files", "TLS 1.3, with crt and key."]],
        c: [["0", "0 · as the server says", "Takes what the server offers, also none."], ["1", "1 · at least TLS", "Refuses a server without TLS; takes any certificate."], ["2", "2 · TLS, checked", "Checks the certificate's chain, name and dates."]],
    }},
    {group: "TLS", name: "crt", role: "s", label: "Certificate file", def: "", place: "/etc/nodepass/tunnel.pem", hint: "PEM chain on the master's machine, leaf first. Needed with tls=2; read again when it changes."},
    {group: "TLS", name: "key", role: "s", label: "Key file", def: "", place: "/etc/nodepass/tunnel.key", hint: "PEM file with the certificate's private key."},
    {group: "TLS", name: "pin", role: "c", label: "Pin", def: "", place: "sha256:…", hint: "Hash of the server's public key, from its log. Checked with tls 1 and 2; needs no CA and no clock.",
        check: (v) => /^sha256:[0-9a-fA-F]{64}$/.test(v) ? "" : "want sha256: and 64 hex digits"},
    {group: "TLS", name: "sni", role: "c", label: "Server name", def: "", place: "host of the tunnel address", hint: "Name to ask for, and to find in the certificate.",
        check: (v) => /^[\w.-]{1,253}$/.test(v) ? "" : "want a host name"},
    {group: "TLS", name: "ca", role: "c", label: "CA file", def: "", place: "the system's bundle", hint: "PEM file with the CA certificates that tls=2 trusts."},

    {group: "Limits", name: "min", role: "c", label: "Idle pool", def: "64", hint: "Connections kept ready for visitors.", unit: "connections", check: (v) => whole(v) && +v > 0 ? "" : "want a whole number, 1 or more"},
    {group: "Limits", name: "max", role: "s", label: "Pool ceiling", def: "1024", hint: "The pool doubles under load up to this, and shrinks again.", unit: "connections", check: (v) => whole(v) && +v > 0 ? "" : "want a whole number, 1 or more"},
    {group: "Limits", name: "slot", role: "sc", label: "Sessions", def: "1024", hint: "Most TCP and UDP sessions together. 0: the build's ceiling.", unit: "sessions", check: (v) => whole(v) ? "" : "want 0 or a whole number of sessions"},
    {group: "Limits", name: "rate", role: "sc", label: "Rate", def: "0", hint: "Mbps each way (1 Mbps = 125,000 bytes/s). 0: no limit.", unit: "Mbps", check: (v) => whole(v) ? "" : "want 0 or a whole number of Mbps"},
    {group: "Limits", name: "read", role: "sc", label: "Idle time-out", def: "1h", place: "1h (UDP: 60s)", hint: "A session without bytes for so long ends, such as 90s, 1.5h, 2m30s. Left empty: 1h for TCP, 60s for UDP.",
        check: (v) => DURATION.test(v) && !/^[0.]*\D+$/.test(v) ? "" : "want a duration such as 300ms, 1.5h or 2m30s"},

    {group: "Network", name: "dial", role: "sc", label: "Source address", def: "auto", hint: "IP address of this machine that outgoing connections leave from.",
        check: (v) => v === "auto" || /^[\d.]{7,15}$/.test(v) || /^\[?[\da-fA-F:.]*:[\da-fA-F:.]*\]?$/.test(v) ? "" : "want auto or an IP address of this machine"},
    {group: "Network", name: "dns", role: "sc", label: "Name kept for", def: "5m", hint: "A host name is looked up again after this.", check: (v) => v === "0" || DURATION.test(v) ? "" : "want a duration such as 30s, 5m or 1h"},
    {group: "Network", name: "proxy", role: "sc", label: "PROXY header", def: "0", choices: {"": [["0", "off"], ["1", "version 1, towards the target"]]}, hint: "Tells the target the visitor's address; the target must expect it."},
];

const roleLetter = (role) => role === "server" ? "s" : "c";
const choicesOf = (option, role) => option.choices && (option.choices[roleLetter(role)] || option.choices[""]);

/* encodeURIComponent, with a space as the query writes it */
const encode = (text) => encodeURIComponent(text).replace(/%20/g, "+");

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/* {role, key, tunnel, target, options: {name: value}} or null. */
function parseUrl(url) {
    const match = /^(server|client):\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(url.trim());
    if (!match) return null;
    const options = {};
    for (const pair of (match[5] || "").split("&")) {
        const at = pair.indexOf("=");
        if (pair) options[decode(at < 0 ? pair : pair.slice(0, at))] = at < 0 ? "" : decode(pair.slice(at + 1).replace(/\+/g, " "));
    }
    return {role: match[1], key: decode(match[2] || ""), tunnel: match[3], target: match[4] || "", options};
}

function buildUrl(parts) {
    const query = Object.keys(parts.options).sort().map((name) => encode(name) + "=" + encode(parts.options[name])).join("&");
    return parts.role + "://" + (parts.key ? encodeURIComponent(parts.key) + "@" : "") + parts.tunnel + "/" + parts.target + (query ? "?" + query : "");
}

/* The URL as it may be shown: without the key of the tunnel. */
function maskUrl(url) {
    return url.replace(/^(\w+:\/\/)[^/?]*@/, "$1***@");
}

/* The error of an address, or "". */
function checkAddress(text) {
    const match = /^(\[[\da-fA-F:.]+(?:%[\w.-]+)?\]|[\w.-]*):(\d{1,5})$/.exec(text);
    if (!match) return "want host:port, such as 192.0.2.10:80, [2001:db8::1]:80 or :80";
    return +match[2] >= 1 && +match[2] <= 65535 ? "" : "want a port from 1 to 65535";
}
