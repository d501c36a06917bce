# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --icount --timeout 900
#
# Devices that are stopped by one command wait for the driver side by side, and not
# one after the other. On a board whose clock counts instructions, so that it is
# their waits that are compared and not how busy the machine is.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

count=${ROUNDS:-8}
clock() {
	awk '{ print int($1 * 100) }' /proc/uptime
}
start_all() {
	n=0
	while [ $n -lt "$count" ]; do
		serve null 1M
		[ -b "$dev" ] || fail "start $n" "$err"
		n=$((n + 1))
	done
}

start_all
devices=$(echo $started)
start=$(clock)
for dev in $devices; do
	ublk stop "$dev"
done
apart=$(($(clock) - start))
start_all
start=$(clock)
ok "stop all" ublk stop --all
together=$(($(clock) - start))
note "$count devices: ${apart}0 ms one after the other, ${together}0 ms together"
is "$(what_is)" "" "nothing is left"
[ $((together * 2)) -lt "$apart" ] &&
	pass "together they take less than half as long" ||
	fail "together they take less than half as long"

done_testing
