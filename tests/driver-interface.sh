# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add build/x86_64/driver/interface --timeout 600
#
# Every command of the driver's interface with right and wrong arguments, by a
# program that speaks it directly: tests/driver/interface.c, whose TAP this is.
. "${0%/*}/lib.sh"

# Ours has a version.
[ -e /sys/module/ublk_drv/version ] || ! linux_since 6 13 ||
	skip_all "tests of drivers know ours and Linux's up to 6.12"
interface=${0%/*}/interface
[ -x "$interface" ] || interface=build/$(uname -m)/driver/interface
[ -x "$interface" ] || skip_all "no program: make driver-programs"
"$interface"
