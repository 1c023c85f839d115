#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run by OpenWrt's CI after installation, as `test.sh PACKAGE VERSION`.
case "$1" in
nodepass)
	nodepass --version | grep -F "v${2%%-*} " || exit 1
	nodepass --check 'client://key@192.0.2.1:10101/127.0.0.1:22?mode=2' > /dev/null
	;;
esac
