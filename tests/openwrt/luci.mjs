// SPDX-License-Identifier: BSD-3-Clause
// The LuCI view: executed in node with fake form objects, then drawn in Chromium with stubbed
// modules. NP_LUCI_FACTS: JSON with the program's query table and the init script's options.
import fs from "node:fs";
import {createRequire} from "node:module";
import path from "node:path";
import {fileURLToPath} from "node:url";

process.env.NP_WEB_START ??= "[]";
const {Browser, ROOT, check, checkNoSideways, equal, runTests, shot} = await import("../web/browser.mjs");
const HERE = path.dirname(fileURLToPath(import.meta.url));
const {makeLuci, runView} = createRequire(import.meta.url)("./luci_stub.js");
const APP = path.join(ROOT, "port/openwrt/luci-app-nodepass");
const SOURCE = fs.readFileSync(process.env.NP_LUCI_VIEW || path.join(APP, "htdocs/luci-static/resources/view/nodepass/tunnels.js"), "utf8");
const FACTS = JSON.parse(process.env.NP_LUCI_FACTS);
const ROLES = {S: "server", C: "client", M: "master"};

const LINE = "Mon Nov 23 10:00:00 2026 daemon.info nodepass[PID]: 2026-11-23 10:00:00.000  EVENT  CHECK_POINT|MODE=2|PING=12ms|POOL=4|TCPS=3|UDPS=1|TCPRX=RX|TCPTX=2048|UDPRX=0|UDPTX=100\n";
const check_point = (pid, rx) => LINE.replace("PID", pid).replace("RX=RX", "RX=" + rx);

function makeWorld() {
    return {
        calls: [],
        config: {
            global: {".type": "nodepass", enabled: "1"},
            ssh: {".type": "tunnel", role: "client", tunnel_host: "server.example.com", tunnel_port: "10101", target: "127.0.0.1:22", mode: "2"},
            web: {".type": "tunnel", role: "server", tunnel_port: "10102", target: ":8080", tls: "2"},
            panel: {".type": "tunnel", role: "master", tunnel_host: "192.168.1.1", tunnel_port: "9090"},
            whole: {".type": "tunnel", url: "client://key@[2001:db8::1]:10101/127.0.0.1:80"},
            spare: {".type": "tunnel", enabled: "0", role: "client"},
        },
        service: {instances: {ssh: {running: true, pid: 100}, web: {running: true, pid: 101}, panel: {running: false, pid: 102}}},
        log: check_point(100, 500) + check_point(7, 1) + check_point(100, 5 * 1024 * 1024) +
            "Mon daemon.info nodepass[101]: CHECK_POINT|PING=<img src=x onerror=alert(1)>|TCPS=<b>\n",
    };
}

async function build(world = makeWorld()) {
    const luci = makeLuci(world);
    const view = runView(SOURCE, luci);
    const map = await view.render(await view.load());
    return {luci, map, world, service: map.sections[0], grid: map.sections[1]};
}

const names = (section) => section.children.map((child) => child.option).filter((name) => !name.startsWith("_"));
const find = (section, name) => section.children.find((child) => child.option === name);

const tests = [
    ["its options are the init script's", async () => {
        const {luci, grid, service} = await build();
        equal(luci.faults.join("; "), "", "faults");
        equal(names(grid).sort().join(" "), [...FACTS.tunnel].sort().join(" "), "options of a tunnel");
        equal(names(service).sort().join(" "), [...FACTS.global].sort().join(" "), "options of the service");
    }],
    ["each key of the query is shown for the program's roles", async () => {
        const {grid} = await build();
        for (const [name, roles] of Object.entries(FACTS.query)) {
            const option = find(grid, name);
            for (const [letter, role] of Object.entries(ROLES)) {
                const shown = option.isShown({role, url: "", tls: "2"});
                equal(shown, roles.includes(letter), `${name} of a ${role}`);
            }
            check(!option.isShown({role: "client", url: "client://a:1/:2", tls: "2"}), `${name} beside a whole URL`);
        }
    }],
    ["what the program refuses, the form refuses", async () => {
        const {grid} = await build();
        const cases = {
            target: [["127.0.0.1:22", ":8022", "[::1]:80", "host.example:65535", "", "[fe80::1%3]:22"], ["127.0.0.1", "::1:80", ":0", ":65536", "a b:1", "[::1]"]],
            read: [["1h", "2m30s", "1.5h", "300ms", ""], ["1", "1 h", "h", "-1s"]],
            dns: [["5m"], ["5 minutes"]],
            pin: [["sha256:" + "0a".repeat(32), ""], ["sha256:0a", "0a".repeat(32)]],
            url: [["client://k@h:1/:2", "master://:9090", ""], ["http://h", "client://a b"]],
        };
        for (const [name, [good, bad]] of Object.entries(cases)) {
            for (const value of good) equal(find(grid, name).validate("x", value), true, `${name}=${value}`);
            for (const value of bad) equal(typeof find(grid, name).validate("x", value), "string", `${name}=${value}`);
        }
    }],
    ["levels, roles and modes are the program's", async () => {
        const {grid, service} = await build();
        const values = (section, name) => find(section, name).values.map(([key]) => key).join(" ").trim();
        equal(values(grid, "log"), "none debug info warn error event", "log");
        equal(values(service, "log"), "none debug info warn error event", "log of the service");
        equal(values(grid, "role"), "client server master", "role");
        equal(values(grid, "mode"), "1 2", "mode");
        equal(values(grid, "tls"), "1 2", "tls");
        check(find(grid, "password").password && find(grid, "url").password, "secrets are not shown");
        check(find(service, "enabled").rmempty === false && find(grid, "enabled").rmempty === false, "0 is written, not left out");
    }],
    ["it calls only what its access list grants", async () => {
        const {world} = await build();
        const grants = JSON.parse(fs.readFileSync(path.join(APP, "root/usr/share/rpcd/acl.d/luci-app-nodepass.json"), "utf8"))["luci-app-nodepass"];
        for (const words of world.calls) {
            const isExec = words[0].startsWith("/");
            check(isExec ? (grants.read.file[words.join(" ")] || []).includes("exec") : (grants.read.ubus[words[0]] || []).includes(words[1]), words.join(" ") + " is not granted");
        }
        equal(world.calls.length, 2, "calls of one load");
        check(grants.write.uci.includes("nodepass") && !grants.write.file && !grants.write.ubus, "writes the configuration only");
        const menu = JSON.parse(fs.readFileSync(path.join(APP, "root/usr/share/luci/menu.d/luci-app-nodepass.json"), "utf8"));
        const entry = menu["admin/services/nodepass"];
        check(fs.existsSync(path.join(APP, "htdocs/luci-static/resources/view", entry.action.path + ".js")), "the menu's view exists");
        equal(entry.depends.acl.join(), "luci-app-nodepass", "access list of the menu");
    }],
    ["without rights or service it still draws", async () => {
        const {grid} = await build({...makeWorld(), service: null, log: null});
        equal(find(grid, "_state").textvalue("ssh").children[0], "not started, see the log", "state");
        equal(find(grid, "_traffic").textvalue("ssh").children[0], "", "traffic");
    }],
    ["state and traffic come from procd and the log", async () => {
        const {grid, luci} = await build();
        const state = (name) => find(grid, "_state").textvalue(name).children[0];
        equal(["ssh", "panel", "whole", "spare"].map(state).join("; "), "running; ended, see the log; not started, see the log; off", "states");
        equal(find(grid, "_traffic").textvalue("ssh").children[0], "5.0 MB ↓ 2.1 KB ↑, 4 open, 12 ms", "traffic");
        equal(find(grid, "_traffic").textvalue("web").children[0], "0 B ↓ 0 B ↑, 0 open, 0 ms", "traffic of a line that is torn");
        equal(luci.polls.length + " " + luci.polls[0][1], "1 5", "one poll, each 5 s");
    }],
];

/* ---- in Chromium ---- */

const CSS = `body{font:14px/1.4 sans-serif;margin:0 auto;max-width:1100px;padding:12px;background:#f4f4f4;color:#222}
.box{background:#fff;border:1px solid #ccc;border-radius:4px;padding:8px 12px;margin:10px 0}h3,h4{margin:6px 0}h4{border-bottom:1px solid #ddd}
.field{display:flex;gap:10px;padding:4px 0}.field[hidden]{display:none}.field label{flex:0 0 180px;text-align:right}.field>div{flex:1;min-width:0}
small{display:block;color:#666}input,select{max-width:100%;box-sizing:border-box}table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:4px 6px;border-bottom:1px solid #eee}
.label{border-radius:3px;padding:1px 6px;background:#888;color:#fff}.success{background:#2a7d2a}.warning{background:#b36b00}.danger{background:#b32020}
@media(max-width:600px){tr:first-child{display:none}tr,td{display:block;border:0}tr{border-bottom:1px solid #ccc;padding:6px 0}td[data-title]::before{content:attr(data-title)": ";color:#666}
.field{display:block}.field label{text-align:left}}`;

let browser;
const drawn = (world) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>NodePass</title><style>${CSS}</style><body><script>
${fs.readFileSync(path.join(HERE, "luci_stub.js"), "utf8")}
window.world = ${JSON.stringify(world).replaceAll("<", "\\u003c")};
window.luci = makeLuci(world);
window.done = (async () => { const view = runView(${JSON.stringify(SOURCE).replaceAll("<", "\\u003c")}, luci); document.body.append(await view.render(await view.load())); })();
</script></body></html>`;

async function open(options) {
    const page = await browser.tab({base: "http://127.0.0.1:1", key: ""}, options);
    await page.setContent(drawn(makeWorld()));
    await page.evaluate("done");
    return page;
}

const cell = (page, name, title) => page.locator("tr", {has: page.locator("td.name", {hasText: name})}).locator(`td[data-title="${title}"]`);

async function checkShown(page, wanted, hidden) {
    for (const name of wanted) check(await page.locator(`#modal [data-option="${name}"]`).isVisible(), name + " is not shown");
    for (const name of hidden) check(!await page.locator(`#modal [data-option="${name}"]`).isVisible(), name + " is shown");
}

tests.push(
    ["Chromium: the page at desktop width", async () => {
        browser = await new Browser().open();
        const page = await open();
        equal(await cell(page, "ssh", "State").innerText(), "running", "state of ssh");
        equal(await cell(page, "ssh", "Traffic").innerText(), "5.0 MB ↓ 2.1 KB ↑, 4 open, 12 ms", "traffic of ssh");
        equal(await cell(page, "whole", "Role").innerText(), "client", "role from a whole URL");
        equal(await page.locator("img").count(), 0, "nothing in the log becomes HTML");
        await checkNoSideways(page, "the page");
        await shot(page, "luci-desktop");
        await page.context().close();
    }],
    ["Chromium: a poll renews state and traffic", async () => {
        const page = await open();
        await page.evaluate((line) => {
            world.service = {instances: {ssh: {running: true, pid: 300}, panel: {running: true, pid: 301}}};
            world.log = line + line.replace("[300]", "[301]");
            return luci.polls[0][0]();
        }, check_point(300, 9));
        equal(await cell(page, "ssh", "Traffic").innerText(), "9 B ↓ 2.1 KB ↑, 4 open, 12 ms", "traffic of ssh");
        equal(await cell(page, "web", "State").innerText(), "not started, see the log", "state of web");
        equal(await cell(page, "panel", "State").innerText(), "running", "state of panel");
        equal(await cell(page, "panel", "Traffic").innerText(), "", "traffic of a master");
        await page.context().close();
    }],
    ["Chromium: the form shows what fits the role", async () => {
        const page = await open({viewport: {width: 1280, height: 1500}});
        await page.locator("tr", {hasText: "ssh"}).getByRole("button", {name: "Edit"}).click();
        await checkShown(page, ["target", "min", "pin", "password"], ["crt", "max", "prefix", "state", "firewall_src"]);
        await page.locator("#modal").screenshot({path: path.join(ROOT, "build/web/shots/luci-form.png")});
        await page.selectOption("#modal [name=role]", "server");
        await checkShown(page, ["max", "tls"], ["min", "pin", "crt"]);
        await page.selectOption("#modal [name=tls]", "2");
        await checkShown(page, ["crt", "key"], []);
        await page.check("#modal [name=open_firewall]");
        await checkShown(page, ["firewall_src"], []);
        await page.selectOption("#modal [name=role]", "master");
        await checkShown(page, ["prefix", "state", "tunnel_port"], ["target", "password", "mode", "slot"]);
        await page.fill("#modal [name=url]", "client://:8080/192.0.2.1:80");
        await page.locator("#modal [name=url]").blur();
        await checkShown(page, ["url", "enabled"], ["tunnel_port", "prefix", "tls"]);
        await page.context().close();
    }],
    ["Chromium: the page at phone width", async () => {
        const page = await open({viewport: {width: 390, height: 844}});
        await checkNoSideways(page, "the page");
        await shot(page, "luci-phone");
        await page.locator("tr", {hasText: "ssh"}).getByRole("button", {name: "Edit"}).click();
        await checkNoSideways(page, "the form");
        await page.locator("#modal").scrollIntoViewIfNeeded();
        await page.locator("#modal").screenshot({path: path.join(ROOT, "build/web/shots/luci-phone-form.png")});
        await page.context().close();
    }],
);

const good = await runTests(tests, process.argv[2]);
await browser?.close();
process.exit(good ? 0 : 1);
