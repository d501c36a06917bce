#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Devices have settled: serves the root, if one of ours is named and what it lies on is
# there. When the shell that follows an error is left, it is tried again.
[ -e /run/initramfs/ublk.served ] || /usr/bin/ublk-root ||
	emergency_shell -n ublk "ublk: cannot serve the root; when it is there, exit tries again"
