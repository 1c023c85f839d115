# SPDX-License-Identifier: BSD-3-Clause
"""What the packages hold: files with modes, fields, scripts. No owner but root."""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
OPENWRT = os.path.dirname(HERE)
ROOT = os.path.dirname(os.path.dirname(OPENWRT))
MTIME = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))
RELEASE = "r1"
GATE = 140 * 1024  # bytes of a package with the program

POSTINST = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_postinst $0 $@
"""
PRERM = """#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_prerm $0 $@
"""
# apk runs a script under another name and without the package's, so it is told here.
APK_HEAD = """#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
export root="${IPKG_INSTROOT}"
export pkgname="%s"
"""
# LuCI keeps an index of its menu, rpcd its access lists.
LUCI_REFRESH = """[ -n "${IPKG_INSTROOT}" ] || {
	rm -f /tmp/luci-indexcache /tmp/luci-indexcache.*
	rm -rf /tmp/luci-modulecache/
	killall -HUP rpcd 2>/dev/null
}
exit 0
"""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def packed(data):
    """One gzip member; the header is ours, since those of Python's versions differ."""
    worker = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    body = worker.compress(data) + worker.flush()
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff)
    return b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + body + tail


def version():
    return read(os.path.join(ROOT, "VERSION")).decode().strip() + "-" + RELEASE


def arch_map():
    """[(package architecture, target)] of arch.txt, in its order."""
    pairs = []
    for line in read(os.path.join(HERE, "arch.txt")).decode().splitlines():
        if line and not line.startswith("#"):
            arch, target = line.split()
            pairs.append((arch, target))
    return pairs


class Package:
    """One package: `files` maps a path without its first / to (mode, bytes); dirs are folders that
    hold no file of it."""

    def __init__(self, name, arch, section, description, depends=()):
        self.name, self.arch, self.section = name, arch, section
        self.description, self.depends = description, list(depends)
        self.version, self.files, self.dirs = version(), {}, []
        self.conffiles, self.users, self.extra_postinst = [], "", ""

    def folders(self):
        """Every folder on the way to a file, sorted."""
        found = set(self.dirs)
        for path in list(self.files) + self.dirs:
            while "/" in path:
                path = path.rpartition("/")[0]
                found.add(path)
        return sorted(found)


def program_package(arch, program):
    pack = Package("nodepass", arch, "net", "A tunnel for TCP and UDP: reverse, forward, over TLS, "
                   "with a panel and an API. One static program without dependencies.")
    files = os.path.join(OPENWRT, "nodepass", "files")
    pack.files = {
        "usr/bin/nodepass": (0o755, read(program)),
        "etc/init.d/nodepass": (0o755, read(os.path.join(files, "nodepass.init"))),
        "etc/config/nodepass": (0o600, read(os.path.join(files, "nodepass.config"))),
        "etc/capabilities/nodepass.json": (
            0o644, read(os.path.join(files, "nodepass.capabilities.json"))),
    }
    # As OpenWrt's build splits `conffiles`: files are the package manager's, folders sysupgrade's.
    pack.files["lib/upgrade/keep.d/nodepass"] = (0o644, b"/etc/nodepass/\n")
    pack.dirs = ["etc/nodepass"]
    pack.conffiles = ["/etc/config/nodepass"]
    pack.users = "nodepass:nodepass"
    return pack


def luci_package(arch):
    pack = Package("luci-app-nodepass", arch, "luci", "LuCI page for the tunnels of NodePass.",
                   ["luci-base", "nodepass"])
    app = os.path.join(OPENWRT, "luci-app-nodepass")
    for source, place in (("htdocs", "www"), ("root", "")):
        for folder, _, names in os.walk(os.path.join(app, source)):
            inside = os.path.relpath(folder, os.path.join(app, source))
            for name in names:
                path = os.path.normpath(os.path.join(place, inside, name))
                pack.files[path] = (0o644, read(os.path.join(folder, name)))
    pack.extra_postinst = LUCI_REFRESH
    return pack
