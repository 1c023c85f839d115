// SPDX-License-Identifier: BSD-3-Clause
// The tool that makes the pages small: scripts keep their meaning, the same sources give the same bytes.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import vm from "node:vm";
import {ROOT, check, equal} from "./browser.mjs";

/* Each ends in an expression whose value counts. */
const SCRIPTS = [
    "'a // no comment' + \"b /* nor this */\"",
    "`t ${1 + `n ${'}'} // x` } /* y */  z`",
    "let a = 1, b = 2; a + +b - -a",
    "let i = 5; i++ + +i",
    "let x = 4\nlet y = x\n++x\n;[x, y].join()",
    "function f() { return\n7 }\nString(f())",
    "/[/'\"]+\\/\\//g.test(\"'/\\\"//\")",
    "let n = 12, g = 2; n / 3 / g",
    "'x'.replace(/x/g, 'y') /* c */ + 'z' // end",
    "let o = {a: 1, /* c */ b: [2, 3,],}\n;o.b[1] / o.a",
    "if (true) /re/.test('re')\nelse 0",
    "(() => {\n    const a = 1\n    const b = 2\n    return a\n        + b\n})()",
    "let s = 'q'\n;(function () { s += 'r' })()\ns",
    "const w = typeof /a/ ; w + void 0",
    "let k = 3; k --\n; k",
    "[1, 2].map((v) => v\n    * 2).join('  ')",
    "'caf\u00e9' + \"\\u2028 \\\\\" + '\\\n'",
    "let c = 1 ? /a b  c/.source : 'no'; c",
    "const async1 = async () => { await 0; }; typeof async1",
    "var label = 0; outer: for (;;) { label++; break outer }\nlabel",
];

const python = (code, ...args) => execFileSync("python3", ["-c", "import sys; sys.path.insert(0, 'toolchains'); import embed\n" + code, ...args], {cwd: ROOT, encoding: "utf8"});

export function tests() {
    return [
        ["smaller_scripts_mean_the_same", async () => {
            const small = JSON.parse(python("import json; print(json.dumps([embed.smaller_script(t) for t in json.loads(sys.argv[1])]))", JSON.stringify(SCRIPTS)));
            SCRIPTS.forEach((text, n) => {
                equal(String(vm.runInNewContext(small[n])), String(vm.runInNewContext(text)), `${text} became ${small[n]}`);
                check(small[n].length <= text.length + 1, `${text} grew to ${small[n]}`);
            });
        }],

        ["the_same_sources_give_the_same_bytes", async () => {
            const made = [1, 2].map(() => {
                const folder = fs.mkdtempSync(path.join(os.tmpdir(), "np-embed-"));
                execFileSync("python3", ["toolchains/embed.py", "core/master/web", folder, "1.2.3", "panel=/", "docs=/docs"], {cwd: ROOT});
                const data = fs.readFileSync(path.join(folder, "pages_data.c"), "utf8");
                fs.rmSync(folder, {recursive: true});
                return data;
            });
            equal(made[0] === made[1], true, "two runs");
            check(!made[0].includes(os.tmpdir()), "a path in the source");
        }],

        ["faulty_sources_are_refused", async () => {
            for (const [text, why] of [["'no end\n'", /without an end/], ["a = /x\n/", /without an end/]]) {
                const said = python("try:\n    embed.smaller_script(sys.argv[1])\n    print('taken')\nexcept ValueError as e:\n    print(e)", text);
                check(why.test(said), text + ": " + said);
            }
        }],
    ];
}
