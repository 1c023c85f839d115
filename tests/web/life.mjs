// SPDX-License-Identifier: BSD-3-Clause
// The panel when things go wrong: master gone and back, keys that change, hostile data, other prefix.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {IS_REAL, Master, check, equal, freePort, isLive, rowOf, shot, textOf, until} from "./browser.mjs";

const HOSTILE = ["<img src=x onerror=\"window.pwned=1\">", "\"><script>window.pwned=2</script>", "javascript:window.pwned=3", "</td></table><h1>x</h1>", "{{7*7}}${7*7}", "\u202egnp.exe", "🙂 ü"];

function hostileRecord(text, n) {
    return {id: "0000000" + n, alias: text, type: "client", status: "running", url: "client://k@" + text + "/" + text + "?x=" + text, config: text, restart: true,
        meta: {peer: {sid: text, type: text, alias: text}, tags: {[text]: text}}, mode: 1, ping: 1, pool: 1, tcps: 1, udps: 0, tcprx: 1, tcptx: 1, udprx: 0, udptx: 0};
}

async function checkHarmless(page) {
    equal(await page.evaluate(() => window.pwned), undefined, "script ran");
    equal(await page.locator("#app img, #app h1, #app script, #detail img, #detail script, dialog h1").count(), 0, "markup was made of data");
}

export function tests(browser, master) {
    let page;
    const events = (...list) => "retry: 3000\n\n" + list.map((e) => "event: instance\ndata: " + JSON.stringify(e) + "\n\n").join("");

    return [
        ["hostile_names_urls_tags_and_logs_are_text", async () => {
            page = await browser.tab(master);
            const list = HOSTILE.map(hostileRecord);
            const now = new Date().toISOString();
            await page.route("**/v1/instances", (route) => route.fulfill({json: list}));
            await page.route("**/v1/events", (route) => route.fulfill({contentType: "text/event-stream",
                body: events(...list.map((instance) => ({type: "initial", time: now, instance, logs: ""})),
                    ...list.map((instance) => ({type: "log", time: now, instance, logs: "\x1b[31m" + instance.alias + "\x1b[0m \x1b]0;title\x07\x1b[2J\x1b[38;5;1m\x00\x9b31m " + instance.alias})))}));
            await page.goto(master.base + "/");
            await page.fill("#k-key", master.key);
            await page.click("#k-send");
            await until(async () => (await page.locator("#rows tr").count()) === HOSTILE.length, "all rows");
            for (const text of HOSTILE) {
                await page.locator("#rows .name").getByText(text, {exact: true}).waitFor();
            }
            await checkHarmless(page);
            for (let n = 0; n < HOSTILE.length; n++) {
                await page.locator("#rows tr").nth(n).locator(".name").click();
                await until(async () => (await page.locator("#d-lines .line").count()) > 0, "log lines");
                check((await textOf(page, "#d-title")).length > 0, "a title");
                await page.click("#tab-facts");
                await page.click("#d-reveal");
                await checkHarmless(page);
                await page.keyboard.press("Escape");
                await page.locator("#rows tr").nth(n).locator(".c-act button").nth(3).click();
                await checkHarmless(page);
                await page.keyboard.press("Escape");
                await page.locator("#rows tr").nth(n).locator(".c-act button").nth(4).click();
                await page.getByRole("menuitem", {name: /Delete/}).click();
                await checkHarmless(page);
                await page.keyboard.press("Escape");
            }
            const lines = await page.evaluate(() => [...instances.values()].flatMap((r) => r.logs).map((line) => ansiParts(line).map((p) => p.text).join("")));
            check(lines.length > 0 && lines.every((line) => !/[\x00-\x08\x0b-\x1f]/.test(line)), "control bytes reach the page");
            await shot(page, "hostile");
            await page.context().close();
        }],

        ["hostile_error_texts_are_text", async () => {
            page = await browser.panel(master);
            await page.route("**/v1/instances", (route) => route.request().method() === "POST" ? route.fulfill({status: 400, json: {error: HOSTILE[0]}}) : route.continue());
            await page.click("#add");
            await page.fill("#f-tunnel", ":1");
            await page.fill("#f-target", ":2");
            await page.click("#f-send");
            await until(async () => (await textOf(page, "#f-error")) === HOSTILE[0], "the text");
            await checkHarmless(page);
            await page.context().close();
        }],

        ["hostile_aliases_travel_through_the_real_api", async () => {
            page = await browser.panel(master);
            const url = `client://127.0.0.1:${await freePort()}/127.0.0.1:9?mode=1`;
            const {status, data} = await master.api("POST", "/instances", {url, alias: HOSTILE[0]});
            equal(status, 201, "created");
            await master.api("PATCH", "/instances/" + data.id, {meta: {tags: {[HOSTILE[1]]: HOSTILE[0]}}});
            await rowOf(page, HOSTILE[0]).waitFor();
            await rowOf(page, HOSTILE[0]).locator(".name").click();
            await page.click("#tab-facts");
            await until(async () => (await textOf(page, "#d-list")).includes(HOSTILE[1]), "its tag");
            await checkHarmless(page);
            await master.api("DELETE", "/instances/" + data.id);
            await until(async () => !(await page.isVisible("#detail")), "its drawer closes when it is deleted elsewhere");
            await page.context().close();
        }],

        ["a_master_that_dies_and_comes_back", async () => {
            page = await browser.panel(master);
            await master.api("POST", "/instances", {url: `client://127.0.0.1:${await freePort()}/127.0.0.1:9?mode=1`, alias: "stays"});
            await rowOf(page, "stays").waitFor();
            await page.waitForTimeout(500); /* saved within 100 ms */
            await master.kill();
            await until(async () => (await textOf(page, "#state")).includes("No connection"), "the loss is shown");
            equal(await page.isVisible("#retry"), true, "one can try at once");
            await shot(page, "lost");
            await rowOf(page, "stays").getByRole("button", {name: "Restart: stays"}).click();
            await until(async () => (await textOf(page, "#toasts")).includes("does not answer"), "an action that fails says so");
            await master.start();
            await isLive(page);
            await until(async () => (await rowOf(page, "stays").innerText()).includes("Running"), "its instance is back");
            equal(await page.isVisible("#login"), false, "the key is still good");
        }],

        ["an_instance_deleted_meanwhile_is_gone_after_the_reconnect", async () => {
            await master.kill();
            await until(async () => (await textOf(page, "#state")).includes("No connection"), "the loss is shown");
            await page.route("**/v1/events", (route) => route.abort());
            await master.start();
            const {id} = await master.find("stays");
            await master.api("DELETE", "/instances/" + id);
            await page.unroute("**/v1/events");
            await isLive(page);
            await rowOf(page, "stays").waitFor({state: "detached"});
        }],

        ["a_key_rotated_elsewhere_is_asked_for", async () => {
            const {data} = await master.api("PATCH", "/instances/********", {action: "restart"});
            await page.waitForSelector("#login:not([hidden])", {timeout: 30000});
            equal(await textOf(page, "#k-error"), "Unauthorized: Invalid API key", "why");
            equal(await page.evaluate(() => sessionStorage.length), 0, "the dead key is forgotten");
            master.key = data.url;
            await page.fill("#k-key", master.key);
            await page.keyboard.press("Enter");
            await isLive(page);
        }],

        ["a_key_rotated_here_is_shown_and_used", async () => {
            const old = master.key;
            await page.click("#key");
            await page.getByRole("menuitem", {name: /Make a new key/}).click();
            await page.click("#ask-yes");
            await page.waitForSelector("#newkey[open]");
            const key = await page.inputValue("#newkey-text");
            check(/^[0-9a-f]{32}$/.test(key) && key !== old, "a new key");
            await shot(page, "newkey");
            await page.click("#newkey [data-close]");
            master.key = key;
            equal((await master.api("GET", "/instances")).status, 200, "the new key works");
            await isLive(page);
            await page.reload();
            await isLive(page);
        }],

        ["the_master_is_renamed", async () => {
            await page.click("#m-alias");
            await page.fill("#rename-text", "attic <b>router</b>");
            await page.keyboard.press("Enter");
            await until(async () => (await textOf(page, "#m-alias")) === "attic <b>router</b>", "the new name");
            equal((await master.api("GET", "/info")).data.alias, "attic <b>router</b>", "at the master");
            await page.context().close();
        }],

        ["many_instances", async () => {
            const base = await freePort();
            const count = IS_REAL ? 20 : 150;
            for (let i = 0; i < count; i++) {
                await master.api("POST", "/instances", {url: `client://127.0.0.1:${base}/127.0.0.1:9?mode=1&slot=${i + 1}`, alias: `n${i}`});
            }
            const start = Date.now();
            page = await browser.panel(master);
            await until(async () => (await page.locator("#rows tr").count()) >= count, "all rows");
            check(Date.now() - start < 8000, "the list took too long");
            const names = await page.locator("#rows .name").allInnerTexts();
            check(names.indexOf("n2") < names.indexOf("n10"), "sorted as people count");
            await page.context().close();
            for (const item of (await master.api("GET", "/instances")).data) {
                if (/^n\d+$/.test(item.alias)) await master.api("DELETE", "/instances/" + item.id);
            }
        }],

        ["another_prefix_is_found", async () => {
            const state = fs.mkdtempSync(path.join(os.tmpdir(), "np-web-"));
            const other = await new Master(await freePort(), IS_REAL ? state : path.join(state, "state.json"), "/some/where").start();
            try {
                page = await browser.panel(other);
                await page.click("#add");
                await page.keyboard.press("Escape");
                equal(await page.getAttribute("#docs", "href"), "/some/where/v1/docs", "the link to the API page");
                await page.context().close();
            } finally {
                await other.kill();
                fs.rmSync(state, {recursive: true, force: true});
            }
        }],

        ["the_same_over_https", async () => {
            if (!IS_REAL) return; /* the mock has no TLS */
            const state = fs.mkdtempSync(path.join(os.tmpdir(), "np-web-"));
            process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"; /* a certificate of its own */
            const other = await new Master(await freePort(), state, "/api", "https").start();
            try {
                page = await browser.panel(other, {ignoreHTTPSErrors: true});
                equal(await page.isVisible("#k-plain"), false, "no warning of plain HTTP");
                await other.api("POST", "/instances", {url: `client://127.0.0.1:${await freePort()}/127.0.0.1:9?mode=1`, alias: "safe"});
                await rowOf(page, "safe").waitFor();
                await other.kill();
                await until(async () => (await textOf(page, "#state")).includes("No connection"), "the loss is shown");
                await other.start();
                await isLive(page);
                await until(async () => (await rowOf(page, "safe").innerText()).includes("Running"), "its instance is back");
                await page.context().close();
            } finally {
                await other.kill();
                fs.rmSync(state, {recursive: true, force: true});
            }
        }],

        ["too_many_wrong_keys", async () => {
            page = await browser.tab(master);
            await page.goto(master.base + "/");
            await until(async () => {
                await page.fill("#k-key", "f".repeat(32));
                await page.click("#k-send");
                await page.waitForFunction(() => !document.getElementById("k-send").disabled);
                const text = await textOf(page, "#k-error");
                return text && !/Invalid API key/.test(text);
            }, "another answer than a wrong key");
            check(/wait|many/i.test(await textOf(page, "#k-error")), "the text says what happened");
            await page.context().close();
        }],
    ];
}
