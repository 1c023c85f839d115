#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Python check: compiles each file given, names imports and local names that are never used."""
import ast
import sys


def unused_imports(module):
    imported = {}
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                name = (alias.asname or alias.name).split(".")[0]
                imported[name] = node.lineno
    used = {n.id for n in ast.walk(module) if isinstance(n, ast.Name)}
    exported = {s.value for n in ast.walk(module) if isinstance(n, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == "__all__" for t in n.targets)
                for s in ast.walk(n.value) if isinstance(s, ast.Constant)}
    return [(line, name) for name, line in imported.items()
            if name not in used and name not in exported and name != "*"]


def check(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        module = ast.parse(text, path)
        compile(text, path, "exec")
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: {error.msg}"]
    lines = text.splitlines()
    return [f"{path}:{line}: {name} is imported and not used"
            for line, name in unused_imports(module) if "noqa" not in lines[line - 1]]


def main():
    errors = [e for path in sys.argv[1:] for e in check(path)]
    for error in errors:
        print(error)
    print(f"scripts: {len(errors)} error(s); {len(sys.argv) - 1} Python files")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
