# SPDX-License-Identifier: BSD-3-Clause
"""How fast the master answers."""
import os
import re
import subprocess

from lib import patience, proc
from lib.case import alone, limit, need, need_program
from lib.master import MasterCase

REQUESTS, LATENCY_MS = 5000, 5.0


class Speed(MasterCase):
    def wrk(self, seconds):
        """Requests a second and the 99th percentile in ms."""
        text = subprocess.run(
            [need_program("wrk"), "-t1", "-c4", "-d%ds" % seconds, "--latency", "-H",
             "X-API-Key: " + self.key, "http://127.0.0.1:%d/api/v1/instances" % self.api_port],
            capture_output=True, text=True, check=True).stdout
        self.assertNotIn("Non-2xx", text)
        late = re.search(r"99%\s+([0-9.]+)(us|ms|s)", text)
        factor = {"us": 0.001, "ms": 1, "s": 1000}[late.group(2)]
        return (float(re.search(r"Requests/sec:\s+([0-9.]+)", text).group(1)),
                float(late.group(1)) * factor)

    @alone
    @limit(90)
    def test_list_of_twenty_instances(self):
        need(not proc.is_sanitized(), "a sanitizer is no measure")
        need_program("wrk")
        self.master()
        for number in range(20):
            self.create("server://k@127.0.0.1:%d/127.0.0.1:%d?mode=1" % (self.port(), self.port()),
                        alias="instance %d" % number)
        # the best of some: others may use this machine
        runs = []
        while len(runs) < 5 and not (runs and max(r[0] for r in runs) >= REQUESTS
                                     and min(r[1] for r in runs) <= LATENCY_MS):
            runs.append(self.wrk(3))
        print("GET /instances with 20: %s" % ", ".join("%.0f/s p99 %.2f ms" % r for r in runs))
        self.assertGreaterEqual(max(r[0] for r in runs), REQUESTS / patience.SLOW)
        if os.getloadavg()[0] < 3:  # else the tail is made by those who share the processors
            self.assertLessEqual(min(r[1] for r in runs), LATENCY_MS * patience.SLOW)
