#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the pages of the master one file each and puts them into a C source.

Usage: embed.py SOURCES OUT VERSION NAME=PATH ...
       embed.py core/master/web build/web 2.0.0 panel=/ docs=/docs

For each NAME: SOURCES/NAME.html with its own style sheets and scripts inlined (in the order of
their tags, as one <style> and one <script>), made smaller, with a Content-Security-Policy that
allows exactly these two by their hashes; then gzip. Writes OUT/NAME.html, OUT/NAME.html.gz and
OUT/pages_data.c, which defines np_pages, np_page_count and the packed OpenAPI document
(toolchains/openapi.py) of core/master/pages.h. The same sources give the same bytes. A file that
is already right is left alone.
"""
import base64
import hashlib
import os
import re
import struct
import sys
import zlib

import openapi

SHEET = re.compile(r'[ \t]*<link rel="stylesheet" href="([\w.-]+)">\n?')
SCRIPT = re.compile(r'[ \t]*<script src="([\w.-]+)"></script>\n?')
WORD = re.compile(r"[\w$\u0080-\U0010ffff]")
# Words after which a slash begins a regular expression.
BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else",
                "do", "yield", "await"}
# A line break is not needed behind or before these: no statement ends or begins there.
NO_BREAK_AFTER = set("{([,;:=&|?<>*!")
NO_BREAK_BEFORE = set(")}],;:?.&|=*")


def pack(text):
    """gzip, by the setting of zlib that gives least."""
    def deflate(level):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, level)
        return packer.compress(text) + packer.flush()
    return b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff" + \
        min((deflate(level) for level in range(1, 10)), key=len) + \
        struct.pack("<II", zlib.crc32(text), len(text))


# ---- JavaScript ---------------------------------------------------------------------------------

def end_of_string(text, at):
    """Index behind the string literal whose quote stands at `at`."""
    quote, at = text[at], at + 1
    while text[at] != quote:
        if text[at] == "\n":
            raise ValueError("string without an end: " + text[max(0, at - 40):at])
        at += 2 if text[at] == "\\" else 1
    return at + 1


def end_of_template(text, at):
    """Index behind the template literal at `at`, with the code inside its ${}."""
    at += 1
    while text[at] != "`":
        if text[at] == "\\":
            at += 2
        elif text.startswith("${", at):
            at, depth = at + 2, 1
            while depth:
                if text[at] in "'\"":
                    at = end_of_string(text, at)
                    continue
                if text[at] == "`":
                    at = end_of_template(text, at)
                    continue
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
        else:
            at += 1
    return at + 1


def end_of_regex(text, at):
    at, in_class = at + 1, False
    while in_class or text[at] != "/":
        if text[at] == "\n":
            raise ValueError("regular expression without an end: " + text[max(0, at - 40):at])
        if text[at] == "[":
            in_class = True
        elif text[at] == "]":
            in_class = False
        at += 2 if text[at] == "\\" else 1
    while at + 1 < len(text) and text[at + 1].isalpha():
        at += 1
    return at + 1


def is_regex_here(out):
    """Whether a slash behind the tokens of `out` begins a regular expression."""
    last = next((t for t in reversed(out) if not t.isspace()), "(")
    return last in BEFORE_REGEX or (not WORD.match(last[-1]) and last[-1] not in ")]}\"'`/")


def script_tokens(text):
    """Words, literals, single signs and gaps (a blank or a newline) of a script, no comments."""
    out, at = [], 0
    while at < len(text):
        sign = text[at]
        if text.startswith("//", at):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            token = " "
        elif text.startswith("/*", at):
            end = text.index("*/", at) + 2
            token = "\n" if "\n" in text[at:end] else " "
        elif sign.isspace():
            end = at
            while end < len(text) and text[end].isspace():
                end += 1
            token = "\n" if "\n" in text[at:end] else " "
        elif sign in "'\"":
            end = end_of_string(text, at)
            token = text[at:end]
        elif sign == "`":
            end = end_of_template(text, at)
            token = text[at:end]
        elif sign == "/" and is_regex_here(out):
            end = end_of_regex(text, at)
            token = text[at:end]
        elif WORD.match(sign):
            end = at
            while end < len(text) and WORD.match(text[end]):
                end += 1
            token = text[at:end]
        else:
            end, token = at + 1, sign
        if token in (" ", "\n") and out and out[-1] in (" ", "\n"):
            out[-1] = "\n" if "\n" in (token, out[-1]) else " "
        else:
            out.append(token)
        at = end
    return out


def is_gap_needed(gap, before, after):
    if WORD.match(before) and WORD.match(after):
        return True
    if before == after and before in "+-" or "/" in (before, after):
        return True
    return gap == "\n" and before not in NO_BREAK_AFTER and after not in NO_BREAK_BEFORE


def smaller_script(text):
    tokens = script_tokens(text)
    out = []
    for i, token in enumerate(tokens):
        if token in (" ", "\n"):
            if not out or i + 1 == len(tokens) or \
                    not is_gap_needed(token, out[-1][-1], tokens[i + 1][0]):
                continue
        out.append(token)
    return "".join(out) + "\n"


# ---- style sheets and HTML ----------------------------------------------------------------------

def smaller_sheet(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    parts = re.split(r'("(?:\\.|[^"\\])*")', text)
    for i in range(0, len(parts), 2):
        part = re.sub(r"\s+", " ", parts[i])
        part = re.sub(r" ?([{};,>]) ?", r"\1", part)
        parts[i] = re.sub(r": ", ":", part).replace(";}", "}")
    return "".join(parts).strip()


def smaller_markup(text):
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return re.sub(r"\s*\n\s*", "\n", text).strip() + "\n"


# ---- pages --------------------------------------------------------------------------------------

def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def source_hash(text):
    digest = hashlib.sha256(text.encode()).digest()
    return "'sha256-%s'" % base64.b64encode(digest).decode()


def page(sources, name):
    """The page as one text."""
    markup = read(sources, name + ".html")
    style = "".join(smaller_sheet(read(sources, n)) for n in SHEET.findall(markup))
    script = "".join(smaller_script(read(sources, n)) for n in SCRIPT.findall(markup))
    for closing, text in (("</style", style), ("</script", script), ("<!--", script)):
        if closing in text.lower():
            raise ValueError("%s: %s inside what is inlined" % (name, closing))
    policy = ("default-src 'none';script-src %s;style-src %s;connect-src 'self';img-src data:;"
              "base-uri 'none';form-action 'none'" % (source_hash(script), source_hash(style)))
    head = '<meta http-equiv="Content-Security-Policy" content="%s">\n' % policy
    markup = smaller_markup(SCRIPT.sub("", SHEET.sub("", markup)))
    if markup.count("<meta charset=\"utf-8\">\n") != 1 or markup.count("</body>") != 1:
        raise ValueError("%s.html: want one <meta charset=\"utf-8\"> and one </body>" % name)
    markup = markup.replace('<meta charset="utf-8">\n', '<meta charset="utf-8">\n' + head, 1)
    markup = markup.replace("</head>", "<style>" + style + "</style>\n</head>", 1)
    return markup.replace("</body>", "<script>" + script + "</script>\n</body>", 1)


def byte_table(name, body):
    lines = [",".join(str(b) for b in body[at:at + 24]) + "," for at in range(0, len(body), 24)]
    return ["const uint8_t %s[%d] = {" % (name, len(body)), *lines, "};", ""]


def source_text(pages, version):
    """The C source: pages is [(name, path, gzip bytes, etag)]."""
    out = ["/* SPDX-License-Identifier: BSD-3-Clause */",
           "/* Made by toolchains/embed.py from core/master/web: change it there. */",
           '#include "core/master/pages.h"', ""]
    for name, _, body, _ in pages:
        table = byte_table(name, body)
        out += ["static " + table[0], *table[1:]]
    body, depth = openapi.packed(version)
    out += byte_table("np_openapi", body)
    out += ["const uint32_t np_openapi_len = %d;" % len(body),
            '_Static_assert(%d <= NP_OPENAPI_DEPTH, "texts inside each other");' % depth, ""]
    out.append("const struct np_page np_pages[] = {")
    for name, path, body, etag in pages:
        out.append('    {"%s", %s, %du, "text/html; charset=utf-8", "\\"%s\\""},'
                   % (path, name, len(body), etag))
    out += ["};", "const uint32_t np_page_count = %d;" % len(pages), ""]
    return "\n".join(out)


def write(path, data):
    """Replaces the file at once if its content is another one."""
    try:
        with open(path, "rb") as f:
            if f.read() == data:
                return
    except OSError:
        pass
    part = "%s.%d" % (path, os.getpid())
    with open(part, "wb") as f:
        f.write(data)
    os.replace(part, path)


def build(sources, out, version, wanted):
    """Writes everything; returns [(name, path, gzip bytes, etag)]."""
    os.makedirs(out, exist_ok=True)
    pages = []
    for name, path in wanted:
        text = page(sources, name).encode()
        body = pack(text)
        body = body[:9] + b"\xff" + body[10:]  # the system that packed it: unknown, on every one
        pages.append((name, path, body, hashlib.sha256(body).hexdigest()[:16]))
        write(os.path.join(out, name + ".html"), text)
        write(os.path.join(out, name + ".html.gz"), body)
    write(os.path.join(out, "pages_data.c"), source_text(pages, version).encode())
    return pages


def main():
    if len(sys.argv) < 5 or not all("=" in arg for arg in sys.argv[4:]):
        sys.exit("usage: embed.py SOURCES OUT VERSION NAME=PATH ...")
    try:
        build(*sys.argv[1:4], [arg.split("=", 1) for arg in sys.argv[4:]])
    except (OSError, ValueError, IndexError) as error:
        sys.exit("embed.py: %s" % error)


if __name__ == "__main__":
    main()
