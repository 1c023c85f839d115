# SPDX-License-Identifier: BSD-3-Clause
"""What a static program must be, as readelf and nm tell it. Each check returns what is wrong."""
import glob
import os
import re
import subprocess

# Words of `readelf -hA` that a target must have, and that it must not have.
ABI = {
    "mips_24kc": (("big endian", "MIPS R3000", "mips32r2", "FP ABI: Soft float"), ()),
    "mipsel_24kc": (("little endian", "MIPS R3000", "mips32r2", "FP ABI: Soft float"), ()),
    "mips32": (("big endian", "MIPS R3000", "mips32\n", "FP ABI: Soft float"), ()),
    "armv5": (("little endian", "Machine: ARM", "Version5 EABI", "Tag_CPU_arch: v5TE",
               "soft-float ABI"), ("Tag_FP_arch", "Tag_ABI_VFP_args")),
    "armv7hf": (("little endian", "Machine: ARM", "Version5 EABI", "Tag_CPU_arch: v7",
                 "Tag_FP_arch: VFPv3-D16", "Tag_ABI_VFP_args: VFP registers"), ("NEON",)),
    "aarch64": (("little endian", "Machine: AArch64", "Class: ELF64"), ()),
    "riscv64": (("little endian", "Machine: RISC-V", "Class: ELF64", "double-float ABI",
                 "rv64i"), ()),
    "x86_64": (("little endian", "Machine: Advanced Micro Devices X86-64", "Class: ELF64"), ()),
}
# What gcc calls for float and double where the CPU has neither.
FLOAT = re.compile(r"^__(?:(?:add|sub|mul|div|neg|pow|eq|ne|lt|le|gt|ge|unord|cmp)[sdt]f\w*"
                   r"|(?:extend|trunc|fix|fixuns|float|floatun)[sdt][fi]\w*"
                   r"|aeabi_(?:[fd](?:add|sub|rsub|mul|div|neg|cmp\w*|2\w+)"
                   r"|c[fd]\w+|u?[il]2[fd]))$")

# What makes a handshake and a stream fast or slow: never Thumb-1 or MIPS16e code, which multiply
# badly or not at all.
ARITHMETIC = {"br_i31_montymul", "br_i31_add", "br_i31_sub", "br_chacha20_ct_run",
              "br_poly1305_ctmul_run", "f255_mul"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def readelf(program, *options):
    """The output with one space wherever there are many."""
    return re.sub(r"[ \t]+", " ", run("readelf", "-W", *options, program))


def static(program):
    headers = readelf(program, "-l")
    wrong = [f"has {name}" for name in ("INTERP", "DYNAMIC")
             if re.search(rf"^ {name} ", headers, re.M)]
    if "There is no dynamic section" not in readelf(program, "-d"):
        wrong.append("has a dynamic section")
    if not re.search(r"^ GNU_STACK .* RW ", headers, re.M):
        wrong.append("its stack is executable")
    if ".symtab" in readelf(program, "-S"):
        wrong.append("is not stripped")
    return wrong


def abi(program, target):
    text = readelf(program, "-h", "-A")
    wanted, unwanted = ABI[target]
    return [f"no {item!r}" for item in wanted if item not in text] + \
           [f"has {item!r}" for item in unwanted if item in text]


def objects(build):
    """Our objects and those of BearSSL and inih."""
    return [path for folder in ("core", "config", "platform", "port", "deps", "bearssl")
            for path in sorted(glob.glob(f"{build}/{folder}/**/*.o", recursive=True))]


def symbols(paths):
    """(object, name, is_defined) of the code in objects; nm would tell what LTO's part calls."""
    path = None
    for line in run("readelf", "-sW", *paths).splitlines():
        if line.startswith("File: "):
            path = line[6:]
        fields = line.split()
        if len(fields) == 8 and fields[0][:-1].isdigit() and fields[3] in \
                ("FUNC", "OBJECT", "NOTYPE"):
            yield path, fields[7], fields[6] != "UND"


def float_helpers(build):
    """Calls of floating-point helpers in our objects and in BearSSL's."""
    paths = objects(build)
    if len(paths) < 100:
        return [f"only {len(paths)} objects in {build}"]
    return [f"{os.path.relpath(path, build)} calls {name}"
            for path, name, is_defined in symbols(paths) if not is_defined and FLOAT.match(name)]


def cold_arithmetic(build):
    """Functions of TLS's arithmetic in the code that is meant for what seldom runs. Symbols of
    Thumb functions are odd, those of MIPS16e have a mark."""
    found = re.findall(r"^ *\d+: ([0-9a-f]+) +\d+ FUNC +\w+ +\w+ +(\[.*\] +)?\d+ (\w+)$",
                       run("readelf", "-sW", *objects(build)), re.M)
    missing = ARITHMETIC - {name for _, _, name in found}
    return [f"{name} is Thumb or MIPS16e code" for value, mark, name in found
            if name in ARITHMETIC and (mark or int(value, 16) & 1)] + \
           [f"no {name}" for name in sorted(missing)]


def linked(map_file, pattern):
    """Functions and constants that the link's map has and `pattern` must not find."""
    with open(map_file, encoding="utf-8", errors="replace") as f:
        text = f.read()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"\n( \.\S+)\n +(0x)", r"\n\1 \2", text)
    found = re.findall(r"^ \.(?:text|rodata)\.(\w\S*)\s+0x[0-9a-f]+\s+0x(?!0\s)[0-9a-f]+ ",
                       text, re.M)
    if len(found) < 50:
        return [f"{map_file} tells only {len(found)} functions"]
    return [f"{name} is in it" for name in found if pattern.match(name)]


def size(program, gate):
    """A list with one line if the program is larger than `gate` bytes."""
    size_bytes = os.path.getsize(program)
    return [f"{size_bytes} bytes, {size_bytes - gate} over the {gate} that it may have"] \
        if size_bytes > gate else []
