#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Form check: SPDX line, sizes of files and functions, columns, names, leftovers."""
import os
import re
import sys

import tree

FILE_LINES = 600
FUNCTION_LINES = 60
COLUMNS = 100
CODE = (".c", ".h", ".def", ".py", ".sh", ".mk", ".bash", ".service", ".ini", ".yml")
SPDX = "SPDX-License-Identifier: BSD-3-Clause"
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
ABSOLUTE = re.compile(r"(?<![\w.}])/(work|root|home/\w+)/(?!\.\.\.)")
HOSTS = re.compile(r"deb\.debian\.or[g]|security\.debian\.or[g]|pypi\.or[g]|registry\.npmj[s]")
TYPEDEF = re.compile(r"^\s*typedef\s+(struct|enum|union)\b")
T_NAME = re.compile(r"^(?:typedef\b.*\b|struct\s+|enum\s+)(\w+_t)\s*[;{]")
BAD_VERB = re.compile(r"^(np_(\w*?_)?)?(do|manage|util|misc|common|helper)(_\w+)?\("
                      r"|^(handle|process)(_\w+)?\(")
LINE_COMMENT = re.compile(r"(^|\s)//")


def is_code(path):
    name = os.path.basename(path)
    return path.endswith(CODE) or name == "Makefile" or path == ".ci/run"


def functions(lines):
    """(name, first line, length) of each C function: its brace stands alone in column 1."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield function_name(lines, start - 2), start, number - start + 1
            start = None


def function_name(lines, index):
    text = lines[index] if index >= 0 else ""
    while index > 0 and not re.match(r"^[A-Za-z]", text):
        index -= 1
        text = lines[index] + text
    match = re.search(r"NP_TEST\((\w+), (\w+)\)", text)
    if match:
        return f"{match.group(1)}.{match.group(2)}"
    match = re.search(r"(\w+)\(", text)
    return match.group(1) if match else "?"


def check_c(path, lines, skip):
    errors = []
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if TYPEDEF.match(line):
            errors.append(f"{where}: typedef of a struct, enum or union")
        if T_NAME.match(line):
            errors.append(f"{where}: names in _t belong to the system")
        if "\t" in line:
            errors.append(f"{where}: tab")
        if LINE_COMMENT.search(re.sub(r'"(\\.|[^"\\])*"', '""', line.split("/*")[0])):
            errors.append(f"{where}: // comment")
    for name, start, length in functions(lines):
        if length > FUNCTION_LINES and ("function", f"{path}:{name}") not in skip:
            errors.append(f"{path}:{start}: {name} has {length} lines (limit {FUNCTION_LINES})")
        if BAD_VERB.match(name + "("):
            errors.append(f"{path}:{start}: {name}: verb not in the list (DEVELOPING.md)")
    return errors


def check_file(root, path, skip):
    text = tree.read(root, path)
    lines = text.splitlines()
    errors = []
    if not any(SPDX in line for line in lines[:3]):
        errors.append(f"{path}:1: no SPDX line on top")
    if len(lines) > FILE_LINES and ("file", path) not in skip:
        errors.append(f"{path}: {len(lines)} lines (limit {FILE_LINES})")
    if text and not text.endswith("\n"):
        errors.append(f"{path}: no newline at the end")
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if len(line) > COLUMNS and ("columns", path) not in skip:
            errors.append(f"{where}: {len(line)} columns (limit {COLUMNS})")
        if line != line.rstrip():
            errors.append(f"{where}: space at the end of the line")
    if path.endswith((".c", ".h")):
        errors += check_c(path, lines, skip)
    return errors


def check_words(root, path):
    """For every text, documents as well."""
    errors = []
    for number, line in enumerate(tree.read(root, path).splitlines(), 1):
        where = f"{path}:{number}"
        if LEFTOVER.search(line):
            errors.append(f"{where}: leftover ({LEFTOVER.search(line).group(1)})")
        if ABSOLUTE.search(line) or HOSTS.search(line):
            errors.append(f"{where}: names one machine or a package host")
    return errors


def is_text(root, path):
    with open(os.path.join(root, path), "rb") as f:
        return b"\0" not in f.read(4096) and "/corpus/" not in path


def longest(root, sources, count):
    sizes = [(length, f"{path}:{name}") for path in sources
             for name, _, length in functions(tree.read(root, path).splitlines())]
    return sorted(sizes, reverse=True)[:count]


def main():
    root = tree.root_dir()
    skip = tree.exceptions(root)
    paths = [p for p in tree.files(root) if is_text(root, p)]
    code = [p for p in paths if is_code(p)]
    sources = [p for p in code if p.endswith((".c", ".h"))]
    errors = [e for p in code for e in check_file(root, p, skip)]
    errors += [e for p in paths for e in check_words(root, p)]
    if not sources:
        errors.append("no C source found")
    top = ", ".join(f"{where} {length}" for length, where in longest(root, sources, 3))
    tree.finish("style", errors, f"{len(code)} files; longest functions: {top}")


if __name__ == "__main__":
    sys.exit(main())
