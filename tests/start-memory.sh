# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/memory.lib --mem 96M --timeout 600
#
# A start for which the kernel has no memory at the moment waits for it, up to
# ten seconds: on a board whose memory is taken again and again; and on the
# debug kernel, where the functions of Linux that do not wait themselves get
# none.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/memory.lib"

before
[ -z "$was" ] || skip_all "there are devices already"

# The OOM killer takes the hog, never this test or a server.
exposed -1000
starts=${ROUNDS:-5}
eaters=''
at_exit 'kill $eaters 2>/dev/null'
before_kills=$(event oom_kill)
eat() {
	while :; do
		grow
	done
}
eat 2>/dev/null &
eaters=$!
eat 2>/dev/null &
eaters="$eaters $!"
wait_until 200 eval '[ "$(event oom_kill)" -gt "$before_kills" ]'
while [ "$starts" -gt 0 ]; do
	serve ram 8M -q 2
	is "$err" "" "a start while all memory is taken"
	stopped "stop it" "$dev"
	starts=$((starts - 1))
done
kill $eaters
wait $eaters 2>/dev/null
note "$(($(event oom_kill) - before_kills)) processes killed"

# Only the debug kernel has these files and names its functions.
! mount -t debugfs debug /sys/kernel/debug 2>/dev/null ||
	at_exit 'umount /sys/kernel/debug'
faults=/sys/kernel/debug
[ -w $faults/failslab/require-start ] || done_testing
at_exit 'memory_again'

# no_memory FUNCTION: its allocations fail from now on.
no_memory() {
	range=$(awk -v name="$1" '
		found { print "0x" $1; exit }
		$3 == name { printf "0x%s ", $1; found = 1 }' /proc/kallsyms)
	for kind in failslab fail_page_alloc; do
		echo "${range% *}" >$faults/$kind/require-start
		echo "${range#* }" >$faults/$kind/require-end
		echo 32 >$faults/$kind/stacktrace-depth
		echo N >$faults/$kind/ignore-gfp-wait
		echo 0 >$faults/$kind/verbose
		echo -1 >$faults/$kind/times
		echo 100 >$faults/$kind/probability
	done
	echo 0 >$faults/fail_page_alloc/min-order
}
memory_again() {
	for kind in failslab fail_page_alloc; do
		echo 0 >$faults/$kind/probability
	done
}

# refused FUNCTION WORDS: if its allocations fail, no device starts, and a
# message says so.
refused() {
	no_memory "$1"
	fails 1 "no memory in $1" ublk null 8M
	memory_again
	is "$err" "ublk: cannot $2: Out of memory" "that is said"
	leaves_nothing "and nothing left"
}

for function in blk_mq_alloc_tag_set __blk_mq_alloc_disk; do
	no_memory $function
	ublk null 8M >"$tmp/late" 2>&1 &
	late=$!
	sleep 2
	ok "no memory in $function: the start waits" kill -0 $late
	memory_again
	wait $late
	is "$? $(cat "$tmp/late")" "0 /dev/ublkb0" "until there is some"
	stopped "stop it" /dev/ublkb0
done
refused blk_mq_alloc_tag_set "add a device"
refused __blk_mq_alloc_disk "start device 0"
refused device_add_disk "start device 0"

done_testing
