#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# alone.sh COMMAND...: runs it in a network of its own, so that its ports are nobody else's: a
# loopback, and an interface with an address and a default route that lead nowhere.
# Where that is not allowed (no root, no namespaces), it just runs it.
set -eu
if [ "${1:-}" = --inside ]; then
    shift
    ip link set lo up
    ip link add outside type veth peer name nowhere
    ip addr add 198.51.100.1/24 dev outside
    ip link set nowhere up
    ip link set outside up
    ip route add default via 198.51.100.2
    exec "$@"
fi
if unshare --net "$0" --inside true 2> /dev/null; then
    exec unshare --net "$0" --inside "$@"
fi
exec "$@"
