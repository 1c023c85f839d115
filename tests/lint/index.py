#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Index check: each folder has a README.md with a line for each of its files."""
import os
import re
import sys

import tree

SKIP = re.compile(r"(^|/)(corpus|data|vectors)(/|$)|^\.|^$")
# Folders that are installed as they are: the one above them has their index.
SHIPPED = re.compile(r"^(port/openwrt)/(nodepass|luci-app-nodepass)(/|$)")


def folders(paths):
    found = {}
    for path in paths:
        folder, name = os.path.split(path)
        if not SKIP.search(folder):
            shipped = SHIPPED.match(folder)
            found.setdefault(shipped.group(1) if shipped else folder, []).append(name)
    return found


def main():
    root = tree.root_dir()
    errors = []
    groups = folders(tree.files(root))
    for folder, names in sorted(groups.items()):
        index = os.path.join(folder, "README.md")
        if not os.path.exists(os.path.join(root, index)):
            errors.append(f"{folder}/: no README.md")
            continue
        text = tree.read(root, index)
        for name in names:
            stem = os.path.splitext(name)[0]
            if name not in ("README.md", "__init__.py") and name not in text and \
                    not re.search(r"\b" + re.escape(stem) + r"(\b|_)", text):
                errors.append(f"{index}: no line for {name}")
    tree.finish("index", errors, f"{len(groups)} folders")


if __name__ == "__main__":
    sys.exit(main())
