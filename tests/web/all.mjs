// SPDX-License-Identifier: BSD-3-Clause
// All tests of the pages, in one browser and against one master. Argument: a pattern of names.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {Browser, IS_REAL, Master, freePort, runTests} from "./browser.mjs";
import * as docs from "./docs.mjs";
import * as embed from "./embed.mjs";
import * as life from "./life.mjs";
import * as panel from "./panel.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "np-web-"));
const master = new Master(await freePort(), IS_REAL ? folder : path.join(folder, "state.json"));
const browser = new Browser();
let good = false;
try {
    await master.start();
    await browser.open();
    good = await runTests([...embed.tests(), ...panel.tests(browser, master), ...docs.tests(browser, master), ...life.tests(browser, master)], process.argv[2]);
    await browser.close();
} finally {
    await master.kill();
    fs.rmSync(folder, {recursive: true, force: true});
}
process.exit(good ? 0 : 1);
