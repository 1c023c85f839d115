# SPDX-License-Identifier: BSD-3-Clause
"""Makes an apk (OpenWrt 25.12) in the version 2 container, which apk-tools 3 installs: two gzip
members, .PKGINFO with the scripts as a tar without its end, and the data as a tar with a checksum
of each file in a pax record."""
import hashlib
import tarfile

import content

BLOCK = 512
SUM = "APK-TOOLS.checksum.SHA1"


def entry(name, mode, data=None, checked=True):
    """Header and padded content of a file, or of a folder when data is None."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.uname, info.gname = mode, content.MTIME, "root", "root"
    if data is None:
        info.type = tarfile.DIRTYPE
        return info.tobuf(tarfile.PAX_FORMAT)
    info.size = len(data)
    if checked:
        info.pax_headers = {SUM: hashlib.sha1(data).hexdigest()}
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % BLOCK)


def lists(pack):
    """What OpenWrt's scripts look for in /lib/apk/packages: files, users, configuration."""
    base = f"lib/apk/packages/{pack.name}"
    made = {}
    if pack.users:
        made[f"{base}.rusers"] = pack.users + "\n"
    if pack.conffiles:
        made[f"{base}.conffiles"] = "\n".join(pack.conffiles) + "\n"
        made[f"{base}.conffiles_static"] = "".join(
            f"/{path} {hashlib.sha256(data).hexdigest()}\n"
            for path, (_, data) in sorted(pack.files.items()) if "/" + path in pack.conffiles)
    paths = sorted([f"/{path}" for path in list(pack.files) + list(made)] + [f"/{base}.list"])
    made[f"{base}.list"] = "\n".join(paths) + "\n"
    return {path: (0o644, text.encode()) for path, text in made.items()}


def scripts(pack):
    head = content.APK_HEAD % pack.name
    install = '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n'
    extra = pack.extra_postinst
    first = head.replace("#!/bin/sh\n", "#!/bin/sh\n" + install)
    upgrade = first.replace("#!/bin/sh\n", "#!/bin/sh\nexport PKG_UPGRADE=1\n")
    return {".post-install": first + "add_group_and_user\ndefault_postinst\n" + extra,
            ".post-upgrade": upgrade + "add_group_and_user\ndefault_postinst\n" + extra,
            ".pre-deinstall": head + "default_prerm\n"}


def data_member(pack):
    """(gzip bytes, sum of the files' sizes)"""
    listed = lists(pack)
    shipped = content.Package(pack.name, pack.arch, pack.section, "")
    shipped.files, shipped.dirs = {**pack.files, **listed}, pack.dirs
    parts = {path: entry(path, mode, data) for path, (mode, data) in shipped.files.items()}
    parts.update({path: entry(path, 0o755) for path in shipped.folders()})
    tar = b"".join(parts[path] for path in sorted(parts)) + bytes(2 * BLOCK)
    return content.packed(tar), sum(len(d) for _, d in shipped.files.values())


def info(pack, size, datahash):
    fields = [("pkgname", pack.name), ("pkgver", pack.version), ("pkgdesc", pack.description),
              ("builddate", str(content.MTIME)), ("size", str(size)), ("arch", pack.arch),
              ("origin", pack.name), ("license", "BSD-3-Clause")]
    fields += [("depend", name) for name in pack.depends] + [("datahash", datahash)]
    return "".join(f"{name} = {value}\n" for name, value in fields)


def name_of(pack):
    return f"{pack.name}-{pack.version}_{pack.arch}.apk"


def make(pack):
    """The bytes of the package."""
    data, size = data_member(pack)
    text = info(pack, size, hashlib.sha256(data).hexdigest())
    head = entry(".PKGINFO", 0o644, text.encode(), checked=False)
    for name, script in sorted(scripts(pack).items()):
        head += entry(name, 0o755, script.encode(), checked=False)
    return content.packed(head) + data
