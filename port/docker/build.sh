#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds the image from a static program, if there is an engine that runs.
# Usage: port/docker/build.sh [PROGRAM [TAG]]   (build/x86_64/nodepass, nodepass:VERSION)
# Environment: NP_ENGINE, docker or podman (else the first that answers)
set -u
cd "$(dirname "$0")/../.." || exit 2
program=${1:-build/x86_64/nodepass}
tag=${2:-nodepass:$(cat VERSION)}

[ -f "$program" ] || { echo "docker: $program is missing: make T=x86_64" >&2; exit 1; }
"$program" --version > /dev/null || { echo "docker: $program does not run here" >&2; exit 1; }
engine=
for name in ${NP_ENGINE:-docker podman}; do
    if command -v "$name" > /dev/null && timeout 20 "$name" info > /dev/null 2>&1; then
        engine=$name
        break
    fi
done
[ -n "$engine" ] || {
    echo "docker: no engine answers (docker info, podman info): start one, or copy the program" >&2
    exit 3
}
context=$(mktemp -d) || exit 1
trap 'rm -rf "$context"' EXIT
cp port/docker/Dockerfile "$context/" && mkdir "$context/state" &&
    install -m 755 "$program" "$context/nodepass" &&
    "$engine" build -q -t "$tag" "$context"
