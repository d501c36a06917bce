# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add $O/driver/interface --timeout 600
#
# Every command of the driver's interface with valid and invalid arguments, from
# a program that uses it directly: tests/driver/interface.c, which prints the
# TAP.
. "${0%/*}/lib.sh"

interface=${0%/*}/interface
[ -x "$interface" ] || interface=build/$(uname -m)/driver/interface
[ -x "$interface" ] || skip_all "no program: make driver-programs"
"$interface"
