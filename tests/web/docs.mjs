// SPDX-License-Identifier: BSD-3-Clause
// The page of the API: lists the routes of the running program and tries them.
import {check, checkNoSideways, equal, shot, textOf, until} from "./browser.mjs";

const METHODS = ["get", "post", "put", "patch", "delete"];

export function tests(browser, master) {
    let page;
    const url = master.base + master.prefix + "/v1/docs";
    const route = (method, path) => page.locator("details.route", {has: page.locator(".method." + method)}).filter({has: page.locator(".path").getByText(new RegExp(path + "$"))});
    const open = async (method, path) => {
        const node = route(method, path);
        await node.locator("summary").click();
        return node;
    };

    return [
        ["docs_list_every_route", async () => {
            page = await browser.tab(master);
            await page.goto(url);
            await page.locator("details.route").first().waitFor();
            const spec = await (await fetch(master.base + master.prefix + "/v1/openapi.json")).json();
            const count = Object.values(spec.paths).flatMap((item) => METHODS.filter((m) => item[m])).length;
            equal(await page.locator("details.route").count(), count, "routes");
            check(count >= 13, "the document has too few routes");
            for (const summary of await page.locator("details.route summary").all()) await summary.click();
            await checkNoSideways(page, "the page");
            await shot(page, "docs-open");
            await page.reload();
        }],

        ["docs_try_a_route_without_and_with_the_key", async () => {
            let node = await open("get", "/instances");
            await node.getByRole("button", {name: "Send"}).click();
            await until(async () => /^401/.test(await node.locator(".status").innerText()), "401 without a key");
            await page.fill("#key", master.key);
            await node.getByRole("button", {name: "Send"}).click();
            await until(async () => /^200/.test(await node.locator(".status").innerText()), "200 with the key");
            await until(async () => (await node.locator("pre").last().innerText()).includes('"id": "********"'), "the answer, in lines");
            check(!(await node.locator("pre").first().innerText()).includes(master.key), "curl's line names no key");
            node = await open("patch", "/instances/\\{id\\}");
            await node.locator("input").first().fill("ffffffff");
            check((await node.locator("pre").first().innerText()).includes("/instances/ffffffff"), "curl's line follows");
            await node.getByRole("button", {name: "Send"}).click();
            await until(async () => /^404/.test(await node.locator(".status").innerText()), "404 for an unknown id");
            await shot(page, "docs-tried");
        }],

        ["docs_show_events_as_they_come", async () => {
            const node = await open("get", "/events");
            await node.getByRole("button", {name: "Send"}).click();
            await until(async () => /"type":"initial"/.test(await node.locator("pre").last().innerText()), "first events");
            await node.getByRole("button", {name: "Stop"}).click();
            await until(async () => !(await node.getByRole("button", {name: "Stop"}).isVisible()), "the stream is stopped");
        }],

        ["docs_at_phone_width", async () => {
            await page.setViewportSize({width: 360, height: 740});
            await checkNoSideways(page, "the page");
            await shot(page, "phone-docs");
            equal(await textOf(page, "#problem"), "", "no problem");
            await page.context().close();
        }],
    ];
}
