# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add build/x86_64/driver/interface
#
# Every command of the driver's interface with right and wrong arguments, by a
# program that speaks it directly: tests/driver/interface.c, whose TAP this is.
exec /add/interface
