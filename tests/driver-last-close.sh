# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/lastclose
# board: --tool mkfs.ext4 --mem 1G --smp 4 --timeout 3600
# kernel: tests
#
# A disk never waits for itself: the last reference to a file, a mount or a disk
# is dropped while requests are in flight and pages are dirty, in every possible
# way, and it is not the server that writes the pages. With one queue, with
# several, and with each I/O scheduler: twelve rounds of each kind, so that each
# of its variants is used, or $ROUNDS times 60.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# On the board, the program is beside the test.
lastclose=${0%/*}/lastclose
[ -x "$lastclose" ] || lastclose=build/$(uname -m)/driver/lastclose

rounds=$((${ROUNDS:+$ROUNDS * 5 * }12))
raw="aio threads uring splice exit mmap scan loop"
mounted="file umount loop-file"
mkdir "$tmp/mnt"
stuck=''
at_exit 'leave_stuck'

# leave_stuck: a disk that hangs cannot be stopped or left alone. So its server
# is killed, and what this does not end is reported. Opening a directory on the
# disk would hang, too.
leave_stuck() {
	umount -l "$tmp/mnt" 2>/dev/null
	[ -n "$stuck" ] || return 0
	# shellcheck disable=SC2086 # words are meant to be split
	kill -KILL $stuck 2>/dev/null
	wait_until 5 nobody_left || note "they survive SIGKILL:$left"
}
# nobody_left: the stuck servers are gone; $left has those that are not.
nobody_left() {
	left=''
	for process in $stuck; do
		! cat "/proc/$process"/task/*/status 2>/dev/null |
			grep -q '^State:	[^XZ]' || left="$left $process"
	done
	[ -z "$left" ]
}

# begin SCHEDULER ARGUMENT...: starts a disk; false if that fails.
begin() {
	scheduler=$1
	shift
	serve "$@"
	servers="$(server_of "$id") $(worker_of "$id")"
	[ -b "$dev" ] && echo "$scheduler" >"/sys/block/ublkb$id/queue/scheduler"
}

# give_up: leaves the disk to leave_stuck, and prints where its server is, if
# the kernel says so.
give_up() {
	for process in $servers; do
		where=$(cat "/proc/$process"/task/*/stack 2>/dev/null)
		[ -z "$where" ] || note "$where"
	done
	umount -l "$tmp/mnt" 2>/dev/null
	stuck="$stuck $servers"
	left=''
	for device in $started; do
		[ "$device" = "$dev" ] || left="$left $device"
	done
	started=$left
}

# closes KINDS SCHEDULER [--any-data] ARGUMENT...: rounds of each kind on a disk
# with these arguments. After a hang, the next kinds get a new disk.
closes() {
	kinds=$1
	scheduler=$2
	shift 2
	any=''
	[ "$1" != --any-data ] || {
		any=$1
		shift
	}
	dev=''
	for kind in $kinds; do
		name="$kind, $*, scheduler $scheduler"
		[ -n "$dev" ] || begin "$scheduler" "$@" || {
			fail "$name" "no disk with that scheduler: $err"
			return
		}
		case " $mounted " in
		*" $kind "*) mkfs.ext4 -q -F "$dev" >/dev/null 2>&1 ;;
		esac
		# shellcheck disable=SC2086 # words are meant to be split
		run "$lastclose" $any "$kind" $rounds "$dev" "$tmp/mnt" $servers
		case $status in
		0)
			pass "$name"
			note "$out"
			;;
		3)
			fail "$name" "$out"
			give_up
			dev=''
			;;
		*)
			fail "$name"
			seen
			;;
		esac
	done
	[ -z "$dev" ] || ok "stopped: $*, scheduler $scheduler" ublk stop "$dev"
}

for queues in 1 4; do
	closes "$raw $mounted" none ram 32M -q $queues
	closes "$raw" none --any-data null 32M -q $queues
done
for scheduler in mq-deadline kyber bfq; do
	if ! grep -qsw $scheduler /sys/block/*/queue/scheduler; then
		skip "scheduler $scheduler" "only kernels that check themselves have it"
		continue
	fi
	closes "$raw $mounted" $scheduler ram 32M -q 2
done

done_testing
