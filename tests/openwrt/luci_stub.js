// SPDX-License-Identifier: BSD-3-Clause
// Stands for LuCI around the view: modules that note what the view builds, and, where there is a
// document, draw it: sections, grid, and a form for each row with its tabs and dependencies.
"use strict";

function makeLuci(world) { /* world: {config, service, log, calls} */
    const faults = [];

    class Option {
        constructor(section, tab, option, title, description) {
            Object.assign(this, {section, tab, option, title, description, deps: [], values: []});
        }
        value(key, label) { this.values.push([key, label === undefined ? key : label]); }
        depends(name, value) { this.deps.push(typeof name === "object" ? name : {[name]: value}); }
        /* LuCI: any of the alternatives, each with all of its fields. */
        isShown(values) {
            return this.deps.length === 0 || this.deps.some((dep) => Object.entries(dep).every(
                ([name, want]) => (values[name] ?? "") === want));
        }
    }
    class Flag extends Option {}
    class Value extends Option {}
    class ListValue extends Value {}
    class DummyValue extends Option {}
    class ZoneSelect extends Value {}
    class NetworkSelect extends Value {}

    class Section {
        constructor(type, title) { Object.assign(this, {type, title, children: [], tabs: []}); }
        tab(name, title) { this.tabs.push([name, title]); }
        option(type, name, title, description) { return this.add(null, type, name, title, description); }
        taboption(tab, type, name, title, description) {
            if (!this.tabs.some(([known]) => known === tab)) faults.push(`no tab ${tab} for ${name}`);
            return this.add(tab, type, name, title, description);
        }
        add(tab, type, name, title, description) {
            if (typeof type !== "function") faults.push(`${name}: no such form element`);
            if (this.children.some((child) => child.option === name)) faults.push(`${name} twice`);
            const option = new (type || Option)(this, tab, name, title, description);
            this.children.push(option);
            return option;
        }
    }
    class NamedSection extends Section {
        constructor(name, type, title) { super(type, title); this.name = name; }
    }
    class GridSection extends Section {}

    class FormMap {
        constructor(config, title, description) { Object.assign(this, {config, title, description, sections: []}); }
        section(type, ...words) {
            const section = new type(...words);
            this.sections.push(section);
            return section;
        }
        render() { return typeof document === "undefined" ? this : drawMap(this, world); }
    }

    const polls = [];
    const names = {
        view: {extend: (methods) => methods},
        form: {Map: FormMap, NamedSection, GridSection, Flag, Value, ListValue, DummyValue},
        widgets: {ZoneSelect, NetworkSelect},
        fs: {exec: (command, words) => {
            world.calls.push([command, ...words]);
            return world.log === null ? Promise.reject(new Error("denied")) : Promise.resolve({code: 0, stdout: world.log});
        }},
        rpc: {declare: (call) => (...words) => {
            world.calls.push([call.object, call.method, ...words]);
            return world.service === null ? Promise.reject(new Error("denied")) : Promise.resolve(world.service);
        }},
        poll: {add: (step, seconds) => polls.push([step, seconds])},
        uci: {
            load: () => Promise.resolve(),
            get: (config, section, option) => (world.config[section] || {})[option],
        },
        _: (text) => text,
        E: (tag, attributes, children) => {
            if (typeof children === "string") faults.push("E() with a string: it would be HTML");
            if (typeof document === "undefined") return {tag, attributes, children};
            const node = document.createElement(tag);
            for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
            node.append(...children);
            return node;
        },
    };
    return {names, polls, faults};
}

/* The view's source as LuCI's loader runs it: 'require a.b as c' lines become parameters. */
function runView(source, luci) {
    for (const [, path, alias] of source.matchAll(/^'require ([\w.]+)(?: as (\w+))?';/gm)) {
        const name = alias || path.split(".").pop();
        if (!(name in luci.names)) throw new Error(`module ${path} is not known`);
    }
    const parameters = Object.keys(luci.names);
    const required = [...source.matchAll(/^'require ([\w.]+)(?: as (\w+))?';/gm)].map((m) => m[2] || m[1].split(".").pop());
    const unused = parameters.filter((name) => !required.includes(name) && !["_", "E"].includes(name));
    const values = parameters.map((name) => unused.includes(name) ? undefined : luci.names[name]);
    return new Function(...parameters, source)(...values);
}

/* ---- drawing ---- */

function element(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== undefined && child !== null));
    return node;
}

function drawField(option, values, changed) {
    const current = values[option.option] ?? option.default ?? "";
    let input;
    if (option.values.length > 0) {
        input = element("select", "", ...option.values.map(([key, label]) => {
            const item = element("option", "", label);
            item.value = key;
            return item;
        }));
    } else {
        input = element("input");
        input.type = option.constructor.name === "Flag" ? "checkbox" : option.password ? "password" : "text";
        input.placeholder = option.placeholder || "";
    }
    if (input.type === "checkbox") input.checked = current === "1";
    else input.value = current;
    input.name = option.option;
    input.addEventListener("change", () => {
        values[option.option] = input.type === "checkbox" ? (input.checked ? "1" : "0") : input.value;
        changed();
    });
    const row = element("div", "field", element("label", "", option.title), element("div", "", input,
        option.description ? element("small", "", option.description) : null));
    row.dataset.option = option.option;
    return row;
}

function drawForm(section, name, values, title) {
    const rows = new Map();
    const body = element("div", "form");
    const update = () => rows.forEach((row, option) => { row.hidden = !option.isShown(values); });
    const tabs = section.tabs.length ? section.tabs : [[null, ""]];
    for (const [tab, label] of tabs) {
        if (label) body.append(element("h4", "", label));
        for (const option of section.children.filter((child) => child.tab === tab && child.modalonly !== false)) {
            const row = drawField(option, values, update);
            rows.set(option, row);
            body.append(row);
        }
    }
    update();
    return element("section", "box", element("h3", "", title), body);
}

function drawGrid(section, world) {
    const columns = section.children.filter((child) => !child.modalonly);
    const table = element("table", "grid", element("tr", "", ...columns.map((c) => element("th", "", c.title)), element("th", "")));
    table.rows[0].prepend(element("th", "", "Name"));
    for (const [name, values] of Object.entries(world.config).filter(([, v]) => v[".type"] === section.type)) {
        const row = element("tr", "", element("td", "name", name));
        for (const column of columns) {
            const text = column.textvalue ? column.textvalue(name) : values[column.option];
            const cell = element("td", "", column.editable ? element("input") : text || "");
            if (column.editable) Object.assign(cell.firstChild, {type: "checkbox", checked: (values[column.option] ?? column.default) === "1"});
            cell.dataset.title = column.title;
            row.append(cell);
        }
        const edit = element("button", "", "Edit");
        edit.addEventListener("click", () => {
            document.getElementById("modal").replaceChildren(drawForm(section, name, {...values}, section.modaltitle(name)));
        });
        row.append(element("td", "", edit));
        table.append(row);
    }
    return element("section", "box", element("h3", "", section.title), table, element("button", "", section.addbtntitle));
}

function drawMap(map, world) {
    const node = element("main", "", element("h2", "", map.title), element("p", "", map.description));
    for (const section of map.sections) {
        node.append(section.name ? drawForm(section, section.name, {...world.config[section.name]}, section.title) : drawGrid(section, world));
    }
    const modal = element("div");
    modal.id = "modal";
    node.append(modal);
    return node;
}

if (typeof module !== "undefined") module.exports = {makeLuci, runView};
