# SPDX-License-Identifier: BSD-3-Clause
"""What the checks share: the list of files, and the form of a report."""
import os
import subprocess
import sys

EXCEPTIONS = "tests/lint/exceptions.txt"


def root_dir():
    """First argument, or the repository this file is in."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(root):
    """Paths that are tracked, or new and not ignored; relative to root."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))
    found = []
    for folder, dirs, names in os.walk(root):
        dirs[:] = [d for d in dirs if d not in (".git", "build", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def exceptions(root):
    """Pairs (rule, subject) of exceptions.txt: `RULE SUBJECT reason`."""
    pairs = set()
    path = os.path.join(root, EXCEPTIONS)
    if not os.path.exists(path):
        return pairs
    for number, line in enumerate(read(root, EXCEPTIONS).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3:
            sys.exit(f"{EXCEPTIONS}:{number}: want RULE SUBJECT reason")
        pairs.add((parts[0], parts[1]))
    return pairs


def finish(name, errors, note):
    """Prints the errors and one closing line; exit code 1 if there are any."""
    for error in errors:
        print(error)
    print(f"{name}: {len(errors)} error(s); {note}")
    sys.exit(1 if errors else 0)
