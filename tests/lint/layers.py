#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Layer check: who may include what (DEVELOPING.md, "Layers")."""
import os
import re
import sys

import tree

FREE = {"stdbool.h", "stdint.h", "stddef.h", "stdarg.h", "limits.h", "stdalign.h", "string.h"}
ANY = None
# Longest matching folder wins: (folder, quoted includes allowed by prefix, <> includes allowed)
RULES = [
    ("core/base/", ("core/base/", "config/", "platform/np_plat.h"), FREE),
    ("core/wire/", ("core/base/", "core/wire/", "config/"), FREE),
    ("core/tls/br.h", (), FREE | {"bearssl.h"}),
    ("core/tls/fast_x86", ("core/",), FREE | {"cpuid.h", "immintrin.h"}),  # the compiler's own
    ("core/tls/fast_arm", ("core/",), FREE | {"arm_neon.h"}),
    ("core/", ("core/", "config/", "platform/np_plat.h"), FREE),
    ("config/", ("config/", "core/base/", "core/wire/"), FREE | {"ini.h"}),
    ("platform/np_plat.h", ("core/base/",), FREE),
    ("platform/sim/", ("platform/np_plat.h", "platform/sim/", "config/", "core/base/"),
     FREE | {"stdlib.h", "stdio.h", "assert.h"}),
    ("platform/posix/", ("platform/np_plat.h", "platform/posix/", "config/", "core/base/"), ANY),
    ("platform/", ("platform/", "config/", "core/base/"), ANY),
    ("port/", ("",), ANY),
    ("tests/", ("",), ANY),
    ("toolchains/runtime/", (), {"stdint.h"}),
]
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def rule_of(path):
    best = None
    for rule in RULES:
        if path.startswith(rule[0]) and (best is None or len(rule[0]) > len(best[0])):
            best = rule
    return best


def check_file(root, path):
    rule = rule_of(path)
    if rule is None:
        return [f"{path}: C source outside core, platform, config, port, tests, toolchains"]
    folder, quoted_ok, system_ok = rule
    errors = []
    text = tree.read(root, path)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        quoted, system = match.groups()
        if quoted is not None:
            if not quoted.startswith(quoted_ok):
                errors.append(f'{path}:{line}: {folder} must not include "{quoted}"')
            elif not os.path.exists(os.path.join(root, quoted)):
                errors.append(f'{path}:{line}: "{quoted}" is not a path from the root')
        elif system_ok is not ANY and system not in system_ok:
            errors.append(f"{path}:{line}: {folder} must not include <{system}>")
    return errors


def main():
    root = tree.root_dir()
    sources = [p for p in tree.files(root) if p.endswith((".c", ".h"))]
    errors = [e for path in sources for e in check_file(root, path)]
    if not sources:
        errors.append("no C source found")
    tree.finish("layers", errors, f"{len(sources)} files")


if __name__ == "__main__":
    sys.exit(main())
