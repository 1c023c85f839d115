# SPDX-License-Identifier: BSD-3-Clause
"""Time limits that hold on a busy machine too."""
import os
import time

# How much slower this build is than the usual one (sanitizers): limits grow with it.
SLOW = float(os.environ.get("NP_E2E_SLOW", "1"))
MOST = 2.0  # a limit is never stretched to more than 1 + MOST times


def stalled_s():
    """Seconds in which some task of this machine waited for a processor; 0 if nobody counts."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as pressure:
            return int(pressure.readline().rpartition("=")[2]) / 1e6
    except (OSError, ValueError):
        return 0.0


class Watch:
    """Time since it was made, without what others made us wait for a processor (of which at most
    MOST of MOST + 1 parts count: something must have been ours)."""

    def __init__(self):
        self.start, self.stalled = time.monotonic(), stalled_s()

    def took(self):
        passed = time.monotonic() - self.start
        return passed - min(stalled_s() - self.stalled, passed * MOST / (MOST + 1))


class Limit:
    """`seconds` from now on, by such a watch."""

    def __init__(self, seconds):
        self.seconds, self.watch = seconds * SLOW, Watch()

    def is_over(self):
        return self.watch.took() > self.seconds
