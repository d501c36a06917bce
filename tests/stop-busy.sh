# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --mem 512M --timeout 100
#
# Devices come and go while other programs keep all processors busy. What the kernel
# has to free after each is freed, and then it does nothing more: on boards whose
# kernel told all processors of each page by itself, of hundreds of megabytes, this
# held a processor for minutes.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

busy=''
at_exit '[ -z "$busy" ] || kill $busy'
n=0
while [ $n -lt "$(nproc)" ]; do
	(while :; do :; done) &
	busy="$busy $!"
	n=$((n + 1))
done

# kernel_time: prints how long the kernel's workers have run, in hundredths of a
# second.
kernel_time() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk '$2 ~ /^\(kworker/ { sum += $15 } END { print sum + 0 }'
}
at_rest() {
	before=$(kernel_time)
	sleep 1
	[ $(($(kernel_time) - before)) -lt 50 ]
}

n=0
while [ $n -lt 3 ]; do
	n=$((n + 1))
	served "device $n" ram 1M -q 2
	pattern "device $n" 65536 | put "$dev" 0
	is "$(read_back "$dev" 65536 | sum -)" "$(pattern "device $n" 65536 | sum -)" \
		"has what was written"
	stopped "stop it" "$dev"
done
ok "the kernel is done with them" wait_until 10 at_rest

done_testing
