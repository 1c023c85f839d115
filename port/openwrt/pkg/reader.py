# SPDX-License-Identifier: BSD-3-Clause
"""Reads gzip and tar strictly, without the modules that wrote them: what a lenient reader would
forgive is an error here."""
import zlib

BLOCK = 512
ZEROS = bytes(BLOCK)
HEAD = b"\x1f\x8b\x08\0\0\0\0\0\2\xff"  # of a gzip member that names nothing


class Refused(Exception):
    """Why a package is not right."""


def need(condition, text):
    if not condition:
        raise Refused(text)


def gzip_members(data):
    """[(compressed, content)] of concatenated gzip members without name or date."""
    found = []
    while data:
        need(data[:3] == HEAD[:3], "no gzip member where one must be")
        need(data[:10] == HEAD, "gzip member with a name, a date or another system")
        worker = zlib.decompressobj(31)
        try:
            content = worker.decompress(data)
        except zlib.error as error:
            raise Refused(f"gzip: {error}") from error
        need(worker.eof, "gzip member is cut off")
        rest = worker.unused_data
        found.append((data[:len(data) - len(rest)], content))
        data = rest
    return found


def one_gzip(data, what):
    members = gzip_members(data)
    need(len(members) == 1, f"{what}: {len(members)} gzip members, want 1")
    return members[0][1]


class Member:
    def __init__(self, header):
        self.name = text(header[0:100])
        self.mode, self.uid, self.gid, self.size, self.mtime = (
            octal(header[a:b]) for a, b in ((100, 108), (108, 116), (116, 124), (124, 136),
                                            (136, 148)))
        self.type, self.magic = header[156:157], header[257:265]
        self.owner = text(header[265:297]), text(header[297:329])
        self.pax, self.data = {}, b""


def text(field):
    try:
        return field.split(b"\0", 1)[0].decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused("tar: a name that is not ASCII") from error


def octal(field):
    digits = field.rstrip(b"\0 ")
    need(digits and all(c in b"01234567" for c in digits), "tar: a number that is not octal")
    return int(digits, 8)


def checksum(header):
    return sum(header[:148]) + 8 * 32 + sum(header[156:])


def pax_records(data):
    found = {}
    while data:
        length, _, _ = data.partition(b" ")
        need(length.isdigit() and 0 < int(length) <= len(data), "tar: pax record of a wrong length")
        record, data = data[:int(length)], data[int(length):]
        name, mark, value = record[len(length) + 1:-1].partition(b"=")
        need(mark and record[-1:] == b"\n", "tar: a pax record without = or line end")
        found[name.decode()] = value.decode()
    return found


def tar_members(data, magic, has_end=True):
    """Members of a tar of one dialect: magic is b"ustar  \\0" (GNU) or b"ustar\\0" + b"00" (pax).
    With has_end two zero blocks and only zeros end it, else it ends with the last member."""
    found, at, pax = [], 0, {}
    need(len(data) % BLOCK == 0, "tar: not a whole number of blocks")
    while at < len(data) and data[at:at + BLOCK] != ZEROS:
        header = data[at:at + BLOCK]
        member = Member(header)
        need(octal(header[148:156]) == checksum(header), f"tar: checksum of {member.name}")
        need(member.magic == magic, f"tar: {member.name} is of another dialect")
        at += BLOCK
        need(at + member.size <= len(data), f"tar: {member.name} is cut off")
        member.data = data[at:at + member.size]
        padded = member.size + -member.size % BLOCK
        need(not any(data[at + member.size:at + padded]), f"tar: padding of {member.name}")
        at += padded
        if member.type == b"x":
            need(not pax, "tar: two pax headers in a row")
            pax = pax_records(member.data)
            continue
        member.pax, pax = pax, {}
        need(member.type in (b"0", b"5"), f"tar: {member.name} is neither file nor folder")
        need(member.uid == member.gid == 0 and member.owner == ("root", "root"),
             f"tar: {member.name} is not root's")
        need(member.mode & ~0o755 == 0, f"tar: {member.name} has mode {member.mode:o}")
        found.append(member)
    need(not pax, "tar: a pax header without its file")
    if has_end:
        need(len(data) - at >= 2 * BLOCK and not any(data[at:]), "tar: no end, or bytes behind it")
    else:
        need(at == len(data), "tar: an end where none may be")
    need(len({m.name for m in found}) == len(found), "tar: a name twice")
    need(len({m.mtime for m in found}) <= 1, "tar: dates differ")
    return found
