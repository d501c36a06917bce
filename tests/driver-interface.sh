# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add build/x86_64/driver/interface
#
# Every command of the driver's interface with right and wrong arguments, by a
# program that speaks it directly: tests/driver/interface.c, whose TAP this is.
interface=${0%/*}/interface
[ -x "$interface" ] || interface=build/$(uname -m)/driver/interface
if [ ! -x "$interface" ]; then
	echo "1..0 # SKIP no program: make driver-programs"
	exit 0
fi
exec "$interface"
