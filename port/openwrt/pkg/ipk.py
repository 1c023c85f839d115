# SPDX-License-Identifier: BSD-3-Clause
"""Makes an ipk (OpenWrt 24.10 and before): a gzip tar of ./debian-binary, ./data.tar.gz and
./control.tar.gz. The same input gives the same bytes; nothing needs root."""
import io
import tarfile

import content
from content import packed

LICENSE = "BSD-3-Clause"


def add(tar, name, mode, data=None):
    """A file, or a folder when data is None."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.uname, info.gname = mode, content.MTIME, "root", "root"
    if data is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    else:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def tar_of(members):
    """GNU tar of [(name, mode, bytes or None)] in their order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, mode, data in members:
            add(tar, name, mode, data)
    return out.getvalue()


def data_tar(pack):
    members = {f"./{path}": (mode, data) for path, (mode, data) in pack.files.items()}
    members.update({f"./{path}": (0o755, None) for path in pack.folders()})
    return tar_of([("./", 0o755, None)] + [(n, *members[n]) for n in sorted(members)])


def control(pack, installed_size):
    fields = [("Package", pack.name), ("Version", pack.version),
              ("Depends", ", ".join(pack.depends)), ("License", LICENSE),
              ("Section", pack.section), ("SourceDateEpoch", str(content.MTIME)),
              ("Require-User", pack.users), ("Architecture", pack.arch),
              ("Installed-Size", str(installed_size)), ("Description", pack.description)]
    return "".join(f"{name}: {value}\n" for name, value in fields if value)


def control_tar(pack, installed_size):
    members = [("./control", 0o644, control(pack, installed_size).encode()),
               ("./postinst", 0o755, content.POSTINST.encode()),
               ("./prerm", 0o755, content.PRERM.encode())]
    if pack.conffiles:
        members.append(("./conffiles", 0o644, ("\n".join(pack.conffiles) + "\n").encode()))
    if pack.extra_postinst:
        members.append(("./postinst-pkg", 0o755, pack.extra_postinst.encode()))
    return tar_of([("./", 0o755, None)] + sorted(members))


def name_of(pack):
    return f"{pack.name}_{pack.version}_{pack.arch}.ipk"


def make(pack):
    """The bytes of the package."""
    data = data_tar(pack)
    return packed(tar_of([("./debian-binary", 0o644, b"2.0\n"),
                          ("./data.tar.gz", 0o644, packed(data)),
                          ("./control.tar.gz", 0o644, packed(control_tar(pack, len(data))))]))
