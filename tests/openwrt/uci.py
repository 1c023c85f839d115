#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""UCI files: a strict reader, the form in which shell scripts load them, and the check of a section
as OpenWrt's /sbin/validate_data does it.

Usage: uci.py validate FILE PACKAGE TYPE NAME SPEC ...   prints shell assignments; exit 1 if wrong
"""
import re
import sys

NAME = re.compile(r"[A-Za-z0-9_]+\Z")
SECTION = re.compile(r"[A-Za-z0-9_-]+\Z")


class UciError(Exception):
    """What is wrong, with the line."""


def lines_of_words(text):
    """(line number, words) of each line: quotes as in a shell, which may hold line ends."""
    found, word, quote, number, i = [], None, "", 1, 0
    while i <= len(text):
        c = text[i] if i < len(text) else "\n"
        i += 1
        if quote and i > len(text):
            raise UciError(f"line {number}: quote is not closed")
        if quote and c == quote:
            quote = ""
        elif c == "\\" and quote != "'" and i < len(text):
            word, i = (word or "") + text[i], i + 1
        elif quote:
            word += c
        elif c in "'\"":
            quote, word = c, word or ""
        elif c == "#" and word is None:
            i = (text + "\n").index("\n", i)
        elif c not in " \t\n":
            word = (word or "") + c
        elif word is not None:
            found, word = found + [word], None
        if c == "\n" and not quote:
            yield number, found
            found = []
        number += c == "\n"


def read(text):
    """[(type, name, [(kind, option, value)])] of a file; UciError if it breaks a rule."""
    sections = []
    for number, parts in lines_of_words(text):
        if not parts:
            continue
        if parts[0] == "config" and len(parts) in (2, 3):
            name = parts[2] if len(parts) == 3 else f"cfg{len(sections) + 1:02x}abcd"
            if not SECTION.match(parts[1]) or not NAME.match(name):
                raise UciError(f"line {number}: name of a section: want letters, digits and _")
            sections.append((parts[1], name, []))
        elif parts[0] in ("option", "list") and len(parts) == 3 and sections:
            if not NAME.match(parts[1]):
                raise UciError(f"line {number}: name of an option: want letters, digits and _")
            sections[-1][2].append((parts[0], parts[1], parts[2]))
        else:
            raise UciError(f"line {number}: want config, option or list")
    return sections


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def as_shell(sections):
    """What `uci export` gives to config_load."""
    lines = []
    for kind, name, options in sections:
        lines.append(f"config {quoted(kind)} {quoted(name)}")
        lines += [f"{word} {quoted(option)} {quoted(value)}" for word, option, value in options]
    return "\n".join(lines) + "\n"


def split_spec(spec):
    """name, type, default (None if there is none); colons inside brackets belong to the type."""
    name, _, rest = spec.partition(":")
    depth = 0
    for i, c in enumerate(rest):
        depth += (c == "(") - (c == ")")
        if c == ":" and depth == 0:
            return name, rest[:i], rest[i + 1:]
    return name, rest, None


def fits(kind, value):
    """Whether `value` is of the type; None for a type that this model does not know."""
    if kind == "string":
        return True
    if kind == "bool":
        return value in ("0", "1", "on", "off", "true", "false", "yes", "no", "enabled", "disabled")
    if kind == "uinteger":
        return value.isdigit()
    if kind == "port":
        return value.isdigit() and int(value) <= 65535
    if kind == "list(string)":
        return True
    choice = re.fullmatch(r'or\((.*)\)', kind)
    return value in re.findall(r'"([^"]*)"', choice.group(1)) if choice else None


def validate(sections, kind, name, specs):
    """(shell assignments, whether all is right). What is not set and has no default is left out."""
    values = {}
    for section_kind, section, options in sections:
        if (section_kind, section) == (kind, name):
            for word, option, value in options:
                more = word == "list" and option in values
                values[option] = f"{values[option]} {value}" if more else value
    out, good = [], True
    for spec in specs:
        option, option_kind, default = split_spec(spec)
        value = values.get(option, default)
        if value is None:
            continue
        fitting = fits(option_kind, value)
        if fitting is None:
            raise UciError(f"{spec}: a type that validate_data does not know")
        if not fitting:
            good = False
            continue
        if option_kind == "bool":
            value = "1" if value in ("1", "on", "true", "yes", "enabled") else "0"
        out.append(f"{option}={quoted(value)}; ")
    return "".join(out), good


def main():
    if len(sys.argv) < 7 or sys.argv[1] != "validate":
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8", errors="surrogateescape",
              newline="") as f:
        text, good = validate(read(f.read()), *sys.argv[4:6], sys.argv[6:])
    sys.stdout.reconfigure(errors="surrogateescape")
    sys.stdout.write(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
