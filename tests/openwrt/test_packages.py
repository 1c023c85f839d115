# SPDX-License-Identifier: BSD-3-Clause
"""Packages: the same bytes twice, read back by GNU tar, busybox and our checker; what is damaged is
refused; their scripts run; the feed's Makefile installs the same files."""
import hashlib
import os
import random
import re
import resource
import stat
import subprocess
import sys
import tempfile

import router

PKG = os.path.join(router.ROOT, "port", "openwrt", "pkg")
sys.path.insert(0, PKG)
import apk  # noqa: E402
import check as checker  # noqa: E402
import content  # noqa: E402
import ipk  # noqa: E402
import reader  # noqa: E402

BLOCK = 512
# A stub of OpenWrt's build system; facts: quotes in one line, since a recipe is one.
RULES = """INSTALL_DIR=install -d -m0755
INSTALL_BIN=install -m0755
INSTALL_CONF=install -m0600
INSTALL_DATA=install -m0644
CP=cp -fpR
TARGET_CC=gcc
TARGET_AR=ar
TARGET_CFLAGS=-Os
TARGET_LDFLAGS=
PKG_BUILD_DIR=$(OUT)/build
PKG_JOBS=-j1
"""
PACKAGE_MK = """define BuildPackage
$(eval $(call Package/$(1)))
facts: ; @echo '$(PKG_NAME) $(PKG_VERSION)-r$(PKG_RELEASE) $(PKG_LICENSE) $(USERID) $(SUBMENU)' \
'$(PKG_BUILD_FLAGS) $(strip $(Package/$(1)/conffiles))'
prepare:
$(Build/Prepare)
compile:
$(Build/Compile)
install:
$(call Package/$(1)/install,$(OUT)/root)
endef
"""


def call(*command, **more):
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **more)


def build(folder, program):
    done = call(sys.executable, os.path.join(PKG, "build.py"), "--out", folder,
                "x86_64=" + program)
    found = {name: content.read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
    return found, done


def test_build(check, program):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, done = build(one, program)
        os.umask(0o077)
        second, _ = build(two, program)
        os.umask(0o022)
        check("four packages and their sums", len(first) == 5 and done.returncode == 0,
              [done.stdout.decode(), done.stderr.decode()])
        check("built twice: the same bytes", first == second)
        done = call("sha256sum", "-c", "SHA256SUMS", cwd=one)
        check("SHA256SUMS fits", done.returncode == 0, [done.stdout, done.stderr])
        check("a line of progress for each, and a table",
              len(re.findall(r"^\[\d/4\] ", call_text(build(one, program)[1]), re.M)) == 4)
        done = call(sys.executable, os.path.join(PKG, "check.py"),
                    *[os.path.join(one, n) for n in first if n != "SHA256SUMS"])
        check("the checker takes them", done.returncode == 0, [done.stderr.decode()])
        done = call(sys.executable, os.path.join(PKG, "check.py"), "--gate",
                    *[os.path.join(one, n) for n in first if n.startswith("nodepass")])
        is_large = any(len(d) > content.GATE for n, d in first.items() if n.startswith("nodepass"))
        check("--gate refuses a package above 140 KB, and only that",
              (done.returncode != 0) == is_large, [done.stderr.decode()])
        for name, data in first.items():
            if name.startswith("nodepass"):
                print(f"      {name}: {len(data)} bytes of {content.GATE}, program "
                      f"{os.path.getsize(program)}")
    done = call(sys.executable, os.path.join(PKG, "build.py"), "nonsense")
    check("an unknown target: one clear line", done.returncode == 1
          and done.stderr.decode().count("\n") == 1 and b"make T=nonsense" in done.stderr,
          [done.stderr])
    with tempfile.TemporaryDirectory() as folder:
        done = call(sys.executable, os.path.join(PKG, "build.py"), "--out", folder,
                    "x86_64=" + program, preexec_fn=small_files)
        check("a full disk: one clear line, and no half a package", done.returncode == 1
              and done.stderr.decode().count("\n") == 1 and b"free some space" in done.stderr
              and not os.listdir(folder), [done.stderr, os.listdir(folder)])
    return first


def small_files():
    """Files of a child can't grow beyond 64 KB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))


def call_text(done):
    return done.stdout.decode()


def test_map(check):
    """Each target of the map exists, each label is served once, by a program that runs there."""
    pairs = content.arch_map()
    arches = [a for a, _ in pairs]
    targets = {n[:-3] for n in os.listdir(os.path.join(router.ROOT, "toolchains"))
               if n.endswith(".mk")}
    check("package architectures are listed once", len(set(arches)) == len(arches) > 20)
    check("every target of the map is one", {t for _, t in pairs} <= targets,
          {t for _, t in pairs} - targets)
    wrong = [a for a, t in pairs if a.startswith("arm_") and (t == "armv7hf") != (
        bool(re.search("vfp|neon", a)) and "arm1176" not in a)]
    check("hard float only where the label has an FPU", not wrong, wrong)


def test_tools(check, packages, program):
    """What other tar programs read is what was meant."""
    want = content.read(program)
    for name, data in packages.items():
        if not name.startswith("nodepass"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            if name.endswith(".ipk"):
                call("tar", "-xzf", path, "-C", folder)
                path = os.path.join(folder, "data.tar.gz")
            for tool in (["tar", "--warning=no-unknown-keyword"], ["busybox", "tar"]):
                place = os.path.join(folder, tool[0])
                os.makedirs(place)
                done = call(*tool, "-xzf", path, "-C", place)
                out = os.path.join(place, "usr/bin/nodepass")
                good = done.returncode == 0 and os.path.exists(out) and content.read(out) == want
                check(f"{name}: {' '.join(tool[:1])} finds the program", good, [done.stderr])
                mode = stat.S_IMODE(os.stat(os.path.join(place, "etc/config/nodepass")).st_mode)
                check(f"{name}: {tool[0]}: configuration is 0600", mode == 0o600, [oct(mode)])
            done = call(out, "--version")
            check(f"{name}: the program in it runs", content.version()[:-3].encode() in done.stdout)


# ---- damage ----

def refuses(data, name):
    """The reason why the checker refuses, or None."""
    try:
        checker.check(data, name)
    except reader.Refused as error:
        return str(error)
    return None


def edit_tar(tar, name, edit):
    """`tar` with edit(header as bytearray, content) applied to a member, checksum made anew."""
    out, at, done = b"", 0, False
    while at < len(tar):
        header = bytearray(tar[at:at + BLOCK])
        size = int(header[124:135] or b"0", 8) if any(header) else 0
        data = tar[at + BLOCK:at + BLOCK + size]
        at += BLOCK + size + -size % BLOCK
        if header[:100].rstrip(b"\0") == name.encode() and not done:
            header, data, done = *edit(header, data), True
            header[124:135] = b"%011o" % len(data)
            header[148:156] = b"%06o\0 " % reader.checksum(bytes(header))
        out += bytes(header) + data + bytes(-len(data) % BLOCK)
    if not done:
        raise ValueError(f"no member {name}")
    return out


def field(start, value):
    def edit(header, data):
        header[start:start + len(value)] = value
        return header, data
    return edit


def replaced(old, new):
    def edit(header, data):
        if old not in data:
            raise ValueError(f"{old} is not there")
        return header, data.replace(old, new)
    return edit


def edit_ipk(data, part, name, edit):
    outer = reader.one_gzip(data, "")
    return content.packed(edit_tar(outer, f"./{part}.tar.gz", lambda h, d: (
        h, content.packed(edit_tar(reader.one_gzip(d, ""), name, edit)))))


def edit_apk(data, part, name, edit, fix_hash=True):
    (_, head), (_, body) = reader.gzip_members(data)
    if part == "control":
        return content.packed(edit_tar(head, name, edit)) + reader.gzip_members(data)[1][0]
    new = content.packed(edit_tar(body, name, edit))
    if fix_hash:
        old = hashlib.sha256(reader.gzip_members(data)[1][0]).hexdigest().encode()
        fresh = hashlib.sha256(new).hexdigest().encode()
        head = edit_tar(head, ".PKGINFO", replaced(old, fresh))
    return content.packed(head) + new


def damages_ipk(good):
    outer = reader.one_gzip(good, "")
    cases = {
        "an ar container": b"!<arch>\n" + good,
        "a member missing": content.packed(outer[BLOCK * 2:]),
        "bytes behind the end": good + b"x",
        "a second gzip member": good + content.packed(b""),
        "no end of the tar": content.packed(outer.rstrip(b"\0") + bytes(-len(outer.rstrip(b"\0"))
                                                                        % BLOCK)),
    }
    for what, part, name, edit in (
            ("another owner", "data", "./usr/bin/nodepass", field(108, b"0001750\0")),
            ("a setuid program", "data", "./usr/bin/nodepass", field(100, b"0004755\0")),
            ("a readable configuration", "data", "./etc/config/nodepass", field(100, b"0000644\0")),
            ("a path that leads out", "data", "./usr/bin/nodepass",
             field(0, b"./../bin/nodepass\0")),
            ("a link", "data", "./usr/bin/nodepass", field(156, b"2")),
            ("another date", "data", "./usr/bin/nodepass", field(136, b"00000000001\0")),
            ("a file twice", "data", "./etc/config/nodepass",
             field(0, b"./usr/bin/nodepass" + bytes(9))),
            ("switched on as shipped", "data", "./etc/config/nodepass",
             replaced(b"enabled '0'", b"enabled '1'")),
            ("a program of another machine", "data", "./usr/bin/nodepass",
             lambda h, d: (h, d[:18] + b"\x08\0" + d[20:])),
            ("another architecture", "control", "./control",
             replaced(b"Architecture: x86_64", b"Architecture: mips_24kc")),
            ("a version without -r1", "control", "./control", replaced(b"-r1\n", b"-1\n")),
            ("a wrong size", "control", "./control", replaced(b"Installed-Size: ",
                                                              b"Installed-Size: 1")),
            ("no user", "control", "./control",
             replaced(b"Require-User: nodepass:nodepass\n", b"")),
            ("another script", "control", "./postinst", replaced(b"default_postinst", b"reboot")),
            ("a script that can't run", "control", "./prerm", field(100, b"0000644\0")),
            ("another conffile", "control", "./conffiles", replaced(b"/config/", b"/other/"))):
        cases[what] = edit_ipk(good, part, name, edit)
    return cases


def damages_apk(good):
    (first, head), (second, _) = reader.gzip_members(good)
    cases = {
        "one member": first,
        "members the other way round": second + first,
        "an end in the control part": content.packed(head + bytes(1024)) + second,
        "another hash of the data": edit_apk(good, "data", "usr/bin/nodepass",
                                             field(100, b"0000700\0"), False),
    }
    for what, part, name, edit in (
            ("a changed file", "data", "etc/init.d/nodepass", replaced(b"START=95", b"START=96")),
            ("another owner", "data", "usr/bin/nodepass", field(108, b"0001750\0")),
            ("an unreadable program", "data", "usr/bin/nodepass", field(100, b"0000700\0")),
            ("an absolute path", "data", "usr/bin/nodepass", field(0, b"/usr/bin/nodepas\0")),
            ("a wrong list of files", "data", "lib/apk/packages/nodepass.list",
             replaced(b"/usr/bin/nodepass\n", b"/usr/bin/other\n")),
            ("another architecture", "control", ".PKGINFO",
             replaced(b"arch = x86_64", b"arch = riscv64_generic")),
            ("a version without -r1", "control", ".PKGINFO", replaced(b"-r1\n", b"\n")),
            ("a wrong size", "control", ".PKGINFO", replaced(b"\nsize = ", b"\nsize = 1")),
            ("a script missing", "control", ".post-upgrade", field(0, b".pre-upgrade\0"))):
        cases[what] = edit_apk(good, part, name, edit)
    return cases


def unpacked(data):
    """What is inside: deflate can say the same in more than one way (zeros copied from zeros)."""
    return [inside for _, inside in reader.gzip_members(data)]


def test_damage(check, packages):
    rand = random.Random(7)
    for kind, make_cases in (("ipk", damages_ipk), ("apk", damages_apk)):
        name = next(n for n in packages if n.startswith("nodepass") and n.endswith(kind))
        good = packages[name]
        check(f"{kind}: the good one is taken", refuses(good, name) is None, [refuses(good, name)])
        for what, bad in make_cases(good).items():
            reason = refuses(bad, name)
            check(f"{kind} with {what} is refused", reason is not None)
        check(f"{kind} with another name is refused", refuses(good, "x" + name) is not None)
        taken = []
        for _ in range(60):
            at, bit = rand.randrange(len(good)), rand.randrange(8)
            bad = good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1:]
            if refuses(bad, name) is None and unpacked(bad) != unpacked(good):
                taken.append(f"bit {bit} of byte {at}")
        for at in range(10):
            if refuses(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:], name) is None:
                taken.append(f"byte {at}")
        check(f"{kind}: each of 70 flipped bits is refused", not taken, taken)
        cuts = [n for n in (0, 1, 9, 10, 511, 512, len(good) // 2, len(good) - 1)
                if refuses(good[:n], name) is None]
        check(f"{kind}: cut off anywhere is refused", not cuts, cuts)


# ---- scripts and feed ----

def test_scripts(check):
    """The scripts run under ash, do what the system's functions are for, and nothing in an image
    builder that asks for none."""
    pack = content.luci_package("noarch")
    scripts = {"ipk postinst": (content.POSTINST, "default_postinst"),
               "ipk prerm": (content.PRERM, "default_prerm"),
               "apk post-install": (apk.scripts(pack)[".post-install"], "default_postinst"),
               "apk post-upgrade": (apk.scripts(pack)[".post-upgrade"], "default_postinst"),
               "apk pre-deinstall": (apk.scripts(pack)[".pre-deinstall"], "default_prerm")}
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "lib"))
        with open(os.path.join(folder, "lib/functions.sh"), "w", encoding="utf-8") as f:
            f.write("".join(f'{n}() {{ echo "{n} $pkgname $*"; }}\n' for n in (
                "default_postinst", "default_prerm", "add_group_and_user")))
        for name, (text, wanted) in scripts.items():
            path = os.path.join(folder, "luci-app-nodepass.script")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            env = {"PATH": os.environ["PATH"], "IPKG_INSTROOT": folder}
            done = call("busybox", "ash", path, "configure", env=env)
            line = f"{wanted} luci-app-nodepass" if name.startswith("apk") else \
                f"{wanted}  {path} configure"
            check(f"{name} runs", done.returncode == 0 and not done.stderr
                  and line in done.stdout.decode(), [done.stdout, done.stderr])
            if "post" in name:
                done = call("busybox", "ash", path, env=dict(env, IPKG_NO_SCRIPT="1"))
                check(f"{name}: IPKG_NO_SCRIPT is obeyed", done.stdout == b"", [done.stdout])
            env["IPKG_INSTROOT"] = folder + "/empty"
            done = call("busybox", "ash", path, env=env)
            check(f"{name}: a root without functions.sh", done.returncode == 0
                  and not done.stdout + done.stderr, [done.stdout, done.stderr])


def test_feed(check, program):
    """The feed's Makefile, under a stub of OpenWrt's build system."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("rules.mk", RULES), ("package.mk", PACKAGE_MK)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)

        def make(*words):
            done = call("make", "--no-print-directory", *words, f"TOPDIR={folder}",
                        f"INCLUDE_DIR={folder}", f"OUT={folder}/out", cwd=router.PACKAGE)
            return done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        good, output = make("facts")
        want = f"nodepass {content.version()} BSD-3-Clause nodepass:nodepass Web Servers/Proxies " \
            "gc-sections lto /etc/config/nodepass /etc/nodepass/"
        check("feed: version, licence, user, menu, flags, conffiles",
              good and output.strip() == want, [output, want])
        good, output = make("prepare")
        check("feed: sources are copied", good and os.path.exists(
            f"{folder}/out/build/port/posix/main.c"), [output])
        good, output = make("-n", "compile")
        check("feed: the program would be built", good and "gcc" in output
              and "-o build/host/nodepass" in output, [output[-2000:]])
        os.makedirs(f"{folder}/out/build/build/host", exist_ok=True)
        with open(f"{folder}/out/build/build/host/nodepass", "wb") as f:
            f.write(content.read(program))
        good, output = make("install")
        found = {}
        for place, _, names in os.walk(f"{folder}/out/root"):
            for name in names:
                path = os.path.join(place, name)
                found[os.path.relpath(path, f"{folder}/out/root")] = (
                    stat.S_IMODE(os.stat(path).st_mode), content.read(path))
        want = content.program_package("x86_64", program).files
        want.pop("lib/upgrade/keep.d/nodepass")  # OpenWrt makes it from conffiles
        check("feed: installs what our packages hold", good and found == want,
              [output] + sorted(set(found) ^ set(want)))
        done = call("sh", os.path.join(router.PACKAGE, "test.sh"), "nodepass", content.version(),
                    env={"PATH": f"{folder}/out/root/usr/bin:" + os.environ["PATH"]})
        check("feed: test.sh passes", done.returncode == 0, [done.stdout, done.stderr])
        done = call("sh", os.path.join(router.PACKAGE, "test.sh"), "nodepass", "9.9.9-r1",
                    env={"PATH": f"{folder}/out/root/usr/bin:" + os.environ["PATH"]})
        check("feed: test.sh sees another version", done.returncode != 0)


def run(check, program, write=False):
    del write
    packages = test_build(check, program)
    test_map(check)
    test_tools(check, packages, program)
    test_damage(check, packages)
    test_scripts(check)
    test_feed(check, program)
    check("the makers' names fit the checker's", ipk.name_of(content.luci_package("all")) ==
          f"luci-app-nodepass_{content.version()}_all.ipk")
