# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add $O/driver/cycles --timeout 3600
#
# Disks that are created, written, read back, and removed by STOP_DEV or with
# their server: 60 of them, with every byte compared. With ROUNDS there are 300
# times as many, and no step may take a second: that needs an otherwise idle
# machine.
. "${0%/*}/lib.sh"

cycles=${0%/*}/cycles
[ -x "$cycles" ] || cycles=build/$(uname -m)/driver/cycles
[ -x "$cycles" ] || skip_all "no program: make driver-programs"

# shellcheck disable=SC2086 # words are meant to be split
run "$cycles" $((${ROUNDS:+$ROUNDS * 5 * }60)) ${ROUNDS:+1000}
case $status in
0)
	pass "disks come and go, and keep what was written"
	note "$out"
	;;
*)
	fail "disks come and go, and keep what was written"
	seen
	;;
esac
done_testing
