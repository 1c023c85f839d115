#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Our engine against openssl, gnutls, curl and Go, both roles.

Usage: tests/tls/interop.py [-k PART] [--list]     (build/host/tlspipe: make tlspipe-program)
Ends with `N passed, N failed, N skipped`; a case whose program is missing is skipped. Go is no
tool that setup.sh installs: without it its cases are left out, or fail with NP_NEED_GO=1.
Environment: NP_TLS_BULK (bytes of the large transfers, 1 GB), NP_TLSPIPE (our program).
"""
import os
import shutil
import sys
import time
import traceback

import cases_gnutls
import cases_go
import cases_openssl
import cases_refused
from peers import Case, Certs, PIPE


def collect():
    found = []
    for module in (cases_openssl, cases_gnutls, cases_go, cases_refused):
        found += [(module.NEEDS, name, run) for name, run in module.cases()]
    return found


def run_one(certs, name, run):
    case = Case(certs)
    start = time.monotonic()
    try:
        run(case)
        return None
    except Exception:  # pylint: disable=broad-except
        text = traceback.format_exc(limit=4)
        for process in case.processes:
            text += f"--- {process.name}\n{process.stderr()[-800:]}\n"
            text += process.stdout()[-300:].decode(errors="replace") + "\n"
        return text
    finally:
        case.close()
        print(f"  {name}: {time.monotonic() - start:.1f} s", flush=True)


def main():
    part = sys.argv[sys.argv.index("-k") + 1] if "-k" in sys.argv else ""
    chosen = [c for c in collect() if part in c[1]]
    if "--list" in sys.argv:
        print("\n".join(name for _, name, _ in chosen))
        return 0
    if not os.path.exists(PIPE):
        print(f"{PIPE} is missing: make tlspipe-program\n0 passed, 1 failed")
        return 1
    certs, passed, failed, skipped = Certs(), 0, 0, 0
    try:
        for needs, name, run in chosen:
            missing = [n for n in needs if shutil.which(n) is None]
            if missing == ["go"] and os.environ.get("NP_NEED_GO") != "1":
                print(f"left out, no go here: {name}")
                continue
            if missing:
                print(f"SKIP  {name}: no {missing[0]} here")
                skipped += 1
                continue
            error = run_one(certs, name, run)
            passed, failed = passed + (error is None), failed + (error is not None)
            if error is not None:
                print(f"FAIL  {name}\n" + "".join(f"      {line}\n" for line in error.split("\n")))
    finally:
        certs.close()
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
