#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads packages back and refuses what is not exactly right.

Usage: check.py [--gate] FILE ...   exit 1 if one is refused
  --gate   also refuse a package with the program above 140 KB
"""
import hashlib
import os
import re
import sys

import content
from reader import Refused, gzip_members, need, one_gzip, tar_members

GNU, PAX = b"ustar  \0", b"ustar\x0000"
VERSION = re.compile(r"\d+\.\d+\.\d+-r\d+\Z")
# What an architecture's program is: ELF class, byte order, machine.
MACHINES = {"mips": (1, 2, 8), "mipsel": (1, 1, 8), "arm": (1, 1, 40), "aarch64": (2, 1, 183),
            "riscv64": (2, 1, 243), "x86": (2, 1, 62)}
PROGRAM_FILES = {"usr/bin/nodepass": 0o755, "etc/init.d/nodepass": 0o755,
                 "etc/config/nodepass": 0o600, "etc/capabilities/nodepass.json": 0o644,
                 "lib/upgrade/keep.d/nodepass": 0o644}
LUCI_FILES = {"www/luci-static/resources/view/nodepass/tunnels.js": 0o644,
              "usr/share/luci/menu.d/luci-app-nodepass.json": 0o644,
              "usr/share/rpcd/acl.d/luci-app-nodepass.json": 0o644}


class Read:
    """What is in a package: fields, scripts, files, folders."""

    def __init__(self, kind, fields, scripts, members):
        self.kind, self.fields, self.scripts = kind, fields, scripts
        self.files = {m.name: m for m in members if m.type == b"0"}
        self.folders = {m.name.rstrip("/"): m for m in members if m.type == b"5"}


def fields_of(text, mark):
    found = {}
    for line in text.decode("ascii").splitlines():
        name, sign, value = line.partition(mark)
        need(sign and name and value, f"field without a value: {line}")
        need(name == "depend" or name not in found, f"field {name} twice")
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def plain_paths(members, prefix):
    """Takes `prefix` off; refuses paths that lead elsewhere, and another order than sorted."""
    names = []
    for member in members:
        need(member.name.startswith(prefix), f"path {member.name}: want it to begin with {prefix}")
        member.name = member.name[len(prefix):]
        parts = member.name.rstrip("/").split("/")
        need(member.name == "" or all(p not in ("", ".", "..") for p in parts),
             f"path {member.name} leads elsewhere")
        names.append(member.name.rstrip("/"))
    need(names == sorted(names), "files are not sorted")
    return [m for m in members if m.name]


def read_ipk(data):
    need(data[:7] != b"!<arch>", "an ar container: opkg wants a gzip tar")
    outer = tar_members(one_gzip(data, "ipk"), GNU)
    names = [m.name for m in outer]
    need(names == ["./debian-binary", "./data.tar.gz", "./control.tar.gz"], f"members {names}")
    need(outer[0].data == b"2.0\n", "debian-binary is not 2.0")
    data_tar = one_gzip(outer[1].data, "data.tar.gz")
    members = plain_paths(tar_members(data_tar, GNU), "./")
    scripts = plain_paths(tar_members(one_gzip(outer[2].data, "control.tar.gz"), GNU), "./")
    scripts = {m.name: m for m in scripts}
    need("control" in scripts, "no control file")
    fields = fields_of(scripts["control"].data, ": ")
    for name in ("Package", "Version", "Architecture", "Installed-Size", "License", "Description"):
        need(name in fields, f"control: no {name}")
    need(fields["Installed-Size"] == str(len(data_tar)), "control: Installed-Size is another")
    for name, want in (("postinst", content.POSTINST), ("prerm", content.PRERM)):
        need(name in scripts and scripts[name].mode == 0o755, f"no {name} that can be run")
        need(scripts[name].data.decode() == want, f"{name} is not the wrapper")
    return Read("ipk", {"name": fields["Package"], "version": fields["Version"],
                        "arch": fields["Architecture"], "depends": fields.get("Depends", ""),
                        "users": fields.get("Require-User", "")}, scripts, members)


def read_apk(data):
    parts = gzip_members(data)
    need(len(parts) == 2, f"{len(parts)} gzip members, want 2")
    head = {m.name: m for m in tar_members(parts[0][1], PAX, has_end=False)}
    need(next(iter(head), "") == ".PKGINFO", ".PKGINFO is not the first")
    need(set(head) == {".PKGINFO", ".post-install", ".post-upgrade", ".pre-deinstall"},
         f"scripts {sorted(head)}")
    info = fields_of(head[".PKGINFO"].data, " = ")
    need(info.get("datahash") == hashlib.sha256(parts[1][0]).hexdigest(), "datahash is another")
    members = plain_paths(tar_members(parts[1][1], PAX), "")
    for member in members:
        if member.type == b"0":
            sha1 = hashlib.sha1(member.data).hexdigest()
            need(member.pax == {"APK-TOOLS.checksum.SHA1": sha1}, f"checksum of {member.name}")
    need(info.get("size") == str(sum(m.size for m in members)), "size is another")
    found = Read("apk", {"name": info.get("pkgname", ""), "version": info.get("pkgver", ""),
                         "arch": info.get("arch", ""), "users": "",
                         "depends": info.get("depend", "").replace(" ", ", ")}, head, members)
    base = f"lib/apk/packages/{found.fields['name']}"
    listed = found.files.get(base + ".list")
    need(listed and listed.data.decode().splitlines() == sorted("/" + n for n in found.files),
         f"{base}.list does not name the files")
    if base + ".rusers" in found.files:
        found.fields["users"] = found.files[base + ".rusers"].data.decode().strip()
    return found


def check_program(data, arch):
    kind = arch.split("_")[0]
    need(kind in MACHINES, f"architecture {arch} is not known")
    size, order, machine = MACHINES[kind]
    need(data[:4] == b"\x7fELF" and data[4] == size and data[5] == order,
         f"the program is not one of {arch}")
    got = int.from_bytes(data[18:20], "little" if order == 1 else "big")
    need(got == machine, f"the program is for machine {got}, {arch} is {machine}")


def check_content(found):
    """The same for both formats: names, modes, users, configuration."""
    fields = found.fields
    need(VERSION.match(fields["version"]), f"version {fields['version']}: want 1.2.3-r1")
    need(fields["version"] == content.version(), f"version is not {content.version()}")
    is_luci = fields["name"] == "luci-app-nodepass"
    need(is_luci or fields["name"] == "nodepass", f"package {fields['name']} is not known")
    need(not is_luci or fields["arch"] == ("all" if found.kind == "ipk" else "noarch"),
         f"architecture of LuCI is {fields['arch']}")
    need(fields["depends"] == ("luci-base, nodepass" if is_luci else ""), "depends on other things")
    shipped = {n: m.mode for n, m in found.files.items() if not n.startswith("lib/apk/")}
    want = LUCI_FILES if is_luci else PROGRAM_FILES
    need(shipped == want, f"files or modes: {sorted(set(shipped.items()) ^ set(want.items()))}")
    for name in found.files:
        need(name.rpartition("/")[0] in found.folders, f"no folder for {name}")
    need(all(m.mode == 0o755 and not m.data for m in found.folders.values()), "mode of a folder")
    if is_luci:
        return
    need("etc/nodepass" in found.folders, "no folder etc/nodepass")
    need(fields["users"] == "nodepass:nodepass", "no user nodepass")
    conffiles = found.scripts.get("conffiles") if found.kind == "ipk" else \
        found.files.get("lib/apk/packages/nodepass.conffiles")
    need(conffiles and conffiles.data == b"/etc/config/nodepass\n", "conffiles")
    need(found.files["lib/upgrade/keep.d/nodepass"].data == b"/etc/nodepass/\n",
         "sysupgrade would not keep /etc/nodepass")
    need(re.search(rb"^\toption enabled '0'$", found.files["etc/config/nodepass"].data, re.M),
         "the configuration is not shipped switched off")
    check_program(found.files["usr/bin/nodepass"].data, fields["arch"])


def check(data, name):
    """What is in the package; Refused if it is not right. `name` is the file's."""
    try:
        found = read_ipk(data) if name.endswith(".ipk") else read_apk(data)
        check_content(found)
    except UnicodeDecodeError as error:
        raise Refused("text that is not ASCII") from error
    mark = "_" if found.kind == "ipk" else "-"
    fields = found.fields
    want = f"{fields['name']}{mark}{fields['version']}_{fields['arch']}.{found.kind}"
    need(name == want, f"named {name}, is {want}")
    return found


def main():
    files = [a for a in sys.argv[1:] if not a.startswith("-")]
    if not files:
        sys.exit(__doc__)
    wrong = 0
    for path in files:
        try:
            data = content.read(path)
            found = check(data, os.path.basename(path))
            if "--gate" in sys.argv and found.fields["name"] == "nodepass":
                need(len(data) <= content.GATE, f"{len(data)} bytes, want {content.GATE} at most")
        except (Refused, OSError) as error:
            wrong += 1
            print(f"{path}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
