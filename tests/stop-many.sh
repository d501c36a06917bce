# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --icount --mem 1G --timeout 900
#
# How long it takes to stop devices that nobody uses: that waits for RCU grace
# periods. Devices that one command stops wait at the same time. The clock of
# the board counts instructions, so that waits are compared, and not how busy
# the machine is.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

count=${ROUNDS:-16}
clock() {
	awk '{ print int($1 * 100) }' /proc/uptime
}
start_all() {
	n=0
	started=''
	while [ $n -lt "$count" ]; do
		serve null 1M
		[ -b "$dev" ] || fail "start $n" "$err"
		n=$((n + 1))
	done
}
# stop_apart: starts all, in $begun hundredths of a second, and stops one after
# another, in $apart.
stop_apart() {
	begun=$(clock)
	start_all
	apart=$(clock)
	begun=$((apart - begun))
	for dev in $started; do
		ublk stop "$dev"
	done
	apart=$(($(clock) - apart))
}

stop_apart
normal=$apart
start_all
start=$(clock)
ok "stop all" ublk stop --all
together=$(($(clock) - start))
note "$count devices start in ${begun}0 ms, and stop in ${normal}0 ms one after the" \
	"other, in ${together}0 ms together"
is "$(what_is)" "" "nothing is left"
[ $((together * 6)) -lt "$normal" ] &&
	pass "together they take less than a sixth of that" ||
	fail "together they take less than a sixth of that"

# How long the driver needs to end a device whose server is gone already.
start_all
for dev in $started; do
	number=${dev#/dev/ublkb}
	kill -9 "$(server_of "$number")" "$(worker_of "$number")"
done
for dev in $started; do
	until ublk list "$dev" | grep -q quiesced; do
		sleep 0.01
	done
done
start=$(clock)
for dev in $started; do
	ublk stop "$dev"
done
alone=$(($(clock) - start))
note "without servers: ${alone}0 ms one after the other"
is "$(what_is)" "" "nothing is left of those"
if [ -f /sys/module/ublk_drv/version ]; then
	[ $((normal * 2)) -lt $((alone * 3)) ] &&
		pass "that there is a server costs less than half as much again" ||
		fail "that there is a server costs less than half as much again"
else
	skip "that there is a server costs less than half as much again" \
		"Linux's own driver"
fi

expedited=/sys/kernel/rcu_expedited
if [ -f /sys/module/ublk_drv/version ] && [ -w $expedited ]; then
	echo 1 >$expedited
	stop_apart
	echo 0 >$expedited
	note "with expedited grace periods: ${apart}0 ms one after the other"
	[ $((normal * 2)) -lt $((apart * 3)) ] &&
		pass "the grace periods are those that cannot be expedited" ||
		fail "the grace periods are those that cannot be expedited"
else
	skip "the grace periods are those that cannot be expedited" \
		"Linux's own driver, or no $expedited"
fi

# The promise, in figures: a device starts and stops within 50 ms each, and a
# hundred are stopped in a second. An instruction takes a nanosecond here. Since
# Linux 6.18 the block layer waits for two more grace periods when it frees the tags.
stop_most=50
! linux_since 6 18 || stop_most=80
if [ -e /proc/lockdep ]; then
	skip "a start and a stop take 50 ms, and a hundred stops a second" \
		"a kernel that checks itself"
elif [ -f /sys/module/ublk_drv/version ]; then
	is "$((begun * 10 / count <= 50))" 1 "a start takes 50 ms at most"
	is "$((normal * 10 / count <= stop_most))" 1 \
		"a stop takes $stop_most ms at most"
	count=100
	start_all
	start=$(clock)
	ok "stop a hundred" ublk stop --all
	hundred=$(($(clock) - start))
	note "a hundred together: ${hundred}0 ms"
	is "$(what_is)" "" "nothing is left of them"
	is "$((hundred <= 100))" 1 "they are stopped in a second"
else
	skip "a start and a stop take 50 ms, and a hundred stops a second" \
		"Linux's own driver"
fi

done_testing
