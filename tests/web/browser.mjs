// SPDX-License-Identifier: BSD-3-Clause
// Browser and master for the tests of the pages, and a list of tests that run in order.
import {spawn} from "node:child_process";
import fs from "node:fs";
import {createRequire} from "node:module";
import net from "node:net";
import path from "node:path";
import {fileURLToPath} from "node:url";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const {chromium} = createRequire(path.join(ROOT, "build/deps/web/"))("playwright-core");
export const SHOTS = path.join(ROOT, "build/web/shots");
const START = JSON.parse(process.env.NP_WEB_START); /* argv, with PORT, STATE and PREFIX to fill in */
export const IS_REAL = process.env.NP_WEB_REAL === "1";
const SLOW = Number(process.env.NP_E2E_SLOW || "1");

/* ---- checks ---- */

export function check(condition, text) {
    if (!condition) throw new Error(text);
}

export function equal(actual, expected, text) {
    check(actual === expected, `${text}: ${JSON.stringify(actual)}, want ${JSON.stringify(expected)}`);
}

/* The first true value of look(), waited for. */
export async function until(look, text, seconds = 15) {
    const end = Date.now() + seconds * 1000 * SLOW;
    for (;;) {
        const value = await look();
        if (value) return value;
        if (Date.now() > end) throw new Error(`not within ${seconds} s: ${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

export async function freePort() {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const {port} = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

/* ---- the master ---- */

export class Master {
    constructor(port, state, prefix = "/api", scheme = "http") {
        Object.assign(this, {port, state, prefix, scheme, base: `${scheme}://127.0.0.1:${port}`, key: "", out: ""});
    }

    async start() {
        const fill = (text) => text.replace("PORT", this.port).replace("STATE", this.state).replace("PREFIX", this.prefix);
        const [program, ...args] = START.map(fill);
        if (this.scheme === "https") args[0] += "&tls=1";
        this.out = "";
        this.child = spawn(program, args, {stdio: ["ignore", "pipe", "inherit"], env: {...process.env, NP_REPORT_INTERVAL: "1s"}});
        this.ended = new Promise((resolve) => this.child.on("exit", resolve));
        this.child.stdout.on("data", (data) => { this.out += data; });
        const match = await until(() => /API Key (?:created|loaded): ([0-9a-f]{32})/.exec(this.out) || this.child.exitCode !== null, "the master's key in its output");
        check(match !== true, "the master ended at once:\n" + this.out);
        if (match[1] !== this.key) this.key = match[1];
        await until(() => fetch(this.base + "/").then((reply) => reply.ok, () => false), "the master answers");
        return this;
    }

    async kill(signal = "SIGKILL") {
        this.child.kill(signal);
        await this.ended;
    }

    async api(method, route, body) {
        const reply = await fetch(`${this.base}${this.prefix}/v1${route}`, {method, headers: {"X-API-Key": this.key}, body: body && JSON.stringify(body)});
        const text = await reply.text();
        return {status: reply.status, data: text ? JSON.parse(text) : null};
    }

    async find(alias) {
        return (await this.api("GET", "/instances")).data.find((item) => item.alias === alias);
    }
}

/* ---- the browser ---- */

const problems = []; /* what no page may do: errors in the console, requests elsewhere */

function watch(page, allowed) {
    page.on("pageerror", (error) => problems.push("script error: " + error.message));
    page.on("console", (message) => {
        if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push("console: " + message.text());
    });
    page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith("data:") && !allowed.some((base) => url.startsWith(base + "/"))) problems.push("request to " + url);
        if (allowed.keys.some((key) => key && url.includes(key))) problems.push("API key in a URL: " + url);
    });
}

export function takeProblems() {
    return problems.splice(0);
}

export class Browser {
    async open() {
        this.chromium = await chromium.launch({executablePath: process.env.NP_CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"]});
        return this;
    }

    /* A tab of its own: nothing is shared with others. */
    async tab(master, options = {}) {
        const context = await this.chromium.newContext({viewport: {width: 1280, height: 800}, reducedMotion: "reduce", ...options});
        const page = await context.newPage();
        page.setDefaultTimeout(10000 * SLOW);
        const allowed = [master.base];
        allowed.keys = [master.key];
        watch(page, allowed);
        return page;
    }

    /* A tab that has the key and shows the list. */
    async panel(master, options) {
        const page = await this.tab(master, options);
        await page.goto(master.base + "/");
        await page.fill("#k-key", master.key);
        await page.click("#k-send");
        await isLive(page);
        return page;
    }

    close() {
        return this.chromium.close();
    }
}

export const isLive = (page) => page.waitForSelector('#state[data-state="live"]', {timeout: 30000 * SLOW});
export const rowOf = (page, name) => page.locator("#rows tr", {has: page.getByRole("button", {name, exact: true})});
export const textOf = (page, selector) => page.locator(selector).innerText();

export async function shot(page, name) {
    fs.mkdirSync(SHOTS, {recursive: true});
    await page.screenshot({path: path.join(SHOTS, name + ".png")});
}

export async function checkNoSideways(page, what) {
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(over <= 0, `${what} scrolls sideways by ${over} px`);
    const inner = await page.evaluate(() => [...document.querySelectorAll("dialog[open], dialog[open] .body")].map((d) => d.scrollWidth - d.clientWidth));
    check(inner.every((n) => n <= 0), `${what}: a dialog scrolls sideways`);
}

/* ---- tests ---- */

export async function runTests(tests, pattern) {
    let passed = 0, failed = 0;
    for (const [name, run] of tests) {
        if (pattern && !new RegExp(pattern).test(name)) continue;
        const start = Date.now();
        let fault = "";
        try {
            await run();
        } catch (error) {
            fault = error.stack;
        }
        const seen = takeProblems();
        if (seen.length) fault += "\n" + [...new Set(seen)].join("\n");
        if (fault) failed++;
        else passed++;
        console.log(`${fault ? "FAIL" : "ok  "} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)${fault ? "\n" + fault : ""}`);
    }
    console.log(`${passed} passed, ${failed} failed`);
    return failed === 0 && passed > 0;
}
