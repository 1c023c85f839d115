#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh IMAGE PORTS WORD...: starts a firmware image in QEMU; WORD... is its command line.
# PORTS: TCP ports of this machine that lead to the same ports of the firmware, "8080,8081", or "-".
# The firmware has 10.0.2.15 by DHCP; this machine is 10.0.2.2 to it. On the console, unless it was
# started with &: s status, q stop (the exit code tells whether all memory came back).
set -u
image=${1:?usage: run.sh IMAGE PORTS WORD...}
ports=${2:?usage: run.sh IMAGE PORTS WORD...}
shift 2
command -v qemu-system-arm > /dev/null ||
    { echo "qemu-system-arm is missing: run tests/setup.sh --firmware" >&2; exit 1; }
[ -n "${*: -1}" ] || { echo "URL= is missing: make firmware-run URL='client://...'" >&2; exit 1; }
# Beside other commands of a terminal its console has no keys, as QEMU would be stopped at once.
read -r _ _ _ _ own _ _ front _ < /proc/$$/stat
[ ! -t 0 ] || [ "$own" = "$front" ] || exec < /dev/null
net=user
if [ "$ports" != - ]; then
    for port in ${ports//,/ }; do
        net=$net,hostfwd=tcp:127.0.0.1:$port-:$port
    done
fi
host=enable=on,target=native,arg=nodepass
for word; do
    host=$host,arg=${word//,/,,}
done
exec qemu-system-arm -M mps2-an385 -display none -monitor none -serial stdio \
    -semihosting-config "$host" -kernel "$image" -nic "$net"
