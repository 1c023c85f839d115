#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Flash, RAM by module and the largest stack frames of firmware images.

Usage: report.py [--write] [IMAGE.elf ...]    (beside each lies IMAGE.elf.map from the linker)
Without images it is about those of `make firmware`.
--write: renews the table of README.md, one row an image; wants a run of the tests before, for what
they saw of the stack.
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULES = [  # first match of the input file's path names the module
    (r"port/mps2-an385/main\.o", "core's arena, settings"),
    (r"port/mps2-an385/", "port"),
    (r"libplatlwip\.a", "platform/lwip"),
    (r"liblwip\.a", "lwIP"),
    (r"libcore\.a", "core, config"),
    (r"libbearssl\.a", "BearSSL"),
    (r"", "C library"),
]
FLASH = (".text", ".ARM.extab", ".ARM.exidx", ".data")
RAM = (".data", ".bss", ".noinit")
LINE = re.compile(r"^ (\.\S+|COMMON)?\s+0x[0-9a-f]+\s+(0x[0-9a-f]+) (\S+)$")

AFTER = re.compile(r"^()\s+0x[0-9a-f]+\s+(0x[0-9a-f]+) (\S+)$")


def sections(path):
    """Size and address of each section."""
    out = subprocess.run(["arm-none-eabi-size", "-A", path], capture_output=True, text=True,
                         check=True).stdout
    rows = [line.split() for line in out.splitlines() if line.startswith(".")]
    return {row[0]: int(row[1]) for row in rows}


def symbol(path, name):
    out = subprocess.run(["arm-none-eabi-nm", path], capture_output=True, text=True,
                         check=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {name}$", out, re.M)
    return int(found.group(1), 16)


def module_of(path):
    return next(name for pattern, name in MODULES if re.search(pattern, path))


def by_module(map_path, wanted):
    """Bytes of each module in the output sections `wanted`, from the linker's map."""
    sums, current, pending = {}, None, None
    with open(map_path, encoding="utf-8") as f:
        text = f.read().split("Linker script and memory map", 1)[1]
    for line in text.splitlines():
        out = re.match(r"^(\.\S+)", line)
        if out:
            current = out.group(1)
            continue
        if re.match(r"^ \.\S+$", line):  # a long name stands alone, its figures follow
            pending = line.strip()
            continue
        found = LINE.match(line) or (pending and AFTER.match(line))
        pending = None
        if found and current in wanted:
            name = module_of(found.group(3))
            sums[name] = sums.get(name, 0) + int(found.group(2), 16)
    return sums


def ram_bytes(path):
    """What the class has; the map tells the region's length."""
    with open(path + ".map", encoding="utf-8") as f:
        found = re.search(r"^RAM\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)", f.read(), re.M)
    return int(found.group(1), 16)


def frames(path):
    """The largest stack frames of functions that are linked, from the compiler's .su files."""
    with open(path + ".map", encoding="utf-8") as f:
        folder = re.search(r"^LOAD (build/[^/]+)/libcore\.a", f.read(), re.M).group(1)
    out = subprocess.run(["arm-none-eabi-nm", path], capture_output=True, text=True,
                         check=True).stdout
    linked = set(re.findall(r"^[0-9a-f]+ [tT] (\S+)$", out, re.M))
    found = set()
    for where, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".su"):
                with open(os.path.join(where, name), encoding="utf-8") as f:
                    found |= {(int(row[1]), row[0].rsplit(":", 1)[1])
                              for row in (line.split("\t") for line in f)}
    return sorted((pair for pair in found if pair[1] in linked), reverse=True)[:4]


def figures(path):
    sizes = sections(path)
    stack = sizes[".stack"]
    return {
        "name": os.path.basename(path),
        "class": ram_bytes(path),
        "flash": sum(sizes.get(name, 0) for name in FLASH),
        "ram": symbol(path, "np_ram_used"),
        "stack": stack,
        "seen": stack_seen(os.path.basename(path)),
        "frames": frames(path),
        "flash_by": by_module(path + ".map", FLASH),
        "ram_by": by_module(path + ".map", RAM),
    }


def stack_seen(image):
    """The most that any log of tests/firmware tells for the image."""
    most = 0
    for path in glob.glob("build/mps2-an385/test/*.log"):
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        if f"IMAGE {image}\n" in text:
            most = max([most, *map(int, re.findall(r"\bstack=(\d+)", text))])
    return most


def print_image(fig):
    print(f"\n{fig['name']}: flash {fig['flash']} bytes; RAM {fig['ram']} of {fig['class']} bytes, "
          f"stack included; no heap, no malloc")
    print(f"  {'module':<24}{'flash':>9}{'RAM':>9}")
    for _, name in MODULES:
        flash, ram = fig["flash_by"].get(name, 0), fig["ram_by"].get(name, 0)
        if flash or ram:
            print(f"  {name:<24}{flash:>9}{ram:>9}")
    print(f"  {'stack':<24}{'':>9}{fig['stack']:>9}")
    print("  largest frames: " + ", ".join(f"{name} {size}" for size, name in fig["frames"]) +
          "; worst stack seen in the last test: " +
          (f"{fig['seen']} bytes" if fig["seen"] else "none yet (make check-firmware)"))


def table(images):
    lines = ["| Image | RAM class | RAM used, stack included | stack | most of it seen in tests | "
             "core | lwIP and its platform | flash |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for fig in images:
        lwip = fig["ram_by"].get("lwIP", 0) + fig["ram_by"].get("platform/lwip", 0)
        lines.append(f"| `{fig['name']}` | {fig['class']} | {fig['ram']} | {fig['stack']} | "
                     f"{fig['seen']} | {fig['ram_by'][MODULES[0][1]]} | {lwip} | {fig['flash']} |")
    return "\n".join(lines) + "\n"


def write(images):
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    begin, end = "<!-- firmware:begin -->\n", "<!-- firmware:end -->"
    before, rest = text.split(begin)
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + begin + table(images) + end + rest.split(end)[1])


def main():
    named = [path for path in sys.argv[1:] if path != "--write"]
    images = [figures(path) for path in named or sorted(
        glob.glob(os.path.join(ROOT, "build", "mps2-an385", "nodepass*.elf")), key=ram_bytes)]
    if not images:
        sys.exit("report: no image is built: want make firmware")
    for fig in images:
        print_image(fig)
    if "--write" in sys.argv:
        if not all(fig["seen"] for fig in images):
            print("the tests have not seen every image's stack: make check-firmware first")
            return 1
        write(images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
