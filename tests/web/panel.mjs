// SPDX-License-Identifier: BSD-3-Clause
// The panel: what it shows, its form, its actions, keyboard, phone width, colours.
import net from "node:net";
import {IS_REAL, check, checkNoSideways, equal, freePort, isLive, rowOf, shot, textOf, until} from "./browser.mjs";

/* A TCP server that sends back what it gets. */
async function echoServer() {
    const server = net.createServer((socket) => socket.on("error", () => {}).pipe(socket));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
}

function carry(port, bytes) {
    return new Promise((resolve, reject) => {
        let left = bytes;
        const socket = net.connect(port, "127.0.0.1", () => socket.write(Buffer.alloc(bytes, 7)));
        socket.on("data", (data) => {
            left -= data.length;
            if (left <= 0) socket.end(resolve);
        });
        socket.on("error", reject);
    });
}

export function tests(browser, master) {
    let page, echo, port;
    const fill = (id, value) => page.fill("#f-" + id, value);

    return [
        ["first_visit_asks_for_the_key", async () => {
            const first = await browser.tab(master);
            await first.goto(master.base + "/");
            equal(await first.isVisible("#login"), true, "the key is asked for");
            equal(await first.isVisible("#app"), false, "nothing else is shown");
            equal(await first.evaluate(() => document.activeElement.id), "k-key", "focus");
            await first.click("#k-send");
            equal(await textOf(first, "#k-error"), "Enter the API key.", "empty key");
            await first.fill("#k-key", "0".repeat(32));
            await first.keyboard.press("Enter");
            await until(async () => (await textOf(first, "#k-error")) === "Unauthorized: Invalid API key", "the API's text for a wrong key");
            await shot(first, "login-wrong");
            equal(await first.evaluate(() => sessionStorage.length + localStorage.length), 0, "a wrong key is not kept");
            await first.context().close();
        }],

        ["the_right_key_opens_the_list", async () => {
            page = await browser.panel(master);
            check(!page.url().includes(master.key), "the key is in the address");
            equal(await page.evaluate(() => sessionStorage.getItem("np-key")), master.key, "kept in the session");
            equal(await page.evaluate(() => localStorage.getItem("np-key")), null, "not kept longer");
            check(!(await page.content()).includes(master.key), "the key stands in the page");
            equal(await page.locator("#rows tr").count(), 0, "the key's record is no row");
            await until(async () => /CPU|Memory/.test(await textOf(page, "#system")), "figures of the machine");
            check(/Version v\d/.test(await textOf(page, "#system")), "version");
            await page.reload();
            await isLive(page);
            equal(await page.isVisible("#login"), false, "asked again after a reload");
            await shot(page, "empty");
        }],

        ["the_form_shows_what_is_wrong", async () => {
            await page.click("#add");
            await page.click("#f-send");
            check(/want host:port/.test(await textOf(page, "#e-tunnel")), "error of the tunnel address");
            equal(await page.evaluate(() => document.activeElement.id), "f-tunnel", "focus goes to the first error");
            await fill("tunnel", ":70000");
            check(/port from 1 to 65535/.test(await textOf(page, "#e-tunnel")), "port out of range");
            await page.locator("summary", {hasText: "Limits"}).click();
            for (const [name, bad, good, want] of [["rate", "abc", "100", "want 0 or a whole number of Mbps"], ["slot", "12x", "12", "want 0 or a whole number of sessions"],
                ["min", "0", "8", "want a whole number, 1 or more"], ["read", "5parsecs", "1.5h", "want a duration"]]) {
                await fill("o-" + name, bad);
                check((await textOf(page, "#e-o-" + name)).includes(want), "error of " + name);
                await fill("o-" + name, good);
                equal(await textOf(page, "#e-o-" + name), "", "no error of " + name);
            }
            await shot(page, "form-errors");
            check((await textOf(page, "#f-url")).includes("rate=100"), "the URL shows the rate");
            for (const hint of ["#h-o-mode", "#h-o-rate", "#h-o-read", "#h-o-slot", "#h-o-min", "#h-o-log"]) {
                check((await textOf(page, hint)).length > 10, "no explanation at " + hint);
            }
            await page.click("#f-role button[value=server]");
            equal(await page.locator("#f-o-min").count(), 0, "a server has no min");
            equal(await page.locator("#f-o-max").count(), 1, "a server has max");
            equal(await page.inputValue("#f-o-rate"), "100", "what both know stays");
            await page.keyboard.press("Escape");
            equal(await page.isVisible("#form"), false, "Escape closes the form");
        }],

        ["a_client_is_created", async () => {
            echo = await echoServer();
            port = await freePort();
            await page.click("#add");
            await page.selectOption("#f-use", {label: "Local forward"});
            await fill("alias", "web");
            await fill("tunnel", `127.0.0.1:${port}`);
            await fill("target", `127.0.0.1:${echo.address().port}`);
            equal(await textOf(page, "#f-url"), `client://127.0.0.1:${port}/127.0.0.1:${echo.address().port}?mode=1`, "resulting URL");
            await page.click("#f-send");
            await rowOf(page, "web").waitFor();
            equal(await page.isVisible("#form"), false, "the form is closed");
            check((await textOf(page, "#toasts")).includes("Created web"), "said so");
            const item = await master.find("web");
            equal(item.type, "client", "type");
            check(item.restart && item.url.includes("mode=1"), "stored");
            await until(async () => (await rowOf(page, "web").innerText()).includes("Running"), "it runs");
        }],

        ["a_server_is_created_from_a_pasted_url", async () => {
            const one = await freePort(), two = await freePort();
            await page.click("#add");
            await fill("alias", "ssh at home");
            await fill("tunnel", `server://s3cr%65t@127.0.0.1:${one}/127.0.0.1:${two}?mode=1&max=32&colour=red`);
            equal(await page.inputValue("#f-key"), "s3cret", "key taken out of the URL");
            equal(await page.inputValue("#f-tunnel"), `127.0.0.1:${one}`, "tunnel taken out");
            equal(await page.inputValue("#f-o-max"), "32", "option taken out");
            check((await textOf(page, "#f-extra")).includes("colour"), "an unknown option is kept, and said so");
            check(!(await textOf(page, "#f-url")).includes("s3cret"), "the key is hidden");
            await page.click("#f-show");
            check((await textOf(page, "#f-url")).includes("server://s3cret@"), "the key can be shown");
            await shot(page, "form-server");
            await page.click("#f-send");
            await rowOf(page, "ssh at home").waitFor();
            check(!(await page.locator("#app").innerText()).includes("s3cret"), "the list hides the key");
            await until(async () => /server · reverse/.test(await rowOf(page, "ssh at home").innerText()), "its mode is shown");
        }],

        ["errors_of_the_api_are_shown", async () => {
            await page.route("**/v1/instances", (route) => route.request().method() === "POST"
                ? route.fulfill({status: 507, contentType: "application/json", body: '{"error":"State not saved: no space left on device"}'}) : route.continue());
            await page.click("#add");
            await fill("tunnel", ":1");
            await fill("target", "127.0.0.1:2");
            await page.click("#f-send");
            await until(async () => (await textOf(page, "#f-error")) === "State not saved: no space left on device", "the text in the form");
            equal(await page.isVisible("#form"), true, "what was entered is not lost");
            await page.unroute("**/v1/instances");
            await page.keyboard.press("Escape");
        }],

        ["traffic_is_visible", async () => {
            const text = (cell) => rowOf(page, "web").locator(cell).innerText();
            await page.reload(); /* the first figures come from the list, which has no time */
            await isLive(page);
            const visitor = setInterval(() => IS_REAL && carry(port, 1000000).catch(() => {}), 150);
            await until(async () => /[1-9][\d.]* [kMG]bit/.test(await text(".c-rate")), "a rate", 20);
            await until(async () => /[1-9][\d.]* [kMGT]?B/.test(await text(".c-total")), "sums");
            const points = () => rowOf(page, "web").locator("polyline.rx").getAttribute("points");
            await until(async () => (await points()).split(" ").length > 2, "sparkline");
            await until(async () => /[1-9]/.test(await textOf(page, "#t-rx")), "sum of all");
            clearInterval(visitor);
            await shot(page, "list");
        }],

        ["log_lines_and_details_are_shown", async () => {
            await rowOf(page, "web").getByRole("button", {name: "Log and details: web"}).click();
            const {id} = await master.find("web");
            await master.api("PATCH", "/instances/" + id, {action: "restart"});
            await page.locator("#d-lines .line span").first().waitFor();
            const text = await textOf(page, "#d-lines");
            check(!text.includes("\x1b"), "control codes in the text");
            check(/INFO/.test(text), "a level");
            await shot(page, "log");
            await page.selectOption("#d-level", "INFO");
            check(await page.locator('#d-lines .line[data-level="INFO"]').count() > 0, "lines of a level are known as such");
            equal(await page.locator('#d-lines .line[data-level="DEBUG"], #d-lines .line[data-level=""]').count(), 0, "levels below are hidden");
            await page.selectOption("#d-level", "ERROR");
            equal(await page.locator('#d-lines .line[data-level="INFO"]').count(), 0, "levels below are hidden");
            await page.selectOption("#d-level", "DEBUG");
            await page.click("#tab-facts");
            check((await textOf(page, "#d-list")).includes(id), "the id");
            check(/mode=1/.test(await textOf(page, "#d-list")), "the URL");
            await shot(page, "details");
            await page.click("#tab-log");
            await page.keyboard.press("Escape");
            equal(await page.isVisible("#detail"), false, "Escape closes it");
        }],

        ["stop_start_restart_reset", async () => {
            const row = rowOf(page, "web");
            const shows = (word) => until(async () => (await row.locator(".c-status").innerText()).includes(word), word);
            await shows("Running");
            await row.getByRole("button", {name: "Stop: web", exact: true}).click();
            await shows("Stopped");
            equal((await master.find("web")).status, "stopped", "stopped at the master");
            await page.click('#f-status button[value="stopped"]');
            equal(await page.locator("#rows tr:visible").count(), 1, "filter by status");
            await page.click('#f-status button[value=""]');
            await row.getByRole("button", {name: "Start: web", exact: true}).click();
            await shows("Running");
            await row.getByRole("button", {name: "Restart: web"}).click();
            await shows("Running");
            await row.getByRole("button", {name: "More actions: web"}).click();
            await page.getByRole("menuitem", {name: "Reset counters"}).click();
            const before = await master.find("web");
            await page.click("#ask-yes");
            await until(async () => {
                const now = await master.find("web");
                return now.tcprx + now.tcptx < before.tcprx + before.tcptx || before.tcprx + before.tcptx === 0;
            }, "the counters went back");
        }],

        ["an_instance_is_edited", async () => {
            const before = await master.find("web"), calls = [];
            const note = (request) => request.method() !== "GET" && calls.push(request.method());
            page.on("request", note);
            await rowOf(page, "web").getByRole("button", {name: "Edit: web"}).click();
            equal(await page.inputValue("#f-tunnel"), `127.0.0.1:${port}`, "the form has the address");
            await fill("alias", "web 2");
            await fill("tags", "site=berlin, env=test");
            await page.click("#f-send");
            await rowOf(page, "web 2").waitFor();
            equal(calls.join(), "PATCH", "an unchanged URL is not sent");
            await rowOf(page, "web 2").getByRole("button", {name: "Edit: web 2"}).click();
            await page.locator("summary", {hasText: "Limits"}).click();
            await fill("o-rate", "50");
            await page.click("#f-send");
            await until(async () => (await master.find("web 2")).url.includes("rate=50"), "the URL was replaced");
            equal(calls.join(), "PATCH,PUT", "only what changed is sent");
            const after = await master.find("web 2");
            equal(after.id, before.id, "still the same instance");
            equal(after.meta.tags.site, "berlin", "tags");
            await page.fill("#filter", "site=berlin");
            equal(await page.locator("#rows tr:visible").count(), 1, "filter by tag");
            await page.fill("#filter", "no such thing");
            equal(await page.isVisible("#empty-clear"), true, "a filter without hits says so");
            await page.click("#empty-clear");
            page.off("request", note);
        }],

        ["tags_that_were_not_touched_stay", async () => {
            const {id} = await master.find("web 2"), tags = {place: "Berlin, attic", "a=b": "x=y"};
            await master.api("PATCH", "/instances/" + id, {meta: {tags}});
            await until(async () => (await page.evaluate((id) => instances.get(id).data.meta.tags.place, id)) === tags.place, "the tags are known");
            await rowOf(page, "web 2").getByRole("button", {name: "Edit: web 2"}).click();
            await fill("alias", "web 3");
            await page.click("#f-send");
            await rowOf(page, "web 3").waitFor();
            equal(JSON.stringify((await master.find("web 3")).meta.tags), JSON.stringify(tags), "tags");
            await rowOf(page, "web 3").getByRole("button", {name: "Edit: web 3"}).click();
            await fill("tags", "a=b, c");
            await fill("alias", "é".repeat(129));
            check(/at most 256 bytes/.test(await textOf(page, "#e-alias")), "a name that is too long");
            await page.click("#f-send");
            check(/want name=value/.test(await textOf(page, "#e-tags")), "tags that are none");
            check(/marked/.test(await textOf(page, "#f-error")), "more than one field is wrong");
            await fill("tags", "site=berlin");
            await fill("alias", "web 2");
            await page.click("#f-send");
            await rowOf(page, "web 2").waitFor();
            equal((await master.find("web 2")).meta.tags.place, undefined, "tags that were changed are replaced");
        }],

        ["defaults_are_those_of_the_master", async () => {
            const one = await freePort();
            await page.click("#add");
            equal(await page.inputValue("#f-o-log"), "debug", "the level it would get");
            await page.selectOption("#f-o-log", "info");
            await fill("alias", "quiet");
            await fill("tunnel", `127.0.0.1:${one}`);
            await fill("target", "127.0.0.1:9");
            check((await textOf(page, "#f-url")).includes("log=info"), "the level is in the URL");
            await page.click("#f-send");
            await rowOf(page, "quiet").waitFor();
            check((await master.find("quiet")).url.includes("log=info"), "the level that was chosen");
            const {id} = await master.find("quiet");
            await master.api("DELETE", "/instances/" + id);
            await rowOf(page, "quiet").waitFor({state: "detached"});
            await page.evaluate(() => { form.master = {log: "debug", tls: "1"}; });
            await page.click("#add");
            equal(await page.locator("#f-o-tls").inputValue(), "0", "a client has its own");
            await page.click("#f-role button[value=server]");
            equal(await page.locator("#f-o-tls").inputValue(), "1", "a server takes the master's");
            await page.locator("summary", {hasText: "TLS"}).click();
            check(!/tls=|log=/.test(await textOf(page, "#f-url")), "left to the master: " + await textOf(page, "#f-url"));
            await page.selectOption("#f-o-tls", "0");
            check((await textOf(page, "#f-url")).includes("tls=0"), "0 can be chosen");
            await page.keyboard.press("Escape");
        }],

        ["the_reason_of_an_error_is_shown", async () => {
            const {data} = await master.api("POST", "/instances", {alias: "broken", url: "client://0.0.0.1:9/127.0.0.1:9?mode=1"});
            const says = (text) => until(async () => /tunnel address not bound: \w+/.test(await rowOf(page, "broken").locator(".c-status").innerText()), text);
            await says("the reason");
            await page.reload();
            await isLive(page);
            await says("the reason, for one who came later");
            await shot(page, "error");
            await rowOf(page, "broken").getByRole("button", {name: "Log and details: broken"}).click();
            check(/not bound/.test(await textOf(page, "#d-lines")), "in its log");
            await page.keyboard.press("Escape");
            await master.api("DELETE", "/instances/" + data.id);
            await rowOf(page, "broken").waitFor({state: "detached"});
        }],

        ["a_refused_stream_says_why", async () => {
            const phone = await browser.panel(master, {viewport: {width: 390, height: 800}});
            await phone.route("**/v1/events", (route) => route.fulfill({status: 503, json: {error: "Too many event streams"}}));
            await phone.reload();
            await until(async () => /^Too many event streams.*again in/.test(await textOf(phone, "#state-text")), "the reason");
            const top = (id) => phone.locator(id).evaluate((node) => Math.round(node.getBoundingClientRect().top));
            equal(await top("#theme"), await top("#key"), "one row of buttons");
            check(Math.abs(await top("#theme") - await top("#app .brand")) < 12, "buttons stay in the first row");
            await checkNoSideways(phone, "the header");
            await shot(phone, "phone-refused");
            await phone.context().close();
        }],

        ["keyboard_alone_is_enough", async () => {
            await page.focus("#add");
            await page.keyboard.press("Enter");
            equal(await page.isVisible("#form"), true, "Enter opens the form");
            await page.keyboard.press("Escape");
            equal(await page.evaluate(() => document.activeElement.id), "add", "focus is back");
            const more = rowOf(page, "web 2").getByRole("button", {name: "More actions: web 2"});
            await more.focus();
            await page.keyboard.press("Enter");
            equal(await page.evaluate(() => document.activeElement.textContent), "Copy URL", "first item has the focus");
            await page.keyboard.press("ArrowUp");
            check((await page.evaluate(() => document.activeElement.textContent)).startsWith("Delete"), "arrows go round");
            await page.keyboard.press("Escape");
            equal(await page.isVisible("#menu"), false, "Escape closes the menu");
            equal(await more.evaluate((node) => node === document.activeElement), true, "focus is back on the button");
            const order = [];
            await page.evaluate(() => document.activeElement.blur());
            for (let i = 0; i < 30; i++) {
                await page.keyboard.press("Tab");
                order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label") || ""));
            }
            const places = ["m-alias", "docs", "key", "theme", "filter", "add", "Edit: web 2"].map((id) => order.indexOf(id));
            check(places.every((at, i) => at >= 0 && (i === 0 || at > places[i - 1])), "focus order: " + order);
        }],

        ["every_control_has_a_name", async () => {
            await page.click("#add");
            const nameless = await page.evaluate(() => {
                const named = (node) => node.getAttribute("aria-label") || node.textContent.trim() || (node.labels && node.labels.length) || node.getAttribute("aria-labelledby") || node.id === "m-alias";
                return [...document.querySelectorAll("button, input, select, textarea, dialog, table")].filter((node) => !named(node)).map((node) => node.outerHTML);
            });
            equal(nameless.join("\n"), "", "controls without a name");
            equal(await page.locator("#toasts").evaluate((node) => node.children.length === 0 || node.firstChild.getAttribute("role") !== null), true, "messages are announced");
            await page.keyboard.press("Escape");
        }],

        ["phone_width_does_not_scroll_sideways", async () => {
            const phone = await browser.panel(master, {viewport: {width: 360, height: 740}, hasTouch: true, deviceScaleFactor: 2});
            await rowOf(phone, "web 2").waitFor();
            await checkNoSideways(phone, "the list");
            await shot(phone, "phone-list");
            await phone.click("#add");
            for (const group of await phone.locator("#f-groups summary").all()) {
                if (!(await group.evaluate((node) => node.parentNode.open))) await group.click();
            }
            await checkNoSideways(phone, "the form");
            await shot(phone, "phone-form");
            await phone.keyboard.press("Escape");
            await rowOf(phone, "web 2").getByRole("button", {name: "Log and details: web 2"}).click();
            await checkNoSideways(phone, "the log");
            await phone.click("#tab-facts");
            await checkNoSideways(phone, "the details");
            await shot(phone, "phone-details");
            await phone.context().close();
        }],

        ["dark_by_wish_or_by_switch", async () => {
            const dark = await browser.panel(master, {colorScheme: "dark"});
            const ground = () => dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
            const first = await ground();
            await shot(dark, "dark");
            await dark.click("#theme");
            check((await ground()) !== first, "the switch changes the colours");
            const light = await ground();
            await dark.reload();
            await isLive(dark);
            equal(await ground(), light, "the choice is kept");
            await dark.context().close();
        }],

        ["an_instance_is_deleted_after_a_question", async () => {
            const ask = async () => {
                await rowOf(page, "web 2").getByRole("button", {name: "More actions: web 2"}).click();
                await page.getByRole("menuitem", {name: /Delete/}).click();
            };
            await ask();
            equal(await page.evaluate(() => document.activeElement.id), "ask-no", "the harmless answer has the focus");
            await shot(page, "delete");
            await page.keyboard.press("Escape");
            await ask();
            await page.click("#ask-no");
            check(await master.find("web 2"), "it is still there");
            await ask();
            await page.click("#ask-yes");
            await rowOf(page, "web 2").waitFor({state: "detached"});
            equal(await master.find("web 2"), undefined, "gone at the master");
            echo.close();
            await page.context().close();
        }],
    ];
}
