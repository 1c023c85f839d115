# SPDX-License-Identifier: BSD-3-Clause
"""Lines and URLs as a Go v1.6.0 peer reads and writes them (protocol.md 2), independent of our
code."""
import re
import string
from urllib.parse import quote

LETTERS = set(string.ascii_letters)
DIGITS = set(string.digits)


class UrlError(ValueError):
    """What net/url would refuse."""


def default_key(port):
    """FNV-1a 32 bit over the decimal port, 8 hex digits."""
    value = 0x811C9DC5
    for byte in str(port).encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return b"%08x" % value


def xor(key, data):
    return bytes(byte ^ key[i % len(key)] for i, byte in enumerate(data))


def line(key, text):
    """A message as a Go peer writes it: whatever the XOR gives, and a newline."""
    return xor(key, text.encode() if isinstance(text, str) else text) + b"\n"


def breaks(key, text):
    """True if a Go peer would cut this message in the middle."""
    return 0x0A in xor(key, text.encode())


def launch_url(peer, pool_id, kind):
    return "np://%s/%s#%d" % (peer, pool_id, kind)


class Url:
    """Host, path and fragment by the rules of Go's net/url.Parse."""

    def __init__(self, raw):
        self.scheme = self.user = self.host = self.path = self.query = ""
        text, _, fragment = raw.partition("#")
        self._parse(text)
        self.fragment = unescape(fragment, "fragment")

    def _parse(self, text):
        if any(ord(c) < 0x20 or c == "\x7f" for c in text):
            raise UrlError("invalid control character in URL")
        if text == "*":
            self.path = "*"
            return
        self.scheme, rest = split_scheme(text)
        if rest.endswith("?") and rest.count("?") == 1:
            rest = rest[:-1]
        else:
            rest, _, self.query = rest.partition("?")
        if not rest.startswith("/"):
            if self.scheme:
                return  # opaque
            if ":" in rest.split("/", 1)[0]:
                raise UrlError("first path segment in URL cannot contain colon")
        if (self.scheme or not rest.startswith("///")) and rest.startswith("//"):
            authority, slash, tail = rest[2:].partition("/")
            rest = slash + tail
            self._authority(authority)
        self.path = unescape(rest, "path")

    def _authority(self, authority):
        user, at, host = authority.rpartition("@")
        self.host = parse_host(host)
        if at:
            if not re.fullmatch(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*", user):
                raise UrlError("net/url: invalid userinfo")
            name, _, password = user.partition(":")
            self.user = unescape(name, "user")
            unescape(password, "user")


def split_scheme(text):
    for i, char in enumerate(text):
        if char in LETTERS:
            continue
        if char in DIGITS or char in "+-.":
            if i == 0:
                return "", text
        elif char == ":":
            if i == 0:
                raise UrlError("missing protocol scheme")
            return text[:i].lower(), text[i + 1:]
        else:
            return "", text
    return "", text


def parse_host(host):
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise UrlError("missing ']' in host")
        check_port(host[end + 1:])
        return unescape(host[:end], "host") + host[end:]
    colon = host.rfind(":")
    if colon >= 0:
        check_port(host[colon:])
    return unescape(host, "host")


def check_port(text):
    if text and not re.fullmatch(r":[0-9]*", text):
        raise UrlError("invalid port %r after host" % text)


def unescape(text, where):
    """Percent-decoding with what net/url refuses per part."""
    out, i = [], 0
    while i < len(text):
        char = text[i]
        if char == "%":
            code = text[i + 1:i + 3]
            if not re.fullmatch(r"[0-9a-fA-F]{2}", code):
                raise UrlError("invalid URL escape %r" % text[i:i + 3])
            value = int(code, 16)
            if where == "host" and value < 0x80 and code != "25":
                raise UrlError("invalid URL escape in host")
            out.append(chr(value))
            i += 3
            continue
        if where == "host" and ord(char) < 0x80 and not is_host_char(char):
            raise UrlError("invalid character %r in host name" % char)
        out.append(char)
        i += 1
    return "".join(out)


def is_host_char(char):
    return char in LETTERS or char in DIGITS or char in "-_.~!$&'()*+,;=:[]<>\""


def key_text(key):
    """A key as it is written in a URL."""
    return quote(key.decode("latin-1"), safe="", encoding="latin-1")


def cut_lines(buffer):
    """(complete lines without newline, rest): cut at every 0x0a, as bufio.ReadBytes does."""
    *lines, rest = bytes(buffer).split(b"\n")
    return lines, rest
