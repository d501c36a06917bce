# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add build/x86_64/driver/interface --timeout 600
#
# Every command of the driver's interface with right and wrong arguments, by a
# program that speaks it directly: tests/driver/interface.c, whose TAP this is.
. "${0%/*}/lib.sh"

interface=${0%/*}/interface
[ -x "$interface" ] || interface=build/$(uname -m)/driver/interface
[ -x "$interface" ] || skip_all "no program: make driver-programs"
"$interface"
