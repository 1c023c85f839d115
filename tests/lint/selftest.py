#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Proves that the checks find what they look for: plants one error each in a small tree of its
own."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = "/* SPDX-License-Identifier: BSD-3-Clause */\n"
CLEAN = TOP + '#include "core/base/a.h"\n\nint np_a(int x)\n{\n    return x;\n}\n'
LONG = TOP + "int np_a(void)\n{\n" + "    ;\n" * 70 + "}\n"

# (check, what it must say, path, content)
PLANTED = [
    ("layers", "must not include", "core/base/a.c", TOP + "#include <stdio.h>\n"),
    ("layers", "must not include", "core/base/a.c", TOP + '#include "core/tunnel/b.h"\n'),
    ("layers", "must not include", "core/a.c", TOP + '#include "platform/posix/b.h"\n'),
    ("layers", "must not include", "platform/posix/a.c", TOP + '#include "core/tunnel/b.h"\n'),
    ("layers", "not a path from the root", "core/base/a.c", TOP + '#include "core/base/no.h"\n'),
    ("layers", "outside", "other/a.c", TOP),
    ("style", "no SPDX", "core/base/a.c", "int np_a;\n"),
    ("style", "limit 60", "core/base/a.c", LONG),
    ("style", "limit 600", "core/base/a.c", TOP + "\n" * 601),
    ("style", "columns", "core/base/a.c", TOP + "/* " + "x" * 100 + " */\n"),
    ("style", "leftover", "core/base/a.c", TOP + "/* TO" "DO */\n"),
    ("style", "// comment", "core/base/a.c", TOP + "int np_a; // no\n"),
    ("style", "tab", "core/base/a.c", TOP + "\tint np_a;\n"),
    ("style", "typedef", "core/base/a.c", TOP + "typedef struct np_a np_b;\n"),
    ("style", "_t belong", "core/base/a.c", TOP + "struct np_a_t {\n"),
    ("style", "verb", "core/base/a.c", TOP + "int process_a(void)\n{\n}\n"),
    ("style", "end of the line", "core/base/a.c", TOP + "int np_a; \n"),
    ("style", "one machine", "README.md", "see /wo" "rk/main/x\n"),
    ("index", "no line for", "core/base/zebra.c", CLEAN),
    ("symbols", "references malloc", "core/base/a.c",
     TOP + "void *malloc(unsigned long);\nvoid *np_a(void)\n{\n    return malloc(4);\n}\n"),
    ("symbols", "references __errno_location", "config/a.c",
     TOP + "#include <errno.h>\nint np_b(void)\n{\n    return errno;\n}\n"),
    ("symbols", "references snprintf", "core/base/a.c",
     TOP + "#include <stdio.h>\nint np_a(char *p, char *q)\n{\n"
     "    return snprintf(p, 4, q, 1);\n}\n"),
    ("symbols", "references recv", "core/base/a.c",
     TOP + "#include <sys/socket.h>\nlong np_a(void *p)\n{\n    return recv(1, p, 4, 0);\n}\n"),
    ("symbols", "mutable state", "core/base/a.c", TOP + "static int count;\nint np_a(void)\n{\n"
     "    return ++count;\n}\n"),
    ("symbols", "mutable state", "core/base/a.c", TOP + "int np_a = 5;\n"),
    ("symbols", "without np_", "core/base/a.c", TOP + "int other(void)\n{\n    return 1;\n}\n"),
    ("symbols", "references calloc", "platform/lwip/a.c",
     TOP + "void *calloc(unsigned long, unsigned long);\nvoid *np_a(void)\n{\n"
     "    return calloc(4, 1);\n}\n"),
    ("pycheck", "not used", "a.py", "import os\n"),
    ("pycheck", "invalid syntax", "a.py", "def (:\n"),
]


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def base_tree(root):
    write(root, "core/base/a.c", CLEAN)
    write(root, "core/base/a.h", TOP + "int np_a(int x);\n")
    write(root, "core/tunnel/b.h", TOP)
    write(root, "platform/posix/b.h", TOP)
    write(root, "config/a.c", TOP + "const char *const np_names[] = {\"a\"};\n")
    write(root, "a.py", "# SPDX-License-Identifier: BSD-3-Clause\nimport sys\nsys.exit(0)\n")
    for folder in ("core/base", "core/tunnel", "platform/posix", "config", "."):
        write(root, os.path.join(folder, "README.md"), "a b\n")


def compile_all(root):
    for folder in ("core", "config", "platform"):
        for where, _, names in os.walk(os.path.join(root, folder)):
            for name in (n for n in names if n.endswith(".c")):
                source = os.path.join(where, name)
                target = os.path.join(root, "build", os.path.relpath(source, root)[:-2] + ".o")
                os.makedirs(os.path.dirname(target), exist_ok=True)
                subprocess.run(["gcc", "-O1", "-fPIE", "-w", "-I" + root, "-c", "-o", target,
                                source], check=True)


def run(check, root):
    command = [sys.executable, os.path.join(HERE, check + ".py")]
    if check == "pycheck":
        command.append(os.path.join(root, "a.py"))
    else:
        command.append(root)
    if check == "symbols":
        compile_all(root)
        command.append(os.path.join(root, "build"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def try_planted(check, want, path, text):
    with tempfile.TemporaryDirectory() as root:
        base_tree(root)
        write(root, path, text)
        code, output = run(check, root)
    return code == 1 and want in output, output


def main():
    failed = 0
    for check in ("layers", "style", "index", "symbols", "pycheck"):
        with tempfile.TemporaryDirectory() as root:
            base_tree(root)
            code, output = run(check, root)
        if code != 0:
            failed += 1
            print(f"{check} finds errors in a clean tree:\n{output}")
    for check, want, path, text in PLANTED:
        found, output = try_planted(check, want, path, text)
        if not found:
            failed += 1
            print(f"{check} did not say '{want}' for {path}:\n{output}")
    print(f"selftest: {failed} error(s); {len(PLANTED)} planted errors")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
